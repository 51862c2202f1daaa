/* manifest.h: what a snapshot consists of: the list of its chunks and where they stand.
 *
 * A snapshot at LSN s is the file manifest-<s>.vmf and the chunks it names, in packs that this
 * snapshot or earlier ones wrote. It needs no log. The file:
 *
 *   header       128 bytes (manifest.c): magic, version, LSN, counts, CRC of the rest, own CRC
 *   packs        16 bytes each: u32 id, u32 zero, u64 size of the file
 *   collections  56 bytes each: those that have left their slab
 *   chunks       64 bytes each, in the order of chunk_cmp
 *   indexes      definitions of indexes over keys (db/indexes.h)
 *
 * Pure: bytes in, structs out, and back. */
#ifndef VDB_PERSIST_MANIFEST_H
#define VDB_PERSIST_MANIFEST_H

#include "db/spec.h"
#include "persist/chunk.h"

enum {
    MANIFEST_HEADER_SIZE = 128,
    MANIFEST_PACK_SIZE = 16,
    MANIFEST_COLLECTION_SIZE = 56,
    MANIFEST_VERSION = 1
};

struct manifest_pack {
    uint32_t id;
    uint64_t size; /* of the file */
    uint64_t live; /* bytes of chunks that this manifest names; not in the file */
};

/* A collection with columns of its own. Small ones are in their CHUNK_SMALL. */
struct manifest_collection {
    uint64_t uid;
    uint32_t rows_end;
    uint32_t live;
    uint32_t attributes;
    uint32_t upper_lists; /* of the graph */
    uint32_t rows_span;   /* rows of a CHUNK_ROWS; index i begins at row i * span */
    uint32_t links_span;
    uint32_t attributes_span;
    uint32_t alive_span;
    uint64_t heap_bytes;  /* of ids and attributes, as records of a heap */
    bool has_graph;
    /* What a row consists of (manifest_layout): chunks of rows of another cannot stay. */
    uint32_t layout;
};

static inline uint32_t manifest_layout(const struct spec_shape *shape)
{
    return (uint32_t)shape->quant << 1 | spec_has_vectors(shape);
}

struct manifest {
    uint64_t lsn;
    uint64_t previous_lsn; /* of the generation before; 0: there is none */
    uint64_t next_uid;
    uint64_t wall_ms; /* when it was taken */
    uint64_t key_count;
    uint32_t slots_end;          /* places of the keyspace in use or free */
    struct manifest_pack *packs; /* by id */
    uint32_t pack_count;
    struct manifest_collection *collections; /* by uid */
    uint32_t collection_count;
    struct chunk *chunks; /* by chunk_cmp */
    uint32_t chunk_count;
    struct slice indexes; /* over keys, as indexes_encode has them; owned */
};

/* Frees what the manifest holds. */
void manifest_fini(struct manifest *m);

/* Appends its bytes. The caller asks buf_failed(). */
void manifest_encode(const struct manifest *m, struct buf *out);

/* Checks everything that can be told without the packs: counts, order, that chunks lie inside of
 * packs that are named. ERR_CORRUPT with what is wrong and where, ERR_NOMEM, ERR_UNSUPPORTED; then
 * *out is empty. */
MUST_USE enum err manifest_decode(struct slice bytes, struct manifest *out, struct why *why);

/* NULL when there is none. */
const struct chunk *manifest_find(const struct manifest *m, uint64_t uid, enum chunk_kind kind,
                                  uint32_t index, uint16_t part);
/* The first chunk that is not before (uid, kind, index 0): chunk_count when all are. */
uint32_t manifest_lower(const struct manifest *m, uint64_t uid, enum chunk_kind kind,
                        uint32_t index, uint16_t part);
const struct manifest_collection *manifest_collection(const struct manifest *m, uint64_t uid);
const struct manifest_pack *manifest_pack(const struct manifest *m, uint32_t id);

#endif
