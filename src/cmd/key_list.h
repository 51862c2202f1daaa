/* key_list.h: KEYS over more keys than the loop can look at in one go: slices, with the client
 * blocked, then the reply in pieces as the client reads it.
 *
 * A key that is there all the time is returned, and once. One that comes or goes meanwhile may or
 * may not be.
 *
 * owner: loop. */
#ifndef VDB_CMD_KEY_LIST_H
#define VDB_CMD_KEY_LIST_H

#include "base/slice.h"

struct client;
struct key_list;
struct request;

/* Looks at all keys and replies those that match; the client is blocked until then. */
void key_list_start(struct request *rq, struct slice pattern);
/* The client goes away. */
void key_list_forget(struct client *client);

#endif
