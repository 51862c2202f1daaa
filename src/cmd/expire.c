#include "cmd/expire.h"

#include "cmd/env.h"

enum {
    SLICE_US = 500,    /* of the loop's time */
    SLICE_KEYS = 2000, /* in one record */
    LOOK_EVERY = 16    /* keys between two looks at the clock */
};

static enum err remove_expired(struct cmd_env *env, struct slice key, struct why *why)
{
    struct mutation gone = {.kind = MUTATION_KEY_REMOVE, .key = key};
    uint64_t lsn;
    enum err e = db_write(env->db, &gone, &lsn, why);
    if (e == OK)
        env->stats->expired_keys++;
    return e;
}

bool expire_keys_of(struct request *rq)
{
    struct db *db = rq->env->db;
    const struct command *c = rq->command;
    struct why why = {{0}};
    enum err e = OK;
    if (c->first_key == 0 || !expiry_is_due(&db->keys.expiry, db->now_ms))
        return true;
    if (!(c->flags & CMD_WRITE) && (!mlog_accepts(&db->log) || pause_is_on(&rq->env->pause)))
        return true;
    size_t last = c->last_key < 0 ? rq->argc - (size_t)-c->last_key : (size_t)c->last_key;
    for (size_t at = (size_t)c->first_key; at <= last && at < rq->argc && e == OK;
         at += (size_t)c->key_step) {
        const struct object *o = keyspace_get(&db->keys, rq->argv[at]);
        if (o != NULL && object_expired(o, db->now_ms))
            e = remove_expired(rq->env, rq->argv[at], &why);
    }
    if (e == OK || !(c->flags & CMD_WRITE))
        return true;
    reply_err(&rq->reply, e, &why);
    return false;
}

bool expire_some(struct cmd_env *env)
{
    struct db *db = env->db;
    struct io *io = env->io;
    db->now_ms = io->ops->wall_us(io) / 1000;
    if (!expiry_is_due(&db->keys.expiry, db->now_ms) || !mlog_accepts(&db->log) ||
        pause_is_on(&env->pause))
        return false;
    uint64_t start = io->ops->mono_us(io), now = start;
    enum err e = OK;
    db_begin(db);
    for (unsigned i = 1; e == OK && i <= SLICE_KEYS && now - start < SLICE_US &&
                         expiry_is_due(&db->keys.expiry, db->now_ms);
         i++) {
        e = remove_expired(env, object_key(expiry_first(&db->keys.expiry)), NULL);
        if (i % LOOK_EVERY == 0)
            now = io->ops->mono_us(io);
    }
    db_commit(db);
    uint64_t took = io->ops->mono_us(io) - start;
    env->expire_us += took;
    latency_note(env, LATENCY_EXPIRE, took);
    bool more = e == OK && expiry_is_due(&db->keys.expiry, db->now_ms);
    env->stats->expired_time_cap_reached_count += more;
    return more;
}
