/* Keys of any type. */
#include "cmd/keys.h"
#include "db/hashes.h"
#include "db/members.h"

#include <stdio.h>

#include "base/glob.h"
#include "base/rng.h"
#include "cmd/key_list.h"

/* How many keys are looked at in one go, and for how long a SCAN looks that asks for more. */
enum { AT_ONCE_KEYS = 1000, SCAN_US = 300 };

/* A key named twice is removed once. */
static void remove_keys(struct request *rq, const struct slices *keys)
{
    struct why why = {{0}};
    size_t removed;
    uint64_t lsn = rq->client->last_lsn;
    enum err e = db_remove_keys(rq->env->db, keys->items, keys->count, &removed, &lsn, &why);
    if (written(rq, e, lsn, &why))
        reply_int(&rq->reply, (int64_t)removed);
}

void cmd_del(struct request *rq)
{
    remove_keys(rq, &((const struct del_args *)rq->args)->keys);
}

void cmd_unlink(struct request *rq)
{
    remove_keys(rq, &((const struct unlink_args *)rq->args)->keys);
}

/* A key named twice counts twice, as in Redis. */
static void count_keys(struct request *rq, const struct slices *keys)
{
    int64_t count = 0;
    for (size_t i = 0; i < keys->count; i++)
        count += key_read(rq, keys->items[i]) != NULL;
    reply_int(&rq->reply, count);
}

void cmd_exists(struct request *rq)
{
    count_keys(rq, &((const struct exists_args *)rq->args)->keys);
}

void cmd_touch(struct request *rq)
{
    count_keys(rq, &((const struct touch_args *)rq->args)->keys);
}

void cmd_type(struct request *rq)
{
    const struct type_args *a = rq->args;
    const struct object *o = key_read(rq, a->key);
    reply_simple(&rq->reply, o == NULL ? "none" : object_type_name(o->type));
}

/* -- listing ----------------------------------------------------------------------------------- */

/* The keys of a scan as they will be replied; their number comes first, so they wait here. */
struct listing {
    struct reply reply;
    struct buf text;
    size_t count;
    uint64_t now_ms;
    const struct slice *pattern; /* NULL: all */
    const struct slice *type;    /* NULL: all */
};

/* Keeps a key that passes the filters, already as a bulk. */
static void on_key(void *user, const struct object *o)
{
    struct listing *l = user;
    if (object_expired(o, l->now_ms))
        return;
    if (l->type != NULL && !slice_eq_nocase(*l->type, object_type_name(o->type)))
        return;
    if (l->pattern != NULL && !glob_match(*l->pattern, object_key(o)))
        return;
    reply_bulk(&l->reply, object_key(o));
    l->count++;
}

/* Looks at about step keys from the cursor on; returns the cursor to go on with. When there are
 * many it is later than that on the clock that ends it: COUNT is a hint. */
static uint64_t list_keys(struct request *rq, struct listing *l, uint64_t cursor, size_t step)
{
    struct io *io = rq->env->io;
    const struct keyspace *ks = &rq->env->db->keys;
    uint64_t start = io->ops->mono_us(io);
    l->text = BUF_INIT(MEM_CLIENT);
    l->reply = (struct reply){&l->text, rq->reply.proto};
    l->now_ms = rq->env->db->now_ms;
    if (step <= AT_ONCE_KEYS || (rq->client->flags & CLIENT_IN_EXEC) ||
        keyspace_count(ks) <= AT_ONCE_KEYS)
        return keyspace_scan(ks, cursor, step, on_key, l);
    for (size_t done = 0; done < step; done += AT_ONCE_KEYS / 4) {
        cursor = keyspace_scan(ks, cursor, AT_ONCE_KEYS / 4, on_key, l);
        if (cursor == 0 || io->ops->mono_us(io) - start > SCAN_US)
            break;
    }
    return cursor;
}

/* The caller has seen to it that no key is missing. */
static void reply_listing(struct request *rq, struct listing *l)
{
    CHECK(!buf_failed(&l->text));
    reply_array(&rq->reply, l->count);
    buf_append_slice(rq->reply.out, buf_slice(&l->text));
}

void cmd_keys(struct request *rq)
{
    const struct keys_args *a = rq->args;
    if (!pattern_fits(rq, a->pattern))
        return;
    if (keyspace_count(&rq->env->db->keys) > AT_ONCE_KEYS &&
        !(rq->client->flags & CLIENT_IN_EXEC)) {
        key_list_start(rq, a->pattern);
        return;
    }
    /* One step over everything: it ends where it began. */
    struct listing l = {.pattern = &a->pattern};
    uint64_t rest = list_keys(rq, &l, 0, SIZE_MAX);
    CHECK(rest == 0);
    if (buf_failed(&l.text))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else
        reply_listing(rq, &l);
    buf_fini(&l.text);
}

void cmd_scan(struct request *rq)
{
    const struct scan_args *a = rq->args;
    uint64_t cursor;
    if (!slice_to_u64(a->cursor, &cursor)) {
        reply_error(&rq->reply, "ERR invalid cursor");
        return;
    }
    if (a->has_count && a->count < 1) {
        reply_error(&rq->reply, "ERR syntax error");
        return;
    }
    if (a->has_match && !pattern_fits(rq, a->match))
        return;
    struct listing l = {.pattern = a->has_match ? &a->match : NULL,
                        .type = a->has_type ? &a->type : NULL};
    cursor = list_keys(rq, &l, cursor, a->has_count ? (size_t)a->count : 10);
    if (buf_failed(&l.text)) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    } else {
        char text[24];
        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)cursor);
        reply_array(&rq->reply, 2);
        reply_text(&rq->reply, text);
        reply_listing(rq, &l);
    }
    buf_fini(&l.text);
}

