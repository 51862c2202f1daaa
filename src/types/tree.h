/* tree.h: large containers: a B+-tree whose leaves are packs, which changes as a whole or not at
 * all, and can be kept as it is (README.md).
 *
 * Nodes count who leads to them, parents and trees. One that others lead to as well is never
 * written: a change makes its own copy. So whoever adds a reference to the root (tree_share) has
 * the tree as it is now, for ever and on any lane, for nothing.
 *
 * A change is made aside and may fail at any time; tree_change_apply then cannot, and
 * tree_change_discard leaves the tree as it was.
 *
 * owner: loop. Lanes read what is shared with them; only the loop touches the counts. */
#ifndef VDB_TYPES_TREE_H
#define VDB_TYPES_TREE_H

#include "base/mem.h"
#include "types/pack.h"

enum {
    TREE_LEAF_BYTES = 1024, /* a leaf of more entries than one is about as long at most */
    TREE_FAN = 32,          /* children of a node */
    TREE_LEVELS = 16        /* there are never more: every level has several times as many nodes */
};

struct tree_node;

/* A child, and what is below it. */
struct tree_slot {
    struct tree_node *child;
    uint64_t low;     /* no key below is lower, none before is higher; of the first child 0 */
    uint64_t soonest; /* when the first entry below expires; 0: none does */
    uint32_t count;   /* of entries */
    bool counted;     /* in a node that a change has made: child counts this reference already */
};

struct tree {
    struct tree_node *root; /* NULL: empty */
    uint64_t soonest;
    uint32_t count;
    size_t bytes; /* of memory, of all nodes */
};

/* What entries mean. immutable */
struct tree_ops {
    /* Where an entry belongs. Keys are spread over all numbers, and hardly ever the same; or, when
     * leaves are kept in order, whatever rises from entry to entry, if only 0. */
    uint64_t (*key)(const void *owner, struct slice entry);
    uint64_t (*expiry)(struct slice entry); /* 0: never; NULL: no entry ever does */
    bool in_order; /* who changes a leaf puts entries where they belong, and they stay so */
    /* In order: does the entry come before a bound? Bounds are the caller's (tree_seek). */
    bool (*before)(const void *bound, struct slice entry);
    bool asks; /* keys say nothing of the bound: tree_seek goes by entries alone */
    uint32_t leaf_bytes;                    /* TREE_LEAF_BYTES; tests have less */
    const void *owner;
};

/* The leaf that holds entries of a key, if there are any; empty when the tree is. */
struct slice tree_leaf(const struct tree *t, uint64_t key);

/* -- all of it --------------------------------------------------------------------------------- */

/* A way down: nodes, and in each but the last the child that it goes to. */
struct tree_path {
    struct tree_node *nodes[TREE_LEVELS];
    uint32_t at[TREE_LEVELS];
    unsigned depth; /* 0: the tree is empty, or the walk is over */
};

/* Leaves in the order of their keys, from that of a key on: the last one, where several begin with
 * it. */
void tree_walk(const struct tree *t, uint64_t key, struct tree_path *path);
/* The next leaf; false: there is none. *next: where the one after it begins; 0: that was all. */
bool tree_next(struct tree_path *path, struct slice *leaf, uint64_t *next);
/* The same backwards: the leaf that the path leads to, and on to the one before. */
bool tree_previous(struct tree_path *path, struct slice *leaf);
/* The leaf with the entry of that number, and which of its entries it is. index < t->count. */
struct slice tree_at(const struct tree *t, uint32_t index, uint32_t *in_leaf);
/* The same as a path; index may be t->count: behind the last entry of the last leaf. */
void tree_walk_at(const struct tree *t, uint32_t index, struct tree_path *path, uint32_t *in_leaf);
/* In order: the last leaf that begins before a bound of this key, or the first. Where the bound is,
 * entries of that leaf say. */
void tree_seek(const struct tree *t, const struct tree_ops *ops, uint64_t key, const void *bound,
               struct tree_path *path);
/* The leaf of a path, and how many entries there are before it. The path has gone nowhere since. */
struct slice tree_path_leaf(const struct tree_path *path);
uint32_t tree_path_rank(const struct tree_path *path);
/* A leaf whose first entry to expire is the first of all; empty when none expires. */
struct slice tree_soonest(const struct tree *t);

/* -- sharing and freeing ----------------------------------------------------------------------- */

/* Another tree with the same entries. */
struct tree tree_share(const struct tree *t);

/* Trees on their way out. owner: the db */
struct tree_graves {
    struct tree_node *first; /* a root, which leads to the next */
    struct tree_path path;   /* of what is being taken apart */
    size_t bytes;            /* of all of them, about */
};

