#include "net/io_uv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/io_file.h"
#include "base/mem.h"
#include "base/workers.h"

enum {
    READ_BUFFER_SIZE = 64 * 1024,
    READS_PER_TURN = 4, /* from one stream */
    /* How often one turn of the loop may serve jobs that finish while it serves jobs. */
    COLLECT_ROUNDS_MAX = 16,
    CLOSE_TURNS_MAX = 64
};

struct stream;

/* owner: the loop thread, but for asleep: atomic, sequentially consistent (see on_job_finished) */
struct io_uv {
    struct io io; /* first */
    uv_loop_t loop;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_async_t wake;
    atomic_bool asleep; /* a worker that finishes a job must send wake */
    struct workers *workers;
    struct workers *io_threads[JOB_IO_CLASSES];    /* one lane each */
    struct timer *timers;                          /* all there are */
    struct timer *spare_timers;                    /* those no io_timer uses */
    struct timer *soon, **soon_last;               /* those of 0 us, in order */
    uint64_t turn;                                 /* of the loop */
    void (*on_turn)(void *user, uint64_t busy_us); /* NULL: nobody asks */
    void *turn_user;
    uint64_t turn_end_ns, idle_ns; /* of the last turn; slept until then */
    uv_idle_t spin;                /* while there are some, the loop does not sleep */
    struct stream *failed_writers; /* on_written(error) is due */
    struct signal_watch *signals;
    unsigned keepalive_s;
    uint8_t read_buffer[READ_BUFFER_SIZE]; /* on_read copies, so one serves every stream */
};

static struct io_uv *io_uv_of(struct io *io)
{
    return (struct io_uv *)io;
}

static enum err err_of_uv(int rc)
{
    return rc == 0 ? OK : rc == UV_ENOMEM ? ERR_NOMEM : ERR_IO;
}

/* ---- clocks and chance ---- */

