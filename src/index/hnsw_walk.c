/* Walking the graph: the loop every search and every link job spends its time in.
 *
 * Malkov and Yashunin 2018, Algorithm 2, with one sorted array for both of its queues, and changed
 * to wait for memory less (tests/bench/README.md has what each of these gave): a step follows the
 * links of several rows at once (as DiskANN's beam search does with its reads: Subramanya et al.
 * 2019), the codes of everything they lead to are fetched before the first is scored, and what is
 * near enough is sorted and merged into the pool in one pass. */
#include "index/hnsw_pool.h"

#include <string.h>

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

size_t hnsw_walk(const struct hnsw *h, const struct index_rows *rows, struct lane *lane,
                 const uint8_t *prepared, int level, size_t follow, size_t ef, struct hit *pool,
                 size_t count, bool *ok, struct index_cost *cost)
{
    CHECK(count > 0 && count <= ef && follow > 0 && follow <= ef);
    CHECK(level >= 0 && level < HNSW_LEVELS_MAX && rows->end <= FOLLOWED);
    struct walk w; /* found is large and needs no start value */
    w.h = h;
    w.rows = rows;
    w.prepared = prepared;
    w.level = level;
    w.ef = ef;
    w.follow = follow;
    walk_set_width(&w);
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
    for (size_t i = 0; i < count; i++)
        if (isinf(pool[i].dist))
            pool[i].row |= FOLLOWED;
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
    pool_unmark(&w);
    visited_end(&w.visited);
    CHECK(w.count >= count && w.count <= ef); /* a pool never shrinks */
    return w.count;
}

/* Rows that a descent has scored: what was no better then is no better now. A row that another has
 * taken the place of is scored again. */
struct scored {
    uint32_t rows[256];
};

/* Keeps those that were not; they are from now on. */
static size_t drop_scored(struct scored *s, uint32_t *ids, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t id = ids[i], *place = &s->rows[id % COUNT_OF(s->rows)];
        ids[kept] = id;
        kept += *place != id;
        *place = id;
    }
    return kept;
}

struct hit hnsw_descend(const struct hnsw *h, const struct index_rows *rows,
                        const uint8_t *prepared, uint64_t entry, int level, struct index_cost *cost)
{
    CHECK(entry != ENTRY_NONE && entry_level(entry) < HNSW_LEVELS_MAX && level >= 0);
    struct hit best = {.row = entry_row(entry)};
    struct scored scored;
    memset(&scored, 0xff, sizeof(scored)); /* ROW_NONE */
    best.dist = codec_score(rows->codec, prepared, row_code(rows, best.row));
    for (int at = entry_level(entry); at > level; at--) {
        for (bool better = true; better;) {
            better = false;
            uint32_t ids[BATCH];
            float scores[BATCH];
            size_t count = hnsw_neighbours(&h->index, best.row, at, ids, BATCH);
            count = drop_scored(&scored, ids, count);
            cost->distances += count;
            count = codec_screen(rows->codec, prepared, rows->codes, ids, count, best.dist);
            codec_score_many(rows->codec, prepared, rows->codes, ids, count, scores);
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
