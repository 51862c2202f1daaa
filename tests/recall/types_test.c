/* Every element type under every metric it has: exact searches are what double precision says, and
 * searches at default effort find 95 % of it, also when half of the elements are gone. */
#include <math.h>
#include <stdlib.h>

#include "lib/test.h"
#include "recall/fixture.h"

#ifdef VDB_SANITIZER
enum { ROWS = 1000 };
#else
enum { ROWS = 2500 };
#endif
enum { DIM = 64, BITS = 256, QUERIES = 40 };

static double distance_of(enum metric metric, const float *a, const float *b, uint32_t dim)
{
    double dot = 0, squares = 0, aa = 0, bb = 0;
    for (uint32_t i = 0; i < dim; i++) {
        double x = (double)a[i], y = (double)b[i];
        dot += x * y;
        squares += (x - y) * (x - y);
        aa += x * x;
        bb += y * y;
    }
    switch (metric) {
    case METRIC_COSINE:
        return 1 - dot / sqrt(aa * bb);
    case METRIC_L2:
    case METRIC_HAMMING:
        return squares;
    case METRIC_IP:
        return 1 - dot;
    case METRIC_JACCARD:
        return 1 - dot / (aa + bb - dot);
    case METRIC_COUNT:
        break;
    }
    REQUIRE(false);
    return 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The distances of all that are there, nearest first; how many. */
static size_t distances(struct fixture *f, const float *query, double *out)
{
    struct collection_view view;
    float vector[FIXTURE_DIM_MAX];
    size_t count = 0;
    db_view(&f->db, f->c, &view);
    for (uint32_t row = 0; row < view.exact.end; row++) {
        if (!row_visible(&view.exact, row))
            continue;
        REQUIRE(count < ROWS);
        view_vector(&view, row, vector);
        out[count++] = distance_of(f->spec.metric, query, vector, f->spec.dim);
    }
    qsort(out, count, sizeof(*out), by_size);
    return count;
}

/* Sums of floats that nearly cancel out are off by their terms, not by their result. */
static double slack(const struct fixture *f)
{
    bool exact = f->spec.type == TYPE_INT8 || f->spec.type == TYPE_BIT;
    return exact ? 1e-6 : 1e-5 * f->spec.dim;
}

/* The share of the nearest that is found; several may be as near as the last of them. */
static double recall(struct fixture *f)
{
    static double truth[ROWS];
    size_t hits = 0;
    for (int q = 0; q < QUERIES; q++) {
        float query[FIXTURE_DIM_MAX];
        fixture_draw(f, query);
        size_t count = distances(f, query, truth);
        REQUIRE(count == f->c->live && count > FIXTURE_K);
        struct found exact = fixture_search(f, query, true, NULL);
        struct found got = fixture_search(f, query, false, NULL);
        EXPECT(exact.count == FIXTURE_K && got.count == FIXTURE_K);
        for (size_t i = 0; i < FIXTURE_K; i++) {
            double off = fabs((double)exact.hits[i].dist - truth[i]);
            EXPECT(off <= slack(f) * (1 + fabs(truth[i])));
            hits += (double)got.hits[i].dist <=
                    truth[FIXTURE_K - 1] + slack(f) * (1 + fabs(truth[FIXTURE_K - 1]));
        }
    }
    return (double)hits / (QUERIES * FIXTURE_K);
}

static void expect_floor(enum vec_type type, enum metric metric, enum quant quant)
{
    static struct fixture f;
    struct collection_spec spec = spec_default(type == TYPE_BIT ? BITS : DIM);
    spec.type = type;
    spec.metric = metric;
    spec.quant = quant;
    REQUIRE(spec_type_fits(&spec));
    fixture_open(&f, &spec, ROWS);
    double full = recall(&f);
    for (unsigned id = 0; id < ROWS; id += 2)
        fixture_remove(&f, id);
    fixture_link_all(&f);
    double half = recall(&f);
    printf("  %s %s walked by %s: recall@10 %.4f, without every other element %.4f\n",
           type_name(type), metric_name(metric),
           quant == QUANT_NONE ? type_name(type) : quant_name(quant), full, half);
    double floor = quant == QUANT_BIN ? 0.90 : 0.95; /* one bit of each number */
    EXPECT(full >= floor && half >= floor);
    fixture_close(&f);
}

static void expect_floors(enum vec_type type, enum quant quant)
{
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        if (type_has_metric(type, (enum metric)metric))
            expect_floor(type, (enum metric)metric, quant);
}

TEST(recall_types, halves_have_a_floor_and_exact_distances)
{
    expect_floors(TYPE_FP16, QUANT_SQ8);
    expect_floors(TYPE_BF16, QUANT_SQ8);
    expect_floor(TYPE_FP16, METRIC_COSINE, QUANT_NONE);
    expect_floor(TYPE_BF16, METRIC_L2, QUANT_NONE);
    expect_floor(TYPE_FP16, METRIC_COSINE, QUANT_BIN);
}

TEST(recall_types, integers_and_bits_have_a_floor_and_exact_distances)
{
    expect_floors(TYPE_INT8, QUANT_NONE);
    expect_floors(TYPE_BIT, QUANT_NONE);
}
