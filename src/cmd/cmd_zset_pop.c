/* Members of sorted sets taken from either end, and by chance. */
#include "base/limits.h"
#include "base/rng.h"
#include "cmd/zset.h"

/* -- ZPOPMIN, ZPOPMAX, ZMPOP ------------------------------------------------------------------- */

struct popped {
    struct scored *members; /* they point into the set */
    struct slice *names;
    size_t count;
};

static void popped_fini(struct popped *p)
{
    mem_free(MEM_SCRATCH, p->members);
    mem_free(MEM_SCRATCH, p->names);
}

/* Up to count of them, from the lowest or the highest on. */
static bool list_ends(struct request *rq, const struct object *o, size_t count, bool highest,
                      struct popped *p)
{
    size_t size = members_count(o);
    struct zset_walk walk;
    p->count = count < size ? count : size;
    p->members = mem_try(MEM_SCRATCH, (p->count + 1) * sizeof(*p->members));
    p->names = mem_try(MEM_SCRATCH, (p->count + 1) * sizeof(*p->names));
    if (p->members == NULL || p->names == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        popped_fini(p);
        return false;
    }
    if (p->count > 0)
        zsets_walk(o, highest ? (uint32_t)size - 1 : 0, highest, &walk);
    for (size_t i = 0; i < p->count; i++) {
        bool some = zsets_next(&walk, &p->members[i]);
        CHECK(some);
        p->names[i] = p->members[i].member;
    }
    return true;
}

/* The reply is made before the members are gone, and follows when they are. */
static void remove_popped(struct request *rq, struct slice key, const struct object *o,
                          const struct popped *p, const struct buf *text)
{
    if (buf_failed(text))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else if (members_remove(rq, key, OBJECT_ZSET, p->names, p->count, members_count(o)))
        buf_append_slice(rq->reply.out, buf_slice(text));
}

/* count NULL: one, and its score beside it in both protocols. */
static void pop_ends(struct request *rq, struct slice key, const struct slices *rest, bool highest)
{
    struct buf text = BUF_INIT(MEM_CLIENT);
    struct reply reply = {&text, rq->reply.proto};
    struct object *o;
    struct popped p;
    size_t count = 1;
    bool one = rest->count == 0;
    if (rest->count > 1) {
        reply_error(&rq->reply, "ERR syntax error");
        return;
    }
    if (!one && !members_read_pops(rq, rest->items[0], &count))
        return;
    if (!zset_read(rq, key, &o) || !list_ends(rq, o, count, highest, &p))
        return;
    if (one)
        reply_array(&reply, 2 * p.count);
    else
        zset_reply_begin(&reply, p.count, true);
    for (size_t i = 0; i < p.count; i++) {
        zset_reply_member(&reply, &p.members[i], !one);
        if (one)
            reply_double17(&reply, p.members[i].score);
    }
    remove_popped(rq, key, o, &p, &text);
    popped_fini(&p);
    buf_fini(&text);
}

void cmd_zpopmin(struct request *rq)
{
    const struct zpopmin_args *a = rq->args;
    pop_ends(rq, a->key, &a->rest, false);
}

void cmd_zpopmax(struct request *rq)
{
    const struct zpopmax_args *a = rq->args;
    pop_ends(rq, a->key, &a->rest, true);
}

void zset_pop_one(struct request *rq, struct slice key, const struct object *o, bool highest)
{
    struct buf text = BUF_INIT(MEM_CLIENT);
    struct reply reply = {&text, rq->reply.proto};
    struct popped p;
    if (!list_ends(rq, o, 1, highest, &p))
        return;
    reply_array(&reply, 3);
    reply_bulk(&reply, key);
    reply_bulk(&reply, p.members[0].member);
    reply_double17(&reply, p.members[0].score);
    remove_popped(rq, key, o, &p, &text);
    popped_fini(&p);
    buf_fini(&text);
}

void zset_pop_pairs(struct request *rq, struct slice key, const struct object *o, size_t count,
                    bool highest)
{
    struct buf text = BUF_INIT(MEM_CLIENT);
    struct reply reply = {&text, rq->reply.proto};
    struct popped p;
    if (!list_ends(rq, o, count, highest, &p))
        return;
    reply_array(&reply, 2);
    reply_bulk(&reply, key);
    reply_array(&reply, p.count);
    for (size_t i = 0; i < p.count; i++) {
        reply_array(&reply, 2);
        reply_bulk(&reply, p.members[i].member);
        reply_double17(&reply, p.members[i].score);
    }
    remove_popped(rq, key, o, &p, &text);
    popped_fini(&p);
    buf_fini(&text);
}

