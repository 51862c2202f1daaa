#include "db/members.h"

#include "types/set.h"

size_t members_count(const struct object *o)
{
    return o == NULL ? 0 : object_count(o);
}

/* A leaf at a time; its keys begin at the cursor that leads to it, or before. */
uint64_t members_scan(const struct object *o, uint64_t cursor, size_t count,
                      bool (*stop)(void *user), void (*fn)(void *user, struct slice entry),
                      void *user)
{
    struct tree_path path;
    struct slice rest;
    uint64_t next = 0;
    size_t seen = 0;
    if (o == NULL)
        return 0;
    if (!o->is_large) {
        for (rest = object_value(o); rest.len > 0;)
            fn(user, pack_take(&rest));
        return 0;
    }
    tree_walk(o->type == OBJECT_ZSET ? &o->large->members : &o->large->tree, cursor, &path);
    do {
        if (!tree_next(&path, &rest, &next))
            break;
        for (; rest.len > 0; seen++)
            fn(user, pack_take(&rest));
    } while (next > 0 && seen < count && !stop(user));
    return next;
}

/* -- sets -------------------------------------------------------------------------------------- */

bool sets_has(const struct db *db, const struct object *o, struct slice member)
{
    CHECK(o == NULL || o->type == OBJECT_SET);
    if (o == NULL)
        return false;
    return o->is_large ? set_tree_find(&o->large->tree, &db->set_ops, member)
                       : set_find(object_value(o), member, NULL);
}

struct slice sets_at(const struct object *o, uint32_t index)
{
    CHECK(o->type == OBJECT_SET && index < object_count(o));
    struct slice rest = o->is_large ? tree_at(&o->large->tree, index, &index) : object_value(o);
    for (; index > 0; index--)
        (void)pack_take(&rest);
    return pack_take(&rest);
}

void sets_walk(const struct object *o, struct set_walk *walk)
{
    CHECK(o == NULL || o->type == OBJECT_SET);
    walk->rest = (struct slice){0};
    walk->path.depth = 0;
    if (o != NULL && o->is_large)
        tree_walk(&o->large->tree, 0, &walk->path);
    else if (o != NULL)
        walk->rest = object_value(o);
}

bool sets_next(struct set_walk *walk, struct slice *member)
{
    uint64_t next;
    while (walk->rest.len == 0)
        if (!tree_next(&walk->path, &walk->rest, &next))
            return false;
    return set_next(&walk->rest, member);
}

/* -- sorted sets ------------------------------------------------------------------------------- */

bool zsets_get(const struct db *db, const struct object *o, struct slice member, struct scored *out)
{
    CHECK(o == NULL || o->type == OBJECT_ZSET);
    if (o == NULL)
        return false;
    return o->is_large ? zset_tree_find(&o->large->members, &db->member_ops, member, out)
                       : zset_pack_find(object_value(o), member, out);
}

uint32_t zsets_rank(const struct db *db, const struct object *o, const struct zset_bound *bound)
{
    size_t at;
    CHECK(o == NULL || o->type == OBJECT_ZSET);
    if (o == NULL)
        return 0;
    return o->is_large ? zset_tree_rank(&o->large->tree, &db->order_ops, bound)
                       : zset_pack_rank(object_value(o), bound, &at);
}

/* The entries of a leaf, to be handed out from the one of that number down. */
static void turn(struct zset_walk *walk, struct slice leaf, uint32_t last)
{
    struct slice rest = leaf;
    walk->leaf = leaf;
    for (walk->left = 0; rest.len > 0 && walk->left <= last; (void)pack_take(&rest)) {
        CHECK(walk->left < COUNT_OF(walk->starts));
        walk->starts[walk->left++] = (uint32_t)(leaf.len - rest.len);
    }
}

void zsets_walk(const struct object *o, uint32_t rank, bool backwards, struct zset_walk *walk)
{
    CHECK(o->type == OBJECT_ZSET && rank < object_count(o));
    walk->path.depth = 0;
    walk->backwards = backwards;
    struct slice leaf = object_value(o);
    if (o->is_large) {
        tree_walk_at(&o->large->tree, rank, &walk->path, &rank);
        uint64_t next;
        bool some =
            backwards ? tree_previous(&walk->path, &leaf) : tree_next(&walk->path, &leaf, &next);
        CHECK(some);
    }
    if (backwards) {
        turn(walk, leaf, rank);
        return;
    }
    for (; rank > 0; rank--)
        (void)pack_take(&leaf);
    walk->rest = leaf;
}

static bool next_backwards(struct zset_walk *walk, struct scored *out)
{
    struct slice leaf;
    if (walk->left == 0) {
        if (!tree_previous(&walk->path, &leaf))
            return false;
        turn(walk, leaf, UINT32_MAX);
    }
    uint32_t start = walk->starts[--walk->left];
    struct slice rest = {walk->leaf.ptr + start, walk->leaf.len - start};
    return zset_next(&rest, out);
}

bool zsets_next(struct zset_walk *walk, struct scored *out)
{
    uint64_t next;
    if (walk->backwards)
        return next_backwards(walk, out);
    while (walk->rest.len == 0)
        if (!tree_next(&walk->path, &walk->rest, &next))
            return false;
    return zset_next(&walk->rest, out);
}
