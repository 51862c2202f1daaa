#include "persist/offload.h"

#include <inttypes.h>

#include "base/date.h"

enum {
    SECOND_US = 1000 * 1000,
    SEAL_US = SECOND_US,       /* what a segment has to be sealed in, before a cycle */
    RETRY_US = 15 * SECOND_US, /* after a failure */
    REMOVE_S = 3600            /* how often old backups go when no new ones come */
};

static uint64_t now_us(const struct offload *o)
{
    return o->io->ops->mono_us(o->io);
}

static bool is_enabled(const struct offload *o)
{
    return o->options.store.url[0] != '\0';
}

static struct snapshots *snapshots_of(const struct offload *o)
{
    return &o->persist->saver.snapshots;
}

static uint64_t last_lsn(const struct offload *o)
{
    return o->persist->db->log.last_lsn;
}

/* What the store reaches, once it is known. */
static uint64_t reached_lsn(const struct offload *o)
{
    return o->log_lsn > o->stored_lsn ? o->log_lsn : o->stored_lsn;
}

/* Is there anything that the log in the store lacks? A backup is no substitute: between two of them
 * one restores by the log. */
static bool log_is_behind(const struct offload *o)
{
    return o->persist->aof != NULL && o->log_lsn < last_lsn(o);
}

static void run_job(struct job *job, struct lane *lane)
{
    (void)lane;
    offload_run((struct offload *)((char *)job - offsetof(struct offload, job)));
}

static void done_job(struct job *job);

void offload_init(struct offload *o, struct io *io, struct persist *persist, struct log *log,
                  const struct offload_options *options)
{
    *o = (struct offload){
        .io = io, .persist = persist, .log = log, .options = *options, .error = OK};
    atomic_init(&o->cancel, false);
    o->job = (struct job){.run = run_job, .done = done_job, .class = JOB_UPLOAD};
}

void offload_fini(struct offload *o)
{
    CHECK(!o->out && o->requests == NULL);
    if (o->has_backup)
        backup_fini(&o->backup);
    object_store_free(o->store);
}

/* Old backups go when a new one comes, and now and then. */
static bool removes_old(const struct offload *o)
{
    return o->now.has_snapshot && (o->now.snapshot_lsn > o->removed_lsn || o->removed_us == 0 ||
                                   now_us(o) - o->removed_us > (uint64_t)REMOVE_S * SECOND_US);
}

/* rq: of OFFLOAD_COPY */
static void submit(struct offload *o, enum offload_work work, struct offload_request *rq)
{
    CHECK(!o->out && (work == OFFLOAD_COPY) == (rq != NULL));
    o->now = (struct offload_job){
        .work = work, .last_lsn = last_lsn(o), .policy = o->options.settings.policy, .copy = rq};
    if (work != OFFLOAD_PREPARE && snapshots_of(o)->has_last) {
        o->now.has_snapshot = true;
        o->now.snapshot_lsn = snapshots_of(o)->last.lsn;
        atomic_store(&snapshots_of(o)->pinned_lsn, o->now.snapshot_lsn);
        o->now.removes = removes_old(o);
    }
    o->started_us = now_us(o);
    o->out = true;
    o->io->ops->submit(o->io, &o->job);
}

/* -- requests ---------------------------------------------------------------------------------- */

/* Takes the request out of the list. */
static void unlink_request(struct offload *o, struct offload_request *rq)
{
    struct offload_request **at = &o->requests;
    while (*at != rq) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = rq->next;
}

static void finish_request(struct offload *o, struct offload_request *rq, enum err e, uint64_t lsn,
                           const struct why *why)
{
    unlink_request(o, rq);
    rq->done(rq, e, lsn, why);
}

/* Ends all requests, of one place or of all (url NULL), with an error. */
static void fail_requests(struct offload *o, const char *url, enum err e, const struct why *why)
{
    struct offload_request *next;
    for (struct offload_request *rq = o->requests; rq != NULL; rq = next) {
        next = rq->next;
        bool busy = o->out && o->now.copy == rq; /* its job ends it */
        if (!busy && (url == NULL || strcmp(rq->url, url) == 0))
            finish_request(o, rq, e, 0, why);
    }
}

/* Is there a snapshot with what the request wants? */
static bool is_ready(const struct offload *o, const struct offload_request *rq)
{
    const struct snapshots *s = snapshots_of(o);
    return s->has_last && s->last.lsn >= rq->lsn;
}

enum err offload_request(struct offload *o, struct offload_request *rq, struct why *why)
{
    struct object_url parsed;
    if (!o->serving || o->stopping)
        return why_set(why, ERR_BUSY, "the server is not ready, or about to stop");
    if (rq->url[0] == '\0' && !is_enabled(o))
        return why_set(why, ERR_ARG,
                       "there is no object store: set object-store, or name a place "
                       "with TO");
    if (rq->url[0] == '\0' && o->refused)
        return why_set(why, ERR_EXISTS, "%.230s", o->why.text);
    enum err e = rq->url[0] == '\0' ? OK : object_url_parse(rq->url, &parsed, why);
    if (e != OK)
        return e;
    rq->lsn = last_lsn(o);
    rq->next = NULL;
    if (rq->url[0] == '\0' && log_is_behind(o))
        aof_seal_soon(o->persist->aof); /* goes with the snapshot if it is done by then */
    if (!is_ready(o, rq)) {
        e = saver_start(&o->persist->saver, true);
        if (e != OK)
            return why_set(why, e, "no snapshot can be taken now");
    }
    struct offload_request **end = &o->requests;
    while (*end != NULL)
        end = &(*end)->next;
    *end = rq;
    offload_tick(o);
    return OK;
}

