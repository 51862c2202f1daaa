#include "cmd/bulk_add.h"

#include "cmd/command_keys.h"
#include "cmd/env.h"
#include "cmd/gate.h"
#include "cmd/multi.h"
#include "db/bulk.h"
#include "db/victims.h"
#include "persist/persist.h"

enum {
    SLICE_US = 300,
    STEP = 16,           /* elements between two looks at the clock */
    SLICE_STEPS = 64,    /* at most, whatever the clock says */
    REPLY_STEP = 256,    /* of a reply, likewise */
    READ_AT_ONCE = 4096, /* by one job: others have their turn */
    ROOM_WAIT_US = 10 * 1000,
    SAVER_WAIT_US = 1000
};

enum stage { READING, CLAIMING, PLANNING, PREPARING, ENCODING, APPLYING, REPLYING, FREEING };

struct bulk_add {
    struct job job;
    struct io_timer timer;
    struct cmd_env *env;
    struct client *client; /* NULL: it has gone */
    enum stage stage;
    bool out; /* a lane has the job */
    enum err error;
    uint64_t guard;   /* keeps the collection, for the lane */
    uint64_t uid;     /* of the collection */
    struct buf query; /* the bytes that the arguments point at */
    struct resp_words words;
    struct vmadd_args args;
    struct batch_ids ids;
    struct put_options options;
    const struct collection *c; /* only for what never changes of it */
    struct batch batch;
    size_t at; /* elements before it are done, in this stage */
    struct mutation put;
    struct mlog_ready ready;
    bool logs; /* somebody wants the record */
    struct bulk_spans spans;
    struct bulk bulk;
    struct buf reply;
    struct bulk_add *next, **link; /* of all that there are */
};

static void start(struct bulk_add *a, enum stage stage);

/* [any thread] Tens of megabytes, which takes a while. */
static void free_memory(struct bulk_add *a)
{
    mlog_ready_fini(&a->ready);
    batch_fini(&a->batch);
    a->batch = (struct batch){.count = 0};
    buf_fini(&a->reply);
    buf_fini(&a->query);
    resp_words_free(&a->words);
}

static void bulk_add_free(struct bulk_add *a)
{
    CHECK(!a->out);
    a->env->io->ops->timer_stop(a->env->io, &a->timer);
    *a->link = a->next;
    if (a->next != NULL)
        a->next->link = a->link;
    bulk_release(&a->bulk);
    free_memory(a);
    epoch_leave(&a->env->db->epoch, a->guard);
    mem_free(MEM_CLIENT, a);
}

/* Who waited goes on: other commands run again, and the next one may claim. */
static void wake(struct cmd_env *env)
{
    if (env->db->bulk != NULL)
        return;
    for (struct client *client = env->clients; client != NULL; client = client->next) {
        if (!client->waits_for_bulk)
            continue;
        client->waits_for_bulk = false;
        client_unblock(env, client);
    }
    for (struct bulk_add *a = env->bulk_adds; a != NULL; a = a->next)
        if (a->stage == CLAIMING)
            start(a, CLAIMING);
}

static struct collection *collection_of(struct bulk_add *a)
{
    struct collection *c;
    if (db_collection(a->env->db, a->args.key, &c) != OK || c == NULL || c->uid != a->uid)
        return NULL; /* dropped, and perhaps another one is there */
    return c;
}

static void submit(struct bulk_add *a, enum stage stage);

static bool has_log_room(const struct cmd_env *env)
{
    return env->persist == NULL || !persist_full(env->persist);
}

static void end(struct bulk_add *a, enum err e, const struct why *why)
{
    struct client *client = a->client;
    struct cmd_env *env = a->env;
    struct collection *c = collection_of(a);
    bool waits = false;
    if (client != NULL) {
        struct reply reply = {&client->out, client->proto};
        size_t before = client->out.len;
        client->bulk_add = NULL;
        if (e == ERR_IO)
            reply_errorf(&reply, "MISCONF Errors writing to the AOF file: %s",
                         command_log_error(env));
        else if (e != OK)
            reply_err(&reply, e, why);
        else
            buf_append_slice(&client->out, buf_slice(&a->reply));
        gate_replies(env, client, before, e == OK);
        waits = e == OK && c != NULL && wait_longer_for_room(env, client, c, before);
    }
    a->client = NULL;
    bulk_release(&a->bulk);
    submit(a, FREEING);
    if (client != NULL && !waits)
        client_unblock(env, client);
    wake(env);
}

