#include "base/workers.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "lib/test.h"

/* A loop made of a semaphore: wake posts, the test waits and collects. */
struct loop {
    struct workers *workers;
    struct semaphore woken;
    atomic_uint wakes;
};

static void on_wake(void *user)
{
    struct loop *loop = user;
    atomic_fetch_add(&loop->wakes, 1);
    semaphore_post(&loop->woken);
}

static void loop_start(struct loop *loop, unsigned lanes)
{
    *loop = (struct loop){.workers = NULL};
    semaphore_init(&loop->woken);
    struct why why = {""};
    REQUIRE(workers_new("worker", lanes, lanes == 1 ? WORKERS_BACKGROUND : WORKERS_PROMPT, on_wake,
                        loop, &loop->workers, &why) == OK);
    EXPECT_EQ(workers_lane_count(loop->workers), lanes);
}

static void loop_run_until_done(struct loop *loop)
{
    while (workers_pending(loop->workers) > 0) {
        semaphore_wait(&loop->woken);
        (void)workers_collect(loop->workers);
    }
}

static void loop_end(struct loop *loop)
{
    workers_free(loop->workers);
    semaphore_fini(&loop->woken);
}

/* What the lanes and the loop write down; one per test. */
struct log {
    struct loop *loop;
    atomic_uint runs;
    atomic_uint order; /* of runs, from 0 */
    unsigned dones;
    unsigned resubmits_left;
    atomic_bool gate_open; /* jobs that wait for it keep their lane busy */
    atomic_bool gate_reached;
    atomic_uint scratch_live;
};

struct task {
    struct job job; /* first */
    struct log *log;
    unsigned ran_at;  /* order of its run */
    unsigned done_at; /* order of its done */
    unsigned runs;
    unsigned lane;
    bool search_waited;
};

static void task_run(struct job *job, struct lane *lane)
{
    struct task *task = (struct task *)job;
    task->ran_at = atomic_fetch_add(&task->log->order, 1);
    task->runs++;
    task->lane = lane->index;
    task->search_waited = lane->search_waits(lane);
    lane_yield(lane);
    atomic_fetch_add(&task->log->runs, 1);
}

static void task_done(struct job *job)
{
    struct task *task = (struct task *)job;
    struct log *log = task->log;
    task->done_at = log->dones++;
    if (log->resubmits_left > 0) {
        log->resubmits_left--;
        workers_submit(log->loop->workers, job);
    }
}

/* Holds its lane until the test opens the gate. */
static void gate_run(struct job *job, struct lane *lane)
{
    struct task *task = (struct task *)job;
    atomic_store(&task->log->gate_reached, true);
    while (!atomic_load(&task->log->gate_open))
        lane->pause(lane);
    task_run(job, lane);
}

static struct task task_of(struct log *log, enum job_class class)
{
    return (struct task){.job = {.run = task_run, .done = task_done, .class = class}, .log = log};
}

static void gate_close(struct loop *loop, struct log *log, struct task *gate)
{
    *gate = task_of(log, JOB_LINK);
    gate->job.run = gate_run;
    workers_submit(loop->workers, &gate->job);
    while (!atomic_load(&log->gate_reached))
        thread_yield();
}

TEST(workers, run_every_job_once_on_a_lane_and_done_on_the_loop)
{
    enum { JOBS = 5000, LANES = 4 };
    struct loop loop;
    loop_start(&loop, LANES);
    struct log log = {.loop = &loop};
    struct task *tasks = mem_alloc(MEM_TEST, JOBS * sizeof(*tasks));
    for (unsigned i = 0; i < JOBS; i++) {
        tasks[i] = task_of(&log, i % 3 == 0 ? JOB_LINK : JOB_SEARCH);
        workers_submit(loop.workers, &tasks[i].job);
    }
    loop_run_until_done(&loop);
    EXPECT_EQ(atomic_load(&log.runs), JOBS);
    EXPECT_EQ(log.dones, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        REQUIRE(tasks[i].runs == 1);
        REQUIRE(tasks[i].lane < LANES);
    }
    EXPECT(!workers_finished(loop.workers));
    loop_end(&loop);
    mem_free(MEM_TEST, tasks);
}

