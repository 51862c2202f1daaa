/* pack.h: entries one after the other in a run of bytes: what small containers are, and what the
 * leaves of large ones hold (README.md).
 *
 * An entry is its length and so many bytes, which mean what its type says (hash.h). A length has 7
 * bits in each byte, the lowest first; the top bit says that another byte follows.
 *
 * Pure; no state. */
#ifndef VDB_TYPES_PACK_H
#define VDB_TYPES_PACK_H

#include "base/buf.h"
#include "base/check.h"

enum { PACK_LENGTH_MAX = 5 /* bytes of a length, which is below 2^32 */ };

static inline size_t pack_length_size(size_t length)
{
    size_t size = 1;
    for (; length >= 0x80; length >>= 7)
        size++;
    return size;
}

/* Bytes of an entry whose contents are of that length. */
static inline size_t pack_entry_size(size_t length)
{
    return pack_length_size(length) + length;
}

/* Writes a length; returns what is behind it. */
static inline uint8_t *pack_put_length(uint8_t *at, size_t length)
{
    CHECK(length <= UINT32_MAX);
    for (; length >= 0x80; length >>= 7)
        *at++ = (uint8_t)(length | 0x80);
    *at++ = (uint8_t)length;
    return at;
}

/* Reads a length that is known to be whole; *at moves behind it. */
static inline size_t pack_get_length(const uint8_t **at)
{
    const uint8_t *p = *at;
    size_t length = *p & 0x7f;
    for (unsigned shift = 7; *p++ & 0x80; shift += 7)
        length |= (size_t)(*p & 0x7f) << shift;
    *at = p;
    return length;
}

/* The contents of the first entry of a run that is known to be good and not empty; *run goes on
 * behind it. */
static inline struct slice pack_take(struct slice *run)
{
    const uint8_t *at = run->ptr;
    size_t length = pack_get_length(&at);
    CHECK(run->ptr + run->len >= at + length);
    run->len -= (size_t)(at - run->ptr) + length;
    run->ptr = at + length;
    return (struct slice){at, length};
}

/* Where an entry stands in a pack. */
struct pack_place {
    size_t at, size; /* of the entry, with its length */
};

/* Makes the bytes at a place as many as size, whatever they are then. Returns where they are; NULL:
 * no memory, or size is 0. */
uint8_t *pack_resize(struct buf *pack, struct pack_place place, size_t size);

/* The same of bytes that may be anything: false when they do not begin with a length, written in
 * the shortest way, or an entry. */
MUST_USE bool pack_read_length(struct slice *bytes, size_t *length);
MUST_USE bool pack_read(struct slice *run, struct slice *entry);

#endif
