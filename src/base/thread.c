#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct mutex), "storage of struct mutex");
_Static_assert(sizeof(sem_t) <= sizeof(struct semaphore), "storage of struct semaphore");
_Static_assert(sizeof(pthread_t) <= sizeof(struct thread), "storage of struct thread");

/* A tenth of the share of others where all cores are busy. */
enum { BACKGROUND_NICE = 10 };
enum { TURN_NS = 100 * 1000 }; /* the shortest that Linux gives */

static pthread_mutex_t *mutex_of(struct mutex *m)
{
    return (pthread_mutex_t *)(void *)m->storage;
}

static sem_t *sem_of(struct semaphore *s)
{
    return (sem_t *)(void *)s->storage;
}

static pthread_t *pthread_of(struct thread *t)
{
    return (pthread_t *)(void *)t->storage;
}

void mutex_init(struct mutex *m)
{
    int rc = pthread_mutex_init(mutex_of(m), NULL);
    CHECK(rc == 0);
}

void mutex_fini(struct mutex *m)
{
    int rc = pthread_mutex_destroy(mutex_of(m));
    CHECK(rc == 0); /* EBUSY: somebody still holds it */
}

void mutex_lock(struct mutex *m)
{
    int rc = pthread_mutex_lock(mutex_of(m));
    CHECK(rc == 0);
}

void mutex_unlock(struct mutex *m)
{
    int rc = pthread_mutex_unlock(mutex_of(m));
    CHECK(rc == 0);
}

void semaphore_init(struct semaphore *s)
{
    int rc = sem_init(sem_of(s), 0, 0);
    CHECK(rc == 0);
}

void semaphore_fini(struct semaphore *s)
{
    int rc = sem_destroy(sem_of(s));
    CHECK(rc == 0);
}

void semaphore_post(struct semaphore *s)
{
    int rc = sem_post(sem_of(s));
    CHECK(rc == 0);
}

void semaphore_wait(struct semaphore *s)
{
    while (sem_wait(sem_of(s)) != 0)
        CHECK(errno == EINTR);
}

/* owner: moves from thread_start to the thread, which frees it */
struct start {
    void (*main)(void *arg);
    void *arg;
    char name[THREAD_NAME_MAX + 1];
};

static void *thread_main(void *arg)
{
    struct start start = *(struct start *)arg;
    mem_free(MEM_SERVER, arg);
    (void)pthread_setname_np(pthread_self(), start.name); /* a name is only a help to people */
    start.main(start.arg);
    return NULL;
}

enum err thread_start(struct thread *t, const char *name, void (*main)(void *arg), void *arg)
{
    CHECK(t != NULL && name != NULL && main != NULL);
    struct start *start = mem_alloc(MEM_SERVER, sizeof(*start));
    start->main = main;
    start->arg = arg;
    (void)snprintf(start->name, sizeof(start->name), "%s", name);

    /* A thread inherits the mask of its parent: with all blocked, signals reach the loop only. */
    sigset_t all, before;
    sigfillset(&all);
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    CHECK(rc == 0);
    int failed = pthread_create(pthread_of(t), NULL, thread_main, start);
    rc = pthread_sigmask(SIG_SETMASK, &before, NULL);
    CHECK(rc == 0);
    if (failed != 0) {
        mem_free(MEM_SERVER, start);
        return ERR_NOMEM;
    }
    return OK;
}

void thread_join(struct thread *t)
{
    int rc = pthread_join(*pthread_of(t), NULL);
    CHECK(rc == 0);
}

void thread_stand_back(void)
{
    /* Linux has both for each thread. Where it refuses, the thread stands in the way of others. */
    const struct sched_param none = {0};
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
    int nice = getpriority(PRIO_PROCESS, 0);
    (void)setpriority(PRIO_PROCESS, 0, nice + BACKGROUND_NICE);
}

void thread_be_prompt(bool prompt)
{
    /* Since Linux 6.12 the runtime of a fair thread is the length of its turns; before, and where
     * the call is refused, it changes nothing. The C library has neither the call nor the struct.
     */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns, deadline_ns, period_ns;
    } turns = {.size = sizeof(turns),
               .policy = SCHED_OTHER,
               .nice = getpriority(PRIO_PROCESS, 0),
               .runtime_ns = prompt ? TURN_NS : 0};
    _Static_assert(sizeof(turns) == 48, "SCHED_ATTR_SIZE_VER0");
    if (sched_getscheduler(0) != SCHED_OTHER)
        return; /* somebody has chosen otherwise for the whole process */
    (void)syscall(SYS_sched_setattr, 0, &turns, 0);
}

void thread_yield(void)
{
    (void)sched_yield(); /* always succeeds on Linux */
}

void thread_sleep_us(unsigned us)
{
    struct timespec left = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    while (nanosleep(&left, &left) != 0)
        CHECK(errno == EINTR);
}

unsigned thread_core_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1; /* more cores than cpu_set_t can name: whoever asks wants a careful answer */
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (unsigned)count;
}
