/* command.h: the table of commands, and what a handler is given.
 *
 * owner: the table is immutable; a request lives while its handler runs. */
#ifndef VDB_CMD_COMMAND_H
#define VDB_CMD_COMMAND_H

#include "cmd/args.h"
#include "cmd/client.h"
#include "net/resp_write.h"

struct cmd_env;
struct command_names;

enum command_flags {
    CMD_WRITE = 1,     /* changes data; only such commands may write_mutation */
    CMD_READONLY = 2,  /* looks at data; never together with CMD_WRITE */
    CMD_DENYOOM = 4,   /* refused when maxmemory is reached */
    CMD_FAST = 8,      /* shown to clients, as are ADMIN, LOADING, STALE, NO_MULTI, DANGEROUS */
    CMD_ADMIN = 16,
    CMD_NO_AUTH = 32,  /* may run before AUTH */
    CMD_LOADING = 64,
    CMD_STALE = 128,
    CMD_MODULE = 256,  /* a module's in Redis */
    CMD_LENIENT = 512, /* options may come twice, the last one counts, as Redis has it; two choices
                        * that contradict each other only in a module's command */
    CMD_NO_MULTI = 1024,
    CMD_DANGEROUS = 2048,
    CMD_CONTAINER = 4096, /* the next word names a subcommand: the rows after, "client|list" */
    CMD_EMPTY_KEY = 8192, /* a missing key gives an empty array, whatever else is wrong */
    CMD_AT_ONCE = 16384,  /* inside MULTI too, where others wait for EXEC */
    CMD_NO_TOUCH = 32768, /* looks at keys without using them */
    CMD_BLOCKING = 131072, /* waits for its keys (blocking.h); shown to clients */
    CMD_PUBSUB = 262144, /* shown to clients */
    CMD_SORTS = 524288 /* names keys in its options, too */
};

/* What COMMAND INFO says of a command besides; here nothing depends on it. */
enum command_hints {
    SAY_NOSCRIPT = 1 << 0, /* flags that only servers with scripts and replicas heed */
    SAY_NO_ASYNC_LOADING = 1 << 1,
    SAY_ALLOW_BUSY = 1 << 2,
    SAY_SKIP_SLOWLOG = 1 << 3,
    SAY_ADMIN = 1 << 4, /* categories that do not follow from the flags */
    SAY_DANGEROUS = 1 << 5,
    SAY_CONNECTION = 1 << 6,
    TIP_VARIES = 1 << 7, /* the same command may have another reply, */
    TIP_UNORDERED = 1 << 8, /* or one in another order */
    TIP_ALL_NODES = 1 << 9, /* who clients of a cluster ask, */
    TIP_ALL_SHARDS = 1 << 10,
    TIP_MULTI_SHARD = 1 << 11,
    TIP_ASK_SPECIAL = 1 << 12,
    TIP_ALL_SUCCEEDED = 1 << 13, /* and what they make of the replies */
    TIP_SUM = 1 << 14,
    TIP_MIN = 1 << 15,
    TIP_MERGE_SPECIAL = 1 << 16,
    TIP_POLICY_FIRST = 1 << 17, /* in the order in which Redis lists them */
    KEY_RO = 1 << 18, /* of keys; none: RO and access, or RW and update for what writes */
    KEY_RW = 1 << 19,
    KEY_OW = 1 << 20,
    KEY_RM = 1 << 21,
    KEY_ACCESS = 1 << 22,
    KEY_UPDATE = 1 << 23,
    KEY_INSERT = 1 << 24,
    KEY_DELETE = 1 << 25,
    KEY_VARIES = 1 << 26, /* options decide */
    KEY_2_UPDATE = 1 << 27, /* the keys after the first are another matter: OW and this, */
    KEY_2_INSERT = 1 << 28,
    KEY_2_PUSH = 1 << 29, /* or RW and insert, */
    KEY_2_READ = 1 << 30  /* or RO and access */
};

enum command_group {
    GROUP_CONNECTION,
    GROUP_SERVER,
    GROUP_GENERIC,
    GROUP_STRING,
    GROUP_HASH,
    GROUP_LIST,
    GROUP_SET,
    GROUP_ZSET,
    GROUP_PUBSUB,
    GROUP_VECTOR,
    GROUP_CLUSTER,
    GROUP_TRANSACTION,
    GROUP_SEARCH,
    GROUP_JSON
};

/* One command in hand. */
struct request {
    struct cmd_env *env;
    struct client *client;
    const struct command *command;
    const struct slice *argv; /* the name first; the bytes stay while the handler runs */
    size_t argc;
    const void *args;    /* struct <command>_args; NULL before parsing and after the handler */
    struct reply reply;  /* appends to client->out */
    const struct slice *ready; /* it runs again, for this key that it has waited for (blocking.h) */
    int explain;         /* enum search_explain: it runs for VEXPLAIN */
};

