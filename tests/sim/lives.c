#include "sim/lives.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/rng.h"
#include "db/batch.h"
#include "db/capture.h"
#include "sim/inspect.h"

enum {
    SECOND_US = 1000 * 1000,
    FAULT_US = 3 * SECOND_US, /* how long a disk stays full or dead */
    HEAL_US = 5 * SECOND_US,  /* by then the server has noticed that it is well again */
    LOAD_MAX_US = 60 * SECOND_US,
    END_MAX_US = 60 * SECOND_US,
    EVERYSEC_US = 2 * SECOND_US,
    DOWN_MAX_US = 3 * SECOND_US,
    START_TRIES = 10,
    CHAIN_MAX = 3000 /* recoveries cut in a row; no small folder needs so many calls */
};

/* One run of a plan. */
struct lives {
    struct run run; /* first */
    const struct lives_plan *plan;
    uint64_t *counts;
    uint64_t must;      /* the highest LSN that no crash may take any more */
    uint64_t kept;      /* the same as long as only processes are killed */
    bool served;        /* the server that runs has come up */
    uint64_t save_pace; /* steps between snapshots, about; 0: none are taken */
    uint64_t saves;     /* of the server that runs, already counted */
    uint64_t fault_us;  /* when the fault came; 0: not yet, or none */
    bool faulty;        /* it is still there */
    bool sync_failed;   /* or has, before it had gone */
};

const char *lives_fault_text(enum lives_fault fault)
{
    static const char *const texts[] = {
#define X(name, text) text,
        LIVES_FAULT_LIST(X)
#undef X
    };
    CHECK(fault < COUNT_OF(texts));
    return texts[fault];
}

static uint64_t below(struct lives *l, uint64_t bound)
{
    return rng_below(&l->run.rng, bound);
}

static bool is_loading(const struct run *r)
{
    return persist_loading(&r->server->persist);
}

/* -- what must last ------------------------------------------------------------------------------
 */

static uint64_t time_of(const struct run *r, uint64_t lsn)
{
    uint64_t us;
    memcpy(&us, r->times.ptr + (lsn - 1) * sizeof(us), sizeof(us));
    return us;
}

/* While a disk is broken nothing gets safe, and with everysec nobody waits for it. */
static uint64_t grace_us(const struct lives *l)
{
    return EVERYSEC_US + (l->fault_us != 0 ? FAULT_US + HEAL_US : 0);
}

/* The log as it must be found after a crash now. */
static uint64_t lasting_lsn(const struct lives *l)
{
    const struct run *r = &l->run;
    uint64_t now = sim_now_us(r->sim), lsn = r->model->lsn;
    switch ((enum config_fsync)r->config.appendfsync) {
    case FSYNC_ALWAYS:
        return r->told > l->must ? r->told : l->must;
    case FSYNC_EVERYSEC:
        while (lsn > l->must && time_of(r, lsn) + grace_us(l) > now)
            lsn--;
        return lsn;
    case FSYNC_NO:
        break;
    }
    return l->must;
}

/* -- looking at what was recovered ---------------------------------------------------------------
 */

static size_t record_at(const struct run *r, size_t at, struct slice *record)
{
    uint64_t size;
    memcpy(&size, r->records.ptr + at, sizeof(size));
    *record = (struct slice){r->records.ptr + at + sizeof(size), size};
    return (at + sizeof(size) + size + 7) / 8 * 8;
}

/* The model again, from the records up to an LSN; those after it never were. */
static void go_back_to(struct lives *l, uint64_t lsn)
{
    struct run *r = &l->run;
    size_t at = 0;
    model_free(r->model);
    r->model = model_new();
    r->world.model = r->model;
    while (r->model->lsn < lsn && !run_failed(r)) {
        struct slice record;
        struct batch_reader reader;
        struct why why = {{0}};
        at = record_at(r, at, &record);
        model_next(r->model);
        enum err e = batch_open(record, &reader, &why);
        while (e == OK && reader.left > 0) {
            struct mutation m;
            e = batch_next(&reader, &m, &why);
            if (e != OK)
                break;
            l->counts[LIVES_KIND + (m.kind < 64 ? m.kind : 0)]++;
            const char *wrong = model_apply(r->model, &m);
            if (wrong != NULL)
                run_fail(r, "the model, again: %s", wrong);
            mutation_free(&m);
        }
        if (e != OK)
            run_fail(r, "record %llu, again: %s", (unsigned long long)r->model->lsn, why.text);
    }
    r->records.len = at;
    r->times.len = lsn * sizeof(uint64_t);
}

