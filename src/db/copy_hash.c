/* copy.h for hashes. */
#include "db/copy.h"
#include "db/hashes.h"

enum { FIELDS_AT_ONCE = 64, MUTATION_SIZE = 64, FIELD_SIZE = 32 };

size_t copy_hash_count(const struct object *o)
{
    return (object_count(o) + FIELDS_AT_ONCE - 1) / FIELDS_AT_ONCE;
}

/* Names and values are less than the entries that have them. */
size_t copy_hash_size(const struct object *o)
{
    size_t fields = (size_t)object_count(o) * FIELD_SIZE;
    return copy_hash_count(o) * MUTATION_SIZE + fields + o->value_len + hashes_bytes(o);
}

enum err copy_hash_each(struct db *db, const struct object *o, struct slice key,
                        enum err (*take)(void *user, const struct mutation *m), void *user)
{
    struct hash_field fields[FIELDS_AT_ONCE];
    struct mutation set = {.kind = MUTATION_HASH_SET, .key = key, .fields = fields};
    struct hash_walk walk;
    enum err e = OK;
    hashes_walk(db, o, &walk);
    do {
        set.count = 0;
        while (set.count < FIELDS_AT_ONCE && hashes_next(&walk, &fields[set.count]))
            set.count++;
        if (set.count > 0)
            e = take(user, &set);
    } while (e == OK && set.count == FIELDS_AT_ONCE);
    return e;
}
