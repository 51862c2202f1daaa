/* evict_test.c: keys go at maxmemory, by every policy, and not more than have to. */
#include "lib/cmd_harness.h"

#define OK_ "+OK\r\n"

/* -- clocks of use ----------------------------------------------------------------------------- */

TEST(access, lru_is_the_time_since_the_last_use)
{
    struct access a = {.lfu = false};
    access_set_now(&a, 100000);
    uint32_t value = access_new(&a);
    EXPECT_EQ(access_idle_ms(&a, value), 0);
    access_set_now(&a, 107500);
    EXPECT_EQ(access_idle_ms(&a, value), 7500);
    EXPECT_EQ(access_idle_ms(&a, access_used(&a, value)), 0);
    EXPECT_EQ(access_idle_ms(&a, access_of_idle(&a, 42)), 42000);
}

TEST(access, the_clock_may_wrap_around)
{
    struct access a = {.tenths = UINT32_MAX - 3};
    uint32_t value = access_new(&a);
    a.tenths = 6;
    EXPECT_EQ(access_idle_ms(&a, value), 1000);
}

TEST(access, lfu_grows_slower_the_larger_it_is_and_decays)
{
    struct access a = {.lfu = true, .log_factor = 10, .decay_minutes = 1, .random = 1};
    access_set_now(&a, 60 * 1000 * 1000);
    uint32_t value = access_new(&a);
    EXPECT_EQ(access_frequency(&a, value), 5);
    for (int i = 0; i < 100; i++)
        value = access_used(&a, value);
    uint32_t hundred = access_frequency(&a, value);
    EXPECT(hundred >= 7 && hundred <= 16); /* Redis documents 10 */
    for (int i = 0; i < 100 * 1000; i++)
        value = access_used(&a, value);
    EXPECT(access_frequency(&a, value) > 100 && access_frequency(&a, value) < 190);
    EXPECT(access_score(&a, value) < access_score(&a, access_new(&a)));
    access_set_now(&a, 63 * 1000 * 1000);
    EXPECT_EQ(access_frequency(&a, access_of_frequency(&a, 9)), 9);
    uint32_t before = access_frequency(&a, value);
    access_set_now(&a, 63 * 1000 * 1000 + 3 * 60 * 1000);
    EXPECT_EQ(access_frequency(&a, value), before - 3);
    a.decay_minutes = 0;
    EXPECT_EQ(access_frequency(&a, value), value & 255);
}

TEST(access, a_full_counter_stays_full)
{
    struct access a = {.lfu = true, .random = 1};
    uint32_t value = access_of_frequency(&a, 255);
    EXPECT_EQ(access_used(&a, value) & 255, 255);
}

TEST(cmd_object, tells_idle_times_or_frequencies)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET a 1", OK_);
    sim_run_for(h->sim, 5 * 1000 * 1000);
    EXPECT_REPLY(h, 2, "EXISTS a", ":1\r\n");
    EXPECT_PART(h, 2, "TTL a", ":-1");
    EXPECT_REPLIES(h, "OBJECT IDLETIME a", ":5\r\n");
    EXPECT_REPLY(h, 2, "CLIENT NO-TOUCH on", OK_);
    EXPECT_REPLY(h, 2, "GET a", "$1\r\n1\r\n");
    EXPECT_REPLY(h, 2, "OBJECT IDLETIME a", ":5\r\n");
    EXPECT_REPLY(h, 2, "TOUCH a", ":1\r\n"); /* that is what it is for */
    EXPECT_REPLY(h, 2, "OBJECT IDLETIME a", ":0\r\n");
    sim_run_for(h->sim, 2 * 1000 * 1000);
    EXPECT_REPLY(h, 2, "RENAME a b", OK_);
    EXPECT_REPLY(h, 2, "OBJECT IDLETIME b", ":2\r\n");
    EXPECT_REPLY(h, 2, "CLIENT NO-TOUCH off", OK_);
    EXPECT_REPLY(h, 2, "GET b", "$1\r\n1\r\n");
    EXPECT_REPLY(h, 2, "OBJECT IDLETIME b", ":0\r\n");
    EXPECT_PART(h, 2, "OBJECT FREQ b", "-ERR An LFU maxmemory policy is not selected, ");
    EXPECT_REPLY(h, 2, "CONFIG SET maxmemory-policy allkeys-lfu", OK_);
    EXPECT_REPLY(h, 2, "SET c 1", OK_);
    EXPECT_REPLIES(h, "OBJECT FREQ c", ":5\r\n");
    EXPECT_REPLY(h, 2, "GET c", "$1\r\n1\r\n");
    EXPECT_REPLIES(h, "OBJECT FREQ c", ":6\r\n"); /* the first uses always count */
    EXPECT_REPLY(h, 2, "SET c 2", OK_);           /* the counter is the key's */
    EXPECT_PART(h, 2, "OBJECT FREQ c", ":6");
    EXPECT_PART(h, 2, "OBJECT IDLETIME c", "-ERR An LFU maxmemory policy is selected, ");
    EXPECT_REPLY(h, 2, "OBJECT FREQ nosuch", "$-1\r\n");
    harness_free(h);
}

