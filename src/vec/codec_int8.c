/* codec_int8.c: exact rows of INT8: the bytes as they are, behind them what a dot product with
 * unsigned bytes needs, and the length.
 *
 * Query and row are integers, and so are all sums: a distance is rounded once, when it becomes a
 * float. As for SQ8 (codec_sq8.c), the bytes of a prepared query are the query's + 128, and 0
 * behind dim; the dot product is then 128 * sum(row) too large. */
#include "vec/codec_forms.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 64, OFFSET = 128 };

/* Behind the bytes of a row. */
struct int8_tail {
    int32_t bias;    /* OFFSET * the sum of the bytes */
    uint32_t square; /* of the length: at most 2^14 * CODEC_DIM_MAX = 2^30 */
};

/* Behind the bytes of a prepared query. */
struct int8_numbers {
    double length;
    uint32_t square;
    uint32_t zero; /* both ways to prepare a query give the same bytes */
};

static uint32_t scan_size(const struct codec *c)
{
    return round_up(c->dim, CODEC_LINE);
}

static void int8_init(struct codec *c)
{
    c->tail_offset = round_up(c->dim, sizeof(uint32_t));
    c->row_size = round_up(c->tail_offset + (uint32_t)sizeof(struct int8_tail), CODEC_LINE);
    c->query_size = scan_size(c) + CODEC_LINE;
    CHECK(scan_size(c) <= c->row_size);
    CHECK(scan_size(c) + sizeof(struct int8_numbers) <= c->query_size);
}

static struct int8_tail tail_of(const struct codec *c, const uint8_t *bytes)
{
    const int8_t *numbers = (const int8_t *)bytes;
    int32_t sum = 0;
    uint32_t square = 0;
    for (size_t i = 0; i < c->dim; i++) {
        sum += numbers[i];
        square += (uint32_t)(numbers[i] * numbers[i]);
    }
    CHECK(square <= (uint32_t)1 << 30);
    return (struct int8_tail){OFFSET * sum, square};
}

static void int8_store(const struct codec *c, const uint8_t *vector, uint8_t *row)
{
    struct int8_tail tail = tail_of(c, vector);
    memcpy(row, vector, c->dim);
    memset(row + c->dim, 0, c->row_size - c->dim);
    memcpy(row + c->tail_offset, &tail, sizeof(tail));
}

static struct int8_tail row_tail(const struct codec *c, const uint8_t *row)
{
    struct int8_tail tail;
    memcpy(&tail, row + c->tail_offset, sizeof(tail));
    return tail;
}

/* query holds dim signed bytes, and becomes the prepared query. */
static void query_of_bytes(const struct codec *c, uint32_t square, uint8_t *query)
{
    size_t dim = c->dim; /* bytes written may alias anything, so c->dim would be read each time */
    struct int8_numbers numbers = {square > 0 ? sqrt((double)square) : 1, square, 0};
    for (size_t i = 0; i < dim; i++)
        query[i] ^= OFFSET;
    memset(query + dim, 0, c->query_size - dim);
    memcpy(query + scan_size(c), &numbers, sizeof(numbers));
}

static void int8_query(const struct codec *c, const float *vector, uint8_t *query)
{
    size_t at;
    enum type_fault fault = type_encode(TYPE_INT8, vector, c->dim, query, &at);
    CHECK(fault == TYPE_FITS);
    query_of_bytes(c, tail_of(c, query).square, query);
}

static void int8_query_of_row(const struct codec *c, const uint8_t *row, uint8_t *query)
{
    memcpy(query, row, c->dim);
    query_of_bytes(c, row_tail(c, row).square, query);
}

/* dot: of the prepared query and the row. The difference of squares is below 2^32, so what
 * overflows on the way comes back. A zero vector, which COSINE does not have, has the dot 0. */
static float distance_of(const struct codec *c, const struct int8_numbers *q, struct int8_tail tail,
                         int32_t dot)
{
    dot -= tail.bias;
    if (c->metric == METRIC_L2)
        return (float)(q->square + tail.square - 2 * (uint32_t)dot);
    double scale = 1;
    if (c->metric == METRIC_COSINE && tail.square > 0)
        scale = q->length * sqrt((double)tail.square);
    return (float)(1 - (double)dot / scale);
}

static void distances_of_dots(const struct codec *c, const uint8_t *query, const uint8_t *base,
                              const uint32_t *ids, uint32_t first, const int32_t *dots,
                              size_t count, float *out)
{
    struct int8_numbers numbers;
    memcpy(&numbers, query + scan_size(c), sizeof(numbers));
    for (size_t i = 0; i < count; i++)
        out[i] = distance_of(c, &numbers, row_tail(c, scored_row(c, base, ids, first, i)), dots[i]);
}

static void int8_score_many(const struct codec *c, const uint8_t *query, const uint8_t *base,
                            const uint32_t *ids, size_t count, float *out)
{
    int32_t dots[BLOCK];
    for (size_t done = 0; done < count; done += BLOCK) {
        size_t part = count - done < BLOCK ? count - done : BLOCK;
        c->kernels->dot_u8s8_many(query, base, c->row_size, ids + done, part, scan_size(c), dots);
        distances_of_dots(c, query, base, ids + done, 0, dots, part, out + done);
    }
}

static void int8_score_range(const struct codec *c, const uint8_t *query, const uint8_t *base,
                             uint32_t first, size_t count, float *out)
{
    int32_t dots[BLOCK];
    for (size_t done = 0; done < count; done += BLOCK) {
        size_t part = count - done < BLOCK ? count - done : BLOCK;
        const uint8_t *from = base + done * c->row_size;
        c->kernels->dot_u8s8_range(query, from, c->row_size, first, part, scan_size(c), dots);
        distances_of_dots(c, query, from, NULL, first, dots, part, out + done);
    }
}

static void int8_decode(const struct codec *c, const uint8_t *row, float *vector)
{
    type_decode(TYPE_INT8, row, c->dim, vector);
}

const struct codec_form codec_int8 = {
    .init = int8_init,
    .store = int8_store,
    .query = int8_query,
    .query_of_row = int8_query_of_row,
    .score_many = int8_score_many,
    .score_range = int8_score_range,
    .decode = int8_decode,
};
