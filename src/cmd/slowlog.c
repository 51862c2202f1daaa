#include "cmd/slowlog.h"

#include <stdio.h>

#include "cmd/client_text.h"
#include "cmd/env.h"
#include "cmd/help.h"

/* As in Redis. */
enum { WORDS_MAX = 32, WORD_BYTES_MAX = 128, ADDR_MAX = IO_ADDR_TEXT_MAX + 16 };

/* owner: the log, or the client whose command goes on elsewhere */
struct slow_entry {
    struct slow_entry *next, *prev;
    uint64_t id;
    uint64_t time_s;
    uint64_t start_us; /* monotonic */
    uint64_t took_us;
    char addr[ADDR_MAX];
    struct buf name;  /* the client's */
    struct buf words; /* each a size_t and so many bytes */
    size_t word_count;
};

static bool is_on(const struct cmd_env *env)
{
    return env->config->slowlog_log_slower_than >= 0 && env->config->slowlog_max_len > 0;
}

bool slowlog_is_secret(const struct request *rq, size_t at)
{
    if (rq->command->run == cmd_auth)
        return at >= 1;
    if (rq->command->run == cmd_hello)
        for (size_t back = 1; back <= 2 && at >= back + 2; back++)
            if (slice_eq_nocase(rq->argv[at - back], "AUTH"))
                return true;
    if (rq->command->run == cmd_config_set && at >= 3 && at % 2 == 1) {
        const struct config_option *o = config_option_find(rq->argv[at - 1]);
        return o != NULL && config_option_is_secret(o);
    }
    return false;
}

static void add_word(struct slow_entry *e, struct slice word)
{
    buf_append(&e->words, &word.len, sizeof(word.len));
    buf_append_slice(&e->words, word);
    e->word_count++;
}

/* The last of WORDS_MAX words says how many more there were. */
static void add_words(struct slow_entry *e, const struct request *rq)
{
    char more[WORD_BYTES_MAX + 64];
    for (size_t i = 0; i < rq->argc && i < WORDS_MAX; i++) {
        struct slice word = rq->argv[i];
        if (i == WORDS_MAX - 1 && rq->argc > WORDS_MAX) {
            (void)snprintf(more, sizeof(more), "... (%zu more arguments)", rq->argc - i);
            add_word(e, slice_of(more));
        } else if (slowlog_is_secret(rq, i)) {
            add_word(e, slice_of("(redacted)"));
        } else if (word.len > WORD_BYTES_MAX) {
            memcpy(more, word.ptr, WORD_BYTES_MAX);
            int n = snprintf(more + WORD_BYTES_MAX, sizeof(more) - WORD_BYTES_MAX,
                             "... (%zu more bytes)", word.len - WORD_BYTES_MAX);
            CHECK(n > 0);
            add_word(e, (struct slice){(const uint8_t *)more, WORD_BYTES_MAX + (size_t)n});
        } else {
            add_word(e, word);
        }
    }
}

void slowlog_drop(struct slow_entry *e)
{
    if (e == NULL)
        return;
    buf_fini(&e->words);
    buf_fini(&e->name);
    mem_free(MEM_SERVER, e);
}

struct slow_entry *slowlog_begin(const struct request *rq, uint64_t start_us)
{
    struct slow_entry *e = is_on(rq->env) ? mem_try_calloc(MEM_SERVER, sizeof(*e)) : NULL;
    if (e == NULL)
        return NULL;
    char addr[CLIENT_ADDR_SIZE];
    e->start_us = start_us;
    e->words = e->name = BUF_INIT(MEM_SERVER);
    add_words(e, rq);
    buf_append_text(&e->name, rq->client->name != NULL ? rq->client->name : "");
    (void)snprintf(e->addr, sizeof(e->addr), "%s", client_addr_text(&rq->client->peer, addr));
    if (!buf_failed(&e->words) && !buf_failed(&e->name))
        return e;
    slowlog_drop(e);
    return NULL;
}

