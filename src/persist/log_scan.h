/* log_scan.h: the records of one segment, one after the other, for who only looks: `vdb check`,
 * `vdb dump`, restores, and a repair that chooses its snapshot. Blocks. owner: caller */
#ifndef VDB_PERSIST_LOG_SCAN_H
#define VDB_PERSIST_LOG_SCAN_H

#include "persist/log_files.h"

struct log_scan {
    const struct log_file *segment;
    struct io_file *file;
    struct log_cursor cursor; /* behind the last record */
    uint64_t offset;          /* of the last record, or of what stands in place of the next */
    struct buf window;
    uint64_t window_at; /* its offset in the file */
};

/* The segment counts (log_file_counts) and outlives the scan. */
MUST_USE enum err log_scan_open(struct log_scan *s, struct io *io, const char *dir,
                                const struct log_file *segment, struct why *why);
void log_scan_close(struct log_scan *s);

/* LOG_RECORD: out is the next record, valid until the next call. LOG_END: there is none, or later
 * segments have the rest. LOG_DAMAGED, LOG_FOREIGN: why says what stands at s->offset. The error:
 * the file cannot be read. */
MUST_USE enum err log_scan_next(struct log_scan *s, struct log_record *out, enum log_step *step,
                                struct why *why);

/* How far does the log reach from behind an LSN on, as a recovery would read it? *last_lsn is at
 * least that LSN. ERR_NOT_FOUND: there is no log. */
MUST_USE enum err log_scan_reach(struct io *io, const char *dir, uint64_t after_lsn,
                                 uint64_t *last_lsn, struct why *why);

#endif
