/* Real sockets on loopback; server and clients share one loop. */
#include "net/io_uv.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "lib/test.h"

enum { PEERS_MAX = 600, WATCHDOG_US = 20 * 1000 * 1000 };

/* One end of a stream, with what it was told. Servers echo what they read. */
struct peer {
    struct world *world;
    struct io_stream *stream; /* NULL once closed */
    struct buf out;           /* what is being written; untouched until it has left */
    struct buf in;            /* a client's: what came back */
    size_t wanted;            /* a client closes when it has read so much */
    bool echoes, writing, ended, closed;
    bool connected;
    enum err connect_err, end_err, write_err;
    unsigned reads, written_calls, calls_after_close;
};

/* One loop and all that lives on it. */
struct world {
    struct io *io;
    const struct io_ops *ops;
    struct io_listener listener;
    struct io_timer watchdog;
    struct peer peers[PEERS_MAX];
    unsigned peer_count;
    unsigned accepted;
    unsigned clients_open; /* the loop stops when this falls to 0 */
    bool listener_gone, timed_out;
    bool servers_close_on_read, servers_do_not_read;
};

static void write_out(struct peer *p)
{
    p->writing = p->world->ops->stream_write(p->stream, p->out.ptr, p->out.len) < p->out.len;
    if (!p->writing)
        buf_clear(&p->out, 0);
    else if (p->echoes)
        p->world->ops->stream_read_stop(p->stream);
}

static void close_peer(struct peer *p)
{
    if (p->stream != NULL)
        p->world->ops->stream_close(p->stream);
    p->stream = NULL;
}

static void on_read(struct io_stream *stream, const uint8_t *bytes, size_t len)
{
    struct peer *p = stream->user;
    p->calls_after_close += p->stream == NULL;
    p->reads++;
    if (p->echoes && p->world->servers_close_on_read) {
        close_peer(p);
    } else if (p->echoes) {
        buf_append(&p->out, bytes, len);
        write_out(p);
    } else {
        buf_append(&p->in, bytes, len);
        if (p->in.len >= p->wanted)
            close_peer(p);
    }
}

static void on_end(struct io_stream *stream, enum err e)
{
    struct peer *p = stream->user;
    p->calls_after_close += p->stream == NULL;
    p->ended = true;
    p->end_err = e;
    close_peer(p);
}

static void on_written(struct io_stream *stream, enum err e)
{
    struct peer *p = stream->user;
    p->calls_after_close += p->stream == NULL;
    p->written_calls++;
    p->write_err = e;
    p->writing = false;
    buf_clear(&p->out, 0);
    if (e == OK && p->echoes)
        p->world->ops->stream_read_resume(stream);
}

static void client_gone(struct world *w)
{
    if (--w->clients_open == 0)
        io_uv_stop(w->io);
}

static void on_closed(struct io_stream *stream)
{
    struct peer *p = stream->user;
    EXPECT(!p->closed);
    p->closed = true;
    buf_fini(&p->out);
    if (!p->echoes)
        client_gone(p->world);
}

static const struct io_stream_callbacks callbacks = {on_read, on_end, on_written, on_closed};

static struct peer *peer_new(struct world *w, bool echoes)
{
    REQUIRE(w->peer_count < PEERS_MAX);
    struct peer *p = &w->peers[w->peer_count++];
    *p = (struct peer){.world = w, .echoes = echoes, .wanted = 1};
    buf_init(&p->out, MEM_TEST);
    buf_init(&p->in, MEM_TEST);
    return p;
}

static void on_accept(struct io_listener *listener, struct io_stream *stream)
{
    struct world *w = listener->user;
    struct peer *p = peer_new(w, true);
    w->accepted++;
    p->stream = stream;
    w->ops->stream_start(stream, &callbacks, p);
    if (w->servers_do_not_read)
        w->ops->stream_read_stop(stream);
}

