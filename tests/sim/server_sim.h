/* server_sim.h: one run of the whole server in the simulator, from a seed.
 *
 * Several clients send random commands, in pipelines and in pieces, leave and come back; the judge
 * (workload.h) holds every reply against the model (model.h), which follows the server's log. */
#ifndef VDB_TESTS_SIM_SERVER_SIM_H
#define VDB_TESTS_SIM_SERVER_SIM_H

#include "server.h"
#include "sim/sim_io.h"
#include "sim/workload.h"

enum { PEERS = 6 };

/* One client, through all its connections. */
struct peer {
    struct sim_client *client; /* NULL: not connected */
    redisReader *reader;
    struct ask *first, **last; /* without a reply, in order */
    size_t waiting;
    struct buf unsent;
    uint64_t encoded;  /* bytes of all its commands on this connection */
    uint64_t floor;    /* LSN that everything it sends from now on has seen */
    bool may_end;      /* it was asked for */
    bool broken;       /* it has sent garbage */
    bool deaf;         /* it does not read */
    uint64_t ended_us; /* the connection has ended; the server may not know it yet */
};

struct run {
    uint64_t seed;
    uint64_t rng;
    struct sim *sim;
    struct server *server;
    struct model *model;
    struct world world;
    struct peer peers[PEERS];
    struct mlog_sink sink;
    bool slow_sink;     /* what it has written is stable later */
    uint64_t stable;    /* LSN up to which replies may leave */
    struct buf records; /* each behind its length, at multiples of 8 */
    uint64_t step_lsn;  /* the last one before the step */
    uint64_t pace;      /* steps between two acts of clients, at most: few leave much undone */
    uint64_t steps, commands, replies, ended;
    bool stopped;
    bool may_cut;      /* the network, or the limit on output, ends connections */
    bool short_memory; /* now and then a call for memory fails */
    char failure[600];
};

/* Runs one seed; false, with the reason in r->failure. */
bool run_start(struct run *r, uint64_t seed);
/* Keeps the clients busy with so many commands. */
void run_load(struct run *r, uint64_t commands);
/* Waits for all replies and until nothing is left to do. */
void run_drain(struct run *r);
/* Nearly every element finds itself. */
void run_find_all(struct run *r);
/* Books, and the log played into another database. */
void run_compare(struct run *r);
/* Stops the server, whatever it is doing, and frees all. */
void run_stop(struct run *r);

static inline bool run_failed(const struct run *r)
{
    return r->failure[0] != '\0';
}

/* The first reason counts. */
void run_fail(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
