/* expire.h: keys and elements whose time is over leave the data, by changes in the log like any
 * other. Until then db_find hides keys, and db_element and views hide elements. */
#ifndef VDB_CMD_EXPIRE_H
#define VDB_CMD_EXPIRE_H

#include "cmd/command.h"

/* Removes those keys of the command that have expired. While the log takes no changes they stay,
 * and are merely not seen; a command that writes cannot go on then: the error is replied, and
 * false returned. */
MUST_USE bool expire_keys_of(struct request *rq);

/* Removes keys and elements that have expired, the oldest first, for at most half a millisecond
 * and in one record. Returns whether more are due. Not inside a command, and not while data is
 * loaded. */
bool expire_some(struct cmd_env *env);

#endif
