/* measure.h: recall of the walks of an index at each of its efforts, for a few queries: what a
 * calibration is made of. In slices, on a lane.
 *
 * The true neighbours come from a scan of all rows. A search re-ranks its first candidates by exact
 * distances, so what it would find is what is among these: no search is run for each k and share.
 */
#ifndef VDB_DB_MEASURE_H
#define VDB_DB_MEASURE_H

#include "db/calibration.h"
#include "db/collection.h"
#include "db/truth.h"

/* owner: caller; between slices nobody touches it */
struct measure {
    const struct collection_view *view;
    float *queries; /* TRUTH_QUERIES x dim; owned, filled by the caller before the first slice */
    struct truth truth;
    bool lists;              /* the index looks at lists, not along links */
    bool begun, failed;      /* failed: memory was short; what was measured is good for nothing */
    bool insists;            /* the walk to come was cut short for a search once */
    size_t query, effort;    /* the walk to come: places */
    struct calibration sums; /* of all queries */
};

/* The view, which has a graph, outlives it. real: queries are clients'. ERR_NOMEM. */
MUST_USE enum err measure_init(struct measure *m, const struct collection_view *view);
void measure_fini(struct measure *m);
/* The queries are there; own: the row that each is, which does not count, or ROW_NONE. */
MUST_USE enum err measure_begin(struct measure *m, size_t query_count, size_t real_count,
                                const uint32_t own[TRUTH_QUERIES]);
/* [lane] About half a millisecond's worth, and less when a search waits; true: it is over. */
MUST_USE bool measure_go_on(struct measure *m, struct lane *lane);

#endif
