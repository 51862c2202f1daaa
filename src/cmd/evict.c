#include "cmd/evict.h"

#include "base/rng.h"
#include "cmd/command.h"
#include "cmd/env.h"
#include "cmd/multi.h"

enum {
    SLICE_US = 400,   /* of the loop's time */
    SLICE_KEYS = 500, /* in one record */
    LOOK_EVERY = 8,   /* keys between two looks at the clock */
    PAUSE_US = 50,    /* for clients, between slices */
    NEEDED_PER_WORD = 64,
    NEEDED_NEW = 64 * 1024 /* for a collection */
};

/* What a policy chooses from, and by what. */
struct policy {
    bool evicts;
    bool only_volatile; /* keys that expire */
    enum { BY_USE, BY_CHANCE, BY_TTL } by;
};

static struct policy policy_of(const struct config *config)
{
    static const struct policy policies[] = {
        [POLICY_VOLATILE_LRU] = {true, true, BY_USE},
        [POLICY_VOLATILE_LFU] = {true, true, BY_USE},
        [POLICY_VOLATILE_RANDOM] = {true, true, BY_CHANCE},
        [POLICY_VOLATILE_TTL] = {true, true, BY_TTL},
        [POLICY_ALLKEYS_LRU] = {true, false, BY_USE},
        [POLICY_ALLKEYS_LFU] = {true, false, BY_USE},
        [POLICY_ALLKEYS_RANDOM] = {true, false, BY_CHANCE},
        [POLICY_NOEVICTION] = {false, false, BY_USE},
    };
    CHECK((size_t)config->maxmemory_policy < COUNT_OF(policies));
    return policies[config->maxmemory_policy];
}

void evict_set_options(struct cmd_env *env)
{
    struct db *db = env->db;
    const struct config *c = env->config;
    struct access *a = &db->keys.access;
    bool lfu =
        c->maxmemory_policy == POLICY_VOLATILE_LFU || c->maxmemory_policy == POLICY_ALLKEYS_LFU;
    if (a->lfu != lfu)
        env->evict.count = 0; /* scores of another kind */
    a->lfu = lfu;
    a->log_factor = (uint32_t)c->lfu_log_factor;
    a->decay_minutes = (uint32_t)c->lfu_decay_time;
    access_set_now(a, db->now_ms);
    db->evicts = c->maxmemory_policy != POLICY_NOEVICTION;
}

/* -- whom -------------------------------------------------------------------------------------- */

static void remove_candidate(struct evict *e, size_t at)
{
    CHECK(at < e->count);
    memmove(&e->pool[at], &e->pool[at + 1], (e->count - at - 1) * sizeof(e->pool[0]));
    e->count--;
}

/* Keeps it when it is better than the worst that is there, or there is room. */
static void offer(struct evict *e, uint64_t score, uint32_t place)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->pool[i].place == place) {
            remove_candidate(e, i);
            break;
        }
    if (e->count == EVICT_POOL) {
        if (score <= e->pool[0].score)
            return;
        remove_candidate(e, 0);
    }
    size_t at = e->count;
    while (at > 0 && e->pool[at - 1].score > score)
        at--;
    memmove(&e->pool[at + 1], &e->pool[at], (e->count - at) * sizeof(e->pool[0]));
    e->pool[at] = (struct evict_candidate){score, place};
    e->count++;
}

/* Some key of those the policy chooses from; NULL when there is none. */
static struct object *draw(struct cmd_env *env, const struct policy *p)
{
    struct keyspace *ks = &env->db->keys;
    if (!p->only_volatile)
        return keyspace_random(ks, rng_next(&env->db->random));
    if (ks->expiry.count == 0)
        return NULL;
    return ks->expiry.entries[rng_below(&env->db->random, ks->expiry.count)].object;
}

/* The best of the pool that is still what it was, after some more were drawn. */
static struct object *least_used(struct cmd_env *env, const struct policy *p)
{
    struct keyspace *ks = &env->db->keys;
    struct evict *e = &env->evict;
    for (int i = 0; i < env->config->maxmemory_samples; i++) {
        struct object *o = draw(env, p);
        if (o == NULL)
            return NULL;
        offer(e, access_score(&ks->access, o->access), keyspace_place(ks, o));
    }
    while (e->count > 0) {
        struct evict_candidate best = e->pool[--e->count];
        struct object *o = keyspace_at(ks, best.place);
        if (o != NULL && (!p->only_volatile || o->expire_ms > 0) &&
            access_score(&ks->access, o->access) >= best.score)
            return o;
    }
    return draw(env, p); /* all of the pool have been used since */
}

static struct object *victim(struct cmd_env *env, const struct policy *p)
{
    switch (p->by) {
    case BY_USE:
        return least_used(env, p);
    case BY_CHANCE:
        return draw(env, p);
    case BY_TTL:
        return expiry_first(&env->db->keys.expiry);
    }
    CHECK(false);
    return NULL;
}

