/* cmd_debug.c: DEBUG, as far as the tests of Redis that apply ask for it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/glob.h"
#include "base/rng.h"
#include "cmd/keys.h"
#include "db/batch.h"
#include "db/dump.h"

enum { DIGEST_SIZE = 20, WORDS_MAX = 4 };

static void ok(struct request *rq)
{
    reply_simple(&rq->reply, "OK");
}

/* SLEEP seconds: nobody is served meanwhile. */
static void debug_sleep(struct request *rq, const struct slice *words)
{
    struct io *io = rq->env->io;
    char text[32] = "";
    memcpy(text, words[0].ptr, words[0].len < sizeof(text) ? words[0].len : sizeof(text) - 1);
    double seconds = strtod(text, NULL);
    uint64_t start = io->ops->mono_us(io);
    while (seconds > 0 && (double)(io->ops->mono_us(io) - start) < seconds * 1e6)
        ;
    ok(rq);
}

static void debug_set_active_expire(struct request *rq, const struct slice *words)
{
    rq->env->keeps_expired = slice_eq(words[0], slice_of("0"));
    ok(rq);
}

static void debug_object(struct request *rq, const struct slice *words)
{
    struct db *db = rq->env->db;
    const struct object *o = db_find(db, words[0]);
    if (o == NULL) {
        reply_error(&rq->reply, "ERR no such key");
        return;
    }
    struct buf text = BUF_INIT(MEM_CLIENT);
    int64_t integer;
    bool is_int = o->type == OBJECT_STRING && string_is_integer(object_string(o), &integer);
    buf_printf(
        &text,
        "Value at:%p refcount:1 encoding:%s serializedlength:%u lru:%u lru_seconds_idle:%llu",
        (const void *)o, is_int ? "int" : "raw", (unsigned)o->value_len, o->access,
        (unsigned long long)(access_idle_ms(&db->keys.access, o->access) / 1000));
    reply_simple(&rq->reply,
                 buf_failed(&text) ? "" : (buf_append_byte(&text, 0), (char *)text.ptr));
    buf_fini(&text);
}

/* -- digests ----------------------------------------------------------------------------------- */

/* Sums, so that the order of what is added does not matter. */
struct digest {
    uint64_t sum[3];
};

static void digest_add(struct digest *d, struct slice bytes, uint64_t salt)
{
    for (uint64_t i = 0; i < COUNT_OF(d->sum); i++) {
        const uint64_t seed[2] = {i + 1, salt};
        d->sum[i] += hash_bytes(bytes, seed);
    }
}

struct digest_of {
    struct digest *digest;
    uint64_t salt;
};

static enum err digest_mutation(void *user, const struct mutation *m)
{
    struct digest_of *of = user;
    struct buf one = BUF_INIT(MEM_CLIENT);
    struct mutation part = *m;
    bool ordered = m->kind == MUTATION_LIST_PUSH; /* then so is that of the mutations */
    of->salt += ordered;
    /* Each element by itself: their order is no matter. */
    for (size_t i = 0; !ordered && i < m->count; i++) {
        buf_clear(&one, SIZE_MAX);
        if (m->kind == MUTATION_PUT)
            part.elements = &m->elements[i];
        else if (m->kind == MUTATION_HASH_SET)
            part.fields = &m->fields[i];
        else if (m->kind == MUTATION_ZSET_ADD)
            part.members = &m->members[i];
        else
            part.ids = &m->ids[i];
        part.count = 1;
        mutation_encode(&part, &one);
        digest_add(of->digest, buf_slice(&one), of->salt);
    }
    if (m->count == 0 || ordered) {
        mutation_encode(m, &one);
        digest_add(of->digest, buf_slice(&one), of->salt);
    }
    enum err e = buf_failed(&one) ? ERR_NOMEM : OK;
    buf_fini(&one);
    return e;
}

/* What a key holds; salt: 0, or what says which key. */
static enum err digest_value(struct db *db, const struct object *o, uint64_t salt, struct digest *d)
{
    struct digest_of of = {d, salt};
    if (o->type == OBJECT_COLLECTION)
        return copy_each(db, o->collection, (struct slice){0}, digest_mutation, &of);
    if (object_is_packs(o))
        return copy_packs_each(db, o, (struct slice){0}, digest_mutation, &of);
    digest_add(d, object_value(o), salt);
    return OK;
}

static void reply_digest(struct request *rq, const struct digest *d)
{
    char text[2 * DIGEST_SIZE + 16];
    (void)snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64 "%08" PRIx32, d->sum[0],
                   d->sum[1], (uint32_t)d->sum[2]);
    CHECK(strlen(text) == (size_t)2 * DIGEST_SIZE);
    reply_simple(&rq->reply, text);
}

