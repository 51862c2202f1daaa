/* sim_jobs.c: lanes as coroutines.
 *
 * A lane with a job is an event in the queue: delivering it lets the coroutine run until it yields
 * or finishes. So the seed interleaves lanes with each other and with the loop, all on one thread.
 * Switches are told to the sanitizers, which keep a picture of every stack. */
#include <sys/mman.h>
#include <ucontext.h>

#include "sim/sim_private.h"

#if defined(__SANITIZE_ADDRESS__)
#define SIM_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_ASAN
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define SIM_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SIM_TSAN
#endif
#endif

#ifdef SIM_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SIM_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if defined(SIM_ASAN) || defined(SIM_TSAN)
enum { STACK_SIZE = 1024 * 1024 }; /* instrumented frames are larger */
#else
enum { STACK_SIZE = 256 * 1024 };
#endif
enum { GUARD_SIZE = 64 * 1024 };

/* One side of a switch: a stack and where it goes on. */
struct fiber {
    ucontext_t context;
    const void *stack; /* lowest address */
    size_t stack_size;
    void *fake_stack; /* AddressSanitizer's */
    void *tsan;       /* ThreadSanitizer's */
};

/* owner: the sim */
struct sim_lane {
    struct lane lane; /* first */
    struct sim *sim;
    struct fiber fiber;
    uint8_t *mapping; /* guard and stack */
    struct job *job;  /* being run, or NULL */
    bool job_ran;     /* run() has returned, done() is still to come */
    struct sim_event resume;
};

/* owner: the sim, while done() is to come */
struct finished {
    struct sim_event event; /* first */
    struct job *job;
};

struct queue {
    struct job *first;
    struct job **last;
};

/* owner: the sim */
struct sim_jobs {
    struct fiber loop;
    struct sim_lane *running; /* the lane whose coroutine runs, or NULL */
    struct queue queues[JOB_CLASS_COUNT];
    unsigned pending;
    unsigned lane_count;     /* of workers */
    struct sim_lane lanes[]; /* the workers', then one for each class of I/O */
};

/* ---- switching ---- */

