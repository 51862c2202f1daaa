/* SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF. There is no log to rewrite: a snapshot lets its old
 * segments go, so that is what BGREWRITEAOF takes. */
#include "cmd/command.h"
#include "cmd/gate.h"
#include "cmd/saving.h"
#include "persist/saver.h"

/* NULL, and an error, when there is no folder. */
static struct saver *saver_of(struct request *rq)
{
    if (rq->env->saver == NULL)
        reply_error(&rq->reply, "ERR this server has no folder: nothing is written to disk");
    return rq->env->saver;
}

/* Others are served meanwhile, other than in Redis. The client waits for the snapshot that begins
 * now, or when the loop has its turn, so it holds all that was written before. */
void cmd_save(struct request *rq)
{
    struct saver *s = saver_of(rq);
    if (s == NULL)
        return;
    if (saver_start(s, false) != OK) {
        reply_error(&rq->reply, "ERR Background save already in progress");
        return;
    }
    rq->client->waits_for_save = true;
    client_block(rq->env, rq->client);
}

void saving_on_done(struct cmd_env *env, enum err e)
{
    for (struct client *client = env->clients; client != NULL; client = client->next) {
        if (!client->waits_for_save)
            continue;
        struct reply reply = {&client->out, client->proto};
        size_t before = client->out.len;
        CHECK(client->blocked);
        client->waits_for_save = false;
        if (e == OK)
            reply_simple(&reply, "OK");
        else
            reply_err(&reply, e, NULL);
        gate_replies(env, client, before, false);
        client_unblock(env, client);
    }
}

void cmd_bgsave(struct request *rq)
{
    const struct bgsave_args *a = rq->args;
    struct saver *s = saver_of(rq);
    if (s == NULL)
        return;
    bool busy = saver_busy(s);
    if (saver_start(s, a->schedule) != OK)
        reply_error(&rq->reply, "ERR Background save already in progress");
    else
        reply_simple(&rq->reply,
                     busy ? "Background saving scheduled" : "Background saving started");
}

void cmd_bgrewriteaof(struct request *rq)
{
    struct saver *s = saver_of(rq);
    if (s == NULL)
        return;
    bool busy = saver_busy(s);
    if (saver_start(s, true) != OK)
        reply_error(&rq->reply, "ERR the server is about to stop");
    else
        reply_simple(&rq->reply, busy ? "Background append only file rewriting scheduled"
                                      : "Background append only file rewriting started");
}

/* Unix time in seconds; of the start, when nothing has been saved. */
void cmd_lastsave(struct request *rq)
{
    struct cmd_env *env = rq->env;
    uint64_t ms = env->saver != NULL ? env->saver->saved_ms : env->started_wall_us / 1000;
    reply_int(&rq->reply, (int64_t)(ms / 1000));
}
