/* memory.h: the account of memory as INFO and MEMORY show it. */
#ifndef VDB_CMD_MEMORY_H
#define VDB_CMD_MEMORY_H

#include "base/mem.h"

struct cmd_env;

/* Bytes. used = overhead + dataset, and the sum of tags. */
struct memory_overview {
    uint64_t used, peak, rss;
    uint64_t startup; /* used when the server had started and no data was loaded */
    uint64_t overhead, dataset;
    uint64_t key_table, expiry_table; /* of overhead: what finds keys */
    uint64_t tags[MEM_TAG_COUNT];
    struct mem_allocator allocator;
};

void memory_overview(const struct cmd_env *env, struct memory_overview *out);
/* 0 when there is no whole. */
double memory_ratio(uint64_t part, uint64_t whole);

#endif