static uint64_t clock_us(clockid_t id)
{
    struct timespec ts;
    int rc = clock_gettime(id, &ts);
    CHECK(rc == 0);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t mono_us(struct io *io)
{
    (void)io;
    return clock_us(CLOCK_MONOTONIC);
}

static uint64_t wall_us(struct io *io)
{
    (void)io;
    return clock_us(CLOCK_REALTIME);
}

static void random_bytes(struct io *io, void *out, size_t len)
{
    (void)io;
    int rc = uv_random(NULL, NULL, out, len, 0, NULL);
    CHECK(rc == 0); /* a server without chance would hand out guessable secrets */
}

/* ---- timers ---- */

/* owner: io_uv.timers until io_uv_free. Handles are reused, so that an io_timer is free of libuv,
 * which lets go of a handle only a turn later, as soon as it has fired or stopped. */
struct timer {
    uv_timer_t uv;
    struct io_timer *timer; /* NULL: spare */
    struct timer *next;
    struct timer *next_spare;
    struct timer *next_soon;
    bool is_soon;  /* in io_uv.soon, and not libuv's */
    uint64_t turn; /* in which it was started */
};

static struct timer *timer_take(struct io_uv *u)
{
    struct timer *t = u->spare_timers;
    if (t != NULL) {
        u->spare_timers = t->next_spare;
        return t;
    }
    t = mem_calloc(MEM_SERVER, sizeof(*t));
    int rc = uv_timer_init(&u->loop, &t->uv);
    CHECK(rc == 0);
    t->uv.data = t;
    t->next = u->timers;
    u->timers = t;
    return t;
}

static void on_spin(uv_idle_t *idle)
{
    (void)idle; /* that it runs keeps the loop from sleeping */
}

/* libuv would round 0 us up to a millisecond, or run a timer that starts itself again for ever
 * without a look at the sockets. */
static void enter_soon(struct io_uv *u, struct timer *t)
{
    CHECK(!t->is_soon);
    t->is_soon = true;
    t->turn = u->turn;
    t->next_soon = NULL;
    *u->soon_last = t;
    u->soon_last = &t->next_soon;
    int rc = uv_idle_start(&u->spin, on_spin);
    CHECK(rc == 0);
}

static void leave_soon(struct io_uv *u, struct timer *t)
{
    if (!t->is_soon)
        return;
    struct timer **at = &u->soon;
    while (*at != t) {
        CHECK(*at != NULL);
        at = &(*at)->next_soon;
    }
    *at = t->next_soon;
    if (*at == NULL)
        u->soon_last = at;
    t->is_soon = false;
}

static void timer_stop(struct io *io, struct io_timer *timer)
{
    struct io_uv *u = io_uv_of(io);
    struct timer *t = timer->impl;
    if (t == NULL)
        return;
    CHECK(t->timer == timer);
    leave_soon(u, t);
    int rc = uv_timer_stop(&t->uv);
    CHECK(rc == 0);
    t->timer = NULL;
    timer->impl = NULL;
    t->next_spare = u->spare_timers;
    u->spare_timers = t;
}

static void on_timer(uv_timer_t *uv)
{
    struct timer *t = uv->data;
    struct io_timer *timer = t->timer;
    struct io_uv *u = uv->loop->data;
    timer_stop(&u->io, timer);
    timer->fn(timer);
}

static void timer_start(struct io *io, struct io_timer *timer, uint64_t after_us)
{
    struct io_uv *u = io_uv_of(io);
    CHECK(timer->fn != NULL);
    if (timer->impl == NULL) {
        struct timer *t = timer_take(u);
        t->timer = timer;
        timer->impl = t;
    }
    leave_soon(u, timer->impl);
    if (after_us == 0) {
        int stopped = uv_timer_stop(&((struct timer *)timer->impl)->uv);
        CHECK(stopped == 0);
        enter_soon(u, timer->impl);
        return;
    }
    /* libuv counts whole milliseconds from the time it last looked; rounding up from the true
     * clock keeps a timer from firing early. */
    uint64_t due_ms = (mono_us(io) + after_us + 999) / 1000;
    uint64_t now_ms = uv_now(&u->loop);
    struct timer *t = timer->impl;
    int rc = uv_timer_start(&t->uv, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
    CHECK(rc == 0);
}

/* Those that were started before this turn; what they start is for the next. */
static void run_soon(struct io_uv *u)
{
    u->turn++;
    while (u->soon != NULL && u->soon->turn < u->turn)
        on_timer(&u->soon->uv);
    if (u->soon == NULL) {
        int rc = uv_idle_stop(&u->spin);
        CHECK(rc == 0);
    }
}

/* ---- streams ---- */

/* owner: io_uv, from accept or connect until close has run on_closed */
struct stream {
    struct io_stream base; /* first */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_connect_t connect;
    uv_write_t write;
    void (*on_connected)(struct io_stream *stream, enum err e);
    struct stream *next_failed; /* in io_uv.failed_writers */
    bool writing;               /* the rest of a write is under way, or its failure is due */
    bool ended;                 /* on_end has run */
    bool closing;
    bool reads;                 /* whoever has it wants to read */
    bool rests;                 /* it has read enough in this turn; until the timer */
    unsigned read_count;        /* in read_turn */
    uint64_t read_turn;
    struct io_timer rest;
};

static struct stream *stream_of(struct io_stream *s)
{
    return (struct stream *)s;
}

static void end_stream(struct stream *s, enum err e)
{
    if (s->ended || s->closing)
        return;
    s->ended = true;
    (void)uv_read_stop(&s->uv.stream);
    s->base.on->on_end(&s->base, e);
}

static void finish_write(struct stream *s, enum err e)
{
    CHECK(s->writing);
    s->writing = false;
    if (s->closing)
        return;
    s->base.on->on_written(&s->base, e);
    if (e != OK)
        end_stream(s, e);
}

static void on_write(uv_write_t *request, int status)
{
    finish_write(request->data, err_of_uv(status));
}

static void fail_write_later(struct stream *s)
{
    struct io_uv *u = io_uv_of(s->base.io);
    s->writing = true;
    s->next_failed = u->failed_writers;
    u->failed_writers = s;
}

static void run_failed_writes(struct io_uv *u)
{
    while (u->failed_writers != NULL) {
        struct stream *s = u->failed_writers;
        u->failed_writers = s->next_failed;
        finish_write(s, ERR_IO);
    }
}

static void forget_failed_write(struct io_uv *u, const struct stream *s)
{
    struct stream **at = &u->failed_writers;
    while (*at != NULL && *at != s)
        at = &(*at)->next_failed;
    if (*at != NULL)
        *at = s->next_failed;
}

static size_t stream_write(struct io_stream *base, const uint8_t *bytes, size_t len)
{
    struct stream *s = stream_of(base);
    CHECK(s->base.on != NULL && !s->closing && !s->writing);
    if (len == 0)
        return 0;
    uv_buf_t all = {.base = (char *)(uintptr_t)bytes, .len = len};
    int wrote = uv_try_write(&s->uv.stream, &all, 1);
    if (wrote < 0 && wrote != UV_EAGAIN) {
        fail_write_later(s);
        return 0;
    }
    size_t left = wrote < 0 ? 0 : (size_t)wrote;
    if (left == len)
        return len;
    uv_buf_t rest = {.base = all.base + left, .len = len - left};
    s->writing = true;
    s->write.data = s;
    int rc = uv_write(&s->write, &s->uv.stream, &rest, 1, on_write);
    if (rc != 0)
        fail_write_later(s);
    return left;
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct io_uv *u = handle->loop->data;
    *out = uv_buf_init((char *)u->read_buffer, READ_BUFFER_SIZE);
}

static void on_read(uv_stream_t *uv, ssize_t count, const uv_buf_t *buffer);

static void start_reading(struct stream *s)
{
    int rc = uv_read_start(&s->uv.stream, on_allocate, on_read);
    CHECK(rc == 0 || rc == UV_EALREADY);
}

static void on_rest_over(struct io_timer *timer)
{
    struct stream *s = timer->user;
    CHECK(s->rests && !s->closing);
    s->rests = false;
    if (s->reads && !s->ended)
        start_reading(s);
}

/* libuv reads up to 32 buffers from one stream before it looks at the next one. */
static void rest_after_many(struct stream *s)
{
    struct io_uv *u = io_uv_of(s->base.io);
    if (s->read_turn != u->turn)
        s->read_count = 0;
    s->read_turn = u->turn;
    if (++s->read_count < READS_PER_TURN || !s->reads || s->rests)
        return;
    s->rests = true;
    (void)uv_read_stop(&s->uv.stream);
    s->rest = (struct io_timer){.fn = on_rest_over, .user = s};
    timer_start(s->base.io, &s->rest, 0);
}

static void on_read(uv_stream_t *uv, ssize_t count, const uv_buf_t *buffer)
{
    struct stream *s = uv->data;
    if (count > 0)
        s->base.on->on_read(&s->base, (const uint8_t *)buffer->base, (size_t)count);
    else if (count < 0)
        end_stream(s, count == UV_EOF ? OK : ERR_IO);
    if (count > 0 && !s->closing && !s->ended)
        rest_after_many(s);
}

static void stream_read_resume(struct io_stream *base)
{
    struct stream *s = stream_of(base);
    CHECK(s->base.on != NULL && !s->closing);
    s->reads = true;
    if (!s->ended && !s->rests)
        start_reading(s);
}

static void stream_read_stop(struct io_stream *base)
{
    struct stream *s = stream_of(base);
    CHECK(!s->closing);
    s->reads = false;
    (void)uv_read_stop(&s->uv.stream); /* 0 always, also when it was stopped */
}

static void stream_start(struct io_stream *base, const struct io_stream_callbacks *on, void *user)
{
    CHECK(base->on == NULL && on != NULL);
    CHECK(on->on_read != NULL && on->on_end != NULL && on->on_written != NULL);
    CHECK(on->on_closed != NULL);
    base->on = on;
    base->user = user;
    stream_read_resume(base);
}

static void on_stream_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;
    if (s->base.on != NULL)
        s->base.on->on_closed(&s->base);
    mem_free(MEM_CLIENT, s);
}

static void stream_close(struct io_stream *base)
{
    struct stream *s = stream_of(base);
    CHECK(!s->closing);
    s->closing = true;
    forget_failed_write(io_uv_of(base->io), s);
    timer_stop(base->io, &s->rest);
    uv_close(&s->uv.handle, on_stream_closed);
}

static struct stream *stream_new(struct io_uv *u, bool is_unix)
{
    struct stream *s = mem_calloc(MEM_CLIENT, sizeof(*s));
    s->base.io = &u->io;
    int rc = is_unix ? uv_pipe_init(&u->loop, &s->uv.pipe, 0) : uv_tcp_init(&u->loop, &s->uv.tcp);
    CHECK(rc == 0); /* neither asks the system for anything yet */
    s->uv.handle.data = s;
    return s;
}

/* ---- addresses ---- */

static enum err sockaddr_of(const struct io_addr *addr, struct sockaddr_storage *out,
                            struct why *why)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (addr->port < 0 || addr->port > 65535)
        return why_set(why, ERR_ARG, "port %d is not between 0 and 65535", addr->port);
    if (uv_ip4_addr(addr->host, addr->port, v4) == 0 ||
        uv_ip6_addr(addr->host, addr->port, v6) == 0)
        return OK;
    return why_set(why, ERR_ARG, "'%s' is not a numeric IPv4 or IPv6 address", addr->host);
}

