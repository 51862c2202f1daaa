#include "base/map.h"

#include <stdlib.h>

#include "base/rng.h"
#include "lib/test.h"

enum { KEYS_MAX = 20000 };

/* How keys are hashed: well, all to one hash, to few neighbouring ones, or close to the end of the
 * table so that runs wrap around to its beginning. */
enum hashing { HASH_GOOD, HASH_ONE, HASH_FEW, HASH_END, HASHING_COUNT };

/* Keys are the numbers below KEYS_MAX; each has a value, or MAP_NONE. */
struct model {
    struct map map;
    enum hashing hashing;
    uint32_t value_of[KEYS_MAX];
    uint32_t key_of[2 * KEYS_MAX]; /* by value; the owner's side of it */
    uint32_t free_values[2 * KEYS_MAX];
    size_t free_count;
    size_t count;
    uint64_t rng;
};

static bool equal(const void *owner, uint32_t value, struct slice key)
{
    const struct model *m = owner;
    uint32_t number;
    CHECK(key.len == sizeof(number));
    memcpy(&number, key.ptr, sizeof(number));
    return m->key_of[value] == number;
}

static struct model *model_new(enum hashing hashing, uint64_t seed)
{
    struct model *m = mem_calloc(MEM_SCRATCH, sizeof(*m));
    m->hashing = hashing;
    m->rng = seed;
    for (uint32_t i = 0; i < KEYS_MAX; i++)
        m->value_of[i] = MAP_NONE;
    for (uint32_t i = 0; i < 2 * KEYS_MAX; i++)
        m->free_values[m->free_count++] = 2 * KEYS_MAX - 1 - i;
    map_init(&m->map, MEM_TEST, equal, m);
    return m;
}

static void model_free(struct model *m)
{
    map_fini(&m->map);
    EXPECT_EQ(mem_used(MEM_TEST), 0);
    mem_free(MEM_SCRATCH, m);
}

static uint32_t hash_of(const struct model *m, uint32_t key)
{
    uint64_t state = key;
    uint32_t good = (uint32_t)rng_next(&state);
    switch (m->hashing) {
    case HASH_ONE:
        return 0x80000000u;
    case HASH_FEW:
        return 0x12345678u + good % 5;
    case HASH_END:
        return 0xffffff00u + good % 256;
    case HASH_GOOD:
    case HASHING_COUNT:
        break;
    }
    return good;
}

static uint32_t get(const struct model *m, uint32_t key)
{
    return map_get(&m->map, hash_of(m, key), (struct slice){(uint8_t *)&key, sizeof(key)});
}

static uint32_t new_value(struct model *m, uint32_t key)
{
    CHECK(m->free_count > 0);
    uint32_t value = m->free_values[--m->free_count];
    m->key_of[value] = key;
    return value;
}

static void free_value(struct model *m, uint32_t value)
{
    m->key_of[value] = UINT32_MAX;
    m->free_values[m->free_count++] = value;
}

static void put(struct model *m, uint32_t key)
{
    uint32_t value = new_value(m, key);
    map_put(&m->map, hash_of(m, key), value);
    m->value_of[key] = value;
    m->count++;
}

static void take(struct model *m, uint32_t key)
{
    map_remove(&m->map, hash_of(m, key), m->value_of[key]);
    free_value(m, m->value_of[key]);
    m->value_of[key] = MAP_NONE;
    m->count--;
}

static void replace(struct model *m, uint32_t key)
{
    uint32_t value = new_value(m, key);
    map_replace(&m->map, hash_of(m, key), m->value_of[key], value);
    free_value(m, m->value_of[key]);
    m->value_of[key] = value;
}

/* Puts an absent key, replaces or removes a present one. */
static void random_step(struct model *m, uint32_t keys, unsigned remove_percent)
{
    uint32_t key = (uint32_t)rng_below(&m->rng, keys);
    if (m->value_of[key] == MAP_NONE) {
        if (rng_below(&m->rng, 100) < remove_percent)
            return;
        REQUIRE(map_reserve(&m->map, 1));
        put(m, key);
    } else if (rng_below(&m->rng, 100) < remove_percent) {
        take(m, key);
    } else {
        replace(m, key);
    }
    EXPECT_EQ(get(m, key), m->value_of[key]);
}

