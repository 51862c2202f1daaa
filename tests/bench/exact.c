/* exact.c: exact search in blocks: one matrix product gives a tile of inner products, a bounded
 * heap per query keeps the candidates, doubles rank them at the end. */
#include "bench/exact.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { TILE_QUERIES = 500, TILE_ROWS = 8192, SPARE = 32 };

struct candidate {
    double distance;
    int32_t row;
};

/* A max-heap of the nearest so far: the farthest of them is at the root. */
struct heap {
    struct candidate *items;
    size_t count;
    size_t capacity;
};

static void *must_alloc(size_t count, size_t size)
{
    void *p = calloc(count, size);
    if (p == NULL)
        die("no memory for %zu bytes", count * size);
    return p;
}

double exact_distance(enum bench_metric metric, const float *a, const float *b, size_t dim)
{
    double dot = 0, norm_a = 0, norm_b = 0, l2 = 0;
    for (size_t i = 0; i < dim; i++) {
        double x = (double)a[i], y = (double)b[i];
        dot += x * y;
        norm_a += x * x;
        norm_b += y * y;
        l2 += (x - y) * (x - y);
    }
    return metric == BENCH_L2 ? l2 : 1 - dot / sqrt(norm_a * norm_b);
}

static bool farther(const struct candidate *a, const struct candidate *b)
{
    return a->distance > b->distance || (a->distance == b->distance && a->row > b->row);
}

static void swap_items(struct candidate *a, struct candidate *b)
{
    struct candidate t = *a;
    *a = *b;
    *b = t;
}

static void sift_down(struct heap *h)
{
    for (size_t i = 0, child; (child = 2 * i + 1) < h->count; i = child) {
        if (child + 1 < h->count && farther(&h->items[child + 1], &h->items[child]))
            child++;
        if (!farther(&h->items[child], &h->items[i]))
            return;
        swap_items(&h->items[i], &h->items[child]);
    }
}

static void sift_up(struct heap *h, size_t i)
{
    for (; i > 0 && farther(&h->items[i], &h->items[(i - 1) / 2]); i = (i - 1) / 2)
        swap_items(&h->items[i], &h->items[(i - 1) / 2]);
}

static inline void heap_offer(struct heap *h, double distance, int32_t row)
{
    if (h->count < h->capacity) {
        h->items[h->count] = (struct candidate){distance, row};
        sift_up(h, h->count++);
    } else if (distance < h->items[0].distance) {
        h->items[0] = (struct candidate){distance, row};
        sift_down(h);
    }
}

static int by_distance(const void *a, const void *b)
{
    return farther(a, b) ? 1 : farther(b, a) ? -1 : 0;
}

/* What has to be added to or scaled into an inner product to get a distance, per row. */
static float *norms_of(const struct matrix *m)
{
    float *norms = must_alloc(m->rows, sizeof *norms);
    for (size_t i = 0; i < m->rows; i++) {
        const float *row = matrix_row(m, i);
        double sum = 0;
        for (size_t j = 0; j < m->columns; j++)
            sum += (double)row[j] * (double)row[j];
        norms[i] = (float)sum;
    }
    return norms;
}

struct tile {
    enum bench_metric metric;
    size_t query, query_count; /* first and how many */
    size_t row, row_count;
    const float *dots; /* query_count x row_count */
    const float *row_norms;
};

/* The norm of the query is the same for all rows, so it is left out of the comparison. */
static void offer_tile(const struct tile *t, struct heap *heaps)
{
    for (size_t q = 0; q < t->query_count; q++) {
        const float *dots = t->dots + q * t->row_count;
        struct heap *h = &heaps[q];
        for (size_t r = 0; r < t->row_count; r++) {
            float norm = t->row_norms[t->row + r];
            float d = t->metric == BENCH_L2 ? norm - 2 * dots[r] : -dots[r] / sqrtf(norm);
            heap_offer(h, (double)d, (int32_t)(t->row + r));
        }
    }
}

static void rank_in_doubles(enum bench_metric metric, const struct matrix *train,
                            const float *query, struct heap *h)
{
    for (size_t i = 0; i < h->count; i++) {
        const float *row = matrix_row(train, (size_t)h->items[i].row);
        h->items[i].distance = exact_distance(metric, query, row, train->columns);
    }
    qsort(h->items, h->count, sizeof *h->items, by_distance);
}

static void search_queries(struct tile *t, const struct matrix *train, const struct matrix *query,
                           float *dots, struct heap *heaps)
{
    const int dim = (int)train->columns;
    for (t->row = 0; t->row < train->rows; t->row += TILE_ROWS) {
        size_t left = train->rows - t->row;
        t->row_count = left < TILE_ROWS ? left : TILE_ROWS;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)t->query_count, (int)t->row_count,
                    dim, 1.0F, matrix_row(query, t->query), dim, matrix_row(train, t->row), dim,
                    0.0F, dots, (int)t->row_count);
        offer_tile(t, heaps);
    }
}

void exact_search(enum bench_metric metric, const struct matrix *train, const struct matrix *query,
                  size_t k, int32_t *ids)
{
    CHECK(k > 0 && k <= train->rows && train->columns == query->columns);
    const size_t capacity = k + SPARE < train->rows ? k + SPARE : train->rows;
    float *row_norms = norms_of(train);
    float *dots = must_alloc((size_t)TILE_QUERIES * TILE_ROWS, sizeof *dots);
    struct heap *heaps = must_alloc(TILE_QUERIES, sizeof *heaps);
    struct candidate *items = must_alloc(TILE_QUERIES * capacity, sizeof *items);

    struct tile t = {.metric = metric, .dots = dots, .row_norms = row_norms};
    for (t.query = 0; t.query < query->rows; t.query += TILE_QUERIES) {
        size_t left = query->rows - t.query;
        t.query_count = left < TILE_QUERIES ? left : TILE_QUERIES;
        for (size_t i = 0; i < t.query_count; i++)
            heaps[i] = (struct heap){.items = items + i * capacity, .capacity = capacity};
        search_queries(&t, train, query, dots, heaps);
        for (size_t i = 0; i < t.query_count; i++) {
            rank_in_doubles(metric, train, matrix_row(query, t.query + i), &heaps[i]);
            for (size_t j = 0; j < k; j++)
                ids[(t.query + i) * k + j] = heaps[i].items[j].row;
        }
    }
    free(items);
    free(heaps);
    free(dots);
    free(row_norms);
}
