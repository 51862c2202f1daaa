/* crash.h: the parts of `make test-crash`. Each runs for a share of the time given, counts what it
 * did and names what failed, so that it can be run again alone. */
#ifndef VDB_TESTS_CRASH_CRASH_H
#define VDB_TESTS_CRASH_CRASH_H

#include "crash/datadir.h"
#include "crash/pool.h"
#include "sim/lives.h"

struct crash_options {
    uint64_t seed;    /* the first; what is tried follows from it */
    double seconds;   /* of each part; 0: until all that was asked for is done */
    uint64_t lives;   /* seeds of random lives; UINT64_MAX: as many as there is time for */
    uint64_t scripts; /* of which every call is cut, and made to fail */
    uint64_t fates;   /* ways in which each crash may leave the disk */
    bool all_bytes;   /* else a sample */
    unsigned workers;
    bool verbose;
    uint64_t attempts; /* to make each planted bug fail, from each of three seeds */
    uint64_t plant; /* only this one; UINT64_MAX: all */
};

/* What all parts came to. */
struct crash_report {
    uint64_t lives[LIVES_COUNT];
    uint64_t seeds, points, point_runs, fault_runs;
    uint64_t flips[5], cuts[5], files[5]; /* tried, refused, checked, harmless, silent */
    uint64_t damaged_kinds[DATADIR_KINDS]; /* mutations, by number, in the log that was damaged */
    uint64_t planted, caught;
    uint64_t failed;
    bool incomplete; /* time ended before all that was asked for was done */
};

/* part_points.c: random lives; a power cut at every call that changes files; every call failing. */
void crash_lives(const struct crash_options *o, struct crash_report *report);
void crash_points(const struct crash_options *o, struct crash_report *report);
void crash_faults(const struct crash_options *o, struct crash_report *report);
/* The number-th of many attempts to make something fail; all ways take turns. */
bool crash_attempt(uint64_t seed, uint64_t number, uint64_t *counts, char text[POOL_TEXT]);
/* One plan, as failures name it. */
bool crash_one(const char *text, bool verbose, char reason[POOL_TEXT]);
/* part_bytes.c: every byte flipped, every length cut, files gone, swapped, twice, or old. */
void crash_bytes(const struct crash_options *o, struct crash_report *report);
/* A few of those, to a directory of a seed. */
bool crash_damage(uint64_t seed, char text[POOL_TEXT]);
/* part_planted.c: in a build with VDB_PLANTS, bugs that the parts above must catch. */
void crash_planted(const struct crash_options *o, struct crash_report *report);

/* Adds what a pool did to the report, and prints its failures under a name. */
void crash_collect(struct crash_report *report, const struct pool *p, const char *name);

#endif
