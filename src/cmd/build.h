/* build.h: a key that a command makes by several mutations, which is there as a whole or not at
 * all, also when memory runs out in between.
 *
 *     COLLECTION_NEW, PUT ...   under a name that no key has
 *     KEY_EXPIRE                when it expires
 *     KEY_RENAME                to the key, in place of what that held
 *
 * All are one record, and nobody sees the name. When one of them cannot be made, KEY_REMOVE of the
 * name follows instead: room for it in the log is set aside first.
 *
 * owner: the handler */
#ifndef VDB_CMD_BUILD_H
#define VDB_CMD_BUILD_H

#include "cmd/keys.h"

struct build {
    struct request *rq;
    struct slice key;
    struct buf name;
    bool failed; /* the error is replied, and nothing is left */
};

/* size: bytes that so many mutations take in the record, without their key. False: there is no
 * room, and the error is replied; build_end is not called then. */
MUST_USE bool build_begin(struct build *b, struct request *rq, struct slice key, size_t count,
                          size_t size);
/* m without a key. What comes after a failure is passed over. */
void build_add(struct build *b, const struct mutation *m);
/* It cannot go on, for this reason. */
void build_fail(struct build *b, enum err e);
/* until_ms: Unix time, 0: never. False: an error is replied, and nothing has changed. */
MUST_USE bool build_end(struct build *b, uint64_t until_ms);

#endif
