#include "cmd/pause.h"

#include "cmd/command.h"
#include "cmd/env.h"
#include "cmd/help.h"
#include "cmd/multi.h"

/* -- PAUSE ------------------------------------------------------------------------------------- */

/* Who was blocked goes on; resuming runs nothing before the outermost event is over. */
static void end_pause(struct cmd_env *env)
{
    env->io->ops->timer_stop(env->io, &env->pause.timer);
    env->pause.mode = PAUSE_NONE;
    for (struct client *client = env->clients; client != NULL; client = client->next) {
        if (!client->waits_for_pause)
            continue;
        client->waits_for_pause = false;
        client_unblock(env, client);
    }
}

static void on_timeout(struct io_timer *timer)
{
    end_pause(timer->user);
}

void pause_fini(struct cmd_env *env)
{
    env->io->ops->timer_stop(env->io, &env->pause.timer);
}

bool pause_takes(struct request *rq)
{
    struct cmd_env *env = rq->env;
    bool writes = (multi_flags(rq) & CMD_WRITE) != 0;
    if (!pause_is_on(&env->pause) || (env->pause.mode == PAUSE_WRITE && !writes))
        return false;
    CHECK(!rq->client->blocked && !(rq->client->flags & CLIENT_IN_EXEC));
    rq->client->waits_for_pause = rq->client->retry = true;
    client_block(env, rq->client);
    return true;
}

void pause_forget(struct client *client)
{
    client->waits_for_pause = false;
}

static bool read_timeout(struct request *rq, struct slice text, uint64_t *until_us)
{
    int64_t ms, us, until;
    uint64_t now = rq->env->io->ops->mono_us(rq->env->io);
    if (!slice_to_i64(text, &ms) || __builtin_mul_overflow(ms, 1000, &us) ||
        __builtin_add_overflow(us, (int64_t)now, &until))
        reply_error(&rq->reply, "ERR timeout is not an integer or out of range");
    else if (ms < 0)
        reply_error(&rq->reply, "ERR timeout is negative");
    else {
        *until_us = (uint64_t)until;
        return true;
    }
    return false;
}

/* A second pause makes the first longer or stricter, never shorter or milder. */
void cmd_client_pause(struct request *rq)
{
    const struct client_pause_args *a = rq->args;
    struct pause *p = &rq->env->pause;
    enum pause_mode mode = PAUSE_ALL;
    uint64_t until;
    if (a->mode.count > 1) {
        help_reply_wrong_count(rq);
        return;
    }
    if (a->mode.count == 1 && slice_eq_nocase(a->mode.items[0], "WRITE")) {
        mode = PAUSE_WRITE;
    } else if (a->mode.count == 1 && !slice_eq_nocase(a->mode.items[0], "ALL")) {
        reply_error(&rq->reply, "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    if (!read_timeout(rq, a->timeout, &until))
        return;
    p->mode = mode > p->mode ? mode : p->mode;
    p->until_us = until > p->until_us ? until : p->until_us;
    uint64_t now = rq->env->io->ops->mono_us(rq->env->io);
    p->timer.fn = on_timeout;
    p->timer.user = rq->env;
    rq->env->io->ops->timer_start(rq->env->io, &p->timer,
                                  p->until_us > now ? p->until_us - now : 0);
    reply_simple(&rq->reply, "OK");
}

void cmd_client_unpause(struct request *rq)
{
    end_pause(rq->env);
    rq->env->pause.until_us = 0;
    reply_simple(&rq->reply, "OK");
}

/* -- REPLY ------------------------------------------------------------------------------------- */

void mute_begin(struct client *client)
{
    bool skips = (client->flags & CLIENT_REPLY_SKIP_NEXT) != 0;
    bool muted = skips || (client->flags & CLIENT_REPLY_OFF);
    client->flags &= ~(unsigned)CLIENT_REPLY_SKIP_NEXT;
    client->muted_from = muted ? client->out_start + client->out.len : UINT64_MAX;
}

void mute_again(struct client *client)
{
    if (client->muted_from != UINT64_MAX && !(client->flags & CLIENT_REPLY_OFF))
        client->flags |= CLIENT_REPLY_SKIP_NEXT;
}

/* What stands of the reply goes. */
static void cut(struct client *client)
{
    if (client->muted_from == UINT64_MAX || buf_failed(&client->out))
        return;
    CHECK(client->muted_from >= client->out_start);
    uint64_t keeps = client->muted_from - client->out_start;
    CHECK(keeps <= client->out.len);
    client->out.len = (size_t)keeps;
}

void mute_push_begin(struct client *client)
{
    cut(client);
}

void mute_push_end(struct client *client)
{
    if (client->muted_from != UINT64_MAX)
        client->muted_from = client->out_start + client->out.len;
}

void mute_end(struct client *client)
{
    cut(client);
    client->muted_from = UINT64_MAX;
}

/* ON is heard, and so are its reply and all after it. */
void cmd_client_reply(struct request *rq)
{
    const struct client_reply_args *a = rq->args;
    struct client *client = rq->client;
    if (slice_eq_nocase(a->mode, "ON")) {
        client->flags &= ~(unsigned)(CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP_NEXT);
        client->muted_from = UINT64_MAX;
        reply_simple(&rq->reply, "OK");
    } else if (slice_eq_nocase(a->mode, "OFF")) {
        client->flags |= CLIENT_REPLY_OFF;
    } else if (slice_eq_nocase(a->mode, "SKIP")) {
        if (!(client->flags & CLIENT_REPLY_OFF))
            client->flags |= CLIENT_REPLY_SKIP_NEXT;
    } else {
        reply_error(&rq->reply, "ERR syntax error");
    }
}
