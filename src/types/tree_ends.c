/* Trees whose entries have no keys, at their ends: where lists change most. A leaf there has more
 * room than it needs, so that most entries come and go in place. */
#include "types/tree_node.h"

static void walk_end(const struct tree *t, bool front, struct tree_path *path)
{
    path->depth = 0;
    for (struct tree_node *n = t->root; n != NULL;) {
        uint32_t at = front || n->level == 0 ? 0 : n->size - 1;
        CHECK(path->depth < TREE_LEVELS);
        path->nodes[path->depth] = n;
        path->at[path->depth++] = at;
        n = n->level == 0 ? NULL : node_slots(n)[at].child;
    }
}

static uint8_t *open_gap(struct tree_node *leaf, bool front, size_t size)
{
    uint8_t *at = front ? leaf->bytes : leaf->bytes + leaf->size;
    if (front)
        memmove(leaf->bytes + size, leaf->bytes, leaf->size);
    leaf->size += (uint32_t)size;
    return at;
}

/* Bytes of the first entries of a pack. */
static size_t bytes_of(struct slice pack, uint32_t count)
{
    struct slice rest = pack;
    while (count-- > 0)
        (void)pack_take(&rest);
    return pack.len - rest.len;
}

/* -- in place ---------------------------------------------------------------------------------- */

bool tree_can_grow(const struct tree *t, const struct tree_ops *ops, bool front, size_t size)
{
    struct tree_path path;
    walk_end(t, front, &path);
    if (!path_is_alone(&path))
        return false;
    size_t grown = path_leaf(&path)->size + size;
    return grown <= ops->leaf_bytes && grown <= leaf_room(path_leaf(&path));
}

uint8_t *tree_grow(struct tree *t, bool front, size_t size, uint32_t count)
{
    struct tree_path path;
    walk_end(t, front, &path);
    CHECK(path_is_alone(&path) && leaf_room(path_leaf(&path)) >= path_leaf(&path)->size + size);
    path_add_count(&path, t, (int32_t)count);
    return open_gap(path_leaf(&path), front, size);
}

bool tree_can_shrink(const struct tree *t, bool front, uint32_t count)
{
    struct tree_path path;
    walk_end(t, front, &path);
    return path_is_alone(&path) && path_leaf(&path)->count > count;
}

void tree_shrink(struct tree *t, bool front, uint32_t count)
{
    struct tree_path path;
    walk_end(t, front, &path);
    struct tree_node *leaf = path_leaf(&path);
    CHECK(path_is_alone(&path) && leaf->count > count);
    size_t kept = bytes_of(node_pack(leaf), front ? count : leaf->count - count);
    if (front) {
        memmove(leaf->bytes, leaf->bytes + kept, leaf->size - kept);
        kept = leaf->size - kept;
    }
    leaf->size = (uint32_t)kept;
    path_add_count(&path, t, -(int32_t)count);
}

/* -- as changes -------------------------------------------------------------------------------- */

/* A leaf of this change with more room than its entries need. */
static struct tree_node *make_roomy(struct tree_change *c, size_t size)
{
    size_t room = size < c->ops->leaf_bytes ? c->ops->leaf_bytes : size;
    struct tree_node *n = tree_make_node(c, 0, room);
    if (n != NULL)
        n->size = 0;
    return n;
}

/* The leaf of the path with room for more. */
static struct tree_node *copy_roomy(struct tree_change *c, struct tree_path *path)
{
    struct tree_node *old = path_leaf(path);
    uint32_t size = old->size;
    uint16_t count = old->count;
    struct tree_node *n = tree_resize_leaf(c, path, size, 0, c->ops->leaf_bytes - size);
    if (n == NULL)
        return NULL;
    n->size = size;
    n->count = count;
    return n;
}

/* A leaf that stops being the last gives back the room that it does not need. */
static void tighten(struct tree_change *c, struct tree_path *path)
{
    struct tree_node *leaf = path_leaf(path);
    bool wastes = (leaf_room(leaf) - leaf->size) * 8 > mem_size(leaf);
    if (wastes && leaf->refs == 1)
        (void)tree_resize_leaf(c, path, 0, 0, 0);
}

/* An entry in a leaf of its own at an end. */
static uint8_t *add_leaf(struct tree_change *c, struct tree_path *path, bool front, size_t size)
{
    tighten(c, path);
    struct tree_node *old = path_leaf(path), *n = c->failed ? NULL : make_roomy(c, size);
    if (n == NULL)
        return NULL;
    n->size = (uint32_t)size;
    n->count = 1;
    struct tree_slot slots[SLOTS_MAX], added = {.child = n, .count = 1};
    struct tree_slot there = {.child = old, .count = old->count};
    if (path->depth > 1)
        there = node_slots(path->nodes[path->depth - 2])[path->at[path->depth - 2]];
    slots[0] = front ? added : there;
    slots[1] = front ? there : added;
    tree_put_slots(c, path, path->depth - 1, slots, 2);
    return c->failed ? NULL : n->bytes;
}

