/* thread.h: threads, mutexes and semaphores of the operating system, and nothing more.
 *
 * thread.c is the only file that includes pthread.h, so the structs here are storage of the right
 * size (thread.c asserts that). Every init can be undone once, by the matching fini, when nobody
 * uses the thing any more. Failures that only a bug can cause abort. */
#ifndef VDB_BASE_THREAD_H
#define VDB_BASE_THREAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* owner: whoever embeds it; shared by the threads that lock it */
struct mutex {
    _Alignas(8) unsigned char storage[48];
};

/* Counts posts; wait takes one. owner: whoever embeds it; shared by those who post and wait */
struct semaphore {
    _Alignas(8) unsigned char storage[32];
};

/* owner: the thread that started it, and joins it */
struct thread {
    _Alignas(8) unsigned char storage[8];
};

void mutex_init(struct mutex *m);
void mutex_fini(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

void semaphore_init(struct semaphore *s);
void semaphore_fini(struct semaphore *s);
void semaphore_post(struct semaphore *s);
void semaphore_wait(struct semaphore *s);

enum { THREAD_NAME_MAX = 15 };

/* Runs main(arg) on a new thread, called name (cut at THREAD_NAME_MAX) in the tools of the system.
 * Signals stay with the threads that were there before. ERR_NOMEM when the system gives no more. */
MUST_USE enum err thread_start(struct thread *t, const char *name, void (*main)(void *arg),
                               void *arg);
void thread_join(struct thread *t);

/* From here on the calling thread runs mostly while others leave a core idle. */
void thread_stand_back(void);
/* From here on the calling thread runs in short turns, and when it wakes gets a core at once from
 * those that run in longer ones; or as others do again. Its share of the cores is the same. */
void thread_be_prompt(bool prompt);
/* Lets another runnable thread have this core. */
void thread_yield(void);
void thread_sleep_us(unsigned us);

/* Cores this process may run on; at least 1. */
unsigned thread_core_count(void);

/* Tells the core that this is a waiting loop. */
static inline void thread_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
