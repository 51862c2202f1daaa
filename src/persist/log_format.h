/* log_format.h: the log as bytes: segments, records, and the note of what is durable. Pure
 * functions over bytes, for the server, for `vdb check` and `vdb dump`, and for tests that break
 * them.
 *
 * A log is a run of records with LSNs that rise by one, cut into segments, one a file:
 *
 *     segment:  header (96 bytes), records
 *     record:   header (56 bytes), payload, zeros to the next multiple of 8
 *
 * README.md has the offsets. Every byte is covered by a CRC-32C or compared with the one value it
 * may have. Each record carries the checksum of the one before it, so records of different
 * histories never pass for one, and the highest LSN that was known durable when it was written:
 * damage above the highest of these claims is a torn tail, which a crash may leave; at or below it,
 * a loss. */
#ifndef VDB_PERSIST_LOG_FORMAT_H
#define VDB_PERSIST_LOG_FORMAT_H

#include "base/buf.h"
#include "base/err.h"

enum {
    LOG_VERSION = 1,
    LOG_SEGMENT_HEADER_SIZE = 96,
    LOG_RECORD_HEADER_SIZE = 56,
    LOG_ALIGNMENT = 8,
    LOG_RUN_ID_SIZE = 40,
    LOG_NAME_SIZE = 40, /* of a segment's file, with its NUL */
    LOG_NOTE_SIZE = 1024
};

/* -- segments ---------------------------------------------------------------------------------- */

struct log_segment {
    uint32_t generation;   /* a later one supersedes all from its first LSN on in earlier ones */
    uint32_t previous_crc; /* of the record before the first; 0: there is none */
    uint32_t salt;
    uint64_t first_lsn;
    uint64_t durable_lsn; /* known when it was made */
    uint64_t created_ms;  /* Unix time */
    char run_id[LOG_RUN_ID_SIZE + 1];
};

void log_segment_encode(const struct log_segment *s, uint8_t out[LOG_SEGMENT_HEADER_SIZE]);
/* ERR_CORRUPT; ERR_UNSUPPORTED: of a later version of vdb. */
MUST_USE enum err log_segment_parse(struct slice bytes, struct log_segment *out, struct why *why);

/* log-<generation>-<first LSN>.vlog, in hexadecimal, so that names sort as segments do. */
void log_segment_name(uint32_t generation, uint64_t first_lsn, char out[LOG_NAME_SIZE]);
/* Is this the name of a segment, and of which? */
bool log_segment_name_parse(const char *name, uint32_t *generation, uint64_t *first_lsn);

/* -- records ----------------------------------------------------------------------------------- */

enum log_record_kind { LOG_CHANGE = 1 /* the payload is for db_replay_record() */ };

struct log_record {
    uint64_t lsn;
    uint64_t durable_lsn; /* the highest one known when it was written; below lsn */
    uint64_t wall_ms;     /* when it was written, Unix time */
    uint32_t epoch;
    uint32_t shard;
    uint16_t kind;
    uint16_t flags;        /* none so far: 0 */
    uint32_t previous_crc; /* crc of the record before it */
    uint32_t salt;         /* of its segment; for encode */
    uint32_t crc;          /* of its header, and so of all of it; set by encode and parse */
    struct slice payload;
};

/* Bytes of a record with such a payload, padding included. */
static inline size_t log_record_size(size_t payload_size)
{
    return LOG_RECORD_HEADER_SIZE +
           (payload_size + LOG_ALIGNMENT - 1) / LOG_ALIGNMENT * LOG_ALIGNMENT;
}

/* Writes the header before a payload whose CRC32C is known, and sets r->crc. The payload stands
 * behind it, with zeros up to log_record_size(). */
void log_record_head(struct log_record *r, uint32_t payload_crc, uint8_t *out);
/* Writes the record to out, which has room for log_record_size(), and sets r->crc. */
void log_record_encode(struct log_record *r, uint8_t *out);

/* -- reading ----------------------------------------------------------------------------------- */

/* Where a reader of one segment stands. owner: caller */
struct log_cursor {
    uint64_t offset;       /* of the next record in its file */
    uint64_t lsn;          /* the next record must have */
    uint32_t previous_crc; /* it must carry */
    uint32_t salt;         /* of the segment */
    uint64_t durable_lsn;  /* the highest claim of what was read */
};

enum log_step {
    LOG_RECORD,  /* there it is; the cursor is behind it */
    LOG_MORE,    /* not enough bytes: come again with at least *need of them */
    LOG_END,     /* the segment ends here, whole */
    LOG_DAMAGED, /* what stands here is not the next record; why says how so */
    LOG_FOREIGN  /* a whole record that only a later version knows: never to be dropped */
};

/* Stands at the first record of the segment. */
struct log_cursor log_cursor_start(const struct log_segment *segment);
/* Reads the record at c->offset. bytes are the file's from there on: all of them when to_end. They
 * start at a multiple of LOG_ALIGNMENT, and out->payload points into them. */
enum log_step log_cursor_next(struct log_cursor *c, struct slice bytes, bool to_end,
                              struct log_record *out, size_t *need, struct why *why);

/* The highest durable LSN that any whole header of a record claims that starts in bytes, at a
 * multiple of LOG_ALIGNMENT: for what stands behind damage. 0: none does. */
uint64_t log_claims(struct slice bytes, uint32_t salt);

/* Where in bytes, at a multiple of LOG_ALIGNMENT, the first whole header of a record with this LSN
 * begins; SIZE_MAX: nowhere. */
size_t log_find(struct slice bytes, uint32_t salt, uint64_t lsn);
/* Stands at a record that is whole, whatever stands before it. header is its first bytes. */
struct log_cursor log_cursor_at(const uint8_t header[LOG_RECORD_HEADER_SIZE], uint64_t offset,
                                uint32_t salt);

/* -- the note ---------------------------------------------------------------------------------- */

/* What was durable, written now and then beside the segments, because the last records of a log
 * have nothing behind them that would claim them. Two slots are written in turn, so one is whole
 * whatever happens; the note itself is never waited for, and need not be there. */
struct log_note {
    uint64_t sequence; /* rises with every note; its slot is sequence % 2 */
    uint64_t durable_lsn;
    uint64_t wall_ms;
    uint32_t generation;
    uint32_t salt; /* should all segments have lost their headers */
    bool clean;    /* the log ends at durable_lsn: the server was stopped in order */
};

enum { LOG_NOTE_SLOT_SIZE = LOG_NOTE_SIZE / 2 };
#define LOG_NOTE_NAME "log.durable"
/* A segment that is not whole enough to count yet. */
#define LOG_UNNAMED "log.tmp"

void log_note_encode(const struct log_note *n, uint8_t out[LOG_NOTE_SLOT_SIZE]);
/* The newest whole slot of the file; false when there is none. */
bool log_note_parse(struct slice file, struct log_note *out);

#endif
