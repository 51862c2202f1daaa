/* index.h: finding the nearest rows. What every index does, and what it sees of a collection.
 *
 * An index holds rows and links only; vectors, codes and visibility belong to the collection, which
 * hands them in as struct index_rows. Calls marked [loop] are made on the loop; calls marked [lane]
 * run on any lane, many at once, under an epoch guard that the loop holds for them.
 *
 * Life of a row in an index: row_init [loop], link [lane], found by searches, dead (the collection
 * sets its death LSN), sweep [lane] until no link leads to it, a grace period, row_free [loop]. */
#ifndef VDB_INDEX_INDEX_H
#define VDB_INDEX_INDEX_H

#include "base/column.h"
#include <stdatomic.h>

#include "base/err.h"
#include "base/job.h"
#include "base/topk.h"
#include "vec/codec.h"

#define ROW_NONE UINT32_MAX
#define LSN_NEVER UINT64_MAX /* birth of a free row, death of a live one */

enum { INDEX_EFFORTS_MAX = 24 };

/* A collection as a search or a link job sees it: bases captured by the loop at submit, plus the
 * LSN it reads at. immutable for the job */
struct index_rows {
    const struct codec *codec;
    const uint8_t *codes;           /* row r at codes + r * codec->row_size */
    const _Atomic uint64_t *birth;  /* stored with release when the row's contents are complete */
    const _Atomic uint64_t *death;  /* set once by the loop; acquire */
    uint64_t lsn;                   /* a row is visible when birth <= lsn < death */
    uint32_t end;                   /* rows are 0 .. end - 1 */
    const _Atomic uint64_t *expire; /* Unix time in ms, 0: never; NULL: nothing expires */
    uint64_t now_ms;                /* a row that has expired by then is not visible */
    const uint16_t *group;          /* of each row, fixed at its birth */
    const uint64_t *hidden;         /* bits of groups whose rows are not visible; NULL: none is */
};

/* Death is read before birth. A row that is used again gets birth LSN_NEVER, then death LSN_NEVER,
 * then its new birth: who reads the new death does not read the birth of before. */
static inline bool row_visible(const struct index_rows *rows, uint32_t row)
{
    uint64_t death = atomic_load_explicit(&rows->death[row], memory_order_acquire);
    if (atomic_load_explicit(&rows->birth[row], memory_order_acquire) > rows->lsn ||
        rows->lsn >= death)
        return false;
    if (rows->hidden != NULL &&
        (rows->hidden[rows->group[row] / 64] >> (rows->group[row] % 64) & 1) != 0)
        return false;
    if (rows->expire == NULL)
        return true;
    uint64_t expire_ms = atomic_load_explicit(&rows->expire[row], memory_order_relaxed);
    return expire_ms == 0 || expire_ms >= rows->now_ms;
}

static inline bool row_dead(const struct index_rows *rows, uint32_t row)
{
    return atomic_load_explicit(&rows->death[row], memory_order_acquire) != LSN_NEVER;
}

static inline const uint8_t *row_code(const struct index_rows *rows, uint32_t row)
{
    return rows->codes + (size_t)row * rows->codec->row_size;
}

/* Which rows count. NULL accept: all visible ones. */
struct index_filter {
    bool (*accept)(void *user, uint32_t row); /* a visible row; called on the lane */
    void (*fetch)(void *user, uint32_t row);  /* what accept will read, ahead; or NULL */
    void *user;
    bool all_visible; /* of scan_list: the rows are known to be visible */
};

/* Fetches what tells whether a row is visible and what the filter reads: rows that a walk or an
 * index names lie anywhere. */
static inline void row_fetch(const struct index_rows *rows, const struct index_filter *filter,
                             uint32_t row)
{
    if (!filter->all_visible) {
        __builtin_prefetch((const void *)&rows->birth[row]);
        __builtin_prefetch((const void *)&rows->death[row]);
    }
    if (filter->fetch != NULL)
        filter->fetch(filter->user, row);
}

struct index_query {
    const uint8_t *prepared; /* codec_query */
    const float *vector;     /* the same query as floats, under COSINE at length 1; IVF reads it */
    size_t effort;           /* HNSW: ef, how many of the nearest rows are followed; IVF: kept */
    size_t keep;             /* rows wanted back, without a filter; effort when that is more */
    const uint32_t *hidden;  /* NULL, or a row that a walk passes by as if it were not there */
    size_t probes;           /* IVF: lists looked at, */
    size_t least;            /* and then more of them until so many rows are found */
    size_t visit_max;        /* give up a filtered walk after so many rows; 0: never */
    struct index_filter filter;
    bool matching_only;     /* with a filter: walk from match to match */
    const uint32_t *starts; /* then: rows that match, from anywhere, to set out from too */
    size_t start_count;
};

