/* list.h: lists: the values are the entries of a pack, the first one first.
 *
 * Pure, but for the trees it is given. */
#ifndef VDB_TYPES_LIST_H
#define VDB_TYPES_LIST_H

#include "base/err.h"
#include "types/tree.h"

/* The next value of a good pack; false when there is none. */
static inline bool list_next(struct slice *pack, struct slice *value)
{
    if (pack->len == 0)
        return false;
    *value = pack_take(pack);
    return true;
}

/* Bytes of so many values as entries. */
size_t list_size(const struct slice *values, size_t count);
/* Writes so many, as they stand when they were pushed one after the other: at the front the last
 * one is the first. */
void list_put(uint8_t *at, const struct slice *values, size_t count, bool front);
/* Bytes before the value of that number. */
size_t list_offset(struct slice pack, uint32_t index);

/* Values that are to go: those that are the same, but for some at first. */
struct list_filter {
    struct slice value;
    uint32_t skip, most; /* not those; at most so many */
    uint32_t removed;    /* so far */
};
/* Writes what stays of a pack to out, which has as much room; *count: how many. Returns its size.
 */
size_t list_filter(struct list_filter *f, struct slice pack, uint8_t *out, uint32_t *count);
/* How many are the same as a value. */
uint32_t list_count_same(struct slice pack, struct slice value);

/* Large lists. With its head a leaf fills an allocation of 1 kB. */
enum { LIST_LEAF_BYTES = TREE_LEAF_BYTES - 16 };
struct tree_ops list_tree_ops(void);
void list_tree_push(struct tree_change *c, const struct slice *values, size_t count, bool front);
/* Another value in place of the one of that number. */
void list_tree_set(struct tree_change *c, uint32_t index, struct slice value);
/* A value before the one of that number. */
void list_tree_insert(struct tree_change *c, uint32_t index, struct slice value);
void list_tree_filter(struct tree_change *c, struct list_filter *f);

/* Are these bytes, which may be anything, the values of a list? */
MUST_USE bool list_pack_check(struct slice pack, size_t *count);

#endif
