#include "base/bytes.h"

static void put_le(struct buf *out, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    CHECK(size <= sizeof(bytes));
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    buf_append(out, bytes, size);
}

void bytes_put_u8(struct buf *out, uint8_t value)
{
    buf_append_byte(out, value);
}

void bytes_put_u32(struct buf *out, uint32_t value)
{
    put_le(out, value, sizeof(value));
}

void bytes_put_u64(struct buf *out, uint64_t value)
{
    put_le(out, value, sizeof(value));
}

void bytes_put_f32(struct buf *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    bytes_put_u32(out, bits);
}

void bytes_put_slice(struct buf *out, struct slice value)
{
    CHECK(value.len <= UINT32_MAX);
    bytes_put_u32(out, (uint32_t)value.len);
    buf_append_slice(out, value);
}

struct slice bytes_get_raw(struct bytes_reader *r, size_t size)
{
    if (r->broken || r->left.len < size) {
        r->broken = true;
        return (struct slice){0};
    }
    struct slice got = {r->left.ptr, size};
    r->left.ptr += size;
    r->left.len -= size;
    return got;
}

static uint64_t get_le(struct bytes_reader *r, size_t size)
{
    struct slice raw = bytes_get_raw(r, size);
    uint64_t value = 0;
    for (size_t i = 0; i < raw.len; i++)
        value |= (uint64_t)raw.ptr[i] << (8 * i);
    return value;
}

uint8_t bytes_get_u8(struct bytes_reader *r)
{
    return (uint8_t)get_le(r, 1);
}

bool bytes_get_bool(struct bytes_reader *r)
{
    uint8_t byte = bytes_get_u8(r);
    r->broken |= byte > 1;
    return byte == 1;
}

uint32_t bytes_get_u32(struct bytes_reader *r)
{
    return (uint32_t)get_le(r, 4);
}

uint64_t bytes_get_u64(struct bytes_reader *r)
{
    return get_le(r, 8);
}

float bytes_get_f32(struct bytes_reader *r)
{
    uint32_t bits = bytes_get_u32(r);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

struct slice bytes_get_slice(struct bytes_reader *r)
{
    return bytes_get_raw(r, bytes_get_u32(r));
}