/* -- eviction ---------------------------------------------------------------------------------- */

enum { ROOM = 1 << 20, VALUE = 1000, MANY = 3000 };

/* So much more than what is used now. */
static void limit_memory(struct harness *h, const char *policy, size_t room)
{
    char line[128];
    (void)snprintf(line, sizeof(line), "CONFIG SET maxmemory %zu maxmemory-policy %s",
                   mem_used_total() + room, policy);
    EXPECT_REPLY(h, 2, line, OK_);
}

/* SET name<i>, with EX when volatile; returns whether it was let in. */
static bool put(struct harness *h, const char *name, int i, bool is_volatile)
{
    char key[32], value[VALUE];
    (void)snprintf(key, sizeof(key), "%s%d", name, i);
    memset(value, 'v', sizeof(value));
    struct slice argv[5] = {slice_of("SET"),
                            slice_of(key),
                            {(const uint8_t *)value, VALUE},
                            slice_of("EX"),
                            slice_of("1000")};
    struct slice reply = harness_run_args(h, 2, argv, is_volatile ? 5 : 3);
    return slice_eq(reply, slice_of(OK_));
}

static int count(struct harness *h, const char *name, int from, int to)
{
    int there = 0;
    char key[32];
    for (int i = from; i < to; i++) {
        (void)snprintf(key, sizeof(key), "%s%d", name, i);
        there += keyspace_get(&h->db.keys, slice_of(key)) != NULL;
    }
    return there;
}

TEST(evict, noeviction_refuses_and_removes_nothing)
{
    struct harness *h = harness_new();
    int in = 0;
    limit_memory(h, "noeviction", ROOM);
    for (int i = 0; i < MANY; i++)
        in += put(h, "k", i, true);
    EXPECT(in > 500 && in < 1200 && count(h, "k", 0, MANY) == in);
    EXPECT_EQ(h->stats.evicted_keys, 0);
    h->db.maxmemory -= 2 * VALUE;
    EXPECT_PART(h, 2, "SET k 1", "-OOM command not allowed when used memory > 'maxmemory'.");
    harness_free(h);
}

TEST(evict, allkeys_policies_let_every_write_in)
{
    static const char *const policies[] = {"allkeys-lru", "allkeys-lfu", "allkeys-random"};
    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        struct harness *h = harness_new();
        limit_memory(h, policies[p], ROOM);
        for (int i = 0; i < MANY; i++)
            EXPECT(put(h, "k", i, i % 2 == 0));
        int left = count(h, "k", 0, MANY);
        EXPECT_EQ(left + (int)h->stats.evicted_keys, MANY);
        EXPECT(left > 500); /* not more than had to go */
        EXPECT(mem_used_total() <= h->db.maxmemory);
        harness_free(h);
    }
}

/* Where the header of a key is most of what it takes. */
TEST(evict, small_keys_are_let_in_up_to_the_last_byte)
{
    struct harness *h = harness_new();
    limit_memory(h, "allkeys-lru", 50 * 1000);
    for (int i = 0; i < MANY; i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "SET k%d v", i);
        EXPECT_REPLY(h, 2, line, OK_);
    }
    EXPECT(count(h, "k", 0, MANY) > 300);
    harness_free(h);
}

/* The columns of a collection grow in steps, each as large as thousands of elements. */
TEST(evict, a_collection_that_grows_is_let_in)
{
    struct harness *h = harness_new();
    for (int i = 0; i < MANY; i++)
        EXPECT(put(h, "k", i, false));
    limit_memory(h, "allkeys-lru", 0);
    for (int i = 0; i < MANY; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "VADD s VALUES 2 %d 1 e%d", i, i);
        EXPECT_REPLY(h, 2, line, ":1\r\n");
    }
    EXPECT(count(h, "k", 0, MANY) < MANY - 100);
    EXPECT(mem_used_total() <= h->db.maxmemory);
    harness_free(h);
}

TEST(evict, lru_keeps_what_is_used)
{
    struct harness *h = harness_new();
    limit_memory(h, "allkeys-lru", ROOM);
    for (int i = 0; i < MANY; i++) {
        EXPECT(put(h, "k", i, false));
        EXPECT_PART(h, 2, "GET k7", "$");
        sim_run_for(h->sim, 100 * 1000);
    }
    EXPECT_EQ(count(h, "k", 7, 8), 1);
    EXPECT(count(h, "k", MANY - 300, MANY) > 2 * count(h, "k", MANY - 1200, MANY - 900));
    harness_free(h);
}

