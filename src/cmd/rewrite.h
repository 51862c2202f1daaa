/* rewrite.h: CONFIG REWRITE, which a lane does: the disk may take long. owner: loop */
#ifndef VDB_CMD_REWRITE_H
#define VDB_CMD_REWRITE_H

#include "cmd/env.h"

/* The client goes away: what it has asked for is done all the same. */
void rewrite_forget(struct client *client);

#endif
