/* Snapshots on the simulator's disk: what is loaded is what was there at the LSN, whatever happens
 * meanwhile. */
#include "persist/snapshot.h"

#include "base/log.h"
#include "base/rng.h"
#include "db/capture.h"
#include "lib/mutations.h"
#include "lib/test.h"
#include "lib/twin.h"
#include "persist/check.h"
#include "persist/snapshot_load.h"
#include "sim/inspect.h"
#include "sim/sim_io.h"

enum { RUN_US = 600 * 1000 * 1000 };

static const char *const dir = "/data";

/* A database that is changed, a twin that can be held back at an LSN, and one to load into. */
struct fixture {
    struct sim *sim;
    struct db db, twin_db, loaded;
    struct twin twin;
    struct snapshots snapshots;
    struct snapshot_load load;
    struct mutations mutations;
    bool done;
    enum err result;
};

static void on_snapshot(void *user, enum err e)
{
    struct fixture *f = user;
    f->done = true;
    f->result = e;
}

static void on_loaded(struct snapshot_load *l, enum err e)
{
    on_snapshot(l->user, e);
}

static void init_db(struct fixture *f, struct db *db)
{
    struct why why;
    struct db_options options = {.flat_rows_max = 60, .pending_scan_bytes = 1 << 20};
    REQUIRE(vec_kernels_choose("auto", &options.kernels, &why) == OK);
    db_init(db, sim_io(f->sim), &options);
    inspect_small_values(db);
}

static struct fixture *open_fixture(uint64_t seed)
{
    struct fixture *f = mem_calloc(MEM_TEST, sizeof(*f));
    f->sim = sim_new(seed, NULL);
    struct io *io = sim_io(f->sim);
    REQUIRE(io->ops->make_dir(io, dir) == OK && io->ops->sync_dir(io, "/") == OK);
    init_db(f, &f->db);
    init_db(f, &f->twin_db);
    twin_init(&f->twin, &f->db, &f->twin_db);
    snapshots_init(&f->snapshots, io, &f->db, dir, on_snapshot, f);
    f->snapshots.chunk_bytes = seed % 3 == 0 ? 2048 : 16 * 1024;
    f->snapshots.slice_places = CAPTURE_PLACES_STEP;
    f->snapshots.garbage_bytes = seed % 2 == 0 ? 0 : 1 << 20;
    mutations_init(&f->mutations, seed, 600, 5, 300);
    return f;
}

static bool is_done(void *user)
{
    return ((const struct fixture *)user)->done;
}

static bool is_idle(void *user)
{
    const struct fixture *f = user;
    return db_idle(&f->db) && db_idle(&f->twin_db) && (f->loaded.io == NULL || db_idle(&f->loaded));
}

static void drop_loaded(struct fixture *f)
{
    db_clear(&f->loaded);
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
    db_fini(&f->loaded);
    f->loaded.io = NULL;
}

static void close_fixture(struct fixture *f)
{
    snapshots_fini(&f->snapshots);
    twin_fini(&f->twin);
    db_clear(&f->db);
    db_clear(&f->twin_db);
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
    db_fini(&f->db);
    db_fini(&f->twin_db);
    sim_free(f->sim);
    EXPECT_EQ(mem_used(MEM_SNAPSHOT), 0);
    mem_free(MEM_TEST, f);
}

static void write_db(struct db *db, const struct mutation *m)
{
    uint64_t lsn;
    struct why why = {""};
    EXPECT_EQ(db_write(db, m, &lsn, &why), OK);
    EXPECT_STR(why.text, "");
}

static void write(struct fixture *f, const struct mutation *m)
{
    write_db(&f->db, m);
}

static void change_db(struct fixture *f, struct db *db, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct mutation m = mutations_next(&f->mutations, db);
        write_db(db, &m);
    }
}

static void set_strings(struct fixture *f)
{
    for (unsigned i = 0; i < f->mutations.strings; i++) {
        struct mutation m = mutations_of(&f->mutations, &f->db, MUTATION_STRING_SET);
        write(f, &m);
    }
}

