/* near.h: every element within a distance of a vector. */
#ifndef VDB_DB_NEAR_H
#define VDB_DB_NEAR_H

#include "base/topk.h"
#include "db/collection.h"

/* How far and how well is looked. epsilon: a walk goes on until it has met rows that are farther
 * than the radius by this share of it; 0 and more. */
struct near_query {
    const struct collection_view *view;
    const float *vector; /* as queries of the collection are */
    float radius;
    double epsilon;
};

/* [lane] The rows of the view that are visible and within the radius, with exact distances (of
 * codes, where there are no vectors), by rising rows. *walked is false, and nothing is found, when
 * there is no graph or so much is near that looking at every row costs no more. *hits is
 * mem_free(MEM_SCRATCH)d by the caller in any case. Like any walk it may miss one at the edge.
 * ERR_NOMEM. */
MUST_USE enum err near_walk(const struct near_query *q, struct lane *lane, struct index_cost *cost,
                            bool *walked, struct hit **hits, size_t *count);

/* Exact distances of rows of a view to a vector. owner: the lane */
struct near_scale {
    const struct codec *codec;
    const struct index_rows *rows;
    const uint8_t *query;
    uint8_t *room;
    bool cosine;
};

MUST_USE enum err near_scale_init(struct near_scale *scale, const struct collection_view *v,
                                  const float *vector);
void near_scale_fini(struct near_scale *scale);
float near_distance(const struct near_scale *scale, uint32_t row);

#endif
