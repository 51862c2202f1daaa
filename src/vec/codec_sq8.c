/* codec_sq8.c: one signed byte per dimension with a scale per vector.
 *
 * With range = max |v| the codes are b = round(v / range * 127). Taken at face value, a row stands
 * for b * range / 127. Its rounding error has a part along v, which bends every dot product of v
 * in the same direction, and a part across. The scale of a row removes the first:
 *
 *     scale = range / 127 * (v . v) / (v . b * range / 127)
 *
 * so that (b * scale) . v = v . v, and the error of a dot product with q depends only on the part
 * of q across v: it is smallest for the nearest neighbours, where it matters (README.md, figures).
 *
 * Prepared query: the codes + 128 and 0 behind dim, scan_size() bytes, then struct sq8_numbers. The
 * dot product of query and row is then 128 * sum(row's codes) too large: that is the row's bias.
 *
 * COSINE, IP: 1 - q.c: the query's add 1, the row's 0, mul = scale of the query.
 * L2: q.q + c.c - 2 q.c: add = the norm of the vector before it was rounded, mul = 2 * scale. */
#include "vec/codec_forms.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { CODE_MAX = 127, LANES = 16 };

/* Bounds that keep every score finite: 2 * SCALE_MAX^2 * 127^2 * CODEC_DIM_MAX and 2 * ADD_MAX are
 * below FLT_MAX. Only vectors with components over 10^16 meet them. */
#define SCALE_MAX 1e14
#define ADD_MAX 1e38

/* Behind the bytes of a prepared query. */
struct sq8_numbers {
    float mul;
    float add;
};

static uint32_t scan_size(const struct codec *c)
{
    return round_up(c->dim, CODEC_LINE);
}

static void sq8_init(struct codec *c)
{
    c->tail_offset = round_up(c->dim, sizeof(float));
    c->row_size = round_up(c->tail_offset + (uint32_t)sizeof(struct sq8_tail), CODEC_LINE);
    c->query_size = scan_size(c) + CODEC_LINE;
    CHECK(scan_size(c) <= c->row_size);
    CHECK(c->tail_offset >= c->dim && c->tail_offset + sizeof(struct sq8_tail) <= c->row_size);
    CHECK(scan_size(c) + sizeof(struct sq8_numbers) <= c->query_size);
}

static inline float larger(float a, float b)
{
    return a > b ? a : b;
}

