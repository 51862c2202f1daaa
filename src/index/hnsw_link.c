/* Linking a row: Malkov and Yashunin 2018, Algorithm 1, on code distances, with any number of lanes
 * linking at once (README.md, "Concurrency"). */
#include <string.h>

#include "index/hnsw_impl.h"

/* What a link job works on. */
struct linking {
    struct hnsw *h;
    const struct index_rows *rows;
    struct lane *lane;
    uint32_t row;
    const uint8_t *prepared;             /* the row's own code as a query */
    uint32_t *chosen[HNSW_LEVELS_MAX];   /* neighbours per level */
    size_t chosen_count[HNSW_LEVELS_MAX];
    uint32_t *list_a; /* room for m0 + 1 */
    uint32_t *list_b;
};

/* Nearest rows first, without the row itself and without dead ones. */
static size_t drop_unfit(const struct linking *l, struct hit *pool, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (pool[i].row != l->row && !row_dead(l->rows, pool[i].row))
            pool[kept++] = pool[i];
    return kept;
}

/* Finds the neighbours of every level from the top down. Nothing is published yet. */
static bool choose_all(struct linking *l, uint64_t entry)
{
    struct hnsw *h = l->h;
    int level = hnsw_node(h, l->row)->level;
    struct index_cost cost = {0};
    size_t ef = h->ef_build;
    struct hit *pool = scratch_get(l->lane, SCRATCH_POOL, (ef + 1) * sizeof(*pool));
    struct hit *fit = scratch_get(l->lane, SCRATCH_CANDIDATES, (ef + 1) * sizeof(*fit));
    if (pool == NULL || fit == NULL)
        return false;
    int from = level < entry_level(entry) ? level : entry_level(entry);
    pool[0] = hnsw_descend(h, l->rows, l->prepared, entry, from, &cost);
    size_t count = 1;
    for (int at = from; at >= 0; at--) {
        bool ok;
        count = hnsw_walk(h, l->rows, l->lane, l->prepared, at, ef, pool, count, &ok, &cost);
        if (!ok)
            return false;
        memcpy(fit, pool, count * sizeof(*pool));
        size_t fit_count = drop_unfit(l, fit, count);
        l->chosen_count[at] = hnsw_select(l->rows, l->lane, fit, fit_count, h->m, l->chosen[at]);
        if (fit_count > 0 && l->chosen_count[at] == 0)
            return false;
    }
    return true;
}

/* Writes the row's own list of a level. Links it had already (it was linked before and lost its
 * last in-link) are dropped where their target has others. */
static void write_own(const struct linking *l, int level)
{
    struct hnsw *h = l->h;
    struct hnsw_node *node = hnsw_node(h, l->row);
    uint32_t *old = l->list_a, *ids = l->list_b;
    size_t count = 0;
    node_lock(node, l->lane);
    size_t old_count = links_copy(h, l->row, level, old);
    for (size_t i = 0; i < l->chosen_count[level]; i++)
        if (!row_dead(l->rows, l->chosen[level][i]))
            ids[count++] = l->chosen[level][i];
    for (size_t i = 0; i < count && level == 0; i++)
        node_gain_link(hnsw_node(h, ids[i]));
    for (size_t i = 0; i < old_count && level == 0; i++)
        if (!node_lose_link(hnsw_node(h, old[i])) && count < h->m0 && !row_dead(l->rows, old[i]))
            ids[count++] = old[i];
    links_write(h, l->row, level, ids, count);
    node_unlock(node);
}

/* The list of row `of`, and one more, sorted by distance to it. */
static size_t score_list(const struct linking *l, uint32_t of, const uint32_t *ids, size_t count,
                         struct hit *out)
{
    uint8_t *query = scratch_get(l->lane, SCRATCH_QUERY_C, l->rows->codec->query_size);
    float *scores = scratch_get(l->lane, SCRATCH_SCORES, count * sizeof(float));
    if (query == NULL || scores == NULL)
        return 0;
    codec_query_of_row(l->rows->codec, row_code(l->rows, of), query);
    codec_score_many(l->rows->codec, query, l->rows->codes, ids, count, scores);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!row_dead(l->rows, ids[i]))
            out[kept++] = (struct hit){scores[i], ids[i]};
    hits_sort(out, kept);
    return kept;
}

/* A row that would lose its last in-link takes a free place, or that of the farthest chosen row
 * that has others. */
static size_t keep_reachable(const struct hnsw *h, uint32_t row, uint32_t *chosen, size_t count,
                             size_t max)
{
    if (count < max) {
        chosen[count] = row;
        return count + 1;
    }
    for (size_t i = count; i-- > 0;) {
        if (node_lose_link(hnsw_node(h, chosen[i]))) {
            chosen[i] = row;
            break;
        }
    }
    return count;
}

