/* cmd_aging_test.c: elements that expire, by a clock that the test moves. */
#include "cmd/expire.h"
#include "lib/cmd_harness.h"

static void pass(struct harness *h, uint64_t ms)
{
    sim_run_for(h->sim, ms * 1000);
}

static uint64_t removed(const struct harness *h)
{
    return h->stats.expired_elements;
}

TEST(cmd_aging, an_element_is_not_shown_once_its_time_has_passed)
{
    static const struct {
        const char *line, *before, *after;
    } looks[] = {
        {"VCARD c", ":2\r\n", ":1\r\n"},
        {"VCOUNT c", ":2\r\n", ":1\r\n"},
        {"VCOUNT c \".n > 0\"", ":2\r\n", ":1\r\n"},
        {"VISMEMBER c a", ":1\r\n", ":0\r\n"},
        {"VGETATTR c a", "$7\r\n{\"n\":1}\r\n", "$-1\r\n"},
        {"VGET c 1 a RETURN 1 n", "*1\r\n*2\r\n$1\r\na\r\n*1\r\n$1\r\n1\r\n", "*1\r\n$-1\r\n"},
        {"VEMB c a", "*2\r\n$1\r\n1\r\n$1\r\n0\r\n", "$-1\r\n"},
        {"VRANGE c - +", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*1\r\n$1\r\nb\r\n"},
        {"VSCAN c 0 MATCH a", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n", "*2\r\n$1\r\n0\r\n*0\r\n"},
        {"VQUERY c \".n == 1\"", "*1\r\n$1\r\na\r\n", "*0\r\n"},
        {"VSEARCH c VALUES 2 1 0 COUNT 1", "*1\r\n$1\r\na\r\n", "*1\r\n$1\r\nb\r\n"},
        {"VSIM c VALUES 2 1 0 COUNT 1", "*1\r\n$1\r\na\r\n", "*1\r\n$1\r\nb\r\n"},
        {"VSEARCH c ELE a COUNT 1", "*1\r\n$1\r\na\r\n", "-ERR element not found in set\r\n"},
        {"VLINKS c a", NULL, "$-1\r\n"},
    };
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VCREATE c DIM 2 METRIC L2", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 a SETATTR '{\"n\":1}' PX 1000", ":1\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 0 1 b SETATTR '{\"n\":2}'", ":1\r\n");
    pass(h, 1000);
    for (size_t i = 0; i < COUNT_OF(looks); i++)
        if (looks[i].before != NULL)
            EXPECT_REPLY(h, 2, looks[i].line, looks[i].before);
    pass(h, 1);
    for (size_t i = 0; i < COUNT_OF(looks); i++)
        if (looks[i].after != NULL)
            EXPECT_REPLY(h, 2, looks[i].line, looks[i].after);
    EXPECT_REPLY(h, 2, "VRANDMEMBER c 5", "*1\r\n$1\r\nb\r\n");
    EXPECT_REPLY(h, 2, "VRANDMEMBER c", "$1\r\nb\r\n");
    EXPECT_REPLY(h, 2, "VREMWHERE c \".n == 1\"", ":0\r\n");
    EXPECT_REPLY(h, 2, "VSETATTR c a {}", ":0\r\n");
    EXPECT_REPLY(h, 2, "VREM c a", ":0\r\n");
    EXPECT_PART(h, 2, "VINFO c", "+size\r\n:1\r\n");
    EXPECT_EQ(removed(h), 0);
    EXPECT(!expire_some(&h->env));
    EXPECT_EQ(removed(h), 1);
    EXPECT_PART(h, 2, "VINFO c", "+expiring\r\n:0\r\n");
    EXPECT_REPLY(h, 2, "VCARD c", ":1\r\n");
    harness_free(h);
}

TEST(cmd_aging, counts_of_an_index_leave_out_what_has_expired)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VCREATE c DIM 2 SCHEMA n NUMERIC t TAG", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 a PX 10 SETATTR '{\"n\":1,\"t\":\"x\"}'", ":1\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 0 1 b SETATTR '{\"n\":1,\"t\":\"x\"}'", ":1\r\n");
    for (unsigned i = 0; i < 2; i++) {
        const char *one = i == 0 ? ":2\r\n" : ":1\r\n";
        EXPECT_REPLY(h, 2, "VCOUNT c \".n == 1\"", one);
        EXPECT_REPLY(h, 2, "VCOUNT c '.t == \"x\"'", one);
        EXPECT_REPLY(h, 2, "VCOUNT c '.n >= 0 and .t == \"x\"'", one);
        pass(h, 11);
    }
    EXPECT_REPLY(h, 2, "VQUERY c \".n == 1\"", "*1\r\n$1\r\nb\r\n");
    EXPECT_REPLY(h, 2, "VSEARCH c VALUES 2 1 0 FILTER '.t == \"x\"'", "*1\r\n$1\r\nb\r\n");
    EXPECT(!expire_some(&h->env));
    EXPECT_REPLY(h, 2, "VCOUNT c \".n == 1\"", ":1\r\n");
    harness_free(h);
}

