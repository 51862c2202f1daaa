/* scratch.h: working memory of a lane, kept from job to job: a buffer per use, grown when needed.
 */
#ifndef VDB_INDEX_SCRATCH_H
#define VDB_INDEX_SCRATCH_H

#include "base/job.h"
#include "base/mem.h"

enum scratch_use {
    SCRATCH_VISITED,    /* one bit per row; all zero between uses */
    SCRATCH_POOL,       /* candidates of a walk */
    SCRATCH_FRONTIER,   /* of a filtered walk */
    SCRATCH_TOUCHED,    /* rows whose visited bit is set, when clearing all would be dearer */
    SCRATCH_VISITED_2,  /* of a walk over matching rows: a second set of rows, as the first */
    SCRATCH_TOUCHED_2,
    SCRATCH_CANDIDATES, /* of neighbour selection */
    SCRATCH_QUERY_A,    /* prepared queries of rows */
    SCRATCH_QUERY_B,
    SCRATCH_QUERY_C,
    SCRATCH_LIST_A,     /* link lists */
    SCRATCH_LIST_B,
    SCRATCH_CHOSEN,
    SCRATCH_SCORES,
    SCRATCH_HITS,       /* of the collection's search */
    SCRATCH_HITS_2,
    SCRATCH_VECTOR,     /* a float vector */
    SCRATCH_USE_COUNT
};

/* At least size bytes, 64-byte aligned, contents as the last use left them (zero when new or
 * grown). NULL when memory is short. */
MUST_USE void *scratch_get(struct lane *lane, enum scratch_use use, size_t size);

#endif
