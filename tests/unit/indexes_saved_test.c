/* Indexes over keys in snapshots: they come back with their graphs, and what is damaged of them is
 * made again. */
#include <stdio.h>

#include "base/rng.h"
#include "db/indexes_image.h"
#include "lib/test.h"
#include "persist/snapshot.h"
#include "persist/snapshot_load.h"
#include "sim/inspect.h"
#include "sim/sim_io.h"

enum { RUN_US = 60 * 1000 * 1000, DIM = 8, DOCUMENTS = 300, WORDS_MAX = 40 };

static const char *const dir = "/data";

static const char *const plain = "PREFIX 1 d: SCHEMA t TAG v VECTOR HNSW 6 TYPE FLOAT32 DIM 8 "
                                 "DISTANCE_METRIC L2 w VECTOR FLAT 6 TYPE FLOAT32 DIM 1 "
                                 "DISTANCE_METRIC IP";
static const char *const worded = "PREFIX 1 d: SCHEMA t TEXT v VECTOR HNSW 6 TYPE FLOAT32 DIM 8 "
                                  "DISTANCE_METRIC COSINE";

struct fixture {
    struct sim *sim;
    struct db db, loaded;
    struct snapshots snapshots;
    struct snapshot_load load;
    uint64_t rng;
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
}

static bool is_quiet(const struct db *db)
{
    for (const struct key_index *x = db->indexes; x != NULL; x = x->next)
        if (x->scans || x->successor != NULL)
            return false;
    return db_idle(db);
}

static bool is_idle(void *user)
{
    struct fixture *f = user;
    return is_quiet(&f->db) && (f->loaded.io == NULL || is_quiet(&f->loaded));
}

static bool is_done(void *user)
{
    return ((struct fixture *)user)->done;
}

static void settle(struct fixture *f)
{
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
}

static void write(struct db *db, const struct mutation *m)
{
    uint64_t lsn;
    struct why why = {""};
    EXPECT_EQ(db_write(db, m, &lsn, &why), OK);
    EXPECT_STR(why.text, "");
}

static void create(struct fixture *f, const char *name, const char *line)
{
    struct slice words[WORDS_MAX];
    struct mutation m = {.kind = MUTATION_INDEX_NEW, .key = slice_of(name), .ids = words};
    while (*line != '\0') {
        size_t size = strcspn(line, " ");
        REQUIRE(m.count < WORDS_MAX);
        words[m.count++] = (struct slice){(const uint8_t *)line, size};
        line += line[size] == ' ' ? size + 1 : size;
    }
    write(&f->db, &m);
}

/* A document with a vector of its own, new or another. */
static void put(struct fixture *f, struct db *db, unsigned number)
{
    char key[24], tag[24];
    float vector[DIM];
    (void)snprintf(key, sizeof(key), "d:%u", number);
    (void)snprintf(tag, sizeof(tag), "word%u", number % 7);
    for (size_t i = 0; i < DIM; i++)
        vector[i] = (float)(rng_unit(&f->rng) - 0.5);
    struct hash_field fields[] = {
        {slice_of("t"), slice_of(tag), 0},
        {slice_of("v"), {(const uint8_t *)vector, sizeof(vector)}, 0},
        {slice_of("w"), {(const uint8_t *)vector, sizeof(vector[0])}, 0}};
    write(db, &(struct mutation){.kind = MUTATION_HASH_SET,
                                 .key = slice_of(key),
                                 .fields = fields,
                                 .count = COUNT_OF(fields)});
}

static void take_away(struct db *db, unsigned number)
{
    char key[24];
    (void)snprintf(key, sizeof(key), "d:%u", number);
    write(db, &(struct mutation){.kind = MUTATION_KEY_REMOVE, .key = slice_of(key)});
}

