/* info.h: sections of INFO that have a file of their own. */
#ifndef VDB_CMD_INFO_H
#define VDB_CMD_INFO_H

#include "base/buf.h"

struct cmd_env;

void info_memory(struct cmd_env *env, struct buf *out);
void info_persistence(struct cmd_env *env, struct buf *out);

#endif
