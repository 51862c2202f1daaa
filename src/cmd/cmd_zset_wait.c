/* Sorted sets: commands that wait until there is something to take. */
#include "cmd/blocking.h"
#include "cmd/env.h"
#include "cmd/zset.h"

/* The first of the keys that holds a sorted set; *at is count when none does. False: an error is
 * replied. */
static bool find_first(struct request *rq, const struct slice *keys, size_t count,
                       struct object **o, size_t *at)
{
    for (*at = 0; *at < count; (*at)++) {
        if (!blocking_asks(rq, keys[*at]))
            continue;
        if (!blocking_find(rq, keys[*at], OBJECT_ZSET, o))
            return false;
        if (*o != NULL)
            break;
    }
    return true;
}

static void pop_or_wait(struct request *rq, const struct slices *words, bool highest)
{
    const struct slice *keys = words->items;
    size_t count = words->count - 1, at;
    uint64_t timeout_us;
    struct object *o;
    if (!blocking_read_timeout(rq, keys[count], &timeout_us) ||
        !find_first(rq, keys, count, &o, &at))
        return;
    if (at < count)
        zset_pop_one(rq, keys[at], o, highest);
    else
        blocking_wait(rq, keys, count, timeout_us);
}

void cmd_bzpopmin(struct request *rq)
{
    pop_or_wait(rq, &((const struct bzpopmin_args *)rq->args)->words, false);
}

void cmd_bzpopmax(struct request *rq)
{
    pop_or_wait(rq, &((const struct bzpopmax_args *)rq->args)->words, true);
}

void cmd_bzmpop(struct request *rq)
{
    const struct bzmpop_args *a = rq->args;
    struct slices keys;
    struct object *o;
    size_t count, at;
    uint64_t timeout_us;
    bool highest;
    const char *wrong = zset_read_mpop(&a->words, &keys, &highest, &count);
    if (wrong != NULL) {
        reply_error(&rq->reply, wrong);
        return;
    }
    if (!blocking_read_timeout(rq, a->timeout, &timeout_us) ||
        !find_first(rq, keys.items, keys.count, &o, &at))
        return;
    if (at < keys.count)
        zset_pop_pairs(rq, keys.items[at], o, count, highest);
    else
        blocking_wait(rq, keys.items, keys.count, timeout_us);
}
