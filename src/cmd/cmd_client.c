/* CLIENT: what clients say of themselves, and of each other. */
#include "cmd/client_text.h"
#include "cmd/env.h"
#include "cmd/log_wait.h"

void cmd_client_id(struct request *rq)
{
    reply_int(&rq->reply, (int64_t)rq->client->id);
}

void cmd_client_getname(struct request *rq)
{
    if (rq->client->name == NULL)
        reply_null(&rq->reply);
    else
        reply_text(&rq->reply, rq->client->name);
}

void cmd_client_setname(struct request *rq)
{
    const struct client_setname_args *a = rq->args;
    if (!client_text_fits(rq, a->name, "Client names"))
        return;
    client_set_text(&rq->client->name, a->name);
    reply_simple(&rq->reply, "OK");
}

/* Libraries say this when they connect; it is shown by CLIENT LIST and means nothing else. */
void cmd_client_setinfo(struct request *rq)
{
    const struct client_setinfo_args *a = rq->args;
    char **text;
    const char *name;
    if (slice_eq_nocase(a->attribute, "LIB-NAME")) {
        text = &rq->client->lib_name;
        name = "lib-name";
    } else if (slice_eq_nocase(a->attribute, "LIB-VER")) {
        text = &rq->client->lib_ver;
        name = "lib-ver";
    } else {
        reply_errorf(&rq->reply, "ERR Unrecognized option '%.*s'",
                     (int)(a->attribute.len < 64 ? a->attribute.len : 64),
                     (const char *)a->attribute.ptr);
        return;
    }
    if (!client_text_fits(rq, a->value, name))
        return;
    client_set_text(text, a->value);
    reply_simple(&rq->reply, "OK");
}

void cmd_client_lsn(struct request *rq)
{
    reply_int(&rq->reply, (int64_t)rq->client->last_lsn);
}

/* Replies the error of a mode that is neither ON nor OFF. */
static bool read_mode(struct request *rq, struct slice mode, bool *on)
{
    *on = slice_eq_nocase(mode, "ON");
    if (*on || slice_eq_nocase(mode, "OFF"))
        return true;
    reply_error(&rq->reply, "ERR syntax error");
    return false;
}

/* ON or OFF for one bit of client->flags. */
static void set_flag(struct request *rq, struct slice mode, unsigned flag)
{
    bool on;
    if (!read_mode(rq, mode, &on))
        return;
    rq->client->flags = on ? rq->client->flags | flag : rq->client->flags & ~flag;
    reply_simple(&rq->reply, "OK");
}

void cmd_client_no_evict(struct request *rq)
{
    set_flag(rq, ((const struct client_no_evict_args *)rq->args)->mode, CLIENT_NO_EVICT);
}

void cmd_client_no_touch(struct request *rq)
{
    set_flag(rq, ((const struct client_no_touch_args *)rq->args)->mode, CLIENT_NO_TOUCH);
}

/* -- what this server has not ---------------------------------------------------------------------
 */

/* Nobody is told of changes, so there is nothing to switch off, and switching on is refused. */
void cmd_client_tracking(struct request *rq)
{
    const struct client_tracking_args *a = rq->args;
    bool on;
    if (!read_mode(rq, a->mode, &on))
        return;
    if (on)
        reply_error(&rq->reply, "ERR client-side caching is not supported by vdb");
    else
        reply_simple(&rq->reply, "OK");
}

void cmd_client_caching(struct request *rq)
{
    reply_error(&rq->reply, "ERR CLIENT CACHING can be called only when the client is in tracking "
                            "mode with OPTIN or OPTOUT mode enabled");
}

void cmd_client_trackinginfo(struct request *rq)
{
    struct reply *r = &rq->reply;
    reply_map(r, 3);
    reply_text(r, "flags");
    reply_set(r, 1);
    reply_text(r, "off");
    reply_text(r, "redirect");
    reply_int(r, -1);
    reply_text(r, "prefixes");
    reply_array(r, 0);
}

void cmd_client_getredir(struct request *rq)
{
    reply_int(&rq->reply, -1);
}

/* -- choosing clients -------------------------------------------------------------------------- */

/* Which clients LIST shows or KILL closes. What is not given lets all through. */
struct client_filter {
    const struct slice *ids; /* checked: each a number */
    size_t id_count;
    const struct slice *addr, *laddr;
    bool none; /* of a type that no client here has */
    bool of_type, subscribers; /* those that have subscribed to something, or the others */
    bool skip_me;
    int64_t max_age_s; /* at least so old; 0: any */
};