/* immutable */
struct command {
    const char *name;    /* as Redis spells it in errors; of a subcommand, "client|list" */
    int arity;           /* with the name; negative: at least */
    unsigned flags;
    enum command_group group;
    const char *since;      /* version, of Redis for commands it has too, else of this server */
    const char *complexity; /* a sentence in O(), as COMMAND DOCS shows it */
    const char *summary;    /* one sentence */
    int first_key, last_key, key_step; /* 0: none */
    unsigned hints;                    /* enum command_hints */
    int counted_at; /* where a number stands, and right after it so many keys; 0: nowhere */
    const struct arg *(*args)(void);   /* ends with ARG_END */
    size_t args_size;
    void (*run)(struct request *rq);
    const char *unknown; /* Redis's text for an argument it does not know, or NULL for ours */
};

/* The rows of commands.def in their order, containers and subcommands among them: index 0 ..
 * command_count() - 1. */
size_t command_count(void);
const struct command *command_at(size_t index);
/* Without case, subcommands by their full name; NULL when there is none. */
const struct command *command_find(struct slice name);
/* The inverse of command_at; command is a row of the table. */
size_t command_index(const struct command *command);

/* How many subcommands a container has: they are the rows right after it, command + 1 and on. */
size_t command_sub_count(const struct command *command);
/* Is argc, with the name, a number of arguments that the command takes at all? */
bool command_arity_fits(const struct command *command, size_t argc);
/* Why the log takes no changes, which it does not now. */
const char *command_log_error(const struct cmd_env *env);
/* The first word a client writes after the name of the command itself: argv[1], or argv[2] for a
 * subcommand. */
size_t command_words(const struct command *command);
/* The command that these words ask for: a subcommand where there is one, else the container; NULL
 * when there is none. */
const struct command *command_lookup(const struct slice *argv, size_t argc);
/* The same by a table of all names: the time does not depend on how many there are. */
void command_names_init(struct command_names *names);
const struct command *command_lookup_in(const struct command_names *names, const struct slice *argv,
                                        size_t argc);

/* As COMMAND DOCS calls it: "string", and "module" for vectors, which are one in Redis. */
const char *command_group_name(enum command_group group);

/* Runs one command for a client: looks it up, checks and parses, calls the handler; the reply (or
 * the error) is in client->out, unless the client is blocked. argc is at least 1. */
void command_run(struct cmd_env *env, struct client *client, const struct slice *argv,
                 size_t argc);

/* A command that has waited runs again: its reply follows those before, or there is none. */
void command_run_again(struct request *rq);

/* One command of a transaction: rq has all but args; its reply follows those before. */
void command_run_queued(struct request *rq);

/* The struct of every command's arguments. */
#define KEY(field) struct slice field;
#define BULK(field, name) struct slice field;
#define INT(field, name, min, max, error) int64_t field;
#define VECTOR(field, element, error) struct vector_arg field;
#define REST(field, name, min) struct slices field;
#define COUNTED(field, name, min) struct slices field;
#define MAYBE(field, name)                                                                         \
    struct slice field;                                                                            \
    bool has_##field;
#define FLAG(field, word) bool field;
#define CHOICES(field)                                                                             \
    int field;                                                                                     \
    bool has_##field;
#define CHOICE(field, value, word)
#define OPT_BULK(field, word, name)                                                                \
    struct slice field;                                                                            \
    bool has_##field;
#define OPT_INT(field, word, name, min, max, error)                                                \
    int64_t field;                                                                                 \
    bool has_##field;
#define OPT_FLOAT(field, word, name, min, max, error)                                              \
    double field;                                                                                  \
    bool has_##field;
#define OPT_LIST(field, word, name)                                                                \
    struct slices field;                                                                           \
    bool has_##field;
#define FIELDS(field, each, name)                                                                  \
    struct slices field;                                                                           \
    bool has_##field;
#define OPT_PAIRS(field, word, name)                                                               \
    struct slices field;                                                                           \
    bool has_##field;
#define OPT_REST(field, word, name)                                                                \
    struct slices field;                                                                           \
    bool has_##field;
#define CONTAINER(name, flags, group, since, summary)
#define HELP(name, group, since, hints)
#define COMMAND(id, name, arity, flags, group, since, complexity, keys, unknown, summary, args)    \
    struct id##_args {                                                                             \
        args bool end_;                                                                            \
    };                                                                                             \
    void cmd_##id(struct request *rq);
#include "cmd/commands.def"
#undef COMMAND
#undef CONTAINER
#undef HELP
#include "cmd/args_undef.def"

#endif
