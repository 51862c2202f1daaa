/* Product quantization, what it is trained with, and its kernels: every table is compared with the
 * scalar one, bit by bit. */
#include "vec/pq.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "lib/test.h"

static float unit(uint64_t *rng)
{
    return (float)(rng_unit(rng) * 2 - 1);
}

static void expect_like_scalar(const struct vec_kernels *k, struct pq4_scan *scan,
                               const uint8_t *codes, const float *adds)
{
    float want[PQ_BLOCK], got[PQ_BLOCK];
    uint32_t below = vec_kernels_at(0)->pq4_block(scan, codes, adds, want);
    EXPECT_EQ(k->pq4_block(scan, codes, adds, got), below);
    EXPECT(memcmp(want, got, sizeof(want)) == 0);
    for (unsigned i = 0; i < PQ_BLOCK; i++)
        EXPECT_EQ(below >> i & 1, want[i] <= scan->limit);
}

/* Memory that ends where the kernel must stop reading. */
static uint8_t *bytes_of(size_t size, uint64_t *rng, int fixed)
{
    uint8_t *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(fixed >= 0 ? fixed : (int)(rng_next(rng) & 0xff));
    return bytes;
}

TEST(pq, kernels_are_alike_to_the_bit)
{
    static const size_t pairs[] = {1, 2, 3, 4, 7, 25, 26, 64, 127, 128};
    uint64_t rng = 5;
    for (size_t t = 0; t < vec_kernels_count(); t++) {
        if (!vec_kernels_usable(vec_kernels_at(t)))
            continue;
        for (size_t i = 0; i < COUNT_OF(pairs); i++) {
            for (int fixed = -1; fixed < 2; fixed++) {
                /* -1: by chance; 0: all codes 0; 1: all entries 255, so that sums are largest */
                uint8_t *codes = bytes_of(pairs[i] * PQ_BLOCK, &rng, fixed == 0 ? 0 : -1);
                uint8_t *tables = bytes_of(pairs[i] * 32, &rng, fixed == 1 ? 255 : -1);
                float *adds = malloc(PQ_BLOCK * sizeof(float));
                for (int row = 0; row < PQ_BLOCK; row++)
                    adds[row] = unit(&rng);
                struct pq4_scan scan = {tables, pairs[i], 0.0371f, -1.5f, 0};
                scan.limit = (float)pairs[i] * 9.4f - 1.5f;
                expect_like_scalar(vec_kernels_at(t), &scan, codes, adds);
                scan.limit = FLT_MAX;
                expect_like_scalar(vec_kernels_at(t), &scan, codes, adds);
                free(codes);
                free(tables);
                free(adds);
            }
        }
    }
}

static float *points_of(size_t count, uint32_t dim, uint64_t seed)
{
    float *points = malloc(count * dim * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        float common = unit(&seed); /* so that neighbouring numbers have to do with each other */
        for (uint32_t d = 0; d < dim; d++)
            points[i * dim + d] = common * (d % 3 == 0 ? 2 : 1) + 0.3f * unit(&seed);
    }
    return points;
}

static void train(struct pq *pq, const float *points, size_t count)
{
    struct pq_trainer t;
    bool over = false;
    REQUIRE(pq_trainer_init(&t, pq, points, count, 3) == OK);
    while (!over)
        REQUIRE(pq_trainer_step(&t, &over) == OK);
    pq_trainer_fini(&t);
}

/* What a block's score says of a dot product is off by the rounding of the tables alone. */
static void expect_scores(const struct pq *pq, const float *points, size_t count)
{
    uint8_t *block = calloc(1, pq_block_size(pq)),
            *tables = aligned_alloc(64, (pq->subs * 16u + 63) / 64 * 64);
    float *decoded = malloc(PQ_BLOCK * pq->dim * sizeof(float));
    float *room = malloc(pq->subs * 16 * sizeof(float)), scores[PQ_BLOCK], adds[PQ_BLOCK] = {0};
    struct pq4_scan scan = {.limit = FLT_MAX};
    for (size_t i = 0; i < PQ_BLOCK; i++)
        pq_encode(pq, points + i * pq->dim, block, i, decoded + i * pq->dim);
    for (size_t q = PQ_BLOCK; q < PQ_BLOCK + 10 && q < count; q++) {
        float bias;
        const float *query = points + q * pq->dim;
        pq_query(pq, query, -2, tables, room, &scan, &bias);
        scan.base = bias;
        (void)vec_kernels_at(0)->pq4_block(&scan, block, adds, scores);
        for (size_t i = 0; i < PQ_BLOCK; i++) {
            float dot = 0;
            for (uint32_t d = 0; d < pq->dim; d++)
                dot += query[d] * decoded[i * pq->dim + d];
            float slack = scan.step * (float)pq->subs * 0.51f + 1e-3f;
            EXPECT(fabsf(scores[i] + 2 * dot) <= slack);
        }
    }
    free(block);
    free(tables);
    free(decoded);
    free(room);
}

