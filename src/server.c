/* The server put together. Whatever may run commands stands between server_begin and server_end;
 * clients that are unblocked inside go on at the outermost end, so that no command ever runs inside
 * another and the stack stays flat however many clients wait on one another. */
#include "server.h"

#include <stdlib.h>

#include "cmd/gate.h"
#include "cmd/log_wait.h"
#include "cmd/saving.h"

#include "cmd/expire.h"

enum {
    CRON_US = 100 * 1000,
    CRON_CONN_CHECK_TICKS = 10,
    EXPIRE_PAUSE_US = 1000 /* for clients, while many keys expire */
};

/* -- clients that go on ------------------------------------------------------------------------ */

void server_begin(struct server *server)
{
    server->depth++;
}

void server_end(struct server *server)
{
    CHECK(server->depth > 0);
    while (server->depth == 1 && server->ready != NULL) {
        struct conn *c = server->ready;
        CHECK(c->ready);
        server->ready = c->ready_next;
        if (server->ready == NULL)
            server->ready_last = &server->ready;
        c->ready = false;
        conn_go_on(c);
    }
    server->depth--;
}

/* Puts the client at the end of the ready list: who was unblocked first goes on first. */
static void on_resume(struct cmd_env *env, struct client *client)
{
    struct server *server = env->server;
    struct conn *c = (struct conn *)client;
    CHECK(c->server == server);
    if (c->ready || c->closed)
        return;
    c->ready = true;
    c->ready_next = NULL;
    CHECK(*server->ready_last == NULL);
    *server->ready_last = c;
    server->ready_last = &c->ready_next;
    server_begin(server);
    server_end(server);
}

/* Takes a connection that is gone out of the ready list. Rare, so it walks. */
static void drop_ready(struct server *server, struct conn *c)
{
    struct conn **at = &server->ready;
    while (*at != NULL && *at != c)
        at = &(*at)->ready_next;
    CHECK(*at == c);
    *at = c->ready_next;
    server->ready_last = &server->ready;
    while (*server->ready_last != NULL)
        server->ready_last = &(*server->ready_last)->ready_next;
}

void server_adopt(struct server *server, struct conn *c)
{
    struct cmd_env *env = &server->env;
    struct client *client = &c->session.client;
    CHECK((env->client_count == 0) == (env->clients_last == NULL));
    client->prev = env->clients_last;
    client->next = NULL;
    if (env->clients_last != NULL)
        env->clients_last->next = client;
    else
        env->clients = client;
    env->clients_last = client;
    env->client_count++;
}

/* Jobs of the data come back before the end is reported: they work on memory that server_fini
 * frees. */
static void check_stopped(struct server *server)
{
    if (server->stopping && server->env.client_count == 0 && server->listeners_open == 0 &&
        server->persist.state == PERSIST_STOPPED && db_idle(&server->db) &&
        offload_idle(&server->offload) && server->env.rewrites == 0 && server->on_stopped != NULL)
        server->on_stopped(server);
}

void server_forget(struct server *server, struct conn *c)
{
    struct cmd_env *env = &server->env;
    struct client *client = &c->session.client;
    CHECK(client->prev != NULL || env->clients == client);
    CHECK(client->next != NULL || env->clients_last == client);
    if (client->prev != NULL)
        client->prev->next = client->next;
    else
        env->clients = client->next;
    if (client->next != NULL)
        client->next->prev = client->prev;
    else
        env->clients_last = client->prev;
    CHECK(env->client_count > 0);
    env->client_count--;
    if (c->ready)
        drop_ready(server, c);
    check_stopped(server);
}

/* -- hooks of commands ------------------------------------------------------------------------- */

static void on_kill(struct cmd_env *env, struct client *client)
{
    (void)env;
    conn_close_soon((struct conn *)client);
}

static void stop(struct server *server, enum persist_save save);

