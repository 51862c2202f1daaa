/* prepare.c: makes the benchmark data that a run needs and skips what is there already.
 *
 *   prepare DIR glove100|fashion784|syn768|syn128 ...
 *
 * glove100: 2,000 words of DIR/glove100/words.fbin are held out as queries, the rest is indexed.
 * fashion784: train.fbin and test.fbin are there; only the ground truth is made.
 * syn768, syn128: points near 1,000 centres of 32 dimensions, seen through a random matrix. All of
 * it follows from one seed. Ground truth: the 100 nearest of each query (exact.h), some of
 * which are verified against a plain scan in doubles. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "bench/data.h"
#include "bench/exact.h"

enum {
    TRUTH_K = 100,
    VERIFIED_QUERIES = 20,
    GLOVE_QUERIES = 2000,
    SYN_DIM_MAX = 768,
    SYN_INNER_DIM = 32,
    SYN_CENTRES = 1000,
    PATH_SIZE = 1024
};

/* Vigna's splitmix64: small, and the same everywhere. */
static uint64_t rng_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* In (0, 1]: never 0, because its logarithm is taken. */
static double rng_unit(uint64_t *state)
{
    return ((double)(rng_next(state) >> 11) + 1) / 9007199254740992.0;
}

/* Box and Muller 1958, one of the two values. */
static float rng_normal(uint64_t *state)
{
    const double two_pi = 6.283185307179586;
    double radius = sqrt(-2 * log(rng_unit(state)));
    return (float)(radius * cos(two_pi * rng_unit(state)));
}

static void *must_alloc(size_t count, size_t size)
{
    void *p = calloc(count, size);
    if (p == NULL)
        die("no memory for %zu bytes", count * size);
    return p;
}

static const char *path_of(char path[PATH_SIZE], const char *dir, const char *set, const char *file)
{
    CHECK(snprintf(path, PATH_SIZE, "%s/%s/%s", dir, set, file) < PATH_SIZE);
    return path;
}

static bool have(const char *dir, const char *set, const char *file)
{
    char path[PATH_SIZE];
    return file_exists(path_of(path, dir, set, file));
}

/* Marks count of the rows, each choice equally likely (Knuth's selection sampling). */
static bool *choose_rows(size_t rows, size_t count, uint64_t *rng)
{
    bool *chosen = must_alloc(rows, sizeof *chosen);
    size_t needed = count;
    for (size_t i = 0; i < rows && needed > 0; i++) {
        if (rng_next(rng) % (rows - i) < needed) {
            chosen[i] = true;
            needed--;
        }
    }
    CHECK(needed == 0);
    return chosen;
}

static void split_glove(const char *dir)
{
    char path[PATH_SIZE];
    if (have(dir, "glove100", "train.fbin") && have(dir, "glove100", "query.fbin"))
        return;
    struct matrix words = matrix_map(path_of(path, dir, "glove100", "words.fbin"));
    uint64_t rng = 100;
    bool *held_out = choose_rows(words.rows, GLOVE_QUERIES, &rng);
    const size_t dim = words.columns;
    float *query = must_alloc((size_t)GLOVE_QUERIES * dim, sizeof *query);
    float *train = must_alloc((words.rows - GLOVE_QUERIES) * dim, sizeof *train);
    size_t query_count = 0, train_count = 0;
    for (size_t i = 0; i < words.rows; i++) {
        float *to = held_out[i] ? query + query_count++ * dim : train + train_count++ * dim;
        memcpy(to, matrix_row(&words, i), dim * sizeof *to);
    }
    path_of(path, dir, "glove100", "query.fbin");
    matrix_save(path, (uint32_t)query_count, words.columns, query);
    path_of(path, dir, "glove100", "train.fbin");
    matrix_save(path, (uint32_t)train_count, words.columns, train);
    free(train);
    free(query);
    free(held_out);
    matrix_unmap(&words);
}

/* The dimensions are the seed, too. */
static const struct syn_size {
    const char *name;
    uint32_t dim;
    uint32_t train;
    uint32_t queries;
} syn_sizes[] = {{"syn768", 768, 100000, 1000}, {"syn128", 128, 1000000, 2000}};

struct syn {
    float centres[SYN_CENTRES][SYN_INNER_DIM];
    float map[SYN_INNER_DIM][SYN_DIM_MAX];
};

static void syn_point(const struct syn *s, uint64_t *rng, size_t dim, float *out)
{
    const float *centre = s->centres[rng_next(rng) % SYN_CENTRES];
    memset(out, 0, dim * sizeof *out);
    for (size_t i = 0; i < SYN_INNER_DIM; i++) {
        float inner = centre[i] + 0.5F * rng_normal(rng);
        for (size_t j = 0; j < dim; j++)
            out[j] += inner * s->map[i][j];
    }
    double norm = 0;
    for (size_t j = 0; j < dim; j++) {
        out[j] += 0.05F * rng_normal(rng);
        norm += (double)out[j] * (double)out[j];
    }
    for (size_t j = 0; j < dim; j++)
        out[j] = (float)((double)out[j] / sqrt(norm));
}

