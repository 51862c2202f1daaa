/* scan.h: exact passes over code rows: the flat index, the pending set, the matches of a filter. */
#ifndef VDB_INDEX_SCAN_H
#define VDB_INDEX_SCAN_H

#include "index/index.h"

/* Pushes every visible, accepted row of first .. end - 1 into top with its code score. [lane] */
void scan_range(const struct index_rows *rows, struct lane *lane, const uint8_t *prepared,
                const struct index_filter *filter, uint32_t first, uint32_t end, struct topk *top,
                struct index_cost *cost);

/* The same for a list of rows, in any order. [lane] */
void scan_list(const struct index_rows *rows, struct lane *lane, const uint8_t *prepared,
               const struct index_filter *filter, const uint32_t *list, size_t count,
               struct topk *top, struct index_cost *cost);

#endif
