/* column.h: arrays with one row per element, all of a collection's at once.
 *
 * A small set of columns lives in one slab, so that ten thousand collections of ten elements do not
 * cost ten thousand mappings. Past COLUMNS_SLAB_MAX bytes every column becomes a reservation of
 * address space of its own, committed step by step on huge pages: from then on a row never moves.
 *
 * Readers on lanes work on a copy of base[] taken by the loop when their job is submitted, under an
 * epoch guard. While the set is small, growing makes a new slab and leaves the old one as it was to
 * the readers that have it; so what changes after publishing (death, attribute) may be missed by
 * them, which the read LSN allows. What lanes write into an old slab is lost.
 *
 * owner: loop (the struct and all growing); rows are shared as the column's owner says. */
#ifndef VDB_BASE_COLUMN_H
#define VDB_BASE_COLUMN_H

#include "base/epoch.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    COLUMNS_MAX = 16,
    COLUMNS_SLAB_MAX = 64 * 1024,
    COLUMNS_SHRINK_STEP = 2 * 1024 * 1024 /* a huge page */
};

struct column_spec {
    uint32_t stride; /* bytes of a row; 0: the column is not there */
    enum mem_tag tag;
};

struct columns {
    struct epoch *epoch;
    struct column_spec spec[COLUMNS_MAX];
    unsigned count;
    /* A bit for each column of uint32_t that lanes write too, atomically: it is copied so when a
     * slab grows. Set after columns_init. */
    uint32_t shared;
    uint8_t *base[COLUMNS_MAX];  /* row r of column c: base[c] + r * stride */
    uint32_t capacity;           /* rows that may be used now */
    uint32_t rows_max;           /* rows the reservations have address space for */
    bool large;
    struct columns_slab *slab;   /* small only */
    size_t committed[COLUMNS_MAX];
};

/* bytes_max: what all columns together will never exceed (the machine's memory). */
void columns_init(struct columns *c, struct epoch *epoch, const struct column_spec *spec,
                  unsigned count, size_t bytes_max);
/* No reader is left. */
void columns_fini(struct columns *c);

/* Makes rows 0 .. rows - 1 usable; new rows are zero, but for those that columns_shrink has had and
 * not given back. ERR_NOMEM, ERR_LIMIT: nothing has changed. base[] may change while the set is
 * small. */
MUST_USE enum err columns_reserve(struct columns *c, uint32_t rows);

/* Leaves the slab now, however small the set is. */
MUST_USE enum err columns_make_large(struct columns *c);

/* A column that was not there (stride 0), its rows 0. ERR_NOMEM: nothing has changed. base[] may
 * change while the set is small. */
MUST_USE enum err columns_add(struct columns *c, unsigned i, struct column_spec spec);

/* A column that is not there any more, for readers that still have its base. immutable */
struct column_left {
    uint8_t *base;
    size_t reserved, committed;
    enum mem_tag tag;
};

/* Takes a column away. A small set's stays in its slab until that grows. */
struct column_left columns_remove(struct columns *c, unsigned i);
/* [any thread] No reader is left. */
void column_left_free(struct column_left *left);

/* The rows from `rows` on are no longer used, and no reader looks at them any more: gives memory
 * behind them back to the system, at most bytes_max (a multiple of COLUMNS_SHRINK_STEP) or one
 * column's share below a step, so that the loop is not held up; false: there is no more to give.
 * A small set keeps its slab. */
bool columns_shrink(struct columns *c, uint32_t rows, size_t bytes_max);
/* Bytes that columns_shrink would give back in all. */
size_t columns_excess(const struct columns *c, uint32_t rows);

/* Bytes columns_reserve would newly commit, for the check against maxmemory before work starts. */
size_t columns_cost(const struct columns *c, uint32_t rows);

size_t columns_bytes(const struct columns *c);

/* Memory of some rows of one column. */
struct column_span {
    uint8_t *ptr;
    size_t size;
};

/* Where rows first .. end - 1 stand, COLUMNS_MAX at most; 0 while the set is small. */
size_t columns_spans(const struct columns *c, uint32_t first, uint32_t end,
                     struct column_span *out);
/* [any thread] Has the system make the pages, which it would do when they are first written: a
 * millisecond for a huge one, of the loop's time. A wish. */
void column_span_touch(const struct column_span *span);

#endif
