#include "db/keyspace.h"

#include "base/rng.h"

static const char *const type_names[] = {
#define X(type, name) name,
    OBJECT_TYPE_LIST(X)
#undef X
};

const char *object_type_name(enum object_type type)
{
    CHECK(type < COUNT_OF(type_names));
    return type_names[type];
}

static bool key_equal(const void *owner, uint32_t value, struct slice key)
{
    const struct keyspace *ks = owner;
    return slice_eq(object_key(ks->objects[value]), key);
}

static uint32_t hash_key(const struct keyspace *ks, struct slice key)
{
    return (uint32_t)hash_bytes(key, ks->hash_seed);
}

void keyspace_init(struct keyspace *ks, const uint64_t hash_seed[2])
{
    *ks = (struct keyspace){.hash_seed = {hash_seed[0], hash_seed[1]},
                            .fields = {.of_fields = true}};
    map_init(&ks->map, MEM_KEYSPACE, key_equal, ks);
}

void keyspace_fini(struct keyspace *ks)
{
    for (uint32_t i = 0; i < ks->used; i++) {
        if (ks->objects[i] == NULL)
            continue;
        object_drop_large(ks->objects[i]);
        object_free(ks->objects[i]);
    }
    map_fini(&ks->map);
    expiry_fini(&ks->expiry);
    expiry_fini(&ks->fields);
    mem_free(MEM_KEYSPACE, ks->objects);
    mem_free(MEM_KEYSPACE, ks->free_list);
}

/* A command looks for its key again and again: what was found last may be it, without a hash. */
static bool is_recent(const struct keyspace *ks, struct slice key)
{
    const struct object *o = keyspace_at(ks, ks->recent);
    return o != NULL && slice_eq(object_key(o), key);
}

static uint32_t find(const struct keyspace *ks, struct slice key)
{
    return is_recent(ks, key) ? ks->recent : map_get(&ks->map, hash_key(ks, key), key);
}

struct object *keyspace_get(const struct keyspace *ks, struct slice key)
{
    uint32_t at = find(ks, key);
    return at == MAP_NONE ? NULL : ks->objects[at];
}

struct object *keyspace_find(struct keyspace *ks, struct slice key)
{
    uint32_t at = find(ks, key);
    if (at == MAP_NONE)
        return NULL;
    ks->recent = at;
    return ks->objects[at];
}

