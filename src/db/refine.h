/* refine.h: what is made of the hits of a search before they are shown: without the elements that
 * were its examples, the best of each group, or a choice that varies.
 *
 * owner: the search's. The request is filled in on the loop, the outcome on the lane. */
#ifndef VDB_DB_REFINE_H
#define VDB_DB_REFINE_H

#include "base/job.h"
#include "base/topk.h"
#include "db/collection.h"
#include "db/json_pick.h"

/* The elements that have one value in the field. */
struct refine_group {
    struct json_value value; /* of the nearest; as long as the view is held */
    struct hit *hits;        /* nearest first */
    size_t count;
};

struct refine {
    struct buf omitted; /* ids that are no hits: lengths (size_t) and bytes in turn */
    size_t omitted_count;
    struct json_pick *group_by; /* one field; NULL: no groups; owned */
    size_t group_size;          /* hits of a group at most */
    bool varies;                /* MMR */
    float lambda;               /* 1: near the query is all that counts; 0: far from each other */
    size_t fetch;               /* hits to choose from; 0: some */

    /* of the last query, with group_by */
    struct refine_group *groups;
    size_t group_count;
    struct hit *members; /* where groups' hits stand */
};

/* NULL when memory is short. */
MUST_USE struct refine *refine_new(void);
void refine_free(struct refine *r);
/* ERR_NOMEM. */
MUST_USE enum err refine_omit(struct refine *r, const struct slice *ids, size_t count);

/* So many hits (or groups) are wanted: how many of the nearest to look at first. */
size_t refine_first(const struct refine *r, size_t wanted);

/* [lane] Makes count hits, nearest first, into at most wanted: in place, or into groups. all: there
 * are no more hits. *again: more hits have to be looked at, so many; 0: it is done. ERR_NOMEM. */
MUST_USE enum err refine_hits(struct refine *r, const struct collection_view *v, struct lane *lane,
                              size_t wanted, bool all, struct hit *hits, size_t *count,
                              size_t *again);

#endif
