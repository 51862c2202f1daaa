#include "cmd/ft_hybrid.h"

#include "base/limits.h"
#include "cmd/gate.h"

/* The search by vector. owner: search.extra */
struct by_vector {
    struct ft_ask ask; /* first */
    struct ft_aggregate *aggregate;
};

static void end_vector(struct search *s)
{
    struct by_vector *v = s->extra;
    ft_ask_fini(&v->ask);
}

/* -- planning ---------------------------------------------------------------------------------- */

/* The query by vector as FT.SEARCH would have it. */
static void write_query(const struct hybrid_words *w, struct buf *out)
{
    struct slice filter = w->filter.len > 0 ? w->filter : slice_of("*");
    bool alone = slice_eq(filter, slice_of("*"));
    if (!alone || !w->by_radius) {
        buf_append_byte(out, '(');
        buf_append_slice(out, filter);
        buf_append_byte(out, ')');
    }
    buf_append_text(out, w->by_radius ? " @" : "");
    if (!w->by_radius)
        buf_printf(out, "=>[KNN %llu @", (unsigned long long)w->k);
    buf_append_slice(out, w->field);
    if (w->by_radius)
        buf_printf(out, ":[VECTOR_RANGE %.17g", w->radius);
    buf_append_text(out, " $");
    buf_append_slice(out, w->param);
    if (w->effort > 0)
        buf_printf(out, " EF_RUNTIME %llu", (unsigned long long)w->effort);
    buf_append_byte(out, ']');
    if (w->epsilon > 0)
        buf_printf(out, "=>{$EPSILON: %.17g}", w->epsilon);
}

static enum err plan_vector(struct key_index *x, struct ft_aggregate *a, struct search **out)
{
    struct by_vector *v = mem_try_calloc(MEM_SCRATCH, sizeof(*v));
    struct buf text = BUF_INIT(MEM_SCRATCH);
    if (v == NULL)
        return ERR_NOMEM;
    v->aggregate = a;
    v->ask.spec = index_spec_ref(x->spec);
    write_query(&a->hybrid->words, &text);
    struct ft_options o = a->options.query;
    o.any_order = true;
    enum err e = buf_failed(&text) ? ERR_NOMEM : OK;
    if (e == OK)
        e = ft_plan(x, &v->ask, buf_slice(&text), &o, out, &a->why);
    buf_fini(&text);
    if (e != OK || *out == NULL) {
        ft_ask_fini(&v->ask);
        mem_free(MEM_SCRATCH, v);
        search_free(*out);
        *out = NULL;
        return e == OK ? ERR_NOMEM : e;
    }
    (*out)->extra = v;
    (*out)->end_extra = end_vector;
    a->hybrid->metric = (*out)->view.collection->spec.metric;
    return OK;
}

static enum err find_both(struct search *s, struct lane *lane)
{
    struct ft_aggregate *a = s->extra;
    enum err e = a->hybrid->find_words(s, lane);
    if (e == OK && buf_failed(&s->reply))
        e = ERR_NOMEM;
    return e == OK ? ft_hybrid_fuse(a->hybrid, s) : e;
}

static enum err plan_words(struct key_index *x, struct ft_aggregate *a, struct search **out)
{
    const struct hybrid_words *w = &a->hybrid->words;
    struct ft_options o = a->options.query;
    o.offset = 0;
    o.count = w->window;
    o.with_scores = true;
    o.any_order = false;
    o.words.scorer = w->scorer;
    enum err e = ft_plan(x, &a->ask, w->query, &o, out, &a->why);
    if (e == OK && a->ask.distance_as.len > 0)
        e = why_set(&a->why, ERR_ARG, "SEARCH of FT.HYBRID takes no query by vector");
    if (e != OK)
        return e;
    CHECK((*out)->work != NULL);
    a->hybrid->find_words = (*out)->work;
    (*out)->work = find_both;
    return OK;
}

/* -- from one search to the other -------------------------------------------------------------- */

static void drop(struct ft_aggregate *a)
{
    ft_aggregate_fini(a);
    mem_free(MEM_SCRATCH, a);
}

/* What went wrong between the searches; a is gone then. */
static void give_up(struct ft_aggregate *a, struct client *client, enum err e)
{
    struct cmd_env *env = a->env;
    struct reply reply = {&client->out, client->proto};
    size_t before = client->out.len;
    bool blocked = a->blocked;
    ft_reply_error(&reply, e, &a->why);
    if (!(client->flags & CLIENT_IN_EXEC))
        gate_replies(env, client, before, false);
    drop(a);
    if (blocked)
        client_unblock(env, client);
}

