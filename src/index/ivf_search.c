/* Searches of the lists nearest to the query. A list is read under its lock, and the filter is
 * asked about rows that are near enough to be kept, and about no others. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "index/ivf_impl.h"

enum {
    BATCH = 64,
    FETCH_LINE = 64,
    FETCH_MAX = 8192, /* bytes of the next list, fetched while one is looked at */
    PROBES_GROW = 4   /* when too few were found: so many times the lists */
};

struct probe {
    const struct ivf *v;
    const struct index_rows *rows;
    const struct index_query *query;
    struct lane *lane;
    struct index_cost *cost;
    const float *vector;
    float *scores;       /* of centroids */
    struct hit *nearest; /* lists, nearest first */
    struct topk top;
    struct pq4_scan scan;
    float bias;
};

static bool counts(struct probe *p, uint32_t row)
{
    const struct index_filter *filter = &p->query->filter;
    if (!row_visible(p->rows, row))
        return false;
    if (filter->accept == NULL)
        return true;
    p->cost->tested++;
    return filter->accept(filter->user, row);
}

static void consider(struct probe *p, float score, uint32_t row)
{
    if (row < p->rows->end && topk_wants(&p->top, score) && counts(p, row))
        topk_push(&p->top, (struct hit){score, row});
}

/* Rows without codes are scored where they stand. */
static void look_at_rows(struct probe *p, const struct ivf_list *list)
{
    const uint32_t *all = list_rows(p->v, list);
    uint32_t count = list_count(list), ids[BATCH];
    float scores[BATCH];
    for (uint32_t at = 0; at < count;) {
        size_t size = 0;
        for (; at < count && size < BATCH; at++)
            if (all[at] < p->rows->end)
                ids[size++] = all[at];
        codec_score_many(p->rows->codec, p->query->prepared, p->rows->codes, ids, size, scores);
        p->cost->distances += size;
        for (size_t i = 0; i < size; i++)
            consider(p, scores[i], ids[i]);
    }
}

/* What all rows of a list have in common of their scores. */
static float base_of(const struct probe *p, uint32_t number)
{
    const struct ivf_model *m = &p->v->model;
    const float *center = m->centroids + (size_t)number * m->dim;
    const struct vec_kernels *kernels = m->codec.kernels;
    if (m->metric == METRIC_IP)
        return 1 - kernels->dot_f32(p->vector, center, m->dim) + p->bias;
    return kernels->l2_f32(p->vector, center, m->dim) + p->bias;
}

static void look_at_codes(struct probe *p, const struct ivf_list *list, uint32_t number)
{
    const struct ivf *v = p->v;
    const uint32_t *rows = list_rows(v, list);
    const float *adds = list_adds(v, list);
    const struct vec_kernels *kernels = v->model.codec.kernels;
    uint32_t count = list_count(list);
    float scores[PQ_BLOCK];
    p->scan.base = base_of(p, number);
    for (uint32_t at = 0; at < count; at += PQ_BLOCK) {
        const struct topk *top = &p->top;
        p->scan.limit = top->count < top->capacity ? FLT_MAX : top->hits[0].dist;
        uint32_t below = kernels->pq4_block(&p->scan, list_block(v, list, at), adds + at, scores);
        if (count - at < PQ_BLOCK)
            below &= ((uint32_t)1 << (count - at)) - 1;
        for (; below != 0; below &= below - 1) {
            unsigned i = (unsigned)__builtin_ctz(below);
            consider(p, scores[i], rows[at + i]);
        }
    }
    p->cost->distances += count;
}

/* The next lists are on their way while one is looked at. */
static void fetch_list(const struct probe *p, size_t at, size_t end)
{
    const struct ivf *v = p->v;
    if (at + 1 < end)
        __builtin_prefetch(&v->lists[p->nearest[at + 1].row]);
    if (at >= end)
        return;
    const struct ivf_list *list = &v->lists[p->nearest[at].row];
    size_t size = list_count(list) * (v->model.has_codes ? code_size(v) : sizeof(uint32_t));
    const uint8_t *memory = list_memory(list);
    for (size_t i = 0; i < size && i < FETCH_MAX; i += FETCH_LINE)
        __builtin_prefetch(memory + i);
}

