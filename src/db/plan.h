/* plan.h: what the indexes know of a filter, and of partitions: how many elements match, and which
 * may.
 *
 * Made by the loop when a search starts, in well under half a millisecond: counts cost a walk down
 * a tree or a look at a bitmap, and the rows themselves are copied when they are few enough. A part
 * of an `and` that an index can answer is a driver: all matches are among its rows. The smallest
 * drives; the rest of the filter is looked at row by row, on a lane. */
#ifndef VDB_DB_PLAN_H
#define VDB_DB_PLAN_H

#include "db/predicate.h"

enum {
    PLAN_ROWS_MAX = 64 * 1024,
    PLAN_UNKNOWN_SHARE = 3 /* of all rows: so many match, where nothing is known */
};

struct plan_request {
    const struct predicate *predicate;     /* NULL: no filter */
    const struct partition_choice *choice; /* NULL: all partitions; refreshed */
    const struct partitions *partitions;   /* with a choice */
    size_t live;                           /* elements there are */
};

struct plan {
    bool known;       /* the counts below are; otherwise a sample has to do */
    bool exact;       /* the driver's rows are the matches, no more and no less */
    double matches;   /* estimated, or counted when exact */
    int field;        /* of the driver; -1: there is none, or it is of several fields */
    bool by_partition; /* the driver are the partitions: some rows may not be visible */
    size_t bound;     /* the driver's rows, when there is one */
    bool can_name;    /* there is one, and its rows are few enough to be copied */
    uint32_t *rows;   /* copies of them, or NULL; owned */
    size_t row_count; /* of rows */
    bool has_twins;   /* a row may stand in there twice */
    bool tidy;        /* they ascend, and none comes twice */
};

/* Rows are not copied yet. */
void plan_make(struct plan *plan, const struct plan_request *request);
/* [loop] The same, and copies the rows if it can name them; without memory for them it cannot. */
void plan_make_rows(struct plan *plan, const struct plan_request *request);
/* [lane] Makes rows tidy; all are below end. False: memory is short. */
MUST_USE bool plan_tidy(struct plan *plan, uint32_t end);
void plan_fini(struct plan *plan);

#endif
