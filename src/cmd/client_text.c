/* CLIENT LIST is a format that tools take apart at blanks and '=': fields stay in Redis's order,
 * and what this server does not have is shown as Redis shows it when it is not used. */
#include "cmd/client_text.h"

#include <stdio.h>

#include "cmd/env.h"

bool client_text_fits(struct request *rq, struct slice text, const char *what)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '!' || text.ptr[i] > '~') {
            reply_errorf(&rq->reply,
                         "ERR %s cannot contain spaces, newlines or special characters.", what);
            return false;
        }
    if (text.len <= CLIENT_NAME_MAX)
        return true;
    reply_errorf(&rq->reply, "ERR %s cannot be longer than %d bytes", what, CLIENT_NAME_MAX);
    return false;
}

const char *client_addr_text(const struct io_addr *addr, char text[CLIENT_ADDR_SIZE])
{
    bool brackets = !addr->is_unix && strchr(addr->host, ':') != NULL;
    (void)snprintf(text, CLIENT_ADDR_SIZE, "%s%s%s:%d", brackets ? "[" : "", addr->host,
                   brackets ? "]" : "", addr->is_unix ? 0 : addr->port);
    return text;
}

/* A letter per property; N when there is none. */
static void print_flags(const struct client *c, struct buf *out)
{
    size_t before = out->len;
    if (pubsub_is_subscriber(c))
        buf_append_byte(out, 'P');
    if (c->flags & CLIENT_CLOSE_AFTER_REPLY)
        buf_append_byte(out, 'c');
    if (c->flags & CLIENT_MONITOR)
        buf_append_byte(out, 'O');
    if (c->blocked)
        buf_append_byte(out, 'b');
    if (c->flags & (CLIENT_MULTI | CLIENT_IN_EXEC))
        buf_append_byte(out, 'x');
    if (c->flags & CLIENT_DIRTY_CAS)
        buf_append_byte(out, 'd');
    if (c->flags & CLIENT_UNIX)
        buf_append_byte(out, 'U');
    if (c->flags & CLIENT_NO_EVICT)
        buf_append_byte(out, 'e');
    if (c->flags & CLIENT_NO_TOUCH)
        buf_append_byte(out, 'T');
    if (out->len == before)
        buf_append_byte(out, 'N');
}

static unsigned long long seconds(uint64_t from_us, uint64_t to_us)
{
    return to_us > from_us ? (to_us - from_us) / 1000000 : 0;
}

void client_print(const struct cmd_env *env, const struct client *c, struct buf *out)
{
    uint64_t now = env->io->ops->mono_us(env->io);
    char addr[CLIENT_ADDR_SIZE];
    CHECK(c->query.len <= c->query.capacity && c->out.len <= c->out.capacity);
    CHECK(c->active_us >= c->created_us);
    buf_printf(out, "id=%llu addr=", (unsigned long long)c->id);
    buf_append_text(out, client_addr_text(&c->peer, addr));
    buf_append_text(out, " laddr=");
    buf_append_text(out, client_addr_text(&c->local, addr));
    buf_printf(out, " fd=-1 name=%s age=%llu idle=%llu flags=", c->name != NULL ? c->name : "",
               seconds(c->created_us, now), seconds(c->active_us, now));
    print_flags(c, out);
    bool multi = (c->flags & (CLIENT_MULTI | CLIENT_IN_EXEC)) != 0;
    const size_t *subs = c->subscriptions.count;
    buf_printf(out, " db=0 sub=%zu psub=%zu ssub=%zu", subs[TOPIC_CHANNEL], subs[TOPIC_PATTERN],
               subs[TOPIC_SHARD]);
    buf_printf(out, " multi=%lld watch=%zu qbuf=%zu qbuf-free=%zu",
               multi ? (long long)c->queue_count : -1, c->watch_count, c->query.len,
               c->query.capacity - c->query.len);
    buf_printf(out, " argv-mem=0 multi-mem=%zu rbs=%zu rbp=%zu obl=%zu oll=0 omem=0 tot-mem=%zu",
               c->queue.capacity, c->out.capacity, c->out.capacity, c->out.len,
               sizeof(*c) + c->query.capacity + c->out.capacity + c->queue.capacity);
    buf_printf(out, " events=r cmd=%s user=default redir=-1 resp=%d lib-name=%s lib-ver=%s",
               c->command != NULL ? c->command->name : "NULL", c->proto,
               c->lib_name != NULL ? c->lib_name : "", c->lib_ver != NULL ? c->lib_ver : "");
    buf_printf(out, " tot-net-in=%llu tot-net-out=%llu tot-cmds=%llu lsn=%llu\n",
               (unsigned long long)c->bytes_in, (unsigned long long)c->bytes_out,
               (unsigned long long)c->commands, (unsigned long long)c->last_lsn);
}
