/* The log without a server: what is durable survives, what is not is cut off or comes back whole,
 * and damage is told from a torn tail. */
#include "base/rng.h"
#include "sim/log_rig.h"

enum { SECOND_US = 1000 * 1000 };

TEST(log, what_was_written_is_there_again)
{
    static struct rig r;
    struct sim *sim = sim_new(1, NULL);
    struct aof_options options = rig_options();
    uint64_t lsn = 0;
    for (unsigned life = 0; life < 5; life++) {
        rig_start(&r, sim, &options);
        EXPECT(rig_holds(&r, lsn));
        EXPECT_EQ(r.recover.replayed, lsn);
        rig_write(&r, life * 10, 100);
        lsn += life * 10;
        EXPECT(rig_wait(&r));
        EXPECT_EQ(aof_durable_lsn(&r.aof), lsn);
        rig_stop(&r);
    }
    /* Two at the end that hold nothing but the next LSN, as both starts found none to write. */
    sim_free(sim);
}

/* A record that the server made by itself now would have the LSN of one that is still to come. */
TEST(log, nothing_new_is_logged_while_the_old_comes_back)
{
    static struct rig r;
    struct sim *sim = sim_new(1, NULL);
    struct aof_options options = rig_options();
    const struct recover_log_options recovery = {.dir = RIG_DIR};
    rig_start(&r, sim, &options);
    EXPECT(mlog_accepts(&r.db.log));
    rig_write(&r, 5000, 20);
    rig_stop(&r);
    rig_begin(&r, sim);
    unsigned steps = 0;
    recover_log_start(&r.recover, sim_io(sim), &r.db, &r.log, &recovery, rig_recovered, &r);
    while (!r.recovered) {
        EXPECT(!mlog_accepts(&r.db.log));
        REQUIRE(sim_step(sim));
        steps++;
    }
    EXPECT(mlog_accepts(&r.db.log));
    EXPECT(r.result == OK && r.db.log.last_lsn == 5000 && steps > 5);
    recover_log_free(&r.recover);
    rig_end(&r);
    sim_free(sim);
}

TEST(log, many_records_of_one_moment_are_one_sync)
{
    static struct rig r;
    struct sim *sim = sim_new(2, NULL);
    struct aof_options options = rig_options();
    rig_start(&r, sim, &options);
    sim_run_for(sim, SECOND_US / 2);
    uint64_t before = r.aof.writer.syncs;
    rig_write(&r, 500, 100);
    EXPECT(rig_wait(&r));
    EXPECT_EQ(r.aof.writer.syncs, before + 1);
    EXPECT(r.stables >= 1 && r.stables <= 4);
    rig_stop(&r);
    sim_free(sim);
}

static void step_until_busy(struct rig *r, struct sim *sim)
{
    while (!r->aof.busy)
        REQUIRE(sim_step(sim));
}

static void step_until_durable(struct rig *r, struct sim *sim, uint64_t lsn)
{
    while (aof_durable_lsn(&r->aof) < lsn)
        REQUIRE(sim_step(sim));
}

TEST(log, a_group_waits_for_as_many_as_there_were_while_they_keep_coming)
{
    static struct rig r;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        struct aof_options options = rig_options();
        options.policy = AOF_ALWAYS;
        rig_start(&r, sim, &options);
        sim_run_for(sim, SECOND_US / 2);
        uint64_t before = r.aof.writer.syncs;
        rig_write(&r, 4, 10);
        step_until_busy(&r, sim);
        rig_write(&r, 4, 10);
        step_until_durable(&r, sim, 4);
        REQUIRE(r.aof.gather_us > 0);
        for (unsigned i = 0; i < 2; i++) { /* longer than it waits for one, not than for all */
            sim_run_for(sim, r.aof.gather_us * 3 / 4);
            EXPECT(!r.aof.busy);
            rig_write(&r, 2, 10);
        }
        step_until_durable(&r, sim, 12);
        EXPECT_EQ(r.aof.writer.syncs, before + 2);

        /* Who does not come is waited for half a sync, and no longer. */
        rig_write(&r, 8, 10);
        step_until_busy(&r, sim);
        rig_write(&r, 1, 10);
        step_until_durable(&r, sim, 20);
        EXPECT(!r.aof.busy);
        sim_run_for(sim, r.aof.gather_us + 100);
        EXPECT(r.aof.busy || aof_durable_lsn(&r.aof) == 21);
        rig_stop(&r);
        sim_free(sim);
    }
}