static void on_connected(struct io_stream *stream, enum err e)
{
    struct peer *p = stream->user;
    p->connected = e == OK;
    p->connect_err = e;
    if (e != OK) { /* never started: no on_closed comes */
        close_peer(p);
        client_gone(p->world);
        return;
    }
    p->world->ops->stream_start(stream, &callbacks, p);
    write_out(p);
}

static void on_watchdog(struct io_timer *timer)
{
    struct world *w = timer->user;
    w->timed_out = true;
    io_uv_stop(w->io);
}

static void on_listener_closed(struct io_listener *listener)
{
    ((struct world *)listener->user)->listener_gone = true;
}

static struct world *world_new(const struct io_addr *listen_at)
{
    struct world *w = mem_calloc(MEM_TEST, sizeof(*w));
    struct why why = {""};
    REQUIRE(io_uv_new(2, &w->io, &why) == OK);
    w->ops = w->io->ops;
    w->listener =
        (struct io_listener){.on_accept = on_accept, .on_closed = on_listener_closed, .user = w};
    w->watchdog = (struct io_timer){.fn = on_watchdog, .user = w};
    if (listen_at != NULL)
        REQUIRE(w->ops->listen(w->io, &w->listener, listen_at, 511, &why) == OK);
    return w;
}

static void world_run(struct world *w)
{
    w->ops->timer_start(w->io, &w->watchdog, WATCHDOG_US);
    io_uv_run(w->io);
    w->ops->timer_stop(w->io, &w->watchdog);
    EXPECT(!w->timed_out);
}

static void on_stop(struct io_timer *timer)
{
    io_uv_stop(timer->user);
}

static void run_for_ms(struct world *w, unsigned ms)
{
    struct io_timer stop = {.fn = on_stop, .user = w->io};
    w->ops->timer_start(w->io, &stop, ms * 1000);
    io_uv_run(w->io);
}

static void world_free(struct world *w)
{
    for (unsigned i = 0; i < w->peer_count; i++)
        close_peer(&w->peers[i]);
    bool listened = w->listener.impl != NULL;
    if (listened)
        w->ops->listener_close(&w->listener);
    io_uv_free(w->io);
    EXPECT_EQ(w->listener_gone, listened);
    for (unsigned i = 0; i < w->peer_count; i++) {
        EXPECT_EQ(w->peers[i].calls_after_close, 0);
        buf_fini(&w->peers[i].out);
        buf_fini(&w->peers[i].in);
    }
    mem_free(MEM_TEST, w);
}

/* A client that sends len bytes once connected and closes when wanted bytes have come. */
static struct peer *connect_client(struct world *w, size_t len, size_t wanted)
{
    struct peer *p = peer_new(w, false);
    p->wanted = wanted;
    for (size_t i = 0; i < len; i++)
        buf_append_byte(&p->out, (uint8_t)(i * 31 + i / 251));
    w->clients_open++;
    struct why why = {""};
    REQUIRE(w->ops->connect(w->io, &w->listener.addr, on_connected, p, &p->stream, &why) == OK);
    return p;
}

static const struct io_addr loopback = {.host = "127.0.0.1"};

TEST(io_uv, echo_of_10_mb_comes_back_whole)
{
    enum { SIZE = 10 * 1000 * 1000 };
    struct world *w = world_new(&loopback);
    struct peer *client = connect_client(w, SIZE, SIZE);
    EXPECT(!client->connected);
    world_run(w);
    EXPECT_EQ(client->in.len, SIZE);
    EXPECT_EQ(client->written_calls, 1); /* 10 MB do not fit the socket at once */
    EXPECT(client->reads > 10);
    size_t wrong = 0;
    for (size_t i = 0; i < client->in.len; i++)
        wrong += client->in.ptr[i] != (uint8_t)(i * 31 + i / 251);
    EXPECT_EQ(wrong, 0);
    world_free(w);
}

