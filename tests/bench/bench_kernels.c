/* bench_kernels.c: what a row costs in each kernel, for every table this machine can run.
 *
 * "cache": 64 rows scored over and over. "random": 24 random rows of 256 MB per call, as a step of
 * a graph search asks for them. "scan": all 256 MB in order. The best of several passes each, since
 * other processes only ever make a pass slower. Arguments: names of tables (all without). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/read_speed.h"
#include "vec/codec.h"

enum {
    ARENA_SIZE = 256 * 1024 * 1024,
    CACHE_ROWS = 64,
    CALL_ROWS = 24,
    CALLS = 4096,
    PASSES = 9,
    IDS = PASSES * CALLS * CALL_ROWS,
    FLOATS_MAX = 4096
};

struct bench {
    const struct vec_kernels *kernels;
    uint8_t *arena;
    uint32_t *ids; /* PASSES * CALLS * CALL_ROWS: no pass meets the rows of another */
    float *out;    /* as many as the arena has rows */
    uint8_t *query;
    struct codec codec;
};

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Fills the arena with rows of the codec's form: 251 different ones, repeated. */
static void fill_rows(struct bench *b)
{
    enum { DIFFERENT = 251 };
    static float vector[FLOATS_MAX];
    uint64_t state = 7;
    size_t size = b->codec.row_size, rows = ARENA_SIZE / size;
    for (size_t i = 0; i < rows; i++) {
        if (i >= DIFFERENT) {
            memcpy(b->arena + i * size, b->arena + (i - DIFFERENT) * size, size);
            continue;
        }
        for (size_t d = 0; d < b->codec.dim; d++)
            vector[d] = (float)(int32_t)next_random(&state) / 2147483648.0f;
        codec_encode(&b->codec, vector, b->arena + i * size);
    }
    codec_query(&b->codec, vector, b->query);
}

static void fill_ids(struct bench *b, size_t rows)
{
    uint64_t state = 99;
    for (size_t i = 0; i < IDS; i++)
        b->ids[i] = (uint32_t)(next_random(&state) % rows);
}

/* ns per row over CALLS calls of CALL_ROWS ids. */
static double many_ns(struct bench *b, size_t rows)
{
    double best = 1e18;
    fill_ids(b, rows);
    for (size_t pass = 0; pass < PASSES; pass++) {
        const uint32_t *ids = b->ids + pass * CALLS * CALL_ROWS;
        double start = now_ns();
        for (size_t call = 0; call < CALLS; call++)
            codec_score_many(&b->codec, b->query, b->arena, ids + call * CALL_ROWS, CALL_ROWS,
                             b->out);
        double took = (now_ns() - start) / (CALLS * CALL_ROWS);
        best = took < best ? took : best;
    }
    return best;
}

static double scan_ns(struct bench *b)
{
    double best = 1e18;
    size_t rows = ARENA_SIZE / b->codec.row_size;
    for (int pass = 0; pass < PASSES; pass++) {
        double start = now_ns();
        codec_score_range(&b->codec, b->query, b->arena, 0, rows, b->out);
        double took = (now_ns() - start) / (double)rows;
        best = took < best ? took : best;
    }
    return best;
}

/* ns for one query to be prepared. */
static double query_ns(struct bench *b)
{
    static float vector[FLOATS_MAX];
    double best = 1e18;
    codec_decode(&b->codec, b->arena, vector);
    for (int pass = 0; pass < PASSES; pass++) {
        double start = now_ns();
        for (int i = 0; i < 1000; i++)
            codec_query(&b->codec, vector, b->query);
        double took = (now_ns() - start) / 1000;
        best = took < best ? took : best;
    }
    return best;
}

