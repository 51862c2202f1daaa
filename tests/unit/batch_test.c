#include "db/batch.h"

#include <stdlib.h>

#include "db/db.h"
#include "lib/test.h"
#include "sim/sim_io.h"

static struct mutation string_set(const char *key, const char *value)
{
    return (struct mutation){
        .kind = MUTATION_STRING_SET, .key = slice_of(key), .value = slice_of(value)};
}

static struct mutation put_of(const char *key, const struct mutation_element *element)
{
    return (struct mutation){.kind = MUTATION_PUT,
                             .key = slice_of(key),
                             .creates = true,
                             .spec = spec_default(3),
                             .dim = 3,
                             .elements = (struct mutation_element *)(uintptr_t)element,
                             .count = 1};
}

/* The record of a few mutations, in memory of exactly its size. */
static struct slice record_of(size_t count)
{
    static const float vector[3] = {1, 0, 0};
    static const struct mutation_element element = {
        .id = {(const uint8_t *)"e", 1}, .vector = vector, .norm = 1};
    struct buf b = BUF_INIT(MEM_TEST);
    batch_begin(&b);
    for (size_t i = 0; i < count; i++) {
        struct mutation m = i % 3 == 2 ? put_of("c", &element) : string_set("key", "value");
        batch_add(&b, &m);
    }
    struct slice record = batch_record(&b, count);
    uint8_t *copy = malloc(record.len);
    memcpy(copy, record.ptr, record.len);
    record.ptr = copy;
    buf_fini(&b);
    return record;
}

static void free_record(struct slice record)
{
    free((void *)(uintptr_t)record.ptr);
}

TEST(batch, of_one_mutation_is_that_mutation)
{
    struct mutation m = string_set("key", "value");
    struct buf alone = BUF_INIT(MEM_TEST);
    mutation_encode(&m, &alone);
    struct slice record = record_of(1);
    EXPECT(slice_eq(record, buf_slice(&alone)));
    buf_fini(&alone);
    free_record(record);
}

TEST(batch, is_read_back_as_it_was_written)
{
    for (size_t count = 1; count < 9; count++) {
        struct slice record = record_of(count);
        struct batch_reader r;
        struct buf again = BUF_INIT(MEM_TEST);
        REQUIRE(batch_open(record, &r, NULL) == OK);
        EXPECT_EQ(r.left, count);
        batch_begin(&again);
        while (r.left > 0) {
            struct mutation m;
            REQUIRE(batch_next(&r, &m, NULL) == OK);
            batch_add(&again, &m);
            mutation_free(&m);
        }
        EXPECT(slice_eq(batch_record(&again, count), record));
        buf_fini(&again);
        free_record(record);
    }
}

TEST(batch, cut_anywhere_or_with_a_byte_more_is_corrupt)
{
    struct slice record = record_of(5);
    struct why why;
    for (size_t len = 0; len < record.len; len++) {
        uint8_t *cut = malloc(len + 1);
        memcpy(cut, record.ptr, len);
        why.text[0] = '\0';
        EXPECT_EQ(batch_check((struct slice){cut, len}, &why), ERR_CORRUPT);
        EXPECT(why.text[0] != '\0');
        free(cut);
    }
    uint8_t *longer = calloc(1, record.len + 8);
    memcpy(longer, record.ptr, record.len);
    for (size_t more = 1; more <= 8; more++)
        EXPECT_EQ(batch_check((struct slice){longer, record.len + more}, NULL), ERR_CORRUPT);
    free(longer);
    free_record(record);
}

TEST(batch, does_not_hold_another_and_not_fewer_than_two)
{
    struct slice record = record_of(2);
    struct buf b = BUF_INIT(MEM_TEST);
    bytes_put_u32(&b, BATCH_NUMBER);
    bytes_put_u32(&b, 2);
    for (int i = 0; i < 2; i++) {
        bytes_put_u32(&b, (uint32_t)record.len);
        bytes_put_u32(&b, 0);
        buf_append_slice(&b, record);
    }
    EXPECT_EQ(batch_check(buf_slice(&b), NULL), ERR_CORRUPT);
    struct slice one = record_of(1);
    buf_clear(&b, 0);
    bytes_put_u32(&b, BATCH_NUMBER);
    bytes_put_u32(&b, 1);
    bytes_put_u32(&b, (uint32_t)one.len);
    bytes_put_u32(&b, 0);
    buf_append_slice(&b, one);
    while (b.len % 8 != 0)
        buf_append_byte(&b, 0);
    EXPECT_EQ(batch_check(buf_slice(&b), NULL), ERR_CORRUPT);
    buf_fini(&b);
    free_record(record);
    free_record(one);
}