static void addr_of_sockaddr(const struct sockaddr_storage *from, struct io_addr *out)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
    memset(out, 0, sizeof(*out));
    if (from->ss_family == AF_INET) {
        (void)uv_ip4_name(v4, out->host, sizeof(out->host));
        out->port = ntohs(v4->sin_port);
    } else if (from->ss_family == AF_INET6) {
        (void)uv_ip6_name(v6, out->host, sizeof(out->host));
        out->port = ntohs(v6->sin6_port);
    }
}

typedef int name_fn(const uv_tcp_t *tcp, struct sockaddr *name, int *len);

/* Asks one end of a TCP socket; an address of zeros when the peer is already gone. */
static void read_tcp_addr(const uv_tcp_t *tcp, name_fn *ask, struct io_addr *out)
{
    struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
    int len = sizeof(name);
    if (ask(tcp, (struct sockaddr *)&name, &len) != 0)
        name.ss_family = AF_UNSPEC;
    addr_of_sockaddr(&name, out);
}

/* Options are best effort: on a socket that its peer has reset they fail, and the first read
 * tells. */
static void tcp_opened(struct stream *s)
{
    struct io_uv *u = io_uv_of(s->base.io);
    (void)uv_tcp_nodelay(&s->uv.tcp, 1);
    if (u->keepalive_s > 0)
        (void)uv_tcp_keepalive(&s->uv.tcp, 1, u->keepalive_s);
    read_tcp_addr(&s->uv.tcp, uv_tcp_getpeername, &s->base.peer);
    read_tcp_addr(&s->uv.tcp, uv_tcp_getsockname, &s->base.local);
}

