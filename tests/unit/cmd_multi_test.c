/* cmd_multi_test.c: transactions, as far as a test against redis-server cannot see them: records,
 * limits, memory, time, searches. */
#include <stdlib.h>

#include "base/limits.h"
#include "cmd/expire.h"
#include "db/batch.h"
#include "lib/cmd_harness.h"

#define OK_ "+OK\r\n"
#define QUEUED "+QUEUED\r\n"
#define NULL_ARRAY "*-1\r\n"

struct fixture {
    struct mlog_sink sink;
    struct harness *h;
    struct client *first, *second;
    struct buf record; /* the last one */
    uint64_t records;
    bool refuses;
};

static void on_record(struct mlog_sink *sink, uint64_t lsn, struct slice record)
{
    struct fixture *f = (struct fixture *)sink;
    EXPECT_EQ(lsn, f->h->db.log.last_lsn);
    buf_clear(&f->record, 0);
    buf_append_slice(&f->record, record);
    f->records++;
}

static uint64_t stable(const struct mlog_sink *sink)
{
    (void)sink;
    return UINT64_MAX;
}

static bool accepts(const struct mlog_sink *sink)
{
    return !((const struct fixture *)sink)->refuses;
}

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){.sink = {.on_record = on_record, .stable = stable, .accepts = accepts},
                          .record = BUF_INIT(MEM_TEST)};
    f->h = harness_new();
    f->first = f->h->client;
    f->second = harness_add_client(f->h, "127.0.0.1", 50002);
    mlog_add_sink(&f->h->db.log, &f->sink);
}

static void close_fixture(struct fixture *f)
{
    mlog_remove_sink(&f->h->db.log, &f->sink);
    harness_free(f->h);
    buf_fini(&f->record);
}

/* What the other client does meanwhile. */
static void other(struct fixture *f, const char *line, const char *reply)
{
    f->h->client = f->second;
    EXPECT_REPLY(f->h, 2, line, reply);
    f->h->client = f->first;
}

static void queue(struct fixture *f, const char *line)
{
    EXPECT_REPLY(f->h, 2, line, QUEUED);
}

static size_t mutations_of_record(const struct fixture *f)
{
    struct batch_reader r;
    REQUIRE(batch_open(buf_slice(&f->record), &r, NULL) == OK);
    return r.left;
}

TEST(cmd_multi, all_changes_of_exec_are_one_record)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    EXPECT_REPLY(h, 2, "SET gone 1 PX 5", OK_);
    sim_run_for(h->sim, 10 * 1000);
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "MSET a 1 b 2");
    queue(&f, "INCR a");
    queue(&f, "INCR v");
    queue(&f, "VADD v VALUES 2 1 0 e");
    queue(&f, "GET gone");
    queue(&f, "CLIENT LSN");
    EXPECT_EQ(f.records, 1);
    EXPECT_REPLY(h, 2, "EXEC",
                 "*6\r\n+OK\r\n:2\r\n:1\r\n-WRONGTYPE Operation against a key holding the wrong "
                 "kind of value\r\n$-1\r\n:2\r\n");
    EXPECT_EQ(f.records, 2);
    EXPECT_EQ(h->db.log.last_lsn, 2);
    EXPECT_EQ(mutations_of_record(&f), 5); /* two strings, two numbers, and what had expired */
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "GET a");
    EXPECT_REPLY(h, 2, "EXEC", "*1\r\n$1\r\n2\r\n");
    EXPECT_EQ(f.records, 2);
    EXPECT_PART(h, 2, "INFO errorstats", "errorstat_WRONGTYPE:count=1");
    EXPECT_PART(h, 2, "INFO commandstats", "cmdstat_incr:calls=2");
    close_fixture(&f);
}

