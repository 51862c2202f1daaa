/* SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF, VBACKUP. There is no log to rewrite: a snapshot lets its
 * old segments go, so that is what BGREWRITEAOF takes. */
#include "cmd/command.h"
#include "cmd/gate.h"
#include "cmd/saving.h"
#include "persist/offload.h"

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

/* -- VBACKUP ----------------------------------------------------------------------------------- */

/* A backup that a client waits for. owner: the offload, which gives it back once */
struct waiting_backup {
    struct offload_request request; /* first */
    struct cmd_env *env;
    struct client *client; /* NULL: it is gone */
};

static void on_backup(struct offload_request *rq, enum err e, uint64_t lsn, const struct why *why)
{
    struct waiting_backup *w = (struct waiting_backup *)rq;
    struct client *client = w->client;
    struct cmd_env *env = w->env;
    mem_free(MEM_CLIENT, w);
    if (client == NULL)
        return;
    struct reply reply = {&client->out, client->proto};
    size_t before = client->out.len;
    CHECK(client->blocked && client->backup == rq);
    client->backup = NULL;
    if (e == OK)
        reply_int(&reply, (int64_t)lsn);
    else /* NOAUTH would ask the client for its password, and it is the store that refuses ours */
        reply_err(&reply, e == ERR_NOAUTH ? ERR_IO : e, why);
    gate_replies(env, client, before, false);
    client_unblock(env, client);
}

void saving_forget(struct client *client)
{
    if (client->backup != NULL)
        ((struct waiting_backup *)client->backup)->client = NULL;
    client->backup = NULL;
}

/* Naming a place makes the server write there, with its own rights. */
static bool may_name_place(struct request *rq)
{
    int allowed = rq->env->config->vbackup_to;
    if (allowed == ALLOWED_YES ||
        (allowed == ALLOWED_LOCAL && io_addr_is_local(&rq->client->peer)))
        return true;
    reply_error(&rq->reply, "ERR VBACKUP TO is not allowed: see the option vbackup-to");
    return false;
}

void cmd_vbackup(struct request *rq)
{
    const struct vbackup_args *a = rq->args;
    struct why why = {{0}};
    if (rq->env->offload == NULL) {
        reply_error(&rq->reply, "ERR this server has no folder: nothing is written to disk");
        return;
    }
    if (a->has_to && !may_name_place(rq))
        return;
    if (a->to.len > OBJECT_URL_MAX || (a->has_to && a->to.len == 0)) {
        reply_error(&rq->reply, "ERR the URL is file:///folder or s3://bucket/prefix");
        return;
    }
    struct waiting_backup *w = mem_calloc(MEM_CLIENT, sizeof(*w));
    w->request.done = on_backup;
    w->env = rq->env;
    w->client = rq->client;
    if (a->has_to)
        memcpy(w->request.url, a->to.ptr, a->to.len);
    rq->client->backup = &w->request;
    client_block(rq->env, rq->client);
    enum err e = offload_request(rq->env->offload, &w->request, &why);
    if (e == OK)
        return;
    on_backup(&w->request, e, 0, &why);
}
