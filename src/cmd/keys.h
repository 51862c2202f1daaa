/* keys.h: what handlers of keys and strings share. */
#ifndef VDB_CMD_KEYS_H
#define VDB_CMD_KEYS_H

#include "cmd/command.h"
#include "cmd/env.h"

/* What a key holds, for a command that reads; counts whether there was something. */
struct object *key_read(struct request *rq, struct slice key);

/* The string at a key, NULL when there is no such key. Replies the error and returns false when the
 * key holds something else. */
MUST_USE bool key_string(struct request *rq, struct slice key, struct object **out);

/* Logs and applies a change; replies the error and returns false when it could not be made. What
 * was looked up before may be gone after. Only for commands with CMD_WRITE. */
MUST_USE bool write_mutation(struct request *rq, const struct mutation *m);
/* What is to be done after a write by other means: remembers its LSN, or replies the error and
 * returns false. lsn: what the client's last one was, when nothing was written. */
MUST_USE bool written(struct request *rq, enum err e, uint64_t lsn, const struct why *why);
/* The same for a string at a key, in place of whatever the key held; and for no key at all. */
MUST_USE bool key_set(struct request *rq, struct slice key, struct slice value);
/* The same for one that expires; expire_ms is Unix time, 0: never. */
MUST_USE bool key_set_until(struct request *rq, struct slice key, struct slice value,
                            uint64_t expire_ms);
MUST_USE bool key_expire(struct request *rq, struct slice key, uint64_t expire_ms);
MUST_USE bool key_remove(struct request *rq, struct slice key);

/* A string that reads back as the same integer: as Redis writes them, "7" and not "07". */
bool string_is_integer(struct slice s, int64_t *out);

/* Replies an error and returns false when a key is longer than those of collections may be. */
MUST_USE bool collection_key_fits(struct request *rq, struct slice key);

enum { FLOAT_TEXT_MAX = 5 * 1024 }; /* 4933 digits may stand before the point */

/* A number as INCRBYFLOAT takes it: long double, as in Redis. False: it is none. */
bool float_read(struct slice s, long double *out);
/* With up to 17 digits behind the point, without zeros at the end. */
void float_print(long double value, char text[FLOAT_TEXT_MAX]);

/* Replies an error and returns false when a pattern is longer than patterns may be. */
bool pattern_fits(struct request *rq, struct slice pattern);

#endif
