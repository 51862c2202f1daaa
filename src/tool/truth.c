/* truth.c: exact search by brute force. For 2,000 queries over 340,000 vectors of 100 dimensions
 * that is 68 billion multiplications, so the order of loops matters: rows come in chunks that stay
 * in the cache while a group of queries meets them, and groups are drawn by all cores. */
#include "tool/truth.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "base/topk.h"

/* A chunk of rows stays in the cache while a group of queries is compared with it. */
enum { GROUP_SIZE = 32, CHUNK_ROWS = 256, THREADS_MAX = 64 };

/* owner: truth_compute; threads share it: next is atomic (relaxed: it hands out numbers and orders
 * nothing), the rest is immutable, and each query's rows of truth belong to the thread that drew
 * its group. */
struct exact {
    const struct vec_kernels *kernels;
    const struct matrix *base;
    const struct matrix *queries;
    const float *row_scale; /* COSINE: 1 / norm of each row; else NULL */
    enum metric metric;
    struct truth *truth;
    atomic_size_t next;
};

/* The order of these is the order of distances to one query. */
static void compare(const struct exact *x, const float *query, uint32_t first, size_t count,
                    float *out)
{
    const struct matrix *base = x->base;
    CHECK(count <= CHUNK_ROWS && first + count <= base->count);
    size_t stride = base->dim * sizeof(float);
    const uint8_t *rows = (const uint8_t *)base->values;
    if (x->metric == METRIC_L2) {
        x->kernels->l2_f32_range(query, rows, stride, first, count, base->dim, out);
        return;
    }
    x->kernels->dot_f32_range(query, rows, stride, first, count, base->dim, out);
    for (size_t i = 0; i < count; i++)
        out[i] *= x->row_scale == NULL ? -1.0f : -x->row_scale[first + i];
}

static void search_group(struct exact *x, size_t first_query, size_t query_count, struct hit *room)
{
    CHECK(query_count <= GROUP_SIZE && first_query + query_count <= x->queries->count);
    struct topk nearest[GROUP_SIZE];
    float distances[CHUNK_ROWS];
    uint32_t k = x->truth->k;
    for (size_t q = 0; q < query_count; q++)
        topk_init(&nearest[q], room + q * k, k);
    for (uint64_t first = 0; first < x->base->count; first += CHUNK_ROWS) {
        size_t left = (size_t)(x->base->count - first);
        size_t count = left < CHUNK_ROWS ? left : CHUNK_ROWS;
        for (size_t q = 0; q < query_count; q++) {
            compare(x, matrix_row(x->queries, first_query + q), (uint32_t)first, count, distances);
            for (size_t i = 0; i < count; i++)
                if (topk_wants(&nearest[q], distances[i]))
                    topk_push(&nearest[q], (struct hit){distances[i], (uint32_t)(first + i)});
        }
    }
    for (size_t q = 0; q < query_count; q++) {
        topk_sort(&nearest[q]);
        CHECK(nearest[q].count == k);
        for (size_t i = 0; i < k; i++)
            x->truth->rows[(first_query + q) * k + i] = nearest[q].hits[i].row;
    }
}

static void exact_thread(void *arg)
{
    struct exact *x = arg;
    struct hit *room = mem_alloc(MEM_SCRATCH, GROUP_SIZE * x->truth->k * sizeof(*room));
    for (;;) {
        size_t first = atomic_fetch_add_explicit(&x->next, GROUP_SIZE, memory_order_relaxed);
        if (first >= x->queries->count)
            break;
        size_t left = (size_t)x->queries->count - first;
        search_group(x, first, left < GROUP_SIZE ? left : GROUP_SIZE, room);
    }
    mem_free(MEM_SCRATCH, room);
}

