#include "db/mlog.h"

#include <stdlib.h>

#include "db/batch.h"
#include "lib/test.h"

/* Writes down what it gets. */
struct recorder {
    struct mlog_sink sink; /* first */
    struct buf records;
    uint64_t last_lsn;
    unsigned count;
    uint64_t stable_lsn;
    size_t reserved; /* bytes it was last asked for */
    size_t size_max; /* it takes no more; 0: anything */
};

static bool reserve(struct mlog_sink *sink, size_t size)
{
    struct recorder *r = (struct recorder *)sink;
    r->reserved = size;
    return r->size_max == 0 || size <= r->size_max;
}

static void on_record(struct mlog_sink *sink, uint64_t lsn, struct slice record)
{
    struct recorder *r = (struct recorder *)sink;
    EXPECT(r->last_lsn == 0 || lsn == r->last_lsn + 1);
    r->last_lsn = lsn;
    r->count++;
    buf_append_slice(&r->records, record);
    EXPECT(record.len <= r->reserved);
    EXPECT_EQ(batch_check(record, NULL), OK);
}

static uint64_t stable(const struct mlog_sink *sink)
{
    return ((const struct recorder *)sink)->stable_lsn;
}

static struct recorder recorder(uint64_t stable_lsn)
{
    return (struct recorder){.sink = {.reserve = reserve, .on_record = on_record, .stable = stable},
                             .records = BUF_INIT(MEM_TEST),
                             .stable_lsn = stable_lsn};
}

static struct mutation string_set(const char *key, struct slice value)
{
    return (struct mutation){.kind = MUTATION_STRING_SET, .key = slice_of(key), .value = value};
}

/* A record of one mutation. */
static enum err append_alone(struct mlog *log, const struct mutation *m, uint64_t *lsn)
{
    mlog_begin(log);
    enum err e = mlog_append(log, m, lsn);
    mlog_commit(log);
    return e;
}

TEST(mlog, numbers_records_from_1_without_a_sink)
{
    struct mlog log;
    mlog_init(&log);
    EXPECT_EQ(log.last_lsn, 0);
    struct mutation m = string_set("k", slice_of("v"));
    (void)mem_fail_nth(1); /* nothing is encoded, so nothing can be short */
    for (uint64_t i = 1; i <= 3; i++) {
        uint64_t lsn = 0;
        EXPECT_EQ(append_alone(&log, &m, &lsn), OK);
        EXPECT_EQ(lsn, i);
        EXPECT_EQ(log.last_lsn, i);
    }
    (void)mem_fail_nth(0);
    EXPECT(mlog_stable(&log) == UINT64_MAX);
    mlog_fini(&log);
}

TEST(mlog, gives_every_sink_every_record_in_order)
{
    struct mlog log;
    mlog_init(&log);
    struct recorder a = recorder(UINT64_MAX), b = recorder(UINT64_MAX);
    struct buf expected = BUF_INIT(MEM_TEST);
    uint64_t lsn = 0;
    mlog_add_sink(&log, &a.sink);
    char value[3000];
    memset(value, 'v', sizeof(value));
    for (size_t i = 0; i < 100; i++) {
        if (i == 40)
            mlog_add_sink(&log, &b.sink);
        struct mutation m = string_set("key", (struct slice){(uint8_t *)value, i * 29});
        mutation_encode(&m, &expected);
        REQUIRE(append_alone(&log, &m, &lsn) == OK);
        if (i == 69)
            mlog_remove_sink(&log, &b.sink);
    }
    EXPECT_EQ(a.count, 100);
    EXPECT_EQ(a.last_lsn, 100);
    EXPECT_EQ(b.count, 30);
    EXPECT_EQ(b.last_lsn, 70);
    EXPECT(slice_eq(buf_slice(&a.records), buf_slice(&expected)));
    mlog_remove_sink(&log, &a.sink);
    mlog_fini(&log);
    buf_fini(&expected);
    buf_fini(&a.records);
    buf_fini(&b.records);
}

TEST(mlog, is_stable_as_far_as_all_sinks_are)
{
    struct mlog log;
    mlog_init(&log);
    struct recorder a = recorder(7), b = recorder(UINT64_MAX), c = recorder(5);
    mlog_add_sink(&log, &a.sink);
    EXPECT_EQ(mlog_stable(&log), 7);
    mlog_add_sink(&log, &b.sink);
    mlog_add_sink(&log, &c.sink);
    EXPECT_EQ(mlog_stable(&log), 5);
    c.stable_lsn = 9;
    EXPECT_EQ(mlog_stable(&log), 7);
    mlog_remove_sink(&log, &a.sink);
    EXPECT_EQ(mlog_stable(&log), 9);
    mlog_remove_sink(&log, &b.sink);
    mlog_remove_sink(&log, &c.sink);
    EXPECT(mlog_stable(&log) == UINT64_MAX);
    mlog_fini(&log);
}

