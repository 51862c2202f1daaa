/* multi.h: transactions: commands that wait until EXEC runs them, one after the other, with nobody
 * between them.
 *
 * What they change is one record of the log (db/db.h), so after a crash all of it is there, or
 * nothing; the reply of EXEC leaves as a whole. Searches run on the loop, and what else would wait
 * does so once EXEC is through.
 *
 * owner: loop. */
#ifndef VDB_CMD_MULTI_H
#define VDB_CMD_MULTI_H

#include "cmd/command.h"

/* Is this command of a client in MULTI one that waits for EXEC? */
bool multi_takes(const struct request *rq);
/* Keeps it, and replies so; or replies why not: then EXEC will refuse. */
void multi_queue(struct request *rq);

/* A command was refused: its error stands in the reply from offset on. In a transaction EXEC will
 * refuse then. When it was EXEC, its error is told in Redis's words, and there is no transaction
 * any more. */
void multi_refused(struct request *rq, size_t offset);

/* What must be let in for this command to run: its own flags, of EXEC also those of the commands
 * that wait for it. */
unsigned multi_flags(const struct request *rq);

/* The transaction is over; nothing is watched any more. */
void multi_end(struct cmd_env *env, struct client *client);

#endif
