#include "sim/server_sim.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/rng.h"
#include "cmd/gate.h"
#include "db/batch.h"
#include "sim/inspect.h"

enum {
    SECOND_US = 1000 * 1000,
    ANSWER_MAX_US = 120 * SECOND_US, /* virtual; longer is never */
    HEARD_US = 10 * 1000,            /* by then an accept that was under way has come */
    QUIET_TRIES = 5,
    QUIET_US = 5 * SECOND_US, /* sweeps of few rows start after one */
    WAITING_MAX = 40,         /* commands of one peer without a reply */
    INSPECT_STEPS = 100
};

static const struct io_addr address = {.host = "127.0.0.1", .port = 6379};

void run_fail(struct run *r, const char *fmt, ...)
{
    if (run_failed(r))
        return;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(r->failure, sizeof(r->failure), fmt, args);
    va_end(args);
}

static uint64_t below(struct run *r, uint64_t bound)
{
    return rng_below(&r->rng, bound);
}

static bool one_in(struct run *r, uint64_t n)
{
    return below(r, n) == 0;
}

/* -- what the server has run ----------------------------------------------------------------------
 */

/* Bytes of a connection whose commands were run, or are being run. */
static uint64_t consumed(const struct session *s)
{
    return s->client.bytes_in - session_backlog(s);
}

static struct session *session_of(const struct run *r, const struct peer *p)
{
    struct client *c = r->server->env.clients;
    while (c != NULL && (p->client == NULL || c->peer.port != p->client->port))
        c = c->next;
    return (struct session *)c;
}

struct pending_note {
    const struct collection *c;
    bool *pending;
};

static void note_pending(void *user, const uint32_t *rows, size_t count)
{
    const struct pending_note *note = user;
    const struct collection *c = note->c;
    for (size_t i = 0; i < count; i++) {
        enum row_state state = collection_state(c, rows[i]);
        if (state != ROW_PENDING && state != ROW_LINKING)
            continue;
        heap_ref ref = atomic_load(column_ref(c->columns.base, COL_ID, rows[i]));
        note->pending[model_id_of(heap_get(&c->heap, ref))] = true;
    }
}

/* Which elements a search has just met that are not linked yet. */
static void look_at_pending(struct run *r, struct ask *ask)
{
    const char key[] = {'k', (char)('0' + ask->key), '\0'};
    struct collection *c = NULL;
    if (ask->op != OP_SEARCH && ask->op != OP_VMSEARCH)
        return;
    if (db_collection(&r->server->db, slice_of(key), &c) != OK || c == NULL ||
        c->side->graph == NULL)
        return;
    struct pending_span span = pending_span(&c->side->pending);
    if (span.head == span.tail)
        return;
    struct pending_note note = {c, mem_calloc(MEM_TEST, MODEL_IDS + 1)};
    ask->pending = note.pending;
    pending_each(&span, note_pending, &note);
}

/* The server's clock; it stands still while an event is handled. */
static void note_time(struct run *r)
{
    struct io *io = sim_io(r->sim);
    r->world.now_ms = io->ops->wall_us(io) / 1000;
}

static void mark_executed(struct run *r, struct peer *p, struct ask *c, uint64_t hi)
{
    c->executed = true;
    c->refusable = r->may_refuse;
    c->failures = r->failures;
    c->now_ms = r->world.now_ms;
    c->lo = r->step_lsn > p->floor ? r->step_lsn : p->floor;
    c->hi = hi;
    if (c->lo == c->hi)
        look_at_pending(r, c);
}

/* After a step: commands that ran in it saw the state before or after it, or one between. */
static void observe(struct run *r, struct peer *p)
{
    const struct session *s = session_of(r, p);
    if (s == NULL)
        return;
    uint64_t done = consumed(s);
    note_time(r);
    for (struct ask *c = p->first; c != NULL && c->end <= done; c = c->next)
        if (!c->executed)
            mark_executed(r, p, c, r->model->lsn);
}

/* The command being run: the one session that is running is at its first byte. */
static struct ask *running(struct run *r, struct peer **peer)
{
    for (unsigned i = 0; i < PEERS; i++) {
        struct peer *p = &r->peers[i];
        const struct session *s = session_of(r, p);
        if (s == NULL || !s->running)
            continue;
        *peer = p;
        struct ask *c = p->first;
        while (c != NULL && c->start != consumed(s))
            c = c->next;
        return c;
    }
    return NULL;
}

