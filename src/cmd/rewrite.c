#include "cmd/rewrite.h"

#include <stdio.h>

#include "cmd/command.h"
#include "cmd/gate.h"

enum { FILE_SIZE_MAX = 1 << 20, PATH_SIZE = CONFIG_TEXT_MAX + 8 };

/* A file that is to be written. owner: its job */
struct rewriting {
    struct job job; /* first */
    struct cmd_env *env;
    struct client *client; /* NULL: it is gone */
    struct config config;  /* as it was when the command came */
    char temp[PATH_SIZE];
    enum err result;
    struct why why;
};

/* A new file of its name with the text, and the rights of the old one if there is one. */
static enum err write_temp(struct rewriting *w, struct slice text, struct io_file *old)
{
    struct io *io = w->env->io;
    struct io_file *file;
    enum err e = io->ops->remove(io, w->temp); /* of a rewrite that a crash has ended */
    e = io->ops->file_open(io, w->temp, IO_WRITE | IO_CREATE | IO_EXCLUSIVE | IO_PRIVATE, &file,
                           &w->why);
    if (e != OK)
        return e;
    if (old != NULL)
        e = io->ops->file_copy_rights(old, file);
    if (e == OK)
        e = io->ops->file_write(file, 0, text.ptr, text.len);
    if (e == OK)
        e = io->ops->file_sync(file);
    io->ops->file_close(file);
    return e;
}

static enum err sync_folder(struct io *io, const char *path)
{
    char dir[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    CHECK(len < sizeof(dir));
    (void)snprintf(dir, sizeof(dir), "%.*s", (int)len, path);
    return io->ops->sync_dir(io, slash == NULL ? "." : len == 0 ? "/" : dir);
}

static enum err replace_file(struct rewriting *w, struct slice text, struct io_file *old)
{
    struct io *io = w->env->io;
    enum err e = write_temp(w, text, old);
    if (e == OK)
        e = io->ops->rename(io, w->temp, w->config.file);
    if (e != OK) {
        enum err removed = io->ops->remove(io, w->temp);
        (void)removed; /* else the next rewrite does it */
        return e;
    }
    return sync_folder(io, w->config.file);
}

/* [lane] */
static void run_rewrite(struct job *job, struct lane *lane)
{
    struct rewriting *w = (struct rewriting *)job;
    struct io *io = w->env->io;
    struct buf before = BUF_INIT(MEM_SERVER), after = BUF_INIT(MEM_SERVER);
    struct io_file *old = NULL;
    (void)lane;
    enum err e = io->ops->file_open(io, w->config.file, IO_READ, &old, &w->why);
    if (e == OK)
        e = io_read_file(io, w->config.file, FILE_SIZE_MAX, &before, &w->why);
    else if (e == ERR_NOT_FOUND) /* somebody has removed it: it comes back */
        e = OK;
    if (e == OK && !config_rewrite(&w->config, buf_slice(&before), &after))
        e = ERR_NOMEM;
    if (e == OK)
        e = replace_file(w, buf_slice(&after), old);
    if (old != NULL)
        io->ops->file_close(old);
    w->result = e;
    buf_fini(&before);
    buf_fini(&after);
}

static void reply_result(const struct rewriting *w, struct reply *r)
{
    if (w->result == OK)
        reply_simple(r, "OK");
    else
        reply_errorf(r, "ERR Rewriting config file: %s",
                     w->why.text[0] != '\0' ? w->why.text : err_text(w->result));
}

static void on_rewritten(struct job *job)
{
    struct rewriting *w = (struct rewriting *)job;
    struct cmd_env *env = w->env;
    struct client *client = w->client;
    CHECK(env->rewrites > 0);
    env->rewrites--;
    if (client != NULL) {
        struct reply reply = {&client->out, client->proto};
        size_t before = client->out.len;
        CHECK(client->blocked && client->rewriting == w);
        client->rewriting = NULL;
        reply_result(w, &reply);
        gate_replies(env, client, before, false);
        client_unblock(env, client);
    }
    mem_free(MEM_CLIENT, w);
}

void rewrite_forget(struct client *client)
{
    if (client->rewriting != NULL)
        client->rewriting->client = NULL;
    client->rewriting = NULL;
}

void cmd_config_rewrite(struct request *rq)
{
    struct cmd_env *env = rq->env;
    if (env->config->file[0] == '\0') {
        reply_error(&rq->reply, "ERR The server is running without a config file");
        return;
    }
    struct rewriting *w = mem_calloc(MEM_CLIENT, sizeof(*w));
    w->job = (struct job){.run = run_rewrite, .done = on_rewritten, .class = JOB_AOF};
    w->env = env;
    w->client = rq->client;
    w->config = *env->config;
    (void)snprintf(w->temp, sizeof(w->temp), "%s.new", w->config.file);
    rq->client->rewriting = w;
    env->rewrites++;
    client_block(env, rq->client);
    env->io->ops->submit(env->io, &w->job);
}
