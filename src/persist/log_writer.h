/* log_writer.h: the segment that is being written, and the note beside it. Calls block: they are
 * made by one job at a time, on the lane of the log.
 *
 * After a failed write or sync nobody knows what of the file will be on the disk, and a second sync
 * would answer for pages that the kernel has given up. So a file that failed is never touched
 * again: the next segment has a new generation and begins at the first record that is not known
 * durable. It supersedes what the one before has of these, which may have been acknowledged as
 * being safe from the death of the process; so it gets its name only when it has them all.
 *
 * owner: the job that runs, else the loop. */
#ifndef VDB_PERSIST_LOG_WRITER_H
#define VDB_PERSIST_LOG_WRITER_H

#include "base/io.h"
#include "persist/log_format.h"

enum { LOG_DIR_SIZE = 1024, LOG_PATH_SIZE = LOG_DIR_SIZE + 64 };

struct log_writer {
    struct io *io;
    char dir[LOG_DIR_SIZE];
    char run_id[LOG_RUN_ID_SIZE + 1];
    uint32_t salt;        /* immutable */
    struct io_file *file; /* NULL: the next write needs log_writer_begin */
    uint64_t size;        /* of the file */
    uint64_t first_lsn;   /* of the file */
    uint32_t generation;  /* of the file, or of the last one */
    bool dirty;           /* has bytes that were not synced */
    bool unnamed;         /* the file is LOG_UNNAMED still */
    struct io_file *note; /* NULL: not open */
    uint64_t note_sequence;
    uint64_t segments, syncs, bytes; /* counters: made, that succeeded, written */
};

/* generation: the highest that is in use in the folder. */
void log_writer_init(struct log_writer *w, struct io *io, const char *dir, const char *run_id,
                     uint32_t salt, uint32_t generation);
/* Closes the files. */
void log_writer_fini(struct log_writer *w);

/* Syncs the segment there is, then makes the next one. Its header and its name are durable when
 * this returns OK. */
MUST_USE enum err log_writer_begin(struct log_writer *w, const struct log_segment *head);
/* Gives up the segment there is, if there is one. The first of a new generation has no name before
 * log_writer_name. */
MUST_USE enum err log_writer_begin_generation(struct log_writer *w, const struct log_segment *head);
/* The segment has everything that it supersedes. It and its name, unless it had that already, are
 * durable when this returns OK. */
MUST_USE enum err log_writer_name(struct log_writer *w);
/* Whole records. */
MUST_USE enum err log_writer_write(struct log_writer *w, struct slice bytes);
/* All that was written is durable when this returns OK. */
MUST_USE enum err log_writer_sync(struct log_writer *w);
/* Gives the file up after a failure. */
void log_writer_abandon(struct log_writer *w);

/* Notes what is durable, without waiting; or with a sync, as the last word of an orderly end. */
MUST_USE enum err log_writer_note(struct log_writer *w, uint64_t durable_lsn, uint64_t wall_ms,
                                  bool clean);

/* dir/name */
void log_path(char out[LOG_PATH_SIZE], const char *dir, const char *name);

#endif
