/* codec_exact_test.c: exact rows of every type: their scores against distances in double precision,
 * for every metric and table of kernels, random and extreme numbers, sizes that fill no register.
 */
#include "vec/codec.h"

#include <float.h>
#include <math.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "lib/test.h"

enum { ROWS = 70, PAGE = 4096 };

static const uint32_t dims[] = {8, 16, 24, 56, 64, 72, 104, 128, 200, 768, 776, 1544};

/* Rows, the vectors they are of, and a query, as floats and prepared. */
struct world {
    struct codec codec;
    size_t size; /* of a vector in its type */
    uint8_t *stored;
    float *vectors;
    uint8_t *rows;
    float *vector; /* the query */
    uint8_t *query;
    uint64_t random;
};

static uint64_t next_random(struct world *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

static void *alloc_lines(size_t size)
{
    void *p = mem_try_aligned(MEM_TEST, 64, size);
    REQUIRE(p != NULL);
    return p;
}

/* What the type has: one vector in five is of its largest numbers only. */
static float number_of(struct world *w, size_t r)
{
    bool extreme = r % 5 == 4, negative = next_random(w) % 2 == 0;
    float any = (float)(int32_t)next_random(w) / 2147483648.0f;
    switch (w->codec.type) {
    case TYPE_BIT:
        return extreme ? (float)(r % 2) : (float)(next_random(w) >> 20 & 1);
    case TYPE_INT8:
        return extreme ? (negative ? -128 : 127) : truncf(any * 127);
    case TYPE_FP16:
        return extreme ? (negative ? -65504 : 65504) : any;
    case TYPE_FP32:
    case TYPE_BF16:
    case TYPE_COUNT:
        break;
    }
    return extreme ? (negative ? -1e17f : 1e17f) : any;
}

static void fill_vector(struct world *w, size_t r, float *vector, uint8_t *stored)
{
    size_t at, dim = w->codec.dim;
    for (size_t i = 0; i < dim; i++)
        vector[i] = number_of(w, r);
    REQUIRE(type_encode(w->codec.type, vector, dim, stored, &at) == TYPE_FITS);
    type_decode(w->codec.type, stored, dim, vector);
}

static double square_of(const float *v, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (double)v[i] * (double)v[i];
    return sum;
}

/* FP32 rows are normalised under COSINE before they are stored, queries of halves likewise. */
static void normalise(float *v, size_t dim)
{
    double length = sqrt(square_of(v, dim));
    for (size_t i = 0; i < dim; i++)
        v[i] = (float)((double)v[i] / length);
}

static void world_init(struct world *w, enum vec_type type, enum metric metric, uint32_t dim,
                       const struct vec_kernels *k)
{
    *w = (struct world){.random = 88172645463325252u + dim};
    codec_init_exact(&w->codec, type, metric, dim, k);
    w->size = type_size(type, dim);
    w->stored = alloc_lines((ROWS + 1) * w->size);
    w->vectors = alloc_lines((ROWS + 1) * dim * sizeof(float));
    w->rows = alloc_lines((size_t)ROWS * w->codec.row_size);
    w->query = alloc_lines(w->codec.query_size);
    w->vector = w->vectors + (size_t)ROWS * dim;
    bool unit = metric == METRIC_COSINE && type == TYPE_FP32;
    for (size_t r = 0; r <= ROWS; r++) {
        float *vector = w->vectors + r * dim;
        fill_vector(w, r, vector, w->stored + r * w->size);
        if (unit)
            normalise(vector, dim);
        if (unit)
            memcpy(w->stored + r * w->size, vector, w->size);
        if (r < ROWS)
            codec_store(&w->codec, w->stored + r * w->size, w->rows + r * w->codec.row_size);
    }
    if (type_normalises(type, metric))
        normalise(w->vector, dim);
    codec_query(&w->codec, w->vector, w->query);
}

static void world_fini(struct world *w)
{
    mem_free(MEM_TEST, w->query);
    mem_free(MEM_TEST, w->rows);
    mem_free(MEM_TEST, w->vectors);
    mem_free(MEM_TEST, w->stored);
}

/* The distance in double precision, and what its rounding errors are relative to. */
static double distance_of(const struct world *w, const float *a, const float *b, double *scale)
{
    double dot = 0, squares = 0, sum = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < w->codec.dim; i++) {
        double x = (double)a[i], y = (double)b[i];
        dot += x * y;
        sum += fabs(x * y);
        squares += (x - y) * (x - y);
        aa += x * x;
        bb += y * y;
    }
    switch (w->codec.metric) {
    case METRIC_COSINE:
        *scale = 1 + sum / sqrt(aa * bb);
        return 1 - dot / sqrt(aa * bb);
    case METRIC_L2:
        *scale = squares;
        return squares;
    case METRIC_IP:
        *scale = 1 + sum;
        return 1 - dot;
    case METRIC_HAMMING:
        *scale = 0;
        return squares;
    case METRIC_JACCARD:
        *scale = 1;
        return aa + bb - dot == 0 ? 0 : 1 - dot / (aa + bb - dot);
    case METRIC_COUNT:
        break;
    }
    REQUIRE(false);
    return 0;
}

