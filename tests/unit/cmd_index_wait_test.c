/* Writes of keys that an index covers wait, as VADD does, when rows to be linked are too many. */
#include <stdio.h>

#include "db/indexes.h"
#include "lib/cmd_harness.h"

#define OK_ "+OK\r\n"

/* Every row that is not linked yet is one too many. */
static struct harness *open_index(const char *kind)
{
    char line[160];
    struct harness *h = harness_new();
    h->config.pending_scan_bytes = 0;
    h->config.flat_rows_max = 0;
    harness_reconfigure(h);
    (void)snprintf(line, sizeof(line),
                   "FT.CREATE i PREFIX 1 d: SCHEMA v VECTOR %s 6 TYPE FLOAT32 DIM 2 "
                   "DISTANCE_METRIC L2",
                   kind);
    EXPECT_REPLY(h, 2, line, OK_);
    return h;
}

static void run_line(struct harness *h, const char *line)
{
    struct slice argv[8];
    size_t argc = 0;
    buf_clear(&h->client->out, SIZE_MAX);
    for (const char *at = line; *at != '\0';) {
        size_t size = strcspn(at, " ");
        REQUIRE(argc < COUNT_OF(argv));
        argv[argc++] = (struct slice){(const uint8_t *)at, size};
        at += size + (at[size] == ' ');
    }
    command_run(&h->env, h->client, argv, argc);
}

static void expect_wait(struct harness *h, const char *line, uint64_t waited, const char *reply)
{
    run_line(h, line);
    EXPECT(h->client->blocked);
    EXPECT_EQ(h->client->held_from, 0);
    EXPECT_EQ(h->stats.writes_waited_pending, waited);
    sim_run_for(h->sim, 1000 * 1000);
    EXPECT(!h->client->blocked);
    EXPECT(slice_eq(buf_slice(&h->client->out), slice_of(reply)));
}

TEST(cmd_index_wait, replies_wait_until_rows_are_linked)
{
    struct harness *h = open_index("HNSW");
    expect_wait(h, "HSET d:1 v aaa?bbb?", 1, ":1\r\n");
    EXPECT_REPLY(h, 2, "HSET other v aaa?bbb?", ":1\r\n");
    EXPECT_REPLY(h, 2, "HSET d:1 tag x", ":1\r\n"); /* its vector stays linked */
    expect_wait(h, "RENAME other d:2", 2, OK_);
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    EXPECT_REPLY(h, 2, "HSET d:3 v ccc?ddd?", "+QUEUED\r\n");
    EXPECT_REPLY(h, 2, "DEL d:1", "+QUEUED\r\n");
    expect_wait(h, "EXEC", 3, "*2\r\n:1\r\n:1\r\n");
    /* An index that went in the same transaction makes nobody wait. */
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    EXPECT_REPLY(h, 2, "HSET d:4 v eee?fff?", "+QUEUED\r\n");
    EXPECT_REPLY(h, 2, "FT.DROPINDEX i", "+QUEUED\r\n");
    EXPECT_REPLY(h, 2, "EXEC", "*2\r\n:1\r\n+OK\r\n");
    EXPECT_EQ(h->stats.writes_waited_pending, 3);
    harness_free(h);
}

/* Rows that come of keys which were there before hold up nobody who writes now. */
TEST(cmd_index_wait, an_index_over_many_keys_makes_no_writer_wait)
{
    enum { KEYS = 3000, PENDING_ROWS = 100 };
    struct harness *h = harness_new();
    char line[64];
    h->config.flat_rows_max = 0;
    harness_reconfigure(h);
    for (unsigned i = 0; i < KEYS; i++) {
        (void)snprintf(line, sizeof(line), "HSET d:%u v %c%ca?%c%cb?", i, 'a' + i % 26,
                       'a' + i / 26 % 26, 'a' + i / 676, 'z' - i % 26);
        EXPECT_REPLY(h, 2, line, ":1\r\n");
    }
    EXPECT_REPLY(h, 2,
                 "FT.CREATE i PREFIX 1 d: SCHEMA v VECTOR HNSW 6 TYPE FLOAT32 DIM 2 "
                 "DISTANCE_METRIC L2",
                 OK_);
    const struct key_index *x = indexes_find(&h->db, slice_of("i"));
    const struct collection *c = x->vectors[0];
    h->config.pending_scan_bytes = PENDING_ROWS * c->side->codec.row_size;
    harness_reconfigure(h);
    while (x->scans)
        sim_run_for(h->sim, 100);
    REQUIRE(pending_count(&c->side->pending) > PENDING_ROWS);
    run_line(h, "HSET d:new v aaa?bbb?");
    EXPECT(!h->client->blocked);
    EXPECT_EQ(h->stats.writes_waited_pending, 0);
    sim_run_for(h->sim, 10 * 1000 * 1000);
    EXPECT_EQ(pending_count(&c->side->pending), 0);
    EXPECT_EQ(c->side->pending_owed, 0);
    harness_free(h);
}

TEST(cmd_index_wait, what_has_no_graph_waits_for_none)
{
    struct harness *h = open_index("FLAT");
    EXPECT_REPLY(h, 2, "HSET d:1 v aaa?bbb?", ":1\r\n");
    EXPECT_EQ(h->stats.writes_waited_pending, 0);
    harness_free(h);
}
