/* pending.h: rows that are visible and not yet in the graph, oldest first.
 *
 * A queue in chunks that never move. Rows are pushed by the loop and handed to link jobs in order;
 * the head passes a row only once that row is linked (or dead), so whoever copies head and tail
 * when a search is submitted has every row the graph may not lead to.
 *
 * owner: loop. Lanes read positions head .. tail - 1 of a span taken by the loop, under a guard. */
#ifndef VDB_DB_PENDING_H
#define VDB_DB_PENDING_H

#include "base/epoch.h"
#include "base/mem.h"

enum { PENDING_CHUNK_ROWS = 2040 };

struct pending_chunk {
    struct epoch_item item;
    struct pending_chunk *next;
    uint64_t first; /* position of rows[0] */
    uint32_t rows[PENDING_CHUNK_ROWS];
};

struct pending {
    struct epoch *epoch;
    struct pending_chunk *first, *last;
    struct pending_chunk *taking; /* holds position taken */
    struct pending_chunk *spare;  /* reserved and not yet used, linked by next */
    size_t spare_count;
    uint64_t head, taken, tail; /* positions; head <= taken <= tail */
    size_t owed;                /* rows taken that may come back: places are kept for them */
    size_t promised;            /* pushes that places are kept for */
};

/* What a search scans. immutable */
struct pending_span {
    const struct pending_chunk *chunk;
    uint64_t head, tail;
};

void pending_init(struct pending *p, struct epoch *epoch);
/* No reader is left. */
void pending_fini(struct pending *p);

/* Makes sure that the next count pushes succeed, whatever is taken and returned in between. */
MUST_USE bool pending_reserve(struct pending *p, size_t count);
/* The same for count pushes more than were promised, which come at once. */
MUST_USE bool pending_reserve_more(struct pending *p, size_t count);
void pending_push(struct pending *p, uint32_t row);

/* The next row nobody took; false when there is none, or no memory to keep a place for its return.
 * Then either pending_return or pending_settle is called once for it. */
bool pending_take(struct pending *p, uint32_t *row);
void pending_return(struct pending *p, uint32_t row);
void pending_settle(struct pending *p);
/* The oldest row, if it was taken; pending_drop_head passes it. */
bool pending_head(const struct pending *p, uint32_t *row);
void pending_drop_head(struct pending *p);

static inline size_t pending_count(const struct pending *p)
{
    return (size_t)(p->tail - p->head);
}

struct pending_span pending_span(const struct pending *p);

/* [lane] Calls fn with runs of rows of a span. */
void pending_each(const struct pending_span *span,
                  void (*fn)(void *user, const uint32_t *rows, size_t count), void *user);

#endif
