/* cmd_timeout_test.c: TIMEOUT of searches, by a clock that goes on by a millisecond whenever it is
 * read: a search reads it after every few hundred rows, so where it ends does not depend on the
 * machine. */
#include <stdlib.h>
#include <string.h>

#include "lib/cmd_harness.h"

enum { ROWS = 5000, TICK_US = 1000 };

/* owner: the test */
struct ticking {
    struct io_ops ops;
    const struct io_ops *before;
    struct io *io;
    uint64_t passed_us;
};

static struct ticking slow;

static uint64_t tick(struct io *io)
{
    slow.passed_us += TICK_US;
    return slow.before->mono_us(io) + slow.passed_us;
}

static void start_ticking(struct harness *h)
{
    slow = (struct ticking){.io = h->db.io, .before = h->db.io->ops, .ops = *h->db.io->ops};
    slow.ops.mono_us = tick;
    h->db.io->ops = &slow.ops;
}

static void stop_ticking(void)
{
    slow.io->ops = slow.before;
}

/* Elements 0, 1, 2 ... on a line. */
static struct harness *line_of(const char *create)
{
    struct harness *h = harness_new();
    char text[128];
    EXPECT_REPLY(h, 2, create, "+OK\r\n");
    for (int i = 0; i < ROWS; i++) {
        (void)snprintf(text, sizeof(text), "VADD c VALUES 2 %d 0 %d SETATTR '{\"n\":%d}'", i, i, i);
        EXPECT_REPLY(h, 2, text, ":1\r\n");
    }
    return h;
}

/* The element that a reply names after what it begins with; -1: it begins otherwise. */
static long named(struct slice reply, const char *start)
{
    char text[256] = "";
    size_t len = strlen(start);
    memcpy(text, reply.ptr, reply.len < sizeof(text) ? reply.len : sizeof(text) - 1);
    if (strncmp(text, start, len) != 0)
        return -1;
    const char *id = strstr(text + len, "\r\n");
    return id == NULL ? -1 : strtol(id + 2, NULL, 10);
}

/* All rows are nearer the later they come: what is best of some is the last of them. */
TEST(cmd_timeout, a_scan_ends_with_the_best_so_far)
{
    struct harness *h = line_of("VCREATE c DIM 2 METRIC L2 INDEX FLAT");
    for (int proto = 2; proto <= 3; proto++) {
        start_ticking(h);
        struct slice r = harness_run(h, proto, "VSEARCH c VALUES 2 9999 0 COUNT 1 TIMEOUT 5");
        EXPECT(reply_is_well_formed(r, proto));
        long best = named(r, "*2\r\n+partial\r\n*1\r\n$");
        EXPECT(best >= 511 && best < 5 * 512);
        r = harness_run(h, proto, "VSEARCH c VALUES 2 9999 0 COUNT 1 TIMEOUT 100");
        EXPECT_EQ(named(r, "*2\r\n+complete\r\n*1\r\n$"), ROWS - 1);
        stop_ticking();
    }
    harness_free(h);
}

TEST(cmd_timeout, without_time_there_are_no_hits)
{
    struct harness *h = line_of("VCREATE c DIM 2 METRIC L2 INDEX FLAT");
    start_ticking(h);
    EXPECT_REPLIES(h, "VSEARCH c VALUES 2 9999 0 TIMEOUT 1", "*2\r\n+partial\r\n*0\r\n");
    stop_ticking();
    harness_free(h);
}

TEST(cmd_timeout, a_filtered_search_and_a_query_end_so_too)
{
    struct harness *h = line_of("VCREATE c DIM 2 METRIC L2 INDEX FLAT");
    start_ticking(h);
    struct slice r =
        harness_run(h, 3, "VSEARCH c VALUES 2 9999 0 COUNT 1 FILTER '.n >= 10' TIMEOUT 5");
    long best = named(r, "*2\r\n+partial\r\n*1\r\n$");
    EXPECT(best >= 511 && best < 5 * 512);
    r = harness_run(h, 2, "VQUERY c '.n >= 0' SORTBY n DESC COUNT 1 TIMEOUT 5");
    best = named(r, "*2\r\n+partial\r\n*1\r\n$");
    EXPECT(best > 0 && best < ROWS - 1);
    stop_ticking();
    harness_free(h);
}

/* The time is that of all queries: those behind the one that was cut find nothing. */
TEST(cmd_timeout, of_many_queries_each_says_how_it_ended)
{
    struct harness *h = line_of("VCREATE c DIM 2 METRIC L2 INDEX FLAT");
    const float queries[4] = {9999, 0, 9999, 0};
    struct slice argv[] = {slice_of("VMSEARCH"), slice_of("c"),
                           slice_of("2"),        {(const uint8_t *)queries, sizeof(queries)},
                           slice_of("COUNT"),    slice_of("1"),
                           slice_of("TIMEOUT"),  slice_of("5")};
    start_ticking(h);
    struct slice r = harness_run_args(h, 3, argv, COUNT_OF(argv));
    long best = named(r, "*2\r\n*2\r\n+partial\r\n*1\r\n$");
    EXPECT(best >= 511 && best < 5 * 512);
    static const char rest[] = "*2\r\n+partial\r\n*0\r\n";
    EXPECT(r.len > sizeof(rest) &&
           memcmp(r.ptr + r.len - (sizeof(rest) - 1), rest, sizeof(rest) - 1) == 0);
    stop_ticking();
    harness_free(h);
}

