/* sim_net.c: byte streams between ends of simulated connections.
 *
 * A connection has two ends and one pipe for each direction. Bytes that stream_write takes are in
 * flight in the pipe until a DELIVER event hands a piece to the other end; each pipe has at most
 * one such event queued, so bytes keep their order. What does not fit the window stays with the
 * writer (pending) and enters the pipe as it empties. */
#include "sim/sim_private.h"

enum { PORT_FIRST = 40000, CLIENT_PORT_FIRST = 50000, CHUNK_MAX = 64 * 1024 };

/* owner: its conn */
struct pipe {
    struct buf flight;
    struct sim_event deliver;
    struct conn *conn;
    unsigned from;    /* side of the writer */
    bool ends;        /* the writer has closed: after the flight comes */
    enum err end_err; /* OK an orderly end, or a reset */
};

/* owner: the simulator, until closed has run on_closed */
struct end {
    struct io_stream base; /* first */
    struct conn *conn;
    unsigned side; /* 0 connected, 1 accepted */
    bool is_client;
    bool reading, ended, closing;
    bool dead; /* its process has crashed; see is_dead() */
    const uint8_t *pending;
    size_t pending_len;
    bool write_out; /* on_written is still to come */
    struct sim_event written, fail, closed;
    void (*on_connected)(struct io_stream *stream, enum err e);
};

/* owner: the simulator, while an end is left */
struct conn {
    struct sim *sim;
    struct io_addr to;
    struct end *ends[2];  /* NULL: freed, or [1] not yet made */
    struct pipe pipes[2]; /* [side]: what that side writes */
    struct sim_event connect, accept;
    bool reset;
    struct conn *next;
};

/* owner: the simulator, until closed has run on_closed */
struct listener {
    struct sim *sim;
    struct io_listener *listener;
    struct sim_event closed;
    bool closing, dead;
    struct listener *next;
};

/* owner: the sim */
struct sim_net {
    struct conn *conns;
    struct listener *listeners;
    int next_port, next_client_port;
};

static struct end *end_of(struct io_stream *stream)
{
    return (struct end *)stream;
}

static struct end *other_end(const struct end *e)
{
    return e->conn->ends[1 - e->side];
}

static struct sim *sim_of_end(const struct end *e)
{
    return e->conn->sim;
}

/* The process that holds this end hears nothing any more but on_closed, and is heard by nobody. */
static bool is_dead(const struct end *e)
{
    return e->dead || (!e->is_client && !sim_of_end(e)->power);
}

static uint64_t latency_us(struct sim *sim)
{
    uint32_t span = sim->options.latency_max_us - sim->options.latency_min_us;
    return sim->options.latency_min_us + rng_below(&sim->net_rng, (uint64_t)span + 1);
}

/* ---- the ends of ends ---- */

static void cancel_callbacks(struct sim *sim, struct end *e)
{
    sim_cancel(sim, &e->written);
    sim_cancel(sim, &e->fail);
}

/* Tells the end that no more comes; once. */
static void end_now(struct end *e, enum err err)
{
    if (e->ended || e->closing || is_dead(e))
        return;
    e->ended = true;
    e->reading = false;
    sim_trace(sim_of_end(e), SIM_END, e->side, err);
    e->base.on->on_end(&e->base, err);
}

static void on_fail(struct sim *sim, struct sim_event *event)
{
    struct end *e = CONTAINER_OF(event, struct end, fail);
    bool tell = e->write_out && !is_dead(e);
    e->write_out = false;
    e->pending_len = 0;
    sim_cancel(sim, &e->written);
    if (tell) {
        sim_trace(sim, SIM_WRITTEN, e->side, ERR_IO);
        e->base.on->on_written(&e->base, ERR_IO);
    }
    end_now(e, ERR_IO);
}

/* An end that was not started yet hears of the failure when it starts. */
static void fail_later(struct end *e)
{
    struct sim *sim = sim_of_end(e);
    if (e->closing || e->base.on == NULL || sim_scheduled(&e->fail))
        return;
    sim_schedule(sim, &e->fail, SIM_END, latency_us(sim), on_fail);
}