void keyspace_get_few(const struct keyspace *ks, const struct slice *keys, size_t count,
                      struct object **out)
{
    uint32_t hashes[KEYSPACE_FEW], guesses[KEYSPACE_FEW];
    CHECK(count <= KEYSPACE_FEW);
    for (size_t i = 0; i < count; i++) {
        hashes[i] = hash_key(ks, keys[i]);
        map_prefetch(&ks->map, hashes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        guesses[i] = map_guess(&ks->map, hashes[i]);
        if (guesses[i] != MAP_NONE)
            __builtin_prefetch(&ks->objects[guesses[i]]);
    }
    for (size_t i = 0; i < count; i++)
        if (guesses[i] != MAP_NONE)
            __builtin_prefetch(ks->objects[guesses[i]]);
    for (size_t i = 0; i < count; i++) {
        uint32_t at = map_get(&ks->map, hashes[i], keys[i]);
        out[i] = at == MAP_NONE ? NULL : ks->objects[at];
    }
}

void object_prefetch(const struct object *o)
{
    enum { LINE = 64, MOST = 1024 };
    size_t size = sizeof(*o) + o->key_len + (o->is_large ? 0 : o->value_len);
    for (size_t at = LINE; at < size && at < MOST; at += LINE)
        __builtin_prefetch((const uint8_t *)o + at);
}

void object_free(struct object *o)
{
    CHECK(o->hold != OBJECT_LEFT);
    if (o->hold == OBJECT_HELD) {
        o->hold = OBJECT_LEFT;
        return;
    }
    mem_free(MEM_KEYSPACE, o);
}

/* Room for so many more objects, in the table and in the list of free places. */
static bool reserve_places(struct keyspace *ks, size_t count)
{
    size_t room = (size_t)ks->free_count + (ks->capacity - ks->used);
    if (room >= count)
        return true;
    if (ks->capacity >= UINT32_MAX / 2 || count >= UINT32_MAX / 4)
        return false;
    uint32_t capacity = ks->capacity < 16 ? 16 : ks->capacity + ks->capacity / 2;
    if (capacity - ks->capacity < count)
        capacity = ks->capacity + (uint32_t)count;
    struct object **objects =
        mem_try_realloc(MEM_KEYSPACE, ks->objects, capacity * sizeof(struct object *));
    if (objects == NULL)
        return false;
    ks->objects = objects;
    uint32_t *free_list =
        mem_try_realloc(MEM_KEYSPACE, ks->free_list, capacity * sizeof(*free_list));
    if (free_list == NULL)
        return false;
    ks->free_list = free_list;
    ks->capacity = capacity;
    return true;
}

bool keyspace_reserve(struct keyspace *ks, size_t count)
{
    return reserve_places(ks, count) && map_reserve(&ks->map, count);
}

struct object *keyspace_prepare(struct keyspace *ks, struct slice key, enum object_type type,
                                struct slice value, uint64_t expire_ms)
{
    CHECK(key.len <= UINT32_MAX && value.len <= UINT32_MAX);
    if (!keyspace_reserve(ks, 1))
        return NULL;
    if (expire_ms > 0 && !expiry_reserve(&ks->expiry))
        return NULL;
    return keyspace_make_object(ks, key, type, value, expire_ms);
}

/* A struct is written whole, whatever of its end the bytes take. */
size_t object_size(size_t key_len, size_t value_len)
{
    size_t size = offsetof(struct object, bytes) + key_len + value_len;
    return size > sizeof(struct object) ? size : sizeof(struct object);
}

struct object *keyspace_make_object(const struct keyspace *ks, struct slice key,
                                    enum object_type type, struct slice value, uint64_t expire_ms)
{
    struct object *o = mem_try(MEM_KEYSPACE, object_size(key.len, value.len));
    if (o == NULL)
        return NULL;
    *o = (struct object){.type = (uint8_t)type,
                         .hash = is_recent(ks, key) ? ks->objects[ks->recent]->hash
                                                    : hash_key(ks, key),
                         .key_len = (uint32_t)key.len,
                         .expiry_at = EXPIRY_NONE,
                         .expire_ms = expire_ms,
                         .value_len = (uint32_t)value.len};
    if (type == OBJECT_HASH)
        o->fields_at = EXPIRY_NONE;
    if (key.len > 0)
        memcpy(o->bytes, key.ptr, key.len);
    if (value.ptr != NULL && value.len > 0)
        memcpy(o->bytes + key.len, value.ptr, value.len);
    return o;
}

bool object_make_large(struct object *o)
{
    CHECK(!o->is_large && o->value_len == 0 && o->type != OBJECT_COLLECTION);
    struct large *large = mem_try(MEM_KEYSPACE, sizeof(*large));
    if (large == NULL)
        return false;
    *large = (struct large){.fields_at = EXPIRY_NONE};
    o->large = large;
    o->is_large = true;
    return true;
}

void object_drop_large(struct object *o)
{
    if (!o->is_large)
        return;
    tree_free(&o->large->tree);
    tree_free(&o->large->members);
    mem_free(MEM_KEYSPACE, o->large);
    o->large = NULL;
    o->is_large = false;
}

static void touch(struct keyspace *ks, uint32_t at)
{
    if (ks->watch != NULL)
        ks->watch->before_change(ks->watch, at);
}

/* It is about to leave, or to be replaced. */
static void leave_heaps(struct keyspace *ks, struct object *o)
{
    expiry_remove(&ks->expiry, o);
    if (o->type == OBJECT_HASH)
        expiry_remove(&ks->fields, o);
}

void keyspace_touch_all(struct keyspace *ks)
{
    for (uint32_t at = 0; ks->watch != NULL && at < ks->used; at++)
        touch(ks, at);
}

struct object *keyspace_publish(struct keyspace *ks, struct object *o)
{
    struct slice key = object_key(o);
    uint32_t at = is_recent(ks, key) ? ks->recent : map_get(&ks->map, o->hash, key);
    if (at != MAP_NONE) {
        struct object *before = ks->objects[at];
        touch(ks, at);
        leave_heaps(ks, before);
        ks->collections += o->type == OBJECT_COLLECTION;
        ks->collections -= before->type == OBJECT_COLLECTION;
        o->access = ks->access.lfu ? before->access : access_new(&ks->access);
        ks->objects[at] = o;
        if (o->expire_ms > 0)
            expiry_add(&ks->expiry, o, o->expire_ms);
        return before;
    }
    at = ks->free_count > 0 ? ks->free_list[--ks->free_count] : ks->used++;
    CHECK(at < ks->capacity);
    touch(ks, at);
    o->access = access_new(&ks->access);
    ks->collections += o->type == OBJECT_COLLECTION;
    ks->objects[at] = o;
    if (o->expire_ms > 0)
        expiry_add(&ks->expiry, o, o->expire_ms);
    map_put(&ks->map, o->hash, at);
    ks->recent = at;
    return NULL;
}

struct object *keyspace_take(struct keyspace *ks, struct slice key)
{
    uint32_t at = find(ks, key);
    if (at == MAP_NONE)
        return NULL;
    struct object *o = ks->objects[at];
    touch(ks, at);
    map_remove(&ks->map, o->hash, at);
    leave_heaps(ks, o);
    ks->collections -= o->type == OBJECT_COLLECTION;
    ks->objects[at] = NULL;
    CHECK(ks->free_count < ks->capacity);
    ks->free_list[ks->free_count++] = at;
    return o;
}

bool keyspace_reserve_expiry(struct keyspace *ks)
{
    return expiry_reserve(&ks->expiry);
}

void keyspace_touch(struct keyspace *ks, const struct object *o)
{
    if (ks->watch != NULL)
        touch(ks, map_get(&ks->map, o->hash, object_key(o)));
}

void keyspace_set_expiry(struct keyspace *ks, struct object *o, uint64_t expire_ms)
{
    keyspace_touch(ks, o);
    expiry_remove(&ks->expiry, o);
    o->expire_ms = expire_ms;
    if (expire_ms > 0)
        expiry_add(&ks->expiry, o, o->expire_ms);
}

bool keyspace_reserve_fields(struct keyspace *ks)
{
    return expiry_reserve(&ks->fields);
}

void keyspace_set_fields_expiry(struct keyspace *ks, struct object *o, uint64_t expire_ms)
{
    CHECK(o->type == OBJECT_HASH);
    if (keyspace_fields_expiry(ks, o) == expire_ms)
        return;
    expiry_remove(&ks->fields, o);
    if (expire_ms > 0)
        expiry_add(&ks->fields, o, expire_ms);
}

uint64_t keyspace_fields_expiry(const struct keyspace *ks, const struct object *o)
{
    CHECK(o->type == OBJECT_HASH);
    uint32_t at = o->is_large ? o->large->fields_at : o->fields_at;
    return at == EXPIRY_NONE ? 0 : ks->fields.entries[at].expire_ms;
}

bool keyspace_load_begin(struct keyspace *ks, uint32_t places, size_t count)
{
    CHECK(ks->used == 0 && ks->capacity == 0 && count <= places);
    if (places == 0)
        return true;
    ks->objects = mem_try_calloc(MEM_KEYSPACE, places * sizeof(struct object *));
    ks->free_list = mem_try(MEM_KEYSPACE, places * sizeof(*ks->free_list));
    if (ks->objects == NULL || ks->free_list == NULL || !map_reserve(&ks->map, count))
        return false;
    ks->capacity = places;
    ks->used = places;
    return true;
}

enum err keyspace_load(struct keyspace *ks, uint32_t place, struct object *o)
{
    if (place >= ks->used || ks->objects[place] != NULL)
        return ERR_CORRUPT;
    if (!map_put_new(&ks->map, o->hash, place, object_key(o)))
        return ERR_CORRUPT;
    o->access = access_new(&ks->access);
    ks->collections += o->type == OBJECT_COLLECTION;
    ks->objects[place] = o;
    if (o->expire_ms == 0)
        return OK;
    if (!expiry_reserve(&ks->expiry)) {
        o->expire_ms = 0; /* it is in the keyspace, which frees it, and not in its heap */
        return ERR_NOMEM;
    }
    expiry_add(&ks->expiry, o, o->expire_ms);
    return OK;
}

void keyspace_load_end(struct keyspace *ks)
{
    for (uint32_t place = ks->used; place > 0; place--)
        if (ks->objects[place - 1] == NULL)
            ks->free_list[ks->free_count++] = place - 1;
}

size_t keyspace_count(const struct keyspace *ks)
{
    return map_count(&ks->map);
}

struct scan_context {
    const struct keyspace *ks;
    void (*fn)(void *user, const struct object *o);
    void *user;
};

static void on_value(void *user, uint32_t value)
{
    const struct scan_context *c = user;
    c->fn(c->user, c->ks->objects[value]);
}

uint64_t keyspace_scan(const struct keyspace *ks, uint64_t cursor, size_t count,
                       void (*fn)(void *user, const struct object *o), void *user)
{
    struct scan_context context = {ks, fn, user};
    return map_scan(&ks->map, cursor, count, on_value, &context);
}

struct object *keyspace_random(const struct keyspace *ks, uint64_t random)
{
    uint32_t at = map_random(&ks->map, random);
    return at == MAP_NONE ? NULL : ks->objects[at];
}

uint32_t keyspace_place(const struct keyspace *ks, const struct object *o)
{
    uint32_t at = map_get(&ks->map, o->hash, object_key(o));
    CHECK(at != MAP_NONE && ks->objects[at] == o);
    return at;
}

struct object *keyspace_at(const struct keyspace *ks, uint32_t place)
{
    return place < ks->used ? ks->objects[place] : NULL;
}