TEST(workers, run_searches_before_links_but_for_one_turn_in_five)
{
    enum { EACH = 8, SEARCHES_PER_LINK = 4 };
    struct loop loop;
    loop_start(&loop, 1);
    struct log log = {.loop = &loop};
    struct task gate, links[EACH], searches[EACH];
    gate_close(&loop, &log, &gate);
    for (unsigned i = 0; i < EACH; i++) {
        links[i] = task_of(&log, JOB_LINK);
        workers_submit(loop.workers, &links[i].job);
    }
    for (unsigned i = 0; i < EACH; i++) {
        searches[i] = task_of(&log, JOB_SEARCH);
        workers_submit(loop.workers, &searches[i].job);
    }
    EXPECT_EQ(log.dones, 0);
    atomic_store(&log.gate_open, true);
    loop_run_until_done(&loop);
    for (unsigned i = 0; i < EACH; i++) {
        EXPECT_EQ(searches[i].ran_at, 1 + i + i / SEARCHES_PER_LINK);
        EXPECT_EQ(searches[i].done_at, searches[i].ran_at);
    }
    EXPECT_EQ(links[0].ran_at, 1 + SEARCHES_PER_LINK);
    for (unsigned i = 1; i < EACH; i++)
        EXPECT_EQ(links[i].ran_at, 1 + EACH + i);
    EXPECT(gate.search_waited); /* asked after the gate opened, with eight searches queued */
    EXPECT(searches[0].search_waited && !searches[EACH - 1].search_waited);
    EXPECT(links[0].search_waited && !links[1].search_waited);
    loop_end(&loop);
}

TEST(workers, links_do_not_hold_up_a_search_while_a_lane_is_idle)
{
    struct loop loop;
    loop_start(&loop, 2);
    struct log log = {.loop = &loop};
    struct task gate, search = task_of(&log, JOB_SEARCH);
    gate_close(&loop, &log, &gate);
    workers_submit(loop.workers, &search.job);
    while (log.dones == 0) {
        semaphore_wait(&loop.woken);
        (void)workers_collect(loop.workers);
    }
    EXPECT_EQ(search.ran_at, 0);
    atomic_store(&log.gate_open, true);
    loop_run_until_done(&loop);
    EXPECT_EQ(log.dones, 2);
    loop_end(&loop);
}

TEST(workers, done_may_submit_again)
{
    struct loop loop;
    loop_start(&loop, 2);
    struct log log = {.loop = &loop, .resubmits_left = 999};
    struct task task = task_of(&log, JOB_SEARCH);
    workers_submit(loop.workers, &task.job);
    loop_run_until_done(&loop);
    EXPECT_EQ(task.runs, 1000);
    EXPECT_EQ(log.dones, 1000);
    loop_end(&loop);
}

TEST(workers, wake_comes_once_for_all_that_finish_before_a_collect)
{
    enum { JOBS = 100 };
    struct loop loop;
    loop_start(&loop, 1);
    struct log log = {.loop = &loop};
    struct task tasks[JOBS];
    for (unsigned i = 0; i < JOBS; i++) {
        tasks[i] = task_of(&log, JOB_SEARCH);
        workers_submit(loop.workers, &tasks[i].job);
    }
    while (atomic_load(&log.runs) < JOBS)
        thread_yield();
    EXPECT_EQ(log.dones, 0); /* done() waits for collect */
    loop_run_until_done(&loop);
    EXPECT_EQ(log.dones, JOBS);
    /* The last job's push may come after the collect that the first wake asked for. */
    EXPECT(atomic_load(&loop.wakes) <= 2);
    loop_end(&loop);
}

TEST(workers, free_runs_what_is_queued_and_what_done_adds)
{
    enum { JOBS = 300 };
    struct loop loop;
    loop_start(&loop, 3);
    struct log log = {.loop = &loop, .resubmits_left = 50};
    struct task tasks[JOBS];
    for (unsigned i = 0; i < JOBS; i++) {
        tasks[i] = task_of(&log, i % 2 == 0 ? JOB_LINK : JOB_SEARCH);
        workers_submit(loop.workers, &tasks[i].job);
    }
    loop_end(&loop);
    EXPECT_EQ(log.dones, JOBS + 50);
}

/* struct sched_attr of Linux, as it was first. */
struct standing {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t turn_ns, deadline_ns, period_ns;
};

