#include "db/dump.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/limits.h"

enum { MARK = 'v' | 'D' << 8, CRC_SIZE = 4, TAIL_SIZE = 8 };

void dump_string(struct slice value, struct buf *out)
{
    CHECK(out->len == 0);
    if (buf_reserve(out, value.len + DUMP_OVERHEAD) == NULL)
        return;
    bytes_put_u8(out, DUMP_STRING);
    buf_append_slice(out, value);
    bytes_put_u32(out, MARK | (uint32_t)DUMP_VERSION << 16);
    bytes_put_u32(out, crc32c(buf_slice(out)));
}

enum err dump_read(struct slice bytes, struct slice *value)
{
    if (bytes.len < DUMP_OVERHEAD)
        return ERR_CORRUPT;
    struct bytes_reader tail = {.left = {bytes.ptr + bytes.len - TAIL_SIZE, TAIL_SIZE}};
    if (bytes_get_u32(&tail) != (MARK | (uint32_t)DUMP_VERSION << 16))
        return ERR_CORRUPT;
    if (bytes_get_u32(&tail) != crc32c((struct slice){bytes.ptr, bytes.len - CRC_SIZE}))
        return ERR_CORRUPT;
    CHECK(!tail.broken);
    if (bytes.ptr[0] != DUMP_STRING || bytes.len - DUMP_OVERHEAD > LIMIT_STRING_SIZE)
        return ERR_UNSUPPORTED;
    *value = (struct slice){bytes.ptr + 1, bytes.len - DUMP_OVERHEAD};
    return OK;
}