TEST(io_uv, many_clients_each_get_their_answer)
{
    enum { CLIENTS = 250 };
    struct world *w = world_new(&loopback);
    for (unsigned i = 0; i < CLIENTS; i++)
        (void)connect_client(w, 100 + i, 100 + i);
    world_run(w);
    EXPECT_EQ(w->accepted, CLIENTS);
    for (unsigned i = 0; i < w->peer_count; i++)
        EXPECT(w->peers[i].echoes || w->peers[i].in.len == w->peers[i].wanted);
    world_free(w);
}

TEST(io_uv, streams_know_their_addresses)
{
    struct world *w = world_new(&loopback);
    EXPECT(w->listener.addr.port > 0);
    struct peer *client = connect_client(w, 10, 1000);
    while (client->in.len == 0)
        run_for_ms(w, 1);
    const struct peer *server = &w->peers[1];
    REQUIRE(server->echoes && server->stream != NULL && client->stream != NULL);
    EXPECT_STR(server->stream->peer.host, "127.0.0.1");
    EXPECT_STR(client->stream->peer.host, "127.0.0.1");
    EXPECT_EQ(client->stream->peer.port, w->listener.addr.port);
    EXPECT_EQ(server->stream->peer.port, client->stream->local.port);
    EXPECT_EQ(server->stream->local.port, w->listener.addr.port);
    world_free(w);
}

/* Sockets of this process that have the option on. */
static unsigned sockets_with(int level, int option)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        int value = 0;
        socklen_t len = sizeof(value);
        count += getsockopt(fd, level, option, &value, &len) == 0 && value != 0;
    }
    return count;
}

TEST(io_uv, streams_send_without_delay_and_probe_when_asked)
{
    struct world *w = world_new(&loopback);
    for (unsigned keepalive_s = 0; keepalive_s <= 300; keepalive_s += 300) {
        io_uv_set_keepalive(w->io, keepalive_s);
        struct peer *client = connect_client(w, 10, 1000);
        while (client->in.len == 0)
            run_for_ms(w, 1);
    }
    EXPECT_EQ(sockets_with(IPPROTO_TCP, TCP_NODELAY), 4);
    EXPECT_EQ(sockets_with(SOL_SOCKET, SO_KEEPALIVE), 2);
    world_free(w);
}

TEST(io_uv, ipv6_works_where_the_machine_has_it)
{
    struct world *w = world_new(NULL);
    struct io_addr at = {.host = "::1"};
    struct why why = {""};
    if (w->ops->listen(w->io, &w->listener, &at, 511, &why) != OK) {
        world_free(w);
        SKIP("no IPv6 on this machine");
    }
    struct peer *client = connect_client(w, 10, 10);
    world_run(w);
    EXPECT_EQ(client->in.len, 10);
    world_free(w);
}

TEST(io_uv, listening_twice_on_a_port_is_refused)
{
    struct world *w = world_new(&loopback);
    struct io_listener second = {.on_accept = on_accept, .user = w};
    struct why why = {""};
    EXPECT_EQ(w->ops->listen(w->io, &second, &w->listener.addr, 511, &why), ERR_EXISTS);
    EXPECT(strstr(why.text, "in use") != NULL);
    EXPECT(second.impl == NULL);
    world_free(w);
}

TEST(io_uv, addresses_that_make_no_sense_are_refused)
{
    struct world *w = world_new(NULL);
    struct io_addr name = {.host = "localhost"};
    struct io_addr port = {.host = "127.0.0.1", .port = 65536};
    struct io_addr path = {.is_unix = true};
    struct io_addr far_path = {.is_unix = true};
    memset(far_path.host, 'x', 108); /* one more than a sockaddr_un holds */
    const struct io_addr *const all[] = {&name, &port, &path, &far_path};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct why why = {""};
        struct io_stream *stream;
        EXPECT_EQ(w->ops->listen(w->io, &w->listener, all[i], 511, &why), ERR_ARG);
        EXPECT(why.text[0] != '\0');
        EXPECT_EQ(w->ops->connect(w->io, all[i], on_connected, NULL, &stream, &why), ERR_ARG);
    }
    world_free(w);
}

