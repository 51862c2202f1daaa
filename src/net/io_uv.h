/* io_uv.h: the outside world (io.h) over libuv. io_uv.c is the only file that includes uv.h.
 *
 * The struct io made here belongs to the thread that calls io_uv_run(). TCP streams send without
 * delay (Nagle off). SIGPIPE is ignored from io_uv_new() on. */
#ifndef VDB_NET_IO_UV_H
#define VDB_NET_IO_UV_H

#include "base/io.h"

/* Starts the loop's handles and lane_count worker threads (1 .. LANE_COUNT_MAX). */
MUST_USE enum err io_uv_new(unsigned lane_count, struct io **out, struct why *why);

/* Serves until io_uv_stop(), which may be called from any callback or before. */
void io_uv_run(struct io *io);
void io_uv_stop(struct io *io);

/* The caller has closed its streams and listeners; their on_closed(), and done() of jobs still
 * out, run here at the latest. Started timers never fire. */
void io_uv_free(struct io *io);

/* fn(user, signo) runs on the loop whenever the process gets the signal. */
MUST_USE enum err io_uv_on_signal(struct io *io, int signo, void (*fn)(void *user, int signo),
                                  void *user, struct why *why);

/* fn(user, us) runs once a turn of the loop, before it sleeps: so long it worked since it slept. */
void io_uv_on_turn(struct io *io, void (*fn)(void *user, uint64_t busy_us), void *user);

/* Accepted and connected TCP streams that come after this are probed when silent for so long; 0,
 * the default, never. */
void io_uv_set_keepalive(struct io *io, unsigned after_s);

#endif
