/* codec_half.c: exact rows of FP16 and BF16: the halves as they are, and under COSINE their length.
 *
 * They are not normalised: a unit vector in halves is neither exactly of length 1 nor, made longer
 * again, what the client sent. Queries are floats, so only the row was ever rounded.
 *
 * A sum of products of the row and a unit vector, whole or in part, is at most the row's length: it
 * overflows no float as long as the length fits one (cmd/vector_read.c sees to that). */
#include "vec/codec_forms.h"

#include <math.h>
#include <string.h>

static void half_init(struct codec *c)
{
    uint32_t tail = c->metric == METRIC_COSINE ? sizeof(float) : 0;
    c->tail_offset = round_up((uint32_t)type_size(c->type, c->dim), sizeof(float));
    c->row_size = c->tail_offset + tail;
    c->query_size = round_up(c->dim * (uint32_t)sizeof(float), CODEC_LINE);
    CHECK(c->type == TYPE_FP16 || c->type == TYPE_BF16);
}

/* A zero vector, which COSINE does not have, would be divided by its length. */
static void half_store(const struct codec *c, const uint8_t *vector, uint8_t *row)
{
    size_t size = type_size(c->type, c->dim);
    memcpy(row, vector, size);
    memset(row + size, 0, c->tail_offset - size);
    if (c->metric != METRIC_COSINE)
        return;
    float length = (float)sqrt(type_square(c->type, vector, c->dim));
    length = length > 0 ? length : 1;
    memcpy(row + c->tail_offset, &length, sizeof(length));
}

static float length_of(const struct codec *c, const uint8_t *row)
{
    float length;
    CHECK(c->metric == METRIC_COSINE);
    memcpy(&length, row + c->tail_offset, sizeof(length));
    return length;
}

static void half_query(const struct codec *c, const float *vector, uint8_t *query)
{
    size_t size = c->dim * sizeof(float);
    memcpy(query, vector, size);
    memset(query + size, 0, c->query_size - size);
}

static void half_query_of_row(const struct codec *c, const uint8_t *row, uint8_t *query)
{
    float *numbers = (float *)(void *)query;
    memset(query, 0, c->query_size);
    type_decode(c->type, row, c->dim, numbers);
    if (c->metric != METRIC_COSINE)
        return;
    float length = length_of(c, row);
    for (size_t i = 0; i < c->dim; i++)
        numbers[i] /= length;
}

static const struct half_kernels *kernels_of(const struct codec *c)
{
    return c->type == TYPE_FP16 ? &c->kernels->fp16 : &c->kernels->bf16;
}

static void distances_of_dots(const struct codec *c, const uint8_t *base, const uint32_t *ids,
                              uint32_t first, size_t count, float *out)
{
    for (size_t i = 0; i < count && c->metric == METRIC_IP; i++)
        out[i] = 1 - out[i];
    for (size_t i = 0; i < count && c->metric == METRIC_COSINE; i++)
        out[i] = 1 - out[i] / length_of(c, scored_row(c, base, ids, first, i));
}

static void half_score_many(const struct codec *c, const uint8_t *query, const uint8_t *base,
                            const uint32_t *ids, size_t count, float *out)
{
    const struct half_kernels *k = kernels_of(c);
    const float *q = (const float *)(const void *)query;
    (c->metric == METRIC_L2 ? k->l2_many : k->dot_many)(q, base, c->row_size, ids, count, c->dim,
                                                        out);
    distances_of_dots(c, base, ids, 0, count, out);
}

static void half_score_range(const struct codec *c, const uint8_t *query, const uint8_t *base,
                             uint32_t first, size_t count, float *out)
{
    const struct half_kernels *k = kernels_of(c);
    const float *q = (const float *)(const void *)query;
    (c->metric == METRIC_L2 ? k->l2_range : k->dot_range)(q, base, c->row_size, first, count,
                                                          c->dim, out);
    distances_of_dots(c, base, NULL, first, count, out);
}

static void half_decode(const struct codec *c, const uint8_t *row, float *vector)
{
    type_decode(c->type, row, c->dim, vector);
}

const struct codec_form codec_half = {
    .init = half_init,
    .store = half_store,
    .query = half_query,
    .query_of_row = half_query_of_row,
    .score_many = half_score_many,
    .score_range = half_score_range,
    .decode = half_decode,
};