static void debug_digest(struct request *rq, const struct slice *words)
{
    struct db *db = rq->env->db;
    struct digest d = {{0}};
    enum err e = OK;
    (void)words;
    for (uint32_t i = 0; i < db->keys.used && e == OK; i++) {
        const struct object *o = db->keys.objects[i];
        if (o == NULL || object_expired(o, db->now_ms))
            continue;
        const uint64_t seed[2] = {7, 7};
        uint64_t salt = hash_bytes(object_key(o), seed) ^ o->expire_ms;
        e = digest_value(db, o, salt | 1, &d);
    }
    if (e == OK)
        reply_digest(rq, &d);
    else
        reply_err(&rq->reply, e, NULL);
}

static void debug_digest_value(struct request *rq, const struct slice *words)
{
    struct digest d = {{0}};
    const struct object *o = db_find(rq->env->db, words[0]);
    enum err e = o == NULL ? OK : digest_value(rq->env->db, o, 0, &d);
    reply_array(&rq->reply, 1);
    if (e == OK)
        reply_digest(rq, &d);
    else
        reply_err(&rq->reply, e, NULL);
}

/* -- reloading --------------------------------------------------------------------------------- */

/* A key as DUMP has it. */
struct kept {
    struct buf key, bytes;
    uint64_t expire_ms;
};

static enum err keep(struct db *db, const struct object *o, struct kept *k)
{
    *k = (struct kept){BUF_INIT(MEM_CLIENT), BUF_INIT(MEM_CLIENT), o->expire_ms};
    buf_append_slice(&k->key, object_key(o));
    if (o->type == OBJECT_COLLECTION)
        return dump_collection(db, o->collection, &k->bytes);
    if (object_is_packs(o))
        return dump_packs(db, o, &k->bytes);
    if (o->type == OBJECT_JSON)
        return dump_json(o, &k->bytes);
    dump_string(object_string(o), &k->bytes);
    return buf_failed(&k->key) || buf_failed(&k->bytes) ? ERR_NOMEM : OK;
}

static enum err make_collection(struct db *db, struct slice key, struct slice record)
{
    struct batch_reader r;
    uint64_t lsn;
    enum err e = batch_open(record, &r, NULL);
    while (e == OK && r.left > 0) {
        struct mutation m;
        e = batch_next(&r, &m, NULL);
        if (e != OK)
            break;
        m.key = key;
        e = db_write(db, &m, &lsn, NULL);
        mutation_free(&m);
    }
    return e;
}

static enum err make_again(struct db *db, const struct kept *k)
{
    struct dump dump;
    uint64_t lsn;
    struct mutation set = {.kind = MUTATION_STRING_SET, .key = buf_slice(&k->key)};
    enum err e = dump_read(buf_slice(&k->bytes), &dump);
    set.value = dump.bytes;
    if (e == OK)
        e = dump.is_string ? db_write(db, &set, &lsn, NULL)
                           : make_collection(db, set.key, dump.bytes);
    struct mutation expire = {
        .kind = MUTATION_KEY_EXPIRE, .key = set.key, .expire_ms = k->expire_ms};
    return e == OK && k->expire_ms > 0 ? db_write(db, &expire, &lsn, NULL) : e;
}

/* RELOAD, LOADAOF: all keys through their bytes. What the log and snapshots do is the matter of
 * vdb's own tests, which start servers again. */
static void debug_reload(struct request *rq, const struct slice *words)
{
    struct db *db = rq->env->db;
    size_t count = 0, most = keyspace_count(&db->keys);
    struct kept *all = mem_calloc(MEM_CLIENT, (most + 1) * sizeof(*all));
    uint64_t lsn;
    enum err e = OK;
    (void)words;
    for (uint32_t i = 0; i < db->keys.used && e == OK; i++)
        if (db->keys.objects[i] != NULL)
            e = keep(db, db->keys.objects[i], &all[count++]);
    if (e == OK)
        e = db_write(db, &(struct mutation){.kind = MUTATION_FLUSH}, &lsn, NULL);
    for (size_t i = 0; i < count; i++) {
        if (e == OK)
            e = make_again(db, &all[i]);
        buf_fini(&all[i].key);
        buf_fini(&all[i].bytes);
    }
    mem_free(MEM_CLIENT, all);
    if (e == OK)
        ok(rq);
    else
        reply_err(&rq->reply, e, NULL);
}

/* -- the rest ---------------------------------------------------------------------------------- */

