/* Names of events are Redis's; where Redis has no such type or command, those that its modules use,
 * or the command's own. */
#include "cmd/notify.h"

#include <ctype.h>

#include "cmd/env.h"
#include "db/lists.h"

enum { EVENT_NAME_MAX = 48 };

/* -- messages ---------------------------------------------------------------------------------- */

static void publish(struct cmd_env *env, const char *prefix, struct slice name,
                    struct slice message)
{
    struct buf channel = BUF_INIT(MEM_SCRATCH);
    buf_append_text(&channel, prefix);
    buf_append_slice(&channel, name);
    if (buf_failed(&channel))
        pubsub_break(env);
    else
        pubsub_notify(env, buf_slice(&channel), message);
    buf_fini(&channel);
}

static void notify(struct cmd_env *env, enum config_event class, const char *event,
                   struct slice key)
{
    unsigned wanted = env->config->notify_keyspace_events;
    if (!(wanted & (unsigned)class))
        return;
    if (wanted & EVENT_KEYSPACE)
        publish(env, "__keyspace@0__:", key, slice_of(event));
    if (wanted & EVENT_KEYEVENT)
        publish(env, "__keyevent@0__:", slice_of(event), key);
}

bool notify_is_on(const struct cmd_env *env)
{
    unsigned wanted = env->config->notify_keyspace_events;
    return (wanted & (EVENT_KEYSPACE | EVENT_KEYEVENT)) != 0;
}

void notify_miss(struct cmd_env *env, struct slice key)
{
    if (UNLIKELY(env->config->notify_keyspace_events & EVENT_MISS))
        notify(env, EVENT_MISS, "keymiss", key);
}

/* -- names of events --------------------------------------------------------------------------- */

/* Where a command is called otherwise than what it makes of a key. */
static const struct {
    void (*run)(struct request *rq);
    const char *adds, *removes; /* NULL: as the kind of change is called */
} names[] = {{cmd_append, "append", NULL},
             {cmd_setrange, "setrange", NULL},
             {cmd_incr, "incrby", NULL},
             {cmd_decr, "incrby", NULL},
             {cmd_incrby, "incrby", NULL},
             {cmd_decrby, "incrby", NULL},
             {cmd_incrbyfloat, "incrbyfloat", NULL},
             {cmd_hincrby, "hincrby", NULL},
             {cmd_hincrbyfloat, "hincrbyfloat", NULL},
             {cmd_sunionstore, "sunionstore", NULL},
             {cmd_sinterstore, "sinterstore", NULL},
             {cmd_sdiffstore, "sdiffstore", NULL},
             {cmd_zunionstore, "zunionstore", NULL},
             {cmd_zinterstore, "zinterstore", NULL},
             {cmd_zdiffstore, "zdiffstore", NULL},
             {cmd_zrangestore, "zrangestore", NULL},
             {cmd_zincrby, "zincr", NULL},
             {cmd_sort, "sortstore", NULL},
             {cmd_ltrim, NULL, "ltrim"},
             {cmd_srem, NULL, "srem"},
             {cmd_smove, NULL, "srem"},
             {cmd_spop, NULL, "spop"},
             {cmd_zrem, NULL, "zrem"},
             {cmd_zremrangebyscore, NULL, "zremrangebyscore"},
             {cmd_zremrangebyrank, NULL, "zremrangebyrank"},
             {cmd_zremrangebylex, NULL, "zremrangebylex"},
             {cmd_zpopmin, NULL, "zpopmin"},
             {cmd_zpopmax, NULL, "zpopmax"},
             {cmd_bzpopmin, NULL, "zpopmin"},
             {cmd_bzpopmax, NULL, "zpopmax"}};

/* ZADD INCR is another event than ZADD. */
static bool increments(const struct request *rq)
{
    for (size_t i = 2; rq->command->run == cmd_zadd && i < rq->argc; i++)
        if (slice_eq_nocase(rq->argv[i], "INCR"))
            return true;
    return false;
}

/* Of ZMPOP and BZMPOP: the word behind the keys. */
static const char *popped(const struct request *rq)
{
    size_t at = rq->command->run == cmd_zmpop ? 1 : 2;
    int64_t keys;
    bool is_number = slice_to_i64(rq->argv[at], &keys);
    CHECK(is_number && keys > 0 && (size_t)keys < rq->argc - at - 1);
    return slice_eq_nocase(rq->argv[at + 1 + (size_t)keys], "MAX") ? "zpopmax" : "zpopmin";
}

