/* tree_node.h: the nodes of trees, for the files tree*.c. */
#ifndef VDB_TYPES_TREE_NODE_H
#define VDB_TYPES_TREE_NODE_H

#include "types/tree.h"

#define NODE_OLD UINT32_MAX /* made_at of a node that is in a tree */

struct tree_node {
    uint32_t refs;    /* parents and trees */
    uint32_t made_at; /* its place among those a change has made */
    uint32_t size;    /* of a leaf: bytes; else: children */
    uint16_t count;   /* of a leaf: entries */
    uint16_t level;   /* 0: a leaf */
    _Alignas(8) uint8_t bytes[];
};

static inline struct tree_slot *node_slots(const struct tree_node *n)
{
    CHECK(n->level > 0);
    return (struct tree_slot *)(void *)n->bytes;
}

static inline struct slice node_pack(const struct tree_node *n)
{
    CHECK(n->level == 0);
    return (struct slice){n->bytes, n->size};
}

/* The last child whose keys may be as low. */
static inline uint32_t node_child(const struct tree_node *n, uint64_t key)
{
    const struct tree_slot *slots = node_slots(n);
    uint32_t low = 0, high = key == 0 ? 1 : n->size; /* 0: from the start, whatever keys are */
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (slots[middle].low <= key)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* -- in place ---------------------------------------------------------------------------------- */

static inline struct tree_node *path_leaf(const struct tree_path *path)
{
    return path->nodes[path->depth - 1];
}

/* Does nothing but this tree lead to these nodes? */
static inline bool path_is_alone(const struct tree_path *path)
{
    for (unsigned d = 0; d < path->depth; d++)
        if (path->nodes[d]->refs > 1)
            return false;
    return path->depth > 0;
}

/* Bytes that a leaf may have without moving. */
static inline size_t leaf_room(struct tree_node *leaf)
{
    return mem_size(leaf) - sizeof(*leaf);
}

/* So many entries more below each node. */
static inline void path_add_count(const struct tree_path *path, struct tree *t, int32_t count)
{
    for (unsigned d = 0; d + 1 < path->depth; d++)
        node_slots(path->nodes[d])[path->at[d]].count += (uint32_t)count;
    t->count += (uint32_t)count;
    path_leaf(path)->count = (uint16_t)(path_leaf(path)->count + count);
}

/* -- of changes -------------------------------------------------------------------------------- */

enum { SLOTS_MAX = 3 };

/* A node of this change: a leaf of so many bytes, or with so many children. NULL: it has failed. */
struct tree_node *tree_make_node(struct tree_change *c, uint16_t level, size_t size);
/* The tree will not have this node: one of its own goes at once, another one when it is applied. */
void tree_drop_node(struct tree_change *c, struct tree_node *n, bool counted);
/* Nor this one with all that is below it, of about so many bytes; no leaf, not of this change. */
void tree_drop_below(struct tree_change *c, const struct tree_slot *slot, size_t bytes);
/* Makes all nodes above the leaf its own. */
bool tree_own_path(struct tree_change *c, struct tree_path *path);
/* Puts so many nodes instead of the one at d; those above are of this change. A node that gets too
 * many children becomes two; one without any goes. Failed: nothing has moved. */
void tree_put_slots(struct tree_change *c, struct tree_path *path, unsigned d,
                    struct tree_slot slots[SLOTS_MAX], uint32_t count);
/* The leaf of the path as one of this change, with other bytes at a place, one entry more, less or
 * another. NULL: failed. */
struct tree_node *tree_resize_leaf(struct tree_change *c, struct tree_path *path, size_t at,
                                   size_t old_size, size_t new_size);

#endif
