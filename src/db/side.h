/* side.h: an index over the rows of a collection, and the codes that it reads.
 *
 * A collection has one that serves. While VALTER's wish is being made it has a second one beside it
 * (alter.h): both know of every row, each in a column of states of its own, and each links and
 * sweeps for itself. A dead row is free when neither leads to it any more.
 *
 * A side that is retired stays until nobody holds it: jobs that come back find it retired, and
 * leave everything as it is.
 *
 * owner: loop. Lanes read shape, codec and graph, which do not change once rows are born. */
#ifndef VDB_DB_SIDE_H
#define VDB_DB_SIDE_H

#include "base/column.h"
#include "base/epoch.h"
#include "base/io.h"
#include "db/pending.h"
#include "db/spec.h"
#include "index/index.h"

struct collection;
struct retired;
struct sweep;

enum row_state {
    ROW_FREE,
    ROW_FLAT,
    ROW_PENDING,
    ROW_LINKING,
    ROW_LINKED,
    ROW_MOVED, /* death says whether it is alive */
    ROW_DEAD_QUEUED,
    ROW_DEAD_LINKED,
    ROW_SWEEPING,
    ROW_OUT, /* dead; this side does not lead to it, but the other one may */
    ROW_LIMBO
};

/* What lists were like when they were taken into use (train.h). */
struct side_training {
    uint64_t rows;
    uint64_t looked; /* at what they are like now, by how many rows there were then */
    double imbalance;
};

struct side {
    struct collection *collection;
    struct spec_shape shape;
    struct codec codec;    /* of what walks read */
    unsigned state_column; /* of the collection's: enum row_state */
    unsigned code_column;  /* likewise; the exact vectors, when there are no codes */
    struct index *graph;   /* NULL while flat */
    struct index *made;    /* it is to have, when it gets one: IVF's, which is trained before */
    struct side_training trained;
    struct pending pending;
    size_t pending_owed; /* of pending rows: no writer's who is there now */
    size_t dead_linked;  /* rows a sweep would take out */
    size_t sweeping;     /* rows that are ROW_SWEEPING */
    unsigned link_jobs;
    struct sweep *sweep;
    struct io_timer
        sweep_timer; /* for a few dead rows, when nothing else has happened for a while */
    bool sweep_anyway;
    uint32_t relink_next, relink_end; /* rows where some may have to be linked again, */
    uint32_t relink_out;              /* ... besides those that jobs are looking at */
    unsigned relink_wear;             /* of this wear (enum hnsw_wear) */
    size_t relink_peak;               /* most live rows since the collection has halved */

    bool retired; /* it is not the collection's any more: then */
    struct epoch_item end;
    struct job end_job;
    struct io *io;
    struct retired *sum;
    struct column_left columns[3]; /* that went with it */
    size_t retired_bytes;
};

/* NULL when memory is short. The columns are the caller's to make. */
MUST_USE struct side *side_new(struct collection *c, const struct spec_shape *shape,
                               unsigned state_column, unsigned code_column);
/* [any thread] Nobody uses it any more. */
void side_free(struct side *s);
/* It serves no longer, or will never: freed when nobody holds it. columns[] are set. */
void side_retire(struct side *s);

/* The collection as its jobs see it. */
struct index_rows side_rows(const struct side *s, uint64_t lsn);

/* Bytes of its code of a row; 0: walks read the exact vectors. */
static inline uint32_t side_code_bytes(const struct side *s)
{
    return spec_has_codes(&s->shape) ? s->codec.row_size : 0;
}

/* Bytes that room for rows 0 .. end - 1 would newly take; then to have it, and for count rows more
 * that are pending. */
size_t side_cost(const struct side *s, uint32_t end);
MUST_USE enum err side_reserve(struct side *s, uint32_t end, size_t count);
size_t side_bytes(const struct side *s);

/* Would an index of that shape be walked, with so many rows? */
bool side_wants_graph(const struct side *s, uint32_t end);
/* An empty graph with room for so many rows. The columns are large. */
MUST_USE enum err side_make_graph(struct side *s, uint32_t rows);

/* Where the code of a row stands. */
uint8_t *side_code(const struct side *s, uint32_t row);
enum row_state side_state(const struct side *s, uint32_t row);
void side_set_state(struct side *s, uint32_t row, enum row_state state);

/* The row is alive; hash: collection_level_hash of its id. What is reserved suffices. */
void side_take(struct side *s, uint32_t row, uint64_t hash);
/* It has died. True: nothing of this side leads to it. */
MUST_USE bool side_forget(struct side *s, uint32_t row);
/* A dead row has left the pending queue. True: nothing of this side leads to it. */
MUST_USE bool side_leave_queue(struct side *s, uint32_t row);
/* Is it done with a row that has died? */
static inline bool side_is_through(const struct side *s, uint32_t row)
{
    enum row_state state = side_state(s, row);
    return state == ROW_OUT || state == ROW_FREE;
}

/* Rows that one search may have to scan are more than allowed, as collection.h has it. */
bool side_is_full(const struct side *s);
/* So many rows may be pending while somebody searches. */
size_t side_pending_rows(const struct side *s);

#endif
