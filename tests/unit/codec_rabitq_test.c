/* codec_rabitq_test.c: scores of rotated codes are near the distance, for every metric, table and
 * odd vector; a screen keeps what is near and drops what is far. */
#include <float.h>
#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "lib/test.h"
#include "vec/codec.h"
#include "vec/rabitq.h"

enum { ROWS = 150 };

/* Row r is farther from row 0 the larger r is; row 0 is the query. owner: the test */
struct world {
    struct codec codec;
    float *vectors;
    uint8_t *rows;
    uint8_t *query;
};

static void *alloc_lines(size_t size)
{
    void *p = mem_try_aligned(MEM_TEST, 64, size);
    REQUIRE(p != NULL);
    return p;
}

static float random_normal(uint64_t *state)
{
    float sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (float)rng_below(state, 1 << 20) / (1 << 20) - 0.5f;
    return sum;
}

static double dot_of(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static double distance_of(enum metric metric, const float *a, const float *b, size_t dim)
{
    double ab = dot_of(a, b, dim);
    return metric == METRIC_L2 ? dot_of(a, a, dim) + dot_of(b, b, dim) - 2 * ab : 1 - ab;
}

static void world_init(struct world *w, enum metric metric, uint32_t dim,
                       const struct vec_kernels *kernels)
{
    uint64_t state = 7 + dim;
    codec_init(&w->codec, QUANT_RABITQ, metric, dim, kernels);
    w->vectors = alloc_lines((size_t)ROWS * dim * sizeof(float));
    w->rows = alloc_lines((size_t)ROWS * w->codec.row_size);
    w->query = alloc_lines(w->codec.query_size);
    for (size_t r = 0; r < ROWS; r++) {
        float *v = w->vectors + r * dim;
        for (size_t i = 0; i < dim; i++)
            v[i] = r == 0 ? random_normal(&state)
                          : w->vectors[i] + 0.02f * (float)r * random_normal(&state);
        codec_encode(&w->codec, v, w->rows + r * w->codec.row_size);
    }
    codec_query(&w->codec, w->vectors, w->query);
}

static void world_fini(struct world *w)
{
    mem_free(MEM_TEST, w->query);
    mem_free(MEM_TEST, w->rows);
    mem_free(MEM_TEST, w->vectors);
}

/* Sixteen levels leave 0.0115 of the variance of normal numbers (Max 1960), which are across the
 * vector and fall on all coordinates alike; a query in bytes adds little. */
static double expected_error(const float *q, const float *v, size_t dim)
{
    double qq = dot_of(q, q, dim), vv = dot_of(v, v, dim), qv = dot_of(q, v, dim);
    double across = sqrt(fmax(0, qq - qv * qv / vv)), size = rabitq_size((uint32_t)dim);
    return 0.108 * across * sqrt(vv / size) + 0.008 * sqrt(qq * vv / size) + 1e-6 * (qq + vv);
}

static void expect_scores_near(enum metric metric, uint32_t dim, const struct vec_kernels *kernels)
{
    struct world w;
    world_init(&w, metric, dim, kernels);
    double factor = metric == METRIC_L2 ? 2 : 1, ratio_sum = 0;
    for (size_t r = 0; r < ROWS; r++) {
        const float *v = w.vectors + r * dim;
        double got = (double)codec_score(&w.codec, w.query, w.rows + r * w.codec.row_size);
        double error = fabs(got - distance_of(metric, w.vectors, v, dim));
        double ratio = error / (factor * expected_error(w.vectors, v, dim));
        EXPECT(ratio < 6);
        ratio_sum += ratio;
    }
    EXPECT(ratio_sum / ROWS < 1.2);
    world_fini(&w);
}

TEST(codec_rabitq, scores_are_near_the_exact_distance_and_nearest_for_neighbours)
{
    static const uint32_t dims[] = {48, 64, 100, 128, 768, 784};
    for (size_t index = 0; index < vec_kernels_count(); index++) {
        const struct vec_kernels *k = vec_kernels_at(index);
        for (size_t d = 0; vec_kernels_usable(k) && d < COUNT_OF(dims); d++)
            for (int metric = 0; metric < METRIC_FLOAT_COUNT; metric++)
                expect_scores_near((enum metric)metric, dims[d], k);
    }
}

TEST(codec_rabitq, a_screen_keeps_the_near_and_drops_the_far)
{
    static const uint32_t dims[] = {64, 384, 768};
    const struct vec_kernels *k;
    REQUIRE(vec_kernels_choose("auto", &k, NULL) == OK);
    for (size_t d = 0; d < COUNT_OF(dims); d++) {
        struct world w;
        uint32_t ids[ROWS];
        float scores[ROWS];
        world_init(&w, METRIC_L2, dims[d], k);
        codec_score_range(&w.codec, w.query, w.rows, 0, ROWS, scores);
        for (uint32_t r = 0; r < ROWS; r++)
            ids[r] = r;
        const float limit = scores[40];
        EXPECT(codec_screens(&w.codec));
        size_t kept = codec_screen(&w.codec, w.query, w.rows, ids, ROWS, limit);
        size_t near = 0, near_kept = 0;
        for (size_t r = 0; r < ROWS; r++)
            near += scores[r] < limit;
        for (size_t i = 0; i < kept; i++) {
            EXPECT(i == 0 || ids[i] > ids[i - 1]);
            near_kept += scores[ids[i]] < limit;
        }
        EXPECT(near_kept * 10 >= near * 9);
        EXPECT(kept < (dims[d] < 100 ? 110 : 80));
        EXPECT_EQ(codec_screen(&w.codec, w.query, w.rows, ids, 0, limit), 0);
        world_fini(&w);
    }
}

TEST(codec_rabitq, scores_are_finite_for_zero_denormal_and_huge_vectors)
{
    static const float values[] = {0, FLT_TRUE_MIN, -1e-40f, FLT_MIN, 1, -1e17f, 1e20f, -FLT_MAX};
    enum { DIM = 100 };
    const struct vec_kernels *k;
    REQUIRE(vec_kernels_choose("auto", &k, NULL) == OK);
    for (int metric = 0; metric < METRIC_FLOAT_COUNT; metric++)
        for (size_t a = 0; a < COUNT_OF(values); a++)
            for (size_t b = 0; b < COUNT_OF(values); b++) {
                struct codec c;
                float va[DIM], vb[DIM], decoded[DIM];
                uint32_t id = 0;
                codec_init(&c, QUANT_RABITQ, (enum metric)metric, DIM, k);
                uint8_t *row = alloc_lines(c.row_size), *query = alloc_lines(c.query_size);
                for (size_t i = 0; i < DIM; i++) {
                    va[i] = values[a];
                    vb[i] = i % 3 == 0 ? values[b] : 0;
                }
                codec_encode(&c, va, row);
                EXPECT(codec_row_finite(&c, row));
                codec_query(&c, vb, query);
                EXPECT(isfinite(codec_score(&c, query, row)));
                EXPECT_EQ(codec_screen(&c, query, row, &id, 1, INFINITY), 1);
                codec_query_of_row(&c, row, query);
                EXPECT(isfinite(codec_score(&c, query, row)));
                codec_decode(&c, row, decoded);
                EXPECT(isfinite(decoded[0]));
                mem_free(MEM_TEST, query);
                mem_free(MEM_TEST, row);
            }
}

TEST(codec_rabitq, sizes_hold_from_the_smallest_to_the_largest_dim)
{
    const struct vec_kernels *k;
    REQUIRE(vec_kernels_choose("auto", &k, NULL) == OK);
    for (uint32_t dim = 1; dim <= CODEC_DIM_MAX; dim = dim < 8 ? dim + 1 : dim * 8) {
        struct world w;
        world_init(&w, METRIC_COSINE, dim, k);
        uint32_t size = rabitq_size(dim);
        EXPECT(w.codec.row_size % 64 == 0 && w.codec.row_size < size * 5 / 8 + 24 + 64);
        float *decoded = alloc_lines(dim * sizeof(float));
        codec_decode(&w.codec, w.rows, decoded);
        double vv = dot_of(w.vectors, w.vectors, dim);
        double off = distance_of(METRIC_L2, decoded, w.vectors, dim);
        EXPECT(off <= 0.06 * vv);
        mem_free(MEM_TEST, decoded);
        world_fini(&w);
    }
    struct codec c;
    codec_init(&c, QUANT_RABITQ, METRIC_L2, 768, k);
    EXPECT_EQ(c.row_size, 512);
    EXPECT_STR(quant_name(QUANT_RABITQ), "RABITQ");
}
