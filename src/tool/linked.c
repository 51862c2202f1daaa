/* linked.c: VINFO is asked ten times a second, which costs the server nothing that shows. */
#include "tool/linked.h"

#include <string.h>

#include "base/thread.h"
#include "tool/progress.h"

enum { POLL_US = 100 * 1000 };

/* The number behind "pending" in a list of names and values, or 0. */
static uint64_t pending_of(const redisReply *info)
{
    if (info->type != REDIS_REPLY_ARRAY)
        return 0;
    for (size_t i = 0; i + 1 < info->elements; i += 2) {
        const redisReply *name = info->element[i], *value = info->element[i + 1];
        bool is_text = name->type == REDIS_REPLY_STRING || name->type == REDIS_REPLY_STATUS;
        if (is_text && strcmp(name->str, "pending") == 0 && value->type == REDIS_REPLY_INTEGER)
            return value->integer > 0 ? (uint64_t)value->integer : 0;
    }
    return 0;
}

static enum err ask_pending(struct client *client, const char *key, uint64_t *pending,
                            struct why *why)
{
    redisReply *reply;
    client_begin(client, 2);
    client_arg_text(client, "VINFO");
    client_arg_text(client, key);
    enum err e = client_call(client, &reply, why);
    if (e != OK)
        return e;
    *pending = pending_of(reply);
    freeReplyObject(reply);
    return OK;
}

enum err wait_linked(struct client *client, const char *key, FILE *messages, double *seconds,
                     struct why *why)
{
    uint64_t first, pending;
    struct progress progress;
    progress_start(&progress, messages, "linking");
    enum err e = ask_pending(client, key, &pending, why);
    first = e == OK ? pending : 0;
    while (e == OK && pending > 0) {
        thread_sleep_us(POLL_US);
        e = ask_pending(client, key, &pending, why);
        /* Somebody may still be adding: then it takes as long as it takes. */
        first = pending > first ? pending : first;
        if (e == OK)
            progress_update(&progress, first - pending,
                            (double)(first - pending) / (double)(first > 0 ? first : 1));
    }
    *seconds = clock_s() - progress.start_s;
    progress_end(&progress);
    return e;
}