static struct fixture *open_fixture(void)
{
    struct fixture *f = mem_calloc(MEM_TEST, sizeof(*f));
    f->sim = sim_new(1, NULL);
    f->rng = 1;
    struct io *io = sim_io(f->sim);
    REQUIRE(io->ops->make_dir(io, dir) == OK && io->ops->sync_dir(io, "/") == OK);
    init_db(f, &f->db);
    snapshots_init(&f->snapshots, io, &f->db, dir, on_snapshot, f);
    f->snapshots.chunk_bytes = 2048;
    create(f, "plain", plain);
    create(f, "worded", worded);
    for (unsigned i = 0; i < DOCUMENTS; i++)
        put(f, &f->db, i);
    settle(f);
    return f;
}

static void close_fixture(struct fixture *f)
{
    snapshots_fini(&f->snapshots);
    db_clear(&f->db);
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
    db_fini(&f->db);
    sim_free(f->sim);
    EXPECT_EQ(mem_used(MEM_SNAPSHOT), 0);
    mem_free(MEM_TEST, f);
}

static void take(struct fixture *f)
{
    f->done = false;
    REQUIRE(snapshots_start(&f->snapshots) == OK);
    REQUIRE(sim_run_until(f->sim, is_done, f, RUN_US) && f->result == OK);
}

/* Links are not made by themselves, so what is linked came with the snapshot. */
static void load(struct fixture *f)
{
    struct snapshot_load_options options = {.dir = dir};
    init_db(f, &f->loaded);
    f->loaded.background.paused = true;
    f->done = false;
    snapshot_load_start(&f->load, sim_io(f->sim), &f->loaded, &options, on_loaded, f);
    REQUIRE(sim_run_until(f->sim, is_done, f, RUN_US));
    EXPECT_EQ(f->result, OK);
    EXPECT_STR(f->load.why.text, "");
}

static void drop_loaded(struct fixture *f)
{
    snapshot_load_free(&f->load);
    db_clear(&f->loaded);
    settle(f);
    db_fini(&f->loaded);
    f->loaded.io = NULL;
}

static unsigned count_linked(const struct collection *c)
{
    unsigned count = 0;
    for (uint32_t row = 0; row < c->rows_end; row++)
        count += collection_state(c, row) == ROW_LINKED;
    return count;
}

static struct key_index *loaded_index(struct fixture *f, const char *name)
{
    struct key_index *x = indexes_find(&f->loaded, slice_of(name));
    REQUIRE(x != NULL);
    return x;
}

static void expect_sound(struct db *db)
{
    while (indexes_scan_some(db, 1000 * 1000))
        continue;
    const char *broken = inspect_db(db, false);
    EXPECT_STR(broken == NULL ? "" : broken, "");
    for (const struct key_index *x = db->indexes; x != NULL; x = x->next)
        EXPECT_EQ(x->docs->live, keyspace_count(&db->keys));
}

/* The loaded and the original have the same changes behind them, and go on. */
static void go_on(struct fixture *f)
{
    f->loaded.background.paused = false;
    for (unsigned i = 0; i < DOCUMENTS; i += 5) {
        uint64_t rng = f->rng;
        put(f, &f->db, i);
        f->rng = rng;
        put(f, &f->loaded, i);
        take_away(&f->db, i + 1);
        take_away(&f->loaded, i + 1);
    }
    settle(f);
    EXPECT(inspect_difference(&f->db, &f->loaded) == NULL);
    expect_sound(&f->loaded);
}

TEST(indexes_saved, they_come_back_with_their_links)
{
    struct fixture *f = open_fixture();
    for (unsigned i = 0; i < 40; i++)
        take_away(&f->db, i * 3);
    settle(f);
    take(f);
    load(f);
    size_t documents = keyspace_count(&f->loaded.keys);
    struct key_index *x = loaded_index(f, "plain");
    EXPECT(!x->scans);
    EXPECT_EQ(x->docs->live, documents);
    EXPECT_EQ(count_linked(x->vectors[0]), documents);
    EXPECT_EQ(x->vectors[1]->live, documents);
    x = loaded_index(f, "worded");
    EXPECT(x->scans); /* for the words; the scan leaves the links */
    EXPECT_EQ(count_linked(x->vectors[0]), documents);
    expect_sound(&f->loaded);
    EXPECT_EQ(count_linked(x->vectors[0]), documents);
    EXPECT_EQ(f->loaded.background.rows_linked, 0);
    go_on(f);
    drop_loaded(f);
    close_fixture(f);
}

