/* tags.h: the strings of one TAG field: each has a number, and knows the rows that hold it.
 *
 * A row has one number. That of a row with an array of strings is a set's: its members are strings
 * with numbers of their own, which know the row, too, and the sets that they are in.
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
enum { TAG_SET_MAX = 256 /* members of a set */ };

struct tag;

struct tags {
    struct epoch *epoch;
    struct map ids;   /* by text, to numbers */
    struct map sets;  /* by the numbers of their members, to numbers */
    struct tag *tags; /* by number */
    uint32_t count;   /* numbers that were ever used */
    uint32_t capacity;
    uint32_t free; /* the first number free to be given out; TAG_NONE: none is */
    size_t bytes;  /* of bitmaps, about: CRoaring allocates by itself */
    uint64_t seed[2];
};

/* A set that is being made: different numbers, ascending. */
struct tag_members {
    uint32_t numbers[TAG_SET_MAX];
    size_t count;
};

void tags_init(struct tags *t, struct epoch *epoch, const uint64_t seed[2]);
/* No reader is left and nothing of it waits in the epoch. */
void tags_fini(struct tags *t);

/* The row holds this text from now on: its number; TAG_NONE when memory is short. */
uint32_t tags_add(struct tags *t, struct slice text, uint32_t row);
/* The same of a set: its members in any order, then the row. false: memory is short, or they are
 * too many. What ends otherwise than with a number has to be given up. */
bool tags_add_member(struct tags *t, struct tag_members *m, struct slice text);
uint32_t tags_add_set(struct tags *t, const struct tag_members *m, uint32_t row);
void tags_give_up_set(struct tags *t, const struct tag_members *m);
void tags_remove(struct tags *t, uint32_t number, uint32_t row);
/* It is another row now that does. */
void tags_move(struct tags *t, uint32_t number, uint32_t from, uint32_t to);

/* TAG_NONE: no row holds it. */
uint32_t tags_find(const struct tags *t, struct slice text);
/* The text of a number that a row holds; false: it is a set's, or nobody's. */
bool tags_text(const struct tags *t, uint32_t number, struct slice *out);
/* Sets that it is a member of, in ascending order. */
size_t tags_sets_count(const struct tags *t, uint32_t number);
void tags_sets(const struct tags *t, uint32_t number, uint32_t *out);

/* Of a string: those of its sets are among them. */
size_t tags_rows_count(const struct tags *t, uint32_t number);
/* Copies all its rows, in ascending order. */
void tags_rows(const struct tags *t, uint32_t number, uint32_t *out);

size_t tags_bytes(const struct tags *t);

#endif
