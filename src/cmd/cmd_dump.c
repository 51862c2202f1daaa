/* DUMP and RESTORE: values that travel by themselves. The bytes are this server's own (db/dump.h):
 * other servers refuse them, and theirs are refused here, in the same words. */
#include "cmd/keys.h"
#include "db/dump.h"

void cmd_dump(struct request *rq)
{
    const struct dump_args *a = rq->args;
    const struct object *o = key_read(rq, a->key);
    if (o == NULL) {
        reply_null(&rq->reply);
        return;
    }
    if (o->type != OBJECT_STRING) {
        reply_error(&rq->reply, "ERR DUMP of collections is not in this version: see vdb export");
        return;
    }
    struct buf text = BUF_INIT(MEM_CLIENT);
    dump_string(object_string(o), &text);
    if (buf_failed(&text))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else
        reply_bulk(&rq->reply, buf_slice(&text));
    buf_fini(&text);
}

/* In the order of Redis: what is wrong with the options, with the key, the time, the bytes. */
static bool options_fit(struct request *rq, const struct restore_args *a)
{
    if (a->has_idle && a->has_freq)
        reply_error(&rq->reply, "ERR syntax error");
    else if (a->has_idle && a->idle < 0)
        reply_error(&rq->reply, "ERR Invalid IDLETIME value, must be >= 0");
    else if (a->has_freq && (a->freq < 0 || a->freq > 255))
        reply_error(&rq->reply, "ERR Invalid FREQ value, must be >= 0 and <= 255");
    else
        return true;
    return false;
}

/* *until_ms: Unix time, 0: never. */
static bool read_ttl(struct request *rq, const struct restore_args *a, uint64_t *until_ms)
{
    int64_t ttl, now = (int64_t)rq->env->db->now_ms;
    if (!slice_to_i64(a->ttl, &ttl))
        reply_error(&rq->reply, "ERR value is not an integer or out of range");
    else if (ttl < 0)
        reply_error(&rq->reply, "ERR Invalid TTL value, must be >= 0");
    else if (ttl > 0 && !a->absolute && __builtin_add_overflow(ttl, now, &ttl))
        reply_error(&rq->reply, "ERR invalid expire time in 'restore' command");
    else {
        *until_ms = (uint64_t)ttl;
        return true;
    }
    return false;
}

static bool read_value(struct request *rq, struct slice bytes, struct slice *value)
{
    enum err e = dump_read(bytes, value);
    if (e == ERR_UNSUPPORTED)
        reply_error(&rq->reply, "ERR Bad data format");
    else if (e != OK)
        reply_error(&rq->reply, "ERR DUMP payload version or checksum are wrong");
    return e == OK;
}

/* As if the key had been used then, or so often, where the policy keeps that. */
static void set_access(struct request *rq, const struct restore_args *a)
{
    struct keyspace *ks = &rq->env->db->keys;
    struct object *o = keyspace_get(ks, a->key);
    CHECK(o != NULL);
    if (a->has_freq && ks->access.lfu)
        o->access = access_of_frequency(&ks->access, (uint32_t)a->freq);
    if (a->has_idle && !ks->access.lfu)
        o->access = access_of_idle(&ks->access, (uint64_t)a->idle);
}

void cmd_restore(struct request *rq)
{
    const struct restore_args *a = rq->args;
    struct db *db = rq->env->db;
    struct slice value;
    uint64_t until_ms;
    if (!options_fit(rq, a))
        return;
    bool there = db_find(db, a->key) != NULL;
    if (there && !a->replace) {
        reply_error(&rq->reply, "BUSYKEY Target key name already exists.");
        return;
    }
    if (!read_ttl(rq, a, &until_ms) || !read_value(rq, a->value, &value))
        return;
    bool over = until_ms > 0 && until_ms < db->now_ms;
    if (over && there && !key_remove(rq, a->key))
        return;
    if (!over && !key_set_until(rq, a->key, value, until_ms))
        return;
    if (!over)
        set_access(rq, a);
    reply_simple(&rq->reply, "OK");
}
