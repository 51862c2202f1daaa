#include "db/keyspace.h"

#include <stdlib.h>

#include "base/rng.h"
#include "lib/test.h"

enum { KEYS = 2000 };

static const uint64_t seed[2] = {3, 4};

/* Which version of its value each key has; 0: it is not there. */
struct model {
    struct keyspace keys;
    unsigned version[KEYS];
    size_t count;
    size_t bytes_before;
};

static struct slice key_text(char *room, uint32_t key)
{
    /* Key 0 is empty, and some have a NUL in the middle. */
    int len = key == 0 ? 0 : snprintf(room, 32, "key%c%u", key % 3 == 0 ? '\0' : ':', key);
    return (struct slice){(uint8_t *)room, (size_t)len};
}

static struct slice value_text(char *room, uint32_t key, unsigned version)
{
    int len = snprintf(room, 64, "%u of %u", version, key);
    return (struct slice){(uint8_t *)room, version % 5 == 0 ? 0 : (size_t)len};
}

static struct model *model_new(void)
{
    struct model *m = calloc(1, sizeof(*m));
    m->bytes_before = mem_used(MEM_KEYSPACE);
    keyspace_init(&m->keys, seed);
    return m;
}

static void model_free(struct model *m)
{
    keyspace_fini(&m->keys);
    EXPECT_EQ(mem_used(MEM_KEYSPACE), m->bytes_before);
    free(m);
}

static bool is_right(const struct model *m, const struct object *o, uint32_t key)
{
    char key_room[32], value_room[64];
    return o != NULL && o->type == OBJECT_STRING &&
           slice_eq(object_key(o), key_text(key_room, key)) &&
           slice_eq(object_string(o), value_text(value_room, key, m->version[key]));
}

/* Several at once are what they are one by one; from 0 to as many as there may be. */
static bool few_agree(const struct model *m)
{
    char rooms[KEYSPACE_FEW][32];
    struct slice keys[KEYSPACE_FEW];
    struct object *found[KEYSPACE_FEW];
    size_t count = 0;
    for (uint32_t key = 0; key < KEYS; key += 1 + (uint32_t)count) {
        count = key % (KEYSPACE_FEW + 1);
        for (size_t i = 0; i < count; i++)
            keys[i] = key_text(rooms[i], key + (uint32_t)i);
        keyspace_get_few(&m->keys, keys, count, found);
        for (size_t i = 0; i < count; i++) {
            if (found[i] != keyspace_get(&m->keys, keys[i]))
                return false;
            if (found[i] != NULL)
                object_prefetch(found[i]);
        }
    }
    return true;
}

static bool agrees(const struct model *m)
{
    char room[32];
    for (uint32_t key = 0; key < KEYS; key++) {
        const struct object *o = keyspace_get(&m->keys, key_text(room, key));
        if (m->version[key] == 0 ? o != NULL : !is_right(m, o, key))
            return false;
    }
    return few_agree(m) && keyspace_count(&m->keys) == m->count &&
           expiry_check(&m->keys.expiry);
}

static void put(struct model *m, uint32_t key)
{
    char key_room[32], value_room[64];
    struct slice text = key_text(key_room, key);
    struct slice value = value_text(value_room, key, m->version[key] + 1);
    if (key % 2 == 0) /* then what follows looks there first */
        EXPECT((keyspace_find(&m->keys, text) != NULL) == (m->version[key] > 0));
    struct object *o = keyspace_prepare(&m->keys, text, OBJECT_STRING, value,
                                        m->version[key] % 3 == 0 ? 1000 + key % 50 : 0);
    REQUIRE(o != NULL);
    (void)mem_fail_nth(1); /* publishing takes no memory */
    struct object *before = keyspace_publish(&m->keys, o);
    (void)mem_fail_nth(0);
    EXPECT((before != NULL) == (m->version[key] > 0));
    EXPECT(before == NULL || is_right(m, before, key));
    m->count += before == NULL;
    m->version[key]++;
    if (before != NULL)
        object_free(before);
    EXPECT(keyspace_get(&m->keys, text) == o);
}