TEST(log, every_policy_syncs_when_it_says)
{
    static struct rig r;
    static const uint64_t waits_us[] = {SECOND_US / 10, SECOND_US * 3 / 2, 32 * SECOND_US};
    for (enum aof_policy policy = AOF_ALWAYS; policy <= AOF_NO; policy++) {
        struct sim *sim = sim_new(3, NULL);
        struct aof_options options = rig_options();
        options.policy = policy;
        rig_start(&r, sim, &options);
        sim_run_for(sim, SECOND_US / 2);
        rig_write(&r, 1, 10);
        EXPECT_EQ(mlog_stable(&r.db.log), policy == AOF_ALWAYS ? 0 : UINT64_MAX);
        EXPECT_EQ(mlog_kept(&r.db.log), 0); /* a killed process would take it along */
        sim_run_for(sim, policy == AOF_ALWAYS ? 0 : waits_us[policy] / 8);
        EXPECT_EQ(aof_durable_lsn(&r.aof), 0);
        EXPECT_EQ(mlog_kept(&r.db.log), policy == AOF_ALWAYS ? 0 : 1);
        sim_run_for(sim, waits_us[policy]);
        EXPECT_EQ(aof_durable_lsn(&r.aof), 1);
        EXPECT_EQ(mlog_stable(&r.db.log), policy == AOF_ALWAYS ? 1 : UINT64_MAX);
        rig_write(&r, 1, 10);
        aof_sync_soon(&r.aof);
        sim_run_for(sim, waits_us[AOF_ALWAYS]);
        EXPECT_EQ(aof_durable_lsn(&r.aof), 2);
        rig_stop(&r);
        sim_free(sim);
    }
}

TEST(log, segments_end_near_their_size_and_are_read_as_one_log)
{
    static struct rig r;
    struct sim *sim = sim_new(4, NULL);
    struct aof_options options = rig_options();
    options.segment_size = 4096;
    rig_start(&r, sim, &options);
    for (unsigned i = 0; i < 40; i++) {
        rig_write(&r, 5, 300);
        EXPECT(rig_wait(&r));
    }
    EXPECT(r.aof.writer.segments > 10 && r.aof.writer.segments < 25);
    aof_rotate_soon(&r.aof);
    uint64_t before = r.aof.writer.segments;
    rig_write(&r, 1, 0);
    EXPECT(rig_wait(&r));
    rig_write(&r, 1, 0);
    EXPECT(rig_wait(&r));
    EXPECT_EQ(r.aof.writer.segments, before + 1);
    EXPECT_EQ(r.aof.writer.first_lsn, 201);
    rig_stop(&r);
    rig_start(&r, sim, &options);
    EXPECT(rig_holds(&r, 202));
    rig_stop(&r);
    sim_free(sim);
}

TEST(log, a_segment_is_sealed_though_nothing_is_written_any_more)
{
    static struct rig r;
    struct sim *sim = sim_new(14, NULL);
    struct aof_options options = rig_options();
    rig_start(&r, sim, &options);
    for (unsigned i = 1; i <= 3; i++) {
        rig_write(&r, 2, 300);
        aof_seal_soon(&r.aof);
        sim_run_for(sim, 1000 * 1000);
        EXPECT_EQ(r.aof.writer.first_lsn, 2 * i + 1);
        EXPECT_EQ(aof_durable_lsn(&r.aof), 2 * i);
        uint64_t segments = r.aof.writer.segments;
        aof_seal_soon(&r.aof); /* of nothing */
        sim_run_for(sim, 1000 * 1000);
        EXPECT_EQ(r.aof.writer.segments, segments);
    }
    rig_write(&r, 1, 300);
    EXPECT(rig_wait(&r));
    EXPECT_EQ(r.aof.writer.first_lsn, 7);
    rig_stop(&r);
    rig_start(&r, sim, &options);
    EXPECT(rig_holds(&r, 7));
    rig_stop(&r);
    sim_free(sim);
}

