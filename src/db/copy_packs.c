/* copy.h for values that are packs: some entries in a mutation. */
#include "db/copy.h"
#include "db/hashes.h"
#include "db/lists.h"
#include "db/members.h"

enum { ENTRIES_AT_ONCE = 64, MUTATION_SIZE = 64, ENTRY_SIZE = 32 };

size_t copy_packs_count(const struct object *o)
{
    return (object_count(o) + ENTRIES_AT_ONCE - 1) / ENTRIES_AT_ONCE;
}

/* Names, values and members are less than the entries that have them. */
size_t copy_packs_size(const struct object *o)
{
    size_t entries = (size_t)object_count(o) * ENTRY_SIZE;
    return copy_packs_count(o) * MUTATION_SIZE + entries + o->value_len + object_large_bytes(o);
}

static enum err copy_hash(struct db *db, const struct object *o, struct slice key,
                          enum err (*take)(void *user, const struct mutation *m), void *user)
{
    struct hash_field fields[ENTRIES_AT_ONCE];
    struct mutation set = {.kind = MUTATION_HASH_SET, .key = key, .fields = fields};
    struct hash_walk walk;
    enum err e = OK;
    hashes_walk(db, o, &walk);
    do {
        set.count = 0;
        while (set.count < ENTRIES_AT_ONCE && hashes_next(&walk, &fields[set.count]))
            set.count++;
        if (set.count > 0)
            e = take(user, &set);
    } while (e == OK && set.count == ENTRIES_AT_ONCE);
    return e;
}

static enum err copy_list(const struct object *o, struct slice key,
                          enum err (*take)(void *user, const struct mutation *m), void *user)
{
    struct slice values[ENTRIES_AT_ONCE];
    struct mutation push = {.kind = MUTATION_LIST_PUSH, .key = key, .ids = values};
    struct list_walk walk;
    enum err e = OK;
    lists_walk(o, 0, &walk);
    do {
        push.count = 0;
        while (push.count < ENTRIES_AT_ONCE && lists_next(&walk, &values[push.count]))
            push.count++;
        if (push.count > 0)
            e = take(user, &push);
    } while (e == OK && push.count == ENTRIES_AT_ONCE);
    return e;
}

static enum err copy_set(const struct object *o, struct slice key,
                         enum err (*take)(void *user, const struct mutation *m), void *user)
{
    struct slice members[ENTRIES_AT_ONCE];
    struct mutation add = {.kind = MUTATION_SET_ADD, .key = key, .ids = members};
    struct set_walk walk;
    enum err e = OK;
    sets_walk(o, &walk);
    do {
        add.count = 0;
        while (add.count < ENTRIES_AT_ONCE && sets_next(&walk, &members[add.count]))
            add.count++;
        if (add.count > 0)
            e = take(user, &add);
    } while (e == OK && add.count == ENTRIES_AT_ONCE);
    return e;
}

static enum err copy_zset(const struct object *o, struct slice key,
                          enum err (*take)(void *user, const struct mutation *m), void *user)
{
    struct scored members[ENTRIES_AT_ONCE];
    struct mutation add = {.kind = MUTATION_ZSET_ADD, .key = key, .members = members};
    struct zset_walk walk;
    enum err e = OK;
    zsets_walk(o, 0, false, &walk);
    do {
        add.count = 0;
        while (add.count < ENTRIES_AT_ONCE && zsets_next(&walk, &members[add.count]))
            add.count++;
        if (add.count > 0)
            e = take(user, &add);
    } while (e == OK && add.count == ENTRIES_AT_ONCE);
    return e;
}

enum err copy_packs_each(struct db *db, const struct object *o, struct slice key,
                         enum err (*take)(void *user, const struct mutation *m), void *user)
{
    if (o->type == OBJECT_LIST)
        return copy_list(o, key, take, user);
    if (o->type == OBJECT_SET)
        return copy_set(o, key, take, user);
    if (o->type == OBJECT_ZSET)
        return copy_zset(o, key, take, user);
    return copy_hash(db, o, key, take, user);
}
