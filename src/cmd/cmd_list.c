/* Lists: values pushed, popped, read and removed. */
#include "cmd/list.h"

bool list_read(struct request *rq, struct slice key, struct object **out)
{
    bool reads = (rq->command->flags & CMD_READONLY) != 0;
    *out = reads ? key_read(rq, key) : db_find(rq->env->db, key);
    if (*out == NULL || (*out)->type == OBJECT_LIST)
        return true;
    reply_err(&rq->reply, ERR_TYPE, NULL);
    return false;
}

bool list_read_integer(struct request *rq, struct slice text, int64_t *out)
{
    if (slice_to_i64(text, out))
        return true;
    reply_error(&rq->reply, "ERR value is not an integer or out of range");
    return false;
}

/* Of a list after a change. */
static int64_t count_now(struct request *rq, struct slice key)
{
    return lists_count(keyspace_get(&rq->env->db->keys, key));
}

/* -- at the ends ------------------------------------------------------------------------------- */

bool list_push(struct request *rq, struct slice key, const struct slice *values, size_t count,
               bool at_head)
{
    return write_mutation(rq, &(struct mutation){.kind = MUTATION_LIST_PUSH,
                                                 .key = key,
                                                 .ids = values,
                                                 .count = count,
                                                 .at_head = at_head});
}

static void push(struct request *rq, struct slice key, const struct slices *values, bool at_head,
                 bool must_be)
{
    struct object *o;
    if (!list_read(rq, key, &o))
        return;
    int64_t before = lists_count(o);
    if (must_be && o == NULL)
        reply_int(&rq->reply, 0);
    else if (list_push(rq, key, values->items, values->count, at_head))
        reply_int(&rq->reply, before + (int64_t)values->count);
}

void cmd_lpush(struct request *rq)
{
    const struct lpush_args *a = rq->args;
    push(rq, a->key, &a->values, true, false);
}

void cmd_rpush(struct request *rq)
{
    const struct rpush_args *a = rq->args;
    push(rq, a->key, &a->values, false, false);
}

void cmd_lpushx(struct request *rq)
{
    const struct lpushx_args *a = rq->args;
    push(rq, a->key, &a->values, true, true);
}

void cmd_rpushx(struct request *rq)
{
    const struct rpushx_args *a = rq->args;
    push(rq, a->key, &a->values, false, true);
}

/* The values at an end, from there on. */
static void reply_end(struct request *rq, const struct object *o, bool at_head, uint32_t count)
{
    struct list_walk walk;
    struct list_walk_back back;
    struct slice value;
    if (count == 1) {
        reply_bulk(&rq->reply, lists_at(o, at_head ? 0 : lists_count(o) - 1));
        return;
    }
    if (at_head)
        lists_walk(o, 0, &walk);
    else
        lists_walk_back(o, &back);
    for (; count > 0; count--) {
        bool found = at_head ? lists_next(&walk, &value) : lists_previous(&back, &value);
        CHECK(found);
        reply_bulk(&rq->reply, value);
    }
}

void list_write_replied(struct request *rq, const struct mutation *m, size_t before)
{
    struct buf *out = &rq->client->out;
    size_t replied = out->len;
    if (write_mutation(rq, m) || buf_failed(out))
        return;
    memmove(out->ptr + before, out->ptr + replied, out->len - replied);
    out->len -= replied - before;
}

void list_pop(struct request *rq, struct slice key, bool at_head, uint32_t count,
              enum list_reply form, size_t before)
{
    const struct object *o = keyspace_get(&rq->env->db->keys, key);
    CHECK(count <= lists_count(o) && (count == 1 || form == LIST_REPLY_ARRAY));
    if (form == LIST_REPLY_ARRAY)
        reply_array(&rq->reply, count);
    reply_end(rq, o, at_head, count);
    struct mutation m = {.kind = MUTATION_LIST_TRIM, .key = key};
    m.offset = at_head ? count : 0;
    m.limit = at_head ? 0 : count;
    if (count > 0)
        list_write_replied(rq, &m, before);
}

static void pop(struct request *rq, struct slice key, bool at_head, bool has_count,
                struct slice text)
{
    struct object *o;
    int64_t count = 1;
    if (has_count && (!slice_to_i64(text, &count) || count < 0)) {
        reply_error(&rq->reply, "ERR value is out of range, must be positive");
        return;
    }
    if (!list_read(rq, key, &o))
        return;
    if (o == NULL && has_count)
        reply_null_array(&rq->reply);
    else if (o == NULL)
        reply_null(&rq->reply);
    else {
        uint32_t length = lists_count(o);
        list_pop(rq, key, at_head, count < length ? (uint32_t)count : length,
                 has_count ? LIST_REPLY_ARRAY : LIST_REPLY_ONE, rq->client->out.len);
    }
}

void cmd_lpop(struct request *rq)
{
    const struct lpop_args *a = rq->args;
    pop(rq, a->key, true, a->has_count, a->count);
}

void cmd_rpop(struct request *rq)
{
    const struct rpop_args *a = rq->args;
    pop(rq, a->key, false, a->has_count, a->count);
}

/* -- places ------------------------------------------------------------------------------------ */

void cmd_llen(struct request *rq)
{
    struct object *o;
    if (list_read(rq, ((const struct llen_args *)rq->args)->key, &o))
        reply_int(&rq->reply, lists_count(o));
}