TEST(log, a_record_larger_than_every_buffer_goes_through)
{
    static struct rig r;
    struct sim *sim = sim_new(5, NULL);
    struct aof_options options = rig_options();
    rig_start(&r, sim, &options);
    rig_write(&r, 3, 1000);
    rig_write(&r, 2, 1900 * 1000);
    rig_write(&r, 3, 1000);
    rig_stop(&r);
    rig_start(&r, sim, &options);
    EXPECT(rig_holds(&r, 8));
    rig_stop(&r);
    sim_free(sim);
}

TEST(log, writers_are_told_to_wait_and_when_to_go_on)
{
    static struct rig r;
    struct sim *sim = sim_new(6, NULL);
    struct aof_options options = rig_options();
    options.policy = AOF_NO;
    options.memory_max = 100 * 1000;
    rig_start(&r, sim, &options);
    rig_write(&r, 1, 50 * 1000);
    EXPECT(!r.aof.full);
    rig_write(&r, 1, 50 * 1000);
    EXPECT(r.aof.full);
    EXPECT_EQ(r.rooms, 0);
    sim_run_for(sim, SECOND_US);
    EXPECT(!r.aof.full);
    EXPECT_EQ(r.rooms, 1);
    EXPECT_EQ(aof_durable_lsn(&r.aof), 2);
    rig_stop(&r);
    sim_free(sim);
}

/* The disk is full for a while: nothing is lost, and writes are let in again by themselves. */
/* Who has asked for the end does not want to hear of the log any more. */
TEST(log, heals_in_silence_while_it_ends)
{
    static struct rig r;
    struct sim *sim = sim_new(7, NULL);
    struct aof_options options = rig_options();
    rig_start(&r, sim, &options);
    rig_write(&r, 10, 100);
    sim_options(sim)->disk_bytes = 1;
    sim_run_for(sim, 1500 * 1000);
    EXPECT(r.aof.failed && r.states == 1);
    sim_options(sim)->disk_bytes = 0;
    rig_stop(&r);
    EXPECT_EQ(r.states, 1);
    rig_start(&r, sim, &options);
    EXPECT(rig_holds(&r, 10));
    rig_stop(&r);
    sim_free(sim);
}

TEST(log, heals_when_the_disk_does)
{
    static struct rig r;
    struct sim *sim = sim_new(7, NULL);
    struct aof_options options = rig_options();
    rig_start(&r, sim, &options);
    rig_write(&r, 10, 100);
    EXPECT(rig_wait(&r));
    sim_options(sim)->disk_bytes = 1;
    rig_write(&r, 10, 100);
    sim_run_for(sim, 5 * SECOND_US);
    EXPECT(r.aof.failed && r.states == 1);
    EXPECT(!mlog_accepts(&r.db.log));
    EXPECT(mlog_stable(&r.db.log) == UINT64_MAX && mlog_kept(&r.db.log) == 10);
    sim_options(sim)->disk_bytes = 0;
    sim_run_for(sim, 2 * SECOND_US);
    EXPECT(!r.aof.failed && r.states == 2);
    EXPECT(mlog_accepts(&r.db.log));
    EXPECT_EQ(aof_durable_lsn(&r.aof), 20);
    rig_write(&r, 10, 100);
    rig_stop(&r);
    rig_start(&r, sim, &options);
    EXPECT(rig_holds(&r, 30));
    rig_stop(&r);
    sim_free(sim);
}

