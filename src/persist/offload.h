/* offload.h: keeps an object store up to date with a server's folder, and brings a folder back from
 * one at the start.
 *
 *     offload_prepare ──► (lane: restore) ──► on_prepared ──► persist_load ... ──► offload_serve
 *     snapshot taken, interval over, VBACKUP ──► loop: cycle ──► lane: backup.h ──► loop: next
 *
 * A cycle puts the newest snapshot and all complete segments of the log there; one that has changes
 * is sealed for it first. It fails without consequence for the server: what could not be sent stays
 * in the folder, the next cycle tries again. A store that is another server's is left alone until
 * the server starts again.
 *
 * owner: loop; what a job works on is the job's while it is out. */
#ifndef VDB_PERSIST_OFFLOAD_H
#define VDB_PERSIST_OFFLOAD_H

#include "persist/backup.h"
#include "persist/persist.h"
#include "persist/restore.h"

struct offload_settings {
    uint64_t interval_us;
    struct backup_policy policy;
    uint64_t backlog_bytes;
};

struct offload_options {
    struct object_store_options store; /* url "": none; texts outlive the offload */
    const char *restore_from;          /* "": none */
    const char *restore_at;
    struct offload_settings settings;
};

/* A backup that somebody waits for. owner: whoever asks; given back by done, which comes once */
struct offload_request {
    /* lsn: of the snapshot that is there now. why: the reason of an error. */
    void (*done)(struct offload_request *rq, enum err e, uint64_t lsn, const struct why *why);
    void *user;
    char url[OBJECT_URL_MAX + 1]; /* "": the server's own store */
    uint64_t lsn;                 /* private: what the backup has to hold */
    struct offload_request *next; /* private */
};

enum offload_work {
    OFFLOAD_PREPARE, /* before the data is loaded */
    OFFLOAD_CYCLE,
    OFFLOAD_COPY /* a backup to another place */
};

/* What a job is told, and what it answers. */
struct offload_job {
    enum offload_work work;
    uint64_t last_lsn;
    bool has_snapshot;
    uint64_t snapshot_lsn;
    bool removes; /* old backups are to go */
    struct backup_policy policy;
    struct offload_request *copy; /* OFFLOAD_COPY */
    bool restored;                /* OFFLOAD_PREPARE did something: result says what */
    struct restore_result result;
    enum err error;
    struct why why;
};

struct offload {
    struct io *io;
    struct persist *persist;
    struct log *log;
    struct offload_options options;
    void (*on_prepared)(struct offload *o, enum err e);
    void *user;
    atomic_bool cancel;

    struct object_store *store; /* the lane's while a job is out, as backup is */
    struct backup backup;
    bool has_backup; /* backup is initialised */

    struct job job;
    bool out;
    struct offload_job now;
    uint64_t started_us;              /* monotonic */
    struct offload_request *requests; /* in the order of their arrival */

    bool serving, stopping;
    bool refused;     /* the store is another server's; why says whose */
    bool contacted;   /* the numbers below are those of the store */
    bool sealing;     /* the next cycle waits for a segment to be sealed */
    uint64_t next_us; /* monotonic: the next cycle; 0: none is planned */
    uint64_t removed_us;
    uint64_t removed_lsn; /* newest backup when old ones were last removed */
    uint64_t stored_lsn;  /* of the newest backup there */
    bool stored_any;
    uint64_t log_lsn;
    uint64_t behind_us;   /* monotonic: since when there are changes that are not there; 0: none */
    uint64_t uploaded_ms; /* Unix time of the last cycle that succeeded; 0: none has */
    uint64_t errors;
    enum err error; /* of the last cycle */
    struct why why;
    uint64_t uploaded_bytes, uploaded_objects, removed_objects;
};

void offload_init(struct offload *o, struct io *io, struct persist *persist, struct log *log,
                  const struct offload_options *options);
/* Nothing is out. */
void offload_fini(struct offload *o);

/* Brings the folder back when that is asked for, or when it is empty and the store is not;
 * on_prepared comes. An error is a reason not to start: o->why. */
void offload_prepare(struct offload *o, void (*on_prepared)(struct offload *o, enum err e),
                     void *user);
/* The data is there, changes may come. */
void offload_serve(struct offload *o);
/* Several times a second. */
void offload_tick(struct offload *o);
/* A snapshot has ended. */
void offload_saved(struct offload *o, enum err e);
void offload_set(struct offload *o, const struct offload_settings *settings);

/* A backup of everything up to now. done comes later; ERR_ARG: there is no store; ERR_BUSY: the
 * server is about to stop or not ready. */
MUST_USE enum err offload_request(struct offload *o, struct offload_request *rq, struct why *why);

/* Ends what is under way soon; all requests are done, with ERR_CANCELLED, when it has. */
void offload_stop(struct offload *o);
static inline bool offload_idle(const struct offload *o)
{
    return !o->out;
}

/* Numbers for INFO. */
struct offload_info {
    bool enabled, runs, ok, contacted, has_backup;
    const char *url, *reason;
    uint64_t uploaded_ms, backup_lsn, log_lsn, lag_records, lag_ms, errors;
    uint64_t uploaded_bytes, uploaded_objects, removed_objects;
};

void offload_info(const struct offload *o, struct offload_info *out);

/* offload_job.c: what a job does, on the lane. */
void offload_run(struct offload *o);

#endif