/* -- on a lane --------------------------------------------------------------------------------- */

static struct bulk_add *add_of(struct job *job)
{
    return (struct bulk_add *)((char *)job - offsetof(struct bulk_add, job));
}

static void run(struct job *job, struct lane *lane)
{
    struct bulk_add *a = add_of(job);
    struct batch *b = &a->batch;
    (void)lane;
    if (a->stage == READING) {
        bool ok = a->at > 0 || batch_init(b, a->ids.ids.count, &a->c->spec);
        size_t to = b->count - a->at < READ_AT_ONCE ? b->count : a->at + READ_AT_ONCE;
        ok = ok && batch_read(b, a->c, &a->args, &a->ids, a->at, to);
        a->at = to;
        a->error = ok ? OK : ERR_NOMEM;
    } else if (a->stage == ENCODING) {
        for (size_t i = 0; i < a->spans.count; i++)
            column_span_touch(&a->spans.list[i]);
        a->error =
            a->logs ? mlog_ready_make(&a->ready, &a->put, a->env->db->log.record_size_max) : OK;
    } else {
        free_memory(a);
    }
}

static void done(struct job *job)
{
    struct bulk_add *a = add_of(job);
    struct cmd_env *env = a->env;
    a->out = false;
    if (a->client == NULL || a->stage == FREEING) {
        bulk_add_free(a);
        wake(env);
        return;
    }
    if (a->error != OK) {
        struct why why = {{0}};
        if (a->error == ERR_LIMIT)
            a->error =
                why_set(&why, ERR_LIMIT, "a command, or a transaction, changes at most %zu bytes",
                        env->db->log.record_size_max);
        end(a, a->error, &why);
        return;
    }
    if (a->stage == READING && a->at < a->batch.count)
        submit(a, READING);
    else
        start(a, a->stage == READING ? CLAIMING : APPLYING);
}

static void submit(struct bulk_add *a, enum stage stage)
{
    CHECK(!a->out && (stage == READING || stage == ENCODING || stage == FREEING));
    a->stage = stage;
    a->out = true;
    a->job = (struct job){.run = run, .done = done, .class = JOB_SEARCH};
    a->env->io->ops->submit(a->env->io, &a->job);
}

/* -- on the loop, in slices -------------------------------------------------------------------- */

static void claim(struct bulk_add *a)
{
    struct db *db = a->env->db;
    if (db->bulk != NULL)
        return; /* whoever ends that one wakes this one */
    if (a->env->saver != NULL && saver_is_about_to(a->env->saver)) {
        a->env->io->ops->timer_start(a->env->io, &a->timer, SAVER_WAIT_US);
        return;
    }
    struct collection *c = collection_of(a);
    struct why why = {{0}};
    struct slice same;
    enum err e = OK;
    if (c == NULL)
        e = why_set(&why, ERR_NOT_FOUND, "the collection was removed meanwhile");
    else if (a->options.partition.len > 0)
        e = need_partition(c, a->args.key, a->options.partition, &same, &why);
    if (e != OK) {
        end(a, e, &why);
    } else if (victims_may_go(c)) {
        end(a, why_set(&why, ERR_ARG, "the collection was given a limit meanwhile"), &why);
    } else if (!mlog_accepts(&db->log)) {
        end(a, ERR_IO, NULL);
    } else {
        bulk_claim(&a->bulk, db, c);
        start(a, PLANNING);
    }
}

/* Does fn for steps of elements until the time is over; false: there are more. */
static bool in_steps(struct bulk_add *a, size_t count, size_t step,
                     void (*fn)(struct bulk_add *a, size_t from, size_t to))
{
    struct io *io = a->env->io;
    uint64_t until = io->ops->mono_us(io) + SLICE_US;
    for (int i = 0; i < SLICE_STEPS && a->at < count; i++) {
        size_t to = count - a->at < step ? count : a->at + step;
        fn(a, a->at, to);
        a->at = to;
        if (io->ops->mono_us(io) >= until)
            break;
    }
    return a->at == count;
}

