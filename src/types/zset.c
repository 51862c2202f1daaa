#include "types/zset.h"

#include <math.h>

#include "base/rng.h"

enum { DOUBLE_SIZE = 8, INTEGER_SIZE_MAX = 7 };

/* -- entries ----------------------------------------------------------------------------------- */

/* Bytes of a score. Minus zero is no integer: it reads back as it was. */
static unsigned score_size(double score)
{
    enum { BITS = INTEGER_SIZE_MAX * 8 - 1 };
    double most = (double)((int64_t)1 << BITS);
    if (!(score >= -most && score < most) || score != floor(score) ||
        (score == 0 && signbit(score)))
        return DOUBLE_SIZE;
    int64_t value = (int64_t)score;
    unsigned size = 0;
    for (uint64_t rest = (uint64_t)(value < 0 ? ~value : value) * 2; rest > 0; rest >>= 8)
        size++;
    return value == -1 ? 1 : size;
}

static size_t contents_size(const struct scored *s)
{
    return 1 + score_size(s->score) + s->member.len;
}

size_t scored_size(const struct scored *s)
{
    return pack_entry_size(contents_size(s));
}

void scored_put(uint8_t *to, const struct scored *s)
{
    unsigned size = score_size(s->score);
    uint64_t bits;
    CHECK(!isnan(s->score));
    if (size == DOUBLE_SIZE)
        memcpy(&bits, &s->score, sizeof(bits));
    else
        bits = (uint64_t)(int64_t)s->score;
    to = pack_put_length(to, contents_size(s));
    *to++ = (uint8_t)size;
    for (unsigned i = 0; i < size; i++)
        *to++ = (uint8_t)(bits >> (8 * i));
    if (s->member.len > 0)
        memcpy(to, s->member.ptr, s->member.len);
}

/* room: bytes that there are to read, size of them at least. */
static double score_at(const uint8_t *at, unsigned size, size_t room)
{
    uint64_t bits = 0;
    double score;
    if (size == 0)
        return 0;
    if (room >= sizeof(bits))
        memcpy(&bits, at, sizeof(bits)); /* one load, of which the rest is shifted out */
    else
        memcpy(&bits, at, size);
    if (size == DOUBLE_SIZE) {
        memcpy(&score, &bits, sizeof(score));
        return score;
    }
    unsigned above = 64 - 8 * size;
    return (double)((int64_t)(bits << above) >> above);
}

void scored_get(struct slice entry, struct scored *out)
{
    unsigned size = entry.ptr[0];
    CHECK(size <= DOUBLE_SIZE && entry.len > size);
    out->score = score_at(entry.ptr + 1, size, entry.len - 1);
    out->member = (struct slice){entry.ptr + 1 + size, entry.len - 1 - size};
}

/* -- order ------------------------------------------------------------------------------------- */

static bool is_before(const void *bound, struct slice entry)
{
    const struct zset_bound *b = bound;
    struct scored s;
    scored_get(entry, &s);
    if (s.score != b->score && !b->any_score)
        return s.score < b->score;
    if (!b->by_member)
        return b->behind;
    int order = slice_cmp(s.member, b->member);
    return order < 0 || (order == 0 && b->behind);
}

/* Rises with the score; the same for the two zeros, which are equal. */
static uint64_t key_of_score(double score)
{
    uint64_t bits, sign = (uint64_t)1 << 63;
    score += 0.0; /* minus zero becomes zero */
    memcpy(&bits, &score, sizeof(bits));
    return bits & sign ? ~bits : bits | sign;
}

uint32_t zset_pack_rank(struct slice pack, const struct zset_bound *bound, size_t *at)
{
    struct slice rest = pack;
    uint32_t rank = 0;
    *at = 0;
    while (rest.len > 0 && is_before(bound, pack_take(&rest))) {
        *at = pack.len - rest.len;
        rank++;
    }
    return rank;
}

/* -- packs ------------------------------------------------------------------------------------- */

static bool find(struct slice pack, struct slice member, struct scored *out,
                 struct pack_place *place)
{
    struct slice rest = pack;
    while (rest.len > 0) {
        size_t at = pack.len - rest.len;
        struct slice entry = pack_take(&rest);
        size_t head = 1 + (size_t)entry.ptr[0];
        if (!slice_eq((struct slice){entry.ptr + head, entry.len - head}, member))
            continue;
        scored_get(entry, out);
        *place = (struct pack_place){at, pack.len - rest.len - at};
        return true;
    }
    return false;
}

bool zset_pack_find(struct slice pack, struct slice member, struct scored *out)
{
    struct pack_place place;
    return find(pack, member, out, &place);
}

