/* Elements that change their row: their part of the graph goes with them, as it is.
 *
 * To link an element again at its new row and to sweep the old one out would cost as much as to
 * put it, and every list that lost a link would be chosen again, for nothing: the element stays
 * where it is in space. So the new row gets the lists of the old one, and then every list in the
 * graph is looked at once, and links to old rows are changed to new ones, where they stand. That
 * costs one pass over the lists for any number of moves.
 *
 * Nothing links and nothing is swept during the pass (db/relocate.c), so no list has a second
 * writer and no lock is taken. Searches go on: a list is right before and after each change of a
 * link, since old and new row hold the same vector, the same level and the same way on. The new
 * rows are complete before the first link leads to one. */
#include "index/hnsw_impl.h"

static uint32_t moved_to(const struct index_moves *moves, uint32_t row)
{
    return row >= moves->first && row < moves->end ? moves->to[row - moves->first] : ROW_NONE;
}

static uint32_t place_now(const struct index_moves *moves, uint32_t row)
{
    uint32_t to = moved_to(moves, row);
    return to == ROW_NONE ? row : to;
}

bool hnsw_move_init(struct index *x, uint32_t from, uint32_t to)
{
    struct hnsw *h = hnsw_of(x);
    struct hnsw_node *node = hnsw_node(h, to);
    CHECK(to < h->rows.capacity && from != to);
    CHECK(node_stage(node) == NODE_OUT && node->level == 0);
    uint8_t level = hnsw_node(h, from)->level;
    uint32_t upper = level > 0 ? hnsw_take_uppers(h, level) : ROW_NONE;
    if (level > 0 && upper == ROW_NONE)
        return false;
    atomic_store_explicit(&h->moving, true, memory_order_release);
    node->level = level;
    node->upper = upper;
    atomic_store_explicit(&node->parent, ROW_NONE, memory_order_relaxed);
    for (int at = 0; at <= level; at++)
        links_write(h, to, at, NULL, 0);
    node_set_stage(node, NODE_NEW);
    return true;
}

void hnsw_move_lists(struct index *x, const struct index_moves *moves, uint32_t row)
{
    struct hnsw *h = hnsw_of(x);
    uint32_t to = moved_to(moves, row);
    CHECK(to < moves->first && node_stage(hnsw_node(h, to)) == NODE_NEW);
    CHECK(hnsw_node(h, to)->level == hnsw_node(h, row)->level);
    for (int level = 0; level <= hnsw_node(h, row)->level; level++) {
        const hnsw_link *old = hnsw_links(h, row, level);
        hnsw_link *new = hnsw_links(h, to, level);
        for (uint32_t i = 0; i < hnsw_links_max(h, level); i++) {
            uint32_t id = link_load(&old[i]);
            link_store(&new[i], id == ROW_NONE ? ROW_NONE : place_now(moves, id));
            if (id == ROW_NONE)
                break;
        }
    }
    uint32_t parent = node_parent(h, row);
    CHECK(parent != ROW_NONE);
    atomic_store_explicit(&hnsw_node(h, to)->parent, place_now(moves, parent),
                          memory_order_release);
    node_set_lost(hnsw_node(h, to), node_lost(hnsw_node(h, row)));
    node_set_stage(hnsw_node(h, to), NODE_LINKED);
}

void hnsw_move_links(struct index *x, const struct index_moves *moves, uint32_t row)
{
    struct hnsw *h = hnsw_of(x);
    struct hnsw_node *node = hnsw_node(h, row);
    if (node_stage(node) == NODE_OUT)
        return;
    if (moved_to(moves, row) != ROW_NONE) {
        node_set_stage(node, NODE_OUT);
        return;
    }
    for (int level = 0; level <= node->level; level++) {
        hnsw_link *links = hnsw_links(h, row, level);
        for (uint32_t i = 0; i < hnsw_links_max(h, level); i++) {
            uint32_t id = link_load(&links[i]);
            if (id == ROW_NONE)
                break;
            uint32_t to = moved_to(moves, id);
            if (to != ROW_NONE)
                link_store(&links[i], to);
        }
    }
    uint32_t parent = moved_to(moves, node_parent(h, row));
    if (parent != ROW_NONE)
        atomic_store_explicit(&node->parent, parent, memory_order_release);
}

void hnsw_move_finish(struct index *x, const struct index_moves *moves)
{
    struct hnsw *h = hnsw_of(x);
    uint64_t entry = atomic_load_explicit(&h->entry, memory_order_acquire);
    if (entry != ENTRY_NONE) {
        uint64_t row = place_now(moves, entry_row(entry));
        atomic_store_explicit(&h->entry, (uint64_t)entry_level(entry) << 32 | row,
                              memory_order_release);
    }
    uint32_t root = atomic_load_explicit(&h->root, memory_order_acquire);
    if (root != ROW_NONE)
        atomic_store_explicit(&h->root, place_now(moves, root), memory_order_release);
    atomic_store_explicit(&h->moving, false, memory_order_release);
}