/* The first request that a job can be started for. */
static struct offload_request *next_ready(const struct offload *o)
{
    for (struct offload_request *rq = o->requests; rq != NULL; rq = rq->next)
        if (is_ready(o, rq))
            return rq;
    return NULL;
}

void offload_saved(struct offload *o, enum err e)
{
    struct why why;
    if (!o->serving || o->stopping)
        return;
    if (e != OK && !saver_busy(&o->persist->saver)) {
        struct offload_request *next;
        (void)why_set(&why, e, "the snapshot has failed: %s", err_text(e));
        for (struct offload_request *rq = o->requests; rq != NULL; rq = next) {
            next = rq->next;
            if (!is_ready(o, rq))
                finish_request(o, rq, e, 0, &why);
        }
    }
    if (e == OK && is_enabled(o) && !o->refused)
        o->next_us = now_us(o); /* it goes there now */
    offload_tick(o);
}

/* -- the end of a job -------------------------------------------------------------------------- */

static void after_prepare(struct offload *o)
{
    const struct offload_job *j = &o->now;
    const struct restore_result *r = &j->result;
    char date[DATE_SIZE];
    if (j->error != OK)
        o->why = j->why;
    if (j->restored && (r->has_backup || r->lsn > 0)) {
        date_print(r->wall_ms, date);
        log_line(o->log, LOG_NOTICE,
                 "restored from the object store: %" PRIu64 " objects, %.1f MB; snapshot at LSN "
                 "%" PRIu64 ", log up to LSN %" PRIu64 " of %s",
                 r->objects, (double)r->bytes / 1e6, r->backup_lsn, r->lsn, date);
    }
    o->on_prepared(o, j->error);
}

/* The store's state as the job has left it. */
static void take_numbers(struct offload *o)
{
    const struct backup *b = &o->backup;
    if (!o->has_backup)
        return;
    o->uploaded_bytes = b->uploaded_bytes;
    o->uploaded_objects = b->uploaded_objects;
    o->removed_objects = b->removed_objects;
    if (!b->opened)
        return;
    o->contacted = true;
    o->stored_any = b->current.has_backup;
    o->stored_lsn = b->current.backup_lsn;
    o->log_lsn = b->current.log_lsn;
}

static void note_failure(struct offload *o)
{
    const struct offload_job *j = &o->now;
    bool told = o->error == j->error && strcmp(o->why.text, j->why.text) == 0;
    o->error = j->error;
    o->why = j->why;
    o->errors++;
    o->refused = j->error == ERR_EXISTS;
    o->next_us = o->refused ? 0 : now_us(o) + RETRY_US;
    if (!told)
        log_line(o->log, LOG_WARNING, "object store: %s%s", j->why.text,
                 o->refused ? "; it is left alone until the server starts again" : "");
    fail_requests(o, "", j->error, &j->why);
}

static void note_success(struct offload *o)
{
    if (o->error != OK)
        log_line(o->log, LOG_NOTICE, "object store: works again");
    o->error = OK;
    o->why.text[0] = '\0';
    o->uploaded_ms = o->io->ops->wall_us(o->io) / 1000;
    o->behind_us = reached_lsn(o) < last_lsn(o) ? o->started_us : 0;
    if (o->now.removes) {
        o->removed_us = now_us(o);
        o->removed_lsn = o->stored_lsn;
    }
    o->next_us = now_us(o) + o->options.settings.interval_us;
    struct offload_request *next;
    for (struct offload_request *rq = o->requests; rq != NULL; rq = next) {
        next = rq->next;
        if (rq->url[0] == '\0' && o->stored_any && o->stored_lsn >= rq->lsn)
            finish_request(o, rq, OK, o->stored_lsn, NULL);
    }
}

static void after_cycle(struct offload *o)
{
    take_numbers(o);
    if (o->stopping)
        return;
    if (o->now.error == OK)
        note_success(o);
    else
        note_failure(o);
}

static void after_copy(struct offload *o)
{
    struct offload_request *rq = o->now.copy;
    finish_request(o, rq, o->now.error, o->now.snapshot_lsn, &o->now.why);
}

static void done_job(struct job *job)
{
    struct offload *o = (struct offload *)((char *)job - offsetof(struct offload, job));
    CHECK(o->out);
    o->out = false;
    switch (o->now.work) {
    case OFFLOAD_PREPARE:
        after_prepare(o);
        return;
    case OFFLOAD_CYCLE:
        after_cycle(o);
        break;
    case OFFLOAD_COPY:
        after_copy(o);
        break;
    }
    atomic_store(&snapshots_of(o)->pinned_lsn, UINT64_MAX);
    if (o->stopping)
        fail_requests(o, NULL, ERR_CANCELLED, &o->now.why);
    else
        offload_tick(o);
}

