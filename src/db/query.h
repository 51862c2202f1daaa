/* query.h: elements by their attributes alone: all that a predicate lets through, in the order of
 * one of their fields or of none. */
#ifndef VDB_DB_QUERY_H
#define VDB_DB_QUERY_H

#include "db/json_pick.h"
#include "db/search.h"

/* owner: caller */
struct query {
    struct json_pick *sort_by; /* one field; NULL: in no order that means something */
    bool descending;
    bool by_first;        /* an array stands where its first element would */
    bool equals_too;      /* descending turns the order of equals around as well */
    size_t offset, count; /* which of them, in that order */
};

/* [lane] The rows that s->filter lets through, in order, without the first offset of them, at most
 * count; mem_free(MEM_SCRATCH) them. Numbers come before strings, strings before booleans;
 * descending turns that around. What is anything else, or is not there, comes last in any case; of
 * equals the smaller id comes first, unless they are turned around too. */
MUST_USE enum err query_rows(struct search *s, struct lane *lane, const struct query *query,
                             uint32_t **rows, size_t *count);

/* [lane] Calls fn for each visible row that s->filter lets through until it returns false, or the
 * time of s is over. */
void query_each(struct search *s, struct lane *lane, bool (*fn)(void *user, uint32_t row),
                void *user);

#endif