static void plan_some(struct bulk_add *a, size_t from, size_t to)
{
    batch_plan(&a->batch, a->env->db, a->bulk.collection, &a->options, from, to);
}

static void plan(struct bulk_add *a)
{
    struct batch *b = &a->batch;
    if (!in_steps(a, b->count, STEP, plan_some))
        start(a, PLANNING);
    else if (b->valid_count > 0)
        start(a, PREPARING);
    else
        start(a, REPLYING);
}

static void prepare(struct bulk_add *a)
{
    const struct batch *b = &a->batch;
    const struct bulk_size size = {.count = b->valid_count,
                                   .heap_bytes = b->heap_bytes,
                                   .expires = a->options.expire_ms > 0,
                                   .replaces = b->replaces};
    bool more;
    enum err e = bulk_prepare(&a->bulk, &size, &more);
    if (e != OK) {
        end(a, e, NULL);
        return;
    }
    if (more) {
        start(a, PREPARING);
        return;
    }
    a->put = (struct mutation){.kind = MUTATION_PUT,
                               .key = a->args.key,
                               .partition = a->options.partition,
                               .dim = a->c->spec.dim,
                               .type = a->c->spec.type,
                               .elements = b->elements,
                               .count = b->valid_count};
    a->logs = a->env->db->log.sinks != NULL;
    bulk_spans(&a->bulk, &size, &a->spans);
    submit(a, ENCODING);
}

static void apply_some(struct bulk_add *a, size_t from, size_t to)
{
    if (a->bulk.state == BULK_APPLYING)
        bulk_apply(&a->bulk, to - from);
}

/* The first slice logs it; from then on it happens, whatever becomes of the client. */
static void apply(struct bulk_add *a)
{
    struct cmd_env *env = a->env;
    if (a->bulk.state == BULK_CLAIMED) {
        if (!mlog_accepts(&env->db->log)) {
            end(a, ERR_IO, NULL);
            return;
        }
        if (!has_log_room(env)) {
            env->io->ops->timer_start(env->io, &a->timer, ROOM_WAIT_US);
            return;
        }
        enum err e = bulk_write(&a->bulk, &a->put, a->batch.replaces, &a->ready);
        if (e != OK) {
            end(a, e, NULL);
            return;
        }
        if (a->client != NULL)
            a->client->last_lsn = a->bulk.lsn;
    }
    bool over = in_steps(a, a->put.count, STEP, apply_some) || a->bulk.state == BULK_APPLIED;
    start(a, over ? REPLYING : APPLYING);
}

static void reply_some(struct bulk_add *a, size_t from, size_t to)
{
    struct reply reply = {&a->reply, a->client->proto};
    if (from == 0)
        reply_array(&reply, a->batch.count);
    batch_reply(&reply, &a->batch, from, to);
}

static void reply(struct bulk_add *a)
{
    bulk_release(&a->bulk);
    if (a->client != NULL && !in_steps(a, a->batch.count, REPLY_STEP, reply_some))
        start(a, REPLYING);
    else
        end(a, buf_failed(&a->reply) ? ERR_NOMEM : OK, NULL);
}

static void go_on(struct bulk_add *a)
{
    switch (a->stage) {
    case CLAIMING:
        claim(a);
        break;
    case PLANNING:
        plan(a);
        break;
    case PREPARING:
        prepare(a);
        break;
    case APPLYING:
        apply(a);
        break;
    case REPLYING:
        reply(a);
        break;
    case READING:
    case ENCODING:
    case FREEING:
        CHECK(false); /* a lane has it */
    }
}

/* Another change has come in between, which the plan knows nothing of. */
static void begin_again(struct bulk_add *a)
{
    batch_fini(&a->batch);
    a->batch = (struct batch){.count = 0};
    mlog_ready_fini(&a->ready);
    a->bulk.state = BULK_IDLE;
    a->at = 0;
    submit(a, READING);
}

