#include "db/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "index/scan.h"
#include "index/scratch.h"

enum {
    RERANK_EXTRA = 10,          /* candidates re-ranked exactly, beyond the wanted ones */
    LOOP_FLOATS_MAX = 8 * 1024, /* floats read by a scan that is not worth a trip to a lane */
    QUERIES_PER_JOB = 16,
    SAMPLE_ROWS = 200,          /* looked at to estimate how many rows a filter lets through */
    SAMPLE_TRIES = 800,
    SCAN_MATCHES_PER_EF = 4,    /* scan when fewer than so many times ef are expected to match */
    SCAN_EF_SHARE = 8,          /* scan when 1 row in so many would be a candidate anyway */
    WALK_SHARE = 4              /* a filtered walk that has seen 1 row in so many gives up */
};

const char *search_plan_name(enum search_plan plan)
{
    static const char *const names[] = {
        [PLAN_SCAN] = "scan",
        [PLAN_WALK] = "walk",
        [PLAN_FILTERED_WALK] = "filtered walk",
        [PLAN_FILTERED_SCAN] = "scan of the matches",
    };
    CHECK(plan < COUNT_OF(names));
    return names[plan];
}

/* One query on a lane. */
struct query_run {
    struct search *search;
    const struct collection_view *view;
    struct lane *lane;
    const float *query;
    struct index_filter filter;
    size_t wanted;
};

static bool accept(void *user, uint32_t row)
{
    return search_accepts(user, row);
}

static bool deadline_is_over(void *user)
{
    const struct search *s = user;
    return s->db->io->ops->mono_us(s->db->io) >= s->deadline_us;
}

/* -- exact passes ------------------------------------------------------------------------------ */

static enum err prepare(const struct query_run *r, const struct codec *codec, uint8_t **prepared)
{
    *prepared = scratch_get(r->lane, SCRATCH_QUERY_A, codec->query_size);
    if (*prepared == NULL)
        return ERR_NOMEM;
    codec_query(codec, r->query, *prepared);
    return OK;
}

/* Every visible row that the filter lets through, by its exact distance. */
static enum err scan_all(const struct query_run *r, struct hit **hits, size_t *count)
{
    const struct index_rows *rows = &r->view->exact;
    size_t most = r->wanted < rows->end ? r->wanted : rows->end;
    uint8_t *prepared;
    struct hit *room = scratch_get(r->lane, SCRATCH_HITS, (most + 1) * sizeof(*room));
    enum err e = prepare(r, rows->codec, &prepared);
    if (room == NULL || e != OK)
        return ERR_NOMEM;
    struct topk top;
    topk_init(&top, room, most);
    scan_range(rows, r->lane, prepared, &r->filter, 0, rows->end, &top, &r->search->cost);
    topk_sort(&top);
    *hits = room;
    *count = top.count;
    return OK;
}

/* -- walks ------------------------------------------------------------------------------------- */

struct pending_scan {
    const struct query_run *run;
    const uint8_t *prepared;
    struct topk *top;
};

static void scan_pending_rows(void *user, const uint32_t *rows, size_t count)
{
    const struct pending_scan *p = user;
    scan_list(&p->run->view->codes, p->run->lane, p->prepared, &p->run->filter, rows, count, p->top,
              &p->run->search->cost);
}

/* Keeps the visible hits of a walk, nearest first, at most most. */
static size_t keep_visible(const struct collection_view *v, struct hit *hits, size_t count,
                           size_t most)
{
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < most; i++)
        if (row_visible(&v->codes, hits[i].row))
            hits[kept++] = hits[i];
    return kept;
}

static int by_row(const void *a, const void *b)
{
    uint32_t x = ((const struct hit *)a)->row, y = ((const struct hit *)b)->row;
    return (x > y) - (x < y);
}

/* A row may have been found by the walk and in the pending set. */
static size_t drop_twins(struct hit *hits, size_t count)
{
    qsort(hits, count, sizeof(*hits), by_row);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || hits[kept - 1].row != hits[i].row)
            hits[kept++] = hits[i];
    return kept;
}

/* Puts exact distances in place of scores of codes, and sorts. */
static enum err rank(const struct query_run *r, struct hit *hits, size_t count)
{
    const struct collection_view *v = r->view;
    if (v->codes.codec->quant != QUANT_NONE && v->has_exact) {
        uint8_t *query;
        enum err e = prepare(r, v->exact.codec, &query);
        if (e != OK)
            return e;
        enum { BLOCK = 64 };
        uint32_t ids[BLOCK];
        float scores[BLOCK];
        for (size_t at = 0; at < count; at += BLOCK) {
            size_t size = count - at < BLOCK ? count - at : BLOCK;
            for (size_t i = 0; i < size; i++)
                ids[i] = hits[at + i].row;
            codec_score_many(v->exact.codec, query, v->exact.codes, ids, size, scores);
            for (size_t i = 0; i < size; i++)
                hits[at + i].dist = scores[i];
        }
        r->search->cost.distances += count;
    }
    hits_sort(hits, count);
    return OK;
}

