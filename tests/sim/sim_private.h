/* sim_private.h: what the files of the simulator share. Tests include sim_io.h only. */
#ifndef VDB_TESTS_SIM_SIM_PRIVATE_H
#define VDB_TESTS_SIM_SIM_PRIVATE_H

#include "base/mem.h"
#include "base/rng.h"
#include "sim/sim_io.h"

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* name: what the trace calls it. The order is part of the trace. */
#define SIM_KIND_LIST(X)                                                                           \
    X(TIMER)                                                                                       \
    X(CONNECT)                                                                                     \
    X(ACCEPT)                                                                                      \
    X(DELIVER)                                                                                     \
    X(WRITTEN)                                                                                     \
    X(END)                                                                                         \
    X(CLOSED)                                                                                      \
    X(LANE)                                                                                        \
    X(DONE)                                                                                        \
    X(FILE)                                                                                        \
    X(POWER)

enum sim_kind {
#define X(name) SIM_##name,
    SIM_KIND_LIST(X)
#undef X
};

/* owner: whoever embeds it; in the queue while heap_index > 0. Zero is a valid idle event. */
struct sim_event {
    uint64_t at_us;
    uint64_t tie; /* seeded: the order of events of one moment */
    size_t heap_index;
    enum sim_kind kind;
    void (*fn)(struct sim *sim, struct sim_event *event);
};

struct sim_net;
struct sim_disk;
struct sim_jobs;

/* owner: the test */
struct sim {
    struct io io; /* first */
    struct sim_options options;
    uint64_t now_us;
    uint64_t trace;
    /* States of independent generators, so that one more call to the disk does not change what the
     * network does. */
    uint64_t order_rng, net_rng, disk_rng, jobs_rng, process_rng;

    struct sim_event **heap; /* from 1; a min-heap by at_us, tie */
    size_t heap_count, heap_capacity;

    uint64_t fail_countdown, power_countdown;
    bool fault_fired;
    enum sim_call fault_call;
    uint64_t calls[SIM_CALL_COUNT];
    bool power;
    bool apart;          /* the dead process is being taken apart, with the help of its timers */
    bool ending;         /* sim_free runs: only what it waits for still happens */
    uint32_t generation; /* counts restarts; what was opened in an older one is dead */

    struct sim_net *net;
    struct sim_disk *disk;
    struct sim_jobs *jobs;
    struct client *clients;
};

static inline struct sim *sim_of(struct io *io)
{
    return (struct sim *)io;
}

/* Queues an idle event. delay_us is at least 1, so that time moves. */
void sim_schedule(struct sim *sim, struct sim_event *event, enum sim_kind kind, uint64_t delay_us,
                  void (*fn)(struct sim *sim, struct sim_event *event));
void sim_cancel(struct sim *sim, struct sim_event *event);
static inline bool sim_scheduled(const struct sim_event *event)
{
    return event->heap_index > 0;
}

/* Adds to the trace. */
void sim_trace(struct sim *sim, enum sim_kind kind, uint64_t a, uint64_t b);
void sim_trace_bytes(struct sim *sim, const uint8_t *bytes, size_t len);

static inline bool sim_chance(uint64_t *rng, uint32_t ppm)
{
    return rng_below(rng, 1000000) < ppm;
}

/* Whether the call being made is to fail: power is off, a fault was asked for, or chance. */
bool sim_fails(struct sim *sim, enum sim_call call);

/* sim_net.c */
struct sim_net *sim_net_new(void);
void sim_net_free(struct sim *sim);
void sim_net_crash(struct sim *sim);
/* Streams and listeners of the process whose on_closed() has not run. */
unsigned sim_net_open_count(const struct sim *sim);
enum err sim_listen(struct io *io, struct io_listener *listener, const struct io_addr *addr,
                    int backlog, struct why *why);
void sim_listener_close(struct io_listener *listener);
enum err sim_connect(struct io *io, const struct io_addr *addr,
                     void (*on_connected)(struct io_stream *stream, enum err e), void *user,
                     struct io_stream **out, struct why *why);
void sim_stream_start(struct io_stream *stream, const struct io_stream_callbacks *on, void *user);
void sim_stream_read_stop(struct io_stream *stream);
void sim_stream_read_resume(struct io_stream *stream);
size_t sim_stream_write(struct io_stream *stream, const uint8_t *bytes, size_t len);
void sim_stream_close(struct io_stream *stream);
/* For clients: a connect that no fault prevents, of a stream that outlives crashes. */
struct io_stream *sim_connect_client(struct sim *sim, const struct io_addr *addr,
                                     void (*on_connected)(struct io_stream *stream, enum err e),
                                     void *user);

/* sim_client.c */
void sim_clients_free(struct sim *sim);

/* sim_disk.c */
struct sim_disk *sim_disk_new(void);
void sim_disk_free(struct sim_disk *disk);
void sim_disk_crash(struct sim *sim);
enum err sim_file_open(struct io *io, const char *path, int flags, struct io_file **out,
                       struct why *why);
enum err sim_file_read(struct io_file *f, uint64_t at, void *to, size_t len, size_t *got);
enum err sim_file_write(struct io_file *f, uint64_t at, const void *from, size_t len);
enum err sim_file_size(struct io_file *f, uint64_t *out);
enum err sim_file_truncate(struct io_file *f, uint64_t size);
enum err sim_file_sync(struct io_file *f);
enum err sim_file_lock(struct io_file *f);
enum err sim_file_copy_rights(struct io_file *from, struct io_file *to);
void sim_file_close(struct io_file *f);
void sim_on_crash(struct io *io, struct io_file *f, const void *bytes, size_t size);
enum err sim_rename(struct io *io, const char *from, const char *to);
enum err sim_remove(struct io *io, const char *path);
enum err sim_sync_dir(struct io *io, const char *dir);
enum err sim_make_dir(struct io *io, const char *dir);
enum err sim_list_dir(struct io *io, const char *dir, void (*on_name)(void *user, const char *name),
                      void *user);

/* sim_jobs.c */
struct sim_jobs *sim_jobs_new(struct sim *sim);
void sim_jobs_free(struct sim *sim);
unsigned sim_jobs_pending(const struct sim *sim);
/* On a lane: up to max_us pass, in which others run. On the loop nothing does. */
void sim_jobs_wait(struct sim *sim, uint64_t max_us);
void sim_submit(struct io *io, struct job *job);
unsigned sim_lane_count(struct io *io);

#endif
