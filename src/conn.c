/* A client's bytes, both ways: what arrives is fed to its session, what the session has replied
 * leaves as fast as the stream takes it. Nothing here reads a command. */
#include "conn.h"

#include "base/limits.h"
#include "server.h"

enum {
    SENT_KEEP_BYTES = 16 * 1024,
    BLOCKED_BACKLOG_MAX = 1 << 20 /* of a blocked client: beyond, the bytes stay in the network */
};

static struct conn *conn_of(struct io_stream *stream)
{
    struct conn *c = stream->user;
    CHECK(c != NULL && c->stream == stream);
    return c;
}

void conn_close(struct conn *c)
{
    if (c->closed)
        return;
    c->closed = true;
    c->session.client.flags |= CLIENT_CLOSE_AFTER_REPLY; /* runs nothing any more */
    client_abandon(c->session.env, &c->session.client);
    c->stream->io->ops->stream_close(c->stream);
}

/* Bytes of replies that have not left. */
static size_t unsent(const struct conn *c)
{
    CHECK(c->writing || c->sending.len == 0);
    return c->session.client.out.len + (c->writing ? c->sending.len : 0);
}

/* Bytes of replies that may wait; UINT64_MAX: any number. */
static uint64_t output_limit(const struct conn *c)
{
    const struct config_output_limit *limits = &c->server->config.client_output_buffer_limit;
    bool subscriber = pubsub_is_subscriber(&c->session.client);
    uint64_t limit = subscriber ? limits->pubsub_hard_bytes : limits->hard_bytes;
    bool known = (c->session.client.flags & CLIENT_AUTHENTICATED) != 0;
    if (limit == 0)
        limit = UINT64_MAX;
    return !known && limit > LIMIT_OUTPUT_NOAUTH ? LIMIT_OUTPUT_NOAUTH : limit;
}

/* A client that lets its replies pile up is closed, or it would have all memory; one that has not
 * said its password, soon: the errors it gets cost it nothing (CVE-2025-21605 of Redis). */
static bool over_hard_limit(struct conn *c)
{
    if (!buf_failed(&c->session.client.out) && unsent(c) <= output_limit(c))
        return false;
    c->server->stats.client_output_buffer_limit_disconnections++;
    return true;
}

/* Hands the stream what may leave. The rest of a write that did not fit stays in sending. From a
 * buffer that could not grow nothing leaves: a reply is missing in it, and the client would take
 * each later one for the answer to the command before. */
static void send_output(struct conn *c)
{
    struct client *client = &c->session.client;
    while (!c->writing && !c->closed && !buf_failed(&client->out)) {
        struct slice out = session_output(&c->session);
        if (out.len == 0)
            return;
        const struct io_ops *ops = c->stream->io->ops;
        size_t sent = ops->stream_write(c->stream, out.ptr, out.len);
        CHECK(sent <= out.len && out.len <= client->held_from);
        c->server->stats.total_net_output_bytes += out.len;
        c->server->stats.total_writes_processed++;
        client->bytes_out += out.len;
        client->out_start += out.len;
        if (sent == out.len && out.len == client->out.len) {
            buf_clear(&client->out, SENT_KEEP_BYTES);
            continue;
        }
        /* What is held back goes to a buffer of its own; the sent one must not move. */
        struct buf rest = BUF_INIT(MEM_CLIENT);
        buf_append(&rest, client->out.ptr + out.len, client->out.len - out.len);
        CHECK(c->sending.ptr == NULL); /* the write before has left whole */
        c->sending = client->out;
        c->sending.len = out.len;
        client->out = rest;
        if (client->held_from != SIZE_MAX)
            client->held_from -= out.len;
        c->writing = sent < out.len;
        if (!c->writing)
            buf_clear(&c->sending, 0);
    }
}

/* A blocked client's bytes are read on up to a bound, so that its end is noticed. */
static void choose_reading(struct conn *c)
{
    bool reads = !c->session.client.blocked || session_backlog(&c->session) < BLOCKED_BACKLOG_MAX;
    if (reads == c->reading || c->closed)
        return;
    c->reading = reads;
    if (reads)
        c->stream->io->ops->stream_read_resume(c->stream);
    else
        c->stream->io->ops->stream_read_stop(c->stream);
}

/* A pipeline of requests for much ends a run as soon as its replies are over the limit: what all of
 * it would reply may be more than there is memory. */
static void limit_output(struct conn *c)
{
    uint64_t limit = output_limit(c), sending = c->writing ? c->sending.len : 0;
    c->session.output_max = limit > sending ? limit - sending : 0;
}

/* What every step ends with: replies leave, then it is decided whether the client stays. A run that
 * ended with too many of them goes on when they have left. */
static void after_run(struct conn *c)
{
    for (;;) {
        send_output(c);
        if (over_hard_limit(c) || (session_closing(&c->session) && unsent(c) == 0)) {
            conn_close(c);
            return;
        }
        if (!c->session.full)
            break;
        limit_output(c);
        session_run(&c->session);
    }
    choose_reading(c);
}

