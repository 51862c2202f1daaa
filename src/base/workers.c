#include "base/workers.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"

enum {
    CACHE_LINE = 64,
    /* A lock that stays held this long is held by a lane that was preempted: give it the core. */
    PAUSES_PER_YIELD = 64,
    SEARCHES_PER_LINK = 4, /* links get their turn, or writers would wait for searchers for ever */
    SHUTDOWN_POLL_US = 50
};

/* owner: its thread; while it is idle, handed and next_idle belong to the loop */
struct worker {
    struct lane lane; /* first, so that a lane is its worker */
    struct workers *pool;
    struct thread thread;
    struct semaphore wake;    /* posted once for each time handed was set */
    struct job *handed;       /* written before wake is posted, read after; NULL: look again */
    struct worker *next_idle; /* in workers.idle */
    unsigned pauses;
};

struct queue {
    struct job *first;
    struct job **last;
};

/* owner: the loop; lanes touch what lock guards and the atomics */
struct workers {
    struct mutex lock;                       /* guards queues, idle, stopping, searches_in_a_row */
    struct queue queues[JOB_WORKER_CLASSES]; /* a pool for I/O uses the first */
    struct worker *idle; /* lanes that sleep; the last to fall asleep on top, its caches are warm */
    bool stopping;
    unsigned searches_in_a_row; /* taken since the last JOB_LINK */

    unsigned lane_count; /* immutable after start, and so is what follows */
    enum workers_kind kind;
    workers_wake_fn *wake;
    void *user;
    unsigned pending; /* owner: the loop */

    /* Relaxed: a hint for lane->search_waits, orders nothing. Own cache line: lanes poll it. */
    _Alignas(CACHE_LINE) atomic_uint search_waiting;
    /* Lanes push (which releases), the loop takes all (which acquires): the loop sees what run()
     * did. Sequentially consistent for the reason given in workers_finished(). */
    _Alignas(CACHE_LINE) _Atomic(struct job *) finished;

    _Alignas(CACHE_LINE) struct worker worker[];
};

static struct queue *queue_of(struct workers *w, const struct job *job)
{
    return &w->queues[job->class < JOB_WORKER_CLASSES ? job->class : JOB_SEARCH];
}

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

/* ---- lane ---- */

static bool lane_search_waits(struct lane *lane)
{
    const struct worker *me = (const struct worker *)lane;
    return atomic_load_explicit(&me->pool->search_waiting, memory_order_relaxed) > 0;
}

static void lane_pause(struct lane *lane)
{
    struct worker *me = (struct worker *)lane;
    me->pauses++;
    if (me->pauses % PAUSES_PER_YIELD == 0)
        thread_yield();
    else
        thread_pause();
}

static void lane_yields(struct lane *lane)
{
    (void)lane;
    thread_yield();
}

/* The next job, or NULL when none waits; then the worker is on the idle list, or, when the pool
 * stops, not: *stop says which. */
static struct job *take_or_idle(struct worker *me, bool *stop)
{
    struct workers *w = me->pool;
    mutex_lock(&w->lock);
    struct job *job = NULL;
    if (w->searches_in_a_row < SEARCHES_PER_LINK || w->queues[JOB_LINK].first == NULL)
        job = queue_pop(&w->queues[JOB_SEARCH]);
    if (job != NULL) {
        atomic_fetch_sub_explicit(&w->search_waiting, 1, memory_order_relaxed);
        w->searches_in_a_row++;
    } else {
        job = queue_pop(&w->queues[JOB_LINK]);
        w->searches_in_a_row = 0;
    }
    *stop = job == NULL && w->stopping;
    if (job == NULL && !w->stopping) {
        me->next_idle = w->idle;
        w->idle = me;
    }
    mutex_unlock(&w->lock);
    return job;
}

/* Sleeps until the loop hands over a job, and returns it; NULL when the pool stops. Looking a few
 * microseconds before sleeping was tried: it cost a third of the rate of short jobs, since the core
 * it burns is the one that the loop or the client needs. */
static struct job *wait_for_job(struct worker *me)
{
    semaphore_wait(&me->wake);
    return me->handed;
}

static void push_finished(struct workers *w, struct job *job)
{
    struct job *head = atomic_load_explicit(&w->finished, memory_order_relaxed);
    do {
        job->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&w->finished, &head, job, memory_order_seq_cst,
                                                    memory_order_relaxed));
    /* Only who finds the list empty wakes: the loop takes the whole list at once. */
    if (head == NULL)
        w->wake(w->user);
}

static void worker_main(void *arg)
{
    struct worker *me = arg;
    if (me->pool->kind == WORKERS_BACKGROUND)
        thread_stand_back();
    else if (me->pool->kind == WORKERS_PROMPT)
        thread_be_prompt(true);
    for (;;) {
        bool stop;
        struct job *job = take_or_idle(me, &stop);
        if (stop)
            return;
        if (job == NULL)
            job = wait_for_job(me);
        if (job == NULL)
            continue;
        job->run(job, &me->lane);
        push_finished(me->pool, job);
    }
}

