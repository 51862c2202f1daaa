#include "types/hash.h"

#include "base/bytes.h"
#include "base/rng.h"

enum { TIME_SIZE = 8 };

static size_t head_of(const struct hash_field *f)
{
    return f->name.len * 2 + (f->expire_ms > 0);
}

static size_t contents_size(const struct hash_field *f)
{
    return pack_length_size(head_of(f)) + f->name.len + (f->expire_ms > 0 ? TIME_SIZE : 0) +
           f->value.len;
}

size_t hash_field_size(const struct hash_field *f)
{
    return pack_entry_size(contents_size(f));
}

static uint8_t *put_bytes(uint8_t *at, struct slice s)
{
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    return at + s.len;
}

/* All before the value; returns where that begins. */
static uint8_t *put_head(uint8_t *at, const struct hash_field *f)
{
    at = pack_put_length(at, contents_size(f));
    at = pack_put_length(at, head_of(f));
    at = put_bytes(at, f->name);
    for (unsigned i = 0; f->expire_ms > 0 && i < TIME_SIZE; i++)
        *at++ = (uint8_t)(f->expire_ms >> (8 * i));
    return at;
}

uint8_t *hash_field_put(uint8_t *at, const struct hash_field *f)
{
    return put_bytes(put_head(at, f), f->value);
}

static uint64_t time_at(const uint8_t *at)
{
    uint64_t time = 0;
    for (unsigned i = 0; i < TIME_SIZE; i++)
        time |= (uint64_t)at[i] << (8 * i);
    return time;
}

void hash_field_get(struct slice entry, struct hash_field *out)
{
    const uint8_t *at = entry.ptr;
    size_t head = pack_get_length(&at);
    *out = (struct hash_field){.name = {at, head / 2}};
    at += head / 2;
    if (head % 2 == 1) {
        out->expire_ms = time_at(at);
        at += TIME_SIZE;
    }
    CHECK(at <= entry.ptr + entry.len);
    out->value = (struct slice){at, (size_t)(entry.ptr + entry.len - at)};
}

bool hash_find(struct slice pack, struct slice name, struct hash_field *out,
               struct hash_place *place)
{
    struct slice rest = pack;
    while (rest.len > 0) {
        size_t at = pack.len - rest.len;
        struct slice entry = pack_take(&rest);
        const uint8_t *p = entry.ptr;
        if (pack_get_length(&p) / 2 != name.len ||
            (name.len > 0 && memcmp(p, name.ptr, name.len) != 0))
            continue;
        hash_field_get(entry, out);
        if (place != NULL)
            *place = (struct hash_place){at, pack.len - rest.len - at};
        return true;
    }
    return false;
}

/* Makes the bytes at a place as many as size, whatever they are then. False: no memory. */
static bool resize(struct buf *pack, struct hash_place place, size_t size)
{
    CHECK(place.at + place.size <= pack->len);
    size_t behind = pack->len - place.at - place.size;
    if (size > place.size && buf_reserve(pack, size - place.size) == NULL)
        return false;
    uint8_t *at = pack->ptr + place.at;
    if (behind > 0)
        memmove(at + size, at + place.size, behind);
    pack->len = place.at + size + behind;
    return true;
}

bool hash_pack_set(struct buf *pack, const struct hash_field *f)
{
    struct hash_field old;
    struct hash_place place = {.at = pack->len};
    bool is_new = !hash_find(buf_slice(pack), f->name, &old, &place);
    if (resize(pack, place, hash_field_size(f)))
        (void)hash_field_put(pack->ptr + place.at, f);
    return is_new;
}

bool hash_pack_remove(struct buf *pack, struct slice name)
{
    struct hash_field old;
    struct hash_place place;
    return hash_find(buf_slice(pack), name, &old, &place) && resize(pack, place, 0);
}

/* What stands in front of the value is of another length then, so the value moves first. */
bool hash_pack_expire(struct buf *pack, struct slice name, uint64_t expire_ms)
{
    struct hash_field f;
    struct hash_place place;
    if (!hash_find(buf_slice(pack), name, &f, &place) || f.expire_ms == expire_ms)
        return false;
    size_t value = f.value.len, before = place.size;
    f.expire_ms = expire_ms;
    f.name = name;
    size_t size = hash_field_size(&f);
    if (size > before && !resize(pack, place, size))
        return true;
    uint8_t *entry = pack->ptr + place.at;
    if (value > 0)
        memmove(entry + size - value, entry + before - value, value);
    f.value = (struct slice){entry + size - value, value};
    put_head(entry, &f);
    return size > before || resize(pack, (struct hash_place){place.at, before}, size);
}

uint64_t hash_pack_expiry(struct slice pack)
{
    struct hash_field f;
    uint64_t soonest = 0;
    while (hash_next(&pack, &f))
        if (f.expire_ms > 0 && (soonest == 0 || f.expire_ms < soonest))
            soonest = f.expire_ms;
    return soonest;
}

