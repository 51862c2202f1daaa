/* relocate.h: giving memory back after deletes.
 *
 * Columns are given back from their end only, and deletes leave holes everywhere. So when many rows
 * are free, elements move from the highest rows to the lowest free ones, and then the end falls.
 *
 * A row never moves while a reader may look at it: its element gets another row. The old row dies
 * and the new one is born at one LSN, that of a MUTATION_TICK, so every search sees one of them. In
 * a graph the new row is like a pending one at first, found by a scan; when no search is left that
 * sees the old row, one pass over all lists turns the links that led there (index/hnsw_move.c):
 *
 *   WAITING ─► MOVING ─► GRACE ─► DRAINING ─► TURNING ─► WAITING: a round
 *   WAITING ─► TRIM_GRACE ─► SHRINKING ─► WAITING: the end has fallen
 *
 * The loop's part is done in slices; rounds are small enough for the rows that wait for links to
 * be no burden to searches, and for those that are about to die to be no hindrance to linking.
 * Links wait while a pass runs, sweeps while a round does.
 *
 * owner: loop; the job of a pass has what it needs. */
#ifndef VDB_DB_RELOCATE_H
#define VDB_DB_RELOCATE_H

#include "db/collection.h"

/* Rows have become free: starts when that pays. */
void relocate_consider(struct collection *c);
/* The collection is being dropped. */
/* No element is on its way to another row. */
bool relocate_rests(const struct collection *c);
void relocate_forget(struct collection *c);

/* Must sweeps and links of the collection wait? */
bool relocate_stops_sweeps(const struct collection *c);
bool relocate_stops_links(const struct collection *c);
/* One link job less is out. */
void relocate_on_link_done(struct collection *c);

#endif