/* POPULATE count [prefix] */
static void debug_populate(struct request *rq, const struct slice *words)
{
    struct slice prefix = words[1].len == 0 ? slice_of("key") : words[1];
    uint64_t count = 0;
    if (!slice_to_u64(words[0], &count)) {
        reply_error(&rq->reply, "ERR value is out of range, must be positive");
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct buf key = BUF_INIT(MEM_CLIENT), value = BUF_INIT(MEM_CLIENT);
        buf_printf(&key, "%.*s:%" PRIu64, (int)prefix.len, (const char *)prefix.ptr, i);
        buf_printf(&value, "value:%" PRIu64, i);
        uint64_t lsn;
        enum err e = db_write(rq->env->db,
                              &(struct mutation){.kind = MUTATION_STRING_SET,
                                                 .key = buf_slice(&key),
                                                 .value = buf_slice(&value)},
                              &lsn, NULL);
        buf_fini(&key);
        buf_fini(&value);
        if (e != OK) {
            reply_err(&rq->reply, e, NULL);
            return;
        }
    }
    ok(rq);
}

/* PROTOCOL type: a reply of that type. */
static void debug_protocol(struct request *rq, const struct slice *words)
{
    static const struct {
        const char *type, *in_2, *in_3;
    } replies[] = {
        {"string", "$11\r\nHello World\r\n", "$11\r\nHello World\r\n"},
        {"integer", ":12345\r\n", ":12345\r\n"},
        {"double", "$5\r\n3.141\r\n", ",3.141\r\n"},
        {"null", "$-1\r\n", "_\r\n"},
        {"array", "*3\r\n:0\r\n:1\r\n:2\r\n", "*3\r\n:0\r\n:1\r\n:2\r\n"},
        {"set", "*3\r\n:0\r\n:1\r\n:2\r\n", "~3\r\n:0\r\n:1\r\n:2\r\n"},
        {"map", "*4\r\n:0\r\n:0\r\n:1\r\n:1\r\n", "%2\r\n:0\r\n#f\r\n:1\r\n#t\r\n"},
        {"attrib", "$39\r\nSome real reply following the attribute\r\n",
         "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
         "$39\r\nSome real reply following the attribute\r\n"},
        {"verbatim", "$25\r\nThis is a verbatim\nstring\r\n",
         "=29\r\ntxt:This is a verbatim\nstring\r\n"},
        {"true", ":1\r\n", "#t\r\n"},
        {"false", ":0\r\n", "#f\r\n"},
        {"bignum", "$37\r\n1234567999999999999999999999999999999\r\n",
         "(1234567999999999999999999999999999999\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(replies); i++) {
        if (!slice_eq_nocase(words[0], replies[i].type))
            continue;
        buf_append_text(rq->reply.out, rq->reply.proto == 3 ? replies[i].in_3 : replies[i].in_2);
        return;
    }
    reply_error(&rq->reply, "ERR Wrong protocol type name. Please use one of: "
                            "string|integer|double|null|array|set|map|attrib|push|verbatim|true|"
                            "false");
}

/* STRINGMATCH-LEN length pattern: does a string of so many a match? It must not take long. */
static void debug_stringmatch(struct request *rq, const struct slice *words)
{
    uint64_t len = 0;
    uint8_t *text = NULL;
    if (slice_to_u64(words[0], &len) && len <= UINT32_MAX)
        text = mem_try(MEM_CLIENT, (size_t)len + 1);
    if (text == NULL) {
        reply_error(&rq->reply, "ERR value is out of range");
        return;
    }
    memset(text, 'a', (size_t)len);
    reply_int(&rq->reply, glob_match(words[1], (struct slice){text, (size_t)len}));
    mem_free(MEM_CLIENT, text);
}

static void debug_nothing(struct request *rq, const struct slice *words)
{
    (void)words;
    ok(rq);
}

void cmd_debug(struct request *rq)
{
    static const struct {
        const char *name;
        size_t least, most; /* words behind the name */
        void (*run)(struct request *rq, const struct slice *words);
    } parts[] = {
        {"sleep", 1, 1, debug_sleep},
        {"set-active-expire", 1, 1, debug_set_active_expire},
        {"object", 1, 2, debug_object},
        {"digest", 0, 0, debug_digest},
        {"digest-value", 1, 1, debug_digest_value},
        {"reload", 0, 3, debug_reload},
        {"loadaof", 0, 0, debug_reload},
        {"populate", 1, 3, debug_populate},
        {"protocol", 1, 1, debug_protocol},
        {"stringmatch-len", 2, 2, debug_stringmatch},
        {"log", 1, 1, debug_nothing},
        {"quicklist-packed-threshold", 1, 1, debug_nothing},
    };
    const struct debug_args *a = rq->args;
    struct slice words[WORDS_MAX] = {{0}};
    size_t count = a->words.count - 1;
    for (size_t i = 0; i < count && i < WORDS_MAX; i++)
        words[i] = a->words.items[i + 1];
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (!slice_eq_nocase(a->words.items[0], parts[i].name))
            continue;
        if (count >= parts[i].least && count <= parts[i].most) {
            parts[i].run(rq, words);
            return;
        }
    }
    reply_errorf(&rq->reply,
                 "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.",
                 (int)(a->words.items[0].len < 100 ? a->words.items[0].len : 100),
                 (const char *)a->words.items[0].ptr);
}