/* -- one record of a database -------------------------------------------------------------------
 */

struct fixture {
    struct mlog_sink sink;
    struct sim *sim;
    struct db db;
    struct buf record; /* the last one */
    uint64_t lsn;
    size_t records;
};

static void on_record(struct mlog_sink *sink, uint64_t lsn, struct slice record)
{
    struct fixture *f = (struct fixture *)sink;
    buf_clear(&f->record, 0);
    buf_append_slice(&f->record, record);
    f->lsn = lsn;
    f->records++;
}

static uint64_t stable(const struct mlog_sink *sink)
{
    return ((const struct fixture *)sink)->lsn;
}

static void open_fixture(struct fixture *f)
{
    struct why why;
    struct db_options options = {.flat_rows_max = 1000, .pending_scan_bytes = 1 << 20};
    REQUIRE(vec_kernels_choose("auto", &options.kernels, &why) == OK);
    *f = (struct fixture){.sink = {.on_record = on_record, .stable = stable},
                          .sim = sim_new(1, NULL),
                          .record = BUF_INIT(MEM_TEST)};
    db_init(&f->db, sim_io(f->sim), &options);
    mlog_add_sink(&f->db.log, &f->sink);
}

static bool is_idle(void *user)
{
    return db_idle(user);
}

static void close_fixture(struct fixture *f)
{
    mlog_remove_sink(&f->db.log, &f->sink);
    db_clear(&f->db);
    EXPECT(sim_run_until(f->sim, is_idle, &f->db, 1000 * 1000));
    db_fini(&f->db);
    sim_free(f->sim);
    buf_fini(&f->record);
}

static void write_one(struct fixture *f, const struct mutation *m)
{
    uint64_t lsn = 0;
    REQUIRE(db_write(&f->db, m, &lsn, NULL) == OK);
    EXPECT_EQ(lsn, f->db.log.last_lsn);
}

static bool holds(struct fixture *f, const char *key, const char *value)
{
    const struct object *o = keyspace_get(&f->db.keys, slice_of(key));
    return o != NULL && slice_eq(object_string(o), slice_of(value));
}

static void put_one(struct fixture *f, const char *id)
{
    static const float vector[3] = {1, 0, 0};
    struct mutation_element element = {.id = slice_of(id), .vector = vector, .norm = 1};
    struct mutation m = put_of("c", &element);
    m.creates = keyspace_get(&f->db.keys, slice_of("c")) == NULL;
    write_one(f, &m);
}

TEST(batch, a_view_taken_before_sees_nothing_of_it_and_one_inside_all_so_far)
{
    struct fixture f;
    struct collection_view before, inside;
    struct collection *c;
    open_fixture(&f);
    put_one(&f, "first");
    REQUIRE(db_collection(&f.db, slice_of("c"), &c) == OK && c != NULL);
    uint64_t guard = epoch_enter(&f.db.epoch);
    db_view(&f.db, c, &before);
    db_begin(&f.db);
    put_one(&f, "second");
    uint32_t row = collection_find(c, slice_of("second"));
    db_view(&f.db, c, &inside);
    EXPECT(row_visible(&inside.codes, row));
    put_one(&f, "second"); /* the row before it lives for no LSN at all */
    EXPECT(!row_visible(&inside.codes, row));
    row = collection_find(c, slice_of("second"));
    db_view(&f.db, c, &inside);
    EXPECT(row_visible(&inside.codes, row));
    before.codes.end = inside.codes.end; /* looks at the rows made since, with its own LSN */
    EXPECT(!row_visible(&before.codes, row));
    EXPECT_EQ(f.records, 1);
    db_commit(&f.db);
    EXPECT_EQ(f.records, 2);
    EXPECT_EQ(f.lsn, 2);
    epoch_leave(&f.db.epoch, guard);
    close_fixture(&f);
}