static void on_shutdown(struct cmd_env *env, enum shutdown_save save)
{
    static const enum persist_save as[] = {[SHUTDOWN_SAVE_IF_NEEDED] = PERSIST_SAVE_IF_NEEDED,
                                           [SHUTDOWN_SAVE] = PERSIST_SAVE,
                                           [SHUTDOWN_NO_SAVE] = PERSIST_NO_SAVE};
    struct server *server = env->server;
    server->shutdown = env->deferred = true;
    server->shutdown_save = as[save];
}

static struct persist_settings settings_of(const struct config *config)
{
    static const enum aof_policy policies[] = {
        [FSYNC_ALWAYS] = AOF_ALWAYS, [FSYNC_EVERYSEC] = AOF_EVERYSEC, [FSYNC_NO] = AOF_NO};
    _Static_assert((int)CONFIG_SAVE_POINTS_MAX <= (int)SAVE_POINTS_MAX, "all fit");
    struct persist_settings s = {.appendonly = config->appendonly,
                                 .policy = policies[config->appendfsync],
                                 .segment_size = config->aof_segment_size,
                                 .buffer_max = config->aof_buffer_limit,
                                 .save_or_refuse = config->stop_writes_on_bgsave_error,
                                 .growth_min = config->auto_aof_rewrite_min_size,
                                 .growth_percent = (uint32_t)config->auto_aof_rewrite_percentage};
    s.save_points.count = (size_t)config->save.count;
    for (size_t i = 0; i < s.save_points.count; i++)
        s.save_points.list[i] = (struct save_point){(uint64_t)config->save.list[i].seconds,
                                                    (uint64_t)config->save.list[i].changes};
    return s;
}

static struct offload_settings offload_settings_of(const struct config *config)
{
    return (struct offload_settings){
        .interval_us = (uint64_t)config->object_store_interval * 1000 * 1000,
        .policy = {.count = (uint64_t)config->object_store_retention_count,
                   .age_ms = (uint64_t)config->object_store_retention_age * 1000},
        .backlog_bytes = config->object_store_backlog};
}

/* The options that somebody keeps a copy of; all others are read where they are used. */
static void on_reconfigure(struct cmd_env *env)
{
    struct server *server = env->server;
    CHECK(env->config == &server->config);
    server->db.maxmemory = server->config.maxmemory;
    server->db.env.flat_rows_max = (uint32_t)server->config.flat_rows_max;
    server->db.env.pending_scan_bytes = server->config.pending_scan_bytes;
    recall_set(&server->db.recall, (unsigned)server->config.recall_cpu_percent,
               (uint32_t)server->config.recall_sample_every);
    server->log.level = server->config.loglevel;
    watch_listen(env);
    server->reconfigured = env->deferred = true;
    if (server->on_configured != NULL)
        server->on_configured(server);
}

static void on_deferred(struct cmd_env *env)
{
    struct server *server = env->server;
    if (server->reconfigured) {
        struct persist_settings settings = settings_of(&server->config);
        struct offload_settings offload = offload_settings_of(&server->config);
        server->reconfigured = false;
        persist_set(&server->persist, &settings);
        offload_set(&server->offload, &offload);
    }
    if (server->shutdown)
        stop(server, server->shutdown_save);
}

static const struct cmd_hooks hooks = {
    .kill = on_kill,
    .resume = on_resume,
    .shutdown = on_shutdown,
    .reconfigure = on_reconfigure,
    .deferred = on_deferred,
};

/* -- data on disk ------------------------------------------------------------------------------ */

static void on_loaded(struct persist *p, enum err e)
{
    struct server *server = p->user;
    if (e == OK) {
        log_line(&server->log, LOG_NOTICE, "ready to accept connections, port %d",
                 server->env.port);
        server_begin(server);
        offload_serve(&server->offload);
        server_end(server);
        return;
    }
    server->failed = true;
    log_line(&server->log, LOG_WARNING, "cannot load the data in %.400s: %s", p->dir,
             p->why.text[0] != '\0' ? p->why.text : err_text(e));
    if (e == ERR_CORRUPT)
        log_line(&server->log, LOG_WARNING,
                 "nothing was changed. Started with --repair, the server keeps all that can be "
                 "proven good and sets the rest aside");
    stop(server, PERSIST_NO_SAVE);
}

