#include "db/hashes.h"

static bool is_over(const struct hash_field *f, uint64_t now_ms)
{
    return f->expire_ms > 0 && f->expire_ms < now_ms;
}

bool hashes_get(const struct db *db, const struct object *o, struct slice name,
                struct hash_field *out)
{
    CHECK(o == NULL || o->type == OBJECT_HASH);
    if (o == NULL)
        return false;
    bool found = o->is_large ? hash_tree_find(&o->large->tree, &db->hash_ops, name, out)
                             : hash_find(object_value(o), name, out, NULL);
    return found && !is_over(out, db->now_ms);
}

size_t hashes_count(const struct db *db, const struct object *o)
{
    struct hash_walk walk;
    struct hash_field f;
    size_t count = 0;
    uint64_t first = o == NULL ? 0 : keyspace_fields_expiry(&db->keys, o);
    if (o != NULL && (first == 0 || first >= db->now_ms))
        return object_count(o);
    hashes_walk(db, o, &walk);
    while (hashes_next(&walk, &f))
        count++;
    return count;
}

void hashes_walk_all(const struct object *o, struct hash_walk *walk)
{
    CHECK(o == NULL || o->type == OBJECT_HASH);
    walk->rest = (struct slice){0};
    walk->path.depth = 0;
    walk->now_ms = 0;
    if (o == NULL)
        return;
    if (o->is_large)
        tree_walk(&o->large->tree, 0, &walk->path);
    else
        walk->rest = object_value(o);
}

void hashes_walk(const struct db *db, const struct object *o, struct hash_walk *walk)
{
    hashes_walk_all(o, walk);
    walk->now_ms = db->now_ms;
}

bool hashes_next(struct hash_walk *walk, struct hash_field *out)
{
    for (;;) {
        while (hash_next(&walk->rest, out))
            if (!is_over(out, walk->now_ms))
                return true;
        if (!tree_next(&walk->path, &walk->rest, &walk->next))
            return false;
    }
}

void hashes_at(const struct db *db, const struct object *o, uint32_t index, struct hash_field *out)
{
    struct hash_walk walk;
    uint64_t first = keyspace_fields_expiry(&db->keys, o);
    bool any_over = first > 0 && first < db->now_ms;
    hashes_walk(db, o, &walk);
    if (!any_over && o->is_large) {
        walk.rest = tree_at(&o->large->tree, index, &index);
        walk.path.depth = 0;
    }
    bool found = hashes_next(&walk, out);
    for (; found && index > 0; index--)
        found = hashes_next(&walk, out);
    CHECK(found);
}

/* A leaf at a time; its keys begin at the cursor that leads to it, or before. */
uint64_t hashes_scan(const struct db *db, const struct object *o, uint64_t cursor, size_t count,
                     bool (*stop)(void *user), void (*fn)(void *user, const struct hash_field *f),
                     void *user)
{
    struct hash_walk walk;
    struct hash_field f;
    size_t seen = 0;
    hashes_walk(db, o, &walk);
    walk.next = 0;
    if (o->is_large)
        tree_walk(&o->large->tree, cursor, &walk.path);
    do {
        if (o->is_large && !tree_next(&walk.path, &walk.rest, &walk.next))
            break;
        for (; hash_next(&walk.rest, &f); seen++)
            if (!is_over(&f, walk.now_ms))
                fn(user, &f);
    } while (walk.next > 0 && seen < count && !stop(user));
    return walk.next;
}

size_t hashes_due(const struct db *db, const struct object *o, struct slice *names, size_t count)
{
    struct slice rest = o->is_large ? tree_soonest(&o->large->tree) : object_value(o);
    struct hash_field f;
    size_t found = 0;
    while (found < count && hash_next(&rest, &f))
        if (is_over(&f, db->now_ms))
            names[found++] = f.name;
    return found;
}
