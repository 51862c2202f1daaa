/* rowset.h: a set of rows as bits, lowest first. owner: loop. */
#ifndef VDB_BASE_ROWSET_H
#define VDB_BASE_ROWSET_H

#include "base/mem.h"

#define ROWSET_NONE UINT32_MAX

struct rowset {
    uint64_t *bits;
    size_t words;
    size_t count;
    size_t low; /* words before this one are empty */
};

/* Room for rows 0 .. end - 1. */
MUST_USE bool rowset_reserve(struct rowset *s, uint32_t end);
void rowset_fini(struct rowset *s);
/* The row is not in the set; room was reserved. */
void rowset_add(struct rowset *s, uint32_t row);
/* Takes the lowest row out; the set is not empty. Filling from below keeps the data of a collection
 * that churns together. */
uint32_t rowset_take(struct rowset *s);
/* The lowest row, which stays in; ROWSET_NONE: the set is empty. */
uint32_t rowset_lowest(struct rowset *s);
/* Takes the lowest count rows out that follow each other; returns the first, or ROWSET_NONE when
 * there are no such. count is 1 .. 63. */
uint32_t rowset_take_run(struct rowset *s, uint32_t count);
/* Takes out end - 1, end - 2, ... as long as they are in the set and at least least; returns the
 * last one taken out, end when there was none. All rows of the set are below end. */
uint32_t rowset_trim(struct rowset *s, uint32_t end, uint32_t least);

#endif
