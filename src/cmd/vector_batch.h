/* vector_batch.h: the elements of one VMADD, from its arguments to the put.
 *
 * owner: the loop, or the lane of the job that reads them. */
#ifndef VDB_CMD_VECTOR_BATCH_H
#define VDB_CMD_VECTOR_BATCH_H

#include "base/map.h"
#include "cmd/vector.h"

/* When elements are put, and until when they stay. */
struct put_options {
    bool nx, xx;            /* only those that are not there; only those that are */
    uint64_t expire_ms;     /* 0: never */
    struct slice partition; /* of VMADD; len 0: _default */
};

/* What becomes of an element: the numbers are replied. */
enum outcome { PUT_REPLACES = 0, PUT_ADDS = 1, PUT_SKIPS };

/* The ids of a VMADD, and the type of the blob behind them. */
struct batch_ids {
    struct slices ids;
    enum vec_type type;
};

struct batch {
    size_t count;
    struct mutation_element *elements; /* read: one each; planned: those that are put */
    size_t valid_count;                /* of these, after batch_plan */
    size_t fresh_count;                /* distinct ids of these that the collection does not have */
    size_t heap_bytes;                 /* of the ids and attributes of these, at most */
    bool replaces;                     /* some of these are there */
    uint8_t *vectors;                  /* size bytes each */
    size_t size;
    struct why *errors;     /* per element; empty: valid */
    enum outcome *outcomes; /* per element */
    struct map fresh;       /* ids that come for the first time, to their elements */
};

/* False when memory is short; batch_fini is called in any case. */
MUST_USE bool batch_init(struct batch *b, size_t count, const struct collection_spec *spec);
void batch_fini(struct batch *b);

/* [any thread] Reads elements from .. to - 1: checks and normalises. False when memory ran out. */
MUST_USE bool batch_read(struct batch *b, const struct collection *c, const struct vmadd_args *a,
                         const struct batch_ids *ids, size_t from, size_t to);
/* [loop] What becomes of these; in order, all that come before have been planned. */
void batch_plan(struct batch *b, const struct db *db, const struct collection *c,
                const struct put_options *options, size_t from, size_t to);
/* Per element 1 (new), 0 (replaced), null (NX, XX) or its error: one bad element does not spoil the
 * others. */
void batch_reply(struct reply *reply, const struct batch *b, size_t from, size_t to);

#endif
