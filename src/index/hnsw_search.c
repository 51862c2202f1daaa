/* Searches of the graph: without a filter by the walk that linking uses too, with one (or a large
 * effort) by a walk with heaps, or by one over matching rows alone (hnsw_match.c). */
#include <math.h>
#include <string.h>

#include "index/hnsw_impl.h"
#include "index/visited.h"

enum {
    BATCH = 64,
    YIELD_HOPS = 32,
    POOL_EF_MAX = 8192 /* beyond, inserting into a sorted array costs more than a heap */
};

/* The walk with heaps: with a filter, or with a large effort.
 *
 * It follows rows that do not match, since the way to those that do leads over them;
 * only matching rows count as results. The frontier is a heap without bound, nearest on top. */
struct frontier {
    struct lane *lane;
    struct hit *hits;
    size_t count;
    size_t capacity;
};

/* False when memory is short. */
static bool frontier_push(struct frontier *f, struct hit h)
{
    if (f->count == f->capacity) {
        size_t capacity = f->capacity * 2 + 1024;
        /* Growing scratch does not keep its contents. */
        struct hit *copy = mem_try(MEM_SCRATCH, f->count * sizeof(*copy) + 1);
        if (copy == NULL)
            return false;
        if (f->count > 0)
            memcpy(copy, f->hits, f->count * sizeof(*copy));
        struct hit *grown = scratch_get(f->lane, SCRATCH_FRONTIER, capacity * sizeof(*grown));
        if (grown != NULL && f->count > 0)
            memcpy(grown, copy, f->count * sizeof(*copy));
        mem_free(MEM_SCRATCH, copy);
        if (grown == NULL)
            return false;
        f->hits = grown;
        f->capacity = capacity;
    }
    size_t at = f->count++;
    for (; at > 0 && hit_before(h, f->hits[(at - 1) / 2]); at = (at - 1) / 2)
        f->hits[at] = f->hits[(at - 1) / 2];
    f->hits[at] = h;
    return true;
}

static struct hit frontier_pop(struct frontier *f)
{
    CHECK(f->count > 0);
    struct hit top = f->hits[0];
    struct hit last = f->hits[--f->count];
    size_t at = 0;
    for (size_t child = 1; child < f->count; child = 2 * at + 1) {
        if (child + 1 < f->count && hit_before(f->hits[child + 1], f->hits[child]))
            child++;
        if (!hit_before(f->hits[child], last))
            break;
        f->hits[at] = f->hits[child];
        at = child;
    }
    f->hits[at] = last;
    return top;
}

/* What a filtered walk works on. */
struct filtered {
    const struct hnsw *h;
    const struct index_rows *rows;
    const struct index_query *query;
    struct visited visited;
    struct frontier frontier;
    struct topk results;
    struct index_cost *cost;
};

/* A row that was scored: a result if it matches, and a place to go on from either way. */
static bool consider(struct filtered *w, struct hit h)
{
    if (!topk_wants(&w->results, h.dist))
        return true;
    const struct index_filter *filter = &w->query->filter;
    if (row_visible(w->rows, h.row) &&
        (filter->accept == NULL || filter->accept(filter->user, h.row)))
        topk_push(&w->results, h);
    return frontier_push(&w->frontier, h);
}

static bool follow(struct filtered *w, uint32_t row)
{
    const hnsw_link *links = hnsw_links(w->h, row, 0);
    uint32_t ids[BATCH];
    float scores[BATCH];
    for (uint32_t i = 0; i < w->h->m0;) {
        size_t count = 0;
        for (; i < w->h->m0 && count < BATCH; i++) {
            uint32_t id = link_load(&links[i]);
            if (id == ROW_NONE) {
                i = w->h->m0;
                break;
            }
            if (!visited_test_set(&w->visited, id))
                ids[count++] = id;
        }
        visited_note(&w->visited, ids, count);
        codec_score_many(w->rows->codec, w->query->prepared, w->rows->codes, ids, count, scores);
        w->cost->distances += count;
        for (size_t j = 0; j < count; j++)
            if (!consider(w, (struct hit){scores[j], ids[j]}))
                return false;
    }
    w->cost->hops++;
    return true;
}

static size_t walk_filtered(struct filtered *w, struct lane *lane, struct hit start, bool *complete)
{
    if (!visited_test_set(&w->visited, start.row))
        visited_note(&w->visited, &start.row, 1);
    uint64_t before = w->cost->distances;
    bool ok = consider(w, start);
    for (unsigned hops = 1; ok && w->frontier.count > 0; hops++) {
        struct hit next = frontier_pop(&w->frontier);
        if (!topk_wants(&w->results, next.dist))
            break;
        if (w->query->visit_max > 0 && w->cost->distances - before > w->query->visit_max) {
            *complete = false;
            break;
        }
        if (hops % YIELD_HOPS == 0) {
            lane_yield(lane);
            if (index_stops(w->cost))
                break;
        }
        ok = follow(w, next.row);
    }
    topk_sort(&w->results);
    return ok ? w->results.count : SIZE_MAX;
}

static size_t search_filtered(const struct hnsw *h, const struct index_rows *rows,
                              struct lane *lane, const struct index_query *query, struct hit start,
                              struct hit *out, bool *complete, struct index_cost *cost)
{
    struct filtered w = {.h = h, .rows = rows, .query = query, .cost = cost};
    w.frontier.lane = lane;
    topk_init(&w.results, out, query->effort);
    if (!visited_begin(&w.visited, lane, rows->end))
        return SIZE_MAX;
    size_t count = walk_filtered(&w, lane, start, complete);
    visited_end(&w.visited);
    return count;
}

size_t hnsw_search(const struct index *x, const struct index_rows *rows, struct lane *lane,
                   const struct index_query *query, struct hit *out, bool *complete,
                   struct index_cost *cost)
{
    const struct hnsw *h = (const struct hnsw *)x;
    CHECK(query->effort > 0);
    *complete = true;
    uint64_t entry = atomic_load_explicit(&((struct hnsw *)h)->entry, memory_order_acquire);
    if (entry == ENTRY_NONE)
        return 0;
    struct hit start = hnsw_descend(h, rows, query->prepared, entry, 0, cost);
    if (!query->matching_only && (query->filter.accept != NULL || query->effort > POOL_EF_MAX))
        return search_filtered(h, rows, lane, query, start, out, complete, cost);
    size_t keep = query->keep > query->effort ? query->keep : query->effort;
    struct hit *pool = scratch_get(lane, SCRATCH_POOL, (keep + 1) * sizeof(*pool));
    if (pool == NULL)
        return SIZE_MAX;
    bool ok = true;
    size_t count = 1;
    pool[0] = start;
    if (query->hidden != NULL && *query->hidden != start.row && keep > 1)
        pool[count++] = (struct hit){INFINITY, *query->hidden};
    if (query->matching_only)
        count = hnsw_walk_matching(h, rows, lane, query, start.row, pool, cost);
    else
        count = hnsw_walk(h, rows, lane, query->prepared, 0, query->effort, keep, pool, count, &ok,
                          cost);
    if (!ok || count == SIZE_MAX)
        return SIZE_MAX;
    CHECK(count <= keep);
    memcpy(out, pool, count * sizeof(*out));
    return count;
}
