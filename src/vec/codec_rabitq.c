/* codec_rabitq.c: one bit and four bits a dimension, after a rotation (rabitq.h).
 *
 *     0            size / 8 bytes: the signs                 size = dim, rounded up to 64
 *                  struct bits_tail                          what a screen reads ends here
 *     low_offset   size / 2 bytes: nibbles
 *     tail_offset  struct rabitq_factor of the nibbles
 *     row_size     a multiple of 64: 512 bytes for 768 dimensions
 *
 * A walk asks codec_screen first, which reads the signs alone: they tell of most rows that they are
 * too far away. Scores are those of the nibbles. README.md has what either costs and is off by.
 *
 * Vectors are divided by their largest magnitude before they are rotated, and the factors
 * multiplied by it, so that sums stay finite for every finite vector; where the product would not,
 * it is the bound.
 *
 * Prepared query: size bytes, struct numbers, room for a rotation. */
#include "base/mem.h"
#include "vec/codec_forms.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "vec/rabitq.h"

enum { BLOCK = 64, SHORT_SIZE = 2048 };

/* As those of SQ8: 2 * SCALE_MAX^2 * 255 * 15 * CODEC_DIM_MAX and 2 * ADD_MAX are below FLT_MAX. */
#define SCALE_MAX 1e14f
#define ADD_MAX 1e38

/* Of a row that is as far as the limit, one in 22 is taken to be farther (normal distribution). */
static const float screen_errors = 1.7f;

struct bits_tail {
    struct rabitq_factor factor;
    float add;   /* L2: the squared norm, otherwise 0 */
    float error; /* rabitq.h */
};

struct numbers {
    struct rabitq_query query;
    float add; /* L2: the squared norm, otherwise 1 */
};

static uint32_t size_of(const struct codec *c)
{
    return rabitq_size(c->dim);
}

static uint32_t bits_offset(const struct codec *c)
{
    return size_of(c) / 8;
}

static uint32_t low_offset(const struct codec *c)
{
    return bits_offset(c) + (uint32_t)sizeof(struct bits_tail);
}

static void rabitq_form_init(struct codec *c)
{
    c->tail_offset = low_offset(c) + size_of(c) / 2;
    c->row_size = round_up(c->tail_offset + (uint32_t)sizeof(struct rabitq_factor), CODEC_LINE);
    c->query_size = size_of(c) + CODEC_LINE + 2 * size_of(c) * (uint32_t)sizeof(float);
    CHECK(sizeof(struct numbers) <= CODEC_LINE && size_of(c) % RABITQ_BLOCK == 0);
    CHECK(bits_offset(c) % sizeof(float) == 0 && c->tail_offset % sizeof(float) == 0);
}

static float range_of(const float *vector, size_t dim)
{
    float range = rabitq_range(vector, dim);
    CHECK(range <= FLT_MAX); /* finite */
    return range;
}

/* The rotated vector over its range, in v; returns the range. */
static float rotated(const struct codec *c, const float *vector, float *v, float *room)
{
    float range = range_of(vector, c->dim);
    for (size_t i = 0; i < c->dim; i++)
        v[i] = range > 0 ? vector[i] / range : 0;
    memset(v + c->dim, 0, (size_of(c) - c->dim) * sizeof(float));
    rabitq_rotate(c->kernels, v, room, size_of(c));
    return range;
}

static float bounded(double value, double most)
{
    return (float)fmin(value, most);
}

/* The squared norm of the vector itself. */
static float norm2_of(const struct codec *c, const float *vector)
{
    double sum = 0;
    for (size_t i = 0; i < c->dim; i++)
        sum += (double)vector[i] * (double)vector[i];
    return bounded(sum, ADD_MAX);
}