/* How many candidates are looked at exactly. One bit per dimension orders poorly: all of them. */
static size_t rerank_count(const struct query_run *r, size_t effort)
{
    const struct collection_view *v = r->view;
    if (v->codes.codec->quant == QUANT_NONE || !v->has_exact)
        return r->wanted;
    if (v->codes.codec->quant == QUANT_BIN)
        return effort;
    size_t count = r->wanted + (r->wanted > RERANK_EXTRA ? r->wanted : RERANK_EXTRA);
    return count < effort ? count : effort;
}

/* Walks the graph and scans the pending rows. *complete: false when a filtered walk gave up. */
static enum err walk(const struct query_run *r, size_t effort, size_t visit_max, struct hit **hits,
                     size_t *count, bool *complete)
{
    const struct collection_view *v = r->view;
    struct search *s = r->search;
    size_t most = rerank_count(r, effort);
    uint8_t *prepared;
    enum err e = prepare(r, v->codes.codec, &prepared);
    struct hit *room = scratch_get(r->lane, SCRATCH_HITS, (effort + most) * sizeof(*room));
    struct hit *fresh = scratch_get(r->lane, SCRATCH_HITS_2, (most + 1) * sizeof(*fresh));
    if (e != OK || room == NULL || fresh == NULL)
        return ERR_NOMEM;
    struct index_query query = {prepared, effort, visit_max, r->filter};
    size_t found = v->graph->ops->search(v->graph, &v->codes, r->lane, &query, room, complete,
                                         &s->cost);
    if (found == SIZE_MAX)
        return ERR_NOMEM;
    found = keep_visible(v, room, found, most);
    struct topk top;
    topk_init(&top, fresh, most);
    struct pending_scan pending = {r, prepared, &top};
    pending_each(&v->pending, scan_pending_rows, &pending);
    if (top.count > 0) {
        memcpy(room + found, fresh, top.count * sizeof(*fresh));
        found = drop_twins(room, found + top.count);
    }
    *hits = room;
    *count = found;
    return rank(r, room, found);
}

/* The share of visible rows that the filter lets through, from a sample. */
static double estimate_share(const struct query_run *r)
{
    const struct index_rows *rows = &r->view->codes;
    uint64_t state = rows->lsn ^ rows->end;
    size_t seen = 0, matched = 0;
    for (int i = 0; i < SAMPLE_TRIES && seen < SAMPLE_ROWS; i++) {
        uint32_t row = (uint32_t)rng_below(&state, rows->end);
        if (!row_visible(rows, row))
            continue;
        seen++;
        matched += r->filter.accept(r->filter.user, row);
    }
    return seen == 0 ? 0 : (double)matched / (double)seen;
}

static enum err search_filtered(const struct query_run *r, size_t effort, struct hit **hits,
                                size_t *count)
{
    double matches = estimate_share(r) * (double)r->view->live;
    struct search *s = r->search;
    if (matches > (double)(SCAN_MATCHES_PER_EF * effort)) {
        bool complete;
        s->plan = PLAN_FILTERED_WALK;
        enum err e = walk(r, effort, r->view->live / WALK_SHARE + 1, hits, count, &complete);
        if (e != OK || (complete && *count >= r->wanted) || s->cost.stopped)
            return e;
    }
    s->plan = PLAN_FILTERED_SCAN;
    return scan_all(r, hits, count);
}

static enum err search_graph(const struct query_run *r, size_t effort, struct hit **hits,
                             size_t *count)
{
    struct search *s = r->search;
    bool complete;
    if (effort * SCAN_EF_SHARE > r->view->live) {
        s->plan = PLAN_SCAN;
        return scan_all(r, hits, count);
    }
    s->plan = PLAN_WALK;
    enum err e = walk(r, effort, 0, hits, count, &complete);
    size_t there = r->wanted < r->view->live ? r->wanted : r->view->live;
    if (e != OK || *count >= there || s->cost.stopped)
        return e;
    /* Dead rows filled the walk, or the graph is torn by deletes: all that is there is found. */
    s->plan = PLAN_SCAN;
    return scan_all(r, hits, count);
}

