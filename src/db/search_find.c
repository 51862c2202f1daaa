/* search_find.c: how a query finds its hits, and the finding.
 *
 * Without a filter: a walk of the graph over codes, with the pending rows scanned beside, and exact
 * distances of the best. With one, the cheapest of four by the costs below, which were measured
 * (tests/bench/README.md, "Filters"):
 *
 * - a scan of the candidates that an index names, when they are few;
 * - a walk over the rows that match alone, when they are far from the query (hnsw_match.c);
 * - a walk wide enough that as many matches as are wanted will be among its rows, which are then
 *   looked at, nearest first, until there are enough: a share p lets through needs wanted / p rows
 *   and some more. It reads attributes of hardly more rows than that;
 * - a scan of all rows.
 *
 * A walk that did not meet enough matches (they are farther away than others are) has seen how many
 * there are near the query: the choice is made again with that, for a wider walk or a scan. So a
 * search ends with as many hits as there are, up to what was wanted, whatever the estimates were.
 */
#include "db/search_find.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "index/ivf.h"
#include "index/scan.h"
#include "index/scratch.h"

enum {
    RERANK_EXTRA = 10, /* candidates re-ranked exactly, beyond the wanted ones */
    SAMPLE_ROWS = 200, /* looked at to estimate how many rows a filter lets through */
    SAMPLE_TRIES = 800,
    /* With a target, until so many have matched: of 2 in 200 the effort would be off by half. */
    SAMPLE_MATCHES = 12,
    SAMPLE_MORE = 8,    /* times as many rows at most */
    SCAN_EF_SHARE = 8,  /* scan when 1 row in so many would be a candidate anyway */
    WIDE_EFFORT = 8192, /* beyond, a walk is one with heaps (hnsw_search.c) */
    EXACT_ROWS = 1000,  /* up to so many candidates are compared exactly at once */
    STARTS = 32,        /* matches that a walk over matches sets out from */
    START_TRIES = 1600,
    KEEP_AHEAD = 8,     /* rows of a walk whose bytes are fetched before they are tested */
    WIDER = 4,           /* times the effort of a walk that has not met enough rows */
    ESTIMATE_RERANK = 8, /* times the wanted ones are re-ranked where the index estimates, */
    ESTIMATES_MIN = 64,  /* and so many at least */
    CANDIDATE_RERANK = 3 /* times the wanted ones are re-ranked after a scan of codes */
};

/* Nanoseconds, of the machine the benchmarks ran on; what counts is their ratio. */
static const double cost_walk_row = 500, cost_walk = 8000; /* per unit of effort; for any walk */
static const double cost_walk_pool = 0.05;                 /* a row more for each of its pool */
static const double cost_wide_row = 1500;                  /* per unit, with heaps */
static const double cost_match_row = 1000,
                    cost_test = 30;                   /* per unit, over matches; a test there */
static const double cost_column = 8, cost_text = 300; /* one row through the filter */
static const double cost_centroid = 3;
static const double cost_score = 14, cost_score_exact = 40;
/* A walk has its rows less surely the farther away they are, and meets matches among them by
 * chance: so many times the effort of the collection, and so many times the rows that would do on
 * average, keep recall where it is without a filter. */
static const double walk_effort_factor = 2.6;
static const double walk_reserve = 3.6, walk_reserve_again = 8;
/* The same of walks whose effort was measured for the target: one was enough when what it met near
 * the query does not ask for one so many times as wide, which the next one is at least. What
 * matches is among so many times the rows that would do on average. */
static const double planned_slack = 1.5, planned_reserve = 1.5;
/* The last of the hits is to stand among the nearer rows that the walk found, one in so many:
 * farther out a walk misses more. Most of all where far fewer match near the query than elsewhere:
 * such a query is not where the graph leads best. Twenty hits tell a share to a fifth, so that half
 * of what was expected is no chance. */
static const double walk_sure = 2, walk_sure_far = 5, walk_far_share = 0.5;
/* The k nearest matches are as far away as k / share rows; of fewer than this, rows are scanned. */
static const double lists_share_min = 0.01;
/* A walk over matches is for where they are far from the query: its way there is not what the graph
 * was built for. So many times the effort of the collection. */
static const double match_effort_factor = 12;

