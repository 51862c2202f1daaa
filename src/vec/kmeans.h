/* kmeans.h: k-means (Lloyd) over a sample, in steps short enough to stop between two of them.
 *
 * Centers begin as different points. One without points at the end of a turn moves to beside the
 * center that has most of them, which then share them (as Faiss does it). */
#ifndef VDB_VEC_KMEANS_H
#define VDB_VEC_KMEANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* owner: caller */
struct kmeans {
    const float *points; /* count x dim, of the caller */
    size_t count;
    uint32_t dim;
    uint32_t centers;
    unsigned turns, turn; /* there are, and were */
    size_t next;          /* point of this turn */
    size_t block;         /* points a step looks at */
    float *centroids;     /* centers x dim */
    float *squares;       /* of the centroids */
    float *sums;          /* centers x dim */
    uint32_t *sizes;      /* points of each center */
    float *dots;          /* block x centers */
    double error;         /* sum of squared distances in the last whole turn */
    double error_so_far;
};

/* 1 <= centers <= count. ERR_NOMEM. */
MUST_USE enum err kmeans_init(struct kmeans *k, const float *points, size_t count, uint32_t dim,
                              uint32_t centers, unsigned turns, uint64_t seed);
/* False: it is over. A step takes about a millisecond. */
bool kmeans_step(struct kmeans *k);
void kmeans_fini(struct kmeans *k);

/* The nearest of centers by squared distance less the point's own square, given dots with all of
 * them and the squares of the centers. *dist: that difference. */
uint32_t kmeans_nearest(const float *dots, const float *squares, uint32_t centers, float *dist);

#endif
