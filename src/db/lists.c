#include "db/lists.h"

static bool is_list(const struct object *o)
{
    return o->type == OBJECT_LIST;
}

uint32_t lists_count(const struct object *o)
{
    CHECK(o == NULL || is_list(o));
    return o == NULL ? 0 : object_count(o);
}

void lists_walk(const struct object *o, uint32_t index, struct list_walk *walk)
{
    uint32_t in_leaf = index, count = lists_count(o);
    CHECK(index <= count);
    walk->rest = (struct slice){0};
    walk->path.depth = 0;
    if (index == count)
        return;
    if (o->is_large) {
        struct slice leaf;
        uint64_t next;
        tree_walk_at(&o->large->tree, index, &walk->path, &in_leaf);
        bool found = tree_next(&walk->path, &leaf, &next);
        CHECK(found);
        walk->rest = leaf;
    } else {
        walk->rest = object_value(o);
    }
    size_t before = list_offset(walk->rest, in_leaf);
    walk->rest.ptr += before;
    walk->rest.len -= before;
}

bool lists_next_leaf(struct list_walk *walk)
{
    uint64_t next;
    return tree_next(&walk->path, &walk->rest, &next);
}

struct slice lists_at(const struct object *o, uint32_t index)
{
    CHECK(index < lists_count(o));
    struct slice rest = o->is_large ? tree_at(&o->large->tree, index, &index) : object_value(o);
    size_t before = list_offset(rest, index);
    rest.ptr += before;
    rest.len -= before;
    return pack_take(&rest);
}

static void take_leaf(struct list_walk_back *walk, struct slice leaf)
{
    struct slice rest = leaf;
    walk->leaf = leaf;
    for (walk->count = 0; rest.len > 0; walk->count++) {
        CHECK(walk->count < LISTS_LEAF_MAX);
        walk->at[walk->count] = (uint32_t)(rest.ptr - leaf.ptr);
        (void)pack_take(&rest);
    }
}

void lists_walk_back(const struct object *o, struct list_walk_back *walk)
{
    uint32_t in_leaf;
    walk->path.depth = 0;
    walk->count = 0;
    if (o == NULL)
        return;
    CHECK(is_list(o));
    if (o->is_large)
        tree_walk_at(&o->large->tree, o->large->tree.count, &walk->path, &in_leaf);
    else
        take_leaf(walk, object_value(o));
}

bool lists_previous(struct list_walk_back *walk, struct slice *value)
{
    struct slice leaf;
    if (walk->count == 0) {
        if (!tree_previous(&walk->path, &leaf))
            return false;
        take_leaf(walk, leaf);
    }
    uint32_t at = walk->at[--walk->count];
    struct slice rest = {walk->leaf.ptr + at, walk->leaf.len - at};
    *value = pack_take(&rest);
    return true;
}