static void add_size(void *user, const char *path, struct slice bytes)
{
    (void)path;
    *(uint64_t *)user += bytes.len;
}

static void put_file(void *user, const char *path, struct slice bytes)
{
    sim_disk_put(user, path, bytes);
}

/* How far the log reaches for a server that starts on the files as they are now. */
static uint64_t reach_after_kill(struct sim *sim)
{
    static struct rig r;
    struct sim *after = sim_new(1, NULL);
    sim_disk_each(sim, put_file, after);
    rig_begin(&r, after);
    enum err e = rig_recover(&r, false);
    EXPECT_STR(r.recover.why.text, "");
    uint64_t lsn = e == OK ? r.db.log.last_lsn : 0;
    EXPECT(rig_holds(&r, lsn));
    rig_end(&r);
    sim_free(after);
    return lsn;
}

/* One step. When it has changed files: a server that starts on them has what was answered. */
static bool kill_after_call(struct rig *r)
{
    uint64_t kept = mlog_kept(&r->db.log), calls = sim_call_count(r->sim, SIM_CALLS_CHANGES);
    REQUIRE(sim_step(r->sim));
    if (sim_call_count(r->sim, SIM_CALLS_CHANGES) == calls)
        return false;
    EXPECT(reach_after_kill(r->sim) >= kept);
    return true;
}

/* What the kernel has of the log was answered. While it is written again to another segment, that
 * segment counts for nothing before it has it all, too: the process may be killed at any moment. */
TEST(log, what_was_answered_survives_a_kill_while_the_disk_fails)
{
    static struct rig r;
    unsigned killed = 0;
    for (uint64_t room = 0; room < 600; room += 40) {
        struct sim *sim = sim_new(room + 1, NULL);
        struct aof_options options = rig_options();
        options.policy = AOF_EVERYSEC;
        rig_start(&r, sim, &options);
        sim_run_for(sim, SECOND_US / 2);
        rig_write(&r, 10, 100);
        sim_run_for(sim, SECOND_US / 8);
        EXPECT(mlog_kept(&r.db.log) == 10 && aof_durable_lsn(&r.aof) == 0);
        uint64_t used = 0, end_us = sim_now_us(sim);
        sim_disk_each(sim, add_size, &used);
        rig_write(&r, 10, 300);
        /* Others give some room back from time to time. */
        for (unsigned second = 0; second < 8; second++) {
            sim_options(sim)->disk_bytes = used + room + 300 * second;
            for (end_us += SECOND_US; sim_now_us(sim) < end_us;)
                killed += kill_after_call(&r);
        }
        EXPECT(r.aof.failures > 5 && r.aof.failed);
        sim_options(sim)->disk_bytes = 0;
        EXPECT(rig_wait(&r));
        EXPECT_EQ(reach_after_kill(sim), 20);
        EXPECT(!sim_disk_exists(sim, RIG_DIR "/" LOG_UNNAMED));
        rig_stop(&r);
        sim_free(sim);
    }
    EXPECT(killed > 100);
}

/* After a sync that failed the kernel may take pages for clean that it never wrote. Who starts on
 * the files of a killed server reads them, and a sync of his own would not write them either. */
TEST(log, what_a_failed_sync_gave_up_is_safe_once_it_is_answered_for)
{
    static struct rig r;
    unsigned read = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        struct aof_options options = rig_options();
        rig_start(&r, sim, &options);
        rig_write(&r, 3, 400);
        EXPECT(rig_wait(&r));
        sim_options(sim)->fault_calls = 1 << SIM_SYNC;
        sim_fail_nth(sim, 1);
        rig_write(&r, 5, 400);
        sim_run_for(sim, SECOND_US / 4);
        EXPECT(r.aof.failed);
        sim_kill(sim);
        rig_end(&r);
        sim_restart(sim);
        rig_start(&r, sim, &options);
        uint64_t last = r.db.log.last_lsn + 3;
        read += last > 6;
        rig_write(&r, 3, 100);
        EXPECT(rig_wait(&r));
        sim_crash(sim);
        rig_end(&r);
        sim_restart(sim);
        rig_start(&r, sim, &options);
        EXPECT(rig_holds(&r, last));
        rig_stop(&r);
        sim_free(sim);
    }
    EXPECT(read > 30);
}

