/* modules.h: what clients know as modules of Redis and is a part of this server. */
#ifndef VDB_CMD_MODULES_H
#define VDB_CMD_MODULES_H

#include "net/resp_write.h"

void reply_modules(struct reply *r);
/* Appends a line for each, as INFO has them. */
void print_modules(struct buf *out);

#endif
