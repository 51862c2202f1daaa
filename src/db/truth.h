/* truth.h: the true nearest rows of a few queries, by a scan of all, in slices that a lane takes
 * between other work. Several queries share the reading of the rows.
 *
 * A row has a level: it counts for the lists of levels 0 .. level. So the same pass finds what is
 * nearest among all rows, and among shares of them that stand for what filters let through. */
#ifndef VDB_DB_TRUTH_H
#define VDB_DB_TRUTH_H

#include "base/topk.h"
#include "index/index.h"

enum { TRUTH_QUERIES = 8, TRUTH_LEVELS = 5 };

/* owner: caller; immutable but for next and tops while it runs */
struct truth {
    const struct index_rows *rows; /* with the exact vectors */
    uint8_t *prepared;             /* query_count x codec->query_size; owned */
    size_t query_count, level_count;
    uint32_t own[TRUTH_QUERIES]; /* a row that does not count for this query, or ROW_NONE */
    struct index_filter filter;
    uint64_t seed;               /* of levels */
    double shares[TRUTH_LEVELS]; /* of rows that have so high a level; falling from 1 */
    struct topk tops[TRUTH_QUERIES][TRUTH_LEVELS];
    struct hit *room; /* owned */
    uint32_t next;    /* rows before it were looked at */
};

/* k nearest of query_count vectors of dim floats. rows, and what filter reads, outlive it.
 * ERR_NOMEM. */
MUST_USE enum err truth_init(struct truth *t, const struct index_rows *rows, const float *queries,
                             size_t query_count, size_t level_count, size_t k);
void truth_fini(struct truth *t);

/* [lane] Looks at up to so many rows more; true: all were, and the lists are sorted. */
MUST_USE bool truth_go_on(struct truth *t, struct lane *lane, uint32_t rows);

/* How high a row's level is. */
size_t truth_level(const struct truth *t, uint32_t row);

#endif