static bool agrees(const struct model *m, uint32_t keys)
{
    for (uint32_t key = 0; key < keys; key++)
        if (get(m, key) != m->value_of[key])
            return false;
    return map_count(&m->map) == m->count;
}

TEST(map, is_empty_at_first)
{
    struct model *m = model_new(HASH_GOOD, 1);
    EXPECT_EQ(get(m, 5), MAP_NONE);
    EXPECT_EQ(map_count(&m->map), 0);
    EXPECT_EQ(map_bytes(&m->map), 0);
    EXPECT_EQ(map_random(&m->map, 7), MAP_NONE);
    EXPECT_EQ(map_scan(&m->map, 0, 10, NULL, NULL), 0);
    map_prefetch(&m->map, 1);
    model_free(m);
}

TEST(map, agrees_with_a_model_while_it_grows_and_shrinks)
{
    for (unsigned hashing = 0; hashing < HASHING_COUNT; hashing++) {
        struct model *m = model_new((enum hashing)hashing, hashing + 1);
        uint32_t keys = hashing == HASH_GOOD ? KEYS_MAX : 300;
        /* Up, down in the middle of growing, up again, and down to nothing. */
        static const unsigned remove_percent[] = {5, 95, 10, 50, 99, 20, 100};
        for (size_t phase = 0; phase < COUNT_OF(remove_percent); phase++) {
            uint32_t steps = phase == 1 ? keys / 2 : 2 * keys;
            for (uint32_t i = 0; i < steps; i++) {
                random_step(m, keys, remove_percent[phase]);
                if (i % (keys / 8 + 1) == 0)
                    REQUIRE(agrees(m, keys));
            }
        }
        for (uint32_t key = 0; key < keys; key++)
            if (m->value_of[key] != MAP_NONE)
                take(m, key);
        EXPECT(agrees(m, keys));
        EXPECT(map_bytes(&m->map) < 4096);
        model_free(m);
    }
}

/* A run that wraps around is the one whose gaps are hardest to close. */
TEST(map, closes_gaps_in_runs_that_wrap_around)
{
    for (uint32_t seed = 1; seed <= 50; seed++) {
        struct model *m = model_new(HASH_END, seed);
        REQUIRE(map_reserve(&m->map, 12)); /* 16 slots, all homes in the last one */
        for (int i = 0; i < 300; i++) {
            uint32_t key = (uint32_t)rng_below(&m->rng, 40);
            if (m->value_of[key] != MAP_NONE)
                take(m, key);
            else if (m->count < 12 && map_reserve(&m->map, 1))
                put(m, key);
            REQUIRE(agrees(m, 40));
        }
        model_free(m);
    }
}

TEST(map, a_reservation_holds_for_as_many_puts_whatever_is_removed)
{
    struct model *m = model_new(HASH_GOOD, 9);
    for (uint32_t before = 0; before < 200; before += 13) {
        for (uint32_t count = 1; count < 3000; count *= 3) {
            uint32_t key = 0;
            for (; key < before; key++) {
                REQUIRE(map_reserve(&m->map, 1));
                put(m, key);
            }
            REQUIRE(map_reserve(&m->map, count));
            (void)mem_fail_nth(1); /* puts take no memory */
            for (key = 0; key < before; key++)
                take(m, key);
            for (key = 1000; key < 1000 + count; key++)
                put(m, key);
            (void)mem_fail_nth(0);
            REQUIRE(agrees(m, 1000 + count));
            for (key = 1000; key < 1000 + count; key++)
                take(m, key);
        }
    }
    model_free(m);
}