static void change(struct fixture *f, unsigned count)
{
    change_db(f, &f->db, count);
}

/* Takes a snapshot; between any two events come changes. */
static void take(struct fixture *f, unsigned changes)
{
    f->done = false;
    REQUIRE(snapshots_start(&f->snapshots) == OK);
    while (!f->done && sim_step(f->sim))
        change(f, changes == 0 ? 0 : (unsigned)rng_below(&f->mutations.rng, changes + 1));
    REQUIRE(f->done);
}

static void on_finding(void *user, const struct check_finding *finding)
{
    (void)user;
    if (finding->grade == CHECK_DAMAGE)
        test_fail(__FILE__, __LINE__, "%s: %llu: %s", finding->file,
                  (unsigned long long)finding->offset, finding->text);
}

/* Does the folder say what the database holds? */
static void expect_whole(struct fixture *f)
{
    struct check_counts counts;
    struct why why = {""};
    EXPECT_EQ(check_folder(sim_io(f->sim), dir, on_finding, NULL, &counts, &why), OK);
    EXPECT_EQ(counts.snapshot_lsn, f->snapshots.last.lsn);
    EXPECT_EQ(counts.keys, keyspace_count(&f->twin_db.keys));
}

static void start_load(struct fixture *f, bool repair)
{
    static struct log log = {.level = LOG_WARNING + 1};
    struct snapshot_load_options options = {.dir = dir, .repair = repair, .log = &log};
    f->done = false;
    snapshot_load_start(&f->load, sim_io(f->sim), &f->loaded, &options, on_loaded, f);
}

static enum err load(struct fixture *f)
{
    init_db(f, &f->loaded);
    start_load(f, false);
    REQUIRE(sim_run_until(f->sim, is_done, f, RUN_US));
    return f->result;
}

static void expect_same(const struct db *a, const struct db *b)
{
    const char *difference = inspect_difference(a, b);
    EXPECT_STR(difference == NULL ? "" : difference, "");
}

static void expect_sound(const struct db *db, bool quiet)
{
    const char *broken = inspect_db(db, quiet);
    EXPECT_STR(broken == NULL ? "" : broken, "");
}

/* What was loaded is the state at the snapshot, sound, and goes on as the original did. */
static void expect_loaded(struct fixture *f)
{
    expect_whole(f);
    EXPECT_EQ(load(f), OK);
    EXPECT_STR(f->load.why.text, "");
    EXPECT_EQ(f->loaded.log.last_lsn, f->twin_db.log.last_lsn);
    expect_same(&f->twin_db, &f->loaded);
    expect_sound(&f->loaded, false);
    twin_replay(&f->twin, &f->loaded);
    twin_go_on(&f->twin);
    expect_same(&f->twin_db, &f->loaded);
    expect_same(&f->db, &f->loaded);
    expect_sound(&f->loaded, false);
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
    sim_run_for(f->sim, 3000 * 1000);
    expect_sound(&f->loaded, true);
    snapshot_load_free(&f->load);
    drop_loaded(f);
}

TEST(snapshot, of_nothing_loads_as_nothing)
{
    struct fixture *f = open_fixture(1);
    take(f, 0);
    EXPECT_EQ(f->result, OK);
    expect_loaded(f);
    close_fixture(f);
}

TEST(snapshot, without_one_there_is_nothing_to_load)
{
    struct fixture *f = open_fixture(1);
    EXPECT_EQ(load(f), OK);
    EXPECT(!f->load.found && keyspace_count(&f->loaded.keys) == 0);
    snapshot_load_free(&f->load);
    drop_loaded(f);
    close_fixture(f);
}

TEST(snapshot, is_the_state_at_its_lsn_whatever_is_written_meanwhile)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct fixture *f = open_fixture(seed);
        for (unsigned round = 0; round < 6; round++) {
            change(f, round == 0 ? 600 : (unsigned)(seed % 4) * 20);
            if (round % 2 == 0)
                set_strings(f);
            if (round % 2 == 0)
                sim_run_for(f->sim, 20 * 1000);
            f->twin.held = true;
            take(f, (unsigned)(seed + round) % 4);
            EXPECT_EQ(f->result, OK);
            expect_loaded(f);
        }
        EXPECT_EQ(f->snapshots.saves, 6);
        close_fixture(f);
    }
}

