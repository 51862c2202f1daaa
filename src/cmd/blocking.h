/* blocking.h: clients that wait for keys to hold something: BLPOP, BZPOPMIN and their kin.
 *
 * A handler looks at its keys; what there is it takes and replies. When there is nothing it calls
 * blocking_wait and returns: its words are kept, and whenever one of its keys may hold something,
 * it runs again, from the start, for that key alone:
 *
 *     for each key:
 *         if (!blocking_asks(rq, key))
 *             continue;
 *         if (!blocking_find(rq, key, OBJECT_LIST, &o))
 *             return;                       the error is replied
 *         if (o != NULL)
 *             take, reply, return;
 *     blocking_wait(rq, keys, count, timeout_us);
 *
 * Who has waited longest for a key is served first. Clients are served when the command, or the
 * transaction, that has changed the key is over, each by a record of its own. In a transaction
 * nobody waits: the reply is at once that of a timeout.
 *
 * owner: loop. */
#ifndef VDB_CMD_BLOCKING_H
#define VDB_CMD_BLOCKING_H

#include "base/map.h"
#include "cmd/command.h"
#include "db/keyspace.h"

struct cmd_env;
struct object;
struct mutation;
struct awaited_key;

/* Keys that are waited for; part of struct cmd_env. Zero and blocking_init. */
struct blocking {
    struct map map;             /* keys to places of items */
    struct awaited_key **items; /* NULL: free */
    uint32_t *free_list;
    uint32_t free_count, used, capacity;
    struct awaited_key *ready, **ready_last; /* may hold something, in the order they came to */
    size_t clients;
};

void blocking_init(struct cmd_env *env);
void blocking_fini(struct cmd_env *env);

/* A timeout in seconds, as clients write it; 0: forever. Replies the error and returns false when
 * it is none. */
MUST_USE bool blocking_read_timeout(struct request *rq, struct slice text, uint64_t *timeout_us);

/* Is this key one that the handler is to look at? */
bool blocking_asks(const struct request *rq, struct slice key);
/* What the key holds, NULL when there is nothing. Of another type: replies the error and returns
 * false, but for a client that waits already, for which there is nothing. */
MUST_USE bool blocking_find(struct request *rq, struct slice key, enum object_type type,
                            struct object **out);
/* The client waits for these keys, or goes on waiting, or hears that time is over. */
void blocking_wait(struct request *rq, const struct slice *keys, size_t count,
                   uint64_t timeout_us);

/* A change is about to be applied: does somebody wait for what it makes? */
void blocking_note(struct cmd_env *env, const struct mutation *m);
/* Serves clients whose keys hold something; between records. */
void blocking_serve(struct cmd_env *env);

/* Ends a wait before its time, with what a timeout replies, or with an error. False when the client
 * does not wait for keys. */
bool blocking_end(struct cmd_env *env, struct client *client, bool error);
/* The client goes away. */
void blocking_forget(struct cmd_env *env, struct client *client);

#endif
