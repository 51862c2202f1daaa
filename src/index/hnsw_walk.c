/* Walking the graph: the loop every search and every link job spends its time in.
 *
 * Malkov and Yashunin 2018, Algorithm 2, with one sorted array for both of its queues, links
 * gathered before they are scored, and rows fetched ahead by the kernels (tests/bench/README.md has
 * what each of these gave). */
#include "index/hnsw_impl.h"
#include "index/visited.h"

enum {
    BATCH = 64,
    FOLLOW_AT_ONCE = 2, /* rows: their links come from memory side by side */
    YIELD_ROUNDS = 16
};

/* A pool row whose links were followed carries this bit; rows stay below it (LIMIT_ROWS). */
#define FOLLOWED 0x80000000u

/* Puts a hit into the sorted pool of at most ef; returns its place, or ef when it is too far. */
static inline size_t pool_insert(struct hit *pool, size_t *count, size_t ef, struct hit h)
{
    if (*count == ef && h.dist >= pool[ef - 1].dist)
        return ef;
    size_t low = 0, high = *count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (pool[mid].dist <= h.dist)
            low = mid + 1;
        else
            high = mid;
    }
    size_t moved = *count - low;
    if (*count == ef)
        moved--;
    else
        (*count)++;
    memmove(&pool[low + 1], &pool[low], moved * sizeof(*pool));
    pool[low] = h;
    return low;
}

static inline void fetch_links(const struct hnsw *h, uint32_t row, int level)
{
    const char *links = (const char *)hnsw_links(h, row, level);
    __builtin_prefetch(links);
    __builtin_prefetch(links + 64);
}

/* One walk. Rows whose scores are wanted gather in ids and are scored in one call. */
struct walk {
    const struct hnsw *h;
    const struct index_rows *rows;
    const uint8_t *prepared;
    int level;
    struct visited visited;
    struct hit *pool; /* sorted; a row with FOLLOWED has been followed */
    size_t count, ef;
    size_t first_changed; /* place of the pool, since the last follow */
    uint64_t distances;
    size_t found;
    uint32_t ids[BATCH];
    float scores[BATCH];
};

/* Scores what was gathered and puts it into the pool. */
static inline void score(struct walk *w)
{
    codec_score_many(w->rows->codec, w->prepared, w->rows->codes, w->ids, w->found, w->scores);
    w->distances += w->found;
    visited_note(&w->visited, w->ids, w->found);
    for (size_t i = 0; i < w->found; i++) {
        struct hit h = {w->scores[i], w->ids[i]};
        size_t at = pool_insert(w->pool, &w->count, w->ef, h);
        if (at < w->first_changed) {
            w->first_changed = at;
            fetch_links(w->h, h.row, w->level); /* perhaps the next one to follow */
        }
    }
    w->found = 0;
}

/* Gathers the unvisited neighbours of a row. Whether a row was visited is as good as random, so
 * nothing branches on it. */
static inline void gather(struct walk *w, uint32_t row)
{
    const hnsw_link *links = hnsw_links(w->h, row, w->level);
    uint32_t max = hnsw_links_max(w->h, w->level);
    for (uint32_t i = 0; i < max; i++) {
        uint32_t id = link_load(&links[i]);
        if (id == ROW_NONE)
            break;
        w->ids[w->found] = id;
        w->found += !visited_test_set(&w->visited, id);
        if (w->found == BATCH)
            score(w);
    }
}

/* Takes the nearest rows that were not followed, from next on; the links of those behind them are
 * fetched meanwhile. Returns how many; *next is the first place that was not looked at. */
static inline size_t take_nearest(struct walk *w, size_t *next, uint32_t *rows)
{
    size_t taken = 0, fetched = 0, at = *next;
    for (; at < w->count && taken < FOLLOW_AT_ONCE; at++) {
        if ((w->pool[at].row & FOLLOWED) != 0)
            continue;
        rows[taken++] = w->pool[at].row;
        w->pool[at].row |= FOLLOWED;
    }
    *next = at;
    for (; at < w->count && fetched < FOLLOW_AT_ONCE; at++) {
        if ((w->pool[at].row & FOLLOWED) != 0)
            continue;
        fetch_links(w->h, w->pool[at].row, w->level);
        fetched++;
    }
    return taken;
}

size_t hnsw_walk(const struct hnsw *h, const struct index_rows *rows, struct lane *lane,
                 const uint8_t *prepared, int level, size_t ef, struct hit *pool, size_t count,
                 bool *ok, struct index_cost *cost)
{
    CHECK(count > 0 && count <= ef);
    struct walk w = {.h = h, .rows = rows, .prepared = prepared, .level = level};
    w.pool = pool;
    w.count = count;
    w.ef = ef;
    *ok = visited_begin(&w.visited, lane, rows->end);
    if (!*ok)
        return 0;
    for (size_t i = 0; i < count; i++) /* the entry may be a row that came after rows was taken */
        if (!visited_test_set(&w.visited, pool[i].row))
            visited_note(&w.visited, &pool[i].row, 1);
    size_t next = 0, taken;
    uint32_t nearest[FOLLOW_AT_ONCE];
    for (unsigned rounds = 1; (taken = take_nearest(&w, &next, nearest)) > 0; rounds++) {
        if (rounds % YIELD_ROUNDS == 0)
            lane_yield(lane);
        w.first_changed = ef;
        for (size_t i = 0; i < taken; i++)
            gather(&w, nearest[i]);
        score(&w);
        cost->hops += taken;
        if (w.first_changed < next)
            next = w.first_changed;
    }
    for (size_t i = 0; i < w.count; i++)
        pool[i].row &= ~FOLLOWED;
    visited_end(&w.visited);
    cost->distances += w.distances;
    return w.count;
}

struct hit hnsw_descend(const struct hnsw *h, const struct index_rows *rows,
                        const uint8_t *prepared, uint64_t entry, int level,
                        struct index_cost *cost)
{
    CHECK(entry != ENTRY_NONE);
    struct hit best = {.row = entry_row(entry)};
    best.dist = codec_score(rows->codec, prepared, row_code(rows, best.row));
    for (int at = entry_level(entry); at > level; at--) {
        for (bool better = true; better;) {
            better = false;
            uint32_t ids[BATCH];
            float scores[BATCH];
            size_t count = hnsw_neighbours(&h->index, best.row, at, ids, BATCH);
            codec_score_many(rows->codec, prepared, rows->codes, ids, count, scores);
            cost->distances += count;
            for (size_t i = 0; i < count; i++) {
                if (scores[i] < best.dist && ids[i] < rows->end) {
                    best = (struct hit){scores[i], ids[i]};
                    better = true;
                }
            }
        }
    }
    return best;
}
