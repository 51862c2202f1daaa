/* Commands wait as the bytes of their arguments, one behind the other, in the client's queue. */
#include "cmd/multi.h"

#include <stdio.h>

#include "base/limits.h"
#include "cmd/env.h"
#include "cmd/vector.h"
#include "cmd/watch.h"

enum { BROKEN = CLIENT_DIRTY_CAS | CLIENT_DIRTY_EXEC };

/* Before the arguments of a command in the queue, which are a size_t and so many bytes each. */
struct queued {
    const struct command *command;
    size_t argc;
};

static bool in_multi(const struct client *client)
{
    return (client->flags & CLIENT_MULTI) != 0;
}

void multi_end(struct cmd_env *env, struct client *client)
{
    buf_fini(&client->queue);
    client->queue_count = 0;
    client->queue_flags = 0;
    client->flags &= ~(unsigned)(CLIENT_MULTI | CLIENT_DIRTY_EXEC);
    watch_end(env, client);
}

/* -- queueing ---------------------------------------------------------------------------------- */

bool multi_takes(const struct request *rq)
{
    return in_multi(rq->client) && !(rq->command->flags & CMD_AT_ONCE);
}

unsigned multi_flags(const struct request *rq)
{
    bool exec = rq->command->run == cmd_exec && in_multi(rq->client);
    return rq->command->flags | (exec ? rq->client->queue_flags : 0);
}

static void refuse(struct request *rq, const char *text)
{
    size_t offset = rq->client->out.len;
    reply_error(&rq->reply, text);
    multi_refused(rq, offset);
}

static size_t bytes_of(const struct request *rq)
{
    size_t size = sizeof(struct queued) + rq->argc * sizeof(size_t);
    for (size_t i = 0; i < rq->argc; i++)
        size += rq->argv[i].len;
    return size;
}

/* Appends the command; false when memory is short. */
static bool append(struct request *rq)
{
    struct buf *queue = &rq->client->queue;
    const struct queued head = {rq->command, rq->argc};
    size_t before = queue->len;
    buf_append(queue, &head, sizeof(head));
    for (size_t i = 0; i < rq->argc; i++) {
        buf_append(queue, &rq->argv[i].len, sizeof(rq->argv[i].len));
        buf_append_slice(queue, rq->argv[i]);
    }
    if (!buf_failed(queue))
        return true;
    queue->len = before;
    queue->failed = false;
    return false;
}

void multi_queue(struct request *rq)
{
    struct client *client = rq->client;
    CHECK(multi_takes(rq));
    if (rq->command->flags & CMD_NO_MULTI) {
        refuse(rq, "ERR Command not allowed inside a transaction");
        return;
    }
    if (client->flags & BROKEN) { /* it will never run */
        reply_simple(&rq->reply, "QUEUED");
        return;
    }
    char text[128];
    if (client->queue_count == LIMIT_MULTI_COMMANDS) {
        (void)snprintf(text, sizeof(text), "ERR a transaction has at most %d commands",
                       LIMIT_MULTI_COMMANDS);
        refuse(rq, text);
    } else if (bytes_of(rq) > LIMIT_MULTI_SIZE - client->queue.len) {
        (void)snprintf(text, sizeof(text),
                       "ERR the commands of a transaction have at most %d bytes", LIMIT_MULTI_SIZE);
        refuse(rq, text);
    } else if (!append(rq)) {
        refuse(rq, "OOM command not allowed when used memory > 'maxmemory'.");
    } else {
        client->queue_count++;
        client->queue_flags |= rq->command->flags & (CMD_WRITE | CMD_DENYOOM);
        reply_simple(&rq->reply, "QUEUED");
    }
}

void multi_refused(struct request *rq, size_t offset)
{
    struct client *client = rq->client;
    struct buf *out = &client->out;
    if (in_multi(client))
        client->flags |= CLIENT_DIRTY_EXEC;
    if (rq->command == NULL || rq->command->run != cmd_exec)
        return;
    char reason[WHY_SIZE];
    CHECK(buf_failed(out) || (out->len > offset + 2 && out->ptr[offset] == '-'));
    size_t from = offset + 1, len = buf_failed(out) ? 0 : out->len - 2 - from;
    /* Redis names the code of an error that has one of its own. */
    if (len > 4 && memcmp(out->ptr + from, "ERR ", 4) == 0) {
        from += 4;
        len -= 4;
    }
    (void)snprintf(reason, sizeof(reason), "%.*s", (int)(len < 200 ? len : 200),
                   (const char *)out->ptr + from);
    out->len = offset;
    reply_errorf(&rq->reply, "EXECABORT Transaction discarded because of: %s", reason);
    multi_end(rq->env, client);
}

/* -- running ----------------------------------------------------------------------------------- */

