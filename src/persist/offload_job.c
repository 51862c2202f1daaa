/* offload_job.c: what the offload does on its lane, where calls block. */
#include "persist/offload.h"

#include <inttypes.h>

/* -- before the data is loaded ----------------------------------------------------------------- */

static bool is_set(const char *text)
{
    return text[0] != '\0';
}

static enum err open_store(struct offload *o, const char *url, struct object_store **out,
                           struct why *why)
{
    struct object_store_options options = o->options.store;
    options.url = url;
    options.cancel = &o->cancel;
    return object_store_open(o->io, &options, out, why);
}

static enum err restore_from(struct offload *o, const char *url, bool explicit)
{
    struct offload_job *j = &o->now;
    const char *at = o->options.restore_at;
    struct restore_options options = {
        .dir = o->persist->dir,
        .continues = strcmp(url, o->options.store.url) == 0,
        .may_be_empty = !explicit && !is_set(at),
    };
    struct object_store *store;
    bool there = true;
    enum err e = restore_target_parse(slice_of(at), &options.target, &j->why);
    if (e == OK)
        e = open_store(o, url, &store, &j->why);
    if (e != OK)
        return e;
    if (!explicit)
        e = restore_is_there(store, &there, &j->why);
    if (e == OK && there)
        e = restore_run(o->io, store, &options, &j->result, &j->why);
    j->restored = e == OK && there;
    object_store_free(store);
    return e;
}

/* A store that can never be used is told of at once, one that is away is not. */
static enum err check_store(struct offload *o)
{
    struct object_store *store;
    enum err e = open_store(o, o->options.store.url, &store, &o->now.why);
    if (e == OK)
        object_store_free(store);
    return e == ERR_ARG || e == ERR_LIMIT || e == ERR_UNSUPPORTED ? e : OK;
}

/* A folder that is empty because it was lost must not be taken for a new one: when the store cannot
 * be asked, the server does not start. */
static enum err prepare(struct offload *o)
{
    const struct offload_options *options = &o->options;
    const char *dir = o->persist->dir;
    struct why *why = &o->now.why;
    bool empty = false, unfinished = false;
    enum err e = restore_is_empty(o->io, dir, &empty, why);
    if (e == OK)
        e = restore_is_unfinished(o->io, dir, &unfinished, why);
    if (e == OK && is_set(options->store.url))
        e = check_store(o);
    if (e != OK)
        return e;
    if (is_set(options->restore_from))
        return restore_from(o, options->restore_from, true);
    if (is_set(options->store.url) && (empty || unfinished))
        return restore_from(o, options->store.url, false);
    if (unfinished)
        return why_set(
            why, ERR_EXISTS,
            "the folder %.100s holds half of a restore: start with --restore-from again, "
            "or remove it",
            dir);
    if (is_set(options->restore_at))
        return why_set(why, ERR_EXISTS, "--at needs --restore-from, and an empty dir");
    return OK;
}

/* -- backups ----------------------------------------------------------------------------------- */

static enum err ensure_open(struct offload *o)
{
    struct offload_job *j = &o->now;
    enum err e = OK;
    if (o->store == NULL)
        e = open_store(o, o->options.store.url, &o->store, &j->why);
    if (e != OK)
        return e;
    if (!o->has_backup)
        backup_init(&o->backup, o->io, o->store, o->persist->dir, o->persist->run_id);
    o->has_backup = true;
    return o->backup.opened ? OK : backup_open(&o->backup, j->last_lsn, &j->why);
}

static enum err push(struct offload_job *j, struct backup *b)
{
    enum err e = j->has_snapshot ? backup_push_snapshot(b, j->snapshot_lsn, &j->why) : OK;
    return e == OK ? backup_commit(b, &j->why) : e;
}

/* The snapshot is committed before the log follows: that may be much. */
static enum err cycle(struct offload *o)
{
    struct offload_job *j = &o->now;
    enum err e = ensure_open(o);
    if (e == OK)
        e = push(j, &o->backup);
    if (e == OK)
        e = backup_push_log(&o->backup, &j->why);
    if (e == OK)
        e = backup_commit(&o->backup, &j->why);
    if (e == OK && j->removes)
        e = backup_remove_old(&o->backup, &j->policy, &j->why);
    return e;
}

static enum err copy(struct offload *o)
{
    struct offload_job *j = &o->now;
    struct object_store *store;
    struct backup b;
    enum err e = open_store(o, j->copy->url, &store, &j->why);
    if (e != OK)
        return e;
    backup_init(&b, o->io, store, o->persist->dir, o->persist->run_id);
    e = backup_open(&b, j->last_lsn, &j->why);
    if (e == OK)
        e = push(j, &b);
    backup_fini(&b);
    object_store_free(store);
    return e;
}

void offload_run(struct offload *o)
{
    struct offload_job *j = &o->now;
    switch (j->work) {
    case OFFLOAD_PREPARE:
        j->error = prepare(o);
        break;
    case OFFLOAD_CYCLE:
        j->error = cycle(o);
        break;
    case OFFLOAD_COPY:
        j->error = copy(o);
        break;
    }
    if (j->error != OK && j->why.text[0] == '\0')
        (void)why_set(&j->why, j->error, "%s", err_text(j->error));
}