/* What has changed since the last snapshot is in the next, which is small. */
TEST(indexes_saved, the_next_snapshot_writes_what_has_changed)
{
    struct fixture *f = open_fixture();
    take(f);
    uint64_t first = f->snapshots.last_bytes;
    put(f, &f->db, 7);
    put(f, &f->db, DOCUMENTS);
    settle(f);
    take(f);
    EXPECT(f->snapshots.last_bytes < first * 2 / 3);
    load(f);
    expect_sound(&f->loaded);
    EXPECT_EQ(count_linked(loaded_index(f, "plain")->vectors[0]), DOCUMENTS + 1);
    drop_loaded(f);
    close_fixture(f);
}

/* What is indexed behind a snapshot is born at its LSN. */
TEST(indexes_saved, what_a_scan_has_put_is_in_the_next_snapshot)
{
    struct fixture *f = open_fixture();
    create(f, "late", plain);
    EXPECT(indexes_find(&f->db, slice_of("late"))->scans);
    take(f);
    settle(f);
    take(f);
    load(f);
    EXPECT(!loaded_index(f, "late")->scans);
    expect_sound(&f->loaded);
    drop_loaded(f);
    close_fixture(f);
}

/* Bit by bit, one of each chunk that an index has. */
TEST(indexes_saved, what_is_damaged_is_made_again)
{
    struct fixture *f = open_fixture();
    char name[SNAPSHOT_NAME_SIZE], path[SNAPSHOT_PATH_SIZE];
    take(f);
    unsigned tried = 0;
    for (uint32_t i = 0; i < f->snapshots.last.chunk_count; i++) {
        const struct chunk *chunk = &f->snapshots.last.chunks[i];
        if (chunk->uid == 0)
            continue;
        snapshot_pack_name(chunk->pack, name);
        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        uint64_t bit = (chunk->offset + rng_below(&f->rng, chunk->size)) * 8;
        sim_disk_flip_bit(f->sim, path, bit);
        load(f);
        EXPECT_EQ(f->load.renewed, 1);
        EXPECT(loaded_index(f, "plain")->scans || loaded_index(f, "worded")->scans);
        expect_sound(&f->loaded);
        drop_loaded(f);
        sim_disk_flip_bit(f->sim, path, bit);
        tried++;
    }
    EXPECT(tried > 30);
    load(f);
    EXPECT_EQ(f->load.renewed, 0);
    drop_loaded(f);
    close_fixture(f);
}

/* The last part of a description has the form of what is saved first. */
TEST(indexes_saved, what_is_of_another_form_is_made_again)
{
    struct fixture *f = open_fixture();
    struct buf bytes = BUF_INIT(MEM_TEST);
    struct why why = {""};
    indexes_encode(&f->db, true, &bytes);
    size_t parts = sizeof(uint32_t) + sizeof(uint64_t) + 2 * sizeof(uint32_t);
    for (unsigned form = 0; form < 2; form++) {
        bytes.ptr[bytes.len - parts - 2 * sizeof(uint64_t)] += (uint8_t)form;
        init_db(f, &f->loaded);
        f->loaded.next_uid = f->db.next_uid;
        EXPECT_EQ(indexes_decode(&f->loaded, buf_slice(&bytes), true, &why), OK);
        EXPECT_EQ(loaded_index(f, "worded")->loads, form == 0);
        EXPECT(loaded_index(f, "plain")->loads);
        db_clear(&f->loaded);
        settle(f);
        db_fini(&f->loaded);
        f->loaded.io = NULL;
    }
    buf_fini(&bytes);
    close_fixture(f);
}

TEST(indexes_saved, one_that_lacks_documents_is_not_saved)
{
    struct fixture *f = open_fixture();
    indexes_find(&f->db, slice_of("plain"))->lacks = true;
    take(f);
    load(f);
    EXPECT(loaded_index(f, "plain")->scans);
    EXPECT_EQ(loaded_index(f, "plain")->docs->live, 0);
    expect_sound(&f->loaded);
    drop_loaded(f);
    close_fixture(f);
}