/* One clock for all of it: what has not expired when EXEC begins does not in between. */
TEST(cmd_multi, searches_see_what_was_added_before_them_and_run_at_once)
{
    struct fixture f;
    char line[128];
    open_fixture(&f);
    struct harness *h = f.h;
    EXPECT_REPLY(h, 2, "VCREATE c DIM 2 METRIC L2 INDEX HNSW", OK_);
    for (int i = 0; i < 3000; i++) { /* more than is searched on the loop otherwise */
        (void)snprintf(line, sizeof(line), "VADD c VALUES 2 %d %d e%d", i % 60, i / 60, i);
        EXPECT_REPLY(h, 2, line, ":1\r\n");
    }
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "VSEARCH c VALUES 2 500 500 COUNT 1");
    queue(&f, "VADD c VALUES 2 500 500 far");
    queue(&f, "VSEARCH c VALUES 2 500 500 COUNT 1 WITHDIST");
    queue(&f, "VREM c far");
    queue(&f, "VSIM c VALUES 2 500 500 COUNT 1 TRUTH");
    queue(&f, "VMSEARCH c 1 \"\\x00\\x00\\x80\\x3f\\x00\\x00\\x00\\x00\" COUNT 1");
    queue(&f, "VRANGE c - + 2");
    queue(&f, "VSEARCH c VALUES 2 500 500 COUNT 1 FILTER \".x == 1\"");
    EXPECT_REPLY(h, 2, "EXEC",
                 "*8\r\n*1\r\n$5\r\ne2999\r\n:1\r\n*1\r\n*2\r\n$3\r\nfar\r\n$1\r\n0\r\n:1\r\n*1\r\n"
                 "$5\r\ne2999\r\n*1\r\n*1\r\n$2\r\ne1\r\n*2\r\n$2\r\ne0\r\n$2\r\ne1\r\n*0\r\n");
    EXPECT_EQ(h->env.blocked_count, 0);
    close_fixture(&f);
}

TEST(cmd_multi, vlinks_says_that_it_cannot_wait)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    EXPECT_REPLY(h, 2, "VADD v VALUES 2 1 0 e", ":1\r\n");
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "VLINKS v e");
    EXPECT_REPLY(h, 2, "EXEC",
                 "*1\r\n-ERR VLINKS cannot wait inside MULTI until all rows are linked\r\n");
    EXPECT_PART(h, 2, "VLINKS v e", "*0\r\n");
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "VLINKS v e");
    EXPECT_PART(h, 2, "EXEC", "*1\r\n*");
    EXPECT_NO_PART(h, 2, "PING", "ERR");
    close_fixture(&f);
}

/* The pending set is full: the writes are done, and the reply waits for room. */
TEST(cmd_multi, the_reply_of_exec_waits_when_too_much_is_pending)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    h->config.pending_scan_bytes = 0;
    h->config.flat_rows_max = 0;
    harness_reconfigure(h);
    EXPECT_REPLY(h, 2, "VADD v VALUES 2 1 0 a", ":1\r\n");
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "VADD v VALUES 2 0 1 b");
    queue(&f, "VADD v VALUES 2 1 1 c");
    queue(&f, "DEL nothing");
    buf_clear(&f.first->out, SIZE_MAX);
    struct slice argv = slice_of("EXEC");
    command_run(&h->env, f.first, &argv, 1);
    EXPECT(f.first->blocked);
    EXPECT_EQ(f.first->held_from, 0);
    EXPECT_EQ(h->stats.writes_waited_pending, 1);
    sim_run_for(h->sim, 1000 * 1000);
    EXPECT(!f.first->blocked);
    EXPECT(slice_eq(buf_slice(&f.first->out), slice_of("*3\r\n:1\r\n:1\r\n:0\r\n")));
    /* A collection that was dropped in the same transaction makes nobody wait. */
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "VADD v VALUES 2 0 1 d");
    queue(&f, "DEL v");
    EXPECT_REPLY(h, 2, "EXEC", "*2\r\n:1\r\n:1\r\n");
    EXPECT_EQ(h->stats.writes_waited_pending, 1);
    close_fixture(&f);
}

/* -- watching -----------------------------------------------------------------------------------
 */

TEST(cmd_multi, a_watched_key_that_expires_breaks_the_transaction)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    for (unsigned how = 0; how < 3; how++) {
        EXPECT_REPLY(h, 2, "SET k v PX 100", OK_);
        EXPECT_REPLY(h, 2, "WATCH k", OK_);
        sim_run_for(h->sim, 200 * 1000);
        if (how == 0)
            EXPECT(!expire_some(&h->env)); /* removed meanwhile */
        else if (how == 1)
            other(&f, "GET k", "$-1\r\n");
        EXPECT_REPLY(h, 2, "MULTI", OK_);
        queue(&f, "PING");
        EXPECT_REPLY(h, 2, "EXEC", NULL_ARRAY);
        EXPECT_REPLY(h, 2, "MULTI", OK_);
        EXPECT_REPLY(h, 2, "EXEC", "*0\r\n");
    }
    close_fixture(&f);
}