uint8_t *tree_change_grow(struct tree_change *c, bool front, size_t size)
{
    struct tree_path path;
    if (c->failed)
        return NULL;
    walk_end(&c->tree, front, &path);
    if (path.depth == 0) {
        struct tree_node *root = make_roomy(c, size);
        if (root == NULL)
            return NULL;
        c->tree.root = path.nodes[path.depth++] = root;
    } else if (!tree_own_path(c, &path)) {
        return NULL;
    }
    struct tree_node *leaf = path_leaf(&path);
    if (leaf->count > 0 && leaf->size + size > c->ops->leaf_bytes)
        return add_leaf(c, &path, front, size);
    if (leaf->made_at == NODE_OLD || leaf_room(leaf) < leaf->size + size)
        leaf = copy_roomy(c, &path);
    if (leaf == NULL)
        return NULL;
    path_add_count(&path, &c->tree, 1);
    return open_gap(leaf, front, size);
}

/* -- many less --------------------------------------------------------------------------------- */

static void drop_slot(struct tree_change *c, const struct tree_slot *slot, size_t entry_bytes)
{
    if (slot->child->level == 0)
        tree_drop_node(c, slot->child, slot->counted);
    else
        tree_drop_below(c, slot, slot->count * entry_bytes);
}

/* Drops children of a node in the path: those before the one the path goes to, or behind it. */
static void drop_siblings(struct tree_change *c, struct tree_path *path, unsigned d, bool front,
                          size_t entry_bytes)
{
    struct tree_node *n = path->nodes[d];
    struct tree_slot *slots = node_slots(n), dropped[TREE_FAN];
    uint32_t at = path->at[d], count = front ? at : n->size - at - 1;
    memcpy(dropped, front ? slots : slots + at + 1, count * sizeof(*slots));
    n->size -= count;
    if (front) {
        memmove(slots, slots + at, n->size * sizeof(*slots));
        path->at[d] = 0;
    }
    for (uint32_t i = 0; i < count; i++)
        drop_slot(c, &dropped[i], entry_bytes);
}

/* What is dropped whole is not looked at; few nodes are counted again. */
static void count_bytes(struct tree *t)
{
    struct tree_node *root = t->root;
    if (root == NULL || root->level > 1)
        return;
    t->bytes = mem_size(root);
    for (uint32_t i = 0; root->level == 1 && i < root->size; i++)
        t->bytes += mem_size(node_slots(root)[i].child);
}

void tree_change_shrink(struct tree_change *c, bool front, uint32_t count)
{
    struct tree_path path;
    uint32_t in_leaf;
    CHECK(count > 0 && count < c->tree.count);
    if (c->failed)
        return;
    size_t entry_bytes = c->tree.bytes / c->tree.count;
    tree_walk_at(&c->tree, front ? count : c->tree.count - count - 1, &path, &in_leaf);
    if (!tree_own_path(c, &path))
        return;
    const struct tree_node *old = path_leaf(&path);
    uint32_t kept = front ? old->count - in_leaf : in_leaf + 1;
    size_t at = bytes_of(node_pack(old), front ? in_leaf : kept), size = old->size;
    struct tree_node *leaf = front ? tree_resize_leaf(c, &path, 0, at, 0)
                                   : tree_resize_leaf(c, &path, at, size - at, 0);
    if (leaf == NULL)
        return;
    leaf->count = (uint16_t)kept;
    for (unsigned d = 0; d + 1 < path.depth && !c->failed; d++)
        drop_siblings(c, &path, d, front, entry_bytes);
    tree_change_settle(c, &path);
    if (!c->failed)
        count_bytes(&c->tree);
}

void tree_change_replace(struct tree_change *c, struct tree_path *path, struct slice pack,
                         uint32_t count)
{
    if (c->failed || !tree_own_path(c, path))
        return;
    uint32_t size = path_leaf(path)->size;
    CHECK(pack.len < size && count < path_leaf(path)->count);
    struct tree_node *leaf = tree_resize_leaf(c, path, 0, size, pack.len);
    if (leaf == NULL)
        return;
    if (pack.len > 0)
        memcpy(leaf->bytes, pack.ptr, pack.len);
    leaf->count = (uint16_t)count;
    tree_change_settle(c, path);
}
