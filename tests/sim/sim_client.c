/* sim_client.c: a client of the simulated process, driven by the test. */
#include "sim/sim_private.h"

/* owner: sim.clients */
struct client {
    struct sim_client base; /* first */
    struct sim *sim;
    struct io_stream *stream; /* NULL: closed */
    struct buf queued;
    struct buf sending; /* untouched while writing */
    bool writing;
    bool wants_read;
    struct client *next;
};

static struct client *client_of(struct sim_client *c)
{
    return (struct client *)c;
}

static void write_more(struct client *c)
{
    if (c->writing || c->stream == NULL || !c->base.connected || c->queued.len == 0)
        return;
    buf_clear(&c->sending, 0);
    struct buf empty = c->sending;
    c->sending = c->queued;
    c->queued = empty;
    c->writing = sim_stream_write(c->stream, c->sending.ptr, c->sending.len) < c->sending.len;
}

static void close_stream(struct client *c, enum err e)
{
    if (c->stream == NULL)
        return;
    c->base.closed = true;
    c->base.end = e;
    sim_stream_close(c->stream);
    c->stream = NULL;
}

static void on_read(struct io_stream *stream, const uint8_t *bytes, size_t len)
{
    struct client *c = stream->user;
    buf_append(&c->base.received, bytes, len);
    CHECK(!buf_failed(&c->base.received));
}

static void on_end(struct io_stream *stream, enum err e)
{
    close_stream(stream->user, e);
}

static void on_written(struct io_stream *stream, enum err e)
{
    struct client *c = stream->user;
    c->writing = false;
    if (e == OK)
        write_more(c); /* an error is followed by on_end */
}

static void on_closed(struct io_stream *stream)
{
    (void)stream; /* the client forgot it when it closed it */
}

static const struct io_stream_callbacks callbacks = {on_read, on_end, on_written, on_closed};

static void on_connected(struct io_stream *stream, enum err e)
{
    struct client *c = stream->user;
    if (e != OK) {
        close_stream(c, e);
        return;
    }
    c->base.connected = true;
    sim_stream_start(stream, &callbacks, c);
    if (!c->wants_read)
        sim_stream_read_stop(stream);
    write_more(c);
}

struct sim_client *sim_client_connect(struct sim *sim, const struct io_addr *addr)
{
    struct client *c = mem_calloc(MEM_TEST, sizeof(*c));
    buf_init(&c->base.received, MEM_TEST);
    buf_init(&c->queued, MEM_TEST);
    buf_init(&c->sending, MEM_TEST);
    c->sim = sim;
    c->wants_read = true;
    c->stream = sim_connect_client(sim, addr, on_connected, c);
    c->base.port = c->stream->local.port;
    c->next = sim->clients;
    sim->clients = c;
    return &c->base;
}

void sim_client_send(struct sim_client *client, struct slice bytes)
{
    struct client *c = client_of(client);
    if (c->stream == NULL)
        return;
    buf_append_slice(&c->queued, bytes);
    CHECK(!buf_failed(&c->queued));
    write_more(c);
}

void sim_client_read_stop(struct sim_client *client)
{
    struct client *c = client_of(client);
    c->wants_read = false;
    if (c->stream != NULL && c->base.connected)
        sim_stream_read_stop(c->stream);
}

void sim_client_read_resume(struct sim_client *client)
{
    struct client *c = client_of(client);
    c->wants_read = true;
    if (c->stream != NULL && c->base.connected)
        sim_stream_read_resume(c->stream);
}

void sim_client_close(struct sim_client *client)
{
    close_stream(client_of(client), OK);
}

void sim_clients_free(struct sim *sim)
{
    while (sim->clients != NULL) {
        struct client *c = sim->clients;
        sim->clients = c->next;
        buf_fini(&c->base.received);
        buf_fini(&c->queued);
        buf_fini(&c->sending);
        mem_free(MEM_TEST, c);
    }
}
