#include "crash/pool.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

enum { POLL_NS = 2 * 1000 * 1000 };

/* Of one worker, in memory that the parent sees. atomic: written by the worker, read by the parent
 * at any time. */
struct seat {
    pid_t pid; /* the parent's; 0: nobody sits here */
    _Atomic uint64_t task, started_ms;
    atomic_bool busy, failed;
    char text[POOL_TEXT];
    uint64_t ran;
    uint64_t counts[POOL_COUNTS];
};

/* Shared by all processes. */
struct hall {
    _Atomic uint64_t next;
    atomic_uint failures;
    uint64_t end_ms; /* 0: never */
    struct seat seats[POOL_WORKERS_MAX];
};

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool is_over(const struct pool *p, struct hall *hall)
{
    if (hall->end_ms != 0 && now_ms() >= hall->end_ms &&
        atomic_load(&hall->next) >= p->from + p->at_least)
        return true;
    if (p->failures_max != 0 && atomic_load(&hall->failures) >= p->failures_max)
        return true;
    return atomic_load(&hall->next) >= p->to;
}

/* There in a build that looks for leaks. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* Memory that mem.h does not know of, of libraries: what is lost of it is found once, at the end.
 */
static void look_for_leaks(struct seat *seat)
{
    if (__lsan_do_recoverable_leak_check == NULL || __lsan_do_recoverable_leak_check() == 0)
        return;
    (void)snprintf(seat->text, sizeof(seat->text), "memory has leaked in one of the tasks");
    atomic_store(&seat->failed, true);
}

/* In the worker's process. Ends with the first task that fails: what that one left behind must not
 * disturb the next. */
_Noreturn static void work(const struct pool *p, struct hall *hall, struct seat *seat)
{
    while (!is_over(p, hall)) {
        uint64_t task = atomic_fetch_add(&hall->next, 1);
        if (task >= p->to)
            break;
        atomic_store(&seat->task, task);
        atomic_store(&seat->started_ms, now_ms());
        atomic_store(&seat->busy, true);
        bool ok = p->run(p->user, task, seat->counts, seat->text);
        seat->ran++;
        atomic_store(&seat->failed, !ok);
        atomic_store(&seat->busy, false);
        if (!ok)
            break;
    }
    if (!atomic_load(&seat->failed))
        look_for_leaks(seat);
    (void)fflush(NULL);
    _exit(0);
}

static void sit_down(const struct pool *p, struct hall *hall, struct seat *seat)
{
    atomic_store(&seat->busy, false);
    atomic_store(&seat->failed, false);
    (void)fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        work(p, hall, seat);
    seat->pid = pid;
}

static void note_failure(struct pool *p, struct hall *hall, const struct seat *seat,
                         const char *text)
{
    atomic_fetch_add(&hall->failures, 1);
    if (p->failed < POOL_FAILURES) {
        struct pool_failure *f = &p->failures[p->failed];
        f->task = atomic_load(&seat->task);
        (void)snprintf(f->text, sizeof(f->text), "%s", text);
    }
    p->failed++;
}

/* A worker has ended: in order, with a task that failed, or in the middle of one. */
static void stand_up(struct pool *p, struct hall *hall, struct seat *seat, int status, bool hung)
{
    char text[POOL_TEXT];
    seat->pid = 0;
    if (atomic_load(&seat->busy)) {
        seat->ran++;
        (void)snprintf(text, sizeof(text), "%.500s: the process ended by signal %d, status %d%s",
                       seat->text, WIFSIGNALED(status) ? WTERMSIG(status) : 0, WEXITSTATUS(status),
                       hung ? ": it hung" : "");
        note_failure(p, hall, seat, text);
    } else if (atomic_load(&seat->failed)) {
        note_failure(p, hall, seat, seat->text);
    }
}

/* False when the worker goes on. */
static bool look_after(struct pool *p, struct hall *hall, struct seat *seat)
{
    int status = 0;
    uint64_t started = atomic_load(&seat->started_ms);
    bool hung = atomic_load(&seat->busy) && now_ms() > started + p->hang_seconds * UINT64_C(1000);
    if (hung)
        (void)kill(seat->pid, SIGKILL);
    pid_t pid = waitpid(seat->pid, &status, hung ? 0 : WNOHANG);
    if (pid == 0)
        return false;
    CHECK(pid == seat->pid);
    stand_up(p, hall, seat, status, hung);
    return true;
}

void pool_run(struct pool *p)
{
    CHECK(p->run != NULL && p->workers >= 1 && p->workers <= POOL_WORKERS_MAX);
    CHECK(p->hang_seconds > 0 && p->from <= p->to);
    const struct timespec pause = {.tv_nsec = POLL_NS};
    struct hall *hall =
        mmap(NULL, sizeof(*hall), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(hall != MAP_FAILED);
    atomic_store(&hall->next, p->from);
    hall->end_ms = p->seconds > 0 ? now_ms() + (uint64_t)(p->seconds * 1000) : 0;
    unsigned at_work;
    do {
        at_work = 0;
        for (unsigned i = 0; i < p->workers; i++) {
            struct seat *seat = &hall->seats[i];
            if (seat->pid != 0 && !look_after(p, hall, seat))
                at_work++;
            if (seat->pid == 0 && !is_over(p, hall)) {
                sit_down(p, hall, seat);
                at_work++;
            }
        }
        (void)nanosleep(&pause, NULL);
    } while (at_work > 0);
    for (unsigned i = 0; i < p->workers; i++) {
        p->ran += hall->seats[i].ran;
        for (unsigned c = 0; c < POOL_COUNTS; c++)
            p->counts[c] += hall->seats[i].counts[c];
    }
    (void)munmap(hall, sizeof(*hall));
}