/* Replies may leave, and clients go on that waited for the log. */
static void on_stable(struct persist *p)
{
    struct server *server = p->user;
    server_begin(server);
    gate_on_stable(&server->env);
    log_wait_wake(&server->env);
    server_end(server);
}

static void on_saved(struct persist *p, enum err e)
{
    struct server *server = p->user;
    server_begin(server);
    saving_on_done(&server->env, e);
    offload_saved(&server->offload, e);
    server_end(server);
}

/* What is on the disk is all there is going to be. */
static void on_persist_stopped(struct persist *p)
{
    struct server *server = p->user;
    db_clear(&server->db);
    check_stopped(server);
}

static const struct persist_events persist_events = {
    .on_loaded = on_loaded,
    .on_stable = on_stable,
    .on_room = on_stable,
    .on_saved = on_saved,
    .on_stopped = on_persist_stopped,
};

/* The folder is as it is to be loaded. */
static void on_prepared(struct offload *o, enum err e)
{
    struct server *server = o->user;
    if (server->stopping) {
        check_stopped(server);
        return;
    }
    if (e == OK) {
        persist_load(&server->persist);
        return;
    }
    server->failed = true;
    log_line(&server->log, LOG_WARNING, "cannot restore: %s", o->why.text);
    stop(server, PERSIST_NO_SAVE);
}

static void on_alter_short(void *user, struct collection *c)
{
    struct server *server = user;
    struct slice key = object_key(c->object);
    log_line(&server->log, LOG_WARNING,
             "no memory for another index of '%.*s': it stays as it is, and this is tried again",
             (int)(key.len < 64 ? key.len : 64), (const char *)key.ptr);
}

static const char *environment(const char *name)
{
    return getenv(name);
}

static struct offload_options offload_options_of(const struct config *c)
{
    struct object_store_options store = {
        .url = c->object_store,
        .endpoint = c->object_store_endpoint,
        .region = c->object_store_region,
        .path_style = (enum object_path_style)c->object_store_path_style,
        .backend = (enum object_backend)c->object_store_backend,
        .access_key = c->object_store_access_key,
        .secret_key = c->object_store_secret_key,
        .session_token = c->object_store_session_token,
        .credentials_file = c->object_store_credentials_file,
        .profile = c->object_store_profile,
        .ca_file = c->object_store_ca_file,
        .connect_timeout_ms = (uint32_t)c->object_store_connect_timeout * 1000,
        .timeout_ms = (uint32_t)c->object_store_timeout * 1000,
        .retries = (uint32_t)c->object_store_retries,
        .part_size = c->object_store_part_size,
        .env = environment,
    };
    _Static_assert((int)PATH_STYLE_AUTO == (int)OBJECT_PATH_STYLE_AUTO &&
                       (int)PATH_STYLE_YES == (int)OBJECT_PATH_STYLE_YES &&
                       (int)PATH_STYLE_NO == (int)OBJECT_PATH_STYLE_NO,
                   "the same order");
    _Static_assert((int)STORE_BACKEND_CURL == (int)OBJECT_BACKEND_CURL &&
                       (int)STORE_BACKEND_LIBS3 == (int)OBJECT_BACKEND_LIBS3,
                   "the same order");
    return (struct offload_options){.store = store,
                                    .restore_from = c->restore_from,
                                    .restore_at = c->restore_at,
                                    .settings = offload_settings_of(c)};
}

static enum err open_folder(struct server *server, struct why *why)
{
    struct persist_options options = {.dir = server->config.dir,
                                      .run_id = server->env.run_id,
                                      .repair = server->config.repair,
                                      .refuse_torn = !server->config.aof_load_truncated,
                                      .settings = settings_of(&server->config)};
    enum err e = persist_open(&server->persist, &options, why);
    if (e != OK)
        return e;
    server->env.saver = &server->persist.saver;
    server->env.offload = &server->offload;
    return OK;
}

