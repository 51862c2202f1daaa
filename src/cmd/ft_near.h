/* ft_near.h: VECTOR_RANGE: every document within a distance of one vector, or of several: then it
 * has a distance to each, and is found by its key in the collections of the others. */
#ifndef VDB_CMD_FT_NEAR_H
#define VDB_CMD_FT_NEAR_H

#include "base/limits.h"
#include "db/search.h"

/* A VECTOR_RANGE besides the first. Its view is of the turn in which the search starts, whose guard
 * holds both. owner: ft_ask */
struct ft_side {
    struct collection_view view;
    float *query; /* as index_query_read makes it; owned */
    float radius;
    double epsilon;
    struct slice distance_as;
    char *default_as; /* owned, or NULL */
};

struct ft_sides {
    struct ft_side *items; /* MEM_SCRATCH */
    size_t count;          /* at most FT_SIDES_MAX */
    double epsilon;        /* of the first VECTOR_RANGE, which is none of them */
};

enum { FT_SIDES_MAX = LIMIT_QUERY_RADII - 1 };

void ft_sides_fini(struct ft_sides *sides);

/* A document within all distances. */
struct ft_near {
    float distance;    /* to the first vector */
    uint32_t row;      /* of the search's view */
    const float *side; /* to the others, in their order */
};

/* [lane] All of s within s->radius of its query and within those of the sides, nearest to the first
 * first: by walks of the graphs (db/near.h), or by looking at every document that the filter lets
 * through, when these are few or there is no graph. Distances are exact. Calls put for each, when
 * all are found, after count of how many there are. ERR_NOMEM. */
MUST_USE enum err ft_near_run(struct search *s, struct lane *lane, const struct ft_sides *sides,
                              void (*count)(struct search *s, size_t count),
                              void (*put)(struct search *s, const struct ft_near *near));

#endif