/* Each mutation of a record is held against the state before it, and changes the model. c: the
 * command that runs, NULL when none does. */
static const char *judge_record(struct run *r, struct ask *c, struct slice record, struct why *why)
{
    struct batch_reader reader;
    if (batch_open(record, &reader, why) != OK)
        return why->text;
    const char *wrong = NULL;
    while (wrong == NULL && reader.left > 0) {
        struct mutation m;
        if (batch_next(&reader, &m, why) != OK)
            return why->text;
        wrong = ask_check_change(&r->world, c, &m);
        if (wrong == NULL)
            wrong = model_apply(r->model, &m);
        mutation_free(&m);
    }
    return wrong;
}

static void on_record(struct mlog_sink *sink, uint64_t lsn, struct slice record)
{
    struct run *r = (struct run *)((char *)sink - offsetof(struct run, sink));
    struct peer *p = NULL;
    struct ask *c = running(r, &p);
    struct why why = {{0}};
    uint64_t size = record.len;
    (void)mem_fail_nth(0); /* what follows is the test's own */
    uint64_t now_us = sim_now_us(r->sim);
    buf_append(&r->times, &now_us, sizeof(now_us));
    buf_append(&r->records, &size, sizeof(size));
    buf_append_slice(&r->records, record);
    while (r->records.len % 8 != 0)
        buf_append_byte(&r->records, 0);
    note_time(r);
    for (struct ask *before = c == NULL ? NULL : p->first; before != c; before = before->next)
        if (!before->executed)
            mark_executed(r, p, before, r->model->lsn);
    if (c != NULL)
        c->now_ms = r->world.now_ms;
    model_next(r->model);
    const char *wrong = judge_record(r, c, record, &why);
    if (wrong != NULL || r->model->lsn != lsn)
        run_fail(r, "record %llu of %s: %s", (unsigned long long)lsn,
                 c == NULL ? "the server" : op_name(c->op),
                 wrong != NULL ? wrong : "not the next LSN");
    if (c != NULL) {
        ask_end_record(&r->world, c);
        p->floor = lsn;
    }
}

static uint64_t stable_lsn(const struct mlog_sink *sink)
{
    const struct run *r = (const struct run *)((const char *)sink - offsetof(struct run, sink));
    return r->slow_sink ? r->stable : UINT64_MAX;
}

/* The log becomes stable a little further, or as far as it goes. */
static void advance_stable(struct run *r)
{
    uint64_t missing = r->model->lsn - r->stable;
    if (!r->slow_sink || missing == 0 || !one_in(r, 30))
        return;
    r->stable += one_in(r, 2) ? missing : 1 + below(r, missing);
    gate_on_stable(&r->server->env);
}

/* -- replies -------------------------------------------------------------------------------------
 */

static void describe(const redisReply *r, struct buf *out, unsigned depth)
{
    if (out->len > 300)
        return;
    switch (r->type) {
    case REDIS_REPLY_INTEGER:
        buf_printf(out, "%lld ", r->integer);
        break;
    case REDIS_REPLY_NIL:
        buf_append_text(out, "nil ");
        break;
    case REDIS_REPLY_ARRAY:
        buf_printf(out, "[%zu: ", r->elements);
        for (size_t i = 0; i < r->elements && depth < 3; i++)
            describe(r->element[i], out, depth + 1);
        buf_append_text(out, "] ");
        break;
    default:
        buf_printf(out, "\"%.40s\" ", r->str);
    }
}

