/* rabitq_test.c: rotations keep lengths and angles, codes follow their definition in doubles,
 * estimates are right on average and as far off as their bound says, whatever the vectors. */
#include "vec/rabitq.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "lib/test.h"

enum { SIZE_MOST = 1600, PAIRS = 1500, STRIDE_ODD = 7 };

#define FOR_EACH_TABLE(k)                                                                          \
    for (size_t index_ = 0; index_ < vec_kernels_count(); index_++)                                \
        for (const struct vec_kernels *k = usable_at(index_); k != NULL; k = NULL)

static const struct vec_kernels *usable_at(size_t index)
{
    const struct vec_kernels *k = vec_kernels_at(index);
    return vec_kernels_usable(k) ? k : NULL;
}

/* Roughly normal: mean 0, variance 1. */
static float random_normal(uint64_t *state)
{
    float sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (float)rng_below(state, 1 << 20) / (1 << 20) - 0.5f;
    return sum;
}

static double dot_of(const float *a, const float *b, size_t size)
{
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* dim random numbers, zeros up to size. */
static void fill(float *v, size_t dim, size_t size, uint64_t *state)
{
    for (size_t i = 0; i < size; i++)
        v[i] = i < dim ? random_normal(state) / 4 : 0;
}

TEST(rabitq, rotations_keep_lengths_and_inner_products_and_go_back)
{
    static float a[SIZE_MOST], b[SIZE_MOST], was[SIZE_MOST], room[SIZE_MOST];
    uint64_t state = 1;
    for (uint32_t dim = 1; dim <= SIZE_MOST; dim += dim < 130 ? 1 : 97) {
        size_t size = rabitq_size(dim);
        EXPECT(size % RABITQ_BLOCK == 0 && size >= dim && size < dim + RABITQ_BLOCK);
        fill(a, dim, size, &state);
        fill(b, dim, size, &state);
        memcpy(was, a, sizeof(was));
        double aa = dot_of(a, a, size), ab = dot_of(a, b, size), bb = dot_of(b, b, size);
        rabitq_rotate(usable_at(0), a, room, size);
        rabitq_rotate(usable_at(0), b, room, size);
        double near = 1e-5 * sqrt(aa * bb);
        EXPECT(fabs(dot_of(a, a, size) - aa) <= 1e-5 * aa);
        EXPECT(fabs(dot_of(a, b, size) - ab) <= near);
        rabitq_unrotate(a, room, size);
        for (size_t i = 0; i < size; i++)
            EXPECT(fabsf(a[i] - was[i]) < 1e-5f);
    }
}

TEST(rabitq, a_rotation_is_the_same_bits_in_every_table)
{
    static float want[SIZE_MOST], got[SIZE_MOST], room[SIZE_MOST];
    uint64_t state = 2;
    for (size_t size = RABITQ_BLOCK; size <= SIZE_MOST; size += RABITQ_BLOCK) {
        FOR_EACH_TABLE(k)
        {
            uint64_t same = state;
            fill(want, size, size, &same);
            memcpy(got, want, sizeof(got));
            rabitq_rotate(usable_at(0), want, room, size);
            rabitq_rotate(k, got, room, size);
            EXPECT(memcmp(want, got, size * sizeof(float)) == 0);
        }
        state++;
    }
}

/* One coordinate that is not zero becomes size numbers, none of which stands out. */
TEST(rabitq, a_single_coordinate_spreads_over_all_of_them)
{
    static float v[SIZE_MOST], room[SIZE_MOST];
    for (size_t size = RABITQ_BLOCK; size <= SIZE_MOST; size += RABITQ_BLOCK) {
        for (size_t at = 0; at < size; at += size / 16 + 1) {
            memset(v, 0, sizeof(v));
            v[at] = 1;
            rabitq_rotate(usable_at(0), v, room, size);
            double fourth = 0; /* 1 / size when all are of one size, 1 when one is all */
            for (size_t i = 0; i < size; i++)
                fourth += pow((double)v[i], 4);
            EXPECT(fourth * (double)size < 20);
        }
    }
}

static int64_t exact_sum(const uint8_t *q, const uint8_t *row, size_t size, bool bits)
{
    int64_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned half = (unsigned)row[i / 64 * 32 + i % 32] >> (i % 64 < 32 ? 0 : 4) & 15;
        sum += q[i] * (int64_t)(bits ? (unsigned)row[i / 8] >> (i % 8) & 1 : half);
    }
    return sum;
}

