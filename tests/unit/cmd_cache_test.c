/* cmd_cache_test.c: collections that are full, and what VALTER changes. */
#include <inttypes.h>
#include <stdlib.h>

#include "lib/cmd_harness.h"

static void pass(struct harness *h, uint64_t ms)
{
    sim_run_for(h->sim, ms * 1000);
}

static void add(struct harness *h, const char *id, const char *options)
{
    char line[128];
    (void)snprintf(line, sizeof(line), "VADD c VALUES 2 1 1 %s %s", id, options);
    EXPECT_REPLY(h, 2, line, ":1\r\n");
}

static struct harness *cache(const char *create)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, create, "+OK\r\n");
    return h;
}

TEST(cmd_cache, refuse_names_the_limit_and_what_to_do)
{
    struct harness *h = cache("VCREATE c DIM 2 MAXLEN 2");
    add(h, "a", "PX 50");
    add(h, "b", "");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 d",
                 "-ERR the collection is full: MAXLEN is 2; remove elements, raise it with VALTER, "
                 "or let it EVICT\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 2 0 a PX 50", ":0\r\n");
    pass(h, 51);
    add(h, "d", ""); /* what has expired makes room, whatever the policy */
    EXPECT_REPLY(h, 2, "VRANGE c - +", "*2\r\n$1\r\nb\r\n$1\r\nd\r\n");
    EXPECT_EQ(h->stats.evicted_elements, 1);
    EXPECT_REPLY(h, 2, "VALTER c MAXLEN 3", "+OK\r\n");
    add(h, "e", "");
    EXPECT_REPLY(h, 2, "VALTER c MAXLEN 0 MAXBYTES 1", "+OK\r\n");
    EXPECT_PART(h, 2, "VADD c VALUES 2 1 0 f", "full: MAXBYTES is 1; remove elements");
    EXPECT_REPLY(h, 2, "VALTER c MAXBYTES 0", "+OK\r\n");
    add(h, "f", "");
    harness_free(h);
}

TEST(cmd_cache, lru_keeps_what_was_shown_lately)
{
    struct harness *h = cache("VCREATE c DIM 2 MAXLEN 4 EVICT LRU");
    static const char *const looks[] = {"VGET c 1 a", "VEMB c a", "VGETATTR c a",
                                        "VSIM c ELE a FILTER \".n == 1\"", "VQUERY c \".n == 1\""};
    add(h, "a", "SETATTR '{\"n\":1}'");
    pass(h, 1000);
    char line[64];
    for (unsigned i = 0; i < 40; i++) {
        if (i > 2)
            (void)harness_run(h, 2, looks[i % COUNT_OF(looks)]);
        pass(h, 1000);
        (void)snprintf(line, sizeof(line), "e%u", i);
        add(h, line, "");
        pass(h, 1000);
    }
    EXPECT_REPLY(h, 2, "VRANGE c - +", "*4\r\n$1\r\na\r\n$3\r\ne37\r\n$3\r\ne38\r\n$3\r\ne39\r\n");
    EXPECT_PART(h, 2, "VINFO c", "+evicted\r\n:37\r\n");
    harness_free(h);
}

TEST(cmd_cache, lfu_keeps_what_is_shown_often)
{
    struct harness *h = cache("VCREATE c DIM 2 MAXLEN 4 EVICT LFU");
    add(h, "often", "");
    for (unsigned i = 0; i < 200; i++)
        (void)harness_run(h, 2, "VGET c 1 often");
    char line[64];
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(line, sizeof(line), "e%u", i);
        add(h, line, "");
        pass(h, 500);
    }
    EXPECT_REPLY(h, 2, "VISMEMBER c often", ":1\r\n");
    EXPECT_REPLY(h, 2, "VCARD c", ":4\r\n");
    harness_free(h);
}

TEST(cmd_cache, ttl_takes_what_expires_soonest_and_nothing_else)
{
    struct harness *h = cache("VCREATE c DIM 2 MAXLEN 3 EVICT TTL");
    add(h, "late", "EX 100");
    add(h, "never", "");
    add(h, "soon", "EX 10");
    add(h, "x", "EX 50");
    EXPECT_REPLY(h, 2, "VRANGE c - +", "*3\r\n$4\r\nlate\r\n$5\r\nnever\r\n$1\r\nx\r\n");
    add(h, "y", "");
    add(h, "z", "");
    EXPECT_PART(h, 2, "VADD c VALUES 2 1 1 w", "too few of its elements expire");
    EXPECT_REPLY(h, 2, "VRANGE c - +", "*3\r\n$5\r\nnever\r\n$1\r\ny\r\n$1\r\nz\r\n");
    harness_free(h);
}

