#include "base/order.h"

#include <string.h>

enum { FANOUT = 32, LEAF_PAIRS = 60, MERGE_SHARE = 4, HEIGHT_MAX = 16 };

/* Compared by value, then by row. */
struct pair {
    double value;
    uint32_t row;
};

struct order_node {
    bool is_leaf;
    uint16_t count; /* pairs, or children */
};

struct leaf {
    struct order_node node;
    uint32_t rows[LEAF_PAIRS];
    double values[LEAF_PAIRS];
    struct leaf *next;
};

/* Child i holds pairs from (values[i], rows[i]) on; those of child 0 are not looked at. */
struct inner {
    struct order_node node;
    uint32_t rows[FANOUT];
    double values[FANOUT];
    uint32_t sizes[FANOUT]; /* pairs below each child */
    struct order_node *children[FANOUT];
};

/* The way to a leaf. */
struct path {
    struct inner *inner[HEIGHT_MAX];
    unsigned at[HEIGHT_MAX];
    struct leaf *leaf;
};

static inline bool before(struct pair a, double value, uint32_t row)
{
    return a.value < value || (a.value == value && a.row < row);
}

void order_init(struct order *o, enum mem_tag tag)
{
    *o = (struct order){.tag = tag};
}

static void node_free(struct order *o, struct order_node *n)
{
    o->bytes -= mem_size(n);
    mem_free(o->tag, n);
}

/* Depth first, without recursion: the way down is kept. */
void order_fini(struct order *o)
{
    struct inner *way[HEIGHT_MAX];
    unsigned depth = 0;
    struct order_node *n = o->root;
    while (n != NULL) {
        while (!n->is_leaf) {
            way[depth++] = (struct inner *)n;
            n = ((struct inner *)n)->children[n->count - 1];
        }
        node_free(o, n);
        n = NULL;
        while (depth > 0 && n == NULL) {
            struct inner *up = way[depth - 1];
            up->node.count--;
            if (up->node.count > 0) {
                n = up->children[up->node.count - 1];
            } else {
                node_free(o, &up->node);
                depth--;
            }
        }
    }
    CHECK(o->bytes == 0);
    order_init(o, o->tag);
}

/* -- finding ----------------------------------------------------------------------------------- */

