/* Recall of rotated codes has a floor for vectors that are not what their estimates assume: of one
 * to seven numbers, all equal, half of them zero, or with one number above all others. */
#include "base/rng.h"
#include "lib/test.h"
#include "recall/fixture.h"

enum { ROWS = 1500, DIM = 24, QUERIES = 50 };

static void all_equal(uint64_t *random, float *v, uint32_t dim)
{
    (void)random;
    for (uint32_t i = 0; i < dim; i++)
        v[i] = (float)(i % 3);
}

static void half_zero(uint64_t *random, float *v, uint32_t dim)
{
    for (uint32_t i = 0; i < dim && rng_below(random, 2) == 0; i++)
        memset(v, 0, dim * sizeof(*v));
}

static void one_above_all(uint64_t *random, float *v, uint32_t dim)
{
    if (rng_below(random, 20) == 0)
        v[rng_below(random, dim)] *= 1000;
}

/* The share of hits that are as near as the farthest of the exact ones: equal vectors count as one
 * another. */
static double recall_of(struct fixture *f)
{
    size_t hits = 0, wanted = 0;
    for (int q = 0; q < QUERIES; q++) {
        float query[FIXTURE_DIM_MAX];
        fixture_draw(f, query);
        struct found truth = fixture_search(f, query, true, NULL);
        struct found got = fixture_search(f, query, false, NULL);
        EXPECT_EQ(got.count, truth.count);
        wanted += truth.count;
        for (size_t i = 0; i < got.count; i++)
            hits += got.hits[i].dist <= truth.hits[truth.count - 1].dist;
    }
    return (double)hits / (double)wanted;
}

static void expect_floor(const char *what, uint32_t dim, enum metric metric,
                         void (*bend)(uint64_t *random, float *v, uint32_t dim), double floor)
{
    static struct fixture f;
    struct collection_spec spec = spec_default(dim);
    spec.metric = metric;
    spec.quant = QUANT_RABITQ;
    f.bend = bend;
    fixture_open(&f, &spec, ROWS);
    double got = recall_of(&f);
    if (got < floor)
        test_fail(__FILE__, __LINE__, "%s, %u numbers, %s: recall %.3f, floor %.3f", what, dim,
                  metric_name(metric), got, floor);
    fixture_close(&f);
}

TEST(recall_rabitq, has_a_floor_for_vectors_of_few_numbers)
{
    for (uint32_t dim = 1; dim < 8; dim++)
        expect_floor("clustered", dim, METRIC_L2, NULL, 0.97);
}

TEST(recall_rabitq, has_a_floor_for_odd_vectors)
{
    expect_floor("all equal", DIM, METRIC_L2, all_equal, 1);
    expect_floor("all equal", DIM, METRIC_IP, all_equal, 1);
    expect_floor("half zero", DIM, METRIC_L2, half_zero, 0.90);
    expect_floor("half zero", DIM, METRIC_IP, half_zero, 0.97);
    expect_floor("one above all", DIM, METRIC_L2, one_above_all, 0.95);
    expect_floor("one above all", DIM, METRIC_IP, one_above_all, 0.95);
}
