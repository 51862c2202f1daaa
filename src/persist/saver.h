/* saver.h: when snapshots are taken, and who is told.
 *
 *     SAVE, BGSAVE, BGREWRITEAOF ──► saver_start ──┐
 *     save points (cron) ──────────► saver_tick ───┴─► timer ──► snapshots_start ──► on_done
 *
 * A snapshot begins from the timer, so that it never begins within a record. Times are those of
 * Redis: a save point is a number of seconds since the last snapshot and of changes since then, and
 * a failed snapshot is tried again after five seconds.
 *
 * owner: loop. */
#ifndef VDB_PERSIST_SAVER_H
#define VDB_PERSIST_SAVER_H

#include "base/log.h"
#include "persist/snapshot.h"

enum { SAVE_POINTS_MAX = 32 };

struct save_point {
    uint64_t seconds, changes;
};

struct save_points {
    struct save_point list[SAVE_POINTS_MAX];
    size_t count;
};

struct saver {
    struct io *io;
    struct db *db;
    struct log *log;
    /* Called on the loop when a snapshot has ended, whoever wanted it. */
    void (*on_done)(void *user, enum err e);
    /* One has begun, at the LSN that is the last one now; NULL: nobody wants to know. */
    void (*on_begin)(void *user);
    void *user;

    struct snapshots snapshots;
    struct save_points points;
    struct io_timer timer; /* to the start */
    bool wanted;           /* the timer runs, or one is to follow the one under way */
    bool stopping;         /* none begins any more */
    uint64_t saved_lsn;    /* records since then are not in a snapshot */
    uint64_t saved_changes, begun_changes; /* db->changes in the last one; in the one that runs */
    uint64_t saved_us;     /* monotonic: when the last one succeeded, or the start */
    uint64_t saved_ms;     /* the same, Unix time */
    uint64_t tried_us;     /* when the last one began; 0: none has */
};

/* dir outlives it. Nothing starts before saver_loaded. */
void saver_init(struct saver *s, struct io *io, struct db *db, struct log *log, const char *dir,
                void (*on_done)(void *user, enum err e), void *user);
/* Nothing runs. */
void saver_fini(struct saver *s);
/* The data is there: from the manifest, which moves here (NULL: there was none), and the log. */
void saver_loaded(struct saver *s, struct manifest *m, uint32_t next_pack);

/* Takes a snapshot soon. ERR_BUSY: one is being taken; with queue, another follows it. */
MUST_USE enum err saver_start(struct saver *s, bool queue);
/* Several times a second. */
void saver_tick(struct saver *s);
/* No further one begins; the one under way ends soon. */
void saver_stop(struct saver *s);

static inline bool saver_busy(const struct saver *s)
{
    return s->snapshots.run != NULL || s->wanted;
}

/* A snapshot begins as soon as no bulk (db/bulk.h) is under way. */
static inline bool saver_is_about_to(const struct saver *s)
{
    return s->wanted && s->snapshots.run == NULL;
}

/* Is nothing in the way of one that begins by itself? */
bool saver_may_begin(const struct saver *s);

/* Keys and elements changed since the last snapshot. */
static inline uint64_t saver_changes(const struct saver *s)
{
    return s->db->changes - s->saved_changes;
}

#endif