static enum err check_unix_path(const char *path, struct why *why)
{
    struct sockaddr_un name;
    if (path[0] != '\0' && strlen(path) < sizeof(name.sun_path))
        return OK;
    return why_set(why, ERR_ARG, "path '%.64s' of a Unix socket must have 1 to %zu bytes", path,
                   sizeof(name.sun_path) - 1);
}

/* ---- listening ---- */

/* owner: io_uv, from listen until listener_close has run on_closed */
struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct io_listener *listener; /* NULL: listen failed, nobody is to hear of the close */
};

static void on_connection(uv_stream_t *uv, int status)
{
    struct listener *l = uv->data;
    struct io_uv *u = uv->loop->data;
    /* Out of descriptors: libuv has closed the waiting connections with one it keeps in reserve,
     * so they are refused instead of spinning the loop. */
    if (status != 0)
        return;
    struct io_addr *at = &l->listener->addr;
    struct stream *s = stream_new(u, at->is_unix);
    int rc = uv_accept(uv, &s->uv.stream);
    if (rc != 0) {
        stream_close(&s->base);
        return;
    }
    if (at->is_unix)
        s->base.peer = s->base.local = *at;
    else
        tcp_opened(s);
    l->listener->on_accept(l->listener, &s->base);
    CHECK(s->base.on != NULL || s->closing); /* the callee starts or closes it */
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    struct io_listener *listener = l->listener;
    mem_free(MEM_SERVER, l);
    if (listener == NULL)
        return;
    listener->impl = NULL;
    if (listener->on_closed != NULL)
        listener->on_closed(listener);
}

