/* Transactions: made up, and held against the model part by part. */
#include <stdio.h>

#include "sim/workload_private.h"

/* -- making ---------------------------------------------------------------------------------------
 */

/* The commands of one transaction, in the order they are sent. */
struct chain {
    struct ask *first, **last;
    struct ask *end; /* EXEC or DISCARD, which comes last */
};

static struct ask *append(struct chain *chain, enum op op)
{
    struct ask *c = mem_calloc(MEM_TEST, sizeof(*c));
    c->op = op;
    *chain->last = c;
    chain->last = &c->next;
    return c;
}

static struct ask *append_words(struct chain *chain, enum op op, const char *name,
                                const unsigned *key, struct buf *out)
{
    struct ask *c = append(chain, op);
    struct ask_args a = {.bytes = BUF_INIT(MEM_TEST)};
    ask_add_text(&a, name);
    if (key != NULL) {
        c->key = *key;
        ask_add_key(&a, *key);
    }
    ask_finish(c, &a, out);
    return c;
}

/* One more part of end, and the command that queues it. */
static void append_part(struct world *w, struct chain *chain, struct ask ***last, struct buf *out)
{
    struct ask *queued = append(chain, OP_QUEUED);
    struct ask *part = ask_make_one(w, out);
    CHECK(part->next == NULL);
    part->in_exec = true;
    queued->size = part->size;
    queued->exec = chain->end;
    queued->part = part;
    **last = part;
    *last = &part->next;
    chain->end->part_count++;
}

struct ask *multi_make(struct world *w, struct buf *out)
{
    struct chain chain = {.last = &chain.first};
    bool exec = !one_in(w, 10), watch = one_in(w, 3);
    size_t parts = below(w, ASK_PARTS_MAX + 1);
    chain.end = mem_calloc(MEM_TEST, sizeof(*chain.end));
    chain.end->op = exec ? OP_EXEC : OP_DISCARD;
    if (watch) {
        unsigned key =
            one_in(w, 3) ? (unsigned)below(w, MODEL_KEYS) : keys_some(w); /* what changes a lot */
        append_words(&chain, OP_WATCH, "WATCH", &key, out)->exec = chain.end;
        for (uint64_t i = below(w, 3); i > 0; i--) {
            struct ask *between = ask_make_one(w, out);
            *chain.last = between;
            chain.last = &between->next;
        }
    }
    (void)append_words(&chain, OP_MULTI, "multi", NULL, out);
    struct ask **last = &chain.end->parts;
    for (size_t i = 0; i < parts; i++)
        append_part(w, &chain, &last, out);
    struct ask_args a = {.bytes = BUF_INIT(MEM_TEST)};
    ask_add_text(&a, exec ? "EXEC" : "Discard");
    ask_finish(chain.end, &a, out);
    *chain.last = chain.end;
    return chain.first;
}

/* -- changes --------------------------------------------------------------------------------------
 */

/* The part that runs: the first one without a state of its own, or the one before it, which may
 * not have made all its changes. */
static struct ask *running_part(const struct ask *exec)
{
    struct ask *part = exec->parts;
    while (part != NULL && part->next != NULL && part->next->before != 0)
        part = part->next;
    return part;
}

static void begin_part(const struct world *w, const struct ask *exec, struct ask *part)
{
    part->now_ms = exec->now_ms;
    part->before = w->model->at;
}

const char *multi_check_change(struct world *w, struct ask *exec, const struct mutation *m)
{
    const char *wrong = "a change that no command of the transaction makes";
    for (struct ask *part = running_part(exec); part != NULL; part = part->next) {
        if (part->before == 0)
            begin_part(w, exec, part);
        if (ask_removes_expired(w, part, m) || copy_is_undone(w, part, m))
            return NULL;
        if (part->changes == 0)
            part->before = w->model->at;
        if (part->changes >= ask_change_count(w, part, part->before))
            continue;
        wrong = ask_check_own(w, part, part->changes, m);
        if (wrong != NULL && !w->short_memory)
            return wrong;
        if (wrong != NULL)
            continue; /* it may have been refused */
        part->changes++;
        exec->changes++;
        return NULL;
    }
    return wrong;
}

/* Those that have changed nothing ran in the state after all changes of the others before them. */
void multi_end_record(struct world *w, struct ask *exec)
{
    for (struct ask *part = exec->parts; part != NULL; part = part->next)
        if (part->before == 0)
            begin_part(w, exec, part);
}

/* -- replies --------------------------------------------------------------------------------------
 */

