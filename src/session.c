/* One client without its socket: the query buffer, the commands in it one by one, and how much of
 * the replies may leave. */
#include "session.h"

#include "base/limits.h"
#include "cmd/bulk_add.h"
#include "cmd/gate.h"

enum {
    QUERY_KEEP_BYTES = 16 * 1024, /* of an idle client's query buffer */
    COMPACT_BYTES = 64 * 1024     /* run bytes are dropped in pieces of this, or when all are run */
};

/* Before AUTH a client gets little room (Redis's CVE of 2021: memory without a password). */
static void set_limits(struct session *s)
{
    const struct config *config = s->env->config;
    if (config->requirepass[0] == '\0') /* taken away while the client was connected */
        s->client.flags |= CLIENT_AUTHENTICATED;
    bool known = (s->client.flags & CLIENT_AUTHENTICATED) != 0;
    s->reader.unauthenticated = !known;
    s->reader.arg_count_max = known ? LIMIT_ARG_COUNT : LIMIT_ARG_COUNT_NOAUTH;
    s->reader.bulk_size_max = known ? config->proto_max_bulk_len : LIMIT_BULK_SIZE_NOAUTH;
}

/* Without requirepass everybody is the default user from the start. */
void session_init(struct session *s, struct cmd_env *env, uint64_t id)
{
    *s = (struct session){.env = env, .output_max = SIZE_MAX};
    client_init(&s->client, id, env->io->ops->mono_us(env->io));
    if (env->config->requirepass[0] == '\0')
        s->client.flags |= CLIENT_AUTHENTICATED;
    resp_reader_init(&s->reader, LIMIT_ARG_COUNT, env->config->proto_max_bulk_len,
                     LIMIT_INLINE_SIZE);
}

void session_fini(struct session *s)
{
    CHECK(!s->running); /* a command may close its own client, but not free it */
    resp_reader_fini(&s->reader);
    client_fini(&s->client);
}

/* Frees the room of commands that have run, in large pieces: moving the rest to the front after
 * each of a thousand pipelined commands would be quadratic. */
static void drop_taken(struct session *s)
{
    struct buf *query = &s->client.query;
    CHECK(s->taken <= query->len && !s->running);
    if (s->taken < query->len && s->taken < COMPACT_BYTES)
        return;
    buf_consume(query, s->taken);
    s->taken = 0;
    if (query->len == 0)
        buf_clear(query, QUERY_KEEP_BYTES);
}

/* Not RESP, or over a limit of it: what follows cannot be told apart any more, so nothing of it is
 * run and the client is closed once it has read why. */
static void broken(struct session *s, const struct why *why)
{
    struct reply reply = {&s->client.out, s->client.proto};
    reply_err(&reply, ERR_PROTOCOL, why);
    s->client.flags |= CLIENT_CLOSE_AFTER_REPLY;
    s->taken = s->client.query.len;
}

/* The command goes on for longer than its bytes would stay: they are its own from now on, and what
 * has come behind them begins a new buffer. */
static void hand_over(struct session *s)
{
    struct buf query = s->client.query, rest = BUF_INIT(MEM_CLIENT);
    size_t end = s->taken + s->reader.size;
    buf_append(&rest, query.ptr + end, query.len - end);
    s->client.query = rest;
    s->taken = 0;
    bulk_add_keep(s->client.bulk_add, query, resp_reader_take(&s->reader));
}

/* Runs one complete command; false when there is none, or none may run. */
static bool run_next(struct session *s)
{
    struct client *client = &s->client;
    struct why why = {{0}};
    if (client->blocked || session_closing(s) || session_backlog(s) == 0)
        return false;
    s->full = client->out.len > s->output_max;
    if (s->full)
        return false;
    struct slice rest = {client->query.ptr + s->taken, session_backlog(s)};
    set_limits(s);
    switch (resp_read(&s->reader, rest, &why)) {
    case RESP_MORE:
        return false;
    case RESP_BROKEN:
        broken(s, &why);
        return false;
    case RESP_COMMAND:
        break;
    }
    CHECK(s->reader.size > 0 && s->reader.size <= rest.len);
    if (s->reader.arg_count > 0)
        command_run(s->env, client, s->reader.args, s->reader.arg_count);
    /* A command that is to run again stays where it is. */
    CHECK(!client->retry || client->blocked);
    if (client->bulk_add != NULL)
        hand_over(s);
    else if (!client->retry)
        s->taken += s->reader.size;
    resp_reader_next(&s->reader);
    return true;
}

void session_run(struct session *s)
{
    if (s->running)
        return;
    s->running = true;
    s->full = false;
    s->client.retry = false;
    s->env->clock = (struct batch_clock){.runs = true};
    while (run_next(s))
        continue;
    s->env->clock = (struct batch_clock){0};
    s->running = false;
    drop_taken(s);
}

enum err session_feed(struct session *s, const uint8_t *bytes, size_t len)
{
    struct buf *query = &s->client.query;
    CHECK(!s->running); /* appending moves the bytes that a running command's arguments point at */
    s->client.bytes_in += len;
    if (session_closing(s))
        return OK;
    if (session_backlog(s) + len > s->env->config->client_query_buffer_limit) {
        s->env->stats->client_query_buffer_limit_disconnections++;
        return ERR_LIMIT;
    }
    /* Of a long argument that was announced: growing in steps would copy it again and again. */
    if (s->taken + s->reader.size_needed > query->len + len)
        (void)buf_reserve(query, s->taken + s->reader.size_needed - query->len);
    buf_append(query, bytes, len);
    if (buf_failed(query))
        return ERR_NOMEM;
    session_run(s);
    return OK;
}

struct slice session_output(struct session *s)
{
    struct slice out = {s->client.out.ptr, gate_open_bytes(s->env, &s->client)};
    CHECK(out.len <= s->client.out.len);
    if (out.len > s->client.held_from)
        out.len = s->client.held_from;
    return out;
}
