/* ft_aggregate.h: what FT.AGGREGATE and FT.CURSOR share. owner: loop, but while a lane runs it */
#ifndef VDB_CMD_FT_AGGREGATE_H
#define VDB_CMD_FT_AGGREGATE_H

#include "cmd/ft_plan.h"
#include "db/documents.h"
#include "ft/aggregate.h"

struct ft_aggregate_options {
    struct ft_options query; /* what FT.SEARCH has as well */
    bool with_scores;
    bool cursor;
    uint64_t cursor_rows, cursor_idle_ms;
};

/* One pipeline, from the words to its last row. What it points to stays as long as it does. */
struct ft_aggregate {
    struct ft_ask ask; /* first: of search.extra */
    struct ft_aggregate_options options;
    struct agg_plan plan;
    struct arena arena;
    struct document_room room; /* of a value that JSON has with escapes */
    uint64_t index_serial;
    struct agg_run run; /* its rows: what there is to reply */
    struct why why;

    /* while documents are read */
    struct search *search;
    struct cmd_env *env;
    struct io_timer timer;
    struct bytes_reader hits;
    bool late;                /* the time was over before all was found */
    bool blocked;             /* the client is */
    struct ft_hybrid *hybrid; /* NULL: it is an FT.AGGREGATE; owned */
};

struct ft_hybrid;
/* A zeroed one; ft_aggregate_fini ends it. */
void ft_aggregate_init(struct ft_aggregate *a, struct cmd_env *env, struct key_index *x);
/* Starts the search that finds its keys, for a client who is blocked or in EXEC; takes both. */
void ft_aggregate_start(struct ft_aggregate *a, struct search *s, struct client *client);

/* Reads the words behind the query into options and steps of a plan. */
MUST_USE enum err ft_aggregate_words(struct ft_words *w, const struct config *config,
                                     struct ft_aggregate_options *o, struct agg_plan *plan);
void ft_aggregate_fini(struct ft_aggregate *a);

/* The rows from `first` on, at most count; the total before them. */
void ft_aggregate_reply(struct reply *r, const struct ft_aggregate *a, size_t first, size_t count);

#endif
