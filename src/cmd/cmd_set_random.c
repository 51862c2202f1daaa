/* Members of sets by chance: shown, or taken out. */
#include "base/rng.h"
#include "cmd/members.h"

/* Of members whose numbers are picked. */
struct picked {
    struct slice *items;
    uint32_t *numbers;
    size_t count;
};

static void picked_fini(struct picked *p)
{
    mem_free(MEM_SCRATCH, p->items);
    mem_free(MEM_SCRATCH, p->numbers);
}

/* count different ones of a set; they point into it. */
static bool pick(struct request *rq, const struct object *o, size_t count, struct picked *p)
{
    *p = (struct picked){.count = count};
    if (!members_pick(rq, members_count(o), count, &p->numbers))
        return false;
    p->items = mem_try(MEM_SCRATCH, (count + 1) * sizeof(*p->items));
    if (p->items == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        picked_fini(p);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        p->items[i] = sets_at(o, p->numbers[i]);
    return true;
}

static struct slice any_of(struct request *rq, const struct object *o)
{
    return sets_at(o, (uint32_t)rng_below(&rq->env->db->random, members_count(o)));
}

/* -- SRANDMEMBER ------------------------------------------------------------------------------- */

static void reply_many(struct request *rq, const struct object *o, int64_t count)
{
    size_t size = members_count(o);
    struct picked p;
    if (count < 0) {
        reply_array(&rq->reply, size == 0 ? 0 : (size_t)-count);
        for (int64_t i = count; i < 0 && size > 0; i++)
            reply_bulk(&rq->reply, any_of(rq, o));
        return;
    }
    if (!pick(rq, o, (size_t)count < size ? (size_t)count : size, &p))
        return;
    reply_array(&rq->reply, p.count);
    for (size_t i = 0; i < p.count; i++)
        reply_bulk(&rq->reply, p.items[i]);
    picked_fini(&p);
}

void cmd_srandmember(struct request *rq)
{
    const struct srandmember_args *a = rq->args;
    struct object *o;
    int64_t count = 0;
    if (a->rest.count > 1) {
        reply_error(&rq->reply, "ERR syntax error");
        return;
    }
    if (a->rest.count == 1 && !members_read_count(rq, a->rest.items[0], &count))
        return;
    if (!members_read(rq, a->key, OBJECT_SET, &o))
        return;
    if (a->rest.count == 1)
        reply_many(rq, o, count);
    else if (o == NULL)
        reply_null(&rq->reply);
    else
        reply_bulk(&rq->reply, any_of(rq, o));
}

/* -- SPOP -------------------------------------------------------------------------------------- */

/* The reply is made before the members are gone, and follows when they are. */
static void pop(struct request *rq, struct slice key, const struct object *o, size_t count,
                bool one)
{
    struct buf text = BUF_INIT(MEM_CLIENT);
    struct reply reply = {&text, rq->reply.proto};
    size_t size = members_count(o);
    struct picked p;
    if (!pick(rq, o, count < size ? count : size, &p))
        return;
    if (!one)
        reply_set(&reply, p.count);
    for (size_t i = 0; i < p.count; i++)
        reply_bulk(&reply, p.items[i]);
    if (buf_failed(&text))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else if (members_remove(rq, key, OBJECT_SET, p.items, p.count, size))
        buf_append_slice(rq->reply.out, buf_slice(&text));
    picked_fini(&p);
    buf_fini(&text);
}

void cmd_spop(struct request *rq)
{
    const struct spop_args *a = rq->args;
    struct object *o;
    size_t count = 1;
    bool one = a->rest.count == 0;
    if (a->rest.count > 1) {
        reply_error(&rq->reply, "ERR syntax error");
        return;
    }
    if (!one && !members_read_pops(rq, a->rest.items[0], &count))
        return;
    if (!members_read(rq, a->key, OBJECT_SET, &o))
        return;
    if (o == NULL && one)
        reply_null(&rq->reply);
    else
        pop(rq, a->key, o, o == NULL ? 0 : count, one);
}