TEST(evict, lfu_keeps_what_is_used_often)
{
    struct harness *h = harness_new();
    limit_memory(h, "allkeys-lfu", ROOM);
    for (int i = 0; i < 100; i++)
        EXPECT(put(h, "hot", i, false));
    for (int round = 0; round < 30; round++)
        for (int i = 0; i < 100; i++) {
            char line[32];
            (void)snprintf(line, sizeof(line), "GET hot%d", i);
            EXPECT_PART(h, 2, line, "$1000");
        }
    for (int i = 0; i < MANY; i++)
        EXPECT(put(h, "cold", i, false));
    EXPECT(count(h, "hot", 0, 100) >= 95);
    harness_free(h);
}

TEST(evict, volatile_policies_leave_the_others_alone)
{
    static const char *const policies[] = {"volatile-lru", "volatile-lfu", "volatile-random",
                                           "volatile-ttl"};
    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        struct harness *h = harness_new();
        limit_memory(h, policies[p], ROOM);
        for (int i = 0; i < 300; i++)
            EXPECT(put(h, "stays", i, false));
        for (int i = 0; i < MANY; i++)
            EXPECT(put(h, "goes", i, true));
        EXPECT_EQ(count(h, "stays", 0, 300), 300);
        EXPECT(h->stats.evicted_keys > 500);
        int in = 0;
        for (int i = 0; i < MANY; i++)
            in += put(h, "more", i, false);
        EXPECT(in < 1200 && count(h, "goes", 0, MANY) == 0); /* then nothing is left to go */
        harness_free(h);
    }
}

TEST(evict, ttl_takes_the_next_to_expire)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET soon 1 EX 10", OK_);
    EXPECT_REPLY(h, 2, "SET sooner 1 EX 5", OK_);
    EXPECT_REPLY(h, 2, "SET late 1 EX 500", OK_);
    EXPECT_REPLY(h, 2, "CONFIG SET maxmemory 1 maxmemory-policy volatile-ttl", OK_);
    h->db.maxmemory = mem_used_total() - mem_used(MEM_LOG) - 1;
    EXPECT(put(h, "k", 0, false) || true);
    EXPECT(keyspace_get(&h->db.keys, slice_of("sooner")) == NULL);
    harness_free(h);
}

TEST(evict, takes_whole_collections_and_waits_until_they_are_freed)
{
    struct harness *h = harness_new();
    for (int i = 0; i < 2000; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "VADD v VALUES 3 1 %d 2 e%d", i, i);
        EXPECT_PART(h, 2, line, ":1");
    }
    for (int i = 0; i < 10; i++)
        EXPECT(put(h, "k", i, false));
    sim_run_for(h->sim, 60 * 1000 * 1000);
    for (int i = 0; i < 10; i++)
        EXPECT(put(h, "k", i, false));          /* used after the collection */
    uint64_t guard = epoch_enter(&h->db.epoch); /* as a search holds it */
    size_t before = mem_used_total();
    limit_memory(h, "allkeys-lru", 0);
    EXPECT(put(h, "new", 0, false));
    EXPECT(keyspace_get(&h->db.keys, slice_of("v")) == NULL);
    EXPECT(mem_used_total() + 50000 > before); /* nothing of it is freed yet */
    EXPECT(h->db.background.retired->bytes > 50000);
    for (int i = 1; i < 20; i++)
        EXPECT(put(h, "new", i, false));
    EXPECT_EQ(h->stats.evicted_keys, 1);
    EXPECT_EQ(count(h, "k", 0, 10), 10);
    epoch_leave(&h->db.epoch, guard);
    sim_run_for(h->sim, 1000 * 1000);
    EXPECT_EQ(h->db.background.retired->bytes, 0);
    harness_free(h);
}

TEST(evict, a_paused_server_evicts_nothing)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET a 1", OK_);
    EXPECT_REPLY(h, 2, "CLIENT PAUSE 1000 WRITE", OK_);
    EXPECT_REPLY(h, 2, "CONFIG SET maxmemory-policy allkeys-lru", OK_);
    h->db.maxmemory = 1000;
    EXPECT(!evict_some(&h->env));
    EXPECT(keyspace_get(&h->db.keys, slice_of("a")) != NULL);
    EXPECT_REPLY(h, 2, "CLIENT UNPAUSE", OK_);
    (void)evict_some(&h->env);
    EXPECT(keyspace_get(&h->db.keys, slice_of("a")) == NULL);
    harness_free(h);
}

TEST(evict, a_watched_key_that_goes_breaks_its_transaction)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET a 1", OK_);
    EXPECT_REPLY(h, 2, "WATCH a", OK_);
    EXPECT_REPLY(h, 2, "CONFIG SET maxmemory-policy allkeys-random", OK_);
    h->db.maxmemory = 1000;
    while (evict_some(&h->env))
        continue;
    h->db.maxmemory = 0;
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    EXPECT_REPLY(h, 2, "EXEC", "*-1\r\n");
    harness_free(h);
}
