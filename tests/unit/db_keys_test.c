/* Changes of keys, each played again into a second database that must end up the same. */
#include "db/db.h"
#include "lib/test.h"
#include "sim/inspect.h"
#include "sim/sim_io.h"

struct fixture {
    struct mlog_sink sink;
    struct sim *sim;
    struct db db, copy;
    bool fired; /* an allocation that was to fail had failed before the record came */
};

/* Whatever is logged, the copy plays at once. */
static void on_record(struct mlog_sink *sink, uint64_t lsn, struct slice record)
{
    struct fixture *f = (struct fixture *)sink;
    struct why why = {""};
    f->fired = mem_fail_nth(0); /* what follows is the test's own */
    EXPECT_EQ(db_replay_record(&f->copy, record, lsn, &why), OK);
    EXPECT_STR(why.text, "");
    const char *difference = inspect_difference(&f->db, &f->copy);
    EXPECT_STR(difference == NULL ? "" : difference, "");
}

static uint64_t stable(const struct mlog_sink *sink)
{
    (void)sink;
    return UINT64_MAX;
}

static struct fixture *open_fixture(void)
{
    struct why why;
    struct fixture *f = mem_calloc(MEM_TEST, sizeof(*f));
    struct db_options options = {.flat_rows_max = 1000, .pending_scan_bytes = 1 << 20};
    REQUIRE(vec_kernels_choose("auto", &options.kernels, &why) == OK);
    f->sim = sim_new(1, NULL);
    db_init(&f->db, sim_io(f->sim), &options);
    db_init(&f->copy, sim_io(f->sim), &options);
    f->sink = (struct mlog_sink){.on_record = on_record, .stable = stable};
    mlog_add_sink(&f->db.log, &f->sink);
    return f;
}

static bool is_idle(void *user)
{
    const struct fixture *f = user;
    return db_idle(&f->db) && db_idle(&f->copy);
}

static void close_fixture(struct fixture *f)
{
    const char *broken = inspect_db(&f->copy, false);
    EXPECT_STR(broken == NULL ? "" : broken, "");
    mlog_remove_sink(&f->db.log, &f->sink);
    db_clear(&f->db);
    db_clear(&f->copy);
    EXPECT(sim_run_until(f->sim, is_idle, f, 1000 * 1000));
    db_fini(&f->db);
    db_fini(&f->copy);
    sim_free(f->sim);
    mem_free(MEM_TEST, f);
}

static enum err try_write(struct fixture *f, const struct mutation *m)
{
    uint64_t lsn;
    return db_write(&f->db, m, &lsn, NULL);
}

static void set(struct fixture *f, const char *key, const char *value, uint64_t expire_ms)
{
    REQUIRE(try_write(f, &(struct mutation){.kind = MUTATION_STRING_SET,
                                            .key = slice_of(key),
                                            .value = slice_of(value),
                                            .expire_ms = expire_ms}) == OK);
}

static enum err expire(struct fixture *f, const char *key, uint64_t expire_ms)
{
    return try_write(f, &(struct mutation){.kind = MUTATION_KEY_EXPIRE,
                                           .key = slice_of(key),
                                           .expire_ms = expire_ms});
}

static enum err rename_key(struct fixture *f, const char *key, const char *to)
{
    return try_write(f, &(struct mutation){.kind = MUTATION_KEY_RENAME,
                                           .key = slice_of(key),
                                           .new_key = slice_of(to)});
}

static enum err set_range(struct fixture *f, const char *key, uint64_t offset, const char *value)
{
    return try_write(f, &(struct mutation){.kind = MUTATION_STRING_RANGE,
                                           .key = slice_of(key),
                                           .offset = offset,
                                           .value = slice_of(value)});
}

/* A collection with one element, which makes 2. */
static void put(struct fixture *f, const char *key)
{
    static const float vector[2] = {1, 0};
    struct mutation_element element = {.id = slice_of("e"), .vector = vector, .norm = 1};
    REQUIRE(try_write(f, &(struct mutation){.kind = MUTATION_PUT,
                                            .key = slice_of(key),
                                            .creates = true,
                                            .spec = spec_default(2),
                                            .dim = 2,
                                            .elements = &element,
                                            .count = 1}) == OK);
}

static void expect_string(struct fixture *f, const char *key, struct slice value,
                          uint64_t expire_ms)
{
    const struct object *o = keyspace_get(&f->db.keys, slice_of(key));
    REQUIRE(o != NULL && o->type == OBJECT_STRING);
    EXPECT(slice_eq(object_string(o), value));
    EXPECT_EQ(o->expire_ms, expire_ms);
}

TEST(db_keys, expire_when_the_last_change_says)
{
    struct fixture *f = open_fixture();
    set(f, "k", "1", 500);
    expect_string(f, "k", slice_of("1"), 500);
    EXPECT_EQ(expire(f, "k", 900), OK);
    expect_string(f, "k", slice_of("1"), 900);
    EXPECT_EQ(expire(f, "k", 0), OK);
    expect_string(f, "k", slice_of("1"), 0);
    EXPECT_EQ(expire(f, "k", 100), OK);
    set(f, "k", "2", 0); /* a new string is not the old one's time */
    expect_string(f, "k", slice_of("2"), 0);
    EXPECT_EQ(expire(f, "nothing", 100), OK);
    put(f, "c");
    EXPECT_EQ(expire(f, "c", 300), OK);
    EXPECT_EQ(f->db.keys.expiry.count, 1);
    EXPECT_EQ(try_write(f, &(struct mutation){.kind = MUTATION_FLUSH}), OK);
    EXPECT_EQ(f->db.keys.expiry.count, 0);
    close_fixture(f);
}

