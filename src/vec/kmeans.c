#include "vec/kmeans.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "vec/matrix.h"

enum {
    STEP_PRODUCTS = 24 * 1024 * 1024, /* of two floats, in a step */
    BLOCK_MIN = 8,
    BLOCK_MAX = 256
};

/* So little apart are two centers that share points from now on. */
static const float split = 1.0f / 1024;

/* One point by chance of each part of the points: none comes twice. */
static void choose_first(struct kmeans *k, uint64_t seed)
{
    for (size_t i = 0; i < k->centers; i++) {
        size_t first = i * k->count / k->centers, end = (i + 1) * k->count / k->centers;
        size_t at = first + rng_below(&seed, end - first);
        memcpy(k->centroids + i * k->dim, k->points + at * k->dim, k->dim * sizeof(float));
    }
}

static void begin_turn(struct kmeans *k)
{
    matrix_squares(k->centroids, k->centers, k->dim, k->squares);
    memset(k->sums, 0, (size_t)k->centers * k->dim * sizeof(float));
    memset(k->sizes, 0, k->centers * sizeof(*k->sizes));
    k->next = 0;
    k->error_so_far = 0;
}

enum err kmeans_init(struct kmeans *k, const float *points, size_t count, uint32_t dim,
                     uint32_t centers, unsigned turns, uint64_t seed)
{
    CHECK(centers >= 1 && centers <= count && dim >= 1 && turns >= 1);
    *k = (struct kmeans){
        .points = points, .count = count, .dim = dim, .centers = centers, .turns = turns};
    size_t floats = (size_t)centers * dim;
    k->block = STEP_PRODUCTS / floats;
    k->block = k->block < BLOCK_MIN ? BLOCK_MIN : k->block > BLOCK_MAX ? BLOCK_MAX : k->block;
    k->centroids = mem_try(MEM_GRAPH, floats * sizeof(float));
    k->sums = mem_try(MEM_SCRATCH, floats * sizeof(float));
    k->squares = mem_try(MEM_SCRATCH, centers * sizeof(float));
    k->sizes = mem_try(MEM_SCRATCH, centers * sizeof(*k->sizes));
    k->dots = mem_try(MEM_SCRATCH, k->block * centers * sizeof(float));
    if (k->centroids == NULL || k->sums == NULL || k->squares == NULL || k->sizes == NULL ||
        k->dots == NULL) {
        kmeans_fini(k);
        return ERR_NOMEM;
    }
    choose_first(k, seed);
    begin_turn(k);
    return OK;
}

void kmeans_fini(struct kmeans *k)
{
    mem_free(MEM_GRAPH, k->centroids);
    mem_free(MEM_SCRATCH, k->sums);
    mem_free(MEM_SCRATCH, k->squares);
    mem_free(MEM_SCRATCH, k->sizes);
    mem_free(MEM_SCRATCH, k->dots);
    *k = (struct kmeans){0};
}

uint32_t kmeans_nearest(const float *dots, const float *squares, uint32_t centers, float *dist)
{
    uint32_t best = 0;
    float least = squares[0] - 2 * dots[0];
    for (uint32_t i = 1; i < centers; i++) {
        float d = squares[i] - 2 * dots[i];
        if (d < least) {
            least = d;
            best = i;
        }
    }
    *dist = least;
    return best;
}

static void look_at(struct kmeans *k, const float *point, const float *dots)
{
    float least, square;
    uint32_t best = kmeans_nearest(dots, k->squares, k->centers, &least);
    float *sum = k->sums + (size_t)best * k->dim;
    for (uint32_t d = 0; d < k->dim; d++)
        sum[d] += point[d];
    k->sizes[best]++;
    matrix_squares(point, 1, k->dim, &square);
    float error = square + least;
    k->error_so_far += error > 0 ? (double)error : 0;
}

static uint32_t fullest(const struct kmeans *k)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < k->centers; i++)
        if (k->sizes[i] > k->sizes[best])
            best = i;
    return best;
}

/* An empty center takes half of the points of the fullest. */
static void fill_empty(struct kmeans *k)
{
    for (uint32_t i = 0; i < k->centers; i++) {
        uint32_t from = k->sizes[i] > 0 ? i : fullest(k);
        if (from == i || k->sizes[from] < 2)
            continue;
        float *a = k->centroids + (size_t)i * k->dim, *b = k->centroids + (size_t)from * k->dim;
        for (uint32_t d = 0; d < k->dim; d++) {
            float by = d % 2 == 0 ? split : -split;
            a[d] = b[d] * (1 + by);
            b[d] *= 1 - by;
        }
        k->sizes[i] = k->sizes[from] / 2;
        k->sizes[from] -= k->sizes[i];
    }
}

static void end_turn(struct kmeans *k)
{
    for (uint32_t i = 0; i < k->centers; i++) {
        float *center = k->centroids + (size_t)i * k->dim;
        for (uint32_t d = 0; d < k->dim && k->sizes[i] > 0; d++)
            center[d] = k->sums[(size_t)i * k->dim + d] / (float)k->sizes[i];
    }
    fill_empty(k);
    k->error = k->error_so_far;
    k->turn++;
}

bool kmeans_step(struct kmeans *k)
{
    if (k->turn == k->turns)
        return false;
    size_t left = k->count - k->next, block = left < k->block ? left : k->block;
    const float *points = k->points + k->next * k->dim;
    matrix_dots(points, block, k->centroids, k->centers, k->dim, k->dots);
    for (size_t i = 0; i < block; i++)
        look_at(k, points + i * k->dim, k->dots + i * k->centers);
    k->next += block;
    if (k->next < k->count)
        return true;
    end_turn(k);
    if (k->turn == k->turns)
        return false;
    begin_turn(k);
    return true;
}
