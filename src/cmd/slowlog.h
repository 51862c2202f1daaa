/* slowlog.h: the commands that took long, the newest first, as SLOWLOG GET shows them.
 *
 * The time is what a command held the loop for; of a search, what its client waited for it. Long
 * arguments are cut, secrets are not kept.
 *
 * owner: loop. */
#ifndef VDB_CMD_SLOWLOG_H
#define VDB_CMD_SLOWLOG_H

#include "base/slice.h"

struct cmd_env;
struct request;
struct slow_entry;

struct slowlog {
    struct slow_entry *first, *last; /* newest first */
    size_t count;
    uint64_t next_id;
};

/* A command has ended that began at start_us. Kept when it took long enough. */
void slowlog_note(const struct request *rq, uint64_t start_us, uint64_t end_us);

/* A command goes on elsewhere: its words are kept until slowlog_end, as they will be gone by then.
 * NULL when nothing is logged at all, or memory is short. */
struct slow_entry *slowlog_begin(const struct request *rq, uint64_t start_us);
/* entry: NULL, or of slowlog_begin; kept or freed. */
void slowlog_end(struct cmd_env *env, struct slow_entry *entry);
/* Is this word of the command one that nobody is to read? Passwords are words of three commands. */
bool slowlog_is_secret(const struct request *rq, size_t at);
void slowlog_drop(struct slow_entry *entry);

void slowlog_clear(struct slowlog *log);

#endif
