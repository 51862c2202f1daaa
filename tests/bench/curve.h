/* curve.h: comparing indexes at equal recall. Pure; no state. */
#ifndef VDB_TESTS_BENCH_CURVE_H
#define VDB_TESTS_BENCH_CURVE_H

#include <stddef.h>

/* One setting of a search: what it found and how fast. */
struct curve_point {
    double recall;
    double qps;
    unsigned effort;
};

/* Keeps the points that no other beats in both recall and speed, in order of rising recall; returns
 * how many. */
size_t curve_front(struct curve_point *points, size_t count);

/* The speed at a recall: on a front, log(qps) is interpolated against logit(recall). Below the
 * first point the first point's speed counts (no setting is faster); 0 when the recall is not
 * reached. */
double curve_qps_at(const struct curve_point *front, size_t count, double recall);

/* The smallest measured effort that reaches the recall, or the last one. */
unsigned curve_effort_at(const struct curve_point *front, size_t count, double recall);

/* Sorts values. */
double curve_median(double *values, size_t count);

#endif
