/* Changes of trees. */
#include <stdlib.h>

#include "types/tree_node.h"

enum { LIST_FIRST = 32, LIST_KEPT = 64 };

/* -- nodes of a change ------------------------------------------------------------------------- */

static bool grow(void **items, uint32_t *capacity, uint32_t count, size_t size)
{
    if (count < *capacity)
        return true;
    uint32_t more = *capacity == 0 ? LIST_FIRST : *capacity * 2;
    void *grown = mem_try_realloc(MEM_SCRATCH, *items, more * size);
    if (grown == NULL)
        return false;
    *items = grown;
    *capacity = more;
    return true;
}

struct tree_node *tree_make_node(struct tree_change *c, uint16_t level, size_t size)
{
    size_t bytes = sizeof(struct tree_node) + (level == 0 ? size : size * sizeof(struct tree_slot));
    bool room = !c->failed && size <= UINT32_MAX &&
                grow((void **)&c->made, &c->made_capacity, c->made_count, sizeof(*c->made));
    struct tree_node *n = room ? mem_try(MEM_KEYSPACE, bytes) : NULL;
    if (n == NULL) {
        c->failed = true;
        return NULL;
    }
    *n = (struct tree_node){
        .refs = 1, .made_at = c->made_count, .size = (uint32_t)size, .level = level};
    c->made[c->made_count++] = n;
    c->tree.bytes += mem_size(n);
    return n;
}

/* A node that this change has made, and does not need after all. */
static void unmake_node(struct tree_change *c, struct tree_node *n)
{
    struct tree_node *last = c->made[--c->made_count];
    CHECK(n->made_at <= c->made_count);
    if (last != n) {
        c->made[n->made_at] = last;
        last->made_at = n->made_at;
    }
    c->tree.bytes -= mem_size(n);
    mem_free(MEM_KEYSPACE, n);
}

void tree_drop_node(struct tree_change *c, struct tree_node *n, bool counted)
{
    if (n->made_at != NODE_OLD) {
        unmake_node(c, n);
        return;
    }
    if (!grow((void **)&c->dropped, &c->dropped_capacity, c->dropped_count,
              sizeof(*c->dropped))) {
        n->refs -= counted; /* as tree_change_discard would */
        c->failed = true;
        return;
    }
    c->dropped[c->dropped_count++] = (struct tree_dropped){.node = n, .counted = counted};
    c->tree.bytes -= mem_size(n);
}

void tree_drop_below(struct tree_change *c, const struct tree_slot *slot, size_t bytes)
{
    struct tree_node *n = slot->child;
    CHECK(n->made_at == NODE_OLD && n->level > 0);
    if (!grow((void **)&c->dropped, &c->dropped_capacity, c->dropped_count,
              sizeof(*c->dropped))) {
        n->refs -= slot->counted;
        c->failed = true;
        return;
    }
    c->dropped[c->dropped_count++] =
        (struct tree_dropped){.node = n, .counted = slot->counted, .below = true, .bytes = bytes};
    c->tree.bytes -= bytes;
}

/* Its own copy of an inner node in the path, with the one above its own already. */
static bool own_node(struct tree_change *c, struct tree_path *path, unsigned d)
{
    struct tree_node *old = path->nodes[d];
    if (old->made_at != NODE_OLD)
        return true;
    struct tree_node *n = tree_make_node(c, old->level, old->size);
    if (n == NULL)
        return false;
    memcpy(node_slots(n), node_slots(old), old->size * sizeof(struct tree_slot));
    struct tree_slot *up = d == 0 ? NULL : &node_slots(path->nodes[d - 1])[path->at[d - 1]];
    bool shared = old->refs > 1;
    for (uint32_t i = 0; i < n->size; i++) {
        node_slots(n)[i].counted = shared;
        node_slots(n)[i].child->refs += shared;
    }
    tree_drop_node(c, old, up != NULL && up->counted);
    if (up != NULL)
        up->child = n;
    else
        c->tree.root = n;
    path->nodes[d] = n;
    return !c->failed;
}