static void listener_close(struct io_listener *listener)
{
    struct listener *l = listener->impl;
    CHECK(l != NULL && uv_is_closing(&l->uv.handle) == 0);
    uv_close(&l->uv.handle, on_listener_closed); /* also removes the file of a Unix socket */
}

/* Removes the socket file that a process which is gone left at the path. */
static void remove_stale_socket(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&name, sizeof(name)) != 0 && errno == ECONNREFUSED)
        (void)unlink(path); /* when it stays, bind says that the address is in use */
    (void)close(fd);
}

static int bind_unix(struct listener *l, const struct io_addr *addr)
{
    remove_stale_socket(addr->host);
    int rc = uv_pipe_bind(&l->uv.pipe, addr->host);
    if (rc != 0 || addr->unix_mode == 0)
        return rc;
    /* Nobody can connect before listen, so the first client already meets this mode. */
    return chmod(addr->host, (mode_t)addr->unix_mode) == 0 ? 0 : uv_translate_sys_error(errno);
}

static int bind_tcp(struct listener *l, const struct sockaddr_storage *at)
{
    /* libuv sets SO_REUSEADDR. With both 0.0.0.0 and :: given, each must take its own family. */
    unsigned flags = at->ss_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0;
    int rc = uv_tcp_bind(&l->uv.tcp, (const struct sockaddr *)at, flags);
    if (rc != 0)
        return rc;
    return uv_tcp_simultaneous_accepts(&l->uv.tcp, 1); /* take all that wait, without pauses */
}

static struct listener *listener_new(struct io_uv *u, bool is_unix)
{
    struct listener *l = mem_calloc(MEM_SERVER, sizeof(*l));
    int rc = is_unix ? uv_pipe_init(&u->loop, &l->uv.pipe, 0) : uv_tcp_init(&u->loop, &l->uv.tcp);
    CHECK(rc == 0);
    l->uv.handle.data = l;
    return l;
}

static enum err why_listen_failed(struct why *why, const struct io_addr *addr, int rc)
{
    enum err e = rc == UV_EADDRINUSE ? ERR_EXISTS : ERR_IO;
    if (addr->is_unix)
        return why_set(why, e, "cannot listen on %s: %s", addr->host, uv_strerror(rc));
    return why_set(why, e, "cannot listen on %s port %d: %s", addr->host, addr->port,
                   uv_strerror(rc));
}

static enum err listen_at(struct io *io, struct io_listener *listener, const struct io_addr *addr,
                          int backlog, struct why *why)
{
    struct io_uv *u = io_uv_of(io);
    CHECK(listener->on_accept != NULL && listener->impl == NULL);
    struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
    enum err e = addr->is_unix ? check_unix_path(addr->host, why) : sockaddr_of(addr, &at, why);
    if (e != OK)
        return e;
    struct listener *l = listener_new(u, addr->is_unix);
    int rc = addr->is_unix ? bind_unix(l, addr) : bind_tcp(l, &at);
    if (rc == 0)
        rc = uv_listen(&l->uv.stream, backlog, on_connection);
    if (rc != 0) {
        uv_close(&l->uv.handle, on_listener_closed);
        return why_listen_failed(why, addr, rc);
    }
    l->listener = listener;
    listener->impl = l;
    listener->addr = *addr;
    if (!addr->is_unix)
        read_tcp_addr(&l->uv.tcp, uv_tcp_getsockname, &listener->addr);
    return OK;
}

