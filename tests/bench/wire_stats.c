/* wire_stats.c: every latency is kept, so that no quantile is an estimate. */
#include "bench/wire_stats.h"

#include <stdlib.h>

#include "base/mem.h"

void wire_stats_add(struct wire_stats *s, double latency_us)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity == 0 ? 4096 : s->capacity * 2;
        s->latencies_us = mem_realloc(MEM_TEST, s->latencies_us, s->capacity * sizeof(float));
    }
    s->latencies_us[s->count++] = (float)latency_us;
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

double wire_stats_quantile(struct wire_stats *s, double share)
{
    CHECK(share >= 0 && share <= 1);
    if (s->count == 0)
        return 0;
    qsort(s->latencies_us, s->count, sizeof *s->latencies_us, ascending);
    return (double)s->latencies_us[(size_t)(share * (double)(s->count - 1))];
}

void wire_stats_fini(struct wire_stats *s)
{
    mem_free(MEM_TEST, s->latencies_us);
    *s = (struct wire_stats){0};
}
