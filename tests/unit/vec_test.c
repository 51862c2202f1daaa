/* vec_test.c: every kernel of every table this machine can run, against sums in double precision,
 * against the scalar table, and against itself in its other forms. */
#include "vec/vec.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/test.h"

enum { DIM_MAX = 769, ROWS = 13, SIZE_MAX_U8S8 = 65600, GUARD_AREA = 128 * 1024 };

#define FOR_EACH_TABLE(k)                                                                          \
    for (size_t index_ = 0; index_ < vec_kernels_count(); index_++)                                \
        for (const struct vec_kernels *k = usable_at(index_); k != NULL; k = NULL)

static const struct vec_kernels *usable_at(size_t index)
{
    const struct vec_kernels *k = vec_kernels_at(index);
    return vec_kernels_usable(k) ? k : NULL;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* -1 .. 1 */
static float random_float(uint64_t *state)
{
    return (float)(int32_t)next_random(state) / 2147483648.0f;
}

static void fill_random(void *bytes, size_t size, uint64_t seed)
{
    uint64_t state = seed;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)(next_random(&state) >> 24);
}

static void fill_floats(float *v, size_t dim, uint64_t seed, float factor)
{
    uint64_t state = seed;
    for (size_t i = 0; i < dim; i++)
        v[i] = random_float(&state) * factor;
}

/* The sizes where loops change: every one up to 130, and three around 768. */
static size_t next_dim(size_t dim)
{
    return dim == 130 ? 767 : dim + 1;
}

struct exact {
    double sum;
    double sum_of_absolutes; /* what rounding errors are relative to */
};

static struct exact exact_of(bool l2, const float *a, const float *b, size_t dim)
{
    struct exact e = {0, 0};
    for (size_t i = 0; i < dim; i++) {
        double d = (double)a[i] - (double)b[i];
        double term = l2 ? d * d : (double)a[i] * (double)b[i];
        e.sum += term;
        e.sum_of_absolutes += fabs(term);
    }
    return e;
}

/* Rounding of dim additions in float, and products that are lost below FLT_MIN. */
static bool is_close(float got, struct exact e, size_t dim)
{
    double bound = (double)(dim + 2) * ((double)FLT_EPSILON * e.sum_of_absolutes + (double)FLT_MIN);
    return fabs((double)got - e.sum) <= bound;
}

static void expect_floats_right(const float *a, const float *b, size_t dim)
{
    FOR_EACH_TABLE(k)
    {
        EXPECT(is_close(k->dot_f32(a, b, dim), exact_of(false, a, b, dim), dim));
        EXPECT(is_close(k->l2_f32(a, b, dim), exact_of(true, a, b, dim), dim));
    }
}

TEST(vec, float_sums_match_double_precision_for_every_dim)
{
    static float a[DIM_MAX], b[DIM_MAX];
    fill_floats(a, DIM_MAX, 1, 1);
    fill_floats(b, DIM_MAX, 2, 1);
    for (size_t dim = 1; dim <= DIM_MAX; dim = next_dim(dim))
        expect_floats_right(a, b, dim);
}

TEST(vec, float_sums_match_for_huge_tiny_and_mixed_values)
{
    static const float factors[] = {1e-42f, 1e-20f, 1e-10f, 1e10f, 1e17f};
    static float a[DIM_MAX], b[DIM_MAX];
    for (size_t f = 0; f < COUNT_OF(factors); f++) {
        fill_floats(a, DIM_MAX, 3 + f, factors[f]);
        fill_floats(b, DIM_MAX, 4 + f, factors[COUNT_OF(factors) - 1 - f]);
        for (size_t dim = 1; dim <= DIM_MAX; dim = next_dim(dim)) {
            expect_floats_right(a, b, dim);
            expect_floats_right(a, a, dim);
        }
    }
    for (size_t i = 0; i < DIM_MAX; i++)
        a[i] *= i % 3 == 0 ? 1e-30f : 1; /* large and small side by side */
    expect_floats_right(a, b, DIM_MAX);
}

TEST(vec, float_sums_overflow_to_infinity_and_keep_nan)
{
    static float a[DIM_MAX], b[DIM_MAX];
    for (size_t dim = 1; dim <= DIM_MAX; dim = next_dim(dim)) {
        for (size_t i = 0; i < dim; i++) {
            a[i] = FLT_MAX;
            b[i] = i + 1 < dim ? 0 : -FLT_MAX;
        }
        FOR_EACH_TABLE(k)
        {
            EXPECT(k->dot_f32(a, b, dim) == -INFINITY);
            EXPECT(k->l2_f32(a, b, dim) == INFINITY);
        }
        b[dim - 1] = NAN;
        FOR_EACH_TABLE(k)
        {
            EXPECT(isnan(k->dot_f32(a, b, dim)));
            EXPECT(isnan(k->l2_f32(a, b, dim)));
        }
    }
}