TEST(io_uv, connecting_to_nobody_tells_once)
{
    struct world *w = world_new(&loopback);
    w->ops->listener_close(&w->listener);
    struct peer *client = connect_client(w, 10, 10);
    client->connected = true;
    world_run(w);
    EXPECT(!client->connected);
    EXPECT_EQ(client->connect_err, ERR_IO);
    w->listener.impl = NULL;
    io_uv_free(w->io);
    buf_fini(&client->out);
    mem_free(MEM_TEST, w);
}

TEST(io_uv, nothing_but_on_closed_comes_after_close)
{
    struct world *w = world_new(&loopback);
    w->servers_close_on_read = true;
    for (unsigned i = 0; i < 50; i++)
        (void)connect_client(w, 300 * 1000, 1);
    world_run(w);
    for (unsigned i = 0; i < w->peer_count; i++) {
        const struct peer *p = &w->peers[i];
        EXPECT(p->closed || p->echoes);
        EXPECT(p->echoes ? p->reads <= 1 : p->in.len == 0);
    }
    world_free(w); /* counts calls after close */
}

/* Closes the server's end while the client still has most of its bytes to write. */
static void on_hang_up(struct io_timer *timer)
{
    struct world *w = timer->user;
    for (unsigned i = 0; i < w->peer_count; i++)
        if (w->peers[i].echoes)
            close_peer(&w->peers[i]);
}

TEST(io_uv, a_write_that_cannot_leave_says_so_and_then_ends_the_stream)
{
    struct world *w = world_new(&loopback);
    w->servers_do_not_read = true;
    struct peer *client = connect_client(w, 10 * 1000 * 1000, 1);
    struct io_timer hang_up = {.fn = on_hang_up, .user = w};
    w->ops->timer_start(w->io, &hang_up, 50 * 1000);
    world_run(w);
    EXPECT(client->ended);
    EXPECT_EQ(client->end_err, ERR_IO);
    EXPECT_EQ(w->peers[1].reads, 0); /* stopped is stopped */
    world_free(w);
}

static void on_write_again(struct io_timer *timer)
{
    struct peer *p = timer->user;
    buf_append_text(&p->out, "more");
    p->world->ops->stream_read_stop(p->stream); /* so that only the write can notice */
    write_out(p);
    EXPECT_EQ(p->written_calls, 0); /* never inside the call */
    if (!p->writing)                /* the first write after a reset peer may still be taken */
        p->world->ops->timer_start(p->world->io, timer, 10 * 1000);
}

TEST(io_uv, a_write_to_a_peer_that_is_gone_fails_on_the_loop)
{
    struct world *w = world_new(&loopback);
    struct peer *client = connect_client(w, 4, 1000);
    struct io_timer hang_up = {.fn = on_hang_up, .user = w};
    struct io_timer again = {.fn = on_write_again, .user = client};
    w->servers_do_not_read = true;
    w->ops->timer_start(w->io, &hang_up, 30 * 1000);
    w->ops->timer_start(w->io, &again, 10 * 1000);
    world_run(w);
    EXPECT_EQ(client->written_calls, 1);
    EXPECT_EQ(client->write_err, ERR_IO);
    EXPECT(client->ended && client->end_err == ERR_IO);
    world_free(w);
}

/* ---- running out of descriptors ---- */

static int raw_connect(const struct io_addr *addr)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)addr->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static double cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

