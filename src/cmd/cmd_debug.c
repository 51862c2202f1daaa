/* DEBUG is not in a server that is for use: it can stop the loop. tests/debug/cmd_debug.c is linked
 * in the place of this file by `make debug-server`. */
#include "cmd/command.h"

void cmd_debug(struct request *rq)
{
    reply_error(&rq->reply, "ERR DEBUG is in builds for tests only: make debug-server");
}
