/* Unions, intersections and differences of sorted sets, with sets among them, whose members count
 * 1 each. */
#include <math.h>
#include <stdlib.h>

#include "cmd/zset.h"

enum algebra { UNION, INTER, DIFF };
enum aggregate { SUM, MIN, MAX };

struct source {
    const struct object *o; /* NULL: there is no such key */
    double weight;
};

/* What a command asks for. */
struct asked {
    enum algebra what;
    bool stores, counts; /* the result is stored, or only counted up to limit */
    struct source *sources;
    size_t count;
    enum aggregate aggregate;
    bool with_scores;
    size_t limit; /* 0: none */
};

static const char syntax[] = "ERR syntax error";

/* -- reading ----------------------------------------------------------------------------------- */

/* The keys after their number, at words[0]. False: the error is replied. */
static bool read_sources(struct request *rq, const struct slices *words, struct asked *a)
{
    int64_t count;
    if (!slice_to_i64(words->items[0], &count)) {
        reply_error(&rq->reply, "ERR value is not an integer or out of range");
        return false;
    }
    if (count < 1) {
        reply_errorf(&rq->reply, "ERR at least 1 input key is needed for '%s' command",
                     rq->command->name);
        return false;
    }
    if ((size_t)count > words->count - 1) {
        reply_error(&rq->reply, syntax);
        return false;
    }
    a->count = (size_t)count;
    a->sources = mem_try_calloc(MEM_SCRATCH, a->count * sizeof(*a->sources));
    if (a->sources == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return false;
    }
    bool reads = (rq->command->flags & CMD_READONLY) != 0;
    for (size_t i = 0; i < a->count; i++) {
        struct slice key = words->items[1 + i];
        const struct object *o = reads ? key_read(rq, key) : db_find(rq->env->db, key);
        if (o == NULL && !reads)
            notify_miss(rq->env, key);
        if (o != NULL && o->type != OBJECT_SET && o->type != OBJECT_ZSET) {
            reply_err(&rq->reply, ERR_TYPE, NULL);
            return false;
        }
        a->sources[i] = (struct source){o, 1};
    }
    return true;
}

static bool read_aggregate(struct slice word, enum aggregate *out)
{
    *out = slice_eq_nocase(word, "MIN") ? MIN : slice_eq_nocase(word, "MAX") ? MAX : SUM;
    return *out != SUM || slice_eq_nocase(word, "SUM");
}

/* One option of left words; *used of them. Redis's text of what is wrong, or NULL. */
static const char *read_option(const struct slice *w, size_t left, struct asked *a, size_t *used)
{
    bool weighs = a->what != DIFF && !a->counts;
    int64_t limit;
    *used = 2;
    if (weighs && left > a->count && slice_eq_nocase(w[0], "WEIGHTS")) {
        *used = 1 + a->count;
        for (size_t i = 0; i < a->count; i++)
            if (!score_read(w[1 + i], &a->sources[i].weight))
                return "ERR weight value is not a float";
        return NULL;
    }
    if (weighs && left >= 2 && slice_eq_nocase(w[0], "AGGREGATE"))
        return read_aggregate(w[1], &a->aggregate) ? NULL : syntax;
    if (a->counts && left >= 2 && slice_eq_nocase(w[0], "LIMIT")) {
        if (!slice_to_i64(w[1], &limit) || limit < 0)
            return "ERR LIMIT can't be negative";
        a->limit = (size_t)limit;
        return NULL;
    }
    *used = 1;
    if (a->stores || a->counts || !slice_eq_nocase(w[0], "WITHSCORES"))
        return syntax;
    a->with_scores = true;
    return NULL;
}

/* False: the error is replied. The caller frees the sources (MEM_SCRATCH) in any case. */
static bool read_words(struct request *rq, const struct slices *words, struct asked *a)
{
    const char *wrong = NULL;
    if (!read_sources(rq, words, a))
        return false;
    for (size_t i = 1 + a->count, used; i < words->count && wrong == NULL; i += used)
        wrong = read_option(words->items + i, words->count - i, a, &used);
    if (wrong != NULL)
        reply_error(&rq->reply, wrong);
    return wrong == NULL;
}

/* -- combining --------------------------------------------------------------------------------- */

/* Members of either type, with their scores. */
struct source_walk {
    bool sorted, some;
    struct set_walk set;
    struct zset_walk zset;
};

static void source_walk(const struct object *o, struct source_walk *walk)
{
    walk->some = o != NULL;
    walk->sorted = o != NULL && o->type == OBJECT_ZSET;
    if (walk->sorted)
        zsets_walk(o, 0, false, &walk->zset);
    else if (o != NULL)
        sets_walk(o, &walk->set);
}

static bool source_next(struct source_walk *walk, struct scored *out)
{
    out->score = 1;
    if (!walk->some)
        return false;
    return walk->sorted ? zsets_next(&walk->zset, out) : sets_next(&walk->set, &out->member);
}

static bool source_get(const struct db *db, const struct object *o, struct slice member,
                       double *score)
{
    struct scored s = {.score = 1};
    bool found = o != NULL &&
                 (o->type == OBJECT_ZSET ? zsets_get(db, o, member, &s) : sets_has(db, o, member));
    *score = s.score;
    return found;
}

/* Infinity times nothing, and infinity less infinity, are nothing. */
static double number(double value)
{
    return isnan(value) ? 0 : value;
}

static double aggregate(enum aggregate how, double a, double b)
{
    if (how == SUM)
        return number(a + b);
    return how == MIN ? (a < b ? a : b) : (a > b ? a : b);
}

