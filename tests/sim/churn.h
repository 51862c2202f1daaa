/* churn.h: one collection in the simulator whose elements are put, replaced, removed and searched
 * all the while, with jobs that take long, so that everything happens between their steps. Every
 * search must find what is there when it starts, as it is. */
#ifndef VDB_TESTS_SIM_CHURN_H
#define VDB_TESTS_SIM_CHURN_H

#include "db/search.h"
#include "sim/sim_io.h"

enum {
    CHURN_DIM = 8,
    CHURN_IDS = 1500,
    CHURN_SLOTS = 16, /* searches out at a time */
    CHURN_HOUR_US = 3600u * 1000 * 1000 / 4
};

/* One search at a time. owner: the loop, but for what encode() writes while it is out */
struct churn_slot {
    struct churn *world;
    bool out;
    uint32_t id, version; /* what must be found */
    bool found;
    const char *wrong;
};

struct churn {
    struct sim *sim;
    struct db db;
    struct collection *c;
    uint64_t random;
    uint32_t versions[CHURN_IDS]; /* 0: not there */
    uint32_t next_version;
    size_t live;
    struct churn_slot slots[CHURN_SLOTS];
    unsigned searches, missed;
    bool lossy; /* vectors come back as codes have them */
    const char *wrong;
};

/* With elements in it, and the first jobs under way. The seed chooses lanes, codes and delays. */
struct churn *churn_new(uint64_t seed, enum index_kind kind);
void churn_free(struct churn *w);

void churn_vector(uint32_t id, uint32_t version, float *out);
void churn_write(struct churn *w, const struct mutation *m);
void churn_put(struct churn *w, uint32_t id);
void churn_remove(struct churn *w, uint32_t id);
bool churn_searches_are_over(void *user);
/* Do all books agree, and has no search found what is wrong? */
void churn_expect_sound(struct churn *w, bool quiet, int line);
/* Runs so many steps, with searches all the while and now and then a change. */
void churn_run(struct churn *w, unsigned steps, unsigned changes_percent, bool grows);
/* Until nothing is left to do. */
void churn_settle(struct churn *w);
/* In random order. */
void churn_remove_most(struct churn *w, unsigned percent);

#endif