/* ---- connecting ---- */

static void on_connect(uv_connect_t *request, int status)
{
    struct stream *s = request->data;
    if (s->closing)
        return;
    if (status == 0 && !s->base.peer.is_unix)
        tcp_opened(s);
    s->on_connected(&s->base, err_of_uv(status));
}

static enum err connect_to(struct io *io, const struct io_addr *addr,
                           void (*on_connected)(struct io_stream *stream, enum err e), void *user,
                           struct io_stream **out, struct why *why)
{
    struct io_uv *u = io_uv_of(io);
    CHECK(on_connected != NULL && out != NULL);
    struct sockaddr_storage to = {.ss_family = AF_UNSPEC};
    enum err e = addr->is_unix ? check_unix_path(addr->host, why) : sockaddr_of(addr, &to, why);
    if (e != OK)
        return e;
    struct stream *s = stream_new(u, addr->is_unix);
    s->base.user = user;
    s->base.peer = *addr;
    s->on_connected = on_connected;
    s->connect.data = s;
    int rc = 0;
    if (addr->is_unix)
        uv_pipe_connect(&s->connect, &s->uv.pipe, addr->host, on_connect);
    else
        rc = uv_tcp_connect(&s->connect, &s->uv.tcp, (const struct sockaddr *)&to, on_connect);
    if (rc != 0) {
        stream_close(&s->base);
        return why_set(why, ERR_IO, "cannot connect to %s: %s", addr->host, uv_strerror(rc));
    }
    *out = &s->base;
    return OK;
}

/* ---- jobs ---- */

/* In the order of enum job_class, from JOB_AOF on. Acknowledgements wait for the log; snapshots and
 * the object store take what searches leave of the cores. */
static const struct {
    const char *name;
    enum workers_kind kind;
} io_threads[JOB_IO_CLASSES] = {
    {"aof", WORKERS_PROMPT}, {"snapshot", WORKERS_BACKGROUND}, {"upload", WORKERS_BACKGROUND}};

static void submit(struct io *io, struct job *job)
{
    struct io_uv *u = io_uv_of(io);
    CHECK(job->class < JOB_CLASS_COUNT);
    workers_submit(job->class < JOB_WORKER_CLASSES ? u->workers
                                                   : u->io_threads[job->class - JOB_WORKER_CLASSES],
                   job);
}

static unsigned lane_count(struct io *io)
{
    return workers_lane_count(io_uv_of(io)->workers);
}

/* On a worker. The push before this call and the exchange here, and in before_poll() the store and
 * the look at the list, are sequentially consistent: either the loop sees the job or this sees the
 * loop asleep. A loop that is awake costs no system call. */
static void on_job_finished(void *user)
{
    struct io_uv *u = user;
    if (atomic_exchange(&u->asleep, false))
        (void)uv_async_send(&u->wake); /* cannot fail on an open handle */
}

static void on_wake(uv_async_t *async)
{
    (void)async; /* before_poll() does the work; waking is all there was to do */
}

static void collect_jobs(struct io_uv *u)
{
    (void)workers_collect(u->workers);
    for (unsigned i = 0; i < JOB_IO_CLASSES; i++)
        if (workers_finished(u->io_threads[i]))
            (void)workers_collect(u->io_threads[i]);
}

static bool jobs_finished(const struct io_uv *u)
{
    bool any = workers_finished(u->workers);
    for (unsigned i = 0; i < JOB_IO_CLASSES; i++)
        any = any || workers_finished(u->io_threads[i]);
    return any;
}

static void end_turn(struct io_uv *u)
{
    uint64_t now = uv_hrtime(), idle = uv_metrics_idle_time(&u->loop);
    uint64_t passed = now - u->turn_end_ns, slept = idle - u->idle_ns;
    CHECK(now >= u->turn_end_ns && idle >= u->idle_ns);
    u->turn_end_ns = now;
    u->idle_ns = idle;
    u->on_turn(u->turn_user, passed > slept ? (passed - slept) / 1000 : 0);
}

