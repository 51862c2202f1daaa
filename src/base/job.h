/* job.h: work that leaves the loop, runs on a lane, and comes back.
 *
 * A job is a struct that its owner embeds. Submitting it (io.h) moves it: until done() runs nobody
 * but the job's run() touches it. done() runs on the loop, never inside the call that submitted it.
 *
 * A lane is one place where jobs run, one at a time: a thread, or in the simulator a coroutine.
 * Workers are many lanes for arithmetic: no I/O, no waiting. Each class of I/O has one lane of its
 * own, whose jobs read, write and wait, and run in the order in which they were submitted. */
#ifndef VDB_BASE_JOB_H
#define VDB_BASE_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* On workers, searches go first; when they never end, links get one turn in a few. */
enum job_class {
    JOB_SEARCH,
    JOB_LINK,
    JOB_WORKER_CLASSES,           /* those before run on workers, those from here on are I/O */
    JOB_AOF = JOB_WORKER_CLASSES, /* the log */
    JOB_SNAPSHOT,                 /* snapshots, written */
    JOB_UPLOAD,                   /* the object store */
    JOB_CLASS_COUNT
};

enum { JOB_IO_CLASSES = JOB_CLASS_COUNT - JOB_WORKER_CLASSES };

enum { LANE_COUNT_MAX = 128 };

struct lane;

/* owner: whoever holds it; moved by submit, given back by done() */
struct job {
    void (*run)(struct job *job, struct lane *lane); /* on a lane */
    void (*done)(struct job *job);                   /* on the loop */
    enum job_class class;
    struct job *next; /* of the queue that holds it */
};

/* owner: the worker thread (or coroutine) of this lane */
struct lane {
    unsigned index;                          /* 0 .. lanes - 1, of its kind */
    bool (*search_waits)(struct lane *lane); /* should a JOB_LINK stop early and come back? */
    void (*pause)(struct lane *lane);        /* a lock is held by another lane: let it run */
    void (*yield_point)(struct lane *lane);  /* NULL, or the simulator's chance to switch */
    void (*give_way)(struct lane *lane);     /* NULL, or: other threads go first on this core */
    void *scratch;                           /* working memory kept between jobs of this lane */
    void (*scratch_free)(void *scratch);     /* called when the lane ends */
};

/* Long loops call this where another lane may run in between. Free outside the simulator. */
static inline void lane_yield(struct lane *lane)
{
    if (lane->yield_point != NULL)
        lane->yield_point(lane);
}

/* Work that nobody waits for calls this every tenth of a millisecond or so. Without it a thread
 * that wakes may have to wait until the scheduler takes the core from this one: milliseconds. */
static inline void lane_give_way(struct lane *lane)
{
    lane_yield(lane);
    if (lane->give_way != NULL)
        lane->give_way(lane);
}

#endif