/* When all that is drawn has expired, there is hardly anything else. */
void cmd_randomkey(struct request *rq)
{
    enum { DRAWS = 100 };
    struct db *db = rq->env->db;
    const struct object *o = NULL;
    for (int i = 0; i < DRAWS; i++) {
        o = keyspace_random(&db->keys, rng_next(&db->random));
        CHECK((o == NULL) == (keyspace_count(&db->keys) == 0));
        if (o == NULL || !object_expired(o, db->now_ms))
            break;
        o = NULL;
    }
    if (o == NULL)
        reply_null(&rq->reply);
    else
        reply_bulk(&rq->reply, object_key(o));
}

void cmd_dbsize(struct request *rq)
{
    reply_int(&rq->reply, (int64_t)keyspace_count(&rq->env->db->keys));
}

/* ASYNC and SYNC are the same: keys are gone when this returns, and vectors are freed aside. */
static void flush(struct request *rq)
{
    if (write_mutation(rq, &(struct mutation){.kind = MUTATION_FLUSH}))
        reply_simple(&rq->reply, "OK");
}

void cmd_flushall(struct request *rq)
{
    flush(rq);
}

void cmd_flushdb(struct request *rq)
{
    flush(rq);
}

/* -- encoding ---------------------------------------------------------------------------------- */

/* What Redis would call it: tools group keys by these words. */
static const char *hash_encoding(const struct cmd_env *env, const struct object *o)
{
    struct hash_walk walk;
    struct hash_field f;
    size_t most = (size_t)env->config->hash_max_listpack_value;
    if (object_count(o) > (size_t)env->config->hash_max_listpack_entries)
        return "hashtable";
    hashes_walk_all(o, &walk);
    while (hashes_next(&walk, &f))
        if (f.name.len > most || f.value.len > most)
            return "hashtable";
    return "listpack";
}

/* Integers alone, and few of them. */
static const char *set_encoding(const struct cmd_env *env, const struct object *o)
{
    struct set_walk walk;
    struct slice member;
    int64_t integer;
    if (object_count(o) > (size_t)env->config->set_max_intset_entries)
        return "hashtable";
    sets_walk(o, &walk);
    while (sets_next(&walk, &member))
        if (!string_is_integer(member, &integer))
            return "hashtable";
    return "intset";
}

static const char *zset_encoding(const struct cmd_env *env, const struct object *o)
{
    struct zset_walk walk;
    struct scored s;
    if (object_count(o) > (size_t)env->config->zset_max_listpack_entries)
        return "skiplist";
    zsets_walk(o, 0, false, &walk);
    while (zsets_next(&walk, &s))
        if (s.member.len > (size_t)env->config->zset_max_listpack_value)
            return "skiplist";
    return "listpack";
}

static const char *encoding_of(const struct cmd_env *env, const struct object *o)
{
    enum { EMBSTR_SIZE_MAX = 44 };
    int64_t integer;
    if (o->type == OBJECT_HASH)
        return hash_encoding(env, o);
    if (o->type == OBJECT_LIST)
        return "quicklist"; /* whatever its size, as of Redis 7.0 */
    if (o->type == OBJECT_SET)
        return set_encoding(env, o);
    if (o->type == OBJECT_ZSET)
        return zset_encoding(env, o);
    if (o->type != OBJECT_STRING)
        return "raw";
    if (string_is_integer(object_string(o), &integer))
        return "int";
    return o->value_len <= EMBSTR_SIZE_MAX ? "embstr" : "raw";
}

/* The object of an OBJECT command, or NULL after replying null. */
static const struct object *described_object(struct request *rq, struct slice key)
{
    const struct object *o = db_find(rq->env->db, key);
    if (o == NULL)
        reply_null(&rq->reply);
    return o;
}

void cmd_object_encoding(struct request *rq)
{
    const struct object_encoding_args *a = rq->args;
    const struct object *o = described_object(rq, a->key);
    if (o != NULL)
        reply_text(&rq->reply, encoding_of(rq->env, o));
}

void cmd_object_refcount(struct request *rq)
{
    const struct object_refcount_args *a = rq->args;
    if (described_object(rq, a->key) != NULL)
        reply_int(&rq->reply, 1);
}

#define WILL_ADJUST                                                                                \
    "Please note that when switching between policies at runtime LRU and LFU data will take some " \
    "time to adjust."

void cmd_object_freq(struct request *rq)
{
    const struct object_freq_args *a = rq->args;
    const struct access *access = &rq->env->db->keys.access;
    const struct object *o = described_object(rq, a->key);
    if (o != NULL && access->lfu)
        reply_int(&rq->reply, access_frequency(access, o->access));
    else if (o != NULL)
        reply_error(&rq->reply, "ERR An LFU maxmemory policy is not selected, access frequency not "
                                "tracked. " WILL_ADJUST);
}

void cmd_object_idletime(struct request *rq)
{
    const struct object_idletime_args *a = rq->args;
    const struct access *access = &rq->env->db->keys.access;
    const struct object *o = described_object(rq, a->key);
    if (o != NULL && !access->lfu)
        reply_int(&rq->reply, (int64_t)(access_idle_ms(access, o->access) / 1000));
    else if (o != NULL)
        reply_error(&rq->reply,
                    "ERR An LFU maxmemory policy is selected, idle time not tracked. " WILL_ADJUST);
}
