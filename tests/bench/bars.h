/* bars.h: the figures to reach, beside what was measured. Pure; no state. */
#ifndef VDB_TESTS_BENCH_BARS_H
#define VDB_TESTS_BENCH_BARS_H

#include <stdbool.h>

#include "bench/curve.h"

/* What was measured of one system on one set. */
struct bar_system {
    const char *key;
    bool batch;
    const struct curve_point *front; /* curve_front */
    size_t front_count;
    double build_s;     /* CPU seconds; 0: it was not built here */
    double bytes;       /* a vector, all told */
    double code_bytes;  /* of these, its code; 0: there is none */
    double query_bytes; /* a query reads, at least; 0: not known */
};

/* Prints each bar of the set whose systems were measured, with its figure; or nothing. read_gbs:
 * what memory gives one thread. */
void bars_print(const char *set, const struct bar_system *systems, size_t count, double read_gbs);

#endif
