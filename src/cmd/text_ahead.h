/* text_ahead.h: a command that gives a document a long text waits until the text has been broken
 * into words, in slices; then it runs, and the index takes what is there. A text of 600 kB would
 * hold the loop for 19 ms otherwise.
 *
 * That is so for commands of hashes with the field and its value beside each other, and for
 * JSON.SET of a whole document; not in transactions, and not for short texts. Whatever is not found
 * ahead is read as the document is put. owner: loop */
#ifndef VDB_CMD_TEXT_AHEAD_H
#define VDB_CMD_TEXT_AHEAD_H

#include "cmd/command.h"

struct cmd_env;

/* Does the command wait for that? Then its client is blocked, and runs it again. */
bool text_ahead_takes(struct request *rq);
/* The command has run, and was not told to wait. */
void text_ahead_end(struct client *client);
/* The client goes away. */
void text_ahead_forget(struct client *client);

#endif