static void worker_init(struct worker *me, struct workers *pool, unsigned index)
{
    me->pool = pool;
    me->lane = (struct lane){.index = index,
                             .search_waits = lane_search_waits,
                             .pause = lane_pause,
                             .give_way = lane_yields};
    semaphore_init(&me->wake);
}

static void worker_fini(struct worker *me)
{
    if (me->lane.scratch != NULL && me->lane.scratch_free != NULL)
        me->lane.scratch_free(me->lane.scratch);
    semaphore_fini(&me->wake);
}

/* ---- loop ---- */

/* Tells started lanes 0 .. count - 1 to end, joins them and frees the pool. Nothing is queued. */
static void join_and_free(struct workers *w, unsigned count)
{
    mutex_lock(&w->lock);
    w->stopping = true;
    struct worker *idle = w->idle;
    w->idle = NULL;
    mutex_unlock(&w->lock);
    while (idle != NULL) {
        struct worker *next = idle->next_idle;
        idle->handed = NULL;
        semaphore_post(&idle->wake);
        idle = next;
    }
    for (unsigned i = 0; i < count; i++)
        thread_join(&w->worker[i].thread);
    for (unsigned i = 0; i < count; i++)
        worker_fini(&w->worker[i]);
    CHECK(w->queues[JOB_SEARCH].first == NULL && w->queues[JOB_LINK].first == NULL);
    mutex_fini(&w->lock);
    mem_free(MEM_SERVER, w);
}

enum err workers_new(const char *name, unsigned lane_count, enum workers_kind kind,
                     workers_wake_fn *wake, void *user, struct workers **out, struct why *why)
{
    CHECK(lane_count >= 1 && lane_count <= LANE_COUNT_MAX);
    CHECK(wake != NULL && out != NULL);
    size_t size = sizeof(struct workers) + lane_count * sizeof(struct worker);
    size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct workers *w = mem_try_aligned(MEM_SERVER, CACHE_LINE, size);
    if (w == NULL)
        return why_set(why, ERR_NOMEM, "no memory for %u workers", lane_count);
    memset(w, 0, size);
    mutex_init(&w->lock);
    for (unsigned i = 0; i < JOB_WORKER_CLASSES; i++)
        w->queues[i].last = &w->queues[i].first;
    w->lane_count = lane_count;
    w->kind = kind;
    w->wake = wake;
    w->user = user;

    for (unsigned i = 0; i < lane_count; i++) {
        struct worker *me = &w->worker[i];
        worker_init(me, w, i);
        char numbered[THREAD_NAME_MAX + 1];
        (void)snprintf(numbered, sizeof(numbered), "%s-%u", name, i);
        enum err e = thread_start(&me->thread, numbered, worker_main, me);
        if (e != OK) {
            worker_fini(me);
            join_and_free(w, i);
            return why_set(why, e, "the system gives no thread for %s %u of %u", name, i + 1,
                           lane_count);
        }
    }
    *out = w;
    return OK;
}

void workers_free(struct workers *w)
{
    if (w == NULL)
        return;
    while (w->pending > 0)
        if (workers_collect(w) == 0)
            thread_sleep_us(SHUTDOWN_POLL_US);
    join_and_free(w, w->lane_count);
}

unsigned workers_lane_count(const struct workers *w)
{
    return w->lane_count;
}

void workers_submit(struct workers *w, struct job *job)
{
    CHECK(job->run != NULL && job->done != NULL && job->class < JOB_CLASS_COUNT);
    w->pending++;
    mutex_lock(&w->lock);
    struct worker *lane = w->idle;
    if (lane != NULL) {
        /* A lane is idle only when both queues are empty, so this overtakes nobody. */
        w->idle = lane->next_idle;
        job->next = NULL;
        lane->handed = job;
    } else {
        struct queue *queue = queue_of(w, job);
        queue_push(queue, job);
        if (queue == &w->queues[JOB_SEARCH])
            atomic_fetch_add_explicit(&w->search_waiting, 1, memory_order_relaxed);
    }
    mutex_unlock(&w->lock);
    if (lane != NULL)
        semaphore_post(&lane->wake);
}

unsigned workers_collect(struct workers *w)
{
    struct job *newest = atomic_exchange_explicit(&w->finished, NULL, memory_order_acquire);
    struct job *oldest = NULL;
    while (newest != NULL) {
        struct job *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    unsigned count = 0;
    while (oldest != NULL) {
        struct job *job = oldest;
        oldest = job->next; /* done() may free or submit the job */
        job->next = NULL;
        CHECK(w->pending > 0);
        w->pending--;
        count++;
        job->done(job);
    }
    return count;
}

bool workers_finished(const struct workers *w)
{
    /* Sequentially consistent: a loop that announces its sleep and then looks here, and a lane that
     * pushes and then looks for the announcement, cannot both miss the other. */
    return atomic_load_explicit(&w->finished, memory_order_seq_cst) != NULL;
}

unsigned workers_pending(const struct workers *w)
{
    return w->pending;
}
