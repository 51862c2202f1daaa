/* A watch stands in two lists: of the clients that watch a key, and of the keys a client watches.
 */
#include "cmd/watch.h"

#include "base/limits.h"
#include "base/rng.h"
#include "cmd/blocking.h"
#include "cmd/env.h"

/* owner: its client; in the list of its key too */
struct watch {
    struct client *client;
    struct watched_key *key;
    bool expired; /* the key had expired when it was watched: its removal changes nothing */
    struct watch *next_of_client;
    struct watch *next_of_key, **link_of_key; /* what points at this one */
};

/* A key that somebody watches. owner: struct watches */
struct watched_key {
    uint32_t hash, place;
    struct watch *first;
    size_t len;
    uint8_t bytes[];
};

static struct slice text_of(const struct watched_key *key)
{
    return (struct slice){key->bytes, key->len};
}

static bool key_equal(const void *owner, uint32_t place, struct slice key)
{
    const struct watches *w = owner;
    return slice_eq(text_of(w->items[place]), key);
}

static uint32_t hash_key(const struct cmd_env *env, struct slice key)
{
    return (uint32_t)hash_bytes(key, env->db->keys.hash_seed);
}

void watches_init(struct cmd_env *env)
{
    map_init(&env->watches.map, MEM_CLIENT, key_equal, &env->watches);
}

void watches_fini(struct cmd_env *env)
{
    struct watches *w = &env->watches;
    CHECK(map_count(&w->map) == 0);
    CHECK(env->db->on_change == NULL || notify_is_on(env));
    env->db->on_change = NULL;
    map_fini(&w->map);
    mem_free(MEM_CLIENT, w->items);
    mem_free(MEM_CLIENT, w->free_list);
}

/* -- changes ----------------------------------------------------------------------------------- */

static struct watched_key *find(const struct cmd_env *env, struct slice key)
{
    uint32_t place = map_get(&env->watches.map, hash_key(env, key), key);
    return place == MAP_NONE ? NULL : env->watches.items[place];
}

static void touch(struct watched_key *key, bool removed)
{
    for (struct watch *w = key == NULL ? NULL : key->first; w != NULL; w = w->next_of_key) {
        if (removed && w->expired)
            w->expired = false;
        else
            w->client->flags |= CLIENT_DIRTY_CAS;
    }
}

/* Only those that are there: the others are as they were before. */
static void touch_all(struct cmd_env *env)
{
    struct watches *w = &env->watches;
    for (uint32_t place = 0; place < w->used; place++)
        if (w->items[place] != NULL &&
            keyspace_get(&env->db->keys, text_of(w->items[place])) != NULL)
            touch(w->items[place], true);
}

/* Called before a change is applied. */
static void on_change(void *user, const struct mutation *m)
{
    struct cmd_env *env = user;
    blocking_note(env, m);
    notify_change(env, m);
    switch (m->kind) {
    case MUTATION_FLUSH:
        touch_all(env);
        break;
    case MUTATION_KEY_RENAME:
    case MUTATION_LIST_MOVE:
        touch(find(env, m->key), false);
        touch(find(env, m->new_key), false);
        break;
    case MUTATION_KEY_REMOVE:
        touch(find(env, m->key), true);
        break;
    case MUTATION_STRING_SET:
    case MUTATION_STRING_RANGE:
    case MUTATION_KEY_EXPIRE:
    case MUTATION_COLLECTION_NEW:
    case MUTATION_PUT:
    case MUTATION_REMOVE:
    case MUTATION_SET_ATTRIBUTE:
    case MUTATION_COLLECTION_ALTER:
    case MUTATION_HASH_SET:
    case MUTATION_HASH_REMOVE:
    case MUTATION_HASH_EXPIRE:
    MUTATIONS_OF_JSON:
    case MUTATION_LIST_PUSH:
    case MUTATION_LIST_TRIM:
    case MUTATION_LIST_SET:
    case MUTATION_LIST_INSERT:
    case MUTATION_LIST_REMOVE:
    case MUTATION_SET_ADD:
    case MUTATION_SET_REMOVE:
    case MUTATION_ZSET_ADD:
    case MUTATION_ZSET_REMOVE:
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
        touch(find(env, m->key), false);
        break;
    case MUTATION_INDEX_NEW:
    case MUTATION_INDEX_REMOVE:
    case MUTATION_INDEX_ALTER:
    case MUTATION_ALIAS_SET:
    case MUTATION_ALIAS_REMOVE:
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
    case MUTATION_TICK:
        break;
    }
}

