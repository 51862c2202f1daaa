#include "robust/rig.h"

#include "base/rng.h"
#include "robust/reply_shape.h"
#include "sim/inspect.h"

enum { SECOND_US = 1000 * 1000, WAIT_US = 60 * SECOND_US };

static const struct io_addr address = {.host = "127.0.0.1", .port = 6379};

static struct sim_options calm(void)
{
    struct sim_options o = sim_options_default();
    o.latency_min_us = o.latency_max_us = 1;
    o.split_ppm = o.short_write_ppm = o.switch_ppm = 0;
    o.job_step_max_us = o.disk_max_us = 1;
    return o;
}

void rig_open(struct rig *r, int proto)
{
    struct sim_options options = calm();
    CHECK(proto == 2 || proto == 3);
    *r = (struct rig){.proto = proto};
    mem_fail_spare(MEM_TEST);
    r->sim = sim_new(1, &options);
    config_init(&r->config);
    memcpy(r->config.bind, address.host, strlen(address.host) + 1);
}

static void on_stopped(struct server *server)
{
    ((struct rig *)server->user)->stopped = true;
}

/* A server that could not start ends without saying so. */
static bool has_stopped(void *user)
{
    struct rig *r = user;
    const struct server *s = r->server;
    return r->stopped ||
           (s->stopping && s->env.client_count == 0 && s->listeners_open == 0 &&
            s->persist.state == PERSIST_STOPPED && db_idle(&s->db) && offload_idle(&s->offload));
}

static bool serves_or_stopped(void *user)
{
    struct rig *r = user;
    return r->stopped || !server_is_loading(r->server);
}

static void bury(struct rig *r)
{
    bool stopped = sim_run_until(r->sim, has_stopped, r, WAIT_US);
    CHECK(stopped);
    for (unsigned i = 0; i < RIG_CLIENTS; i++)
        rig_disconnect(r, i);
    server_fini(r->server);
    mem_free(MEM_TEST, r->server);
    r->server = NULL;
}

bool rig_start(struct rig *r, struct why *why)
{
    CHECK(r->server == NULL);
    r->stopped = false;
    r->server = mem_calloc(MEM_TEST, sizeof(*r->server));
    r->server->user = r;
    enum err e = server_start(r->server, sim_io(r->sim), &r->config, NULL, why);
    r->server->user = r;
    r->server->on_stopped = on_stopped;
    bool ended = sim_run_until(r->sim, serves_or_stopped, r, WAIT_US);
    if (e == OK && ended && !r->stopped && !r->server->failed)
        return true;
    if (!r->server->stopping)
        server_stop(r->server);
    bury(r);
    return false;
}

void rig_stop(struct rig *r)
{
    CHECK(r->server != NULL);
    if (!r->stopped)
        server_stop(r->server);
    bury(r);
}

void rig_close(struct rig *r)
{
    CHECK(r->server == NULL);
    sim_free(r->sim);
}

/* -- clients -----------------------------------------------------------------------------------*/

bool rig_connected(const struct rig *r, unsigned client)
{
    CHECK(client < RIG_CLIENTS);
    return r->clients[client] != NULL && !r->clients[client]->closed;
}

void rig_disconnect(struct rig *r, unsigned client)
{
    if (r->clients[client] != NULL)
        sim_client_close(r->clients[client]);
    r->clients[client] = NULL;
}

static void connect_client(struct rig *r, unsigned client)
{
    r->clients[client] = sim_client_connect(r->sim, &address);
    r->protos[client] = 2;
    if (r->proto == 3) {
        struct buf reply = BUF_INIT(MEM_TEST);
        rig_send(r, client, slice_of("HELLO 3\r\n"));
        r->protos[client] = 3;
        (void)rig_wait(r, client, &reply); /* without a password it is an error, in RESP2 */
        if (reply.len > 0 && reply.ptr[0] == '-')
            r->protos[client] = 2;
        buf_fini(&reply);
    }
}

void rig_send(struct rig *r, unsigned client, struct slice bytes)
{
    if (!rig_connected(r, client))
        connect_client(r, client);
    sim_client_send(r->clients[client], bytes);
}

struct wait {
    struct sim_client *client;
    int proto;
    size_t size;
    enum shape shape;
};

static bool answered(void *user)
{
    struct wait *w = user;
    struct slice got = buf_slice(&w->client->received);
    w->shape = got.len == 0 ? SHAPE_MORE : reply_shape(got, w->proto, &w->size);
    return w->shape != SHAPE_MORE || w->client->closed;
}

enum answer rig_wait(struct rig *r, unsigned client, struct buf *reply)
{
    struct wait w = {.client = r->clients[client], .proto = r->protos[client]};
    (void)sim_run_until(r->sim, answered, &w, WAIT_US);
    buf_clear(reply, 0);
    if (w.shape == SHAPE_BAD) {
        buf_append_slice(reply, buf_slice(&w.client->received));
        return ANSWER_BAD;
    }
    if (w.shape == SHAPE_MORE)
        return w.client->closed ? ANSWER_CLOSED : ANSWER_SILENCE;
    buf_append(reply, w.client->received.ptr, w.size);
    buf_consume(&w.client->received, w.size);
    return ANSWER_REPLY;
}

static struct client *client_of(const struct rig *r, unsigned client)
{
    struct client *c = r->server->env.clients;
    while (c != NULL && c->peer.port != r->clients[client]->port)
        c = c->next;
    return c;
}