TEST(cmd_timeout, a_walk_ends_with_the_best_so_far)
{
    struct harness *h = line_of("VCREATE c DIM 2 METRIC L2 INDEX HNSW M 4");
    EXPECT_PART(h, 2, "VLINKS c 0", "*"); /* when all are linked */
    start_ticking(h);
    struct slice r = harness_run(h, 2, "VSEARCH c VALUES 2 9999 0 COUNT 1 EF 600 TIMEOUT 7");
    long best = named(r, "*2\r\n+partial\r\n*1\r\n$");
    EXPECT(best >= 0 && best < ROWS);
    r = harness_run(h, 2, "VSEARCH c VALUES 2 9999 0 COUNT 1 EF 600 TIMEOUT 3600000");
    EXPECT_EQ(named(r, "*2\r\n+complete\r\n*1\r\n$"), ROWS - 1);
    stop_ticking();
    harness_free(h);
}

/* -- FT queries -------------------------------------------------------------------------------- */

static struct harness *index_of(int rows)
{
    struct harness *h = harness_new();
    char text[64];
    EXPECT_REPLY(h, 2, "FT.CREATE i SCHEMA n NUMERIC", "+OK\r\n");
    for (int i = 0; i < rows; i++) {
        (void)snprintf(text, sizeof(text), "HSET %d n %d", i, i);
        EXPECT_REPLY(h, 2, text, ":1\r\n");
    }
    return h;
}

static const char late_text[] = "Timeout limit was reached";
#define SEARCH_LATE "FT.SEARCH i * SORTBY n DESC LIMIT 0 1 NOCONTENT"
#define AGGREGATE_LATE "FT.AGGREGATE i * GROUPBY 1 @n LIMIT 0 1"

static bool says_late(struct slice reply)
{
    return memmem(reply.ptr, reply.len, late_text, sizeof(late_text) - 1) != NULL;
}

TEST(cmd_timeout, an_ft_query_shows_what_it_has_and_resp3_says_so)
{
    struct harness *h = index_of(ROWS);
    struct slice r = harness_run(h, 3, SEARCH_LATE " TIMEOUT 5");
    EXPECT(!says_late(r)); /* the clock stands */
    start_ticking(h);
    EXPECT(says_late(harness_run(h, 3, SEARCH_LATE " TIMEOUT 5")));
    EXPECT(says_late(harness_run(h, 3, AGGREGATE_LATE " TIMEOUT 5")));
    r = harness_run(h, 2, SEARCH_LATE " TIMEOUT 5");
    EXPECT(r.ptr[0] == '*' && !says_late(r));
    stop_ticking();
    harness_free(h);
}

TEST(cmd_timeout, an_ft_query_fails_where_it_is_told_to)
{
    struct harness *h = index_of(ROWS);
    EXPECT_REPLY(h, 2, "FT.CONFIG SET ON_TIMEOUT FAIL", "+OK\r\n");
    EXPECT_PART(h, 2, "FT.CONFIG GET ON_TIMEOUT", "$4\r\nfail\r\n");
    start_ticking(h);
    EXPECT_REPLY(h, 2, SEARCH_LATE " TIMEOUT 5", "-Timeout limit was reached\r\n");
    EXPECT_REPLY(h, 3, AGGREGATE_LATE " TIMEOUT 5", "-Timeout limit was reached\r\n");
    EXPECT_REPLY(h, 2, AGGREGATE_LATE " WITHCURSOR TIMEOUT 5", "-Timeout limit was reached\r\n");
    EXPECT_PART(h, 2, SEARCH_LATE, "*2\r\n:5000\r\n");
    stop_ticking();
    harness_free(h);
}

TEST(cmd_timeout, an_ft_query_has_the_time_that_is_configured_unless_it_says_another)
{
    struct harness *h = index_of(ROWS);
    EXPECT_REPLY(h, 2, "FT.CONFIG SET ON_TIMEOUT fail", "+OK\r\n");
    EXPECT_REPLY(h, 2, "FT.CONFIG SET TIMEOUT 5", "+OK\r\n");
    start_ticking(h);
    EXPECT_REPLY(h, 2, SEARCH_LATE, "-Timeout limit was reached\r\n");
    EXPECT_PART(h, 2, SEARCH_LATE " TIMEOUT 0", "*2\r\n:5000\r\n");
    EXPECT_PART(h, 2, SEARCH_LATE " TIMEOUT 3600000", "*2\r\n:5000\r\n");
    stop_ticking();
    harness_free(h);
}
