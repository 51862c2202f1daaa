/* ft.h: what the handlers of FT commands share. */
#ifndef VDB_CMD_FT_H
#define VDB_CMD_FT_H

#include "cmd/command.h"
#include "cmd/env.h"
#include "cmd/ft_marks.h"
#include "cmd/ft_words.h"
#include "db/key_filter.h"

/* The index of that name, or NULL after replying the error that clients look for. */
struct key_index *ft_index(struct request *rq, struct slice name);
/* An error as RediSearch replies it: without a code of its own. */
void ft_reply_error(struct reply *r, enum err e, const struct why *why);

extern const char ft_timeout_text[];

/* RETURN: what to look up, and what to call it. */
struct ft_return {
    struct slice what, as;
};

/* The options of FT.SEARCH. owner: itself, all in one piece with the bytes of its slices. */
struct ft_options {
    bool no_content, with_scores, with_payloads, with_sort_keys, has_return, has_sort, descending;
    struct ft_return *returns;
    size_t return_count;
    struct slice sort_by;
    uint64_t offset, count; /* LIMIT */
    unsigned dialect;
    bool any_order; /* of hits: an aggregate makes its own */
    bool has_language;
    struct key_text_options words; /* scores: of no meaning here */
    uint64_t timeout_ms;           /* 0: none */
    bool fails_late;               /* no part of a reply when the time is over */
    bool has_keys;
    struct slices keys; /* INKEYS: no other documents */
    struct query_param *params;
    size_t param_count;
    struct query_clause *clauses; /* GEOFILTER */
    size_t clause_count;
    struct ft_marks marks;
};

/* Reads the words behind the query, which stay until ft_options_fini. */
MUST_USE enum err ft_options_read(const struct slices *words, const struct config *config,
                                  struct ft_options *out, struct why *why);
void ft_options_init(struct ft_options *o, const struct config *config);
void ft_options_fini(struct ft_options *o);
/* Reads an option that FT.AGGREGATE has as well, if the next word is one. */
MUST_USE enum err ft_options_shared(struct ft_words *w, struct ft_options *o, bool *found);

#endif