/* What a search cost. Sums; the caller sets them to 0. */
struct index_cost {
    uint64_t distances; /* rows scored */
    uint64_t hops;      /* rows whose links were followed */
    uint64_t tested;    /* rows that a walk asked the filter about */
    /* May it cost more? Asked now and then; once it says no, passes and walks end with the best so
     * far. NULL: as much as it takes. */
    bool (*is_over)(void *user);
    void *user;
    bool stopped; /* it has said no */
};

static inline bool index_stops(struct index_cost *cost)
{
    if (cost->is_over != NULL && !cost->stopped)
        cost->stopped = cost->is_over(cost->user);
    return cost->stopped;
}

/* A set of dead rows that a sweep takes out. immutable while the sweep runs */
struct index_dead {
    const uint64_t *bits; /* one bit per row below end */
    uint32_t end;
};

/* What a sweep found; of an index without links, nothing. owner: the job, then the loop */
struct index_sweep {
    uint32_t best_row; /* a live row of the highest level seen; ROW_NONE: none */
    int best_level;    /* -1: none */
    uint32_t *orphans; /* rows that lost what led to them from near by: link them again */
    size_t orphan_count;
    size_t orphan_capacity;
    uint64_t repaired; /* rows whose links changed */
    uint64_t worn;     /* rows of HNSW_WORN, perhaps some twice */
};

/* Rows whose elements have moved to other rows, which the index is to name in their place.
 * A row moves to one below all that move. immutable while it does so */
struct index_moves {
    const uint32_t *to;  /* by row - first: where it has moved, ROW_NONE: it has not */
    uint32_t first, end; /* the rows that have moved are in first .. end - 1 */
};

struct index;

struct index_ops {
    const char *name;
    bool is_graph; /* struct hnsw: rows have links, which wear and go into snapshots (hnsw.h) */
    /* [loop] Room for rows 0 .. rows - 1; cost: bytes reserve would newly take. */
    enum err (*reserve)(struct index *x, uint32_t rows);
    size_t (*cost)(const struct index *x, uint32_t rows);
    /* [loop] Prepares the place of a new row; hash decides its level. reserve came before. */
    void (*row_init)(struct index *x, uint32_t row, uint64_t hash);
    /* [loop] The row has died and no link leads to it: jobs that start later pass it over. */
    void (*row_retire)(struct index *x, uint32_t row);
    /* [loop] No link leads to the row and no reader can hold it. */
    void (*row_free)(struct index *x, uint32_t row);
    /* [lane] Makes the row findable by search. False when memory ran out, or the rows that were to
     * lead to it have died meanwhile: try again later. */
    bool (*link)(struct index *x, const struct index_rows *rows, struct lane *lane, uint32_t row);
    /* [lane] Nearest rows by code score, sorted, at most effort or keep of them. With a filter:
     * accepted and visible ones only; without: any linked row, dead and unborn ones among them.
     * Returns how many were put in out (room for the more of the two), or SIZE_MAX when memory ran
     * out. *complete: false when visit_max ended the walk, or a list is
     * being written to for long. */
    size_t (*search)(const struct index *x, const struct index_rows *rows, struct lane *lane,
                     const struct index_query *query, struct hit *out, bool *complete,
                     struct index_cost *cost);
    /* [loop or lane] Has link finished for the row since row_init? */
    bool (*was_linked)(const struct index *x, uint32_t row);
    /* hnsw.h says what these have to do: sweeping dead rows out [lane, loop], and turning to rows
     * that elements have moved to [loop, lane, lane, loop]. */
    enum err (*sweep_range)(struct index *x, const struct index_rows *rows,
                            const struct index_dead *dead, struct lane *lane, uint32_t *row,
                            uint32_t end, struct index_sweep *sweep);
    void (*sweep_finish)(struct index *x, const struct index_dead *dead,
                         const struct index_sweep *sweep);
    bool (*move_init)(struct index *x, uint32_t from, uint32_t to);
    void (*move_lists)(struct index *x, const struct index_moves *moves, uint32_t row);
    void (*move_links)(struct index *x, const struct index_moves *moves, uint32_t row);
    void (*move_finish)(struct index *x, const struct index_moves *moves);
    /* Efforts worth telling apart, rising, from the least on; how many. Calibrations measure recall
     * at these, and searches with a target take one of them or one between two. */
    size_t (*efforts)(const struct index *x, uint32_t out[INDEX_EFFORTS_MAX]);
    /* [loop] Rows from `rows` on are free: gives back memory behind them, about bytes_max of it
     * (columns_shrink); false: there is no more. excess: the bytes there are, or nearly. */
    bool (*shrink)(struct index *x, uint32_t rows, size_t bytes_max);
    size_t (*excess)(const struct index *x, uint32_t rows);
    size_t (*bytes)(const struct index *x);
    /* [loop] columns_spans of rows first .. end - 1. */
    size_t (*spans)(const struct index *x, uint32_t first, uint32_t end, struct column_span *out);
    void (*free)(struct index *x); /* [loop] nobody uses it any more */
};

struct index {
    const struct index_ops *ops;
};

#endif
