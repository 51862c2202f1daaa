/* kernels_scalar.c: every kernel in plain C. The reference the other tables are tested against, and
 * what runs on a machine that has none of their instruction sets. */
#include "vec/kernels_tables.h"

#include <string.h>

#include "vec/half.h"
#include "vec/kernels_rotate.h"

static const uint8_t *row_at(const uint8_t *base, size_t stride_bytes, size_t id)
{
    return base + id * stride_bytes;
}

/* Rows may start at any byte, so floats and words are copied out. */
static float float_at(const uint8_t *row, size_t index)
{
    float value;
    memcpy(&value, row + index * sizeof(value), sizeof(value));
    return value;
}

static uint64_t word_at(const uint8_t *row, size_t index)
{
    uint64_t value;
    memcpy(&value, row + index * sizeof(value), sizeof(value));
    return value;
}

static float dot_row(const float *q, const uint8_t *row, size_t dim)
{
    float sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += q[i] * float_at(row, i);
    return sum;
}

static float l2_row(const float *q, const uint8_t *row, size_t dim)
{
    float sum = 0;
    for (size_t i = 0; i < dim; i++) {
        float d = q[i] - float_at(row, i);
        sum += d * d;
    }
    return sum;
}

static float dot_f32(const float *a, const float *b, size_t dim)
{
    return dot_row(a, (const uint8_t *)b, dim);
}

static float l2_f32(const float *a, const float *b, size_t dim)
{
    return l2_row(a, (const uint8_t *)b, dim);
}

static void dot_f32_many(const float *query, const uint8_t *base, size_t stride_bytes,
                         const uint32_t *ids, size_t count, size_t dim, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = dot_row(query, row_at(base, stride_bytes, ids[i]), dim);
}

static void l2_f32_many(const float *query, const uint8_t *base, size_t stride_bytes,
                        const uint32_t *ids, size_t count, size_t dim, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = l2_row(query, row_at(base, stride_bytes, ids[i]), dim);
}

static void dot_f32_range(const float *query, const uint8_t *base, size_t stride_bytes,
                          uint32_t first, size_t count, size_t dim, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = dot_row(query, row_at(base, stride_bytes, first + i), dim);
}

static void l2_f32_range(const float *query, const uint8_t *base, size_t stride_bytes,
                         uint32_t first, size_t count, size_t dim, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = l2_row(query, row_at(base, stride_bytes, first + i), dim);
}

static uint16_t half_at(const uint8_t *row, size_t index)
{
    uint16_t value;
    memcpy(&value, row + index * sizeof(value), sizeof(value));
    return value;
}

/* The sums of a row of halves, and their forms for many rows: name of the form, of the half. */
#define HALF_KERNELS(half)                                                                         \
    static float dot_##half##_row(const float *q, const uint8_t *row, size_t dim)                  \
    {                                                                                              \
        float sum = 0;                                                                             \
        for (size_t i = 0; i < dim; i++)                                                           \
            sum += q[i] * float_of_##half(half_at(row, i));                                        \
        return sum;                                                                                \
    }                                                                                              \
    static float l2_##half##_row(const float *q, const uint8_t *row, size_t dim)                   \
    {                                                                                              \
        float sum = 0;                                                                             \
        for (size_t i = 0; i < dim; i++) {                                                         \
            float d = q[i] - float_of_##half(half_at(row, i));                                     \
            sum += d * d;                                                                          \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
    HALF_FORMS(dot_##half)                                                                         \
    HALF_FORMS(l2_##half)

#define HALF_FORMS(sum)                                                                            \
    static void sum##_many(const float *query, const uint8_t *base, size_t stride_bytes,           \
                           const uint32_t *ids, size_t count, size_t dim, float *out)              \
    {                                                                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = sum##_row(query, row_at(base, stride_bytes, ids[i]), dim);                    \
    }                                                                                              \
    static void sum##_range(const float *query, const uint8_t *base, size_t stride_bytes,          \
                            uint32_t first, size_t count, size_t dim, float *out)                  \
    {                                                                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = sum##_row(query, row_at(base, stride_bytes, first + i), dim);                 \
    }

HALF_KERNELS(fp16)
HALF_KERNELS(bf16)

static int32_t dot_u8s8(const uint8_t *q, const int8_t *c, size_t size)
{
    int32_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += q[i] * c[i];
    return sum;
}

static void dot_u8s8_many(const uint8_t *q, const uint8_t *base, size_t stride_bytes,
                          const uint32_t *ids, size_t count, size_t size, int32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = dot_u8s8(q, (const int8_t *)row_at(base, stride_bytes, ids[i]), size);
}

static void dot_u8s8_range(const uint8_t *q, const uint8_t *base, size_t stride_bytes,
                           uint32_t first, size_t count, size_t size, int32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = dot_u8s8(q, (const int8_t *)row_at(base, stride_bytes, first + i), size);
}

static int32_t dot_bits(const uint8_t *q, const uint8_t *row, size_t size)
{
    int32_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += q[i] * (row[i / 8] >> (i % 8) & 1);
    return sum;
}

static int32_t dot_nibbles(const uint8_t *q, const uint8_t *row, size_t size)
{
    int32_t sum = 0;
    for (size_t at = 0; at < size; at += 64, row += 32)
        for (size_t i = 0; i < 32; i++)
            sum += q[at + i] * (row[i] & 15) + q[at + 32 + i] * (row[i] >> 4);
    return sum;
}

#define PACKED_FORMS(sum)                                                                          \
    static void sum##_many(const uint8_t *q, const uint8_t *base, size_t stride_bytes,             \
                           const uint32_t *ids, size_t count, size_t size, int32_t *out)           \
    {                                                                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = sum(q, row_at(base, stride_bytes, ids[i]), size);                             \
    }                                                                                              \
    static void sum##_range(const uint8_t *q, const uint8_t *base, size_t stride_bytes,            \
                            uint32_t first, size_t count, size_t size, int32_t *out)               \
    {                                                                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = sum(q, row_at(base, stride_bytes, first + i), size);                          \
    }

