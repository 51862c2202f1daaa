/* fields.h: what SCHEMA promises: the fields of all attributes as typed columns, and an index over
 * each.
 *
 * All of it is derived from the attributes, is never logged, and is built again after a start.
 * What a column cannot say (a string where a number is expected, an array) is FIELD_OTHER there:
 * then the attribute itself is looked at, so an answer never depends on whether there is a schema.
 *
 * A row is in the indexes from fields_set to fields_unset or fields_forget. While they are built,
 * rows below `built` are; the others' turn comes. TAG and BOOL: a bitmap of rows per value, of an
 * array of strings per element; NUMERIC: a counted tree; GEO: the same, by keys of base/geo.h. Rows
 * that are not under a value and might match a comparison with one all the same stand in `rest`:
 * FIELD_OTHER, and of NUMERIC also null, which compares as 0.
 *
 * owner: loop. Lanes read the columns only, as their view has them, with field_read: a row's values
 * are complete before it is born. When an attribute is replaced its row reads FIELD_OTHER from
 * before the attribute changes until after; who reads more than one field looks whether the
 * attribute is the same before and after (predicate.h). */
#ifndef VDB_DB_FIELDS_H
#define VDB_DB_FIELDS_H

#include <stdatomic.h>

#include "base/column.h"
#include "base/geo.h"
#include "base/job.h"
#include "base/order.h"
#include "db/json_scan.h"
#include "db/schema.h"
#include "db/tags.h"

struct background;

enum field_state {
    FIELD_VALUE,
    FIELD_NONE,    /* there is no attribute, or it is no JSON: no filter matches */
    FIELD_MISSING, /* no such field in it */
    FIELD_NULL,
    FIELD_OTHER /* read the attribute */
};

/* Rows of a field that its column says nothing of; and those of a BOOL's values. */
struct field_rows {
    struct roaring_bitmap_s *bitmap; /* NULL: none */
    size_t count;
};

struct field {
    enum schema_kind kind;
    uint32_t slot; /* of its path */
    struct tags tags;
    struct order order;
    struct field_rows bools[2];
    struct field_rows rest;
    struct field_rows sets; /* TAG: rows with an array of strings */
};

struct fields {
    struct epoch_item end; /* when others take its place */
    struct job end_job;
    struct background *background;
    struct retired *retired; /* of background, which may be gone before the job comes back */
    size_t retired_bytes;
    struct schema schema; /* what it was made for; immutable */
    struct json_paths paths;
    struct columns columns;
    struct field fields[LIMIT_SCHEMA_FIELDS];
    bool building;
    uint32_t built; /* while building: rows below are there */
};

/* NULL when memory is short. rows_max: of the collection, in the end. */
MUST_USE struct fields *fields_new(const struct schema *schema, struct epoch *epoch,
                                   const uint64_t seed[2], uint32_t rows_max);
/* No reader is left. [any thread] */
void fields_free(struct fields *f);
/* [loop] Freed when no search can hold it, on a lane. */
void fields_retire(struct fields *f, struct background *b);

/* Columns for rows 0 .. rows - 1. cost: what it would newly take, with indexes for added rows. */
MUST_USE enum err fields_reserve(struct fields *f, uint32_t rows);
size_t fields_cost(const struct fields *f, uint32_t rows, size_t added);

static inline bool fields_has(const struct fields *f, uint32_t row)
{
    return !f->building || row < f->built;
}

/* The row has this attribute (len 0: none). It is not in the indexes yet. */
void fields_set(struct fields *f, uint32_t row, struct slice attribute);
/* It will have another one: out of the indexes, and its columns read FIELD_OTHER. */
void fields_unset(struct fields *f, uint32_t row);
/* It has died: out of the indexes, and its columns stay for those who still see it. */
void fields_forget(struct fields *f, uint32_t row);
/* Its element stands in another row now, which is not in the indexes. */
void fields_move(struct fields *f, uint32_t from, uint32_t to);
/* Rows 0 .. built - 1 are in, and more come. */
void fields_begin_build(struct fields *f);

size_t fields_bytes(const struct fields *f);

/* -- reading, on any lane ---------------------------------------------------------------------- */

/* What a NUMERIC column holds for the other states is a NaN that JSON cannot write; that of a GEO
 * is no point. */
#define FIELD_NUMBER_STATES ((uint64_t)0x7ff8dead)
enum { FIELD_TAG_STATES = 8 /* numbers of tags begin there */, FIELD_BOOL_STATES = 2 };
#define FIELD_TAG_SET ((uint32_t)1 << 31) /* in the column: it is a set's */

struct field_cell {
    enum field_state state;
    bool is_set;  /* TAG: of an array of strings */
    uint32_t tag; /* TAG: its number */
    union {
        double number;  /* NUMERIC; BOOL: 1 or 0 */
        uint64_t point; /* GEO: packed */
    };
};

static inline void field_fetch(enum schema_kind kind, const uint8_t *base, uint32_t row)
{
    bool wide = kind == SCHEMA_NUMERIC || kind == SCHEMA_GEO;
    size_t size = wide ? sizeof(uint64_t) : kind == SCHEMA_TAG ? sizeof(uint32_t) : sizeof(uint8_t);
    __builtin_prefetch(base + row * size);
}

static inline struct field_cell field_read(enum schema_kind kind, const uint8_t *base, uint32_t row)
{
    struct field_cell cell = {.state = FIELD_VALUE};
    if (kind == SCHEMA_NUMERIC || kind == SCHEMA_GEO) {
        const _Atomic uint64_t *column = (const _Atomic uint64_t *)(const void *)base;
        uint64_t bits = atomic_load_explicit(&column[row], memory_order_acquire);
        if (bits >> 32 == (kind == SCHEMA_GEO ? GEO_HALF_UNUSED : FIELD_NUMBER_STATES))
            cell.state = (enum field_state)(bits & 7);
        else if (kind == SCHEMA_GEO)
            cell.point = bits;
        else
            memcpy(&cell.number, &bits, sizeof(bits));
    } else if (kind == SCHEMA_TAG) {
        const _Atomic uint32_t *column = (const _Atomic uint32_t *)(const void *)base;
        uint32_t tag = atomic_load_explicit(&column[row], memory_order_acquire);
        if (tag < FIELD_TAG_STATES)
            cell.state = (enum field_state)tag;
        else
            cell.tag = (tag & ~FIELD_TAG_SET) - FIELD_TAG_STATES;
        cell.is_set = tag >= FIELD_TAG_SET;
    } else {
        const _Atomic uint8_t *column = (const _Atomic uint8_t *)base;
        uint8_t value = atomic_load_explicit(&column[row], memory_order_acquire);
        if (value < FIELD_BOOL_STATES)
            cell.number = value;
        else
            cell.state = (enum field_state)(value - FIELD_BOOL_STATES);
    }
    return cell;
}

#endif
