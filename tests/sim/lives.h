/* lives.h: one server after another over one disk, in the simulator, with crashes between them.
 *
 * Clients work on each server as in server_sim.h, and every reply is judged. After a crash the next
 * server must hold the effect of a prefix of the log, found by playing the test's own copy of the
 * records, and of each of them once; with appendfsync always the prefix holds all that any reply
 * has told of, with everysec all that is older than two seconds. Some crashes take the process and
 * not the power: then nothing that a write was answered for may be gone, whatever the setting. Then
 * the clients go on, and the model with them. Everything follows from the plan. */
#ifndef VDB_TESTS_SIM_LIVES_H
#define VDB_TESTS_SIM_LIVES_H

#include "sim/server_sim.h"

/* What goes wrong at a call about files; after a while all is well again. */
#define LIVES_FAULT_LIST(X)                                                                        \
    X(FAULT_NONE, "none")                                                                          \
    X(FAULT_ONCE, "the call fails")                                                                \
    X(FAULT_FULL, "the disk is full from then on")                                                 \
    X(FAULT_DEAD, "writes and syncs fail from then on")

enum lives_fault {
#define X(name, text) name,
    LIVES_FAULT_LIST(X)
#undef X
        FAULT_COUNT
};

const char *lives_fault_text(enum lives_fault fault);

/* What a run came to; counts of many runs add up. */
#define LIVES_COUNT_LIST(X)                                                                        \
    X(LIVES_RUNS)                                                                                  \
    X(LIVES_COMMANDS)                                                                              \
    X(LIVES_REPLIES)                                                                               \
    X(LIVES_CRASHES)       /* while it served */                                                   \
    X(LIVES_RECOVERY_CUTS) /* while it recovered */                                                \
    X(LIVES_KILLS)         /* of both: the process, not the power */                               \
    X(LIVES_RECOVERIES)    /* that came through and were compared */                               \
    X(LIVES_REPLAYED)      /* records that a recovery brought back */                              \
    X(LIVES_LOST)          /* records that a crash took; nobody was told of them */                \
    X(LIVES_SNAPSHOTS)                                                                             \
    X(LIVES_STOPS) /* in order */                                                                  \
    X(LIVES_FAULTS)                                                                                \
    X(LIVES_REFUSED) /* commands answered with MISCONF */

enum lives_count {
#define X(name) name,
    LIVES_COUNT_LIST(X)
#undef X
        LIVES_CUT_AT,                               /* by call */
    LIVES_FAULT_AT = LIVES_CUT_AT + SIM_CALL_COUNT, /* by call */
    LIVES_KIND = LIVES_FAULT_AT + SIM_CALL_COUNT,   /* replayed, by number of the mutation */
    LIVES_COUNT = LIVES_KIND + 64
};

enum { LIVES_FAULT_OF_CHANGES = 1, LIVES_SAVES_OFTEN = 2, LIVES_EVERYSEC = 4 };

struct lives_plan {
    uint64_t seed;     /* what clients do, and when */
    uint64_t fate;     /* what crashes leave on the disk */
    uint64_t commands; /* of each life, about */
    unsigned lives;    /* that end with a crash, perhaps none; a last one ends in order */
    uint64_t cut; /* the change of files, from 1, at which the first life ends; 0: any moment */
    bool cut_recoveries;    /* then each recovery is cut, one call later than the one before */
    enum lives_fault fault; /* in the first life, at its call fault_at about files, from 1, */
    uint64_t fault_at;      /* or with LIVES_FAULT_OF_CHANGES of those that change them */
    unsigned how;           /* these bits */
    bool verbose;           /* every event goes to stderr */
};

/* False: text says what is wrong. */
bool lives_run(const struct lives_plan *plan, uint64_t counts[LIVES_COUNT], char *text,
               size_t size);

/* How many changes of files and how many calls about files the first life of a plan makes when
 * nothing happens to it. */
void lives_measure(const struct lives_plan *plan, uint64_t *changes, uint64_t *calls);

#endif
