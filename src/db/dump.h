/* dump.h: a value as DUMP returns it and RESTORE takes it: bytes that say what they are.
 *
 *     0      u8   DUMP_STRING
 *     1      ...  the string
 *
 *     0      ...  entries, a document or a collection: the mutations of db/copy.h, without a key,
 *                 as one record of the log (db/batch.h), whose first byte is never DUMP_STRING
 *
 * and behind either
 *
 *     n - 8  u16  "vD", so that another server's bytes are told apart
 *     n - 6  u16  DUMP_VERSION: a higher one with every change of a mutation's bytes
 *     n - 4  u32  CRC32C of all before
 *
 * Numbers are little-endian. */
#ifndef VDB_DB_DUMP_H
#define VDB_DB_DUMP_H

#include "base/buf.h"
#include "base/err.h"
#include "db/copy.h"

enum { DUMP_VERSION = 3, DUMP_STRING = 0, DUMP_TAIL_SIZE = 8, DUMP_OVERHEAD = 9 };

/* Appends the dump of a string to an empty buffer. */
void dump_string(struct slice value, struct buf *out);
/* The same of packs (object_is_packs), of a document, and of a collection; they have to fit
 * (copy_fits). */
MUST_USE enum err dump_packs(struct db *db, const struct object *o, struct buf *out);
MUST_USE enum err dump_json(const struct object *o, struct buf *out);
MUST_USE enum err dump_collection(struct db *db, struct collection *c, struct buf *out);

struct dump {
    bool is_string;
    struct slice bytes; /* the string, or the record */
};

/* ERR_CORRUPT: these bytes are no dump of this version, or damaged. ERR_UNSUPPORTED: they are one,
 * of something that cannot be read. out points into bytes. */
MUST_USE enum err dump_read(struct slice bytes, struct dump *out);

/* The mutations of such a dump, or of any other bytes, which start at a multiple of 8: are
 * they fit to be restored, all of them? ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. *count: of mutations. */
MUST_USE enum err dump_check(struct slice record, size_t *count, struct why *why);

#endif