static uint32_t count_kind(const struct manifest *m, enum chunk_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->chunk_count; i++)
        count += m->chunks[i].kind == kind;
    return count;
}

static void put_row(struct fixture *f, uint32_t number)
{
    struct mutation m = mutations_put(&f->mutations, &f->db, slice_of("c0"));
    char id[MUTATIONS_TEXT];
    (void)snprintf(id, sizeof(id), "row%u", number);
    m.count = 1;
    m.elements[0].id = slice_of(id);
    write(f, &m);
}

/* They stand in several chunks, between other keys, and change while they are written. */
TEST(snapshot, large_hashes_come_back_from_their_pieces)
{
    struct fixture *f = open_fixture(8);
    char name[32], value[32];
    struct hash_field field;
    struct mutation m = {.kind = MUTATION_HASH_SET, .fields = &field, .count = 1};
    set_strings(f);
    for (unsigned i = 0; i < 8000; i++) {
        (void)snprintf(name, sizeof(name), "field-%u", i);
        (void)snprintf(value, sizeof(value), "value-%u", i * 7);
        field = (struct hash_field){slice_of(name), slice_of(value), i % 5 == 0 ? 1000 + i : 0};
        m.key = slice_of(i % 4 == 0 ? "h0" : "h1");
        write(f, &m);
    }
    f->twin.held = true;
    take(f, 3);
    EXPECT(count_kind(&f->snapshots.last, CHUNK_KEYS) > 4);
    expect_loaded(f);
    close_fixture(f);
}

/* Both trees of a sorted set are there again, of one piece each. */
TEST(snapshot, large_sets_come_back_from_their_pieces)
{
    struct fixture *f = open_fixture(8);
    char name[32];
    struct scored scored;
    struct slice member;
    struct mutation add = {.kind = MUTATION_SET_ADD, .ids = &member, .count = 1};
    struct mutation score = {.kind = MUTATION_ZSET_ADD, .members = &scored, .count = 1};
    set_strings(f);
    for (unsigned i = 0; i < 8000; i++) {
        (void)snprintf(name, sizeof(name), "member-%u", i * 7 % 5000);
        member = slice_of(name);
        scored = (struct scored){member, i % 3 == 0 ? 0 : (double)(i * 31 % 4001) / 2};
        add.key = slice_of(i % 4 == 0 ? "m0" : "m1");
        score.key = slice_of(i % 4 == 0 ? "z0" : "z1");
        write(f, i % 2 == 0 ? &add : &score);
    }
    f->twin.held = true;
    take(f, 3);
    EXPECT(count_kind(&f->snapshots.last, CHUNK_KEYS) > 2);
    expect_loaded(f);
    close_fixture(f);
}

TEST(snapshot, writes_only_what_has_changed_since_the_last)
{
    struct fixture *f = open_fixture(4);
    f->snapshots.garbage_bytes = 1 << 20;
    for (uint32_t i = 0; i < 3000; i++)
        put_row(f, i);
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
    take(f, 0);
    uint64_t first = f->snapshots.last_bytes;
    take(f, 0);
    EXPECT(f->snapshots.last_bytes < first / 20); /* the manifest */
    for (uint32_t i = 0; i < 30; i++)
        put_row(f, (uint32_t)rng_below(&f->mutations.rng, 3000));
    take(f, 0);
    EXPECT(count_kind(&f->snapshots.last, CHUNK_NEWER) > 0);
    expect_loaded(f);
    for (uint32_t i = 0; i < 30; i++)
        put_row(f, (uint32_t)rng_below(&f->mutations.rng, 3000));
    take(f, 0);
    expect_loaded(f);
    close_fixture(f);
}

