/* pubsub.h: messages between clients: who has subscribed to which channel or pattern, and what they
 * are sent. Nothing of it is data: it is not logged, and gone with the server.
 *
 * A message goes into a subscriber's output at once, behind the replies that are there. What a
 * client says to itself in a transaction comes behind the reply of EXEC, which it would tear apart.
 *
 * owner: loop. */
#ifndef VDB_CMD_PUBSUB_H
#define VDB_CMD_PUBSUB_H

#include "base/map.h"
#include "cmd/command.h"

struct cmd_env;
struct topic;

/* All that is subscribed to; part of struct cmd_env. Zero and pubsub_init. */
struct pubsub {
    struct map map;       /* kinds and names to places of items */
    struct topic **items; /* NULL: free */
    uint32_t *free_list;
    uint32_t free_count, used, capacity;
    struct topic *patterns; /* in no order */
    size_t count[TOPIC_KINDS];
};

void pubsub_init(struct cmd_env *env);
void pubsub_fini(struct cmd_env *env);

/* Sends a message to all who want it; returns how many did. */
size_t pubsub_publish(struct cmd_env *env, enum topic_kind kind, struct slice channel,
                      struct slice message);

/* The same of an event (notify.h); what the client whose command runs is told comes behind its
 * reply. */
void pubsub_notify(struct cmd_env *env, struct slice channel, struct slice message);
/* No memory to tell anybody: who has subscribed to anything is disconnected, instead of believing
 * that nothing has happened. */
void pubsub_break(struct cmd_env *env);

/* Has the client subscribed to anything? */
bool pubsub_is_subscriber(const struct client *client);
/* Such a client that speaks RESP2 may say little: replies the error and returns false for what it
 * may not. */
MUST_USE bool pubsub_admits(struct request *rq);
/* The messages of a transaction, or of a command, to its own client leave. */
void pubsub_end_late(struct client *client);
/* The client goes away, or is as new. */
void pubsub_forget(struct cmd_env *env, struct client *client);

#endif
