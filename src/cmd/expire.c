#include "cmd/expire.h"

#include "cmd/command_keys.h"
#include "cmd/env.h"
#include "cmd/ft_temporary.h"
#include "db/aging.h"
#include "db/hashes.h"

enum {
    SLICE_US = 300,          /* of the loop's time */
    SLICE_OF_KEY_US = 250,   /* for the fields of a key that a command names */
    SLICE_KEYS = 2000,       /* in one record */
    LOOK_EVERY = 16,         /* keys between two looks at the clock */
    SLICE_FIELDS = 64,       /* in one mutation */
    SLICE_ELEMENTS = 32,     /* in one mutation */
    SLICE_COLLECTIONS = 4096 /* looked at */
};

static enum err write_expired(struct cmd_env *env, const struct mutation *m, struct why *why)
{
    uint64_t lsn;
    env->notify.cause = NOTIFY_EXPIRED;
    enum err e = db_write(env->db, m, &lsn, why);
    env->notify.cause = NOTIFY_BY_COMMAND;
    return e;
}

static enum err remove_expired(struct cmd_env *env, struct slice key, struct why *why)
{
    struct mutation gone = {.kind = MUTATION_KEY_REMOVE, .key = key};
    enum err e = write_expired(env, &gone, why);
    if (e == OK)
        env->stats->expired_keys++;
    return e;
}

/* While elements are being put into it in slices it stays: nobody sees it once its time is over. */
static bool is_filled(const struct object *o)
{
    return o->type == OBJECT_COLLECTION && o->collection->bulk != NULL;
}

/* Keys, until the time is over. */
static enum err expire_keys(struct cmd_env *env, uint64_t until_us)
{
    struct db *db = env->db;
    struct io *io = env->io;
    enum err e = OK;
    for (unsigned i = 1; e == OK && i <= SLICE_KEYS && expiry_is_due(&db->keys.expiry, db->now_ms);
         i++) {
        if (is_filled(expiry_first(&db->keys.expiry)))
            break;
        e = remove_expired(env, object_key(expiry_first(&db->keys.expiry)), NULL);
        if (i % LOOK_EVERY == 0 && io->ops->mono_us(io) >= until_us)
            break;
    }
    return e;
}

static enum err remove_due_fields(struct cmd_env *env, const struct object *o, struct why *why)
{
    struct slice names[SLICE_FIELDS];
    struct mutation m = {.kind = MUTATION_HASH_REMOVE, .key = object_key(o), .ids = names};
    m.count = hashes_due(env->db, o, names, SLICE_FIELDS);
    CHECK(m.count > 0);
    enum err e = write_expired(env, &m, why);
    if (e == OK)
        env->stats->expired_subkeys += m.count;
    return e;
}

/* Those of one key, until the time is over. */
static enum err expire_fields_of(struct cmd_env *env, struct slice key, struct why *why)
{
    struct db *db = env->db;
    struct io *io = env->io;
    uint64_t start = io->ops->mono_us(io);
    while (io->ops->mono_us(io) - start < SLICE_OF_KEY_US) {
        const struct object *o = keyspace_get(&db->keys, key);
        uint64_t first =
            o == NULL || o->type != OBJECT_HASH ? 0 : keyspace_fields_expiry(&db->keys, o);
        if (first == 0 || first >= db->now_ms)
            return OK;
        enum err e = remove_due_fields(env, o, why);
        if (e != OK)
            return e;
    }
    return OK; /* the others are not seen, and leave later */
}

/* Fields of hashes, until the time is over. */
static enum err expire_fields(struct cmd_env *env, uint64_t until_us)
{
    struct db *db = env->db;
    struct io *io = env->io;
    enum err e = OK;
    while (e == OK && expiry_is_due(&db->keys.fields, db->now_ms) &&
           io->ops->mono_us(io) < until_us)
        e = remove_due_fields(env, expiry_first(&db->keys.fields), NULL);
    return e;
}

/* A search finds keys that it does not name: those whose time is over would take the places of
 * others. They leave first, as far as a slice goes. */
static void expire_for_search(struct cmd_env *env)
{
    uint64_t until_us = env->io->ops->mono_us(env->io) + SLICE_US;
    if (!env->keeps_expired && expire_keys(env, until_us) == OK)
        (void)expire_fields(env, until_us); /* what stays is not shown */
}