/* Both sides lose what is in flight and hear of an error. */
static void conn_reset(struct conn *c)
{
    if (c->reset)
        return;
    c->reset = true;
    for (unsigned side = 0; side < 2; side++) {
        buf_clear(&c->pipes[side].flight, 0);
        sim_cancel(c->sim, &c->pipes[side].deliver);
        if (c->ends[side] != NULL)
            fail_later(c->ends[side]);
    }
}

static void conn_free(struct conn *c)
{
    struct conn **at = &c->sim->net->conns;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    sim_cancel(c->sim, &c->connect);
    sim_cancel(c->sim, &c->accept);
    for (unsigned side = 0; side < 2; side++) {
        sim_cancel(c->sim, &c->pipes[side].deliver);
        buf_fini(&c->pipes[side].flight);
    }
    mem_free(MEM_TEST, c);
}

static void end_free(struct end *e)
{
    struct conn *c = e->conn;
    cancel_callbacks(c->sim, e);
    sim_cancel(c->sim, &e->closed);
    c->ends[e->side] = NULL;
    mem_free(MEM_TEST, e);
    if (c->ends[0] == NULL && c->ends[1] == NULL)
        conn_free(c);
}

static struct end *end_new(struct conn *c, unsigned side, bool is_client)
{
    struct end *e = mem_calloc(MEM_TEST, sizeof(*e));
    e->base.io = &c->sim->io;
    e->conn = c;
    e->side = side;
    e->is_client = is_client;
    c->ends[side] = e;
    return e;
}

/* ---- bytes ---- */

static void on_written(struct sim *sim, struct sim_event *event)
{
    struct end *e = CONTAINER_OF(event, struct end, written);
    if (is_dead(e))
        return;
    e->write_out = false;
    sim_trace(sim, SIM_WRITTEN, e->side, OK);
    e->base.on->on_written(&e->base, OK);
}

/* Moves what the writer could not leave into the pipe as far as there is room. */
static void pump(struct pipe *p)
{
    struct sim *sim = p->conn->sim;
    struct end *writer = p->conn->ends[p->from];
    if (writer == NULL || is_dead(writer) || writer->pending_len == 0 ||
        p->flight.len >= sim->options.window_size)
        return;
    size_t room = sim->options.window_size - p->flight.len;
    size_t len = writer->pending_len < room ? writer->pending_len : room;
    buf_append(&p->flight, writer->pending, len);
    writer->pending += len;
    writer->pending_len -= len;
    if (writer->pending_len == 0)
        sim_schedule(sim, &writer->written, SIM_WRITTEN, 1, on_written);
}

static void on_deliver(struct sim *sim, struct sim_event *event);

static void deliver_later(struct pipe *p)
{
    struct sim *sim = p->conn->sim;
    if (!p->conn->reset && !sim_scheduled(&p->deliver))
        sim_schedule(sim, &p->deliver, SIM_DELIVER, latency_us(sim), on_deliver);
}

/* One chunk, in memory of exactly its size so that reading past it or keeping it is noticed. */
static void hand_over(struct pipe *p, struct end *to)
{
    struct sim *sim = p->conn->sim;
    size_t len = p->flight.len < CHUNK_MAX ? p->flight.len : CHUNK_MAX;
    if (sim_chance(&sim->net_rng, sim->options.split_ppm))
        len = 1 + rng_below(&sim->net_rng, len);
    uint8_t *chunk = mem_alloc(MEM_TEST, len);
    memcpy(chunk, p->flight.ptr, len);
    buf_consume(&p->flight, len);
    sim_trace(sim, SIM_DELIVER, to->side, len);
    sim_trace_bytes(sim, chunk, len);
    to->base.on->on_read(&to->base, chunk, len);
    mem_free(MEM_TEST, chunk);
}

