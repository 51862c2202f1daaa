/* cmd_expire_test.c: keys that expire, by a clock that the test moves. */
#include <inttypes.h>

#include "cmd/expire.h"
#include "lib/cmd_harness.h"

#define OK_ "+OK\r\n"

enum { SECOND_US = 1000 * 1000 };

/* The harness with a sink whose log can stop taking changes, and counts records. */
struct fixture {
    struct mlog_sink sink;
    struct harness *h;
    bool refuses, full;
    uint64_t records;
};

static void on_record(struct mlog_sink *sink, uint64_t lsn, struct slice record)
{
    struct fixture *f = (struct fixture *)sink;
    EXPECT(lsn > 0 && record.len > 0);
    f->records++;
}

static uint64_t stable(const struct mlog_sink *sink)
{
    (void)sink;
    return UINT64_MAX;
}

static bool reserve(struct mlog_sink *sink, size_t size)
{
    (void)size;
    return !((const struct fixture *)sink)->full;
}

static bool accepts(const struct mlog_sink *sink)
{
    return !((const struct fixture *)sink)->refuses;
}

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){
        .sink = {.on_record = on_record, .stable = stable, .reserve = reserve, .accepts = accepts}};
    f->h = harness_new();
    mlog_add_sink(&f->h->db.log, &f->sink);
}

static void close_fixture(struct fixture *f)
{
    mlog_remove_sink(&f->h->db.log, &f->sink);
    harness_free(f->h);
}

static void pass(struct fixture *f, uint64_t ms)
{
    sim_run_for(f->h->sim, ms * 1000);
}

/* The nearest of two has expired: it takes no place of those that KNN finds. */
TEST(cmd_expire, what_is_due_leaves_before_a_search_begins)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    EXPECT_REPLY(h, 2,
                 "FT.CREATE i SCHEMA v VECTOR FLAT 6 TYPE INT8 DIM 2 DISTANCE_METRIC L2 t TAG",
                 OK_);
    EXPECT_REPLY(h, 2, "HSET near v ab t x", ":2\r\n");
    EXPECT_REPLY(h, 2, "HSET far v zz t x", ":2\r\n");
    EXPECT_REPLY(h, 2, "PEXPIRE near 1000", ":1\r\n");
    pass(&f, 1001);
    EXPECT_REPLY(h, 2, "FT.SEARCH i \"*=>[KNN 1 @v $b]\" PARAMS 2 b ab NOCONTENT",
                 "*2\r\n:1\r\n$3\r\nfar\r\n");
    EXPECT_EQ(f.h->env.stats->expired_keys, 1);
    close_fixture(&f);
}

/* All types of commands see a key until its time has passed, and nothing of it afterwards. */
TEST(cmd_expire, a_key_is_there_until_its_time_has_passed)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    EXPECT_REPLY(h, 2, "SET k v PX 1000", OK_);
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 e", ":1\r\n");
    EXPECT_REPLY(h, 2, "PEXPIRE c 1000", ":1\r\n");
    EXPECT_REPLY(h, 2, "SET stays v", OK_);
    EXPECT_REPLY(h, 2, "PTTL k", ":1000\r\n");
    pass(&f, 300);
    EXPECT_REPLY(h, 2, "PTTL k", ":700\r\n");
    EXPECT_REPLY(h, 2, "TTL k", ":1\r\n"); /* rounded */
    pass(&f, 700);
    EXPECT_REPLY(h, 2, "GET k", "$1\r\nv\r\n");
    EXPECT_REPLY(h, 2, "TTL k", ":0\r\n");
    EXPECT_REPLY(h, 2, "VCARD c", ":1\r\n");
    pass(&f, 1);
    EXPECT_REPLY(h, 2, "KEYS *", "*1\r\n$5\r\nstays\r\n");
    EXPECT_REPLY(h, 2, "SCAN 0 COUNT 100", "*2\r\n$1\r\n0\r\n*1\r\n$5\r\nstays\r\n");
    EXPECT_REPLY(h, 2, "VLIST", "*0\r\n");
    EXPECT_REPLY(h, 2, "RANDOMKEY", "$5\r\nstays\r\n");
    EXPECT_REPLY(h, 2, "DBSIZE", ":3\r\n"); /* as Redis counts them until they are removed */
    EXPECT_EQ(f.records, 4);
    EXPECT_REPLY(h, 2, "GET k", "$-1\r\n");
    EXPECT_REPLY(h, 2, "VCARD c", ":0\r\n");
    EXPECT_REPLY(h, 2, "DBSIZE", ":1\r\n");
    EXPECT_EQ(f.records, 6);
    EXPECT_EQ(h->stats.expired_keys, 2);
    EXPECT_REPLY(h, 2, "GET k", "$-1\r\n");
    EXPECT_EQ(f.records, 6);
    close_fixture(&f);
}