static void judge(struct run *r, struct peer *p, const redisReply *reply)
{
    struct ask *c = p->first;
    if (c == NULL) {
        bool last_word = p->broken && reply_is_error(reply, "Protocol error");
        if (!last_word)
            run_fail(r, "a reply that nothing was sent for");
        return;
    }
    r->world.may_refuse = c->refusable;
    const char *wrong = ask_check_reply(&r->world, c, reply);
    if (r->short_memory && c->lsn == 0 &&
        (reply_is_error(reply, "OOM") || reply_is_error(reply, "out of memory") ||
         reply_is_error(reply, "MISCONF Redis is configured to save"))) /* that had no memory */
        wrong = NULL;
    bool refused = c->lsn == 0 && (reply_is_error(reply, "MISCONF") ||
                                   (c->refusable && reply_is_error(reply, "EXECABORT")));
    /* A snapshot that memory was too short for, and no log, refuses changes likewise. */
    bool unsaved = r->short_memory && !r->config.appendonly;
    if (refused && (c->refusable || unsaved)) {
        wrong = NULL;
        r->refused++;
    }
    bool tells = !reply_is_error(reply, "Protocol error") && !refused;
    if (wrong == NULL && tells && r->slow_sink && (c->lsn > 0 ? c->lsn : c->lo) > r->stable)
        wrong = "it left before what it tells was stable";
    if (wrong != NULL) {
        struct buf text = BUF_INIT(MEM_TEST);
        describe(reply, &text, 0);
        run_fail(r, "%s k%u e%u at %llu..%llu lsn %llu: %s; replied %.*s", op_name(c->op), c->key,
                 c->ids[0], (unsigned long long)c->lo, (unsigned long long)c->hi,
                 (unsigned long long)c->lsn, wrong, (int)text.len, (const char *)text.ptr);
        buf_fini(&text);
    }
    /* What comes behind it cannot have seen less. */
    if (c->lo > p->floor)
        p->floor = c->lo;
    /* While the log cannot be written reads go on, though nobody can promise what they tell. */
    bool excused = c->refusable || c->failures != r->failures;
    uint64_t told = c->lsn > 0 ? c->lsn : excused ? 0 : c->lo;
    if (tells && told > r->told)
        r->told = told;
    if (tells && c->lsn > r->told_mine)
        r->told_mine = c->lsn;
    p->first = c->next;
    if (p->first == NULL)
        p->last = &p->first;
    if (p->waiting > 0)
        p->waiting--;
    r->replies++;
    ask_free(c);
}

static void forget_connection(struct peer *p)
{
    while (p->first != NULL) {
        struct ask *c = p->first;
        p->first = c->next;
        ask_free(c);
    }
    if (p->reader != NULL)
        redisReaderFree(p->reader);
    buf_fini(&p->unsent);
    *p = (struct peer){.unsent = BUF_INIT(MEM_TEST)};
    p->last = &p->first;
}

/* The server may go on with what it was sent until it hears of the end. */
static void end_connection(struct run *r, struct peer *p)
{
    if (p->ended_us == 0) {
        p->ended_us = sim_now_us(r->sim);
        p->waiting = 0;
        r->ended++;
        if (!p->may_end && !r->may_cut && !r->server->stopping)
            run_fail(r, "a connection ended that nobody ended");
    }
    if (session_of(r, p) == NULL && sim_now_us(r->sim) > p->ended_us + HEARD_US)
        forget_connection(p);
}

static void read_replies(struct run *r, struct peer *p)
{
    if (p->client == NULL)
        return;
    struct buf *got = &p->client->received;
    if (got->len > 0) {
        int rc = redisReaderFeed(p->reader, (const char *)got->ptr, got->len);
        CHECK(rc == REDIS_OK);
        buf_clear(got, 0);
    }
    void *reply = NULL;
    for (;;) {
        if (redisReaderGetReply(p->reader, &reply) != REDIS_OK) {
            run_fail(r, "a reply is not RESP: %s", p->reader->errstr);
            return;
        }
        if (reply == NULL)
            break;
        judge(r, p, reply);
        freeReplyObject(reply);
        if (run_failed(r))
            return;
    }
    if (p->client->closed)
        end_connection(r, p);
}

/* -- steps ---------------------------------------------------------------------------------------
 */

void run_step(struct run *r)
{
    r->step_lsn = r->model->lsn;
    r->steps++;
    advance_stable(r);
    if (r->short_memory && one_in(r, 20))
        (void)mem_fail_nth(1 + below(r, one_in(r, 4) ? 40 : 4));
    bool stepped = sim_step(r->sim);
    (void)mem_fail_nth(0); /* it is over with the step */
    if (!stepped) {
        run_fail(r, "nothing will ever happen again");
        return;
    }
    if (r->on_step != NULL)
        r->on_step(r);
    if (run_over(r))
        return;
    for (unsigned i = 0; i < PEERS; i++)
        observe(r, &r->peers[i]);
    for (unsigned i = 0; i < PEERS && !run_failed(r); i++)
        read_replies(r, &r->peers[i]);
    bool serves = !r->stopped && r->server->persist.state == PERSIST_SERVING;
    if (r->steps % INSPECT_STEPS == 0 && serves && !run_failed(r)) {
        const char *broken = inspect_db(&r->server->db, false);
        if (broken != NULL)
            run_fail(r, "after step %llu: %s", (unsigned long long)r->steps, broken);
    }
}

