/* linked.h: waits until a collection's index has linked every element. Elements are found before,
 * by a scan of those that wait, which costs a search time; a benchmark wants the settled state. */
#ifndef VDB_TOOL_LINKED_H
#define VDB_TOOL_LINKED_H

#include <stdio.h>

#include "tool/client.h"

/* Polls the field "pending" of VINFO and draws progress to messages. A server without the field
 * links before it answers, so there is nothing to wait for. *seconds: how long it took. */
MUST_USE enum err wait_linked(struct client *client, const char *key, FILE *messages,
                              double *seconds, struct why *why);

#endif
