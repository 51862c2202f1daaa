/* exact.h: the true nearest neighbours, by computing every distance. */
#ifndef VDB_TESTS_BENCH_EXACT_H
#define VDB_TESTS_BENCH_EXACT_H

#include "bench/data.h"

/* Writes for each query the rows of its k nearest vectors, nearest first, to ids (queries * k). The
 * inner products come from float32 matrix products, the order of the last few from doubles: 32
 * candidates more than k are ranked again, so a rounding of float32 cannot drop a neighbour unless
 * 32 others lie within it. */
void exact_search(enum bench_metric metric, const struct matrix *train, const struct matrix *query,
                  size_t k, int32_t *ids);

/* The distance in double precision, smaller is nearer: 1 - cos, or squared L2. */
double exact_distance(enum bench_metric metric, const float *a, const float *b, size_t dim);

#endif
