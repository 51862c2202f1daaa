/* DUMP and RESTORE: values that travel by themselves. The bytes are this server's own (db/dump.h):
 * other servers refuse them, and theirs are refused here, in the same words. */
#include "cmd/build.h"
#include "db/batch.h"
#include "db/dump.h"

/* The bytes stand there twice, here and in the reply. */
static enum err dump_elements(struct request *rq, struct collection *c, struct buf *text,
                              struct why *why)
{
    size_t size = copy_size(c);
    enum err e = copy_fits(collection_sums(c).count, size, why);
    if (e == OK && !db_has_room(rq->env->db, 2 * size))
        e = ERR_NOMEM;
    return e == OK ? dump_collection(rq->env->db, c, text) : e;
}

static enum err dump_entries(struct request *rq, const struct object *o, struct buf *text,
                             struct why *why)
{
    size_t size = copy_packs_size(o);
    enum err e = copy_fits(object_count(o), size, why);
    if (e == OK && !db_has_room(rq->env->db, 2 * size))
        e = ERR_NOMEM;
    return e == OK ? dump_packs(rq->env->db, o, text) : e;
}

static enum err dump_document(struct request *rq, const struct object *o, struct buf *text,
                              struct why *why)
{
    enum err e = copy_fits(0, copy_json_size(o), why);
    if (e == OK && !db_has_room(rq->env->db, 2 * copy_json_size(o)))
        e = ERR_NOMEM;
    return e == OK ? dump_json(o, text) : e;
}

void cmd_dump(struct request *rq)
{
    const struct dump_args *a = rq->args;
    struct why why = {{0}};
    const struct object *o = key_read(rq, a->key);
    enum err e = OK;
    if (o == NULL) {
        reply_null(&rq->reply);
        return;
    }
    struct buf text = BUF_INIT(MEM_CLIENT);
    if (o->type == OBJECT_COLLECTION)
        e = dump_elements(rq, o->collection, &text, &why);
    else if (object_is_packs(o))
        e = dump_entries(rq, o, &text, &why);
    else if (o->type == OBJECT_JSON)
        e = dump_document(rq, o, &text, &why);
    else
        dump_string(object_string(o), &text);
    if (e == OK && buf_failed(&text))
        e = ERR_NOMEM;
    if (e != OK)
        reply_err(&rq->reply, e, &why);
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

static void reply_bad_format(struct request *rq)
{
    reply_error(&rq->reply, "ERR Bad data format");
}

static bool read_value(struct request *rq, struct slice bytes, struct dump *dump)
{
    enum err e = dump_read(bytes, dump);
    if (e == ERR_UNSUPPORTED)
        reply_bad_format(rq);
    else if (e != OK)
        reply_error(&rq->reply, "ERR DUMP payload version or checksum are wrong");
    return e == OK;
}

/* What dump_check has let pass. */
static bool build_collection(struct request *rq, struct slice record, size_t count,
                             uint64_t until_ms)
{
    const struct restore_args *a = rq->args;
    struct build b;
    struct batch_reader r;
    enum err e = batch_open(record, &r, NULL);
    CHECK(e == OK);
    if (!build_begin(&b, rq, a->key, count, record.len))
        return false;
    while (r.left > 0 && !b.failed) {
        struct mutation m;
        e = batch_next(&r, &m, NULL);
        if (e != OK) {
            build_fail(&b, e);
            break;
        }
        build_add(&b, &m);
        mutation_free(&m);
    }
    return build_end(&b, until_ms);
}

/* Vectors are read where they stand, so the record has to stand at a multiple of 8: it is copied.
 */
static bool restore_collection(struct request *rq, struct slice bytes, uint64_t until_ms)
{
    struct why why = {{0}};
    const struct restore_args *a = rq->args;
    size_t count;
    if (!collection_key_fits(rq, a->key))
        return false;
    enum err e = copy_fits(0, bytes.len, &why);
    uint8_t *room = e == OK ? mem_try(MEM_CLIENT, bytes.len) : NULL;
    struct slice record = {room, bytes.len};
    if (room != NULL) {
        memcpy(room, bytes.ptr, bytes.len);
        e = dump_check(record, &count, &why);
    } else if (e == OK) {
        e = ERR_NOMEM;
    }
    if (e == ERR_CORRUPT)
        reply_bad_format(rq);
    else if (e != OK)
        reply_err(&rq->reply, e, &why);
    bool ok = e == OK && build_collection(rq, record, count, until_ms);
    mem_free(MEM_CLIENT, room);
    return ok;
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
    struct dump dump;
    uint64_t until_ms;
    if (!options_fit(rq, a))
        return;
    bool there = db_find(db, a->key) != NULL;
    if (there && !a->replace) {
        reply_error(&rq->reply, "BUSYKEY Target key name already exists.");
        return;
    }
    if (!read_ttl(rq, a, &until_ms) || !read_value(rq, a->value, &dump))
        return;
    bool over = until_ms > 0 && until_ms < db->now_ms;
    if (over && there && !key_remove(rq, a->key))
        return;
    if (!over && dump.is_string && !key_set_until(rq, a->key, dump.bytes, until_ms))
        return;
    if (!over && !dump.is_string && !restore_collection(rq, dump.bytes, until_ms))
        return;
    if (!over)
        set_access(rq, a);
    reply_simple(&rq->reply, "OK");
}