TEST(cmd_multi, a_key_that_had_expired_before_it_was_watched_may_go)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    for (unsigned how = 0; how < 3; how++) {
        EXPECT_REPLY(h, 2, "SET k v PX 100", OK_);
        sim_run_for(h->sim, 200 * 1000);
        f.refuses = how > 0; /* then it stays, and nobody sees it */
        EXPECT_REPLY(h, 2, "WATCH k k", OK_);
        EXPECT_REPLY(h, 2, "DBSIZE", how > 0 ? ":1\r\n" : ":0\r\n");
        f.refuses = false;
        if (how == 1)
            EXPECT(!expire_some(&h->env));
        EXPECT_REPLY(h, 2, "MULTI", OK_);
        queue(&f, "EXISTS k");
        EXPECT_REPLY(h, 2, "EXEC", "*1\r\n:0\r\n");
        /* Once it has come again, it counts. */
        f.refuses = how > 0;
        EXPECT_REPLY(h, 2, "WATCH k", OK_);
        f.refuses = false;
        other(&f, "SET k 2 PX 100", OK_);
        EXPECT_REPLY(h, 2, "MULTI", OK_);
        EXPECT_REPLY(h, 2, "EXEC", NULL_ARRAY);
        EXPECT_REPLY(h, 2, "FLUSHALL", OK_);
    }
    close_fixture(&f);
}

/* Every kind of change touches what it names. */
TEST(cmd_multi, whatever_changes_a_key_touches_it)
{
    static const char *const changes[] = {"SET k 1",
                                          "APPEND k x",
                                          "VADD v VALUES 2 0 1 f",
                                          "VREM v e",
                                          "VSETATTR v e {}",
                                          "VDROP v",
                                          "VADD n VALUES 2 1 0 e",
                                          "VCREATE n DIM 3",
                                          "EXPIRE v 100",
                                          "RENAME v k",
                                          "RENAME k n",
                                          "DEL k",
                                          "PERSIST t",
                                          "SETRANGE k 0 x",
                                          "FLUSHALL",
                                          "VMADD v FP32 1 e abcdefgh",
                                          "MULTI\nINCR n\nEXEC"};
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct fixture f;
        open_fixture(&f);
        struct harness *h = f.h;
        char text[64], *line = text;
        (void)snprintf(text, sizeof(text), "%s", changes[i]);
        EXPECT_REPLY(h, 2, "SET k hello", OK_);
        EXPECT_REPLY(h, 2, "SET t 1 EX 100", OK_);
        EXPECT_REPLY(h, 2, "VADD v VALUES 2 1 0 e", ":1\r\n");
        EXPECT_REPLY(h, 2, "WATCH k v n t", OK_);
        f.h->client = f.second;
        for (char *end = line; end != NULL; line = end + 1) {
            end = strchr(line, '\n');
            if (end != NULL)
                *end = '\0';
            EXPECT_NO_PART(h, 2, line, "-ERR");
            if (end == NULL)
                break;
        }
        f.h->client = f.first;
        EXPECT_PART(h, 2, "CLIENT INFO", " flags=d ");
        EXPECT_REPLY(h, 2, "MULTI", OK_);
        EXPECT_PART(h, 2, "EXEC", NULL_ARRAY);
        close_fixture(&f);
    }
}

TEST(cmd_multi, client_list_shows_what_waits_and_what_is_watched)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    EXPECT_PART(h, 2, "CLIENT INFO", " multi=-1 watch=0 ");
    EXPECT_REPLY(h, 2, "WATCH a b a", OK_);
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "PING");
    queue(&f, "CLIENT INFO");
    h->client = f.second;
    EXPECT_PART(h, 2, "CLIENT LIST", " flags=x ");
    EXPECT_PART(h, 2, "INFO clients", "watching_clients:1\r\ntotal_watched_keys:2\r\n");
    EXPECT_PART(h, 2, "CLIENT LIST", " multi=2 watch=2 ");
    EXPECT_NO_PART(h, 2, "CLIENT LIST ID 1", " multi-mem=0 ");
    EXPECT_REPLY(h, 2, "SET b 1", OK_);
    EXPECT_PART(h, 2, "CLIENT LIST", " flags=xd ");
    h->client = f.first;
    EXPECT_REPLY(h, 2, "EXEC", NULL_ARRAY);
    EXPECT_PART(h, 2, "CLIENT INFO", " multi=-1 watch=0 ");
    EXPECT_PART(h, 2, "CLIENT INFO", " flags=N ");
    EXPECT_PART(h, 2, "CLIENT INFO", " multi-mem=0 ");
    close_fixture(&f);
}

/* -- ends ---------------------------------------------------------------------------------------
 */