/* -- when -------------------------------------------------------------------------------------- */

/* Has the store everything already? */
static bool is_up_to_date(const struct offload *o)
{
    const struct snapshots *s = snapshots_of(o);
    bool newer = s->has_last && (!o->stored_any || s->last.lsn > o->stored_lsn);
    return o->contacted && o->error == OK && !newer && !log_is_behind(o);
}

/* Asks for the segment with the newest changes to be ended. Returns whether that is to be waited
 * for. */
static bool seal(struct offload *o)
{
    if (o->sealing || !log_is_behind(o))
        return false;
    aof_seal_soon(o->persist->aof);
    o->sealing = true;
    o->next_us = now_us(o) + SEAL_US;
    return true;
}

/* A store without any backup could be restored from a whole log only. */
static void want_first_backup(struct offload *o)
{
    if (o->contacted && !o->stored_any && !snapshots_of(o)->has_last && last_lsn(o) > 0 &&
        saver_may_begin(&o->persist->saver)) {
        enum err e = saver_start(&o->persist->saver, false);
        (void)e; /* ERR_BUSY: there will be one */
    }
}

static void start_cycle(struct offload *o)
{
    want_first_backup(o);
    bool waited_for = next_ready(o) != NULL;
    if (!waited_for && is_up_to_date(o)) {
        o->next_us = now_us(o) + o->options.settings.interval_us;
        return;
    }
    if (!waited_for && seal(o))
        return;
    o->sealing = false;
    submit(o, OFFLOAD_CYCLE, NULL);
}

/* The log stays for the store, but not without bound. */
static void keep_log(struct offload *o)
{
    struct persist_info info;
    uint64_t kept = UINT64_MAX;
    if (is_enabled(o) && !o->refused) {
        persist_info(o->persist, &info);
        kept = info.log_bytes > o->options.settings.backlog_bytes ? UINT64_MAX : o->log_lsn;
    }
    atomic_store(&snapshots_of(o)->log_kept_lsn, kept);
}

static void note_lag(struct offload *o)
{
    bool behind = is_enabled(o) && reached_lsn(o) < last_lsn(o);
    if (!behind)
        o->behind_us = 0;
    else if (o->behind_us == 0)
        o->behind_us = now_us(o);
}

/* A request for the own store hurries the next cycle; one for another place is a job of its own. */
static bool start_request(struct offload *o)
{
    for (struct offload_request *rq = o->requests; rq != NULL; rq = rq->next) {
        if (!is_ready(o, rq))
            continue;
        if (rq->url[0] == '\0') {
            o->next_us = now_us(o);
            return false;
        }
        submit(o, OFFLOAD_COPY, rq);
        return true;
    }
    return false;
}

void offload_tick(struct offload *o)
{
    if (!o->serving || o->stopping)
        return;
    note_lag(o);
    keep_log(o);
    if (o->out || start_request(o))
        return;
    if (is_enabled(o) && o->next_us != 0 && now_us(o) >= o->next_us)
        start_cycle(o);
}

void offload_set(struct offload *o, const struct offload_settings *settings)
{
    o->options.settings = *settings;
}

/* -- start and end ----------------------------------------------------------------------------- */

void offload_prepare(struct offload *o, void (*on_prepared)(struct offload *o, enum err e),
                     void *user)
{
    o->on_prepared = on_prepared;
    o->user = user;
    submit(o, OFFLOAD_PREPARE, NULL);
}

void offload_serve(struct offload *o)
{
    o->serving = true;
    o->next_us = now_us(o);
    offload_tick(o);
}

void offload_stop(struct offload *o)
{
    struct why why;
    o->stopping = true;
    atomic_store(&o->cancel, true);
    (void)why_set(&why, ERR_CANCELLED, "the server is about to stop");
    fail_requests(o, NULL, ERR_CANCELLED, &why);
}

void offload_info(const struct offload *o, struct offload_info *out)
{
    uint64_t behind = last_lsn(o) - (reached_lsn(o) < last_lsn(o) ? reached_lsn(o) : last_lsn(o));
    *out =
        (struct offload_info){.enabled = is_enabled(o),
                              .runs = o->out,
                              .ok = o->error == OK,
                              .contacted = o->contacted,
                              .has_backup = o->stored_any,
                              .url = o->options.store.url,
                              .reason = o->why.text,
                              .uploaded_ms = o->uploaded_ms,
                              .backup_lsn = o->stored_lsn,
                              .log_lsn = o->log_lsn,
                              .lag_records = behind,
                              .lag_ms = o->behind_us == 0 ? 0 : (now_us(o) - o->behind_us) / 1000,
                              .errors = o->errors,
                              .uploaded_bytes = o->uploaded_bytes,
                              .uploaded_objects = o->uploaded_objects,
                              .removed_objects = o->removed_objects};
}