/* -- when -------------------------------------------------------------------------------------- */

/* Would so many more bytes be too much, with what is about to be freed counted as free? */
static bool is_over(const struct cmd_env *env, size_t bytes)
{
    return !db_has_room(env->db, bytes) && db_used_bytes(env->db) + bytes > env->db->maxmemory;
}

static bool may_evict(const struct cmd_env *env)
{
    return policy_of(env->config).evicts && mlog_accepts(&env->db->log) &&
           !pause_is_on(&env->pause);
}

/* Removes keys until so many bytes fit, nothing is left to remove or the time is over. Returns
 * whether there is more to do. */
static bool evict_slice(struct cmd_env *env, size_t bytes)
{
    struct policy p = policy_of(env->config);
    struct io *io = env->io;
    uint64_t start = io->ops->mono_us(io), now = start;
    struct object *o = NULL;
    enum err e = OK;
    db_begin(env->db);
    for (unsigned i = 1; i <= SLICE_KEYS && now - start < SLICE_US && is_over(env, bytes); i++) {
        o = victim(env, &p);
        if (o == NULL)
            break;
        if (o->type == OBJECT_COLLECTION && o->collection->bulk != NULL)
            continue; /* once all is put into it */
        struct mutation gone = {.kind = MUTATION_KEY_REMOVE, .key = object_key(o)};
        uint64_t lsn;
        env->notify.cause = NOTIFY_EVICTED;
        e = db_write(env->db, &gone, &lsn, NULL);
        env->notify.cause = NOTIFY_BY_COMMAND;
        if (e != OK)
            break;
        env->stats->evicted_keys++;
        if (i % LOOK_EVERY == 0)
            now = io->ops->mono_us(io);
    }
    db_commit(env->db);
    latency_note(env, LATENCY_EVICTION, io->ops->mono_us(io) - start);
    return o != NULL && e == OK && is_over(env, bytes);
}

bool evict_some(struct cmd_env *env)
{
    env->db->now_ms = env->io->ops->wall_us(env->io) / 1000;
    evict_set_options(env);
    return is_over(env, 0) && may_evict(env) && evict_slice(env, 0);
}

/* -- clients that wait ------------------------------------------------------------------------- */

/* Each runs its command again, and waits again if it has to. */
static void on_timer(struct io_timer *timer)
{
    struct cmd_env *env = timer->user;
    for (struct client *c = env->clients; c != NULL && env->evict.waiters > 0; c = c->next) {
        if (!c->waits_for_eviction)
            continue;
        evict_forget(env, c);
        client_unblock(env, c);
    }
}

/* What a collection has to grow by, which is much at once: its columns grow in large steps. */
static size_t growth(const struct request *rq, size_t size)
{
    if (rq->command->group != GROUP_VECTOR || rq->argc < 2)
        return 0;
    const struct object *o = keyspace_get(&rq->env->db->keys, rq->argv[1]);
    if (o == NULL)
        return NEEDED_NEW + size;
    if (o->type != OBJECT_COLLECTION)
        return 0;
    return collection_growth(o->collection, rq->command->run == cmd_vmadd ? rq->argc : 1, size);
}

/* About what the command is going to need, and rather more: what db_has_room() refuses although
 * this is there would be an error, with keys left that could go. A key has a header besides its
 * bytes, and its memory is rounded up. */
static size_t needed(const struct request *rq)
{
    size_t size = rq->command->run == cmd_exec ? 2 * rq->client->queue.len : 0;
    for (size_t i = 1; i < rq->argc; i++)
        size += rq->argv[i].len + rq->argv[i].len / 4 + NEEDED_PER_WORD;
    return size + growth(rq, size);
}

bool evict_takes(struct request *rq)
{
    struct cmd_env *env = rq->env;
    if (!(multi_flags(rq) & CMD_DENYOOM))
        return false;
    size_t bytes = needed(rq);
    if (!is_over(env, bytes) || !may_evict(env) || !evict_slice(env, bytes))
        return false;
    rq->client->waits_for_eviction = rq->client->retry = true;
    env->evict.waiters++;
    client_block(env, rq->client);
    env->evict.timer.fn = on_timer;
    env->evict.timer.user = env;
    env->io->ops->timer_start(env->io, &env->evict.timer, PAUSE_US);
    return true;
}

void evict_forget(struct cmd_env *env, struct client *client)
{
    if (!client->waits_for_eviction)
        return;
    CHECK(env->evict.waiters > 0);
    client->waits_for_eviction = false;
    env->evict.waiters--;
}

void evict_fini(struct cmd_env *env)
{
    CHECK(env->evict.waiters == 0);
    env->io->ops->timer_stop(env->io, &env->evict.timer);
}
