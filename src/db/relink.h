/* relink.h: linking rows again that sweeps have taken too many links from.
 *
 * A sweep gives a row that loses links those its dead neighbours had: good enough for a few. After
 * 90 % of the rows around have gone, lists lead to what was two steps away, many times over, and
 * searches find less. So rows that have lost half of a list are linked anew, when nothing else is
 * to be linked. They stay where they are in the graph meanwhile, so nobody has to scan them.
 *
 * Many small sweeps leave rows that have each lost somewhat less, and a graph that is as bad. So
 * each time a collection has halved, whoever has lost an eighth of a list is linked anew: all such
 * passes together link no more rows than there were.
 *
 * Jobs look for such rows themselves, and need no state of a row: they hold a guard, and neither
 * sweeps of what dies meanwhile nor moves go on before they have come back.
 *
 * owner: loop. */
#ifndef VDB_DB_RELINK_H
#define VDB_DB_RELINK_H

#include "db/background.h"
#include "db/collection.h"
#include "index/hnsw.h"

/* A sweep begins. */
void relink_on_sweep(struct side *s);
/* It has ended; or the collection comes from a snapshot, with so many worn rows. The caller wakes
 * the collection. */
void relink_on_swept(struct side *s, bool worn);
void relink_on_loaded(struct collection *c, size_t worn);
/* Elements have moved to rows that jobs may have passed. No job is out. */
void relink_on_moved(struct collection *c);
/* Rows that some job has still to look at, or to come back from: some of them may be worn. */
size_t relink_rows_left(const struct side *s);
/* Starts a job when there is something to do and no better time for it; false: it did not. */
bool relink_start(struct background *b, struct side *s);

#endif