bool expire_keys_of(struct request *rq)
{
    struct db *db = rq->env->db;
    const struct command *c = rq->command;
    struct why why = {{0}};
    enum err e = OK;
    bool due =
        expiry_is_due(&db->keys.expiry, db->now_ms) || expiry_is_due(&db->keys.fields, db->now_ms);
    bool searches = c->group == GROUP_SEARCH && (c->flags & CMD_READONLY) != 0;
    if (!due || (!command_has_keys(c) && !searches))
        return true;
    if (!(c->flags & CMD_WRITE) && (!mlog_accepts(&db->log) || pause_is_on(&rq->env->pause)))
        return true;
    if (searches) {
        expire_for_search(rq->env);
        return true;
    }
    struct command_keys keys;
    size_t at;
    command_keys_begin(&keys, c, rq->argv, rq->argc);
    while (e == OK && command_keys_next(&keys, &at)) {
        const struct object *o = keyspace_get(&db->keys, rq->argv[at]);
        if (o != NULL && object_expired(o, db->now_ms) && !is_filled(o))
            e = remove_expired(rq->env, rq->argv[at], &why);
        else
            e = expire_fields_of(rq->env, rq->argv[at], &why);
    }
    if (e == OK || !(c->flags & CMD_WRITE))
        return true;
    reply_err(&rq->reply, e, &why);
    return false;
}

static bool is_due(const struct db *db, const struct aging *a)
{
    return aging_is_due(a, db->now_ms) && a->collection->bulk == NULL;
}

/* The next collection with elements whose time is over, in turn; NULL when there is none, or none
 * among so many. */
static struct aging *next_due(struct db *db)
{
    struct aging *a = db->aging_next;
    for (unsigned looked = 0; looked < SLICE_COLLECTIONS; looked++) {
        if (a == NULL)
            a = db->agings;
        if (a == NULL || is_due(db, a))
            break;
        a = a->next;
        if (a == db->aging_next || (a == NULL && db->aging_next == NULL))
            return NULL;
    }
    db->aging_next = a;
    return a != NULL && is_due(db, a) ? a : NULL;
}

/* A few elements of one collection, the soonest first. */
static enum err remove_due(struct cmd_env *env, struct aging *a)
{
    struct db *db = env->db;
    struct collection_view view;
    uint32_t rows[SLICE_ELEMENTS];
    struct slice ids[SLICE_ELEMENTS];
    size_t found = aging_soonest(a, SLICE_ELEMENTS, rows), count = 0;
    if (found == SIZE_MAX)
        return ERR_NOMEM;
    collection_view(a->collection, db->log.last_lsn, &view);
    while (count < found && aging_is_over(a, rows[count], db->now_ms)) {
        ids[count] = view_id(&view, rows[count]);
        count++;
    }
    CHECK(count > 0 && a->collection->object != NULL);
    struct mutation m = {.kind = MUTATION_REMOVE,
                         .key = object_key(a->collection->object),
                         .ids = ids,
                         .count = count};
    enum err e = write_expired(env, &m, NULL);
    if (e == OK)
        env->stats->expired_elements += count;
    return e;
}

static enum err expire_elements(struct cmd_env *env, uint64_t until_us, bool *more)
{
    struct io *io = env->io;
    enum err e = OK;
    struct aging *a = next_due(env->db);
    while (e == OK && a != NULL && io->ops->mono_us(io) < until_us) {
        e = remove_due(env, a);
        a = next_due(env->db);
    }
    *more = e == OK && a != NULL;
    return e;
}

bool expire_some(struct cmd_env *env)
{
    struct db *db = env->db;
    struct io *io = env->io;
    db->now_ms = io->ops->wall_us(io) / 1000;
    bool keys = expiry_is_due(&db->keys.expiry, db->now_ms), more = false;
    bool fields = expiry_is_due(&db->keys.fields, db->now_ms);
    bool indexes = ft_temporary_is_due(db);
    if ((!keys && !fields && !indexes && next_due(db) == NULL) || !mlog_accepts(&db->log) ||
        pause_is_on(&env->pause) || env->keeps_expired)
        return false;
    uint64_t start = io->ops->mono_us(io);
    db_begin(db);
    enum err e = expire_keys(env, start + SLICE_US);
    if (e == OK)
        e = expire_fields(env, start + SLICE_US);
    if (e == OK)
        e = expire_elements(env, start + SLICE_US, &more);
    if (e == OK && indexes)
        e = ft_temporary_end_some(env, start + SLICE_US);
    db_commit(db);
    uint64_t took = io->ops->mono_us(io) - start;
    env->expire_us += took;
    latency_note(env, LATENCY_EXPIRE, took);
    more = e == OK &&
           (more || ft_temporary_is_due(db) || expiry_is_due(&db->keys.expiry, db->now_ms) ||
            expiry_is_due(&db->keys.fields, db->now_ms));
    env->stats->expired_time_cap_reached_count += more;
    return more;
}
