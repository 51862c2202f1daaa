/* absent.h: commands of Redis that are known and not here, and why: a client that sends one reads
 * the reason instead of "unknown command". COMMAND does not list them: nobody counts on them. */
#ifndef VDB_CMD_ABSENT_H
#define VDB_CMD_ABSENT_H

#include "base/slice.h"

/* The reason, without a code, or NULL for commands nobody knows. argv[0] is the name, argc at least
 * 1; of containers the second word decides. */
const char *absent_reason(const struct slice *argv, size_t argc);

#endif
