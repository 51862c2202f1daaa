/* command_docs.h: commands as COMMAND DOCS describes them, arguments included: redis-cli makes its
 * hints of that. */
#ifndef VDB_CMD_COMMAND_DOCS_H
#define VDB_CMD_COMMAND_DOCS_H

#include "cmd/command.h"

/* One entry of the map: the name, then what there is to say. */
void command_reply_docs(struct reply *r, const struct command *c);

#endif