TEST(db_keys, are_found_until_their_time_has_passed_and_in_the_log_until_they_are_removed)
{
    struct fixture *f = open_fixture();
    struct collection *c;
    set(f, "k", "1", 500);
    put(f, "c");
    EXPECT_EQ(expire(f, "c", 500), OK);
    f->db.now_ms = 500;
    EXPECT(db_find(&f->db, slice_of("k")) != NULL);
    EXPECT(db_collection(&f->db, slice_of("c"), &c) == OK && c != NULL);
    f->db.now_ms = 501;
    EXPECT(db_find(&f->db, slice_of("k")) == NULL);
    EXPECT(db_collection(&f->db, slice_of("c"), &c) == OK && c == NULL);
    EXPECT_EQ(keyspace_count(&f->db.keys), 2);
    EXPECT_EQ(set_range(f, "k", 1, "2"), OK);
    expect_string(f, "k", slice_of("12"), 500);
    close_fixture(f);
}

TEST(db_keys, take_their_value_and_time_to_another_name)
{
    struct fixture *f = open_fixture();
    set(f, "a", "1", 500);
    set(f, "b", "2", 0);
    EXPECT_EQ(rename_key(f, "a", "b"), OK);
    expect_string(f, "b", slice_of("1"), 500);
    EXPECT(keyspace_get(&f->db.keys, slice_of("a")) == NULL);
    EXPECT_EQ(rename_key(f, "b", "b"), OK);
    expect_string(f, "b", slice_of("1"), 500);
    EXPECT_EQ(rename_key(f, "a", "b"), ERR_NOT_FOUND);
    put(f, "c");
    struct collection *before, *after;
    REQUIRE(db_collection(&f->db, slice_of("c"), &before) == OK && before != NULL);
    EXPECT_EQ(rename_key(f, "c", "b"), OK);
    REQUIRE(db_collection(&f->db, slice_of("b"), &after) == OK);
    EXPECT(before == after); /* nothing of it has moved */
    EXPECT_EQ(after->live, 1);
    EXPECT_EQ(rename_key(f, "b", "d"), OK);
    put(f, "e");
    EXPECT_EQ(rename_key(f, "e", "d"), OK); /* a collection in place of another */
    EXPECT_EQ(keyspace_count(&f->db.keys), 1);
    close_fixture(f);
}

TEST(db_keys, have_parts_of_their_strings_replaced)
{
    struct fixture *f = open_fixture();
    EXPECT_EQ(set_range(f, "k", 2, "cd"), OK);
    expect_string(f, "k", (struct slice){(const uint8_t *)"\0\0cd", 4}, 0);
    EXPECT_EQ(expire(f, "k", 700), OK);
    EXPECT_EQ(set_range(f, "k", 0, "ab"), OK);
    expect_string(f, "k", slice_of("abcd"), 700);
    EXPECT_EQ(set_range(f, "k", 3, "DE"), OK);
    EXPECT_EQ(set_range(f, "k", 6, "g"), OK);
    expect_string(f, "k", (struct slice){(const uint8_t *)"abcDE\0g", 7}, 700);
    EXPECT_EQ(set_range(f, "k", 1, ""), OK);
    expect_string(f, "k", (struct slice){(const uint8_t *)"abcDE\0g", 7}, 700);
    put(f, "c");
    EXPECT_EQ(set_range(f, "c", 0, "x"), ERR_TYPE);
    close_fixture(f);
}

/* Each kind of change of a key, with every allocation failing in turn. */
TEST(db_keys, stay_as_they_are_when_memory_is_short)
{
    struct fixture *f = open_fixture();
    mem_fail_spare(MEM_TEST);
    set(f, "a", "value", 500);
    set(f, "b", "value", 0);
    for (unsigned change = 0; change < 4; change++) {
        for (uint64_t nth = 1;; nth++) {
            uint64_t last = f->db.log.last_lsn;
            (void)mem_fail_nth(nth);
            enum err e = change == 0   ? rename_key(f, "a", "c")
                         : change == 1 ? set_range(f, "b", 5000, "x")
                         : change == 2 ? expire(f, "b", 800)
                                       : rename_key(f, "c", "b");
            bool fired = mem_fail_nth(0);
            EXPECT(e == OK || (fired && e == ERR_NOMEM));
            EXPECT(e == ERR_NOMEM || !f->fired);
            EXPECT_EQ(f->db.log.last_lsn, last + (e == OK));
            if (e == OK)
                break;
        }
    }
    expect_string(f, "b", slice_of("value"), 500);
    EXPECT_EQ(keyspace_count(&f->db.keys), 1);
    mem_fail_spare(MEM_TAG_COUNT);
    close_fixture(f);
}
