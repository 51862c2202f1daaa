/* watch.h: keys that clients watch. A change of one makes the next EXEC of who watches it fail.
 *
 * What counts as a change is what the log says: whatever a mutation names, the same value written
 * again too, but a removal of a key that had expired when it was watched. While nobody watches,
 * changes cost nothing.
 *
 * owner: loop. */
#ifndef VDB_CMD_WATCH_H
#define VDB_CMD_WATCH_H

#include "base/err.h"
#include "base/map.h"

struct client;
struct cmd_env;
struct watched_key;

/* Of all clients; part of struct cmd_env. Zero and watches_init. */
struct watches {
    struct map map;            /* keys to places of items */
    struct watched_key **items; /* NULL: free */
    uint32_t *free_list;
    uint32_t free_count, used, capacity;
};

void watches_init(struct cmd_env *env);
void watches_fini(struct cmd_env *env);

/* Nothing when the client watches it already. ERR_NOMEM; ERR_LIMIT: it watches LIMIT_WATCHED_KEYS.
 */
MUST_USE enum err watch_add(struct cmd_env *env, struct client *client, struct slice key);
/* Forgets what the client has begun to watch last, until it watches so many. */
void watch_cut(struct cmd_env *env, struct client *client, size_t count);
/* Forgets all that the client watches, and what has changed of it. */
void watch_end(struct cmd_env *env, struct client *client);

/* Somebody has begun, or ceased, to ask for changes: those that watch, or wait (blocking.h). */
void watch_listen(struct cmd_env *env);

/* Has a watched key changed, or expired, since? */
bool watch_is_broken(const struct cmd_env *env, const struct client *client);

#endif