TEST(cmd_cache, one_put_of_many_makes_room_for_all_of_them)
{
    enum { COUNT = 60 };
    struct harness *h = cache("VCREATE c DIM 1 MAXLEN 100 EVICT LRU METRIC L2");
    struct slice words[COUNT + 5] = {slice_of("VMADD"), slice_of("c"), slice_of("FP32"),
                                     slice_of("60")};
    char ids[COUNT][16];
    float vectors[COUNT] = {0};
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            (void)snprintf(ids[i], sizeof(ids[i]), "e%u", round * COUNT / 2 + i);
            words[4 + i] = slice_of(ids[i]);
        }
        words[4 + COUNT] = (struct slice){(const uint8_t *)vectors, sizeof(vectors)};
        struct slice reply = harness_run_args(h, 2, words, COUNT_OF(words));
        EXPECT(reply.len > 4 && memcmp(reply.ptr, "*60\r", 4) == 0);
        for (unsigned i = 0; i < COUNT; i++) {
            char line[1024];
            (void)snprintf(line, sizeof(line), "VISMEMBER c %s", ids[i]);
            EXPECT_REPLY(h, 2, line, ":1\r\n");
        }
    }
    EXPECT_REPLY(h, 2, "VCARD c", ":100\r\n");
    EXPECT_REPLY(h, 2, "VALTER c MAXLEN 59", "+OK\r\n");
    struct slice reply = harness_run_args(h, 2, words, COUNT_OF(words));
    EXPECT(reply.len > 0 && reply.ptr[0] == '-'); /* 60 never fit into 59 */
    EXPECT_REPLY(h, 2, "VCARD c", ":100\r\n");
    harness_free(h);
}

static uint64_t element_bytes(struct harness *h)
{
    static const char name[] = "+element-bytes\r\n:";
    struct slice info = harness_run(h, 2, "VINFO c");
    char text[4096];
    CHECK(info.len < sizeof(text));
    memcpy(text, info.ptr, info.len);
    text[info.len] = '\0';
    const char *at = strstr(text, name);
    CHECK(at != NULL);
    return strtoull(at + sizeof(name) - 1, NULL, 10);
}

TEST(cmd_cache, maxbytes_holds_whatever_ids_and_attributes_are_long)
{
    struct harness *h = cache("VCREATE c DIM 2 EVICT LRU MAXBYTES 20000");
    char line[1400], fill[1024];
    uint64_t most = 0;
    for (unsigned i = 0; i < 300; i++) {
        memset(fill, 'x', sizeof(fill));
        fill[i * 37 % 1000] = '\0';
        (void)snprintf(line, sizeof(line), "VADD c VALUES 2 1 1 e%u SETATTR {%s}", i % 120, fill);
        EXPECT_NO_PART(h, 2, line, "ERR");
        uint64_t bytes = element_bytes(h);
        EXPECT(bytes <= 20000);
        most = bytes > most ? bytes : most;
    }
    EXPECT(most > 17000);
    harness_free(h);
}

TEST(cmd_cache, valter_says_what_cannot_change)
{
    struct harness *h = cache("VCREATE c DIM 2 EVICT LRU MAXLEN 5");
    static const char *const words[] = {"DIM 3", "METRIC L2", "TYPE FP32"};
    char line[64];
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        (void)snprintf(line, sizeof(line), "VALTER c EF 20 %s", words[i]);
        EXPECT_PART(h, 2, line, "of a collection cannot change: ");
    }
    EXPECT_PART(h, 2, "VINFO c", "+ef\r\n:100\r\n");
    EXPECT_PART(h, 2, "VALTER c EF 0", "EF must be an integer between 1");
    EXPECT_PART(h, 2, "VALTER c MAXLEN -1", "MAXLEN must be an integer between 0");
    EXPECT_REPLY(h, 2, "VALTER c EF 20 ELEMENTTTL 1", "+OK\r\n");
    EXPECT_PART(h, 2, "VINFO c", "+ef\r\n:20\r\n");
    add(h, "a", "");
    EXPECT_REPLY(h, 2, "VALTER c ELEMENTTTL 0", "+OK\r\n");
    add(h, "b", "");
    pass(h, 1001);
    EXPECT_REPLY(h, 2, "VRANGE c - +", "*1\r\n$1\r\nb\r\n");
    EXPECT_REPLY(h, 2, "VADD set VALUES 2 1 1 a", ":1\r\n");
    EXPECT_PART(h, 2, "VALTER set EF 5", "made by VADD has no options");
    EXPECT_REPLY(h, 2, "SET s 1", "+OK\r\n");
    EXPECT_PART(h, 2, "VALTER s EF 5", "WRONGTYPE");
    harness_free(h);
}