void io_uv_on_turn(struct io *io, void (*fn)(void *user, uint64_t busy_us), void *user)
{
    struct io_uv *u = io_uv_of(io);
    CHECK(u->on_turn == NULL && fn != NULL);
    u->on_turn = fn;
    u->turn_user = user;
    u->turn_end_ns = uv_hrtime();
    u->idle_ns = uv_metrics_idle_time(&u->loop);
}

/* Everything that became due without a system call is done before the loop may sleep. */
static void before_poll(uv_prepare_t *prepare)
{
    struct io_uv *u = prepare->data;
    run_soon(u);
    for (unsigned round = 0; round < COLLECT_ROUNDS_MAX; round++) {
        run_failed_writes(u);
        collect_jobs(u);
        if (u->failed_writers != NULL)
            continue;
        atomic_store(&u->asleep, true);
        if (!jobs_finished(u)) {
            if (u->on_turn != NULL)
                end_turn(u);
            return;
        }
        atomic_store(&u->asleep, false);
    }
    (void)uv_async_send(&u->wake); /* more to do, after a look at the sockets */
}

static void after_poll(uv_check_t *check)
{
    struct io_uv *u = check->data;
    atomic_store_explicit(&u->asleep, false, memory_order_relaxed);
}

/* ---- signals ---- */

/* owner: io_uv.signals until io_uv_free */
struct signal_watch {
    uv_signal_t uv;
    void (*fn)(void *user, int signo);
    void *user;
    struct signal_watch *next;
};

static void on_signal(uv_signal_t *uv, int signo)
{
    struct signal_watch *watch = uv->data;
    watch->fn(watch->user, signo);
}

enum err io_uv_on_signal(struct io *io, int signo, void (*fn)(void *user, int signo), void *user,
                         struct why *why)
{
    struct io_uv *u = io_uv_of(io);
    CHECK(fn != NULL);
    struct signal_watch *watch = mem_calloc(MEM_SERVER, sizeof(*watch));
    watch->fn = fn;
    watch->user = user;
    watch->uv.data = watch;
    int rc = uv_signal_init(&u->loop, &watch->uv);
    if (rc != 0) {
        mem_free(MEM_SERVER, watch);
        return why_set(why, ERR_IO, "cannot watch signals: %s", uv_strerror(rc));
    }
    watch->next = u->signals;
    u->signals = watch;
    rc = uv_signal_start(&watch->uv, on_signal, signo);
    if (rc != 0)
        return why_set(why, ERR_ARG, "cannot watch signal %d: %s", signo, uv_strerror(rc));
    return OK;
}

/* ---- start and end ---- */

static const struct io_ops ops = {
    .mono_us = mono_us,
    .wall_us = wall_us,
    .random = random_bytes,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .listen = listen_at,
    .listener_close = listener_close,
    .connect = connect_to,
    .stream_start = stream_start,
    .stream_read_stop = stream_read_stop,
    .stream_read_resume = stream_read_resume,
    .stream_write = stream_write,
    .stream_close = stream_close,
    .submit = submit,
    .lane_count = lane_count,
    .file_open = io_file_open,
    .file_read = io_file_read,
    .file_write = io_file_write,
    .file_size = io_file_size,
    .file_truncate = io_file_truncate,
    .file_sync = io_file_sync,
    .file_lock = io_file_lock,
    .file_copy_rights = io_file_copy_rights,
    .file_close = io_file_close,
    .on_crash = io_file_on_crash,
    .rename = io_path_rename,
    .remove = io_path_remove,
    .sync_dir = io_dir_sync,
    .make_dir = io_dir_make,
    .list_dir = io_dir_list,
};

