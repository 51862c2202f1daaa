/* robust.h: the parts of `make robust`. Each counts what it did and names what failed, so that it
 * can be run again alone. */
#ifndef VDB_TESTS_ROBUST_ROBUST_H
#define VDB_TESTS_ROBUST_ROBUST_H

#include <stdbool.h>
#include <stdint.h>

struct robust_options {
    uint64_t seed;
    double seconds; /* of each part; what must be covered is, in any case */
    unsigned workers;
    uint64_t task; /* of the fuzzing: this one alone, and its commands are printed; or UINT64_MAX */
    const char *only; /* commands whose name has this in it, without case; NULL: all */
};

struct robust_report {
    unsigned passed, failed;
};

/* sweep.c: every allocation of every command fails once. */
void robust_sweep(const struct robust_options *o, struct robust_report *report);
/* restart.c: the same of a start over a directory with every kind of change in it. */
void robust_restart(const struct robust_options *o, struct robust_report *report);
/* fuzz.c: what the tables of arguments allow, and what they do not, in any mixture. */
void robust_fuzz(const struct robust_options *o, struct robust_report *report);

/* Is the command of that name among those asked for? */
bool robust_takes(const struct robust_options *o, const char *name);

/* Prints a line of the table. */
void robust_row(const char *what, uint64_t count);

#endif
