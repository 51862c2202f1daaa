/* workers.h: the threads that run jobs (job.h), and the way there and back.
 *
 *     loop: workers_submit(job) ──► hand to an idle lane, or queue ──► lane: job->run()
 *     loop: job->done() ◄── workers_collect() ◄── wake() ◄── finished list ◄──┘
 *
 * A job goes straight to an idle lane if there is one, so that exactly one thread wakes and a queue
 * holds jobs only while every lane is busy. Queues are first in, first out; JOB_SEARCH goes before
 * JOB_LINK, but for one turn in five. A pool of one lane serves a class of I/O. All calls are made
 * on one thread, the loop's. */
#ifndef VDB_BASE_WORKERS_H
#define VDB_BASE_WORKERS_H

#include "base/err.h"
#include "base/job.h"

struct workers;

/* Called on a worker thread when finished jobs wait and none did before. It must make the loop call
 * workers_collect() soon, and may do nothing else. */
typedef void workers_wake_fn(void *user);

/* How lanes stand among the threads that want a core (thread.h). */
enum workers_kind {
    WORKERS_EQUAL,
    WORKERS_PROMPT,    /* somebody waits for each of their short turns */
    WORKERS_BACKGROUND /* they stand back behind others */
};

/* Starts lane_count threads, 1 .. LANE_COUNT_MAX, named name-0 and on. ERR_NOMEM when the system
 * has no more threads. */
MUST_USE enum err workers_new(const char *name, unsigned lane_count, enum workers_kind kind,
                              workers_wake_fn *wake, void *user, struct workers **out,
                              struct why *why);
/* Waits until every submitted job has run, calls done() for them here, joins the threads. done()
 * may submit again, but not for ever. */
void workers_free(struct workers *w);

unsigned workers_lane_count(const struct workers *w);

/* Moves the job to the workers; done() comes in a later workers_collect(). */
void workers_submit(struct workers *w, struct job *job);
/* Calls done() of the jobs that have finished, in the order in which they did. Returns how many. */
unsigned workers_collect(struct workers *w);
/* Whether workers_collect() would find something now. */
bool workers_finished(const struct workers *w);
/* Jobs submitted whose done() has not been called. */
unsigned workers_pending(const struct workers *w);

#endif