TEST(batch, is_played_again_as_a_whole_or_not_at_all)
{
    struct fixture a, b;
    open_fixture(&a);
    open_fixture(&b);
    struct mutation one = string_set("k", "1"), two = string_set("l", "2");
    struct mutation gone = {.kind = MUTATION_KEY_REMOVE, .key = slice_of("k")};
    db_begin(&a.db);
    write_one(&a, &one);
    write_one(&a, &two);
    write_one(&a, &gone);
    db_commit(&a.db);
    EXPECT_EQ(a.records, 1);
    uint8_t last = a.record.ptr[a.record.len - 1];
    a.record.ptr[a.record.len - 1] ^= 1;
    EXPECT_EQ(db_replay_record(&b.db, buf_slice(&a.record), 1, NULL), ERR_CORRUPT);
    EXPECT_EQ(keyspace_count(&b.db.keys), 0);
    EXPECT_EQ(b.db.log.last_lsn, 0);
    a.record.ptr[a.record.len - 1] = last;
    b.db.maxmemory = 1; /* set since: the data comes back all the same */
    EXPECT_EQ(db_replay_record(&b.db, buf_slice(&a.record), 1, NULL), OK);
    EXPECT_EQ(b.db.log.last_lsn, 1);
    EXPECT_EQ(keyspace_count(&b.db.keys), 1);
    EXPECT(holds(&b, "l", "2"));
    EXPECT_EQ(b.records, 0); /* what is replayed was logged before */
    close_fixture(&a);
    close_fixture(&b);
}

/* Whatever allocation fails: what was refused is neither in the record nor in the data. */
TEST(batch, holds_what_was_applied_whichever_allocation_fails)
{
    mem_fail_spare(MEM_TEST);
    for (uint64_t nth = 1, fired = true; fired; nth++) {
        struct fixture f;
        char room[2000];
        memset(room, 'v', sizeof(room) - 1);
        room[sizeof(room) - 1] = '\0';
        open_fixture(&f);
        struct mutation ms[] = {string_set("a", "1"), string_set("b", room), string_set("c", "3")};
        bool done[COUNT_OF(ms)];
        size_t count = 0;
        (void)mem_fail_nth(nth);
        db_begin(&f.db);
        for (size_t i = 0; i < COUNT_OF(ms); i++) {
            uint64_t lsn;
            enum err e = db_write(&f.db, &ms[i], &lsn, NULL);
            EXPECT(e == OK || e == ERR_NOMEM);
            done[i] = e == OK;
            count += done[i];
        }
        db_commit(&f.db);
        fired = mem_fail_nth(0);
        EXPECT(count >= COUNT_OF(ms) - 1);
        for (size_t i = 0; i < COUNT_OF(ms); i++)
            EXPECT_EQ((keyspace_get(&f.db.keys, ms[i].key) != NULL), done[i]);
        struct batch_reader r;
        REQUIRE(batch_open(buf_slice(&f.record), &r, NULL) == OK);
        EXPECT_EQ(r.left, count);
        close_fixture(&f);
    }
    mem_fail_spare(MEM_TAG_COUNT);
}

/* No command makes such a record, but the format has it. An element inherits the attribute of the
 * one before it, for which there must be room. */
TEST(batch, one_id_many_times_with_and_without_an_attribute)
{
    enum { COUNT = 40, LENGTH = 700 };
    static const float vector[3] = {1, 0, 0};
    struct mutation_element elements[COUNT] = {0};
    uint8_t attribute[LENGTH];
    memset(attribute, '7', sizeof(attribute)); /* a number, as JSON */
    for (size_t i = 0; i < COUNT; i++)
        elements[i] =
            (struct mutation_element){.id = slice_of("e"),
                                      .vector = vector,
                                      .norm = 1,
                                      .set_attribute = i == 0,
                                      .attribute = {attribute, i == 0 ? sizeof(attribute) : 0}};
    struct mutation m = put_of("c", elements);
    m.count = COUNT;
    struct buf record = BUF_INIT(MEM_TEST);
    struct fixture f;
    struct collection *c;
    open_fixture(&f);
    batch_begin(&record);
    batch_add(&record, &m);
    REQUIRE(db_replay_record(&f.db, batch_record(&record, 1), 1, NULL) == OK);
    REQUIRE(db_collection(&f.db, slice_of("c"), &c) == OK && c != NULL);
    EXPECT_EQ(c->live, 1);
    EXPECT_EQ(c->attributes, 1);
    EXPECT(collection_find(c, slice_of("e")) != ROW_NONE);
    buf_fini(&record);
    close_fixture(&f);
}