/* What came back is the effect of records 1 to n, for an n that no reply was lost behind. */
static void check_recovered(struct lives *l)
{
    struct run *r = &l->run;
    uint64_t lsn = r->server->db.log.last_lsn, last = r->model->lsn;
    if (lsn > last)
        run_fail(r, "recovered LSN %llu, but %llu was the last", (unsigned long long)lsn,
                 (unsigned long long)last);
    if (lsn < l->kept)
        run_fail(r, "recovered LSN %llu, but %llu must be there (of %llu)", (unsigned long long)lsn,
                 (unsigned long long)l->kept, (unsigned long long)last);
    if (run_failed(r))
        return;
    go_back_to(l, lsn);
    run_compare_with(r, &r->server->db);
    const char *broken = run_failed(r) ? NULL : inspect_db(&r->server->db, false);
    if (broken != NULL)
        run_fail(r, "recovered LSN %llu: %s", (unsigned long long)lsn, broken);
    l->counts[LIVES_RECOVERIES]++;
    l->counts[LIVES_REPLAYED] += lsn;
    l->counts[LIVES_LOST] += last - lsn;
    /* From here on others see it, so no crash may take it. */
    l->must = l->kept = r->told = r->told_mine = lsn;
    l->served = true;
}

/* -- faults --------------------------------------------------------------------------------------
 */

static void fault_comes(struct lives *l)
{
    struct run *r = &l->run;
    struct sim_options *options = sim_options(r->sim);
    l->fault_us = sim_now_us(r->sim);
    l->faulty = r->may_refuse = true;
    r->failures++;
    l->counts[LIVES_FAULTS]++;
    l->counts[LIVES_FAULT_AT + sim_fault_call(r->sim)]++;
    /* When a sync fails the kernel drops what it had of the file; until it is written again the
     * process, if any, alone has it. */
    l->sync_failed = sim_fault_call(r->sim) == SIM_SYNC || l->plan->fault == FAULT_DEAD;
    if (!l->served && l->sync_failed)
        l->kept = l->must;
    switch (l->plan->fault) {
    case FAULT_FULL:
        options->disk_bytes = 1;
        break;
    case FAULT_DEAD:
        options->fault_ppm = 1000 * 1000;
        options->fault_calls = SIM_CALLS_CHANGES;
        break;
    case FAULT_NONE:
    case FAULT_ONCE:
    case FAULT_COUNT:
        break;
    }
}

static void fault_goes(struct lives *l)
{
    struct sim_options *options = sim_options(l->run.sim);
    l->faulty = false;
    options->disk_bytes = 0;
    options->fault_ppm = 0;
}

/* Asks for a snapshot now and then. */
static void save_sometimes(struct lives *l)
{
    struct saver *s = &l->run.server->persist.saver;
    l->counts[LIVES_SNAPSHOTS] += s->snapshots.saves - l->saves;
    l->saves = s->snapshots.saves;
    if (l->save_pace == 0 || below(l, l->save_pace) != 0)
        return;
    enum err busy = saver_start(s, below(l, 2) == 0);
    CHECK(busy == OK || busy == ERR_BUSY);
}

static void on_step(struct run *r)
{
    struct lives *l = (struct lives *)r;
    uint64_t now = sim_now_us(r->sim);
    if (l->served && r->server != NULL && r->server->persist.state == PERSIST_SERVING)
        save_sometimes(l);
    if (l->plan->fault == FAULT_NONE || !sim_has_power(r->sim))
        return;
    if (l->fault_us == 0 && sim_fault_fired(r->sim))
        fault_comes(l);
    if (l->faulty && now > l->fault_us + (l->plan->fault == FAULT_ONCE ? 0 : FAULT_US))
        fault_goes(l);
    if (r->may_refuse && !l->faulty && now > l->fault_us + FAULT_US + HEAL_US)
        r->may_refuse = false;
}

/* -- one server ----------------------------------------------------------------------------------
 */

static bool is_stopped(void *user)
{
    return ((struct run *)user)->stopped;
}

/* The process is gone, or was never there: takes its server apart. */
static void bury(struct lives *l)
{
    struct run *r = &l->run;
    if (r->server == NULL || run_failed(r))
        return;
    server_stop(r->server);
    if (!sim_run_until(r->sim, is_stopped, r, END_MAX_US)) {
        run_fail(r, "the server of a dead process cannot be taken apart");
        return;
    }
    run_bury_server(r);
}