void run_time(struct run *r, uint64_t us)
{
    uint64_t end = sim_now_us(r->sim) + us;
    while (sim_now_us(r->sim) < end && !run_over(r))
        run_step(r);
}

/* -- clients -------------------------------------------------------------------------------------
 */

static void connect_peer(struct run *r, struct peer *p)
{
    p->client = sim_client_connect(r->sim, &address);
    p->reader = redisReaderCreate();
    p->floor = r->model->lsn;
}

static void queue_command(struct run *r, struct peer *p, struct ask *c)
{
    c->start = p->encoded;
    p->encoded += c->size;
    c->end = p->encoded;
    *p->last = c;
    p->last = &c->next;
    p->waiting++;
    r->commands++;
}

static void send_garbage(struct run *r, struct peer *p)
{
    static const char *const texts[] = {"*1\r\n!x\r\n", "*x\r\n", "*2\r\n$4\r\nVDIM\r\n$-5\r\n",
                                        "VCARD \"k0\r\n"};
    buf_append_text(&p->unsent, texts[below(r, COUNT_OF(texts))]);
    p->broken = p->may_end = true;
}

/* Hands the network what was made up, or a part of it. */
static void send_some(struct run *r, struct peer *p, bool all)
{
    size_t size = p->unsent.len;
    if (size == 0)
        return;
    if (!all && one_in(r, 3))
        size = below(r, size);
    sim_client_send(p->client, (struct slice){p->unsent.ptr, size});
    buf_consume(&p->unsent, size);
}

static void act(struct run *r, struct peer *p)
{
    if (p->client == NULL) {
        if (one_in(r, 3))
            connect_peer(r, p);
        return;
    }
    if (p->client->closed)
        return;
    if (one_in(r, 40)) {
        p->deaf = !p->deaf;
        if (p->deaf)
            sim_client_read_stop(p->client);
        else
            sim_client_read_resume(p->client);
    }
    if (one_in(r, 150)) {
        sim_client_close(p->client);
        p->may_end = true;
        return;
    }
    if (!p->broken && p->waiting < WAITING_MAX) {
        uint64_t count = one_in(r, 3) ? 1 + below(r, 8) : 1;
        for (uint64_t i = 0; i < count; i++) {
            note_time(r);
            struct ask *c = ask_make(&r->world, &p->unsent);
            while (c != NULL) {
                struct ask *next = c->next;
                c->next = NULL;
                queue_command(r, p, c);
                c = next;
            }
        }
        if (one_in(r, 200))
            send_garbage(r, p);
    }
    send_some(r, p, false);
}

void run_load(struct run *r, uint64_t commands)
{
    uint64_t end = r->commands + commands;
    while (r->commands < end && !run_over(r)) {
        if (one_in(r, 60))
            r->world.remove_share = one_in(r, 3) ? 60 : 10 + (unsigned)below(r, 20);
        act(r, &r->peers[below(r, PEERS)]);
        for (uint64_t i = below(r, r->pace); i > 0 && !run_over(r); i--)
            run_step(r);
        if (one_in(r, 150))
            run_time(r, below(r, 2 * SECOND_US));
    }
}

static bool all_answered(struct run *r)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (r->peers[i].waiting > 0)
            return false;
    return true;
}

void run_drain(struct run *r)
{
    uint64_t end = sim_now_us(r->sim) + ANSWER_MAX_US;
    for (unsigned i = 0; i < PEERS; i++) {
        struct peer *p = &r->peers[i];
        if (p->client == NULL || p->client->closed)
            continue;
        p->deaf = false;
        sim_client_read_resume(p->client);
        send_some(r, p, true);
    }
    while (!all_answered(r) && !run_over(r) && sim_now_us(r->sim) < end)
        run_step(r);
    for (unsigned i = 0; i < PEERS && !run_over(r); i++)
        if (r->peers[i].waiting > 0)
            run_fail(r, "%s k%u (%s) is never answered", op_name(r->peers[i].first->op),
                     r->peers[i].first->key,
                     r->peers[i].first->executed ? "it ran" : "it never ran");
    const char *broken = NULL;
    /* Elements may expire at any time, and their rows are not free at once. */
    for (unsigned i = 0; i < QUIET_TRIES && (i == 0 || broken != NULL) && !run_over(r); i++) {
        run_time(r, QUIET_US);
        broken = run_over(r) ? NULL : inspect_db(&r->server->db, true);
    }
    if (broken != NULL)
        run_fail(r, "when all is quiet: %s", broken);
}