/* What was loaded is not written again either. */
TEST(snapshot, after_a_load_goes_on_from_the_files)
{
    struct fixture *f = open_fixture(4);
    for (uint32_t i = 0; i < 3000; i++)
        put_row(f, i);
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
    take(f, 0);
    uint64_t whole = f->snapshots.last_bytes, first_lsn = f->snapshots.last.lsn;
    for (uint32_t i = 0; i < 30; i++)
        put_row(f, 100 * i);
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
    take(f, 0);
    EXPECT_EQ(load(f), OK);
    struct snapshots again;
    snapshots_init(&again, sim_io(f->sim), &f->loaded, dir, on_snapshot, f);
    snapshots_loaded(&again, &f->load.manifest, f->load.next_pack);
    f->done = false;
    EXPECT_EQ(snapshots_start(&again), OK);
    REQUIRE(sim_run_until(f->sim, is_done, f, RUN_US));
    EXPECT_EQ(f->result, OK);
    EXPECT(again.last_bytes < whole / 2);
    for (uint32_t i = 0; i < again.last.chunk_count; i++)
        if (again.last.chunks[i].kind == CHUNK_ROWS)
            EXPECT(again.last.chunks[i].lsn == first_lsn);
    snapshots_fini(&again);
    snapshot_load_free(&f->load);
    drop_loaded(f);
    expect_loaded(f);
    close_fixture(f);
}

/* -- what fails -------------------------------------------------------------------------------- */

/* A folder with a snapshot, and changes after it. */
static struct fixture *open_half_way(uint64_t seed)
{
    struct fixture *f = open_fixture(seed);
    change(f, 150);
    take(f, 0);
    EXPECT_EQ(f->result, OK);
    f->twin.held = true;
    change(f, 40);
    return f;
}

/* The twin as it was at the LSN that was loaded. */
static void expect_one_of_both(struct fixture *f, uint64_t first, uint64_t second)
{
    EXPECT_EQ(load(f), OK);
    EXPECT_STR(f->load.why.text, "");
    uint64_t lsn = f->loaded.log.last_lsn;
    EXPECT(lsn == first || lsn == second);
    if (lsn == second)
        twin_go_on(&f->twin);
    expect_same(&f->twin_db, &f->loaded);
    expect_sound(&f->loaded, false);
    snapshot_load_free(&f->load);
    drop_loaded(f);
}

TEST(snapshot, any_call_may_fail_once_and_the_next_snapshot_is_whole)
{
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        struct fixture *f = open_half_way(n % 4 + 1);
        uint64_t first = f->twin_db.log.last_lsn, second = f->db.log.last_lsn;
        sim_fail_nth(f->sim, n);
        take(f, 0);
        fired = sim_fault_fired(f->sim);
        EXPECT(f->result == OK || fired);
        sim_fail_nth(f->sim, 0);
        EXPECT_EQ(f->snapshots.last.lsn, f->result == OK ? second : first);
        if (n % 2 == 0) {
            expect_one_of_both(f, first, second);
        } else {
            take(f, 0);
            EXPECT_EQ(f->result, OK);
            twin_go_on(&f->twin);
            expect_loaded(f);
        }
        close_fixture(f);
        REQUIRE(n < 500);
    }
}

TEST(snapshot, the_power_may_go_at_any_call_and_one_of_two_is_whole)
{
    bool fired = true;
    unsigned seconds = 0;
    for (uint64_t n = 1; fired; n++) {
        struct fixture *f = open_half_way(n);
        uint64_t first = f->twin_db.log.last_lsn, second = f->db.log.last_lsn;
        sim_cut_power_at_nth(f->sim, n);
        take(f, 0);
        fired = sim_fault_fired(f->sim);
        bool kept = f->result == OK;
        sim_crash(f->sim);
        EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US) || is_idle(f));
        sim_restart(f->sim);
        sim_cut_power_at_nth(f->sim, 0);
        expect_one_of_both(f, kept ? second : first, second);
        seconds += f->twin_db.log.last_lsn == second && !kept;
        close_fixture(f);
        REQUIRE(n < 500);
    }
    EXPECT(seconds > 0); /* some were there though nobody had been told */
}

