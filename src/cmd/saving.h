/* saving.h: snapshots as clients ask for them. */
#ifndef VDB_CMD_SAVING_H
#define VDB_CMD_SAVING_H

#include "cmd/env.h"

/* A snapshot has ended: whoever waits for it by SAVE has the answer. */
void saving_on_done(struct cmd_env *env, enum err e);

#endif
