#include "persist/chunk.h"

#include <xxhash.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/plant.h"
#include "persist/fields.h"

/* Header of a chunk:
 *
 *   0  u32 magic        4  u32 CRC of bytes 8 .. 47
 *   8  u64 uid         16  u32 index      20  u16 part   22  u8 kind   23  zero
 *  24  u64 lsn         32  u32 count      36  u32 size   40  u32 CRC of the body   44  zeros */
enum { CHUNK_MAGIC = 0x4b4e4843 /* "CHNK" */ };

static const uint8_t pack_magic[8] = {'V', 'D', 'B', 'P', 'A', 'C', 'K', '1'};

const char *chunk_kind_name(enum chunk_kind kind)
{
    switch (kind) {
#define X(kind_, number, text)                                                                     \
    case kind_:                                                                                    \
        return text;
        CHUNK_KIND_LIST(X)
#undef X
    }
    return NULL;
}

int chunk_cmp(const struct chunk *a, const struct chunk *b)
{
    if (a->uid != b->uid)
        return a->uid < b->uid ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return (a->part > b->part) - (a->part < b->part);
}

uint64_t chunk_room(uint32_t size)
{
    uint64_t all = (uint64_t)CHUNK_HEADER_SIZE + size;
    return (all + CHUNK_ALIGNMENT - 1) / CHUNK_ALIGNMENT * CHUNK_ALIGNMENT;
}

void chunk_header_put(const struct chunk *c, uint8_t out[CHUNK_HEADER_SIZE])
{
    CHECK(chunk_kind_name(c->kind) != NULL);
    memset(out, 0, CHUNK_HEADER_SIZE);
    field_put_u32(out, CHUNK_MAGIC);
    field_put_u64(out + 8, c->uid);
    field_put_u32(out + 16, c->index);
    field_put_u16(out + 20, c->part);
    out[22] = (uint8_t)c->kind;
    field_put_u64(out + 24, c->lsn);
    field_put_u32(out + 32, c->count);
    field_put_u32(out + 36, c->size);
    field_put_u32(out + 40, c->crc);
    field_put_u32(out + 4, crc32c_extend(0, out + 8, CHUNK_HEADER_SIZE - 8));
}

enum err chunk_header_get(const uint8_t bytes[CHUNK_HEADER_SIZE], struct chunk *out,
                          struct why *why)
{
    if (field_u32(bytes) != CHUNK_MAGIC)
        return why_set(why, ERR_CORRUPT, "no chunk begins here");
    if (field_u32(bytes + 4) != crc32c_extend(0, bytes + 8, CHUNK_HEADER_SIZE - 8))
        return why_set(why, ERR_CORRUPT, "the checksum of a chunk's header is wrong");
    *out = (struct chunk){
        .uid = field_u64(bytes + 8),
        .index = field_u32(bytes + 16),
        .part = field_u16(bytes + 20),
        .kind = (enum chunk_kind)bytes[22],
        .lsn = field_u64(bytes + 24),
        .count = field_u32(bytes + 32),
        .size = field_u32(bytes + 36),
        .crc = field_u32(bytes + 40),
    };
    if (chunk_kind_name(out->kind) == NULL)
        return why_set(why, ERR_CORRUPT, "a chunk of kind %u, which this version does not know",
                       bytes[22]);
    if (bytes[23] != 0 || field_u32(bytes + 44) != 0)
        return why_set(why, ERR_CORRUPT, "a chunk's header has bytes where there are none");
    return OK;
}

enum err chunk_open(const struct chunk *expected, struct slice bytes, struct slice *body,
                    struct why *why)
{
    struct chunk found = {0};
    CHECK(chunk_kind_name(expected->kind) != NULL);
    if (bytes.len != chunk_room(expected->size))
        return why_set(why, ERR_CORRUPT, "a chunk of %zu bytes in place of one of %llu", bytes.len,
                       (unsigned long long)chunk_room(expected->size));
    enum err e = chunk_header_get(bytes.ptr, &found, why);
    if (e != OK)
        return e;
    if (chunk_cmp(&found, expected) != 0 || found.lsn != expected->lsn ||
        found.count != expected->count || found.size != expected->size ||
        found.crc != expected->crc)
        return why_set(why, ERR_CORRUPT, "the chunk is not the one that the manifest names");
    *body = (struct slice){bytes.ptr + CHUNK_HEADER_SIZE, found.size};
    if (crc32c(*body) != found.crc && !PLANTED(PLANT_CHUNK_CRC))
        return why_set(why, ERR_CORRUPT, "the checksum of a chunk of %s is wrong",
                       chunk_kind_name(found.kind));
    for (size_t at = CHUNK_HEADER_SIZE + (size_t)found.size; at < bytes.len; at++)
        if (bytes.ptr[at] != 0)
            return why_set(why, ERR_CORRUPT, "the padding behind a chunk is not zero");
    return OK;
}

void pack_header_put(uint32_t id, uint64_t lsn, uint8_t out[PACK_HEADER_SIZE])
{
    memset(out, 0, PACK_HEADER_SIZE);
    memcpy(out, pack_magic, sizeof(pack_magic));
    field_put_u32(out + 8, PACK_VERSION);
    field_put_u32(out + 12, id);
    field_put_u64(out + 16, lsn);
    field_put_u32(out + PACK_HEADER_SIZE - 4, crc32c_extend(0, out, PACK_HEADER_SIZE - 4));
}

enum err pack_header_get(const uint8_t bytes[PACK_HEADER_SIZE], uint32_t *id, uint64_t *lsn,
                         struct why *why)
{
    if (memcmp(bytes, pack_magic, sizeof(pack_magic)) != 0)
        return why_set(why, ERR_CORRUPT, "not a pack: it begins with other bytes");
    if (field_u32(bytes + PACK_HEADER_SIZE - 4) != crc32c_extend(0, bytes, PACK_HEADER_SIZE - 4))
        return why_set(why, ERR_CORRUPT, "the checksum of the pack's header is wrong");
    if (field_u32(bytes + 8) != PACK_VERSION)
        return why_set(why, ERR_UNSUPPORTED, "a pack of version %u; this is version %d",
                       field_u32(bytes + 8), PACK_VERSION);
    *id = field_u32(bytes + 12);
    *lsn = field_u64(bytes + 16);
    return OK;
}

void chunk_hash(struct slice body, uint64_t out[2])
{
    XXH128_hash_t hash = XXH3_128bits(body.ptr, body.len);
    out[0] = hash.low64;
    out[1] = hash.high64;
}
