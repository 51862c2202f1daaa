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

/* Bytes of what is out of sight and not yet freed. Jobs that free may come back when the rest is
 * gone: whoever comes last frees this. */
struct retired {
    size_t bytes;
    size_t users;
};
void retired_leave(struct retired *r);

struct background {
    struct retired *retired;
    struct io *io;
    struct epoch *epoch;
    const uint64_t *last_lsn; /* of the log */
    struct collection *work;  /* ring of collections that have some */
    unsigned jobs;            /* out now */
    bool paused;              /* tests: nothing starts */
    atomic_bool gives_way;    /* lanes read it, relaxed: a hint */
    bool short_of_memory;     /* nothing starts until retry */
    struct io_timer retry;
    bool later; /* nothing starts until soon: the loop has done enough */
    struct io_timer soon;
    struct io_timer room; /* on_room is due for collections whose pending rows died */
    /* Called when a collection's pending set shrank and somebody waits for that; NULL: that of
     * some collection. */
    void (*on_room)(void *user, struct collection *c);
    void *user;
    uint64_t rows_linked, rows_freed, link_sweeps; /* counters */
    uint64_t rows_moved, rows_relinked;

    /* alter.c */
    bool (*has_room)(void *user, size_t bytes); /* user: tick_user */
    /* Memory is short for a second side, the first time that it is; NULL: nobody asks. */
    void (*on_alter_short)(void *user, struct collection *c);
    void *alter_user;

    /* relocate.c */
    /* Logs MUTATION_TICK; false: not now. */
    bool (*tick)(void *user, uint64_t *lsn);
    void *tick_user;
    /* Holders who rely on rows staying where they are and on freed memory staying readable for
     * long: a snapshot, recovery. No element moves and none is given back while there is one. */
    unsigned rows_held;
    size_t move_bytes_min;  /* free rows of less are left where they are */
    uint64_t move_delay_us; /* so long they must have been free */
};

void background_init(struct background *b, struct io *io, struct epoch *epoch,
                     const uint64_t *last_lsn);
/* No job is out. */
void background_fini(struct background *b);

/* From here on links give their core away between rows to whoever wants it, or not any more. */
void background_give_way(struct background *b, bool gives_way);

/* The collection has something to link or to sweep. */
void background_wake(struct background *b, struct collection *c);
/* It is being dropped. */
void background_forget(struct background *b, struct collection *c);

/* A job of sweep.c or relocate.c has come back (jobs is less by one): others may start. */
void background_go_on(struct background *b);
/* Moves some of what lives in a block of the heap that is mostly dead; false: there is none. */
bool background_compact(struct collection *c);
/* Rows that were moved have their links: the pending set may be shorter. */
void background_moved(struct background *b, struct collection *c);

#endif
