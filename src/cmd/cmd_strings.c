/* Strings. Their bytes are the whole value; integers are kept as the text they came as. */
#include "cmd/expire_time.h"
#include "cmd/keys.h"

/* NULL: the key is missing. */
static void reply_string(struct request *rq, const struct object *o)
{
    CHECK(o == NULL || o->type == OBJECT_STRING);
    if (o == NULL)
        reply_null(&rq->reply);
    else
        reply_bulk(&rq->reply, object_string(o));
}

void cmd_get(struct request *rq)
{
    const struct get_args *a = rq->args;
    struct object *o;
    if (key_string(rq, a->key, &o))
        reply_string(rq, o);
}

/* Takes back what was replied from .. to. */
static void cut(struct buf *out, size_t from, size_t to)
{
    CHECK(from <= to && to <= out->len);
    if (to > from)
        memmove(out->ptr + from, out->ptr + to, out->len - to);
    out->len -= to - from;
}

/* What a key held that a command writes to. */
static void reply_old(struct request *rq, struct slice key, const struct object *o)
{
    if (o == NULL)
        notify_miss(rq->env, key);
    reply_string(rq, o);
}

void cmd_set(struct request *rq)
{
    const struct set_args *a = rq->args;
    const struct expire_options options = EXPIRE_OPTIONS(a, a->keepttl);
    enum { ALWAYS, IF_MISSING, IF_THERE };
    uint64_t expire_ms;
    struct object *o = db_find(rq->env->db, a->key);
    if (!expire_options_fit(rq, &options) || !expire_options_read(rq, &options, &expire_ms) ||
        (a->get && !key_string(rq, a->key, &o)))
        return;
    if (a->keepttl && o != NULL)
        expire_ms = o->expire_ms;
    /* The old value is replied before the write frees it. */
    size_t from = rq->reply.out->len;
    if (a->get)
        reply_old(rq, a->key, o);
    size_t to = rq->reply.out->len;
    if ((a->when == IF_MISSING && o != NULL) || (a->when == IF_THERE && o == NULL)) {
        if (!a->get)
            reply_null(&rq->reply);
    } else if (!key_set_until(rq, a->key, a->value, expire_ms)) {
        cut(rq->reply.out, from, to);
    } else if (!a->get) {
        reply_simple(&rq->reply, "OK");
    }
}

static void set_for(struct request *rq, struct slice key, struct slice time, enum time_unit unit,
                    struct slice value)
{
    uint64_t expire_ms;
    if (expire_time_read(rq, time, unit, false, &expire_ms) &&
        key_set_until(rq, key, value, expire_ms))
        reply_simple(&rq->reply, "OK");
}

void cmd_setex(struct request *rq)
{
    const struct setex_args *a = rq->args;
    set_for(rq, a->key, a->time, SECONDS, a->value);
}

void cmd_psetex(struct request *rq)
{
    const struct psetex_args *a = rq->args;
    set_for(rq, a->key, a->time, MILLISECONDS, a->value);
}

void cmd_setnx(struct request *rq)
{
    const struct setnx_args *a = rq->args;
    if (db_find(rq->env->db, a->key) != NULL)
        reply_int(&rq->reply, 0);
    else if (key_set(rq, a->key, a->value))
        reply_int(&rq->reply, 1);
}

/* The old value is replied before the write frees it; a write that fails takes the reply back. */
void cmd_getset(struct request *rq)
{
    const struct getset_args *a = rq->args;
    struct object *o;
    if (!key_string(rq, a->key, &o))
        return;
    size_t from = rq->reply.out->len;
    reply_old(rq, a->key, o);
    size_t to = rq->reply.out->len;
    if (!key_set(rq, a->key, a->value))
        cut(rq->reply.out, from, to);
}

/* Null for a key that holds something else, as in Redis: no error can stand inside the array. */
void cmd_mget(struct request *rq)
{
    const struct mget_args *a = rq->args;
    reply_array(&rq->reply, a->keys.count);
    for (size_t i = 0; i < a->keys.count; i++) {
        const struct object *o = key_read(rq, a->keys.items[i]);
        reply_string(rq, o != NULL && o->type == OBJECT_STRING ? o : NULL);
    }
}

/* Sets all pairs or none. */
static bool set_pairs(struct request *rq, const struct slices *pairs)
{
    struct why why = {{0}};
    uint64_t lsn = rq->client->last_lsn;
    enum err e = db_set_values(rq->env->db, OBJECT_STRING, pairs->items, pairs->count, &lsn, &why);
    return written(rq, e, lsn, &why);
}

static bool are_pairs(struct request *rq, const struct slices *pairs)
{
    if (pairs->count % 2 == 0)
        return true;
    reply_errorf(&rq->reply, "ERR wrong number of arguments for '%s' command", rq->command->name);
    return false;
}

void cmd_mset(struct request *rq)
{
    const struct mset_args *a = rq->args;
    if (are_pairs(rq, &a->pairs) && set_pairs(rq, &a->pairs))
        reply_simple(&rq->reply, "OK");
}