TEST(cmd_multi, a_client_that_goes_leaves_nothing_behind)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    EXPECT_REPLY(h, 2, "WATCH a b", OK_);
    other(&f, "WATCH b c", OK_);
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "SET a 1");
    client_abandon(&h->env, f.first);
    EXPECT(h->db.on_change != NULL);
    other(&f, "SET b 2", OK_);
    other(&f, "UNWATCH", OK_);
    EXPECT(h->db.on_change == NULL); /* nobody watches, so nobody asks */
    EXPECT_REPLY(h, 2, "EXISTS a", ":0\r\n");
    close_fixture(&f);
}

TEST(cmd_multi, a_transaction_may_close_its_own_client)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "SET a 1");
    queue(&f, "CLIENT KILL ID 1 SKIPME no");
    queue(&f, "SET b 1");
    EXPECT_REPLY(h, 2, "EXEC", "*3\r\n+OK\r\n:1\r\n+OK\r\n");
    EXPECT_EQ(h->killed, 1);
    other(&f, "EXISTS a b", ":2\r\n");
    close_fixture(&f);
}

TEST(cmd_multi, without_memory_writes_are_refused_when_they_are_queued_or_run)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    EXPECT_REPLY(h, 2, "SET k 1", OK_);
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "SET a 1");
    h->config.maxmemory = 1;
    harness_reconfigure(h);
    EXPECT_REPLY(h, 2, "EXEC",
                 "-EXECABORT Transaction discarded because of: OOM command not allowed when used "
                 "memory > 'maxmemory'.\r\n");
    EXPECT_REPLY(h, 2, "EXEC", "-ERR EXEC without MULTI\r\n");
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    EXPECT_PART(h, 2, "SET a 1", "-OOM");
    queue(&f, "GET k");
    EXPECT_PART(h, 2, "EXEC", "-EXECABORT Transaction discarded because of previous errors.");
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "GET k");
    queue(&f, "DEL k");
    EXPECT_REPLY(h, 2, "EXEC", "*2\r\n$1\r\n1\r\n:1\r\n");
    EXPECT_REPLY(h, 2, "EXISTS a k", ":0\r\n");
    close_fixture(&f);
}

/* Whichever allocation fails: all ran, or the client was told that it will not. */
TEST(cmd_multi, holds_together_whichever_allocation_fails)
{
    for (uint64_t nth = 1, fired = true; fired; nth++) {
        struct fixture f;
        open_fixture(&f);
        struct harness *h = f.h;
        EXPECT_PART(h, 2, "COMMAND LIST", "*"); /* room for all replies to come */
        mem_fail_spare(MEM_TEST);
        (void)mem_fail_nth(nth);
        bool watched = slice_eq(harness_run(h, 2, "WATCH a b c"), slice_of(OK_));
        EXPECT_REPLY(h, 2, "MULTI", OK_);
        bool queued = slice_eq(harness_run(h, 2, "MSET a 1 b 2"), slice_of(QUEUED));
        queued = slice_eq(harness_run(h, 2, "GET a"), slice_of(QUEUED)) && queued;
        struct slice reply = harness_run(h, 2, "EXEC");
        bool ran = slice_eq(reply, slice_of("*2\r\n+OK\r\n$1\r\n1\r\n"));
        bool said = reply.len > 0 && (reply.ptr[0] == '-' || memmem(reply.ptr, reply.len, "-", 1));
        EXPECT(ran || said);
        fired = mem_fail_nth(0);
        EXPECT(fired || (watched && queued && ran));
        EXPECT(queued || !ran);
        EXPECT_REPLY(h, 2, "EXEC", "-ERR EXEC without MULTI\r\n");
        EXPECT_REPLY(h, 2, "UNWATCH", OK_);
        EXPECT(h->db.on_change == NULL);
        mem_fail_spare(MEM_TAG_COUNT);
        close_fixture(&f);
    }
}

/* -- limits -------------------------------------------------------------------------------------
 */

TEST(cmd_multi, takes_so_many_commands_and_no_more)
{
    struct fixture f;
    char refusal[96];
    open_fixture(&f);
    struct harness *h = f.h;
    struct slice ping = slice_of("PING");
    (void)snprintf(refusal, sizeof(refusal), "-ERR a transaction has at most %d commands\r\n",
                   LIMIT_MULTI_COMMANDS);
    for (unsigned more = 0; more < 2; more++) {
        EXPECT_REPLY(h, 2, "MULTI", OK_);
        for (int i = 0; i < LIMIT_MULTI_COMMANDS; i++)
            REQUIRE(slice_eq(harness_run_args(h, 2, &ping, 1), slice_of(QUEUED)));
        if (more == 1)
            EXPECT(slice_eq(harness_run_args(h, 2, &ping, 1), slice_of(refusal)));
        struct slice reply = harness_run(h, 2, "EXEC");
        if (more == 1)
            EXPECT(reply.ptr[0] == '-');
        else
            EXPECT_EQ(reply.len, strlen("*1048576\r\n") + (size_t)LIMIT_MULTI_COMMANDS * 7);
    }
    close_fixture(&f);
}

