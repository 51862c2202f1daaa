/* bulk.h: a put of very many elements: one record like any other, applied in slices.
 *
 * The loop would be held for tens of milliseconds if all of it happened in one turn. So it is
 * logged at once, at an LSN of its own, and then its elements become rows a few at a time while
 * others are served:
 *
 *     bulk_claim ──► bulk_prepare ... ──► bulk_write ──► bulk_apply ... ──► over
 *
 * Nobody sees a part of it. Until the last element is there the collection is shown as it was at
 * the LSN before: views read there, and ids of new rows lead nowhere. Rows that die meanwhile would
 * be missing in such a view, and partitions count what is in them, so a bulk that replaces elements
 * or meets partitions has readers wait, which is the business of cmd/bulk_add.h, as it is to keep
 * other writers of the collection away from the claim to the end. Should one come nevertheless, a
 * snapshot, or the end of the server, the rest is done first, at once (bulk_settle): so it never
 * matters for what the data is.
 *
 * One at a time. owner: loop. */
#ifndef VDB_DB_BULK_H
#define VDB_DB_BULK_H

#include "base/column.h"
#include "db/mutation.h"

struct collection;
struct db;
struct mlog_ready;

enum bulk_state {
    BULK_IDLE,
    BULK_CLAIMED,
    BULK_OUTDATED, /* something else has changed the collection, or removed it, since the claim */
    BULK_APPLYING,
    BULK_APPLIED
};

struct bulk {
    struct db *db;
    struct collection *collection; /* while claimed or applying */
    enum bulk_state state;
    const struct mutation *put; /* from bulk_write on */
    size_t done;                /* of its elements */
    size_t live;                /* elements before it */
    uint64_t lsn;
    bool replaces;
};

enum { BULK_SPANS_MAX = 3 * COLUMNS_MAX + 1 };

/* Memory that its rows are going to stand in. */
struct bulk_spans {
    struct column_span list[BULK_SPANS_MAX];
    size_t count;
};

/* What of it memory is set aside for. */
struct bulk_size {
    size_t count, heap_bytes; /* of elements; of their ids and attributes (heap_record_size) */
    bool expires, replaces;   /* some do */
};

/* No other one has claimed. From here on no row of the collection moves. */
void bulk_claim(struct bulk *b, struct db *db, struct collection *c);
/* Gives up before bulk_write. */
void bulk_release(struct bulk *b);
/* The part that can fail, in pieces: *more says that there are others. */
MUST_USE enum err bulk_prepare(struct bulk *b, const struct bulk_size *size, bool *more);
/* All is prepared: what somebody else may touch (column_span_touch) before it is written. */
void bulk_spans(const struct bulk *b, const struct bulk_size *size, struct bulk_spans *out);
/* All is prepared. The mutation stays until it is applied. ERR_NOMEM: nothing has happened. */
MUST_USE enum err bulk_write(struct bulk *b, const struct mutation *put, bool replaces,
                             struct mlog_ready *ready);
/* Puts some elements; the state says when these were the last. */
void bulk_apply(struct bulk *b, size_t most);

/* Before anything else changes the data at a key, or (key.ptr NULL) all of it, or looks at rows
 * without a view. */
void bulk_settle(struct db *db, struct slice key);

/* The LSN that views of the collection read at. */
uint64_t bulk_view_lsn(const struct db *db, const struct collection *c);
/* Is it a row that nobody is to see yet? */
bool bulk_hides(const struct db *db, const struct collection *c, uint32_t row);

#endif
