#include "cmd/monitor.h"

#include "base/limits.h"
#include "cmd/client_text.h"
#include "cmd/env.h"
#include "cmd/slowlog.h"

/* -- who watches ------------------------------------------------------------------------------- */

void cmd_monitor(struct request *rq)
{
    struct client *c = rq->client;
    if (c->flags & CLIENT_IN_EXEC) {
        reply_error(&rq->reply, "ERR MONITOR isn't allowed for DENY BLOCKING client");
        return;
    }
    if (c->flags & CLIENT_MONITOR)
        return; /* as in Redis: no reply */
    c->flags |= CLIENT_MONITOR;
    c->monitor_next = rq->env->monitors;
    rq->env->monitors = c;
    reply_simple(&rq->reply, "OK");
}

void monitor_end(struct cmd_env *env, struct client *client)
{
    struct client **at = &env->monitors;
    if (!(client->flags & CLIENT_MONITOR))
        return;
    while (*at != client)
        at = &(*at)->monitor_next;
    *at = client->monitor_next;
    client->monitor_next = NULL;
    client->flags &= ~(unsigned)CLIENT_MONITOR;
    buf_fini(&client->monitored);
}

/* -- what is shown ----------------------------------------------------------------------------- */

/* In quotes, so that redis-cli reads it back: what does not print comes as an escape. */
static void put_word(struct buf *out, struct slice word)
{
    static const char plain[] = "\n\r\t\a\b\\\"", letters[] = "nrtab\\\"";
    size_t shown = word.len < LIMIT_MONITOR_WORD ? word.len : LIMIT_MONITOR_WORD;
    buf_append_byte(out, '"');
    for (size_t i = 0; i < shown; i++) {
        uint8_t c = word.ptr[i];
        const char *at = c == '\0' ? NULL : strchr(plain, c);
        if (at != NULL) {
            buf_append_byte(out, '\\');
            buf_append_byte(out, (uint8_t)letters[at - plain]);
        } else if (c < ' ' || c > '~') {
            buf_printf(out, "\\x%02x", c);
        } else {
            buf_append_byte(out, c);
        }
    }
    if (shown < word.len)
        buf_printf(out, "... (%zu more bytes)", word.len - shown);
    buf_append_byte(out, '"');
}

/* One line, as a simple string in both protocols. */
static void put_line(struct buf *out, const struct request *rq)
{
    char text[CLIENT_ADDR_SIZE];
    const struct client *c = rq->client;
    uint64_t now_us = rq->env->io->ops->wall_us(rq->env->io);
    buf_printf(out, "+%llu.%06llu [0 ", (unsigned long long)(now_us / 1000000),
               (unsigned long long)(now_us % 1000000));
    if (c->flags & CLIENT_UNIX)
        buf_printf(out, "unix:%s]", c->local.host);
    else
        buf_printf(out, "%s]", client_addr_text(&c->peer, text));
    size_t end = out->len + LIMIT_MONITOR_LINE;
    for (size_t i = 0; i < rq->argc; i++) {
        if (out->len > end) {
            buf_printf(out, " \"... (%zu more arguments)\"", rq->argc - i);
            break;
        }
        buf_append_byte(out, ' ');
        put_word(out, slowlog_is_secret(rq, i) ? slice_of("(redacted)") : rq->argv[i]);
    }
    buf_append_text(out, "\r\n");
}

/* Is a reply of the client unfinished, so that nothing may come behind what is there of it? */
static bool within_reply(const struct client *c)
{
    return (c->flags & CLIENT_IN_EXEC) || c->key_list != NULL || c->muted_from != UINT64_MAX;
}

void monitor_catch_up(struct client *client)
{
    if (client->monitored.len == 0 || within_reply(client))
        return;
    buf_append_slice(&client->out, buf_slice(&client->monitored));
    buf_clear(&client->monitored, 0);
}

/* A client that is within a reply for long may have no more kept for it than it may leave unread.
 */
static void show_to(struct cmd_env *env, struct client *client, struct slice line)
{
    uint64_t limit = env->config->client_output_buffer_limit.hard_bytes;
    if (client->flags & CLIENT_REPLY_OFF)
        return;
    monitor_catch_up(client);
    bool later = within_reply(client);
    struct buf *out = later ? &client->monitored : &client->out;
    buf_append_slice(out, line);
    if (later && (buf_failed(out) || (limit > 0 && out->len > limit))) {
        env->stats->client_output_buffer_limit_disconnections++;
        env->hooks->kill(env, client);
    } else if (!later) {
        env->hooks->resume(env, client); /* sends it */
    }
}

void monitor_show(const struct request *rq)
{
    struct cmd_env *env = rq->env;
    struct buf line = BUF_INIT(MEM_CLIENT);
    bool runs_again = rq->client->blocked && rq->client->retry;
    if (runs_again || (rq->command->flags & CMD_ADMIN))
        return;
    put_line(&line, rq);
    for (struct client *c = env->monitors, *next; c != NULL; c = next) {
        next = c->monitor_next;
        if (buf_failed(&line))
            env->hooks->kill(env, c); /* short of memory: no line is missed in silence */
        else
            show_to(env, c, buf_slice(&line));
    }
    buf_fini(&line);
}
