/* server.h: the whole server, put together: data, commands, connections; its start and its end.
 *
 * owner: loop. Everything outside comes through io, so the same server runs on libuv and in the
 * simulator. */
#ifndef VDB_SERVER_H
#define VDB_SERVER_H

#include "base/log.h"
#include "cmd/env.h"
#include "conn.h"
#include "persist/offload.h"

enum { SERVER_LISTENERS_MAX = 16 };

struct server {
    struct io *io;
    struct config config;
    struct stats stats;
    struct log log;
    struct db db;
    struct cmd_env env;
    struct persist persist;
    struct offload offload;
    struct io_listener listeners[SERVER_LISTENERS_MAX];
    size_t listener_count;            /* listeners in use; 0 again once they are closing */
    size_t listeners_open;            /* those whose on_closed has not come */
    struct io_timer cron;             /* every CRON_US */
    struct io_timer expire;           /* while more keys have expired than one tick removes */
    uint64_t next_client_id;          /* from 1; never reused */
    struct conn *ready, **ready_last; /* to go on with once no command runs */
    unsigned depth;                   /* of callbacks that run commands */
    bool reconfigured;                /* the log is to hear of it */
    bool shutdown;                    /* a command has asked for the end */
    enum persist_save shutdown_save;
    bool stopping;
    bool failed;                      /* the data could not be loaded: that is why it stops */
    void (*on_stopped)(struct server *server); /* nothing of it is open any more */
    void (*on_configured)(struct server *server); /* CONFIG SET; NULL: nobody asks */
    size_t clients_fit; /* into the descriptors that the system allows; 0: any number */
    void *user;
};

/* Takes over the config. It listens at once, and loads its data in the background; commands that
 * need it are refused meanwhile. An error says why it cannot start; nothing is left open. */
MUST_USE enum err server_start(struct server *server, struct io *io, const struct config *config,
                               FILE *log, struct why *why);
static inline bool server_is_loading(const struct server *server)
{
    return persist_loading(&server->persist);
}

/* Closes everything and writes what is still to be written; on_stopped comes when it is done. */
void server_stop(struct server *server);
/* After on_stopped. */
void server_fini(struct server *server);

/* The loop has worked so long between two looks at the sockets. */
void server_note_turn(struct server *server, uint64_t busy_us);

/* For conn.c: brackets around whatever may run commands; at the end of the outermost, clients that
 * were unblocked inside go on. */
void server_begin(struct server *server);
void server_end(struct server *server);
/* A connection comes, and is gone. */
void server_adopt(struct server *server, struct conn *c);
void server_forget(struct server *server, struct conn *c);

#endif