static enum err search_one(struct search *s, struct lane *lane, const float *query)
{
    struct query_run r = {.search = s, .view = &s->view, .lane = lane, .query = query};
    if (s->filter != NULL)
        r.filter = (struct index_filter){accept, s};
    r.wanted = s->count < s->view.live ? s->count : s->view.live;
    size_t effort = s->effort > 0 ? s->effort : s->view.collection->spec.ef;
    if (effort < r.wanted)
        effort = r.wanted;
    if (effort > s->view.codes.end)
        effort = s->view.codes.end;
    struct hit *hits = NULL;
    size_t count = 0;
    enum err e = OK;
    s->cost.stopped = false;
    if (r.wanted == 0 || index_stops(&s->cost)) {
        s->plan = PLAN_SCAN;
    } else if (s->exact || s->view.graph == NULL) {
        s->plan = PLAN_SCAN;
        e = scan_all(&r, &hits, &count);
    } else if (s->filter != NULL) {
        e = search_filtered(&r, effort, &hits, &count);
    } else {
        e = search_graph(&r, effort, &hits, &count);
    }
    if (e != OK)
        return e;
    if (count > r.wanted)
        count = r.wanted;
    while (count > 0 && hits[count - 1].dist > s->radius)
        count--;
    s->encode(s, hits, count);
    return OK;
}

/* -- jobs -------------------------------------------------------------------------------------- */

static void run(struct search *s, struct lane *lane, size_t most)
{
    size_t dim = s->view.collection->spec.dim;
    if (s->deadline_us > 0) {
        s->cost.is_over = deadline_is_over;
        s->cost.user = s;
    }
    for (size_t i = 0; i < most && s->answered < s->query_count && s->error == OK; i++) {
        s->error = s->work != NULL ? s->work(s, lane)
                                   : search_one(s, lane, s->queries + s->answered * dim);
        s->answered++;
    }
    if (s->error == OK && buf_failed(&s->reply))
        s->error = ERR_NOMEM;
}

static void run_job(struct job *job, struct lane *lane)
{
    run((struct search *)job, lane, QUERIES_PER_JOB);
}

/* Long batches go through the queue again, so that others have their turn. */
static void done_job(struct job *job)
{
    struct search *s = (struct search *)job;
    if (s->error == OK && s->answered < s->query_count) {
        s->db->io->ops->submit(s->db->io, &s->job);
        return;
    }
    struct epoch *epoch = &s->db->epoch;
    uint64_t guard = s->guard;
    s->done(s);
    epoch_leave(epoch, guard);
}

struct search *search_new(struct db *db, struct collection *c, size_t query_count)
{
    struct search *s = mem_try_calloc(MEM_SCRATCH, sizeof(*s));
    float *queries = mem_try(MEM_SCRATCH, query_count * c->spec.dim * sizeof(float));
    if (s == NULL || queries == NULL) {
        mem_free(MEM_SCRATCH, s);
        mem_free(MEM_SCRATCH, queries);
        return NULL;
    }
    s->db = db;
    s->view.collection = c;
    s->queries = queries;
    s->query_count = query_count;
    s->radius = INFINITY;
    s->reply = BUF_INIT(MEM_CLIENT);
    return s;
}

/* What the search reads from now on. False: memory is short, which s->error says. */
static bool begin(struct search *s)
{
    struct collection *c = s->view.collection;
    db_view(s->db, c, &s->view);
    if (s->filter == NULL)
        return true;
    s->predicate = predicate_new(s->filter, c->fields);
    if (s->predicate == NULL)
        s->error = ERR_NOMEM;
    return s->predicate != NULL;
}

void search_run_here(struct search *s)
{
    if (!begin(s))
        return;
    run(s, &s->db->lane, SIZE_MAX);
}

bool search_start(struct search *s)
{
    CHECK((s->encode != NULL || s->work != NULL) && s->done != NULL);
    struct collection *c = s->view.collection;
    size_t floats = (size_t)c->rows_end * c->spec.dim * s->query_count;
    if (floats <= LOOP_FLOATS_MAX && s->filter == NULL && s->work == NULL) {
        search_run_here(s);
        return true;
    }
    (void)begin(s); /* run() looks at the error */
    c->searched_us = s->db->io->ops->mono_us(s->db->io);
    s->guard = epoch_enter(&s->db->epoch);
    s->job = (struct job){.run = run_job, .done = done_job, .class = JOB_SEARCH};
    s->db->io->ops->submit(s->db->io, &s->job);
    return false;
}

void search_free(struct search *s)
{
    if (s == NULL)
        return;
    predicate_free(s->predicate);
    filter_free(s->filter);
    json_pick_free(s->pick);
    mem_free(MEM_SCRATCH, s->queries);
    if (s->end_extra != NULL)
        s->end_extra(s);
    mem_free(MEM_SCRATCH, s->extra);
    buf_fini(&s->reply);
    mem_free(MEM_SCRATCH, s);
}
