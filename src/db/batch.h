/* batch.h: the bytes of one record of the log: a mutation, or several that happen at once.
 *
 * A record of one mutation is that mutation's bytes. A batch is not a mutation, so it cannot hold
 * another:
 *
 *     0  u32  BATCH_NUMBER, which is no mutation's
 *     4  u32  count of mutations, 2 or more
 *     8  for each: u32 size, u32 zero, its bytes, zeros up to a multiple of 8
 */
#ifndef VDB_DB_BATCH_H
#define VDB_DB_BATCH_H

#include "base/bytes.h"
#include "db/mutation.h"

#define BATCH_NUMBER UINT32_C(0x48435442) /* "BTCH" */
enum { BATCH_HEAD_SIZE = 8 };

/* Writes a record into an empty buffer: batch_begin once, batch_add for each mutation, and then the
 * record is batch_record, which takes no memory. A batch_add that fails (buf_failed) has left the
 * buffer unusable until batch_cut to the length before. */
void batch_begin(struct buf *out);
void batch_add(struct buf *out, const struct mutation *m);
void batch_cut(struct buf *out, size_t len);
/* What batch_add appends, at most. */
size_t batch_size_max(const struct mutation *m);
/* count: mutations added, 1 or more. */
struct slice batch_record(struct buf *out, size_t count);

/* Reads a record of either form: the mutations left to read. */
struct batch_reader {
    struct bytes_reader bytes;
    size_t left;
    bool single; /* bytes is one mutation */
};

/* bytes start at a multiple of 8. ERR_CORRUPT when they are no record. */
MUST_USE enum err batch_open(struct slice bytes, struct batch_reader *r, struct why *why);
/* The next mutation, while left > 0; freed with mutation_free. Slices point into the record. */
MUST_USE enum err batch_next(struct batch_reader *r, struct mutation *out, struct why *why);

/* Is this a record from its first to its last byte? Nothing is read past it. */
MUST_USE enum err batch_check(struct slice bytes, struct why *why);

#endif