static void on_deliver(struct sim *sim, struct sim_event *event)
{
    struct pipe *p = CONTAINER_OF(event, struct pipe, deliver);
    struct conn *c = p->conn;
    struct end *to = c->ends[1 - p->from];
    if (to == NULL && p->from == 0 && sim_scheduled(&c->accept)) {
        deliver_later(p); /* comes later than the accept, which is soon */
        return;
    }
    if (sim_chance(&sim->net_rng, sim->options.cut_ppm)) {
        conn_reset(c);
        return;
    }
    pump(p);
    if (to == NULL || to->closing || is_dead(to)) {
        /* The kernel of a reader that is gone answers bytes with a reset. */
        if (p->flight.len > 0)
            conn_reset(c);
        return;
    }
    if (!to->reading)
        return; /* resuming delivers */
    if (p->flight.len > 0)
        hand_over(p, to);
    if (c->reset || to->closing)
        return;
    pump(p);
    if (p->flight.len > 0)
        deliver_later(p);
    else if (p->ends)
        end_now(to, p->end_err);
}

size_t sim_stream_write(struct io_stream *stream, const uint8_t *bytes, size_t len)
{
    struct end *e = end_of(stream);
    struct sim *sim = sim_of_end(e);
    CHECK(e->base.on != NULL && !e->closing && !e->write_out);
    if (len == 0 || is_dead(e))
        return len;
    if (e->conn->reset) {
        e->write_out = true;
        fail_later(e);
        return 0;
    }
    struct pipe *p = &e->conn->pipes[e->side];
    size_t room =
        sim->options.window_size > p->flight.len ? sim->options.window_size - p->flight.len : 0;
    size_t taken = len < room ? len : room;
    if (sim_chance(&sim->net_rng, sim->options.short_write_ppm))
        taken = rng_below(&sim->net_rng, taken + 1);
    buf_append(&p->flight, bytes, taken);
    e->pending = bytes + taken;
    e->pending_len = len - taken;
    e->write_out = taken < len;
    deliver_later(p);
    return taken;
}

void sim_stream_read_stop(struct io_stream *stream)
{
    CHECK(!end_of(stream)->closing);
    end_of(stream)->reading = false;
}

void sim_stream_read_resume(struct io_stream *stream)
{
    struct end *e = end_of(stream);
    CHECK(e->base.on != NULL && !e->closing);
    if (e->ended || is_dead(e))
        return;
    e->reading = true;
    struct pipe *in = &e->conn->pipes[1 - e->side];
    if (e->conn->reset)
        fail_later(e);
    else if (in->flight.len > 0 || in->ends)
        deliver_later(in);
}

void sim_stream_start(struct io_stream *stream, const struct io_stream_callbacks *on, void *user)
{
    struct end *e = end_of(stream);
    CHECK(e->base.on == NULL && on != NULL);
    CHECK(on->on_read != NULL && on->on_end != NULL && on->on_written != NULL);
    CHECK(on->on_closed != NULL);
    e->base.on = on;
    e->base.user = user;
    sim_stream_read_resume(stream);
}

static void on_closed(struct sim *sim, struct sim_event *event)
{
    struct end *e = CONTAINER_OF(event, struct end, closed);
    sim_trace(sim, SIM_CLOSED, e->side, 0);
    if (e->base.on != NULL)
        e->base.on->on_closed(&e->base);
    end_free(e);
}

void sim_stream_close(struct io_stream *stream)
{
    struct end *e = end_of(stream);
    struct conn *c = e->conn;
    struct sim *sim = c->sim;
    CHECK(!e->closing);
    e->closing = true;
    e->pending_len = 0;
    e->write_out = false;
    cancel_callbacks(sim, e);
    sim_cancel(sim, &c->connect); /* idle but for an end that is still connecting */
    sim_schedule(sim, &e->closed, SIM_CLOSED, latency_us(sim), on_closed);
    if (c->reset)
        return;
    /* As TCP does: closing with bytes unread is a reset, and whether the peer still gets what is in
     * flight to it is luck. */
    struct pipe *in = &c->pipes[1 - e->side], *out = &c->pipes[e->side];
    struct end *peer = other_end(e);
    if (is_dead(e))
        return; /* the crash has told the peer, or will */
    bool unread = in->flight.len > 0 || (peer != NULL && peer->pending_len > 0);
    if (unread && sim_chance(&sim->net_rng, 500 * 1000)) {
        conn_reset(c);
        return;
    }
    buf_clear(&in->flight, 0);
    out->ends = true;
    out->end_err = unread ? ERR_IO : OK;
    deliver_later(out);
}