PACKED_FORMS(dot_bits)
PACKED_FORMS(dot_nibbles)

static float sq8_score(const struct sq8_scan *s, const uint8_t *row)
{
    struct sq8_tail tail;
    memcpy(&tail, row + s->tail_offset, sizeof(tail));
    int32_t dot = dot_u8s8(s->query, (const int8_t *)row, s->size) - tail.bias;
    /* In a statement of its own: within one, a compiler may fuse it with the subtraction. */
    float part = s->mul * (float)dot * tail.scale;
    return (s->add + tail.add) - part;
}

static void sq8_many(const struct sq8_scan *s, const uint8_t *base, const uint32_t *ids,
                     size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = sq8_score(s, row_at(base, s->stride_bytes, ids[i]));
}

static void sq8_range(const struct sq8_scan *s, const uint8_t *base, uint32_t first, size_t count,
                      float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = sq8_score(s, row_at(base, s->stride_bytes, first + i));
}

static uint32_t hamming_row(const uint64_t *q, const uint8_t *row, size_t words)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < words; i++)
        sum += (uint32_t)__builtin_popcountll(q[i] ^ word_at(row, i));
    return sum;
}

static uint32_t hamming(const uint64_t *a, const uint64_t *b, size_t words)
{
    return hamming_row(a, (const uint8_t *)b, words);
}

static void hamming_many(const uint64_t *q, const uint8_t *base, size_t stride_bytes,
                         const uint32_t *ids, size_t count, size_t words, uint32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = hamming_row(q, row_at(base, stride_bytes, ids[i]), words);
}

static void hamming_range(const uint64_t *q, const uint8_t *base, size_t stride_bytes,
                          uint32_t first, size_t count, size_t words, uint32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = hamming_row(q, row_at(base, stride_bytes, first + i), words);
}

static uint32_t pq4_block(const struct pq4_scan *s, const uint8_t *codes, const float *adds,
                          float *scores)
{
    uint32_t below = 0;
    for (size_t row = 0; row < PQ_BLOCK; row++) {
        uint32_t sum = 0;
        for (size_t pair = 0; pair < s->pairs; pair++) {
            uint8_t code = codes[pair * PQ_BLOCK + row];
            const uint8_t *table = s->tables + pair * 32;
            sum += (uint32_t)table[code & 15] + table[16 + (code >> 4)];
        }
        scores[row] = s->step * (float)sum + s->base + adds[row];
        below |= (uint32_t)(scores[row] <= s->limit) << row;
    }
    return below;
}

const struct vec_kernels vec_kernels_scalar = {
    .name = "scalar",
    .dot_f32 = dot_f32,
    .l2_f32 = l2_f32,
    .dot_f32_many = dot_f32_many,
    .l2_f32_many = l2_f32_many,
    .dot_f32_range = dot_f32_range,
    .l2_f32_range = l2_f32_range,
    .dot_u8s8 = dot_u8s8,
    .dot_u8s8_many = dot_u8s8_many,
    .dot_u8s8_range = dot_u8s8_range,
    .fp16 = {dot_fp16_many, l2_fp16_many, dot_fp16_range, l2_fp16_range},
    .bf16 = {dot_bf16_many, l2_bf16_many, dot_bf16_range, l2_bf16_range},
    .bits = {dot_bits_many, dot_bits_range},
    .nibbles = {dot_nibbles_many, dot_nibbles_range},
    .rotate = rotate,
    .sq8_many = sq8_many,
    .sq8_range = sq8_range,
    .hamming = hamming,
    .hamming_many = hamming_many,
    .hamming_range = hamming_range,
    .pq4_block = pq4_block,
};