/* max |v|, in LANES maxima, so that the compiler makes vector instructions of it. */
static float range_of(const float *vector, size_t dim)
{
    float lanes[LANES] = {0}, range = 0;
    size_t i = 0;
    for (; i + LANES <= dim; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            lanes[lane] = larger(lanes[lane], fabsf(vector[i + lane]));
    for (; i < dim; i++)
        range = larger(range, fabsf(vector[i]));
    for (size_t lane = 0; lane < LANES; lane++)
        range = larger(range, lanes[lane]);
    CHECK(range <= FLT_MAX); /* finite */
    return range;
}

/* Sums over a vector u = v / range and its codes b. LANES of each, so that they vectorise. */
struct sums {
    float uu[LANES];
    float ub[LANES];
    int32_t b[LANES];
};

/* Adding 1.5 * 2^23 leaves no room for a fraction: the sum is rounded to an integer (to even),
 * which stands in its low bits. */
static int32_t rounded(float value)
{
    const float magic = 12582912;
    float sum = value + magic;
    int32_t bits, zero;
    memcpy(&bits, &sum, sizeof(bits));
    memcpy(&zero, &magic, sizeof(zero));
    return bits - zero;
}

static void encode_lanes(const float *vector, float range, struct sums *sums, int8_t *codes)
{
    for (size_t lane = 0; lane < LANES; lane++) {
        float u = vector[lane] / range;
        int32_t b = rounded(u * CODE_MAX);
        sums->uu[lane] += u * u;
        sums->ub[lane] += u * (float)b;
        sums->b[lane] += b;
        codes[lane] = (int8_t)b;
    }
}

/* dim codes; the sums of a vector of zeros stay 0. */
static void encode_codes(const float *vector, size_t dim, float range, struct sums *sums,
                         int8_t *codes)
{
    if (range == 0) {
        memset(codes, 0, dim);
        return;
    }
    size_t i = 0;
    for (; i + LANES <= dim; i += LANES)
        encode_lanes(vector + i, range, sums, codes + i);
    if (i < dim) {
        float last[LANES] = {0};
        int8_t last_codes[LANES];
        memcpy(last, vector + i, (dim - i) * sizeof(float));
        encode_lanes(last, range, sums, last_codes);
        memcpy(codes + i, last_codes, dim - i);
    }
}

/* What goes behind the bytes of a row, from the sums over its vector. */
static struct sq8_tail tail_of(const struct codec *c, float range, const struct sums *sums)
{
    double uu = 0, ub = 0;
    int32_t b = 0;
    for (size_t lane = 0; lane < LANES; lane++) {
        uu += (double)sums->uu[lane];
        ub += (double)sums->ub[lane];
        b += sums->b[lane];
    }
    /* The codes are in -127 .. 127, so 128 times their sum fits an int32. */
    CHECK(b <= CODE_MAX * (int32_t)c->dim && b >= -CODE_MAX * (int32_t)c->dim);
    struct sq8_tail tail = {.bias = 128 * b, .range = range};
    if (range == 0)
        return tail;
    CHECK(ub >= CODE_MAX); /* the largest component alone adds 1 * 127 */
    tail.scale = (float)fmin((double)range * uu / ub, SCALE_MAX);
    if (c->metric == METRIC_L2)
        tail.add = (float)fmin((double)range * (double)range * uu, ADD_MAX);
    return tail;
}

static void sq8_encode(const struct codec *c, const float *vector, uint8_t *row)
{
    float range = range_of(vector, c->dim);
    struct sums sums = {0};
    encode_codes(vector, c->dim, range, &sums, (int8_t *)row);
    struct sq8_tail tail = tail_of(c, range, &sums);
    memset(row + c->dim, 0, c->row_size - c->dim);
    memcpy(row + c->tail_offset, &tail, sizeof(tail));
}

/* query holds dim codes, and becomes the prepared query. */
static void query_of_codes(const struct codec *c, const struct sq8_tail *tail, uint8_t *query)
{
    size_t dim = c->dim; /* bytes written may alias anything, so c->dim would be read each time */
    for (size_t i = 0; i < dim; i++)
        query[i] ^= 0x80; /* + 128 */
    memset(query + dim, 0, c->query_size - dim);
    bool l2 = c->metric == METRIC_L2;
    struct sq8_numbers numbers = {l2 ? 2 * tail->scale : tail->scale, l2 ? tail->add : 1};
    memcpy(query + scan_size(c), &numbers, sizeof(numbers));
}

static void sq8_query(const struct codec *c, const float *vector, uint8_t *query)
{
    float range = range_of(vector, c->dim);
    struct sums sums = {0};
    encode_codes(vector, c->dim, range, &sums, (int8_t *)query);
    struct sq8_tail tail = tail_of(c, range, &sums);
    query_of_codes(c, &tail, query);
}

static void sq8_query_of_row(const struct codec *c, const uint8_t *row, uint8_t *query)
{
    struct sq8_tail tail;
    memcpy(&tail, row + c->tail_offset, sizeof(tail));
    memcpy(query, row, c->dim);
    query_of_codes(c, &tail, query);
}

/* A prepared query and the rows' shape, as kernels want them. */
static struct sq8_scan scan_of(const struct codec *c, const uint8_t *query)
{
    struct sq8_numbers numbers;
    memcpy(&numbers, query + scan_size(c), sizeof(numbers));
    return (struct sq8_scan){
        .query = query,
        .size = scan_size(c),
        .stride_bytes = c->row_size,
        .tail_offset = c->tail_offset,
        .mul = numbers.mul,
        .add = numbers.add,
    };
}

static void sq8_score_many(const struct codec *c, const uint8_t *query, const uint8_t *base,
                           const uint32_t *ids, size_t count, float *out)
{
    const struct sq8_scan scan = scan_of(c, query);
    c->kernels->sq8_many(&scan, base, ids, count, out);
}

static void sq8_score_range(const struct codec *c, const uint8_t *query, const uint8_t *base,
                            uint32_t first, size_t count, float *out)
{
    const struct sq8_scan scan = scan_of(c, query);
    c->kernels->sq8_range(&scan, base, first, count, out);
}

static void sq8_decode(const struct codec *c, const uint8_t *row, float *vector)
{
    struct sq8_tail tail;
    memcpy(&tail, row + c->tail_offset, sizeof(tail));
    const int8_t *codes = (const int8_t *)row;
    for (size_t i = 0; i < c->dim; i++)
        vector[i] = (float)codes[i] / CODE_MAX * tail.range;
}

static bool sq8_finite(const struct codec *c, const uint8_t *row)
{
    struct sq8_tail tail;
    memcpy(&tail, row + c->tail_offset, sizeof(tail));
    return isfinite(tail.scale) && isfinite(tail.add) && isfinite(tail.range);
}

const struct codec_form codec_sq8 = {.init = sq8_init,
                                     .encode = sq8_encode,
                                     .query = sq8_query,
                                     .query_of_row = sq8_query_of_row,
                                     .score_many = sq8_score_many,
                                     .score_range = sq8_score_range,
                                     .decode = sq8_decode,
                                     .finite = sq8_finite};

float codec_range(const struct codec *c, const uint8_t *row)
{
    CHECK(c->quant == QUANT_SQ8);
    struct sq8_tail tail;
    memcpy(&tail, row + c->tail_offset, sizeof(tail));
    return tail.range;
}