/* A load with small segments, so that every kind of call is made. */
static void load(struct rig *r, struct sim *sim, uint64_t *rng)
{
    for (unsigned i = 0; i < 12 && sim_has_power(sim); i++) {
        rig_write(r, (unsigned)rng_below(rng, 6), 10 + (size_t)rng_below(rng, 400));
        sim_run_for(sim, rng_below(rng, 2) == 0 ? 1500 : SECOND_US);
    }
}

TEST(log, every_call_may_fail_once)
{
    static struct rig r;
    for (uint64_t n = 1; n < 1000; n++) {
        struct sim *sim = sim_new(n, NULL);
        struct aof_options options = rig_options();
        uint64_t rng = n;
        options.segment_size = 1000;
        options.policy = n % 2 == 0 ? AOF_ALWAYS : AOF_EVERYSEC;
        rig_start(&r, sim, &options);
        sim_fail_nth(sim, n);
        load(&r, sim, &rng);
        sim_run_for(sim, 3 * SECOND_US);
        uint64_t last = r.db.log.last_lsn;
        bool fired = sim_fault_fired(sim);
        EXPECT(!r.aof.failed);
        EXPECT_EQ(aof_durable_lsn(&r.aof), last);
        sim_fail_nth(sim, 0);
        /* The process dies, the machine does not; or it does. */
        if (n % 3 == 0)
            rig_stop(&r);
        sim_crash(sim);
        if (n % 3 != 0)
            rig_end(&r);
        sim_restart(sim);
        rig_start(&r, sim, &options);
        EXPECT(rig_holds(&r, last));
        rig_stop(&r);
        sim_free(sim);
        if (!fired)
            return;
    }
    test_fail(__FILE__, __LINE__, "the fault always fires");
}

/* The power goes at the n-th call, for every n, and goes again at each call of the recovery. */
TEST(log, what_was_durable_survives_a_power_cut_at_every_call)
{
    static struct rig r;
    unsigned cuts = 0, torn = 0;
    for (uint64_t n = 1; n < 1000; n++) {
        struct sim *sim = sim_new(n, NULL);
        struct aof_options options = rig_options();
        uint64_t rng = n, durable, last;
        options.segment_size = 1000;
        options.policy = n % 2 == 0 ? AOF_ALWAYS : AOF_EVERYSEC;
        rig_start(&r, sim, &options);
        sim_cut_power_at_nth(sim, n);
        load(&r, sim, &rng);
        bool fired = sim_fault_fired(sim);
        durable = r.top_durable;
        last = r.db.log.last_lsn;
        for (uint64_t again = 1;; again++) {
            sim_crash(sim);
            rig_end(&r);
            sim_restart(sim);
            sim_cut_power_at_nth(sim, again);
            rig_begin(&r, sim);
            enum err e = rig_recover(&r, false);
            if (sim_has_power(sim)) {
                EXPECT_STR(r.recover.why.text, "");
                EXPECT_EQ(e, OK);
                break;
            }
            cuts++;
        }
        sim_cut_power_at_nth(sim, 0);
        uint64_t got = r.db.log.last_lsn;
        EXPECT(got >= durable && got <= last);
        EXPECT(rig_holds(&r, got));
        torn += got < last;
        /* What was cut off never comes back. */
        rig_open(&r, &options);
        rig_write(&r, 3, 20);
        EXPECT(rig_wait(&r));
        sim_crash(sim);
        rig_end(&r);
        sim_restart(sim);
        rig_start(&r, sim, &options);
        EXPECT(rig_holds(&r, got + 3));
        rig_stop(&r);
        sim_free(sim);
        if (!fired)
            break;
    }
    EXPECT(cuts > 100 && torn > 10);
}