/* -- listening --------------------------------------------------------------------------------- */

static void on_accept(struct io_listener *listener, struct io_stream *stream)
{
    struct server *server = listener->user;
    CHECK(!server->stopping); /* nobody would close what comes now */
    conn_open(server, stream);
}

static void on_listener_closed(struct io_listener *listener)
{
    struct server *server = listener->user;
    CHECK(server->listeners_open > 0);
    server->listeners_open--;
    check_stopped(server);
}

/* One more address. ERR_LIMIT, or what io says of it. */
static enum err listen_on(struct server *server, const struct io_addr *addr, struct why *why)
{
    if (server->listener_count == SERVER_LISTENERS_MAX)
        return why_set(why, ERR_LIMIT, "bind: at most %d addresses", SERVER_LISTENERS_MAX);
    struct io_listener *listener = &server->listeners[server->listener_count];
    *listener = (struct io_listener){
        .on_accept = on_accept, .on_closed = on_listener_closed, .user = server};
    enum err e =
        server->io->ops->listen(server->io, listener, addr, server->config.tcp_backlog, why);
    if (e != OK)
        return e;
    server->listener_count++;
    server->listeners_open++;
    CHECK(server->listeners_open == server->listener_count); /* none closes before the stop */
    if (!addr->is_unix)
        server->env.port = listener->addr.port;
    return OK;
}

/* One word of bind. A leading '-' allows the address to be missing on this machine. */
static enum err listen_on_word(struct server *server, struct slice word, struct why *why)
{
    struct io_addr addr = {.port = server->config.port};
    bool optional = word.len > 0 && word.ptr[0] == '-';
    if (optional)
        word = (struct slice){word.ptr + 1, word.len - 1};
    if (slice_eq(word, slice_of("*")))
        word = slice_of("0.0.0.0");
    else if (slice_eq(word, slice_of("::*")))
        word = slice_of("::");
    if (word.len >= sizeof(addr.host))
        return why_set(why, ERR_ARG, "bind: an address is too long");
    memcpy(addr.host, word.ptr, word.len);
    enum err e = listen_on(server, &addr, why);
    return optional && e != OK && e != ERR_EXISTS ? OK : e;
}

/* The words of bind, then the Unix socket. ERR_ARG when that is nothing at all. */
static enum err listen_on_all(struct server *server, struct why *why)
{
    const struct config *config = &server->config;
    enum err e = OK;
    const char *at = config->bind;
    while (config->port > 0 && *at != '\0' && e == OK) {
        at += strspn(at, " ");
        size_t len = strcspn(at, " ");
        if (len > 0)
            e = listen_on_word(server, (struct slice){(const uint8_t *)at, len}, why);
        at += len;
    }
    if (e == OK && config->unixsocket[0] != '\0') {
        struct io_addr addr = {.is_unix = true, .unix_mode = config->unixsocketperm};
        memcpy(addr.host, config->unixsocket, strlen(config->unixsocket) + 1);
        e = listen_on(server, &addr, why);
    }
    if (e == OK && server->listener_count == 0)
        return why_set(why, ERR_ARG, "nothing to listen on: set port or unixsocket");
    return e;
}

static void close_listeners(struct server *server)
{
    for (size_t i = 0; i < server->listener_count; i++)
        server->io->ops->listener_close(&server->listeners[i]);
    server->listener_count = 0;
}

/* -- time -------------------------------------------------------------------------------------- */

/* A look at every client for idle ones and slow readers; conn_check may close the one it is given,
 * which stays in the list until its stream is closed. */
static void check_conns(struct server *server)
{
    uint64_t now = server->io->ops->mono_us(server->io);
    struct client *next;
    for (struct client *client = server->env.clients; client != NULL; client = next) {
        next = client->next;
        conn_check((struct conn *)client, now);
    }
}

/* A slice of the keys that have expired, and soon the next one. */
static void on_expire(struct io_timer *timer)
{
    struct server *server = timer->user;
    server_begin(server);
    bool more = !server->stopping && expire_some(&server->env);
    more |= !server->stopping && evict_some(&server->env);
    if (more)
        server->io->ops->timer_start(server->io, timer, EXPIRE_PAUSE_US);
    server_end(server);
}