TEST(map, a_reservation_that_fails_changes_nothing)
{
    struct model *m = model_new(HASH_GOOD, 10);
    unsigned failures = 0;
    for (uint32_t key = 0; key < 5000; key++) {
        (void)mem_fail_nth(1);
        bool reserved = map_reserve(&m->map, 1);
        (void)mem_fail_nth(0);
        if (!reserved) {
            failures++;
            REQUIRE(agrees(m, key + 1));
            REQUIRE(map_reserve(&m->map, 1));
        }
        put(m, key);
    }
    EXPECT(failures >= 2); /* short of memory, it fills up to the last place before it gives up */
    (void)mem_fail_nth(1);
    EXPECT(!map_reserve(&m->map, 100000));
    EXPECT(mem_fail_nth(0));
    EXPECT(agrees(m, 5000));
    /* Nor does a table that cannot shrink lose anything. */
    for (uint32_t key = 0; key < 5000; key++) {
        (void)mem_fail_nth(1);
        take(m, key);
        (void)mem_fail_nth(0);
        if (key % 500 == 0)
            REQUIRE(agrees(m, 5000));
    }
    EXPECT(agrees(m, 5000));
    model_free(m);
}

TEST(map, books_its_memory)
{
    struct model *m = model_new(HASH_GOOD, 11);
    for (uint32_t key = 0; key < 3000; key++) {
        REQUIRE(map_reserve(&m->map, 1));
        put(m, key);
        EXPECT(mem_used(MEM_TEST) >= map_bytes(&m->map));
        EXPECT(map_bytes(&m->map) >= map_count(&m->map) * sizeof(struct map_slot));
    }
    EXPECT(map_bytes(&m->map) <= 3000 * sizeof(struct map_slot) * 4);
    model_free(m);
}

/* -- scan -------------------------------------------------------------------------------------- */

struct seen {
    const struct model *model;
    uint8_t times[KEYS_MAX];
    size_t calls;
};

static void on_value(void *user, uint32_t value)
{
    struct seen *s = user;
    uint32_t key = s->model->key_of[value];
    s->calls++;
    CHECK(key < KEYS_MAX && s->model->value_of[key] == value); /* something that is not there */
    if (s->times[key] < UINT8_MAX)
        s->times[key]++;
}

TEST(map, scan_of_a_still_map_gives_every_entry_once)
{
    static const uint32_t sizes[] = {1, 7, 8, 100, 5000};
    for (unsigned hashing = 0; hashing < HASHING_COUNT; hashing++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            uint32_t keys = hashing != HASH_GOOD && sizes[i] > 300 ? 300 : sizes[i];
            struct model *m = model_new((enum hashing)hashing, 21);
            for (uint32_t key = 0; key < keys; key++) {
                REQUIRE(map_reserve(&m->map, 1));
                put(m, key);
            }
            for (size_t count = 0; count < 2000; count = count * 5 + 1) {
                struct seen *s = calloc(1, sizeof(*s));
                s->model = m;
                uint64_t cursor = 0;
                size_t rounds = 0;
                do {
                    cursor = map_scan(&m->map, cursor, count, on_value, s);
                } while (cursor != 0 && ++rounds < 100000);
                EXPECT_EQ(cursor, 0);
                for (uint32_t key = 0; key < keys; key++)
                    EXPECT_EQ(s->times[key], 1);
                EXPECT_EQ(s->calls, keys);
                free(s);
            }
            model_free(m);
        }
    }
}

