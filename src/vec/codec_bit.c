/* codec_bit.c: exact rows of BIT: the bits as they are, in 64-bit words, and for JACCARD how many
 * are set. With a and b set in either row and h differing, (a + b - h) / 2 are set in both and (a +
 * b + h) / 2 in either, so that one count of differing bits serves both metrics. */
#include "vec/codec_forms.h"

#include <string.h>

enum { WORD_BITS = 64, BLOCK = 64 };

static uint32_t words_of(const struct codec *c)
{
    return round_up(c->dim, WORD_BITS) / WORD_BITS;
}

static void bit_init(struct codec *c)
{
    uint32_t tail = c->metric == METRIC_JACCARD ? sizeof(uint32_t) : 0;
    c->tail_offset = words_of(c) * (uint32_t)sizeof(uint64_t);
    c->row_size = c->tail_offset + tail;
    c->query_size = round_up(c->row_size, CODEC_LINE);
    CHECK(c->dim % TYPE_BIT_DIM == 0 && (uint64_t)c->tail_offset * 8 >= c->dim);
}

static void bit_store(const struct codec *c, const uint8_t *vector, uint8_t *row)
{
    size_t size = type_size(TYPE_BIT, c->dim);
    memcpy(row, vector, size);
    memset(row + size, 0, c->row_size - size);
    if (c->metric != METRIC_JACCARD)
        return;
    uint32_t set = 0;
    for (size_t i = 0; i < size; i++)
        set += (uint32_t)__builtin_popcount(row[i]);
    memcpy(row + c->tail_offset, &set, sizeof(set));
}

static void bit_query_of_row(const struct codec *c, const uint8_t *row, uint8_t *query)
{
    memcpy(query, row, c->row_size);
    memset(query + c->row_size, 0, c->query_size - c->row_size);
}

static void bit_query(const struct codec *c, const float *vector, uint8_t *query)
{
    size_t at;
    enum type_fault fault = type_encode(TYPE_BIT, vector, c->dim, query, &at);
    CHECK(fault == TYPE_FITS);
    size_t size = type_size(TYPE_BIT, c->dim);
    uint32_t set = 0;
    for (size_t i = 0; i < size; i++)
        set += (uint32_t)__builtin_popcount(query[i]);
    memset(query + size, 0, c->query_size - size);
    if (c->metric == METRIC_JACCARD)
        memcpy(query + c->tail_offset, &set, sizeof(set));
}

static uint32_t set_in(const struct codec *c, const uint8_t *row)
{
    uint32_t set;
    memcpy(&set, row + c->tail_offset, sizeof(set));
    return set;
}

/* JACCARD: 1 - (sum - h) / (sum + h), sum being the bits set in the one and in the other. */
static void distances_of_counts(const struct codec *c, const uint8_t *query, const uint8_t *base,
                                const uint32_t *ids, uint32_t first, const uint32_t *differing,
                                size_t count, float *out)
{
    if (c->metric == METRIC_HAMMING) {
        for (size_t i = 0; i < count; i++)
            out[i] = (float)differing[i];
        return;
    }
    uint32_t in_query = set_in(c, query);
    for (size_t i = 0; i < count; i++) {
        uint32_t either = in_query + set_in(c, scored_row(c, base, ids, first, i)) + differing[i];
        out[i] = either == 0 ? 0 : 2 * (float)differing[i] / (float)either;
    }
}

static void bit_score_many(const struct codec *c, const uint8_t *query, const uint8_t *base,
                           const uint32_t *ids, size_t count, float *out)
{
    uint32_t differing[BLOCK];
    for (size_t done = 0; done < count; done += BLOCK) {
        size_t part = count - done < BLOCK ? count - done : BLOCK;
        c->kernels->hamming_many((const uint64_t *)(const void *)query, base, c->row_size,
                                 ids + done, part, words_of(c), differing);
        distances_of_counts(c, query, base, ids + done, 0, differing, part, out + done);
    }
}

static void bit_score_range(const struct codec *c, const uint8_t *query, const uint8_t *base,
                            uint32_t first, size_t count, float *out)
{
    uint32_t differing[BLOCK];
    for (size_t done = 0; done < count; done += BLOCK) {
        size_t part = count - done < BLOCK ? count - done : BLOCK;
        const uint8_t *from = base + done * c->row_size;
        c->kernels->hamming_range((const uint64_t *)(const void *)query, from, c->row_size, first,
                                  part, words_of(c), differing);
        distances_of_counts(c, query, from, NULL, first, differing, part, out + done);
    }
}

static void bit_decode(const struct codec *c, const uint8_t *row, float *vector)
{
    type_decode(TYPE_BIT, row, c->dim, vector);
}

const struct codec_form codec_bit = {
    .init = bit_init,
    .store = bit_store,
    .query = bit_query,
    .query_of_row = bit_query_of_row,
    .score_many = bit_score_many,
    .score_range = bit_score_range,
    .decode = bit_decode,
};