static void crash(struct lives *l, enum lives_count count)
{
    struct run *r = &l->run;
    if (run_failed(r))
        return;
    if (!sim_has_power(r->sim))
        l->counts[LIVES_CUT_AT + sim_fault_call(r->sim)]++;
    l->counts[count]++;
    bool killed = below(l, 4) == 0;
    if (l->served)
        l->must = l->kept = lasting_lsn(l);
    if (l->served && !l->sync_failed && r->told_mine > l->kept)
        l->kept = r->told_mine;
    if (!killed)
        l->kept = l->must;
    l->served = false;
    l->counts[LIVES_KILLS] += killed;
    if (killed)
        sim_kill(r->sim);
    else
        sim_crash(r->sim);
    sim_take_apart(r->sim);
    bury(l);
    if (run_failed(r))
        return;
    sim_restart(r->sim);
    if (below(l, 4) == 0)
        sim_run_for(r->sim, below(l, DOWN_MAX_US));
}

/* Many chunks, and packs that are given up soon. */
static void make_snapshots_small(struct lives *l)
{
    struct snapshots *s = &l->run.server->persist.saver.snapshots;
    l->saves = 0;
    if (l->run.seed % 4 == 0)
        return;
    s->chunk_bytes = UINT32_C(1024) << l->run.seed % 3;
    s->slice_places = CAPTURE_PLACES_STEP;
    s->garbage_bytes = 0;
}

/* Starts a server and waits until it serves or says why it does not: then it has stopped. */
static enum err try_to_start(struct lives *l, struct why *why)
{
    struct run *r = &l->run;
    uint64_t end = sim_now_us(r->sim) + LOAD_MAX_US;
    enum err e = run_start_server(r, why);
    make_snapshots_small(l);
    on_step(r);
    if (e != OK) {
        r->stopped = true;
        return e;
    }
    while (is_loading(r) && !run_over(r) && sim_now_us(r->sim) < end)
        run_step(r);
    if (!is_loading(r) && !r->stopped && r->server->persist.state == PERSIST_SERVING)
        return OK;
    *why = r->server->persist.why;
    return sim_now_us(r->sim) < end ? ERR_IO : why_set(why, ERR_BUSY, "it loads for ever");
}

/* The same, again while a fault that was asked for keeps it from starting. False: it has failed, or
 * the power went. */
static bool come_up(struct lives *l)
{
    struct run *r = &l->run;
    struct why why = {{0}};
    enum err e = run_failed(r) ? ERR_ARG : try_to_start(l, &why);
    for (unsigned tries = 1;
         e != OK && !run_over(r) && (l->faulty || r->may_refuse) && tries < START_TRIES; tries++) {
        bury(l);
        sim_run_for(r->sim, SECOND_US);
        on_step(r);
        e = run_failed(r) ? ERR_ARG : try_to_start(l, &why);
    }
    if (run_over(r))
        return false;
    if (e != OK)
        run_fail(r, "the server does not start: %s", why.text);
    else
        check_recovered(l);
    return !run_failed(r);
}

/* Recovers, if asked to with a power cut at every call: at the first call, then, over what that
 * left, at the second, and so on, until one comes through. */
static bool recover(struct lives *l, bool cut)
{
    struct run *r = &l->run;
    for (uint64_t at = 1; cut && at < CHAIN_MAX && !run_failed(r); at++) {
        sim_cut_power_at_nth(r->sim, at);
        if (come_up(l)) {
            sim_cut_power_at_nth(r->sim, 0);
            return true;
        }
        if (sim_has_power(r->sim))
            return false;
        crash(l, LIVES_RECOVERY_CUTS);
    }
    return come_up(l);
}

/* -- the whole -----------------------------------------------------------------------------------
 */

/* Small files, so that there are many; disks of several speeds. */
static void choose_durability(struct lives *l)
{
    static const uint32_t call_us[] = {100, 100, 1000, 5000};
    static const int policies[] = {FSYNC_ALWAYS, FSYNC_ALWAYS, FSYNC_ALWAYS, FSYNC_EVERYSEC,
                                   FSYNC_NO};
    struct config *config = &l->run.config;
    config->appendonly = true;
    config->appendfsync = policies[below(l, COUNT_OF(policies))];
    config->aof_segment_size = (size_t)4096 << below(l, 6);
    l->save_pace = below(l, 3) == 0 ? 0 : 50 + below(l, 2000);
    sim_options(l->run.sim)->disk_max_us = call_us[below(l, COUNT_OF(call_us))];
    if (l->plan->how & LIVES_EVERYSEC)
        config->appendfsync = FSYNC_EVERYSEC;
    if (l->plan->how & LIVES_SAVES_OFTEN)
        l->save_pace = 10 + below(l, 100);
}

