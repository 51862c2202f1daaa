/* Walking the graph: the loop every search and every link job spends its time in.
 *
 * Malkov and Yashunin 2018, Algorithm 2, with one sorted array for both of its queues, links
 * gathered before they are scored, and rows fetched ahead by the kernels (tests/bench/README.md has
 * what each of these gave). */
#include "index/hnsw_impl.h"
#include "index/visited.h"

enum { BATCH = 64, YIELD_HOPS = 32 };

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

/* The unvisited neighbours from the i-th link on: up to BATCH; *i is where to go on. Whether a row was
 * visited is as good as random, so nothing branches on it. */
static inline size_t gather(const struct hnsw *h, struct visited *v, uint32_t row, int level,
                            uint32_t *i, uint32_t *ids)
{
    const hnsw_link *links = hnsw_links(h, row, level);
    uint32_t max = hnsw_links_max(h, level);
    size_t count = 0;
    for (; *i < max && count < BATCH; (*i)++) {
        uint32_t id = link_load(&links[*i]);
        if (id == ROW_NONE) {
            *i = max;
            break;
        }
        ids[count] = id;
        count += !visited_test_set(v, id);
    }
    visited_note(v, ids, count);
    return count;
}

/* Follows the links of one row; returns the first place of the pool that changed, or ef. */
static inline size_t follow(const struct hnsw *h, const struct index_rows *rows, struct visited *v,
                            const uint8_t *prepared, int level, size_t ef, struct hit *pool,
                            size_t *count, uint32_t row, struct index_cost *cost)
{
    uint32_t ids[BATCH];
    float scores[BATCH];
    size_t first_changed = ef;
    for (uint32_t i = 0; i < hnsw_links_max(h, level);) {
        size_t found = gather(h, v, row, level, &i, ids);
        codec_score_many(rows->codec, prepared, rows->codes, ids, found, scores);
        cost->distances += found;
        for (size_t j = 0; j < found; j++) {
            size_t at = pool_insert(pool, count, ef, (struct hit){scores[j], ids[j]});
            if (at < first_changed) {
                first_changed = at;
                fetch_links(h, ids[j], level); /* perhaps the next one to follow */
            }
        }
    }
    cost->hops++;
    return first_changed;
}

/* The first row from next on whose links were not followed. */
static inline size_t next_unfollowed(const struct hit *pool, size_t count, size_t next)
{
    while (next < count && (pool[next].row & FOLLOWED) != 0)
        next++;
    return next;
}

size_t hnsw_walk(const struct hnsw *h, const struct index_rows *rows, struct lane *lane,
                 const uint8_t *prepared, int level, size_t ef, struct hit *pool, size_t count,
                 bool *ok, struct index_cost *cost)
{
    CHECK(count > 0 && count <= ef);
    struct visited v;
    *ok = visited_begin(&v, lane, rows->end);
    if (!*ok)
        return 0;
    for (size_t i = 0; i < count; i++) {
        (void)visited_test_set(&v, pool[i].row);
        visited_note(&v, &pool[i].row, 1);
    }
    size_t next = 0;
    for (unsigned hops = 0; next < count; hops++) {
        uint32_t row = pool[next].row;
        pool[next].row |= FOLLOWED;
        if (hops % YIELD_HOPS == YIELD_HOPS - 1)
            lane_yield(lane);
        next = next_unfollowed(pool, count, next);
        if (next < count)
            fetch_links(h, pool[next].row, level); /* the next one, unless a nearer turns up */
        size_t changed = follow(h, rows, &v, prepared, level, ef, pool, &count, row, cost);
        next = next_unfollowed(pool, count, changed < next ? changed : next);
    }
    for (size_t i = 0; i < count; i++)
        pool[i].row &= ~FOLLOWED;
    visited_end(&v);
    return count;
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
