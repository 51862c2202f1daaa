/* background.h: work on collections that nobody waits for: linking pending rows, sweeping dead ones
 * out of graphs, compacting heaps.
 *
 * At any time at most one link job per lane is out, each with a few rows; a job stops early when a
 * search waits. Collections take turns.
 *
 * owner: loop. */
#ifndef VDB_DB_BACKGROUND_H
#define VDB_DB_BACKGROUND_H

#include "base/epoch.h"
#include "base/io.h"

struct collection;

struct background {
    struct io *io;
    struct epoch *epoch;
    const uint64_t *last_lsn;      /* of the log */
    struct collection *work;       /* ring of collections that have some */
    unsigned jobs;                 /* out now */
    bool paused;                   /* tests: nothing starts */
    bool short_of_memory;          /* nothing starts until retry */
    struct io_timer retry;
    struct io_timer room;          /* on_room is due for collections whose pending rows died */
    /* Called when a collection's pending set shrank and somebody waits for that; NULL: that of
     * some collection. */
    void (*on_room)(void *user, struct collection *c);
    void *user;
    uint64_t rows_linked, rows_freed, link_sweeps; /* counters */
};

void background_init(struct background *b, struct io *io, struct epoch *epoch,
                     const uint64_t *last_lsn);
/* No job is out. */
void background_fini(struct background *b);

/* The collection has something to link or to sweep. */
void background_wake(struct background *b, struct collection *c);
/* It is being dropped. */
void background_forget(struct background *b, struct collection *c);

/* A job of sweep.c has come back. */
void background_job_done(struct background *b, struct collection *c);

#endif
