/* help.h: what CLIENT HELP and the like answer, written from commands.def. */
#ifndef VDB_CMD_HELP_H
#define VDB_CMD_HELP_H

#include "cmd/command.h"

/* Replies the subcommands of the container in rq, as Redis lays them out: a line per subcommand
 * with its arguments, then one that says what it does. */
void help_run(struct request *rq);
/* Replies that argv[1], which is there, is none of its subcommands. */
void help_reply_unknown(struct request *rq);

/* Appends the arguments of a command: "key value [NX|XX] [EX seconds]". */
void help_usage(const struct command *command, struct buf *out);
/* Redis's words where one of its subcommands counts its arguments by itself. */
void help_reply_wrong_count(struct request *rq);

#endif
