/* A client that waits has a wait in the list of each of its keys, which are in the order in which
 * they came. */
#include "cmd/blocking.h"

#include <math.h>

#include "base/rng.h"
#include "cmd/env.h"
#include "cmd/gate.h"
#include "cmd/keys.h"

/* owner: its client; in the list of its key too */
struct wait {
    struct blocked *of;
    struct awaited_key *key;
    struct wait *next, **link; /* of the same key; what points at this one */
};

/* What a client waits with. owner: the client */
struct blocked {
    struct client *client;
    struct cmd_env *env;
    const struct command *command;
    struct io_timer timer;
    uint64_t timeout_us;
    struct slice *argv; /* with the bytes behind them */
    size_t argc;
    size_t wait_count;
    struct wait waits[];
};

/* A key that somebody waits for. owner: struct blocking */
struct awaited_key {
    uint32_t hash, place;
    struct wait *first, **last;
    bool is_ready;
    struct awaited_key *next_ready;
    size_t len;
    uint8_t bytes[];
};

/* -- keys -------------------------------------------------------------------------------------- */

static struct slice text_of(const struct awaited_key *key)
{
    return (struct slice){key->bytes, key->len};
}

static bool key_equal(const void *owner, uint32_t place, struct slice key)
{
    const struct blocking *b = owner;
    return slice_eq(text_of(b->items[place]), key);
}

static uint32_t hash_key(const struct cmd_env *env, struct slice key)
{
    return (uint32_t)hash_bytes(key, env->db->keys.hash_seed);
}

void blocking_init(struct cmd_env *env)
{
    struct blocking *b = &env->blocking;
    map_init(&b->map, MEM_CLIENT, key_equal, b);
    b->ready_last = &b->ready;
}

void blocking_fini(struct cmd_env *env)
{
    struct blocking *b = &env->blocking;
    CHECK(map_count(&b->map) == 0 && b->clients == 0 && b->ready == NULL);
    map_fini(&b->map);
    mem_free(MEM_CLIENT, b->items);
    mem_free(MEM_CLIENT, b->free_list);
}

static struct awaited_key *find(const struct cmd_env *env, struct slice key)
{
    uint32_t place = map_get(&env->blocking.map, hash_key(env, key), key);
    return place == MAP_NONE ? NULL : env->blocking.items[place];
}

static bool reserve_place(struct blocking *b)
{
    if (b->free_count > 0 || b->used < b->capacity)
        return true;
    uint32_t capacity = b->capacity < 16 ? 16 : b->capacity * 2;
    struct awaited_key **items =
        mem_try_realloc(MEM_CLIENT, b->items, capacity * sizeof(struct awaited_key *));
    if (items == NULL)
        return false;
    b->items = items;
    uint32_t *free_list = mem_try_realloc(MEM_CLIENT, b->free_list, capacity * sizeof(*free_list));
    if (free_list == NULL)
        return false;
    b->free_list = free_list;
    b->capacity = capacity;
    return true;
}

/* The key with nobody waiting for it yet; NULL when memory is short. */
static struct awaited_key *key_new(struct cmd_env *env, struct slice text)
{
    struct blocking *b = &env->blocking;
    if (b->used >= UINT32_MAX / 4 || !reserve_place(b) || !map_reserve(&b->map, 1))
        return NULL;
    struct awaited_key *key = mem_try(MEM_CLIENT, sizeof(*key) + text.len);
    if (key == NULL)
        return NULL;
    *key = (struct awaited_key){.hash = hash_key(env, text), .len = text.len};
    key->last = &key->first;
    if (text.len > 0)
        memcpy(key->bytes, text.ptr, text.len);
    key->place = b->free_count > 0 ? b->free_list[--b->free_count] : b->used++;
    b->items[key->place] = key;
    map_put(&b->map, key->hash, key->place);
    return key;
}

