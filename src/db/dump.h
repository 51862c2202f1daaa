/* dump.h: a value as DUMP returns it and RESTORE takes it: bytes that say what they are.
 *
 *     0      u8   DUMP_STRING
 *     1      ...  the string
 *     n - 8  u16  "vD", so that another server's bytes are told apart
 *     n - 6  u16  DUMP_VERSION
 *     n - 4  u32  CRC32C of all before
 *
 * Numbers are little-endian. */
#ifndef VDB_DB_DUMP_H
#define VDB_DB_DUMP_H

#include "base/buf.h"
#include "base/err.h"

enum { DUMP_VERSION = 1, DUMP_STRING = 0, DUMP_OVERHEAD = 9 };

/* Appends the dump of a string to an empty buffer. */
void dump_string(struct slice value, struct buf *out);

/* ERR_CORRUPT: these bytes are no dump of this version, or damaged. ERR_UNSUPPORTED: they are one,
 * of something that cannot be read. value points into bytes. */
MUST_USE enum err dump_read(struct slice bytes, struct slice *value);

#endif