/* ---- listening ---- */

static bool addr_matches(const struct io_addr *a, const struct io_addr *b)
{
    if (a->is_unix != b->is_unix)
        return false;
    return a->is_unix ? strcmp(a->host, b->host) == 0 : a->port == b->port;
}

static struct listener *find_listener(struct sim *sim, const struct io_addr *addr)
{
    struct listener *l = sim->net->listeners;
    while (l != NULL && (l->closing || l->dead || !addr_matches(&l->listener->addr, addr)))
        l = l->next;
    return l;
}

enum err sim_listen(struct io *io, struct io_listener *listener, const struct io_addr *addr,
                    int backlog, struct why *why)
{
    struct sim *sim = sim_of(io);
    CHECK(listener->on_accept != NULL && listener->impl == NULL && backlog > 0);
    if (sim_fails(sim, SIM_LISTEN))
        return why_set(why, ERR_IO, "cannot listen on %s: simulated fault", addr->host);
    listener->addr = *addr;
    if (!addr->is_unix && addr->port == 0)
        listener->addr.port = sim->net->next_port++;
    if (find_listener(sim, &listener->addr) != NULL)
        return why_set(why, ERR_EXISTS, "cannot listen on %s: address in use", addr->host);
    struct listener *l = mem_calloc(MEM_TEST, sizeof(*l));
    l->sim = sim;
    l->listener = listener;
    l->next = sim->net->listeners;
    sim->net->listeners = l;
    listener->impl = l;
    return OK;
}

static void listener_unlink(struct sim *sim, struct listener *l)
{
    struct listener **at = &sim->net->listeners;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    mem_free(MEM_TEST, l);
}

static void on_listener_closed(struct sim *sim, struct sim_event *event)
{
    struct listener *l = CONTAINER_OF(event, struct listener, closed);
    struct io_listener *listener = l->listener;
    sim_trace(sim, SIM_CLOSED, 2, 0);
    listener_unlink(sim, l);
    listener->impl = NULL;
    if (listener->on_closed != NULL)
        listener->on_closed(listener);
}

void sim_listener_close(struct io_listener *listener)
{
    struct listener *l = listener->impl;
    CHECK(l != NULL && !l->closing);
    l->closing = true;
    sim_schedule(l->sim, &l->closed, SIM_CLOSED, latency_us(l->sim), on_listener_closed);
}

/* ---- connecting ---- */

static void on_accept(struct sim *sim, struct sim_event *event)
{
    struct conn *c = CONTAINER_OF(event, struct conn, accept);
    CHECK(c->ends[0] != NULL && c->ends[1] == NULL); /* without [0] the conn had been freed */
    struct listener *l = find_listener(sim, &c->to);
    if (l == NULL || !sim->power || c->reset) {
        conn_reset(c);
        return;
    }
    sim_trace(sim, SIM_ACCEPT, (uint64_t)c->to.port, 0);
    struct end *e = end_new(c, 1, false);
    e->base.local = c->to;
    e->base.peer = c->ends[0]->base.local;
    l->listener->on_accept(l->listener, &e->base);
    CHECK(e->base.on != NULL || e->closing); /* the callee starts or closes it */
}

static void on_connect(struct sim *sim, struct sim_event *event)
{
    struct conn *c = CONTAINER_OF(event, struct conn, connect);
    struct end *e = c->ends[0];
    CHECK(e != NULL && !e->closing);
    if (is_dead(e))
        return;
    bool there = sim->power && find_listener(sim, &c->to) != NULL;
    enum err err = there && !sim_chance(&sim->net_rng, sim->options.cut_ppm) ? OK : ERR_IO;
    sim_trace(sim, SIM_CONNECT, (uint64_t)c->to.port, err);
    if (err == OK)
        sim_schedule(sim, &c->accept, SIM_ACCEPT, latency_us(sim), on_accept);
    else
        c->reset = true;
    e->on_connected(&e->base, err);
}

