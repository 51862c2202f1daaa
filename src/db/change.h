/* change.h: for the files of db/ that carry out changes: what they prepare and apply with.
 *
 * Preparing sets aside all memory and may fail; applying cannot. At most one object is prepared at
 * a time, in db->object. */
#ifndef VDB_DB_CHANGE_H
#define VDB_DB_CHANGE_H

#include "db/db.h"

/* Prepares an object for a key. ERR_NOMEM also when it would not fit under maxmemory. */
MUST_USE enum err change_prepare_object(struct db *db, struct slice key, enum object_type type,
                                        struct slice value, uint64_t expire_ms);
/* Puts what was prepared in place of what its key held, which is freed. */
void change_publish(struct db *db);
/* Frees an object that is out of the keyspace; NULL is allowed. */
void change_free(struct db *db, struct object *o);

/* change_hash.c: MUTATION_HASH_SET, _REMOVE, _EXPIRE. */
MUST_USE enum err change_prepare_hash(struct db *db, const struct mutation *m);
void change_apply_hash(struct db *db, const struct mutation *m);

/* change_list.c: MUTATION_LIST_*. */
MUST_USE enum err change_prepare_list(struct db *db, const struct mutation *m);
void change_apply_list(struct db *db, const struct mutation *m);
/* Puts what is prepared aside, and what was aside in its place. */
void change_swap_halves(struct db *db);

/* change_members.c: MUTATION_SET_ADD, _REMOVE, MUTATION_ZSET_ADD, _REMOVE. */
MUST_USE enum err change_prepare_members(struct db *db, const struct mutation *m);
/* A large hash, too: what was changed in a copy of its trees is to come, or nothing is: it has
 * failed, has left no entry, which db->empties says, or all is as it was. */
MUST_USE enum err change_finish_large(struct db *db, struct object *o, bool differs);
void change_apply_members(struct db *db, const struct mutation *m);

/* change_json.c: MUTATION_JSON_SET, _INSERT, _REMOVE; change_publish applies them. */
MUST_USE enum err change_prepare_json(struct db *db, const struct mutation *m, struct why *why);

#endif