void cmd_msetnx(struct request *rq)
{
    const struct msetnx_args *a = rq->args;
    bool fresh = true;
    if (!are_pairs(rq, &a->pairs))
        return;
    for (size_t i = 0; i < a->pairs.count; i += 2)
        fresh = fresh && db_find(rq->env->db, a->pairs.items[i]) == NULL;
    if (!fresh || set_pairs(rq, &a->pairs))
        reply_int(&rq->reply, fresh);
}

/* The value is replied first, since removing frees it; a removal that fails takes the reply back.
 */
void cmd_getdel(struct request *rq)
{
    const struct getdel_args *a = rq->args;
    struct object *o;
    if (!key_string(rq, a->key, &o))
        return;
    size_t from = rq->reply.out->len;
    reply_old(rq, a->key, o);
    size_t to = rq->reply.out->len;
    if (o != NULL && !key_remove(rq, a->key))
        cut(rq->reply.out, from, to);
}

/* What the options make of the key. It is there. */
static bool change_expiry(struct request *rq, const struct getex_args *a,
                          const struct expire_options *options, uint64_t expire_ms,
                          const struct object *o)
{
    bool absolute = options->has_exat || options->has_pxat;
    if (absolute && expire_ms <= rq->env->db->now_ms)
        return key_remove(rq, a->key);
    if (expire_ms > 0)
        return key_expire(rq, a->key, expire_ms);
    return !a->persist || o->expire_ms == 0 || key_expire(rq, a->key, 0);
}

void cmd_getex(struct request *rq)
{
    const struct getex_args *a = rq->args;
    const struct expire_options options = EXPIRE_OPTIONS(a, a->persist);
    struct object *o;
    uint64_t expire_ms;
    if (!expire_options_fit(rq, &options) || !key_string(rq, a->key, &o))
        return;
    if (o == NULL) {
        reply_old(rq, a->key, o);
        return;
    }
    if (!expire_options_read(rq, &options, &expire_ms))
        return;
    size_t from = rq->reply.out->len;
    reply_string(rq, o);
    size_t to = rq->reply.out->len;
    if (!change_expiry(rq, a, &options, expire_ms, o))
        cut(rq->reply.out, from, to);
}

/* -- parts of strings -------------------------------------------------------------------------- */

void cmd_strlen(struct request *rq)
{
    const struct strlen_args *a = rq->args;
    struct object *o;
    if (key_string(rq, a->key, &o))
        reply_int(&rq->reply, o == NULL ? 0 : (int64_t)o->value_len);
}

/* Would a string of size bytes at offset end where strings may end? */
static bool size_fits(struct request *rq, uint64_t offset, size_t size)
{
    size_t most = rq->env->config->proto_max_bulk_len;
    if (offset <= most && size <= most - offset)
        return true;
    reply_error(&rq->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

/* Replies the length of the string after. */
static void set_range(struct request *rq, struct slice key, uint64_t offset, struct slice value)
{
    struct mutation m = {
        .kind = MUTATION_STRING_RANGE, .key = key, .offset = offset, .value = value};
    if (size_fits(rq, offset, value.len) && write_mutation(rq, &m))
        reply_int(&rq->reply, (int64_t)keyspace_get(&rq->env->db->keys, key)->value_len);
}

void cmd_append(struct request *rq)
{
    const struct append_args *a = rq->args;
    struct object *o;
    if (key_string(rq, a->key, &o))
        set_range(rq, a->key, o == NULL ? 0 : o->value_len, a->value);
}

void cmd_setrange(struct request *rq)
{
    const struct setrange_args *a = rq->args;
    struct object *o;
    if (a->offset < 0)
        reply_error(&rq->reply, "ERR offset is out of range");
    else if (!key_string(rq, a->key, &o))
        return;
    else if (a->value.len == 0)
        reply_int(&rq->reply, o == NULL ? 0 : (int64_t)o->value_len);
    else
        set_range(rq, a->key, (uint64_t)a->offset, a->value);
}

/* Both ends are in it; negative ones count from the end of the string. */
static void get_range(struct request *rq, struct slice key, int64_t start, int64_t end)
{
    struct object *o;
    if (!key_string(rq, key, &o))
        return;
    struct slice s = o == NULL ? (struct slice){0} : object_string(o);
    int64_t len = (int64_t)s.len;
    bool empty = start < 0 && end < 0 && start > end;
    start = start < -len ? 0 : start < 0 ? start + len : start;
    end = end < -len ? 0 : end < 0 ? end + len : end;
    if (end >= len)
        end = len - 1;
    if (empty || start > end || len == 0)
        reply_bulk(&rq->reply, (struct slice){0});
    else
        reply_bulk(&rq->reply, (struct slice){s.ptr + start, (size_t)(end - start + 1)});
}

void cmd_getrange(struct request *rq)
{
    const struct getrange_args *a = rq->args;
    get_range(rq, a->key, a->start, a->end);
}

void cmd_substr(struct request *rq)
{
    const struct substr_args *a = rq->args;
    get_range(rq, a->key, a->start, a->end);
}
