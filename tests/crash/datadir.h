/* datadir.h: the files of a data directory, and what a server makes of them once they are damaged.
 */
#ifndef VDB_TESTS_CRASH_DATADIR_H
#define VDB_TESTS_CRASH_DATADIR_H

#include "base/buf.h"

enum { DATADIR_FILES_MAX = 64, DATADIR_PATH_MAX = 128, DATADIR_TEXT_MAX = 480, DATADIR_KINDS = 64 };

struct datadir_file {
    char path[DATADIR_PATH_MAX];
    struct buf bytes;
};

/* owner: caller */
struct datadir {
    struct datadir_file files[DATADIR_FILES_MAX]; /* by path */
    unsigned count;
    uint64_t lsn;              /* what a server loads from it: up to here, */
    uint64_t digest, contents; /* and this (inspect.h) */
    uint64_t findings;         /* of vdb check, while nothing is damaged: notes */
};

/* Lets a server run a script that changes data in every way there is, takes snapshots and rotates
 * its log, and stops it in order. earlier: its files at a stop in the midst of that. kinds: how
 * often each mutation, by number, was in its log. False: text says why. */
bool datadir_make(uint64_t seed, struct datadir *out, struct datadir *earlier,
                  uint64_t kinds[DATADIR_KINDS], char text[DATADIR_TEXT_MAX]);
void datadir_copy(const struct datadir *from, struct datadir *to);
void datadir_free(struct datadir *dir);

/* index: dir->count when there is none. */
unsigned datadir_find(const struct datadir *dir, const char *path);
void datadir_add(struct datadir *dir, const char *path, struct slice bytes);
void datadir_remove(struct datadir *dir, unsigned index);

enum datadir_verdict {
    DATADIR_REFUSED, /* the server does, and names a file */
    DATADIR_UNNAMED, /* it does, and nobody knows why */
    DATADIR_SAME,    /* it holds what it held before, links and all */
    DATADIR_REBUILT, /* the same data, in other places or with other links */
    DATADIR_SILENT   /* it serves, and holds something else */
};

/* What a server makes of the files, held against what it made of them when they were whole:
 * dir->lsn and dir->digest. text: what it said. */
enum datadir_verdict datadir_load(const struct datadir *dir, char text[DATADIR_TEXT_MAX]);
/* How much `vdb check` finds in them: damage, and what is no damage and worth a note. */
uint64_t datadir_check(const struct datadir *dir);

#endif