/* Nobody waits for it; it stays while it is among those that are ready. */
static void end_key(struct cmd_env *env, struct awaited_key *key)
{
    struct blocking *b = &env->blocking;
    if (key->first != NULL || key->is_ready)
        return;
    CHECK(b->items[key->place] == key && b->free_count < b->capacity);
    map_remove(&b->map, key->hash, key->place);
    b->items[key->place] = NULL;
    b->free_list[b->free_count++] = key->place;
    mem_free(MEM_CLIENT, key);
}

static void add_wait(struct wait *w, struct awaited_key *key)
{
    w->key = key;
    w->next = NULL;
    w->link = key->last;
    *key->last = w;
    key->last = &w->next;
}

static void remove_wait(struct cmd_env *env, struct wait *w)
{
    struct awaited_key *key = w->key;
    *w->link = w->next;
    if (w->next != NULL)
        w->next->link = w->link;
    else
        key->last = w->link;
    end_key(env, key);
}

/* -- beginning and end ------------------------------------------------------------------------- */

bool blocking_read_timeout(struct request *rq, struct slice text, uint64_t *timeout_us)
{
    long double seconds;
    if (!float_read(text, &seconds)) {
        reply_error(&rq->reply, "ERR timeout is not a float or out of range");
        return false;
    }
    long double ms = ceill(seconds * 1000);
    if (ms < 0 || ms >= (long double)INT64_MAX) { /* in Redis it turns negative then */
        reply_error(&rq->reply, "ERR timeout is negative");
        return false;
    }
    *timeout_us = ms > (long double)(INT64_MAX / 1000) ? INT64_MAX : (uint64_t)ms * 1000;
    return true;
}

/* Stops waiting; the client is still marked as blocked. */
static void stop(struct cmd_env *env, struct client *client)
{
    struct blocked *b = client->blocking;
    CHECK(b != NULL && env->blocking.clients > 0);
    env->io->ops->timer_stop(env->io, &b->timer);
    for (size_t i = 0; i < b->wait_count; i++)
        remove_wait(env, &b->waits[i]);
    mem_free(MEM_CLIENT, b->argv);
    mem_free(MEM_CLIENT, b);
    client->blocking = NULL;
    env->blocking.clients--;
    watch_listen(env);
}

static void on_timeout(struct io_timer *timer)
{
    struct client *client = timer->user;
    struct cmd_env *env = client->blocking->env;
    (void)blocking_end(env, client, false);
}

bool blocking_end(struct cmd_env *env, struct client *client, bool error)
{
    if (client->blocking == NULL)
        return false;
    struct reply reply = {&client->out, client->proto};
    size_t before = client->out.len;
    if (error)
        reply_error(&reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    else
        reply_null_array(&reply);
    gate_replies(env, client, before, false);
    stop(env, client);
    client_unblock(env, client);
    return true;
}

void blocking_forget(struct cmd_env *env, struct client *client)
{
    if (client->blocking != NULL)
        stop(env, client);
}

/* A copy of the command's words in one piece; NULL: no memory. */
static struct slice *copy_words(const struct request *rq)
{
    size_t size = rq->argc * sizeof(struct slice);
    for (size_t i = 0; i < rq->argc; i++)
        size += rq->argv[i].len;
    struct slice *words = mem_try(MEM_CLIENT, size);
    uint8_t *at = words == NULL ? NULL : (uint8_t *)(words + rq->argc);
    for (size_t i = 0; words != NULL && i < rq->argc; i++) {
        words[i] = (struct slice){at, rq->argv[i].len};
        if (words[i].len > 0)
            memcpy(at, rq->argv[i].ptr, words[i].len);
        at += words[i].len;
    }
    return words;
}

/* Waits for each key once, whatever the client says twice. False: no memory, nothing waits. */
static bool await(struct request *rq, struct blocked *b, const struct slice *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct awaited_key *key = find(rq->env, keys[i]);
        bool twice = false;
        for (size_t j = 0; key != NULL && j < b->wait_count; j++)
            twice |= b->waits[j].key == key;
        if (twice)
            continue;
        if (key == NULL)
            key = key_new(rq->env, keys[i]);
        if (key == NULL)
            return false;
        struct wait *w = &b->waits[b->wait_count++];
        *w = (struct wait){.of = b};
        add_wait(w, key);
    }
    return true;
}

