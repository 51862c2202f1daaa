/* codec_test.c: codes decode to what was encoded, and scores are the distances of the metric, for
 * every form of code, metric and table of kernels. */
#include "vec/codec.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "lib/test.h"

enum { ROWS = 150, PAGE = 4096 };

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Roughly normal: mean 0, variance 1. */
static float random_normal(uint64_t *state)
{
    float sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (float)(int32_t)next_random(state) / 4294967296.0f;
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
    if (metric != METRIC_L2)
        return 1 - dot_of(a, b, dim);
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

static void normalise(float *v, size_t dim)
{
    double norm = sqrt(dot_of(v, v, dim));
    for (size_t i = 0; i < dim; i++)
        v[i] = (float)((double)v[i] / norm);
}

static float range_of(const float *v, size_t dim)
{
    float range = 0;
    for (size_t i = 0; i < dim; i++)
        range = fabsf(v[i]) > range ? fabsf(v[i]) : range;
    return range;
}

static const struct vec_kernels *usable_at(size_t index)
{
    const struct vec_kernels *k = vec_kernels_at(index);
    return vec_kernels_usable(k) ? k : NULL;
}

static const struct vec_kernels *best_kernels(void)
{
    const struct vec_kernels *k = NULL;
    REQUIRE(vec_kernels_choose("auto", &k, NULL) == OK);
    return k;
}

/* ROWS vectors, their rows, and the first of them as prepared query. */
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

static void world_init(struct world *w, enum quant quant, enum metric metric, uint32_t dim,
                       const struct vec_kernels *kernels)
{
    uint64_t state = 77 + dim;
    codec_init(&w->codec, quant, metric, dim, kernels);
    w->vectors = alloc_lines((size_t)ROWS * dim * sizeof(float));
    w->rows = alloc_lines((size_t)ROWS * w->codec.row_size);
    w->query = alloc_lines(w->codec.query_size);
    for (size_t r = 0; r < ROWS; r++) {
        float *v = w->vectors + r * dim;
        /* From one row to the next farther from the first: 0.02, 0.04, ... of a random direction */
        for (size_t i = 0; i < dim; i++)
            v[i] = r == 0 ? random_normal(&state)
                          : w->vectors[i] + 0.02f * (float)r * random_normal(&state);
        if (metric == METRIC_COSINE)
            normalise(v, dim);
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

TEST(codec, sizes_hold_the_promises_of_the_header)
{
    struct codec c;
    for (uint32_t dim = 1; dim <= CODEC_DIM_MAX; dim += dim < 300 ? 1 : 997) {
        codec_init(&c, QUANT_NONE, METRIC_IP, dim, best_kernels());
        EXPECT_EQ(c.row_size, dim * 4);
        EXPECT(c.query_size % 64 == 0 && c.query_size >= c.row_size);
        codec_init(&c, QUANT_SQ8, METRIC_IP, dim, best_kernels());
        EXPECT(c.row_size % 64 == 0 && c.row_size >= c.tail_offset + sizeof(struct sq8_tail));
        EXPECT(c.row_size < dim + 64 + 4 + sizeof(struct sq8_tail));
        EXPECT(c.tail_offset % 4 == 0 && c.tail_offset >= dim);
        EXPECT_EQ(c.query_size, (dim + 63) / 64 * 64 + 64);
        codec_init(&c, QUANT_BIN, METRIC_COSINE, dim, best_kernels());
        EXPECT_EQ(c.row_size, (dim + 63) / 64 * 8);
        EXPECT(c.query_size % 64 == 0 && c.query_size >= c.row_size);
    }
    EXPECT_STR(quant_name(QUANT_SQ8), "SQ8");
}

static void expect_decodes(const struct codec *c, const float *vector)
{
    uint8_t *row = alloc_lines(c->row_size);
    float *decoded = alloc_lines(c->dim * sizeof(float));
    codec_encode(c, vector, row);
    codec_decode(c, row, decoded);
    double range = (double)range_of(vector, c->dim);
    /* Half a step, and what rounding to float adds. */
    double bound = range / 254 * 1.0001 + (double)FLT_TRUE_MIN;
    for (size_t i = 0; i < c->dim; i++)
        EXPECT(fabs((double)decoded[i] - (double)vector[i]) <= bound);
    mem_free(MEM_TEST, decoded);
    mem_free(MEM_TEST, row);
}

TEST(codec, sq8_decodes_to_within_half_a_step)
{
    static const float factors[] = {1, 1e-44f, 1e-38f, 1e-30f, 1e30f, 5e37f};
    static float v[CODEC_DIM_MAX];
    static const uint32_t dims[] = {1, 2, 15, 16, 17, 100, 768, CODEC_DIM_MAX};
    struct codec c;
    for (size_t d = 0; d < COUNT_OF(dims); d++) {
        codec_init(&c, QUANT_SQ8, METRIC_L2, dims[d], best_kernels());
        for (size_t f = 0; f < COUNT_OF(factors); f++) {
            uint64_t state = 5;
            for (size_t i = 0; i < dims[d]; i++)
                v[i] = random_normal(&state) * factors[f];
            expect_decodes(&c, v);
        }
        for (size_t i = 0; i < dims[d]; i++)
            v[i] = i % 2 == 0 ? FLT_MAX : -FLT_MAX;
        expect_decodes(&c, v);
        memset(v, 0, sizeof(v));
        expect_decodes(&c, v);
        v[dims[d] - 1] = -FLT_TRUE_MIN;
        expect_decodes(&c, v);
    }
}

TEST(codec, none_keeps_the_vector_and_scores_exactly)
{
    for (int metric = 0; metric < METRIC_FLOAT_COUNT; metric++) {
        struct world w;
        world_init(&w, QUANT_NONE, (enum metric)metric, 100, best_kernels());
        for (size_t r = 0; r < ROWS; r++) {
            const uint8_t *row = w.rows + r * w.codec.row_size;
            const float *v = w.vectors + r * 100;
            float decoded[100];
            codec_decode(&w.codec, row, decoded);
            EXPECT(memcmp(decoded, v, sizeof(decoded)) == 0);
            double exact = distance_of((enum metric)metric, w.vectors, v, 100);
            double scale = dot_of(w.vectors, w.vectors, 100) + dot_of(v, v, 100);
            EXPECT(fabs((double)codec_score(&w.codec, w.query, row) - exact) < 1e-6 * scale + 1e-6);
        }
        world_fini(&w);
    }
}

/* The rounding error of a code is spread evenly over a step, independent between dimensions. A dot
 * product sees the errors of both vectors; without the part along the vectors, only what is across:
 * sin of the angle between them. */
static double expected_error(const float *q, const float *c, size_t dim)
{
    double qq = dot_of(q, q, dim), cc = dot_of(c, c, dim), qc = dot_of(q, c, dim);
    double across = sqrt(fmax(0, 1 - qc * qc / (qq * cc)));
    double step_q = (double)range_of(q, dim) / 127, step_c = (double)range_of(c, dim) / 127;
    double second = step_q * step_c * sqrt((double)dim) / 12 + step_q * step_c * (double)dim / 24;
    return across * sqrt((qq * step_c * step_c + cc * step_q * step_q) / 12) + second +
           1e-6 * (qq + cc);
}

static void expect_scores_near(enum metric metric, uint32_t dim, const struct vec_kernels *kernels)
{
    struct world w;
    world_init(&w, QUANT_SQ8, metric, dim, kernels);
    double factor = metric == METRIC_L2 ? 2 : 1, error_ratio_sum = 0;
    for (size_t r = 0; r < ROWS; r++) {
        const float *v = w.vectors + (size_t)r * dim;
        double got = (double)codec_score(&w.codec, w.query, w.rows + r * w.codec.row_size);
        double error = fabs(got - distance_of(metric, w.vectors, v, dim));
        double expected = factor * expected_error(w.vectors, v, dim);
        EXPECT(error < 6 * expected);
        error_ratio_sum += error / expected;
    }
    EXPECT(error_ratio_sum / ROWS < 1.2);
    world_fini(&w);
}

TEST(codec, sq8_scores_are_near_the_exact_distance_and_nearest_for_neighbours)
{
    static const uint32_t dims[] = {3, 16, 64, 100, 112, 113, 128, 768, 1536};
    for (size_t index = 0; index < vec_kernels_count(); index++) {
        const struct vec_kernels *k = usable_at(index);
        for (size_t d = 0; k != NULL && d < COUNT_OF(dims); d++)
            for (int metric = 0; metric < METRIC_FLOAT_COUNT; metric++)
                expect_scores_near((enum metric)metric, dims[d], k);
    }
}

TEST(codec, sq8_scores_hold_at_the_largest_dim)
{
    for (int metric = 0; metric < METRIC_FLOAT_COUNT; metric++)
        expect_scores_near((enum metric)metric, CODEC_DIM_MAX, best_kernels());
}

TEST(codec, sq8_sums_do_not_overflow_when_every_byte_is_extreme)
{
    static float v[CODEC_DIM_MAX];
    float value = 1 / sqrtf(CODEC_DIM_MAX);
    for (int signs = 0; signs < 4; signs++) {
        struct codec c;
        codec_init(&c, QUANT_SQ8, METRIC_COSINE, CODEC_DIM_MAX, best_kernels());
        uint8_t *row = alloc_lines(c.row_size), *query = alloc_lines(c.query_size);
        for (size_t i = 0; i < CODEC_DIM_MAX; i++)
            v[i] = (signs & 1) != 0 ? -value : value;
        codec_encode(&c, v, row);
        for (size_t i = 0; i < CODEC_DIM_MAX; i++)
            v[i] = (signs & 2) != 0 ? -value : value;
        codec_query(&c, v, query);
        float want = signs == 0 || signs == 3 ? 0 : 2;
        for (size_t index = 0; index < vec_kernels_count(); index++) {
            c.kernels = usable_at(index);
            if (c.kernels != NULL)
                EXPECT(fabsf(codec_score(&c, query, row) - want) < 1e-4f);
        }
        mem_free(MEM_TEST, query);
        mem_free(MEM_TEST, row);
    }
}

TEST(codec, sq8_scores_are_finite_for_zero_denormal_and_huge_vectors)
{
    static const float values[] = {0, FLT_TRUE_MIN, -1e-40f, FLT_MIN, 1, -1e17f, 1e20f, -FLT_MAX};
    enum { DIM = 100 };
    for (int metric = 0; metric < METRIC_FLOAT_COUNT; metric++) {
        struct codec c;
        codec_init(&c, QUANT_SQ8, (enum metric)metric, DIM, best_kernels());
        for (size_t a = 0; a < COUNT_OF(values); a++) {
            for (size_t b = 0; b < COUNT_OF(values); b++) {
                float va[DIM], vb[DIM], decoded[DIM];
                _Alignas(64) uint8_t row[256], query[256];
                REQUIRE(c.row_size <= sizeof(row) && c.query_size <= sizeof(query));
                for (size_t i = 0; i < DIM; i++) {
                    va[i] = values[a];
                    vb[i] = i % 3 == 0 ? values[b] : 0;
                }
                codec_encode(&c, va, row);
                codec_query(&c, vb, query);
                EXPECT(isfinite(codec_score(&c, query, row)));
                codec_decode(&c, row, decoded);
                EXPECT(isfinite(decoded[0]));
                if (fabsf(values[a]) > 1 || fabsf(values[b]) > 1)
                    continue;
                double exact = distance_of((enum metric)metric, va, vb, DIM);
                double error = fabs((double)codec_score(&c, query, row) - exact);
                EXPECT(error <= 1e-5 * (1 + fabs(exact)));
            }
        }
    }
}

TEST(codec, a_row_becomes_the_query_its_vector_became)
{
    static const uint32_t dims[] = {1, 16, 63, 64, 65, 100, 768, 4097};
    for (int quant = 0; quant < QUANT_ROWS_COUNT; quant++) {
        for (int metric = 0; metric < METRIC_FLOAT_COUNT; metric++) {
            for (size_t d = 0; d < COUNT_OF(dims); d++) {
                if (quant == QUANT_RABITQ || (quant == QUANT_BIN && metric != METRIC_COSINE))
                    continue; /* four bits are not what a query is made of */
                struct world w;
                world_init(&w, (enum quant)quant, (enum metric)metric, dims[d], best_kernels());
                uint8_t *query = alloc_lines(w.codec.query_size);
                memset(query, 0xee, w.codec.query_size);
                codec_query_of_row(&w.codec, w.rows, query);
                EXPECT(memcmp(query, w.query, w.codec.query_size) == 0);
                mem_free(MEM_TEST, query);
                world_fini(&w);
            }
        }
    }
}

TEST(codec, a_row_becomes_the_query_of_its_decoded_vector_up_to_rounding)
{
    enum { DIM = 100 };
    for (int quant = 0; quant < QUANT_ROWS_COUNT; quant++) {
        struct world w;
        world_init(&w, (enum quant)quant, METRIC_COSINE, DIM, best_kernels());
        uint8_t *query = alloc_lines(w.codec.query_size);
        float decoded[DIM], most = quant == QUANT_RABITQ ? 3e-3f : 1e-3f;
        if (quant == QUANT_RABITQ) /* its query of a row has that row's four bits */
            codec_query_of_row(&w.codec, w.rows, w.query);
        codec_decode(&w.codec, w.rows, decoded);
        codec_query(&w.codec, decoded, query);
        for (size_t r = 0; r < ROWS; r++) {
            const uint8_t *row = w.rows + r * w.codec.row_size;
            float a = codec_score(&w.codec, query, row), b = codec_score(&w.codec, w.query, row);
            EXPECT(fabsf(a - b) < most);
        }
        mem_free(MEM_TEST, query);
        world_fini(&w);
    }
}

static void expect_forms_agree(struct world *w)
{
    enum { COUNT = ROWS + 30 };
    uint32_t ids[COUNT];
    float many[COUNT], range[COUNT];
    const struct codec *c = &w->codec;
    for (size_t i = 0; i < COUNT; i++)
        ids[i] = (uint32_t)(i * 37 % ROWS);
    for (size_t count = 0; count <= COUNT; count += count < 10 ? 1 : 17) {
        codec_score_many(c, w->query, w->rows, ids, count, many);
        for (size_t i = 0; i < count; i++)
            EXPECT(many[i] == codec_score(c, w->query, w->rows + (size_t)ids[i] * c->row_size));
        size_t rows = count < ROWS ? count : ROWS;
        codec_score_range(c, w->query, w->rows, (uint32_t)(ROWS - rows), rows, range);
        for (size_t i = 0; i < rows; i++) {
            const uint8_t *row = w->rows + (ROWS - rows + i) * c->row_size;
            EXPECT(range[i] == codec_score(c, w->query, row));
        }
    }
}

TEST(codec, a_row_has_one_score_however_it_is_asked_for)
{
    static const uint32_t dims[] = {1, 60, 100, 130, 768};
    for (size_t index = 0; index < vec_kernels_count(); index++) {
        const struct vec_kernels *k = usable_at(index);
        for (size_t d = 0; k != NULL && d < COUNT_OF(dims); d++) {
            for (int quant = 0; quant < QUANT_ROWS_COUNT; quant++) {
                struct world w;
                world_init(&w, (enum quant)quant, METRIC_COSINE, dims[d], k);
                expect_forms_agree(&w);
                world_fini(&w);
            }
        }
    }
}

TEST(codec, bin_is_twice_the_share_of_differing_signs)
{
    static const uint32_t dims[] = {1, 2, 63, 64, 65, 100, 768, CODEC_DIM_MAX};
    for (size_t d = 0; d < COUNT_OF(dims); d++) {
        struct world w;
        world_init(&w, QUANT_BIN, METRIC_COSINE, dims[d], best_kernels());
        for (size_t r = 0; r < ROWS; r += 7) {
            const float *v = w.vectors + r * dims[d];
            size_t differ = 0;
            for (size_t i = 0; i < dims[d]; i++)
                differ += (v[i] > 0) != (w.vectors[i] > 0);
            float score = codec_score(&w.codec, w.query, w.rows + r * w.codec.row_size);
            EXPECT(score == 2 * (float)differ / (float)dims[d]);
        }
        world_fini(&w);
    }
}

TEST(codec, bin_counts_zero_as_negative_and_decodes_to_signs)
{
    static const float v[] = {1, 0, -0.0f, -1, FLT_TRUE_MIN, -FLT_TRUE_MIN, FLT_MAX, -FLT_MAX, 3};
    static const float want[] = {1, -1, -1, -1, 1, -1, 1, -1, 1};
    struct codec c;
    uint8_t row[8];
    float decoded[COUNT_OF(v)];
    codec_init(&c, QUANT_BIN, METRIC_COSINE, COUNT_OF(v), best_kernels());
    REQUIRE(c.row_size == sizeof(row));
    codec_encode(&c, v, row);
    codec_decode(&c, row, decoded);
    EXPECT(memcmp(decoded, want, sizeof(want)) == 0);
}

/* Rows and queries that end where the next byte would be a fault. */
static void expect_nothing_read_behind(struct world *w)
{
    const struct codec *c = &w->codec;
    size_t row_area = ((size_t)c->row_size + PAGE - 1) / PAGE * PAGE;
    size_t query_area = ((size_t)c->query_size + PAGE - 1) / PAGE * PAGE;
    uint8_t *area = mmap(NULL, row_area + query_area + 2 * PAGE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(area != MAP_FAILED);
    REQUIRE(mprotect(area + row_area, PAGE, PROT_NONE) == 0);
    REQUIRE(mprotect(area + row_area + PAGE + query_area, PAGE, PROT_NONE) == 0);
    uint8_t *row = area + row_area - c->row_size;
    uint8_t *query = area + row_area + PAGE + query_area - c->query_size;
    codec_encode(c, w->vectors + c->dim, row);
    codec_query(c, w->vectors, query);
    static const uint32_t ids[] = {0, 0, 0, 0, 0};
    float scores[COUNT_OF(ids)];
    codec_score_many(c, query, row, ids, COUNT_OF(ids), scores);
    EXPECT(scores[4] == codec_score(c, w->query, w->rows + c->row_size));
    codec_query_of_row(c, row, query);
    REQUIRE(munmap(area, row_area + query_area + 2 * PAGE) == 0);
}

TEST(codec, nothing_is_touched_behind_a_row_or_a_query)
{
    static const uint32_t dims[] = {1, 7, 47, 48, 49, 64, 100, 112, 113, 128, 768, 1537};
    for (size_t index = 0; index < vec_kernels_count(); index++) {
        const struct vec_kernels *k = usable_at(index);
        for (size_t d = 0; k != NULL && d < COUNT_OF(dims); d++) {
            for (int quant = 0; quant < QUANT_ROWS_COUNT; quant++) {
                struct world w;
                world_init(&w, (enum quant)quant, METRIC_COSINE, dims[d], k);
                expect_nothing_read_behind(&w);
                world_fini(&w);
            }
        }
    }
}
