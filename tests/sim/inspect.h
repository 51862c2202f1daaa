/* inspect.h: looking into the data of a server: do all its books agree? */
#ifndef VDB_TESTS_SIM_INSPECT_H
#define VDB_TESTS_SIM_INSPECT_H

#include "db/db.h"

/* What holds between any two events; quiet: nothing is under way and nothing is left to do, so more
 * holds. NULL, or what is broken. */
MUST_USE const char *inspect_db(const struct db *db, bool quiet);

/* The same keys, collections, ids, vectors (bit by bit) and attributes. NULL, or the difference. */
MUST_USE const char *inspect_difference(const struct db *a, const struct db *b);

/* The same fields, with the same values and times? db: of b. */
bool inspect_same_list(const struct object *a, const struct object *b);
bool inspect_same_hash(const struct object *a, const struct db *db, const struct object *b);
/* The same of sets, and of sorted sets. */
bool inspect_same_members(const struct object *a, const struct db *db, const struct object *b);

/* Values are large from a few entries on, and have leaves of a few. Before there are any. */
void inspect_small_values(struct db *db);

/* A number that two databases share when they are the same, rows and links included. */
uint64_t inspect_digest(const struct db *db);
/* The same of keys and what they hold, wherever that stands and however it is linked. */
uint64_t inspect_contents(const struct db *db);

#endif
