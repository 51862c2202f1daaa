/* snapshot.h: takes snapshots while the server serves, and keeps two generations of them.
 *
 *     loop: capture ──► slice ──► lane: chunks ──► loop: next slice ... ──► capture ends
 *     lane: sync packs ──► manifest ──► remove what nobody needs ──► loop: on_done
 *
 * The loop captures some keys at a time (db/capture.h) and hands them to the snapshot's lane, which
 * turns them and their collections into chunks (snapshot_encode.h) and writes those that have
 * changed. One snapshot runs at a time. What fails leaves the ones before as they are.
 *
 * Kept are the newest snapshot and the one before; files that neither names are removed once the
 * newest lasts: manifests first, and packs when it lasts that those are gone; then segments of the
 * log that the older one does not need.
 *
 * owner: loop; what a job works on is the job's while it is out. */
#ifndef VDB_PERSIST_SNAPSHOT_H
#define VDB_PERSIST_SNAPSHOT_H

#include "db/db.h"
#include "persist/snapshot_files.h"

/* Read and checked while it is in a cache of a core. */
enum { SNAPSHOT_CHUNK_BYTES = 256 * 1024 };

struct snapshot_run;

struct snapshots {
    struct io *io;
    struct db *db;
    const char *dir;
    /* Called on the loop when a snapshot has ended; the callee may start the next. */
    void (*on_done)(void *user, enum err e);
    void *user;

    bool has_last;
    struct manifest last; /* the newest that lasts */
    uint64_t last_size;   /* of its file */
    uint64_t last_live;   /* bytes of its chunks */
    uint32_t next_pack;   /* ids from here on are free */
    /* What tests set lower, to have many of what there is. */
    uint32_t chunk_bytes;     /* of rows, about */
    uint32_t slice_places;    /* of the keyspace, captured at once */
    uint64_t garbage_bytes;   /* in packs, that are let be */
    struct snapshot_run *run; /* under way, or NULL */
    /* What somebody else still needs besides; set on the loop, read by the job that cleans. */
    _Atomic uint64_t pinned_lsn;   /* this snapshot stays; UINT64_MAX: none */
    _Atomic uint64_t log_kept_lsn; /* records behind this one stay; UINT64_MAX: none has to */

    /* for INFO */
    uint64_t started_us; /* monotonic */
    uint64_t last_duration_us;
    uint64_t last_bytes; /* written by the last one that succeeded, manifest and all */
    uint64_t saves, failures;
    uint64_t log_removed; /* bytes of the log's segments that went */
    enum err last_error;  /* of the last one */
    struct why why;
};

/* dir outlives it. */
void snapshots_init(struct snapshots *s, struct io *io, struct db *db, const char *dir,
                    void (*on_done)(void *user, enum err e), void *user);
/* Nothing runs. */
void snapshots_fini(struct snapshots *s);
/* What was loaded: the manifest moves here (NULL: there was none). */
void snapshots_loaded(struct snapshots *s, struct manifest *m, uint32_t next_pack);

/* Starts one; between records only. ERR_BUSY: one runs. ERR_NOMEM. on_done comes later. */
MUST_USE enum err snapshots_start(struct snapshots *s);
/* Ends the one that runs soon, with ERR_CANCELLED unless it is about to succeed. */
void snapshots_cancel(struct snapshots *s);

#endif
