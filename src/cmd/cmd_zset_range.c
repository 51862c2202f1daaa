/* Ranges of sorted sets, by rank, score or member: shown, stored, counted, removed. */
#include "cmd/zset.h"

/* -- ZRANGE and its kin ------------------------------------------------------------------------ */

/* What a command leaves to its words, and what it has fixed itself. */
struct asked {
    struct slice key, start, stop;
    const struct slices *words;
    bool auto_kind, auto_order;
    struct zset_range range;
    bool with_scores;
    const struct slice *destination; /* NULL: it is replied */
};

static const char syntax[] = "ERR syntax error";

/* One option from *at on, which moves to its last word. Redis's text of what is wrong, or NULL. */
static const char *read_option(struct asked *a, size_t *at)
{
    struct zset_range *range = &a->range;
    const struct slice *w = &a->words->items[*at];
    size_t left = a->words->count - *at - 1;
    if (a->destination == NULL && slice_eq_nocase(*w, "WITHSCORES")) {
        a->with_scores = true;
    } else if (slice_eq_nocase(*w, "LIMIT") && left >= 2) {
        *at += 2;
        if (!slice_to_i64(w[1], &range->offset) || !slice_to_i64(w[2], &range->limit))
            return "ERR value is not an integer or out of range";
    } else if (a->auto_order && slice_eq_nocase(*w, "REV")) {
        range->reverse = true;
        a->auto_order = false;
    } else if (a->auto_kind && slice_eq_nocase(*w, "BYLEX")) {
        range->kind = RANGE_LEX;
        a->auto_kind = false;
    } else if (a->auto_kind && slice_eq_nocase(*w, "BYSCORE")) {
        range->kind = RANGE_SCORE;
        a->auto_kind = false;
    } else {
        return syntax;
    }
    return NULL;
}

static bool read_words(struct request *rq, struct asked *a)
{
    const char *wrong = NULL;
    a->range.limit = -1;
    for (size_t i = 0; i < a->words->count && wrong == NULL; i++)
        wrong = read_option(a, &i);
    if (wrong == NULL && a->range.limit != -1 && a->range.kind == RANGE_RANK)
        wrong = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or "
                "BYLEX";
    else if (wrong == NULL && a->with_scores && a->range.kind == RANGE_LEX)
        wrong = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
    if (wrong != NULL)
        reply_error(&rq->reply, wrong);
    bool swaps = a->range.reverse && a->range.kind != RANGE_RANK; /* the maximum is said first */
    return wrong == NULL &&
           zset_range_read(rq, swaps ? a->stop : a->start, swaps ? a->start : a->stop, &a->range);
}

static void reply_part(struct request *rq, const struct object *o, struct zset_part part,
                       const struct asked *a)
{
    struct zset_walk walk;
    struct scored s;
    zset_reply_begin(&rq->reply, part.count, a->with_scores);
    if (part.count == 0)
        return;
    zsets_walk(o, part.first, a->range.reverse, &walk);
    for (uint32_t i = 0; i < part.count; i++) {
        bool some = zsets_next(&walk, &s);
        CHECK(some);
        zset_reply_member(&rq->reply, &s, a->with_scores);
    }
}

/* The members of a part; they point into the set. False: no memory, and the error is replied. The
 * caller frees them (MEM_SCRATCH). */
static bool list_part(struct request *rq, const struct object *o, struct zset_part part,
                      bool reverse, struct scored **out)
{
    struct zset_walk walk;
    *out = mem_try(MEM_SCRATCH, (part.count + 1) * sizeof(**out));
    if (*out == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return false;
    }
    if (part.count > 0)
        zsets_walk(o, part.first, reverse, &walk);
    for (uint32_t i = 0; i < part.count; i++) {
        bool some = zsets_next(&walk, &(*out)[i]);
        CHECK(some);
    }
    return true;
}

static void store_part(struct request *rq, const struct object *o, struct zset_part part,
                       const struct asked *a)
{
    struct scored *members;
    if (!list_part(rq, o, part, a->range.reverse, &members))
        return;
    if (zset_store(rq, *a->destination, members, part.count))
        reply_int(&rq->reply, part.count);
    mem_free(MEM_SCRATCH, members);
}

static void range(struct request *rq, struct asked *a)
{
    struct object *o;
    if (!read_words(rq, a) || !zset_read(rq, a->key, &o))
        return;
    struct zset_part part = zset_range_part(rq->env->db, o, &a->range);
    if (a->destination != NULL)
        store_part(rq, o, part, a);
    else
        reply_part(rq, o, part, a);
}