TEST(io_uv, accept_without_descriptors_refuses_and_does_not_spin)
{
    enum { CLIENTS = 20 };
    struct world *w = world_new(&loopback);
    int fds[CLIENTS];
    for (unsigned i = 0; i < CLIENTS; i++)
        fds[i] = raw_connect(&w->listener.addr);
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)fds[CLIENTS - 1] + 1; /* descriptors below are taken */
    setrlimit(RLIMIT_NOFILE, &none);
    double cpu = cpu_s();
    run_for_ms(w, 300);
    cpu = cpu_s() - cpu;
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT(w->accepted < CLIENTS);
    EXPECT(cpu < 0.15); /* half of the time: it slept */
    for (unsigned i = 0; i < CLIENTS; i++)
        close(fds[i]);
    struct peer *client = connect_client(w, 5, 5); /* and works again afterwards */
    world_run(w);
    EXPECT_EQ(client->in.len, 5);
    world_free(w);
}

/* ---- Unix sockets ---- */

static struct io_addr unix_addr(char dir[], int mode)
{
    struct io_addr at = {.is_unix = true, .unix_mode = mode};
    REQUIRE(mkdtemp(dir) != NULL);
    (void)snprintf(at.host, sizeof(at.host), "%s/s", dir);
    return at;
}

/* Binds a socket to the path and dies without removing it. */
static void leave_stale_socket(const struct io_addr *at)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, at->host, strlen(at->host) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
    REQUIRE(listen(fd, 1) == 0);
    close(fd);
}

TEST(io_uv, unix_socket_replaces_a_stale_file_sets_its_mode_and_is_removed)
{
    char dir[] = "/tmp/vdb-io-XXXXXX";
    struct io_addr at = unix_addr(dir, 0600);
    leave_stale_socket(&at);
    struct world *w = world_new(&at);
    struct stat st;
    REQUIRE(stat(at.host, &st) == 0);
    EXPECT_EQ(st.st_mode & 0777, 0600);

    struct io_listener second = {.on_accept = on_accept, .user = w};
    struct why why = {""};
    EXPECT_EQ(w->ops->listen(w->io, &second, &at, 511, &why), ERR_EXISTS); /* it is not stale */

    struct peer *client = connect_client(w, 1000, 1000);
    world_run(w);
    EXPECT_EQ(client->in.len, 1000);
    EXPECT(w->peers[1].echoes);
    world_free(w);
    EXPECT(stat(at.host, &st) != 0);
    rmdir(dir);
}

TEST(io_uv, unix_socket_never_removes_what_is_no_socket)
{
    char dir[] = "/tmp/vdb-io-XXXXXX";
    struct io_addr at = unix_addr(dir, 0);
    int fd = open(at.host, O_CREAT | O_WRONLY, 0600);
    REQUIRE(fd >= 0);
    close(fd);
    struct world *w = world_new(NULL);
    struct why why = {""};
    EXPECT_EQ(w->ops->listen(w->io, &w->listener, &at, 511, &why), ERR_EXISTS);
    world_free(w);
    EXPECT(unlink(at.host) == 0);
    rmdir(dir);
}

/* ---- timers, clocks, chance ---- */

struct alarm {
    struct io_timer timer; /* first */
    struct world *world;
    uint64_t due_us, fired_us;
    unsigned *order, rank, repeats_left, fired;
};

static void on_alarm(struct io_timer *timer)
{
    struct alarm *a = (struct alarm *)timer;
    a->fired_us = a->world->ops->mono_us(a->world->io);
    a->fired++;
    a->rank = (*a->order)++;
    if (a->repeats_left > 0) {
        a->repeats_left--;
        a->world->ops->timer_start(a->world->io, timer, 1000);
    }
}

static void alarm_start(struct alarm *a, struct world *w, unsigned *order, uint64_t after_us)
{
    a->timer.fn = on_alarm;
    a->world = w;
    a->order = order;
    a->due_us = w->ops->mono_us(w->io) + after_us;
    w->ops->timer_start(w->io, &a->timer, after_us);
}