/* Keys below `still` stay; the rest come and go so that the table grows and shrinks meanwhile. */
static void scan_while_others_change(enum hashing hashing, uint32_t still, uint32_t keys,
                                     uint64_t seed)
{
    struct model *m = model_new(hashing, seed);
    struct seen *s = calloc(1, sizeof(*s));
    s->model = m;
    for (uint32_t key = 0; key < still; key++) {
        REQUIRE(map_reserve(&m->map, 1));
        put(m, key);
    }
    uint64_t cursor = 0;
    unsigned rounds = 0;
    do {
        bool growing = rng_below(&m->rng, 2) == 0;
        uint32_t changes = (uint32_t)rng_below(&m->rng, keys);
        for (uint32_t i = 0; i < changes; i++) {
            uint32_t key = still + (uint32_t)rng_below(&m->rng, keys - still);
            if (growing && m->value_of[key] == MAP_NONE && map_reserve(&m->map, 1))
                put(m, key);
            else if (!growing && m->value_of[key] != MAP_NONE)
                take(m, key);
        }
        cursor = map_scan(&m->map, cursor, 1 + rng_below(&m->rng, 64), on_value, s);
    } while (cursor != 0 && ++rounds < 100000);
    EXPECT_EQ(cursor, 0);
    for (uint32_t key = 0; key < still; key++)
        if (s->times[key] == 0)
            test_fail(__FILE__, __LINE__, "hashing %d, seed %llu: key %u was not seen",
                      (int)hashing, (unsigned long long)seed, key);
    free(s);
    model_free(m);
}

TEST(map, scan_gives_every_key_that_stays_while_the_table_resizes)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        scan_while_others_change(HASH_GOOD, 20, 1500, seed);
        scan_while_others_change(HASH_GOOD, 300, 1500, seed);
        scan_while_others_change(HASH_END, 20, 150, seed);
        scan_while_others_change(HASH_FEW, 20, 150, seed);
    }
}

TEST(map, scan_looks_at_about_as_much_as_asked)
{
    struct model *m = model_new(HASH_GOOD, 31);
    for (uint32_t key = 0; key < KEYS_MAX; key++) {
        REQUIRE(map_reserve(&m->map, 1));
        put(m, key);
    }
    struct seen *s = calloc(1, sizeof(*s));
    s->model = m;
    uint64_t cursor = map_scan(&m->map, 0, 100, on_value, s);
    EXPECT(cursor != 0);
    EXPECT(s->calls >= 20 && s->calls <= 150);
    /* Cursors come from clients: any number is answered, and those past the end end the scan. */
    EXPECT_EQ(map_scan(&m->map, (uint64_t)1 << 32, 100, on_value, s), 0);
    EXPECT_EQ(map_scan(&m->map, UINT64_MAX, 100, on_value, s), 0);
    EXPECT_EQ(map_scan(&m->map, UINT32_MAX, 100, on_value, s), 0);
    EXPECT_EQ(map_scan(&m->map, 12345, SIZE_MAX, on_value, s), 0);
    free(s);
    model_free(m);
}

/* -- random ------------------------------------------------------------------------------------ */

TEST(map, random_reaches_every_entry_about_equally)
{
    struct model *m = model_new(HASH_GOOD, 41);
    enum { KEYS = 60, DRAWS = 60 * 400 };
    for (uint32_t key = 0; key < KEYS; key++) {
        REQUIRE(map_reserve(&m->map, 1));
        put(m, key);
    }
    unsigned drawn[KEYS] = {0};
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t value = map_random(&m->map, rng_next(&m->rng));
        REQUIRE(value < 2 * KEYS_MAX && m->key_of[value] < KEYS);
        drawn[m->key_of[value]]++;
    }
    for (uint32_t key = 0; key < KEYS; key++) /* 400 expected, standard deviation 20 */
        EXPECT(drawn[key] > 280 && drawn[key] < 520);
    EXPECT_EQ(map_random(&m->map, 99), map_random(&m->map, 99));
    model_free(m);
}

TEST(map, random_gives_only_what_is_there_while_the_table_resizes)
{
    struct model *m = model_new(HASH_GOOD, 42);
    for (unsigned i = 0; i < 20000; i++) {
        random_step(m, 4000, i < 8000 ? 5 : 95);
        uint32_t value = map_random(&m->map, rng_next(&m->rng));
        if (m->count == 0)
            EXPECT_EQ(value, MAP_NONE);
        else
            REQUIRE(m->value_of[m->key_of[value]] == value);
    }
    model_free(m);
}
