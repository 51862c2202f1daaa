#include "types/tree_node.h"

/* -- looking ----------------------------------------------------------------------------------- */

/* Of a child that is about to be read. A leaf is scanned: its lines come together, then, and not
 * one after the other. */
static void fetch(const struct tree_node *child, const struct tree_node *parent)
{
    enum { LINE = 64, LINES = TREE_LEAF_BYTES / LINE / 2 };
    const char *at = (const char *)child;
    for (int i = 0; i < LINES && parent->level == 1; i++)
        __builtin_prefetch(at + i * LINE);
}

struct slice tree_leaf(const struct tree *t, uint64_t key)
{
    const struct tree_node *n = t->root;
    if (n == NULL)
        return (struct slice){0};
    while (n->level > 0) {
        const struct tree_node *child = node_slots(n)[node_child(n, key)].child;
        fetch(child, n);
        n = child;
    }
    return node_pack(n);
}

void tree_walk(const struct tree *t, uint64_t key, struct tree_path *path)
{
    path->depth = 0;
    for (struct tree_node *n = t->root; n != NULL;) {
        CHECK(path->depth < TREE_LEVELS);
        path->nodes[path->depth] = n;
        path->at[path->depth] = n->level == 0 ? 0 : node_child(n, key);
        struct tree_node *child =
            n->level == 0 ? NULL : node_slots(n)[path->at[path->depth]].child;
        if (child != NULL)
            fetch(child, n);
        path->depth++;
        n = child;
    }
}

/* Down to the first leaf below the last node of the path. */
static void descend(struct tree_path *path)
{
    for (;;) {
        const struct tree_node *n = path->nodes[path->depth - 1];
        if (n->level == 0)
            return;
        struct tree_node *child = node_slots(n)[path->at[path->depth - 1]].child;
        path->nodes[path->depth] = child;
        path->at[path->depth++] = 0;
    }
}

bool tree_next(struct tree_path *path, struct slice *leaf, uint64_t *next)
{
    *next = 0;
    if (path->depth == 0)
        return false;
    *leaf = node_pack(path->nodes[--path->depth]);
    while (path->depth > 0) {
        const struct tree_node *n = path->nodes[path->depth - 1];
        if (++path->at[path->depth - 1] < n->size) {
            *next = node_slots(n)[path->at[path->depth - 1]].low;
            descend(path);
            return true;
        }
        path->depth--;
    }
    return true;
}

bool tree_previous(struct tree_path *path, struct slice *leaf)
{
    if (path->depth == 0)
        return false;
    *leaf = node_pack(path->nodes[--path->depth]);
    while (path->depth > 0 && path->at[path->depth - 1] == 0)
        path->depth--;
    if (path->depth == 0)
        return true;
    path->at[path->depth - 1]--;
    for (;;) {
        const struct tree_node *n = path->nodes[path->depth - 1];
        if (n->level == 0)
            return true;
        struct tree_node *child = node_slots(n)[path->at[path->depth - 1]].child;
        path->nodes[path->depth] = child;
        path->at[path->depth++] = child->level == 0 ? 0 : child->size - 1;
    }
}

struct slice tree_at(const struct tree *t, uint32_t index, uint32_t *in_leaf)
{
    CHECK(index < t->count);
    const struct tree_node *n = t->root;
    while (n->level > 0) {
        const struct tree_slot *slot = node_slots(n);
        for (; index >= slot->count; slot++)
            index -= slot->count;
        n = slot->child;
    }
    *in_leaf = index;
    return node_pack(n);
}

void tree_walk_at(const struct tree *t, uint32_t index, struct tree_path *path, uint32_t *in_leaf)
{
    CHECK(index <= t->count);
    path->depth = 0;
    *in_leaf = index;
    for (struct tree_node *n = t->root; n != NULL;) {
        CHECK(path->depth < TREE_LEVELS);
        path->nodes[path->depth] = n;
        path->at[path->depth++] = 0;
        if (n->level == 0)
            break;
        const struct tree_slot *slots = node_slots(n);
        uint32_t at = 0;
        for (; at + 1 < n->size && *in_leaf >= slots[at].count; at++)
            *in_leaf -= slots[at].count;
        path->at[path->depth - 1] = at;
        n = slots[at].child;
    }
}