static double error_of(const struct pq *pq, const float *points, size_t count)
{
    uint8_t *block = calloc(1, pq_block_size(pq));
    float *decoded = malloc(pq->dim * sizeof(float));
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        pq_encode(pq, points + i * pq->dim, block, i % PQ_BLOCK, decoded);
        for (uint32_t d = 0; d < pq->dim; d++)
            sum += (double)powf(points[i * pq->dim + d] - decoded[d], 2);
    }
    free(block);
    free(decoded);
    return sum;
}

TEST(pq, scores_are_dot_products_but_for_rounding)
{
    static const struct {
        uint32_t dim, subs;
    } shapes[] = {{1, 1}, {3, 2}, {3, 3}, {33, 5}, {33, 33}, {64, 32}, {300, 256}, {700, 700}};
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        enum { COUNT = 300 };
        float *points = points_of(COUNT, shapes[i].dim, 9);
        struct pq pq;
        REQUIRE(pq_init(&pq, shapes[i].dim, shapes[i].subs) == OK);
        EXPECT_EQ(pq.subs % 2, 0);
        train(&pq, points, COUNT);
        expect_scores(&pq, points, COUNT);
        pq_fini(&pq);
        free(points);
    }
}

TEST(pq, rows_move_from_block_to_block)
{
    enum { DIM = 7 };
    float *points = points_of(40, DIM, 1), decoded[DIM];
    struct pq pq;
    REQUIRE(pq_init(&pq, DIM, 5) == OK);
    train(&pq, points, 40);
    uint8_t from[3 * PQ_BLOCK] = {0}, to[3 * PQ_BLOCK] = {0}, want[3 * PQ_BLOCK] = {0};
    REQUIRE(pq_block_size(&pq) == sizeof(from));
    pq_encode(&pq, points, from, 31, decoded);
    pq_encode(&pq, points, want, 4, decoded);
    pq_copy(&pq, from, 31, to, 4);
    EXPECT(memcmp(to, want, sizeof(to)) == 0);
    pq_fini(&pq);
    free(points);
}

TEST(pq, centers_are_where_points_are)
{
    enum { CENTERS = 5, COUNT = 500 };
    float points[COUNT];
    uint64_t rng = 4;
    for (int i = 0; i < COUNT; i++)
        points[i] = (float)(i / (COUNT / CENTERS) * 10) + 0.1f * unit(&rng);
    struct kmeans k;
    REQUIRE(kmeans_init(&k, points, COUNT, 1, CENTERS, 20, 1) == OK);
    REQUIRE(kmeans_step(&k));
    double first = k.turn > 0 ? k.error : k.error_so_far;
    while (kmeans_step(&k))
        continue;
    EXPECT(k.error <= first);
    /* A center that began beside another may stay there: two groups then share one. */
    unsigned right = 0;
    for (int c = 0; c < CENTERS; c++)
        right += fabsf(k.centroids[c] - 10 * rintf(k.centroids[c] / 10)) < 0.1f;
    EXPECT(right >= 3);
    kmeans_fini(&k);
}

/* Equal points have one center; the others stay near it, and nothing divides by their 0 points. */
TEST(pq, equal_points_do_no_harm)
{
    enum { DIM = 4, COUNT = 64 };
    float points[COUNT * DIM];
    for (int i = 0; i < COUNT * DIM; i++)
        points[i] = 3;
    struct pq pq;
    REQUIRE(pq_init(&pq, DIM, 2) == OK);
    train(&pq, points, COUNT);
    EXPECT(error_of(&pq, points, COUNT) < 0.01);
    pq_fini(&pq);
}