/* The tree is empty then; what nobody else has is freed by tree_bury_some. */
void tree_bury(struct tree_graves *g, struct tree *t);
/* What waits in another's place. */
void tree_graves_take(struct tree_graves *g, struct tree_graves *from);
/* Frees so many nodes; false when there are none left. */
bool tree_bury_some(struct tree_graves *g, unsigned nodes);
/* The same at once, for one tree. */
void tree_free(struct tree *t);

/* -- changing ---------------------------------------------------------------------------------- */

struct tree_dropped {
    struct tree_node *node;
    bool counted; /* by a node of this change */
    bool below;   /* with all below it, */
    size_t bytes; /* which are about so many */
};

/* owner: who makes it, for one change after the other; zeros before the first */
struct tree_change {
    struct tree tree; /* as it will be */
    const struct tree_ops *ops;
    struct tree_node **made; /* nodes of this change */
    uint32_t made_count, made_capacity;
    struct tree_dropped *dropped; /* nodes that the tree had, and will not have */
    uint32_t dropped_count, dropped_capacity;
    bool failed; /* memory is short: nothing more happens */
    struct tree_graves cut; /* what applied changes took off whole, for whoever applies to bury */
};

void tree_change_begin(struct tree_change *c, const struct tree *t, const struct tree_ops *ops);
/* The leaf for a key as the change has it so far. */
struct slice tree_change_leaf(const struct tree_change *c, uint64_t key);
/* Puts an entry of new_size bytes (0: none) in place of the old_size bytes (0: none) at a place of
 * that leaf. Returns where the caller writes it, before anything else; NULL: failed, or new_size is
 * 0. tree_change_settle comes after. */
uint8_t *tree_change_splice(struct tree_change *c, struct tree_path *path, uint64_t key, size_t at,
                            size_t old_size, size_t new_size);
/* The same for the leaf of a path that the caller has found in c->tree, as it is by now. */
uint8_t *tree_change_splice_at(struct tree_change *c, struct tree_path *path, size_t at,
                               size_t old_size, size_t new_size);
void tree_change_settle(struct tree_change *c, struct tree_path *path);
/* t becomes what the change has made of it. */
void tree_change_apply(struct tree_change *c, struct tree *t);
void tree_change_discard(struct tree_change *c);
/* None is under way. Gives back what is kept for the next. */
void tree_change_fini(struct tree_change *c);

/* -- one entry --------------------------------------------------------------------------------- */

/* An entry of a leaf that is the tree's alone, and neither splits nor joins another: the leaf
 * changes in place, or gives its place to another, and no node above is copied. owner: who makes
 * it; zeros before the first */
struct tree_edit {
    struct tree_path path;
    struct tree_node *leaf; /* in its place; NULL: it has room */
    size_t at, old_size, new_size;
    bool is_open;
};

/* As tree_change_splice, of the leaf that e->path leads to. When entries expire stays the same.
 * False: it takes a tree_change. */
MUST_USE bool tree_edit_begin(struct tree_edit *e, const struct tree_ops *ops, size_t at,
                              size_t old_size, size_t new_size);
/* Returns where the caller writes the entry. */
uint8_t *tree_edit_apply(struct tree_edit *e, struct tree *t);
void tree_edit_discard(struct tree_edit *e);

/* -- at the ends, where entries have no keys --------------------------------------------------- */

/* Have nodes at that end room for so many bytes more, and may they be written? Then entries need no
 * change: tree_grow makes the room and returns it. */
bool tree_can_grow(const struct tree *t, const struct tree_ops *ops, bool front, size_t size);
uint8_t *tree_grow(struct tree *t, bool front, size_t size, uint32_t count);
/* The same of entries that go: another one is left in their leaf. */
bool tree_can_shrink(const struct tree *t, bool front, uint32_t count);
void tree_shrink(struct tree *t, bool front, uint32_t count);

/* An entry of so many bytes more. Returns where the caller writes it; NULL: failed. */
uint8_t *tree_change_grow(struct tree_change *c, bool front, size_t size);
/* So many entries less, but not all. */
void tree_change_shrink(struct tree_change *c, bool front, uint32_t count);
/* Another pack of fewer entries in place of the leaf that the path, found in c->tree, leads to. */
void tree_change_replace(struct tree_change *c, struct tree_path *path, struct slice pack,
                         uint32_t count);

/* For tests: NULL, or what does not hold. */
const char *tree_check(const struct tree *t, const struct tree_ops *ops);

#endif
