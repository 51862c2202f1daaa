#include "persist/persist.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/thread.h"
#include "db/indexes.h"

#define LOCK_NAME "LOCK"

static void on_saved(void *user, enum err e);
static void on_save_begun(void *user);
static void end_all(struct persist *p);
static void finish_stop(struct persist *p);

void persist_init(struct persist *p, struct io *io, struct db *db, struct log *log,
                  const struct persist_events *events, void *user)
{
    *p = (struct persist){
        .io = io, .db = db, .log = log, .events = events, .user = user, .state = PERSIST_CLOSED};
}

/* -- the folder -------------------------------------------------------------------------------- */

/* The folder that dir stands in. */
static void parent_of(const char *dir, char out[LOG_DIR_SIZE])
{
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    while (len > 0 && dir[len - 1] != '/')
        len--;
    while (len > 1 && dir[len - 1] == '/')
        len--;
    (void)snprintf(out, LOG_DIR_SIZE, "%.*s", len == 0 ? 1 : (int)len, len == 0 ? "." : dir);
}

static void ignore_name(void *user, const char *name)
{
    (void)user;
    (void)name;
}

/* A folder that was just made, and all files in it, are gone after a power failure unless the name
 * of the folder is durable. */
static enum err make_folder(struct persist *p, struct why *why)
{
    char parent[LOG_DIR_SIZE];
    bool there = p->io->ops->list_dir(p->io, p->dir, ignore_name, NULL) == OK;
    enum err e = p->io->ops->make_dir(p->io, p->dir);
    if (e != OK)
        return why_set(why, e, "cannot make the folder %.200s: %s", p->dir, err_text(e));
    parent_of(p->dir, parent);
    e = p->io->ops->sync_dir(p->io, parent);
    if (e != OK && !there)
        return why_set(why, e, "cannot sync the folder %.200s: %s", parent, err_text(e));
    return OK; /* of one that is not new, the parent may be out of reach */
}

static enum err take_lock(struct persist *p, struct why *why)
{
    char path[LOG_PATH_SIZE];
    log_path(path, p->dir, LOCK_NAME);
    enum err e = p->io->ops->file_open(p->io, path, IO_WRITE | IO_CREATE, &p->lock, why);
    if (e != OK)
        return e;
    e = p->io->ops->file_lock(p->lock);
    if (e == OK)
        return OK;
    p->io->ops->file_close(p->lock);
    p->lock = NULL;
    if (e == ERR_BUSY)
        return why_set(why, e, "another server uses the folder %.200s", p->dir);
    return why_set(why, e, "cannot lock %.200s: %s", path, err_text(e));
}

enum err persist_open(struct persist *p, const struct persist_options *options, struct why *why)
{
    CHECK(p->state == PERSIST_CLOSED && strlen(options->run_id) == LOG_RUN_ID_SIZE);
    if (strlen(options->dir) >= sizeof(p->dir))
        return why_set(why, ERR_LIMIT, "the name of the folder has more than %d bytes",
                       LOG_DIR_SIZE - 1);
    (void)snprintf(p->dir, sizeof(p->dir), "%s", options->dir);
    memcpy(p->run_id, options->run_id, sizeof(p->run_id));
    p->repair = options->repair;
    p->refuse_torn = options->refuse_torn;
    p->settings = options->settings;
    enum err e = make_folder(p, why);
    if (e == OK)
        e = take_lock(p, why);
    if (e != OK)
        return e;
    saver_init(&p->saver, p->io, p->db, p->log, p->dir, on_saved, p);
    p->saver.on_begin = on_save_begun;
    p->saver.points = p->settings.save_points;
    /* From now on the server says that it loads, a restore that comes first included. */
    p->load_started_ms = p->io->ops->wall_us(p->io) / 1000;
    p->state = PERSIST_LOCKED;
    return OK;
}

/* -- logging ----------------------------------------------------------------------------------- */

static void on_stable(void *user)
{
    struct persist *p = user;
    p->events->on_stable(p);
}