TEST(cmd_aging, what_expired_leaves_nothing_to_the_one_that_takes_its_place)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 a SETATTR '{\"n\":1}' PX 10", ":1\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 d SETATTR '{\"n\":1}' PX 10", ":1\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 1 a PX 10", ":0\r\n");
    EXPECT_REPLY(h, 2, "VGETATTR c a", "$7\r\n{\"n\":1}\r\n");
    pass(h, 11);
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 a", ":1\r\n");
    EXPECT_REPLY(h, 2, "VGETATTR c a", "$-1\r\n");
    EXPECT_REPLY(
        h, 2,
        "VMADD c FP32 2 d d "
        "\"\\x00\\x00\\x80\\x3f\\x00\\x00\\x80\\x3f\\x00\\x00\\x80\\x3f\\x00\\x00\\x00\\x00\"",
        "*2\r\n:1\r\n:0\r\n");
    EXPECT_REPLY(h, 2, "VGETATTR c d", "$-1\r\n");
    pass(h, 100);
    EXPECT_REPLY(h, 2, "VCARD c", ":2\r\n"); /* the new ones have no time */
    harness_free(h);
}

TEST(cmd_aging, a_put_says_when_or_the_collection_does)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VCREATE c DIM 2 ELEMENTTTL 2", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 a", ":1\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 b EX 7", ":1\r\n");
    EXPECT_REPLY(h, 2, "VMADD c FP32 1 d \"\\x00\\x00\\x80\\x3f\\x00\\x00\\x00\\x00\" PX 500",
                 "*1\r\n:1\r\n");
    pass(h, 100);
    EXPECT_REPLY(
        h, 2, "VGET c 3 a b d WITHTTL RETURN 1 n",
        "*3\r\n*3\r\n$1\r\na\r\n*1\r\n$-1\r\n:1900\r\n*3\r\n$1\r\nb\r\n*1\r\n$-1\r\n:6900\r\n"
        "*3\r\n$1\r\nd\r\n*1\r\n$-1\r\n:400\r\n");
    EXPECT_PART(h, 2, "VINFO c", "+element-ttl\r\n:2\r\n");
    pass(h, 2000);
    EXPECT_REPLY(h, 2, "VRANGE c - +", "*1\r\n$1\r\nb\r\n");
    EXPECT_REPLY(h, 2, "VCREATE e DIM 2", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VADD e VALUES 2 1 0 past PXAT 1", ":1\r\n");
    EXPECT_REPLY(h, 2, "VCARD e", ":0\r\n");
    EXPECT_REPLY(h, 2, "VADD e VALUES 2 1 0 x SETATTR '{\"n\":3}'", ":1\r\n");
    EXPECT_REPLY(h, 2, "VQUERY e \".n == 3\" WITHTTL", "*1\r\n*2\r\n$1\r\nx\r\n:-1\r\n");
    EXPECT_REPLY(h, 2, "VADD e VALUES 2 1 0 x EX 0",
                 "-ERR invalid expire time in 'VADD' command\r\n");
    EXPECT_REPLY(h, 2, "VADD e VALUES 2 1 0 x EX 1 PX 1", "-ERR syntax error\r\n");
    EXPECT_PART(h, 2, "VCREATE f DIM 2 ELEMENTTTL -1", "ELEMENTTTL must be an integer between 0");
    EXPECT_PART(h, 2, "VCREATE f DIM 2 ELEMENTTTL 2147483648", "ELEMENTTTL must be an integer");
    EXPECT_REPLY(h, 2, "VCREATE f DIM 2 ELEMENTTTL 2147483647", "+OK\r\n");
    harness_free(h);
}