/* The contents of one entry, which may be anything. */
static bool field_read(struct slice entry, struct hash_field *out)
{
    size_t head;
    struct slice rest = entry;
    if (!pack_read_length(&rest, &head) || rest.len < head / 2 + (head % 2) * TIME_SIZE)
        return false;
    hash_field_get(entry, out);
    return head % 2 == 0 || (out->expire_ms > 0 && out->expire_ms <= INT64_MAX);
}

bool hash_pack_check(struct slice pack, size_t *count)
{
    struct slice rest = pack, entry;
    *count = 0;
    while (rest.len > 0) {
        struct hash_field f;
        if (!pack_read(&rest, &entry) || !field_read(entry, &f))
            return false;
        (*count)++;
    }
    return true;
}

bool hash_pack_is_unique(struct slice pack)
{
    struct slice rest = pack;
    while (rest.len > 0) {
        struct hash_field f, other;
        struct slice before = {pack.ptr, pack.len - rest.len};
        hash_field_get(pack_take(&rest), &f);
        if (hash_find(before, f.name, &other, NULL))
            return false;
    }
    return true;
}

/* -- large hashes ------------------------------------------------------------------------------ */

static uint64_t key_of_name(const struct tree_ops *ops, struct slice name)
{
    return hash_bytes(name, ops->owner);
}

static uint64_t key_of_entry(const void *seed, struct slice entry)
{
    struct hash_field f;
    hash_field_get(entry, &f);
    return hash_bytes(f.name, seed);
}

static uint64_t expiry_of_entry(struct slice entry)
{
    const uint8_t *at = entry.ptr;
    size_t head = pack_get_length(&at);
    return head % 2 == 0 ? 0 : time_at(at + head / 2);
}

struct tree_ops hash_tree_ops(const uint64_t seed[2])
{
    return (struct tree_ops){.key = key_of_entry,
                             .expiry = expiry_of_entry,
                             .leaf_bytes = TREE_LEAF_BYTES,
                             .owner = seed};
}

bool hash_tree_find(const struct tree *t, const struct tree_ops *ops, struct slice name,
                    struct hash_field *out)
{
    return hash_find(tree_leaf(t, key_of_name(ops, name)), name, out, NULL);
}

/* Puts a field (NULL: none) instead of what stands at a place of the leaf of a key. */
static void splice(struct tree_change *c, uint64_t key, struct hash_place place,
                   const struct hash_field *f)
{
    struct tree_path path;
    size_t size = f == NULL ? 0 : hash_field_size(f);
    uint8_t *to = tree_change_splice(c, &path, key, place.at, place.size, size);
    if (to != NULL)
        (void)hash_field_put(to, f);
    tree_change_settle(c, &path);
}

bool hash_tree_set(struct tree_change *c, const struct hash_field *f)
{
    uint64_t key = key_of_name(c->ops, f->name);
    struct slice leaf = tree_change_leaf(c, key);
    struct hash_field old;
    struct hash_place place = {.at = leaf.len};
    bool is_new = !hash_find(leaf, f->name, &old, &place);
    splice(c, key, place, f);
    return is_new;
}

bool hash_tree_expire(struct tree_change *c, struct slice name, uint64_t expire_ms)
{
    uint64_t key = key_of_name(c->ops, name);
    struct hash_field f;
    struct hash_place place;
    if (!hash_find(tree_change_leaf(c, key), name, &f, &place) || f.expire_ms == expire_ms)
        return false;
    uint8_t *value = mem_try(MEM_SCRATCH, f.value.len); /* the leaf goes */
    if (value == NULL) {
        c->failed = true;
        return true;
    }
    (void)put_bytes(value, f.value);
    f = (struct hash_field){name, {value, f.value.len}, expire_ms};
    splice(c, key, place, &f);
    mem_free(MEM_SCRATCH, value);
    return true;
}

bool hash_tree_remove(struct tree_change *c, struct slice name)
{
    uint64_t key = key_of_name(c->ops, name);
    struct hash_field f;
    struct hash_place place;
    if (!hash_find(tree_change_leaf(c, key), name, &f, &place))
        return false;
    splice(c, key, place, NULL);
    return true;
}

bool hash_tree_edit(struct tree_edit *e, const struct tree *t, const struct tree_ops *ops,
                    struct slice name, const struct hash_field *f)
{
    struct hash_field old = {.expire_ms = 0};
    tree_walk(t, key_of_name(ops, name), &e->path);
    struct slice leaf = tree_path_leaf(&e->path);
    struct hash_place place = {.at = leaf.len};
    if (!hash_find(leaf, name, &old, &place) && f == NULL)
        return false;
    if (old.expire_ms > 0 || (f != NULL && f->expire_ms > 0))
        return false;
    return tree_edit_begin(e, ops, place.at, place.size, f == NULL ? 0 : hash_field_size(f));
}
