/* rabitq.h: vectors as one bit, or four, a dimension, after a random rotation, with an estimate of
 * inner products that is right on average and a bound on how far it may be off.
 *
 * Gao and Long, *RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for
 * Approximate Nearest Neighbor Search*, 2024 (arXiv 2405.12497), and for the four bits Gao et al.
 * 2024 (arXiv 2409.09913). A vector r is rotated, and each coordinate becomes a number of a few
 * values: x in {-1, 1}, or in {-7.5, -6.5 .. 7.5}. What stands for r is then not x, but
 *     s x  with  s = (r . r) / (x . r)
 * so that (s x) . r = r . r. The rest of s x is across r, in a direction that the rotation makes
 * random: (s x) . q = r . q on average over rotations, and deviates by error * |q across r| with
 *     error = |r| sqrt((1 - c^2) / (c^2 (size - 1))),  c = cosine of r and x.
 *
 * Rows may be of any origin (a centre taken away first, or not): the caller adds the rest. Rotation
 * and codes of a vector are the same bits on every machine. Pure; no state. */
#ifndef VDB_VEC_RABITQ_H
#define VDB_VEC_RABITQ_H

#include "vec/vec.h"

enum {
    RABITQ_BLOCK = 64, /* coordinates: their count is a multiple */
    RABITQ_LANES = 16,
    RABITQ_LEVELS = 16 /* of four bits */
};

/* What estimates need of a code beside its bits. */
struct rabitq_factor {
    float scale;  /* s, of bits and of nibbles: x apart by 1 */
    int32_t bias; /* 128 * sum of the bits or nibbles: what makes query bytes unsigned */
};

/* A query in bytes: q[i] = 128 + coordinate / step, rounded. */
struct rabitq_query {
    float step;
    float norm;  /* |query| */
    int32_t sum; /* of q[i] - 128 */
};

/* Coordinates of a rotated vector of dim numbers. dim >= 1. */
static inline uint32_t rabitq_size(uint32_t dim)
{
    return (dim + RABITQ_BLOCK - 1) / RABITQ_BLOCK * RABITQ_BLOCK;
}

/* The largest power of two up to count, which is not 0. */
static inline size_t rabitq_power(size_t count)
{
    return (size_t)1 << (63 - __builtin_clzll(count));
}

/* 64 random bits, the same ones everywhere (splitmix64, Steele et al. 2014). */
static inline uint64_t rabitq_signs(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* Rotates v in place: rabitq_size(dim) finite floats, zeros behind dim, of magnitude 1 at most (or
 * sums of them must stay finite). room: as many. Lengths and inner products stay what they are, up
 * to rounding. */
void rabitq_rotate(const struct vec_kernels *kernels, float *v, float *room, size_t size);
/* The rotation backwards. */
void rabitq_unrotate(float *v, float *room, size_t size);

/* The code of a rotated vector: size / 8 bytes, or size / 2, in the order of vec.h. error (see
 * above) may be NULL. A vector of zeros has scale 0 and error 0. */
struct rabitq_factor rabitq_bits(const float *rotated, size_t size, uint8_t *code, float *error);
struct rabitq_factor rabitq_nibbles(const float *rotated, size_t size, uint8_t *code);

/* The largest magnitude of any vector, rotated or not. */
float rabitq_range(const float *v, size_t count);
/* A rotated query as size bytes. */
struct rabitq_query rabitq_query(const float *rotated, size_t size, uint8_t *query);
/* The vector that a code of nibbles stands for, as a query. */
struct rabitq_query rabitq_query_of_nibbles(const uint8_t *code, size_t size,
                                            struct rabitq_factor factor, uint8_t *query);

/* Inner product of query and vector from the sum that kernels->bits or ->nibbles gives. */
static inline float rabitq_dot_bits(const struct rabitq_query *q, struct rabitq_factor f,
                                    int32_t sum)
{
    return f.scale * q->step * (float)(2 * (sum - f.bias) - q->sum);
}

static inline float rabitq_dot_nibbles(const struct rabitq_query *q, struct rabitq_factor f,
                                       int32_t sum)
{
    return f.scale * q->step * ((float)(sum - f.bias) - 7.5f * (float)q->sum);
}

#endif
