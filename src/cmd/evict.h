/* evict.h: keys go when memory is at maxmemory, by maxmemory-policy: whole collections as well as
 * strings. Each removal is a mutation.
 *
 * As Redis does it: a few keys are drawn by chance, the best of all that were drawn lately wait in
 * a pool, and the best of these goes. A command that needs room waits until slices of evictions
 * have made it. Memory that is retired and not yet freed counts as free here: it never makes
 * further keys go.
 *
 * owner: loop. */
#ifndef VDB_CMD_EVICT_H
#define VDB_CMD_EVICT_H

#include "base/io.h"

struct client;
struct cmd_env;
struct request;

enum { EVICT_POOL = 16 };

/* A key that may go, by its place in the keyspace: it may hold another one by then. */
struct evict_candidate {
    uint64_t score; /* the highest goes first */
    uint32_t place;
};

struct evict {
    struct evict_candidate pool[EVICT_POOL]; /* by rising score */
    size_t count;
    size_t waiters;        /* clients whose commands wait for room */
    struct io_timer timer; /* while there are some */
};

/* The options of eviction as the data goes by them, which knows the time already. */
void evict_set_options(struct cmd_env *env);

/* Does the command wait for room? Then its client is blocked, and runs it again. */
bool evict_takes(struct request *rq);
/* A slice for what came by itself, such as links. Returns whether there is more to do. */
bool evict_some(struct cmd_env *env);
/* The client goes away. */
void evict_forget(struct cmd_env *env, struct client *client);
void evict_fini(struct cmd_env *env);

#endif
