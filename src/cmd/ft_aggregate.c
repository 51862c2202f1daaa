/* FT.AGGREGATE: a lane finds the keys, the loop reads what the pipeline needs of their documents,
 * in slices, and a lane runs the pipeline and writes the reply. */
#include "cmd/ft_aggregate.h"

#include <math.h>

#include "base/limits.h"
#include "base/rng.h"
#include "cmd/ft_cursor.h"
#include "cmd/ft_hybrid.h"
#include "cmd/gate.h"
#include "db/documents.h"
#include "db/hashes.h"

enum { SLICE_US = 300, LOOK_EVERY = 16 };

void ft_aggregate_fini(struct ft_aggregate *a)
{
    agg_rows_fini(&a->run.rows);
    arena_fini(&a->arena);
    buf_fini(&a->room.bytes);
    agg_plan_fini(&a->plan);
    ft_options_fini(&a->options.query);
    ft_ask_fini(&a->ask);
    if (a->hybrid != NULL)
        buf_fini(&a->hybrid->found);
    mem_free(MEM_SCRATCH, a->hybrid);
}

static void end_search(struct search *s)
{
    ft_aggregate_fini(s->extra);
}

/* -- documents --------------------------------------------------------------------------------- */

struct document {
    struct ft_hit hit;
    struct hybrid_hit both; /* of FT.HYBRID */
    const struct object *o;
};

static struct value read_field(struct ft_aggregate *a, const struct agg_column *column,
                               const struct object *o)
{
    double number;
    struct value v = document_value(a->env->db, a->ask.spec, o, column->path, &a->room);
    if (column->number && value_to_number(&v, &number))
        return value_number(number);
    if (v.kind != VALUE_TEXT)
        return v;
    return column->folded ? value_folded(&a->arena, value_slice(&v))
                          : value_text(&a->arena, value_slice(&v));
}

/* The document, by the name it has as a path. */
static struct value read_json(struct ft_aggregate *a, const struct object *o)
{
    struct slice root = slice_of("$");
    struct value *items = arena_alloc(&a->arena, 2 * sizeof(*items));
    struct value v = document_value(a->env->db, a->ask.spec, o, root, &a->room);
    if (items == NULL || v.kind != VALUE_TEXT)
        return (struct value){.kind = VALUE_LIST};
    items[0] = value_text(&a->arena, root);
    items[1] = value_text(&a->arena, value_slice(&v));
    return (struct value){.kind = VALUE_LIST, .size = 2, .items = items};
}

/* All fields: names and values in turn. */
static struct value read_all(struct ft_aggregate *a, const struct object *o)
{
    struct hash_walk walk;
    struct hash_field field;
    const struct db *db = a->env->db;
    if (a->ask.spec->on_json)
        return read_json(a, o);
    size_t count = 2 * hashes_count(db, o), at = 0;
    struct value *items = arena_alloc(&a->arena, count * sizeof(*items));
    hashes_walk(db, o, &walk);
    while (items != NULL && hashes_next(&walk, &field)) {
        CHECK(at + 2 <= count);
        items[at++] = value_text(&a->arena, field.name);
        items[at++] = value_text(&a->arena, field.value);
    }
    return (struct value){.kind = VALUE_LIST, .size = (uint32_t)at, .items = items};
}

/* NAN: it was not found by that. */
static struct value found_number(double number)
{
    return isnan(number) ? (struct value){0} : value_number(number);
}

static struct value read_cell(struct ft_aggregate *a, const struct agg_column *column,
                              const struct document *d)
{
    switch (column->source) {
    case AGG_COMPUTED:
        break;
    case AGG_DOCUMENT:
        return read_field(a, column, d->o);
    case AGG_DISTANCE:
        return a->hybrid != NULL ? found_number(d->both.vector)
                                 : value_number(ft_hit_distance(&d->hit, column->distance));
    case AGG_SCORE:
        return value_number(a->hybrid != NULL ? d->both.score : d->hit.score);
    case AGG_KEY:
        return value_text(&a->arena, d->hit.key);
    case AGG_ALL:
        return read_all(a, d->o);
    }
    return (struct value){0};
}

/* A document that has gone since, or whose time has passed, is no row. */
static void read_document(struct ft_aggregate *a)
{
    const struct agg_stage *stage = a->plan.stages;
    const struct db *db = a->env->db;
    struct document d;
    if (a->hybrid == NULL) {
        d.hit = ft_hit_read(&a->hits, &a->ask);
    } else {
        d.both = ft_hybrid_hit(&a->hits);
        d.hit = (struct ft_hit){.key = d.both.key};
    }
    d.o = keyspace_get(&db->keys, d.hit.key);
    if (d.o == NULL || d.o->type != document_type(a->ask.spec) || object_expired(d.o, db->now_ms))
        return;
    struct value *row = arena_alloc(&a->arena, stage->count * sizeof(*row));
    if (row == NULL)
        return;
    for (uint32_t i = 0; i < stage->count; i++)
        row[i] = read_cell(a, &stage->columns[i], &d);
    CHECK(a->run.rows.count < a->run.rows.room);
    a->run.rows.items[a->run.rows.count++] = row;
}