/* What the command in hand calls the change; otherwise: no command, or none that has a word. */
static const char *name_of(const struct cmd_env *env, bool adds, const char *otherwise)
{
    const struct request *rq = env->notify.running;
    if (rq == NULL)
        return otherwise;
    if (!adds && (rq->command->run == cmd_zmpop || rq->command->run == cmd_bzmpop))
        return popped(rq);
    if (adds && increments(rq))
        return "zincr";
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i].run == rq->command->run) {
            const char *name = adds ? names[i].adds : names[i].removes;
            return name != NULL ? name : otherwise;
        }
    return otherwise;
}

/* -- events of changes ------------------------------------------------------------------------- */

static bool runs(const struct cmd_env *env, void (*run)(struct request *rq))
{
    return env->notify.running != NULL && env->notify.running->command->run == run;
}

/* A key is made that was not there. */
static void notify_new(struct cmd_env *env, struct slice key)
{
    if (keyspace_get(&env->db->keys, key) == NULL)
        notify(env, EVENT_NEW, "new", key);
}

static void notify_string(struct cmd_env *env, const struct mutation *m)
{
    const struct request *rq = env->notify.running;
    bool sets = runs(env, cmd_set), keeps = false;
    notify_new(env, m->key);
    notify(env, EVENT_STRING, name_of(env, true, "set"), m->key);
    if (sets)
        keeps = rq->args != NULL && ((const struct set_args *)rq->args)->keepttl;
    if ((sets || runs(env, cmd_setex) || runs(env, cmd_psetex)) && m->expire_ms > 0 && !keeps)
        notify(env, EVENT_GENERIC, "expire", m->key);
}

/* COPY and RESTORE make what has parts under another name first. */
static void notify_copied(struct cmd_env *env, const struct mutation *m)
{
    bool restores = runs(env, cmd_restore), renames = m->kind == MUTATION_KEY_RENAME;
    struct slice key = renames ? m->new_key : m->key;
    if (renames || m->kind == MUTATION_STRING_SET) {
        notify(env, EVENT_NEW, "new", key);
        notify(env, EVENT_GENERIC, restores ? "restore" : "copy_to", key);
    } else if (m->kind == MUTATION_KEY_REMOVE && slice_eq(key, env->notify.running->argv[1])) {
        notify(env, EVENT_GENERIC, "del", key);
    }
}

/* As the command is called, in small letters. */
static void notify_document(struct cmd_env *env, const struct mutation *m)
{
    char name[EVENT_NAME_MAX];
    const struct request *rq = env->notify.running;
    if (rq == NULL || rq->command->group != GROUP_JSON)
        return;
    CHECK(strlen(rq->command->name) < sizeof(name));
    for (size_t i = 0; i <= strlen(rq->command->name); i++)
        name[i] = (char)tolower((unsigned char)rq->command->name[i]);
    notify_new(env, m->key);
    notify(env, EVENT_MODULE, name, m->key);
}

static void notify_removed(struct cmd_env *env, const struct mutation *m)
{
    const struct object *o = keyspace_get(&env->db->keys, m->key);
    enum notify_cause cause = env->notify.cause;
    if (o == NULL)
        return;
    const char *name = name_of(env, false, NULL);
    if (cause != NOTIFY_BY_COMMAND) {
        bool expired = cause == NOTIFY_EXPIRED;
        notify(env, expired ? EVENT_EXPIRED : EVENT_EVICTED, expired ? "expired" : "evicted",
               m->key);
        return;
    }
    if (name != NULL && (o->type == OBJECT_SET || o->type == OBJECT_ZSET))
        notify(env, o->type == OBJECT_SET ? EVENT_SET : EVENT_ZSET, name, m->key);
    if (o->type == OBJECT_JSON)
        notify_document(env, m);
    notify(env, EVENT_GENERIC, "del", m->key);
}

static void notify_moved(struct cmd_env *env, const struct mutation *m)
{
    const struct object *from = keyspace_get(&env->db->keys, m->key);
    bool empties = lists_count(from) == 1 && !slice_eq(m->key, m->new_key);
    notify_new(env, m->new_key);
    notify(env, EVENT_LIST, m->to_head ? "lpush" : "rpush", m->new_key);
    notify(env, EVENT_LIST, m->at_head ? "lpop" : "rpop", m->key);
    if (empties)
        notify(env, EVENT_GENERIC, "del", m->key);
}

static void notify_list(struct cmd_env *env, const struct mutation *m)
{
    const char *name = "lrem";
    if (m->kind == MUTATION_LIST_PUSH) {
        notify_new(env, m->key);
        name = name_of(env, true, m->at_head ? "lpush" : "rpush");
    } else if (m->kind == MUTATION_LIST_TRIM) {
        name = name_of(env, false, m->offset > 0 ? "lpop" : "rpop");
    } else if (m->kind == MUTATION_LIST_SET) {
        name = "lset";
    } else if (m->kind == MUTATION_LIST_INSERT) {
        name = "linsert";
    }
    notify(env, EVENT_LIST, name, m->key);
}