void watch_listen(struct cmd_env *env)
{
    bool any = map_count(&env->watches.map) > 0 || env->blocking.clients > 0 || notify_is_on(env);
    env->db->on_change = any ? on_change : NULL;
    env->db->on_change_user = any ? env : NULL;
}

bool watch_is_broken(const struct cmd_env *env, const struct client *client)
{
    if (client->flags & CLIENT_DIRTY_CAS)
        return true;
    for (const struct watch *w = client->watches; w != NULL; w = w->next_of_client) {
        const struct object *o = keyspace_get(&env->db->keys, text_of(w->key));
        if (!w->expired && o != NULL && object_expired(o, env->db->now_ms))
            return true;
    }
    return false;
}

/* -- beginning and end ------------------------------------------------------------------------- */

static bool reserve_place(struct watches *w)
{
    if (w->free_count > 0 || w->used < w->capacity)
        return true;
    uint32_t capacity = w->capacity < 16 ? 16 : w->capacity * 2;
    struct watched_key **items =
        mem_try_realloc(MEM_CLIENT, w->items, capacity * sizeof(struct watched_key *));
    if (items == NULL)
        return false;
    w->items = items;
    uint32_t *free_list = mem_try_realloc(MEM_CLIENT, w->free_list, capacity * sizeof(*free_list));
    if (free_list == NULL)
        return false;
    w->free_list = free_list;
    w->capacity = capacity;
    return true;
}

/* The key with nobody watching it yet; NULL when memory is short. */
static struct watched_key *key_new(struct cmd_env *env, struct slice text)
{
    struct watches *w = &env->watches;
    if (w->used >= UINT32_MAX / 4 || !reserve_place(w) || !map_reserve(&w->map, 1))
        return NULL;
    struct watched_key *key = mem_try(MEM_CLIENT, sizeof(*key) + text.len);
    if (key == NULL)
        return NULL;
    *key = (struct watched_key){.hash = hash_key(env, text), .len = text.len};
    if (text.len > 0)
        memcpy(key->bytes, text.ptr, text.len);
    key->place = w->free_count > 0 ? w->free_list[--w->free_count] : w->used++;
    w->items[key->place] = key;
    map_put(&w->map, key->hash, key->place);
    return key;
}

static void key_end(struct cmd_env *env, struct watched_key *key)
{
    struct watches *w = &env->watches;
    CHECK(key->first == NULL && w->items[key->place] == key && w->free_count < w->capacity);
    map_remove(&w->map, key->hash, key->place);
    w->items[key->place] = NULL;
    w->free_list[w->free_count++] = key->place;
    mem_free(MEM_CLIENT, key);
}

static bool watches_it(const struct watched_key *key, const struct client *client)
{
    for (const struct watch *w = key->first; w != NULL; w = w->next_of_key)
        if (w->client == client)
            return true;
    return false;
}

enum err watch_add(struct cmd_env *env, struct client *client, struct slice text)
{
    struct watched_key *key = find(env, text);
    if (key != NULL && watches_it(key, client))
        return OK;
    if (client->watch_count >= LIMIT_WATCHED_KEYS)
        return ERR_LIMIT;
    struct watch *w = mem_try(MEM_CLIENT, sizeof(*w));
    if (w != NULL && key == NULL)
        key = key_new(env, text);
    if (w == NULL || key == NULL) {
        mem_free(MEM_CLIENT, w);
        return ERR_NOMEM;
    }
    const struct object *o = keyspace_get(&env->db->keys, text);
    *w = (struct watch){.client = client,
                        .key = key,
                        .expired = o != NULL && object_expired(o, env->db->now_ms),
                        .next_of_client = client->watches,
                        .next_of_key = key->first,
                        .link_of_key = &key->first};
    if (key->first != NULL)
        key->first->link_of_key = &w->next_of_key;
    key->first = w;
    client->watches = w;
    client->watch_count++;
    watch_listen(env);
    return OK;
}

void watch_cut(struct cmd_env *env, struct client *client, size_t count)
{
    while (client->watch_count > count) {
        struct watch *w = client->watches;
        client->watches = w->next_of_client;
        *w->link_of_key = w->next_of_key;
        if (w->next_of_key != NULL)
            w->next_of_key->link_of_key = w->link_of_key;
        if (w->key->first == NULL)
            key_end(env, w->key);
        mem_free(MEM_CLIENT, w);
        client->watch_count--;
    }
    watch_listen(env);
}

void watch_end(struct cmd_env *env, struct client *client)
{
    watch_cut(env, client, 0);
    CHECK(client->watches == NULL);
    client->flags &= ~(unsigned)CLIENT_DIRTY_CAS;
}