/* Ten times a second, for as long as the server stands. */
static void on_cron(struct io_timer *timer)
{
    struct server *server = timer->user;
    server->env.ticks++;
    mem_note_peak();
    on_expire(&server->expire);
    persist_tick(&server->persist);
    server_begin(server);
    offload_tick(&server->offload);
    if (server->env.ticks % CRON_CONN_CHECK_TICKS == 0) {
        check_conns(server);
        counters_tick(&server->env);
    }
    server_end(server);
    check_stopped(server);
    server->io->ops->timer_start(server->io, timer, CRON_US);
}

void server_note_turn(struct server *server, uint64_t busy_us)
{
    latency_note_turn(&server->env, busy_us);
}

/* -- start and end ----------------------------------------------------------------------------- */

enum err server_start(struct server *server, struct io *io, const struct config *config, FILE *log,
                      struct why *why)
{
    const struct vec_kernels *kernels;
    *server = (struct server){.io = io, .config = *config, .next_client_id = 1};
    server->ready_last = &server->ready;
    server->log = (struct log){.out = log, .level = config->loglevel};
    enum err e = vec_kernels_choose(config->kernels, &kernels, why);
    if (e != OK)
        return e;
    struct db_options options = {
        .kernels = kernels,
        .maxmemory = config->maxmemory,
        .flat_rows_max = (uint32_t)config->flat_rows_max,
        .pending_scan_bytes = config->pending_scan_bytes,
    };
    db_init(&server->db, io, &options);
    server->db.background.on_alter_short = on_alter_short;
    server->db.background.alter_user = server;
    recall_set(&server->db.recall, (unsigned)server->config.recall_cpu_percent,
               (uint32_t)server->config.recall_sample_every);
    cmd_env_init(&server->env, io, &server->db, &server->config, &server->stats);
    server->env.hooks = &hooks;
    server->env.server = server;
    server->env.persist = &server->persist;
    watch_listen(&server->env);
    persist_init(&server->persist, io, &server->db, &server->log, &persist_events, server);
    struct offload_options offload = offload_options_of(&server->config);
    offload_init(&server->offload, io, &server->persist, &server->log, &offload);
    e = open_folder(server, why);
    if (e == OK)
        e = listen_on_all(server, why);
    if (e != OK) {
        server_stop(server);
        return e;
    }
    server->cron = (struct io_timer){.fn = on_cron, .user = server};
    server->expire = (struct io_timer){.fn = on_expire, .user = server};
    io->ops->timer_start(io, &server->cron, CRON_US);
    log_line(&server->log, LOG_NOTICE,
             "listening on port %d, %u workers, %s kernels, data in %.400s", server->env.port,
             io->ops->lane_count(io), kernels->name, config->dir);
    offload_prepare(&server->offload, on_prepared, server);
    return OK;
}

static void stop(struct server *server, enum persist_save save)
{
    if (server->stopping)
        return;
    server->stopping = true;
    log_line(&server->log, LOG_NOTICE, "stopping");
    close_listeners(server);
    struct client *next;
    for (struct client *client = server->env.clients; client != NULL; client = next) {
        next = client->next;
        conn_close((struct conn *)client);
    }
    offload_stop(&server->offload);
    persist_stop(&server->persist, save);
    check_stopped(server);
}

void server_stop(struct server *server)
{
    stop(server, PERSIST_SAVE_IF_NEEDED);
}

void server_fini(struct server *server)
{
    CHECK(server->env.client_count == 0 && server->listeners_open == 0);
    CHECK(server->depth == 0 && server->ready == NULL);
    server->io->ops->timer_stop(server->io, &server->cron);
    server->io->ops->timer_stop(server->io, &server->expire);
    cmd_env_fini(&server->env);
    offload_fini(&server->offload);
    persist_fini(&server->persist);
    db_fini(&server->db);
}
