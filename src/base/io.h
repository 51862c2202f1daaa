/* io.h: everything that is asked of the outside world.
 *
 * Two implementations: net/io_uv.c (libuv) and tests/sim/sim_io.c (a virtual clock, network and
 * disk, driven by a seed). Nothing above this header includes uv.h, time.h, unistd.h or pthread.h.
 *
 * Rules. All calls are made on the loop thread, except the file operations, which block and may be
 * made from one thread per file, and the clocks, which any lane may read. Callbacks run on the loop
 * and never inside the call that asked for them. Timers and listeners are owned by the caller;
 * streams by the implementation, until their on_closed() has run. */
#ifndef VDB_BASE_IO_H
#define VDB_BASE_IO_H

#include "base/buf.h"
#include "base/err.h"
#include "base/job.h"
#include "base/slice.h"

struct io;
struct io_stream;

/* owner: caller. Set fn and user, then timer_start. */
struct io_timer {
    void (*fn)(struct io_timer *timer);
    void *user;
    void *impl; /* the implementation's; NULL before the first start */
};

enum { IO_ADDR_TEXT_MAX = 128 };

/* Where a listener listens or a stream leads: a TCP address, or a path of a Unix socket. */
struct io_addr {
    char host[IO_ADDR_TEXT_MAX]; /* numeric address, or the path when is_unix */
    int port;                    /* 0 lets the system choose; listener->addr.port then says which */
    int unix_mode;               /* permission bits of the socket file; 0 leaves them */
    bool is_unix;
};

/* owner: caller. Set on_accept and user, then listen. */
struct io_listener {
    /* A new stream. The callee calls stream_start on it now, or stream_close. */
    void (*on_accept)(struct io_listener *listener, struct io_stream *stream);
    void (*on_closed)(struct io_listener *listener); /* after listener_close; may be NULL */
    void *user;
    struct io_addr addr;
    void *impl;
};

struct io_stream_callbacks {
    /* Bytes arrived; they are valid during the call only. */
    void (*on_read)(struct io_stream *stream, const uint8_t *bytes, size_t len);
    /* The peer closed its side (e == OK) or the connection failed. The callee closes the stream. */
    void (*on_end)(struct io_stream *stream, enum err e);
    /* The rest of the last stream_write has left (OK) or cannot (then on_end follows). */
    void (*on_written)(struct io_stream *stream, enum err e);
    /* After stream_close: nothing refers to the stream any more; it is freed on return. */
    void (*on_closed)(struct io_stream *stream);
};

/* owner: the implementation, which embeds it */
struct io_stream {
    struct io *io;
    const struct io_stream_callbacks *on;
    void *user;
    struct io_addr peer;
    struct io_addr local;
};

enum io_open_flags {
    IO_READ = 1,
    IO_WRITE = 2,
    IO_CREATE = 4,    /* make it when missing */
    IO_EXCLUSIVE = 8, /* with IO_CREATE: fail when it exists */
    IO_TRUNCATE = 16,
    IO_PRIVATE = 32 /* with IO_CREATE: for nobody else to read */
};

struct io_file {
    struct io *io;
};

struct io_ops {
    /* Clocks, in microseconds. mono never goes back; wall is Unix time. */
    uint64_t (*mono_us)(struct io *io);
    uint64_t (*wall_us)(struct io *io);
    /* Bytes nobody can guess (in the simulator: from the seed). */
    void (*random)(struct io *io, void *out, size_t len);

    /* One shot. Starting a started timer moves it. Stopping a stopped one does nothing; after
     * timer_stop the struct may be freed. */
    void (*timer_start)(struct io *io, struct io_timer *timer, uint64_t after_us);
    void (*timer_stop)(struct io *io, struct io_timer *timer);

    MUST_USE enum err (*listen)(struct io *io, struct io_listener *listener,
                                const struct io_addr *addr, int backlog, struct why *why);
    void (*listener_close)(struct io_listener *listener);

    /* Connects; on_connected(stream, OK) then comes once, or with an error, after which the caller
     * closes the stream. */
    MUST_USE enum err (*connect)(struct io *io, const struct io_addr *addr,
                                 void (*on_connected)(struct io_stream *stream, enum err e),
                                 void *user, struct io_stream **out, struct why *why);

    /* Sets who hears of the stream and starts reading. */
    void (*stream_start)(struct io_stream *stream, const struct io_stream_callbacks *on,
                         void *user);
    void (*stream_read_stop)(struct io_stream *stream);
    void (*stream_read_resume)(struct io_stream *stream);
    /* Writes as much as leaves without waiting and returns how many bytes that was. When less than
     * len: the rest is under way, the bytes stay untouched by the caller until on_written(), and
     * no other write starts before. */
    size_t (*stream_write)(struct io_stream *stream, const uint8_t *bytes, size_t len);
    /* Never waits for unwritten bytes. on_closed() follows. No other callback comes after the call.
     */
    void (*stream_close)(struct io_stream *stream);

    /* Runs job->run on a lane, then job->done on the loop. */
    void (*submit)(struct io *io, struct job *job);
    unsigned (*lane_count)(struct io *io);

    /* Files. Paths are NUL-terminated. read and write move all len bytes or fail; read sets *got
     * below len only at the end of the file. */
    MUST_USE enum err (*file_open)(struct io *io, const char *path, int flags, struct io_file **out,
                                   struct why *why);
    MUST_USE enum err (*file_read)(struct io_file *f, uint64_t at, void *to, size_t len,
                                   size_t *got);
    MUST_USE enum err (*file_write)(struct io_file *f, uint64_t at, const void *from, size_t len);
    MUST_USE enum err (*file_size)(struct io_file *f, uint64_t *out);
    MUST_USE enum err (*file_truncate)(struct io_file *f, uint64_t size);
    MUST_USE enum err (*file_sync)(struct io_file *f);
    /* Until it is closed, or the process ends, nobody else can lock this file. Does not wait:
     * ERR_BUSY when it is locked already. */
    MUST_USE enum err (*file_lock)(struct io_file *f);
    /* Who may do what with `from` may do it with `to`. */
    MUST_USE enum err (*file_copy_rights)(struct io_file *from, struct io_file *to);
    void (*file_close)(struct io_file *f);
    /* Should the process crash (a CHECK, a fatal signal) in code of this thread, the bytes, as they
     * are then, are written to the beginning of the file. One at a time; size 0: no more. */
    void (*on_crash)(struct io *io, struct io_file *f, const void *bytes, size_t size);
    MUST_USE enum err (*rename)(struct io *io, const char *from, const char *to);
    MUST_USE enum err (*remove)(struct io *io, const char *path);
    MUST_USE enum err (*sync_dir)(struct io *io, const char *dir);
    MUST_USE enum err (*make_dir)(struct io *io, const char *dir); /* OK when it exists */
    /* Calls on_name for every entry of dir but . and .. */
    MUST_USE enum err (*list_dir)(struct io *io, const char *dir,
                                  void (*on_name)(void *user, const char *name), void *user);
};

/* owner: the implementation, which embeds it */
struct io {
    const struct io_ops *ops;
};

/* Is the other end on this machine? */
bool io_addr_is_local(const struct io_addr *addr);

/* The whole file at path, appended to out. ERR_NOT_FOUND when there is none; ERR_LIMIT when it has
 * more than max bytes. */
MUST_USE enum err io_read_file(struct io *io, const char *path, size_t max, struct buf *out,
                               struct why *why);

#endif
