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
    const uint8_t *prepared;           /* the row's own code as a query */
    uint32_t *chosen[HNSW_LEVELS_MAX]; /* neighbours per level */
    size_t chosen_count[HNSW_LEVELS_MAX];
    struct hit *pool; /* after the walk of level 0: all it found, nearest first */
    size_t pool_count;
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

static bool is_other_row(void *user, uint32_t row)
{
    return row != *(const uint32_t *)user;
}

/* All that the walk of level 0 found is dead: a filtered one goes on until it finds who lives. */
static bool find_living(struct linking *l, struct hit *fit, size_t *count, struct index_cost *cost)
{
    bool complete;
    struct index_query query = {.prepared = l->prepared,
                                .effort = l->h->ef_build,
                                .filter = {.accept = is_other_row, .user = &l->row}};
    *count = hnsw_search(&l->h->index, l->rows, l->lane, &query, fit, &complete, cost);
    return *count != SIZE_MAX;
}

/* How many neighbours a row chooses itself; the rest of its list is for those that choose it. Half
 * as many again on level 0 as the paper has it: 11 to 15 % more searches a second on glove100 at
 * equal recall, for 11 % more work in the build (tests/bench/README.md). */
static size_t own_links(const struct hnsw *h, int level)
{
    return level == 0 ? h->m + h->m / 2 : h->m;
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
        count = hnsw_walk(h, l->rows, l->lane, l->prepared, at, ef, ef, pool, count, &ok, &cost);
        if (!ok)
            return false;
        memcpy(fit, pool, count * sizeof(*pool));
        size_t fit_count = drop_unfit(l, fit, count);
        if (at == 0 && fit_count == 0 && !find_living(l, fit, &fit_count, &cost))
            return false;
        l->chosen_count[at] =
            hnsw_select(l->rows, l->lane, fit, fit_count, own_links(h, at), l->chosen[at]);
        if (fit_count > 0 && l->chosen_count[at] == 0)
            return false;
    }
    l->pool = pool;
    l->pool_count = count;
    return true;
}

/* Writes the row's own list of a level. If it was linked before, it keeps its links of the tree. */
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
    for (size_t i = 0; i < old_count && level == 0; i++)
        if (tree_has(h, l->row, old[i]))
            tree_keep(h, l->row, old[i], ids, &count);
    links_write(h, l->row, level, ids, count);
    if (level == 0)
        node_set_lost(node, 0);
    node_unlock(node);
}

/* The list of row `of`, and one more, sorted by distance to it; dead rows only where the tree needs
 * them until they are swept. */
static size_t score_list(const struct linking *l, uint32_t of, int level, const uint32_t *ids,
                         size_t count, struct hit *out)
{
    uint8_t *query = scratch_get(l->lane, SCRATCH_QUERY_C, l->rows->codec->query_size);
    float *scores = scratch_get(l->lane, SCRATCH_SCORES, count * sizeof(float));
    if (query == NULL || scores == NULL)
        return 0;
    codec_query_of_row(l->rows->codec, row_code(l->rows, of), query);
    codec_score_many(l->rows->codec, query, l->rows->codes, ids, count, scores);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!row_dead(l->rows, ids[i]) || (level == 0 && tree_has(l->h, of, ids[i])))
            out[kept++] = (struct hit){scores[i], ids[i]};
    hits_sort(out, kept);
    return kept;
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
    size_t scored = score_list(l, of, level, ids, count, candidates);
    size_t kept = hnsw_select(l->rows, l->lane, candidates, scored, max, chosen);
    if (kept == 0)
        return; /* memory is short: the list stays as it is */
    for (size_t i = 0; i < scored && level == 0; i++)
        if (tree_has(h, of, candidates[i].row))
            tree_keep(h, of, candidates[i].row, chosen, &kept);
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
    if (!there && level == 0 && node_lost(node) > 0)
        node_set_lost(node, node_lost(node) - 1u);
    if (!there && count < max) {
        link_store(&hnsw_links(h, of, level)[count], l->row);
    } else if (!there) {
        ids[count] = l->row;
        choose_again(l, of, level, ids, count + 1);
    }
    node_unlock(node);
}

/* Walks start here from now on, if the row is higher than where they do; or, when it has found
 * nobody alive, if none has come to where they do meanwhile: being higher does not make a second
 * row the first. */
static bool raise_entry(const struct linking *l, bool alone)
{
    struct hnsw *h = l->h;
    uint64_t mine = (uint64_t)hnsw_node(h, l->row)->level << 32 | l->row;
    uint64_t entry = atomic_load_explicit(&h->entry, memory_order_acquire);
    while ((entry == ENTRY_NONE || (alone ? row_dead(l->rows, entry_row(entry))
                                          : entry_level(mine) > entry_level(entry))) &&
           !row_dead(l->rows, l->row))
        if (atomic_compare_exchange_weak_explicit(&h->entry, &entry, mine, memory_order_acq_rel,
                                                  memory_order_acquire))
            return true;
    return false;
}

/* The place of a row whose walk met only the dead: others may live further away, and then their
 * tree takes it in. When the root is dead too the row becomes the root, and the sweep hangs on it
 * what it finds, unless somebody lives on the move: then it has to wait. */
