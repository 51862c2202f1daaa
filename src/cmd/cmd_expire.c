/* When keys expire: EXPIRE and its kin, TTL and its kin, PERSIST. They work on keys of any type. */
#include "cmd/expire_time.h"
#include "cmd/keys.h"

static bool conditions_fit(struct request *rq, const struct expire_want *w)
{
    if (w->nx && (w->xx || w->gt || w->lt))
        reply_error(&rq->reply,
                    "ERR NX and XX, GT or LT options at the same time are not compatible");
    else if (w->gt && w->lt)
        reply_error(&rq->reply, "ERR GT and LT options at the same time are not compatible");
    else
        return true;
    return false;
}

/* A time that has come removes the key at once. */
static void expire(struct request *rq, const struct expire_want *w, enum time_unit unit,
                   bool absolute)
{
    int64_t at;
    if (!conditions_fit(rq, w) || !expire_time_of(rq, w->time, unit, absolute, &at))
        return;
    const struct object *o = db_find(rq->env->db, w->key);
    bool changes = o != NULL && expire_want_allows(w, o->expire_ms, at);
    bool past = at <= (int64_t)rq->env->db->now_ms;
    if (changes && !(past ? key_remove(rq, w->key) : key_expire(rq, w->key, (uint64_t)at)))
        return;
    reply_int(&rq->reply, changes);
}

void cmd_expire(struct request *rq)
{
    expire(rq, &EXPIRE_WANT((const struct expire_args *)rq->args), SECONDS, false);
}

void cmd_pexpire(struct request *rq)
{
    expire(rq, &EXPIRE_WANT((const struct pexpire_args *)rq->args), MILLISECONDS, false);
}

void cmd_expireat(struct request *rq)
{
    expire(rq, &EXPIRE_WANT((const struct expireat_args *)rq->args), SECONDS, true);
}

void cmd_pexpireat(struct request *rq)
{
    expire(rq, &EXPIRE_WANT((const struct pexpireat_args *)rq->args), MILLISECONDS, true);
}

void cmd_persist(struct request *rq)
{
    const struct persist_args *a = rq->args;
    const struct object *o = db_find(rq->env->db, a->key);
    bool changes = o != NULL && o->expire_ms > 0;
    if (!changes || key_expire(rq, a->key, 0))
        reply_int(&rq->reply, changes);
}

/* -1 for a key that never expires, -2 for none; seconds are rounded. */
static void reply_time(struct request *rq, struct slice key, enum time_unit unit, bool absolute)
{
    const struct object *o = key_read(rq, key);
    if (o == NULL || o->expire_ms == 0) {
        reply_int(&rq->reply, o == NULL ? -2 : -1);
        return;
    }
    uint64_t now_ms = rq->env->db->now_ms;
    CHECK(o->expire_ms >= now_ms && o->expire_ms <= INT64_MAX);
    uint64_t time = absolute ? o->expire_ms : o->expire_ms - now_ms;
    reply_int(&rq->reply, (int64_t)(unit == SECONDS ? (time + 500) / 1000 : time));
}

void cmd_ttl(struct request *rq)
{
    reply_time(rq, ((const struct ttl_args *)rq->args)->key, SECONDS, false);
}

void cmd_pttl(struct request *rq)
{
    reply_time(rq, ((const struct pttl_args *)rq->args)->key, MILLISECONDS, false);
}

void cmd_expiretime(struct request *rq)
{
    reply_time(rq, ((const struct expiretime_args *)rq->args)->key, SECONDS, true);
}

void cmd_pexpiretime(struct request *rq)
{
    reply_time(rq, ((const struct pexpiretime_args *)rq->args)->key, MILLISECONDS, true);
}