/* Rows of a size that is not a multiple of anything, and start at an odd byte. */
static void expect_rows_like_pairs(const struct vec_kernels *k, size_t dim, size_t count)
{
    static uint8_t area[ROWS * (DIM_MAX * sizeof(float) + 3) + 1];
    static float query[DIM_MAX], row[DIM_MAX];
    uint32_t ids[ROWS];
    float many[2][ROWS], range[2][ROWS];
    uint8_t *base = area + 1;
    size_t stride = dim * sizeof(float) + 3;
    fill_floats(query, dim, 5, 1);
    for (size_t r = 0; r < ROWS; r++) {
        fill_floats(row, dim, 6 + r, 2);
        memcpy(base + r * stride, row, dim * sizeof(float));
        ids[r] = (uint32_t)((r * 5 + 2) % ROWS);
    }
    uint32_t first = (uint32_t)(ROWS - count);
    k->dot_f32_many(query, base, stride, ids, count, dim, many[0]);
    k->l2_f32_many(query, base, stride, ids, count, dim, many[1]);
    k->dot_f32_range(query, base, stride, first, count, dim, range[0]);
    k->l2_f32_range(query, base, stride, first, count, dim, range[1]);
    for (size_t i = 0; i < count; i++) {
        memcpy(row, base + ids[i] * stride, dim * sizeof(float));
        EXPECT(many[0][i] == k->dot_f32(query, row, dim));
        EXPECT(many[1][i] == k->l2_f32(query, row, dim));
        memcpy(row, base + (first + i) * stride, dim * sizeof(float));
        EXPECT(range[0][i] == k->dot_f32(query, row, dim));
        EXPECT(range[1][i] == k->l2_f32(query, row, dim));
    }
}

TEST(vec, a_row_gives_the_same_bits_alone_and_among_others)
{
    FOR_EACH_TABLE(k)
    {
        for (size_t dim = 1; dim <= DIM_MAX; dim = next_dim(dim))
            for (size_t count = 0; count <= ROWS; count += dim < 20 ? 1 : 6)
                expect_rows_like_pairs(k, dim, count);
    }
}

static int64_t exact_u8s8(const uint8_t *q, const int8_t *c, size_t size)
{
    int64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += (int64_t)q[i] * c[i];
    return sum;
}

TEST(vec, byte_dot_products_are_exact_for_random_and_extreme_bytes)
{
    static uint8_t q[SIZE_MAX_U8S8];
    static int8_t c[SIZE_MAX_U8S8];
    static const int8_t extremes[] = {-128, -127, 0, 127};
    for (size_t size = 64; size <= SIZE_MAX_U8S8; size = size < 2048 ? size + 64 : size * 2 - 64) {
        fill_random(q, size, size);
        fill_random(c, size, size + 1);
        FOR_EACH_TABLE(k)
        EXPECT_EQ(k->dot_u8s8(q, c, size), exact_u8s8(q, c, size));
    }
    memset(q, 255, sizeof(q));
    for (size_t e = 0; e < COUNT_OF(extremes); e++) {
        memset(c, extremes[e], sizeof(c));
        FOR_EACH_TABLE(k)
        EXPECT_EQ(k->dot_u8s8(q, c, sizeof(q)), exact_u8s8(q, c, sizeof(q)));
    }
}

TEST(vec, byte_dot_products_of_many_rows_are_those_of_each)
{
    enum { STRIDE = 3 * 64 + 5, SIZE = 3 * 64 };
    static uint8_t area[ROWS * STRIDE], q[SIZE];
    static const uint32_t ids[ROWS] = {3, 3, 12, 0, 7, 1, 11, 5, 2, 9, 4, 6, 8};
    fill_random(area, sizeof(area), 21);
    fill_random(q, sizeof(q), 22);
    FOR_EACH_TABLE(k)
    {
        for (size_t count = 0; count <= ROWS; count++) {
            int32_t out[ROWS];
            k->dot_u8s8_many(q, area, STRIDE, ids, count, SIZE, out);
            for (size_t i = 0; i < count; i++)
                EXPECT_EQ(out[i], exact_u8s8(q, (const int8_t *)area + ids[i] * STRIDE, SIZE));
            size_t first = ROWS - count;
            k->dot_u8s8_range(q, area, STRIDE, (uint32_t)first, count, SIZE, out);
            for (size_t i = 0; i < count; i++)
                EXPECT_EQ(out[i], exact_u8s8(q, (const int8_t *)area + (first + i) * STRIDE, SIZE));
        }
    }
}

