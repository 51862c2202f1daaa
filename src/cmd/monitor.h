/* monitor.h: clients that asked for MONITOR, and what they are shown: each command that runs, after
 * it, but for those of administrators. Secrets are not shown, and long words are cut.
 *
 * owner: loop. */
#ifndef VDB_CMD_MONITOR_H
#define VDB_CMD_MONITOR_H

#include "cmd/command.h"

/* RESET, or the client goes away. */
void monitor_end(struct cmd_env *env, struct client *client);

/* A command has run: shows it to all that watch. */
void monitor_show(const struct request *rq);

/* What could not be shown while the client was within a reply. */
void monitor_catch_up(struct client *client);

#endif
