/* vec.h: distance kernels, one table per instruction set, chosen once at start.
 *
 * Every table computes the same functions; tests run each against the scalar one. Kernels read
 * exactly the bytes their arguments name, tails included, and need no alignment. */
#ifndef VDB_VEC_VEC_H
#define VDB_VEC_VEC_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* name, word in commands. Distances, nearer is smaller: COSINE 1 - cos (of normalised vectors, so
 * 1 - dot), IP 1 - dot, L2 squared Euclidean. Of bits: HAMMING how many differ, JACCARD 1 - those
 * set in both / those set in either, and 0 when none is set in either. */
#define METRIC_LIST(X)                                                                             \
    X(METRIC_COSINE, "COSINE")                                                                     \
    X(METRIC_L2, "L2")                                                                             \
    X(METRIC_IP, "IP")                                                                             \
    X(METRIC_HAMMING, "HAMMING")                                                                   \
    X(METRIC_JACCARD, "JACCARD")

enum metric {
#define X(name, word) name,
    METRIC_LIST(X)
#undef X
        METRIC_COUNT,
    METRIC_FLOAT_COUNT = METRIC_HAMMING /* those before are of numbers, the others of bits */
};

const char *metric_name(enum metric m);

/* What stands behind the bytes of an SQ8 row (codec.h says what it means). */
struct sq8_tail {
    float scale;
    float add;
    int32_t bias;
    float range;
};

/* An SQ8 query and the shape of the rows it is scored against. The score of a row is
 *     (add + row.add) - mul * (dot_u8s8(query, row, size) - row.bias) * row.scale
 * rounded after each operation in this order, so that every table returns the same bits. */
struct sq8_scan {
    const uint8_t *query; /* size bytes */
    size_t size;          /* a multiple of 64, at most stride_bytes */
    size_t stride_bytes;  /* from row to row */
    size_t tail_offset;   /* of struct sq8_tail in a row */
    float mul;
    float add;
};

/* Sums over rows of dim halves (half.h), each made a float, by id or consecutive, as the forms for
 * floats below. */
struct half_kernels {
    void (*dot_many)(const float *query, const uint8_t *base, size_t stride_bytes,
                     const uint32_t *ids, size_t count, size_t dim, float *out);
    void (*l2_many)(const float *query, const uint8_t *base, size_t stride_bytes,
                    const uint32_t *ids, size_t count, size_t dim, float *out);
    void (*dot_range)(const float *query, const uint8_t *base, size_t stride_bytes, uint32_t first,
                      size_t count, size_t dim, float *out);
    void (*l2_range)(const float *query, const uint8_t *base, size_t stride_bytes, uint32_t first,
                     size_t count, size_t dim, float *out);
};

/* Sums over rows of numbers that take less than a byte, out[i] = sum of q[j] * number j of the row,
 * for size numbers, a multiple of 64 and at most 65,536. Of bits the j-th is bit j % 8 of byte
 * j / 8. Nibbles stand in blocks of 64, which are 32 bytes: the low halves are the first 32. */
struct packed_kernels {
    void (*dot_many)(const uint8_t *q, const uint8_t *base, size_t stride_bytes,
                     const uint32_t *ids, size_t count, size_t size, int32_t *out);
    void (*dot_range)(const uint8_t *q, const uint8_t *base, size_t stride_bytes, uint32_t first,
                      size_t count, size_t size, int32_t *out);
};

/* A query of product quantization (pq.h) and what rows are to beat. The score of a row is
 *     (step * sum + base) + add
 * rounded after each operation, with sum over the tables: that of each part at the row's code. */
struct pq4_scan {
    const uint8_t *tables; /* 16 bytes for each of 2 * pairs parts; sums fit 16 bits */
    size_t pairs;
    float step;
    float base;
    float limit;
};

enum { PQ_BLOCK = 32 };

/* immutable */
struct vec_kernels {
    const char *name; /* "scalar", "avx2", "avx512", "neon" */

    /* Sums over dim floats. A row gives the same bits here and in the forms for many rows below,
     * wherever it stands among them. */
    float (*dot_f32)(const float *a, const float *b, size_t dim);
    float (*l2_f32)(const float *a, const float *b, size_t dim);

    /* out[i] = dot or squared distance of query and the row at base + ids[i] * stride_bytes, for i
     * in 0 .. count - 1. Rows are fetched ahead; ids in any order. */
    void (*dot_f32_many)(const float *query, const uint8_t *base, size_t stride_bytes,
                         const uint32_t *ids, size_t count, size_t dim, float *out);
    void (*l2_f32_many)(const float *query, const uint8_t *base, size_t stride_bytes,
                        const uint32_t *ids, size_t count, size_t dim, float *out);

    /* Sum of q[i] * c[i] over size bytes, q unsigned, c signed; size is a multiple of 64 and at
     * most 65,600, so the sum fits an int32. */
    int32_t (*dot_u8s8)(const uint8_t *q, const int8_t *c, size_t size);
    void (*dot_u8s8_many)(const uint8_t *q, const uint8_t *base, size_t stride_bytes,
                          const uint32_t *ids, size_t count, size_t size, int32_t *out);

    struct half_kernels fp16, bf16;
    struct packed_kernels bits, nibbles;

    /* One round of a rotation over size floats, a multiple of 16 (rabitq.c): signs from seed, then
     * a Hadamard transform. The same bits in every table. */
    void (*rotate)(float *v, size_t size, uint64_t seed);

    /* Scores of SQ8 rows: by id, fetched ahead, or first, first + 1, ... */
    void (*sq8_many)(const struct sq8_scan *s, const uint8_t *base, const uint32_t *ids,
                     size_t count, float *out);
    void (*sq8_range)(const struct sq8_scan *s, const uint8_t *base, uint32_t first, size_t count,
                      float *out);

    /* Bits that differ, over words 64-bit words. */
    uint32_t (*hamming)(const uint64_t *a, const uint64_t *b, size_t words);
    void (*hamming_many)(const uint64_t *q, const uint8_t *base, size_t stride_bytes,
                         const uint32_t *ids, size_t count, size_t words, uint32_t *out);

    /* Consecutive rows: as *_many with ids first, first + 1, ... */
    void (*dot_f32_range)(const float *query, const uint8_t *base, size_t stride_bytes,
                          uint32_t first, size_t count, size_t dim, float *out);
    void (*l2_f32_range)(const float *query, const uint8_t *base, size_t stride_bytes,
                         uint32_t first, size_t count, size_t dim, float *out);
    void (*dot_u8s8_range)(const uint8_t *q, const uint8_t *base, size_t stride_bytes,
                           uint32_t first, size_t count, size_t size, int32_t *out);
    void (*hamming_range)(const uint64_t *q, const uint8_t *base, size_t stride_bytes,
                          uint32_t first, size_t count, size_t words, uint32_t *out);

    /* scores[i] of the PQ_BLOCK rows of a block, with adds[i]. Returns a bit for each that is at
     * most s->limit. */
    uint32_t (*pq4_block)(const struct pq4_scan *s, const uint8_t *codes, const float *adds,
                          float *scores);
};

/* The tables built into this binary, the best last; each may be unusable on this machine. */
size_t vec_kernels_count(void);
const struct vec_kernels *vec_kernels_at(size_t index);
bool vec_kernels_usable(const struct vec_kernels *k);

/* The table called name, or for "auto" the best one this machine can run. ERR_ARG with the names
 * there are when name is unknown or cannot run here. */
MUST_USE enum err vec_kernels_choose(const char *name, const struct vec_kernels **out,
                                     struct why *why);

#endif
