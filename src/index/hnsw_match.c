/* Walking over the rows that a filter lets through.
 *
 * ACORN-1 (Patel, Kraft, Guestrin and Zaharia 2024, arXiv 2403.04871) on the graph as it is: only
 * rows that match are in the pool, and a neighbour that does not match is stepped over, to the
 * matching ones among its own neighbours. Changed: neighbours are stepped over only while a row has
 * led to few matches, since where many match the links alone keep them together; and the walk sets
 * out from rows that are known to match, wherever they are, besides the nearest of all. So it finds
 * its way where nothing near the query matches, which a walk with the filter behind it does not. */
#include "index/hnsw_pool.h"

/* owner: hnsw_walk_matching. A row is tested once; one that matches is done when it is found, one
 * that does not when it is stepped over, which its second meeting may be. */
struct match_walk {
    struct walk walk; /* visited: rows that were tested */
    struct visited done;
    const struct index_filter *filter;
    size_t met;               /* matches found so far */
    uint32_t heap[FOUND_MAX]; /* rows to be tested, whose bytes are on their way */
    size_t heap_count;
    uint32_t passed[FOUND_MAX]; /* rows of this step that do not match */
    size_t passed_count;
};

static inline void take(struct match_walk *m, uint32_t row)
{
    if (m->walk.found_count == FOUND_MAX)
        score_found(&m->walk);
    fetch_codes(m->walk.rows, &row, 1);
    m->walk.found[m->walk.found_count++] = row;
    m->met++;
}

/* Rows that do not match are kept in passed, while there is room. */
static void test_heap(struct match_walk *m, bool keep)
{
    visited_note(&m->walk.visited, m->heap, m->heap_count);
    m->walk.cost->tested += m->heap_count;
    for (size_t i = 0; i < m->heap_count; i++) {
        uint32_t row = m->heap[i];
        if (row_visible(m->walk.rows, row) && m->filter->accept(m->filter->user, row)) {
            take(m, row);
        } else if (keep && m->passed_count < FOUND_MAX) {
            fetch_links(m->walk.h, row, 0);
            m->passed[m->passed_count++] = row;
        }
    }
    m->heap_count = 0;
}

/* To be tested, if it was not. True: it was. */
static inline bool add(struct match_walk *m, uint32_t row, bool keep)
{
    if (visited_test_set(&m->walk.visited, row))
        return true;
    if (m->heap_count == FOUND_MAX)
        test_heap(m, keep);
    m->heap[m->heap_count++] = row;
    row_fetch(m->walk.rows, m->filter, row);
    return false;
}

/* A row that may be followed or stepped over. */
static inline void meet(struct match_walk *m, uint32_t row)
{
    if (visited_test_set(&m->done, row))
        return;
    visited_note(&m->done, &row, 1);
    if (add(m, row, true) && m->passed_count < FOUND_MAX)
        m->passed[m->passed_count++] = row;
}

static void meet_neighbours(struct match_walk *m, uint32_t row)
{
    const hnsw_link *links = hnsw_links(m->walk.h, row, 0);
    for (uint32_t i = 0; i < m->walk.h->m0; i++) {
        uint32_t id = link_load(&links[i]);
        if (id == ROW_NONE)
            break;
        meet(m, id);
    }
    m->walk.cost->hops++;
}

static void step_over(struct match_walk *m, uint32_t row)
{
    const hnsw_link *links = hnsw_links(m->walk.h, row, 0);
    for (uint32_t i = 0; i < m->walk.h->m0; i++) {
        uint32_t id = link_load(&links[i]);
        if (id == ROW_NONE)
            break;
        (void)add(m, id, false);
    }
    test_heap(m, false);
    m->walk.cost->hops++;
}

/* Tests what was met, and steps over what does not match while fewer than enough do. */
static void gather(struct match_walk *m, size_t enough)
{
    test_heap(m, true);
    for (size_t i = 0; i < m->passed_count && m->met < enough; i++)
        step_over(m, m->passed[i]);
    m->passed_count = 0;
}

static bool begin(struct match_walk *m, const struct hnsw *h, const struct index_rows *rows,
                  struct lane *lane, const struct index_query *query, struct hit *pool,
                  struct index_cost *cost)
{
    struct walk *w = &m->walk;
    w->h = h;
    w->rows = rows;
    w->prepared = query->prepared;
    w->level = 0;
    w->ef = w->follow = query->effort;
    walk_set_width(w);
    w->pool = pool;
    w->count = w->next = w->found_count = 0;
    w->cost = cost;
    m->filter = &query->filter;
    m->met = m->heap_count = m->passed_count = 0;
    return visited_begin(&w->visited, lane, rows->end) &&
           visited_begin_in(&m->done, lane, rows->end, SCRATCH_VISITED_2, SCRATCH_TOUCHED_2);
}

size_t hnsw_walk_matching(const struct hnsw *h, const struct index_rows *rows, struct lane *lane,
                          const struct index_query *query, uint32_t entry, struct hit *pool,
                          struct index_cost *cost)
{
    struct match_walk m; /* found is large and needs no start value */
    CHECK(query->filter.accept != NULL && rows->end <= FOLLOWED);
    if (!begin(&m, h, rows, lane, query, pool, cost))
        return SIZE_MAX;
    struct walk *w = &m.walk;
    for (size_t i = 0; i < query->start_count; i++)
        meet(&m, query->starts[i]);
    meet(&m, entry);
    gather(&m, w->ef);
    score_found(w);
    uint32_t beam[BEAM_MAX];
    size_t width;
    for (unsigned steps = 1; (width = choose(w, beam)) > 0; steps++) {
        if (steps % YIELD_STEPS == 0) {
            lane_yield(lane);
            if (index_stops(cost))
                break;
        }
        size_t enough = m.met + width * h->m0 / 2;
        for (size_t i = 0; i < width; i++)
            meet_neighbours(&m, beam[i]);
        gather(&m, enough);
        score_found(w);
    }
    pool_unmark(w);
    visited_end(&w->visited);
    visited_end(&m.done);
    CHECK(w->count <= w->ef);
    return w->count;
}
