/* copy.h: what a key holds as the mutations that make it again, for COPY, DUMP and RESTORE.
 *
 * A hash is HASH_SETs of some fields each, a list LIST_PUSHes, a set SET_ADDs, a sorted set
 * ZSET_ADDs, a document one JSON_SET. A collection is
 *
 *     COLLECTION_NEW   its spec, tuning and schema in it
 *     PARTITION_NEW .. its partitions beside _default, by rising names
 *     PUT ...          its elements that have not expired: exact vectors (where there are none,
 *                      what their codes stand for), attributes, and when they expire
 *
 * All of it happens in one turn of the loop, hence the limits: LIMIT_COPY_ELEMENTS (or entries),
 * LIMIT_COPY_SIZE. */
#ifndef VDB_DB_COPY_H
#define VDB_DB_COPY_H

#include "db/db.h"

/* How many mutations copy_each hands out at most, and what they take in a record without a key. */
size_t copy_count(const struct collection *c);
size_t copy_size(const struct collection *c);

/* ERR_LIMIT, in words that name the limit. */
MUST_USE enum err copy_fits(size_t count, size_t size, struct why *why);

/* Hands the mutations to take, in order, with this key; ends at the first error and returns it. The
 * collection does not change meanwhile. */
MUST_USE enum err copy_each(struct db *db, struct collection *c, struct slice key,
                            enum err (*take)(void *user, const struct mutation *m), void *user);

/* The same of a value that is packs (object_is_packs). */
size_t copy_packs_count(const struct object *o);
size_t copy_packs_size(const struct object *o);
MUST_USE enum err copy_packs_each(struct db *db, const struct object *o, struct slice key,
                                  enum err (*take)(void *user, const struct mutation *m),
                                  void *user);

/* A document as the one mutation that makes it, and what that takes. It points into the object. */
size_t copy_json_size(const struct object *o);
struct mutation copy_json(const struct object *o);

/* Are these mutations that copy_each or copy_packs_each could have handed out, or that do no harm
 * where it has been? For bytes of clients: one after the other, first is all zeros before.
 * ERR_CORRUPT, ERR_LIMIT. */
struct copy_check {
    size_t mutations; /* so far */
    size_t elements; /* or entries */
    enum mutation_kind kind; /* of all of them; COLLECTION_NEW: it is one */
    struct collection_spec spec;
    struct slice partitions[LIMIT_PARTITIONS]; /* rising; they point into the bytes */
    size_t partition_count;
};
MUST_USE enum err copy_check(struct copy_check *check, const struct mutation *m, struct why *why);

#endif