static void take(struct model *m, uint32_t key)
{
    char room[32];
    struct slice text = key_text(room, key);
    if (key % 2 == 0)
        EXPECT((keyspace_find(&m->keys, text) != NULL) == (m->version[key] > 0));
    struct object *o = keyspace_take(&m->keys, text);
    EXPECT((o != NULL) == (m->version[key] > 0));
    EXPECT(keyspace_get(&m->keys, text) == NULL);
    if (o == NULL)
        return;
    EXPECT(is_right(m, o, key));
    object_free(o);
    m->version[key] = 0;
    m->count--;
}

TEST(keyspace, names_types_as_clients_know_them)
{
    EXPECT_STR(object_type_name(OBJECT_STRING), "string");
    EXPECT_STR(object_type_name(OBJECT_COLLECTION), "vectorset");
}

TEST(keyspace, agrees_with_a_model)
{
    struct model *m = model_new();
    uint64_t rng = 6;
    for (unsigned i = 0; i < 30000; i++) {
        uint32_t key = (uint32_t)rng_below(&rng, KEYS);
        bool growing = i % 15000 < 8000;
        if (rng_below(&rng, 10) < (growing ? 8u : 2u))
            put(m, key);
        else
            take(m, key);
        if (i % 3000 == 0)
            REQUIRE(agrees(m));
    }
    EXPECT(agrees(m));
    model_free(m);
}

TEST(keyspace, an_object_may_be_thrown_away_before_it_is_published)
{
    struct model *m = model_new();
    put(m, 1);
    struct object *o = keyspace_prepare(&m->keys, slice_of("other"), OBJECT_COLLECTION,
                                        (struct slice){NULL, 0}, 7);
    REQUIRE(o != NULL);
    EXPECT(o->type == OBJECT_COLLECTION && o->collection == NULL && o->value_len == 0);
    object_free(o);
    EXPECT(keyspace_get(&m->keys, slice_of("other")) == NULL);
    EXPECT(agrees(m));
    model_free(m);
}

TEST(keyspace, a_change_that_cannot_be_prepared_changes_nothing)
{
    struct model *m = model_new();
    unsigned failures = 0;
    char key_room[32];
    for (uint32_t key = 0; key < 300; key++) {
        for (uint64_t n = 1;; n++) {
            (void)mem_fail_nth(n);
            struct object *o = keyspace_prepare(&m->keys, key_text(key_room, key), OBJECT_STRING,
                                                slice_of("x"), key % 2);
            bool fired = mem_fail_nth(0);
            if (o != NULL)
                object_free(o);
            if (!fired)
                break;
            failures += o == NULL;
        }
        if (key % 50 == 0)
            REQUIRE(agrees(m));
        put(m, key);
    }
    EXPECT(failures > 300);
    EXPECT(agrees(m));
    model_free(m);
}

struct seen {
    const struct model *model;
    unsigned times[KEYS];
};

static void on_object(void *user, const struct object *o)
{
    struct seen *s = user;
    char room[32];
    for (uint32_t key = 0; key < KEYS; key++)
        if (s->model->version[key] > 0 && slice_eq(object_key(o), key_text(room, key)))
            s->times[key]++;
}

TEST(keyspace, scan_gives_every_object)
{
    struct model *m = model_new();
    for (uint32_t key = 0; key < 300; key++)
        put(m, key);
    struct seen *s = calloc(1, sizeof(*s));
    s->model = m;
    uint64_t cursor = 0;
    do {
        cursor = keyspace_scan(&m->keys, cursor, 10, on_object, s);
    } while (cursor != 0);
    for (uint32_t key = 0; key < 300; key++)
        EXPECT_EQ(s->times[key], 1);
    free(s);
    model_free(m);
}

TEST(keyspace, random_gives_what_is_there)
{
    struct model *m = model_new();
    EXPECT(keyspace_random(&m->keys, 1) == NULL);
    put(m, 5);
    put(m, 6);
    bool five = false, six = false;
    for (uint64_t i = 0; i < 100; i++) {
        const struct object *o = keyspace_random(&m->keys, i * 7919);
        five = five || is_right(m, o, 5);
        six = six || is_right(m, o, 6);
    }
    EXPECT(five && six);
    take(m, 5);
    take(m, 6);
    EXPECT(keyspace_random(&m->keys, 1) == NULL);
    model_free(m);
}
