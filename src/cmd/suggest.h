/* suggest.h: what somebody who wrote an unknown option probably meant. */
#ifndef VDB_CMD_SUGGEST_H
#define VDB_CMD_SUGGEST_H

#include "base/err.h"
#include "base/slice.h"

struct command;

/* Writes "DISTANCE_METRIC: did you mean METRIC?" or, without an idea, what the command takes. word
 * is what the client wrote, of any length; it is shown cut. Returns ERR_SYNTAX. */
enum err suggest_option(const struct command *command, struct slice word, struct why *why);

#endif