void blocking_wait(struct request *rq, const struct slice *keys, size_t count, uint64_t timeout_us)
{
    struct cmd_env *env = rq->env;
    struct client *client = rq->client;
    CHECK((rq->command->flags & CMD_BLOCKING) && count > 0);
    if (rq->ready != NULL)
        return; /* it waits already */
    if (client->flags & CLIENT_IN_EXEC) {
        reply_null_array(&rq->reply);
        return;
    }
    struct blocked *b = mem_try_calloc(MEM_CLIENT, sizeof(*b) + count * sizeof(b->waits[0]));
    if (b == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    *b = (struct blocked){.client = client,
                          .env = env,
                          .command = rq->command,
                          .argc = rq->argc,
                          .argv = copy_words(rq),
                          .timer = {.fn = on_timeout, .user = client}};
    client->blocking = b;
    env->blocking.clients++;
    if (b->argv == NULL || !await(rq, b, keys, count)) {
        stop(env, client);
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    client_block(env, client);
    watch_listen(env);
    if (timeout_us > 0 && timeout_us < INT64_MAX)
        env->io->ops->timer_start(env->io, &b->timer, timeout_us);
}

/* -- running again ----------------------------------------------------------------------------- */

bool blocking_asks(const struct request *rq, struct slice key)
{
    return rq->ready == NULL || slice_eq(*rq->ready, key);
}

bool blocking_find(struct request *rq, struct slice key, enum object_type type,
                   struct object **out)
{
    *out = db_find(rq->env->db, key);
    if (*out == NULL || (*out)->type == type)
        return true;
    *out = NULL;
    if (rq->ready != NULL)
        return true;
    reply_err(&rq->reply, ERR_TYPE, NULL);
    return false;
}

static void note(struct cmd_env *env, struct slice text)
{
    struct blocking *b = &env->blocking;
    struct awaited_key *key = find(env, text);
    if (key == NULL || key->is_ready)
        return;
    key->is_ready = true;
    key->next_ready = NULL;
    *b->ready_last = key;
    b->ready_last = &key->next_ready;
}

void blocking_note(struct cmd_env *env, const struct mutation *m)
{
    if (env->blocking.clients == 0)
        return;
    if (m->kind == MUTATION_KEY_RENAME || m->kind == MUTATION_LIST_MOVE)
        note(env, m->new_key);
    else if (m->kind == MUTATION_LIST_PUSH || m->kind == MUTATION_ZSET_ADD)
        note(env, m->key);
}

/* Its command once more, for one key. Whatever it replies is the end of the wait. */
static void serve(struct cmd_env *env, struct blocked *b, struct slice key)
{
    struct client *client = b->client;
    size_t before = client->out.len;
    uint64_t lsn = env->db->log.last_lsn;
    struct request rq = {.env = env,
                         .client = client,
                         .command = b->command,
                         .argv = b->argv,
                         .argc = b->argc,
                         .reply = {&client->out, client->proto},
                         .ready = &key};
    db_begin(env->db);
    command_run_again(&rq);
    db_commit(env->db);
    if (client->out.len == before && !buf_failed(&client->out))
        return;
    gate_replies(env, client, before, env->db->log.last_lsn > lsn);
    stop(env, client);
    client_unblock(env, client);
}

static void serve_key(struct cmd_env *env, struct awaited_key *key)
{
    for (struct wait *w = key->first, *next; w != NULL; w = next) {
        next = w->next; /* serving ends this wait at most, and its client's for other keys */
        if (keyspace_get(&env->db->keys, text_of(key)) == NULL)
            return;
        serve(env, w->of, text_of(key));
    }
}

void blocking_serve(struct cmd_env *env)
{
    struct blocking *b = &env->blocking;
    while (b->ready != NULL) {
        struct awaited_key *key = b->ready;
        b->ready = key->next_ready;
        if (b->ready == NULL)
            b->ready_last = &b->ready;
        serve_key(env, key);
        /* Only now: what those who were served gave to it has been looked at. */
        key->is_ready = false;
        end_key(env, key);
    }
}