/* As many threads as cores; when the system gives fewer, those do all the work. */
static enum err run_threads(struct exact *x, struct why *why)
{
    struct thread threads[THREADS_MAX];
    CHECK((x->metric == METRIC_COSINE) == (x->row_scale != NULL));
    unsigned wanted = thread_core_count(), started = 0;
    wanted = wanted < THREADS_MAX ? wanted : THREADS_MAX;
    enum err e = OK;
    while (e == OK && started < wanted) {
        e = thread_start(&threads[started], "truth", exact_thread, x);
        started += e == OK;
    }
    for (unsigned i = 0; i < started; i++)
        thread_join(&threads[i]);
    return started > 0 ? OK : why_set(why, e, "no thread could be started");
}

static float *scales_of_rows(const struct vec_kernels *kernels, const struct matrix *m)
{
    float *scales = mem_try(MEM_SCRATCH, m->count * sizeof(*scales));
    for (uint64_t i = 0; scales != NULL && i < m->count; i++) {
        float square = kernels->dot_f32(matrix_row(m, i), matrix_row(m, i), m->dim);
        scales[i] = square > 0 ? 1 / sqrtf(square) : 0;
    }
    return scales;
}

enum err truth_compute(struct truth *t, const struct matrix *base, const struct matrix *queries,
                       enum metric metric, uint32_t k, struct why *why)
{
    const struct vec_kernels *kernels;
    float *scales = NULL;
    *t = (struct truth){.query_count = queries->count, .k = k};
    if (base->dim != queries->dim)
        return why_set(why, ERR_ARG, "the dataset has %u dimensions, the queries have %u",
                       base->dim, queries->dim);
    if (k == 0 || base->count < k || base->count > UINT32_MAX)
        return why_set(why, ERR_ARG, "the dataset has %llu vectors, fewer than the %u asked for",
                       (unsigned long long)base->count, k);
    enum err e = vec_kernels_choose("auto", &kernels, why);
    if (e != OK)
        return e;
    t->rows = mem_try(MEM_SCRATCH, queries->count * k * sizeof(*t->rows));
    if (metric == METRIC_COSINE)
        scales = scales_of_rows(kernels, base);
    if (t->rows == NULL || (metric == METRIC_COSINE && scales == NULL)) {
        e = why_set(why, ERR_NOMEM, "no memory for the ground truth");
        goto done;
    }
    struct exact x = {kernels, base, queries, scales, metric, t, 0};
    e = run_threads(&x, why);

done:
    mem_free(MEM_SCRATCH, scales);
    if (e != OK)
        truth_free(t);
    return e;
}

static enum err read_rows(struct truth *t, FILE *file, const char *path, struct why *why)
{
    uint32_t header[2] = {0, 0}; /* queries, neighbours of each */
    if (fread(header, sizeof(header), 1, file) != 1)
        return why_set(why, ERR_CORRUPT, "%.150s: offset 0: the file ends within the header", path);
    if (header[0] < t->query_count || header[1] < t->k)
        return why_set(why, ERR_ARG,
                       "%.150s: has %u neighbours of %u queries; %u of %llu are "
                       "needed",
                       path, header[1], header[0], t->k, (unsigned long long)t->query_count);
    for (uint64_t q = 0; q < t->query_count; q++) {
        long skip = (long)((header[1] - t->k) * sizeof(uint32_t));
        if (fread(t->rows + q * t->k, sizeof(uint32_t), t->k, file) != t->k ||
            fseek(file, skip, SEEK_CUR) != 0)
            return why_set(why, ERR_CORRUPT, "%.150s: the file ends within query %llu", path,
                           (unsigned long long)q);
    }
    return OK;
}

enum err truth_load(struct truth *t, const char *path, uint64_t query_count, uint32_t k,
                    struct why *why)
{
    *t = (struct truth){.query_count = query_count, .k = k};
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return why_set(why, ERR_IO, "%.150s: %s", path, strerror(errno));
    t->rows = mem_try(MEM_SCRATCH, query_count * k * sizeof(*t->rows));
    enum err e = t->rows == NULL ? why_set(why, ERR_NOMEM, "no memory for the ground truth")
                                 : read_rows(t, file, path, why);
    (void)fclose(file);
    if (e != OK)
        truth_free(t);
    return e;
}

void truth_free(struct truth *t)
{
    mem_free(MEM_SCRATCH, t->rows);
    t->rows = NULL;
}
