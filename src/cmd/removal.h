/* removal.h: VREMWHERE, from the lane that finds what matches to the last slice that removes it.
 *
 * owner: loop, but for the search inside. */
#ifndef VDB_CMD_REMOVAL_H
#define VDB_CMD_REMOVAL_H

#include "cmd/client.h"

struct cmd_env;
struct removal;

/* The client goes away: what it asked for is done all the same. */
void removal_forget(struct client *client);

/* Ends those under way where they are; no search of one is out. For the end of the server. */
void removals_stop(struct cmd_env *env);

#endif
