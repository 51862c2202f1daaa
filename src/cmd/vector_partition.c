/* VPARTITION, and what PARTITION of other commands means. */
#include "base/limits.h"
#include "cmd/vector.h"

enum { SHOWN = 64 };

/* -- PARTITION --------------------------------------------------------------------------------- */

static bool is_default(struct slice name)
{
    return slice_eq(name, partition_default_name());
}

static bool has_partition(const struct collection *c, struct slice name)
{
    if (c->partitions == NULL)
        return is_default(name);
    return partition_table_find(c->partitions->table, name) != PARTITION_NONE;
}

static enum err check_name(struct slice name, struct why *why)
{
    if (partition_name_fits(name))
        return OK;
    return why_set(why, name.len > LIMIT_PARTITION_NAME ? ERR_LIMIT : ERR_ARG,
                   "the name of a partition is 1 to %d letters, digits, '_', '-' and '.'",
                   LIMIT_PARTITION_NAME);
}

static enum err check_collection(const struct collection *c, struct why *why)
{
    if (!c->spec.implicit)
        return OK;
    return why_set(why, ERR_ARG,
                   "a vector set made by VADD has no partitions; VCREATE makes collections");
}

static enum err no_such(struct slice key, struct slice name, struct why *why)
{
    int shown = (int)(name.len < SHOWN ? name.len : SHOWN);
    return why_set(why, ERR_NOT_FOUND,
                   "no such partition '%.*s'; create it with VPARTITION CREATE %.*s %.*s", shown,
                   (const char *)name.ptr, (int)(key.len < SHOWN ? key.len : SHOWN),
                   (const char *)key.ptr, shown, (const char *)name.ptr);
}

enum err need_partition(const struct collection *c, struct slice key, struct slice name,
                        struct slice *out, struct why *why)
{
    enum err e = check_collection(c, why);
    if (e == OK)
        e = check_name(name, why);
    if (e != OK)
        return e;
    if (!has_partition(c, name))
        return no_such(key, name, why);
    *out = is_default(name) ? (struct slice){0} : name;
    return OK;
}

enum err choose_partitions(const struct collection *c, struct slice key, const struct slices *names,
                           bool given, struct partition_choice **out, struct why *why)
{
    *out = NULL;
    if (!given)
        return OK;
    if (names->count > LIMIT_PARTITIONS)
        return why_set(why, ERR_LIMIT, "PARTITION: at most %d names", LIMIT_PARTITIONS);
    struct slice ignored, unknown;
    for (size_t i = 0; i < names->count; i++) {
        enum err e = need_partition(c, key, names->items[i], &ignored, why);
        if (e != OK)
            return e;
    }
    if (c->partitions == NULL)
        return OK;
    return partition_choice_new(c->partitions, names->items, names->count, out, &unknown);
}

/* -- VPARTITION -------------------------------------------------------------------------------- */

void cmd_vpartition_create(struct request *rq)
{
    const struct vpartition_create_args *a = rq->args;
    struct why why = {{0}};
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    enum err e = check_collection(c, &why);
    if (e == OK)
        e = check_name(a->partition, &why);
    bool there = e == OK && has_partition(c, a->partition);
    if (there && !a->if_not_exists)
        e = why_set(&why, ERR_EXISTS,
                    "the partition '%.*s' exists already; VPARTITION DROP it first, or say "
                    "IFNOTEXISTS",
                    (int)(a->partition.len < SHOWN ? a->partition.len : SHOWN),
                    (const char *)a->partition.ptr);
    if (e == OK && !there && c->partitions != NULL &&
        c->partitions->table->count >= LIMIT_PARTITIONS)
        e = why_set(&why, ERR_LIMIT, "a collection has at most %d partitions, with _default",
                    LIMIT_PARTITIONS);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    struct mutation m = {.kind = MUTATION_PARTITION_NEW, .key = a->key, .partition = a->partition};
    if (there || write_mutation(rq, &m))
        reply_simple(&rq->reply, "OK");
}

void cmd_vpartition_drop(struct request *rq)
{
    const struct vpartition_drop_args *a = rq->args;
    struct why why = {{0}};
    struct slice name;
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    enum err e = need_partition(c, a->key, a->partition, &name, &why);
    if (e == OK && name.len == 0)
        e = why_set(&why, ERR_ARG,
                    "the partition '_default' cannot be dropped; VREM and VREMWHERE remove "
                    "elements");
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    struct mutation m = {.kind = MUTATION_PARTITION_DROP, .key = a->key, .partition = name};
    if (write_mutation(rq, &m))
        reply_simple(&rq->reply, "OK");
}

/* Elements whose time is over and that are not gone yet, by the number of their partition. */
struct due {
    const struct collection *c;
    size_t *counts;
};

static bool note_due(const void *user, uint32_t row)
{
    const struct due *d = user;
    d->counts[collection_partition(d->c, row)]++;
    return true;
}

/* NULL when memory is short. */
static size_t *count_due(const struct collection *c, uint64_t now_ms)
{
    struct due d = {c, mem_try_calloc(MEM_CLIENT, PARTITION_NUMBERS * sizeof(*d.counts))};
    if (d.counts != NULL && c->aging != NULL)
        (void)aging_count_due(c->aging, now_ms, note_due, &d);
    return d.counts;
}

void cmd_vpartition_list(struct request *rq)
{
    const struct vpartition_list_args *a = rq->args;
    struct why why = {{0}};
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    enum err e = check_collection(c, &why);
    const struct partitions *p = c->partitions;
    size_t *due = e != OK || p == NULL ? NULL : count_due(c, rq->env->db->now_ms);
    if (e == OK && p != NULL && due == NULL)
        e = ERR_NOMEM;
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    reply_map(&rq->reply, p == NULL ? 1 : p->table->count);
    if (p == NULL) {
        reply_bulk(&rq->reply, partition_default_name());
        reply_int(&rq->reply, (int64_t)collection_count(c, rq->env->db->now_ms));
    }
    for (uint32_t i = 0; p != NULL && i < p->table->count; i++) {
        const struct partition_name *one = &p->table->names[i];
        CHECK(due[one->number] <= p->all[one->number].sums.count);
        reply_bulk(&rq->reply, one->name);
        reply_int(&rq->reply, (int64_t)(p->all[one->number].sums.count - due[one->number]));
    }
    mem_free(MEM_CLIENT, due);
}
