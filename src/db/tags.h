/* tags.h: the strings of one TAG field: each has a number, and knows the rows that hold it.
 *
 * Rows are kept as a CRoaring bitmap (Chambi, Lemire, Kaser and Godin 2016), but for a string that
 * a single row holds: unique strings cost 60 bytes and no bitmap. A number whose last row has gone
 * is given out again only when no search can hold it any more.
 *
 * owner: loop. Lanes see numbers only. */
#ifndef VDB_DB_TAGS_H
#define VDB_DB_TAGS_H

#include "base/epoch.h"
#include "base/map.h"

#define TAG_NONE UINT32_MAX

struct tag;

struct tags {
    struct epoch *epoch;
    struct map ids;   /* by text, to numbers */
    struct tag *tags; /* by number */
    uint32_t count;   /* numbers that were ever used */
    uint32_t capacity;
    uint32_t free; /* the first number free to be given out; TAG_NONE: none is */
    size_t bytes;  /* of bitmaps, about: CRoaring allocates by itself */
    uint64_t seed[2];
};

void tags_init(struct tags *t, struct epoch *epoch, const uint64_t seed[2]);
/* No reader is left and nothing of it waits in the epoch. */
void tags_fini(struct tags *t);

/* The row holds this text from now on: its number; TAG_NONE when memory is short. */
uint32_t tags_add(struct tags *t, struct slice text, uint32_t row);
void tags_remove(struct tags *t, uint32_t number, uint32_t row);
/* It is another row now that does. */
void tags_move(struct tags *t, uint32_t number, uint32_t from, uint32_t to);

/* TAG_NONE: no row holds it. */
uint32_t tags_find(const struct tags *t, struct slice text);
size_t tags_rows_count(const struct tags *t, uint32_t number);
/* Copies all its rows, in ascending order. */
void tags_rows(const struct tags *t, uint32_t number, uint32_t *out);

size_t tags_bytes(const struct tags *t);

#endif