const char *zset_read_mpop(const struct slices *words, struct slices *keys, bool *highest,
                           size_t *count)
{
    static const char syntax[] = "ERR syntax error";
    int64_t number = 0, value = 1;
    if (!slice_to_i64(words->items[0], &number) || number < 1)
        return "ERR numkeys should be greater than 0";
    if ((size_t)number > words->count - 1 || (size_t)number + 1 >= words->count)
        return syntax;
    const struct slice *w = words->items + 1 + number;
    size_t left = words->count - 1 - (size_t)number;
    *keys = (struct slices){words->items + 1, (size_t)number};
    *highest = slice_eq_nocase(w[0], "MAX");
    if (!*highest && !slice_eq_nocase(w[0], "MIN"))
        return syntax;
    if (left > 1 && (left != 3 || !slice_eq_nocase(w[1], "COUNT")))
        return syntax;
    if (left == 3 && (!slice_to_i64(w[2], &value) || value < 1))
        return "ERR count should be greater than 0";
    *count = (size_t)value;
    return NULL;
}

void cmd_zmpop(struct request *rq)
{
    const struct zmpop_args *a = rq->args;
    struct slices keys;
    struct object *o;
    bool highest;
    size_t count;
    const char *wrong = zset_read_mpop(&a->words, &keys, &highest, &count);
    if (wrong != NULL) {
        reply_error(&rq->reply, wrong);
        return;
    }
    for (size_t i = 0; i < keys.count; i++) {
        if (!zset_read(rq, keys.items[i], &o))
            return;
        if (o != NULL) {
            zset_pop_pairs(rq, keys.items[i], o, count, highest);
            return;
        }
    }
    reply_null_array(&rq->reply);
}

/* -- ZRANDMEMBER ------------------------------------------------------------------------------- */

static void reply_at(struct request *rq, const struct object *o, uint32_t rank, bool with_scores)
{
    struct zset_walk walk;
    struct scored s;
    zsets_walk(o, rank, false, &walk);
    bool some = zsets_next(&walk, &s);
    CHECK(some);
    zset_reply_member(&rq->reply, &s, with_scores);
}

static void reply_random(struct request *rq, const struct object *o, int64_t count,
                         bool with_scores)
{
    size_t size = members_count(o);
    uint32_t *numbers;
    if (count < 0) {
        zset_reply_begin(&rq->reply, size == 0 ? 0 : (size_t)-count, with_scores);
        for (int64_t i = count; i < 0 && size > 0; i++)
            reply_at(rq, o, (uint32_t)rng_below(&rq->env->db->random, size), with_scores);
        return;
    }
    size_t few = (size_t)count < size ? (size_t)count : size;
    if (!members_pick(rq, size, few, &numbers))
        return;
    zset_reply_begin(&rq->reply, few, with_scores);
    for (size_t i = 0; i < few; i++)
        reply_at(rq, o, numbers[i], with_scores);
    mem_free(MEM_SCRATCH, numbers);
}

void cmd_zrandmember(struct request *rq)
{
    const struct zrandmember_args *a = rq->args;
    struct object *o;
    int64_t count = 0;
    bool with_scores = a->options.count > 0;
    if (a->has_count && !members_read_count(rq, a->count, &count))
        return;
    if (a->options.count > 1 ||
        (with_scores && !slice_eq_nocase(a->options.items[0], "WITHSCORES"))) {
        reply_error(&rq->reply, "ERR syntax error");
        return;
    }
    if (with_scores && (count < -INT64_MAX / 2 || count > INT64_MAX / 2)) {
        reply_error(&rq->reply, "ERR value is out of range");
        return;
    }
    if (!zset_read(rq, a->key, &o))
        return;
    if (a->has_count)
        reply_random(rq, o, count, with_scores);
    else if (o == NULL)
        reply_null(&rq->reply);
    else
        reply_at(rq, o, (uint32_t)rng_below(&rq->env->db->random, members_count(o)), false);
}
