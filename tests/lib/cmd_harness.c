#include "lib/cmd_harness.h"

#include "base/words.h"
#include "cmd/bulk_add.h"
#include "cmd/gate.h"
#include "cmd/log_wait.h"
#include "cmd/saving.h"

enum { WORDS_MAX = 64, SHOWN_MAX = 400, WAIT_US = 60 * 1000 * 1000 };

static void on_kill(struct cmd_env *env, struct client *client)
{
    struct harness *h = env->server;
    h->killed++;
    h->last_killed = client;
    h->killed_with_bytes = client->out.len;
    client->flags |= CLIENT_CLOSE_AFTER_REPLY;
}

static void on_resume(struct cmd_env *env, struct client *client)
{
    (void)env;
    (void)client;
}

static void on_shutdown(struct cmd_env *env, enum shutdown_save save)
{
    struct harness *h = env->server;
    h->shutdowns++;
    h->last_shutdown = save;
}

static void on_reconfigure(struct cmd_env *env)
{
    struct harness *h = env->server;
    h->reconfigured++;
    harness_reconfigure(h);
}

static void on_saved(struct persist *p, enum err e)
{
    struct harness *h = p->user;
    saving_on_done(&h->env, e);
}

static void on_loaded(struct persist *p, enum err e)
{
    struct harness *h = p->user;
    CHECK(e == OK && !persist_loading(&h->persist));
}

static void on_stable(struct persist *p)
{
    struct harness *h = p->user;
    gate_on_stable(&h->env);
    log_wait_wake(&h->env);
}

static void on_stopped(struct persist *p)
{
    struct harness *h = p->user;
    db_clear(&h->db);
}

static const struct persist_events persist_events = {.on_loaded = on_loaded,
                                                     .on_stable = on_stable,
                                                     .on_room = on_stable,
                                                     .on_saved = on_saved,
                                                     .on_stopped = on_stopped};

static bool is_loaded(void *user)
{
    struct harness *h = user;
    return h->persist.state == PERSIST_SERVING;
}

static struct persist_settings settings(const struct harness *h, bool logs)
{
    return (struct persist_settings){.appendonly = logs,
                                     .policy = AOF_EVERYSEC,
                                     .segment_size = h->config.aof_segment_size,
                                     .buffer_max = h->config.aof_buffer_limit};
}

void harness_start_log(struct harness *h)
{
    struct persist_settings logs = settings(h, true);
    persist_set(&h->persist, &logs);
}

static void open_folder(struct harness *h)
{
    struct persist_options options = {
        .dir = "data", .run_id = h->env.run_id, .settings = settings(h, false)};
    h->log.level = LOG_WARNING + 1;
    persist_init(&h->persist, sim_io(h->sim), &h->db, &h->log, &persist_events, h);
    CHECK(persist_open(&h->persist, &options, NULL) == OK);
    persist_load(&h->persist);
    bool loaded = sim_run_until(h->sim, is_loaded, h, WAIT_US);
    CHECK(loaded);
    h->env.persist = &h->persist;
    h->env.saver = &h->persist.saver;
}

static const struct cmd_hooks hooks = {
    .kill = on_kill, .resume = on_resume, .shutdown = on_shutdown, .reconfigure = on_reconfigure};

struct harness *harness_new(void)
{
    struct harness *h = mem_calloc(MEM_TEST, sizeof(*h));
    h->sim = sim_new(1, NULL);
    config_init(&h->config);
    struct why why;
    struct db_options options = {
        .maxmemory = h->config.maxmemory,
        .flat_rows_max = (uint32_t)h->config.flat_rows_max,
        .pending_scan_bytes = h->config.pending_scan_bytes,
    };
    CHECK(vec_kernels_choose("auto", &options.kernels, &why) == OK);
    db_init(&h->db, sim_io(h->sim), &options);
    cmd_env_init(&h->env, sim_io(h->sim), &h->db, &h->config, &h->stats);
    h->env.hooks = &hooks;
    h->env.server = h;
    open_folder(h);
    h->client = harness_add_client(h, "127.0.0.1", 50001);
    return h;
}

void harness_reconfigure(struct harness *h)
{
    h->db.maxmemory = h->config.maxmemory;
    h->db.env.flat_rows_max = (uint32_t)h->config.flat_rows_max;
    h->db.env.pending_scan_bytes = h->config.pending_scan_bytes;
    watch_listen(&h->env);
}

struct client *harness_add_client(struct harness *h, const char *host, int port)
{
    struct client *c = mem_calloc(MEM_TEST, sizeof(*c));
    client_init(c, h->env.client_count + 1, sim_now_us(h->sim));
    c->flags |= CLIENT_AUTHENTICATED;
    c->peer.port = port;
    c->local.port = 6379;
    (void)snprintf(c->peer.host, sizeof(c->peer.host), "%s", host);
    (void)snprintf(c->local.host, sizeof(c->local.host), "127.0.0.1");
    c->prev = h->env.clients_last;
    if (c->prev != NULL)
        c->prev->next = c;
    else
        h->env.clients = c;
    h->env.clients_last = c;
    h->env.client_count++;
    return c;
}

static bool db_is_idle(void *user)
{
    struct harness *h = user;
    return db_idle(&h->db) && h->persist.state == PERSIST_STOPPED;
}

