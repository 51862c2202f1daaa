/* client.c: over hiredis, which does the waiting, buffering and reading of replies. Debian's
 * hiredis speaks RESP2; every reply that the tool reads is the same in both protocols but for
 * booleans. */
#include "tool/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { CONNECT_TIMEOUT_S = 5, COMMAND_KEEP_SIZE = 16 << 20 };

static enum err authenticate(struct client *c, const char *password, struct why *why)
{
    redisReply *reply = NULL;
    client_begin(c, 2);
    client_arg_text(c, "AUTH");
    client_arg_text(c, password);
    enum err e = client_call(c, &reply, why);
    if (e == OK)
        freeReplyObject(reply);
    return e;
}

static enum err say_unreachable(const struct client_address *address, const char *reason,
                                struct why *why)
{
    if (address->unix_path != NULL)
        return why_set(why, ERR_IO, "no server at %.100s: %.100s", address->unix_path, reason);
    return why_set(why, ERR_IO, "no server at %.100s:%u: %.100s; is it running?", address->host,
                   address->port, reason);
}

void client_clear(struct client *c)
{
    *c = (struct client){.command = BUF_INIT(MEM_CLIENT)};
}

enum err client_open(struct client *c, const struct client_address *address, struct why *why)
{
    CHECK(address->unix_path != NULL || (address->host != NULL && address->port > 0));
    struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
    client_clear(c);
    c->context = address->unix_path != NULL
                     ? redisConnectUnixWithTimeout(address->unix_path, timeout)
                     : redisConnectWithTimeout(address->host, (int)address->port, timeout);
    if (c->context == NULL)
        return why_set(why, ERR_NOMEM, "no memory for a connection");
    if (c->context->err != 0) {
        enum err e = say_unreachable(address, c->context->errstr, why);
        client_close(c);
        return e;
    }
    const char *password = address->auth != NULL ? address->auth : getenv("VDB_AUTH");
    enum err e = password == NULL ? OK : authenticate(c, password, why);
    if (e != OK)
        client_close(c);
    return e;
}

void client_close(struct client *c)
{
    if (c->context != NULL)
        redisFree(c->context);
    c->context = NULL;
    buf_fini(&c->command);
}

void client_begin(struct client *c, size_t arg_count)
{
    CHECK(c->context != NULL);
    CHECK(c->args_missing == 0 && arg_count > 0);
    buf_clear(&c->command, COMMAND_KEEP_SIZE);
    buf_printf(&c->command, "*%zu\r\n", arg_count);
    c->args_missing = arg_count;
}

void client_arg(struct client *c, struct slice bytes)
{
    CHECK(c->args_missing > 0);
    CHECK(bytes.ptr != NULL || bytes.len == 0);
    c->args_missing--;
    buf_printf(&c->command, "$%zu\r\n", bytes.len);
    buf_append_slice(&c->command, bytes);
    buf_append(&c->command, "\r\n", 2);
}

void client_arg_text(struct client *c, const char *text)
{
    client_arg(c, slice_of(text));
}

void client_arg_number(struct client *c, uint64_t value)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    client_arg(c, (struct slice){(const uint8_t *)text, (size_t)len});
}

void client_arg_floats(struct client *c, const float *values, size_t count)
{
    client_arg(c, (struct slice){(const uint8_t *)values, count * sizeof(float)});
}

size_t count_words(const char *text)
{
    size_t count = 0;
    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        text += strcspn(text, " ");
        count++;
    }
    return count;
}

void client_arg_words(struct client *c, const char *text)
{
    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        size_t len = strcspn(text, " ");
        client_arg(c, (struct slice){(const uint8_t *)text, len});
        text += len;
    }
}

void client_send(struct client *c)
{
    CHECK(c->args_missing == 0 && c->command.len > 0);
    /* The only ways to fail are memory, and a connection that failed before, which the next
     * client_reply reports. */
    CHECK(!buf_failed(&c->command));
    (void)redisAppendFormattedCommand(c->context, (const char *)c->command.ptr, c->command.len);
}

enum err client_reply(struct client *c, redisReply **out, struct why *why)
{
    CHECK(c->context != NULL && c->args_missing == 0);
    void *reply = NULL;
    *out = NULL;
    if (redisGetReply(c->context, &reply) != REDIS_OK)
        return why_set(why, ERR_IO, "connection lost: %.200s", c->context->errstr);
    CHECK(reply != NULL);
    *out = reply;
    return OK;
}

enum err client_call(struct client *c, redisReply **out, struct why *why)
{
    client_send(c);
    enum err e = client_reply(c, out, why);
    if (e != OK)
        return e;
    if ((*out)->type != REDIS_REPLY_ERROR)
        return OK;
    e = why_set(why, ERR_ARG, "%.*s", (int)(*out)->len, (*out)->str);
    freeReplyObject(*out);
    *out = NULL;
    return e;
}