static void switch_fiber(struct fiber *from, struct fiber *to)
{
#ifdef SIM_ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_size);
#endif
#ifdef SIM_TSAN
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
    int rc = swapcontext(&from->context, &to->context);
    CHECK(rc == 0);
#ifdef SIM_ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

/* Called first thing on a new stack. Learns where the loop's stack is. */
static void fiber_entered(struct fiber *loop)
{
#ifdef SIM_ASAN
    __sanitizer_finish_switch_fiber(NULL, &loop->stack, &loop->stack_size);
#else
    (void)loop;
#endif
}

static void to_loop(struct sim_lane *l)
{
    struct sim_jobs *jobs = l->sim->jobs;
    CHECK(jobs->running == l);
    switch_fiber(&l->fiber, &jobs->loop);
    CHECK(jobs->running == l);
}

/* makecontext passes ints only, so the pointer comes in halves. */
static void lane_main(unsigned high, unsigned low)
{
    struct sim_lane *l = (struct sim_lane *)(((uintptr_t)high << 32) | low);
    fiber_entered(&l->sim->jobs->loop);
    for (;;) {
        l->job->run(l->job, &l->lane);
        l->job_ran = true;
        to_loop(l);
    }
}

static void fiber_init(struct sim_lane *l)
{
    size_t size = GUARD_SIZE + STACK_SIZE;
    l->mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(l->mapping != MAP_FAILED);
    int rc = mprotect(l->mapping, GUARD_SIZE, PROT_NONE);
    CHECK(rc == 0);
    struct fiber *f = &l->fiber;
    f->stack = l->mapping + GUARD_SIZE;
    f->stack_size = STACK_SIZE;
#ifdef SIM_TSAN
    f->tsan = __tsan_create_fiber(0);
#endif
    rc = getcontext(&f->context);
    CHECK(rc == 0);
    f->context.uc_stack.ss_sp = l->mapping + GUARD_SIZE;
    f->context.uc_stack.ss_size = STACK_SIZE;
    f->context.uc_link = NULL; /* lane_main never returns */
    uintptr_t self = (uintptr_t)l;
    makecontext(&f->context, (void (*)(void))lane_main, 2, (unsigned)(self >> 32), (unsigned)self);
}

static void fiber_fini(struct sim_lane *l)
{
#ifdef SIM_TSAN
    __tsan_destroy_fiber(l->fiber.tsan);
#endif
    int rc = munmap(l->mapping, GUARD_SIZE + STACK_SIZE);
    CHECK(rc == 0);
}

/* ---- what a job sees ---- */

static void on_resume(struct sim *sim, struct sim_event *event);

static uint64_t step_us(struct sim *sim)
{
    return 1 + rng_below(&sim->jobs_rng, (uint64_t)sim->options.job_step_max_us + 1);
}

static void switch_away(struct sim_lane *l)
{
    sim_schedule(l->sim, &l->resume, SIM_LANE, step_us(l->sim), on_resume);
    to_loop(l);
}

static void lane_yield_point(struct lane *lane)
{
    struct sim_lane *l = (struct sim_lane *)lane;
    if (sim_chance(&l->sim->jobs_rng, l->sim->options.switch_ppm))
        switch_away(l);
}

void sim_jobs_wait(struct sim *sim, uint64_t max_us)
{
    struct sim_lane *l = sim->jobs->running;
    if (l == NULL || max_us == 0)
        return;
    sim_schedule(sim, &l->resume, SIM_LANE, 1 + rng_below(&sim->jobs_rng, max_us), on_resume);
    to_loop(l);
}

/* Whoever holds the lock can only let go of it when this one stops. */
static void lane_pause(struct lane *lane)
{
    switch_away((struct sim_lane *)lane);
}

static bool lane_search_waits(struct lane *lane)
{
    return ((struct sim_lane *)lane)->sim->jobs->queues[JOB_SEARCH].first != NULL;
}

/* ---- the scheduler ---- */

static void queue_push(struct queue *q, struct job *job)
{
    job->next = NULL;
    *q->last = job;
    q->last = &job->next;
}

static struct job *queue_pop(struct queue *q)
{
    struct job *job = q->first;
    if (job == NULL)
        return NULL;
    q->first = job->next;
    if (q->first == NULL)
        q->last = &q->first;
    job->next = NULL;
    return job;
}

static void start_job(struct sim_lane *l, struct job *job)
{
    CHECK(l->job == NULL && job != NULL);
    l->job = job;
    l->job_ran = false;
    sim_schedule(l->sim, &l->resume, SIM_LANE, step_us(l->sim), on_resume);
}

static void on_done(struct sim *sim, struct sim_event *event)
{
    struct job *job = ((struct finished *)event)->job;
    mem_free(MEM_TEST, event);
    sim->jobs->pending--;
    sim_trace(sim, SIM_DONE, job->class, sim->jobs->pending);
    job->done(job);
}

static struct job *next_job(struct sim_jobs *jobs, const struct sim_lane *l)
{
    size_t index = (size_t)(l - jobs->lanes);
    if (index >= jobs->lane_count)
        return queue_pop(&jobs->queues[JOB_WORKER_CLASSES + index - jobs->lane_count]);
    struct job *next = queue_pop(&jobs->queues[JOB_SEARCH]);
    return next != NULL ? next : queue_pop(&jobs->queues[JOB_LINK]);
}

static void on_resume(struct sim *sim, struct sim_event *event)
{
    struct sim_lane *l = CONTAINER_OF(event, struct sim_lane, resume);
    struct sim_jobs *jobs = sim->jobs;
    CHECK(jobs->running == NULL && l->job != NULL);
    sim_trace(sim, SIM_LANE, l->lane.index, l->job->class);
    jobs->running = l;
    switch_fiber(&jobs->loop, &l->fiber);
    jobs->running = NULL;
    if (!l->job_ran)
        return;
    struct finished *f = mem_calloc(MEM_TEST, sizeof(*f));
    f->job = l->job;
    sim_schedule(sim, &f->event, SIM_DONE, step_us(sim), on_done);
    l->job = NULL;
    struct job *next = next_job(jobs, l);
    if (next != NULL)
        start_job(l, next);
}

/* A lane for jobs of this class that has none; NULL when all are busy. */
static struct sim_lane *idle_lane(struct sim *sim, enum job_class class)
{
    struct sim_jobs *jobs = sim->jobs;
    if (class >= JOB_WORKER_CLASSES) {
        struct sim_lane *l = &jobs->lanes[jobs->lane_count + class - JOB_WORKER_CLASSES];
        return l->job == NULL ? l : NULL;
    }
    unsigned first = (unsigned)rng_below(&sim->jobs_rng, jobs->lane_count);
    for (unsigned i = 0; i < jobs->lane_count; i++) {
        struct sim_lane *l = &jobs->lanes[(first + i) % jobs->lane_count];
        if (l->job == NULL)
            return l;
    }
    return NULL;
}

void sim_submit(struct io *io, struct job *job)
{
    struct sim *sim = sim_of(io);
    struct sim_jobs *jobs = sim->jobs;
    CHECK(job->run != NULL && job->done != NULL && job->class < JOB_CLASS_COUNT);
    CHECK(jobs->running == NULL); /* only the loop submits */
    jobs->pending++;
    struct sim_lane *l = idle_lane(sim, job->class);
    if (l != NULL)
        start_job(l, job);
    else
        queue_push(&jobs->queues[job->class], job);
}

unsigned sim_lane_count(struct io *io)
{
    return sim_of(io)->jobs->lane_count;
}

unsigned sim_jobs_pending(const struct sim *sim)
{
    return sim->jobs->pending;
}

struct sim_jobs *sim_jobs_new(struct sim *sim)
{
    unsigned count = sim->options.lane_count;
    unsigned all = count + JOB_IO_CLASSES;
    struct sim_jobs *jobs = mem_calloc(MEM_TEST, sizeof(*jobs) + all * sizeof(struct sim_lane));
    jobs->lane_count = count;
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++)
        jobs->queues[i].last = &jobs->queues[i].first;
#ifdef SIM_TSAN
    jobs->loop.tsan = __tsan_get_current_fiber();
#endif
    for (unsigned i = 0; i < all; i++) {
        struct sim_lane *l = &jobs->lanes[i];
        l->sim = sim;
        l->lane = (struct lane){.index = i < count ? i : 0,
                                .search_waits = lane_search_waits,
                                .pause = lane_pause,
                                .yield_point = lane_yield_point};
        fiber_init(l);
    }
    return jobs;
}

void sim_jobs_free(struct sim *sim)
{
    struct sim_jobs *jobs = sim->jobs;
    CHECK(jobs->pending == 0 && jobs->running == NULL);
    for (unsigned i = 0; i < jobs->lane_count + JOB_IO_CLASSES; i++) {
        struct lane *lane = &jobs->lanes[i].lane;
        if (lane->scratch != NULL && lane->scratch_free != NULL)
            lane->scratch_free(lane->scratch);
        fiber_fini(&jobs->lanes[i]);
    }
    mem_free(MEM_TEST, jobs);
}