static void open_run(struct lives *l, const struct lives_plan *plan, uint64_t *counts)
{
    struct run *r = &l->run;
    *l = (struct lives){.plan = plan, .counts = counts};
    run_open(r, plan->seed);
    r->on_step = on_step;
    r->slow_sink = r->short_memory = false;
    choose_durability(l);
    sim_options(r->sim)->verbose = plan->verbose;
    if (plan->fate != 0)
        sim_disk_reseed(r->sim, plan->fate);
}

/* A snapshot holds what would else be freed, so there are none when all is to be quiet. */
static void drain(struct lives *l)
{
    uint64_t pace = l->save_pace;
    l->save_pace = 0;
    run_drain(&l->run);
    l->save_pace = pace;
}

/* The first life has what the plan asks for; later ones end whenever they do. */
static void live(struct lives *l, unsigned life)
{
    struct run *r = &l->run;
    bool planned = life == 0 && l->plan->cut != 0;
    run_load(r, planned ? l->plan->commands : 1 + below(l, 2 * l->plan->commands));
    if (planned || below(l, 4) == 0)
        drain(l);
    /* Until everything has to be safe. */
    if (below(l, 8) == 0)
        run_time(r, grace_us(l) + SECOND_US);
}

/* What the plan wants to happen to the first life. */
static void begin_life(struct lives *l, unsigned life)
{
    struct sim *sim = l->run.sim;
    const struct lives_plan *plan = l->plan;
    bool cut = life == 0 && plan->cut != 0;
    sim_options(sim)->fault_calls =
        cut || (plan->how & LIVES_FAULT_OF_CHANGES) ? SIM_CALLS_CHANGES : SIM_CALLS_FILES;
    sim_cut_power_at_nth(sim, cut ? plan->cut : 0);
    if (life == 0 && plan->fault != FAULT_NONE)
        sim_fail_nth(sim, plan->fault_at);
}

static void run_lives(struct lives *l)
{
    struct run *r = &l->run;
    const struct lives_plan *plan = l->plan;
    for (unsigned life = 0; life < plan->lives && !run_failed(r); life++) {
        begin_life(l, life);
        if (recover(l, life > 0 && plan->cut_recoveries))
            live(l, life);
        crash(l, LIVES_CRASHES);
    }
    if (plan->lives == 0)
        begin_life(l, 0);
    if (!recover(l, plan->cut_recoveries))
        return;
    run_load(r, plan->commands / 2);
    drain(l);
    l->save_pace = 0;
    run_find_all(r);
}

/* What was stopped in order, by a server whose disk is well, is all there again. */
static void stop_and_look(struct lives *l)
{
    struct run *r = &l->run;
    sim_fail_nth(r->sim, 0);
    if (r->may_refuse && !run_failed(r))
        run_time(r, FAULT_US + HEAL_US + SECOND_US);
    if (run_failed(r))
        return;
    run_stop_server(r);
    l->must = l->kept = r->model->lsn;
    l->served = false;
    l->counts[LIVES_STOPS]++;
    if (come_up(l)) {
        run_drain(r);
        run_stop_server(r);
    }
}

bool lives_run(const struct lives_plan *plan, uint64_t counts[LIVES_COUNT], char *text, size_t size)
{
    static struct lives l; /* large */
    open_run(&l, plan, counts);
    run_lives(&l);
    stop_and_look(&l);
    counts[LIVES_RUNS]++;
    counts[LIVES_COMMANDS] += l.run.commands;
    counts[LIVES_REPLIES] += l.run.replies;
    counts[LIVES_REFUSED] += l.run.refused;
    if (run_failed(&l.run)) {
        (void)snprintf(text, size, "%s", l.run.failure);
        return false; /* what is left cannot be taken apart safely */
    }
    run_close(&l.run);
    return true;
}

void lives_measure(const struct lives_plan *plan, uint64_t *changes, uint64_t *calls)
{
    static struct lives l;
    uint64_t counts[LIVES_COUNT] = {0};
    open_run(&l, plan, counts);
    if (come_up(&l))
        live(&l, 0);
    CHECK(!run_failed(&l.run));
    *changes = sim_call_count(l.run.sim, SIM_CALLS_CHANGES);
    *calls = sim_call_count(l.run.sim, SIM_CALLS_FILES);
    run_stop(&l.run);
}