/* A command on a key that has expired, and what it answers: as if the key had never been. */
TEST(cmd_expire, commands_treat_an_expired_key_as_missing)
{
    static const char *const cases[][2] = {
        {"GET k", "$-1\r\n"},
        {"SET k 2 XX", "$-1\r\n"},
        {"SET k 2 NX", OK_},
        {"SET k 2 GET", "$-1\r\n"},
        {"SETNX k 2", ":1\r\n"},
        {"MSETNX a 1 k 2", ":1\r\n"},
        {"INCR k", ":1\r\n"},
        {"APPEND k x", ":1\r\n"},
        {"STRLEN k", ":0\r\n"},
        {"GETSET k 2", "$-1\r\n"},
        {"GETDEL k", "$-1\r\n"},
        {"GETEX k PERSIST", "$-1\r\n"},
        {"DEL k", ":0\r\n"},
        {"UNLINK k k", ":0\r\n"},
        {"EXISTS k", ":0\r\n"},
        {"TYPE k", "+none\r\n"},
        {"TTL k", ":-2\r\n"},
        {"PEXPIRETIME k", ":-2\r\n"},
        {"EXPIRE k 100", ":0\r\n"},
        {"PERSIST k", ":0\r\n"},
        {"RENAME k x", "-ERR no such key\r\n"},
        {"RENAMENX s k", ":1\r\n"},
        {"COPY k x", ":0\r\n"},
        {"COPY s k", ":1\r\n"},
        {"OBJECT ENCODING k", "$-1\r\n"},
        {"MEMORY USAGE k", "$-1\r\n"},
        {"VADD k VALUES 3 1 0 0 e", ":1\r\n"}, /* another dimension: another set */
        {"VSIM k ELE e", "*0\r\n"},
        {"VCREATE k DIM 3", OK_},
        {"VINFO k", "*-1\r\n"},
    };
    for (unsigned type = 0; type < 2; type++) {
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            struct fixture f;
            open_fixture(&f);
            struct harness *h = f.h;
            EXPECT_REPLY(h, 2, "SET s v", OK_);
            (void)harness_run(h, 2, type == 0 ? "SET k 1" : "VADD k VALUES 2 1 0 e");
            EXPECT_REPLY(h, 2, "PEXPIRE k 10", ":1\r\n");
            pass(&f, 11);
            uint64_t before = f.records;
            EXPECT_REPLY(h, 2, cases[i][0], cases[i][1]);
            EXPECT_EQ(f.records, before + 1); /* gone, and what came, are one record */
            EXPECT_EQ(h->stats.expired_keys, 1);
            close_fixture(&f);
        }
    }
}

TEST(cmd_expire, a_collection_keeps_its_time_through_changes_and_renames)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    EXPECT_REPLY(h, 2, "VCREATE c DIM 2", OK_);
    EXPECT_REPLY(h, 2, "PEXPIREAT c 4000000000000", ":1\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 e", ":1\r\n");
    EXPECT_REPLY(h, 2, "VREM c e", ":1\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 e", ":1\r\n");
    EXPECT_REPLY(h, 2, "PEXPIRETIME c", ":4000000000000\r\n");
    EXPECT_REPLY(h, 2, "RENAME c d", OK_);
    EXPECT_REPLY(h, 2, "PEXPIRETIME d", ":4000000000000\r\n");
    EXPECT_REPLY(h, 2, "VCARD d", ":1\r\n");
    EXPECT_REPLY(h, 2, "VSIM d ELE e", "*1\r\n$1\r\ne\r\n");
    EXPECT_REPLY(h, 2, "COPY d x", ":1\r\n");
    EXPECT_REPLY(h, 2, "PEXPIRETIME x", ":4000000000000\r\n");
    EXPECT_REPLY(h, 2, "VDROP x", OK_);
    EXPECT_REPLY(h, 2, "VDROP d", OK_);
    EXPECT_REPLY(h, 2, "INFO keyspace", "$12\r\n# Keyspace\r\n\r\n");
    close_fixture(&f);
}