TEST(vec, sq8_scores_are_the_same_bits_in_every_table)
{
    enum { STRIDE = 256, SIZE = 192, TAIL = 200 };
    static uint8_t area[ROWS * STRIDE], q[SIZE];
    static const uint32_t ids[ROWS] = {3, 3, 12, 0, 7, 1, 11, 5, 2, 9, 4, 6, 8};
    const struct sq8_scan scan = {q, SIZE, STRIDE, TAIL, 0.37f, 11.3f};
    fill_random(area, sizeof(area), 31);
    fill_random(q, sizeof(q), 32);
    for (size_t r = 0; r < ROWS; r++) {
        struct sq8_tail tail = {1.0f / (float)(r + 3), (float)r, (int32_t)r * 10000, 1};
        memcpy(area + r * STRIDE + TAIL, &tail, sizeof(tail));
    }
    const struct vec_kernels *scalar = vec_kernels_at(0);
    FOR_EACH_TABLE(k)
    {
        for (size_t count = 0; count <= ROWS; count++) {
            float want[ROWS], got[ROWS];
            scalar->sq8_many(&scan, area, ids, count, want);
            k->sq8_many(&scan, area, ids, count, got);
            EXPECT(memcmp(want, got, count * sizeof(float)) == 0);
            scalar->sq8_range(&scan, area, (uint32_t)(ROWS - count), count, want);
            k->sq8_range(&scan, area, (uint32_t)(ROWS - count), count, got);
            EXPECT(memcmp(want, got, count * sizeof(float)) == 0);
        }
    }
}

static uint32_t exact_hamming(const uint8_t *a, const uint8_t *b, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 8; bit++)
            sum += ((a[i] ^ b[i]) >> bit) & 1;
    return sum;
}

TEST(vec, differing_bits_are_counted_in_every_form_and_size)
{
    enum { WORDS_MAX = 1024 };
    static uint64_t q[WORDS_MAX];
    static uint8_t area[ROWS * (WORDS_MAX * 8 + 3) + 1];
    static const uint32_t ids[ROWS] = {3, 3, 12, 0, 7, 1, 11, 5, 2, 9, 4, 6, 8};
    fill_random(q, sizeof(q), 41);
    fill_random(area, sizeof(area), 42);
    for (size_t words = 1; words <= WORDS_MAX; words = words < 40 ? words + 1 : words + 123) {
        size_t stride = words * 8 + 3;
        const uint8_t *base = area + 1, *q_bytes = (const uint8_t *)q;
        uint32_t want[ROWS], got[ROWS];
        for (size_t r = 0; r < ROWS; r++)
            want[r] = exact_hamming(q_bytes, base + r * stride, words * 8);
        FOR_EACH_TABLE(k)
        {
            EXPECT_EQ(k->hamming(q, q, words), 0);
            k->hamming_many(q, base, stride, ids, ROWS, words, got);
            for (size_t i = 0; i < ROWS; i++)
                EXPECT_EQ(got[i], want[ids[i]]);
            k->hamming_range(q, base, stride, 2, ROWS - 2, words, got);
            EXPECT(memcmp(got, want + 2, (ROWS - 2) * sizeof(*got)) == 0);
        }
    }
}