bool tree_own_path(struct tree_change *c, struct tree_path *path)
{
    for (unsigned d = 0; d + 1 < path->depth; d++)
        if (!own_node(c, path, d))
            return false;
    return !c->failed;
}

/* -- sums -------------------------------------------------------------------------------------- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

static struct tree_slot slot_of(const struct tree_change *c, struct tree_node *n, uint64_t low)
{
    struct tree_slot slot = {.child = n, .low = low};
    if (n->level > 0) {
        for (uint32_t i = 0; i < n->size; i++) {
            slot.count += node_slots(n)[i].count;
            slot.soonest = sooner(slot.soonest, node_slots(n)[i].soonest);
        }
        return slot;
    }
    slot.count = n->count;
    for (struct slice rest = node_pack(n); c->ops->expiry != NULL && rest.len > 0;)
        slot.soonest = sooner(slot.soonest, c->ops->expiry(pack_take(&rest)));
    return slot;
}

/* From the node at d up. */
static void sum_up(struct tree_change *c, struct tree_path *path, unsigned d)
{
    struct tree_slot sum = slot_of(c, path->nodes[d], 0);
    for (; d > 0; d--) {
        struct tree_slot *slot = &node_slots(path->nodes[d - 1])[path->at[d - 1]];
        slot->count = sum.count;
        slot->soonest = sum.soonest;
        sum = slot_of(c, path->nodes[d - 1], 0);
    }
    c->tree.count = sum.count;
    c->tree.soonest = sum.soonest;
}

static void root_is(struct tree_change *c, struct tree_node *root)
{
    c->tree.root = root;
    struct tree_slot sum = root == NULL ? (struct tree_slot){0} : slot_of(c, root, 0);
    c->tree.count = sum.count;
    c->tree.soonest = sum.soonest;
}

/* -- places of nodes --------------------------------------------------------------------------- */

/* A node of these slots of another. */
static struct tree_node *cut_node(struct tree_change *c, uint16_t level,
                                  const struct tree_slot *slots, uint32_t count)
{
    struct tree_node *n = tree_make_node(c, level, count);
    if (n != NULL)
        memcpy(node_slots(n), slots, count * sizeof(*slots));
    return n;
}

/* The slots of a node with some others instead of the one at a place. */
static uint32_t replaced(const struct tree_node *n, uint32_t at, const struct tree_slot *slots,
                         uint32_t count, struct tree_slot out[TREE_FAN + SLOTS_MAX])
{
    const struct tree_slot *old = node_slots(n);
    uint64_t low = old[at].low;
    memcpy(out, old, at * sizeof(*out));
    memcpy(out + at, slots, count * sizeof(*out));
    memcpy(out + at + count, old + at + 1, (n->size - at - 1) * sizeof(*out));
    uint32_t size = n->size - 1 + count;
    if (count > 0)
        out[at].low = low;
    if (size > 0)
        out[0].low = old[0].low;
    return size;
}

/* Inner nodes that replace others of this change. Until all is well both have the slots, and only
 * the old ones count. */
struct exchange {
    struct tree_node *made[2 * TREE_LEVELS + 1], *old[TREE_LEVELS];
    uint32_t made_count, old_count;
};

static void end_exchange(struct tree_change *c, struct exchange *x)
{
    for (uint32_t i = 0; i < x->made_count && c->failed; i++)
        x->made[i]->size = 0;
    for (uint32_t i = 0; i < x->old_count && !c->failed; i++)
        unmake_node(c, x->old[i]);
}