static void expect_sums_exact(const struct vec_kernels *k, const uint8_t *q, const uint8_t *rows,
                              size_t stride, size_t size, bool bits)
{
    enum { COUNT = 9 };
    static const uint32_t ids[COUNT] = {3, 3, 8, 0, 7, 1, 6, 5, 2};
    const struct packed_kernels *p = bits ? &k->bits : &k->nibbles;
    for (size_t count = 0; count <= COUNT; count++) {
        int32_t many[COUNT], range[COUNT];
        p->dot_many(q, rows, stride, ids, count, size, many);
        p->dot_range(q, rows, stride, (uint32_t)(COUNT - count), count, size, range);
        for (size_t i = 0; i < count; i++) {
            EXPECT_EQ(many[i], exact_sum(q, rows + ids[i] * stride, size, bits));
            EXPECT_EQ(range[i], exact_sum(q, rows + (COUNT - count + i) * stride, size, bits));
        }
    }
}

TEST(rabitq, sums_over_bits_and_nibbles_are_exact_in_every_table)
{
    static uint8_t q[65536], rows[9 * (32768 + STRIDE_ODD) + 1];
    uint64_t state = 3;
    for (size_t size = 64; size <= 65536; size = size < 1024 ? size + 64 : size * 4) {
        for (size_t i = 0; i < sizeof(rows); i++)
            rows[i] = size == 65536 ? 255 : (uint8_t)rng_below(&state, 256);
        for (size_t i = 0; i < size; i++)
            q[i] = size == 65536 ? 255 : (uint8_t)rng_below(&state, 256);
        FOR_EACH_TABLE(k)
        {
            expect_sums_exact(k, q, rows + 1, size / 8 + STRIDE_ODD, size, true);
            expect_sums_exact(k, q, rows + 1, size / 2 + STRIDE_ODD, size, false);
        }
    }
}

/* The number that stands for coordinate i, times scale. */
static double coded(const uint8_t *code, struct rabitq_factor f, size_t i, bool bits)
{
    double level = bits ? (code[i / 8] >> (i % 8) & 1) * 2.0 - 1
                        : (code[i / 64 * 32 + i % 32] >> (i % 64 < 32 ? 0 : 4) & 15) - 7.5;
    return level * (double)f.scale;
}

TEST(rabitq, codes_follow_their_definition)
{
    static float v[SIZE_MOST], room[SIZE_MOST];
    static uint8_t bits[SIZE_MOST / 8], nibbles[SIZE_MOST / 2], q[SIZE_MOST];
    uint64_t state = 4;
    for (uint32_t dim = 1; dim <= SIZE_MOST; dim += dim < 70 ? 3 : 131) {
        size_t size = rabitq_size(dim);
        float error;
        fill(v, dim, size, &state);
        rabitq_rotate(usable_at(0), v, room, size);
        struct rabitq_factor b = rabitq_bits(v, size, bits, &error);
        struct rabitq_factor n = rabitq_nibbles(v, size, nibbles);
        double vv = dot_of(v, v, size), vb = 0, vn = 0, bb = 0;
        for (size_t i = 0; i < size; i++) {
            double x = coded(bits, b, i, true);
            EXPECT((x > 0) == (v[i] > 0));
            vb += (double)v[i] * x;
            bb += x * x;
            vn += (double)v[i] * coded(nibbles, n, i, false);
        }
        EXPECT(fabs(vb - vv) <= 1e-4 * vv && fabs(vn - vv) <= 1e-4 * vv);
        double across = sqrt(fmax(bb - vv, 0) / (double)(size - 1));
        EXPECT(fabs((double)error - across) <= 1e-3 * sqrt(vv));
        struct rabitq_query as_query = rabitq_query_of_nibbles(nibbles, size, n, q);
        for (size_t i = 0; i < size; i++)
            EXPECT(fabs((double)as_query.step * (q[i] - 128) - coded(nibbles, n, i, false)) < 1e-5);
    }
}

