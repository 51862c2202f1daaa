/* rowset.h: a set of rows as bits, lowest first. owner: loop. */
#ifndef VDB_DB_ROWSET_H
#define VDB_DB_ROWSET_H

#include "base/mem.h"

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

#endif