static void on_timer(struct io_timer *timer)
{
    struct bulk_add *a = timer->user;
    struct cmd_env *env = a->env;
    struct io *io = env->io;
    uint64_t from = io->ops->mono_us(io);
    env->db->now_ms = io->ops->wall_us(io) / 1000;
    if (a->client == NULL && a->bulk.state != BULK_APPLYING && a->bulk.state != BULK_APPLIED) {
        bulk_add_free(a);
        wake(env);
    } else if (a->bulk.state == BULK_OUTDATED) {
        begin_again(a);
    } else {
        go_on(a);
    }
    latency_note(env, LATENCY_SLICE, io->ops->mono_us(io) - from);
}

static void start(struct bulk_add *a, enum stage stage)
{
    if (a->stage != stage)
        a->at = 0;
    a->stage = stage;
    a->env->io->ops->timer_start(a->env->io, &a->timer, 0);
}

/* -- the command ------------------------------------------------------------------------------- */

static bool is_long(const struct vmadd_args *args, const struct batch_ids *ids)
{
    return ids->ids.count >= BULK_ELEMENTS_MIN || args->blob.len >= BULK_BYTES_MIN;
}

bool bulk_add_takes(struct request *rq, const struct vmadd_args *args, const struct batch_ids *ids,
                    struct collection *c, const struct put_options *options)
{
    struct cmd_env *env = rq->env;
    if (!is_long(args, ids) || (rq->client->flags & CLIENT_IN_EXEC) || victims_may_go(c))
        return false;
    struct bulk_add *a = mem_try_calloc(MEM_CLIENT, sizeof(*a));
    if (a == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return true;
    }
    a->env = env;
    a->client = rq->client;
    a->uid = c->uid;
    a->c = c;
    a->args = *args;
    a->ids = *ids;
    a->options = *options;
    a->query = a->reply = a->words.text = BUF_INIT(MEM_CLIENT);
    a->ready.bytes = BUF_INIT(MEM_LOG);
    a->timer = (struct io_timer){.fn = on_timer, .user = a};
    a->guard = epoch_enter(&env->db->epoch);
    a->next = env->bulk_adds;
    a->link = &env->bulk_adds;
    if (a->next != NULL)
        a->next->link = &a->next;
    env->bulk_adds = a;
    rq->client->bulk_add = a;
    client_block(env, rq->client);
    return true;
}

void bulk_add_keep(struct bulk_add *a, struct buf query, struct resp_words words)
{
    CHECK(a->words.args == NULL && a->query.ptr == NULL);
    a->query = query;
    a->words = words;
    submit(a, READING);
}

/* Does it name the key? */
static bool names(const struct request *rq, struct slice key)
{
    struct command_keys keys;
    size_t at;
    command_keys_begin(&keys, rq->command, rq->argv, rq->argc);
    while (command_keys_next(&keys, &at))
        if (slice_eq(rq->argv[at], key))
            return true;
    return false;
}

static bool must_wait(const struct request *rq, const struct bulk *b)
{
    const struct command *c = rq->command;
    bool writes = (c->flags & CMD_WRITE) != 0, reads = (c->flags & CMD_READONLY) != 0;
    bool hides = b->state == BULK_APPLYING && (b->replaces || c->group != GROUP_VECTOR);
    if (c->run == cmd_exec)
        return true;
    if (multi_takes(rq) || !(writes || (reads && hides)))
        return false;
    /* FLUSHALL, and what names a key in words of its own */
    if (!command_has_keys(c))
        return writes || c->group == GROUP_VECTOR;
    return names(rq, object_key(b->collection->object));
}

bool bulk_add_holds(struct request *rq)
{
    struct cmd_env *env = rq->env;
    if (env->db->bulk == NULL || !must_wait(rq, env->db->bulk))
        return false;
    rq->client->waits_for_bulk = rq->client->retry = true;
    client_block(env, rq->client);
    return true;
}

/* -- ends -------------------------------------------------------------------------------------- */

/* A lane, or the next slice, sees that the client has gone. */
void bulk_add_forget(struct client *client)
{
    client->waits_for_bulk = false;
    if (client->bulk_add != NULL)
        client->bulk_add->client = NULL;
    client->bulk_add = NULL;
}

void bulk_adds_stop(struct cmd_env *env)
{
    while (env->bulk_adds != NULL) {
        CHECK(env->bulk_adds->client == NULL);
        bulk_settle(env->db, (struct slice){0});
        bulk_add_free(env->bulk_adds);
    }
}