void cmd_zrange(struct request *rq)
{
    const struct zrange_args *a = rq->args;
    range(rq, &(struct asked){.key = a->key,
                              .start = a->start,
                              .stop = a->stop,
                              .words = &a->words,
                              .auto_kind = true,
                              .auto_order = true});
}

void cmd_zrangestore(struct request *rq)
{
    const struct zrangestore_args *a = rq->args;
    range(rq, &(struct asked){.key = a->source,
                              .start = a->start,
                              .stop = a->stop,
                              .words = &a->words,
                              .auto_kind = true,
                              .auto_order = true,
                              .destination = &a->destination});
}

void cmd_zrevrange(struct request *rq)
{
    const struct zrevrange_args *a = rq->args;
    range(rq, &(struct asked){.key = a->key,
                              .start = a->start,
                              .stop = a->stop,
                              .words = &a->words,
                              .range = {.reverse = true}});
}

void cmd_zrangebyscore(struct request *rq)
{
    const struct zrangebyscore_args *a = rq->args;
    range(rq, &(struct asked){.key = a->key,
                              .start = a->start,
                              .stop = a->stop,
                              .words = &a->words,
                              .range = {.kind = RANGE_SCORE}});
}

void cmd_zrevrangebyscore(struct request *rq)
{
    const struct zrevrangebyscore_args *a = rq->args;
    range(rq, &(struct asked){.key = a->key,
                              .start = a->start,
                              .stop = a->stop,
                              .words = &a->words,
                              .range = {.kind = RANGE_SCORE, .reverse = true}});
}

void cmd_zrangebylex(struct request *rq)
{
    const struct zrangebylex_args *a = rq->args;
    range(rq, &(struct asked){.key = a->key,
                              .start = a->start,
                              .stop = a->stop,
                              .words = &a->words,
                              .range = {.kind = RANGE_LEX}});
}

void cmd_zrevrangebylex(struct request *rq)
{
    const struct zrevrangebylex_args *a = rq->args;
    range(rq, &(struct asked){.key = a->key,
                              .start = a->start,
                              .stop = a->stop,
                              .words = &a->words,
                              .range = {.kind = RANGE_LEX, .reverse = true}});
}

/* -- counting ---------------------------------------------------------------------------------- */

static void count(struct request *rq, struct slice key, struct slice min, struct slice max,
                  enum zset_range_kind kind)
{
    struct zset_range asked = {.kind = kind, .limit = -1};
    struct object *o;
    if (zset_range_read(rq, min, max, &asked) && zset_read(rq, key, &o))
        reply_int(&rq->reply, zset_range_part(rq->env->db, o, &asked).count);
}

void cmd_zcount(struct request *rq)
{
    const struct zcount_args *a = rq->args;
    count(rq, a->key, a->min, a->max, RANGE_SCORE);
}

void cmd_zlexcount(struct request *rq)
{
    const struct zlexcount_args *a = rq->args;
    count(rq, a->key, a->min, a->max, RANGE_LEX);
}

/* -- removing ---------------------------------------------------------------------------------- */

static void remove_range(struct request *rq, struct slice key, struct slice min, struct slice max,
                         enum zset_range_kind kind)
{
    struct zset_range asked = {.kind = kind, .limit = -1};
    struct object *o;
    struct scored *members;
    if (!zset_range_read(rq, min, max, &asked) || !zset_read(rq, key, &o))
        return;
    struct zset_part part = zset_range_part(rq->env->db, o, &asked);
    if (!list_part(rq, o, part, false, &members))
        return;
    struct slice *names = mem_try(MEM_SCRATCH, (part.count + 1) * sizeof(*names));
    for (uint32_t i = 0; names != NULL && i < part.count; i++)
        names[i] = members[i].member;
    if (names == NULL)
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else if (members_remove(rq, key, OBJECT_ZSET, names, part.count, members_count(o)))
        reply_int(&rq->reply, part.count);
    mem_free(MEM_SCRATCH, names);
    mem_free(MEM_SCRATCH, members);
}

void cmd_zremrangebyrank(struct request *rq)
{
    const struct zremrangebyrank_args *a = rq->args;
    remove_range(rq, a->key, a->start, a->stop, RANGE_RANK);
}

void cmd_zremrangebyscore(struct request *rq)
{
    const struct zremrangebyscore_args *a = rq->args;
    remove_range(rq, a->key, a->min, a->max, RANGE_SCORE);
}

void cmd_zremrangebylex(struct request *rq)
{
    const struct zremrangebylex_args *a = rq->args;
    remove_range(rq, a->key, a->min, a->max, RANGE_LEX);
}