/* The arguments of the next command, in room for its argc. */
static void read_arguments(struct slice *left, size_t argc, struct slice *argv)
{
    for (size_t i = 0; i < argc; i++) {
        CHECK(left->len >= sizeof(size_t));
        memcpy(&argv[i].len, left->ptr, sizeof(size_t));
        argv[i].ptr = left->ptr + sizeof(size_t);
        CHECK(left->len - sizeof(size_t) >= argv[i].len);
        left->ptr = argv[i].ptr + argv[i].len;
        left->len -= sizeof(size_t) + argv[i].len;
    }
}

/* The most arguments that one of the commands has. */
static size_t most_arguments(struct slice queue)
{
    size_t most = 0;
    while (queue.len > 0) {
        struct queued head;
        memcpy(&head, queue.ptr, sizeof(head));
        queue = (struct slice){queue.ptr + sizeof(head), queue.len - sizeof(head)};
        most = head.argc > most ? head.argc : most;
        for (size_t i = 0; i < head.argc; i++) {
            struct slice skipped;
            read_arguments(&queue, 1, &skipped);
        }
    }
    return most;
}

static void run_all(struct request *rq, struct slice queue, struct slice *argv)
{
    while (queue.len > 0) {
        struct queued head;
        memcpy(&head, queue.ptr, sizeof(head));
        queue = (struct slice){queue.ptr + sizeof(head), queue.len - sizeof(head)};
        read_arguments(&queue, head.argc, argv);
        struct request one = {.env = rq->env,
                              .client = rq->client,
                              .command = head.command,
                              .argv = argv,
                              .argc = head.argc};
        one.reply = (struct reply){&rq->client->out, rq->client->proto};
        command_run_queued(&one);
        CHECK(!rq->client->blocked);
    }
}

/* What a transaction has made of the client is not its commands' to see: the queue is taken away
 * before they run, and one of them may close the client. */
static void exec(struct request *rq)
{
    struct client *client = rq->client;
    struct buf queue = client->queue;
    size_t count = client->queue_count, from = client->out.len;
    struct slice *argv =
        mem_try(MEM_CLIENT, (most_arguments(buf_slice(&queue)) + 1) * sizeof(*argv));
    if (argv == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        multi_end(rq->env, client);
        return;
    }
    client->queue = BUF_INIT(MEM_CLIENT);
    multi_end(rq->env, client);
    client->flags |= CLIENT_IN_EXEC;
    client->queue_count = count; /* for CLIENT LIST */
    reply_array(&rq->reply, count);
    run_all(rq, buf_slice(&queue), argv);
    client->flags &= ~(unsigned)CLIENT_IN_EXEC;
    client->queue_count = 0;
    client->command = rq->command;
    pubsub_end_late(client);
    mem_free(MEM_CLIENT, argv);
    buf_fini(&queue);
    struct collection *full = client->exec_filled;
    client->exec_filled = NULL;
    if (full != NULL && !(client->flags & CLIENT_CLOSE_AFTER_REPLY))
        wait_for_room(rq, full, from);
}

void cmd_exec(struct request *rq)
{
    struct client *client = rq->client;
    if (!in_multi(client)) {
        reply_error(&rq->reply, "ERR EXEC without MULTI");
        return;
    }
    bool broken = watch_is_broken(rq->env, client);
    if (client->flags & CLIENT_DIRTY_EXEC)
        reply_error(&rq->reply, "EXECABORT Transaction discarded because of previous errors.");
    else if (broken)
        reply_null_array(&rq->reply);
    else {
        exec(rq);
        return;
    }
    multi_end(rq->env, client);
}

void cmd_multi(struct request *rq)
{
    if (in_multi(rq->client)) {
        reply_error(&rq->reply, "ERR MULTI calls can not be nested");
        return;
    }
    rq->client->flags |= CLIENT_MULTI;
    reply_simple(&rq->reply, "OK");
}

void cmd_discard(struct request *rq)
{
    if (!in_multi(rq->client)) {
        reply_error(&rq->reply, "ERR DISCARD without MULTI");
        return;
    }
    multi_end(rq->env, rq->client);
    reply_simple(&rq->reply, "OK");
}

void cmd_watch(struct request *rq)
{
    const struct watch_args *a = rq->args;
    if (in_multi(rq->client)) {
        reply_error(&rq->reply, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    enum err e = OK;
    size_t before = rq->client->watch_count;
    for (size_t i = 0; i < a->keys.count && e == OK; i++)
        e = watch_add(rq->env, rq->client, a->keys.items[i]);
    if (e != OK)
        watch_cut(rq->env, rq->client, before); /* all or none */
    if (e == ERR_LIMIT)
        reply_errorf(&rq->reply, "ERR a client watches at most %d keys", LIMIT_WATCHED_KEYS);
    else if (e != OK)
        reply_err(&rq->reply, e, NULL);
    else
        reply_simple(&rq->reply, "OK");
}

void cmd_unwatch(struct request *rq)
{
    watch_end(rq->env, rq->client);
    reply_simple(&rq->reply, "OK");
}
