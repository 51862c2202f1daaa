/* check_own.h: what the files of check.h share. */
#ifndef VDB_PERSIST_CHECK_OWN_H
#define VDB_PERSIST_CHECK_OWN_H

#include "persist/check.h"
#include "persist/snapshot_read.h"

/* owner: check_folder */
struct check {
    struct io *io;
    const char *dir;
    void (*on_finding)(void *user, const struct check_finding *f);
    void *user;
    struct check_counts counts;
};

/* Counts a finding and hands it on. */
void check_say(struct check *c, enum check_grade grade, const char *file, uint64_t offset,
               const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Opens a file of the folder for reading. */
MUST_USE enum err check_open(struct check *c, const char *name, struct io_file **out,
                             uint64_t *size, struct why *why);

/* check_pack.c: every chunk of a pack, whether a manifest names it or not. */
void check_pack(struct check *c, const char *name, uint32_t id);

/* check_log.c: all segments. counts.snapshot_lsn is known. */
void check_log(struct check *c);

/* check_snapshot.c: what a manifest makes of its chunks. sum: whether the figures of its data go
 * into counts. */
void check_snapshot(struct check *c, const char *name, const struct manifest *m, bool sum);

/* One manifest being checked. owner: check_snapshot */
struct check_shot {
    struct check *check;
    const char *name; /* of the manifest */
    const struct manifest *manifest;
    struct snapshot_reader reader;
    struct buf room; /* of the chunk in hand */
    bool sum;
};

/* A chunk of the manifest is not as it should be. */
void check_say_chunk(struct check_shot *s, const struct chunk *c, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Its body; false when the chunk is damaged, which check_pack has said. */
bool check_read(struct check_shot *s, const struct chunk *c, struct slice *body);

/* Texts that must differ from each other: keys, ids. owner: caller */
struct check_unique {
    struct check_text *list;
    size_t count, capacity;
};

/* tag says which it is; false when memory is short. */
MUST_USE bool check_unique_add(struct check_unique *u, struct slice text, uint64_t tag);
/* Calls on_twice for each that is there twice, and frees the list. */
void check_unique_end(struct check_unique *u,
                      void (*on_twice)(void *user, uint64_t tag, uint64_t other), void *user);

enum { CHECK_KEY_SHOWN = 48 };

/* A collection that a key names, or an index over keys. */
struct check_found {
    uint64_t uid;
    bool of_index;
    struct collection_spec spec;
    uint64_t *partitions;          /* bits of their numbers; NULL: there is _default alone */
    char key[CHECK_KEY_SHOWN + 8]; /* for texts */
};

/* check_collection.c: chunks [first, end) of the manifest are those of the collection. Returns how
 * many elements it has. */
uint64_t check_collection(struct check_shot *s, const struct check_found *f, uint32_t first,
                          uint32_t end);

#endif