static void on_room(void *user)
{
    struct persist *p = user;
    p->events->on_room(p);
}

static void on_state(void *user)
{
    struct persist *p = user;
    if (p->aof->failed)
        log_line(p->log, LOG_WARNING,
                 "cannot write the log: %s; writes are refused until it can be written again",
                 err_text(p->aof->error));
    else
        log_line(p->log, LOG_NOTICE, "the log can be written again, up to LSN %" PRIu64,
                 aof_durable_lsn(p->aof));
    p->events->on_stable(p); /* reads wait, or do not any more */
}

static const struct aof_events aof_events = {on_stable, on_state, on_room};

/* What is not in the log has to be in a snapshot; one that was begun before may be too old. */
static void take_base(struct persist *p)
{
    if (p->aof == NULL || !p->aof->unbased)
        return;
    if (p->saver.saved_lsn >= p->log_from) {
        aof_set_base(p->aof);
    } else if (!p->saver.wanted) {
        enum err e = saver_start(&p->saver, true);
        CHECK(e == OK || p->saver.stopping);
    }
}

/* Under `always` the log, this thread and the client take turns for each group of acknowledgements,
 * and whoever comes next would wait for a core that a link keeps. In between all wait for the disk,
 * so links get as much done as before. */
static void order_turns(struct persist *p)
{
    bool waits = p->settings.appendonly && p->settings.policy == AOF_ALWAYS;
    background_give_way(&p->db->background, waits);
    thread_be_prompt(waits);
}

/* Changes that were made while nothing was logged are in no file: then the log counts from the next
 * snapshot on. */
static void start_log(struct persist *p)
{
    CHECK(p->aof == NULL && p->ending == NULL);
    struct aof_options options = {.dir = p->dir,
                                  .run_id = p->run_id,
                                  .policy = p->settings.policy,
                                  .segment_size = p->settings.segment_size,
                                  .memory_max = p->settings.buffer_max};
    struct aof_start start = p->start;
    if (start.lsn < p->db->log.last_lsn) {
        start.lsn = p->db->log.last_lsn;
        start.crc = 0;
        log_line(p->log, LOG_NOTICE,
                 "LSN %" PRIu64 " to %" PRIu64 " were not logged: taking a snapshot",
                 p->start.lsn + 1, start.lsn);
    }
    p->aof = mem_calloc(MEM_LOG, sizeof(*p->aof));
    aof_open(p->aof, p->io, &p->db->log, &options, &start, &aof_events, p);
    p->log_from = start.lsn;
    order_turns(p);
    take_base(p);
}

static void on_aof_stopped(struct aof *aof)
{
    struct persist *p = aof->user;
    CHECK(p->ending == aof);
    p->ending = NULL;
    if (aof_has_undurable(aof))
        log_line(p->log, LOG_WARNING, "LSN %" PRIu64 " to %" PRIu64 " could not be written: %s",
                 aof->durable.lsn + 1, aof->end.lsn, err_text(aof->error));
    p->start = (struct aof_start){.lsn = aof->durable.lsn,
                                  .crc = aof->durable.crc,
                                  .salt = aof->writer.salt,
                                  .generation = aof->writer.generation,
                                  .note_sequence = aof->writer.note_sequence,
                                  .base_lsn = aof_durable_lsn(aof)};
    p->counted_bytes += aof->writer.bytes;
    p->counted_syncs += aof->writer.syncs;
    p->counted_segments += aof->writer.segments;
    p->counted_failures += aof->failures;
    aof_close(aof);
    mem_free(MEM_LOG, aof);
    if (p->state == PERSIST_STOPPING)
        finish_stop(p);
    else if (p->settings.appendonly)
        start_log(p);
}

static void stop_log(struct persist *p)
{
    if (p->aof == NULL)
        return;
    p->ending = p->aof;
    p->aof = NULL;
    aof_stop(p->ending, on_aof_stopped);
}

