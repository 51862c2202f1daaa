/* backup.h: what a server's folder has is put into an object store, so that it can be had from
 * there alone (restore.h).
 *
 *     open ──► push a snapshot: packs, manifest, list ──► push segments of the log ──► CURRENT
 *                                                                            ──► remove what is old
 *
 * CURRENT comes last and names only what is there; a crash between leaves objects that nobody
 * names, which the next run uses or writes again. What the lists in the store name is not sent
 * again.
 *
 * One server writes to a prefix: CURRENT says which. Another dataset is refused, a copy of the same
 * folder finds out before it writes CURRENT or removes anything. S3 has no lock, so two that start
 * in the same second may both begin; one of them then stops.
 *
 * owner: the upload lane. All calls block. */
#ifndef VDB_PERSIST_BACKUP_H
#define VDB_PERSIST_BACKUP_H

#include "persist/backup_format.h"
#include "persist/object_store.h"

/* A segment of the log in the store. */
struct backup_segment {
    uint32_t generation;
    uint64_t first_lsn;
    uint64_t size;
};

/* What a store has of a dataset: lists of backups by LSN, and segments in the order of the log.
 * owner: caller; backup_contents_fini */
struct backup_contents {
    struct backup_list *lists;
    size_t list_count;
    struct backup_segment *segments;
    size_t segment_count;
};

/* What is kept in the store. */
struct backup_policy {
    uint64_t count;  /* backups, at least; never less than 1 */
    uint64_t age_ms; /* and those that were taken since */
};

struct backup {
    struct io *io;
    struct object_store *store;
    const char *dir; /* outlives it */
    char owner[BACKUP_OWNER_SIZE + 1];
    struct backup_dataset dataset;
    bool opened;
    struct backup_current current;   /* as it stands in the store */
    bool changed;                    /* current is to be written */
    struct backup_contents contents; /* of the store; empty unless opened */
    uint64_t uploaded_bytes, uploaded_objects, removed_objects; /* counters */
};

/* run_id: BACKUP_OWNER_SIZE hexadecimal digits. */
void backup_init(struct backup *b, struct io *io, struct object_store *store, const char *dir,
                 const char *run_id);
void backup_fini(struct backup *b);

/* Finds out what is there and takes the prefix. last_lsn: of the server, durable or not.
 * ERR_EXISTS: it belongs to another dataset, or to this one at a later LSN. */
MUST_USE enum err backup_open(struct backup *b, uint64_t last_lsn, struct why *why);

/* The snapshot at this LSN; its files stay until this returns. */
MUST_USE enum err backup_push_snapshot(struct backup *b, uint64_t lsn, struct why *why);
/* All segments that are complete: those that have a whole one behind them. */
MUST_USE enum err backup_push_log(struct backup *b, struct why *why);
/* Writes CURRENT when it has changed. ERR_EXISTS: another server has taken the prefix; ERR_BUSY:
 * CURRENT is gone. In both cases backup_open has to come first again. */
MUST_USE enum err backup_commit(struct backup *b, struct why *why);
/* Removes backups that are neither among the newest nor young, and what only they needed. After
 * backup_commit. */
MUST_USE enum err backup_remove_old(struct backup *b, const struct backup_policy *policy,
                                    struct why *why);

/* -- for backup*.c and restore.c --------------------------------------------------------------- */

/* An object of a dataset, as the store lists it. */
struct backup_object {
    struct backup_name name;
    uint64_t size;
};

/* Appends all that the store has of one dataset to out, an array of struct backup_object. */
MUST_USE enum err backup_list_objects(struct object_store *store, const char *dataset,
                                      struct buf *out, struct why *why);

/* ERR_NOT_FOUND: there is none. */
MUST_USE enum err backup_get_current(struct object_store *store, struct backup_current *out,
                                     struct why *why);
/* On an error there is nothing to free. */
MUST_USE enum err backup_read_contents(struct object_store *store, const char *dataset,
                                       struct backup_contents *out, struct why *why);
void backup_contents_fini(struct backup_contents *c);

/* Is what counts of this segment at or below lsn, as one behind it begins at lsn + 1 or before? */
bool backup_segment_passed(const struct backup_contents *c, size_t at, uint64_t lsn);

/* The dataset of a folder; ERR_NOT_FOUND: it has none yet. Writing replaces, durably. */
MUST_USE enum err backup_read_dataset(struct io *io, const char *dir, struct backup_dataset *out,
                                      struct why *why);
MUST_USE enum err backup_write_dataset(struct io *io, const char *dir,
                                       const struct backup_dataset *d, struct why *why);
void backup_new_dataset(struct io *io, struct backup_dataset *out);

#endif
