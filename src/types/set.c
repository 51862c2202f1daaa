#include "types/set.h"

#include "base/rng.h"

bool set_find(struct slice pack, struct slice member, struct pack_place *place)
{
    struct slice rest = pack;
    while (rest.len > 0) {
        size_t at = pack.len - rest.len;
        if (!slice_eq(pack_take(&rest), member))
            continue;
        if (place != NULL)
            *place = (struct pack_place){at, pack.len - rest.len - at};
        return true;
    }
    return false;
}

static void put(uint8_t *to, struct slice member)
{
    to = pack_put_length(to, member.len);
    if (member.len > 0)
        memcpy(to, member.ptr, member.len);
}

bool set_pack_add(struct buf *pack, struct slice member)
{
    if (set_find(buf_slice(pack), member, NULL))
        return false;
    uint8_t *to =
        pack_resize(pack, (struct pack_place){.at = pack->len}, pack_entry_size(member.len));
    if (to != NULL)
        put(to, member);
    return true;
}

bool set_pack_remove(struct buf *pack, struct slice member)
{
    struct pack_place place;
    if (!set_find(buf_slice(pack), member, &place))
        return false;
    (void)pack_resize(pack, place, 0);
    return true;
}

bool set_pack_check(struct slice pack, size_t *count)
{
    struct slice member;
    for (*count = 0; pack.len > 0; (*count)++)
        if (!pack_read(&pack, &member))
            return false;
    return true;
}

bool set_pack_is_unique(struct slice pack)
{
    struct slice rest = pack, member;
    while (rest.len > 0) {
        struct slice before = {pack.ptr, pack.len - rest.len};
        member = pack_take(&rest);
        if (set_find(before, member, NULL))
            return false;
    }
    return true;
}

/* -- large sets -------------------------------------------------------------------------------- */

static uint64_t key_of_entry(const void *seed, struct slice entry)
{
    return hash_bytes(entry, seed);
}

struct tree_ops set_tree_ops(const uint64_t seed[2])
{
    return (struct tree_ops){.key = key_of_entry, .leaf_bytes = TREE_LEAF_BYTES, .owner = seed};
}

bool set_tree_find(const struct tree *t, const struct tree_ops *ops, struct slice member)
{
    return set_find(tree_leaf(t, hash_bytes(member, ops->owner)), member, NULL);
}

bool set_tree_add(struct tree_change *c, struct slice member)
{
    struct tree_path path;
    uint64_t key = hash_bytes(member, c->ops->owner);
    struct slice leaf = tree_change_leaf(c, key);
    if (set_find(leaf, member, NULL))
        return false;
    uint8_t *to = tree_change_splice(c, &path, key, leaf.len, 0, pack_entry_size(member.len));
    if (to != NULL)
        put(to, member);
    tree_change_settle(c, &path);
    return true;
}

bool set_tree_remove(struct tree_change *c, struct slice member)
{
    struct tree_path path;
    struct pack_place place;
    uint64_t key = hash_bytes(member, c->ops->owner);
    if (!set_find(tree_change_leaf(c, key), member, &place))
        return false;
    (void)tree_change_splice(c, &path, key, place.at, place.size, 0);
    tree_change_settle(c, &path);
    return true;
}

bool set_tree_edit(struct tree_edit *e, const struct tree *t, const struct tree_ops *ops,
                   struct slice member, bool adds)
{
    tree_walk(t, hash_bytes(member, ops->owner), &e->path);
    struct slice leaf = tree_path_leaf(&e->path);
    struct pack_place place = {.at = leaf.len};
    if (set_find(leaf, member, &place) == adds)
        return false;
    return tree_edit_begin(e, ops, place.at, place.size, adds ? pack_entry_size(member.len) : 0);
}

void set_tree_edit_apply(struct tree_edit *e, struct tree *t, struct slice member)
{
    uint8_t *to = tree_edit_apply(e, t);
    if (to != NULL)
        put(to, member);
}