const char *search_way_name(enum search_way way)
{
    static const char *const names[] = {
        [WAY_SCAN] = "scan of all",
        [WAY_WALK] = "walk",
        [WAY_POST_FILTER] = "walk, then filter",
        [WAY_MATCH_WALK] = "walk over matches",
        [WAY_LISTS] = "lists of the nearest centroids",
        [WAY_CANDIDATES] = "scan of candidates",
        [WAY_FILTERED_SCAN] = "scan of all through the filter",
        [WAY_INDEX] = "the index alone",
    };
    CHECK(way < COUNT_OF(names));
    return names[way];
}

/* One query on a lane. */
struct query_run {
    struct search *search;
    const struct collection_view *view;
    struct lane *lane;
    const float *query;
    struct index_filter filter;
    size_t wanted;
    size_t effort;
    bool lists;    /* the index has some, */
    size_t probes; /* and so many of them are looked at */
};

static bool accept(void *user, uint32_t row)
{
    return search_accepts(user, row);
}

static void fetch(void *user, uint32_t row)
{
    const struct search *s = user;
    if (s->narrows)
        __builtin_prefetch(&s->view.codes.group[row]);
    if (s->predicate != NULL)
        predicate_fetch(s->predicate, &s->view, row);
}

void search_stage(struct search *s, enum search_stage stage)
{
    if (s->explain == EXPLAIN_NO)
        return;
    uint64_t now = s->db->io->ops->mono_us(s->db->io);
    if (s->stage != STAGE_COUNT)
        s->stage_us[s->stage] += now - s->stage_since_us;
    s->stage = stage;
    s->stage_since_us = now;
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

/* Puts exact distances in place of scores of codes, and sorts. */
static enum err rank(const struct query_run *r, struct hit *hits, size_t count)
{
    const struct collection_view *v = r->view;
    if ((v->codes.codec->quant != QUANT_NONE || v->estimates) && v->has_exact) {
        uint8_t *query;
        search_stage(r->search, STAGE_RANK);
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

/* Rows a pass goes over. */
struct pass {
    const uint32_t *list; /* NULL: all there are */
    size_t count;
    bool matches; /* the rows of the list are known to match */
};

/* Compares the visible rows of a pass that match. Many are compared by their codes, and the best of
 * them exactly. */
static enum err scan(const struct query_run *r, const struct pass *pass, bool by_code,
                     struct hit **hits, size_t *count)
{
    const struct collection_view *v = r->view;
    struct search *s = r->search;
    const struct index_rows *rows = by_code ? &v->codes : &v->exact;
    size_t most = by_code ? CANDIDATE_RERANK * r->wanted + RERANK_EXTRA : r->wanted;
    uint8_t *prepared;
    search_stage(s, STAGE_SCAN);
    if (most > pass->count)
        most = pass->count;
    struct hit *room = scratch_get(r->lane, SCRATCH_HITS, (most + 1) * sizeof(*room));
    enum err e = prepare(r, rows->codec, &prepared);
    if (room == NULL || e != OK)
        return ERR_NOMEM;
    struct topk top;
    struct index_filter filter = pass->matches ? (struct index_filter){0} : r->filter;
    topk_init(&top, room, most);
    /* As the index knew when the view was taken; of what has expired since it does not know. */
    filter.all_visible = pass->list != NULL && !v->has_due && !s->plan.by_partition;
    if (pass->list != NULL)
        scan_list(rows, r->lane, prepared, &filter, pass->list, pass->count, &top, &s->cost);
    else
        scan_range(rows, r->lane, prepared, &filter, 0, rows->end, &top, &s->cost);
    s->candidates += pass->count;
    topk_sort(&top);
    *hits = room;
    *count = top.count;
    return by_code ? rank(r, room, top.count) : OK;
}

/* Codes order well enough to choose whom to compare exactly, and take a quarter of the memory. */
static bool codes_serve(const struct query_run *r, double rows)
{
    const struct collection_view *v = r->view;
    return rows > EXACT_ROWS && !r->search->exact && v->has_exact && v->graph != NULL &&
           v->codes.codec->quant != QUANT_NONE && v->codes.codec->quant != QUANT_BIN;
}

static enum err scan_all(const struct query_run *r, struct hit **hits, size_t *count)
{
    struct pass pass = {.count = r->view->exact.end};
    bool by_code = search_selects(r->search) && codes_serve(r, r->search->plan.matches);
    return scan(r, &pass, by_code, hits, count);
}

static enum err scan_candidates(const struct query_run *r, struct hit **hits, size_t *count)
{
    struct plan *plan = &r->search->plan;
    if (plan->has_twins && !plan_tidy(plan, r->view->codes.end))
        return ERR_NOMEM;
    struct pass pass = {plan->rows, plan->row_count, plan->exact};
    return scan(r, &pass, codes_serve(r, (double)plan->row_count), hits, count);
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

/* Keeps the hits of a walk that are visible and match, nearest first, at most most. */
static size_t keep(const struct query_run *r, struct hit *hits, size_t count, size_t most)
{
    const struct index_filter *filter = &r->filter;
    size_t kept = 0, at = 0;
    for (size_t i = 0; i < count && i < KEEP_AHEAD; i++)
        row_fetch(&r->view->codes, filter, hits[i].row);
    for (; at < count && kept < most; at++) {
        if (at + KEEP_AHEAD < count)
            row_fetch(&r->view->codes, filter, hits[at + KEEP_AHEAD].row);
        if (row_visible(&r->view->codes, hits[at].row) &&
            (filter->accept == NULL || filter->accept(filter->user, hits[at].row)))
            hits[kept++] = hits[at];
    }
    r->search->candidates += at;
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

/* One bit per dimension orders poorly: all that a walk finds are looked at exactly. */
size_t search_candidates(const struct collection_view *v, size_t wanted)
{
    if (v->estimates) {
        size_t most = ESTIMATE_RERANK * wanted;
        return most < ESTIMATES_MIN ? ESTIMATES_MIN : most;
    }
    enum quant quant = v->codes.codec->quant;
    bool ranked = quant != QUANT_NONE && quant != QUANT_BIN && v->has_exact;
    return ranked ? wanted + (wanted > RERANK_EXTRA ? wanted : RERANK_EXTRA) : wanted;
}

size_t search_rerank_count(const struct collection_view *v, size_t wanted, size_t found)
{
    if (v->estimates || (v->codes.codec->quant == QUANT_BIN && v->has_exact))
        return found;
    size_t count = search_candidates(v, wanted);
    return count < found || count == wanted ? count : found;
}

/* Rows that match, from anywhere: of those that an index names, or by chance. */
static size_t find_starts(const struct query_run *r, uint32_t starts[STARTS])
{
    const struct index_rows *rows = &r->view->codes;
    const struct plan *plan = &r->search->plan;
    uint64_t state = rows->lsn ^ rows->end;
    size_t count = 0;
    for (int i = 0; i < START_TRIES && count < STARTS; i++) {
        uint32_t row = plan->row_count > 0 ? plan->rows[rng_below(&state, plan->row_count)]
                                           : (uint32_t)rng_below(&state, rows->end);
        if (row_visible(rows, row) && r->filter.accept(r->filter.user, row))
            starts[count++] = row;
    }
    return count;
}

/* Walks the graph for so many rows, or looks at lists, and scans the pending rows. matching: over
 * rows that match; otherwise the filter is applied to what the walk found. ERR_BUSY: not all of the
 * lists can be looked at now. */
static enum err walk(const struct query_run *r, size_t effort, size_t pool, bool matching,
                     struct hit **hits, size_t *count)
{
    uint32_t starts[STARTS];
    const struct collection_view *v = r->view;
    struct search *s = r->search;
    size_t most = search_rerank_count(v, r->wanted, pool);
    uint8_t *prepared;
    search_stage(s, STAGE_WALK);
    enum err e = prepare(r, v->codes.codec, &prepared);
    struct hit *room = scratch_get(r->lane, SCRATCH_HITS, (pool + most) * sizeof(*room));
    struct hit *fresh = scratch_get(r->lane, SCRATCH_HITS_2, (most + 1) * sizeof(*fresh));
    if (e != OK || room == NULL || fresh == NULL)
        return ERR_NOMEM;
    struct index_query query = {.prepared = prepared,
                                .vector = r->query,
                                .effort = effort,
                                .keep = pool,
                                .probes = r->probes};
    if (r->lists) {
        query.effort = most;
        query.least = r->wanted;
        query.filter = r->filter;
    } else if (matching) {
        query.matching_only = true;
        query.filter = r->filter;
        query.starts = starts;
        query.start_count = find_starts(r, starts);
    }
    bool complete;
    size_t found =
        v->graph->ops->search(v->graph, &v->codes, r->lane, &query, room, &complete, &s->cost);
    if (found == SIZE_MAX)
        return ERR_NOMEM;
    if (!complete)
        return ERR_BUSY;
    found = keep(r, room, found, most);
    struct topk top;
    topk_init(&top, fresh, most);
    struct pending_scan pending = {r, prepared, &top};
    search_stage(s, STAGE_SCAN);
    pending_each(&v->pending, scan_pending_rows, &pending);
    if (top.count > 0) {
        memcpy(room + found, fresh, top.count * sizeof(*fresh));
        found = drop_twins(room, found + top.count);
    }
    *hits = room;
    *count = found;
    return rank(r, room, found);
}

/* -- choosing ---------------------------------------------------------------------------------- */

/* The share of visible rows that the filter lets through, from a sample. */
static double sample_share(const struct query_run *r)
{
    const struct index_rows *rows = &r->view->codes;
    uint64_t state = rows->lsn ^ rows->end;
    size_t seen = 0, matched = 0;
    search_stage(r->search, STAGE_SAMPLE);
    size_t more = r->search->efforts.calibrated ? SAMPLE_MORE : 1;
    for (size_t i = 0; i < SAMPLE_TRIES * more && seen < SAMPLE_ROWS * more; i++) {
        if (seen >= SAMPLE_ROWS && matched >= SAMPLE_MATCHES)
            break;
        uint32_t row = (uint32_t)rng_below(&state, rows->end);
        if (!row_visible(rows, row))
            continue;
        seen++;
        matched += r->filter.accept(r->filter.user, row);
    }
    /* None among so many: as if half a one had been. */
    return seen == 0 ? 0 : (matched == 0 ? 0.5 : (double)matched) / (double)seen;
}

/* By what was measured: the effort for as many matches as there are, when all are spread evenly. */
static double planned_effort(const struct query_run *r, double matches)
{
    double rows = (double)r->view->live, share = matches < 1 ? 1 / rows : matches / rows;
    return effort_plan_for(&r->search->efforts, share < 1 ? share : 1, r->wanted);
}

/* The effort of a walk among whose rows enough will match. */
static size_t walk_effort(const struct query_run *r, double matches)
{
    double rows = (double)r->view->live;
    if (r->search->efforts.calibrated) {
        double planned = fmax(planned_effort(r, matches), r->search->least_effort);
        return planned < rows ? (size_t)ceil(planned) : (size_t)rows;
    }
    double reserve = r->search->fell_back ? walk_reserve_again : walk_reserve;
    double effort = matches <= 0 ? rows : (double)r->wanted * rows / matches * reserve;
    if (effort < (double)r->effort * walk_effort_factor)
        effort = (double)r->effort * walk_effort_factor;
    return effort < rows ? (size_t)effort : (size_t)rows;
}

/* How many of the rows that a walk meets it keeps. When its effort was measured for a target, that
 * says how many are followed; what is wanted is among what it meets, which is many times as much.
 */
static size_t walk_pool(const struct query_run *r, size_t effort, double matches)
{
    if (!r->search->efforts.calibrated)
        return effort;
    double share = matches < 1 ? 1 : matches / (double)r->view->live;
    double pool = (double)search_candidates(r->view, r->wanted);
    pool = share < 1 ? pool / share * planned_reserve : pool;
    pool = pool < (double)WIDE_EFFORT ? pool : (double)WIDE_EFFORT;
    return pool > (double)effort ? (size_t)pool : effort;
}

static double post_filter_ns(const struct query_run *r, double near, double effort, double look)
{
    double looked =
        near <= 0 ? (double)r->view->live : (double)r->wanted * (double)r->view->live / near;
    double pool = (double)walk_pool(r, (size_t)effort, near);
    double row = effort > WIDE_EFFORT ? cost_wide_row : cost_walk_row + pool * cost_walk_pool;
    return cost_walk + effort * row + looked * look;
}

static size_t match_effort(const struct query_run *r)
{
    double effort = (double)r->effort * match_effort_factor;
    return effort < (double)WIDE_EFFORT ? (size_t)effort
           : r->effort > WIDE_EFFORT    ? r->effort
                                        : WIDE_EFFORT;
}

/* Each row that is followed has its links tested, and those of others while few of them match. */
static double match_walk_ns(const struct query_run *r, double look)
{
    double links = 2 * (double)r->view->side->shape.m;
    double share = r->search->plan.matches / (double)r->view->live;
    double few = links / 2 - links * share;
    double tests = links + (few > 0 ? few / share : 0);
    return cost_walk + (double)match_effort(r) * (cost_match_row + tests * (cost_test + look));
}

/* With a filter the same number of matches is farther away, in more lists. */
static size_t filtered_probes(const struct query_run *r)
{
    double share = r->search->plan.matches / ((double)r->view->live + 1), lists = (double)r->probes;
    if (search_selects(r->search) && r->search->efforts.target > 0)
        lists = ceil(fmin(planned_effort(r, r->search->plan.matches), LIMIT_NLIST));
    else if (search_selects(r->search) && share < 1)
        lists /= sqrt(share > lists_share_min ? share : lists_share_min);
    return (size_t)lists;
}

/* Rows of the lists are scored, and those that are near enough are looked at. */
static double lists_ns(const struct query_run *r, double look)
{
    struct ivf_stats stats;
    ivf_stats(r->view->graph, &stats);
    double share = (double)filtered_probes(r) / stats.lists;
    double rows = (double)r->view->live * (share < 1 ? share : 1);
    return cost_walk + stats.lists * cost_centroid + rows * (cost_score + look / 4);
}

/* What each way would cost, into ns. near: how many would match if they were everywhere as many as
 * near the query. Returns the cheapest. */
static enum search_way choose(const struct query_run *r, double near, double ns[WAY_COUNT])
{
    const struct search *s = r->search;
    const struct plan *plan = &s->plan;
    double rows = (double)r->view->live;
    double score = codes_serve(r, plan->matches) ? cost_score : cost_score_exact;
    bool columns =
        s->predicate == NULL || (predicate_is_columnar(s->predicate) && r->view->has_fields);
    double look = columns ? cost_column : cost_text;
    double effort = (double)walk_effort(r, near);
    enum search_way best = WAY_FILTERED_SCAN;
    for (int way = 0; way < WAY_COUNT; way++)
        ns[way] = INFINITY;
    ns[WAY_FILTERED_SCAN] = rows * look + plan->matches * score;
    if (plan->rows != NULL || (plan->can_name && !s->rows_asked))
        ns[WAY_CANDIDATES] = (double)plan->bound * (plan->exact ? 1 : look) + plan->matches * score;
    if (s->named)
        return WAY_CANDIDATES;
    if (r->lists && !s->exact)
        ns[WAY_LISTS] = lists_ns(r, look);
    bool walks = !s->exact && r->view->graph != NULL && !r->lists;
    if (walks && effort * SCAN_EF_SHARE <= rows)
        ns[WAY_POST_FILTER] = post_filter_ns(r, near, effort, look);
    if (walks && !s->matches_walked && plan->matches > 0 &&
        (double)match_effort(r) * SCAN_EF_SHARE <= plan->matches)
        ns[WAY_MATCH_WALK] = match_walk_ns(r, look);
    for (int way = 0; way < WAY_COUNT; way++)
        if (ns[way] < ns[best])
            best = (enum search_way)way;
    return best;
}

size_t search_own_effort(const struct search *s)
{
    const struct index *x = s->view.graph;
    if (x == NULL || x->ops->is_graph)
        return s->effort > 0 ? s->effort : s->view.ef;
    size_t own = s->probes > 0 ? s->probes : s->view.probes;
    return own > 0 ? own : ivf_probes_default(x);
}

static struct query_run run_of(const struct search *s, size_t wanted)
{
    struct query_run r = {.view = &s->view};
    r.wanted = wanted < s->view.live ? wanted : s->view.live;
    bool plans = s->efforts.target > 0 && !s->exact;
    double planned = plans ? effort_plan_for(&s->efforts, 1, r.wanted) : 0;
    r.effort = planned > 0 ? (size_t)ceil(planned) : s->effort > 0 ? s->effort : s->view.ef;
    if (r.effort < r.wanted && planned == 0)
        r.effort = r.wanted;
    if (r.effort > s->view.codes.end)
        r.effort = s->view.codes.end;
    const struct index *x = s->view.graph;
    r.lists = x != NULL && !x->ops->is_graph;
    if (r.lists) {
        r.probes = planned > 0 ? r.effort : search_own_effort(s);
    }
    return r;
}

size_t search_first_wanted(const struct search *s)
{
    return s->refine == NULL ? s->count : refine_first(s->refine, s->count);
}

bool search_wants_rows(const struct search *s)
{
    double ns[WAY_COUNT];
    if (!s->plan.can_name || s->work != NULL)
        return s->plan.can_name;
    struct query_run r = run_of(s, search_first_wanted(s));
    r.search = (struct search *)(uintptr_t)s; /* only read */
    return choose(&r, s->plan.matches, ns) == WAY_CANDIDATES;
}

/* Few of them are near the query: from one to the next, from wherever there are some. */
static enum err walk_matches(const struct query_run *r, struct hit **hits, size_t *count,
                             bool *enough)
{
    r->search->matches_walked = true;
    size_t effort = match_effort(r);
    enum err e = walk(r, effort, effort, true, hits, count);
    *enough = *count >= r->wanted;
    return e;
}

/* near: how many match if they are everywhere as many as near the query; known better after. */
static enum err walk_and_filter(const struct query_run *r, double *near, struct hit **hits,
                                size_t *count, bool *enough)
{
    struct search *s = r->search;
    size_t effort = walk_effort(r, *near);
    uint64_t before = s->candidates;
    enum err e = walk(r, effort, walk_pool(r, effort, *near), false, hits, count);
    double looked = (double)(s->candidates - before), wanted = (double)r->wanted;
    double share = (*count == 0 || looked == 0 ? 0.5 : (double)*count) / (looked == 0 ? 1 : looked);
    *near = share * (double)r->view->live;
    double sure = *near < s->plan.matches * walk_far_share ? walk_sure_far : walk_sure;
    bool wide = s->efforts.calibrated ? planned_effort(r, *near) <= (double)effort * planned_slack
                                      : wanted / share * sure <= (double)effort;
    *enough = *count >= r->wanted && wide;
    s->least_effort = (double)effort * planned_slack;
    return e;
}

/* How many rows of the lists are ranked exactly. */
static size_t lists_pool(const struct query_run *r)
{
    bool said = r->view->estimates && r->search->effort > 0;
    size_t effort = r->effort > r->wanted ? r->effort : r->wanted;
    return said ? effort : search_candidates(r->view, r->wanted);
}

/* The lists nearest to the query, and as many more as it takes to find enough that match. */
static enum err probe_filtered(const struct query_run *r, struct hit **hits, size_t *count)
{
    struct query_run wider = *r;
    wider.probes = filtered_probes(r);
    enum err e = walk(&wider, r->effort, lists_pool(r), false, hits, count);
    return e == ERR_BUSY ? scan_all(r, hits, count) : e;
}

static enum err search_filtered(const struct query_run *r, struct hit **hits, size_t *count)
{
    struct search *s = r->search;
    double live = (double)r->view->live;
    if (!s->plan.known && !s->sampled) {
        s->plan.matches = sample_share(r) * live;
        if (s->narrows && s->plan.matches > (double)s->choice->count)
            s->plan.matches = (double)s->choice->count;
        s->sampled = true;
    }
    s->fell_back = s->rows_asked && s->plan.rows != NULL && s->fell_back;
    s->matches_walked &= s->fell_back; /* of a query before this one otherwise */
    if (!s->fell_back)
        s->least_effort = 0;
    double near = s->plan.matches;
    for (;;) {
        s->way = choose(r, near, s->way_ns);
        bool is_walk = s->way == WAY_POST_FILTER || s->way == WAY_MATCH_WALK;
        if (s->way == WAY_LISTS && s->explain != EXPLAIN_PLAN)
            return probe_filtered(r, hits, count);
        if (s->explain == EXPLAIN_PLAN || !is_walk)
            break;
        bool enough;
        enum err e = s->way == WAY_MATCH_WALK ? walk_matches(r, hits, count, &enough)
                                              : walk_and_filter(r, &near, hits, count, &enough);
        if (e != OK || s->cost.stopped || enough)
            return e;
        s->fell_back = true;
    }
    if (s->explain == EXPLAIN_PLAN)
        return OK;
    if (s->way != WAY_CANDIDATES)
        return scan_all(r, hits, count);
    s->wants_rows = s->plan.rows == NULL;
    return s->wants_rows ? OK : scan_candidates(r, hits, count);
}

bool search_walks(const struct collection_view *v, size_t effort)
{
    return effort * SCAN_EF_SHARE <= v->live;
}

static enum err search_graph(const struct query_run *r, struct hit **hits, size_t *count)
{
    struct search *s = r->search;
    s->way = search_walks(r->view, r->effort) ? WAY_WALK : WAY_SCAN;
    if (s->explain == EXPLAIN_PLAN)
        return OK;
    if (s->way == WAY_SCAN)
        return scan_all(r, hits, count);
    size_t effort = r->effort, there = r->wanted < r->view->live ? r->wanted : r->view->live;
    enum err e = walk(r, effort, walk_pool(r, effort, 0), false, hits, count);
    /* A narrow walk may have met fewer rows than are wanted. */
    while (e == OK && *count < there && s->efforts.calibrated && !s->cost.stopped &&
           search_walks(r->view, effort * WIDER)) {
        effort *= WIDER;
        e = walk(r, effort, walk_pool(r, effort, 0), false, hits, count);
    }
    if (e != OK || *count >= there || s->cost.stopped)
        return e;
    /* Dead rows filled the walk, or the graph is torn by deletes: all that is there is found. */
    s->way = WAY_SCAN;
    s->fell_back = true;
    return scan_all(r, hits, count);
}

static enum err search_lists(const struct query_run *r, struct hit **hits, size_t *count)
{
    struct search *s = r->search;
    s->way = WAY_LISTS;
    if (s->explain == EXPLAIN_PLAN)
        return OK;
    enum err e = walk(r, r->effort, lists_pool(r), false, hits, count);
    if (e != ERR_BUSY)
        return e;
    s->way = WAY_SCAN;
    s->fell_back = true;
    return scan_all(r, hits, count);
}

static enum err find(struct query_run *r, struct hit **hits, size_t *count)
{
    struct search *s = r->search;
    if (r->wanted == 0 || index_stops(&s->cost)) {
        s->way = WAY_SCAN;
        return OK;
    }
    if (search_selects(s))
        return search_filtered(r, hits, count);
    if (!s->exact && r->lists)
        return search_lists(r, hits, count);
    if (!s->exact && r->view->graph != NULL)
        return search_graph(r, hits, count);
    s->way = WAY_SCAN;
    return s->explain == EXPLAIN_PLAN ? OK : scan_all(r, hits, count);
}

/* The nearest `wanted` of a query, at most, within the radius. */
static enum err find_nearest(struct search *s, struct lane *lane, const float *query, size_t wanted,
                             struct hit **hits, size_t *count)
{
    struct query_run r = run_of(s, wanted);
    r.search = s;
    r.lane = lane;
    r.query = query;
    if (search_selects(s))
        r.filter = (struct index_filter){.accept = accept, .fetch = fetch, .user = s};
    *count = 0;
    enum err e = find(&r, hits, count);
    if (*count > r.wanted)
        *count = r.wanted;
    while (e == OK && *count > 0 && (*hits)[*count - 1].dist > s->radius)
        --*count;
    return e;
}

/* What is made of the hits may need more of them. */
static enum err find_refined(struct search *s, struct lane *lane, const float *query,
                             struct hit **hits, size_t *count)
{
    size_t wanted = search_first_wanted(s);
    while (wanted > 0) {
        enum err e = find_nearest(s, lane, query, wanted, hits, count);
        if (e != OK || s->wants_rows || s->explain == EXPLAIN_PLAN)
            return e;
        bool all = *count < wanted || s->cost.stopped;
        e = refine_hits(s->refine, &s->view, lane, s->count, all, *hits, count, &wanted);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err search_find(struct search *s, struct lane *lane, const float *query)
{
    struct hit *hits = NULL;
    size_t count = 0;
    s->cost.stopped = false;
    enum err e = s->refine == NULL ? find_nearest(s, lane, query, s->count, &hits, &count)
                                   : find_refined(s, lane, query, &hits, &count);
    if (e != OK || s->wants_rows)
        return e;
    search_stage(s, STAGE_ENCODE);
    if (s->explain != EXPLAIN_PLAN)
        s->encode(s, hits, count);
    s->hits += count;
    return s->error;
}
