/* Sorted sets: members added, removed, and looked up. */
#include <math.h>

#include "base/rng.h"
#include "cmd/zset.h"

/* -- ZADD -------------------------------------------------------------------------------------- */

struct zadd_options {
    bool nx, xx, gt, lt, ch, incr;
};

/* A change of some members while it is planned. Each is in it once, with the score that it gets
 * last: table has its place by a hash of the member, open addressing. */
struct planned {
    struct request *rq;
    const struct object *o;
    struct zadd_options options;
    struct scored *members; /* as they are asked for; from the first on, count that are planned */
    struct scored one;      /* in place of them when there is one pair alone */
    size_t count;
    uint32_t *table; /* places in members, plus 1; NULL: there is one pair alone */
    size_t mask;
    size_t added, updated;
    double score; /* of the last one that was processed, */
    bool processed;
};

/* *wrong: what a score is not, or NULL. False: no memory. */
static bool plan_begin(struct planned *p, const struct slices *pairs, const char **wrong)
{
    size_t slots = 4, count = pairs->count / 2;
    while (slots < 2 * count)
        slots *= 2;
    p->members = count == 1 ? &p->one : mem_try(MEM_SCRATCH, count * sizeof(*p->members));
    p->table = count == 1 ? NULL : mem_try_calloc(MEM_SCRATCH, slots * sizeof(*p->table));
    p->mask = slots - 1;
    *wrong = NULL;
    if (p->members == NULL || (count > 1 && p->table == NULL))
        return false;
    for (size_t i = 0; i < count && *wrong == NULL; i++) {
        p->members[i].member = pairs->items[2 * i + 1];
        if (!score_read(pairs->items[2 * i], &p->members[i].score))
            *wrong = "ERR value is not a valid float";
    }
    return true;
}

static void plan_fini(struct planned *p)
{
    if (p->members != &p->one)
        mem_free(MEM_SCRATCH, p->members);
    mem_free(MEM_SCRATCH, p->table);
}

/* The one that is planned for a member, or a free place. */
static struct scored *planned_at(struct planned *p, struct slice member, uint32_t **slot)
{
    *slot = NULL;
    if (p->table == NULL)
        return NULL;
    size_t at = hash_bytes(member, p->rq->env->db->keys.hash_seed) & p->mask;
    while (p->table[at] != 0) {
        struct scored *s = &p->members[p->table[at] - 1];
        if (slice_eq(s->member, member))
            return s;
        at = (at + 1) & p->mask;
    }
    *slot = &p->table[at];
    return NULL;
}

/* Plans one pair. False: the sum is not a number. */
static bool plan(struct planned *p, struct slice member, double score)
{
    const struct zadd_options *opt = &p->options;
    struct scored found;
    uint32_t *slot;
    struct scored *before = planned_at(p, member, &slot);
    bool there = before != NULL || zsets_get(p->rq->env->db, p->o, member, &found);
    double old = before != NULL ? before->score : there ? found.score : 0;
    p->processed = false;
    if ((there && opt->nx) || (!there && opt->xx))
        return true;
    if (there && opt->incr)
        score = old + score + 0.0; /* minus zero is zero */
    if (isnan(score))
        return false;
    if (there && ((opt->gt && score <= old) || (opt->lt && score >= old)))
        return true;
    p->processed = true;
    p->score = score;
    p->added += !there;
    p->updated += there && score != old;
    if (there && score == old)
        return true;
    if (before != NULL) {
        before->score = score;
        return true;
    }
    p->members[p->count++] = (struct scored){member, score};
    if (slot != NULL)
        *slot = (uint32_t)p->count;
    return true;
}

/* The words before the pairs. Redis's text of what is wrong, or NULL. */
static const char *read_options(const struct slices *words, struct zadd_options *o, size_t *used)
{
    size_t i = 0;
    for (; i < words->count; i++) {
        struct slice w = words->items[i];
        if (w.len == 0 || w.ptr[0] < 'A')
            break; /* a number */
        bool *flag = slice_eq_nocase(w, "NX")     ? &o->nx
                     : slice_eq_nocase(w, "XX")   ? &o->xx
                     : slice_eq_nocase(w, "CH")   ? &o->ch
                     : slice_eq_nocase(w, "INCR") ? &o->incr
                     : slice_eq_nocase(w, "GT")   ? &o->gt
                     : slice_eq_nocase(w, "LT")   ? &o->lt
                                                  : NULL;
        if (flag == NULL)
            break;
        *flag = true;
    }
    *used = i;
    size_t pairs = words->count - i;
    if (pairs == 0 || pairs % 2 != 0)
        return "ERR syntax error";
    if (o->nx && o->xx)
        return "ERR XX and NX options at the same time are not compatible";
    if ((o->gt && o->nx) || (o->lt && o->nx) || (o->gt && o->lt))
        return "ERR GT, LT, and/or NX options at the same time are not compatible";
    return o->incr && pairs > 2 ? "ERR INCR option supports a single increment-element pair" : NULL;
}

/* Planned ones take the place of those that were asked for before them. */
static const char *plan_all(struct planned *p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct scored asked = p->members[i];
        CHECK(p->count <= i);
        if (!plan(p, asked.member, asked.score))
            return "ERR resulting score is not a number (NaN)";
    }
    return NULL;
}

