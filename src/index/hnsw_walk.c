/* Walking the graph: the loop every search and every link job spends its time in.
 *
 * Malkov and Yashunin 2018, Algorithm 2, with one sorted array for both of its queues, and changed
 * to wait for memory less (tests/bench/README.md has what each of these gave): a step follows the
 * links of several rows at once (as DiskANN's beam search does with its reads: Subramanya et al.
 * 2019), the codes of everything they lead to are fetched before the first is scored, and what is
 * near enough is sorted and merged into the pool in one pass. */
#include <math.h>

#include "index/hnsw_impl.h"
#include "index/visited.h"

/* BEAM_MAX rows are followed in a step; a narrow pool takes fewer, since what is followed too early
 * is followed in vain. */
enum { BATCH = 64, BEAM_MAX = 4, BEAM_POOL = 16, FOUND_MAX = BEAM_MAX * BATCH, YIELD_STEPS = 16 };

/* A pool row whose links were followed carries this bit; rows stay below it (LIMIT_ROWS). */
#define FOLLOWED 0x80000000u

/* owner: hnsw_walk */
struct walk {
    const struct hnsw *h;
    const struct index_rows *rows;
    const uint8_t *prepared;
    int level;
    size_t ef;
    size_t beam;
    struct hit *pool; /* the nearest rows met, sorted */
    size_t count;
    size_t next; /* the rows of all places before it were followed */
    struct visited visited;
    uint32_t found[FOUND_MAX]; /* rows met in this step, not scored yet */
    size_t found_count;
    struct index_cost *cost;
};

static inline void fetch_links(const struct hnsw *h, uint32_t row, int level)
{
    const char *links = (const char *)hnsw_links(h, row, level);
    __builtin_prefetch(links);
    __builtin_prefetch(links + 64);
}

/* The first lines of a code; the kernels fetch the rest of longer ones as they go. */
static inline void fetch_codes(const struct index_rows *rows, const uint32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *code = row_code(rows, ids[i]);
        __builtin_prefetch(code);
        __builtin_prefetch(code + 64);
    }
}

/* Few and nearly random: insertion beats anything that has to be called. */
static inline void sort_few(struct hit *hits, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct hit h = hits[i];
        size_t at = i;
        for (; at > 0 && hits[at - 1].dist > h.dist; at--)
            hits[at] = hits[at - 1];
        hits[at] = h;
    }
}

/* Merges sorted hits into the pool from its far end; what has no room is dropped. */
static inline void pool_merge(struct walk *w, const struct hit *near, size_t near_count)
{
    struct hit *pool = w->pool;
    size_t old = w->count, fresh = near_count;
    const size_t sum = old + fresh, total = sum < w->ef ? sum : w->ef;
    for (size_t drop = sum - total; drop > 0; drop--) {
        if (old > 0 && (fresh == 0 || pool[old - 1].dist > near[fresh - 1].dist))
            old--;
        else
            fresh--;
    }
    size_t out = total;
    while (fresh > 0) {
        if (old > 0 && pool[old - 1].dist > near[fresh - 1].dist)
            pool[--out] = pool[--old];
        else
            pool[--out] = near[--fresh];
    }
    w->count = total;
    if (out < w->next)
        w->next = out;
}

static inline void score_found(struct walk *w)
{
    float scores[FOUND_MAX];
    struct hit near[FOUND_MAX];
    const float limit = w->count == w->ef ? w->pool[w->ef - 1].dist : INFINITY;
    const size_t count = w->found_count;
    codec_score_many(w->rows->codec, w->prepared, w->rows->codes, w->found, count, scores);
    w->cost->distances += count;
    w->found_count = 0;

    /* No branch on what chance decides: near[kept] is written either way. */
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        near[kept] = (struct hit){scores[i], w->found[i]};
        kept += scores[i] < limit;
    }
    sort_few(near, kept);
    pool_merge(w, near, kept);
}

/* Adds the unvisited neighbours of a row to found. */
static inline void gather(struct walk *w, uint32_t row)
{
    const hnsw_link *links = hnsw_links(w->h, row, w->level);
    const uint32_t max = hnsw_links_max(w->h, w->level);
    size_t first = w->found_count;
    for (uint32_t i = 0; i < max; i++) {
        uint32_t id = link_load(&links[i]);
        if (id == ROW_NONE)
            break;
        if (w->found_count == FOUND_MAX) {
            visited_note(&w->visited, w->found + first, w->found_count - first);
            score_found(w);
            first = 0;
        }
        w->found[w->found_count] = id;
        w->found_count += !visited_test_set(&w->visited, id);
    }
    visited_note(&w->visited, w->found + first, w->found_count - first);
    fetch_codes(w->rows, w->found + first, w->found_count - first);
    w->cost->hops++;
}

/* The nearest rows whose links were not followed; returns how many, at most the beam. */
static inline size_t choose(struct walk *w, uint32_t beam[BEAM_MAX])
{
    size_t width = 0;
    for (; w->next < w->count && width < w->beam; w->next++) {
        struct hit *hit = &w->pool[w->next];
        if ((hit->row & FOLLOWED) != 0)
            continue;
        fetch_links(w->h, hit->row, w->level);
        beam[width++] = hit->row;
        hit->row |= FOLLOWED;
    }
    return width;
}

size_t hnsw_walk(const struct hnsw *h, const struct index_rows *rows, struct lane *lane,
                 const uint8_t *prepared, int level, size_t ef, struct hit *pool, size_t count,
                 bool *ok, struct index_cost *cost)
{
    CHECK(count > 0 && count <= ef);
    CHECK(level >= 0 && level < HNSW_LEVELS_MAX && rows->end <= FOLLOWED);
    struct walk w; /* found is large and needs no start value */
    w.h = h;
    w.rows = rows;
    w.prepared = prepared;
    w.level = level;
    w.ef = ef;
    w.beam = ef / BEAM_POOL < BEAM_MAX ? 1 + ef / BEAM_POOL : BEAM_MAX;
    w.pool = pool;
    w.count = count;
    w.next = 0;
    w.found_count = 0;
    w.cost = cost;
    *ok = visited_begin(&w.visited, lane, rows->end);
    if (!*ok)
        return 0;
    for (size_t i = 0; i < count; i++) /* the entry may be a row that came after rows was taken */
        if (!visited_test_set(&w.visited, pool[i].row))
            visited_note(&w.visited, &pool[i].row, 1);
    uint32_t beam[BEAM_MAX];
    size_t width;
    for (unsigned steps = 1; (width = choose(&w, beam)) > 0; steps++) {
        if (steps % YIELD_STEPS == 0) {
            lane_yield(lane);
            if (index_stops(cost))
                break;
        }
        for (size_t i = 0; i < width; i++)
            gather(&w, beam[i]);
        score_found(&w);
    }
    for (size_t i = 0; i < w.count; i++)
        pool[i].row &= ~FOLLOWED;
    visited_end(&w.visited);
    CHECK(w.count >= count && w.count <= ef); /* a pool never shrinks */
    return w.count;
}

struct hit hnsw_descend(const struct hnsw *h, const struct index_rows *rows,
                        const uint8_t *prepared, uint64_t entry, int level, struct index_cost *cost)
{
    CHECK(entry != ENTRY_NONE && entry_level(entry) < HNSW_LEVELS_MAX && level >= 0);
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