/* One node or, when there are too many slots for it, two, or none. Their slots go to out. */
static uint32_t make_nodes(struct tree_change *c, struct exchange *x, uint16_t level, uint64_t low,
                           const struct tree_slot *all, uint32_t size, struct tree_slot *out)
{
    uint32_t half = size > TREE_FAN ? size / 2 : size, count = 0;
    for (uint32_t from = 0; from < size; from += half, half = size - from) {
        struct tree_node *n = cut_node(c, level, all + from, half);
        if (n == NULL)
            return 0;
        x->made[x->made_count++] = n;
        out[count++] = slot_of(c, n, from == 0 ? low : all[from].low);
    }
    return count;
}

void tree_put_slots(struct tree_change *c, struct tree_path *path, unsigned d,
                    struct tree_slot slots[SLOTS_MAX], uint32_t count)
{
    struct tree_slot all[TREE_FAN + SLOTS_MAX];
    struct exchange x = {.made_count = 0};
    for (; d > 0; d--) {
        struct tree_node *parent = path->nodes[d - 1];
        uint64_t low = d > 1 ? node_slots(path->nodes[d - 2])[path->at[d - 2]].low : 0;
        uint32_t size = replaced(parent, path->at[d - 1], slots, count, all);
        count = make_nodes(c, &x, parent->level, low, all, size, slots);
        x.old[x.old_count++] = parent;
        if (c->failed)
            break;
        if (count == 1 && d > 1) {
            node_slots(path->nodes[d - 2])[path->at[d - 2]].child = slots[0].child;
            path->nodes[d - 1] = slots[0].child;
            sum_up(c, path, d - 1);
            break;
        }
    }
    if (d == 0 && count > 1) {
        slots[0].low = 0;
        struct tree_node *root =
            cut_node(c, (uint16_t)(slots[0].child->level + 1), slots, count);
        if (root != NULL) {
            x.made[x.made_count++] = root;
            root_is(c, root);
        }
    } else if (d == 0) {
        root_is(c, count == 0 ? NULL : slots[0].child);
    }
    end_exchange(c, &x);
}

/* -- leaves ------------------------------------------------------------------------------------ */

void tree_change_begin(struct tree_change *c, const struct tree *t, const struct tree_ops *ops)
{
    CHECK(c->made_count == 0 && c->dropped_count == 0);
    c->tree = *t;
    c->ops = ops;
    c->failed = false;
}

struct slice tree_change_leaf(const struct tree_change *c, uint64_t key)
{
    return tree_leaf(&c->tree, key);
}

struct tree_node *tree_resize_leaf(struct tree_change *c, struct tree_path *path, size_t at,
                                     size_t old_size, size_t new_size)
{
    struct tree_node *old = path->nodes[path->depth - 1];
    CHECK(at + old_size <= old->size);
    struct tree_node *n = tree_make_node(c, 0, old->size - old_size + new_size);
    if (n == NULL)
        return NULL;
    memcpy(n->bytes, old->bytes, at);
    memcpy(n->bytes + at + new_size, old->bytes + at + old_size, old->size - at - old_size);
    n->count = (uint16_t)(old->count + (new_size > 0) - (old_size > 0));
    bool counted = false;
    if (path->depth > 1) {
        struct tree_slot *up = &node_slots(path->nodes[path->depth - 2])[path->at[path->depth - 2]];
        counted = up->counted;
        up->child = n;
    } else {
        c->tree.root = n;
    }
    path->nodes[path->depth - 1] = n;
    tree_drop_node(c, old, counted);
    return c->failed ? NULL : n;
}

uint8_t *tree_change_splice(struct tree_change *c, struct tree_path *path, uint64_t key, size_t at,
                            size_t old_size, size_t new_size)
{
    if (c->failed)
        return NULL;
    tree_walk(&c->tree, key, path);
    return tree_change_splice_at(c, path, at, old_size, new_size);
}

