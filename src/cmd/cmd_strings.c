/* Strings. Their bytes are the whole value; integers are kept as the text they came as. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/keys.h"

#define NOT_AN_INTEGER "ERR value is not an integer or out of range"

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

/* May SET go on with these options about time? */
static bool without_expiry(struct request *rq, const struct set_args *a)
{
    int given = a->has_ex + a->has_px + a->has_exat + a->has_pxat;
    if (given + a->keepttl > 1)
        reply_error(&rq->reply, "ERR syntax error");
    else if (given > 0)
        reply_error(&rq->reply, "ERR expiry is not in this version");
    else
        return true; /* KEEPTTL too: what never expires goes on like that */
    return false;
}

/* Takes back what was replied from .. to. */
static void cut(struct buf *out, size_t from, size_t to)
{
    CHECK(from <= to && to <= out->len);
    if (to > from)
        memmove(out->ptr + from, out->ptr + to, out->len - to);
    out->len -= to - from;
}

void cmd_set(struct request *rq)
{
    const struct set_args *a = rq->args;
    enum { ALWAYS, IF_MISSING, IF_THERE };
    struct object *o = keyspace_get(&rq->env->db->keys, a->key);
    if (!without_expiry(rq, a) || (a->get && !key_string(rq, a->key, &o)))
        return;
    /* The old value is replied before the write frees it. */
    size_t from = rq->reply.out->len;
    if (a->get)
        reply_string(rq, o);
    size_t to = rq->reply.out->len;
    if ((a->when == IF_MISSING && o != NULL) || (a->when == IF_THERE && o == NULL)) {
        if (!a->get)
            reply_null(&rq->reply);
    } else if (!key_set(rq, a->key, a->value)) {
        cut(rq->reply.out, from, to);
    } else if (!a->get) {
        reply_simple(&rq->reply, "OK");
    }
}

void cmd_setnx(struct request *rq)
{
    const struct setnx_args *a = rq->args;
    if (keyspace_get(&rq->env->db->keys, a->key) != NULL)
        reply_int(&rq->reply, 0);
    else if (key_set(rq, a->key, a->value))
        reply_int(&rq->reply, 1);
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

void cmd_mset(struct request *rq)
{
    const struct mset_args *a = rq->args;
    if (a->pairs.count % 2 != 0) {
        reply_error(&rq->reply, "ERR wrong number of arguments for 'mset' command");
        return;
    }
    /* All or none: what may fail is looked at before the first key changes. */
    size_t bytes = 0;
    for (size_t i = 0; i < a->pairs.count; i++)
        bytes += a->pairs.items[i].len + sizeof(struct object);
    if (!db_has_room(rq->env->db, bytes)) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    for (size_t i = 0; i < a->pairs.count; i += 2)
        if (!key_set(rq, a->pairs.items[i], a->pairs.items[i + 1]))
            return;
    reply_simple(&rq->reply, "OK");
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
    reply_string(rq, o);
    size_t to = rq->reply.out->len;
    if (o != NULL && !key_remove(rq, a->key))
        cut(rq->reply.out, from, to);
}

void cmd_strlen(struct request *rq)
{
    const struct strlen_args *a = rq->args;
    struct object *o;
    if (key_string(rq, a->key, &o))
        reply_int(&rq->reply, o == NULL ? 0 : (int64_t)o->value_len);
}

/* The log holds whole strings, so appending writes a new one. */
void cmd_append(struct request *rq)
{
    const struct append_args *a = rq->args;
    struct object *o;
    if (!key_string(rq, a->key, &o))
        return;
    struct slice old = o == NULL ? (struct slice){0} : object_string(o);
    if (old.len + a->value.len > rq->env->config->proto_max_bulk_len) {
        reply_error(&rq->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return;
    }
    struct buf both = BUF_INIT(MEM_SCRATCH);
    (void)buf_reserve(&both, old.len + a->value.len);
    buf_append_slice(&both, old);
    buf_append_slice(&both, a->value);
    size_t len = both.len;
    if (buf_failed(&both))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else if (key_set(rq, a->key, buf_slice(&both)))
        reply_int(&rq->reply, (int64_t)len);
    buf_fini(&both);
}

/* Adds to the integer at a key; one that is not there is 0. */
static void add(struct request *rq, struct slice key, int64_t delta)
{
    struct object *o;
    int64_t value = 0;
    if (!key_string(rq, key, &o))
        return;
    if (o != NULL && !string_is_integer(object_string(o), &value)) {
        reply_error(&rq->reply, NOT_AN_INTEGER);
        return;
    }
    if (__builtin_add_overflow(value, delta, &value)) {
        reply_error(&rq->reply, "ERR increment or decrement would overflow");
        return;
    }
    char text[24];
    int size = snprintf(text, sizeof(text), "%" PRId64, value);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    if (key_set(rq, key, slice_of(text)))
        reply_int(&rq->reply, value);
}

void cmd_incr(struct request *rq)
{
    add(rq, ((const struct incr_args *)rq->args)->key, 1);
}

void cmd_decr(struct request *rq)
{
    add(rq, ((const struct decr_args *)rq->args)->key, -1);
}

void cmd_incrby(struct request *rq)
{
    const struct incrby_args *a = rq->args;
    add(rq, a->key, a->delta);
}

void cmd_decrby(struct request *rq)
{
    const struct decrby_args *a = rq->args;
    if (a->delta == INT64_MIN)
        reply_error(&rq->reply, "ERR decrement would overflow");
    else
        add(rq, a->key, -a->delta);
}