void run_find_all(struct run *r)
{
    struct peer *p = &r->peers[0];
    bool cut = r->may_cut, short_memory = r->short_memory;
    struct config_output_limit *limit = &r->server->config.client_output_buffer_limit;
    struct config_output_limit before = *limit;
    uint32_t cut_ppm = sim_options(r->sim)->cut_ppm;
    sim_options(r->sim)->cut_ppm = 0;
    limit->hard_bytes = 0;
    r->may_cut = r->short_memory = false;
    r->world.sought = r->world.lost = 0;
    if (run_over(r))
        return;
    if (p->client == NULL)
        connect_peer(r, p);
    CHECK(!p->client->closed);
    for (unsigned key = 0; key < MODEL_KEYS && !run_over(r); key++) {
        struct model_collection *c = model_collection_at(r->model, key, model_now(r->model));
        for (unsigned id = 0; c != NULL && id < MODEL_IDS; id++) {
            if (model_element_at(c, id, model_now(r->model)) == NULL || c->spec.metric == METRIC_IP)
                continue;
            struct ask *find = ask_make_find(key, id, &p->unsent);
            queue_command(r, p, find);
        }
        run_drain(r);
        /* A walk with little effort may miss some; a graph in pieces misses many. */
        if (r->world.lost > 2 + r->world.sought / 10)
            run_fail(r, "%llu of %llu elements of k%u do not find themselves",
                     (unsigned long long)r->world.lost, (unsigned long long)r->world.sought, key);
        r->world.lost = r->world.sought = 0;
    }
    r->may_cut = cut;
    r->short_memory = short_memory;
    *limit = before;
    sim_options(r->sim)->cut_ppm = cut_ppm;
}

/* -- the whole -----------------------------------------------------------------------------------
 */

static void on_stopped(struct server *server)
{
    struct run *r = server->user;
    r->stopped = true;
}

static void choose_config(struct run *r, struct sim_options *options)
{
    static const size_t scans[] = {0, 2000, 1 << 20, 1 << 20};
    struct config *config = &r->config;
    config_init(config);
    memcpy(config->bind, address.host, strlen(address.host) + 1);
    config->flat_rows_max = (int)below(r, 60);
    config->pending_scan_bytes = scans[below(r, COUNT_OF(scans))];
    config->vset_keep_originals = !one_in(r, 4);
    r->pace = one_in(r, 2) ? 24 : 6;
    options->lane_count = 1 + (unsigned)below(r, 4);
    options->job_step_max_us = (uint32_t)below(r, one_in(r, 3) ? 20 : 3000);
    if (one_in(r, 6)) {
        options->cut_ppm = 2000;
        r->may_cut = true;
    }
    config->appendonly = !one_in(r, 4);
    config->appendfsync = (int)below(r, 3);
    config->aof_segment_size = (uint64_t)4096 << below(r, 8);
    r->slow_sink = one_in(r, 4);
    if (one_in(r, 4)) {
        r->short_memory = r->world.short_memory = true;
        r->may_cut = true; /* a buffer that cannot grow ends its connection */
    }
    if (one_in(r, 8)) {
        config->client_output_buffer_limit.hard_bytes = 20000;
        r->may_cut = true;
    }
}

void run_open(struct run *r, uint64_t seed)
{
    struct sim_options options = sim_options_default();
    mem_fail_spare(MEM_TEST);
    *r = (struct run){.seed = seed, .rng = seed * 0x9e3779b97f4a7c15u + 1};
    r->model = model_new();
    world_init(&r->world, rng_next(&r->rng), r->model);
    choose_config(r, &options);
    r->sim = sim_new(seed, &options);
    r->records = BUF_INIT(MEM_TEST);
    r->times = BUF_INIT(MEM_TEST);
    for (unsigned i = 0; i < PEERS; i++)
        forget_connection(&r->peers[i]);
}