/* The log refuses: nothing leaves, and still nobody sees what has expired. */
TEST(cmd_expire, while_the_log_refuses_an_expired_key_is_merely_invisible)
{
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    EXPECT_REPLY(h, 2, "SET k v PX 10", OK_);
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 1 0 e", ":1\r\n");
    EXPECT_REPLY(h, 2, "PEXPIRE c 10", ":1\r\n");
    pass(&f, 11);
    uint64_t before = f.records;
    f.refuses = true;
    EXPECT_REPLY(h, 2, "GET k", "$-1\r\n");
    EXPECT_REPLY(h, 2, "VCARD c", ":0\r\n");
    EXPECT(!expire_some(&h->env));
    EXPECT_REPLY(h, 2, "DBSIZE", ":2\r\n");
    f.refuses = false;
    f.full = true; /* no memory for the record */
    EXPECT_REPLY(h, 2, "GET k", "$-1\r\n");
    EXPECT(!expire_some(&h->env));
    EXPECT_PART(h, 2, "VADD c VALUES 3 1 0 0 e", "-OOM");
    EXPECT_EQ(f.records, before);
    f.full = false;
    EXPECT_REPLY(h, 2, "VADD c VALUES 3 1 0 0 e", ":1\r\n");
    EXPECT(!expire_some(&h->env));
    EXPECT_REPLY(h, 2, "DBSIZE", ":1\r\n");
    EXPECT_EQ(f.records, before + 2);
    close_fixture(&f);
}

static void set_many(struct fixture *f, unsigned count, uint64_t expire_ms)
{
    char line[64];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(line, sizeof(line), "SET k%u v PXAT %" PRIu64, i,
                       expire_ms + (uint64_t)(i * 7919u % 100));
        EXPECT_REPLY(f->h, 2, line, OK_);
    }
}

TEST(cmd_expire, keys_nobody_asks_for_leave_too_in_slices_of_one_record)
{
    enum { MANY = 5000 };
    struct fixture f;
    open_fixture(&f);
    struct harness *h = f.h;
    uint64_t now_ms = h->env.io->ops->wall_us(h->env.io) / 1000;
    set_many(&f, MANY, now_ms + 1000);
    EXPECT_REPLY(h, 2, "SET stays v", OK_);
    EXPECT(!expire_some(&h->env));
    pass(&f, 1050);
    uint64_t before = f.records;
    while (expire_some(&h->env))
        continue;
    EXPECT_EQ(f.records, before + 2); /* half of them are not due */
    EXPECT_EQ(h->stats.expired_keys, MANY / 2);
    EXPECT_PART(h, 2, "INFO keyspace", "keys=2501,expires=2500,avg_ttl=2");
    pass(&f, 51);
    while (expire_some(&h->env))
        continue;
    EXPECT_EQ(h->stats.expired_keys, MANY);
    EXPECT_REPLY(h, 2, "DBSIZE", ":1\r\n");
    EXPECT_PART(h, 2, "INFO keyspace", "keys=1,expires=0,avg_ttl=0");
    EXPECT_PART(h, 2, "INFO stats", "expired_time_cap_reached_count:2\r\n");
    EXPECT_PART(h, 2, "INFO stats", "expired_keys:5000\r\n");
    close_fixture(&f);
}

/* With every allocation failing in turn, a key's old time or its new one holds. */
TEST(cmd_expire, a_time_that_cannot_be_set_changes_nothing)
{
    for (uint64_t nth = 1, fired = true; fired; nth++) {
        struct harness *h = harness_new();
        EXPECT_REPLY(h, 2, "SET k v", OK_);
        (void)mem_fail_nth(nth);
        bool done = slice_eq(harness_run(h, 2, "PEXPIREAT k 4000000000000"), slice_of(":1\r\n"));
        fired = mem_fail_nth(0);
        EXPECT(fired || done);
        EXPECT_REPLY(h, 2, "PEXPIRETIME k", done ? ":4000000000000\r\n" : ":-1\r\n");
        harness_free(h);
    }
}

TEST(cmd_expire, times_past_what_fits_are_refused_by_name)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET k v", OK_);
    EXPECT_REPLY(h, 2, "PEXPIREAT k 9223372036854775807", ":1\r\n");
    EXPECT_REPLY(h, 2, "PEXPIRETIME k", ":9223372036854775807\r\n");
    EXPECT_REPLY(h, 2, "EXPIREAT k 9223372036854776",
                 "-ERR invalid expire time in 'expireat' command\r\n");
    EXPECT_REPLY(h, 2, "PEXPIRE k 9223372036854775807",
                 "-ERR invalid expire time in 'pexpire' command\r\n");
    EXPECT_REPLY(h, 2, "GETEX k EX 9223372036854775",
                 "-ERR invalid expire time in 'getex' command\r\n");
    EXPECT_REPLY(h, 2, "PSETEX k 9223372036854775807 v",
                 "-ERR invalid expire time in 'psetex' command\r\n");
    EXPECT_REPLY(h, 2, "EXPIREAT k 5 FOO", "-ERR Unsupported option FOO\r\n");
    EXPECT_REPLY(h, 2, "PEXPIRETIME k", ":9223372036854775807\r\n");
    harness_free(h);
}