TEST(io_uv, timers_fire_once_in_order_and_never_early)
{
    static const unsigned after_ms[] = {40, 5, 25, 1, 10};
    static const unsigned rank[] = {4, 1, 3, 0, 2};
    struct world *w = world_new(NULL);
    struct alarm alarms[COUNT_OF(after_ms)] = {0};
    unsigned order = 0;
    for (size_t i = 0; i < COUNT_OF(after_ms); i++)
        alarm_start(&alarms[i], w, &order, after_ms[i] * 1000 + 1);
    EXPECT_EQ(order, 0);
    run_for_ms(w, 80);
    for (size_t i = 0; i < COUNT_OF(after_ms); i++) {
        EXPECT_EQ(alarms[i].fired, 1);
        EXPECT_EQ(alarms[i].rank, rank[i]);
        EXPECT(alarms[i].fired_us >= alarms[i].due_us);
    }
    world_free(w);
}

TEST(io_uv, timers_can_be_moved_stopped_and_started_when_they_fire)
{
    struct world *w = world_new(NULL);
    struct alarm moved = {0}, stopped = {0}, again = {.repeats_left = 3};
    unsigned order = 0;
    alarm_start(&moved, w, &order, 1000);
    alarm_start(&moved, w, &order, 30 * 1000);
    alarm_start(&stopped, w, &order, 2000);
    alarm_start(&again, w, &order, 1000);
    w->ops->timer_stop(w->io, &stopped.timer);
    w->ops->timer_stop(w->io, &stopped.timer);
    run_for_ms(w, 60);
    EXPECT_EQ(moved.fired, 1);
    EXPECT(moved.fired_us >= moved.due_us);
    EXPECT_EQ(stopped.fired, 0);
    EXPECT_EQ(again.fired, 4);
    EXPECT(again.timer.impl == NULL);
    world_free(w);
}

static void on_chain(struct io_timer *timer)
{
    struct alarm *a = (struct alarm *)timer;
    a->fired++;
    if (a->repeats_left-- > 0)
        a->world->ops->timer_start(a->world->io, timer, 0);
}

/* A thousand in a row are much less than a thousand milliseconds, and others have their turn in
 * between. */
TEST(io_uv, a_timer_of_0_fires_before_the_loop_sleeps_and_keeps_nothing_from_happening)
{
    enum { CHAIN = 1000 };
    struct world *w = world_new(NULL);
    struct alarm chain = {.repeats_left = CHAIN}, endless = {.repeats_left = 1000000000};
    struct alarm other = {0}, stopped = {0}, behind = {0};
    unsigned order = 0;
    alarm_start(&chain, w, &order, 5000);
    chain.timer.fn = on_chain;
    w->ops->timer_start(w->io, &chain.timer, 0); /* moved */
    alarm_start(&stopped, w, &order, 0);
    alarm_start(&behind, w, &order, 0);
    w->ops->timer_stop(w->io, &stopped.timer);
    uint64_t start = w->ops->mono_us(w->io);
    run_for_ms(w, 30);
    EXPECT_EQ(chain.fired, CHAIN + 1);
    EXPECT_EQ(stopped.fired, 0);
    EXPECT(behind.fired == 1 && behind.fired_us < start + 20 * 1000);
    alarm_start(&endless, w, &order, 0);
    endless.timer.fn = on_chain;
    alarm_start(&other, w, &order, 5 * 1000);
    run_for_ms(w, 20); /* a timer itself */
    EXPECT_EQ(other.fired, 1);
    EXPECT(endless.fired > 100);
    w->ops->timer_stop(w->io, &endless.timer);
    world_free(w);
}

TEST(io_uv, clocks_advance_and_random_bytes_differ)
{
    struct world *w = world_new(NULL);
    uint64_t before = w->ops->mono_us(w->io);
    run_for_ms(w, 5);
    EXPECT(w->ops->mono_us(w->io) >= before + 5000);
    EXPECT(w->ops->wall_us(w->io) > UINT64_C(1700000000) * 1000000);
    uint8_t a[32] = {0}, b[32] = {0};
    w->ops->random(w->io, a, sizeof(a));
    w->ops->random(w->io, b, sizeof(b));
    EXPECT(memcmp(a, b, sizeof(a)) != 0);
    world_free(w);
}

