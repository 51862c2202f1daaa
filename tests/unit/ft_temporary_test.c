/* FT.CREATE TEMPORARY: an index that nobody uses goes, with its documents. */
#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "cmd/expire.h"
#include "lib/cmd_harness.h"

enum { SECOND_US = 1000 * 1000 };

static void pass(struct harness *h, uint64_t us)
{
    sim_run_for(h->sim, us);
    while (expire_some(&h->env))
        continue;
}

static struct harness *open_index(void)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "FT.CREATE i PREFIX 1 d: TEMPORARY 10 SCHEMA t TEXT", "+OK\r\n");
    EXPECT_REPLY(h, 2, "FT.CREATE stays PREFIX 1 e: SCHEMA t TEXT", "+OK\r\n");
    EXPECT_REPLY(h, 2, "HSET d:1 t hello", ":1\r\n");
    EXPECT_REPLY(h, 2, "HSET e:1 t hello", ":1\r\n");
    return h;
}

static void expect_gone(struct harness *h)
{
    EXPECT_REPLIES(h, "FT.SEARCH i hello", "-Unknown index name: i: no such index\r\n");
    EXPECT_REPLY(h, 2, "FT._LIST", "*1\r\n$5\r\nstays\r\n");
    EXPECT_REPLY(h, 2, "EXISTS d:1 e:1", ":1\r\n");
}

TEST(ft_temporary, goes_with_its_documents_when_nobody_uses_it)
{
    struct harness *h = open_index();
    pass(h, 9 * SECOND_US);
    EXPECT_REPLY(h, 2, "FT.SEARCH i hello NOCONTENT", "*2\r\n:1\r\n$3\r\nd:1\r\n");
    pass(h, 2 * SECOND_US); /* eleven since it was made */
    EXPECT_REPLY(h, 2, "EXISTS d:1", ":1\r\n");
    pass(h, 7 * SECOND_US);
    EXPECT_REPLY(h, 2, "HSET d:2 t world", ":1\r\n"); /* a document is a use, too */
    pass(h, 9 * SECOND_US);
    EXPECT_REPLY(h, 2, "EXISTS d:1", ":1\r\n");
    EXPECT_REPLY(h, 2, "HSET other t world", ":1\r\n");
    pass(h, SECOND_US + 1000);
    expect_gone(h);
    EXPECT_REPLY(h, 2, "EXISTS d:2 other", ":1\r\n");
    pass(h, 1000ull * SECOND_US);
    EXPECT_REPLY(h, 2, "FT.SEARCH stays hello NOCONTENT", "*2\r\n:1\r\n$3\r\ne:1\r\n");
    harness_free(h);
}

/* More documents than a slice removes: from its first one on nobody sees the index. */
TEST(ft_temporary, is_gone_as_a_whole)
{
    enum { MANY = 3000 };
    struct harness *h = open_index();
    char line[64];
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(line, sizeof(line), "HSET d:%u t hello", i);
        (void)harness_run(h, 2, line);
    }
    EXPECT_REPLY(h, 2, "FT.ALIASADD other i", "+OK\r\n");
    sim_run_for(h->sim, 10ull * SECOND_US);
    unsigned slices = 1;
    for (; expire_some(&h->env); slices++) {
        EXPECT_REPLY(h, 2, "FT._LIST", "*1\r\n$5\r\nstays\r\n");
        EXPECT_REPLY(h, 2, "FT.SEARCH other hello",
                     "-Unknown index name: other: no such index\r\n");
    }
    EXPECT(slices > 1);
    expect_gone(h);
    EXPECT_REPLY(h, 2, "DBSIZE", ":1\r\n");
    EXPECT_REPLY(h, 2, "FT.CREATE i PREFIX 1 d: TEMPORARY 10 SCHEMA t TEXT", "+OK\r\n");
    harness_free(h);
}

TEST(ft_temporary, alter_keeps_it_temporary)
{
    struct harness *h = open_index();
    pass(h, 5 * SECOND_US);
    EXPECT_REPLY(h, 2, "FT.ALTER i SCHEMA ADD n NUMERIC", "+OK\r\n");
    pass(h, 9 * SECOND_US);
    EXPECT_REPLY(h, 2, "EXISTS d:1", ":1\r\n");
    pass(h, 2 * SECOND_US);
    expect_gone(h);
    harness_free(h);
}

TEST(ft_temporary, has_limits)
{
    struct harness *h = harness_new();
    char line[128];
    for (uint64_t over = 0; over < 2; over++) {
        (void)snprintf(line, sizeof(line),
                       "FT.CREATE j%" PRIu64 " TEMPORARY %" PRIu64 " SCHEMA t TEXT", over,
                       (uint64_t)LIMIT_ELEMENT_TTL_S + over);
        EXPECT((harness_run(h, 2, line).ptr[0] == '-') == (over == 1));
    }
    EXPECT_REPLY(h, 2, "FT.CREATE i TEMPORARY 0 SCHEMA t TEXT",
                 "-Bad arguments for TEMPORARY: Value is outside acceptable bounds\r\n");
    EXPECT_REPLY(h, 2, "FT.CREATE i TEMPORARY x SCHEMA t TEXT",
                 "-Bad arguments for TEMPORARY: Could not convert argument to expected type\r\n");
    EXPECT_REPLY(h, 2, "FT.CREATE i TEMPORARY 1 SCHEMA t TEXT", "+OK\r\n");
    harness_free(h);
}