static void reply_added(struct planned *p)
{
    struct reply *r = &p->rq->reply;
    if (!p->options.incr)
        reply_int(r, (int64_t)(p->options.ch ? p->added + p->updated : p->added));
    else if (p->processed)
        reply_double17(r, p->score);
    else
        reply_null(r);
}

static void plan_and_write(struct planned *p, struct slice key, size_t count)
{
    struct request *rq = p->rq;
    struct object *o;
    if (!zset_read(rq, key, &o))
        return;
    p->o = o;
    const char *wrong = plan_all(p, count);
    struct mutation m = {
        .kind = MUTATION_ZSET_ADD, .key = key, .members = p->members, .count = p->count};
    if (wrong != NULL)
        reply_error(&rq->reply, wrong);
    else if (p->count == 0 || write_mutation(rq, &m))
        reply_added(p);
}

/* Scores and members in turn, whose count is even. */
static void add_pairs(struct request *rq, struct slice key, const struct slices *pairs,
                      struct zadd_options options)
{
    struct planned p = {.rq = rq, .options = options};
    const char *wrong;
    if (!plan_begin(&p, pairs, &wrong))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else if (wrong != NULL)
        reply_error(&rq->reply, wrong);
    else
        plan_and_write(&p, key, pairs->count / 2);
    plan_fini(&p);
}

void cmd_zadd(struct request *rq)
{
    const struct zadd_args *a = rq->args;
    struct zadd_options options = {0};
    size_t used;
    const char *wrong = read_options(&a->words, &options, &used);
    if (wrong != NULL) {
        reply_error(&rq->reply, wrong);
        return;
    }
    add_pairs(rq, a->key, &(struct slices){a->words.items + used, a->words.count - used}, options);
}

void cmd_zincrby(struct request *rq)
{
    const struct zincrby_args *a = rq->args;
    const struct slice pair[2] = {a->delta, a->member};
    add_pairs(rq, a->key, &(struct slices){pair, 2}, (struct zadd_options){.incr = true});
}

/* Members that are not there are not logged; one that is there twice counts once. */
void cmd_zrem(struct request *rq)
{
    const struct zrem_args *a = rq->args;
    struct object *o;
    struct scored s;
    if (!zset_read(rq, a->key, &o))
        return;
    struct slice *members = mem_try(MEM_SCRATCH, a->members.count * sizeof(*members));
    if (members == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    int64_t before = (int64_t)members_count(o);
    struct mutation m = {.kind = MUTATION_ZSET_REMOVE, .key = a->key, .ids = members};
    for (size_t i = 0; i < a->members.count; i++)
        if (zsets_get(rq->env->db, o, a->members.items[i], &s))
            members[m.count++] = a->members.items[i];
    if (m.count == 0 || write_mutation(rq, &m))
        reply_int(&rq->reply, before - members_now(rq, a->key));
    mem_free(MEM_SCRATCH, members);
}

/* -- reading ----------------------------------------------------------------------------------- */

void cmd_zcard(struct request *rq)
{
    struct object *o;
    if (zset_read(rq, ((const struct zcard_args *)rq->args)->key, &o))
        reply_int(&rq->reply, (int64_t)members_count(o));
}

static void reply_score_of(struct request *rq, const struct object *o, struct slice member)
{
    struct scored s;
    if (zsets_get(rq->env->db, o, member, &s))
        reply_double17(&rq->reply, s.score);
    else
        reply_null(&rq->reply);
}

void cmd_zscore(struct request *rq)
{
    const struct zscore_args *a = rq->args;
    struct object *o;
    if (zset_read(rq, a->key, &o))
        reply_score_of(rq, o, a->member);
}

void cmd_zmscore(struct request *rq)
{
    const struct zmscore_args *a = rq->args;
    struct object *o;
    if (!zset_read(rq, a->key, &o))
        return;
    reply_array(&rq->reply, a->members.count);
    for (size_t i = 0; i < a->members.count; i++)
        reply_score_of(rq, o, a->members.items[i]);
}

static void rank(struct request *rq, struct slice key, struct slice member,
                 const struct slices *options, bool reverse)
{
    struct object *o;
    struct scored s;
    bool with_score = options->count > 0;
    if (options->count > 1 || (with_score && !slice_eq_nocase(options->items[0], "WITHSCORE"))) {
        reply_error(&rq->reply, "ERR syntax error");
        return;
    }
    if (!zset_read(rq, key, &o))
        return;
    if (!zsets_get(rq->env->db, o, member, &s)) {
        if (with_score)
            reply_null_array(&rq->reply);
        else
            reply_null(&rq->reply);
        return;
    }
    struct zset_bound at = {.score = s.score, .member = member, .by_member = true};
    int64_t below = zsets_rank(rq->env->db, o, &at), size = (int64_t)members_count(o);
    if (with_score)
        reply_array(&rq->reply, 2);
    reply_int(&rq->reply, reverse ? size - 1 - below : below);
    if (with_score)
        reply_double17(&rq->reply, s.score);
}

void cmd_zrank(struct request *rq)
{
    const struct zrank_args *a = rq->args;
    rank(rq, a->key, a->member, &a->options, false);
}

void cmd_zrevrank(struct request *rq)
{
    const struct zrevrank_args *a = rq->args;
    rank(rq, a->key, a->member, &a->options, true);
}
