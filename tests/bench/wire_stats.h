/* wire_stats.h: latencies of one kind of request. */
#ifndef VDB_TESTS_BENCH_WIRE_STATS_H
#define VDB_TESTS_BENCH_WIRE_STATS_H

#include <stddef.h>
#include <stdint.h>

/* owner: whoever holds it; zero is empty */
struct wire_stats {
    float *latencies_us;
    size_t count;
    size_t capacity;
};

void wire_stats_add(struct wire_stats *s, double latency_us);
/* Sorts; share 0.5 is the median, 1 the largest. 0 when there is none. */
double wire_stats_quantile(struct wire_stats *s, double share);
void wire_stats_fini(struct wire_stats *s);

#endif
