/* curve.c: Pareto front, interpolation, medians. */
#include "bench/curve.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"

static int faster_first(const void *a, const void *b)
{
    const struct curve_point *x = a, *y = b;
    if (x->qps != y->qps)
        return x->qps < y->qps ? 1 : -1;
    return x->recall < y->recall ? 1 : x->recall > y->recall ? -1 : 0;
}

size_t curve_front(struct curve_point *points, size_t count)
{
    qsort(points, count, sizeof *points, faster_first);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || points[i].recall > points[kept - 1].recall)
            points[kept++] = points[i];
    }
    return kept;
}

/* A recall of 1 has no logit; nothing measured on 2,000 queries of 10 tells it from this. */
static double logit(double recall)
{
    double p = fmin(fmax(recall, 1e-6), 1 - 1e-5);
    return log(p / (1 - p));
}

double curve_qps_at(const struct curve_point *front, size_t count, double recall)
{
    CHECK(count > 0);
    if (front[0].recall >= recall)
        return front[0].qps;
    for (size_t i = 1; i < count; i++) {
        const struct curve_point *a = &front[i - 1], *b = &front[i];
        if (b->recall < recall)
            continue;
        double share = (logit(recall) - logit(a->recall)) / (logit(b->recall) - logit(a->recall));
        return exp(log(a->qps) + share * (log(b->qps) - log(a->qps)));
    }
    return 0;
}

unsigned curve_effort_at(const struct curve_point *front, size_t count, double recall)
{
    CHECK(count > 0);
    for (size_t i = 0; i < count; i++) {
        if (front[i].recall >= recall)
            return front[i].effort;
    }
    return front[count - 1].effort;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double curve_median(double *values, size_t count)
{
    CHECK(count > 0);
    qsort(values, count, sizeof *values, ascending);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