uint8_t *tree_change_splice_at(struct tree_change *c, struct tree_path *path, size_t at,
                               size_t old_size, size_t new_size)
{
    if (c->failed)
        return NULL;
    if (path->depth == 0) {
        CHECK(at == 0 && old_size == 0 && new_size > 0);
        c->tree.root = tree_make_node(c, 0, new_size);
        if (c->failed)
            return NULL;
        c->tree.root->count = 1;
        path->nodes[path->depth++] = c->tree.root;
        return c->tree.root->bytes;
    }
    if (!tree_own_path(c, path))
        return NULL;
    struct tree_node *n = tree_resize_leaf(c, path, at, old_size, new_size);
    return n == NULL || new_size == 0 ? NULL : n->bytes + at;
}

struct keyed {
    uint64_t key;
    struct slice entry; /* with its length */
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static struct tree_node *leaf_of(struct tree_change *c, const struct keyed *entries, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += entries[i].entry.len;
    struct tree_node *n = tree_make_node(c, 0, size);
    uint8_t *to = n == NULL ? NULL : n->bytes;
    for (size_t i = 0; n != NULL && i < count; i++) {
        memcpy(to, entries[i].entry.ptr, entries[i].entry.len);
        to += entries[i].entry.len;
    }
    if (n != NULL)
        n->count = (uint16_t)count;
    return n;
}

/* Where the entries are cut in two: behind the first half of the bytes and, unless they are in
 * order, between two keys. 0: not at all. */
static size_t middle_of(const struct tree_ops *ops, const struct keyed *entries, size_t count,
                        size_t bytes)
{
    size_t at = 1, sum = entries[0].entry.len;
    while (at + 1 < count && (sum + entries[at].entry.len / 2) * 2 < bytes)
        sum += entries[at++].entry.len;
    while (!ops->in_order && at < count && entries[at].key == entries[at - 1].key)
        at++;
    return at < count ? at : 0;
}

static void split_leaf(struct tree_change *c, struct tree_path *path)
{
    struct tree_node *leaf = path->nodes[path->depth - 1];
    struct slice rest = node_pack(leaf);
    size_t count = 0;
    struct keyed *entries = mem_try(MEM_SCRATCH, leaf->count * sizeof(*entries));
    if (entries == NULL) {
        c->failed = true;
        return;
    }
    while (rest.len > 0) {
        const uint8_t *start = rest.ptr;
        uint64_t key = c->ops->key(c->ops->owner, pack_take(&rest));
        entries[count++] = (struct keyed){key, {start, (size_t)(rest.ptr - start)}};
    }
    CHECK(count == leaf->count);
    if (!c->ops->in_order)
        qsort(entries, count, sizeof(*entries), by_key);
    size_t middle = middle_of(c->ops, entries, count, leaf->size);
    struct tree_node *left = middle == 0 ? NULL : leaf_of(c, entries, middle);
    struct tree_node *right = left == NULL ? NULL : leaf_of(c, entries + middle, count - middle);
    struct tree_slot slots[SLOTS_MAX];
    if (right != NULL) {
        slots[0] = slot_of(c, left, 0);
        slots[1] = slot_of(c, right, entries[middle].key);
        tree_put_slots(c, path, path->depth - 1, slots, 2);
        if (!c->failed)
            unmake_node(c, leaf);
    } else {
        sum_up(c, path, path->depth - 1);
    }
    mem_free(MEM_SCRATCH, entries);
}

/* A small leaf and the one behind it, or before, become one. */
static void merge_leaf(struct tree_change *c, struct tree_path *path)
{
    struct tree_node *parent = path->nodes[path->depth - 2];
    uint32_t at = path->at[path->depth - 2];
    uint32_t first = at + 1 < parent->size ? at : at - 1;
    if (parent->size < 2)
        return;
    struct tree_slot *slots = node_slots(parent);
    struct tree_node *a = slots[first].child, *b = slots[first + 1].child;
    bool a_counted = slots[first].counted, b_counted = slots[first + 1].counted;
    if ((uint64_t)a->size + b->size > c->ops->leaf_bytes * 3 / 4)
        return;
    struct tree_node *n = tree_make_node(c, 0, a->size + b->size);
    if (n == NULL)
        return;
    memcpy(n->bytes, a->bytes, a->size);
    memcpy(n->bytes + a->size, b->bytes, b->size);
    n->count = (uint16_t)(a->count + b->count);
    memmove(&slots[first + 1], &slots[first + 2],
            (parent->size - first - 2) * sizeof(*slots));
    parent->size--;
    slots[first].child = n;
    path->nodes[path->depth - 1] = n;
    path->at[path->depth - 2] = first;
    tree_drop_node(c, a, a_counted);
    tree_drop_node(c, b, b_counted);
}

/* A root of one child is none. */
static void lower_root(struct tree_change *c)
{
    while (!c->failed && c->tree.root != NULL && c->tree.root->level > 0 &&
           c->tree.root->size == 1 && c->tree.root->made_at != NODE_OLD) {
        struct tree_node *root = c->tree.root;
        struct tree_node *child = node_slots(root)->child;
        if (child->made_at == NODE_OLD)
            return; /* when it changes next */
        c->tree.root = child;
        unmake_node(c, root);
    }
}

void tree_change_settle(struct tree_change *c, struct tree_path *path)
{
    if (c->failed)
        return;
    struct tree_node *leaf = path->nodes[path->depth - 1];
    struct tree_slot none[SLOTS_MAX];
    if (leaf->count == 0) {
        tree_put_slots(c, path, path->depth - 1, none, 0);
        if (!c->failed)
            unmake_node(c, leaf);
    } else if (leaf->size > c->ops->leaf_bytes && leaf->count > 1) {
        split_leaf(c, path);
    } else {
        if (path->depth > 1 && leaf->size < c->ops->leaf_bytes / 4)
            merge_leaf(c, path);
        if (!c->failed)
            sum_up(c, path, path->depth - 1);
    }
    lower_root(c);
}

/* -- ends -------------------------------------------------------------------------------------- */

/* Short lists stay for the next change. */
static void end_lists(struct tree_change *c)
{
    if (c->made_capacity > LIST_KEPT || c->dropped_capacity > LIST_KEPT)
        tree_change_fini(c);
    c->made_count = c->dropped_count = 0;
    c->tree = (struct tree){0};
    c->failed = false;
}

void tree_change_fini(struct tree_change *c)
{
    mem_free(MEM_SCRATCH, c->made);
    mem_free(MEM_SCRATCH, c->dropped);
    struct tree_graves cut = c->cut;
    *c = (struct tree_change){.cut = cut};
}

void tree_change_apply(struct tree_change *c, struct tree *t)
{
    CHECK(!c->failed);
    for (uint32_t i = 0; i < c->made_count; i++)
        c->made[i]->made_at = NODE_OLD;
    for (uint32_t i = 0; i < c->dropped_count; i++) {
        struct tree_dropped *dropped = &c->dropped[i];
        if (dropped->below)
            tree_bury(&c->cut, &(struct tree){.root = dropped->node, .bytes = dropped->bytes});
        else if (--dropped->node->refs == 0)
            mem_free(MEM_KEYSPACE, dropped->node);
    }
    *t = c->tree;
    end_lists(c);
}

void tree_change_discard(struct tree_change *c)
{
    for (uint32_t i = 0; i < c->made_count; i++) {
        struct tree_node *n = c->made[i];
        for (uint32_t j = 0; n->level > 0 && j < n->size; j++) {
            struct tree_slot *slot = &node_slots(n)[j];
            if (slot->counted && slot->child->made_at == NODE_OLD)
                slot->child->refs--;
        }
    }
    for (uint32_t i = 0; i < c->made_count; i++)
        mem_free(MEM_KEYSPACE, c->made[i]);
    for (uint32_t i = 0; i < c->dropped_count; i++)
        c->dropped[i].node->refs -= c->dropped[i].counted;
    end_lists(c);
}
