/* recall_own.h: what recall.c (what is known, and choices by it) and recall_work.c (finding it out)
 * share. */
#ifndef VDB_DB_RECALL_OWN_H
#define VDB_DB_RECALL_OWN_H

#include "db/collection.h"
#include "db/recall.h"
#include "db/search.h"

enum {
    RECALL_QUERIES = 512,     /* a calibration is of so many, */
    RECALL_QUERIES_REAL = 64, /* of clients' alone when there are so many at least */
    RECALL_SAMPLES = 4        /* searches that wait to be checked */
};

/* What a calibration was made of, as it was when it was begun. */
struct recall_basis {
    const struct index *graph;
    uint64_t side_changes, born; /* the collection's counters, */
    size_t live;                 /* and its elements */
};

/* Of one collection. owner: loop */
struct recall {
    struct recall *next, *prev; /* ring */
    struct collection *collection;
    bool wanted;               /* somebody has named a target */
    struct calibration now;    /* in use, when it is of CALIBRATION_QUERIES_MIN queries or more */
    struct recall_basis basis;
    struct calibration next_one; /* being made */
    struct recall_basis next_basis;
    float *queries; /* the last ones of clients */
    uint32_t query_count, query_room;
    struct effort_plan planned; /* the last choice */
    struct recall_window window;
    struct search *samples[RECALL_SAMPLES];
    uint32_t sample_count;
};

/* Does the collection have work? It gets to it soon. */
void recall_wake(struct recall_watch *w);
/* The batch is not out: it ends. */
void recall_end_batch(struct recall_watch *w);
bool recall_is_of(const struct recall_watch *w, const struct recall *r);

struct recall_basis recall_basis_now(const struct collection *c);
/* Is the index that it was made with still the one that serves? */
bool recall_basis_holds(const struct recall_basis *basis, const struct collection *c);
bool recall_usable(const struct recall *r);
/* So much has changed that it is to be made again. */
bool recall_aged(const struct recall *r);
bool recall_wants_calibration(const struct recall *r);
/* More queries of the calibration that is being made have been measured. */
void recall_add(struct recall_watch *w, struct recall *r, const struct calibration *sums,
                const struct recall_basis *basis);
/* Of a search for k, there are so many at most, and so many of these were found. */
struct recall_check {
    size_t k, there, found;
};

void recall_add_check(struct recall_watch *w, struct recall *r, const struct recall_check *check);

#endif