static void expect_close(const struct world *w, float got, const float *vector)
{
    double scale, want = distance_of(w, w->vector, vector, &scale);
    double terms = w->codec.type == TYPE_INT8 || w->codec.type == TYPE_BIT ? 2 : w->codec.dim + 4;
    EXPECT(fabs((double)got - want) <= terms * (double)FLT_EPSILON * scale);
}

static void expect_scores_right(struct world *w)
{
    const struct codec *c = &w->codec;
    uint32_t ids[2 * ROWS];
    float many[2 * ROWS], range[ROWS];
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        ids[i] = (uint32_t)(i * 37 % ROWS);
    for (size_t count = 0; count <= COUNT_OF(ids); count += count < 6 ? 1 : 67) {
        codec_score_many(c, w->query, w->rows, ids, count, many);
        for (size_t i = 0; i < count; i++) {
            expect_close(w, many[i], w->vectors + (size_t)ids[i] * c->dim);
            EXPECT(many[i] == codec_score(c, w->query, w->rows + (size_t)ids[i] * c->row_size));
        }
        size_t rows = count < ROWS ? count : ROWS, first = ROWS - rows;
        codec_score_range(c, w->query, w->rows, (uint32_t)first, rows, range);
        for (size_t i = 0; i < rows; i++)
            EXPECT(range[i] == codec_score(c, w->query, w->rows + (first + i) * c->row_size));
    }
}

#define FOR_EACH_WORLD(type, metric)                                                               \
    for (int type = 0; type < TYPE_COUNT; type++)                                                  \
        for (int metric = 0; metric < METRIC_COUNT; metric++)                                      \
            if (type_has_metric((enum vec_type)type, (enum metric)metric))

static const struct vec_kernels *usable_at(size_t index)
{
    const struct vec_kernels *k = vec_kernels_at(index);
    return vec_kernels_usable(k) ? k : NULL;
}

/* For every type, metric, table and dimension. */
static void each_world(void (*expect)(struct world *w))
{
    for (size_t index = 0; index < vec_kernels_count(); index++) {
        const struct vec_kernels *k = usable_at(index);
        FOR_EACH_WORLD(type, metric)
        {
            for (size_t d = 0; k != NULL && d < COUNT_OF(dims); d++) {
                struct world w;
                world_init(&w, (enum vec_type)type, (enum metric)metric, dims[d], k);
                expect(&w);
                world_fini(&w);
            }
        }
    }
}

TEST(codec_exact, scores_are_distances_for_every_type_metric_and_table)
{
    each_world(expect_scores_right);
}

/* Rows begin with the vector in its type, and decode to its numbers. */
static void expect_rows_keep_vectors(struct world *w)
{
    float decoded[2048];
    REQUIRE(w->codec.dim <= COUNT_OF(decoded));
    for (size_t r = 0; r < ROWS; r++) {
        const uint8_t *row = w->rows + r * w->codec.row_size;
        EXPECT(memcmp(row, w->stored + r * w->size, w->size) == 0);
        codec_decode(&w->codec, row, decoded);
        EXPECT(memcmp(decoded, w->vectors + r * w->codec.dim, w->codec.dim * sizeof(float)) == 0);
    }
}

TEST(codec_exact, rows_begin_with_the_vector_and_decode_to_it)
{
    each_world(expect_rows_keep_vectors);
}

/* Halves under COSINE are divided by a length that is a float itself. */
static void expect_rows_become_queries(struct world *w)
{
    const struct codec *c = &w->codec;
    bool rounds = c->metric == METRIC_COSINE && (c->type == TYPE_FP16 || c->type == TYPE_BF16);
    uint8_t *query = alloc_lines(c->query_size), *want = alloc_lines(c->query_size);
    for (size_t r = 0; r < 10; r++) {
        float *vector = w->vectors + r * c->dim;
        if (rounds)
            normalise(vector, c->dim);
        memset(query, 0xee, c->query_size);
        codec_query(c, vector, want);
        codec_query_of_row(c, w->rows + r * c->row_size, query);
        if (!rounds)
            EXPECT(memcmp(query, want, c->query_size) == 0);
        for (size_t i = 0; i < ROWS; i++) {
            const uint8_t *row = w->rows + i * c->row_size;
            float a = codec_score(c, query, row), b = codec_score(c, want, row);
            EXPECT(a == b || (rounds && fabsf(a - b) < 1e-6f));
        }
    }
    mem_free(MEM_TEST, query);
    mem_free(MEM_TEST, want);
}

TEST(codec_exact, a_row_becomes_the_query_its_vector_became)
{
    each_world(expect_rows_become_queries);
}

