#include "tool/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct slice bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)bytes.ptr[i] << 16;
        group |= left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes.ptr[i + 2] : 0;
        char text[4];
        for (unsigned j = 0; j < 4; j++)
            text[j] = j <= left ? alphabet[group >> (18 - 6 * j) & 63] : '=';
        buf_append(out, text, sizeof(text));
    }
}

/* 64: it is none of the alphabet. */
static uint32_t value_of(uint8_t c)
{
    uint32_t value = 0;
    while (value < 64 && (uint8_t)alphabet[value] != c)
        value++;
    return value;
}

static bool decode_group(const uint8_t *text, bool last, struct buf *out)
{
    uint32_t group = 0;
    unsigned count = last && text[3] == '=' ? (text[2] == '=' ? 2 : 3) : 4;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t value = i < count ? value_of(text[i]) : 0;
        if (value == 64)
            return false;
        group = group << 6 | value;
    }
    for (unsigned i = 0; i + 1 < count; i++)
        buf_append_byte(out, (uint8_t)(group >> (16 - 8 * i)));
    return (group & ((1u << (8 * (4 - count))) - 1)) == 0;
}

bool base64_decode(struct slice text, struct buf *out)
{
    if (text.len % 4 != 0)
        return false;
    for (size_t i = 0; i < text.len; i += 4)
        if (!decode_group(text.ptr + i, i + 4 == text.len, out))
            return false;
    return true;
}
