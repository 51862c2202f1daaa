/* hashes.h: what hashes hold, whatever form they have. A field whose time has passed is not seen;
 * it leaves by a mutation (cmd/expire.h).
 *
 * owner: loop. */
#ifndef VDB_DB_HASHES_H
#define VDB_DB_HASHES_H

#include "db/db.h"

/* The field of that name; out is good until the hash changes. o NULL: no. */
bool hashes_get(const struct db *db, const struct object *o, struct slice name,
                struct hash_field *out);
/* How many there are; o NULL: 0. */
size_t hashes_count(const struct db *db, const struct object *o);

/* All fields, in some order, while the hash does not change. */
struct hash_walk {
    struct slice rest;     /* of the leaf in hand, or of the pack */
    struct tree_path path; /* to the next leaf */
    uint64_t next;         /* where it begins; 0: there is none */
    uint64_t now_ms;       /* 0: expired ones too */
};

void hashes_walk(const struct db *db, const struct object *o, struct hash_walk *walk);
/* Expired ones too. */
void hashes_walk_all(const struct object *o, struct hash_walk *walk);
bool hashes_next(struct hash_walk *walk, struct hash_field *out);

/* One of them by its number, below hashes_count. */
void hashes_at(const struct db *db, const struct object *o, uint32_t index, struct hash_field *out);

/* Calls fn for fields from a cursor on, 0 first, until at least count were looked at or stop says
 * so; returns the cursor to go on with, 0 when all were seen. A field that is there during the
 * whole scan is seen at least once. */
uint64_t hashes_scan(const struct db *db, const struct object *o, uint64_t cursor, size_t count,
                     bool (*stop)(void *user), void (*fn)(void *user, const struct hash_field *f),
                     void *user);

/* The names of some fields whose time is over, at most count; they point into the hash. */
size_t hashes_due(const struct db *db, const struct object *o, struct slice *names, size_t count);

#endif