bool zset_pack_add(struct buf *pack, const struct scored *s)
{
    struct pack_place place;
    struct scored old;
    bool is_new = !find(buf_slice(pack), s->member, &old, &place);
    if (!is_new)
        (void)pack_resize(pack, place, 0);
    struct zset_bound bound = {.score = s->score, .member = s->member, .by_member = true};
    place.size = 0;
    (void)zset_pack_rank(buf_slice(pack), &bound, &place.at);
    uint8_t *to = pack_resize(pack, place, scored_size(s));
    if (to != NULL)
        scored_put(to, s);
    return is_new;
}

bool zset_pack_remove(struct buf *pack, struct slice member)
{
    struct pack_place place;
    struct scored old;
    if (!find(buf_slice(pack), member, &old, &place))
        return false;
    (void)pack_resize(pack, place, 0);
    return true;
}

/* Is this an entry as scored_put writes it? */
static bool entry_check(struct slice entry, struct scored *out)
{
    if (entry.len == 0 || entry.ptr[0] > DOUBLE_SIZE || entry.ptr[0] >= entry.len)
        return false;
    scored_get(entry, out);
    return !isnan(out->score) && score_size(out->score) == entry.ptr[0];
}

bool zset_pack_check(struct slice pack, size_t *count)
{
    struct scored s, before = {.score = 0};
    for (*count = 0; pack.len > 0; (*count)++) {
        struct slice entry;
        if (!pack_read(&pack, &entry) || !entry_check(entry, &s))
            return false;
        if (*count > 0 && (before.score > s.score ||
                           (before.score == s.score && slice_cmp(before.member, s.member) >= 0)))
            return false;
        before = s;
    }
    return true;
}

bool zset_pack_is_unique(struct slice pack)
{
    struct slice rest = pack;
    while (rest.len > 0) {
        struct scored s, other;
        struct slice before = {pack.ptr, pack.len - rest.len};
        scored_get(pack_take(&rest), &s);
        if (zset_pack_find(before, s.member, &other))
            return false;
    }
    return true;
}

/* -- large ------------------------------------------------------------------------------------- */

static uint64_t key_in_order(const void *owner, struct slice entry)
{
    struct scored s;
    (void)owner;
    scored_get(entry, &s);
    return key_of_score(s.score);
}

static uint64_t key_by_member(const void *seed, struct slice entry)
{
    struct scored s;
    scored_get(entry, &s);
    return hash_bytes(s.member, seed);
}

struct tree_ops zset_order_ops(void)
{
    return (struct tree_ops){
        .key = key_in_order, .leaf_bytes = TREE_LEAF_BYTES, .in_order = true, .before = is_before};
}

struct tree_ops zset_member_ops(const uint64_t seed[2])
{
    return (struct tree_ops){.key = key_by_member, .leaf_bytes = TREE_LEAF_BYTES, .owner = seed};
}

bool zset_tree_find(const struct tree *members, const struct tree_ops *ops, struct slice member,
                    struct scored *out)
{
    struct slice leaf = tree_leaf(members, hash_bytes(member, ops->owner));
    return zset_pack_find(leaf, member, out);
}

uint32_t zset_tree_rank(const struct tree *order, const struct tree_ops *ops,
                        const struct zset_bound *bound)
{
    struct tree_path path;
    size_t at;
    struct tree_ops asking = *ops;
    asking.asks = bound->any_score;
    tree_seek(order, &asking, key_of_score(bound->score), bound, &path);
    return tree_path_rank(&path) + zset_pack_rank(tree_path_leaf(&path), bound, &at);
}

/* Where an entry is in the order, or would be: of the leaf that the path leads to. */
static size_t seek_entry(const struct tree *t, const struct tree_ops *ops, const struct scored *s,
                         struct tree_path *path)
{
    struct zset_bound bound = {
        .score = s->score, .member = s->member, .by_member = true, .behind = true};
    size_t at;
    tree_seek(t, ops, key_of_score(s->score), &bound, path); /* the leaf may begin with it */
    bound.behind = false;
    (void)zset_pack_rank(tree_path_leaf(path), &bound, &at);
    return at;
}

/* Puts an entry where it belongs, or takes it out (puts false), where it is. */
static void splice_order(struct tree_change *c, const struct scored *s, bool puts)
{
    struct tree_path path;
    size_t size = scored_size(s);
    if (c->failed)
        return;
    size_t at = seek_entry(&c->tree, c->ops, s, &path);
    uint8_t *to = tree_change_splice_at(c, &path, at, puts ? 0 : size, puts ? size : 0);
    if (to != NULL)
        scored_put(to, s);
    tree_change_settle(c, &path);
}

static void splice_member(struct tree_change *c, uint64_t key, struct pack_place place,
                          const struct scored *s)
{
    struct tree_path path;
    size_t size = s == NULL ? 0 : scored_size(s);
    uint8_t *to = tree_change_splice(c, &path, key, place.at, place.size, size);
    if (to != NULL)
        scored_put(to, s);
    tree_change_settle(c, &path);
}

