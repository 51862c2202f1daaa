/* hnsw.h: the graph index (src/index/README.md: papers, changes, invariants, concurrency). */
#ifndef VDB_INDEX_HNSW_H
#define VDB_INDEX_HNSW_H

#include "base/epoch.h"
#include "index/index.h"

enum { HNSW_LEVELS_MAX = 16 };

/* m: links a row gets on each level (level 0 holds up to 2 m); ef_build: candidates a link job
 * looks at; rows_max: rows there can ever be. NULL when memory is short. */
MUST_USE struct index *hnsw_new(struct epoch *epoch, uint32_t m, uint32_t ef_build,
                                uint32_t rows_max);

/* [lane] Removes the links of rows *row .. end - 1 to dead rows and connects the rows to what those
 * led to; takes dead rows' own links apart. Every row of the set must have finished linking before.
 * *row is where it got to: end, or with ERR_NOMEM where to go on. */
MUST_USE enum err hnsw_sweep_range(struct index *x, const struct index_rows *rows,
                                   const struct index_dead *dead, struct lane *lane, uint32_t *row,
                                   uint32_t end, struct index_sweep *sweep);
/* [loop] After the last range: no walk starts at a dead row any more. */
void hnsw_sweep_finish(struct index *x, const struct index_dead *dead,
                       const struct index_sweep *sweep);

/* [loop] Prepares the place of a row that an element moves to, on the level that it has. False when
 * memory is short. */
MUST_USE bool hnsw_move_init(struct index *x, uint32_t from, uint32_t to);

/* [lane] First for every row that has moved, in any order: its lists, at its new place. Then for
 * every row below the end of the collection: its links to rows that have moved lead to where they
 * are; rows that have moved are taken apart. Meanwhile nothing may be linked or swept, and every
 * search that may run sees moved elements at their new rows. */
void hnsw_move_lists(struct index *x, const struct index_moves *moves, uint32_t row);
void hnsw_move_links(struct index *x, const struct index_moves *moves, uint32_t row);
/* [loop] After the last row: no walk starts at a row that has moved any more. */
void hnsw_move_finish(struct index *x, const struct index_moves *moves);

/* Level of a row, 0 .. HNSW_LEVELS_MAX - 1, and the highest of all (-1: empty). */
int hnsw_level(const struct index *x, uint32_t row);
int hnsw_top_level(const struct index *x);

/* What share of a full list sweeps have taken from a row: half of one, an eighth of one. */
enum hnsw_wear { HNSW_WORN = 2, HNSW_THINNED = 8 };

/* Have they taken that, or more? [loop or lane] */
bool hnsw_has_wear(const struct index *x, uint32_t row, enum hnsw_wear wear);
/* [lane] Links the row again if it has that wear; of lanes that come to it at once, one does. False
 * when memory ran out. *linked is raised by one if it was linked. */
MUST_USE bool hnsw_link_again(struct index *x, const struct index_rows *rows, struct lane *lane,
                              uint32_t row, enum hnsw_wear wear, unsigned *linked);

/* Has link finished for the row since row_init? [loop or lane] */
bool hnsw_was_linked(const struct index *x, uint32_t row);

/* Neighbours of a row on a level: writes up to capacity rows, returns how many. [loop or lane] */
size_t hnsw_neighbours(const struct index *x, uint32_t row, int level, uint32_t *out,
                       size_t capacity);

/* Checks the invariants of all rows for which linked() holds; returns the first that is broken, or
 * NULL. Nothing may be linking. */
const char *hnsw_check(const struct index *x, const struct index_rows *rows,
                       bool (*linked)(void *user, uint32_t row), void *user);

#endif
