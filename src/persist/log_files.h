/* log_files.h: which segments a folder has, and which of their records count.
 *
 * Segments are in the order of (generation, first LSN). What a segment holds from the first LSN of
 * any later one on is superseded: it was written again after a failure, or dropped by a recovery
 * that went on with other records. A segment without a whole header supersedes nothing.
 *
 * Listing and reading block. owner: whoever holds it. */
#ifndef VDB_PERSIST_LOG_FILES_H
#define VDB_PERSIST_LOG_FILES_H

#include "base/io.h"
#include "persist/log_format.h"

struct log_file {
    uint32_t generation; /* these two as its name says */
    uint64_t first_lsn;
    uint64_t size;
    enum err state;          /* of its header: OK, ERR_CORRUPT, ERR_UNSUPPORTED */
    struct log_segment head; /* when OK; else its salt alone, as far as anything says it */
    uint64_t limit_lsn;      /* records from here on are superseded; UINT64_MAX: none are */
    struct why why;          /* when not OK, or cut */
    uint64_t sure_offset;    /* for recovery: the note says that what stands before was durable */
    uint64_t cut_offset; /* for recovery: what stands here is damaged, and of no interest; or 0 */
    uint64_t cut_lsn;    /* that should stand there */
    bool resumed;        /* records behind the damage count */
};

struct log_files {
    struct log_file *list;
    size_t count;
    uint32_t generation; /* the highest of any name; 0: there is none */
    uint32_t salt;       /* of the folder; 0: nothing says which */
    bool has_note;
    struct log_note note;
};

/* Lists the folder and reads every header and the note. why names the file that cannot be read. */
MUST_USE enum err log_files_read(struct io *io, const char *dir, struct log_files *out,
                                 struct why *why);
void log_files_free(struct log_files *files);

/* Has it records that count, by its header? */
static inline bool log_file_counts(const struct log_file *f)
{
    return f->state == OK && f->first_lsn < f->limit_lsn;
}

/* Raises *durable_lsn to the highest claim that stands in the file from offset on; the file may be
 * damaged in any way. */
MUST_USE enum err log_file_claims(struct io *io, const char *dir, const struct log_file *f,
                                  uint64_t offset, uint64_t *durable_lsn, struct why *why);

/* Looks in the open file for the header of the record with this LSN, from offset on. *out stands at
 * it; ERR_NOT_FOUND when there is none. */
MUST_USE enum err log_file_find(struct io_file *file, uint32_t salt, uint64_t lsn, uint64_t offset,
                                struct log_cursor *out);

/* Opens the file for reading, or reading and writing. */
MUST_USE enum err log_file_open(struct io *io, const char *dir, const struct log_file *f, int flags,
                                struct io_file **out, struct why *why);

#endif