TEST(cmd_multi, takes_so_many_bytes_and_no_more)
{
    enum { PIECES = 16, HEAD = 16 + 2 * 8 + 4 }; /* a command, two lengths, ECHO */
    struct fixture f;
    char refusal[96];
    open_fixture(&f);
    struct harness *h = f.h;
    size_t size = LIMIT_MULTI_SIZE / PIECES - HEAD;
    uint8_t *bytes = calloc(1, size + 1);
    (void)snprintf(refusal, sizeof(refusal),
                   "-ERR the commands of a transaction have at most %d bytes\r\n",
                   LIMIT_MULTI_SIZE);
    for (size_t more = 0; more < 2; more++) {
        EXPECT_REPLY(h, 2, "MULTI", OK_);
        for (size_t i = 0; i < PIECES; i++) {
            struct slice argv[2] = {slice_of("ECHO"), {bytes, size + (i == 5 ? more : 0)}};
            bool fits = more == 0 || i < PIECES - 1;
            EXPECT(slice_eq(harness_run_args(h, 2, argv, 2), slice_of(fits ? QUEUED : refusal)));
        }
        EXPECT_REPLY(h, 2, "DISCARD", OK_);
    }
    free(bytes);
    close_fixture(&f);
}

TEST(cmd_multi, watches_so_many_keys_and_no_more)
{
    struct fixture f;
    char name[16];
    open_fixture(&f);
    struct harness *h = f.h;
    for (int i = 0; i < LIMIT_WATCHED_KEYS; i++) {
        (void)snprintf(name, sizeof(name), "k%d", i);
        struct slice argv[2] = {slice_of("WATCH"), slice_of(name)};
        REQUIRE(slice_eq(harness_run_args(h, 2, argv, 2), slice_of(OK_)));
    }
    EXPECT_REPLY(h, 2, "WATCH k7", OK_);
    EXPECT_REPLY(h, 2, "WATCH more", "-ERR a client watches at most 65536 keys\r\n");
    other(&f, "WATCH more", OK_);
    other(&f, "SET k65535 1", OK_);
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    EXPECT_REPLY(h, 2, "EXEC", NULL_ARRAY);
    close_fixture(&f);
}

TEST(cmd_multi, changes_so_many_bytes_and_no_more)
{
    enum { RECORD = 8, EACH = 8 + 21 + 3 }; /* heads of both, and a SET of three bytes */
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    h->db.log.record_size_max = RECORD + 3 * EACH;
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "SET a abc");
    queue(&f, "SET b abc");
    queue(&f, "SET c abc");
    EXPECT_REPLY(h, 2, "EXEC", "*3\r\n+OK\r\n+OK\r\n+OK\r\n");
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    queue(&f, "SET a def");
    queue(&f, "SET b def");
    queue(&f, "SET d defg");
    queue(&f, "SET e def");
    EXPECT_REPLY(h, 2, "EXEC",
                 "*4\r\n+OK\r\n+OK\r\n-ERR a command, or a transaction, changes at most 104 "
                 "bytes\r\n+OK\r\n");
    EXPECT_EQ(f.records, 2);
    EXPECT_EQ(mutations_of_record(&f), 3);
    EXPECT_REPLY(h, 2, "EXISTS d e", ":1\r\n");
    close_fixture(&f);
}

TEST(cmd_multi, hello_changes_the_protocol_of_the_replies_behind_it)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "MULTI", "+OK\r\n");
    EXPECT_REPLY(h, 0, "HELLO 3", "+QUEUED\r\n");
    EXPECT_REPLY(h, 0, "GET nosuch", "+QUEUED\r\n");
    EXPECT_REPLY(h, 0, "HELLO 2", "+QUEUED\r\n");
    EXPECT_REPLY(h, 0, "GET nosuch", "+QUEUED\r\n");
    struct slice reply = harness_run(h, 0, "EXEC");
    EXPECT(reply.len > 20 && memcmp(reply.ptr, "*4\r\n%7\r\n", 8) == 0);
    EXPECT(memmem(reply.ptr, reply.len, "*0\r\n_\r\n*14\r\n", 12) != NULL);
    EXPECT(memcmp(reply.ptr + reply.len - 5, "$-1\r\n", 5) == 0 && h->client->proto == 2);
    harness_free(h);
}
