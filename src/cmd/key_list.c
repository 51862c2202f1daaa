#include "cmd/key_list.h"

#include "base/glob.h"
#include "cmd/gate.h"
#include "cmd/keys.h"

enum {
    SLICE_US = 300,   /* of the loop's time */
    STEP_SLOTS = 128, /* between two looks at the clock */
    CHUNK_BYTES = 64 * 1024,
    SENT_AT_ONCE = 4 * CHUNK_BYTES, /* of the reply in one slice */
    UNREAD_MAX = 1 << 20,           /* of the reply that waits for the client to read */
    UNREAD_PAUSE_US = 2000
};

/* Some keys, as they are going to be replied. */
struct chunk {
    struct chunk *next;
    size_t len, capacity;
    uint8_t bytes[];
};

/* owner: the client that waits for it */
struct key_list {
    struct cmd_env *env;
    struct client *client;
    struct io_timer timer;
    struct buf pattern;
    uint64_t cursor;
    bool scanned; /* now the reply leaves */
    bool failed;  /* memory was short: there will be an error */
    size_t count;
    struct chunk *first, **last;
};

static void free_list(struct key_list *l)
{
    l->env->io->ops->timer_stop(l->env->io, &l->timer);
    while (l->first != NULL) {
        struct chunk *chunk = l->first;
        l->first = chunk->next;
        mem_free(MEM_CLIENT, chunk);
    }
    buf_fini(&l->pattern);
    mem_free(MEM_CLIENT, l);
}

void key_list_forget(struct client *client)
{
    if (client->key_list != NULL)
        free_list(client->key_list);
    client->key_list = NULL;
}

/* -- gathering --------------------------------------------------------------------------------- */

/* Room for so many bytes in the last chunk; NULL when memory is short. */
static struct chunk *room_for(struct key_list *l, size_t size)
{
    struct chunk *last =
        l->first == NULL ? NULL
                         : (struct chunk *)(void *)((char *)l->last - offsetof(struct chunk, next));
    if (last != NULL && last->capacity - last->len >= size)
        return last;
    size_t capacity = size > CHUNK_BYTES ? size : CHUNK_BYTES;
    struct chunk *chunk = mem_try(MEM_CLIENT, sizeof(*chunk) + capacity);
    if (chunk == NULL)
        return NULL;
    *chunk = (struct chunk){.capacity = capacity};
    *l->last = chunk;
    l->last = &chunk->next;
    return chunk;
}

static void on_key(void *user, const struct object *o)
{
    enum { HEAD_MAX = 32 };
    struct key_list *l = user;
    struct slice key = object_key(o);
    if (l->failed || object_expired(o, l->env->db->now_ms) ||
        !glob_match(buf_slice(&l->pattern), key))
        return;
    struct chunk *chunk = room_for(l, key.len + HEAD_MAX);
    if (chunk == NULL) {
        l->failed = true;
        return;
    }
    struct buf to = {.ptr = chunk->bytes + chunk->len,
                     .capacity = chunk->capacity - chunk->len,
                     .tag = MEM_CLIENT};
    reply_bulk(&(struct reply){&to, 2}, key);
    CHECK(to.ptr == chunk->bytes + chunk->len && !buf_failed(&to)); /* it had room */
    chunk->len += to.len;
    l->count++;
}

static void scan_some(struct key_list *l)
{
    struct io *io = l->env->io;
    uint64_t start = io->ops->mono_us(io);
    l->env->db->now_ms = io->ops->wall_us(io) / 1000;
    do {
        l->cursor = keyspace_scan(&l->env->db->keys, l->cursor, STEP_SLOTS, on_key, l);
    } while (l->cursor != 0 && !l->failed && io->ops->mono_us(io) - start < SLICE_US);
    l->scanned = l->cursor == 0 || l->failed;
}

/* -- replying ---------------------------------------------------------------------------------- */

static void end_list(struct key_list *l)
{
    struct client *client = l->client;
    struct cmd_env *env = l->env;
    client->key_list = NULL;
    free_list(l);
    client_unblock(env, client);
}

static void begin_reply(struct key_list *l)
{
    struct client *client = l->client;
    struct reply reply = {&client->out, client->proto};
    size_t before = client->out.len;
    if (l->failed)
        reply_err(&reply, ERR_NOMEM, NULL);
    else
        reply_array(&reply, l->count);
    gate_replies(l->env, client, before, false);
}

/* Returns whether all of it has been handed over. */
static bool reply_some(struct key_list *l)
{
    struct client *client = l->client;
    size_t sent = 0;
    while (l->first != NULL && sent < SENT_AT_ONCE && client->out.len < UNREAD_MAX) {
        struct chunk *chunk = l->first;
        buf_append(&client->out, chunk->bytes, chunk->len);
        sent += chunk->len;
        l->first = chunk->next;
        mem_free(MEM_CLIENT, chunk);
    }
    return l->first == NULL;
}

static void on_slice(struct io_timer *timer)
{
    struct key_list *l = timer->user;
    struct cmd_env *env = l->env;
    struct io *io = env->io;
    uint64_t start = io->ops->mono_us(io);
    bool muted = l->client->muted_from != UINT64_MAX, done = false;
    CHECK(l->client->blocked && l->client->key_list == l);
    if (!l->scanned) {
        scan_some(l);
        if (l->scanned && !muted)
            begin_reply(l);
    } else {
        done = l->failed || muted || reply_some(l);
    }
    latency_note(env, LATENCY_SLICE, io->ops->mono_us(io) - start);
    if (done) {
        end_list(l);
        return;
    }
    bool full = l->client->out.len >= UNREAD_MAX;
    io->ops->timer_start(io, timer, full ? UNREAD_PAUSE_US : 0);
    if (l->scanned)
        env->hooks->resume(env, l->client); /* sends what there is */
}

void key_list_start(struct request *rq, struct slice pattern)
{
    struct key_list *l = mem_try_calloc(MEM_CLIENT, sizeof(*l));
    if (l == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    l->env = rq->env;
    l->client = rq->client;
    l->timer = (struct io_timer){.fn = on_slice, .user = l};
    l->last = &l->first;
    l->pattern = BUF_INIT(MEM_CLIENT);
    buf_append_slice(&l->pattern, pattern);
    if (buf_failed(&l->pattern)) {
        free_list(l);
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    rq->client->key_list = l;
    client_block(rq->env, rq->client);
    rq->env->io->ops->timer_start(rq->env->io, &l->timer, 0);
}
