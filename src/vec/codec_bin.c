/* codec_bin.c: one bit per dimension, 1 where v > 0, in 64-bit words, bits behind dim 0.
 *
 * Only COSINE: of two directions at angle a, a share a / pi of the signs differs, so the number of
 * differing bits orders rows by angle; 2 * differing / dim runs from 0 to 2 as 1 - cos does. */
#include "vec/codec_forms.h"

#include <string.h>

enum { WORD_BITS = 64, BLOCK = 64 };

static uint32_t words_of(const struct codec *c)
{
    return round_up(c->dim, WORD_BITS) / WORD_BITS;
}

static void bin_init(struct codec *c)
{
    c->row_size = words_of(c) * (uint32_t)sizeof(uint64_t);
    c->query_size = round_up(c->row_size, CODEC_LINE);
    CHECK((uint64_t)c->row_size * 8 >= c->dim && words_of(c) * sizeof(uint64_t) == c->row_size);
}

static void bin_encode(const struct codec *c, const float *vector, uint8_t *row)
{
    for (size_t i = 0; i < c->row_size; i++) {
        unsigned byte = 0;
        for (size_t bit = 0; bit < 8 && 8 * i + bit < c->dim; bit++)
            byte |= (unsigned)(vector[8 * i + bit] > 0) << bit;
        row[i] = (uint8_t)byte;
    }
}

static void bin_query_of_row(const struct codec *c, const uint8_t *row, uint8_t *query)
{
    memcpy(query, row, c->row_size);
    memset(query + c->row_size, 0, c->query_size - c->row_size);
}

static void bin_query(const struct codec *c, const float *vector, uint8_t *query)
{
    bin_encode(c, vector, query);
    memset(query + c->row_size, 0, c->query_size - c->row_size);
}

/* out[i] = 2 * differing[i] / dim */
static void scores_of_counts(const struct codec *c, const uint32_t *differing, size_t count,
                             float *out)
{
    float dim = (float)c->dim;
    for (size_t i = 0; i < count; i++)
        out[i] = 2 * (float)(int32_t)differing[i] / dim;
}

static void bin_score_many(const struct codec *c, const uint8_t *query, const uint8_t *base,
                           const uint32_t *ids, size_t count, float *out)
{
    uint32_t differing[BLOCK];
    for (size_t done = 0; done < count; done += BLOCK) {
        size_t part = count - done < BLOCK ? count - done : BLOCK;
        c->kernels->hamming_many((const uint64_t *)query, base, c->row_size, ids + done, part,
                                 words_of(c), differing);
        scores_of_counts(c, differing, part, out + done);
    }
}

static void bin_score_range(const struct codec *c, const uint8_t *query, const uint8_t *base,
                            uint32_t first, size_t count, float *out)
{
    uint32_t differing[BLOCK];
    for (size_t done = 0; done < count; done += BLOCK) {
        size_t part = count - done < BLOCK ? count - done : BLOCK;
        c->kernels->hamming_range((const uint64_t *)query, base + done * c->row_size, c->row_size,
                                  first, part, words_of(c), differing);
        scores_of_counts(c, differing, part, out + done);
    }
}

static void bin_decode(const struct codec *c, const uint8_t *row, float *vector)
{
    for (size_t i = 0; i < c->dim; i++)
        vector[i] = row[i / 8] >> (i % 8) & 1 ? 1.0f : -1.0f;
}

const struct codec_form codec_bin = {
    .init = bin_init,
    .encode = bin_encode,
    .query = bin_query,
    .query_of_row = bin_query_of_row,
    .score_many = bin_score_many,
    .score_range = bin_score_range,
    .decode = bin_decode,
};
