/* cmd_partition_test.c: partitions at their limits, and what is dropped while it is still there. */
#include <stdio.h>

#include "lib/cmd_harness.h"
#include "sim/inspect.h"

static void pass(struct harness *h, uint64_t ms)
{
    sim_run_for(h->sim, ms * 1000);
}

static struct harness *with_parts(const char *create)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, create, "+OK\r\n");
    EXPECT_REPLY(h, 2, "VPARTITION CREATE c red", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VPARTITION CREATE c blue", "+OK\r\n");
    return h;
}

static void add(struct harness *h, const char *id, const char *options)
{
    char line[192];
    (void)snprintf(line, sizeof(line), "VADD c VALUES 2 1 1 %s %s", id, options);
    EXPECT_REPLY(h, 2, line, ":1\r\n");
}

/* Do all books agree? quiet: and is nothing left to do? */
static void expect_sound(struct harness *h, bool quiet)
{
    const char *broken = inspect_db(&h->db, quiet);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, "%s", broken);
}

static void finish(struct harness *h)
{
    h->db.background.paused = false;
    background_go_on(&h->db.background);
    pass(h, 2000);
    expect_sound(h, true);
    harness_free(h);
}

TEST(cmd_partition, there_are_as_many_as_the_limit_says)
{
    struct harness *h = with_parts("VCREATE c DIM 2");
    char line[64];
    for (unsigned i = 3; i < LIMIT_PARTITIONS; i++) {
        (void)snprintf(line, sizeof(line), "VPARTITION CREATE c p%u", i);
        EXPECT_REPLY(h, 2, line, "+OK\r\n");
    }
    EXPECT_REPLY(h, 2, "VPARTITION CREATE c more",
                 "-ERR a collection has at most 1024 partitions, with _default\r\n");
    EXPECT_REPLY(h, 2, "VPARTITION CREATE c red IFNOTEXISTS", "+OK\r\n");
    EXPECT_PART(h, 2, "VINFO c", "+partitions\r\n:1024\r\n");
    EXPECT_REPLY(h, 2, "VPARTITION DROP c p77", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VPARTITION CREATE c more", "+OK\r\n");
    finish(h);
}

TEST(cmd_partition, a_search_names_as_many_as_the_limit_says)
{
    struct harness *h = with_parts("VCREATE c DIM 2");
    struct slice words[4 + LIMIT_PARTITIONS + 1];
    char count[16];
    add(h, "a", "PARTITION red");
    words[0] = slice_of("VCOUNT");
    words[1] = slice_of("c");
    words[2] = slice_of("PARTITION");
    for (unsigned i = 0; i <= LIMIT_PARTITIONS; i++)
        words[4 + i] = slice_of(i % 2 == 0 ? "red" : "blue");
    for (unsigned more = 0; more < 2; more++) {
        (void)snprintf(count, sizeof(count), "%u", LIMIT_PARTITIONS + more);
        words[3] = slice_of(count);
        struct slice reply = harness_run_args(h, 2, words, 4 + LIMIT_PARTITIONS + more);
        EXPECT(slice_eq(reply,
                        slice_of(more == 0 ? ":1\r\n" : "-ERR PARTITION: at most 1024 names\r\n")));
    }
    finish(h);
}

TEST(cmd_partition, names_are_as_long_as_the_limit_says)
{
    struct harness *h = with_parts("VCREATE c DIM 2");
    char line[LIMIT_PARTITION_NAME + 64], name[LIMIT_PARTITION_NAME + 2];
    memset(name, 'n', sizeof(name));
    name[LIMIT_PARTITION_NAME + 1] = '\0';
    (void)snprintf(line, sizeof(line), "VPARTITION CREATE c %s", name);
    EXPECT_REPLY(h, 2, line,
                 "-ERR the name of a partition is 1 to 255 letters, digits, '_', '-' and '.'\r\n");
    name[LIMIT_PARTITION_NAME] = '\0';
    (void)snprintf(line, sizeof(line), "VPARTITION CREATE c %s", name);
    EXPECT_REPLY(h, 2, line, "+OK\r\n");
    EXPECT_PART(h, 2, line, "exists already");
    (void)snprintf(line, sizeof(line), "VPARTITION DROP c %s", name);
    EXPECT_REPLY(h, 2, line, "+OK\r\n");
    finish(h);
}

TEST(cmd_partition, what_is_dropped_is_gone_at_once_and_dies_later)
{
    struct harness *h = with_parts("VCREATE c DIM 2 METRIC L2");
    add(h, "a", "PARTITION red SETATTR '{\"n\":1}'");
    add(h, "b", "PARTITION red");
    add(h, "kept", "");
    h->db.background.paused = true;
    EXPECT_REPLY(h, 2, "VPARTITION DROP c red", "+OK\r\n");
    pass(h, 1000);
    EXPECT_REPLY(h, 2, "VCARD c", ":1\r\n");
    EXPECT_REPLY(h, 2, "VGET c 2 a kept", "*2\r\n$-1\r\n*2\r\n$4\r\nkept\r\n$-1\r\n");
    EXPECT_REPLY(h, 2, "VISMEMBER c b", ":0\r\n");
    EXPECT_REPLY(h, 2, "VREM c a b", ":0\r\n");
    EXPECT_REPLY(h, 2, "VSETATTR c a '{}'", ":0\r\n");
    EXPECT_REPLY(h, 2, "VRANGE c - +", "*1\r\n$4\r\nkept\r\n");
    EXPECT_REPLY(h, 2, "VRANDMEMBER c 5", "*1\r\n$4\r\nkept\r\n");
    EXPECT_REPLY(h, 2, "VSCAN c 0", "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nkept\r\n");
    EXPECT_REPLY(h, 2, "VSEARCH c VALUES 2 1 1", "*1\r\n$4\r\nkept\r\n");
    EXPECT_REPLY(h, 2, "VCOUNT c '.n == 1'", ":0\r\n");
    EXPECT_PART(h, 2, "VINFO c", "+attributes-count\r\n:0\r\n");
    expect_sound(h, false);
    /* Nothing is inherited from what was dropped, wherever it goes. */
    add(h, "a", "PARTITION blue");
    EXPECT_REPLY(h, 2, "VGETATTR c a", "$-1\r\n");
    EXPECT_REPLY(h, 2, "VPARTITION CREATE c red", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VCOUNT c PARTITION 1 red", ":0\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 1 b XX", "$-1\r\n");
    add(h, "b", "PARTITION red NX");
    expect_sound(h, false);
    finish(h);
}

TEST(cmd_partition, times_and_limits_do_not_count_what_is_dropped)
{
    struct harness *h = with_parts("VCREATE c DIM 2 MAXLEN 3");
    add(h, "a", "PARTITION red PX 50");
    add(h, "b", "PARTITION red PX 500000");
    add(h, "c", "PARTITION blue PX 60");
    h->db.background.paused = true;
    EXPECT_PART(h, 2, "VADD c VALUES 2 1 1 d", "full: MAXLEN is 3");
    EXPECT_REPLY(h, 2, "VPARTITION DROP c red", "+OK\r\n");
    add(h, "d", "");
    add(h, "e", "");
    EXPECT_PART(h, 2, "VADD c VALUES 2 1 1 f", "full: MAXLEN is 3");
    pass(h, 55); /* what was dropped expires, and is counted once */
    EXPECT_REPLY(h, 2, "VCARD c", ":3\r\n");
    pass(h, 10);
    EXPECT_REPLY(h, 2, "VCARD c", ":2\r\n");
    EXPECT_REPLY(h, 2, "VPARTITION LIST c", "*4\r\n$8\r\n_default\r\n:2\r\n$4\r\nblue\r\n:0\r\n");
    add(h, "f", "");
    expect_sound(h, false);
    finish(h);
}

TEST(cmd_partition, numbers_go_round_and_are_taken_from_what_is_dying)
{
    struct harness *h = harness_new();
    char line[64];
    EXPECT_REPLY(h, 2, "VCREATE c DIM 2", "+OK\r\n");
    h->db.background.paused = true;
    for (unsigned i = 0; i < PARTITION_NUMBERS + 10; i++) {
        (void)snprintf(line, sizeof(line), "VPARTITION CREATE c p%u", i);
        EXPECT_REPLY(h, 2, line, "+OK\r\n");
        (void)snprintf(line, sizeof(line), "e%u", i);
        char option[64];
        (void)snprintf(option, sizeof(option), "PARTITION p%u", i);
        add(h, line, option);
        (void)snprintf(line, sizeof(line), "VPARTITION DROP c p%u", i);
        EXPECT_REPLY(h, 2, line, "+OK\r\n");
    }
    EXPECT_REPLY(h, 2, "VCARD c", ":0\r\n");
    expect_sound(h, false);
    finish(h);
}

TEST(cmd_partition, goes_with_its_collection_by_any_name)
{
    struct harness *h = with_parts("VCREATE c DIM 2");
    add(h, "a", "PARTITION red");
    EXPECT_REPLY(h, 2, "RENAME c d", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VGET d 1 a WITHPARTITION", "*1\r\n*3\r\n$1\r\na\r\n$-1\r\n$3\r\nred\r\n");
    EXPECT_REPLY(h, 2, "COPY d c", ":1\r\n");
    EXPECT_REPLY(h, 2, "VPARTITION DROP d red", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VCOUNT c PARTITION 1 red", ":1\r\n");
    EXPECT_REPLY(h, 2, "PEXPIRE c 50", ":1\r\n");
    pass(h, 60);
    EXPECT_PART(h, 2, "VPARTITION LIST c", "no such collection");
    EXPECT_REPLY(h, 2, "VPARTITION LIST d", "*4\r\n$8\r\n_default\r\n:0\r\n$4\r\nblue\r\n:0\r\n");
    finish(h);
}

TEST(cmd_partition, changes_break_a_watch_and_are_one_with_others_in_a_transaction)
{
    struct harness *h = with_parts("VCREATE c DIM 2 METRIC L2");
    EXPECT_REPLY(h, 2, "WATCH c", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VPARTITION CREATE c green", "+OK\r\n");
    EXPECT_REPLY(h, 2, "MULTI", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VCARD c", "+QUEUED\r\n");
    EXPECT_REPLY(h, 2, "EXEC", "*-1\r\n");
    uint64_t before = h->db.log.last_lsn;
    EXPECT_REPLY(h, 2, "MULTI", "+OK\r\n");
    static const char *const lines[] = {"VADD c VALUES 2 1 1 a PARTITION red",
                                        "VPARTITION DROP c red",
                                        "VCARD c",
                                        "VPARTITION CREATE c red",
                                        "VADD c VALUES 2 1 2 a PARTITION red",
                                        "VSEARCH c VALUES 2 0 0 PARTITION 1 red WITHDIST"};
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        EXPECT_REPLY(h, 2, lines[i], "+QUEUED\r\n");
    EXPECT_REPLY(h, 2, "EXEC",
                 "*6\r\n:1\r\n+OK\r\n:0\r\n+OK\r\n:1\r\n*1\r\n*2\r\n$1\r\na\r\n$1\r\n5\r\n");
    EXPECT_EQ(h->db.log.last_lsn, before + 1);
    finish(h);
}
