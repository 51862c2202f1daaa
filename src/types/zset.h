/* zset.h: the members of a sorted set, with their scores, as entries of packs in the order of
 * scores, and of members where scores are the same.
 *
 * An entry is: how many bytes of score follow, in one byte; the score; the member. 8 bytes are a
 * double; fewer an integer in two's complement, lowest byte first, none 0. There is one way to
 * write each score: an integer that fits in seven bytes is one, in as few as it takes.
 *
 * A large one is two trees, which change together: all in order, and all by the hash of the member.
 *
 * Pure, but for the buffers it is given. */
#ifndef VDB_TYPES_ZSET_H
#define VDB_TYPES_ZSET_H

#include "types/tree.h"

struct scored {
    struct slice member;
    double score; /* a number: never NaN */
};

/* Bytes of it as an entry, the length with it. */
size_t scored_size(const struct scored *s);
/* Writes so many. */
void scored_put(uint8_t *to, const struct scored *s);
/* From the contents of an entry that is known to be good. */
void scored_get(struct slice entry, struct scored *out);
/* The next of a good pack; false when there is none. */
static inline bool zset_next(struct slice *pack, struct scored *out)
{
    if (pack->len == 0)
        return false;
    scored_get(pack_take(pack), out);
    return true;
}

/* A place in the order: before or behind all of a score or, by_member, one member of it, or,
 * any_score, of the members alone, which are in order where all scores are the same. */
struct zset_bound {
    double score;
    struct slice member;
    bool by_member, behind, any_score;
};

/* How many of the pack are before the bound; *at: their bytes. */
uint32_t zset_pack_rank(struct slice pack, const struct zset_bound *bound, size_t *at);
bool zset_pack_find(struct slice pack, struct slice member, struct scored *out);

/* Changes a pack in a buffer: the member has that score. Returns whether it is new. */
bool zset_pack_add(struct buf *pack, const struct scored *s);
/* Returns whether it was there. */
bool zset_pack_remove(struct buf *pack, struct slice member);

/* -- large ------------------------------------------------------------------------------------- */

struct tree_ops zset_order_ops(void);
struct tree_ops zset_member_ops(const uint64_t seed[2]);

/* By member: of the tree of members. */
bool zset_tree_find(const struct tree *members, const struct tree_ops *ops, struct slice member,
                    struct scored *out);
/* Of the tree in order: how many are before the bound. */
uint32_t zset_tree_rank(const struct tree *order, const struct tree_ops *ops,
                        const struct zset_bound *bound);

/* Both trees of a large one. */
struct zset_trees {
    const struct tree *order, *members;
    const struct tree_ops *order_ops, *member_ops;
};

/* The same while they change. owner: who makes the change */
struct zset_change {
    struct tree_change *order, *members;
};

bool zset_tree_add(const struct zset_change *c, const struct scored *s);
bool zset_tree_remove(const struct zset_change *c, struct slice member);

/* Both trees by edits: adds a member, gives one another score, or removes it. False: it takes a
 * change, or there is nothing to do. */
struct zset_edit {
    struct tree_edit order, members;
    struct tree_edit left; /* in order: the leaf that a member leaves for another one */
    size_t passed;         /* bytes that it passes when it moves within its leaf, */
    bool rises;            /* towards the end */
};

MUST_USE bool zset_tree_edit_add(struct zset_edit *e, const struct zset_trees *t,
                                 const struct scored *s);
MUST_USE bool zset_tree_edit_remove(struct zset_edit *e, const struct zset_trees *t,
                                    struct slice member);
/* s: what is added; NULL: it is removed. */
void zset_tree_edit_apply(struct zset_edit *e, struct tree *order, struct tree *members,
                          const struct scored *s);
void zset_tree_edit_discard(struct zset_edit *e);

/* Are these bytes, which may be anything, entries in order? *count: of them. */
MUST_USE bool zset_pack_check(struct slice pack, size_t *count);
/* And does no member come twice? For small ones: it compares each with all before. */
MUST_USE bool zset_pack_is_unique(struct slice pack);

#endif