/* What a client calls start and stop, as the first place and how many follow: 0 when nothing is
 * between them. */
static uint32_t range_of(int64_t start, int64_t stop, int64_t length, uint32_t *first)
{
    start = start < 0 ? (start < -length ? 0 : start + length) : start;
    stop = stop < 0 ? (stop < -length ? -1 : stop + length) : stop;
    stop = stop < length ? stop : length - 1;
    *first = 0;
    if (start > stop)
        return 0;
    *first = (uint32_t)start;
    return (uint32_t)(stop - start + 1);
}

void cmd_lrange(struct request *rq)
{
    const struct lrange_args *a = rq->args;
    struct object *o;
    struct list_walk walk;
    struct slice value;
    uint32_t first;
    if (!list_read(rq, a->key, &o))
        return;
    uint32_t count = range_of(a->start, a->stop, lists_count(o), &first);
    reply_array(&rq->reply, count);
    lists_walk(o, first, &walk);
    for (; count > 0 && lists_next(&walk, &value); count--)
        reply_bulk(&rq->reply, value);
}

/* Of a list that is there. False: there is no such place. */
static bool place_of(const struct object *o, int64_t index, uint32_t *place)
{
    int64_t length = lists_count(o);
    if (index >= length || index < -length)
        return false;
    *place = (uint32_t)(index < 0 ? index + length : index);
    return true;
}

void cmd_lindex(struct request *rq)
{
    const struct lindex_args *a = rq->args;
    struct object *o;
    int64_t index = 0;
    uint32_t place;
    if (!list_read(rq, a->key, &o) || (o != NULL && !list_read_integer(rq, a->index, &index)))
        return;
    if (o == NULL || !place_of(o, index, &place))
        reply_null(&rq->reply);
    else
        reply_bulk(&rq->reply, lists_at(o, place));
}

void cmd_lset(struct request *rq)
{
    const struct lset_args *a = rq->args;
    struct object *o;
    int64_t index;
    uint32_t place;
    if (!list_read(rq, a->key, &o))
        return;
    if (o == NULL) {
        reply_error(&rq->reply, "ERR no such key");
        return;
    }
    if (!list_read_integer(rq, a->index, &index))
        return;
    if (!place_of(o, index, &place))
        reply_error(&rq->reply, "ERR index out of range");
    else if (write_mutation(rq, &(struct mutation){.kind = MUTATION_LIST_SET,
                                                   .key = a->key,
                                                   .offset = place,
                                                   .value = a->value}))
        reply_simple(&rq->reply, "OK");
}

static bool has_value(const struct object *o, struct slice value)
{
    struct list_walk walk;
    struct slice other;
    lists_walk(o, 0, &walk);
    while (lists_next(&walk, &other))
        if (slice_eq(other, value))
            return true;
    return false;
}

void cmd_linsert(struct request *rq)
{
    const struct linsert_args *a = rq->args;
    const struct slice pair[] = {a->pivot, a->value};
    bool before = slice_eq_nocase(a->where, "BEFORE");
    struct object *o;
    if (!before && !slice_eq_nocase(a->where, "AFTER")) {
        reply_error(&rq->reply, "ERR syntax error");
        return;
    }
    if (!list_read(rq, a->key, &o))
        return;
    if (o == NULL || !has_value(o, a->pivot)) {
        reply_int(&rq->reply, o == NULL ? 0 : -1);
        return;
    }
    if (write_mutation(rq, &(struct mutation){.kind = MUTATION_LIST_INSERT,
                                              .key = a->key,
                                              .ids = pair,
                                              .count = COUNT_OF(pair),
                                              .at_head = before}))
        reply_int(&rq->reply, count_now(rq, a->key));
}

/* -- removing ---------------------------------------------------------------------------------- */

void cmd_ltrim(struct request *rq)
{
    const struct ltrim_args *a = rq->args;
    struct mutation m = {.kind = MUTATION_LIST_TRIM, .key = a->key};
    struct object *o;
    uint32_t first;
    if (!list_read(rq, a->key, &o))
        return;
    uint32_t length = lists_count(o);
    uint32_t count = range_of(a->start, a->stop, length, &first);
    m.offset = first;
    m.limit = length - first - count;
    if (count == length || o == NULL || write_mutation(rq, &m))
        reply_simple(&rq->reply, "OK");
}

/* How many of a value a list has, as far as that counts. */
static uint32_t count_same(const struct object *o, struct slice value, int64_t most)
{
    struct list_walk walk;
    struct slice other;
    uint32_t same = 0;
    lists_walk(o, 0, &walk);
    while (same < most && lists_next(&walk, &other))
        same += slice_eq(other, value);
    return same;
}

void cmd_lrem(struct request *rq)
{
    const struct lrem_args *a = rq->args;
    struct object *o;
    int64_t most = a->count == 0 ? INT64_MAX : a->count < 0 ? -(a->count + 1) : a->count;
    if (!list_read(rq, a->key, &o))
        return;
    if (a->count < 0 && most < INT64_MAX)
        most++;
    uint32_t same = count_same(o, a->value, most);
    struct mutation m = {.kind = MUTATION_LIST_REMOVE,
                         .key = a->key,
                         .value = a->value,
                         .limit = same,
                         .at_head = a->count >= 0};
    if (same == 0 || write_mutation(rq, &m))
        reply_int(&rq->reply, same);
}
