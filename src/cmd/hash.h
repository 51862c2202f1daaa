/* hash.h: what handlers of hashes share. */
#ifndef VDB_CMD_HASH_H
#define VDB_CMD_HASH_H

#include "cmd/keys.h"
#include "db/hashes.h"

/* The hash at a key, NULL when there is no such key. Replies the error and returns false when the
 * key holds something else. */
MUST_USE bool hash_read(struct request *rq, struct slice key, struct object **out);
/* The same, and one of its fields; *found: is it there? */
MUST_USE bool hash_read_field(struct request *rq, struct slice key, struct slice name,
                              struct hash_field *out, bool *found);

/* Sets fields, as write_mutation. */
MUST_USE bool hash_write(struct request *rq, struct slice key, const struct hash_field *fields,
                         size_t count);

#endif