/* The child that the pair belongs to. */
static unsigned child_for(const struct inner *n, double value, uint32_t row)
{
    unsigned low = 0, high = n->node.count;
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        bool right =
            n->values[middle] < value || (n->values[middle] == value && n->rows[middle] <= row);
        if (right)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The first place in a leaf whose pair is not before this one. */
static unsigned place_in(const struct leaf *l, double value, uint32_t row)
{
    unsigned low = 0, high = l->node.count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (before((struct pair){l->values[middle], l->rows[middle]}, value, row))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void find_path(const struct order *o, double value, uint32_t row, struct path *p)
{
    struct order_node *n = o->root;
    for (unsigned i = 0; i < o->height; i++) {
        p->inner[i] = (struct inner *)n;
        p->at[i] = child_for(p->inner[i], value, row);
        n = p->inner[i]->children[p->at[i]];
    }
    CHECK(n->is_leaf);
    p->leaf = (struct leaf *)n;
}

/* Pairs before (value, row). */
static size_t rank_of(const struct order *o, double value, uint32_t row)
{
    if (o->root == NULL)
        return 0;
    struct path p;
    size_t rank = 0;
    find_path(o, value, row, &p);
    for (unsigned i = 0; i < o->height; i++)
        for (unsigned j = 0; j < p.at[i]; j++)
            rank += p.inner[i]->sizes[j];
    return rank + place_in(p.leaf, value, row);
}

/* No row is UINT32_MAX (limits.h), so that stands behind all rows of a value. */
size_t order_rank(const struct order *o, double value, bool or_equal)
{
    CHECK(value == value);
    return rank_of(o, value, or_equal ? UINT32_MAX : 0);
}

/* The leaf that holds a rank, which is made the place in it. */
static const struct leaf *leaf_at(const struct order *o, size_t *rank)
{
    const struct order_node *n = o->root;
    CHECK(*rank < o->count);
    while (!n->is_leaf) {
        const struct inner *in = (const struct inner *)n;
        unsigned i = 0;
        for (; *rank >= in->sizes[i]; i++)
            *rank -= in->sizes[i];
        n = in->children[i];
    }
    return (const struct leaf *)n;
}

void order_rows(const struct order *o, size_t first, size_t count, uint32_t *out)
{
    CHECK(first <= o->count && count <= o->count - first);
    if (count == 0)
        return;
    for (const struct leaf *l = leaf_at(o, &first); count > 0; l = l->next) {
        size_t some = l->node.count - first < count ? l->node.count - first : count;
        memcpy(out, l->rows + first, some * sizeof(*out));
        out += some;
        count -= some;
        first = 0;
    }
}

void order_at(const struct order *o, size_t rank, double *value, uint32_t *row)
{
    const struct leaf *l = leaf_at(o, &rank);
    *value = l->values[rank];
    *row = l->rows[rank];
}

/* -- adding ------------------------------------------------------------------------------------ */

/* Nodes that an addition will need, set aside before anything changes. */
struct spare {
    struct leaf *leaf;
    struct inner *inner[HEIGHT_MAX + 1];
    unsigned inner_count;
};

static void *node_new(struct order *o, size_t size, bool is_leaf)
{
    struct order_node *n = mem_try(o->tag, size);
    if (n == NULL)
        return NULL;
    n->is_leaf = is_leaf;
    n->count = 0;
    o->bytes += mem_size(n);
    return n;
}

static void spare_free(struct order *o, struct spare *s)
{
    if (s->leaf != NULL)
        node_free(o, &s->leaf->node);
    while (s->inner_count > 0)
        node_free(o, &s->inner[--s->inner_count]->node);
    s->leaf = NULL;
}

/* A split goes up as far as nodes are full; past the root it makes a new one. */
static bool spare_get(struct order *o, const struct path *p, struct spare *s)
{
    *s = (struct spare){0};
    if (p->leaf->node.count < LEAF_PAIRS)
        return true;
    s->leaf = node_new(o, sizeof(*s->leaf), true);
    bool ok = s->leaf != NULL;
    unsigned level = o->height;
    while (ok && level > 0 && p->inner[level - 1]->node.count == FANOUT) {
        ok = (s->inner[s->inner_count] = node_new(o, sizeof(struct inner), false)) != NULL;
        s->inner_count += ok;
        level--;
    }
    if (ok && level == 0) {
        CHECK(o->height < HEIGHT_MAX);
        ok = (s->inner[s->inner_count] = node_new(o, sizeof(struct inner), false)) != NULL;
        s->inner_count += ok;
    }
    if (!ok)
        spare_free(o, s);
    return ok;
}

static void leaf_insert(struct leaf *l, unsigned at, double value, uint32_t row)
{
    unsigned after = l->node.count - at;
    memmove(l->values + at + 1, l->values + at, after * sizeof(*l->values));
    memmove(l->rows + at + 1, l->rows + at, after * sizeof(*l->rows));
    l->values[at] = value;
    l->rows[at] = row;
    l->node.count++;
}

/* What a node is told from its left sibling by. An inner one keeps it with its first child, which
 * leaves below may have lost their pairs since. */
static struct pair first_pair(const struct order_node *n)
{
    const struct leaf *l = (const struct leaf *)n;
    const struct inner *in = (const struct inner *)n;
    return n->is_leaf ? (struct pair){l->values[0], l->rows[0]}
                      : (struct pair){in->values[0], in->rows[0]};
}

static void inner_insert(struct inner *n, unsigned at, struct order_node *child, uint32_t size)
{
    struct pair first = first_pair(child);
    unsigned after = n->node.count - at;
    memmove(n->values + at + 1, n->values + at, after * sizeof(*n->values));
    memmove(n->rows + at + 1, n->rows + at, after * sizeof(*n->rows));
    memmove(n->sizes + at + 1, n->sizes + at, after * sizeof(*n->sizes));
    memmove(n->children + at + 1, n->children + at, after * sizeof(*n->children));
    n->values[at] = first.value;
    n->rows[at] = first.row;
    n->sizes[at] = size;
    n->children[at] = child;
    n->node.count++;
}

static uint32_t size_of(const struct order_node *n)
{
    uint32_t sum = 0;
    if (n->is_leaf)
        return n->count;
    for (unsigned i = 0; i < n->count; i++)
        sum += ((const struct inner *)n)->sizes[i];
    return sum;
}

static const struct leaf *first_leaf(const struct order_node *n)
{
    while (!n->is_leaf)
        n = ((const struct inner *)n)->children[0];
    return (const struct leaf *)n;
}

/* Moves the upper half of a full leaf to right; of the last leaf that a pair comes behind, nothing.
 */
static void split_leaf(struct leaf *l, struct leaf *right, unsigned at)
{
    unsigned keep = at == LEAF_PAIRS && l->next == NULL ? LEAF_PAIRS : LEAF_PAIRS / 2;
    unsigned moved = LEAF_PAIRS - keep;
    memcpy(right->values, l->values + keep, moved * sizeof(*l->values));
    memcpy(right->rows, l->rows + keep, moved * sizeof(*l->rows));
    right->node.count = (uint16_t)moved;
    l->node.count = (uint16_t)keep;
    right->next = l->next;
    l->next = right;
}

static void split_inner(struct inner *n, struct inner *right)
{
    enum { KEEP = FANOUT / 2, MOVED = FANOUT - KEEP };
    memcpy(right->values, n->values + KEEP, MOVED * sizeof(*n->values));
    memcpy(right->rows, n->rows + KEEP, MOVED * sizeof(*n->rows));
    memcpy(right->sizes, n->sizes + KEEP, MOVED * sizeof(*n->sizes));
    memcpy(right->children, n->children + KEEP, MOVED * sizeof(*n->children));
    right->node.count = MOVED;
    n->node.count = KEEP;
}

/* Hangs the right half of a split beside its left half, upwards as long as there is no room. */
static void hang(struct order *o, struct path *p, struct spare *s, struct order_node *right)
{
    for (unsigned level = o->height; level > 0; level--) {
        struct inner *n = p->inner[level - 1];
        unsigned at = p->at[level - 1];
        n->sizes[at] = size_of(n->children[at]);
        struct inner *half = NULL, *to = n;
        if (n->node.count == FANOUT) {
            half = s->inner[--s->inner_count];
            split_inner(n, half);
            if (at >= n->node.count) {
                at -= n->node.count;
                to = half;
            }
        }
        inner_insert(to, at + 1, right, size_of(right));
        if (half == NULL)
            return;
        right = &half->node;
    }
    struct inner *root = s->inner[--s->inner_count];
    struct order_node *left = o->root;
    inner_insert(root, 0, left, size_of(left));
    inner_insert(root, 1, right, size_of(right));
    o->root = &root->node;
    o->height++;
}

bool order_add(struct order *o, double value, uint32_t row)
{
    CHECK(value == value && row != UINT32_MAX && o->count < UINT32_MAX);
    if (o->root == NULL) {
        struct leaf *l = node_new(o, sizeof(*l), true);
        if (l == NULL)
            return false;
        l->next = NULL;
        o->root = &l->node;
        o->height = 0;
    }
    struct path p;
    struct spare spare;
    find_path(o, value, row, &p);
    if (!spare_get(o, &p, &spare))
        return false;
    unsigned at = place_in(p.leaf, value, row);
    CHECK(at == p.leaf->node.count || p.leaf->rows[at] != row || p.leaf->values[at] != value);
    for (unsigned i = 0; i < o->height; i++)
        p.inner[i]->sizes[p.at[i]]++;
    o->count++;
    if (spare.leaf == NULL) {
        leaf_insert(p.leaf, at, value, row);
        return true;
    }
    struct leaf *right = spare.leaf;
    split_leaf(p.leaf, right, at);
    if (at > p.leaf->node.count || right->node.count == 0)
        leaf_insert(right, at - p.leaf->node.count, value, row);
    else
        leaf_insert(p.leaf, at, value, row);
    hang(o, &p, &spare, &right->node);
    CHECK(spare.inner_count == 0);
    return true;
}

/* -- removing ---------------------------------------------------------------------------------- */

static void inner_drop(struct inner *n, unsigned at)
{
    unsigned after = n->node.count - at - 1;
    memmove(n->values + at, n->values + at + 1, after * sizeof(*n->values));
    memmove(n->rows + at, n->rows + at + 1, after * sizeof(*n->rows));
    memmove(n->sizes + at, n->sizes + at + 1, after * sizeof(*n->sizes));
    memmove(n->children + at, n->children + at + 1, after * sizeof(*n->children));
    n->node.count--;
}

static unsigned capacity_of(const struct order_node *n)
{
    return n->is_leaf ? LEAF_PAIRS : FANOUT;
}

/* Child at + 1 goes into child at. */
static void merge(struct order *o, struct inner *n, unsigned at)
{
    struct order_node *a = n->children[at], *b = n->children[at + 1];
    if (a->is_leaf) {
        struct leaf *x = (struct leaf *)a, *y = (struct leaf *)b;
        memcpy(x->values + a->count, y->values, b->count * sizeof(*x->values));
        memcpy(x->rows + a->count, y->rows, b->count * sizeof(*x->rows));
        x->next = y->next;
    } else {
        struct inner *x = (struct inner *)a, *y = (struct inner *)b;
        memcpy(x->values + a->count, y->values, b->count * sizeof(*x->values));
        memcpy(x->rows + a->count, y->rows, b->count * sizeof(*x->rows));
        memcpy(x->sizes + a->count, y->sizes, b->count * sizeof(*x->sizes));
        memcpy(x->children + a->count, y->children, b->count * sizeof(*x->children));
        /* The first child's pair was not looked at where it stood, and is now. */
        x->values[a->count] = n->values[at + 1];
        x->rows[a->count] = n->rows[at + 1];
    }
    a->count = (uint16_t)(a->count + b->count);
    n->sizes[at] += n->sizes[at + 1];
    inner_drop(n, at + 1);
    node_free(o, b);
}

/* Merges a child that has become small with a sibling, if both together leave room for more. */
static void mend(struct order *o, struct inner *n, unsigned at)
{
    struct order_node *child = n->children[at];
    unsigned capacity = capacity_of(child);
    if (child->count >= capacity / MERGE_SHARE)
        return;
    unsigned most = child->count == 0 ? capacity : capacity * 3 / MERGE_SHARE;
    if (at + 1 < n->node.count && child->count + n->children[at + 1]->count <= most)
        merge(o, n, at);
    else if (at > 0 && n->children[at - 1]->count + child->count <= most)
        merge(o, n, at - 1);
}

void order_remove(struct order *o, double value, uint32_t row)
{
    struct path p;
    CHECK(o->root != NULL);
    find_path(o, value, row, &p);
    struct leaf *l = p.leaf;
    unsigned at = place_in(l, value, row);
    CHECK(at < l->node.count && l->rows[at] == row && l->values[at] == value);
    unsigned after = l->node.count - at - 1;
    memmove(l->values + at, l->values + at + 1, after * sizeof(*l->values));
    memmove(l->rows + at, l->rows + at + 1, after * sizeof(*l->rows));
    l->node.count--;
    o->count--;
    for (unsigned i = 0; i < o->height; i++)
        p.inner[i]->sizes[p.at[i]]--;
    for (unsigned level = o->height; level > 0; level--)
        mend(o, p.inner[level - 1], p.at[level - 1]);
    while (o->height > 0 && o->root->count == 1) {
        struct order_node *old = o->root;
        o->root = ((struct inner *)old)->children[0];
        o->height--;
        node_free(o, old);
    }
    if (o->count == 0)
        order_fini(o);
}

/* -- checking ---------------------------------------------------------------------------------- */

static void check_node(const struct order_node *n, bool is_leaf)
{
    CHECK(n->is_leaf == is_leaf && n->count <= capacity_of(n));
    const struct inner *in = (const struct inner *)n;
    for (unsigned i = 0; !is_leaf && i < n->count; i++)
        CHECK(in->sizes[i] == size_of(in->children[i]));
}

void order_check(const struct order *o)
{
    struct pair last = {0};
    size_t seen = 0;
    if (o->root == NULL) {
        CHECK(o->count == 0 && o->height == 0 && o->bytes == 0);
        return;
    }
    CHECK(size_of(o->root) == o->count);
    for (const struct leaf *l = first_leaf(o->root); l != NULL; l = l->next)
        for (unsigned i = 0; i < l->node.count; i++, seen++) {
            struct path p;
            CHECK(seen == 0 || before(last, l->values[i], l->rows[i]));
            last = (struct pair){l->values[i], l->rows[i]};
            find_path(o, last.value, last.row, &p);
            CHECK(p.leaf == l);
            for (unsigned level = 0; level < o->height; level++)
                check_node(&p.inner[level]->node, false);
            check_node(&l->node, true);
        }
    CHECK(seen == o->count);
}
