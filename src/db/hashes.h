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
    struct slice rest;
    uint64_t now_ms;
};

void hashes_walk(const struct db *db, const struct object *o, struct hash_walk *walk);
bool hashes_next(struct hash_walk *walk, struct hash_field *out);

#endif
