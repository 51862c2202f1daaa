/* A subscription stands in two lists: of its client, and of its channel or pattern. */
#include "cmd/pubsub.h"

#include "base/glob.h"
#include "base/rng.h"
#include "cmd/env.h"
#include "cmd/keys.h"
#include "cmd/pause.h"

/* owner: its client; in the list of its topic too */
struct subscription {
    struct client *client;
    struct topic *topic;
    struct subscription *next, *prev;        /* of the client */
    struct subscription *topic_next, **link; /* of the topic; what points at this one */
};

/* A channel or a pattern that somebody has subscribed to. owner: struct pubsub */
struct topic {
    enum topic_kind kind;
    uint32_t hash, place;
    struct subscription *first, **last;
    size_t count;
    struct topic *next_pattern, **pattern_link;
    size_t len;
    uint8_t bytes[]; /* the name */
};

/* -- topics ------------------------------------------------------------------------------------ */

static struct slice name_of(const struct topic *t)
{
    return (struct slice){t->bytes, t->len};
}

/* What the map is asked for, in place of a key's bytes. */
struct wanted {
    enum topic_kind kind;
    struct slice name;
};

static bool topic_equal(const void *owner, uint32_t place, struct slice key)
{
    const struct pubsub *p = owner;
    const struct wanted *w = (const struct wanted *)(const void *)key.ptr;
    const struct topic *t = p->items[place];
    return t->kind == w->kind && slice_eq(name_of(t), w->name);
}

static uint32_t hash_topic(const struct cmd_env *env, const struct wanted *w)
{
    return (uint32_t)hash_bytes(w->name, env->db->keys.hash_seed) + (uint32_t)w->kind;
}

void pubsub_init(struct cmd_env *env)
{
    map_init(&env->pubsub.map, MEM_CLIENT, topic_equal, &env->pubsub);
}

void pubsub_fini(struct cmd_env *env)
{
    struct pubsub *p = &env->pubsub;
    CHECK(map_count(&p->map) == 0 && p->patterns == NULL);
    map_fini(&p->map);
    mem_free(MEM_CLIENT, p->items);
    mem_free(MEM_CLIENT, p->free_list);
}

static struct topic *find(const struct cmd_env *env, enum topic_kind kind, struct slice name)
{
    const struct wanted w = {kind, name};
    const struct slice key = {(const uint8_t *)&w, sizeof(w)};
    uint32_t place = map_get(&env->pubsub.map, hash_topic(env, &w), key);
    return place == MAP_NONE ? NULL : env->pubsub.items[place];
}

static bool reserve_place(struct pubsub *p)
{
    if (p->free_count > 0 || p->used < p->capacity)
        return true;
    uint32_t capacity = p->capacity < 16 ? 16 : p->capacity * 2;
    struct topic **items = mem_try_realloc(MEM_CLIENT, p->items, capacity * sizeof(struct topic *));
    if (items == NULL)
        return false;
    p->items = items;
    uint32_t *free_list = mem_try_realloc(MEM_CLIENT, p->free_list, capacity * sizeof(*free_list));
    if (free_list == NULL)
        return false;
    p->free_list = free_list;
    p->capacity = capacity;
    return true;
}

/* Nobody has subscribed to it yet; NULL: no memory. */
static struct topic *topic_new(struct cmd_env *env, enum topic_kind kind, struct slice name)
{
    struct pubsub *p = &env->pubsub;
    const struct wanted w = {kind, name};
    if (p->used >= UINT32_MAX / 4 || !reserve_place(p) || !map_reserve(&p->map, 1))
        return NULL;
    struct topic *t = mem_try(MEM_CLIENT, sizeof(*t) + name.len);
    if (t == NULL)
        return NULL;
    *t = (struct topic){.kind = kind, .hash = hash_topic(env, &w), .len = name.len};
    t->last = &t->first;
    if (name.len > 0)
        memcpy(t->bytes, name.ptr, name.len);
    t->place = p->free_count > 0 ? p->free_list[--p->free_count] : p->used++;
    p->items[t->place] = t;
    map_put(&p->map, t->hash, t->place);
    p->count[kind]++;
    if (kind != TOPIC_PATTERN)
        return t;
    t->next_pattern = p->patterns;
    t->pattern_link = &p->patterns;
    if (p->patterns != NULL)
        p->patterns->pattern_link = &t->next_pattern;
    p->patterns = t;
    return t;
}

