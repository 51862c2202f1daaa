#include "cmd/log_wait.h"

#include "cmd/command.h"
#include "cmd/env.h"
#include "cmd/gate.h"
#include "persist/persist.h"

/* Begins to wait; ends in wake() or log_wait_forget(). */
static void wait(struct cmd_env *env, struct client *client, enum client_log_wait what)
{
    CHECK(client->waits_for_log == CLIENT_LOG_NOTHING);
    client->waits_for_log = what;
    env->log_waiters++;
    client_block(env, client);
}

static void stop_waiting(struct cmd_env *env, struct client *client)
{
    CHECK(client->waits_for_log != CLIENT_LOG_NOTHING && env->log_waiters > 0);
    if (client->waits_for_log == CLIENT_LOG_DURABLE)
        env->io->ops->timer_stop(env->io, &client->log_timer);
    client->waits_for_log = CLIENT_LOG_NOTHING;
    env->log_waiters--;
}

void log_wait_for_room(struct cmd_env *env, struct client *client)
{
    wait(env, client, CLIENT_LOG_ROOM);
}

void log_wait_forget(struct cmd_env *env, struct client *client)
{
    if (client->waits_for_log != CLIENT_LOG_NOTHING)
        stop_waiting(env, client);
}

/* -- WAITAOF ----------------------------------------------------------------------------------- */

/* How many logs, of this server and of replicas, have the client's last write for good. */
static bool is_local(const struct cmd_env *env, const struct client *client)
{
    return env->persist != NULL && persist_is_durable(env->persist, client->last_lsn);
}

static void reply_counts(struct cmd_env *env, struct client *client)
{
    struct reply reply = {&client->out, client->proto};
    reply_array(&reply, 2);
    reply_int(&reply, is_local(env, client));
    reply_int(&reply, 0); /* there are no replicas */
}

static bool has_enough(const struct cmd_env *env, const struct client *client)
{
    return client->log_replicas == 0 && (client->log_local == 0 || is_local(env, client));
}

static void answer(struct cmd_env *env, struct client *client)
{
    size_t before = client->out.len;
    stop_waiting(env, client);
    reply_counts(env, client);
    gate_replies(env, client, before, false);
    client_unblock(env, client);
}

static void on_timeout(struct io_timer *timer)
{
    struct client *client = (struct client *)((char *)timer - offsetof(struct client, log_timer));
    answer(timer->user, client);
}

bool log_wait_end(struct cmd_env *env, struct client *client, bool error)
{
    if (client->waits_for_log != CLIENT_LOG_DURABLE)
        return false;
    if (!error) {
        answer(env, client);
        return true;
    }
    struct reply reply = {&client->out, client->proto};
    stop_waiting(env, client);
    reply_error(&reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    client_unblock(env, client);
    return true;
}

/* There are no replicas, and none can come: waiting for them would be in vain. */
void cmd_wait(struct request *rq)
{
    const struct wait_args *a = rq->args;
    if (a->timeout < 0)
        reply_error(&rq->reply, "ERR timeout is negative");
    else
        reply_int(&rq->reply, 0);
}

void cmd_waitaof(struct request *rq)
{
    const struct waitaof_args *a = rq->args;
    struct cmd_env *env = rq->env;
    struct client *client = rq->client;
    if (a->timeout < 0) {
        reply_error(&rq->reply, "ERR timeout is negative");
        return;
    }
    if (a->local > 0 && (env->persist == NULL || env->persist->aof == NULL)) {
        reply_error(&rq->reply, "ERR WAITAOF cannot be used when numlocal is set but appendonly is "
                                "disabled.");
        return;
    }
    client->log_local = (unsigned)a->local;
    client->log_replicas = (uint64_t)a->replicas;
    if (has_enough(env, client) || (client->flags & CLIENT_IN_EXEC)) {
        reply_counts(env, client);
        return;
    }
    if (env->persist != NULL)
        persist_sync_soon(env->persist);
    wait(env, client, CLIENT_LOG_DURABLE);
    client->log_timer = (struct io_timer){.fn = on_timeout, .user = env};
    if (a->timeout > 0)
        env->io->ops->timer_start(env->io, &client->log_timer, (uint64_t)a->timeout * 1000);
}

/* -- waking ------------------------------------------------------------------------------------ */

/* Resuming a client runs its commands, but not before the outermost event is over (server.c), so
 * the list stays as it is while it is walked. */
void log_wait_wake(struct cmd_env *env)
{
    if (env->log_waiters == 0)
        return;
    bool room = env->persist == NULL || !persist_full(env->persist);
    for (struct client *client = env->clients; client != NULL; client = client->next) {
        if (client->waits_for_log == CLIENT_LOG_ROOM && room) {
            stop_waiting(env, client);
            client_unblock(env, client);
        } else if (client->waits_for_log == CLIENT_LOG_DURABLE && has_enough(env, client)) {
            answer(env, client);
        }
    }
}
