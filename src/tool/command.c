/* command.c: one form for every message, "vdb COMMAND: what happened". */
#include "tool/command.h"

#include <stdio.h>

int say_failure(const char *command, const struct why *why)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "vdb %s: %s\n", command, why->text);
    return EXIT_FAILED;
}

int say_usage(const char *command, const struct why *why)
{
    (void)fprintf(stderr, "vdb %s: %s\n(vdb %s --help says more)\n", command, why->text, command);
    return EXIT_USAGE;
}