/* Compared as texts, so that what CLIENT LIST shows is what CLIENT KILL takes. */
static bool is_addr(const struct io_addr *addr, struct slice text)
{
    char shown[CLIENT_ADDR_SIZE];
    return slice_eq(slice_of(client_addr_text(addr, shown)), text);
}

static bool has_id(const struct client_filter *f, uint64_t id)
{
    for (size_t i = 0; i < f->id_count; i++) {
        int64_t wanted;
        bool number = slice_to_i64(f->ids[i], &wanted);
        CHECK(number); /* are_ids has looked */
        if (wanted > 0 && (uint64_t)wanted == id)
            return true;
    }
    return false;
}

/* Does the client pass every filter that was given? */
static bool chosen(const struct request *rq, const struct client_filter *f, const struct client *c)
{
    if (f->none || (f->skip_me && c == rq->client) ||
        (f->of_type && f->subscribers != pubsub_is_subscriber(c)))
        return false;
    if (f->ids != NULL && !has_id(f, c->id))
        return false;
    if ((f->addr != NULL && !is_addr(&c->peer, *f->addr)) ||
        (f->laddr != NULL && !is_addr(&c->local, *f->laddr)))
        return false;
    uint64_t now = rq->env->io->ops->mono_us(rq->env->io);
    CHECK(now >= c->created_us && f->max_age_s >= 0);
    return f->max_age_s == 0 || (now - c->created_us) / 1000000 >= (uint64_t)f->max_age_s;
}

/* Clients here are of type normal or pubsub; the other types of Redis have none. */
static bool read_type(struct request *rq, struct slice type, struct client_filter *f)
{
    static const char *const others[] = {"master", "replica", "slave"};
    f->subscribers = slice_eq_nocase(type, "pubsub");
    f->of_type = f->subscribers || slice_eq_nocase(type, "normal");
    if (f->of_type)
        return true;
    f->none = true;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (slice_eq_nocase(type, others[i]))
            return true;
    reply_errorf(&rq->reply, "ERR Unknown client type '%.*s'", (int)(type.len < 64 ? type.len : 64),
                 (const char *)type.ptr);
    return false;
}

/* Integers, all of them. As in Redis, LIST takes any, KILL none below 1. */
static bool are_ids(const struct slice *ids, size_t count, int64_t min)
{
    int64_t id;
    for (size_t i = 0; i < count; i++)
        if (!slice_to_i64(ids[i], &id) || id < min)
            return false;
    return true;
}

/* TYPE t, or ID id ..., or nothing. Replies the error and returns false. */
static bool read_list_filter(struct request *rq, const struct slices *words,
                             struct client_filter *f)
{
    if (words->count == 2 && slice_eq_nocase(words->items[0], "TYPE"))
        return read_type(rq, words->items[1], f);
    if (words->count >= 2 && slice_eq_nocase(words->items[0], "ID")) {
        f->ids = words->items + 1;
        f->id_count = words->count - 1;
        if (are_ids(f->ids, f->id_count, INT64_MIN))
            return true;
        reply_error(&rq->reply, "ERR Invalid client ID");
        return false;
    }
    if (words->count == 0)
        return true;
    reply_error(&rq->reply, "ERR syntax error");
    return false;
}

void cmd_client_list(struct request *rq)
{
    const struct client_list_args *a = rq->args;
    struct client_filter f = {0};
    if (!read_list_filter(rq, &a->options, &f))
        return;
    struct buf text = BUF_INIT(MEM_CLIENT);
    for (const struct client *c = rq->env->clients; c != NULL; c = c->next)
        if (chosen(rq, &f, c))
            client_print(rq->env, c, &text);
    if (buf_failed(&text))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else
        reply_verbatim(&rq->reply, "txt", buf_slice(&text));
    buf_fini(&text);
}

void cmd_client_info(struct request *rq)
{
    struct buf text = BUF_INIT(MEM_CLIENT);
    client_print(rq->env, rq->client, &text);
    if (buf_failed(&text))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else
        reply_verbatim(&rq->reply, "txt", buf_slice(&text));
    buf_fini(&text);
}

/* -- UNBLOCK ----------------------------------------------------------------------------------- */

/* Whoever waits in WAITAOF, or for keys, hears now what it would have heard at its timeout, or an
 * error. Other waits end by themselves and nothing can end them sooner. */
