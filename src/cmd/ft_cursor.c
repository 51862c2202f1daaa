#include "cmd/ft_cursor.h"

#include "base/limits.h"
#include "cmd/ft_aggregate.h"

struct ft_cursor {
    struct ft_cursor *next;
    struct ft_aggregate *aggregate; /* owned */
    uint64_t id;
    size_t at;         /* the next row */
    uint64_t until_us; /* then it goes */
};

static struct slice index_of(const struct ft_cursor *c)
{
    return c->aggregate->ask.spec->name;
}

/* Is its index the one it was made of? With that it goes. */
static bool is_valid(const struct cmd_env *env, const struct ft_cursor *c)
{
    const struct key_index *x = indexes_named(env->db, index_of(c));
    return x != NULL && x->serial == c->aggregate->index_serial;
}

size_t ft_cursor_count(const struct cmd_env *env, struct slice index)
{
    size_t count = 0;
    for (const struct ft_cursor *c = env->cursors.first; c != NULL; c = c->next)
        count += is_valid(env, c) && (index.len == 0 || slice_eq(index_of(c), index));
    return count;
}

static void free_cursor(struct ft_cursor *c)
{
    ft_aggregate_fini(c->aggregate);
    mem_free(MEM_SCRATCH, c->aggregate);
    mem_free(MEM_SCRATCH, c);
}

static void drop(struct cmd_env *env, struct ft_cursor *cursor)
{
    struct ft_cursor **at = &env->cursors.first;
    while (*at != cursor)
        at = &(*at)->next;
    *at = cursor->next;
    free_cursor(cursor);
    if (env->cursors.first == NULL)
        env->io->ops->timer_stop(env->io, &env->cursors.timer);
}

void ft_cursors_fini(struct cmd_env *env)
{
    while (env->cursors.first != NULL)
        drop(env, env->cursors.first);
}

/* -- those that nobody asks for ---------------------------------------------------------------- */

static size_t drop_idle(struct cmd_env *env)
{
    uint64_t now = env->io->ops->mono_us(env->io);
    size_t count = 0;
    for (struct ft_cursor *c = env->cursors.first, *next; c != NULL; c = next) {
        next = c->next;
        if (c->until_us > now && is_valid(env, c))
            continue;
        drop(env, c);
        count++;
    }
    return count;
}

static void on_timer(struct io_timer *timer)
{
    enum { EVERY_US = 100 * 1000 };
    struct cmd_env *env = timer->user;
    (void)drop_idle(env);
    if (env->cursors.first != NULL)
        env->io->ops->timer_start(env->io, timer, EVERY_US);
}

/* -- reading ----------------------------------------------------------------------------------- */

static void touch(struct cmd_env *env, struct ft_cursor *c)
{
    c->until_us = env->io->ops->mono_us(env->io) + c->aggregate->options.cursor_idle_ms * 1000;
}

/* Some rows, and what to ask with for more. */
static void reply_rows(struct reply *r, const struct ft_aggregate *a, size_t first, size_t count,
                       uint64_t id)
{
    reply_array(r, 2);
    ft_aggregate_reply(r, a, first, count);
    reply_int(r, (int64_t)id);
}

static size_t rows_now(const struct ft_aggregate *a, size_t at, uint64_t most)
{
    size_t left = a->run.rows.count - at;
    return left < most ? left : (size_t)most;
}

static struct ft_cursor *find(const struct cmd_env *env, uint64_t id)
{
    struct ft_cursor *c = env->cursors.first;
    while (c != NULL && c->id != id)
        c = c->next;
    return c;
}

bool ft_cursor_begin(struct cmd_env *env, struct ft_aggregate *a, struct reply *r)
{
    size_t count = rows_now(a, 0, a->options.cursor_rows);
    if (count == a->run.rows.count) {
        reply_rows(r, a, 0, count, 0);
        return false;
    }
    struct slice index = a->ask.spec->name;
    if (ft_cursor_count(env, index) >= LIMIT_CURSORS)
        (void)drop_idle(env);
    if (ft_cursor_count(env, index) >= LIMIT_CURSORS) {
        reply_errorf(r, "Too many cursors allocated for index: at most %d", LIMIT_CURSORS);
        return false;
    }
    struct ft_cursor *c = mem_try_calloc(MEM_SCRATCH, sizeof(*c));
    if (c == NULL) {
        reply_err(r, ERR_NOMEM, NULL);
        return false;
    }
    *c = (struct ft_cursor){
        .next = env->cursors.first, .aggregate = a, .id = ++env->cursors.last_id, .at = count};
    touch(env, c);
    if (env->cursors.first == NULL) {
        env->cursors.timer = (struct io_timer){.fn = on_timer, .user = env};
        env->io->ops->timer_start(env->io, &env->cursors.timer, 0);
    }
    env->cursors.first = c;
    reply_rows(r, a, 0, count, c->id);
    return true;
}

/* -- FT.CURSOR --------------------------------------------------------------------------------- */

static void read_on(struct request *rq, struct ft_cursor *c, struct ft_words *words)
{
    uint64_t most = c->aggregate->options.cursor_rows;
    enum err e = OK;
    if (ft_words_next_is(words, "COUNT"))
        e = ft_words_count(words, "COUNT", UINT32_MAX, &most);
    if (e == OK && most == 0)
        e = why_set(words->why, ERR_ARG, "Bad value for COUNT");
    if (e == OK && words->at < words->end)
        e = ft_words_unknown(words);
    if (e != OK) {
        ft_reply_error(&rq->reply, e, words->why);
        return;
    }
    const struct ft_aggregate *a = c->aggregate;
    size_t first = c->at, count = rows_now(a, first, most);
    c->at += count;
    bool last = c->at == a->run.rows.count;
    reply_rows(&rq->reply, a, first, count, last ? 0 : c->id);
    touch(rq->env, c);
    if (last)
        drop(rq->env, c);
}

void cmd_ft_cursor(struct request *rq)
{
    const struct ft_cursor_args *a = rq->args;
    struct why why = {{0}};
    struct ft_words words = {a->words.items, 1, a->words.count, &why};
    bool reads = slice_eq_nocase(a->action, "READ"), deletes = slice_eq_nocase(a->action, "DEL");
    uint64_t id = 0;
    if (!reads && !deletes && !slice_eq_nocase(a->action, "GC")) {
        reply_error(&rq->reply, "Unknown subcommand");
        return;
    }
    if (!slice_to_u64(a->words.items[0], &id)) {
        reply_error(&rq->reply, "Bad cursor ID");
        return;
    }
    struct key_index *x = ft_index(rq, a->index);
    if (x == NULL)
        return;
    if (!reads && !deletes) {
        reply_int(&rq->reply, (int64_t)drop_idle(rq->env));
        return;
    }
    struct ft_cursor *c = find(rq->env, id);
    if (c == NULL || c->aggregate->index_serial != x->serial) {
        reply_errorf(&rq->reply, "Cursor %s, id: %llu", reads ? "not found" : "does not exist",
                     (unsigned long long)id);
        return;
    }
    if (reads) {
        read_on(rq, c, &words);
        return;
    }
    drop(rq->env, c);
    reply_simple(&rq->reply, "OK");
}