void persist_set(struct persist *p, const struct persist_settings *settings)
{
    p->settings = *settings;
    p->saver.points = settings->save_points;
    order_turns(p);
    if (p->state != PERSIST_SERVING)
        return; /* the log starts with them, or never */
    if (p->aof != NULL && !settings->appendonly) {
        stop_log(p);
        p->events->on_stable(p); /* nothing waits for it any more */
        p->events->on_room(p);
    } else if (p->aof == NULL && p->ending == NULL && settings->appendonly) {
        start_log(p);
    }
    if (p->aof == NULL)
        return;
    p->aof->segment_size = settings->segment_size;
    p->aof->memory_max = settings->buffer_max;
    aof_set_policy(p->aof, settings->policy);
}

/* -- snapshots --------------------------------------------------------------------------------- */

/* Of the log, by this server; what snapshots have let go is not taken off. */
static uint64_t log_written(const struct persist *p)
{
    return p->counted_bytes + (p->aof != NULL ? p->aof->written_bytes : 0);
}

/* A segment that ends where the snapshot begins can go with the next one but one. */
static void on_save_begun(void *user)
{
    struct persist *p = user;
    p->written_at_begin = log_written(p);
    if (p->aof != NULL)
        aof_rotate_soon(p->aof);
}

static void on_saved(void *user, enum err e)
{
    struct persist *p = user;
    if (e == OK) {
        p->written_at_save = p->written_at_begin;
        take_base(p);
    }
    p->events->on_saved(p, e);
    if (p->state != PERSIST_STOPPING)
        return;
    if (p->last_save && e != OK)
        log_line(p->log, LOG_WARNING, "stopping without the snapshot");
    p->last_save = false;
    end_all(p);
}

static bool log_is_long(const struct persist *p)
{
    uint64_t grown = log_written(p) - p->written_at_save;
    uint64_t part = p->saver.snapshots.last_live / 100 * p->settings.growth_percent;
    return p->settings.growth_percent > 0 && grown > p->settings.growth_min && grown > part;
}

/* A snapshot that failed is tried again even when no save point is due. */
static bool save_is_missed(const struct persist *p)
{
    return p->save_soon || persist_saves_fail(p) || (p->aof != NULL && p->aof->unbased);
}

void persist_tick(struct persist *p)
{
    if (p->state != PERSIST_SERVING)
        return;
    saver_tick(&p->saver);
    if (saver_may_begin(&p->saver) && (save_is_missed(p) || log_is_long(p))) {
        p->save_soon = false;
        enum err e = saver_start(&p->saver, false);
        CHECK(e == OK);
    }
}

/* -- loading ----------------------------------------------------------------------------------- */

static void end_load(struct persist *p, enum err e);

static void on_index_timer(struct io_timer *timer)
{
    end_load(timer->user, OK);
}

/* Nobody is answered before the indexes over keys know of all keys: else a search would find some
 * of the documents. In slices, between which others hear that the data is loading. */
static bool indexes_lack_keys(struct persist *p)
{
    enum { SLICE_US = 2000 };
    if (p->state == PERSIST_STOPPING || !indexes_scan_some(p->db, SLICE_US))
        return false;
    p->index_timer = (struct io_timer){.fn = on_index_timer, .user = p};
    p->io->ops->timer_start(p->io, &p->index_timer, 0);
    return true;
}

static void end_load(struct persist *p, enum err e)
{
    if (e == OK && indexes_lack_keys(p))
        return;
    p->load_us = p->io->ops->mono_us(p->io) - p->load_started_us;
    if (p->state == PERSIST_STOPPING) {
        finish_stop(p);
        return;
    }
    if (e == OK) {
        db_replay_end(p->db);
        p->state = PERSIST_SERVING;
        saver_loaded(&p->saver, p->has_manifest ? &p->manifest : NULL, p->next_pack);
        p->has_manifest = false;
        log_line(p->log, LOG_NOTICE,
                 "loaded up to LSN %" PRIu64 ": snapshot at LSN %" PRIu64 ", %" PRIu64
                 " records of the log, %.3f s",
                 p->start.lsn, p->snapshot_lsn, p->replayed, (double)p->load_us / 1e6);
        if (p->settings.appendonly)
            start_log(p);
    }
    p->events->on_loaded(p, e);
}

