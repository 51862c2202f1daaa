/* truth.h: the exact nearest neighbours that recall is measured against. */
#ifndef VDB_TOOL_TRUTH_H
#define VDB_TOOL_TRUTH_H

#include "base/err.h"
#include "tool/format.h"
#include "vec/vec.h"

/* owner: caller */
struct truth {
    uint32_t *rows; /* query_count times k row numbers, nearest first */
    uint64_t query_count;
    uint32_t k;
};

/* Compares every query with every row on all cores. base has at least k rows. */
MUST_USE enum err truth_compute(struct truth *t, const struct matrix *base,
                                const struct matrix *queries, enum metric metric, uint32_t k,
                                struct why *why);
/* Reads an ibin file: u32 queries, u32 neighbours, then so many row numbers (u32); distances may
 * follow. Takes the first k neighbours of the first query_count queries. */
MUST_USE enum err truth_load(struct truth *t, const char *path, uint64_t query_count, uint32_t k,
                             struct why *why);
void truth_free(struct truth *t);

#endif
