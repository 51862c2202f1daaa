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
    uint32_t low = 0, high = n->size;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (slots[middle].low <= key)
            low = middle;
        else
            high = middle;
    }
    return low;
}

#endif