static void end_topic(struct cmd_env *env, struct topic *t)
{
    struct pubsub *p = &env->pubsub;
    CHECK(t->first == NULL && t->count == 0 && p->items[t->place] == t);
    map_remove(&p->map, t->hash, t->place);
    p->items[t->place] = NULL;
    p->free_list[p->free_count++] = t->place;
    p->count[t->kind]--;
    if (t->kind == TOPIC_PATTERN) {
        *t->pattern_link = t->next_pattern;
        if (t->next_pattern != NULL)
            t->next_pattern->pattern_link = t->pattern_link;
    }
    mem_free(MEM_CLIENT, t);
}

/* -- subscriptions ----------------------------------------------------------------------------- */

/* Whichever list is the shorter one is looked through. */
static struct subscription *find_own(const struct client *client, const struct topic *t)
{
    const struct subscriptions *all = &client->subscriptions;
    if (t == NULL)
        return NULL;
    if (t->count < all->count[t->kind]) {
        struct subscription *s = t->first;
        while (s != NULL && s->client != client)
            s = s->topic_next;
        return s;
    }
    struct subscription *s = all->first[t->kind];
    while (s != NULL && s->topic != t)
        s = s->next;
    return s;
}

static enum err subscribe(struct cmd_env *env, struct client *client, enum topic_kind kind,
                          struct slice name)
{
    struct subscriptions *all = &client->subscriptions;
    struct topic *t = find(env, kind, name);
    if (find_own(client, t) != NULL)
        return OK;
    struct subscription *s = mem_try(MEM_CLIENT, sizeof(*s));
    if (s != NULL && t == NULL)
        t = topic_new(env, kind, name);
    if (s == NULL || t == NULL) {
        mem_free(MEM_CLIENT, s);
        return ERR_NOMEM;
    }
    *s = (struct subscription){
        .client = client, .topic = t, .prev = all->last[kind], .link = t->last};
    *t->last = s;
    t->last = &s->topic_next;
    t->count++;
    if (s->prev != NULL)
        s->prev->next = s;
    else
        all->first[kind] = s;
    all->last[kind] = s;
    all->count[kind]++;
    return OK;
}

static void unsubscribe(struct cmd_env *env, struct subscription *s)
{
    struct topic *t = s->topic;
    struct subscriptions *all = &s->client->subscriptions;
    *s->link = s->topic_next;
    if (s->topic_next != NULL)
        s->topic_next->link = s->link;
    else
        t->last = s->link;
    t->count--;
    *(s->prev != NULL ? &s->prev->next : &all->first[t->kind]) = s->next;
    *(s->next != NULL ? &s->next->prev : &all->last[t->kind]) = s->prev;
    all->count[t->kind]--;
    mem_free(MEM_CLIENT, s);
    if (t->first == NULL)
        end_topic(env, t);
}

void pubsub_forget(struct cmd_env *env, struct client *client)
{
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        while (client->subscriptions.first[kind] != NULL)
            unsubscribe(env, client->subscriptions.first[kind]);
    buf_fini(&client->late);
}

bool pubsub_is_subscriber(const struct client *client)
{
    const size_t *count = client->subscriptions.count;
    return count[TOPIC_CHANNEL] + count[TOPIC_PATTERN] + count[TOPIC_SHARD] > 0;
}

bool pubsub_admits(struct request *rq)
{
    void (*run)(struct request *) = rq->command->run;
    if (rq->client->proto > 2 || !pubsub_is_subscriber(rq->client) || run == cmd_subscribe ||
        run == cmd_unsubscribe || run == cmd_psubscribe || run == cmd_punsubscribe ||
        run == cmd_ssubscribe || run == cmd_sunsubscribe || run == cmd_ping || run == cmd_quit ||
        run == cmd_reset)
        return true;
    reply_errorf(&rq->reply,
                 "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                 "RESET are allowed in this context",
                 rq->command->name);
    return false;
}

/* -- messages ---------------------------------------------------------------------------------- */

static void put_message(struct reply *r, const struct topic *t, struct slice channel,
                        struct slice message)
{
    static const char *const kinds[] = {"message", "pmessage", "smessage"};
    bool by_pattern = t->kind == TOPIC_PATTERN;
    reply_push(r, by_pattern ? 4 : 3);
    reply_text(r, kinds[t->kind]);
    if (by_pattern)
        reply_bulk(r, name_of(t));
    reply_bulk(r, channel);
    reply_bulk(r, message);
}