static void expect_nothing_read_behind(struct world *w)
{
    const struct codec *c = &w->codec;
    size_t row_area = ((size_t)5 * c->row_size + PAGE - 1) / PAGE * PAGE;
    uint8_t *area =
        mmap(NULL, row_area + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(area != MAP_FAILED);
    REQUIRE(mprotect(area + row_area, PAGE, PROT_NONE) == 0);
    uint8_t *rows = area + row_area - (size_t)5 * c->row_size;
    static const uint32_t ids[] = {4, 3, 2, 1, 0, 4, 4, 4, 4};
    float many[COUNT_OF(ids)], range[5];
    for (size_t r = 0; r < 5; r++)
        codec_store(c, w->stored + r * w->size, rows + r * c->row_size);
    codec_score_many(c, w->query, rows, ids, COUNT_OF(ids), many);
    codec_score_range(c, w->query, rows, 0, 5, range);
    EXPECT(many[8] == range[4] && many[4] == range[0]);
    codec_query_of_row(c, rows + (size_t)4 * c->row_size, w->query);
    REQUIRE(munmap(area, row_area + PAGE) == 0);
}

TEST(codec_exact, nothing_is_touched_behind_a_row)
{
    each_world(expect_nothing_read_behind);
}

/* All extremes at the largest dimension: the integer sums are at their bounds. */
TEST(codec_exact, int8_sums_are_exact_at_the_largest_dimension)
{
    static const float extremes[] = {-128, 127, 0, 1};
    static float a[CODEC_DIM_MAX];
    static uint8_t bytes[CODEC_DIM_MAX];
    for (size_t index = 0; index < vec_kernels_count(); index++) {
        const struct vec_kernels *k = usable_at(index);
        for (size_t i = 0; k != NULL && i < 16; i++) {
            struct codec c;
            codec_init_exact(&c, TYPE_INT8, METRIC_L2, CODEC_DIM_MAX, k);
            uint8_t *row = alloc_lines(c.row_size), *query = alloc_lines(c.query_size);
            double d = (double)extremes[i / 4] - (double)extremes[i % 4];
            memset(bytes, (int8_t)extremes[i / 4], sizeof(bytes));
            codec_store(&c, bytes, row);
            for (size_t j = 0; j < CODEC_DIM_MAX; j++)
                a[j] = extremes[i % 4];
            codec_query(&c, a, query);
            EXPECT(codec_score(&c, query, row) == (float)(d * d * CODEC_DIM_MAX));
            mem_free(MEM_TEST, row);
            mem_free(MEM_TEST, query);
        }
    }
}

TEST(codec_exact, equal_rows_are_at_distance_0_and_empty_bits_are_equal)
{
    FOR_EACH_WORLD(type, metric)
    {
        struct world w;
        if (metric == METRIC_IP)
            continue;
        world_init(&w, (enum vec_type)type, (enum metric)metric, 128, vec_kernels_at(0));
        for (size_t r = 0; r < ROWS; r++) {
            const uint8_t *row = w.rows + r * w.codec.row_size;
            codec_query_of_row(&w.codec, row, w.query);
            float dist = codec_score(&w.codec, w.query, row); /* scalar sums of 128 floats */
            EXPECT(metric == METRIC_COSINE ? fabsf(dist) <= 32 * FLT_EPSILON : dist == 0);
        }
        world_fini(&w);
    }
    struct codec c;
    static const float none[64];
    uint8_t zero[8] = {0}, row[12];
    _Alignas(64) uint8_t query[64];
    codec_init_exact(&c, TYPE_BIT, METRIC_JACCARD, 64, vec_kernels_at(0));
    REQUIRE(c.row_size == sizeof(row) && c.query_size == sizeof(query));
    codec_store(&c, zero, row);
    codec_query(&c, none, query);
    EXPECT(codec_score(&c, query, row) == 0);
    zero[3] = 1;
    codec_store(&c, zero, row);
    EXPECT(codec_score(&c, query, row) == 1);
}

TEST(codec_exact, rows_take_what_their_type_takes)
{
    static const struct {
        enum vec_type type;
        enum metric metric;
        uint32_t row_size; /* of 768 numbers */
    } sizes[] = {{TYPE_FP32, METRIC_COSINE, 3072}, {TYPE_FP16, METRIC_COSINE, 1540},
                 {TYPE_FP16, METRIC_L2, 1536},     {TYPE_BF16, METRIC_IP, 1536},
                 {TYPE_INT8, METRIC_COSINE, 832},  {TYPE_BIT, METRIC_HAMMING, 96},
                 {TYPE_BIT, METRIC_JACCARD, 100}};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct codec c;
        codec_init_exact(&c, sizes[i].type, sizes[i].metric, 768, vec_kernels_at(0));
        EXPECT_EQ(c.row_size, sizes[i].row_size);
    }
}
