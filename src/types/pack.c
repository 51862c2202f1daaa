#include "types/pack.h"

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