/* v, room: size floats each. */
static void encode_in(const struct codec *c, const float *vector, uint8_t *row, float *v,
                      float *room)
{
    const float range = rotated(c, vector, v, room);
    const size_t size = size_of(c);
    struct bits_tail bits = {.add = c->metric == METRIC_L2 ? norm2_of(c, vector) : 0};
    memset(row, 0, c->row_size);
    bits.factor = rabitq_bits(v, size, row, &bits.error);
    struct rabitq_factor low = rabitq_nibbles(v, size, row + low_offset(c));
    bits.factor.scale = bounded((double)bits.factor.scale * (double)range, SCALE_MAX);
    bits.error = bounded((double)bits.error * (double)range, SCALE_MAX);
    low.scale = bounded((double)low.scale * (double)range, SCALE_MAX);
    memcpy(row + bits_offset(c), &bits, sizeof(bits));
    memcpy(row + c->tail_offset, &low, sizeof(low));
}

/* Half a megabyte of stack, which short vectors do not touch. */
static __attribute__((noinline)) void encode_long(const struct codec *c, const float *vector,
                                                  uint8_t *row)
{
    float v[CODEC_DIM_MAX], room[CODEC_DIM_MAX];
    encode_in(c, vector, row, v, room);
}

static __attribute__((noinline)) void encode_short(const struct codec *c, const float *vector,
                                                   uint8_t *row)
{
    float v[SHORT_SIZE], room[SHORT_SIZE];
    encode_in(c, vector, row, v, room);
}

static void rabitq_form_encode(const struct codec *c, const float *vector, uint8_t *row)
{
    if (size_of(c) <= SHORT_SIZE)
        encode_short(c, vector, row);
    else
        encode_long(c, vector, row);
}

static void rabitq_form_query(const struct codec *c, const float *vector, uint8_t *query)
{
    const size_t size = size_of(c);
    float *v = (float *)(void *)(query + size + CODEC_LINE);
    const float range = rotated(c, vector, v, v + size);
    struct numbers n = {.query = rabitq_query(v, size, query)};
    n.query.step = bounded((double)n.query.step * (double)range, SCALE_MAX);
    n.query.norm = bounded((double)n.query.norm * (double)range, SCALE_MAX);
    n.add = c->metric == METRIC_L2 ? norm2_of(c, vector) : 1;
    memcpy(query + size, &n, sizeof(n));
}

static void rabitq_form_query_of_row(const struct codec *c, const uint8_t *row, uint8_t *query)
{
    struct bits_tail bits;
    struct rabitq_factor low;
    memcpy(&bits, row + bits_offset(c), sizeof(bits));
    memcpy(&low, row + c->tail_offset, sizeof(low));
    struct numbers n = {.query =
                            rabitq_query_of_nibbles(row + low_offset(c), size_of(c), low, query),
                        .add = c->metric == METRIC_L2 ? bits.add : 1};
    n.query.norm = bounded((double)n.query.norm, SCALE_MAX);
    memcpy(query + size_of(c), &n, sizeof(n));
}

static struct numbers numbers_of(const struct codec *c, const uint8_t *query)
{
    struct numbers n;
    memcpy(&n, query + size_of(c), sizeof(n));
    return n;
}

/* COSINE, IP: 1 - q.r; L2: q.q + r.r - 2 q.r. */
static float distance_of(const struct codec *c, const struct numbers *n, float add, float dot)
{
    const float twice = c->metric == METRIC_L2 ? 2 * dot : dot;
    return (n->add + add) - twice;
}

static void scores_of_sums(const struct codec *c, const struct numbers *n, const uint8_t *base,
                           const uint32_t *ids, uint32_t first, size_t count, const int32_t *sums,
                           float *out)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *row = scored_row(c, base, ids, first, i);
        struct bits_tail bits;
        struct rabitq_factor low;
        memcpy(&bits, row + bits_offset(c), sizeof(bits));
        memcpy(&low, row + c->tail_offset, sizeof(low));
        out[i] = distance_of(c, n, bits.add, rabitq_dot_nibbles(&n->query, low, sums[i]));
    }
}