/* A full list with one more candidate: chooses which links stay. */
static void choose_again(const struct linking *l, uint32_t of, int level, uint32_t *ids,
                         size_t count)
{
    struct hnsw *h = l->h;
    uint32_t max = hnsw_links_max(h, level);
    struct hit *candidates = scratch_get(l->lane, SCRATCH_CANDIDATES, count * sizeof(*candidates));
    uint32_t *chosen = l->list_b;
    if (candidates == NULL)
        return;
    size_t scored = score_list(l, of, ids, count, candidates);
    size_t kept = hnsw_select(l->rows, l->lane, candidates, scored, max, chosen);
    if (kept == 0)
        return; /* memory is short: the list stays as it is */
    if (level == 0)
        node_gain_link(hnsw_node(h, l->row));
    /* chosen is a subsequence of candidates: what is not in it was dropped. */
    size_t at = 0, selected = kept;
    for (size_t i = 0; i < scored && level == 0; i++) {
        if (at < selected && chosen[at] == candidates[i].row)
            at++;
        else if (!node_lose_link(hnsw_node(h, candidates[i].row)))
            kept = keep_reachable(h, candidates[i].row, chosen, kept, max);
    }
    links_write(h, of, level, chosen, kept);
}

/* Adds a link from neighbour `of` back to the row, unless either has died: the mark is looked at
 * under the lock, so that a sweep which has passed finds no new link behind it. */
static void write_reverse(const struct linking *l, uint32_t of, int level)
{
    struct hnsw *h = l->h;
    struct hnsw_node *node = hnsw_node(h, of);
    uint32_t max = hnsw_links_max(h, level);
    uint32_t *ids = l->list_a;
    node_lock(node, l->lane);
    size_t count = links_copy(h, of, level, ids);
    bool there = row_dead(l->rows, of) || row_dead(l->rows, l->row);
    for (size_t i = 0; i < count && !there; i++)
        there = ids[i] == l->row;
    if (!there && count < max) {
        if (level == 0)
            node_gain_link(hnsw_node(h, l->row));
        link_store(&hnsw_links(h, of, level)[count], l->row);
    } else if (!there) {
        ids[count] = l->row;
        choose_again(l, of, level, ids, count + 1);
    }
    node_unlock(node);
}

/* Walks start here from now on, if the row is higher than where they do. */
static void raise_entry(struct hnsw *h, const struct index_rows *rows, uint32_t row)
{
    uint64_t mine = (uint64_t)hnsw_node(h, row)->level << 32 | row;
    uint64_t entry = atomic_load_explicit(&h->entry, memory_order_acquire);
    while ((entry == ENTRY_NONE || entry_level(mine) > entry_level(entry)) && !row_dead(rows, row))
        if (atomic_compare_exchange_weak_explicit(&h->entry, &entry, mine, memory_order_acq_rel,
                                                  memory_order_acquire))
            return;
}

static bool linking_init(struct linking *l)
{
    struct hnsw *h = l->h;
    uint8_t *prepared = scratch_get(l->lane, SCRATCH_QUERY_A, l->rows->codec->query_size);
    uint32_t *chosen = scratch_get(l->lane, SCRATCH_CHOSEN,
                                   (size_t)h->m * HNSW_LEVELS_MAX * sizeof(*chosen));
    l->list_a = scratch_get(l->lane, SCRATCH_LIST_A, ((size_t)h->m0 + 1) * sizeof(uint32_t));
    l->list_b = scratch_get(l->lane, SCRATCH_LIST_B, ((size_t)h->m0 + 1) * sizeof(uint32_t));
    if (prepared == NULL || chosen == NULL || l->list_a == NULL || l->list_b == NULL)
        return false;
    for (int level = 0; level < HNSW_LEVELS_MAX; level++)
        l->chosen[level] = chosen + (size_t)level * h->m;
    codec_query_of_row(l->rows->codec, row_code(l->rows, l->row), prepared);
    l->prepared = prepared;
    return true;
}

/* First the neighbours of all levels are found, then the row's own lists are written, and only then
 * do links lead to it: who comes by them finds every list complete. */
bool hnsw_link_row(struct index *x, const struct index_rows *rows, struct lane *lane, uint32_t row)
{
    struct linking l = {.h = hnsw_of(x), .rows = rows, .lane = lane, .row = row};
    CHECK(row < rows->end);
    if (row_dead(rows, row))
        return true;
    if (!linking_init(&l))
        return false;
    uint64_t entry = atomic_load_explicit(&l.h->entry, memory_order_acquire);
    /* The very first row becomes the entry; of two at once, one links to the other. */
    if (entry == ENTRY_NONE) {
        raise_entry(l.h, rows, row);
        entry = atomic_load_explicit(&l.h->entry, memory_order_acquire);
    }
    struct hnsw_node *node = hnsw_node(l.h, row);
    bool linked = atomic_load_explicit(&node->linked, memory_order_acquire) != 0;
    if (entry == ENTRY_NONE || (entry_row(entry) == row && !linked)) {
        atomic_store_explicit(&node->linked, 1, memory_order_release);
        return true;
    }
    if (!choose_all(&l, entry))
        return false;
    int level = node->level;
    for (int at = 0; at <= level; at++)
        write_own(&l, at);
    for (int at = 0; at <= level; at++)
        for (size_t i = 0; i < l.chosen_count[at]; i++)
            write_reverse(&l, l.chosen[at][i], at);
    raise_entry(l.h, rows, row);
    atomic_store_explicit(&node->linked, 1, memory_order_release);
    return true;
}
