/* The tree that keeps the graph in one piece.
 *
 * Links are chosen for what they give to searches. Whether one that goes was the last way to some
 * part of the graph, a list alone cannot tell: a thousand equal vectors that crowd the same lists
 * come apart into islands whose rows all have links to them. So level 0 carries a tree. Every row
 * but the root has a parent, one of the nearest rows when it was linked; the parent's list keeps a
 * link to the row, and the row's list one to the parent. Whatever else goes, every row can be
 * reached from every other.
 *
 * Half of a list may lead to children. A row that has so many passes a new child on to one of them,
 * so there is always room. Only the sweep, one at a time, moves rows that have children; it moves
 * them to rows that are not below them, so no circle comes about. */
#include "index/hnsw_impl.h"

enum { DEPTH_LOOKED_AT = 64 };

void tree_plant(struct hnsw *h, uint32_t row)
{
    atomic_store_explicit(&hnsw_node(h, row)->parent, row, memory_order_release);
    atomic_store_explicit(&h->root, row, memory_order_release);
}

void tree_keep(const struct hnsw *h, uint32_t of, uint32_t id, uint32_t *ids, size_t *count)
{
    size_t at = *count;
    for (size_t i = 0; i < *count; i++) {
        if (ids[i] == id)
            return;
        if (!tree_has(h, of, ids[i]))
            at = i; /* the last such is the farthest, mostly */
    }
    if (*count < h->m0)
        at = (*count)++;
    CHECK(at < *count); /* half of the list at most are children, and one is the parent */
    ids[at] = id;
}

static bool is_gone(const struct index_rows *rows, const struct index_dead *dead, uint32_t row)
{
    return dead == NULL ? row_dead(rows, row) : dead_has(dead, row);
}

/* Under the lock of parent, whose list ids is: takes the row as a child and returns parent; or,
 * when it has too many, returns one of its children, ROW_NONE if they are all gone. */
static uint32_t adopt(const struct hnsw *h, const struct index_rows *rows,
                      const struct index_dead *dead, uint32_t row, uint32_t parent, uint32_t *ids,
                      size_t count)
{
    uint32_t children = 0, staying = 0, next = ROW_NONE;
    for (size_t i = 0; i < count; i++) {
        if (node_parent(h, ids[i]) != parent || ids[i] == parent)
            continue;
        children++;
        /* Any of them with equal chance, by the bits of the row. */
        if (!is_gone(rows, dead, ids[i]) && (row * 0x9e3779b1u >> 8) % ++staying == 0)
            next = ids[i];
    }
    if (children >= h->m0 / 2 && (next != ROW_NONE || dead == NULL))
        return next;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) /* all children are being swept: their places are free */
        if (children < h->m0 / 2 || !dead_has(dead, ids[i]))
            ids[kept++] = ids[i];
    atomic_store_explicit(&hnsw_node(h, row)->parent, parent, memory_order_release);
    tree_keep(h, parent, row, ids, &kept);
    links_write(h, parent, 0, ids, kept);
    return parent;
}

bool tree_join(const struct hnsw *h, const struct index_rows *rows, const struct index_dead *dead,
               struct lane *lane, uint32_t row, uint32_t under)
{
    uint32_t *ids = scratch_get(lane, SCRATCH_LIST_A, ((size_t)h->m0 + 1) * sizeof(*ids));
    if (ids == NULL)
        return false;
    for (;;) {
        struct hnsw_node *node = hnsw_node(h, under);
        uint32_t next = ROW_NONE;
        CHECK(under != row);
        node_lock(node, lane);
        if (!is_gone(rows, dead, under) && node_stage(node) != NODE_OUT)
            next = adopt(h, rows, dead, row, under, ids, links_copy(h, under, 0, ids));
        node_unlock(node);
        if (next == ROW_NONE || next == under)
            return next == under;
        under = next;
    }
}

void tree_keep_parent(const struct hnsw *h, const struct index_rows *rows,
                      const struct index_dead *dead, struct lane *lane, uint32_t row)
{
    uint32_t *ids = scratch_get(lane, SCRATCH_LIST_A, ((size_t)h->m0 + 1) * sizeof(*ids));
    struct hnsw_node *node = hnsw_node(h, row);
    CHECK(ids != NULL); /* tree_join had it */
    node_lock(node, lane);
    uint32_t parent = node_parent(h, row);
    if (parent != row && !is_gone(rows, dead, parent)) {
        size_t count = links_copy(h, row, 0, ids);
        tree_keep(h, row, parent, ids, &count);
        links_write(h, row, 0, ids, count);
    }
    node_unlock(node);
}

bool tree_is_below(const struct hnsw *h, uint32_t row, uint32_t top)
{
    for (unsigned i = 0; i < DEPTH_LOOKED_AT; i++) {
        uint32_t parent = node_parent(h, row);
        if (row == top || parent == ROW_NONE)
            return true;
        if (parent == row)
            return false;
        row = parent;
    }
    return true; /* perhaps */
}