/* Reads until the time is over; returns whether there is more. */
static bool read_documents(struct ft_aggregate *a, uint64_t end_us)
{
    struct io *io = a->env->io;
    for (unsigned i = 1; a->hits.left.len > 0; i++) {
        read_document(a);
        a->arena.failed |= a->room.failed;
        if (a->arena.failed || a->arena.full)
            return false;
        if (i % LOOK_EVERY == 0 && io->ops->mono_us(io) >= end_us)
            break;
    }
    CHECK(!a->hits.broken);
    return a->hits.left.len > 0;
}

static enum err begin_reading(struct ft_aggregate *a)
{
    a->hits = (struct bytes_reader){.left = buf_slice(&a->search->reply)};
    a->ask.profile.found = bytes_get_u64(&a->hits); /* rows are counted as they come */
    return agg_rows_reserve(&a->run.rows, a->hits.left.len / FT_HIT_SIZE_MIN + 1);
}

/* -- the pipeline ------------------------------------------------------------------------------ */

static bool deadline_is_over(void *user)
{
    const struct ft_aggregate *a = user;
    struct io *io = a->search->db->io;
    return io->ops->mono_us(io) >= a->search->deadline_us;
}

/* [lane, or the loop] */
static void run_pipeline(struct ft_aggregate *a)
{
    struct search *s = a->search;
    struct ft_profile *profile = &a->ask.profile;
    uint64_t start_us = ft_profile_now(profile, s->db);
    profile->loaded = a->run.rows.count;
    a->run.plan = &a->plan;
    a->run.arena = &a->arena;
    a->run.rows.total = a->run.rows.count;
    if (s->deadline_us > 0) {
        a->run.is_over = deadline_is_over;
        a->run.user = a;
    }
    buf_fini(&s->reply); /* the hits have been read */
    s->reply = BUF_INIT(MEM_CLIENT);
    s->error = arena_error(&a->arena, &a->why);
    if (s->error == OK)
        s->error = agg_run(&a->run, &a->why);
    a->run.timed_out |= a->late;
    if (s->error == OK && a->run.timed_out && a->options.query.fails_late)
        s->error = why_set(&a->why, ERR_LIMIT, "%s", ft_timeout_text);
    if (s->error != OK || a->options.cursor)
        return;
    struct reply reply = {&s->reply, s->proto};
    profile->pipeline_us = ft_profile_now(profile, s->db) - start_us;
    profile->rows = a->run.rows.count;
    profile->timed_out = a->run.timed_out;
    ft_profile_begin(&reply, profile);
    if (a->hybrid != NULL)
        ft_hybrid_reply(&reply, a);
    else
        ft_aggregate_reply(&reply, a, 0, a->run.rows.count);
    ft_profile_end(&reply, profile, s);
    if (buf_failed(&s->reply))
        s->error = ERR_NOMEM;
}

static void run_job(struct job *job, struct lane *lane)
{
    (void)lane;
    run_pipeline(((struct search *)job)->extra);
}

/* -- [loop] from one to the next --------------------------------------------------------------- */

static void put_reply(struct ft_aggregate *a, struct client *client)
{
    struct search *s = a->search;
    struct cmd_env *env = a->env;
    struct reply reply = {&client->out, client->proto};
    size_t before = client->out.len;
    env->stats->searches_total++;
    env->stats->search_distance_computations += s->cost.distances;
    if (s->error != OK)
        ft_reply_error(&reply, s->error, &a->why);
    else if (!a->options.cursor)
        buf_append_slice(&client->out, buf_slice(&s->reply));
    else if (ft_cursor_begin(env, a, &reply)) {
        s->extra = NULL; /* it is the cursor's */
        s->end_extra = NULL;
    }
    if (!(client->flags & CLIENT_IN_EXEC))
        gate_replies(env, client, before, false);
}

/* The end: the reply, and nothing is left of it. */
static void finish(struct ft_aggregate *a)
{
    struct search *s = a->search;
    struct client *client = s->user;
    struct cmd_env *env = a->env;
    bool blocked = a->blocked;
    if (client != NULL) {
        CHECK(!blocked || client->search == s);
        put_reply(a, client);
        client->search = NULL;
    }
    search_free(s);
    if (client != NULL && blocked)
        client_unblock(env, client);
}

static void on_job_done(struct job *job)
{
    finish(((struct search *)job)->extra);
}

static void on_slice(struct io_timer *timer);
static void forget(struct search *s);

