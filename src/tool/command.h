/* command.h: the subcommands of vdb. Each is one function that takes the words behind its name and
 * returns the exit status: 0 done, 1 it failed, 2 it was asked for something impossible. */
#ifndef VDB_TOOL_COMMAND_H
#define VDB_TOOL_COMMAND_H

#include "base/err.h"

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int import_main(int argc, char **argv);
int export_main(int argc, char **argv);
int bench_main(int argc, char **argv);
int ping_main(int argc, char **argv);
int check_main(int argc, char **argv);
int dump_main(int argc, char **argv);

/* Says on standard error what failed; returns the status. */
int say_failure(const char *command, const struct why *why);
int say_usage(const char *command, const struct why *why);

#endif
