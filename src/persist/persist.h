/* persist.h: the life of data on disk in one server: the folder and its lock, recovery, the log
 * while the server runs, the orderly end.
 *
 *     persist_init ──► persist_open ──► persist_load ──► on_loaded ──► ... ──► persist_stop
 *                      (lock)           (snapshot, then log)                    ──► on_stopped
 *
 * owner: loop. */
#ifndef VDB_PERSIST_PERSIST_H
#define VDB_PERSIST_PERSIST_H

#include "persist/aof.h"
#include "persist/recover_log.h"
#include "persist/saver.h"
#include "persist/snapshot_load.h"

enum persist_state {
    PERSIST_CLOSED,  /* no folder: nothing is read or written */
    PERSIST_LOCKED,  /* the folder is ours */
    PERSIST_LOADING, /* the data comes back */
    PERSIST_SERVING,
    PERSIST_STOPPING,
    PERSIST_STOPPED
};

struct persist;

/* Called on the loop. */
struct persist_events {
    /* The data is there (OK); or it is not, and p->why says why: the server is to end. */
    void (*on_loaded)(struct persist *p, enum err e);
    void (*on_stable)(struct persist *p); /* replies may leave that could not (cmd/gate.h) */
    void (*on_room)(struct persist *p);   /* persist_full() no longer holds */
    void (*on_saved)(struct persist *p, enum err e); /* a snapshot has ended */
    void (*on_stopped)(struct persist *p);
};

/* What may change while the server runs. */
struct persist_settings {
    bool appendonly;
    enum aof_policy policy;
    uint64_t segment_size;
    size_t buffer_max;
    struct save_points save_points;
    bool save_or_refuse; /* stop-writes-on-bgsave-error */
    /* A snapshot is taken when the log has grown by so many bytes since the last one, and by this
     * part of its size; 0 percent: never for that reason. */
    uint64_t growth_min;
    uint32_t growth_percent;
};

struct persist_options {
    const char *dir;
    const char *run_id; /* LOG_RUN_ID_SIZE characters */
    bool repair;
    bool refuse_torn;
    struct persist_settings settings;
};

struct persist {
    struct io *io;
    struct db *db;
    struct log *log;
    const struct persist_events *events;
    void *user;

    enum persist_state state;
    char dir[LOG_DIR_SIZE];
    char run_id[LOG_RUN_ID_SIZE + 1];
    bool repair, refuse_torn;
    struct persist_settings settings;
    struct io_file *lock;
    struct why why;

    struct snapshot_load *load; /* while loading; then: */
    struct recover_log *recover;
    struct io_timer index_timer; /* then documents are indexed */
    bool has_manifest; /* of the snapshot that was loaded, until the log is too */
    bool has_losses;   /* a repair could not keep all of the snapshot */
    struct manifest manifest;
    uint32_t next_pack;
    uint64_t snapshot_lsn;                              /* 0: there was none */
    uint64_t load_started_us, load_started_ms, load_us; /* monotonic, Unix time, how long it took */
    uint64_t replayed, skipped;                         /* records, by the last load */

    struct saver saver;     /* from persist_open on */
    bool save_soon;         /* a repair asks for it */
    uint64_t written_at_begin, written_at_save; /* log bytes, when the snapshot began */
    bool last_save;         /* the end waits for a snapshot */
    struct aof *aof;        /* NULL: nothing is logged */
    struct aof *ending;     /* one that writes its rest; NULL: none */
    uint64_t log_from;      /* it has all changes after this LSN */
    struct aof_start start; /* where the log goes on while it is off */
    uint64_t old_bytes;     /* of segments of earlier servers */
    uint64_t counted_bytes, counted_syncs, counted_segments; /* of logs that have ended */
    uint64_t counted_failures;
};

void persist_init(struct persist *p, struct io *io, struct db *db, struct log *log,
                  const struct persist_events *events, void *user);
/* Makes the folder when it is missing and takes its lock. ERR_BUSY: another server has it. */
MUST_USE enum err persist_open(struct persist *p, const struct persist_options *options,
                               struct why *why);
/* Reads the data back; on_loaded comes. db is empty. */
void persist_load(struct persist *p);
/* Several times a second: snapshots that are due. */
void persist_tick(struct persist *p);
/* Settings have changed. */
void persist_set(struct persist *p, const struct persist_settings *settings);
/* What the end does about a snapshot. */
enum persist_save { PERSIST_SAVE_IF_NEEDED, PERSIST_SAVE, PERSIST_NO_SAVE };

/* Writes what there is, with save a snapshot too, and gives the folder back; on_stopped comes,
 * within this call at the earliest. If needed: when changes are nowhere but in memory, and there
 * are save points. No changes come any more, and the data stays until on_stopped. */
void persist_stop(struct persist *p, enum persist_save save);
/* After on_stopped, or in PERSIST_CLOSED. */
void persist_fini(struct persist *p);

static inline bool persist_loading(const struct persist *p)
{
    return p->state == PERSIST_LOCKED || p->state == PERSIST_LOADING;
}

/* Writers are to wait until on_room. */
static inline bool persist_full(const struct persist *p)
{
    return p->aof != NULL && p->aof->full;
}

/* Why no change is accepted (mlog_accepts), in words. */
const char *persist_error(const struct persist *p);

/* Are changes to be refused because only snapshots would keep them, and those fail? */
bool persist_saves_fail(const struct persist *p);

/* Every change up to this LSN survives any crash. */
uint64_t persist_durable_lsn(const struct persist *p);
/* Makes that rise soon, to what was written so far. */
void persist_sync_soon(struct persist *p);
/* Is the record with this LSN in the log and durable? Never while nothing is logged. */
static inline bool persist_is_durable(const struct persist *p, uint64_t lsn)
{
    return p->aof != NULL && persist_durable_lsn(p) >= lsn;
}

/* Numbers for INFO. */
struct persist_info {
    bool loading, logging, unbased;
    uint64_t load_started_ms, load_total_bytes, load_done_bytes, load_us;
    uint64_t replayed, skipped, snapshot_lsn;
    uint64_t last_lsn, durable_lsn;
    uint64_t log_bytes, segment_bytes; /* of all segments, of the one being written */
    uint64_t old_bytes;                /* of those that the start found */
    uint64_t waiting_bytes;            /* in memory and not durable */
    uint64_t syncs, segments, failures, delayed_syncs, sync_us;
    bool sync_runs;
    bool failed;
};

void persist_info(const struct persist *p, struct persist_info *out);

#endif