TEST(mlog, logs_nothing_when_memory_is_short)
{
    struct mlog log;
    mlog_init(&log);
    struct recorder a = recorder(0);
    mlog_add_sink(&log, &a.sink);
    struct mutation small = string_set("k", slice_of("v"));
    uint64_t lsn = 99;
    REQUIRE(append_alone(&log, &small, &lsn) == OK);
    char *value = calloc(1, 100000);
    struct mutation big = string_set("k", (struct slice){(uint8_t *)value, 100000});
    (void)mem_fail_nth(1);
    EXPECT_EQ(append_alone(&log, &big, &lsn), ERR_NOMEM);
    EXPECT(mem_fail_nth(0));
    EXPECT_EQ(a.count, 1);
    EXPECT_EQ(log.last_lsn, 1);
    REQUIRE(append_alone(&log, &small, &lsn) == OK);
    EXPECT_EQ(lsn, 2);
    EXPECT_EQ(a.last_lsn, 2);
    free(value);
    mlog_remove_sink(&log, &a.sink);
    mlog_fini(&log);
    buf_fini(&a.records);
}

static void expect_mutations(struct slice record, size_t count)
{
    struct batch_reader r;
    REQUIRE(batch_open(record, &r, NULL) == OK);
    EXPECT_EQ(r.left, count);
}

TEST(mlog, what_is_added_between_begin_and_commit_is_one_record)
{
    struct mlog log;
    mlog_init(&log);
    struct recorder a = recorder(0);
    mlog_add_sink(&log, &a.sink);
    for (uint64_t n = 0; n < 5; n++) {
        unsigned before = a.count;
        uint64_t last = log.last_lsn, lsn = 0;
        buf_clear(&a.records, 0);
        mlog_begin(&log);
        for (uint64_t i = 0; i < n; i++) {
            struct mutation m = string_set("key", slice_of("some value"));
            REQUIRE(mlog_append(&log, &m, &lsn) == OK);
            EXPECT_EQ(lsn, last + 1);
            EXPECT_EQ(a.count, before); /* not before it is whole */
        }
        mlog_commit(&log);
        EXPECT_EQ(log.last_lsn, last + (n > 0));
        EXPECT_EQ(a.count, before + (n > 0));
        if (n > 0)
            expect_mutations(buf_slice(&a.records), n);
    }
    mlog_remove_sink(&log, &a.sink);
    mlog_fini(&log);
    buf_fini(&a.records);
}

TEST(mlog, a_mutation_that_is_refused_leaves_the_record_as_it_was)
{
    struct mlog log;
    mlog_init(&log);
    log.record_size_max = 8 + 64;
    struct recorder a = recorder(0);
    mlog_add_sink(&log, &a.sink);
    static const uint8_t value[100];
    /* As much as fits, to the byte: a length, kind, key, time and another length. */
    struct mutation fits = string_set("k", (struct slice){value, 64 - 8 - 21});
    struct mutation small = string_set("k", (struct slice){value, 3});
    struct mutation large = string_set("k", (struct slice){value, 64 - 8 - 21 + 4});
    uint64_t lsn = 0;
    EXPECT_EQ(append_alone(&log, &fits, &lsn), OK);
    EXPECT_EQ(append_alone(&log, &large, &lsn), ERR_LIMIT);
    EXPECT_EQ(log.last_lsn, 1);
    mlog_begin(&log);
    EXPECT_EQ(mlog_append(&log, &small, &lsn), OK);
    EXPECT_EQ(mlog_append(&log, &fits, &lsn), ERR_LIMIT);
    a.size_max = 48;
    EXPECT_EQ(mlog_append(&log, &small, &lsn), ERR_NOMEM);
    a.size_max = 0;
    buf_clear(&a.records, 0);
    EXPECT_EQ(mlog_append(&log, &small, &lsn), OK);
    mlog_commit(&log);
    expect_mutations(buf_slice(&a.records), 2);
    EXPECT_EQ(log.last_lsn, 2);
    mlog_remove_sink(&log, &a.sink);
    mlog_fini(&log);
    buf_fini(&a.records);
}

static bool may_come(const struct mlog_sink *sink)
{
    return ((const struct recorder *)sink)->stable_lsn > 0;
}

TEST(mlog, accepts_writes_while_all_sinks_do)
{
    struct mlog log;
    mlog_init(&log);
    EXPECT(mlog_accepts(&log));
    struct recorder a = recorder(0), b = recorder(1);
    mlog_add_sink(&log, &a.sink);
    b.sink.accepts = may_come;
    mlog_add_sink(&log, &b.sink);
    EXPECT(mlog_accepts(&log));
    b.stable_lsn = 0;
    EXPECT(!mlog_accepts(&log));
    mlog_remove_sink(&log, &a.sink);
    mlog_remove_sink(&log, &b.sink);
    mlog_fini(&log);
}