static void on_recovered(struct recover_log *r, enum err e)
{
    struct persist *p = r->user;
    p->start = r->start;
    p->replayed = r->replayed;
    p->skipped = r->skipped;
    p->old_bytes = r->kept_bytes;
    p->why = r->why;
    p->recover = NULL;
    recover_log_free(r);
    mem_free(MEM_LOG, r);
    end_load(p, e);
}

static void load_log(struct persist *p)
{
    struct recover_log_options options = {
        .dir = p->dir,
        .repair = p->repair,
        .has_losses = p->has_losses,
        .refuse_torn = p->refuse_torn,
    };
    p->recover = mem_calloc(MEM_LOG, sizeof(*p->recover));
    recover_log_start(p->recover, p->io, p->db, p->log, &options, on_recovered, p);
}

/* What a load has left of the snapshot goes to the saver, unless a repair has lost something: then
 * the next one begins from nothing. */
static void keep_manifest(struct persist *p, struct snapshot_load *l)
{
    p->next_pack = l->next_pack;
    p->save_soon = l->attempt != LOAD_NEWEST;
    p->snapshot_lsn = l->found ? l->manifest.lsn : 0;
    p->has_losses = l->damaged;
    p->has_manifest = l->found && !l->damaged;
    if (!p->has_manifest)
        return;
    p->manifest = l->manifest;
    l->manifest = (struct manifest){0};
}

static void on_snapshot_loaded(struct snapshot_load *l, enum err e)
{
    struct persist *p = l->user;
    p->load = NULL;
    p->why = l->why;
    if (e == OK)
        keep_manifest(p, l);
    snapshot_load_free(l);
    mem_free(MEM_LOG, l);
    if (e == OK && p->state == PERSIST_LOADING)
        load_log(p);
    else
        end_load(p, e);
}

static void load_snapshot(struct persist *p)
{
    struct snapshot_load_options options = {.dir = p->dir, .repair = p->repair, .log = p->log};
    p->load = mem_calloc(MEM_LOG, sizeof(*p->load));
    snapshot_load_start(p->load, p->io, p->db, &options, on_snapshot_loaded, p);
}

void persist_load(struct persist *p)
{
    CHECK(p->state == PERSIST_LOCKED && p->db->log.last_lsn == 0);
    p->state = PERSIST_LOADING;
    p->load_started_us = p->io->ops->mono_us(p->io);
    load_snapshot(p);
}

/* -- the end ----------------------------------------------------------------------------------- */

/* Whatever is left to end has ended: the folder is free. */
static void finish_stop(struct persist *p)
{
    CHECK(p->state == PERSIST_STOPPING);
    if (p->aof != NULL || p->ending != NULL || p->recover != NULL || p->load != NULL ||
        p->last_save || (p->lock != NULL && saver_busy(&p->saver)))
        return;
    if (p->has_manifest)
        manifest_fini(&p->manifest);
    p->has_manifest = false;
    if (p->lock != NULL) {
        saver_fini(&p->saver);
        p->io->ops->file_close(p->lock);
    }
    p->lock = NULL;
    p->state = PERSIST_STOPPED;
    p->events->on_stopped(p);
}

/* No snapshot is to come any more. */
static void end_all(struct persist *p)
{
    if (p->last_save)
        return;
    if (p->lock != NULL)
        saver_stop(&p->saver);
    stop_log(p);
    finish_stop(p);
}

static bool wants_save(const struct persist *p, enum persist_save save)
{
    bool only_in_memory = p->aof == NULL || p->aof->unbased || p->aof->failed;
    if (save == PERSIST_SAVE)
        return true;
    return save == PERSIST_SAVE_IF_NEEDED && only_in_memory && p->settings.save_points.count > 0 &&
           saver_changes(&p->saver) > 0;
}