void cmd_client_unblock(struct request *rq)
{
    const struct client_unblock_args *a = rq->args;
    bool error = a->has_reason && slice_eq_nocase(a->reason, "ERROR");
    if (a->has_reason && !error && !slice_eq_nocase(a->reason, "TIMEOUT")) {
        reply_error(&rq->reply, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    for (struct client *c = rq->env->clients; c != NULL; c = c->next)
        if (c->id == (uint64_t)a->id &&
            (log_wait_end(rq->env, c, error) || blocking_end(rq->env, c, error))) {
            reply_int(&rq->reply, 1);
            return;
        }
    reply_int(&rq->reply, 0);
}

/* -- KILL -------------------------------------------------------------------------------------- */

/* Replies +OK or -ERR when by_addr, else how many were closed. Oneself comes last, so that the
 * reply is among those that still leave. */
static void kill_clients(struct request *rq, const struct client_filter *f, bool by_addr)
{
    int64_t killed = 0;
    bool me = chosen(rq, f, rq->client);
    for (struct client *c = rq->env->clients, *next; c != NULL; c = next) {
        next = c->next;
        if (c == rq->client || !chosen(rq, f, c) || (c->flags & CLIENT_CLOSE_AFTER_REPLY))
            continue;
        rq->env->hooks->kill(rq->env, c);
        killed++;
    }
    if (!by_addr)
        reply_int(&rq->reply, killed + me);
    else if (killed + me > 0)
        reply_simple(&rq->reply, "OK");
    else
        reply_error(&rq->reply, "ERR No such client");
    if (me)
        rq->env->hooks->kill(rq->env, rq->client);
}

/* The readers of KILL's filters: each replies the error and returns false when its value is none.
 */
static bool read_max_age(struct request *rq, struct slice value, struct client_filter *f)
{
    if (!slice_to_i64(value, &f->max_age_s))
        reply_error(&rq->reply, "ERR maxage is not an integer or out of range");
    else if (f->max_age_s <= 0)
        reply_error(&rq->reply, "ERR maxage should be greater than 0");
    else
        return true;
    return false;
}

static bool read_id(struct request *rq, const struct slice *value, struct client_filter *f)
{
    f->ids = value;
    f->id_count = 1;
    if (are_ids(value, 1, 1))
        return true;
    reply_error(&rq->reply, "ERR client-id should be greater than 0");
    return false;
}

static bool read_user(struct request *rq, struct slice user)
{
    if (slice_eq(user, slice_of("default")))
        return true;
    reply_errorf(&rq->reply, "ERR No such user '%.*s'", (int)(user.len < 64 ? user.len : 64),
                 (const char *)user.ptr);
    return false;
}

static bool read_skip_me(struct request *rq, struct slice value, struct client_filter *f)
{
    f->skip_me = slice_eq_nocase(value, "YES");
    if (f->skip_me || slice_eq_nocase(value, "NO"))
        return true;
    reply_error(&rq->reply, "ERR syntax error");
    return false;
}

/* One filter with its value; several must all hold. */
static bool read_kill_filter(struct request *rq, struct slice name, const struct slice *value,
                             struct client_filter *f)
{
    if (slice_eq_nocase(name, "ID"))
        return read_id(rq, value, f);
    if (slice_eq_nocase(name, "TYPE"))
        return read_type(rq, *value, f);
    if (slice_eq_nocase(name, "USER"))
        return read_user(rq, *value);
    if (slice_eq_nocase(name, "SKIPME"))
        return read_skip_me(rq, *value, f);
    if (slice_eq_nocase(name, "MAXAGE"))
        return read_max_age(rq, *value, f);
    if (slice_eq_nocase(name, "ADDR"))
        f->addr = value;
    else if (slice_eq_nocase(name, "LADDR"))
        f->laddr = value;
    else {
        reply_error(&rq->reply, "ERR syntax error");
        return false;
    }
    return true;
}

void cmd_client_kill(struct request *rq)
{
    const struct client_kill_args *a = rq->args;
    const struct slice *words = a->options.items;
    CHECK(a->options.count > 0); /* without any filter all clients would be chosen */
    if (a->options.count == 1) {
        /* CLIENT KILL ip:port, as it was before filters. */
        kill_clients(rq, &(struct client_filter){.addr = &words[0]}, true);
        return;
    }
    if (a->options.count % 2 != 0) {
        reply_error(&rq->reply, "ERR syntax error");
        return;
    }
    struct client_filter f = {.skip_me = true};
    for (size_t i = 0; i < a->options.count; i += 2)
        if (!read_kill_filter(rq, words[i], &words[i + 1], &f))
            return;
    kill_clients(rq, &f, false);
}
