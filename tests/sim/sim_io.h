/* sim_io.h: the outside world (base/io.h) made up from one seed.
 *
 * Time is virtual: it stands still while code runs and jumps to the next event. Everything that
 * happens is an event in one queue; which of several goes first, how bytes are cut, what a crash
 * leaves on the disk and when a coroutine is switched away follow from the seed. The same seed,
 * options and calls therefore replay a run bit for bit, which sim_trace_hash() shows.
 *
 *     sim_io.c    clock, queue of events, timers, faults
 *     sim_net.c   listeners, byte streams, clients
 *     sim_disk.c  files, folders, crashes
 *     sim_jobs.c  lanes as coroutines
 *
 * One simulated process uses sim_io(sim); clients belong to the test and survive its crashes. */
#ifndef VDB_TESTS_SIM_SIM_IO_H
#define VDB_TESTS_SIM_SIM_IO_H

#include "base/io.h"

struct sim;

/* Calls that can fail: name, in words. */
#define SIM_CALL_LIST(X)                                                                           \
    X(SIM_OPEN, "open")                                                                            \
    X(SIM_READ, "read")                                                                            \
    X(SIM_WRITE, "write")                                                                          \
    X(SIM_SIZE, "size")                                                                            \
    X(SIM_TRUNCATE, "truncate")                                                                    \
    X(SIM_LOCK, "lock")                                                                            \
    X(SIM_SYNC, "sync")                                                                            \
    X(SIM_RENAME, "rename")                                                                        \
    X(SIM_REMOVE, "remove")                                                                        \
    X(SIM_SYNC_DIR, "sync_dir")                                                                    \
    X(SIM_MAKE_DIR, "make_dir")                                                                    \
    X(SIM_LIST_DIR, "list_dir")                                                                    \
    X(SIM_LISTEN, "listen")                                                                        \
    X(SIM_DIAL, "connect")

enum sim_call {
#define X(name, text) name,
    SIM_CALL_LIST(X)
#undef X
        SIM_CALL_COUNT
};

/* A set of calls has the bit 1 << call for each. */
enum {
    SIM_CALLS_ALL = (1 << SIM_CALL_COUNT) - 1,
    SIM_CALLS_FILES = SIM_CALLS_ALL & ~(1 << SIM_LISTEN | 1 << SIM_DIAL),
    /* Those that change what a crash leaves. */
    SIM_CALLS_CHANGES = 1 << SIM_OPEN | 1 << SIM_WRITE | 1 << SIM_TRUNCATE | 1 << SIM_SYNC |
                        1 << SIM_RENAME | 1 << SIM_REMOVE | 1 << SIM_SYNC_DIR | 1 << SIM_MAKE_DIR
};

const char *sim_call_name(enum sim_call call);

/* Chances are in millionths (ppm). */
struct sim_options {
    unsigned lane_count;     /* 1 .. LANE_COUNT_MAX */
    uint32_t latency_min_us; /* of a chunk of bytes, a connect, a close */
    uint32_t latency_max_us;
    uint32_t window_size;     /* bytes one direction of a stream holds; then writes wait */
    uint32_t split_ppm;       /* a chunk of bytes arrives in pieces */
    uint32_t short_write_ppm; /* stream_write takes only a part though there is room */
    uint32_t cut_ppm;         /* a connection is reset when a chunk or connect should arrive */
    uint32_t fault_ppm;       /* a call of fault_calls fails */
    uint32_t fault_calls;     /* what fault_ppm and the calls about faults below count */
    uint32_t rot_ppm;         /* a read finds a bit flipped, which stays flipped */
    uint32_t switch_ppm;      /* a yield point switches to something else */
    uint32_t job_step_max_us; /* time until a coroutine goes on, or done() comes */
    uint32_t disk_max_us;     /* of a call about files on a lane; ten times that of a sync */
    uint64_t disk_bytes;      /* writes that need more fail; 0: no limit */
    uint64_t wall_start_us;   /* Unix time when the simulation starts */
    bool verbose;             /* print every event to stderr */
};

/* Delays, splits, short writes and switches on; cuts, faults and rot off; 2 lanes. */
struct sim_options sim_options_default(void);