void conn_go_on(struct conn *c)
{
    CHECK(c->server->depth > 0 && !c->ready);
    if (c->closed)
        return;
    limit_output(c);
    session_run(&c->session);
    after_run(c);
}

void conn_close_soon(struct conn *c)
{
    c->session.client.flags |= CLIENT_CLOSE_AFTER_REPLY;
    if (unsent(c) == 0)
        conn_close(c);
}

static void on_read(struct io_stream *stream, const uint8_t *bytes, size_t len)
{
    struct conn *c = conn_of(stream);
    struct server *server = c->server;
    CHECK(!c->closed && len > 0); /* a closed stream calls back once more, to on_closed */
    server->stats.total_net_input_bytes += len;
    server->stats.total_reads_processed++;
    server_begin(server);
    limit_output(c);
    enum err e = session_feed(&c->session, bytes, len);
    if (e != OK)
        conn_close(c);
    else
        after_run(c);
    server_end(server);
}

static void on_end(struct io_stream *stream, enum err e)
{
    (void)e; /* the peer left, or the network did: either way nothing more can be said to it */
    struct conn *c = conn_of(stream);
    server_begin(c->server);
    conn_close(c);
    server_end(c->server);
}

static void on_written(struct io_stream *stream, enum err e)
{
    struct conn *c = conn_of(stream);
    CHECK(c->writing && !c->closed);
    c->writing = false;
    buf_clear(&c->sending, 0);
    if (e == OK)
        after_run(c);
}

static void on_closed(struct io_stream *stream)
{
    struct conn *c = conn_of(stream);
    CHECK(c->closed);
    server_forget(c->server, c);
    buf_fini(&c->sending);
    session_fini(&c->session);
    mem_free(MEM_CLIENT, c);
}

static const struct io_stream_callbacks callbacks = {
    .on_read = on_read,
    .on_end = on_end,
    .on_written = on_written,
    .on_closed = on_closed,
};

/* Says one line and closes: the client is not let in. */
static void refuse(struct conn *c, const char *text)
{
    struct reply reply = {&c->session.client.out, 2};
    reply_error(&reply, text);
    c->server->stats.rejected_connections++;
    send_output(c);
    conn_close(c);
}

void conn_open(struct server *server, struct io_stream *stream)
{
    struct conn *c = mem_try_calloc(MEM_CLIENT, sizeof(*c));
    if (c == NULL) {
        stream->io->ops->stream_close(stream);
        return;
    }
    c->server = server;
    c->stream = stream;
    c->reading = true;
    c->sending = BUF_INIT(MEM_CLIENT);
    session_init(&c->session, &server->env, server->next_client_id++);
    c->session.client.peer = stream->peer;
    c->session.client.local = stream->local;
    if (stream->peer.is_unix)
        c->session.client.flags |= CLIENT_UNIX;
    server_adopt(server, c);
    server->stats.total_connections_received++;
    stream->io->ops->stream_start(stream, &callbacks, c);
    const struct config *config = &server->config;
    bool fits = server->clients_fit == 0 || server->env.client_count <= server->clients_fit;
    if (!fits || server->env.client_count > (size_t)config->maxclients)
        refuse(c, "ERR max number of clients reached");
    else if (config->protected_mode && config->requirepass[0] == '\0' &&
             !io_addr_is_local(&stream->peer))
        refuse(c, "DENIED vdb is running in protected mode because protected mode is enabled and "
                  "no password is set. In this mode connections are only accepted from the "
                  "loopback interface. Set a password with requirepass, or start the server with "
                  "--protected-mode no, to connect from other machines.");
}

void conn_check(struct conn *c, uint64_t now_us)
{
    const struct config *config = &c->server->config;
    const struct config_output_limit *limit = &config->client_output_buffer_limit;
    const struct client *client = &c->session.client;
    bool subscriber = pubsub_is_subscriber(client);
    uint64_t soft_bytes = subscriber ? limit->pubsub_soft_bytes : limit->soft_bytes;
    int soft_seconds = subscriber ? limit->pubsub_soft_seconds : limit->soft_seconds;
    if (c->closed)
        return;
    /* Else the differences below would wrap, and close everybody at once. */
    CHECK(now_us >= client->active_us && now_us >= c->soft_since_us);
    if (config->timeout > 0 && !client->blocked && !subscriber &&
        now_us - client->active_us > (uint64_t)config->timeout * 1000000) {
        conn_close(c);
        return;
    }
    if (soft_bytes == 0 || unsent(c) <= soft_bytes) {
        c->soft_since_us = 0;
    } else if (c->soft_since_us == 0) {
        c->soft_since_us = now_us;
    } else if (now_us - c->soft_since_us > (uint64_t)soft_seconds * 1000000) {
        c->server->stats.client_output_buffer_limit_disconnections++;
        conn_close(c);
    }
}