void harness_free(struct harness *h)
{
    while (h->env.clients != NULL) {
        struct client *c = h->env.clients;
        h->env.clients = c->next;
        client_abandon(&h->env, c);
        client_fini(c);
        mem_free(MEM_TEST, c);
    }
    persist_stop(&h->persist, PERSIST_NO_SAVE);
    bool idle = sim_run_until(h->sim, db_is_idle, h, WAIT_US);
    CHECK(idle);
    persist_fini(&h->persist);
    cmd_env_fini(&h->env);
    db_fini(&h->db);
    sim_free(h->sim);
    mem_free(MEM_TEST, h);
}

static bool client_goes_on(void *user)
{
    const struct client *c = user;
    return !c->blocked;
}

struct slice harness_run_args(struct harness *h, int proto, const struct slice *argv, size_t argc)
{
    struct client *c = h->client;
    if (proto != 0)
        c->proto = proto;
    buf_clear(&c->out, SIZE_MAX);
    do {
        c->retry = false;
        command_run(&h->env, c, argv, argc);
        if (c->bulk_add != NULL) /* argv stays until it is over */
            bulk_add_keep(c->bulk_add, BUF_INIT(MEM_CLIENT),
                          (struct resp_words){.text = BUF_INIT(MEM_CLIENT)});
        bool goes_on = sim_run_until(h->sim, client_goes_on, c, WAIT_US);
        CHECK(goes_on || blocking_end(&h->env, c, false)); /* it would wait for keys for ever */
    } while (c->retry);
    CHECK(!buf_failed(&c->out));
    return buf_slice(&c->out);
}

struct slice harness_run(struct harness *h, int proto, const char *line)
{
    struct slice left = slice_of(line), argv[WORDS_MAX];
    uint8_t *spare = mem_alloc(MEM_TEST, left.len + 1), *at = spare;
    size_t argc = 0;
    enum words_status status;
    while ((status = words_next(&left, &at, &argv[argc])) == WORDS_WORD) {
        argc++;
        CHECK(argc < WORDS_MAX);
    }
    CHECK(status == WORDS_END && argc > 0);
    struct slice reply = harness_run_args(h, proto, argv, argc);
    mem_free(MEM_TEST, spare);
    return reply;
}

/* Takes one line off the front; false when there is none. */
static bool take_line(struct slice *left, struct slice *line)
{
    const uint8_t *end = left->len < 2 ? NULL : memmem(left->ptr, left->len, "\r\n", 2);
    if (end == NULL)
        return false;
    *line = (struct slice){left->ptr, (size_t)(end - left->ptr)};
    *left = (struct slice){end + 2, left->len - line->len - 2};
    return true;
}

/* Takes one value off the front, without its members; *more gets how many of these follow. */
static bool take_value(struct slice *left, int proto, size_t *more)
{
    struct slice line;
    int64_t count = 0;
    if (!take_line(left, &line) || line.len == 0)
        return false;
    uint8_t type = line.ptr[0];
    struct slice rest = {line.ptr + 1, line.len - 1};
    *more = 0;
    if (type == '+' || type == '-')
        return true;
    if (proto == 3 && (type == '_' || type == '#' || type == ','))
        return true;
    if (!slice_to_i64(rest, &count))
        return false;
    if (type == ':' || (proto == 2 && count == -1 && (type == '$' || type == '*')))
        return true;
    if (count < 0)
        return false;
    *more = (size_t)count << (type == '%');
    if (type == '*' || (proto == 3 && (type == '%' || type == '~')))
        return true;
    if ((type != '$' && !(proto == 3 && type == '=')) || left->len < (size_t)count + 2)
        return false;
    *more = 0;
    bool ended = memcmp(left->ptr + count, "\r\n", 2) == 0;
    *left = (struct slice){left->ptr + count + 2, left->len - (size_t)count - 2};
    return ended;
}

bool reply_is_well_formed(struct slice reply, int proto)
{
    size_t wanted = 1, more;
    for (; wanted > 0; wanted += more - 1)
        if (!take_value(&reply, proto, &more))
            return false;
    return reply.len == 0;
}

/* The reply with CR and LF written out, for a message. */
static const char *shown(struct slice s, char text[SHOWN_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < s.len && n + 5 < SHOWN_MAX; i++) {
        uint8_t c = s.ptr[i];
        if (c == '\r' || c == '\n')
            n += (size_t)snprintf(text + n, SHOWN_MAX - n, "%s", c == '\r' ? "\\r" : "\\n");
        else if (c < ' ' || c > '~')
            n += (size_t)snprintf(text + n, SHOWN_MAX - n, "\\x%02x", c);
        else
            text[n++] = (char)c;
    }
    text[n] = '\0';
    return text;
}

void harness_expect(const char *file, int at, struct harness *h, int proto, const char *line,
                    const char *reply)
{
    char got[SHOWN_MAX], wanted[SHOWN_MAX];
    struct slice r = harness_run(h, proto, line);
    if (!slice_eq(r, slice_of(reply)))
        test_fail(file, at, "RESP%d %s\n    replies  %s\n    expected %s", h->client->proto, line,
                  shown(r, got), shown(slice_of(reply), wanted));
}

void harness_expect_part(const char *file, int at, struct harness *h, int proto, const char *line,
                         const char *part, bool there)
{
    char got[SHOWN_MAX], wanted[SHOWN_MAX];
    struct slice r = harness_run(h, proto, line);
    bool found = r.len > 0 && memmem(r.ptr, r.len, part, strlen(part)) != NULL;
    if (found != there)
        test_fail(file, at, "RESP%d %s\n    replies  %s\n    %s %s", h->client->proto, line,
                  shown(r, got), there ? "which lacks" : "which has",
                  shown(slice_of(part), wanted));
}
