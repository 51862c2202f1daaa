/* set.h: the members of a set as entries of a pack: an entry is a member, and no more. Order among
 * entries means nothing.
 *
 * Pure, but for the buffers it is given. */
#ifndef VDB_TYPES_SET_H
#define VDB_TYPES_SET_H

#include "types/tree.h"

/* The next member of a good pack; false when there is none. */
static inline bool set_next(struct slice *pack, struct slice *member)
{
    if (pack->len == 0)
        return false;
    *member = pack_take(pack);
    return true;
}

/* place may be NULL. */
bool set_find(struct slice pack, struct slice member, struct pack_place *place);

/* Changes a pack in a buffer. Returns whether the member is new, or was there. */
bool set_pack_add(struct buf *pack, struct slice member);
bool set_pack_remove(struct buf *pack, struct slice member);

/* The same of large sets. */
struct tree_ops set_tree_ops(const uint64_t seed[2]);
bool set_tree_find(const struct tree *t, const struct tree_ops *ops, struct slice member);
bool set_tree_add(struct tree_change *c, struct slice member);
bool set_tree_remove(struct tree_change *c, struct slice member);

/* Adds the member, or removes it, by an edit. False: it takes a change, or nothing is to be
 * done. */
MUST_USE bool set_tree_edit(struct tree_edit *e, const struct tree *t, const struct tree_ops *ops,
                            struct slice member, bool adds);
/* Of a member that is added. */
void set_tree_edit_apply(struct tree_edit *e, struct tree *t, struct slice member);

/* Are these bytes, which may be anything, the members of a set? *count: of them. */
MUST_USE bool set_pack_check(struct slice pack, size_t *count);
/* And does none come twice? For small ones: it compares each with all before. */
MUST_USE bool set_pack_is_unique(struct slice pack);

#endif