/* The score that a member of the source at has by that and all after it. Those before may have it,
 * too: *seen. */
static double score_of(const struct db *db, const struct asked *a, size_t at,
                       const struct scored *s, bool *seen, bool *everywhere)
{
    double score = number(a->sources[at].weight * s->score), other;
    *seen = false;
    *everywhere = at == 0;
    for (size_t i = 0; i < at && !*seen; i++)
        *seen = source_get(db, a->sources[i].o, s->member, &other);
    for (size_t i = at + 1; i < a->count && !*seen; i++) {
        if (source_get(db, a->sources[i].o, s->member, &other))
            score = aggregate(a->aggregate, score, number(a->sources[i].weight * other));
        else
            *everywhere = false;
    }
    return score;
}

static void unite(const struct db *db, const struct asked *a, struct member_list *out)
{
    struct source_walk walk;
    struct scored s;
    bool seen, everywhere;
    for (size_t i = 0; i < a->count; i++) {
        source_walk(a->sources[i].o, &walk);
        while (!out->failed && source_next(&walk, &s)) {
            double score = score_of(db, a, i, &s, &seen, &everywhere);
            if (!seen)
                member_list_add(out, s.member, score);
        }
    }
}

/* The first is the smallest. */
static void intersect(const struct db *db, const struct asked *a, struct member_list *out)
{
    struct source_walk walk;
    struct scored s;
    bool seen, everywhere;
    source_walk(a->sources[0].o, &walk);
    while (!out->failed && (a->limit == 0 || out->count < a->limit) && source_next(&walk, &s)) {
        double score = score_of(db, a, 0, &s, &seen, &everywhere);
        if (everywhere)
            member_list_add(out, s.member, score);
    }
}

static void subtract(const struct db *db, const struct asked *a, struct member_list *out)
{
    struct source_walk walk;
    struct scored s;
    double other;
    source_walk(a->sources[0].o, &walk);
    while (!out->failed && source_next(&walk, &s)) {
        bool there = false;
        for (size_t i = 1; i < a->count && !there; i++)
            there = source_get(db, a->sources[i].o, s.member, &other);
        if (!there)
            member_list_add(out, s.member, s.score);
    }
}

/* Small ones first, as Redis sums them up: the sum of many doubles depends on their order. */
static int by_size(const void *a, const void *b)
{
    size_t x = members_count(((const struct source *)a)->o);
    size_t y = members_count(((const struct source *)b)->o);
    return (x > y) - (x < y);
}

static int in_order(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return slice_cmp(x->member, y->member);
}

/* In order; they point into the sources. False: the error is replied. */
static bool combine(struct request *rq, struct asked *a, struct member_list *out)
{
    const struct db *db = rq->env->db;
    *out = (struct member_list){0};
    if (a->what != DIFF)
        qsort(a->sources, a->count, sizeof(*a->sources), by_size);
    if (a->what == UNION)
        unite(db, a, out);
    else if (a->what == INTER)
        intersect(db, a, out);
    else
        subtract(db, a, out);
    if (out->failed) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        member_list_fini(out);
        return false;
    }
    if (out->count > 0)
        qsort(out->items, out->count, sizeof(*out->items), in_order);
    return true;
}

/* destination NULL: it is replied, or counted. */
static void answer(struct request *rq, const struct slices *words, struct asked *a,
                   const struct slice *destination)
{
    struct member_list l;
    a->stores = destination != NULL;
    if (!read_words(rq, words, a) || !combine(rq, a, &l)) {
        mem_free(MEM_SCRATCH, a->sources);
        return;
    }
    if (a->counts) {
        reply_int(&rq->reply, (int64_t)l.count);
    } else if (destination == NULL) {
        zset_reply_begin(&rq->reply, l.count, a->with_scores);
        for (size_t i = 0; i < l.count; i++)
            zset_reply_member(&rq->reply, &l.items[i], a->with_scores);
    } else if (zset_store(rq, *destination, l.items, l.count)) {
        reply_int(&rq->reply, (int64_t)l.count);
    }
    member_list_fini(&l);
    mem_free(MEM_SCRATCH, a->sources);
}

void cmd_zunion(struct request *rq)
{
    answer(rq, &((const struct zunion_args *)rq->args)->words, &(struct asked){.what = UNION},
           NULL);
}

void cmd_zinter(struct request *rq)
{
    answer(rq, &((const struct zinter_args *)rq->args)->words, &(struct asked){.what = INTER},
           NULL);
}

void cmd_zdiff(struct request *rq)
{
    answer(rq, &((const struct zdiff_args *)rq->args)->words, &(struct asked){.what = DIFF}, NULL);
}

void cmd_zintercard(struct request *rq)
{
    answer(rq, &((const struct zintercard_args *)rq->args)->words,
           &(struct asked){.what = INTER, .counts = true}, NULL);
}

void cmd_zunionstore(struct request *rq)
{
    const struct zunionstore_args *a = rq->args;
    answer(rq, &a->words, &(struct asked){.what = UNION}, &a->destination);
}

void cmd_zinterstore(struct request *rq)
{
    const struct zinterstore_args *a = rq->args;
    answer(rq, &a->words, &(struct asked){.what = INTER}, &a->destination);
}

void cmd_zdiffstore(struct request *rq)
{
    const struct zdiffstore_args *a = rq->args;
    answer(rq, &a->words, &(struct asked){.what = DIFF}, &a->destination);
}
