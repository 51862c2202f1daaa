/* crc32c.h: the checksum of everything that is written to disk.
 *
 * CRC-32C (Castagnoli, polynomial 0x1edc6f41, reflected, as in iSCSI and ext4). It finds every
 * error of one bit and every burst of up to 32, and misses one in 4 billion of others. By the
 * processor's instruction where there is one, else by a table. Pure; no state. */
#ifndef VDB_BASE_CRC32C_H
#define VDB_BASE_CRC32C_H

#include "base/slice.h"

/* The checksum of what crc is the checksum of, followed by these bytes. Of nothing it is 0, so a
 * run of calls that starts with 0 gives the same as one call over all bytes. */
uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t len);

static inline uint32_t crc32c(struct slice bytes)
{
    return crc32c_extend(0, bytes.ptr, bytes.len);
}

/* The same without the processor's instruction; tests compare them. */
uint32_t crc32c_extend_by_table(uint32_t crc, const void *bytes, size_t len);

#endif
