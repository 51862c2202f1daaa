/* visited.h: which rows a walk has met: a bit per row in the lane's scratch, all zero between
 * walks. Small sets are cleared whole; large ones by a list of what was met, unless that grew long.
 */
#ifndef VDB_INDEX_VISITED_H
#define VDB_INDEX_VISITED_H

#include <string.h>

#include "index/scratch.h"

enum { VISITED_CLEAR_ALL_WORDS = 8 * 1024, VISITED_TOUCHED_MAX = 32 * 1024 };

/* owner: the walk */
struct visited {
    uint64_t *bits;
    size_t words;
    uint32_t end; /* rows from here on came after the walk began: it does not go there */
    uint32_t *touched;
    size_t touched_count; /* past VISITED_TOUCHED_MAX: the list is not complete */
};

/* What every walk leaves behind, and the next one relies on. */
static inline bool visited_is_clear(const struct visited *v)
{
    for (size_t i = 0; i < v->words; i++)
        if (v->bits[i] != 0)
            return false;
    return true;
}

/* By other bits than those of the plain one. False when memory is short. */
MUST_USE static inline bool visited_begin_in(struct visited *v, struct lane *lane, uint32_t end,
                                             enum scratch_use bits, enum scratch_use touched)
{
    v->words = ((size_t)end + 63) / 64;
    v->end = end;
    v->touched_count = 0;
    v->bits = scratch_get(lane, bits, v->words * sizeof(uint64_t));
    v->touched = scratch_get(lane, touched, VISITED_TOUCHED_MAX * sizeof(uint32_t));
    if (v->bits == NULL || v->touched == NULL)
        return false;
    CHECK_SLOW(visited_is_clear(v));
    return true;
}

/* False when memory is short. */
MUST_USE static inline bool visited_begin(struct visited *v, struct lane *lane, uint32_t end)
{
    return visited_begin_in(v, lane, end, SCRATCH_VISITED, SCRATCH_TOUCHED);
}

/* Was the row met before, or is it none of the walk's? It is met now. */
static inline bool visited_test_set(struct visited *v, uint32_t row)
{
    if (UNLIKELY(row >= v->end))
        return true;
    uint64_t *word = &v->bits[row / 64];
    uint64_t before = *word;
    *word = before | (uint64_t)1 << (row % 64);
    return (before >> (row % 64) & 1) != 0;
}

/* The rows that visited_test_set has just said are new. */
static inline void visited_note(struct visited *v, const uint32_t *rows, size_t count)
{
    if (v->words <= VISITED_CLEAR_ALL_WORDS)
        return;
    if (v->touched_count + count <= VISITED_TOUCHED_MAX)
        memcpy(v->touched + v->touched_count, rows, count * sizeof(*rows));
    v->touched_count += count;
}

static inline void visited_end(struct visited *v)
{
    if (v->words <= VISITED_CLEAR_ALL_WORDS || v->touched_count > VISITED_TOUCHED_MAX) {
        memset(v->bits, 0, v->words * sizeof(uint64_t));
        return;
    }
    for (size_t i = 0; i < v->touched_count; i++)
        v->bits[v->touched[i] / 64] = 0;
}

#endif
