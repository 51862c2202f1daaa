/* log_wait.h: clients that wait for the log: for room in memory, after a write while the disk is
 * slow, or for what they have written to be durable (WAITAOF).
 *
 * owner: loop. */
#ifndef VDB_CMD_LOG_WAIT_H
#define VDB_CMD_LOG_WAIT_H

#include "cmd/client.h"

struct cmd_env;

/* The client's last write found too much waiting to be written: nothing further of it is run until
 * there is room. Its reply is not held back by that. */
void log_wait_for_room(struct cmd_env *env, struct client *client);

/* Room, or durability, has come for some: they go on. */
void log_wait_wake(struct cmd_env *env);

/* Ends a wait for durability before its time, with the answer as it is or with an error. False when
 * the client does not wait for that. */
bool log_wait_end(struct cmd_env *env, struct client *client, bool error);

/* The client goes away. */
void log_wait_forget(struct cmd_env *env, struct client *client);

#endif
