/* check.h: is a data folder whole? Reads every file of it and verifies everything that can be
 * told from the files: all checksums, the chain of records, manifests against packs, and what the
 * data says of itself: unique keys and ids, links, levels, counts.
 *
 * Changes nothing. A folder that a server is writing to may show what is not there any more. All
 * calls go through struct io and block, so that it runs in the simulator too. */
#ifndef VDB_PERSIST_CHECK_H
#define VDB_PERSIST_CHECK_H

#include "base/io.h"

/* How grave a finding is */
enum check_grade {
    CHECK_DAMAGE, /* bytes are not what was written, or contradict each other */
    CHECK_NOTE    /* nothing is lost: what a crash leaves, and the next start removes */
};

/* Valid during the call. */
struct check_finding {
    enum check_grade grade;
    const char *file; /* in the folder */
    uint64_t offset;  /* in the file */
    const char *text;
};

/* What was seen, damaged or not. */
struct check_counts {
    uint64_t damages, notes;
    uint64_t files, bytes;
    uint64_t manifests, packs, chunks;
    uint64_t segments, records;
    uint64_t snapshot_lsn;                /* of the newest whole manifest; 0: there is none */
    uint64_t last_lsn;                    /* of the log, or of the snapshot when it is newer */
    uint64_t durable_lsn;                 /* the highest that anything claims */
    uint64_t keys, collections, elements; /* in the newest whole manifest */
    uint64_t links, links_dropped;        /* ... and those that a load leaves out */
};

/* Calls on_finding for everything it finds, file by file. OK: the folder was read, whatever was
 * found. Else it could not be, and why says so. */
MUST_USE enum err check_folder(struct io *io, const char *dir,
                               void (*on_finding)(void *user, const struct check_finding *f),
                               void *user, struct check_counts *out, struct why *why);

#endif
