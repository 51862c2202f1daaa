/* recover_log.h: reads the log back into the data.
 *
 *     list ──► read and verify a window ──► replay it in slices ──► ... ──► judge the end ──►
 * finish (lane)   (lane)                       (loop)                          (lane) (lane)
 *
 * Replay goes on to the first place where the next record does not stand. That is where the log
 * ends, when nothing says that this record was durable: what a crash left behind is cut off.
 * Otherwise records are lost, and recovery fails with the file and the offset; asked to repair, it
 * keeps what stands before, and sets aside the rest under names that end in ".damaged".
 *
 * owner: loop; what the job works on is the job's while it is out. */
#ifndef VDB_PERSIST_RECOVER_LOG_H
#define VDB_PERSIST_RECOVER_LOG_H

#include "base/log.h"
#include "db/db.h"
#include "persist/aof.h"
#include "persist/load_mark.h"
#include "persist/log_files.h"

struct recover_log_options {
    const char *dir; /* outlives the recovery */
    bool repair;
    bool has_losses;                 /* of a repair: records that fit nothing are left out */
    bool refuse_torn;                /* even a torn tail is an error (aof-load-truncated no) */
    void (*on_replay)(uint64_t lsn); /* before each record, for tests; or NULL */
};

enum recover_phase {
    RECOVER_LIST,
    RECOVER_READ,
    RECOVER_RESUME, /* behind damage that is of no interest */
    RECOVER_ASIDE,
    RECOVER_JUDGE,
    RECOVER_FINISH
};

struct recover_log {
    struct io *io;
    struct db *db;
    struct log *log;
    struct recover_log_options options;
    void (*on_done)(struct recover_log *r, enum err e);
    void *user;

    struct job job;
    enum recover_phase phase;
    struct io_timer timer; /* to the next slice */
    bool waits;            /* the timer runs */
    bool out;              /* the job is on its lane */
    bool cancelled;
    enum err result; /* of the job, then of everything */
    struct why why;

    struct log_files files;
    size_t at;            /* index of the file being read */
    struct io_file *file; /* open while read, or NULL */
    struct log_cursor cursor;
    bool chained;       /* start.crc is that of the record before the next one */
    enum log_step step; /* how the window ended */
    struct buf window;
    uint64_t window_at; /* its offset in the file */
    struct buf records; /* struct log_record of the window; their payloads are in it */
    size_t next;        /* record to replay */

    struct load_mark before;      /* found: what crashed an earlier start */
    struct io_file *mark_file;    /* what a crash writes to; NULL: not open */
    uint8_t mark[LOAD_MARK_SIZE]; /* of the record being replayed */
    uint64_t *aside;              /* LSNs that are not replayed */
    size_t aside_count;

    /* Where the log ends: whole files before the index, this much of the one with it, nothing
     * after. */
    size_t cut_file; /* files.count: all are kept whole */
    uint64_t cut_offset;
    size_t blamed_file; /* where to look; files.count: there is no file */
    uint64_t blamed_offset;
    struct why cut_why; /* what stands there */
    uint64_t claim_lsn; /* the highest LSN of the log that was durable by what was read */
    bool torn;

    /* what came of it */
    struct aof_start start;
    uint64_t replayed, skipped; /* records */
    uint64_t misfits;           /* left out, because of losses */
    uint64_t total_bytes, loaded_bytes, kept_bytes;
};

/* Goes on from db->log.last_lsn. on_done comes once; then r->start says how to go on with the log,
 * and db has the data; or r->why says what is wrong. */
void recover_log_start(struct recover_log *r, struct io *io, struct db *db, struct log *log,
                       const struct recover_log_options *options,
                       void (*on_done)(struct recover_log *r, enum err e), void *user);
/* Ends it: on_done comes when the job that is out is back, or within this call. */
void recover_log_cancel(struct recover_log *r);
/* After on_done. */
void recover_log_free(struct recover_log *r);

#endif
