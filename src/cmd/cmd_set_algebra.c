/* Unions, intersections and differences of sets. */
#include "cmd/members.h"

enum algebra { UNION, INTER, DIFF };

/* The sets that a command names; NULL: there is no such key. */
struct sets {
    const struct object **items;
    size_t count;
};

/* False: the error is replied. The caller frees the items (MEM_SCRATCH). */
static bool read_sets(struct request *rq, const struct slices *keys, struct sets *out)
{
    struct object *o;
    *out = (struct sets){mem_try(MEM_SCRATCH, keys->count * sizeof(*out->items)), keys->count};
    if (out->items == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return false;
    }
    for (size_t i = 0; i < keys->count; i++) {
        if (!members_read(rq, keys->items[i], OBJECT_SET, &o)) {
            mem_free(MEM_SCRATCH, out->items);
            return false;
        }
        if (o == NULL && (rq->command->flags & CMD_WRITE))
            notify_miss(rq->env, keys->items[i]);
        out->items[i] = o;
    }
    return true;
}

static bool in_any(const struct db *db, const struct sets *s, size_t from, size_t end,
                   struct slice member)
{
    for (size_t i = from; i < end; i++)
        if (sets_has(db, s->items[i], member))
            return true;
    return false;
}

static bool in_all(const struct db *db, const struct sets *s, struct slice member)
{
    for (size_t i = 0; i < s->count; i++)
        if (!sets_has(db, s->items[i], member))
            return false;
    return true;
}

/* A member that several have is of the first of them. */
static void unite(const struct db *db, const struct sets *s, struct member_list *out)
{
    struct set_walk walk;
    struct slice member;
    for (size_t i = 0; i < s->count; i++) {
        sets_walk(s->items[i], &walk);
        while (sets_next(&walk, &member))
            if (!in_any(db, s, 0, i, member))
                member_list_add(out, member, 0);
    }
}

/* The smallest is walked. Up to most members. */
static void intersect(const struct db *db, const struct sets *s, size_t most,
                      struct member_list *out)
{
    size_t smallest = 0;
    struct set_walk walk;
    struct slice member;
    for (size_t i = 1; i < s->count; i++)
        if (members_count(s->items[i]) < members_count(s->items[smallest]))
            smallest = i;
    sets_walk(s->items[smallest], &walk);
    while (out->count < most && !out->failed && sets_next(&walk, &member))
        if (in_all(db, s, member))
            member_list_add(out, member, 0);
}

static void subtract(const struct db *db, const struct sets *s, struct member_list *out)
{
    struct set_walk walk;
    struct slice member;
    sets_walk(s->items[0], &walk);
    while (sets_next(&walk, &member))
        if (!in_any(db, s, 1, s->count, member))
            member_list_add(out, member, 0);
}

/* The members; they point into the sets. False: the error is replied. */
static bool combine(struct request *rq, const struct slices *keys, enum algebra what, size_t most,
                    struct member_list *out)
{
    struct sets s;
    const struct db *db = rq->env->db;
    *out = (struct member_list){0};
    if (!read_sets(rq, keys, &s))
        return false;
    if (what == UNION)
        unite(db, &s, out);
    else if (what == INTER)
        intersect(db, &s, most, out);
    else
        subtract(db, &s, out);
    mem_free(MEM_SCRATCH, s.items);
    if (!out->failed)
        return true;
    reply_err(&rq->reply, ERR_NOMEM, NULL);
    member_list_fini(out);
    return false;
}

static void reply_combined(struct request *rq, const struct slices *keys, enum algebra what)
{
    struct member_list l;
    if (!combine(rq, keys, what, SIZE_MAX, &l))
        return;
    member_list_reply(rq, &l);
    member_list_fini(&l);
}

/* In place of whatever the key held; nothing is no key. */
static bool store(struct request *rq, struct slice key, const struct member_list *l)
{
    if (l->count == 0)
        return db_find(rq->env->db, key) == NULL || key_remove(rq, key);
    struct slice *members = mem_try(MEM_SCRATCH, l->count * sizeof(*members));
    if (members == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return false;
    }
    for (size_t i = 0; i < l->count; i++)
        members[i] = l->items[i].member;
    bool ok = write_mutation(rq, &(struct mutation){.kind = MUTATION_SET_ADD,
                                                    .key = key,
                                                    .ids = members,
                                                    .count = l->count,
                                                    .replaces = true});
    mem_free(MEM_SCRATCH, members);
    return ok;
}

static void store_combined(struct request *rq, struct slice destination, const struct slices *keys,
                           enum algebra what)
{
    struct member_list l;
    if (!combine(rq, keys, what, SIZE_MAX, &l))
        return;
    if (store(rq, destination, &l))
        reply_int(&rq->reply, (int64_t)l.count);
    member_list_fini(&l);
}

void cmd_sunion(struct request *rq)
{
    reply_combined(rq, &((const struct sunion_args *)rq->args)->keys, UNION);
}

void cmd_sinter(struct request *rq)
{
    reply_combined(rq, &((const struct sinter_args *)rq->args)->keys, INTER);
}

void cmd_sdiff(struct request *rq)
{
    reply_combined(rq, &((const struct sdiff_args *)rq->args)->keys, DIFF);
}

void cmd_sunionstore(struct request *rq)
{
    const struct sunionstore_args *a = rq->args;
    store_combined(rq, a->destination, &a->keys, UNION);
}

void cmd_sinterstore(struct request *rq)
{
    const struct sinterstore_args *a = rq->args;
    store_combined(rq, a->destination, &a->keys, INTER);
}

void cmd_sdiffstore(struct request *rq)
{
    const struct sdiffstore_args *a = rq->args;
    store_combined(rq, a->destination, &a->keys, DIFF);
}

void cmd_sintercard(struct request *rq)
{
    const struct sintercard_args *a = rq->args;
    struct member_list l;
    struct slices keys;
    size_t limit;
    if (!members_read_card(rq, &a->words, &keys, &limit) ||
        !combine(rq, &keys, INTER, limit == 0 ? SIZE_MAX : limit, &l))
        return;
    reply_int(&rq->reply, (int64_t)l.count);
    member_list_fini(&l);
}
