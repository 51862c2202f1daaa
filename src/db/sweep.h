/* sweep.h: one sweep of a collection's graph (index/hnsw.h) as a row of short jobs. */
#ifndef VDB_DB_SWEEP_H
#define VDB_DB_SWEEP_H

#include "db/background.h"
#include "db/collection.h"

/* Takes the rows that are dead now and starts taking them out. False when memory is short. */
MUST_USE bool sweep_start(struct background *b, struct side *side);

#endif