/* ns for one pair of cached vectors through the form for one pair. */
static double pair_ns(const struct vec_kernels *k, enum metric metric, size_t dim)
{
    /* 16 floats more, or both would compete for the same lines of the cache. */
    static float a[FLOATS_MAX + 16], c[FLOATS_MAX];
    static volatile float sink;
    double best = 1e18;
    float (*f)(const float *, const float *, size_t) = metric == METRIC_L2 ? k->l2_f32 : k->dot_f32;
    for (int pass = 0; pass < PASSES; pass++) {
        double start = now_ns();
        for (int i = 0; i < 10000; i++)
            sink = sink + f(a, c, dim);
        double took = (now_ns() - start) / 10000;
        best = took < best ? took : best;
    }
    return best;
}

/* The two that BARS.md names, in cache: bytes of 100 dimensions, and floats of 768 beside what only
 * to load them takes. */
static void print_bars(struct bench *b)
{
    codec_init(&b->codec, QUANT_SQ8, METRIC_COSINE, 100, b->kernels);
    fill_rows(b);
    printf("%-7s int8, 100 dimensions, in cache: %.1f ns (bar: 8)\n", b->kernels->name,
           many_ns(b, CACHE_ROWS));
    codec_init(&b->codec, QUANT_NONE, METRIC_COSINE, 768, b->kernels);
    fill_rows(b);
    double ns = many_ns(b, CACHE_ROWS), size = (double)b->codec.row_size;
    double floor_ns = size / read_speed_gbs(b->arena, CACHE_ROWS * b->codec.row_size);
    printf("%-7s float, 768 dimensions, in cache: %.1f ns, to loading them %.2f (bar: 1.3)\n",
           b->kernels->name, ns, ns / floor_ns);
}

static void print_rows(struct bench *b, enum quant quant, enum metric metric, uint32_t dim)
{
    codec_init(&b->codec, quant, metric, dim, b->kernels);
    fill_rows(b);
    size_t size = b->codec.row_size;
    double cache = many_ns(b, CACHE_ROWS);
    double random = many_ns(b, ARENA_SIZE / size);
    double scan = scan_ns(b);
    printf("%-7s %-5s %-6s %5u %6zu", b->kernels->name, quant_name(quant), metric_name(metric), dim,
           size);
    printf(" %8.1f %8.1f %8.1f %6.1f", cache, random, scan, (double)size / scan);
    if (quant == QUANT_NONE)
        printf("     pair %6.1f\n", pair_ns(b->kernels, metric, dim));
    else
        printf("    query %6.0f\n", query_ns(b));
    fflush(stdout);
}

static void print_table(struct bench *b)
{
    static const uint32_t dims[] = {100, 128, 768, 1536};
    for (size_t i = 0; i < COUNT_OF(dims); i++) {
        print_rows(b, QUANT_NONE, METRIC_COSINE, dims[i]);
        print_rows(b, QUANT_NONE, METRIC_L2, dims[i]);
        print_rows(b, QUANT_SQ8, METRIC_COSINE, dims[i]);
        print_rows(b, QUANT_BIN, METRIC_COSINE, dims[i]);
    }
    print_bars(b);
}

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    struct bench b = {.arena = map_huge(ARENA_SIZE),
                      .ids = map_huge(sizeof(uint32_t) * IDS),
                      .out = map_huge(ARENA_SIZE / 16 * sizeof(float)),
                      .query = map_huge(FLOATS_MAX * sizeof(float))};
    memset(b.arena, 1, ARENA_SIZE);
    memset(b.out, 1, ARENA_SIZE / 16 * sizeof(float));
    printf("sequential read, one thread: %.1f GB/s\n", read_speed_gbs(b.arena, ARENA_SIZE));
    printf("%-7s %-5s %-6s %5s %6s %8s %8s %8s %6s   (ns per row)\n", "table", "quant", "metric",
           "dim", "bytes", "cache", "random", "scan", "GB/s");
    for (size_t i = 0; i < vec_kernels_count(); i++) {
        b.kernels = vec_kernels_at(i);
        if (vec_kernels_usable(b.kernels) && wanted(b.kernels->name, argc, argv))
            print_table(&b);
    }
    return EXIT_SUCCESS;
}