TEST(snapshot, memory_may_be_short_at_any_time)
{
    mem_fail_spare(MEM_TEST);
    for (uint64_t n = 1;; n++) {
        struct fixture *f = open_half_way(n % 4 + 1);
        (void)mem_fail_nth(n);
        f->done = false;
        enum err e = snapshots_start(&f->snapshots);
        if (e == OK) {
            REQUIRE(sim_run_until(f->sim, is_done, f, RUN_US));
            e = f->result;
        }
        bool fired = mem_fail_nth(0);
        EXPECT(e == OK || (e == ERR_NOMEM && fired));
        take(f, 0);
        EXPECT_EQ(f->result, OK);
        twin_go_on(&f->twin);
        expect_loaded(f);
        close_fixture(f);
        if (!fired)
            break;
        REQUIRE(n < 2000);
    }
    mem_fail_spare(MEM_TAG_COUNT);
}

/* The load alone: what it says, and that nothing is left of it. */
static enum err load_and_drop(struct fixture *f)
{
    enum err e = load(f);
    EXPECT(e == OK || e == ERR_NOMEM || f->load.why.text[0] != '\0');
    snapshot_load_free(&f->load);
    drop_loaded(f);
    return e;
}

TEST(snapshot, a_load_that_fails_leaves_nothing_behind)
{
    struct fixture *f = open_half_way(3);
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        sim_fail_nth(f->sim, n);
        enum err e = load_and_drop(f);
        fired = sim_fault_fired(f->sim);
        EXPECT((e == OK) == !fired);
        sim_fail_nth(f->sim, 0);
    }
    unsigned failures = 0;
    fired = true;
    mem_fail_spare(MEM_TEST);
    for (uint64_t n = 1; fired; n++) {
        init_db(f, &f->loaded);
        (void)mem_fail_nth(n);
        start_load(f, false);
        REQUIRE(sim_run_until(f->sim, is_done, f, RUN_US));
        fired = mem_fail_nth(0);
        /* The last ones are background.c's, whose links can wait. */
        EXPECT(f->result == OK || (fired && f->result == ERR_NOMEM));
        failures += f->result == ERR_NOMEM;
        snapshot_load_free(&f->load);
        drop_loaded(f);
    }
    mem_fail_spare(MEM_TAG_COUNT);
    EXPECT(failures > 30);
    close_fixture(f);
}

TEST(snapshot, a_load_may_be_cancelled_at_any_step)
{
    struct fixture *f = open_half_way(3);
    enum err e = ERR_CANCELLED;
    for (unsigned steps = 0; e != OK; steps++) {
        init_db(f, &f->loaded);
        start_load(f, false);
        for (unsigned i = 0; i < steps && !f->done; i++)
            (void)sim_step(f->sim);
        if (!f->done)
            snapshot_load_cancel(&f->load);
        REQUIRE(sim_run_until(f->sim, is_done, f, RUN_US) || f->done);
        e = f->result;
        EXPECT(e == OK || e == ERR_CANCELLED);
        snapshot_load_free(&f->load);
        drop_loaded(f);
        REQUIRE(steps < 10000);
    }
    close_fixture(f);
}

TEST(snapshot, a_snapshot_may_be_cancelled_at_any_step)
{
    for (unsigned steps = 0;; steps += 3) {
        struct fixture *f = open_half_way(5);
        f->done = false;
        REQUIRE(snapshots_start(&f->snapshots) == OK);
        for (unsigned i = 0; i < steps && !f->done; i++)
            (void)sim_step(f->sim);
        bool done = f->done;
        snapshots_cancel(&f->snapshots);
        REQUIRE(f->done || sim_run_until(f->sim, is_done, f, RUN_US));
        EXPECT(f->result == OK || f->result == ERR_CANCELLED);
        uint64_t first = f->twin_db.log.last_lsn, second = f->snapshots.last.lsn;
        EXPECT(f->result == OK ? second > first : second == first);
        if (f->result == OK)
            expect_one_of_both(f, second, second);
        else
            expect_one_of_both(f, first, 0);
        close_fixture(f);
        if (done)
            return;
    }
}

