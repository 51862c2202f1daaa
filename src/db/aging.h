/* aging.h: when the elements of a collection expire, in which order, and how lately each was used.
 *
 * A collection has it from the first element on that expires, or when its spec says that elements
 * do, or that it evicts by use. The columns hold what is known of a row; the heap has the rows that
 * expire, the soonest first, so that the next one is always known and one that dies earlier leaves
 * in a few cache lines. Whether an element has expired is for the reader to say, by the clock of
 * its command; that it goes is a MUTATION_REMOVE like any other (cmd/expire.h).
 *
 * owner: loop. Lanes read AGE_EXPIRE, which is set before the row is born, and read and write
 * AGE_ACCESS: relaxed, since a use that is missed does no harm. */
#ifndef VDB_DB_AGING_H
#define VDB_DB_AGING_H

#include <stdatomic.h>

#include "base/column.h"

enum aging_column {
    AGE_EXPIRE, /* u64, Unix time in ms; 0: never */
    AGE_ACCESS, /* u32, as the policy of eviction has it (evict.h) */
    AGE_PLACE,  /* u32, in the heap, plus 1; 0: not there. The loop's alone */
    AGE_COUNT
};

struct aging_entry {
    uint64_t expire_ms;
    uint32_t row;
};

struct collection;

struct aging {
    struct columns columns;
    struct aging_entry *entries; /* a heap of 4 children */
    uint32_t count, capacity;
    struct collection *collection;
    struct aging *next, **link; /* of all that there are; those with entries are looked at */
};

/* NULL when memory is short. [any thread] */
MUST_USE struct aging *aging_new(struct collection *c, struct epoch *epoch, uint32_t rows_max);
/* From here on, until aging_unlist, it is looked at for what has expired. */
void aging_list(struct aging *a, struct aging **head);
/* next: whoever goes through the list stands there; moved on when it is a. */
void aging_unlist(struct aging *a, struct aging **next);
/* No reader is left. [any thread, once it has left the list] */
void aging_free(struct aging *a);

/* Room for rows 0 .. rows - 1 and so many more that expire: the part that can fail. */
MUST_USE enum err aging_reserve(struct aging *a, uint32_t rows, size_t added);
size_t aging_cost(const struct aging *a, uint32_t rows, size_t added);

/* A new row, not yet published. expire_ms 0: never. */
void aging_set(struct aging *a, uint32_t row, uint64_t expire_ms, uint32_t access);
/* The row has died: out of the heap. Its columns stay for those who still see it. */
void aging_forget(struct aging *a, uint32_t row);
/* Its element stands in another row now. */
void aging_move(struct aging *a, uint32_t from, uint32_t to);

static inline uint64_t aging_expiry(const struct aging *a, uint32_t row)
{
    const _Atomic uint64_t *expire = (const _Atomic uint64_t *)a->columns.base[AGE_EXPIRE];
    return atomic_load_explicit(&expire[row], memory_order_relaxed);
}

/* Has the element of a row expired at now_ms? As a key, it is there until its time has passed. */
static inline bool aging_is_over(const struct aging *a, uint32_t row, uint64_t now_ms)
{
    uint64_t expire_ms = aging_expiry(a, row);
    return expire_ms != 0 && expire_ms < now_ms;
}

static inline bool aging_is_due(const struct aging *a, uint64_t now_ms)
{
    return a->count > 0 && a->entries[0].expire_ms < now_ms;
}

/* Those in the heap whose time is over, of the rows that count (NULL: all): O(their number). */
size_t aging_count_due(const struct aging *a, uint64_t now_ms,
                       bool (*counts)(const void *user, uint32_t row), const void *user);
/* The rows that expire soonest, at most most of them, in their order; room for as many. SIZE_MAX
 * when memory is short. */
size_t aging_soonest(const struct aging *a, size_t most, uint32_t *rows);

size_t aging_bytes(const struct aging *a);
/* For tests: do order and places hold? */
bool aging_check(const struct aging *a);

#endif
