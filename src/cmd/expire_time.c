#include "cmd/expire_time.h"

#include "cmd/env.h"

static bool reply_invalid(struct request *rq)
{
    reply_errorf(&rq->reply, "ERR invalid expire time in '%s' command", rq->command->name);
    return false;
}

bool expire_time_of(struct request *rq, int64_t time, enum time_unit unit, bool absolute,
                    int64_t *expire_ms)
{
    int64_t now = absolute ? 0 : (int64_t)rq->env->db->now_ms;
    int64_t scale = unit == SECONDS ? 1000 : 1;
    if (__builtin_mul_overflow(time, scale, &time) || __builtin_add_overflow(time, now, expire_ms))
        return reply_invalid(rq);
    return true;
}

bool expire_time_read(struct request *rq, struct slice text, enum time_unit unit, bool absolute,
                      uint64_t *expire_ms)
{
    int64_t time, at;
    if (!slice_to_i64(text, &time)) {
        reply_error(&rq->reply, "ERR value is not an integer or out of range");
        return false;
    }
    if (time <= 0)
        return reply_invalid(rq);
    if (!expire_time_of(rq, time, unit, absolute, &at))
        return false;
    CHECK(at > 0);
    *expire_ms = (uint64_t)at;
    return true;
}

bool expire_options_fit(struct request *rq, const struct expire_options *o)
{
    if (o->has_ex + o->has_px + o->has_exat + o->has_pxat + o->keep <= 1)
        return true;
    reply_error(&rq->reply, "ERR syntax error");
    return false;
}

bool expire_options_read(struct request *rq, const struct expire_options *o, uint64_t *expire_ms)
{
    *expire_ms = 0;
    if (o->has_ex)
        return expire_time_read(rq, o->ex, SECONDS, false, expire_ms);
    if (o->has_px)
        return expire_time_read(rq, o->px, MILLISECONDS, false, expire_ms);
    if (o->has_exat)
        return expire_time_read(rq, o->exat, SECONDS, true, expire_ms);
    if (o->has_pxat)
        return expire_time_read(rq, o->pxat, MILLISECONDS, true, expire_ms);
    return true;
}

bool expire_want_allows(const struct expire_want *w, uint64_t now_ms, int64_t wanted_ms)
{
    bool never = now_ms == 0;
    if ((w->nx && !never) || (w->xx && never))
        return false;
    if (w->gt && (never || wanted_ms <= (int64_t)now_ms))
        return false;
    return !w->lt || never || wanted_ms < (int64_t)now_ms;
}