static void on_vector_found(struct search *s)
{
    struct ft_aggregate *a = ((struct by_vector *)s->extra)->aggregate;
    struct client *client = s->user;
    struct search *next = NULL;
    enum err e = s->error;
    a->late |= s->cost.stopped;
    a->hybrid->found = s->reply;
    s->reply = BUF_INIT(MEM_CLIENT);
    search_free(s);
    if (client == NULL) {
        drop(a);
        return;
    }
    client->search = NULL;
    struct key_index *x = indexes_named(a->env->db, a->ask.spec->name);
    if (e == OK && (x == NULL || x->spec != a->ask.spec))
        e = why_set(&a->why, ERR_NOT_FOUND, "The index was dropped or altered meanwhile");
    if (e == OK)
        e = plan_words(x, a, &next);
    if (e != OK) {
        search_free(next);
        give_up(a, client, e);
        return;
    }
    ft_aggregate_start(a, next, client);
}

static void start(struct ft_aggregate *a, struct search *s, struct request *rq)
{
    s->proto = rq->client->proto;
    s->user = rq->client;
    s->env = rq->env;
    s->done = on_vector_found;
    if (a->options.query.timeout_ms > 0)
        s->deadline_us = a->hybrid->started_us + a->options.query.timeout_ms * 1000;
    if (rq->client->flags & CLIENT_IN_EXEC) {
        search_run_here(s);
        on_vector_found(s);
        return;
    }
    a->blocked = true;
    rq->client->search = s;
    client_block(rq->env, rq->client);
    if (search_start(s))
        on_vector_found(s);
}

/* -- the command ------------------------------------------------------------------------------- */

/* Does a LOAD name it? */
static bool loads(const struct agg_plan *p, const char *name)
{
    for (uint32_t i = 0; i < p->step_count; i++)
        for (uint32_t k = 0; p->steps[i].kind == AGG_LOAD && k < p->steps[i].name_count; k++) {
            struct slice word = p->steps[i].names[k];
            bool at = word.len > 0 && word.ptr[0] == '@';
            if (slice_eq((struct slice){word.ptr + at, word.len - at}, slice_of(name)))
                return true;
        }
    return false;
}

static bool has_step(const struct agg_plan *p, enum agg_kind kind)
{
    for (uint32_t i = 0; i < p->step_count; i++)
        if (p->steps[i].kind == kind)
            return true;
    return false;
}

/* Without LIMIT, SORTBY and GROUPBY there are the best ten. */
static enum err complete(struct ft_aggregate *a)
{
    if (has_step(&a->plan, AGG_GROUP) || has_step(&a->plan, AGG_ARRANGE))
        return OK;
    struct agg_step *step = agg_plan_arrange(&a->plan);
    if (step == NULL)
        return agg_plan_error(&a->plan, &a->why);
    step->limited = true;
    step->most = AGG_SORTED_DEFAULT;
    return OK;
}

static enum err plan(struct request *rq, struct key_index *x, struct ft_aggregate *a)
{
    const struct ft_hybrid_args *args = rq->args;
    struct ft_hybrid *h = a->hybrid;
    enum err e = ft_words_copy(&a->ask, &args->words);
    struct ft_words words = {a->ask.words, 0, args->words.count, &a->why};
    if (e == OK)
        e = ft_hybrid_words(&words, &h->words);
    if (e == OK)
        e = ft_aggregate_words(&words, a->env->config, &a->options, &a->plan);
    if (e == OK && a->options.cursor)
        e = why_set(&a->why, ERR_UNSUPPORTED, "WITHCURSOR is not supported by FT.HYBRID");
    bool all = !has_step(&a->plan, AGG_LOAD), shows_score = all || loads(&a->plan, "__score");
    if (e == OK)
        e = complete(a);
    struct agg_distances names = {&h->words.vector_score_as, h->words.vector_score_as.len > 0};
    if (e == OK)
        e = agg_plan_resolve(&a->plan, x->spec, &names, true, &a->why);
    if (e == OK)
        agg_plan_show(&a->plan, slice_of("__score"), shows_score);
    if (e == OK && all)
        e = agg_plan_show_key(&a->plan, &a->why);
    return e;
}

void cmd_ft_hybrid(struct request *rq)
{
    const struct ft_hybrid_args *args = rq->args;
    struct io *io = rq->env->io;
    struct search *s = NULL;
    struct key_index *x = ft_index(rq, args->index);
    if (x == NULL)
        return;
    struct ft_aggregate *a = mem_try_calloc(MEM_SCRATCH, sizeof(*a));
    struct ft_hybrid *h = mem_try_calloc(MEM_SCRATCH, sizeof(*h));
    if (a == NULL || h == NULL) {
        mem_free(MEM_SCRATCH, a);
        mem_free(MEM_SCRATCH, h);
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    ft_aggregate_init(a, rq->env, x);
    a->hybrid = h;
    h->found = BUF_INIT(MEM_CLIENT);
    h->started_us = io->ops->mono_us(io);
    enum err e = plan(rq, x, a);
    if (e == OK)
        e = plan_vector(x, a, &s);
    if (e != OK) {
        ft_reply_error(&rq->reply, e, &a->why);
        drop(a);
        return;
    }
    x->uses++;
    start(a, s, rq);
}
