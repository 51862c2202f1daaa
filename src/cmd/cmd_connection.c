/* Connections: who the client is and which protocol it speaks. */
#include "base/version.h"
#include "cmd/client_text.h"
#include "cmd/env.h"
#include "cmd/modules.h"
#include "cmd/monitor.h"
#include "cmd/multi.h"

void cmd_ping(struct request *rq)
{
    const struct ping_args *a = rq->args;
    if (rq->client->proto == 2 && pubsub_is_subscriber(rq->client)) {
        reply_array(&rq->reply, 2); /* as messages are */
        reply_text(&rq->reply, "pong");
        reply_bulk(&rq->reply, a->message);
        return;
    }
    if (a->has_message)
        reply_bulk(&rq->reply, a->message);
    else
        reply_simple(&rq->reply, "PONG");
}

void cmd_echo(struct request *rq)
{
    const struct echo_args *a = rq->args;
    reply_bulk(&rq->reply, a->message);
}

void cmd_select(struct request *rq)
{
    const struct select_args *a = rq->args;
    if (a->index == 0)
        reply_simple(&rq->reply, "OK");
    else
        reply_error(&rq->reply, "ERR DB index is out of range");
}

void cmd_quit(struct request *rq)
{
    reply_simple(&rq->reply, "OK");
    rq->env->hooks->kill(rq->env, rq->client);
}

/* As if newly connected: RESP2, no name, and who needs a password gives it again. */
void cmd_reset(struct request *rq)
{
    struct client *c = rq->client;
    c->proto = 2;
    c->flags &= ~(unsigned)(CLIENT_AUTHENTICATED | CLIENT_NO_EVICT | CLIENT_NO_TOUCH |
                            CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP_NEXT);
    c->muted_from = UINT64_MAX;
    if (rq->env->config->requirepass[0] == '\0')
        c->flags |= CLIENT_AUTHENTICATED;
    client_set_text(&c->name, (struct slice){0});
    multi_end(rq->env, c);
    monitor_end(rq->env, c);
    pubsub_forget(rq->env, c);
    reply_simple(&rq->reply, "RESET");
}

/* -- passwords --------------------------------------------------------------------------------- */

/* How long this takes says nothing about where the two differ. */
static bool same_secret(struct slice given, const char *secret)
{
    size_t len = strlen(secret);
    CHECK(len > 0); /* no password is no secret: everything would be the same as it */
    uint8_t difference = given.len != len;
    for (size_t i = 0; i < given.len && len > 0; i++)
        difference |= (uint8_t)(given.ptr[i] ^ (uint8_t)secret[i % len]);
    return difference == 0;
}

/* There is one user, who needs no password while none is set. */
static bool authenticate(struct request *rq, struct slice user, struct slice password)
{
    const char *secret = rq->env->config->requirepass;
    if (slice_eq(user, slice_of("default")) &&
        (secret[0] == '\0' || same_secret(password, secret))) {
        rq->client->flags |= CLIENT_AUTHENTICATED;
        return true;
    }
    rq->env->stats->acl_access_denied_auth++;
    reply_error(&rq->reply, "WRONGPASS invalid username-password pair or user is disabled.");
    return false;
}

void cmd_auth(struct request *rq)
{
    const struct auth_args *a = rq->args;
    if (!a->has_second && rq->env->config->requirepass[0] == '\0') {
        reply_error(&rq->reply, "ERR AUTH <password> called without any password configured for "
                                "the default user. Are you sure your configuration is correct?");
        return;
    }
    struct slice user = a->has_second ? a->first : slice_of("default");
    if (authenticate(rq, user, a->has_second ? a->second : a->first))
        reply_simple(&rq->reply, "OK");
}

/* -- HELLO ------------------------------------------------------------------------------------- */

/* What HELLO asks for, read before anything of it is done: all of it happens, or nothing. */
struct hello {
    int64_t proto;
    bool has_auth, has_name;
    struct slice user, password, name;
};

/* Replies the error and returns false when the words make no sense; nothing is changed either way.
 */
static bool read_hello(struct request *rq, struct hello *h)
{
    const struct hello_args *a = rq->args;
    h->proto = rq->client->proto;
    if (a->has_version && !slice_to_i64(a->version, &h->proto)) {
        reply_error(&rq->reply, "ERR Protocol version is not an integer or out of range");
        return false;
    }
    if (h->proto != 2 && h->proto != 3) {
        reply_error(&rq->reply, "NOPROTO unsupported protocol version");
        return false;
    }
    const struct slice *words = a->options.items;
    for (size_t i = 0, left = a->options.count; left > 0;) {
        size_t used = 0;
        if (left >= 3 && slice_eq_nocase(words[i], "AUTH")) {
            h->has_auth = true;
            h->user = words[i + 1];
            h->password = words[i + 2];
            used = 3;
        } else if (left >= 2 && slice_eq_nocase(words[i], "SETNAME")) {
            h->has_name = true;
            h->name = words[i + 1];
            used = 2;
        } else {
            reply_errorf(&rq->reply, "ERR Syntax error in HELLO option '%.*s'",
                         (int)(words[i].len < 64 ? words[i].len : 64), (const char *)words[i].ptr);
            return false;
        }
        i += used;
        left -= used;
    }
    return true;
}

/* In the new protocol: a map when that is RESP3. */
static void reply_hello(struct request *rq)
{
    struct reply *r = &rq->reply;
    CHECK(r->proto == rq->client->proto);
    reply_map(r, 7);
    reply_text(r, "server");
    reply_text(r, "redis"); /* what clients expect; INFO says more */
    reply_text(r, "version");
    reply_text(r, VDB_REDIS_VERSION);
    reply_text(r, "proto");
    reply_int(r, rq->client->proto);
    reply_text(r, "id");
    reply_int(r, (int64_t)rq->client->id);
    reply_text(r, "mode");
    reply_text(r, "standalone");
    reply_text(r, "role");
    reply_text(r, "master");
    reply_text(r, "modules");
    reply_modules(r);
}

void cmd_hello(struct request *rq)
{
    struct hello h = {0};
    if (!read_hello(rq, &h))
        return;
    if (h.has_name && !client_text_fits(rq, h.name, "Client names"))
        return;
    if (h.has_auth && !authenticate(rq, h.user, h.password))
        return;
    if (!(rq->client->flags & CLIENT_AUTHENTICATED)) {
        reply_error(&rq->reply,
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                    "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                    "client and select the RESP protocol version at the same time");
        return;
    }
    if (h.has_name)
        client_set_text(&rq->client->name, h.name);
    CHECK(h.proto == 2 || h.proto == 3);
    rq->client->proto = rq->reply.proto = (int)h.proto;
    reply_hello(rq);
}