bool zset_tree_add(const struct zset_change *c, const struct scored *s)
{
    uint64_t key = hash_bytes(s->member, c->members->ops->owner);
    struct slice leaf = tree_change_leaf(c->members, key);
    struct pack_place place = {.at = leaf.len};
    struct scored old;
    bool is_new = !find(leaf, s->member, &old, &place);
    if (!is_new) {
        old.member = s->member; /* its own bytes go with the leaf */
        splice_order(c->order, &old, false);
    }
    splice_order(c->order, s, true);
    splice_member(c->members, key, place, s);
    return is_new;
}

bool zset_tree_remove(const struct zset_change *c, struct slice member)
{
    uint64_t key = hash_bytes(member, c->members->ops->owner);
    struct pack_place place;
    struct scored old;
    if (!find(tree_change_leaf(c->members, key), member, &old, &place))
        return false;
    old.member = member;
    splice_order(c->order, &old, false);
    splice_member(c->members, key, place, NULL);
    return true;
}

static bool edit_both(struct zset_edit *e, const struct zset_trees *t, const struct scored *s,
                      struct pack_place in_members, bool adds)
{
    size_t size = scored_size(s);
    size_t at = seek_entry(t->order, t->order_ops, s, &e->order.path);
    if (!tree_edit_begin(&e->order, t->order_ops, at, adds ? 0 : size, adds ? size : 0))
        return false;
    if (tree_edit_begin(&e->members, t->member_ops, in_members.at, in_members.size,
                        adds ? size : 0))
        return true;
    tree_edit_discard(&e->order);
    return false;
}

/* From one place of a leaf to another: one edit of both and of what is between them. */
static bool edit_within(struct zset_edit *e, const struct tree_ops *ops, size_t from,
                        size_t old_size, size_t to, size_t new_size)
{
    CHECK(to <= from || to >= from + old_size);
    e->rises = to > from;
    e->passed = e->rises ? to - from - old_size : from - to;
    return e->passed <= TREE_LEAF_BYTES &&
           tree_edit_begin(&e->order, ops, e->rises ? from : to, old_size + e->passed,
                           new_size + e->passed);
}

/* In order; an entry that goes to another leaf leaves its own first. */
static bool edit_move(struct zset_edit *e, const struct zset_trees *t, const struct scored *old,
                      const struct scored *s)
{
    const struct tree_ops *ops = t->order_ops;
    size_t old_size = scored_size(old), new_size = scored_size(s);
    size_t from = seek_entry(t->order, ops, old, &e->left.path);
    size_t to = seek_entry(t->order, ops, s, &e->order.path);
    if (tree_path_leaf(&e->left.path).ptr == tree_path_leaf(&e->order.path).ptr)
        return edit_within(e, ops, from, old_size, to, new_size);
    return tree_edit_begin(&e->left, ops, from, old_size, 0) &&
           tree_edit_begin(&e->order, ops, to, 0, new_size);
}

bool zset_tree_edit_add(struct zset_edit *e, const struct zset_trees *t, const struct scored *s)
{
    struct scored old;
    tree_walk(t->members, hash_bytes(s->member, t->member_ops->owner), &e->members.path);
    struct slice leaf = tree_path_leaf(&e->members.path);
    struct pack_place place = {.at = leaf.len};
    e->passed = 0;
    if (!find(leaf, s->member, &old, &place))
        return edit_both(e, t, s, place, true);
    if (edit_move(e, t, &old, s) && tree_edit_begin(&e->members, t->member_ops, place.at,
                                                    place.size, scored_size(s)))
        return true;
    zset_tree_edit_discard(e);
    return false;
}

bool zset_tree_edit_remove(struct zset_edit *e, const struct zset_trees *t, struct slice member)
{
    struct scored old;
    struct pack_place place;
    e->passed = 0;
    tree_walk(t->members, hash_bytes(member, t->member_ops->owner), &e->members.path);
    return find(tree_path_leaf(&e->members.path), member, &old, &place) &&
           edit_both(e, t, &old, place, false);
}

void zset_tree_edit_apply(struct zset_edit *e, struct tree *order, struct tree *members,
                          const struct scored *s)
{
    uint8_t passed[TREE_LEAF_BYTES];
    if (e->left.is_open)
        (void)tree_edit_apply(&e->left, order);
    if (e->passed > 0) {
        size_t own = e->rises ? e->order.old_size - e->passed : 0;
        memcpy(passed, tree_path_leaf(&e->order.path).ptr + e->order.at + own, e->passed);
    }
    uint8_t *to = tree_edit_apply(&e->order, order);
    if (e->passed > 0) {
        memcpy(e->rises ? to : to + scored_size(s), passed, e->passed);
        to += e->rises ? e->passed : 0;
    }
    if (to != NULL)
        scored_put(to, s);
    to = tree_edit_apply(&e->members, members);
    if (to != NULL)
        scored_put(to, s);
}

void zset_tree_edit_discard(struct zset_edit *e)
{
    tree_edit_discard(&e->left);
    tree_edit_discard(&e->order);
    tree_edit_discard(&e->members);
}
