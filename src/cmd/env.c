/* Clients that wait. One is blocked for exactly one reason: a search runs for it, or it waits for
 * room in a pending set, or for a snapshot. All end in client_unblock, which lets the server go on
 * with it. */
#include "cmd/env.h"

#include "cmd/bulk_add.h"
#include "cmd/command.h"
#include "cmd/key_list.h"
#include "cmd/log_wait.h"
#include "cmd/monitor.h"
#include "cmd/rewrite.h"
#include "cmd/saving.h"
#include "cmd/multi.h"
#include "cmd/removal.h"
#include "cmd/text_ahead.h"
#include "db/search.h"

/* May a client go on that waits for the pending rows of c? */
static bool has_room(const struct client *client, const struct collection *c)
{
    if (c->dropped)
        return true;
    return client->retry ? pending_count(&c->side->pending) == 0 : !collection_pending_full(c);
}

/* Writers that wait hear of it when rows were linked. */
static void on_room(void *user, struct collection *only)
{
    struct cmd_env *env = user;
    for (struct client *client = env->clients; client != NULL; client = client->next) {
        struct collection *c = client->waits_for_room;
        if (c == NULL || (only != NULL && c != only) || !has_room(client, c))
            continue;
        CHECK(client->blocked && c->pending_waiters > 0);
        client->waits_for_room = NULL;
        client->held_from = SIZE_MAX;
        c->pending_waiters--;
        client_unblock(env, client);
    }
}

/* digits of them, and a NUL behind. */
static void random_hex(struct io *io, char *out, size_t digits)
{
    uint8_t byte;
    for (size_t i = 0; i < digits; i++) {
        io->ops->random(io, &byte, 1);
        out[i] = "0123456789abcdef"[byte & 15];
    }
    out[digits] = '\0';
}

void cmd_env_init(struct cmd_env *env, struct io *io, struct db *db, struct config *config,
                  struct stats *stats)
{
    *env = (struct cmd_env){.io = io, .db = db, .config = config, .stats = stats};
    command_names_init(&env->names);
    env->command_stats = mem_calloc(MEM_SERVER, command_count() * sizeof(*env->command_stats));
    latency_init(&env->latency);
    env->startup_bytes = mem_used_total();
    env->started_us = io->ops->mono_us(io);
    env->started_wall_us = io->ops->wall_us(io);
    watches_init(env);
    blocking_init(env);
    pubsub_init(env);
    random_hex(io, env->run_id, sizeof(env->run_id) - 1);
    CHECK(db->background.on_room == NULL); /* the data has one set of clients */
    db->background.on_room = on_room;
    db->background.user = env;
}

void cmd_env_fini(struct cmd_env *env)
{
    CHECK(env->clients == NULL && env->blocked_count == 0);
    ft_cursors_fini(env);
    removals_stop(env);
    bulk_adds_stop(env);
    blocking_fini(env);
    pubsub_fini(env);
    watches_fini(env);
    pause_fini(env);
    evict_fini(env);
    slowlog_clear(&env->slowlog);
    latency_fini(&env->latency);
    mem_free(MEM_SERVER, env->command_stats);
}

/* What the client waits for. */
static int reasons(const struct client *client)
{
    return (client->search != NULL) + (client->removal != NULL) + (client->waits_for_room != NULL) +
           (client->key_list != NULL) + (client->bulk_add != NULL) + client->waits_for_bulk +
           client->waits_for_save + client->waits_for_pause + client->waits_for_eviction +
           client->waits_for_text + (client->backup != NULL) + (client->rewriting != NULL) +
           (client->blocking != NULL) + (client->waits_for_log != CLIENT_LOG_NOTHING);
}

void client_block(struct cmd_env *env, struct client *client)
{
    CHECK(!client->blocked);
    CHECK(reasons(client) == 1);
    client->blocked = true;
    env->blocked_count++;
    CHECK(env->blocked_count <= env->client_count);
}

void client_unblock(struct cmd_env *env, struct client *client)
{
    CHECK(client->blocked && env->blocked_count > 0);
    CHECK(reasons(client) == 0);
    client->blocked = false;
    env->blocked_count--;
    mute_end(client);
    slowlog_end(env, client->slow);
    client->slow = NULL;
    monitor_catch_up(client);
    env->hooks->resume(env, client);
}

void client_abandon(struct cmd_env *env, struct client *client)
{
    multi_end(env, client);
    monitor_end(env, client);
    CHECK(reasons(client) == (client->blocked ? 1 : 0));
    if (client->search != NULL) {
        CHECK(client->search->user == client);
        client->search->user = NULL; /* it runs to its end and replies to nobody */
        if (client->search->forget != NULL)
            client->search->forget(client->search);
    }
    client->search = NULL;
    if (client->waits_for_room != NULL) {
        CHECK(client->waits_for_room->pending_waiters > 0);
        client->waits_for_room->pending_waiters--;
    }
    client->waits_for_room = NULL;
    client->waits_for_save = false;
    saving_forget(client);
    rewrite_forget(client);
    removal_forget(client);
    bulk_add_forget(client);
    pause_forget(client);
    evict_forget(env, client);
    text_ahead_forget(client);
    key_list_forget(client);
    slowlog_drop(client->slow);
    client->slow = NULL;
    log_wait_forget(env, client);
    blocking_forget(env, client);
    pubsub_forget(env, client);
    if (client->blocked) {
        CHECK(env->blocked_count > 0);
        client->blocked = false;
        env->blocked_count--;
    }
}
