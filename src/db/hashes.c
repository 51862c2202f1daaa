#include "db/hashes.h"

static bool is_over(const struct hash_field *f, uint64_t now_ms)
{
    return f->expire_ms > 0 && f->expire_ms < now_ms;
}

bool hashes_get(const struct db *db, const struct object *o, struct slice name,
                struct hash_field *out)
{
    CHECK(o == NULL || o->type == OBJECT_HASH);
    return o != NULL && hash_find(object_value(o), name, out, NULL) && !is_over(out, db->now_ms);
}

size_t hashes_count(const struct db *db, const struct object *o)
{
    struct hash_walk walk;
    struct hash_field f;
    size_t count = 0;
    hashes_walk(db, o, &walk);
    while (hashes_next(&walk, &f))
        count++;
    return count;
}

void hashes_walk(const struct db *db, const struct object *o, struct hash_walk *walk)
{
    CHECK(o == NULL || o->type == OBJECT_HASH);
    *walk = (struct hash_walk){.now_ms = db->now_ms};
    if (o != NULL)
        walk->rest = object_value(o);
}

bool hashes_next(struct hash_walk *walk, struct hash_field *out)
{
    while (hash_next(&walk->rest, out))
        if (!is_over(out, walk->now_ms))
            return true;
    return false;
}
