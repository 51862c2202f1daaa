/* pool.h: numbered tasks, run by worker processes.
 *
 * A task may fail a CHECK, hang or leave memory behind: it fails alone, and is named. Workers take
 * the next number when they are done with one, so all cores stay busy; what each task counts adds
 * up. */
#ifndef VDB_TESTS_CRASH_POOL_H
#define VDB_TESTS_CRASH_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POOL_COUNTS = 160, POOL_TEXT = 640, POOL_FAILURES = 64, POOL_WORKERS_MAX = 64 };

struct pool_failure {
    uint64_t task;
    char text[POOL_TEXT];
};

struct pool {
    /* Runs one task and adds to counts. False: it failed, text says how. What stands in text when
     * the process dies is reported, too. */
    bool (*run)(void *user, uint64_t task, uint64_t *counts, char text[POOL_TEXT]);
    void *user;
    uint64_t from, to;     /* tasks from .. to - 1 */
    unsigned workers;      /* 1 .. POOL_WORKERS_MAX */
    double seconds;        /* no task starts later; 0: no limit */
    uint64_t at_least;     /* but for so many, which a busy machine must not take away */
    unsigned hang_seconds; /* a task that takes longer has failed */
    unsigned failures_max; /* no task starts after so many have failed; 0: no limit */

    uint64_t ran; /* the result */
    uint64_t failed;
    uint64_t counts[POOL_COUNTS];
    struct pool_failure failures[POOL_FAILURES]; /* the first ones */
};

void pool_run(struct pool *p);

#endif