static void go_on(struct ft_aggregate *a)
{
    struct search *s = a->search;
    struct io *io = a->env->io;
    s->forget = NULL;
    if (s->user == NULL) {
        finish(a);
        return;
    }
    uint64_t start = io->ops->mono_us(io);
    a->env->db->now_ms = io->ops->wall_us(io) / 1000;
    bool more = read_documents(a, start + SLICE_US);
    uint64_t took_us = io->ops->mono_us(io) - start;
    latency_note(a->env, LATENCY_SLICE, took_us);
    a->ask.profile.loader_us += took_us;
    if (more && s->deadline_us > 0 && io->ops->mono_us(io) >= s->deadline_us) {
        a->run.timed_out = true;
        more = false;
    }
    if (more) {
        s->forget = forget;
        a->timer = (struct io_timer){.fn = on_slice, .user = a};
        io->ops->timer_start(io, &a->timer, 0);
        return;
    }
    s->job = (struct job){.run = run_job, .done = on_job_done, .class = JOB_SEARCH};
    io->ops->submit(io, &s->job);
}

static void on_slice(struct io_timer *timer)
{
    go_on(timer->user);
}

/* The client has gone while the loop reads documents for it. */
static void forget(struct search *s)
{
    struct ft_aggregate *a = s->extra;
    a->env->io->ops->timer_stop(a->env->io, &a->timer);
    search_free(s);
}

static void on_found(struct search *s)
{
    struct ft_aggregate *a = s->extra;
    a->late |= s->cost.stopped;
    if (s->error == OK)
        s->error = begin_reading(a);
    if (s->error == OK)
        go_on(a);
    else
        finish(a);
}

/* All of it within the command: in a transaction. */
static void run_here(struct ft_aggregate *a)
{
    struct search *s = a->search;
    search_run_here(s);
    a->late |= s->cost.stopped;
    if (s->error == OK)
        s->error = begin_reading(a);
    if (s->error == OK) {
        uint64_t start_us = ft_profile_now(&a->ask.profile, s->db);
        (void)read_documents(a, UINT64_MAX);
        a->ask.profile.loader_us = ft_profile_now(&a->ask.profile, s->db) - start_us;
        run_pipeline(a);
    }
    finish(a);
}

/* -- the command ------------------------------------------------------------------------------- */

static enum err plan(const struct ft_call *args, struct key_index *x, struct ft_aggregate *a,
                     struct search **out)
{
    enum err e = ft_words_copy(&a->ask, &args->words);
    struct ft_words words = {a->ask.words, 0, args->words.count, &a->why};
    if (e == OK)
        e = ft_aggregate_words(&words, a->env->config, &a->options, &a->plan);
    a->options.query.any_order = true;
    a->options.query.with_scores = a->options.with_scores;
    if (e == OK)
        e = ft_plan(x, &a->ask, args->query, &a->options.query, out, &a->why);
    struct slice distances[1 + FT_SIDES_MAX];
    struct agg_distances names = {distances, ft_ask_distances(&a->ask, distances)};
    if (e == OK)
        e = agg_plan_resolve(&a->plan, x->spec, &names, a->options.with_scores, &a->why);
    a->ask.profile.planned_us = ft_profile_now(&a->ask.profile, x->db);
    return e;
}

void ft_aggregate_init(struct ft_aggregate *a, struct cmd_env *env, struct key_index *x)
{
    a->ask.spec = index_spec_ref(x->spec);
    a->index_serial = x->serial;
    a->env = env;
    agg_plan_init(&a->plan);
    a->room = (struct document_room){.bytes = BUF_INIT(MEM_SCRATCH)};
    arena_init(&a->arena, LIMIT_AGGREGATE_SIZE);
}

void ft_aggregate_start(struct ft_aggregate *a, struct search *s, struct client *client)
{
    struct io *io = a->env->io;
    a->search = s;
    io->ops->random(io, &a->run.seed, sizeof(a->run.seed));
    s->extra = a;
    s->end_extra = end_search;
    s->done = on_found;
    s->proto = client->proto;
    s->user = client;
    s->env = a->env;
    s->explain = a->ask.profile.on ? EXPLAIN_TIMES : EXPLAIN_NO;
    if (a->options.query.timeout_ms > 0)
        s->deadline_us = io->ops->mono_us(io) + a->options.query.timeout_ms * 1000;
    if (client->flags & CLIENT_IN_EXEC) {
        run_here(a);
        return;
    }
    CHECK(client->search == NULL);
    client->search = s;
    a->blocked = true;
    if (!client->blocked)
        client_block(a->env, client);
    if (search_start(s))
        on_found(s);
}

void ft_aggregate_run(struct request *rq, const struct ft_call *args)
{
    struct search *s = NULL;
    struct key_index *x = ft_index(rq, args->index);
    if (x == NULL)
        return;
    struct ft_aggregate *a = mem_try_calloc(MEM_SCRATCH, sizeof(*a));
    if (a == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    ft_aggregate_init(a, rq->env, x);
    a->ask.profile = args->profile;
    enum err e = plan(args, x, a, &s);
    if (e != OK) {
        ft_reply_error(&rq->reply, e, &a->why);
        ft_aggregate_fini(a);
        mem_free(MEM_SCRATCH, a);
        search_free(s);
        return;
    }
    x->uses++;
    ft_aggregate_start(a, s, rq->client);
}

void cmd_ft_aggregate(struct request *rq)
{
    const struct ft_aggregate_args *a = rq->args;
    ft_aggregate_run(rq, &(struct ft_call){a->index, a->query, a->words, {0}});
}
