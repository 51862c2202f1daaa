/* ft_cursor.h: rows of aggregations that wait to be read (WITHCURSOR, FT.CURSOR).
 *
 * A cursor owns its aggregation, whose rows are as they were when it ran. It goes when its last row
 * has been read, when FT.CURSOR DEL says so, when nobody has asked for so long, or with its index.
 * owner: loop */
#ifndef VDB_CMD_FT_CURSOR_H
#define VDB_CMD_FT_CURSOR_H

#include "base/io.h"
#include "net/resp_write.h"

struct cmd_env;
struct ft_aggregate;
struct ft_cursor;

/* All of a server. */
struct ft_cursors {
    struct ft_cursor *first;
    uint64_t last_id;
    struct io_timer timer; /* runs while there are some */
};

/* Replies the first rows of an aggregation WITHCURSOR, and keeps the others. True: it has taken a.
 */
MUST_USE bool ft_cursor_begin(struct cmd_env *env, struct ft_aggregate *a, struct reply *r);
/* How many there are; of one index, or of all (name empty). */
size_t ft_cursor_count(const struct cmd_env *env, struct slice index);
void ft_cursors_fini(struct cmd_env *env);

#endif
