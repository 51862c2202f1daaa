/* The object store in a folder, on the simulated disk: what it keeps, and what a crash or a failed
 * call at any point leaves of an object. */
#include <stdio.h>

#include "lib/test.h"
#include "persist/object_store.h"
#include "sim/sim_io.h"

enum { SIZE = 5000, SEEDS = 20, CALLS_MAX = 200 };

static enum err open_store(struct sim *sim, struct object_store **out)
{
    struct object_store_options options = object_store_options_default();
    options.url = "file:///backup/vdb";
    return object_store_open(sim_io(sim), &options, out, NULL);
}

/* SIZE equal bytes. */
static struct slice filled(char fill, char bytes[SIZE])
{
    memset(bytes, fill, SIZE);
    return (struct slice){(const uint8_t *)bytes, SIZE};
}

/* The byte that the object consists of; 0 when there is none, '?' when it is anything else. */
static char fill_of(struct object_store *s, const char *name)
{
    struct buf b = BUF_INIT(MEM_TEST);
    enum err e = object_get_whole(s, name, SIZE, &b, NULL);
    char fill = e == ERR_NOT_FOUND ? 0 : e == OK && b.len == SIZE ? (char)b.ptr[0] : '?';
    for (size_t i = 1; i < b.len; i++)
        fill = b.ptr[i] == b.ptr[0] ? fill : '?';
    buf_fini(&b);
    return fill;
}

static void count_name(void *user, const char *name, uint64_t size)
{
    struct buf *names = user;
    buf_printf(names, "%s:%llu ", name, (unsigned long long)size);
}

static void expect_list(struct object_store *s, const char *prefix, size_t count)
{
    struct buf names = BUF_INIT(MEM_TEST);
    EXPECT_EQ(s->ops->list(s, prefix, count_name, &names, NULL), OK);
    size_t found = 0;
    for (size_t i = 0; i < names.len; i++)
        found += names.ptr[i] == ' ';
    EXPECT_EQ(found, count);
    buf_fini(&names);
}

TEST(store_local, keeps_what_is_put)
{
    struct sim *sim = sim_new(1, NULL);
    struct object_store *s;
    struct object_info info;
    char bytes[SIZE];
    REQUIRE(open_store(sim, &s) == OK);
    EXPECT_EQ(s->ops->head(s, "a", &info, NULL), ERR_NOT_FOUND);
    EXPECT_EQ(s->ops->put(s, "a", filled('a', bytes), NULL), OK);
    EXPECT_EQ(s->ops->put(s, "a", filled('b', bytes), NULL), OK);
    EXPECT_EQ(s->ops->put(s, "ab", slice_of(""), NULL), OK);
    EXPECT_EQ(fill_of(s, "a"), 'b');
    EXPECT(s->ops->head(s, "ab", &info, NULL) == OK && info.size == 0);
    struct buf b = BUF_INIT(MEM_TEST);
    EXPECT_EQ(s->ops->get(s, "a", SIZE - 3, 10, &b, &info, NULL), OK);
    EXPECT(b.len == 3 && info.size == SIZE);
    EXPECT_EQ(s->ops->get(s, "a", SIZE + 3, 10, &b, &info, NULL), OK);
    EXPECT_EQ(b.len, 3);
    EXPECT_EQ(object_get_whole(s, "a", SIZE - 1, &b, NULL), ERR_LIMIT);
    EXPECT_EQ(b.len, 3);
    buf_fini(&b);
    sim_disk_put(sim, "/backup/vdb/.hidden", slice_of("x"));
    sim_disk_put(sim, "/backup/vdb/not a name", slice_of("x"));
    expect_list(s, "", 2);
    expect_list(s, "ab", 1);
    expect_list(s, "b", 0);
    EXPECT_EQ(s->ops->remove(s, "a", NULL), OK);
    EXPECT_EQ(s->ops->remove(s, "a", NULL), OK);
    EXPECT_EQ(fill_of(s, "a"), 0);
    object_store_free(s);
    sim_free(sim);
}

