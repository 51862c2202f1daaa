/* saving.h: snapshots and backups as clients ask for them. */
#ifndef VDB_CMD_SAVING_H
#define VDB_CMD_SAVING_H

#include "cmd/env.h"

/* A snapshot has ended: whoever waits for it by SAVE has the answer. */
void saving_on_done(struct cmd_env *env, enum err e);

/* The client goes away: its backup, if it waits for one, is made all the same. */
void saving_forget(struct client *client);

#endif
