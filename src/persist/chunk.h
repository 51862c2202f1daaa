/* chunk.h: a piece of a snapshot: what it holds, where it stands, how it is framed in a pack.
 *
 * A pack is a file of chunks, written once and never changed:
 *
 *   pack header   64 bytes: magic "VDBPACK1", u32 version, u32 id, u64 LSN of the snapshot that
 *                 wrote it, zeros, u32 CRC of the 60 bytes before
 *   chunk         48 bytes of header (chunk.c), the body, zeros up to a multiple of 8
 *   ...
 *
 * The header repeats what the manifest says of the chunk, so that a pack can be read without one,
 * and so that bytes of another chunk are not taken for those that are meant.
 *
 * Pure: bytes in, structs out. */
#ifndef VDB_PERSIST_CHUNK_H
#define VDB_PERSIST_CHUNK_H

#include "base/buf.h"
#include "base/err.h"

/* kind, number on disk (never reused), what it holds (image.h has the bytes) */
#define CHUNK_KIND_LIST(X)                                                                         \
    X(CHUNK_KEYS, 1, "keys")             /* keys, strings, what collections are */                 \
    X(CHUNK_SMALL, 2, "small set")       /* a whole collection that has not left its slab */       \
    X(CHUNK_ALIVE, 3, "alive")           /* which rows of a large collection there are */          \
    X(CHUNK_ROWS, 4, "rows")             /* what is fixed when a row is born */                    \
    X(CHUNK_NEWER, 5, "newer rows")      /* rows born since the CHUNK_ROWS of the same index */    \
    X(CHUNK_ATTRIBUTES, 6, "attributes") /* attributes of rows */                                  \
    X(CHUNK_LINKS, 7, "links")           /* the graph's part of rows */

enum chunk_kind {
#define X(kind, number, text) kind = number,
    CHUNK_KIND_LIST(X)
#undef X
};

/* NULL when there is no such kind. */
const char *chunk_kind_name(enum chunk_kind kind);

enum {
    PACK_HEADER_SIZE = 64,
    CHUNK_HEADER_SIZE = 48,
    CHUNK_ALIGNMENT = 8,
    CHUNK_ENTRY_SIZE = 64, /* in a manifest */
    PACK_VERSION = 1
};

/* One chunk, as a manifest knows it. */
struct chunk {
    uint64_t uid;   /* of the collection; 0: of the keyspace */
    uint32_t index; /* the how manieth of its kind */
    uint16_t part;  /* of that index, where one would be too long */
    enum chunk_kind kind;
    uint64_t lsn;   /* of the snapshot that wrote it */
    uint32_t count; /* rows or keys in it */
    uint32_t pack;
    uint64_t offset;  /* of its header in the pack */
    uint32_t size;    /* of the body */
    uint32_t crc;     /* of the body */
    uint64_t hash[2]; /* XXH3-128 of the body: equal means the chunk has not changed */
};

/* By uid, kind, index, part: the order of manifests. */
int chunk_cmp(const struct chunk *a, const struct chunk *b);

/* Bytes a chunk takes in its pack, all told. */
uint64_t chunk_room(uint32_t size);

/* size and crc are those of the body; pack and offset are not looked at. */
void chunk_header_put(const struct chunk *c, uint8_t out[CHUNK_HEADER_SIZE]);
/* Reads uid, index, part, kind, lsn, count, size, crc. ERR_CORRUPT with the reason. */
MUST_USE enum err chunk_header_get(const uint8_t bytes[CHUNK_HEADER_SIZE], struct chunk *out,
                                   struct why *why);

/* The whole chunk, header and padding with it, as it stands in the pack: is it the one that is
 * expected, and unharmed? Then *body is its body. */
MUST_USE enum err chunk_open(const struct chunk *expected, struct slice bytes, struct slice *body,
                             struct why *why);

void pack_header_put(uint32_t id, uint64_t lsn, uint8_t out[PACK_HEADER_SIZE]);
MUST_USE enum err pack_header_get(const uint8_t bytes[PACK_HEADER_SIZE], uint32_t *id,
                                  uint64_t *lsn, struct why *why);

/* XXH3-128 of a body. */
void chunk_hash(struct slice body, uint64_t out[2]);

#endif
