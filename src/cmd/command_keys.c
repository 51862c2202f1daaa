#include "cmd/command_keys.h"

/* How many keys the word at counted_at announces; 0: none, or nonsense. */
static size_t announced(const struct command *c, const struct slice *argv, size_t argc)
{
    size_t at = (size_t)c->counted_at;
    int64_t count;
    if (at == 0 || at >= argc || !slice_to_i64(argv[at], &count) || count < 1)
        return 0;
    return (size_t)count;
}

/* Where SORT stores, which is the last word of all that ask for it; 0: nowhere. */
static size_t stored_at(const struct slice *argv, size_t argc)
{
    size_t at = 0;
    for (size_t i = 2; i + 1 < argc; i++) {
        if (slice_eq_nocase(argv[i], "LIMIT"))
            i += 2;
        else if (slice_eq_nocase(argv[i], "GET") || slice_eq_nocase(argv[i], "BY"))
            i++;
        else if (slice_eq_nocase(argv[i], "STORE"))
            at = ++i;
    }
    return at;
}

void command_keys_begin(struct command_keys *keys, const struct command *command,
                        const struct slice *argv, size_t argc)
{
    *keys = (struct command_keys){.command = command, .argv = argv, .argc = argc, .step = 1};
    if (command->first_key == 0)
        return;
    keys->at = (size_t)command->first_key;
    keys->step = (size_t)command->key_step;
    keys->end = (size_t)(command->last_key < 0 ? (int)argc + command->last_key : command->last_key);
    keys->end = keys->end + 1 < argc ? keys->end + 1 : argc;
}

bool command_keys_next(struct command_keys *keys, size_t *at)
{
    if (keys->at >= keys->end && !keys->counted && (keys->command->flags & CMD_SORTS)) {
        keys->counted = true;
        keys->at = keys->command->flags & CMD_WRITE ? stored_at(keys->argv, keys->argc) : 0;
        keys->end = keys->at == 0 ? 0 : keys->at + 1;
    } else if (keys->at >= keys->end && !keys->counted) {
        size_t count = announced(keys->command, keys->argv, keys->argc);
        keys->counted = true;
        keys->step = 1;
        keys->at = (size_t)keys->command->counted_at + 1;
        keys->end = count == 0 ? 0 : count < keys->argc - keys->at ? keys->at + count : keys->argc;
    }
    if (keys->at >= keys->end)
        return false;
    *at = keys->at;
    keys->at += keys->step;
    return true;
}

bool command_has_keys(const struct command *command)
{
    if (command->flags & CMD_PUBSUB)
        return false; /* shard channels stand where keys would */
    return command->first_key > 0 || command->counted_at > 0;
}

bool command_keys_fit(const struct command *command, const struct slice *argv, size_t argc)
{
    size_t count = announced(command, argv, argc);
    return command->counted_at == 0 || (count > 0 && count < argc - (size_t)command->counted_at);
}
