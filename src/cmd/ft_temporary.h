/* ft_temporary.h: indexes of FT.CREATE TEMPORARY go when nobody has named them for so long, and
 * none of their documents has changed: with their documents, as in RediSearch. Part of expiry:
 * mutations that replay without a clock. */
#ifndef VDB_CMD_FT_TEMPORARY_H
#define VDB_CMD_FT_TEMPORARY_H

#include "base/err.h"
#include "cmd/env.h"

/* Is the time of one over? */
bool ft_temporary_is_due(struct db *db);
/* Within a record: removes documents of such an index until then, and the index with the last. */
MUST_USE enum err ft_temporary_end_some(struct cmd_env *env, uint64_t until_us);

#endif
