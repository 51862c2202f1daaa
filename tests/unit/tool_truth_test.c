/* The exact neighbours that vdb bench measures against. */
#include "lib/test.h"
#include "tool/truth.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

enum { BASE = 1500, QUERIES = 40, DIM = 19, K = 7 };

/* A small generator of its own: the same values in every run. */
static float next_value(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*state >> 32) / 2147483648.0f;
}

static struct matrix make_matrix(uint64_t count, uint64_t seed)
{
    struct matrix m = {mem_alloc(MEM_VECTOR, count * DIM * sizeof(float)), count, DIM};
    for (uint64_t i = 0; i < count * DIM; i++)
        m.values[i] = next_value(&seed);
    return m;
}

static double distance(enum metric metric, const float *a, const float *b)
{
    double dot = 0, aa = 0, bb = 0, square = 0;
    for (size_t i = 0; i < DIM; i++) {
        double x = (double)a[i], y = (double)b[i];
        dot += x * y;
        aa += x * x;
        bb += y * y;
        square += (x - y) * (x - y);
    }
    if (metric == METRIC_L2)
        return square;
    return 1 - (metric == METRIC_IP ? dot : dot / sqrt(aa) / sqrt(bb));
}

/* Nothing outside the answer is nearer than what is in it, and it is in order. */
static void expect_nearest(const struct truth *t, const struct matrix *base,
                           const struct matrix *queries, enum metric metric)
{
    for (uint64_t q = 0; q < queries->count; q++) {
        const uint32_t *rows = t->rows + q * t->k;
        const float *query = matrix_row(queries, q);
        double farthest = distance(metric, query, matrix_row(base, rows[t->k - 1]));
        size_t nearer = 0;
        for (uint64_t i = 0; i < base->count; i++)
            nearer += distance(metric, query, matrix_row(base, i)) < farthest - 1e-5;
        EXPECT(nearer < t->k);
        for (uint32_t i = 1; i < t->k; i++)
            EXPECT(distance(metric, query, matrix_row(base, rows[i - 1])) <=
                   distance(metric, query, matrix_row(base, rows[i])) + 1e-5);
    }
}

TEST(tool_truth, nothing_is_nearer_than_the_computed_neighbours)
{
    struct matrix base = make_matrix(BASE, 1), queries = make_matrix(QUERIES, 2);
    static const enum metric metrics[] = {METRIC_COSINE, METRIC_L2, METRIC_IP};
    for (size_t i = 0; i < COUNT_OF(metrics); i++) {
        struct truth t;
        struct why why = {""};
        REQUIRE(truth_compute(&t, &base, &queries, metrics[i], K, &why) == OK);
        EXPECT_EQ(t.query_count, QUERIES);
        expect_nearest(&t, &base, &queries, metrics[i]);
        truth_free(&t);
    }
    matrix_free(&base);
    matrix_free(&queries);
}

TEST(tool_truth, a_base_with_fewer_rows_than_k_is_refused)
{
    struct matrix base = make_matrix(K - 1, 1), queries = make_matrix(1, 2);
    struct truth t;
    struct why why = {""};
    EXPECT_EQ(truth_compute(&t, &base, &queries, METRIC_L2, K, &why), ERR_ARG);
    EXPECT(strstr(why.text, "fewer than the 7") != NULL);
    EXPECT_EQ(truth_compute(&t, &base, &queries, METRIC_L2, K - 1, &why), OK);
    truth_free(&t);
    matrix_free(&base);
    matrix_free(&queries);
}

static enum err load_ibin(struct truth *t, const uint32_t *words, size_t count,
                          uint64_t query_count, uint32_t k, struct why *why)
{
    char path[] = "/tmp/vdb-truth-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    FILE *file = fdopen(fd, "wb");
    REQUIRE(file != NULL && fwrite(words, sizeof(*words), count, file) == count);
    (void)fclose(file);
    enum err e = truth_load(t, path, query_count, k, why);
    (void)unlink(path);
    return e;
}

TEST(tool_truth, ibin_gives_the_first_neighbours_of_the_first_queries)
{
    static const uint32_t words[] = {2, 3, 10, 11, 12, 20, 21, 22};
    struct truth t;
    struct why why = {""};
    REQUIRE(load_ibin(&t, words, COUNT_OF(words), 2, 2, &why) == OK);
    EXPECT_EQ(t.rows[0], 10);
    EXPECT_EQ(t.rows[1], 11);
    EXPECT_EQ(t.rows[2], 20);
    EXPECT_EQ(t.rows[3], 21);
    truth_free(&t);
    EXPECT_EQ(load_ibin(&t, words, COUNT_OF(words), 2, 4, &why), ERR_ARG);
    EXPECT_EQ(load_ibin(&t, words, COUNT_OF(words), 3, 3, &why), ERR_ARG);
    EXPECT_EQ(load_ibin(&t, words, 6, 2, 3, &why), ERR_CORRUPT);
    EXPECT(strstr(why.text, "within query 1") != NULL);
    EXPECT_EQ(load_ibin(&t, words, 1, 2, 3, &why), ERR_CORRUPT);
}
