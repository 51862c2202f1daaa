/* client.h: what commands know of the client that sent them. The session (src/session.h) embeds it.
 *
 * owner: loop. */
#ifndef VDB_CMD_CLIENT_H
#define VDB_CMD_CLIENT_H

#include "base/buf.h"
#include "base/io.h"

struct command;
struct search;
struct key_list;
struct slow_entry;
struct removal;
struct bulk_add;
struct offload_request;
struct collection;
struct watch;
struct blocked;
struct texts_ahead;
struct subscription;

enum { CLIENT_NAME_MAX = 512 };

/* Shard channels are channels of their own: there is one shard so far. */
enum topic_kind { TOPIC_CHANNEL, TOPIC_PATTERN, TOPIC_SHARD, TOPIC_KINDS };

/* What a client has subscribed to, in the order it said so (pubsub.h). */
struct subscriptions {
    struct subscription *first[TOPIC_KINDS], *last[TOPIC_KINDS];
    size_t count[TOPIC_KINDS];
};

enum client_flags {
    CLIENT_AUTHENTICATED = 1,     /* said the password, or needs none */
    CLIENT_CLOSE_AFTER_REPLY = 2, /* runs no further command; goes when its replies have left */
    CLIENT_UNIX = 4,              /* came by the Unix socket */
    CLIENT_NO_EVICT = 8,          /* asked for by CLIENT; shown there, and without effect so far */
    CLIENT_NO_TOUCH = 16,
    CLIENT_MULTI = 32,       /* its commands wait for EXEC */
    CLIENT_IN_EXEC = 64,     /* they run */
    CLIENT_DIRTY_CAS = 128,  /* a key that it watches has changed */
    CLIENT_DIRTY_EXEC = 256, /* one of the commands that were to wait was refused */
    CLIENT_REPLY_OFF = 512,  /* CLIENT REPLY: wants no replies */
    CLIENT_REPLY_SKIP_NEXT = 1024, /* none of the next command */
    CLIENT_MONITOR = 2048          /* is shown what all clients run */
};

/* What of the log a client waits for (log_wait.h). */
enum client_log_wait { CLIENT_LOG_NOTHING, CLIENT_LOG_ROOM, CLIENT_LOG_DURABLE };

struct client {
    uint64_t id;
    int proto; /* 2 or 3 */
    unsigned flags;
    struct io_addr peer, local;
    char *name;     /* CLIENT SETNAME; NULL: none */
    char *lib_name; /* CLIENT SETINFO */
    char *lib_ver;
    uint64_t created_us;  /* monotonic */
    uint64_t active_us;   /* of the last command */
    const struct command *command; /* the last one */
    uint64_t commands;    /* that were admitted, whatever they replied */
    uint64_t bytes_in, bytes_out;
    uint64_t last_lsn;    /* of its last write */

    struct buf query;     /* bytes not yet run */
    struct buf out;       /* replies not yet sent */
    uint64_t out_start;   /* position of out in all that was written to the client */
    struct buf gates;     /* replies that wait for the log: gate.h */
    uint64_t muted_from;  /* position of the reply that it does not want; UINT64_MAX: none */
    size_t held_from;     /* replies from here on wait for room (SIZE_MAX: none do) */

    /* A blocked client runs no further command until client_unblock. */
    bool blocked;
    struct search *search;             /* running for it */
    struct removal *removal;           /* VREMWHERE under way */
    struct bulk_add *bulk_add;         /* a long VMADD under way */
    bool waits_for_bulk;               /* for one of another client to end */
    struct collection *waits_for_room; /* its last write filled the pending set */
    bool waits_for_save;               /* for a snapshot to end */
    bool waits_for_pause;              /* for a CLIENT PAUSE to end */
    struct key_list *key_list;         /* KEYS under way */
    bool waits_for_eviction;           /* for room in memory */
    bool waits_for_text;               /* for text_ahead to be read */
    struct texts_ahead *text_ahead;    /* of its command (text_ahead.h); NULL: none */
    struct offload_request *backup;    /* the one that VBACKUP waits for */
    struct rewriting *rewriting;       /* CONFIG REWRITE under way */
    struct blocked *blocking;          /* keys that it waits for (blocking.h); NULL: none */
    enum client_log_wait waits_for_log;
    struct io_timer log_timer; /* WAITAOF's timeout */
    unsigned log_local;        /* how many it waits for: 0 or 1 */
    uint64_t log_replicas;
    struct slow_entry *slow;           /* the search that runs for it, should it take long */
    bool retry;                        /* when unblocked, the command runs again */

    /* A transaction (multi.h): the commands that wait for EXEC, and the keys that are watched. */
    struct buf queue;
    size_t queue_count;
    unsigned queue_flags; /* of the commands in it */
    struct watch *watches;
    size_t watch_count;
    struct subscriptions subscriptions;
    struct buf late; /* messages to itself that come behind its reply: of EXEC, and events */
    struct collection *exec_filled; /* by EXEC: its reply will wait for room */

    struct client *monitor_next; /* of those with CLIENT_MONITOR */
    struct buf monitored;        /* lines of MONITOR that wait for the end of a reply */

    struct client *next, *prev; /* all clients, oldest first */
};

/* id from 1; speaks RESP2 until HELLO says otherwise. */
void client_init(struct client *c, uint64_t id, uint64_t now_us);
/* After client_abandon, and out of the list of clients. */
void client_fini(struct client *c);

/* Replaces a text (name, lib_name, lib_ver) of at most CLIENT_NAME_MAX bytes, which the caller has
 * looked at (client_text_fits); an empty slice removes it. */
void client_set_text(char **text, struct slice value);

#endif
