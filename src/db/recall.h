/* recall.h: what searches of a collection find of what they should: calibrations, by which a search
 * with a target takes its effort, and checks of clients' searches.
 *
 * Both are work that nobody waits for: exact scans in slices, on lanes that have nothing else to
 * do, of a share of one core (percent). One batch is under way at a time; collections take turns.
 *
 * A collection is calibrated once somebody names a target: until CALIBRATION_QUERIES_MIN queries
 * were measured by a guess on the high side, from then on by what there is, up to QUERIES of them.
 * The queries are those that clients asked lately; while these are few, rows of its own, moved a
 * little. When a fifth of the rows is new, or gone, it is calibrated again, and meanwhile the
 * target is taken higher; again, too, when clients have asked twice as many queries as it is of.
 *
 * One search in sample_every is checked: it runs again beside an exact one, at one moment.
 *
 * owner: loop; a lane has the batch while its job is out. */
#ifndef VDB_DB_RECALL_H
#define VDB_DB_RECALL_H

#include "base/io.h"
#include "db/calibration.h"

struct collection;
struct db;
struct recall;
struct recall_batch;
struct search;

enum { RECALL_PERCENT_MAX = 90, RECALL_WINDOW = 256 };

/* The last checks; they slide out as others come. */
struct recall_checked {
    float recall;
    uint32_t k;
};

struct recall_window {
    struct recall_checked items[RECALL_WINDOW];
    uint64_t count; /* ever */
};

/* All of a database. */
struct recall_watch {
    struct db *db;
    struct recall *turn;         /* ring of collections that have one; the one whose turn it is */
    struct recall_batch *batch;  /* under way, or NULL */
    struct io_timer timer;       /* the next slice, or NULL fn: nothing is to be done */
    bool waits;                  /* the timer runs */
    bool out;                    /* the batch's job is on a lane */
    unsigned percent;            /* of a core; 0: nothing is calibrated or checked */
    uint32_t sample_every;       /* 0: no search is checked */
    uint32_t until_sample;       /* searches */
    uint64_t random;             /* state of rng.h */
    struct recall_window window; /* of all collections */
    uint64_t checks, checked_hits, missed_hits, calibrations, busy_us; /* counters */
};

void recall_init(struct recall_watch *w, struct db *db);
void recall_set(struct recall_watch *w, unsigned percent, uint32_t sample_every);

/* [loop] A search with a target begins: its effort, into s->efforts; or s->exact, when nothing less
 * comes to the target. */
void recall_plan(struct recall_watch *w, struct search *s);
/* [loop] A search has been answered. True: it is kept, to be checked; the caller has no longer
 * anything to do with it. */
bool recall_takes(struct recall_watch *w, struct search *s);

/* What the last checks of a collection found. count of them, 0: none. */
struct recall_report {
    struct recall_interval measured; /* at 95 % */
    uint32_t checks;                 /* in the window */
    uint32_t queries, real;          /* of the calibration in use; 0: none */
    bool aged;                       /* it is being made again */
};

struct recall_report recall_report(const struct collection *c);
/* The same over all collections, of which nothing is calibrated. */
struct recall_report recall_report_all(const struct recall_watch *w);
/* Calls fn for collections of which something is known, at most so many. */
void recall_each(const struct recall_watch *w, size_t most,
                 void (*fn)(void *user, const struct collection *c), void *user);

size_t recall_bytes(const struct collection *c);
/* [loop] The collection is being dropped. */
void recall_forget(struct recall_watch *w, struct collection *c);
/* [lane] Nobody holds it any more. */
void recall_free(struct recall *r);

#endif