/* How far estimates are from the truth, in units of the bound. */
struct deviation {
    double mean;
    double square;
    double beyond_two; /* share of estimates off by more than twice the bound */
};

static struct deviation deviation_of(uint32_t dim, float apart)
{
    static float r[SIZE_MOST], q[SIZE_MOST], room[SIZE_MOST];
    uint8_t code[SIZE_MOST / 8], query[SIZE_MOST];
    const struct vec_kernels *k = usable_at(0);
    size_t size = rabitq_size(dim);
    uint64_t state = 5 + dim;
    struct deviation d = {0, 0, 0};
    for (int pair = 0; pair < PAIRS; pair++) {
        float error;
        int32_t sum;
        fill(r, dim, size, &state);
        fill(q, dim, size, &state);
        for (size_t i = 0; i < size; i++)
            q[i] = r[i] + apart * q[i];
        double truth = dot_of(r, q, size), across2 = 0;
        double along = truth / dot_of(r, r, size);
        for (size_t i = 0; i < size; i++)
            across2 += pow((double)q[i] - along * (double)r[i], 2);
        rabitq_rotate(k, r, room, size);
        rabitq_rotate(k, q, room, size);
        struct rabitq_factor f = rabitq_bits(r, size, code, &error);
        struct rabitq_query prepared = rabitq_query(q, size, query);
        k->bits.dot_range(query, code, size / 8, 0, 1, size, &sum);
        double off =
            ((double)rabitq_dot_bits(&prepared, f, sum) - truth) / ((double)error * sqrt(across2));
        d.mean += off / PAIRS;
        d.square += off * off / PAIRS;
        d.beyond_two += (fabs(off) > 2) / (double)PAIRS;
    }
    return d;
}

TEST(rabitq, estimates_are_right_on_average_and_off_as_the_bound_says)
{
    static const uint32_t dims[] = {64, 100, 784};
    static const float apart[] = {0.3f, 1, 10};
    for (size_t i = 0; i < COUNT_OF(dims); i++)
        for (size_t j = 0; j < COUNT_OF(apart); j++) {
            struct deviation d = deviation_of(dims[i], apart[j]);
            EXPECT(fabs(d.mean) < 5 / sqrt(PAIRS));
            EXPECT(d.square > 0.8 && d.square < 1.2);
            EXPECT(d.beyond_two > 0.02 && d.beyond_two < 0.08);
        }
}

TEST(rabitq, zeros_have_no_length_and_no_error)
{
    float v[RABITQ_BLOCK] = {0}, error = 1;
    uint8_t bits[RABITQ_BLOCK / 8], nibbles[RABITQ_BLOCK / 2], q[RABITQ_BLOCK];
    struct rabitq_factor f = rabitq_bits(v, RABITQ_BLOCK, bits, &error);
    EXPECT(f.scale == 0 && error == 0);
    EXPECT(rabitq_nibbles(v, RABITQ_BLOCK, nibbles).scale == 0);
    struct rabitq_query zero = rabitq_query(v, RABITQ_BLOCK, q);
    EXPECT(zero.step == 0 && zero.norm == 0 && zero.sum == 0);
    v[0] = 1;
    struct rabitq_query some = rabitq_query(v, RABITQ_BLOCK, q);
    EXPECT(rabitq_dot_bits(&some, f, 0) == 0);
}
