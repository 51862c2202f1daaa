/* Taking dead rows out of the graph. Links to them are found by looking at every list once per
 * sweep, for many dead rows at a time, instead of keeping back-links for each (README.md,
 * "Deleting"). A row that loses links gets those its dead neighbours had, chosen again (in the
 * manner of FreshDiskANN, Singh et al. 2021, Algorithm 4). */
#include <string.h>

#include "index/hnsw_impl.h"
#include "index/visited.h"

enum { REPAIR_CANDIDATES_MAX = 1024, YIELD_ROWS = 256 };

/* What a sweep works on. */
struct sweeping {
    struct hnsw *h;
    const struct index_rows *rows;
    const struct index_dead *dead;
    struct lane *lane;
    struct index_sweep *sweep;
};

/* Room for the orphans one row can make, so that noting them cannot fail half-way. */
static enum err reserve_orphans(struct index_sweep *sweep, size_t count)
{
    if (sweep->orphan_count + count <= sweep->orphan_capacity)
        return OK;
    size_t capacity = (sweep->orphan_capacity + count) * 2;
    uint32_t *grown = mem_try_realloc(MEM_GRAPH, sweep->orphans, capacity * sizeof(*grown));
    if (grown == NULL)
        return ERR_NOMEM;
    sweep->orphans = grown;
    sweep->orphan_capacity = capacity;
    return OK;
}

static void note_orphan(struct index_sweep *sweep, uint32_t row)
{
    CHECK(sweep->orphan_count < sweep->orphan_capacity);
    sweep->orphans[sweep->orphan_count++] = row;
}

static bool add_unique(uint32_t *ids, size_t *count, size_t max, uint32_t row)
{
    for (size_t i = 0; i < *count; i++)
        if (ids[i] == row)
            return true;
    if (*count == max)
        return false;
    ids[(*count)++] = row;
    return true;
}

/* The row's live neighbours, and those its dead ones led to. */
static size_t gather(const struct sweeping *s, uint32_t row, int level, const uint32_t *links,
                     size_t link_count, uint32_t *ids, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < link_count; i++)
        if (!dead_has(s->dead, links[i]))
            (void)add_unique(ids, &count, max, links[i]);
    for (size_t i = 0; i < link_count; i++) {
        if (!dead_has(s->dead, links[i]))
            continue;
        const hnsw_link *theirs = hnsw_links(s->h, links[i], level);
        for (uint32_t j = 0; j < hnsw_links_max(s->h, level); j++) {
            uint32_t id = link_load(&theirs[j]);
            if (id == ROW_NONE)
                break;
            if (id != row && !dead_has(s->dead, id) && !row_dead(s->rows, id) &&
                !add_unique(ids, &count, max, id))
                return count;
        }
    }
    return count;
}

static enum err repair(const struct sweeping *s, uint32_t row, int level)
{
    struct hnsw *h = s->h;
    uint32_t max = hnsw_links_max(h, level);
    size_t room = max + REPAIR_CANDIDATES_MAX;
    uint32_t *links = scratch_get(s->lane, SCRATCH_LIST_A, (size_t)max * sizeof(*links));
    uint32_t *ids = scratch_get(s->lane, SCRATCH_LIST_B, room * sizeof(*ids));
    uint32_t *chosen = scratch_get(s->lane, SCRATCH_CHOSEN, (size_t)max * sizeof(*chosen));
    uint8_t *query = scratch_get(s->lane, SCRATCH_QUERY_A, s->rows->codec->query_size);
    float *scores = scratch_get(s->lane, SCRATCH_HITS_2, room * sizeof(*scores));
    struct hit *hits = scratch_get(s->lane, SCRATCH_CANDIDATES, room * sizeof(*hits));
    if (links == NULL || ids == NULL || chosen == NULL || query == NULL || scores == NULL ||
        hits == NULL)
        return ERR_NOMEM;
    size_t link_count = links_copy(h, row, level, links);
    size_t count = gather(s, row, level, links, link_count, ids, room);
    codec_query_of_row(s->rows->codec, row_code(s->rows, row), query);
    codec_score_many(s->rows->codec, query, s->rows->codes, ids, count, scores);
    for (size_t i = 0; i < count; i++)
        hits[i] = (struct hit){scores[i], ids[i]};
    hits_sort(hits, count);
    size_t kept = hnsw_select(s->rows, s->lane, hits, count, max, chosen);
    if (count > 0 && kept == 0)
        return ERR_NOMEM;
    /* A link that was there goes only for want of room: choosing again from lists that were not
     * full cost 2 % of recall at every turn of 30 % of the rows, and lost some rows to walks. */
    for (size_t i = 0; i < link_count && kept < max; i++)
        if (!dead_has(s->dead, links[i]))
            (void)add_unique(chosen, &kept, max, links[i]);
    for (size_t i = 0; i < link_count && level == 0; i++)
        if (!dead_has(s->dead, links[i]) && tree_has(h, row, links[i]))
            tree_keep(h, row, links[i], chosen, &kept);
    links_write(h, row, level, chosen, kept);
    s->sweep->repaired++;
    return OK;
}

static size_t count_dead_links(const struct sweeping *s, uint32_t row, int level)
{
    const hnsw_link *links = hnsw_links(s->h, row, level);
    size_t count = 0;
    for (uint32_t i = 0; i < hnsw_links_max(s->h, level); i++) {
        uint32_t id = link_load(&links[i]);
        if (id == ROW_NONE)
            break;
        count += dead_has(s->dead, id);
    }
    return count;
}

/* Under the lock. What replaces lost links comes from two steps away and not from all around. */
static void note_lost(const struct sweeping *s, struct hnsw_node *node, size_t count)
{
    node_set_lost(node, node_lost(node) + count);
    s->sweep->worn += node_lost(node) >= hnsw_lost_min(s->h, HNSW_WORN);
}