static bool join_far(const struct linking *l)
{
    struct hnsw *h = l->h;
    uint32_t root = atomic_load_explicit(&h->root, memory_order_acquire);
    if (root != ROW_NONE && !row_dead(l->rows, root)) {
        if (!tree_join(h, l->rows, NULL, l->lane, l->row, root))
            return false;
        tree_keep_parent(h, l->rows, NULL, l->lane, l->row);
        return true;
    }
    if (atomic_load_explicit(&h->moving, memory_order_acquire) || !raise_entry(l, true))
        return false;
    tree_plant(h, l->row);
    return true;
}

/* Takes a place in the tree, near by. From here on walks meet the row. */
static bool join_tree(const struct linking *l)
{
    struct hnsw *h = l->h;
    bool joined = false;
    if (l->chosen_count[0] == 0)
        return join_far(l);
    for (size_t i = 0; i < l->chosen_count[0] && !joined; i++)
        joined = tree_join(h, l->rows, NULL, l->lane, l->row, l->chosen[0][i]);
    for (size_t i = 0; i < l->pool_count && !joined; i++)
        joined = l->pool[i].row != l->row &&
                 tree_join(h, l->rows, NULL, l->lane, l->row, l->pool[i].row);
    if (joined)
        tree_keep_parent(h, l->rows, NULL, l->lane, l->row);
    return joined;
}

static bool linking_init(struct linking *l)
{
    struct hnsw *h = l->h;
    uint8_t *prepared = scratch_get(l->lane, SCRATCH_QUERY_A, l->rows->codec->query_size);
    uint32_t *chosen =
        scratch_get(l->lane, SCRATCH_CHOSEN, (size_t)h->m0 * HNSW_LEVELS_MAX * sizeof(*chosen));
    l->list_a = scratch_get(l->lane, SCRATCH_LIST_A, ((size_t)h->m0 + 1) * sizeof(uint32_t));
    l->list_b = scratch_get(l->lane, SCRATCH_LIST_B, ((size_t)h->m0 + 1) * sizeof(uint32_t));
    if (prepared == NULL || chosen == NULL || l->list_a == NULL || l->list_b == NULL)
        return false;
    for (int level = 0; level < HNSW_LEVELS_MAX; level++)
        l->chosen[level] = chosen + (size_t)level * h->m0;
    codec_query_of_row(l->rows->codec, row_code(l->rows, l->row), prepared);
    l->prepared = prepared;
    return true;
}

/* The very first row is entry and root; of two at once, the other links to it. */
static bool link_first(const struct linking *l, uint64_t *entry)
{
    *entry = atomic_load_explicit(&l->h->entry, memory_order_acquire);
    if (*entry != ENTRY_NONE)
        return false;
    if (raise_entry(l, true)) {
        if (node_parent(l->h, l->row) == ROW_NONE)
            tree_plant(l->h, l->row);
        return true;
    }
    *entry = atomic_load_explicit(&l->h->entry, memory_order_acquire);
    return *entry == ENTRY_NONE; /* the row has died meanwhile */
}

/* First the neighbours of all levels are found, then the row's own lists are written, and only then
 * do links lead to it: who comes by them finds every list complete. */
bool hnsw_link_row(struct index *x, const struct index_rows *rows, struct lane *lane, uint32_t row)
{
    struct linking l = {.h = hnsw_of(x), .rows = rows, .lane = lane, .row = row};
    struct hnsw_node *node = hnsw_node(l.h, row);
    uint64_t entry;
    CHECK(row < rows->end);
    if (row_dead(rows, row))
        return true;
    CHECK(node_stage(node) != NODE_OUT); /* row_init came before, and only the dead go out */
    if (!linking_init(&l))
        return false;
    if (link_first(&l, &entry)) {
        node_set_stage(node, NODE_LINKED);
        return true;
    }
    if (!choose_all(&l, entry))
        return false;
    int level = node->level;
    for (int at = 0; at <= level; at++)
        write_own(&l, at);
    /* Without a place in the tree nothing leads to the row yet. */
    if (node_parent(l.h, row) == ROW_NONE && !join_tree(&l))
        return row_dead(rows, row);
    for (int at = 0; at <= level; at++)
        for (size_t i = 0; i < l.chosen_count[at]; i++)
            write_reverse(&l, l.chosen[at][i], at);
    (void)raise_entry(&l, false);
    node_set_stage(node, NODE_LINKED);
    return true;
}

/* Sets what the row has lost; returns what it had. */
static uint8_t swap_lost(struct hnsw_node *node, struct lane *lane, uint8_t lost)
{
    node_lock(node, lane);
    uint8_t before = node_lost(node);
    node_set_lost(node, lost);
    node_unlock(node);
    return before;
}

bool hnsw_link_again(struct index *x, const struct index_rows *rows, struct lane *lane,
                     uint32_t row, enum hnsw_wear wear, unsigned *linked)
{
    struct hnsw_node *node = hnsw_node(hnsw_of(x), row);
    if (!hnsw_has_wear(x, row, wear) || row_dead(rows, row))
        return true;
    uint8_t lost = swap_lost(node, lane, 0); /* who brings it down to nothing has the row */
    if (lost == 0)
        return true;
    if (hnsw_link_row(x, rows, lane, row)) {
        ++*linked;
        return true;
    }
    (void)swap_lost(node, lane, lost);
    return false;
}