/* ---- jobs and signals ---- */

struct sum_job {
    struct job job; /* first */
    struct world *world;
    unsigned left; /* rounds; owner: the loop */
    unsigned sum;
};

static void sum_run(struct job *job, struct lane *lane)
{
    (void)lane;
    ((struct sum_job *)job)->sum++;
}

static void sum_done(struct job *job)
{
    struct sum_job *s = (struct sum_job *)job;
    s->left--;
    if (s->left > 0)
        s->world->ops->submit(s->world->io, job);
    else
        client_gone(s->world);
}

TEST(io_uv, jobs_come_back_to_the_loop_also_when_nothing_else_happens)
{
    enum { JOBS = 20, ROUNDS = 500 };
    struct world *w = world_new(NULL);
    EXPECT_EQ(w->ops->lane_count(w->io), 2);
    struct sum_job jobs[JOBS];
    w->clients_open = JOBS;
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] =
            (struct sum_job){.job = {sum_run, sum_done, i % 2 == 0 ? JOB_SEARCH : JOB_LINK, NULL},
                             .world = w,
                             .left = ROUNDS};
        w->ops->submit(w->io, &jobs[i].job);
        EXPECT_EQ(jobs[i].left, ROUNDS); /* done() never runs inside submit */
    }
    world_run(w);
    for (unsigned i = 0; i < JOBS; i++)
        EXPECT(jobs[i].left == 0 && jobs[i].sum == ROUNDS);
    world_free(w);
}

/* owner: the lane of its class, then the loop */
struct ordered_job {
    struct job job; /* first */
    struct world *world;
    unsigned *next; /* of its class: who runs now */
    unsigned place; /* when it ran */
};

static void ordered_run(struct job *job, struct lane *lane)
{
    (void)lane;
    struct ordered_job *o = (struct ordered_job *)job;
    o->place = (*o->next)++; /* no lock: one lane runs them all */
}

static void ordered_done(struct job *job)
{
    client_gone(((struct ordered_job *)job)->world);
}

TEST(io_uv, jobs_of_one_class_of_io_run_one_at_a_time_in_order)
{
    enum { JOBS = 300 };
    struct world *w = world_new(NULL);
    struct ordered_job jobs[JOBS];
    unsigned next[JOB_IO_CLASSES] = {0};
    w->clients_open = JOBS;
    for (unsigned i = 0; i < JOBS; i++) {
        unsigned class = i % JOB_IO_CLASSES;
        jobs[i] = (struct ordered_job){
            .job = {ordered_run, ordered_done, (enum job_class)(JOB_WORKER_CLASSES + class), NULL},
            .world = w,
            .next = &next[class]};
        w->ops->submit(w->io, &jobs[i].job);
    }
    world_run(w);
    for (unsigned i = 0; i < JOBS; i++)
        EXPECT_EQ(jobs[i].place, i / JOB_IO_CLASSES);
    world_free(w);
}

static void on_signal(void *user, int signo)
{
    struct world *w = user;
    w->accepted += signo == SIGUSR1;
    io_uv_stop(w->io);
}

TEST(io_uv, signals_arrive_on_the_loop)
{
    struct world *w = world_new(NULL);
    struct why why = {""};
    REQUIRE(io_uv_on_signal(w->io, SIGUSR1, on_signal, w, &why) == OK);
    raise(SIGUSR1);
    EXPECT_EQ(w->accepted, 0);
    world_run(w);
    EXPECT_EQ(w->accepted, 1);
    EXPECT_EQ(io_uv_on_signal(w->io, SIGKILL, on_signal, w, &why), ERR_ARG);
    world_free(w);
}

TEST(io_uv, stop_before_run_makes_run_return)
{
    struct world *w = world_new(NULL);
    io_uv_stop(w->io);
    io_uv_run(w->io);
    world_free(w);
}