/* To all who have subscribed to it; running: NULL, or whose reply is not to be torn apart. */
static size_t send(struct cmd_env *env, const struct topic *t, const struct client *running,
                   struct slice channel, struct slice message)
{
    size_t count = 0;
    for (struct subscription *s = t->first; s != NULL; s = s->topic_next, count++) {
        struct client *c = s->client;
        bool late = (c->flags & CLIENT_IN_EXEC) != 0 || c == running;
        struct reply r = {late ? &c->late : &c->out, c->proto};
        if (c->flags & CLIENT_CLOSE_AFTER_REPLY)
            continue;
        if (late) {
            put_message(&r, t, channel, message);
            continue;
        }
        mute_push_begin(c);
        put_message(&r, t, channel, message);
        mute_push_end(c);
        env->hooks->resume(env, c);
    }
    return count;
}

/* To the subscribers of a channel, and of patterns that it matches. */
static size_t send_all(struct cmd_env *env, const struct client *running, struct slice channel,
                       struct slice message)
{
    const struct topic *t = find(env, TOPIC_CHANNEL, channel);
    size_t count = t == NULL ? 0 : send(env, t, running, channel, message);
    for (t = env->pubsub.patterns; t != NULL; t = t->next_pattern)
        if (glob_match(name_of(t), channel))
            count += send(env, t, running, channel, message);
    return count;
}

size_t pubsub_publish(struct cmd_env *env, enum topic_kind kind, struct slice channel,
                      struct slice message)
{
    const struct topic *t = kind == TOPIC_CHANNEL ? NULL : find(env, kind, channel);
    if (kind == TOPIC_CHANNEL)
        return send_all(env, NULL, channel, message);
    return t == NULL ? 0 : send(env, t, NULL, channel, message);
}

void pubsub_notify(struct cmd_env *env, struct slice channel, struct slice message)
{
    const struct request *rq = env->notify.running;
    (void)send_all(env, rq == NULL ? NULL : rq->client, channel, message);
}

void pubsub_break(struct cmd_env *env)
{
    for (struct client *c = env->clients; c != NULL; c = c->next) {
        if (!pubsub_is_subscriber(c))
            continue;
        c->out.failed = true;
        env->hooks->resume(env, c);
    }
}

void pubsub_end_late(struct client *client)
{
    if (client->late.len == 0 && !buf_failed(&client->late))
        return;
    mute_push_begin(client);
    buf_append_slice(&client->out, buf_slice(&client->late));
    mute_push_end(client);
    client->out.failed |= buf_failed(&client->late);
    buf_fini(&client->late);
}

/* -- commands ---------------------------------------------------------------------------------- */

static int64_t count_told(const struct client *client, enum topic_kind kind)
{
    const size_t *count = client->subscriptions.count;
    return (int64_t)(kind == TOPIC_SHARD ? count[TOPIC_SHARD]
                                         : count[TOPIC_CHANNEL] + count[TOPIC_PATTERN]);
}

/* name NULL: there was none. */
static void tell(struct request *rq, const char *what, enum topic_kind kind,
                 const struct slice *name)
{
    struct client *client = rq->client;
    bool late = (client->flags & CLIENT_IN_EXEC) && client->muted_from != UINT64_MAX;
    struct reply r = {late ? &client->late : rq->reply.out, rq->reply.proto};
    if (!late)
        mute_push_begin(client);
    reply_push(&r, 3);
    reply_text(&r, what);
    if (name != NULL)
        reply_bulk(&r, *name);
    else
        reply_null(&r);
    reply_int(&r, count_told(client, kind));
    if (!late)
        mute_push_end(client);
}

static void subscribe_all(struct request *rq, const struct slices *names, enum topic_kind kind,
                          const char *what)
{
    for (size_t i = 0; i < names->count; i++) {
        if (kind == TOPIC_PATTERN && !pattern_fits(rq, names->items[i]))
            return;
        if (subscribe(rq->env, rq->client, kind, names->items[i]) != OK) {
            reply_err(&rq->reply, ERR_NOMEM, NULL);
            return;
        }
        tell(rq, what, kind, &names->items[i]);
    }
}

