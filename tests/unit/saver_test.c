/* When snapshots are taken. */
#include "persist/saver.h"

#include "lib/test.h"
#include "sim/sim_io.h"

enum { SECOND_US = 1000 * 1000 };

static const char *const dir = "/data";

struct fixture {
    struct sim *sim;
    struct db db;
    struct log log;
    struct saver saver;
    struct io_timer cron;
    unsigned done, failed;
};

static void on_done(void *user, enum err e)
{
    struct fixture *f = user;
    f->done++;
    f->failed += e != OK;
}

static void on_cron(struct io_timer *timer)
{
    struct fixture *f = timer->user;
    saver_tick(&f->saver);
    sim_io(f->sim)->ops->timer_start(sim_io(f->sim), timer, SECOND_US / 10);
}

static struct fixture *open_fixture(void)
{
    struct fixture *f = mem_calloc(MEM_TEST, sizeof(*f));
    struct db_options options = {.flat_rows_max = 60, .pending_scan_bytes = 1 << 20};
    REQUIRE(vec_kernels_choose("auto", &options.kernels, NULL) == OK);
    f->sim = sim_new(1, NULL);
    struct io *io = sim_io(f->sim);
    REQUIRE(io->ops->make_dir(io, dir) == OK && io->ops->sync_dir(io, "/") == OK);
    f->log = (struct log){.level = LOG_WARNING + 1};
    db_init(&f->db, io, &options);
    saver_init(&f->saver, io, &f->db, &f->log, dir, on_done, f);
    EXPECT(saver_start(&f->saver, true) == ERR_BUSY); /* nothing is loaded yet */
    saver_loaded(&f->saver, NULL, 1);
    f->cron = (struct io_timer){.fn = on_cron, .user = f};
    io->ops->timer_start(io, &f->cron, 0);
    return f;
}

static bool is_idle(void *user)
{
    const struct fixture *f = user;
    return db_idle(&f->db) && f->saver.snapshots.run == NULL;
}

static void close_fixture(struct fixture *f)
{
    struct io *io = sim_io(f->sim);
    io->ops->timer_stop(io, &f->cron);
    saver_stop(&f->saver);
    db_clear(&f->db);
    EXPECT(is_idle(f) || sim_run_until(f->sim, is_idle, f, 60 * SECOND_US));
    saver_fini(&f->saver);
    db_fini(&f->db);
    sim_free(f->sim);
    mem_free(MEM_TEST, f);
}

static void write(struct fixture *f, unsigned count)
{
    struct mutation m = {
        .kind = MUTATION_STRING_SET, .key = slice_of("key"), .value = slice_of("value")};
    uint64_t lsn;
    for (unsigned i = 0; i < count; i++)
        EXPECT_EQ(db_write(&f->db, &m, &lsn, NULL), OK);
}

TEST(saver, saves_when_a_point_is_reached_and_not_before)
{
    struct fixture *f = open_fixture();
    f->saver.points = (struct save_points){.list = {{100, 1}, {10, 50}}, .count = 2};
    sim_run_for(f->sim, 200 * (uint64_t)SECOND_US);
    EXPECT_EQ(f->done, 0); /* nothing has changed */
    write(f, 1);
    EXPECT_EQ(saver_changes(&f->saver), 1);
    sim_run_for(f->sim, SECOND_US);
    EXPECT_EQ(f->done, 1); /* the last one was long ago */
    EXPECT_EQ(saver_changes(&f->saver), 0);
    write(f, 49);
    sim_run_for(f->sim, 50 * (uint64_t)SECOND_US);
    EXPECT_EQ(f->done, 1);
    write(f, 1);
    sim_run_for(f->sim, SECOND_US);
    EXPECT_EQ(f->done, 2);
    write(f, 60);
    sim_run_for(f->sim, 9 * SECOND_US);
    EXPECT_EQ(f->done, 2);
    sim_run_for(f->sim, 2 * SECOND_US);
    EXPECT_EQ(f->done, 3);
    EXPECT_EQ(f->saver.snapshots.last.lsn, 111);
    EXPECT_EQ(f->failed, 0);
    close_fixture(f);
}

/* Not records: one may change many keys, and elements that move change none. */
TEST(saver, changes_are_those_of_keys_and_elements)
{
    struct fixture *f = open_fixture();
    uint64_t lsn;
    db_begin(&f->db);
    write(f, 3);
    db_commit(&f->db);
    EXPECT_EQ(saver_changes(&f->saver), 3);
    EXPECT_EQ(saver_start(&f->saver, false), OK);
    while (f->saver.snapshots.run == NULL)
        REQUIRE(sim_step(f->sim));
    write(f, 2); /* the snapshot does not have these */
    sim_run_for(f->sim, SECOND_US);
    EXPECT_EQ(f->done, 1);
    EXPECT_EQ(saver_changes(&f->saver), 2);
    EXPECT_EQ(db_write(&f->db, &(struct mutation){.kind = MUTATION_TICK}, &lsn, NULL), OK);
    EXPECT_EQ(saver_changes(&f->saver), 2);
    EXPECT_EQ(db_write(&f->db, &(struct mutation){.kind = MUTATION_FLUSH}, &lsn, NULL), OK);
    EXPECT_EQ(saver_changes(&f->saver), 3); /* one key was there */
    close_fixture(f);
}

TEST(saver, one_at_a_time_and_one_more_if_asked)
{
    struct fixture *f = open_fixture();
    write(f, 1);
    EXPECT_EQ(saver_start(&f->saver, false), OK);
    EXPECT(saver_busy(&f->saver));
    EXPECT_EQ(saver_start(&f->saver, false), ERR_BUSY);
    while (f->saver.snapshots.run == NULL)
        REQUIRE(sim_step(f->sim));
    write(f, 1);
    EXPECT_EQ(saver_start(&f->saver, true), OK);
    EXPECT_EQ(saver_start(&f->saver, true), OK); /* the same one */
    sim_run_for(f->sim, SECOND_US);
    EXPECT_EQ(f->done, 2);
    EXPECT_EQ(f->saver.snapshots.last.lsn, 2);
    EXPECT(!saver_busy(&f->saver));
    close_fixture(f);
}

TEST(saver, tries_again_five_seconds_after_a_failure)
{
    struct fixture *f = open_fixture();
    f->saver.points = (struct save_points){.list = {{1, 1}}, .count = 1};
    write(f, 1);
    sim_fail_nth(f->sim, 1);
    sim_run_for(f->sim, 3 * SECOND_US);
    EXPECT_EQ(f->done, 1);
    EXPECT_EQ(f->failed, 1);
    EXPECT(f->saver.snapshots.last_error == ERR_IO && f->saver.snapshots.failures == 1);
    sim_run_for(f->sim, 5 * SECOND_US);
    EXPECT_EQ(f->done, 2);
    EXPECT_EQ(f->failed, 1);
    EXPECT(f->saver.snapshots.last_error == OK);
    close_fixture(f);
}

TEST(saver, ends_in_the_midst_of_a_snapshot)
{
    for (unsigned steps = 0; steps < 40; steps++) {
        struct fixture *f = open_fixture();
        write(f, 10);
        EXPECT_EQ(saver_start(&f->saver, false), OK);
        EXPECT_EQ(saver_start(&f->saver, true), OK);
        for (unsigned i = 0; i < steps; i++)
            (void)sim_step(f->sim);
        saver_stop(&f->saver);
        EXPECT_EQ(saver_start(&f->saver, true), ERR_BUSY);
        close_fixture(f);
    }
}
