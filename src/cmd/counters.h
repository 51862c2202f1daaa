/* counters.h: the numbers of INFO that are counted in more than one place. owner: loop. */
#ifndef VDB_CMD_COUNTERS_H
#define VDB_CMD_COUNTERS_H

#include "base/slice.h"

struct cmd_env;

/* How often a code of errors was replied: ERR, WRONGTYPE, ... */
enum { ERROR_CODE_MAX = 23, ERROR_COUNTS_MAX = 32 };

struct error_count {
    char code[ERROR_CODE_MAX + 1]; /* with its NUL */
    uint64_t count;                /* 0: the place is free, and so are all after it */
};

/* What happened per second lately. */
struct rates {
    uint64_t at_us, commands, bytes_in, bytes_out; /* at the last tick */
    uint64_t commands_per_s, bytes_in_per_s, bytes_out_per_s;
};

/* Counts an error reply; text is its line without '-'. Codes beyond the first ERROR_COUNTS_MAX
 * count in the total only. */
void counters_error(struct cmd_env *env, struct slice text);
/* The timer of the server calls this every second or so. */
void counters_tick(struct cmd_env *env);
/* Brings the counts that data and its background keep for themselves into env->stats. */
void counters_collect(struct cmd_env *env);
/* All back to zero, as CONFIG RESETSTAT does it. */
void counters_reset(struct cmd_env *env);

#endif
