/* ivf.h: the index of inverted lists (src/index/README.md, "IVF"): every row stands in the list of
 * the centroid that is nearest to it, and a search looks at the lists of those nearest to the
 * query.
 *
 * An index is made by a trainer, from a sample of the rows there are; rows are then linked to it.
 * Before there are enough of them a collection is flat (db/train.h). */
#ifndef VDB_INDEX_IVF_H
#define VDB_INDEX_IVF_H

#include "base/epoch.h"
#include "index/index.h"

/* What a list holds of a row besides its number. */
enum ivf_codes {
    IVF_ROWS, /* nothing: rows are scored where they stand */
    IVF_PQ    /* 4 bits per part of what the centroid leaves (vec/pq.h) */
};

struct ivf_shape {
    uint32_t lists;
    enum ivf_codes codes;
    uint32_t subs; /* of PQ */
    uint64_t seed;
};

/* A sample on its way to an index. One job at a time has it. */
struct ivf_trainer;

/* rows: how they are read; size: of the sample, at least lists and PQ_CENTERS. NULL when memory is
 * short. */
MUST_USE struct ivf_trainer *ivf_trainer_new(const struct index_rows *rows,
                                             const struct ivf_shape *shape, size_t size);
void ivf_trainer_free(struct ivf_trainer *t);
/* [lane] Takes random visible rows into the sample, some each time; *over: it has enough. */
MUST_USE enum err ivf_trainer_sample(struct ivf_trainer *t, const struct index_rows *rows,
                                     bool *over);
/* [lane] A step of some milliseconds; *over: there is nothing left to learn. */
MUST_USE enum err ivf_trainer_step(struct ivf_trainer *t, bool *over);
/* In percent. */
unsigned ivf_trainer_progress(const struct ivf_trainer *t);
/* [loop] The index, without rows, when nothing is left to learn. NULL when memory is short. Once.
 */
MUST_USE struct index *ivf_trainer_take(struct ivf_trainer *t, struct epoch *epoch,
                                        uint32_t rows_max);

/* [loop or lane] What an index is like now. */
struct ivf_stats {
    uint32_t lists;
    uint32_t rows;    /* linked */
    uint32_t longest; /* rows of the longest list; from ivf_measure */
    double imbalance; /* how many rows a search looks at, by what it would if all lists were
                       * alike: lists * sum of squares / square of the sum; likewise */
    double drift;     /* mean distance of rows linked lately to their centroid, by that of the
                       * sample; 1 while there are few */
};
void ivf_stats(const struct index *x, struct ivf_stats *out);
/* The same with what takes a look at every list. */
void ivf_measure(const struct index *x, struct ivf_stats *out);

/* [loop] It is taken into use: drift counts from here on. */
void ivf_begin_drift(struct index *x);

/* Probes a search makes that does not say: few of many lists. */
uint32_t ivf_probes_default(const struct index *x);

/* Checks the invariants for all rows for which linked() holds; returns the first that is broken, or
 * NULL. Nothing may be linking. */
const char *ivf_check(const struct index *x, const struct index_rows *rows,
                      bool (*linked)(void *user, uint32_t row), void *user);

#endif
