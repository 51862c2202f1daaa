/* env.h: what all commands work on, and what they ask of the server around them. owner: loop. */
#ifndef VDB_CMD_ENV_H
#define VDB_CMD_ENV_H

#include "cmd/blocking.h"
#include "cmd/client.h"
#include "cmd/counters.h"
#include "cmd/evict.h"
#include "cmd/ft_cursor.h"
#include "cmd/latency.h"
#include "cmd/notify.h"
#include "cmd/pause.h"
#include "cmd/pubsub.h"
#include "cmd/slowlog.h"
#include "cmd/watch.h"
#include "conf/config.h"
#include "conf/stats.h"
#include "db/db.h"

struct command;
struct cmd_env;
struct persist;
struct saver;
struct removal;
struct bulk_add;
struct offload;

/* How often a command ran. owner: loop */
struct command_stats {
    uint64_t calls;    /* failed ones too */
    uint64_t usec;     /* on the loop; what a lane does for it is not in there */
    uint64_t rejected; /* not run: no password, wrong arity, no memory */
    uint64_t failed;   /* run, and replied an error */
};

enum shutdown_save { SHUTDOWN_SAVE_IF_NEEDED, SHUTDOWN_SAVE, SHUTDOWN_NO_SAVE };

/* What only the server can do; set by server.c. Each may be called while a handler runs. */
struct cmd_hooks {
    /* Closes a client after the replies it has; its handler may go on. */
    void (*kill)(struct cmd_env *env, struct client *client);
    /* Runs the rest of what an unblocked client has sent, soon. */
    void (*resume)(struct cmd_env *env, struct client *client);
    /* Stops the server, with a last snapshot or without one; the handler that asked returns before
     * it is gone. */
    void (*shutdown)(struct cmd_env *env, enum shutdown_save save);
    /* An option has changed by CONFIG SET. */
    void (*reconfigure)(struct cmd_env *env);
    /* Does what one of these has put off by setting env->deferred, as the record of the command's
     * changes was not complete. */
    void (*deferred)(struct cmd_env *env);
};

/* The clock of commands that a client has sent at once: one begins when the one before has ended.
 * Zeros: it is read for each. owner: the session that runs them */
struct batch_clock {
    bool runs;        /* commands of one client, one after the other */
    uint64_t now_us;  /* monotonic, when a short one has just ended; 0: to be read */
    uint64_t wall_at; /* monotonic, when the time of day was read; 0: it was not */
};

/* Commands by their names (command.h). immutable once made */
enum { COMMAND_NAMES_SIZE = 2048 /* several times as many as there are */ };
struct command_names {
    uint16_t places[COMMAND_NAMES_SIZE]; /* command_index + 1; 0: none */
};

struct cmd_env {
    struct io *io;
    struct db *db;
    struct config *config;
    struct stats *stats;
    const struct cmd_hooks *hooks;
    void *server;               /* of the hooks */
    struct persist *persist;    /* NULL: there is no folder, in tests */
    struct saver *saver;        /* of persist; NULL: there is no folder */
    struct offload *offload;    /* NULL: there is no folder */
    size_t rewrites;            /* of the configuration file, under way */
    size_t log_waiters;         /* clients that wait for the log */
    struct removal *removals;   /* VREMWHEREs that take what they found out in slices */
    struct bulk_add *bulk_adds; /* long VMADDs */
    bool deferred;              /* a hook has more to do once the command is through */
    struct ft_cursors cursors;
    struct watches watches;
    struct client *clients, *clients_last; /* oldest first */
    struct client *monitors;    /* those that asked for MONITOR */
    size_t client_count;
    size_t blocked_count;       /* of these, those with blocked set */
    struct command_stats *command_stats; /* by command_index */
    struct command_names names;
    struct pause pause;
    struct blocking blocking;
    struct pubsub pubsub;
    struct notify notify;
    struct batch_clock clock;
    struct evict evict;
    struct slowlog slowlog;
    struct latency latency;
    struct error_count errors[ERROR_COUNTS_MAX]; /* in use while count > 0 */
    struct rates rates;
    uint64_t started_us;        /* monotonic */
    size_t startup_bytes;       /* of memory, before there was data */
    uint64_t started_wall_us;
    char run_id[41];
    int port;                   /* that is really listened on; 0: none */
    uint64_t ticks;             /* of the server's timer, ten a second */
    bool keeps_expired;         /* DEBUG: nothing expires but what is named */
    uint64_t expire_us;         /* spent on removing keys that had expired */
};

/* The caller sets hooks and server before a command runs. io, db, config and stats outlive it. */
void cmd_env_init(struct cmd_env *env, struct io *io, struct db *db, struct config *config,
                  struct stats *stats);
void cmd_env_fini(struct cmd_env *env);

/* Until client_unblock the client runs no further command. Whoever blocks has set search, removal,
 * waits_for_room, waits_for_save, backup, rewriting, blocking or waits_for_log; whoever unblocks
 * has set it back. */
void client_block(struct cmd_env *env, struct client *client);
void client_unblock(struct cmd_env *env, struct client *client);

/* A client goes away: forgets what runs or waits for it. */
void client_abandon(struct cmd_env *env, struct client *client);

#endif