/* options may be NULL for the default. */
struct sim *sim_new(uint64_t seed, const struct sim_options *options);
/* The process has closed its streams and listeners; their on_closed() and done() of jobs still out
 * run here at the latest. Clients are freed. */
void sim_free(struct sim *sim);

struct io *sim_io(struct sim *sim);
/* To be changed between steps; lane_count is fixed. */
struct sim_options *sim_options(struct sim *sim);

/* Delivers one event; false when there is none. */
bool sim_step(struct sim *sim);
/* Steps until until(user) holds; false when it does not and nothing is left or max_us passed. */
bool sim_run_until(struct sim *sim, bool (*until)(void *user), void *user, uint64_t max_us);
/* Steps until nothing is left that happens within max_us; the clock then stands there. */
void sim_run_for(struct sim *sim, uint64_t max_us);

/* A hash over every event delivered and every file call so far. */
uint64_t sim_trace_hash(const struct sim *sim);
uint64_t sim_now_us(const struct sim *sim);

/* ---- faults ---- */

/* The n-th call of options.fault_calls from now (from 1) fails, once; 0 turns it off. */
void sim_fail_nth(struct sim *sim, uint64_t n);
/* The n-th call of options.fault_calls from now meets a power cut: it and all that follow fail,
 * until sim_crash() and sim_restart(); 0 turns it off. */
void sim_cut_power_at_nth(struct sim *sim, uint64_t n);
/* Whether what the last of these two asked for has happened, and to which call. */
bool sim_fault_fired(const struct sim *sim);
enum sim_call sim_fault_call(const struct sim *sim);
/* How many calls of a set were made while there was power. */
uint64_t sim_call_count(const struct sim *sim, uint32_t calls);

/* ---- crashes ---- */

/* The power goes: what was not synced is kept, lost, torn or mixed by the seed; connections are
 * reset, timers and listeners of the process are silent, all its calls fail. The test then frees
 * what the process held, as at any shutdown, and calls sim_restart(), which runs the on_closed()
 * and done() that are still to come. What ends only by way of timers needs sim_take_apart() right
 * after the crash: from there on the timers of the dead process run, until the restart. */
void sim_crash(struct sim *sim);
/* The same for the process alone: the system goes on, so the disk keeps all that was written, and
 * what was not synced is still not safe from the next crash. */
void sim_kill(struct sim *sim);
void sim_take_apart(struct sim *sim);
void sim_restart(struct sim *sim);
bool sim_has_power(const struct sim *sim);

/* ---- the disk from outside ---- */

/* Makes a file, and the folders above it, that any crash leaves as it is. */
void sim_disk_put(struct sim *sim, const char *path, struct slice bytes);
/* Appends what a reader would see; false when there is no such file. */
bool sim_disk_get(struct sim *sim, const char *path, struct buf *out);
bool sim_disk_exists(struct sim *sim, const char *path);
/* Flips one bit of what the disk holds, as rot would. bit < 8 * size. */
void sim_disk_flip_bit(struct sim *sim, const char *path, uint64_t bit);
unsigned sim_disk_file_count(struct sim *sim);
/* Calls on_file for every file, in the order of their paths. bytes: as a reader would see them. */
void sim_disk_each(struct sim *sim,
                   void (*on_file)(void *user, const char *path, struct slice bytes), void *user);
/* What crashes leave follows from this seed from now on. */
void sim_disk_reseed(struct sim *sim, uint64_t seed);

/* ---- clients ---- */

/* owner: the sim; the test reads it and takes bytes off received with buf_consume() */
struct sim_client {
    struct buf received;
    int port; /* what the process sees of it: stream->peer.port */
    bool connected;
    bool closed;  /* by the server, by a failure, or by sim_client_close */
    enum err end; /* how: OK when the server closed in order */
};

struct sim_client *sim_client_connect(struct sim *sim, const struct io_addr *addr);
/* Bytes wait their turn; they are copied. */
void sim_client_send(struct sim_client *client, struct slice bytes);
/* A client that does not read lets the server's writes pile up. */
void sim_client_read_stop(struct sim_client *client);
void sim_client_read_resume(struct sim_client *client);
void sim_client_close(struct sim_client *client);

#endif