static struct standing standing_here(void)
{
    struct standing s = {.size = sizeof(s)};
    REQUIRE(syscall(SYS_sched_getattr, 0, &s, sizeof(s), 0) == 0);
    return s;
}

struct look {
    struct job job; /* first */
    struct standing found;
};

static void look_run(struct job *job, struct lane *lane)
{
    lane_give_way(lane);
    ((struct look *)job)->found = standing_here();
}

static void look_done(struct job *job)
{
    (void)job; /* the test waits for it by the count of jobs */
}

static struct standing standing_of(enum workers_kind kind)
{
    struct loop loop = {.workers = NULL};
    struct look look = {.job = {.run = look_run, .done = look_done, .class = JOB_LINK}};
    struct why why = {""};
    semaphore_init(&loop.woken);
    REQUIRE(workers_new("worker", 1, kind, on_wake, &loop, &loop.workers, &why) == OK);
    workers_submit(loop.workers, &look.job);
    loop_run_until_done(&loop);
    loop_end(&loop);
    return look.found;
}

TEST(workers, stand_among_other_threads_as_their_kind_says)
{
    enum { BACKGROUND_NICE = 10, NICE_MAX = 19, TURN_NS = 100 * 1000 };
    struct standing here = standing_here(), equal = standing_of(WORKERS_EQUAL);
    struct standing prompt = standing_of(WORKERS_PROMPT), back = standing_of(WORKERS_BACKGROUND);
    int32_t nice = here.nice + BACKGROUND_NICE < NICE_MAX ? here.nice + BACKGROUND_NICE : NICE_MAX;
    EXPECT_EQ(equal.policy, here.policy);
    EXPECT_EQ(equal.nice, here.nice);
    EXPECT_EQ(equal.turn_ns, here.turn_ns);
    EXPECT_EQ(prompt.policy, SCHED_OTHER);
    EXPECT_EQ(prompt.nice, here.nice);
    EXPECT_EQ(back.policy, SCHED_BATCH);
    EXPECT_EQ(back.nice, nice);
    /* Linux tells of turns since 6.12, which is when it learned to change them. */
    EXPECT_EQ(prompt.turn_ns, here.turn_ns > 0 ? TURN_NS : 0);
    thread_be_prompt(true);
    EXPECT_EQ(standing_here().turn_ns, prompt.turn_ns);
    thread_be_prompt(false);
    EXPECT_EQ(standing_here().turn_ns, here.turn_ns);
}

static atomic_uint *scratch_counter; /* set by the test below; scratch_free is given no user */

static void scratch_free(void *scratch)
{
    atomic_fetch_sub(scratch_counter, 1);
    mem_free(MEM_TEST, scratch);
}

static void scratch_run(struct job *job, struct lane *lane)
{
    task_run(job, lane);
    if (lane->scratch != NULL)
        return;
    lane->scratch = mem_alloc(MEM_TEST, 64);
    lane->scratch_free = scratch_free;
    atomic_fetch_add(scratch_counter, 1);
}

TEST(workers, scratch_stays_with_its_lane_and_is_freed_with_it)
{
    enum { JOBS = 100, LANES = 2 };
    struct loop loop;
    loop_start(&loop, LANES);
    struct log log = {.loop = &loop};
    scratch_counter = &log.scratch_live;
    struct task tasks[JOBS];
    for (unsigned i = 0; i < JOBS; i++) {
        tasks[i] = task_of(&log, JOB_SEARCH);
        tasks[i].job.run = scratch_run;
        workers_submit(loop.workers, &tasks[i].job);
    }
    loop_run_until_done(&loop);
    unsigned live = atomic_load(&log.scratch_live);
    EXPECT(live >= 1 && live <= LANES);
    loop_end(&loop);
    EXPECT_EQ(atomic_load(&log.scratch_live), 0);
}

TEST(workers, as_many_lanes_as_the_limit_start_and_end)
{
    struct loop loop;
    loop_start(&loop, LANE_COUNT_MAX);
    loop_end(&loop);
    EXPECT_EQ(atomic_load(&loop.wakes), 0);
}

TEST(thread, core_count_is_sane)
{
    EXPECT(thread_core_count() >= 1);
}
