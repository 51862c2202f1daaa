#include "cluster/slot.h"

/* The bytes between the first '{' and the next '}', or the whole key when there are none. */
static struct slice hashed_part(struct slice key)
{
    const uint8_t *open = key.len == 0 ? NULL : memchr(key.ptr, '{', key.len);
    if (open == NULL)
        return key;
    const uint8_t *tag = open + 1;
    size_t left = (size_t)(key.ptr + key.len - tag);
    const uint8_t *close = left == 0 ? NULL : memchr(tag, '}', left);
    if (close == NULL || close == tag)
        return key;
    return (struct slice){tag, (size_t)(close - tag)};
}

/* CRC-16/XMODEM: polynomial 0x1021, start 0, nothing reflected. Four bits at a time: keys are short
 * and a table of 16 stays in one cache line. */
static uint16_t crc16(struct slice bytes)
{
    static const uint16_t table[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5,
                                       0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
                                       0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
    uint16_t crc = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        crc = (uint16_t)(crc << 4 ^ table[(crc >> 12 ^ bytes.ptr[i] >> 4) & 15]);
        crc = (uint16_t)(crc << 4 ^ table[(crc >> 12 ^ bytes.ptr[i]) & 15]);
    }
    return crc;
}

uint16_t slot_of_key(struct slice key)
{
    return crc16(hashed_part(key)) % SLOT_COUNT;
}
