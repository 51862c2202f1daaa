/* Snapshots of a database that is written to, linked and searched by threads, to real files. */
#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
#include "db/search.h"
#include "lib/mutations.h"
#include "lib/test.h"
#include "lib/twin.h"
#include "net/io_uv.h"
#include "persist/check.h"
#include "persist/snapshot.h"
#include "persist/snapshot_load.h"
#include "sim/inspect.h"

enum { LANES = 3, ROUNDS = 6, CHANGES_PER_TICK = 40, TICK_US = 200 };

struct fixture {
    struct io *io;
    struct db db, twin_db, loaded;
    struct twin twin;
    struct io_timer timer;
    struct snapshots snapshots;
    struct snapshot_load load;
    struct mutations mutations;
    enum err result;
    bool busy; /* changes go on */
    bool searching;
    struct epoch *idle;
    char dir[64];
};

static void on_snapshot(void *user, enum err e)
{
    struct fixture *f = user;
    f->result = e;
    f->busy = false;
    io_uv_stop(f->io);
}

static void on_loaded(struct snapshot_load *l, enum err e)
{
    on_snapshot(l->user, e);
}

static void encode(struct search *s, const struct hit *hits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK(view_id(&s->view, hits[i].row).len > 0);
}

static void on_answer(struct search *s)
{
    struct fixture *f = s->user;
    EXPECT_EQ(s->error, OK);
    f->searching = false;
    search_free(s);
}

static void search_some(struct fixture *f)
{
    struct collection *c;
    if (f->searching || db_collection(&f->db, slice_of("c0"), &c) != OK || c == NULL)
        return;
    struct search *s = search_new(&f->db, c, 1);
    REQUIRE(s != NULL);
    for (uint32_t i = 0; i < MUTATIONS_DIM; i++)
        s->queries[i] = (float)rng_below(&f->mutations.rng, 2); /* which every type has */
    s->count = 10;
    s->encode = encode;
    s->done = on_answer;
    s->user = f;
    f->searching = true;
    if (search_start(s))
        on_answer(s);
}

static void change(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct mutation m = mutations_next(&f->mutations, &f->db);
        uint64_t lsn;
        struct why why = {""};
        if (m.kind == MUTATION_FLUSH || m.kind == MUTATION_KEY_REMOVE)
            continue; /* there is to be something to read */
        EXPECT_EQ(db_write(&f->db, &m, &lsn, &why), OK);
        EXPECT_STR(why.text, "");
    }
}

static void on_tick(struct io_timer *timer)
{
    struct fixture *f = timer->user;
    if (!f->busy)
        return;
    change(f, CHANGES_PER_TICK);
    search_some(f);
    f->io->ops->timer_start(f->io, timer, TICK_US);
}

static void on_idle_tick(struct io_timer *timer)
{
    struct fixture *f = timer->user;
    bool idle = db_idle(&f->db) && db_idle(&f->twin_db);
    if (idle && (f->loaded.io == NULL || db_idle(&f->loaded)))
        io_uv_stop(f->io);
    else
        f->io->ops->timer_start(f->io, timer, TICK_US);
}

static void start(struct fixture *f, void (*fn)(struct io_timer *timer))
{
    f->timer.fn = fn;
    f->timer.user = f;
    f->io->ops->timer_start(f->io, &f->timer, 0);
}

static void wait_until_idle(struct fixture *f)
{
    start(f, on_idle_tick);
    io_uv_run(f->io);
}

static void init_db(struct fixture *f, struct db *db)
{
    struct db_options options = {.flat_rows_max = 60, .pending_scan_bytes = 1 << 20};
    REQUIRE(vec_kernels_choose("auto", &options.kernels, NULL) == OK);
    db_init(db, f->io, &options);
}

static void end_db(struct fixture *f, struct db *db)
{
    db_clear(db);
    wait_until_idle(f);
    db_fini(db);
    db->io = NULL;
}

static void on_finding(void *user, const struct check_finding *finding)
{
    (void)user;
    if (finding->grade == CHECK_DAMAGE)
        test_fail(__FILE__, __LINE__, "%s: %s", finding->file, finding->text);
}

static void expect_loaded(struct fixture *f)
{
    struct check_counts counts;
    EXPECT_EQ(check_folder(f->io, f->dir, on_finding, NULL, &counts, NULL), OK);
    init_db(f, &f->loaded);
    struct snapshot_load_options options = {.dir = f->dir};
    snapshot_load_start(&f->load, f->io, &f->loaded, &options, on_loaded, f);
    io_uv_run(f->io);
    EXPECT_EQ(f->result, OK);
    EXPECT_STR(f->load.why.text, "");
    wait_until_idle(f);
    const char *difference = inspect_difference(&f->twin_db, &f->loaded);
    EXPECT_STR(difference == NULL ? "" : difference, "");
    const char *broken = inspect_db(&f->loaded, false);
    EXPECT_STR(broken == NULL ? "" : broken, "");
    snapshot_load_free(&f->load);
    end_db(f, &f->loaded);
}

static void remove_name(void *user, const char *name)
{
    struct fixture *f = user;
    char path[SNAPSHOT_PATH_SIZE];
    EXPECT_EQ(snapshot_path(f->dir, name, path), OK);
    EXPECT_EQ(unlink(path), 0);
}

TEST(snapshot_threads, read_what_was_there_while_all_goes_on)
{
    static struct fixture f;
    f = (struct fixture){.dir = "/tmp/vdb-snapshot-XXXXXX"};
    REQUIRE(mkdtemp(f.dir) != NULL);
    REQUIRE(io_uv_new(LANES, &f.io, NULL) == OK);
    init_db(&f, &f.db);
    init_db(&f, &f.twin_db);
    twin_init(&f.twin, &f.db, &f.twin_db);
    snapshots_init(&f.snapshots, f.io, &f.db, f.dir, on_snapshot, &f);
    f.snapshots.chunk_bytes = 4096;
    mutations_init(&f.mutations, 11, 200, 4, 2000);
    f.mutations.put_share = 80;
    change(&f, 3000);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t lsn = f.db.log.last_lsn;
        f.twin.held = true;
        f.busy = true;
        REQUIRE(snapshots_start(&f.snapshots) == OK);
        start(&f, on_tick);
        io_uv_run(f.io);
        EXPECT_EQ(f.result, OK);
        EXPECT_EQ(f.snapshots.last.lsn, lsn);
        wait_until_idle(&f);
        expect_loaded(&f);
        twin_go_on(&f.twin);
        change(&f, round % 2 == 0 ? 500 : 20);
    }
    twin_fini(&f.twin);
    end_db(&f, &f.db);
    end_db(&f, &f.twin_db);
    snapshots_fini(&f.snapshots);
    EXPECT_EQ(f.io->ops->list_dir(f.io, f.dir, remove_name, &f), OK);
    EXPECT_EQ(rmdir(f.dir), 0);
    io_uv_free(f.io);
}
