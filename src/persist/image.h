/* image.h: the bodies of chunks: what a keyspace and a collection look like on disk.
 *
 * Pure: bytes in, structs that point into them out, and back. The same functions serve the server,
 * `vdb check`, `vdb dump` and the tests that break every byte. What they return is inside of the
 * bytes and of the body's own counts; whether rows, levels and links fit the collection is for the
 * one who knows it (snapshot_load.c).
 *
 * Bodies begin at multiples of 8, and so does every array in them; between them stand zeros.
 * README.md has the offsets. */
#ifndef VDB_PERSIST_IMAGE_H
#define VDB_PERSIST_IMAGE_H

#include "base/bytes.h"
#include "base/err.h"
#include "db/keyspace.h"
#include "db/partitions.h"
#include "db/spec.h"

enum {
    IMAGE_KEYS_SPAN = 128, /* places of the keyspace in a CHUNK_KEYS */
    IMAGE_BITS = 64        /* spans of bits are multiples of this */
};

static inline bool image_bit(const uint8_t *bits, uint32_t at)
{
    return (bits[at / 8] >> (at % 8) & 1) != 0;
}

static inline void image_bit_set(uint8_t *bits, uint32_t at)
{
    bits[at / 8] |= (uint8_t)(1 << (at % 8));
}

/* -- CHUNK_KEYS -------------------------------------------------------------------------------- */

struct image_key {
    uint32_t place; /* in the keyspace */
    enum object_type type;
    uint64_t expire_ms; /* Unix time; 0: never */
    struct slice key;
    struct slice value;          /* OBJECT_STRING, _JSON; entries: a pack, whose names may
                                  * repeat */
    bool more;                   /* of a pack: value goes on where the record before ended */
    uint32_t count;              /* of entries in such a value; image_key_get sets it */
    uint64_t uid;                /* OBJECT_COLLECTION */
    struct collection_spec spec; /* OBJECT_COLLECTION */
    struct spec_shape shape; /* likewise: of what is there, while that is to become the spec's */
    /* OBJECT_COLLECTION: beside _default. To put, a table, or NULL; what was read, its bytes. */
    const struct partition_table *partitions;
    struct slice partition_bytes;
    uint32_t partition_count;
};

/* A body is the first place of its index, then keys in the order of their places. */
void image_keys_begin(struct buf *out, uint32_t first);
void image_key_put(struct buf *out, const struct image_key *key);
MUST_USE enum err image_keys_open(struct slice body, uint32_t *first, struct bytes_reader *keys,
                                  struct why *why);
/* The next key; the caller stops when keys->left is empty. */
MUST_USE enum err image_key_get(struct bytes_reader *keys, struct image_key *out, struct why *why);

/* The next of its partitions, by rising names; false: there is none left. reader begins as
 * image_partitions. */
struct bytes_reader image_partitions(const struct image_key *key);
bool image_partition_next(struct bytes_reader *reader, struct partition_name *out);

/* -- CHUNK_ROWS, CHUNK_NEWER, CHUNK_SMALL ------------------------------------------------------ */

/* What is fixed when rows are born. There are span rows from first on, count of them with contents:
 * those whose bit is set. The i-th entry of every array belongs to the i-th set bit. */
struct image_rows {
    uint32_t first, span, count;
    uint32_t code_size, vector_size; /* bytes of a row; 0: there are none */
    uint32_t ids_size;
    uint32_t expire_size; /* 8; 0: none of them expires */
    uint32_t partition_size; /* 2; 0: all are in _default */
    uint8_t *present;
    float *norms;
    uint16_t *id_sizes;
    uint8_t *ids;
    uint8_t *codes;
    uint8_t *vectors;
    uint64_t *expires; /* Unix time in ms; 0: never. NULL: there are none */
    uint16_t *partitions; /* numbers; NULL: there are none */
};

/* Appends a body whose sizes are those of rows, all zero, and points rows into it. False when there
 * is no memory, or it would be too long for a chunk. */
MUST_USE bool image_rows_begin(struct buf *out, struct image_rows *rows);
/* Checks that bits, counts and sizes agree. *rest: what stands behind, empty for rows alone; a
 * CHUNK_SMALL goes on with attributes. rows is to be read only. */
MUST_USE enum err image_rows_open(struct slice body, struct image_rows *rows, struct slice *rest,
                                  struct why *why);

/* -- CHUNK_ATTRIBUTES -------------------------------------------------------------------------- */

/* The attributes of some of the rows from first on. Without attributes a row is not there. */
struct image_attributes {
    uint32_t first, span, count;
    const uint8_t *offsets; /* count of u16: row - first, rising */
    const uint8_t *sizes;   /* count of u32, none of them 0 */
    struct slice bytes;
};

/* offsets and sizes: count of each. Then the caller appends the attributes and ends with
 * image_pad(). */
void image_attributes_begin(struct buf *out, uint32_t first, uint32_t span, uint32_t count,
                            const uint16_t *offsets, const uint32_t *sizes);
MUST_USE enum err image_attributes_open(struct slice body, struct image_attributes *out,
                                        struct why *why);
/* Zeros up to a multiple of 8 behind start. */
void image_pad(struct buf *out, size_t start);

/* -- CHUNK_ALIVE ------------------------------------------------------------------------------- */

struct image_alive {
    uint32_t first, span, count;
    uint8_t *bits;
};

/* The caller sets bits; one that counts them only then calls image_alive_end. */
MUST_USE bool image_alive_begin(struct buf *out, struct image_alive *alive);
void image_alive_end(const struct image_alive *alive);
MUST_USE enum err image_alive_open(struct slice body, struct image_alive *out, struct why *why);

/* -- CHUNK_LINKS ------------------------------------------------------------------------------- */

/* The graph's part of the linked rows among span from first on. For each, in order: its level and,
 * in the bits above it, its wear (hnsw_image_wear); its parent; for every level from 0 on the
 * number of links, and then those links. Rows are numbers of width bytes, 3 or 4. */
struct image_links {
    uint32_t first, span, count;
    uint32_t lists; /* sum of level + 1 */
    uint32_t links; /* in all of them */
    uint32_t width;
    uint8_t *present;
    uint8_t *levels;  /* and wear */
    uint16_t *sizes;  /* of lists */
    uint8_t *parents; /* count of rows */
    uint8_t *rows;    /* links of rows */
};

enum { IMAGE_LEVEL_BITS = 4 };

static inline uint8_t image_level(uint8_t byte)
{
    return byte & ((1u << IMAGE_LEVEL_BITS) - 1);
}

static inline uint8_t image_wear(uint8_t byte)
{
    return byte >> IMAGE_LEVEL_BITS;
}

MUST_USE bool image_links_begin(struct buf *out, struct image_links *links);
MUST_USE enum err image_links_open(struct slice body, struct image_links *out, struct why *why);

/* Packs row numbers into width bytes each, and back. */
void image_pack(uint8_t *to, const uint32_t *rows, size_t count, uint32_t width);
void image_unpack(const uint8_t *from, uint32_t *rows, size_t count, uint32_t width);

/* Are these floats finite? */
bool image_finite(const void *floats, size_t count);
/* Are the vectors of the rows, which have some? Each takes type_size(type, dim) bytes. */
bool image_vectors_finite(const struct image_rows *rows, enum vec_type type, uint32_t dim);

#endif
