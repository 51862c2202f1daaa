/* ft_profile.h: FT.PROFILE: a search or an aggregation that runs as ever, and what its time went
 * into, behind its reply. */
#ifndef VDB_CMD_FT_PROFILE_H
#define VDB_CMD_FT_PROFILE_H

#include "cmd/command.h"
#include "db/search.h"

/* Of one run, in the order of its steps; monotonic. owner: ft_ask */
struct ft_profile {
    bool on, limited;
    uint64_t start_us, parsed_us, planned_us;
    uint64_t found;             /* documents, by the search */
    uint64_t loader_us, loaded; /* time on the loop, documents */
    bool has_pipeline;          /* FT.AGGREGATE */
    uint64_t pipeline_us, rows;
    const char *type; /* of what finds documents */
    bool timed_out;
};

/* A command that FT.PROFILE runs as well. */
struct ft_call {
    struct slice index, query;
    struct slices words;
    struct ft_profile profile;
};

/* The time, or 0 when nothing is profiled. */
uint64_t ft_profile_now(const struct ft_profile *p, const struct db *db);
/* What is before a reply of RESP2, or more entries in its map of RESP3; then the reply comes. */
void ft_profile_begin(struct reply *r, const struct ft_profile *p);
/* What comes behind that reply. s has found its documents. */
void ft_profile_end(struct reply *r, const struct ft_profile *p, const struct search *s);

/* ft_search.c, ft_aggregate.c */
void ft_search_run(struct request *rq, const struct ft_call *call);
void ft_aggregate_run(struct request *rq, const struct ft_call *call);

#endif
