/* snapshot_read.h: one snapshot, read chunk by chunk and element by element, for who only looks:
 * `vdb check` and `vdb dump`. The server loads by snapshot_load.c, in parallel and into columns.
 *
 * Every read verifies the chunk. Blocks; one thread. owner: caller */
#ifndef VDB_PERSIST_SNAPSHOT_READ_H
#define VDB_PERSIST_SNAPSHOT_READ_H

#include "base/io.h"
#include "persist/image.h"
#include "persist/manifest.h"

enum { SNAPSHOT_NAME_SIZE = 48, SNAPSHOT_PATH_SIZE = 4096 };

/* pack-<id>.vpk, manifest-<LSN>.vmf, in hexadecimal, so that names sort as numbers do. */
void snapshot_pack_name(uint32_t id, char out[SNAPSHOT_NAME_SIZE]);
void snapshot_manifest_name(uint64_t lsn, char out[SNAPSHOT_NAME_SIZE]);
/* Is this such a name, and of which? */
bool snapshot_pack_name_parse(const char *name, uint32_t *id);
bool snapshot_manifest_name_parse(const char *name, uint64_t *lsn);

struct snapshot_reader {
    struct io *io;
    const char *dir;
    const struct manifest *manifest;
    struct io_file *file; /* of the pack last read from; NULL: none */
    uint32_t pack;
};

void snapshot_reader_init(struct snapshot_reader *r, struct io *io, const char *dir,
                          const struct manifest *manifest);
void snapshot_reader_fini(struct snapshot_reader *r);

/* Reads the chunk into room, which loses what it held; *body points into it. ERR_CORRUPT, ERR_IO,
 * ERR_NOT_FOUND: why says what is wrong with it, not where it stands. */
MUST_USE enum err snapshot_read_chunk(struct snapshot_reader *r, const struct chunk *c,
                                      struct buf *room, struct slice *body, struct why *why);

/* One element as it was at the manifest's LSN. Slices are valid during the call. */
struct snapshot_element {
    uint32_t row;
    float norm;
    uint64_t expire_ms; /* 0: never */
    uint16_t partition; /* its number */
    struct slice id;
    struct slice attribute; /* len 0: none */
    const uint8_t *code;    /* NULL: none are kept */
    const uint8_t *vector;  /* floats, at a multiple of 4; NULL: none are kept */
};

/* Calls on_key for every key in the order of their places; false ends it. */
MUST_USE enum err snapshot_read_keys(struct snapshot_reader *r,
                                     bool (*on_key)(void *user, const struct image_key *key),
                                     void *user, struct why *why);

/* Calls on_element for every element of a collection in the order of rows; false ends it.
 * ERR_CORRUPT when a row that is there has no contents; why names pack and offset. */
MUST_USE enum err snapshot_read_elements(struct snapshot_reader *r, uint64_t uid,
                                         bool (*on_element)(void *user,
                                                            const struct snapshot_element *e),
                                         void *user, struct why *why);

#endif