static void rabitq_form_score_many(const struct codec *c, const uint8_t *query, const uint8_t *base,
                                   const uint32_t *ids, size_t count, float *out)
{
    const struct numbers n = numbers_of(c, query);
    int32_t sums[BLOCK];
    for (size_t at = 0; at < count; at += BLOCK) {
        size_t part = count - at < BLOCK ? count - at : BLOCK;
        c->kernels->nibbles.dot_many(query, base + low_offset(c), c->row_size, ids + at, part,
                                     size_of(c), sums);
        scores_of_sums(c, &n, base, ids + at, 0, part, sums, out + at);
    }
}

static void rabitq_form_score_range(const struct codec *c, const uint8_t *query,
                                    const uint8_t *base, uint32_t first, size_t count, float *out)
{
    const struct numbers n = numbers_of(c, query);
    int32_t sums[BLOCK];
    for (size_t at = 0; at < count; at += BLOCK) {
        size_t part = count - at < BLOCK ? count - at : BLOCK;
        const uint8_t *from = base + at * c->row_size;
        c->kernels->nibbles.dot_range(query, from + low_offset(c), c->row_size, first, part,
                                      size_of(c), sums);
        scores_of_sums(c, &n, from, NULL, first, part, sums, out + at);
    }
}

static size_t rabitq_form_screen(const struct codec *c, const uint8_t *query, const uint8_t *base,
                                 uint32_t *ids, size_t count, float limit)
{
    const struct numbers n = numbers_of(c, query);
    const float errors = screen_errors * n.query.norm;
    int32_t sums[BLOCK];
    size_t kept = 0;
    for (size_t at = 0; at < count; at += BLOCK) {
        size_t part = count - at < BLOCK ? count - at : BLOCK;
        c->kernels->bits.dot_many(query, base, c->row_size, ids + at, part, size_of(c), sums);
        for (size_t i = 0; i < part; i++) {
            const uint8_t *row = base + (size_t)ids[at + i] * c->row_size;
            struct bits_tail bits;
            memcpy(&bits, row + bits_offset(c), sizeof(bits));
            float most = rabitq_dot_bits(&n.query, bits.factor, sums[i]) + bits.error * errors;
            ids[kept] = ids[at + i];
            kept += distance_of(c, &n, bits.add, most) < limit;
        }
    }
    return kept;
}

/* The numbers that the nibbles stand for, rotated back. */
static void rabitq_form_decode(const struct codec *c, const uint8_t *row, float *vector)
{
    struct rabitq_factor low;
    /* Not on the stack, of which lanes have less than the most dimensions take. */
    float *v = mem_alloc(MEM_SCRATCH, 2 * size_of(c) * sizeof(*v)), *room = v + size_of(c);
    const uint8_t *code = row + low_offset(c);
    memcpy(&low, row + c->tail_offset, sizeof(low));
    for (size_t at = 0; at < size_of(c); at += RABITQ_BLOCK, code += RABITQ_BLOCK / 2)
        for (size_t i = 0; i < RABITQ_BLOCK / 2; i++) {
            v[at + i] = (float)(code[i] & 15) - 7.5f;
            v[at + RABITQ_BLOCK / 2 + i] = (float)(code[i] >> 4) - 7.5f;
        }
    rabitq_unrotate(v, room, size_of(c));
    for (size_t i = 0; i < c->dim; i++)
        vector[i] = v[i] * low.scale + 0.0f; /* no -0 */
    mem_free(MEM_SCRATCH, v);
}

static bool rabitq_form_finite(const struct codec *c, const uint8_t *row)
{
    struct bits_tail bits;
    struct rabitq_factor low;
    memcpy(&bits, row + bits_offset(c), sizeof(bits));
    memcpy(&low, row + c->tail_offset, sizeof(low));
    return isfinite(bits.factor.scale) && isfinite(bits.add) && isfinite(bits.error) &&
           isfinite(low.scale);
}

const struct codec_form codec_rabitq = {
    .init = rabitq_form_init,
    .encode = rabitq_form_encode,
    .query = rabitq_form_query,
    .query_of_row = rabitq_form_query_of_row,
    .score_many = rabitq_form_score_many,
    .score_range = rabitq_form_score_range,
    .screen = rabitq_form_screen,
    .decode = rabitq_form_decode,
    .finite = rabitq_form_finite,
};