static void flip_and_load(struct fixture *f, const char *name, uint64_t bit)
{
    char path[SNAPSHOT_PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    sim_disk_flip_bit(f->sim, path, bit);
    enum err e = load(f);
    if (e == OK && f->load.renewed > 0)
        expect_same(&f->db, &f->loaded); /* an index is made again of the keys */
    else if (e == OK || strstr(f->load.why.text, name) == NULL ||
        strstr(f->load.why.text, "byte") == NULL)
        test_fail(__FILE__, __LINE__, "%s: bit %llu: %s, %s", name, (unsigned long long)bit,
                  err_name(e), f->load.why.text);
    snapshot_load_free(&f->load);
    drop_loaded(f);
    sim_disk_flip_bit(f->sim, path, bit);
}

/* One bit of each byte of a whole snapshot; all of them by turns are tests/crash's. */
TEST(snapshot, any_changed_byte_is_told_with_its_file)
{
    struct fixture *f = open_fixture(2);
    struct buf bytes = BUF_INIT(MEM_TEST);
    char pack[SNAPSHOT_NAME_SIZE], manifest[SNAPSHOT_NAME_SIZE], path[SNAPSHOT_PATH_SIZE];
    change(f, 60);
    take(f, 0);
    snapshot_manifest_name(f->snapshots.last.lsn, manifest);
    snapshot_pack_name(f->snapshots.last.packs[0].id, pack);
    EXPECT_EQ(f->snapshots.last.pack_count, 1);
    const char *const names[] = {manifest, pack};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        buf_clear(&bytes, 0);
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        REQUIRE(sim_disk_get(f->sim, path, &bytes));
        for (size_t at = 0; at < bytes.len; at++)
            flip_and_load(f, names[i], at * 8 + rng_below(&f->mutations.rng, 8));
    }
    EXPECT_EQ(load_and_drop(f), OK);
    buf_fini(&bytes);
    close_fixture(f);
}

/* -- repair ------------------------------------------------------------------------------------ */

struct part {
    const struct db *whole;
    size_t elements;
    const char *wrong;
};

/* Every element of a is in b, bit by bit; attributes may be lost. */
static const char *part_of_collection(const struct collection *a, const struct collection *b,
                                      size_t *elements)
{
    struct collection_view x, y;
    float one[MUTATIONS_DIM], other[MUTATIONS_DIM];
    collection_view((struct collection *)a, UINT64_MAX - 1, &x);
    collection_view((struct collection *)b, UINT64_MAX - 1, &y);
    for (uint32_t row = 0; row < a->rows_end; row++) {
        if (!row_visible(&x.codes, row))
            continue;
        uint32_t at = collection_find(b, view_id(&x, row));
        if (at == ROW_NONE)
            return "an element came from nowhere";
        view_vector(&x, row, one);
        view_vector(&y, at, other);
        struct slice attribute = view_attribute(&x, row);
        if (memcmp(one, other, sizeof(one)) != 0 || view_norm(&x, row) != view_norm(&y, at) ||
            (attribute.len > 0 && !slice_eq(attribute, view_attribute(&y, at))))
            return "an element is another";
        (*elements)++;
    }
    return NULL;
}

static void look_at_part(void *user, const struct object *o)
{
    struct part *p = user;
    const struct object *other = keyspace_get(&p->whole->keys, object_key(o));
    if (other == NULL || other->type != o->type || other->expire_ms != o->expire_ms)
        p->wrong = "a key came from nowhere";
    else if (o->type == OBJECT_STRING || o->type == OBJECT_JSON)
        p->wrong = slice_eq(object_value(o), object_value(other)) ? p->wrong : "another string";
    else if (o->type == OBJECT_HASH)
        p->wrong = inspect_same_hash(o, p->whole, other) ? p->wrong : "another hash";
    else if (o->type == OBJECT_LIST)
        p->wrong = inspect_same_list(o, other) ? p->wrong : "another list";
    else if (o->type == OBJECT_SET || o->type == OBJECT_ZSET)
        p->wrong = inspect_same_members(o, p->whole, other) ? p->wrong : "another set";
    else if (p->wrong == NULL)
        p->wrong = part_of_collection(o->collection, other->collection, &p->elements);
    if (object_is_packs(o))
        p->elements += object_count(o);
}

