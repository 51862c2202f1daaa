/* flush.h: all keys go at once, and their memory in slices.
 *
 * The keyspace is put aside whole and a new one takes its place, so a FLUSHALL of a million strings
 * holds the loop for as long as one of ten. Only strings are freed this way: collections have to
 * hear at once that they are gone, and a snapshot under way looks at each place.
 *
 * owner: the loop. */
#ifndef VDB_DB_FLUSH_H
#define VDB_DB_FLUSH_H

#include <stdbool.h>

struct db;
struct dead_keys;

/* Empties the keyspace; false: it has to be done key by key. */
bool flush_keys(struct db *db);
/* Frees now what still waits to be freed. */
void flush_finish(struct db *db);

#endif