static void make_syn(const char *dir, const struct syn_size *size)
{
    char path[PATH_SIZE];
    if (have(dir, size->name, "train.fbin") && have(dir, size->name, "query.fbin"))
        return;
    const size_t dim = size->dim;
    CHECK(dim <= SYN_DIM_MAX && size->queries <= size->train);
    uint64_t rng = dim;
    struct syn *s = must_alloc(1, sizeof *s);
    for (size_t i = 0; i < SYN_CENTRES; i++) {
        for (size_t j = 0; j < SYN_INNER_DIM; j++)
            s->centres[i][j] = rng_normal(&rng);
    }
    const float deviation = 1 / sqrtf(SYN_INNER_DIM);
    for (size_t i = 0; i < SYN_INNER_DIM; i++) {
        for (size_t j = 0; j < dim; j++)
            s->map[i][j] = deviation * rng_normal(&rng);
    }
    float *rows = must_alloc(size->train * dim, sizeof *rows);
    for (size_t i = 0; i < size->train; i++)
        syn_point(s, &rng, dim, rows + i * dim);
    matrix_save(path_of(path, dir, size->name, "train.fbin"), size->train, size->dim, rows);
    for (size_t i = 0; i < size->queries; i++)
        syn_point(s, &rng, dim, rows + i * dim);
    matrix_save(path_of(path, dir, size->name, "query.fbin"), size->queries, size->dim, rows);
    free(rows);
    free(s);
}

/* No row outside the list may be nearer than the last of the list, by a scan in doubles. */
static void verify_query(enum bench_metric metric, const struct matrix *train, const float *query,
                         const int32_t *ids)
{
    bool *listed = must_alloc(train->rows, sizeof *listed);
    double last = -1;
    for (size_t i = 0; i < TRUTH_K; i++) {
        const float *row = matrix_row(train, (size_t)ids[i]);
        double d = exact_distance(metric, query, row, train->columns);
        if (d < last || listed[ids[i]])
            die("ground truth is out of order or names a row twice");
        last = d;
        listed[ids[i]] = true;
    }
    for (size_t i = 0; i < train->rows; i++) {
        if (!listed[i] &&
            exact_distance(metric, query, matrix_row(train, i), train->columns) < last)
            die("ground truth misses row %zu", i);
    }
    free(listed);
}

static void make_truth(const char *dir, const char *set, enum bench_metric metric,
                       const char *query_file)
{
    char path[PATH_SIZE];
    if (have(dir, set, "gt.ibin"))
        return;
    struct matrix train = matrix_map(path_of(path, dir, set, "train.fbin"));
    struct matrix query = matrix_map(path_of(path, dir, set, query_file));
    int32_t *ids = must_alloc((size_t)query.rows * TRUTH_K, sizeof *ids);
    exact_search(metric, &train, &query, TRUTH_K, ids);
    for (size_t i = 0; i < VERIFIED_QUERIES; i++) {
        size_t q = i * query.rows / VERIFIED_QUERIES;
        verify_query(metric, &train, matrix_row(&query, q), ids + q * TRUTH_K);
    }
    matrix_save(path_of(path, dir, set, "gt.ibin"), query.rows, TRUTH_K, ids);
    printf("%s: %u vectors, %u queries of %u dimensions, ground truth %d\n", set, train.rows,
           query.rows, train.columns, TRUTH_K);
    free(ids);
    matrix_unmap(&query);
    matrix_unmap(&train);
}

static const struct syn_size *syn_size_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(syn_sizes); i++)
        if (strcmp(syn_sizes[i].name, name) == 0)
            return &syn_sizes[i];
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage: prepare DIR glove100|fashion784|syn768|syn128 ...");
    const char *dir = argv[1];
    for (int i = 2; i < argc; i++) {
        char path[PATH_SIZE];
        const struct syn_size *size = syn_size_of(argv[i]);
        (void)mkdir(dir, 0755); /* may be there; if not, writing a file says so */
        (void)mkdir(path_of(path, dir, argv[i], ""), 0755);
        errno = 0;
        if (strcmp(argv[i], "glove100") == 0) {
            split_glove(dir);
            make_truth(dir, argv[i], BENCH_COSINE, "query.fbin");
        } else if (strcmp(argv[i], "fashion784") == 0) {
            make_truth(dir, argv[i], BENCH_L2, "test.fbin");
        } else if (size != NULL) {
            make_syn(dir, size);
            make_truth(dir, argv[i], BENCH_COSINE, "query.fbin");
        } else {
            die("no data set '%s': glove100, fashion784, syn768, syn128", argv[i]);
        }
    }
    return 0;
}
