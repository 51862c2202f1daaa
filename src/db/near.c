/* A walk finds the nearest rows, not those within a radius: so it is made wide enough that the rows
 * within are among the nearer ones of its pool, of which it misses few. */
#include "db/near.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "index/scratch.h"

enum {
    ALIGNMENT = 64,
    EFFORT_FIRST = 256,
    EFFORT_MORE = 4,    /* times the one before */
    EFFORT_MOST = 8192, /* beyond, a walk is one with heaps (hnsw_search.c) */
    SCAN_SHARE = 24,    /* of the rows: a wider walk costs more than looking at all */
    WITHIN_SHARE = 4,   /* of the pool may be within the radius, at most */
    BEYOND_MOST = 64    /* rows beyond the radius one after the other: codes order nearly as
                           vectors do */
};

/* -- exact distances --------------------------------------------------------------------------- */

enum err near_scale_init(struct near_scale *scale, const struct collection_view *v,
                         const float *vector)
{
    const struct collection *c = v->collection;
    scale->codec = v->exact.codec;
    scale->rows = v->has_exact ? &v->exact : &v->codes;
    scale->cosine = c->spec.metric == METRIC_COSINE;
    scale->room = mem_try(MEM_SCRATCH, scale->codec->query_size + ALIGNMENT);
    if (scale->room == NULL)
        return ERR_NOMEM;
    size_t past = (uintptr_t)scale->room % ALIGNMENT;
    uint8_t *aligned = scale->room + (ALIGNMENT - past) % ALIGNMENT;
    codec_query(scale->codec, vector, aligned);
    scale->query = aligned;
    return OK;
}

void near_scale_fini(struct near_scale *scale)
{
    mem_free(MEM_SCRATCH, scale->room);
    scale->room = NULL;
}

/* Under COSINE a float dot product of a vector with itself misses 1 by its last bit. */
float near_distance(const struct near_scale *scale, uint32_t row)
{
    float distance = codec_score(scale->codec, scale->query, row_code(scale->rows, row));
    return scale->cosine && fabsf(distance) <= FLT_EPSILON ? 0 : distance;
}

/* -- the walk ---------------------------------------------------------------------------------- */

/* owner: near_walk */
struct walk {
    const struct near_query *q;
    struct lane *lane;
    struct index_cost *cost;
    struct near_scale scale;
    struct hit *hits;
    size_t count, capacity;
    bool failed;
};

/* The row when it is near; false: it is not. */
static bool take(struct walk *w, uint32_t row)
{
    float distance = near_distance(&w->scale, row);
    w->cost->distances++;
    if (!(distance <= w->q->radius))
        return false;
    if (!row_visible(&w->q->view->codes, row))
        return true;
    if (w->count == w->capacity) {
        size_t capacity = w->capacity == 0 ? 64 : 2 * w->capacity;
        struct hit *grown = mem_try_realloc(MEM_SCRATCH, w->hits, capacity * sizeof(*grown));
        w->failed |= grown == NULL;
        if (grown == NULL)
            return true;
        w->hits = grown;
        w->capacity = capacity;
    }
    w->hits[w->count++] = (struct hit){distance, row};
    return true;
}

static void take_pending(void *user, const uint32_t *rows, size_t count)
{
    struct walk *w = user;
    for (size_t i = 0; i < count; i++)
        (void)take(w, rows[i]);
}

/* Of what a walk has found, nearest first by codes. */
static void take_found(struct walk *w, const struct hit *found, size_t count)
{
    w->count = 0;
    for (size_t i = 0, beyond = 0; i < count && beyond < BEYOND_MOST; i++)
        beyond = take(w, found[i].row) ? 0 : beyond + 1;
}

/* Did the walk reach beyond all that is near? */
static bool is_enough(const struct walk *w, const struct hit *found, size_t count, size_t effort)
{
    double edge = (double)w->q->radius + w->q->epsilon * fabs((double)w->q->radius);
    return count == effort && w->count * WITHIN_SHARE <= count &&
           (double)found[count - 1].dist > edge;
}

/* *enough: what was taken is all that is near. */
static enum err walk(struct walk *w, size_t effort, bool *enough)
{
    const struct collection_view *v = w->q->view;
    const struct codec *codec = v->codes.codec;
    bool complete;
    uint8_t *prepared = scratch_get(w->lane, SCRATCH_QUERY_A, codec->query_size);
    struct hit *found = scratch_get(w->lane, SCRATCH_HITS, effort * sizeof(*found));
    if (prepared == NULL || found == NULL)
        return ERR_NOMEM;
    codec_query(codec, w->q->vector, prepared);
    struct index_query query = {.prepared = prepared, .effort = effort};
    size_t count =
        v->graph->ops->search(v->graph, &v->codes, w->lane, &query, found, &complete, w->cost);
    if (count == SIZE_MAX)
        return ERR_NOMEM;
    take_found(w, found, count);
    *enough = count > 0 && is_enough(w, found, count, effort);
    return w->failed ? ERR_NOMEM : OK;
}

static int by_row(const void *a, const void *b)
{
    uint32_t x = ((const struct hit *)a)->row, y = ((const struct hit *)b)->row;
    return (x > y) - (x < y);
}

/* A row may have been found by the walk and in the pending set. */
static void drop_twins(struct walk *w)
{
    size_t kept = 0;
    if (w->count > 0)
        qsort(w->hits, w->count, sizeof(*w->hits), by_row);
    for (size_t i = 0; i < w->count; i++)
        if (kept == 0 || w->hits[kept - 1].row != w->hits[i].row)
            w->hits[kept++] = w->hits[i];
    w->count = kept;
}

enum err near_walk(const struct near_query *q, struct lane *lane, struct index_cost *cost,
                   bool *walked, struct hit **hits, size_t *count)
{
    const struct collection_view *v = q->view;
    struct walk w = {.q = q, .lane = lane, .cost = cost};
    CHECK(q->epsilon >= 0);
    *hits = NULL;
    *count = 0;
    *walked = false;
    if (v->graph == NULL || !v->graph->ops->is_graph)
        return OK;
    enum err e = near_scale_init(&w.scale, v, q->vector);
    for (size_t effort = EFFORT_FIRST; e == OK && !*walked && !index_stops(cost) &&
                                       effort <= EFFORT_MOST && effort <= v->live / SCAN_SHARE;
         effort *= EFFORT_MORE)
        e = walk(&w, effort, walked);
    if (e == OK && *walked) {
        pending_each(&v->pending, take_pending, &w);
        drop_twins(&w);
        e = w.failed ? ERR_NOMEM : OK;
    }
    near_scale_fini(&w.scale);
    *hits = w.hits;
    *count = e == OK && *walked ? w.count : 0;
    return e;
}
