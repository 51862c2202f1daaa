/* Lists: commands that wait until there is something to take. */
#include "cmd/blocking.h"
#include "cmd/env.h"
#include "cmd/list.h"

/* Takes from the first list that is there, or waits for all of them. */
static void pop_or_wait(struct request *rq, const struct slices *words, bool at_head)
{
    const struct slice *keys = words->items;
    size_t count = words->count - 1;
    uint64_t timeout_us;
    if (!blocking_read_timeout(rq, keys[count], &timeout_us))
        return;
    for (size_t i = 0; i < count; i++) {
        struct object *o;
        if (!blocking_asks(rq, keys[i]))
            continue;
        if (!blocking_find(rq, keys[i], OBJECT_LIST, &o))
            return;
        if (o == NULL)
            continue;
        size_t before = rq->client->out.len;
        reply_array(&rq->reply, 2);
        reply_bulk(&rq->reply, keys[i]);
        list_pop(rq, keys[i], at_head, 1, LIST_REPLY_ONE, before);
        return;
    }
    blocking_wait(rq, keys, count, timeout_us);
}

void cmd_blpop(struct request *rq)
{
    pop_or_wait(rq, &((const struct blpop_args *)rq->args)->words, true);
}

void cmd_brpop(struct request *rq)
{
    pop_or_wait(rq, &((const struct brpop_args *)rq->args)->words, false);
}

static void move_or_wait(struct request *rq, struct slice key, struct slice destination,
                         struct slice timeout, bool from_head, bool to_head)
{
    struct object *o;
    uint64_t timeout_us;
    if (!blocking_read_timeout(rq, timeout, &timeout_us) ||
        !blocking_find(rq, key, OBJECT_LIST, &o))
        return;
    if (o != NULL && list_move(rq, key, destination, from_head, to_head))
        return;
    if (rq->client->flags & CLIENT_IN_EXEC)
        reply_null(&rq->reply);
    else
        blocking_wait(rq, &key, 1, timeout_us);
}

void cmd_blmove(struct request *rq)
{
    const struct blmove_args *a = rq->args;
    bool from_head, to_head;
    if (list_read_end(rq, a->from, &from_head) && list_read_end(rq, a->to, &to_head))
        move_or_wait(rq, a->key, a->destination, a->timeout, from_head, to_head);
}

void cmd_brpoplpush(struct request *rq)
{
    const struct brpoplpush_args *a = rq->args;
    move_or_wait(rq, a->key, a->destination, a->timeout, false, true);
}

void cmd_blmpop(struct request *rq)
{
    const struct blmpop_args *a = rq->args;
    struct list_mpop mpop;
    uint64_t timeout_us;
    if (!list_read_mpop(rq, &a->words, &mpop) ||
        !blocking_read_timeout(rq, a->timeout, &timeout_us))
        return;
    for (size_t i = 0; i < mpop.keys.count; i++) {
        struct object *o;
        if (!blocking_asks(rq, mpop.keys.items[i]))
            continue;
        if (!blocking_find(rq, mpop.keys.items[i], OBJECT_LIST, &o))
            return;
        if (o != NULL) {
            list_pop_named(rq, mpop.keys.items[i], o, &mpop);
            return;
        }
    }
    blocking_wait(rq, mpop.keys.items, mpop.keys.count, timeout_us);
}