static void unsubscribe_all(struct request *rq, const struct slices *names, enum topic_kind kind,
                            const char *what)
{
    struct client *client = rq->client;
    if (names->count == 0 && client->subscriptions.first[kind] == NULL)
        tell(rq, what, kind, NULL);
    while (names->count == 0 && client->subscriptions.first[kind] != NULL) {
        struct subscription *s = client->subscriptions.first[kind];
        struct buf name = BUF_INIT(MEM_CLIENT);
        buf_append_slice(&name, name_of(s->topic));
        struct slice text = buf_slice(&name);
        rq->client->out.failed |= buf_failed(&name);
        unsubscribe(rq->env, s);
        tell(rq, what, kind, &text);
        buf_fini(&name);
    }
    for (size_t i = 0; i < names->count; i++) {
        struct subscription *s = find_own(client, find(rq->env, kind, names->items[i]));
        if (s != NULL)
            unsubscribe(rq->env, s);
        tell(rq, what, kind, &names->items[i]);
    }
}

void cmd_subscribe(struct request *rq)
{
    const struct subscribe_args *a = rq->args;
    subscribe_all(rq, &a->channels, TOPIC_CHANNEL, "subscribe");
}

void cmd_psubscribe(struct request *rq)
{
    const struct psubscribe_args *a = rq->args;
    subscribe_all(rq, &a->patterns, TOPIC_PATTERN, "psubscribe");
}

void cmd_ssubscribe(struct request *rq)
{
    const struct ssubscribe_args *a = rq->args;
    subscribe_all(rq, &a->channels, TOPIC_SHARD, "ssubscribe");
}

void cmd_unsubscribe(struct request *rq)
{
    const struct unsubscribe_args *a = rq->args;
    unsubscribe_all(rq, &a->channels, TOPIC_CHANNEL, "unsubscribe");
}

void cmd_punsubscribe(struct request *rq)
{
    const struct punsubscribe_args *a = rq->args;
    unsubscribe_all(rq, &a->patterns, TOPIC_PATTERN, "punsubscribe");
}

void cmd_sunsubscribe(struct request *rq)
{
    const struct sunsubscribe_args *a = rq->args;
    unsubscribe_all(rq, &a->channels, TOPIC_SHARD, "sunsubscribe");
}

void cmd_publish(struct request *rq)
{
    const struct publish_args *a = rq->args;
    reply_int(&rq->reply,
              (int64_t)pubsub_publish(rq->env, TOPIC_CHANNEL, a->channel, a->message));
}

void cmd_spublish(struct request *rq)
{
    const struct spublish_args *a = rq->args;
    reply_int(&rq->reply, (int64_t)pubsub_publish(rq->env, TOPIC_SHARD, a->channel, a->message));
}

/* Those with subscribers, and of these those that match; in no order. */
static void reply_channels(struct request *rq, const struct slices *pattern, enum topic_kind kind)
{
    const struct pubsub *p = &rq->env->pubsub;
    size_t count = 0;
    if (pattern->count > 0 && !pattern_fits(rq, pattern->items[0]))
        return;
    for (int counts = 1; counts >= 0; counts--) {
        if (counts == 0)
            reply_array(&rq->reply, count);
        for (uint32_t i = 0; i < p->used; i++) {
            const struct topic *t = p->items[i];
            if (t == NULL || t->kind != kind ||
                (pattern->count > 0 && !glob_match(pattern->items[0], name_of(t))))
                continue;
            count++;
            if (counts == 0)
                reply_bulk(&rq->reply, name_of(t));
        }
    }
}

static void reply_counts(struct request *rq, const struct slices *names, enum topic_kind kind)
{
    reply_array(&rq->reply, 2 * names->count);
    for (size_t i = 0; i < names->count; i++) {
        const struct topic *t = find(rq->env, kind, names->items[i]);
        reply_bulk(&rq->reply, names->items[i]);
        reply_int(&rq->reply, t == NULL ? 0 : (int64_t)t->count);
    }
}

void cmd_pubsub_channels(struct request *rq)
{
    reply_channels(rq, &((const struct pubsub_channels_args *)rq->args)->pattern, TOPIC_CHANNEL);
}

void cmd_pubsub_shardchannels(struct request *rq)
{
    reply_channels(rq, &((const struct pubsub_shardchannels_args *)rq->args)->pattern,
                   TOPIC_SHARD);
}

void cmd_pubsub_numsub(struct request *rq)
{
    reply_counts(rq, &((const struct pubsub_numsub_args *)rq->args)->channels, TOPIC_CHANNEL);
}

void cmd_pubsub_shardnumsub(struct request *rq)
{
    reply_counts(rq, &((const struct pubsub_shardnumsub_args *)rq->args)->channels, TOPIC_SHARD);
}

void cmd_pubsub_numpat(struct request *rq)
{
    reply_int(&rq->reply, (int64_t)rq->env->pubsub.count[TOPIC_PATTERN]);
}