static enum err load_repairing(struct fixture *f)
{
    init_db(f, &f->loaded);
    start_load(f, true);
    REQUIRE(sim_run_until(f->sim, is_done, f, RUN_US));
    return f->result;
}

/* A repair of what a flipped bit has left; what it kept. */
static size_t repair(struct fixture *f, enum err *e)
{
    struct part part = {.whole = &f->twin_db};
    *e = load_repairing(f);
    if (*e == OK) {
        (void)keyspace_scan(&f->loaded.keys, 0, SIZE_MAX, look_at_part, &part);
        EXPECT_STR(part.wrong == NULL ? "" : part.wrong, "");
        expect_sound(&f->loaded, false);
        change_db(f, &f->loaded, 20);
    }
    size_t keys = keyspace_count(&f->loaded.keys);
    snapshot_load_free(&f->load);
    drop_loaded(f);
    return keys + part.elements;
}

TEST(snapshot, a_repair_keeps_what_is_good_and_nothing_else)
{
    struct fixture *f = open_fixture(1);
    struct buf bytes = BUF_INIT(MEM_TEST);
    char name[SNAPSHOT_NAME_SIZE], path[SNAPSHOT_PATH_SIZE];
    enum err e;
    for (uint32_t i = 0; i < 400; i++)
        put_row(f, i);
    change(f, 60);
    take(f, 0);
    size_t all = repair(f, &e), least = all, sum = 0, count = 0;
    EXPECT(e == OK && !f->load.damaged);
    for (uint32_t i = 0; i < f->snapshots.last.pack_count; i++) {
        snapshot_pack_name(f->snapshots.last.packs[i].id, name);
        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        buf_clear(&bytes, 0);
        REQUIRE(sim_disk_get(f->sim, path, &bytes));
        for (size_t at = 0; at < bytes.len; at += 97) {
            sim_disk_flip_bit(f->sim, path, at * 8);
            size_t kept = repair(f, &e);
            EXPECT_EQ(e, OK);
            least = kept < least ? kept : least;
            sum += kept;
            count++;
            sim_disk_flip_bit(f->sim, path, at * 8);
        }
    }
    /* Without keys nothing is left, and what hashes hold makes that chunk a large part. */
    EXPECT(least < all && sum > count * all / 4);
    buf_fini(&bytes);
    close_fixture(f);
}

/* Then nothing is lost: the log has what came since. */
TEST(snapshot, a_repair_goes_back_to_the_snapshot_before)
{
    struct fixture *f = open_half_way(3);
    uint64_t first = f->snapshots.last.lsn;
    char name[SNAPSHOT_NAME_SIZE], path[SNAPSHOT_PATH_SIZE];
    uint32_t packs = f->snapshots.next_pack;
    take(f, 0);
    /* A chunk that only the newest has, and then its manifest. */
    snapshot_pack_name(packs, name);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    for (unsigned i = 0; i < 2; i++) {
        sim_disk_flip_bit(f->sim, path, 900);
        EXPECT_EQ(load_and_drop(f), ERR_CORRUPT);
        EXPECT_EQ(load_repairing(f), OK);
        EXPECT(f->load.attempt == LOAD_OLDER && !f->load.damaged);
        EXPECT_EQ(f->loaded.log.last_lsn, first);
        expect_same(&f->twin_db, &f->loaded);
        expect_sound(&f->loaded, false);
        snapshot_load_free(&f->load);
        drop_loaded(f);
        snapshot_manifest_name(f->snapshots.last.lsn, name);
        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    }
    snapshot_manifest_name(first, name);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    sim_disk_flip_bit(f->sim, path, 800);
    EXPECT_EQ(load_repairing(f), ERR_NOT_FOUND);
    EXPECT_STR(f->load.why.text, "no other snapshot is there");
    snapshot_load_free(&f->load);
    drop_loaded(f);
    close_fixture(f);
}