TEST(cmd_aging, nx_and_xx_keep_elements_out)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VCREATE c DIM 2", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 a XX", "$-1\r\n");
    EXPECT_REPLY(h, 3, "VADD c VALUES 2 1 0 a NX PX 10", "#t\r\n");
    EXPECT_REPLY(h, 3, "VADD c VALUES 2 0 1 a NX", "_\r\n");
    EXPECT_REPLY(h, 3, "VADD c VALUES 2 1 0 a XX PX 10", "#f\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 a NX XX", "-ERR NX and XX contradict each other\r\n");
    EXPECT_REPLY(h, 2, "VADD none VALUES 2 1 0 a XX", "$-1\r\n");
    EXPECT_REPLY(h, 2, "EXISTS none", ":0\r\n");
#define TWO "\"\\x00\\x00\\x80\\x3f\\x00\\x00\\x80\\x3f\\x00\\x00\\x80\\x3f\\x00\\x00\\x00\\x00\""
    EXPECT_REPLY(h, 2, "VMADD c FP32 2 a b " TWO " XX", "*2\r\n:0\r\n$-1\r\n");
    EXPECT_REPLY(h, 2, "VMADD c FP32 2 b b " TWO " NX", "*2\r\n:1\r\n$-1\r\n");
#undef TWO
    pass(h, 11);
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 b NX", "$-1\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 a NX PX 10", "$-1\r\n"); /* VMADD gave it no time */
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 a PX 10", ":0\r\n");
    pass(h, 11);
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 a XX", "$-1\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 a NX", ":1\r\n");
    harness_free(h);
}

TEST(cmd_aging, elements_of_many_collections_go_in_slices_and_implicit_sets_with_the_last)
{
    enum { COLLECTIONS = 30, ELEMENTS = 100 };
    struct harness *h = harness_new();
    char line[100];
    for (unsigned c = 0; c < COLLECTIONS; c++) {
        for (unsigned e = 0; e < ELEMENTS; e++) {
            (void)snprintf(line, sizeof(line), "VADD c%u VALUES 2 1 0 e%u PX %u", c, e, 1000 + e);
            EXPECT_REPLY(h, 2, line, ":1\r\n");
        }
    }
    EXPECT_REPLY(h, 2, "VADD c7 VALUES 2 1 0 stays", ":1\r\n");
    EXPECT_REPLY(h, 2, "RENAME c8 other", "+OK\r\n");
    EXPECT_REPLY(h, 2, "DEL c9", ":1\r\n");
    EXPECT(!expire_some(&h->env));
    pass(h, 5000);
    for (unsigned i = 0; i < 10000 && expire_some(&h->env); i++)
        pass(h, 1);
    EXPECT_EQ(removed(h), (COLLECTIONS - 1) * ELEMENTS);
    EXPECT_REPLY(h, 2, "DBSIZE", ":1\r\n");
    EXPECT_REPLY(h, 2, "VRANGE c7 - +", "*1\r\n$5\r\nstays\r\n");
    harness_free(h);
}