static struct end *connect_end(struct sim *sim, const struct io_addr *addr, bool is_client,
                               void (*on_connected)(struct io_stream *stream, enum err e),
                               void *user)
{
    CHECK(on_connected != NULL);
    struct conn *c = mem_calloc(MEM_TEST, sizeof(*c));
    c->sim = sim;
    c->to = *addr;
    for (unsigned side = 0; side < 2; side++) {
        buf_init(&c->pipes[side].flight, MEM_TEST);
        c->pipes[side].conn = c;
        c->pipes[side].from = side;
    }
    c->next = sim->net->conns;
    sim->net->conns = c;
    struct end *e = end_new(c, 0, is_client);
    e->base.user = user;
    e->base.peer = *addr;
    e->base.local = *addr;
    e->base.local.port = addr->is_unix ? 0 : sim->net->next_client_port++;
    e->on_connected = on_connected;
    sim_schedule(sim, &c->connect, SIM_CONNECT, latency_us(sim), on_connect);
    return e;
}

enum err sim_connect(struct io *io, const struct io_addr *addr,
                     void (*on_connected)(struct io_stream *stream, enum err e), void *user,
                     struct io_stream **out, struct why *why)
{
    if (sim_fails(sim_of(io), SIM_DIAL))
        return why_set(why, ERR_IO, "cannot connect to %s: simulated fault", addr->host);
    *out = &connect_end(sim_of(io), addr, false, on_connected, user)->base;
    return OK;
}

struct io_stream *sim_connect_client(struct sim *sim, const struct io_addr *addr,
                                     void (*on_connected)(struct io_stream *stream, enum err e),
                                     void *user)
{
    return &connect_end(sim, addr, true, on_connected, user)->base;
}

/* ---- the whole ---- */

struct sim_net *sim_net_new(void)
{
    struct sim_net *net = mem_calloc(MEM_TEST, sizeof(*net));
    net->next_port = PORT_FIRST;
    net->next_client_port = CLIENT_PORT_FIRST;
    return net;
}

/* What a client had been sent may still reach it; then it sees a reset. */
static void conn_crash(struct conn *c)
{
    for (unsigned side = 0; side < 2; side++) {
        struct end *e = c->ends[side];
        if (e == NULL || e->is_client)
            continue;
        e->dead = true;
        e->write_out = false;
        e->pending_len = 0;
        cancel_callbacks(c->sim, e);
    }
    bool arrives = sim_chance(&c->sim->net_rng, 500 * 1000);
    struct pipe *out = &c->pipes[1];
    if (c->ends[1] == NULL || c->reset || !arrives) {
        conn_reset(c);
        return;
    }
    out->ends = true;
    out->end_err = ERR_IO;
    deliver_later(out);
}

void sim_net_crash(struct sim *sim)
{
    for (struct listener *l = sim->net->listeners; l != NULL; l = l->next)
        l->dead = true;
    for (struct conn *c = sim->net->conns; c != NULL; c = c->next)
        if (!sim_scheduled(&c->connect) || !c->ends[0]->is_client)
            conn_crash(c);
}

unsigned sim_net_open_count(const struct sim *sim)
{
    unsigned count = 0;
    for (const struct listener *l = sim->net->listeners; l != NULL; l = l->next)
        count++;
    for (const struct conn *c = sim->net->conns; c != NULL; c = c->next)
        for (unsigned side = 0; side < 2; side++)
            count += c->ends[side] != NULL && !c->ends[side]->is_client;
    return count;
}

void sim_net_free(struct sim *sim)
{
    CHECK(sim_net_open_count(sim) == 0);
    while (sim->net->conns != NULL)
        end_free(sim->net->conns->ends[0]); /* a client's; the conn goes with it */
    mem_free(MEM_TEST, sim->net);
}