void persist_stop(struct persist *p, enum persist_save save)
{
    CHECK(p->state != PERSIST_STOPPING && p->state != PERSIST_STOPPED);
    bool serving = p->state == PERSIST_SERVING;
    p->state = PERSIST_STOPPING;
    p->io->ops->timer_stop(p->io, &p->index_timer);
    p->last_save = serving && wants_save(p, save) && saver_start(&p->saver, true) == OK;
    if (p->load != NULL)
        snapshot_load_cancel(p->load);
    if (p->recover != NULL)
        recover_log_cancel(p->recover); /* may be all that was waited for */
    if (p->state == PERSIST_STOPPING)
        end_all(p);
}

void persist_fini(struct persist *p)
{
    CHECK(p->state == PERSIST_CLOSED || p->state == PERSIST_STOPPED);
    CHECK(p->aof == NULL && p->recover == NULL && p->load == NULL && p->lock == NULL);
    (void)p;
}

/* -- what others ask --------------------------------------------------------------------------- */

const char *persist_error(const struct persist *p)
{
    return p->aof != NULL && p->aof->failed ? err_text(p->aof->error) : err_text(OK);
}

bool persist_saves_fail(const struct persist *p)
{
    enum err last = p->saver.snapshots.last_error;
    bool logged = p->aof != NULL && !p->aof->unbased;
    return p->settings.save_or_refuse && p->settings.save_points.count > 0 && !logged &&
           last != OK && last != ERR_CANCELLED;
}

uint64_t persist_durable_lsn(const struct persist *p)
{
    return p->aof != NULL ? aof_durable_lsn(p->aof) : p->start.base_lsn;
}

void persist_sync_soon(struct persist *p)
{
    if (p->aof != NULL)
        aof_sync_soon(p->aof);
}

/* What the load is going to read; 0 while that is not known. */
static uint64_t snapshot_bytes(const struct snapshot_load *l)
{
    uint64_t bytes = 0;
    if (l->phase == LOAD_OPEN) /* a lane is writing it */
        return 0;
    for (uint32_t i = 0; i < l->manifest.chunk_count; i++)
        bytes += chunk_room(l->manifest.chunks[i].size);
    return bytes;
}

static void add_log_info(const struct aof *aof, struct persist_info *out)
{
    out->unbased = aof->unbased;
    out->log_bytes += aof->written_bytes;
    out->segment_bytes = aof->segment_bytes;
    out->waiting_bytes = aof->held_bytes;
    out->syncs += aof->syncs;
    out->segments += aof->segments;
    out->failures += aof->failures;
    out->delayed_syncs = aof->delayed_syncs;
    out->sync_us = aof->sync_us;
    out->sync_runs = aof->busy && aof->job_syncs;
    out->failed = aof->failed;
}

void persist_info(const struct persist *p, struct persist_info *out)
{
    const struct aof *aof = p->aof;
    *out = (struct persist_info){.loading = persist_loading(p),
                                 .logging = aof != NULL,
                                 .load_started_ms = p->load_started_ms,
                                 .load_us = p->load_us,
                                 .replayed = p->replayed,
                                 .skipped = p->skipped,
                                 .last_lsn = p->db->log.last_lsn,
                                 .durable_lsn = persist_durable_lsn(p),
                                 .log_bytes = p->old_bytes + p->counted_bytes,
                                 .old_bytes = p->old_bytes,
                                 .snapshot_lsn = p->snapshot_lsn,
                                 .syncs = p->counted_syncs,
                                 .segments = p->counted_segments,
                                 .failures = p->counted_failures};
    if (p->load != NULL) {
        out->load_done_bytes = atomic_load(&p->load->bytes_loaded);
        out->load_total_bytes = snapshot_bytes(p->load);
    } else if (p->recover != NULL) {
        out->load_total_bytes = p->recover->total_bytes;
        out->load_done_bytes = p->recover->loaded_bytes;
    }
    if (aof != NULL)
        add_log_info(aof, out);
    uint64_t removed = p->lock != NULL ? p->saver.snapshots.log_removed : 0;
    out->log_bytes -= removed < out->log_bytes ? removed : out->log_bytes;
}
