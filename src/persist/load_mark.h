/* load_mark.h: what keeps a record that crashes the loader from doing so for ever.
 *
 * While records are replayed a file stands ready, and should the process crash, the mark of the
 * record that it was at is written to it (io.h, on_crash). A record that has crashed LOAD_TRIES_MAX
 * starts is copied to a file aside and not replayed. Power loss and kill -9 leave no mark.
 *
 * Calls that take an io block. */
#ifndef VDB_PERSIST_LOAD_MARK_H
#define VDB_PERSIST_LOAD_MARK_H

#include "base/io.h"
#include "persist/log_format.h"

#define LOAD_MARK_NAME "loading"
enum { LOAD_TRIES_MAX = 2, LOAD_MARK_SIZE = 32, LOAD_ASIDE_NAME_SIZE = 32 };

struct load_mark {
    uint64_t lsn;   /* 0: no mark */
    uint32_t tries; /* starts that it has crashed */
};

void load_mark_encode(const struct load_mark *m, uint8_t out[LOAD_MARK_SIZE]);

/* No file, or no mark in it that is whole: all zero. */
MUST_USE enum err load_mark_read(struct io *io, const char *dir, struct load_mark *out,
                                 struct why *why);
/* The file for the next one, with what it has. */
MUST_USE enum err load_mark_open(struct io *io, const char *dir, struct io_file **out,
                                 struct why *why);
MUST_USE enum err load_mark_remove(struct io *io, const char *dir);

/* Keeps the bytes of a record in a file of its own. */
MUST_USE enum err load_aside_write(struct io *io, const char *dir, uint64_t lsn,
                                   struct slice record, struct why *why);
/* Is this the name of such a file, and of which LSN? */
bool load_aside_name_parse(const char *name, uint64_t *lsn);

#endif
