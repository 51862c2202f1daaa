/* twin.h: a second database that plays what is logged in the first, and can be held back at an LSN
 * and catch up later. */
#ifndef VDB_TESTS_LIB_TWIN_H
#define VDB_TESTS_LIB_TWIN_H

#include "db/db.h"

/* owner: the test, which makes and ends both databases; zero but for twin */
struct twin {
    struct mlog_sink sink; /* first */
    struct db *db, *twin;
    bool held;
    struct buf records; /* since it is held: u64 size, bytes, zeros up to a multiple of 8 */
};

void twin_init(struct twin *t, struct db *db, struct db *twin);
/* Before the databases end. */
void twin_fini(struct twin *t);
/* Plays what came since the twin is held in another database that is at the same LSN. */
void twin_replay(const struct twin *t, struct db *db);
/* The twin itself catches up, and is held no longer. */
void twin_go_on(struct twin *t);

#endif