static enum err start_handles(struct io_uv *u, struct why *why)
{
    int rc = uv_loop_init(&u->loop);
    if (rc != 0)
        return why_set(why, ERR_IO, "cannot start the event loop: %s", uv_strerror(rc));
    rc = uv_loop_configure(&u->loop, UV_METRICS_IDLE_TIME);
    CHECK(rc == 0); /* known since libuv 1.39 */
    rc = uv_async_init(&u->loop, &u->wake, on_wake);
    if (rc != 0) {
        (void)uv_loop_close(&u->loop); /* no handle is left in it */
        return why_set(why, ERR_IO, "cannot start the event loop: %s", uv_strerror(rc));
    }
    u->loop.data = u;
    rc = uv_prepare_init(&u->loop, &u->before_poll);
    rc |= uv_check_init(&u->loop, &u->after_poll);
    rc |= uv_idle_init(&u->loop, &u->spin);
    u->soon_last = &u->soon;
    u->before_poll.data = u;
    u->after_poll.data = u;
    rc |= uv_prepare_start(&u->before_poll, before_poll);
    rc |= uv_check_start(&u->after_poll, after_poll);
    CHECK(rc == 0); /* none of these asks the system for anything */
    return OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(MEM_SERVER, handle->data);
}

static void on_signal_closed(uv_handle_t *handle)
{
    mem_free(MEM_SERVER, handle->data);
}

/* Closes what io_uv opened for itself, and runs the loop until nothing is open. */
static void end_handles(struct io_uv *u)
{
    uv_close((uv_handle_t *)&u->wake, NULL);
    uv_close((uv_handle_t *)&u->before_poll, NULL);
    uv_close((uv_handle_t *)&u->after_poll, NULL);
    uv_close((uv_handle_t *)&u->spin, NULL);
    for (struct timer *t = u->timers; t != NULL; t = t->next)
        uv_close((uv_handle_t *)&t->uv, on_timer_closed);
    for (struct signal_watch *s = u->signals; s != NULL; s = s->next)
        uv_close((uv_handle_t *)&s->uv, on_signal_closed);
    for (unsigned i = 0; i < CLOSE_TURNS_MAX && uv_loop_alive(&u->loop) != 0; i++)
        (void)uv_run(&u->loop, UV_RUN_NOWAIT);
    int rc = uv_loop_close(&u->loop);
    CHECK(rc == 0); /* UV_EBUSY: the caller left a stream or listener open */
}

static void end_threads(struct io_uv *u)
{
    for (unsigned i = 0; i < JOB_IO_CLASSES; i++)
        workers_free(u->io_threads[i]);
    workers_free(u->workers);
}

static enum err start_threads(struct io_uv *u, unsigned lanes, struct why *why)
{
    enum err e = workers_new("worker", lanes, WORKERS_EQUAL, on_job_finished, u, &u->workers, why);
    for (unsigned i = 0; i < JOB_IO_CLASSES && e == OK; i++)
        e = workers_new(io_threads[i].name, 1, io_threads[i].kind, on_job_finished, u,
                        &u->io_threads[i], why);
    if (e != OK)
        end_threads(u);
    return e;
}

enum err io_uv_new(unsigned lanes, struct io **out, struct why *why)
{
    CHECK(out != NULL);
    struct io_uv *u = mem_calloc(MEM_SERVER, sizeof(*u));
    u->io.ops = &ops;
    enum err e = start_handles(u, why);
    if (e != OK)
        goto free_memory;
    e = start_threads(u, lanes, why);
    if (e != OK)
        goto close_handles;
    /* libuv writes to sockets without MSG_NOSIGNAL: a reset connection must not kill us. */
    (void)signal(SIGPIPE, SIG_IGN);
    *out = &u->io;
    return OK;

close_handles:
    end_handles(u);
free_memory:
    mem_free(MEM_SERVER, u);
    return e;
}

void io_uv_run(struct io *io)
{
    (void)uv_run(&io_uv_of(io)->loop, UV_RUN_DEFAULT); /* what is left alive is the caller's */
}

void io_uv_stop(struct io *io)
{
    uv_stop(&io_uv_of(io)->loop);
}

void io_uv_set_keepalive(struct io *io, unsigned after_s)
{
    io_uv_of(io)->keepalive_s = after_s;
}

void io_uv_free(struct io *io)
{
    if (io == NULL)
        return;
    struct io_uv *u = io_uv_of(io);
    end_threads(u);
    end_handles(u);
    mem_free(MEM_SERVER, u);
}
