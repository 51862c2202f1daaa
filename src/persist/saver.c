#include "persist/saver.h"

#include <inttypes.h>

enum { SECOND_US = 1000 * 1000, RETRY_US = 5 * SECOND_US, BULK_WAIT_US = 1000 };

static void on_timer(struct io_timer *timer);
static void on_snapshot(void *user, enum err e);

void saver_init(struct saver *s, struct io *io, struct db *db, struct log *log, const char *dir,
                void (*on_done)(void *user, enum err e), void *user)
{
    *s = (struct saver){
        .io = io, .db = db, .log = log, .on_done = on_done, .user = user, .stopping = true};
    s->timer = (struct io_timer){.fn = on_timer, .user = s};
    snapshots_init(&s->snapshots, io, db, dir, on_snapshot, s);
}

void saver_fini(struct saver *s)
{
    s->io->ops->timer_stop(s->io, &s->timer);
    snapshots_fini(&s->snapshots);
}

void saver_loaded(struct saver *s, struct manifest *m, uint32_t next_pack)
{
    CHECK(s->stopping && !s->wanted);
    s->stopping = false;
    s->saved_us = s->io->ops->mono_us(s->io);
    s->saved_ms = m != NULL ? m->wall_ms : s->io->ops->wall_us(s->io) / 1000;
    s->saved_lsn = m != NULL ? m->lsn : 0;
    snapshots_loaded(&s->snapshots, m, next_pack);
}

/* -- one snapshot ------------------------------------------------------------------------------ */

static void fail(struct saver *s, enum err e)
{
    if (e != ERR_CANCELLED)
        log_line(s->log, LOG_WARNING, "the snapshot has failed: %s", err_text(e));
    s->on_done(s->user, e);
}

static void on_timer(struct io_timer *timer)
{
    struct saver *s = timer->user;
    CHECK(s->wanted);
    if (s->snapshots.run != NULL)
        return; /* when it has ended */
    if (s->db->bulk != NULL) {
        s->io->ops->timer_start(s->io, timer, BULK_WAIT_US);
        return;
    }
    s->wanted = false;
    s->tried_us = s->io->ops->mono_us(s->io);
    s->begun_changes = s->db->changes;
    enum err e = snapshots_start(&s->snapshots);
    if (e != OK) {
        s->snapshots.last_error = e;
        s->snapshots.failures++;
        fail(s, e);
    } else if (s->on_begin != NULL) {
        s->on_begin(s->user);
    }
}

static void start_soon(struct saver *s)
{
    s->wanted = true;
    if (s->snapshots.run == NULL)
        s->io->ops->timer_start(s->io, &s->timer, 0);
}

static void on_snapshot(void *user, enum err e)
{
    struct saver *s = user;
    if (e == OK) {
        s->saved_lsn = s->snapshots.last.lsn;
        s->saved_changes = s->begun_changes;
        s->saved_us = s->io->ops->mono_us(s->io);
        s->saved_ms = s->io->ops->wall_us(s->io) / 1000;
        log_line(s->log, LOG_NOTICE,
                 "snapshot at LSN %" PRIu64 ": %" PRIu64 " keys, %.1f MB written in %.3f s",
                 s->saved_lsn, s->snapshots.last.key_count, (double)s->snapshots.last_bytes / 1e6,
                 (double)s->snapshots.last_duration_us / 1e6);
    }
    if (s->wanted)
        s->io->ops->timer_start(s->io, &s->timer, 0);
    if (e == OK)
        s->on_done(s->user, OK);
    else
        fail(s, e);
}

enum err saver_start(struct saver *s, bool queue)
{
    if (s->stopping || (saver_busy(s) && !queue))
        return ERR_BUSY;
    if (!s->wanted)
        start_soon(s);
    return OK;
}

void saver_stop(struct saver *s)
{
    s->stopping = true;
    s->wanted = false;
    s->io->ops->timer_stop(s->io, &s->timer);
    snapshots_cancel(&s->snapshots);
}

/* -- save points ------------------------------------------------------------------------------- */

static bool is_due(const struct saver *s, uint64_t now_us)
{
    for (size_t i = 0; i < s->points.count; i++)
        if (saver_changes(s) >= s->points.list[i].changes &&
            now_us - s->saved_us > s->points.list[i].seconds * SECOND_US)
            return true;
    return false;
}

bool saver_may_begin(const struct saver *s)
{
    bool failed = s->snapshots.last_error != OK;
    return !s->stopping && !saver_busy(s) &&
           (!failed || s->io->ops->mono_us(s->io) - s->tried_us > RETRY_US);
}

void saver_tick(struct saver *s)
{
    if (saver_may_begin(s) && saver_changes(s) > 0 && is_due(s, s->io->ops->mono_us(s->io)))
        start_soon(s);
}
