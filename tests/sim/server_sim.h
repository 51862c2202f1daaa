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
    struct config config; /* what the server is started with */
    struct mlog_sink sink;
    bool slow_sink;     /* what it has written is stable later */
    uint64_t stable;    /* LSN up to which replies may leave */
    struct buf records; /* each behind its length, at multiples of 8 */
    struct buf times;   /* virtual microseconds (uint64_t) of each of them */
    uint64_t told;      /* the highest LSN that a reply has told of, */
    uint64_t told_mine; /* and that a reply has told to who wrote it */
    uint64_t step_lsn;  /* the last one before the step */
    uint64_t pace;      /* steps between two acts of clients, at most: few leave much undone */
    uint64_t steps, commands, replies, ended;
    bool stopped;
    bool may_cut;                   /* the network, or the limit on output, ends connections */
    bool short_memory;              /* now and then a call for memory fails */
    bool may_refuse;                /* the disk fails: writes may be answered with MISCONF */
    uint64_t failures;              /* times that this has begun */
    uint64_t refused;               /* those that were */
    void (*on_step)(struct run *r); /* after each event; NULL: nobody looks */
    char failure[600];
};

/* Makes the world of one seed, without a server. */
void run_open(struct run *r, uint64_t seed);
/* A server in it. When it does not start there is still run_bury_server() to call. */
MUST_USE enum err run_start_server(struct run *r, struct why *why);
/* Both; false, with the reason in r->failure. */
bool run_start(struct run *r, uint64_t seed);
/* Keeps the clients busy with so many commands. */
void run_load(struct run *r, uint64_t commands);
/* Waits for all replies and until nothing is left to do. */
void run_drain(struct run *r);
/* Nearly every element finds itself. */
void run_find_all(struct run *r);
/* Books, and the log played into another database. */
void run_compare(struct run *r);
/* Stops the server, whatever it is doing, and frees it. */
void run_stop_server(struct run *r);
/* The same, once it says that it is stopped. */
void run_bury_server(struct run *r);
void run_close(struct run *r);
/* Both. */
void run_stop(struct run *r);

/* One event, and what clients and the judge make of it. */
void run_step(struct run *r);
void run_time(struct run *r, uint64_t us);
/* The log up to where it is, played into another database, must give the same as there is in db. */
void run_compare_with(struct run *r, const struct db *db);

static inline bool run_failed(const struct run *r)
{
    return r->failure[0] != '\0';
}

/* Nothing goes on: it has failed, or the power is gone. */
static inline bool run_over(const struct run *r)
{
    return run_failed(r) || !sim_has_power(r->sim);
}

/* The first reason counts. */
void run_fail(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