/* False: somebody writes to the list, and does not come to an end. */
static bool look_at(struct probe *p, uint32_t number)
{
    struct ivf_list *list = &p->v->lists[number];
    if (list_count(list) == 0)
        return true;
    if (!list_read_lock(list, p->lane))
        return false;
    if (list_count(list) > 0 && p->v->model.has_codes)
        look_at_codes(p, list, number);
    else if (list_count(list) > 0)
        look_at_rows(p, list);
    list_read_unlock(list);
    p->cost->hops++;
    return true;
}

/* The lists by their centroids' codes: some thousandths off, which moves few of them past the last
 * that is looked at. */
static bool score_lists(struct probe *p)
{
    const struct ivf_model *m = &p->v->model;
    uint8_t *prepared = scratch_get(p->lane, SCRATCH_QUERY_B, m->codec.query_size);
    p->scores = scratch_get(p->lane, SCRATCH_SCORES, m->lists * sizeof(float));
    p->nearest = scratch_get(p->lane, SCRATCH_POOL, m->lists * sizeof(*p->nearest));
    if (prepared == NULL || p->scores == NULL || p->nearest == NULL)
        return false;
    codec_query(&m->codec, p->vector, prepared);
    codec_score_range(&m->codec, prepared, m->codes, 0, m->lists, p->scores);
    p->cost->distances += m->lists;
    return true;
}

static void choose_lists(struct probe *p, size_t count)
{
    struct topk top;
    topk_init(&top, p->nearest, count);
    for (uint32_t i = 0; i < p->v->model.lists; i++)
        if (topk_wants(&top, p->scores[i]))
            topk_push(&top, (struct hit){p->scores[i], i});
    topk_sort(&top);
}

/* Tables of the query, and its dot products with what rows are coded as. */
static bool prepare_codes(struct probe *p)
{
    const struct pq *pq = &p->v->model.pq;
    size_t entries = (size_t)pq->subs * PQ_CENTERS;
    uint8_t *tables = scratch_get(p->lane, SCRATCH_LIST_A, entries);
    float *room = scratch_get(p->lane, SCRATCH_LIST_B, entries * sizeof(*room));
    if (tables == NULL || room == NULL)
        return false;
    pq_query(pq, p->vector, p->v->model.metric == METRIC_IP ? -1 : -2, tables, room, &p->scan,
             &p->bias);
    return true;
}

/* False: not all of them could be looked at. */
static bool probe_lists(struct probe *p)
{
    size_t lists = p->v->model.lists, done = 0;
    size_t probes = p->query->probes < lists ? p->query->probes : lists;
    for (;; probes = lists / PROBES_GROW < probes ? lists : probes * PROBES_GROW) {
        choose_lists(p, probes);
        for (; done < probes; done++) {
            fetch_list(p, done + 1, probes);
            if (!look_at(p, p->nearest[done].row))
                return false;
            lane_yield(p->lane);
            if (index_stops(p->cost))
                return true;
        }
        if (probes == lists || p->top.count >= p->query->least)
            return true;
    }
}

size_t ivf_search(const struct index *x, const struct index_rows *rows, struct lane *lane,
                  const struct index_query *query, struct hit *out, bool *complete,
                  struct index_cost *cost)
{
    struct probe p = {.v = ivf_of(x), .rows = rows, .query = query, .lane = lane, .cost = cost};
    const struct ivf_model *m = &p.v->model;
    CHECK(query->effort > 0 && query->probes > 0 && query->vector != NULL);
    CHECK(query->least <= query->effort);
    topk_init(&p.top, out, query->effort);
    p.vector = query->vector;
    if (!score_lists(&p) || (m->has_codes && !prepare_codes(&p)))
        return SIZE_MAX;
    *complete = probe_lists(&p);
    topk_sort(&p.top);
    return p.top.count;
}