/* Fields and members: of a mutation that adds some, or takes them away. */
static void notify_entries(struct cmd_env *env, const struct mutation *m)
{
    bool set = m->kind == MUTATION_SET_ADD || m->kind == MUTATION_SET_REMOVE;
    bool zset = m->kind == MUTATION_ZSET_ADD || m->kind == MUTATION_ZSET_REMOVE;
    enum config_event class = set ? EVENT_SET : zset ? EVENT_ZSET : EVENT_HASH;
    if (m->kind == MUTATION_HASH_EXPIRE) {
        notify(env, class, m->expire_ms > 0 ? "hexpire" : "hpersist", m->key);
        return;
    }
    bool adds = m->kind == MUTATION_HASH_SET || m->kind == MUTATION_SET_ADD ||
                m->kind == MUTATION_ZSET_ADD;
    if (adds) {
        notify_new(env, m->key);
        notify(env, class, name_of(env, true, set ? "sadd" : zset ? "zadd" : "hset"), m->key);
    } else {
        bool expired = env->notify.cause == NOTIFY_EXPIRED;
        const char *name = set ? "srem" : zset ? "zrem" : expired ? "hexpired" : "hdel";
        notify(env, class, name_of(env, false, name), m->key);
    }
}

static void notify_collection(struct cmd_env *env, const struct mutation *m, const char *name)
{
    if (m->kind == MUTATION_COLLECTION_NEW || m->creates)
        notify_new(env, m->key);
    notify(env, EVENT_MODULE, name, m->key);
}

static void notify_kind(struct cmd_env *env, const struct mutation *m)
{
    switch (m->kind) {
    case MUTATION_STRING_SET:
    case MUTATION_STRING_RANGE:
        notify_string(env, m);
        break;
    case MUTATION_KEY_REMOVE:
        notify_removed(env, m);
        break;
    case MUTATION_KEY_EXPIRE:
        notify(env, EVENT_GENERIC, m->expire_ms > 0 ? "expire" : "persist", m->key);
        break;
    case MUTATION_KEY_RENAME:
        notify(env, EVENT_NEW, "new", m->new_key);
        notify(env, EVENT_GENERIC, "rename_from", m->key);
        notify(env, EVENT_GENERIC, "rename_to", m->new_key);
        break;
    MUTATIONS_OF_JSON:
        notify_document(env, m);
        break;
    case MUTATION_LIST_MOVE:
        notify_moved(env, m);
        break;
    case MUTATION_LIST_PUSH:
    case MUTATION_LIST_TRIM:
    case MUTATION_LIST_SET:
    case MUTATION_LIST_INSERT:
    case MUTATION_LIST_REMOVE:
        notify_list(env, m);
        break;
    MUTATIONS_OF_SETS:
    case MUTATION_HASH_SET:
    case MUTATION_HASH_REMOVE:
    case MUTATION_HASH_EXPIRE:
        notify_entries(env, m);
        break;
    case MUTATION_COLLECTION_NEW:
        notify_collection(env, m, "vcreate");
        break;
    case MUTATION_PUT:
        notify_collection(env, m, "vadd");
        break;
    case MUTATION_REMOVE:
        notify_collection(env, m, env->notify.cause == NOTIFY_EXPIRED ? "vexpired" : "vrem");
        break;
    case MUTATION_SET_ATTRIBUTE:
        notify_collection(env, m, "vsetattr");
        break;
    case MUTATION_COLLECTION_ALTER:
        notify_collection(env, m, "valter");
        break;
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
        notify_collection(env, m, "vpartition");
        break;
    case MUTATION_FLUSH:
    case MUTATION_INDEX_NEW:
    case MUTATION_INDEX_REMOVE:
    case MUTATION_INDEX_ALTER:
    case MUTATION_ALIAS_SET:
    case MUTATION_ALIAS_REMOVE:
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
    case MUTATION_TICK:
        break;
    }
}

/* Is it one that takes its key with it, when that has nothing more? */
static bool may_empty(const struct mutation *m)
{
    return m->kind != MUTATION_KEY_REMOVE && m->kind != MUTATION_LIST_MOVE;
}

void notify_change(struct cmd_env *env, const struct mutation *m)
{
    if (!notify_is_on(env) || env->db->follows)
        return;
    if (runs(env, cmd_copy) || runs(env, cmd_restore)) {
        notify_copied(env, m);
        return;
    }
    notify_kind(env, m);
    if (env->db->empties && may_empty(m))
        notify(env, EVENT_GENERIC, "del", m->key);
}