static void unlink_last(struct slowlog *log)
{
    struct slow_entry *e = log->last;
    CHECK(e != NULL && e->next == NULL && log->count > 0);
    log->last = e->prev;
    if (log->last != NULL)
        log->last->next = NULL;
    else
        log->first = NULL;
    log->count--;
    slowlog_drop(e);
}

static void keep(struct cmd_env *env, struct slow_entry *e, uint64_t end_us)
{
    struct slowlog *log = &env->slowlog;
    CHECK(end_us >= e->start_us);
    e->took_us = end_us - e->start_us;
    e->time_s = env->io->ops->wall_us(env->io) / 1000000;
    e->id = log->next_id++;
    e->next = log->first;
    if (log->first != NULL)
        log->first->prev = e;
    else
        log->last = e;
    log->first = e;
    log->count++;
    while (log->count > (size_t)env->config->slowlog_max_len)
        unlink_last(log);
}

static bool is_slow(const struct cmd_env *env, uint64_t took_us)
{
    return is_on(env) && took_us >= (uint64_t)env->config->slowlog_log_slower_than;
}

/* EXEC is as slow as its commands, which are there themselves. */
void slowlog_note(const struct request *rq, uint64_t start_us, uint64_t end_us)
{
    if (!is_slow(rq->env, end_us - start_us) || rq->command->run == cmd_exec)
        return;
    struct slow_entry *e = slowlog_begin(rq, start_us);
    if (e != NULL)
        keep(rq->env, e, end_us);
}

void slowlog_end(struct cmd_env *env, struct slow_entry *e)
{
    if (e == NULL)
        return;
    uint64_t now = env->io->ops->mono_us(env->io);
    if (is_slow(env, now - e->start_us))
        keep(env, e, now);
    else
        slowlog_drop(e);
}

void slowlog_clear(struct slowlog *log)
{
    while (log->count > 0)
        unlink_last(log);
    CHECK(log->first == NULL && log->last == NULL);
}

/* -- SLOWLOG ----------------------------------------------------------------------------------- */

static void reply_words(struct reply *r, const struct slow_entry *e)
{
    struct slice left = buf_slice(&e->words);
    reply_array(r, e->word_count);
    while (left.len > 0) {
        struct slice word;
        CHECK(left.len >= sizeof(word.len));
        memcpy(&word.len, left.ptr, sizeof(word.len));
        word.ptr = left.ptr + sizeof(word.len);
        CHECK(left.len - sizeof(word.len) >= word.len);
        reply_bulk(r, word);
        left.ptr = word.ptr + word.len;
        left.len -= sizeof(word.len) + word.len;
    }
}

static void reply_entry(struct reply *r, const struct slow_entry *e)
{
    reply_array(r, 6);
    reply_int(r, (int64_t)e->id);
    reply_int(r, (int64_t)e->time_s);
    reply_int(r, (int64_t)e->took_us);
    reply_words(r, e);
    reply_text(r, e->addr);
    reply_bulk(r, buf_slice(&e->name));
}

void cmd_slowlog_get(struct request *rq)
{
    const struct slowlog_get_args *a = rq->args;
    const struct slowlog *log = &rq->env->slowlog;
    int64_t count = 10;
    if (a->count.count > 1) {
        help_reply_wrong_count(rq);
        return;
    }
    if (a->count.count == 1 && (!slice_to_i64(a->count.items[0], &count) || count < -1)) {
        reply_error(&rq->reply, "ERR count should be greater than or equal to -1");
        return;
    }
    size_t shown = count < 0 || (uint64_t)count > log->count ? log->count : (size_t)count;
    const struct slow_entry *e = log->first;
    reply_array(&rq->reply, shown);
    for (size_t i = 0; i < shown; i++, e = e->next)
        reply_entry(&rq->reply, e);
}

void cmd_slowlog_len(struct request *rq)
{
    reply_int(&rq->reply, (int64_t)rq->env->slowlog.count);
}

void cmd_slowlog_reset(struct request *rq)
{
    slowlog_clear(&rq->env->slowlog);
    reply_simple(&rq->reply, "OK");
}
