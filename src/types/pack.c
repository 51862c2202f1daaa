#include "types/pack.h"

uint8_t *pack_resize(struct buf *pack, struct pack_place place, size_t size)
{
    CHECK(place.at + place.size <= pack->len);
    size_t behind = pack->len - place.at - place.size;
    if (size > place.size && buf_reserve(pack, size - place.size) == NULL)
        return NULL;
    uint8_t *at = pack->ptr + place.at;
    if (behind > 0)
        memmove(at + size, at + place.size, behind);
    pack->len = place.at + size + behind;
    return size == 0 ? NULL : at;
}

bool pack_read_length(struct slice *bytes, size_t *length)
{
    size_t value = 0;
    for (size_t i = 0; i < bytes->len && i < PACK_LENGTH_MAX; i++) {
        uint8_t byte = bytes->ptr[i];
        value |= (size_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (value > UINT32_MAX || (byte == 0 && i > 0))
            return false;
        bytes->ptr += i + 1;
        bytes->len -= i + 1;
        *length = value;
        return true;
    }
    return false;
}

bool pack_read(struct slice *run, struct slice *entry)
{
    size_t length;
    if (!pack_read_length(run, &length) || length > run->len)
        return false;
    *entry = (struct slice){run->ptr, length};
    run->ptr += length;
    run->len -= length;
    return true;
}