/* What the connection speaks from now on, when that was a HELLO, a RESET or an EXEC of one. */
static void note_proto(struct rig *r, unsigned client, struct slice name)
{
    if (!slice_eq_nocase(name, "hello") && !slice_eq_nocase(name, "reset") &&
        !slice_eq_nocase(name, "exec"))
        return;
    const struct client *c = rig_connected(r, client) ? client_of(r, client) : NULL;
    if (c != NULL)
        r->protos[client] = c->proto;
}

enum answer rig_ask(struct rig *r, unsigned client, const struct slice *argv, size_t argc,
                    struct buf *reply)
{
    struct buf bytes = BUF_INIT(MEM_TEST);
    CHECK(argc > 0);
    buf_printf(&bytes, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        buf_printf(&bytes, "$%zu\r\n", argv[i].len);
        buf_append_slice(&bytes, argv[i]);
        buf_append_text(&bytes, "\r\n");
    }
    rig_send(r, client, buf_slice(&bytes));
    buf_fini(&bytes);
    /* HELLO answers in what it has chosen. */
    int before = r->protos[client];
    if (slice_eq_nocase(argv[0], "hello") && argc > 1 && argv[1].len == 1)
        r->protos[client] = argv[1].ptr[0] == '3' ? 3 : 2;
    else if (slice_eq_nocase(argv[0], "reset"))
        r->protos[client] = 2;
    enum answer answer = rig_wait(r, client, reply);
    r->protos[client] = before;
    note_proto(r, client, argv[0]);
    return answer;
}

enum answer rig_ask_line(struct rig *r, unsigned client, const char *line, struct buf *reply)
{
    struct slice argv[RIG_WORDS_MAX];
    size_t argc = 0;
    while (*line != '\0') {
        size_t len = strcspn(line, " ");
        CHECK(argc < RIG_WORDS_MAX);
        if (len > 0)
            argv[argc++] = (struct slice){(const uint8_t *)line, len};
        line += len;
        line += strspn(line, " ");
    }
    return rig_ask(r, client, argv, argc, reply);
}

void rig_time(struct rig *r, uint64_t us)
{
    uint64_t end = sim_now_us(r->sim) + us;
    while (sim_now_us(r->sim) < end && sim_step(r->sim))
        continue;
}

void rig_forget_room(struct rig *r)
{
    for (struct client *c = r->server->env.clients; c != NULL; c = c->next) {
        struct session *session = (struct session *)c;
        CHECK(!session->running);
        if (c->out.len == 0)
            buf_clear(&c->out, 0);
        if (c->queue.len == 0)
            buf_clear(&c->queue, 0);
        if (session_backlog(session) > 0)
            continue;
        buf_clear(&c->query, 0);
        session->taken = 0;
        resp_reader_fini(&session->reader);
    }
    struct mlog *log = &r->server->db.log;
    CHECK(!log->open);
    buf_clear(&log->record, 0);
}

/* -- looking into it ---------------------------------------------------------------------------*/

static void mix(uint64_t *digest, const void *bytes, size_t size)
{
    const uint64_t seed[2] = {*digest, 2};
    *digest = hash_bytes((struct slice){bytes, size}, seed);
}

static void mix_text(uint64_t *digest, const char *text)
{
    mix(digest, text, text != NULL ? strlen(text) : 0);
}

static void mix_client(uint64_t *digest, const struct client *c)
{
    mix(digest, &c->proto, sizeof(c->proto));
    mix(digest, &c->flags, sizeof(c->flags));
    mix_text(digest, c->name);
    mix_text(digest, c->lib_name);
    mix_text(digest, c->lib_ver);
    mix(digest, c->queue.ptr, c->queue.len);
    mix(digest, &c->queue_count, sizeof(c->queue_count));
    mix(digest, &c->watch_count, sizeof(c->watch_count));
}

/* What inspect_contents leaves out of a collection; its seed is chance. */
static void add_spec(void *user, const struct object *o)
{
    struct buf spec = BUF_INIT(MEM_TEST);
    uint64_t digest = 0;
    if (o->type != OBJECT_COLLECTION)
        return;
    struct collection_spec plain = o->collection->spec;
    plain.seed = 0;
    mix(&digest, o->bytes, o->key_len);
    spec_encode(&plain, &spec);
    mix(&digest, spec.ptr, spec.len);
    *(uint64_t *)user += digest;
    buf_fini(&spec);
}

uint64_t rig_data(const struct rig *r)
{
    uint64_t specs = 0;
    (void)keyspace_scan(&r->server->db.keys, 0, SIZE_MAX, add_spec, &specs);
    return inspect_contents(&r->server->db) - r->server->db.log.last_lsn + specs;
}

/* A client that has been told to go is as good as gone. */
uint64_t rig_state(const struct rig *r)
{
    uint64_t digest = rig_data(r);
    mix(&digest, &r->server->config, sizeof(r->server->config));
    for (unsigned i = 0; i < RIG_CLIENTS; i++) {
        const struct client *c = rig_connected(r, i) ? client_of(r, i) : NULL;
        if (c != NULL && !(c->flags & CLIENT_CLOSE_AFTER_REPLY))
            mix_client(&digest, c);
    }
    return digest;
}

unsigned rig_watchers(const struct rig *r)
{
    unsigned count = 0;
    for (unsigned i = 0; i < RIG_CLIENTS; i++) {
        const struct client *c = rig_connected(r, i) ? client_of(r, i) : NULL;
        count += c != NULL && (c->flags & CLIENT_MONITOR);
    }
    return count;
}

const char *rig_inspect(const struct rig *r)
{
    return inspect_db(&r->server->db, false);
}