enum err run_start_server(struct run *r, struct why *why)
{
    CHECK(r->server == NULL);
    r->server = mem_calloc(MEM_TEST, sizeof(*r->server));
    r->stopped = false;
    enum err e = server_start(r->server, sim_io(r->sim), &r->config, NULL, why);
    inspect_small_values(&r->server->db);
    r->server->user = r;
    r->server->on_stopped = on_stopped;
    if (r->seed % 3 != 0) { /* elements move as soon as a few rows are free */
        r->server->db.background.move_bytes_min = 1;
        r->server->db.background.move_delay_us = r->seed % 2 == 0 ? 1000 : 200 * 1000;
    }
    r->sink = (struct mlog_sink){.on_record = on_record, .stable = stable_lsn};
    mlog_add_sink(&r->server->db.log, &r->sink);
    return e;
}

bool run_start(struct run *r, uint64_t seed)
{
    struct why why = {{0}};
    run_open(r, seed);
    if (run_start_server(r, &why) != OK)
        run_fail(r, "the server does not start: %s", why.text);
    while (!run_failed(r) && server_is_loading(r->server))
        run_step(r);
    return !run_failed(r);
}

/* Plays the log into a database of its own and runs what that starts. */
static void replay(struct run *r, struct db *db, struct sim *sim)
{
    uint64_t lsn = 0;
    for (size_t at = 0; at < r->records.len && !run_failed(r);) {
        struct why why = {{0}};
        uint64_t size;
        memcpy(&size, r->records.ptr + at, sizeof(size));
        at += sizeof(size);
        struct slice record = {r->records.ptr + at, size};
        if (db_replay_record(db, record, ++lsn, &why) != OK)
            run_fail(r, "record %llu cannot be played again: %s", (unsigned long long)lsn,
                     why.text);
        at = (at + size + 7) / 8 * 8;
        for (uint64_t i = below(r, 4); i > 0; i--)
            (void)sim_step(sim);
    }
    sim_run_for(sim, QUIET_US);
}

void run_compare_with(struct run *r, const struct db *db)
{
    if (run_failed(r))
        return;
    struct sim *sim = sim_new(r->seed + 1, NULL);
    struct db *copy = mem_calloc(MEM_TEST, sizeof(*copy));
    struct db_options options = {.kernels = db->env.kernels,
                                 .flat_rows_max = db->env.flat_rows_max,
                                 .pending_scan_bytes = db->env.pending_scan_bytes};
    db_init(copy, sim_io(sim), &options);
    replay(r, copy, sim);
    const char *broken = inspect_db(copy, true);
    const char *difference = inspect_difference(db, copy);
    if (broken != NULL || difference != NULL)
        run_fail(r, "the log played again: %s", broken != NULL ? broken : difference);
    db_clear(copy);
    sim_run_for(sim, QUIET_US);
    db_fini(copy);
    mem_free(MEM_TEST, copy);
    sim_free(sim);
}

void run_compare(struct run *r)
{
    run_compare_with(r, &r->server->db);
}

void run_stop_server(struct run *r)
{
    server_stop(r->server);
    uint64_t end = sim_now_us(r->sim) + ANSWER_MAX_US;
    while (!r->stopped && !run_failed(r) && sim_now_us(r->sim) < end)
        run_step(r);
    if (!r->stopped)
        run_fail(r, "the server does not stop");
    if (run_failed(r))
        return; /* what is left cannot be taken apart safely */
    run_bury_server(r);
}

void run_bury_server(struct run *r)
{
    CHECK(r->stopped);
    for (unsigned i = 0; i < PEERS; i++) {
        if (r->peers[i].client != NULL)
            sim_client_close(r->peers[i].client);
        forget_connection(&r->peers[i]);
    }
    mlog_remove_sink(&r->server->db.log, &r->sink);
    server_fini(r->server);
    mem_free(MEM_TEST, r->server);
    r->server = NULL;
}

void run_close(struct run *r)
{
    CHECK(r->server == NULL);
    sim_free(r->sim);
    model_free(r->model);
    buf_fini(&r->records);
    buf_fini(&r->times);
}

void run_stop(struct run *r)
{
    run_stop_server(r);
    if (!run_failed(r))
        run_close(r);
}