static enum err repair_levels(const struct sweeping *s, uint32_t row)
{
    struct hnsw_node *node = hnsw_node(s->h, row);
    enum err e = OK;
    for (int level = 0; level <= node->level && e == OK; level++) {
        node_lock(node, s->lane);
        size_t dead = count_dead_links(s, row, level);
        if (dead > 0)
            e = repair(s, row, level);
        if (dead > 0 && level == 0 && e == OK)
            note_lost(s, node, dead);
        node_unlock(node);
    }
    return e;
}

/* Hangs the child of a dead row on one of the child's neighbours that is not below it. */
static bool join_near(const struct sweeping *s, uint32_t child)
{
    const hnsw_link *links = hnsw_links(s->h, child, 0);
    for (uint32_t i = 0; i < s->h->m0; i++) {
        uint32_t id = link_load(&links[i]);
        if (id == ROW_NONE)
            break;
        if (!dead_has(s->dead, id) && !row_dead(s->rows, id) && !tree_is_below(s->h, id, child) &&
            tree_join(s->h, s->rows, s->dead, s->lane, child, id))
            return true;
    }
    return false;
}

/* Or the first row above the dead one that stays. When there is none, the child becomes the root,
 * and the next that comes hangs on it. */
static void join_above(const struct sweeping *s, uint32_t child, uint32_t dead)
{
    struct hnsw *h = s->h;
    uint32_t above = dead;
    while (dead_has(s->dead, above) && node_parent(h, above) != above)
        above = node_parent(h, above);
    if (dead_has(s->dead, above))
        above = atomic_load_explicit(&h->root, memory_order_acquire);
    if (dead_has(s->dead, above))
        tree_plant(h, child);
    else if (!tree_join(h, s->rows, s->dead, s->lane, child, above))
        CHECK(false); /* a leaf has room, and who stays takes children of the dead */
}

/* The dead row leaves the tree: its children find other parents. One that has to go far is linked
 * again, so that it gets links from near by. Its list stays readable: walks may be on it, and
 * repairs of later rows choose from it. Under the lock, since a linker that came before the row
 * died may still be adding to the list. */
static enum err take_apart(const struct sweeping *s, uint32_t row)
{
    struct hnsw *h = s->h;
    struct hnsw_node *node = hnsw_node(h, row);
    uint32_t *ids = scratch_get(s->lane, SCRATCH_CHOSEN, (size_t)h->m0 * sizeof(*ids));
    /* tree_join must not fail half-way for want of it. */
    if (ids == NULL ||
        scratch_get(s->lane, SCRATCH_LIST_A, ((size_t)h->m0 + 1) * sizeof(*ids)) == NULL)
        return ERR_NOMEM;
    node_lock(node, s->lane);
    size_t count = links_copy(h, row, 0, ids);
    node_set_stage(node, NODE_OUT);
    node_unlock(node);
    for (size_t i = 0; i < count; i++) {
        if (dead_has(s->dead, ids[i]) || node_parent(h, ids[i]) != row)
            continue;
        if (!join_near(s, ids[i])) {
            join_above(s, ids[i], row);
            note_orphan(s->sweep, ids[i]);
        }
        tree_keep_parent(h, s->rows, s->dead, s->lane, ids[i]);
    }
    return OK;
}

static bool may_be_entry(const struct sweeping *s, uint32_t row)
{
    return node_stage(hnsw_node(s->h, row)) == NODE_LINKED && !row_dead(s->rows, row);
}

static enum err sweep_row(const struct sweeping *s, uint32_t row)
{
    /* Free rows, and dead ones that an earlier sweep has taken apart. */
    if (node_stage(hnsw_node(s->h, row)) == NODE_OUT)
        return OK;
    enum err e = reserve_orphans(s->sweep, s->h->m0);
    if (e != OK)
        return e;
    if (dead_has(s->dead, row))
        return take_apart(s, row);
    e = repair_levels(s, row);
    if (e == OK && hnsw_node(s->h, row)->level > s->sweep->best_level && may_be_entry(s, row)) {
        s->sweep->best_level = hnsw_node(s->h, row)->level;
        s->sweep->best_row = row;
    }
    return e;
}

enum err hnsw_sweep_range(struct index *x, const struct index_rows *rows,
                          const struct index_dead *dead, struct lane *lane, uint32_t *row,
                          uint32_t end, struct index_sweep *sweep)
{
    struct sweeping s = {hnsw_of(x), rows, dead, lane, sweep};
    CHECK(*row <= end && end <= rows->end && dead->end <= rows->end);
    for (; *row < end; (*row)++) {
        if (*row % YIELD_ROWS == 0)
            lane_yield(lane);
        enum err e = sweep_row(&s, *row);
        if (e != OK)
            return e;
    }
    return OK;
}

void hnsw_sweep_finish(struct index *x, const struct index_dead *dead,
                       const struct index_sweep *sweep)
{
    struct hnsw *h = hnsw_of(x);
    CHECK((sweep->best_row == ROW_NONE) == (sweep->best_level < 0));
    uint64_t entry = atomic_load_explicit(&h->entry, memory_order_acquire);
    uint64_t best = sweep->best_row == ROW_NONE
                        ? ENTRY_NONE
                        : (uint64_t)sweep->best_level << 32 | sweep->best_row;
    while (entry != ENTRY_NONE && dead_has(dead, entry_row(entry)))
        if (atomic_compare_exchange_weak_explicit(&h->entry, &entry, best, memory_order_acq_rel,
                                                  memory_order_acquire))
            return;
}
