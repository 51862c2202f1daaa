/* flush.h: all keys go at once, and their memory in slices.
 *
 * The keyspace is put aside whole and a new one takes its place, so a FLUSHALL of a million strings
 * holds the loop for as long as one of ten. Collections are not freed this way: they have to hear
 * at once that they are gone; nor is anything while a snapshot is under way, which looks at each
 * place.
 *
 * owner: the loop. */
#ifndef VDB_DB_FLUSH_H
#define VDB_DB_FLUSH_H

#include <stdbool.h>

struct db;
struct dead_keys;
struct object;
struct tree;
struct tree_graves;

/* Empties the keyspace; false: it has to be done key by key. */
bool flush_keys(struct db *db);
/* What is large of an object that is gone, or a share of it, is freed likewise. */
void flush_large(struct db *db, struct object *o);
void flush_tree(struct db *db, struct tree *t);
/* So is what a change has cut off a tree. */
void flush_cut(struct db *db, struct tree_graves *cut);
/* Frees now what still waits to be freed. */
void flush_finish(struct db *db);

#endif