TEST(store_local, files_go_there_and_back)
{
    struct sim *sim = sim_new(1, NULL);
    struct io *io = sim_io(sim);
    struct object_store *s;
    struct buf b = BUF_INIT(MEM_TEST);
    enum { LARGE = 2500000 };
    uint8_t *bytes = mem_alloc(MEM_TEST, LARGE);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    sim_disk_put(sim, "from", (struct slice){bytes, LARGE});
    REQUIRE(open_store(sim, &s) == OK);
    EXPECT_EQ(s->ops->put_file(s, "large", "from", NULL), OK);
    EXPECT_EQ(s->ops->put_file(s, "large", "nowhere", NULL), ERR_NOT_FOUND);
    EXPECT_EQ(object_get_file(s, "large", "to", NULL), OK);
    EXPECT(sim_disk_get(sim, "to", &b) && b.len == LARGE && memcmp(b.ptr, bytes, LARGE) == 0);
    EXPECT_EQ(object_get_file(s, "large", "to", NULL), ERR_EXISTS);
    EXPECT_EQ(io->ops->remove(io, "to"), OK);
    EXPECT_EQ(object_get_file(s, "other", "to", NULL), ERR_NOT_FOUND);
    EXPECT(!sim_disk_exists(sim, "to"));
    buf_fini(&b);
    mem_free(MEM_TEST, bytes);
    object_store_free(s);
    sim_free(sim);
}

/* A put over an old object. Returns whether the fault that was asked for happened in it. */
static bool put_meets(struct sim *sim, uint64_t seed, bool power, uint64_t nth)
{
    struct object_store *s;
    char bytes[SIZE];
    REQUIRE(open_store(sim, &s) == OK);
    REQUIRE(s->ops->put(s, "a", filled('a', bytes), NULL) == OK);
    if (power)
        sim_cut_power_at_nth(sim, nth);
    else
        sim_fail_nth(sim, nth);
    enum err e = s->ops->put(s, "a", filled('b', bytes), NULL);
    bool fired = sim_fault_fired(sim);
    sim_fail_nth(sim, 0);
    object_store_free(s);
    if (power || seed % 2 == 0) {
        sim_crash(sim);
        sim_restart(sim);
    }
    REQUIRE(open_store(sim, &s) == OK);
    char fill = fill_of(s, "a");
    EXPECT(fill == 'b' || (fill == 'a' && e != OK));
    EXPECT_EQ(s->ops->clean(s, NULL), OK);
    EXPECT(!sim_disk_exists(sim, "/backup/vdb/.new-a"));
    expect_list(s, "", 1);
    object_store_free(s);
    return fired;
}

TEST(store_local, a_put_is_whole_or_nothing_wherever_it_stops)
{
    unsigned points = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        for (int power = 0; power < 2; power++) {
            bool fired = true;
            for (uint64_t nth = 1; fired && nth < CALLS_MAX; nth++) {
                struct sim *sim = sim_new(seed, NULL);
                fired = put_meets(sim, seed, power != 0, nth);
                points += fired;
                sim_free(sim);
            }
            EXPECT(!fired);
        }
    }
    EXPECT(points >= SEEDS * 2 * 4); /* open, write, sync, rename, sync of the folder */
}

TEST(store_local, opening_fails_whole_and_works_after)
{
    bool fired = true;
    for (uint64_t nth = 1; fired && nth < CALLS_MAX; nth++) {
        struct sim *sim = sim_new(nth, NULL);
        struct object_store *s = NULL;
        sim_fail_nth(sim, nth);
        if (open_store(sim, &s) != OK)
            s = NULL;
        fired = sim_fault_fired(sim);
        sim_fail_nth(sim, 0);
        object_store_free(s);
        REQUIRE(open_store(sim, &s) == OK);
        char bytes[SIZE];
        EXPECT_EQ(s->ops->put(s, "a", filled('a', bytes), NULL), OK);
        object_store_free(s);
        sim_crash(sim);
        sim_restart(sim);
        REQUIRE(open_store(sim, &s) == OK);
        EXPECT_EQ(fill_of(s, "a"), 'a');
        object_store_free(s);
        sim_free(sim);
    }
    EXPECT(!fired);
}
