/* restore.h: a server's folder, made from an object store, as it was at the end of what is there or
 * at an earlier LSN or time.
 *
 *     mark the folder ──► choose a backup and segments ──► download ──► cut the log at the target
 *                                                        ──► dataset ──► take the mark away
 *
 * What it leaves is a folder like any other: a snapshot and a log, which the server then loads and
 * verifies as always. Until that is whole the folder has the file "restoring", and starts from such
 * a folder begin again.
 *
 * Blocks. owner: caller. */
#ifndef VDB_PERSIST_RESTORE_H
#define VDB_PERSIST_RESTORE_H

#include "persist/object_store.h"

#define RESTORE_MARK "restoring"

enum restore_kind {
    RESTORE_ALL,    /* everything there is */
    RESTORE_TO_LSN, /* up to and with this record */
    RESTORE_TO_TIME /* up to and with the last record written by then */
};

struct restore_target {
    enum restore_kind kind;
    uint64_t lsn;
    uint64_t wall_ms; /* Unix time */
};

/* "" is RESTORE_ALL; digits are an LSN; else a time, UTC: 2026-11-23T06:00:00Z, with fractions of a
 * second if need be, or @ and Unix seconds. ERR_SYNTAX. */
MUST_USE enum err restore_target_parse(struct slice text, struct restore_target *out,
                                       struct why *why);

struct restore_options {
    const char *dir; /* there, and its lock is ours */
    struct restore_target target;
    bool continues;    /* the server will go on with backups to the same place */
    bool may_be_empty; /* nothing to restore is no error, but an empty folder */
};

struct restore_result {
    bool has_backup;
    uint64_t backup_lsn; /* of the snapshot */
    uint64_t lsn;        /* of the last record */
    uint64_t wall_ms;    /* when that was written, or the snapshot taken */
    uint64_t bytes, objects;
};

/* Has the folder nothing that a restore could destroy, or lose against? Files of the log, of
 * snapshots; not the lock. */
MUST_USE enum err restore_is_empty(struct io *io, const char *dir, bool *empty, struct why *why);
/* Was a restore into the folder begun and not ended? */
MUST_USE enum err restore_is_unfinished(struct io *io, const char *dir, bool *unfinished,
                                        struct why *why);
/* Is there anything to restore? ERR_NOT_FOUND: not even the bucket. */
MUST_USE enum err restore_is_there(struct object_store *store, bool *there, struct why *why);

/* ERR_NOT_FOUND: nothing in the store, or nothing from before the target. ERR_EXISTS: the folder is
 * not empty. ERR_CORRUPT: why names the object. After a failure the folder is to be restored again
 * or to be removed. */
MUST_USE enum err restore_run(struct io *io, struct object_store *store,
                              const struct restore_options *options, struct restore_result *out,
                              struct why *why);

#endif