static struct slice first_entry(const struct tree_node *n)
{
    while (n->level > 0)
        n = node_slots(n)[0].child;
    struct slice pack = node_pack(n);
    return pack_take(&pack);
}

/* The last child that begins before the bound. What begins with a key that is lower or higher than
 * the bound's needs no look at its entries. */
static uint32_t seek_child(const struct tree_node *n, const struct tree_ops *ops, uint64_t key,
                           const void *bound)
{
    const struct tree_slot *slots = node_slots(n);
    uint32_t low = 0, high = n->size;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        bool before = slots[middle].low < key;
        if (ops->asks || slots[middle].low == key)
            before = ops->before(bound, first_entry(slots[middle].child));
        if (before)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void tree_seek(const struct tree *t, const struct tree_ops *ops, uint64_t key, const void *bound,
               struct tree_path *path)
{
    CHECK(ops->in_order);
    path->depth = 0;
    for (struct tree_node *n = t->root; n != NULL;) {
        CHECK(path->depth < TREE_LEVELS);
        path->nodes[path->depth] = n;
        path->at[path->depth] = n->level == 0 ? 0 : seek_child(n, ops, key, bound);
        n = n->level == 0 ? NULL : node_slots(n)[path->at[path->depth]].child;
        path->depth++;
    }
}

struct slice tree_path_leaf(const struct tree_path *path)
{
    return path->depth == 0 ? (struct slice){0} : node_pack(path->nodes[path->depth - 1]);
}

uint32_t tree_path_rank(const struct tree_path *path)
{
    uint32_t rank = 0;
    for (unsigned d = 0; d + 1 < path->depth; d++)
        for (uint32_t i = 0; i < path->at[d]; i++)
            rank += node_slots(path->nodes[d])[i].count;
    return rank;
}

struct slice tree_soonest(const struct tree *t)
{
    const struct tree_node *n = t->root;
    if (t->soonest == 0)
        return (struct slice){0};
    while (n->level > 0) {
        const struct tree_slot *slot = node_slots(n);
        while (slot->soonest != t->soonest)
            slot++;
        n = slot->child;
    }
    return node_pack(n);
}

/* -- sharing and freeing ----------------------------------------------------------------------- */

struct tree tree_share(const struct tree *t)
{
    if (t->root != NULL)
        t->root->refs++;
    return *t;
}

/* A dead root leads to the next where its first key was, which nobody asks for any more. */
static uint64_t *next_grave(struct tree_node *root)
{
    return &node_slots(root)->low;
}

void tree_bury(struct tree_graves *g, struct tree *t)
{
    struct tree_node *root = t->root;
    size_t bytes = t->bytes;
    *t = (struct tree){0};
    if (root == NULL || --root->refs > 0)
        return;
    if (root->level == 0) {
        mem_free(MEM_KEYSPACE, root);
        return;
    }
    *next_grave(root) = (uint64_t)(uintptr_t)g->first;
    g->first = root;
    g->bytes += bytes;
}

void tree_graves_take(struct tree_graves *g, struct tree_graves *from)
{
    CHECK(from->path.depth == 0);
    while (from->first != NULL) {
        struct tree_node *root = from->first;
        from->first = (struct tree_node *)(uintptr_t)*next_grave(root);
        *next_grave(root) = (uint64_t)(uintptr_t)g->first;
        g->first = root;
    }
    g->bytes += from->bytes;
    from->bytes = 0;
}

/* The children of the last node of the path, one after the other; frees it behind the last. */
static void bury_one(struct tree_graves *g)
{
    struct tree_path *p = &g->path;
    struct tree_node *n = p->nodes[p->depth - 1];
    if (n->level == 0 || p->at[p->depth - 1] == n->size) {
        size_t size = mem_size(n);
        g->bytes -= size < g->bytes ? size : g->bytes;
        mem_free(MEM_KEYSPACE, n);
        p->depth--;
        return;
    }
    struct tree_node *child = node_slots(n)[p->at[p->depth - 1]++].child;
    CHECK(child->refs > 0);
    if (--child->refs > 0)
        return;
    p->nodes[p->depth] = child;
    p->at[p->depth++] = 0;
}

bool tree_bury_some(struct tree_graves *g, unsigned nodes)
{
    for (unsigned steps = 0; steps < 2 * nodes; steps++) {
        if (g->path.depth == 0 && g->first == NULL) {
            g->bytes = 0;
            return false;
        }
        if (g->path.depth == 0) {
            g->path.nodes[0] = g->first;
            g->path.at[0] = 0;
            g->path.depth = 1;
            g->first = (struct tree_node *)(uintptr_t)*next_grave(g->first);
        }
        bury_one(g);
    }
    return true;
}

void tree_free(struct tree *t)
{
    struct tree_graves g = {0};
    tree_bury(&g, t);
    while (tree_bury_some(&g, UINT32_MAX / 2))
        continue;
}

/* -- checking ---------------------------------------------------------------------------------- */

/* *last: the key of the entry before. */
static const char *check_leaf(const struct tree_ops *ops, struct slice leaf, uint64_t low,
                              uint64_t next, uint64_t *last, struct tree_slot *sum)
{
    struct slice entry;
    while (leaf.len > 0) {
        if (!pack_read(&leaf, &entry))
            return "a leaf is no run of entries";
        uint64_t key = ops->key(ops->owner, entry);
        uint64_t expiry = ops->expiry == NULL ? 0 : ops->expiry(entry);
        if (key < low || (next > 0 && key >= next + ops->in_order))
            return "an entry is in another leaf than its key's";
        if (ops->in_order && key < *last)
            return "entries are out of order";
        *last = key;
        if (expiry > 0 && (sum->soonest == 0 || expiry < sum->soonest))
            sum->soonest = expiry;
        sum->count++;
    }
    return NULL;
}

static const char *check_node(const struct tree_node *n, const struct tree_ops *ops)
{
    struct tree_slot sum = {0};
    const struct tree_slot *slots = node_slots(n);
    for (uint32_t i = 0; i < n->size; i++) {
        const struct tree_node *child = slots[i].child;
        if (child->level + 1 != n->level || child->refs == 0 || child->made_at != NODE_OLD)
            return "a child is no child";
        if (i > 0 && slots[i].low < slots[i - 1].low + !ops->in_order)
            return "children are out of order";
        uint32_t count = child->level == 0 ? child->count : 0;
        for (uint32_t j = 0; child->level > 0 && j < child->size; j++)
            count += node_slots(child)[j].count;
        if (count != slots[i].count || count == 0)
            return "a child has another number of entries";
        sum.count += count;
    }
    return n->size == 0 || n->size > TREE_FAN || sum.count == 0 ? "a node has too few, or too many"
                                                                : NULL;
}

const char *tree_check(const struct tree *t, const struct tree_ops *ops)
{
    struct tree_path path;
    struct tree_slot sum = {0};
    struct slice leaf;
    uint64_t low = 0, last_key = 0, next;
    uint32_t in_leaf;
    const struct tree_node *last = NULL;
    for (tree_walk_at(t, 0, &path, &in_leaf); path.depth > 0;) {
        for (unsigned d = 0; d + 1 < path.depth && path.nodes[path.depth - 2] != last; d++) {
            const char *wrong = check_node(path.nodes[d], ops);
            if (wrong != NULL)
                return wrong;
        }
        last = path.depth > 1 ? path.nodes[path.depth - 2] : NULL;
        if (!tree_next(&path, &leaf, &next))
            break;
        const char *wrong = check_leaf(ops, leaf, low, next, &last_key, &sum);
        if (wrong != NULL)
            return wrong;
        low = next;
    }
    if (sum.count != t->count || sum.soonest != t->soonest)
        return "the sums of a tree are wrong";
    return NULL;
}
