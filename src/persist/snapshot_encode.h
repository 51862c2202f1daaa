/* snapshot_encode.h: captured keys and collections as chunks.
 *
 * Runs on the snapshot's lane while everything goes on: what it reads is held by the capture
 * (db/capture.h). A chunk that is as it was in the last snapshot is not written again:
 *
 *   rows      what a row holds is fixed by its birth. A CHUNK_ROWS written at LSN b stays as long
 * as enough of its rows are alive; rows born after b are in the CHUNK_NEWER of the same index,
 * which is written anew when there are more of them. others    are made again, and kept when their
 * hash is the same. */
#ifndef VDB_PERSIST_SNAPSHOT_ENCODE_H
#define VDB_PERSIST_SNAPSHOT_ENCODE_H

#include <stdatomic.h>

#include "base/job.h"
#include "db/capture.h"
#include "persist/snapshot_files.h"

struct snapshot_encoder {
    struct pack_writer *packs;
    struct lane *lane;    /* of the job that runs now */
    uint32_t chunk_bytes; /* of rows, about */
    const atomic_bool *cancelled;
    struct manifest_collection *collections; /* so far; those that have left their slab */
    uint32_t collection_count, collection_capacity;
    uint64_t key_count;
    uint32_t places_end; /* behind the last key */
    struct buf body;     /* of the chunk being made */
    struct buf piece;    /* of the large value being written */
    uint32_t *rows;      /* of the span at hand that are alive */
    uint32_t row_capacity;
    uint32_t *links; /* of one row */
    size_t links_capacity;
};

void snapshot_encoder_init(struct snapshot_encoder *x, struct pack_writer *packs,
                           uint32_t chunk_bytes, const atomic_bool *cancelled);
void snapshot_encoder_fini(struct snapshot_encoder *x);

/* ERR_CANCELLED when *cancelled became true. */
MUST_USE enum err snapshot_encode_slice(struct snapshot_encoder *x,
                                        const struct capture_slice *slice);

/* For snapshot_encode_rows.c and snapshot_encode.c: a collection that is being made into chunks. */
struct collection_encoding {
    struct snapshot_encoder *x;
    const struct captured *key;
    const struct collection_view *view;
    const struct collection *c; /* for what never changes */
    struct manifest_collection entry;
    bool same_layout; /* as in the last snapshot: chunks of rows may stay */
};

/* Room for so many rows in x->rows. */
MUST_USE bool snapshot_encoder_rows(struct snapshot_encoder *x, uint32_t count);
/* Lists the rows of first .. first + span - 1 in x->rows that were alive, and born after this LSN;
 * returns how many. */
uint32_t snapshot_list_rows(const struct collection_encoding *e, uint32_t first, uint32_t span,
                            uint64_t after);
/* Appends these rows to x->body as image_rows. */
MUST_USE enum err snapshot_append_rows(const struct collection_encoding *e, uint32_t first,
                                       uint32_t span, const uint32_t *rows, uint32_t count);
/* snapshot_encode_rows.c: all chunks of a collection that has left its slab. */
MUST_USE enum err snapshot_encode_large(struct collection_encoding *e);
/* Attributes of the rows of a span, as chunks. */
MUST_USE enum err snapshot_encode_attributes(struct collection_encoding *e, uint32_t index,
                                             uint32_t span);

#endif
