#include "db/measure.h"

#include <math.h>
#include <string.h>

#include "db/search_find.h"
#include "index/scratch.h"

enum {
    SLICE_FLOATS = 2 * 1024 * 1024, /* read by a slice of the scan, for each query */
    STEP_FLOATS = 128 * 1024,       /* between two looks whether a search waits */
    SLICE_EFFORT = 1024,            /* of all walks in a slice, but for the last */
    POOL = 4096, /* rows that a walk keeps, so that there are matches of the smallest share */
    POOL_LISTS = 8192 /* likewise, where more of them are ranked */
};

/* A distance that came by another kernel may differ in its last bits. */
static const float same_distance = 1e-6F;

enum err measure_init(struct measure *m, const struct collection_view *view)
{
    const struct index *graph = view->graph;
    CHECK(graph != NULL);
    *m = (struct measure){.view = view, .lists = !graph->ops->is_graph};
    m->sums.effort_count = graph->ops->efforts(graph, m->sums.efforts);
    /* From some effort on a search looks at all rows. */
    while (!m->lists && m->sums.effort_count > 1 &&
           !search_walks(view, m->sums.efforts[m->sums.effort_count - 1]))
        m->sums.effort_count--;
    m->queries =
        mem_try(MEM_SCRATCH, (size_t)TRUTH_QUERIES * view->collection->spec.dim * sizeof(float));
    return m->queries == NULL ? ERR_NOMEM : OK;
}

void measure_fini(struct measure *m)
{
    truth_fini(&m->truth);
    mem_free(MEM_SCRATCH, m->queries);
    m->queries = NULL;
}

enum err measure_begin(struct measure *m, size_t query_count, size_t real_count,
                       const uint32_t own[TRUTH_QUERIES])
{
    CHECK(!m->begun && real_count <= query_count);
    enum err e = truth_init(&m->truth, &m->view->exact, m->queries, query_count, CALIBRATION_SHARES,
                            CALIBRATION_K_MAX);
    if (e != OK)
        return e;
    memcpy(m->truth.own, own, sizeof(m->truth.own));
    m->truth.seed = m->view->codes.lsn;
    for (size_t s = 0; s < CALIBRATION_SHARES; s++)
        m->truth.shares[s] = calibration_share(s);
    m->sums.queries = (uint32_t)query_count;
    m->sums.real = (uint32_t)real_count;
    m->begun = true;
    return OK;
}

/* -- one walk ---------------------------------------------------------------------------------- */

/* What a walk found, in its order: exact distances, and levels. */
struct found {
    float *exact;
    uint8_t *levels;
    size_t count;
};

/* What a search of the effort for k would look at exactly. */
static size_t most_of(const struct measure *m, size_t k, size_t effort)
{
    size_t pool = search_candidates(m->view, k);
    return search_rerank_count(m->view, k, pool > effort || m->lists ? pool : effort);
}

/* Leaves out what no search would re-rank. */
static enum err look_at(const struct measure *m, struct lane *lane, const struct hit *hits,
                        size_t count, size_t most, struct found *out)
{
    size_t seen[CALIBRATION_SHARES] = {0};
    const struct index_rows *exact = &m->view->exact;
    uint8_t *query = scratch_get(lane, SCRATCH_QUERY_B, exact->codec->query_size);
    uint32_t *rows = scratch_get(lane, SCRATCH_LIST_A, (count + 1) * sizeof(*rows));
    out->exact = scratch_get(lane, SCRATCH_SCORES, (count + 1) * sizeof(*out->exact));
    out->levels = scratch_get(lane, SCRATCH_LIST_B, count + 1);
    if (query == NULL || rows == NULL || out->exact == NULL || out->levels == NULL)
        return ERR_NOMEM;
    out->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (hits[i].row == m->truth.own[m->query] || !row_visible(&m->view->codes, hits[i].row))
            continue;
        size_t level = truth_level(&m->truth, hits[i].row);
        bool wanted = false;
        for (size_t s = 0; s <= level; s++)
            wanted |= seen[s]++ < most;
        if (!wanted)
            continue;
        out->levels[out->count] = (uint8_t)level;
        rows[out->count++] = hits[i].row;
    }
    codec_query(exact->codec, m->queries + m->query * m->view->collection->spec.dim, query);
    codec_score_many(exact->codec, query, exact->codes, rows, out->count, out->exact);
    return OK;
}

/* The share of the k nearest of a level that are among its first most of what was found; NAN: there
 * are none. */
