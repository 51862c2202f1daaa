#include "types/list.h"

static uint8_t *put_value(uint8_t *at, struct slice value)
{
    at = pack_put_length(at, value.len);
    if (value.len > 0)
        memcpy(at, value.ptr, value.len);
    return at + value.len;
}

size_t list_size(const struct slice *values, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += pack_entry_size(values[i].len);
    return size;
}

void list_put(uint8_t *at, const struct slice *values, size_t count, bool front)
{
    for (size_t i = 0; i < count; i++)
        at = put_value(at, values[front ? count - 1 - i : i]);
}

size_t list_offset(struct slice pack, uint32_t index)
{
    struct slice rest = pack;
    for (; index > 0; index--)
        (void)pack_take(&rest);
    return pack.len - rest.len;
}

size_t list_filter(struct list_filter *f, struct slice pack, uint8_t *out, uint32_t *count)
{
    uint8_t *at = out;
    *count = 0;
    while (pack.len > 0) {
        const uint8_t *start = pack.ptr;
        struct slice value = pack_take(&pack);
        bool same = f->removed < f->most && slice_eq(value, f->value);
        if (same && f->skip == 0) {
            f->removed++;
            continue;
        }
        f->skip -= same;
        memcpy(at, start, (size_t)(pack.ptr - start));
        at += pack.ptr - start;
        (*count)++;
    }
    return (size_t)(at - out);
}

uint32_t list_count_same(struct slice pack, struct slice value)
{
    struct slice other;
    uint32_t count = 0;
    while (list_next(&pack, &other))
        count += slice_eq(other, value);
    return count;
}

bool list_pack_check(struct slice pack, size_t *count)
{
    struct slice value;
    *count = 0;
    while (pack.len > 0) {
        if (!pack_read(&pack, &value))
            return false;
        (*count)++;
    }
    return true;
}

/* -- large lists ------------------------------------------------------------------------------- */

static uint64_t no_key(const void *owner, struct slice entry)
{
    (void)owner, (void)entry;
    return 0;
}

struct tree_ops list_tree_ops(void)
{
    return (struct tree_ops){.key = no_key, .in_order = true, .leaf_bytes = LIST_LEAF_BYTES};
}

void list_tree_push(struct tree_change *c, const struct slice *values, size_t count, bool front)
{
    for (size_t i = 0; i < count && !c->failed; i++) {
        uint8_t *to = tree_change_grow(c, front, pack_entry_size(values[i].len));
        if (to != NULL)
            (void)put_value(to, values[i]);
    }
}

/* Puts a value in place of the one of a number, or before it. */
static void splice(struct tree_change *c, uint32_t index, bool replaces, struct slice value)
{
    struct tree_path path;
    uint32_t in_leaf;
    if (c->failed)
        return;
    tree_walk_at(&c->tree, index, &path, &in_leaf);
    struct slice leaf = tree_path_leaf(&path);
    size_t at = list_offset(leaf, in_leaf), old_size = 0;
    struct slice rest = {leaf.ptr + at, leaf.len - at};
    if (replaces)
        old_size = list_offset(rest, 1);
    uint8_t *to = tree_change_splice_at(c, &path, at, old_size, pack_entry_size(value.len));
    if (to != NULL)
        (void)put_value(to, value);
    tree_change_settle(c, &path);
}

void list_tree_set(struct tree_change *c, uint32_t index, struct slice value)
{
    splice(c, index, true, value);
}

void list_tree_insert(struct tree_change *c, uint32_t index, struct slice value)
{
    splice(c, index, false, value);
}

/* Leaf by leaf. One that shrinks may join a neighbour, so the place to go on is a number: of the
 * first value that has not been looked at. */
void list_tree_filter(struct tree_change *c, struct list_filter *f)
{
    for (uint32_t index = 0; index < c->tree.count && f->removed < f->most && !c->failed;) {
        struct tree_path path;
        uint32_t in_leaf, count;
        tree_walk_at(&c->tree, index, &path, &in_leaf);
        struct slice leaf = tree_path_leaf(&path);
        uint8_t *room = mem_try(MEM_SCRATCH, leaf.len);
        if (room == NULL) {
            c->failed = true;
            return;
        }
        size_t before = list_offset(leaf, in_leaf);
        struct slice rest = {leaf.ptr + before, leaf.len - before};
        memcpy(room, leaf.ptr, before);
        size_t kept = before + list_filter(f, rest, room + before, &count);
        if (kept < leaf.len)
            tree_change_replace(c, &path, (struct slice){room, kept}, in_leaf + count);
        mem_free(MEM_SCRATCH, room);
        index += count;
    }
}
