/* command_keys.h: which words of a command are keys. */
#ifndef VDB_CMD_COMMAND_KEYS_H
#define VDB_CMD_COMMAND_KEYS_H

#include "cmd/command.h"

/* owner: who walks */
struct command_keys {
    const struct command *command;
    const struct slice *argv;
    size_t argc;
    size_t at, end; /* of what is left of the range in hand */
    size_t step;
    bool counted;   /* that is the one behind a number of keys */
};

void command_keys_begin(struct command_keys *keys, const struct command *command,
                        const struct slice *argv, size_t argc);
/* The index of the next key; false: there is none. Words that are not there are no keys. */
bool command_keys_next(struct command_keys *keys, size_t *at);

/* May the command name keys at all? */
bool command_has_keys(const struct command *command);
/* Does the number of keys, where there is one, agree with the words? */
bool command_keys_fit(const struct command *command, const struct slice *argv, size_t argc);

#endif