static double recall_of(const struct measure *m, const struct found *found, size_t k, size_t level,
                        size_t most)
{
    const struct topk *top = &m->truth.tops[m->query][level];
    size_t there = top->count < k ? top->count : k, hits = 0, seen = 0;
    if (there == 0)
        return NAN;
    float last = top->hits[there - 1].dist;
    float limit = last + same_distance * fmaxf(fabsf(last), 1);
    for (size_t i = 0; i < found->count && seen < most && hits < there; i++) {
        if (found->levels[i] < level)
            continue;
        seen++;
        hits += found->exact[i] <= limit;
    }
    return (double)hits / (double)there;
}

/* Adds what a walk of the effort found, or, with NULL, that it would find all. False: some of what
 * can be found was not. */
static bool count_walk(struct measure *m, const struct found *found)
{
    bool all = true;
    size_t effort = m->sums.efforts[m->effort];
    for (size_t k_at = 0; k_at < CALIBRATION_KS; k_at++) {
        size_t k = calibration_k(k_at), most = most_of(m, k, effort);
        for (size_t s = 0; s < CALIBRATION_SHARES; s++) {
            double recall = !calibration_has_cell(k_at, s) || m->truth.tops[m->query][s].count == 0
                                ? NAN
                            : found == NULL ? 1
                                            : recall_of(m, found, k, s, most);
            if (isnan(recall))
                continue;
            recall_sum_add(&m->sums.cells[k_at][s][m->effort], recall);
            all &= recall == 1;
        }
    }
    return all;
}

static bool search_is_waiting(void *lane)
{
    return ((struct lane *)lane)->search_waits(lane);
}

static enum err walk(struct measure *m, struct lane *lane, struct found *found, bool *stopped)
{
    const struct collection_view *v = m->view;
    size_t effort = m->sums.efforts[m->effort];
    size_t keep = m->lists ? POOL_LISTS : effort > POOL ? effort : POOL;
    struct hit *room = scratch_get(lane, SCRATCH_HITS, keep * sizeof(*room));
    uint8_t *prepared = scratch_get(lane, SCRATCH_QUERY_A, v->codes.codec->query_size);
    if (room == NULL || prepared == NULL)
        return ERR_NOMEM;
    const float *vector = m->queries + m->query * v->collection->spec.dim;
    codec_query(v->codes.codec, vector, prepared);
    struct index_query query = {.prepared = prepared, .vector = vector, .effort = effort};
    query.keep = keep;
    query.probes = effort;
    if (m->lists)
        query.effort = keep;
    if (m->truth.own[m->query] != ROW_NONE)
        query.hidden = &m->truth.own[m->query];
    struct index_cost cost = {.is_over = m->insists ? NULL : search_is_waiting, .user = lane};
    bool complete;
    size_t count = v->graph->ops->search(v->graph, &v->codes, lane, &query, room, &complete, &cost);
    if (count == SIZE_MAX)
        return ERR_NOMEM;
    *stopped = cost.stopped || !complete;
    size_t most = most_of(m, CALIBRATION_K_MAX, effort);
    return *stopped ? OK : look_at(m, lane, room, count, most, found);
}

/* -- slices ------------------------------------------------------------------------------------ */

/* The next walk, of this query or the next. */
static void step(struct measure *m)
{
    m->insists = false;
    if (++m->effort < m->sums.effort_count)
        return;
    m->effort = 0;
    m->query++;
}

/* The wider ones would find all, too. */
static void skip_wider(struct measure *m)
{
    size_t query = m->query;
    while (m->query == query) {
        (void)count_walk(m, NULL);
        step(m);
    }
}

static bool walk_on(struct measure *m, struct lane *lane)
{
    size_t done = 0;
    while (m->query < m->truth.query_count && done < SLICE_EFFORT) {
        struct found found;
        bool stopped;
        done += m->sums.efforts[m->effort];
        m->failed = walk(m, lane, &found, &stopped) != OK;
        if (m->failed)
            return true;
        if (stopped) {
            m->insists = true; /* or calibrations of a busy server would never end */
            return false;
        }
        bool all = count_walk(m, &found);
        size_t query = m->query;
        step(m);
        if (all && m->query == query)
            skip_wider(m);
        if (lane->search_waits(lane))
            break;
    }
    return m->query == m->truth.query_count;
}

bool measure_go_on(struct measure *m, struct lane *lane)
{
    uint32_t dim = m->view->collection->spec.dim;
    uint32_t step_rows = STEP_FLOATS / dim + 1, end = SLICE_FLOATS / dim + 1;
    CHECK(m->begun && !m->failed);
    if (m->truth.next == m->view->exact.end)
        return walk_on(m, lane);
    for (uint32_t rows = 0; rows < end; rows += step_rows) {
        if (truth_go_on(&m->truth, lane, step_rows) || lane->search_waits(lane))
            break;
    }
    return false;
}
