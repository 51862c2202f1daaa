/* partitions.h: the partitions of a collection: their names, and which rows are in which.
 *
 * A collection has it from its first VPARTITION CREATE on; before, all rows are in `_default`. A
 * row has the number of its partition in COL_PARTITION, from its birth on; numbers mean something
 * within one server only: the log knows names, a snapshot both.
 *
 * A partition that is dropped is hidden at one LSN: what is read from then on passes its rows over
 * (row_visible), as if all had died then. They do so in slices (DYING), each with the LSN of the
 * drop as its death, so whoever reads at an LSN before still sees them. Then the number is free.
 *
 *   FREE ─► LIVE ─► DYING ─► FREE
 *
 * owner: loop. Lanes see the table that their view has, which never changes. */
#ifndef VDB_DB_PARTITIONS_H
#define VDB_DB_PARTITIONS_H

#include "base/epoch.h"
#include "base/err.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/slice.h"

enum {
    PARTITION_DEFAULT = 0,
    PARTITION_NUMBERS = 4096, /* more than may be there, so that some can be dying meanwhile */
    PARTITION_NONE = UINT16_MAX,
    PARTITION_WORDS = PARTITION_NUMBERS / 64
};

struct collection;

/* 1 to LIMIT_PARTITION_NAME letters, digits, '_', '-' and '.'. */
bool partition_name_fits(struct slice name);
struct slice partition_default_name(void);

struct partition_name {
    struct slice name;
    uint16_t number;
};

/* immutable once published; freed by the epoch */
struct partition_table {
    struct epoch_item end;
    bool hides;                       /* some bit of hidden is set */
    uint64_t hidden[PARTITION_WORDS]; /* numbers that are dying */
    uint32_t count;
    struct partition_name names[]; /* rising; _default is one of them */
};

/* PARTITION_NONE when there is none of that name. */
uint16_t partition_table_find(const struct partition_table *t, struct slice name);
/* The name of a number that is live; len 0: it is not. */
struct slice partition_table_name(const struct partition_table *t, uint16_t number);

/* What the elements of a partition come to. */
struct partition_sums {
    size_t count, attributes, heap_bytes;
};

enum partition_state { PARTITION_FREE, PARTITION_LIVE, PARTITION_DYING };

struct partition {
    enum partition_state state;
    uint64_t uid; /* of no other of the collection, ever */
    /* Its rows. Of _default there may be some that had died when the first partition was created;
     * a row is in one bitmap at most. */
    struct roaring_bitmap_s *rows;
    struct partition_sums sums;
    uint64_t gone_lsn; /* DYING: from which its rows are not visible */
};

struct partitions {
    struct collection *collection;
    const struct partition_table *table;
    struct partition_table *next_table; /* prepared; NULL: none */
    uint16_t next_number;               /* of the one to be made, or to be dropped */
    struct partition *all;              /* by number */
    uint32_t end;                       /* numbers there are */
    uint16_t last;                      /* number given last */
    uint64_t next_uid;
    struct partition_sums dying; /* of all that are DYING */
    size_t booked_bytes;
    struct io_timer timer; /* the next slice */
};

/* A collection's, with _default alone. NULL when memory is short. */
MUST_USE struct partitions *partitions_new(struct collection *c);
/* The collection is dropped: no more slices. */
void partitions_stop(struct partitions *p);
/* No reader is left. [any thread] */
void partitions_free(struct partitions *p);
size_t partitions_bytes(const struct partitions *p);

/* The part of a change that can fail; the apply after it is for the same name. ERR_EXISTS,
 * ERR_LIMIT, ERR_NOT_FOUND, ERR_NOMEM. */
MUST_USE enum err partitions_prepare_new(struct partitions *p, struct slice name);
void partitions_apply_new(struct partitions *p);
MUST_USE enum err partitions_prepare_drop(struct partitions *p, struct slice name);
void partitions_apply_drop(struct partitions *p, uint64_t lsn);

/* For collection_load.c: one that a snapshot has. ERR_CORRUPT: no such can be. Then its rows. */
MUST_USE enum err partitions_load(struct partitions *p, struct slice name, uint16_t number);
void partitions_load_row(struct partitions *p, uint16_t number, uint32_t row,
                         const struct partition_sums *one);

/* Is the number one that rows may have? */
static inline bool partitions_is_live(const struct partitions *p, uint16_t number)
{
    return number < p->end && p->all[number].state == PARTITION_LIVE;
}

static inline bool partition_bit(const uint64_t bits[PARTITION_WORDS], uint16_t number)
{
    return (bits[number / 64] >> (number % 64) & 1) != 0;
}

/* A row is born in a partition; its sums come by partitions_count, here and whenever they change.
 */
void partitions_add(struct partitions *p, uint16_t number, uint32_t row);
/* It has died. Its sums have been taken off. */
void partitions_remove(struct partitions *p, uint16_t number, uint32_t row);
/* Its element stands in another row. */
void partitions_move(struct partitions *p, uint16_t number, uint32_t from, uint32_t to);
/* No row from `end` on is used. */
void partitions_trim(struct partitions *p, uint32_t end);

/* Differences; negative ones wrap. */
void partitions_count(struct partitions *p, uint16_t number, const struct partition_sums *change);

/* Rows of a live partition, rising; of _default there may be some that are not visible. */
size_t partitions_rows_count(const struct partitions *p, uint16_t number);
size_t partitions_rows(const struct partitions *p, uint16_t number, uint32_t *out);

/* -- some of them, for a search ---------------------------------------------------------------- */

struct partition_pick {
    uint16_t number;
    uint64_t uid;
};

/* Partitions that were named. owner: the search */
struct partition_choice {
    uint64_t bits[PARTITION_WORDS]; /* of those that are still there */
    size_t count;                   /* elements in them */
    size_t bound;                   /* rows of their bitmaps */
    bool all;                       /* every visible element is in one of them */
    uint32_t pick_count;
    struct partition_pick picks[];
};

/* By names; ERR_NOT_FOUND: *unknown is none. A name may come twice. ERR_NOMEM. */
MUST_USE enum err partition_choice_new(const struct partitions *p, const struct slice *names,
                                       size_t count, struct partition_choice **out,
                                       struct slice *unknown);
/* As things are now: those that were dropped since are empty. live: visible elements. */
void partition_choice_refresh(struct partition_choice *choice, const struct partitions *p,
                              size_t live);
/* Copies the rows, choice->bound of them. */
void partition_choice_rows(const struct partition_choice *choice, const struct partitions *p,
                           uint32_t *out);

#endif
