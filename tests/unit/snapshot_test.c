/* Snapshots on the simulator's disk: what is loaded is what was there at the LSN, whatever happens
 * meanwhile. */
#include "persist/snapshot.h"

#include "base/rng.h"
#include "db/capture.h"
#include "lib/mutations.h"
#include "lib/test.h"
#include "persist/check.h"
#include "persist/snapshot_load.h"
#include "sim/inspect.h"
#include "sim/sim_io.h"

enum { RUN_US = 600 * 1000 * 1000 };

static const char *const dir = "/data";

/* A database that is changed, a twin that can be held back at an LSN, and one to load into. */
struct fixture {
    struct mlog_sink sink;
    struct sim *sim;
    struct db db, twin, loaded;
    bool held;          /* records are kept for later */
    struct buf records; /* u64 size, bytes, zeros up to a multiple of 8 */
    struct snapshots snapshots;
    struct snapshot_load load;
    struct mutations mutations;
    bool done;
    enum err result;
};

static void replay_all(struct fixture *f, struct db *db)
{
    for (size_t at = 0; at < f->records.len;) {
        uint64_t size;
        struct why why = {""};
        memcpy(&size, f->records.ptr + at, sizeof(size));
        struct slice record = {f->records.ptr + at + 8, size};
        EXPECT_EQ(db_replay_record(db, record, db->log.last_lsn + 1, &why), OK);
        EXPECT_STR(why.text, "");
        at += 8 + (size + 7) / 8 * 8;
    }
}

static void on_record(struct mlog_sink *sink, uint64_t lsn, struct slice record)
{
    struct fixture *f = (struct fixture *)sink;
    struct why why = {""};
    if (!f->held) {
        EXPECT_EQ(db_replay_record(&f->twin, record, lsn, &why), OK);
        return;
    }
    uint64_t size = record.len;
    buf_append(&f->records, &size, sizeof(size));
    buf_append_slice(&f->records, record);
    while (f->records.len % 8 != 0)
        buf_append_byte(&f->records, 0);
}

static uint64_t stable(const struct mlog_sink *sink)
{
    (void)sink;
    return UINT64_MAX;
}

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
}

static struct fixture *open_fixture(uint64_t seed)
{
    struct fixture *f = mem_calloc(MEM_TEST, sizeof(*f));
    f->sim = sim_new(seed, NULL);
    struct io *io = sim_io(f->sim);
    REQUIRE(io->ops->make_dir(io, dir) == OK);
    init_db(f, &f->db);
    init_db(f, &f->twin);
    f->sink = (struct mlog_sink){.on_record = on_record, .stable = stable};
    mlog_add_sink(&f->db.log, &f->sink);
    buf_init(&f->records, MEM_TEST);
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
    return db_idle(&f->db) && db_idle(&f->twin) && (f->loaded.io == NULL || db_idle(&f->loaded));
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
    mlog_remove_sink(&f->db.log, &f->sink);
    db_clear(&f->db);
    db_clear(&f->twin);
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
    db_fini(&f->db);
    db_fini(&f->twin);
    buf_fini(&f->records);
    sim_free(f->sim);
    EXPECT_EQ(mem_used(MEM_SNAPSHOT), 0);
    mem_free(MEM_TEST, f);
}

static void write(struct fixture *f, const struct mutation *m)
{
    uint64_t lsn;
    struct why why = {""};
    EXPECT_EQ(db_write(&f->db, m, &lsn, &why), OK);
    EXPECT_STR(why.text, "");
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
    for (unsigned i = 0; i < count; i++) {
        struct mutation m = mutations_next(&f->mutations, &f->db);
        write(f, &m);
    }
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
    EXPECT_EQ(counts.keys, keyspace_count(&f->twin.keys));
}

static enum err load(struct fixture *f)
{
    init_db(f, &f->loaded);
    f->done = false;
    snapshot_load_start(&f->load, sim_io(f->sim), &f->loaded, dir, on_loaded, f);
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
    EXPECT_EQ(f->loaded.log.last_lsn, f->twin.log.last_lsn);
    expect_same(&f->twin, &f->loaded);
    expect_sound(&f->loaded, false);
    replay_all(f, &f->twin);
    replay_all(f, &f->loaded);
    expect_same(&f->twin, &f->loaded);
    expect_same(&f->db, &f->loaded);
    expect_sound(&f->loaded, false);
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
    sim_run_for(f->sim, 3000 * 1000);
    expect_sound(&f->loaded, true);
    snapshot_load_free(&f->load);
    drop_loaded(f);
    buf_clear(&f->records, 0);
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
            f->held = true;
            take(f, (unsigned)(seed + round) % 4);
            EXPECT_EQ(f->result, OK);
            expect_loaded(f);
            f->held = false;
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
    struct mutation m = mutations_of(&f->mutations, &f->db, MUTATION_PUT);
    char id[MUTATIONS_TEXT];
    (void)snprintf(id, sizeof(id), "row%u", number);
    m.key = slice_of("c0");
    m.creates = keyspace_get(&f->db.keys, m.key) == NULL;
    m.count = 1;
    m.elements[0].id = slice_of(id);
    write(f, &m);
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
