/* bytes.h: numbers and slices as bytes, little-endian, and back without reading too far. */
#ifndef VDB_BASE_BYTES_H
#define VDB_BASE_BYTES_H

#include "base/buf.h"

void bytes_put_u8(struct buf *out, uint8_t value);
void bytes_put_u32(struct buf *out, uint32_t value);
void bytes_put_u64(struct buf *out, uint64_t value);
void bytes_put_f32(struct buf *out, float value);
void bytes_put_slice(struct buf *out, struct slice value); /* u32 length, then the bytes */

/* owner: caller. broken is set by the first read past the end; all reads after give zeros. */
struct bytes_reader {
    struct slice left;
    bool broken;
};

uint8_t bytes_get_u8(struct bytes_reader *r);
/* There is one way to write it: any byte but 0 and 1 breaks the reader. */
bool bytes_get_bool(struct bytes_reader *r);
uint32_t bytes_get_u32(struct bytes_reader *r);
uint64_t bytes_get_u64(struct bytes_reader *r);
float bytes_get_f32(struct bytes_reader *r);
struct slice bytes_get_slice(struct bytes_reader *r);
/* size raw bytes, where they stand. */
struct slice bytes_get_raw(struct bytes_reader *r, size_t size);

#endif