/* WATCH: what EXEC will have to know of it. */
static const char *check_watch(struct world *w, struct ask *c, const redisReply *r)
{
    struct watch_want *watched = &c->exec->watched;
    if (reply_is_short(w, r))
        return NULL;
    if (!reply_is_status(r, "OK"))
        return "WATCH is not answered with OK";
    *watched = (struct watch_want){.there = true, .key = c->key, .lo = c->lo, .hi = c->hi};
    for (uint64_t lsn = c->lo; lsn <= c->hi; lsn++) {
        struct model_held *held = model_held_at(w->model, c->key, MODEL_AT(lsn));
        watched->unsure |= held != NULL && model_expired(held, MODEL_AT(lsn), c->now_ms);
    }
    return NULL;
}

static const char *check_queued(struct world *w, struct ask *c, const redisReply *r)
{
    bool refused = c->part->op == OP_UNKNOWN || c->part->op == OP_ARITY;
    if (reply_is_short(w, r)) {
        c->exec->broken = true;
        return NULL;
    }
    c->exec->broken |= refused;
    if (refused)
        return r->type == REDIS_REPLY_ERROR ? NULL : "a command that is none is queued";
    return reply_is_status(r, "QUEUED") ? NULL : "a command is not queued";
}

/* Whether a watch has broken the transaction. */
struct verdict {
    bool surely, perhaps;
};

static struct verdict judge_watch(const struct world *w, const struct ask *exec)
{
    const struct watch_want *watched = &exec->watched;
    const struct model *m = w->model;
    uint64_t lo = exec->lsn > 0 ? exec->lsn - 1 : exec->lo, hi = exec->lsn > 0 ? lo : exec->hi;
    struct verdict v = {.surely = true};
    if (!watched->there)
        return (struct verdict){false, false};
    for (uint64_t lsn = lo; lsn <= hi; lsn++) {
        struct model_held *held = model_held_at(m, watched->key, MODEL_AT(lsn));
        bool expired = held != NULL && model_expired(held, MODEL_AT(lsn), exec->now_ms);
        v.surely = v.surely && (expired || model_touched(m, watched->key, watched->hi, lsn));
        v.perhaps = v.perhaps || expired || model_touched(m, watched->key, watched->lo, lsn);
    }
    if (watched->unsure)
        v = (struct verdict){false, true};
    return v;
}

static const char *check_parts(struct world *w, const struct ask *exec, const redisReply *r,
                               const uint64_t *at)
{
    size_t i = 0;
    for (struct ask *part = exec->parts; part != NULL; part = part->next, i++) {
        if (at != NULL)
            part->now_ms = exec->now_ms;
        const char *wrong = ask_check_at(w, part, r->element[i], at == NULL ? part->before : *at);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *check_array(struct world *w, const struct ask *exec, const redisReply *r)
{
    const char *wrong = "EXEC does not answer every command";
    if (!reply_is_list(r) || r->elements != exec->part_count)
        return wrong;
    if (exec->lsn > 0)
        return check_parts(w, exec, r, NULL);
    for (uint64_t lsn = exec->lo; lsn <= exec->hi; lsn++) {
        uint64_t at = MODEL_AT(lsn);
        wrong = check_parts(w, exec, r, &at);
        if (wrong == NULL)
            return NULL;
    }
    return wrong;
}

static const char *check_exec(struct world *w, struct ask *exec, const redisReply *r)
{
    struct verdict v = judge_watch(w, exec);
    w->execs++;
    if (reply_is_short(w, r))
        return exec->lsn == 0 ? NULL : "EXEC refuses what it has done";
    if (exec->broken)
        return reply_is_error(r, "EXECABORT") && exec->lsn == 0 ? NULL : "EXEC of refused commands";
    if (reply_is_nil(r)) {
        w->nil_execs++;
        return v.perhaps && exec->lsn == 0 ? NULL : "EXEC runs nothing though no key has changed";
    }
    return v.surely ? "EXEC runs though a watched key has changed" : check_array(w, exec, r);
}

const char *multi_check_reply(struct world *w, struct ask *c, const redisReply *r)
{
    switch ((int)c->op) {
    case OP_WATCH:
        return check_watch(w, c, r);
    case OP_QUEUED:
        return check_queued(w, c, r);
    case OP_EXEC:
        return check_exec(w, c, r);
    default: /* MULTI, DISCARD */
        return reply_is_status(r, "OK") ? NULL : "it is not answered with OK";
    }
}
