/* Sets: their members added, removed and listed. */
#include "cmd/members.h"

enum { FEW = 8 };

/* Which of these members the set has, or has not; what is given twice comes twice. NULL: no memory,
 * and the error is replied. Up to FEW are in few; others the caller frees (MEM_SCRATCH). */
static struct slice *those_there(struct request *rq, const struct object *o,
                                 const struct slices *members, bool there, struct slice few[FEW],
                                 size_t *count)
{
    struct slice *found = few;
    if (members->count > FEW)
        found = mem_try(MEM_SCRATCH, members->count * sizeof(*found));
    *count = 0;
    if (found == NULL)
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    for (size_t i = 0; found != NULL && i < members->count; i++)
        if (sets_has(rq->env->db, o, members->items[i]) == there)
            found[(*count)++] = members->items[i];
    return found;
}

/* What is there already is not logged; a member that is given twice counts once. */
void cmd_sadd(struct request *rq)
{
    const struct sadd_args *a = rq->args;
    struct object *o;
    if (!members_read(rq, a->key, OBJECT_SET, &o))
        return;
    int64_t before = (int64_t)members_count(o);
    struct mutation m = {.kind = MUTATION_SET_ADD, .key = a->key};
    struct slice few[FEW], *added = those_there(rq, o, &a->members, false, few, &m.count);
    m.ids = added;
    if (added != NULL && (m.count == 0 || write_mutation(rq, &m)))
        reply_int(&rq->reply, m.count <= 1 ? (int64_t)m.count : members_now(rq, a->key) - before);
    if (added != few)
        mem_free(MEM_SCRATCH, added);
}

void cmd_srem(struct request *rq)
{
    const struct srem_args *a = rq->args;
    struct object *o;
    if (!members_read(rq, a->key, OBJECT_SET, &o))
        return;
    int64_t before = (int64_t)members_count(o);
    struct mutation m = {.kind = MUTATION_SET_REMOVE, .key = a->key};
    struct slice few[FEW], *removed = those_there(rq, o, &a->members, true, few, &m.count);
    m.ids = removed;
    if (removed != NULL && (m.count == 0 || write_mutation(rq, &m)))
        reply_int(&rq->reply, m.count <= 1 ? (int64_t)m.count : before - members_now(rq, a->key));
    if (removed != few)
        mem_free(MEM_SCRATCH, removed);
}

/* Into the second set first: should it then not leave the other, it leaves the second again. */
static bool move(struct request *rq, const struct smove_args *a, size_t size, bool is_there)
{
    struct mutation add = {
        .kind = MUTATION_SET_ADD, .key = a->destination, .ids = &a->member, .count = 1};
    struct mutation back = {
        .kind = MUTATION_SET_REMOVE, .key = a->destination, .ids = &a->member, .count = 1};
    struct why why = {{0}};
    uint64_t lsn;
    enum err e = db_reserve_log(rq->env->db, 3 * (mutation_size_max(&add) + a->source.len), &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return false;
    }
    if (!is_there && !write_mutation(rq, &add))
        return false;
    if (members_remove(rq, a->source, OBJECT_SET, &a->member, 1, size))
        return true;
    if (!is_there && db_write(rq->env->db, &back, &lsn, NULL) == OK)
        rq->client->last_lsn = lsn;
    return false;
}

void cmd_smove(struct request *rq)
{
    const struct smove_args *a = rq->args;
    const struct db *db = rq->env->db;
    struct object *from, *to;
    if (!members_read(rq, a->source, OBJECT_SET, &from))
        return;
    if (from == NULL) {
        reply_int(&rq->reply, 0);
        return;
    }
    if (!members_read(rq, a->destination, OBJECT_SET, &to))
        return;
    bool has = sets_has(db, from, a->member), moves = has && from != to;
    if (!moves || move(rq, a, members_count(from), sets_has(db, to, a->member)))
        reply_int(&rq->reply, has);
}

/* -- reading ----------------------------------------------------------------------------------- */

void cmd_smembers(struct request *rq)
{
    const struct smembers_args *a = rq->args;
    struct object *o;
    struct set_walk walk;
    struct slice member;
    if (!members_read(rq, a->key, OBJECT_SET, &o))
        return;
    struct member_list l = {.count = 0};
    sets_walk(o, &walk);
    while (!l.failed && sets_next(&walk, &member))
        member_list_add(&l, member, 0);
    if (l.failed)
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else
        member_list_reply(rq, &l);
    member_list_fini(&l);
}

void cmd_sismember(struct request *rq)
{
    const struct sismember_args *a = rq->args;
    struct object *o;
    if (members_read(rq, a->key, OBJECT_SET, &o))
        reply_int(&rq->reply, sets_has(rq->env->db, o, a->member));
}

void cmd_smismember(struct request *rq)
{
    const struct smismember_args *a = rq->args;
    struct object *o;
    if (!members_read(rq, a->key, OBJECT_SET, &o))
        return;
    reply_array(&rq->reply, a->members.count);
    for (size_t i = 0; i < a->members.count; i++)
        reply_int(&rq->reply, sets_has(rq->env->db, o, a->members.items[i]));
}

void cmd_scard(struct request *rq)
{
    struct object *o;
    if (members_read(rq, ((const struct scard_args *)rq->args)->key, OBJECT_SET, &o))
        reply_int(&rq->reply, (int64_t)members_count(o));
}