/* The last bytes of an area behind which every access is a fault. */
static uint8_t *guarded_tail(size_t size)
{
    size_t page = 4096;
    REQUIRE(size <= GUARD_AREA);
    uint8_t *area =
        mmap(NULL, GUARD_AREA + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(area != MAP_FAILED);
    REQUIRE(mprotect(area + GUARD_AREA, page, PROT_NONE) == 0);
    return area + GUARD_AREA - size;
}

static void guarded_free(uint8_t *tail, size_t size)
{
    REQUIRE(munmap(tail + size - GUARD_AREA, GUARD_AREA + 4096) == 0);
}

TEST(vec, float_kernels_read_nothing_behind_query_or_row)
{
    for (size_t dim = 1; dim <= DIM_MAX; dim = next_dim(dim)) {
        size_t size = dim * sizeof(float);
        uint8_t *q = guarded_tail(size), *rows = guarded_tail(5 * size);
        static const uint32_t ids[] = {4, 3, 2, 1, 0, 4, 4, 4, 4};
        fill_floats((float *)q, dim, 51, 1);
        fill_floats((float *)rows, 5 * dim, 52, 1);
        FOR_EACH_TABLE(k)
        {
            float out[9];
            const float *query = (const float *)q, *last = (const float *)(rows + 4 * size);
            k->dot_f32_many(query, rows, size, ids, 9, dim, out);
            EXPECT(out[8] == k->dot_f32(query, last, dim));
            k->l2_f32_many(query, rows, size, ids, 9, dim, out);
            EXPECT(out[8] == k->l2_f32(query, last, dim));
            k->dot_f32_range(query, rows, size, 0, 5, dim, out);
            EXPECT(out[4] == k->dot_f32(query, last, dim));
            k->l2_f32_range(query, rows, size, 0, 5, dim, out);
            EXPECT(out[4] == k->l2_f32(query, last, dim));
        }
        guarded_free(q, size);
        guarded_free(rows, 5 * size);
    }
}

TEST(vec, integer_kernels_read_nothing_behind_query_or_row)
{
    static const uint32_t ids[] = {4, 3, 2, 1, 0, 4, 4, 4, 4};
    for (size_t words = 1; words <= 40; words++) {
        size_t size = words * 8;
        uint8_t *q = guarded_tail(size), *rows = guarded_tail(5 * size);
        fill_random(q, size, 61);
        fill_random(rows, 5 * size, 62);
        FOR_EACH_TABLE(k)
        {
            uint32_t bits[9];
            int32_t dots[9];
            k->hamming_many((const uint64_t *)q, rows, size, ids, 9, words, bits);
            EXPECT_EQ(bits[8], exact_hamming(q, rows + 4 * size, size));
            k->hamming_range((const uint64_t *)q, rows, size, 0, 5, words, bits);
            EXPECT_EQ(bits[4], exact_hamming(q, rows + 4 * size, size));
            if (size % 64 != 0)
                continue;
            const int8_t *last = (const int8_t *)rows + 4 * size;
            k->dot_u8s8_many(q, rows, size, ids, 9, size, dots);
            EXPECT_EQ(dots[8], exact_u8s8(q, last, size));
            EXPECT_EQ(k->dot_u8s8(q, last, size), dots[8]);
            k->dot_u8s8_range(q, rows, size, 0, 5, size, dots);
            EXPECT_EQ(dots[4], exact_u8s8(q, last, size));
        }
        guarded_free(q, size);
        guarded_free(rows, 5 * size);
    }
}

TEST(vec, auto_chooses_the_last_usable_table)
{
    const struct vec_kernels *chosen = NULL, *last = NULL;
    REQUIRE(vec_kernels_choose("auto", &chosen, NULL) == OK);
    FOR_EACH_TABLE(k)
    last = k;
    EXPECT(chosen == last);
    FOR_EACH_TABLE(k)
    {
        EXPECT(vec_kernels_choose(k->name, &chosen, NULL) == OK);
        EXPECT(chosen == k);
    }
    EXPECT_STR(vec_kernels_at(0)->name, "scalar");
    EXPECT(vec_kernels_usable(vec_kernels_at(0)));
}

TEST(vec, unknown_names_are_refused_with_the_names_there_are)
{
    static const char *const names[] = {"", "AUTO", "avx", "scalar ", "sse2"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct vec_kernels *chosen = NULL;
        struct why why = {""};
        EXPECT_EQ(vec_kernels_choose(names[i], &chosen, &why), ERR_ARG);
        EXPECT(chosen == NULL);
        EXPECT(strstr(why.text, "auto") != NULL);
        FOR_EACH_TABLE(k)
        EXPECT(strstr(why.text, k->name) != NULL);
        EXPECT_EQ(vec_kernels_choose(names[i], &chosen, NULL), ERR_ARG);
    }
}

TEST(vec, metrics_have_names)
{
    EXPECT_STR(metric_name(METRIC_COSINE), "COSINE");
    EXPECT_STR(metric_name(METRIC_L2), "L2");
    EXPECT_STR(metric_name(METRIC_IP), "IP");
    EXPECT_STR(metric_name(METRIC_HAMMING), "HAMMING");
    EXPECT_STR(metric_name(METRIC_JACCARD), "JACCARD");
}
