/* lists.h: what lists hold, whatever form they have.
 *
 * owner: loop. */
#ifndef VDB_DB_LISTS_H
#define VDB_DB_LISTS_H

#include "db/db.h"
#include "types/list.h"

enum { LISTS_LEAF_MAX = PACKED_BYTES_MAX / 4 /* values of a pack, or of a leaf, at most */ };

/* How many values there are; o NULL: 0. */
uint32_t lists_count(const struct object *o);
/* The value of that number, below lists_count. */
struct slice lists_at(const struct object *o, uint32_t index);

/* Values in their order, while the list does not change. */
struct list_walk {
    struct slice rest;     /* of the leaf in hand, or of the pack */
    struct tree_path path; /* to the next leaf */
};

/* From the value of that number on; o NULL, or index its count: there are none. */
void lists_walk(const struct object *o, uint32_t index, struct list_walk *walk);
bool lists_next_leaf(struct list_walk *walk);
static inline bool lists_next(struct list_walk *walk, struct slice *value)
{
    return list_next(&walk->rest, value) ||
           (lists_next_leaf(walk) && list_next(&walk->rest, value));
}

/* The same from the last one back. */
struct list_walk_back {
    struct tree_path path; /* to the leaf before */
    uint32_t count;        /* of values left of the leaf in hand */
    uint32_t at[LISTS_LEAF_MAX]; /* where they begin in it */
    struct slice leaf;
};

void lists_walk_back(const struct object *o, struct list_walk_back *walk);
bool lists_previous(struct list_walk_back *walk, struct slice *value);

#endif
