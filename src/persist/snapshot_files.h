/* snapshot_files.h: the files of snapshots: packs as they are written, manifests, and chunks as
 * many lanes read them.
 *
 * owner: the snapshot's lane (or a test): all calls here read, write and wait. */
#ifndef VDB_PERSIST_SNAPSHOT_FILES_H
#define VDB_PERSIST_SNAPSHOT_FILES_H

#include "base/io.h"
#include "persist/snapshot_read.h"

/* What a manifest is called until it is whole. */
#define SNAPSHOT_TEMPORARY "manifest.tmp"

/* dir/name. ERR_LIMIT when that is too long. */
MUST_USE enum err snapshot_path(const char *dir, const char *name, char out[SNAPSHOT_PATH_SIZE]);

/* -- writing ----------------------------------------------------------------------------------- */

struct pack_writer {
    struct io *io;
    const char *dir;
    uint64_t lsn;                /* of the snapshot */
    const struct manifest *last; /* the snapshot before; NULL: there is none */
    const uint8_t *condemned;    /* one byte per pack of last: do not keep chunks there; or NULL */
    uint32_t next_id;
    struct io_file *file;        /* of the pack being written; NULL: none */
    struct manifest_pack *packs; /* written for this snapshot */
    uint32_t pack_count, pack_capacity;
    struct buf out;   /* bytes of the pack not yet written to the file */
    uint64_t written; /* bytes of the pack that are */
    uint64_t unsynced;
    struct chunk *chunks; /* of the snapshot so far: new and kept ones */
    uint32_t chunk_count, chunk_capacity;
    uint64_t bytes_written; /* of all packs */
};

/* Pack ids from next_id on are free. */
void pack_writer_init(struct pack_writer *w, struct io *io, const char *dir, uint64_t lsn,
                      const struct manifest *last, const uint8_t *condemned, uint32_t next_id);
/* Frees memory and closes the file. The packs stay; pack_writer_discard removes them first. */
void pack_writer_fini(struct pack_writer *w);
void pack_writer_discard(struct pack_writer *w);

/* What the last snapshot has at this place, if it may be kept; or NULL. */
const struct chunk *pack_writer_last(const struct pack_writer *w, uint64_t uid,
                                     enum chunk_kind kind, uint32_t index, uint16_t part);
/* The snapshot has this chunk of the last one too. */
MUST_USE enum err pack_writer_keep(struct pack_writer *w, const struct chunk *chunk);
/* Writes a chunk. uid, kind, index, part, count are set; the rest becomes so. */
MUST_USE enum err pack_writer_put(struct pack_writer *w, struct chunk *chunk, struct slice body);
/* Keeps the last one when it is the same, or else writes it. */
MUST_USE enum err pack_writer_put_changed(struct pack_writer *w, struct chunk *chunk,
                                          struct slice body);
/* Everything written so far lasts from now on, names too. */
MUST_USE enum err pack_writer_sync(struct pack_writer *w);

/* Writes the manifest so that a crash leaves it whole or not there at all. */
MUST_USE enum err manifest_save(struct io *io, const char *dir, const struct manifest *m,
                                uint64_t *size);

/* -- reading ----------------------------------------------------------------------------------- */

/* ERR_NOT_FOUND when there is no such file; else the file is named in why. */
MUST_USE enum err manifest_load(struct io *io, const char *dir, uint64_t lsn, struct manifest *out,
                                struct why *why);

/* The packs of a manifest, open. Any number of lanes may read at the same time. */
struct pack_reader {
    struct io *io;
    const struct manifest *manifest;
    struct io_file **files; /* by place in the manifest */
};

/* Opens all packs and looks at their headers and sizes. */
MUST_USE enum err pack_reader_open(struct pack_reader *r, struct io *io, const char *dir,
                                   const struct manifest *manifest, struct why *why);
/* The same of those that are there: chunks of the others are ERR_CORRUPT. */
MUST_USE enum err pack_reader_open_some(struct pack_reader *r, struct io *io, const char *dir,
                                        const struct manifest *manifest);
void pack_reader_close(struct pack_reader *r);
/* Reads a chunk into buffer, and checks it. *body points into the buffer. An error names file and
 * offset. */
MUST_USE enum err pack_reader_get(const struct pack_reader *r, const struct chunk *chunk,
                                  struct buf *buffer, struct slice *body, struct why *why);
/* The same for what is found wrong inside of a body: puts file and offset in front of why. */
enum err pack_reader_blame(const struct chunk *chunk, enum err e, struct why *why);

#endif
