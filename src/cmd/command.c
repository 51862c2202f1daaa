/* The table of commands, made from commands.def, and the way of every command through it: admitted,
 * parsed, run, counted. */
#include "cmd/command.h"

#include <stdio.h>

#include "base/limits.h"
#include "cmd/absent.h"
#include "cmd/blocking.h"
#include "cmd/bulk_add.h"
#include "cmd/env.h"
#include "cmd/expire.h"
#include "cmd/gate.h"
#include "cmd/help.h"
#include "cmd/log_wait.h"
#include "cmd/monitor.h"
#include "cmd/multi.h"
#include "cmd/text_ahead.h"
#include "cmd/vector.h"
#include "persist/persist.h"

/* Each command's table of arguments, from commands.def. */
#define KEY(field) {.kind = ARG_KEY, .name = "key", .offset = offsetof(self, field)},
#define BULK(field, name_) {.kind = ARG_BULK, .name = name_, .offset = offsetof(self, field)},
#define INT(field, name_, min_, max_, error_)                                                      \
    {.kind = ARG_INT,                                                                              \
     .name = name_,                                                                                \
     .offset = offsetof(self, field),                                                              \
     .min = min_,                                                                                  \
     .max = max_,                                                                                  \
     .error = error_},
#define VECTOR(field, element, error_)                                                             \
    {.kind = ARG_VECTOR,                                                                           \
     .name = "vector",                                                                             \
     .offset = offsetof(self, field),                                                              \
     .min = element,                                                                               \
     .error = error_},
#define REST(field, name_, min_)                                                                   \
    {.kind = ARG_REST, .name = name_, .offset = offsetof(self, field), .min = min_},
#define COUNTED(field, name_, min_)                                                                \
    {.kind = ARG_COUNTED, .name = name_, .offset = offsetof(self, field), .min = min_},
#define OPTION_(kind_, field, word_, name_, min_, max_, error_)                                    \
    {.kind = kind_,                                                                                \
     .name = name_,                                                                                \
     .word = word_,                                                                                \
     .offset = offsetof(self, field),                                                              \
     .has_offset = offsetof(self, has_##field),                                                    \
     .min = min_,                                                                                  \
     .max = max_,                                                                                  \
     .error = error_},
#define MAYBE(field, name_) OPTION_(ARG_MAYBE, field, NULL, name_, 0, 0, NULL)
#define FLAG(field, word_)                                                                         \
    {.kind = ARG_FLAG,                                                                             \
     .name = word_,                                                                                \
     .word = word_,                                                                                \
     .offset = offsetof(self, field),                                                              \
     .has_offset = offsetof(self, field)},
#define CHOICES(field)
#define CHOICE(field, value, word_) OPTION_(ARG_CHOICE, field, word_, word_, value, 0, NULL)
#define OPT_BULK(field, word_, name_) OPTION_(ARG_OPT_BULK, field, word_, name_, 0, 0, NULL)
#define OPT_INT(field, word_, name_, min_, max_, error_)                                           \
    OPTION_(ARG_OPT_INT, field, word_, name_, min_, max_, error_)
#define OPT_FLOAT(field, word_, name_, min_, max_, error_)                                         \
    OPTION_(ARG_OPT_FLOAT, field, word_, name_, min_, max_, error_)
#define OPT_LIST(field, word_, name_) OPTION_(ARG_OPT_LIST, field, word_, name_, 1, 0, NULL)
#define FIELDS(field, each, name_)                                                                 \
    OPTION_(ARG_OPT_LIST, field, "FIELDS", name_, 1, each,                                         \
            "Number of fields must be a positive integer")
#define OPT_PAIRS(field, word_, name_) OPTION_(ARG_OPT_PAIRS, field, word_, name_, 2, 0, NULL)
#define OPT_REST(field, word_, name_) OPTION_(ARG_OPT_REST, field, word_, name_, 1, 0, NULL)
enum { ARGS_SIZE_MAX = 1024 };

#define CONTAINER(name_, flags_, group_, since_, summary_)
#define HELP(name_, group_, since_, hints_)
#define COMMAND(id, name_, arity_, flags_, group_, since_, complexity_, keys_, unknown_, summary_, \
                args_)                                                                             \
    static const struct arg *table_##id(void)                                                      \
    {                                                                                              \
        typedef struct id##_args self;                                                             \
        _Static_assert(sizeof(self) <= ARGS_SIZE_MAX, "raise ARGS_SIZE_MAX");                      \
        static const struct arg table[] = {args_{.kind = ARG_END}};                                \
        return table;                                                                              \
    }
#include "cmd/commands.def"
#undef COMMAND
#undef CONTAINER
#undef HELP
#undef KEYS
#undef HINTS
#undef COUNTS

static const struct arg *table_of_container(void)
{
    static const struct arg table[] = {{.kind = ARG_REST, .name = "subcommand", .min = 1},
                                       {.kind = ARG_END}};
    return table;
}

static const struct arg *table_of_help(void)
{
    static const struct arg table[] = {{.kind = ARG_END}};
    return table;
}

static const char help_summary[] = "Prints this help.";

static const struct command commands[] = {
#define CONTAINER(name_, flags_, group_, since_, summary_)                                         \
    {name_,                                                                                        \
     -2,                                                                                           \
     (flags_) | CMD_CONTAINER,                                                                     \
     group_,                                                                                       \
     since_,                                                                                       \
     "depends on the subcommand",                                                                  \
     summary_,                                                                                     \
     0,                                                                                            \
     0,                                                                                            \
     0,                                                                                            \
     0,                                                                                            \
     0,                                                                                            \
     table_of_container,                                                                           \
     0,                                                                                            \
     help_run,                                                                                     \
     NULL},
#define HELP(name_, group_, since_, hints_)                                                        \
    {name_,                                                                                        \
     2,                                                                                            \
     CMD_LOADING | CMD_STALE,                                                                      \
     group_,                                                                                       \
     since_,                                                                                       \
     "O(1)",                                                                                       \
     help_summary,                                                                                 \
     0,                                                                                            \
     0,                                                                                            \
     0,                                                                                            \
     hints_,                                                                                       \
     0,                                                                                            \
     table_of_help,                                                                                \
     0,                                                                                            \
     help_run,                                                                                     \
     NULL},
#define KEYS(first, last, step) first, last, step, 0, 0
#define HINTS(first, last, step, hints) first, last, step, (hints), 0
#define COUNTS(first, last, step, at, hints) first, last, step, (hints), at
#define COMMAND(id, name_, arity_, flags_, group_, since_, complexity_, keys_, unknown_, summary_, \
                args_)                                                                             \
    {name_,       arity_,   flags_, group_,     since_,                                            \
     complexity_, summary_, keys_,  table_##id, sizeof(struct id##_args),                          \
     cmd_##id,    unknown_},
#include "cmd/commands.def"
#undef COMMAND
#undef CONTAINER
#undef HELP
#undef KEYS
#undef HINTS
#undef COUNTS
};

size_t command_count(void)
{
    return COUNT_OF(commands);
}

const struct command *command_at(size_t index)
{
    CHECK(index < COUNT_OF(commands));
    return &commands[index];
}

size_t command_index(const struct command *command)
{
    CHECK(command >= commands && command < commands + COUNT_OF(commands));
    return (size_t)(command - commands);
}

/* Is name this command's, without case? The first letter decides most of the time. */
static bool named(const struct command *command, struct slice name)
{
    return name.len > 0 && (command->name[0] | 0x20) == (name.ptr[0] | 0x20) &&
           slice_eq_nocase(name, command->name);
}

const struct command *command_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (named(&commands[i], name))
            return &commands[i];
    return NULL;
}

size_t command_sub_count(const struct command *command)
{
    if (!(command->flags & CMD_CONTAINER))
        return 0;
    size_t prefix = strlen(command->name);
    const struct command *end = command + 1;
    while (end < commands + COUNT_OF(commands) && strncmp(end->name, command->name, prefix) == 0 &&
           end->name[prefix] == '|')
        end++;
    return (size_t)(end - command) - 1;
}

/* NULL when the container has none of that name. */
static const struct command *find_subcommand(const struct command *container, struct slice word)
{
    CHECK(container->flags & CMD_CONTAINER);
    size_t prefix = strlen(container->name) + 1, count = command_sub_count(container);
    for (size_t i = 1; i <= count; i++)
        if (slice_eq_nocase(word, container[i].name + prefix))
            return container + i;
    return NULL;
}

/* Fowler, Noll and Vo's hash, without case. */
static size_t place_of_name(struct slice name)
{
    uint32_t hash = 2166136261;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (name.ptr[i] | 0x20)) * 16777619;
    return (hash ^ hash >> 15) % COMMAND_NAMES_SIZE;
}

void command_names_init(struct command_names *names)
{
    _Static_assert(COUNT_OF(commands) < COMMAND_NAMES_SIZE / 2, "looking up takes a few steps");
    *names = (struct command_names){{0}};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        size_t at = place_of_name(slice_of(commands[i].name));
        while (names->places[at] != 0)
            at = (at + 1) % COMMAND_NAMES_SIZE;
        names->places[at] = (uint16_t)(i + 1);
    }
}

static const struct command *find_in(const struct command_names *names, struct slice name)
{
    for (size_t at = place_of_name(name); names->places[at] != 0;
         at = (at + 1) % COMMAND_NAMES_SIZE)
        if (named(&commands[names->places[at] - 1], name))
            return &commands[names->places[at] - 1];
    return NULL;
}

/* The command itself, or the subcommand that is meant. */
static const struct command *with_subcommand(const struct command *command,
                                             const struct slice *argv, size_t argc)
{
    if (command == NULL || command_words(command) > 1)
        return NULL;
    if (!(command->flags & CMD_CONTAINER) || argc < 2)
        return command;
    const struct command *sub = find_subcommand(command, argv[1]);
    return sub != NULL ? sub : command;
}

const struct command *command_lookup(const struct slice *argv, size_t argc)
{
    CHECK(argc >= 1);
    return with_subcommand(command_find(argv[0]), argv, argc);
}

const struct command *command_lookup_in(const struct command_names *names, const struct slice *argv,
                                        size_t argc)
{
    CHECK(argc >= 1);
    return with_subcommand(find_in(names, argv[0]), argv, argc);
}

size_t command_words(const struct command *command)
{
    return strchr(command->name, '|') == NULL ? 1 : 2;
}

const char *command_group_name(enum command_group group)
{
    static const char *const names[] = {
        [GROUP_CONNECTION] = "connection", [GROUP_SERVER] = "server",
        [GROUP_GENERIC] = "generic",       [GROUP_STRING] = "string",
        [GROUP_HASH] = "hash",             [GROUP_LIST] = "list",
        [GROUP_SET] = "set",               [GROUP_ZSET] = "sorted-set",
        [GROUP_PUBSUB] = "pubsub",
        [GROUP_VECTOR] = "module",         [GROUP_CLUSTER] = "cluster",
        [GROUP_TRANSACTION] = "transactions", [GROUP_SEARCH] = "module",
        [GROUP_JSON] = "module"};
    CHECK(group < COUNT_OF(names));
    return names[group];
}

enum { UNKNOWN_SHOWN = 128 }; /* bytes of an unknown name, and of its arguments together */

/* As Redis says it: the name and the beginning of the arguments. */
static void reply_unknown(struct request *rq)
{
    char args[UNKNOWN_SHOWN * 2];
    struct slice name = rq->argv[0];
    const char *reason = absent_reason(rq->argv, rq->argc);
    if (reason != NULL) {
        reply_errorf(&rq->reply, "ERR %s", reason);
        return;
    }
    args[0] = '\0';
    size_t used = 0;
    for (size_t i = 1; i < rq->argc && used < UNKNOWN_SHOWN; i++) {
        int room = UNKNOWN_SHOWN - (int)used;
        int shown = rq->argv[i].len < (size_t)room ? (int)rq->argv[i].len : room;
        used += (size_t)snprintf(args + used, sizeof(args) - used, "'%.*s' ", shown,
                                 (const char *)rq->argv[i].ptr);
        CHECK(used < sizeof(args));
    }
    reply_errorf(&rq->reply, "ERR unknown command '%.*s', with args beginning with: %s",
                 (int)(name.len < UNKNOWN_SHOWN ? name.len : UNKNOWN_SHOWN), (const char *)name.ptr,
                 args);
}

/* Is it a container whose next word is none of its subcommands? */
static bool lacks_subcommand(const struct request *rq)
{
    return (rq->command->flags & CMD_CONTAINER) && rq->argc > 1;
}

static void reply_no_subcommand(struct request *rq)
{
    const char *reason = absent_reason(rq->argv, rq->argc);
    if (reason != NULL)
        reply_errorf(&rq->reply, "ERR %s", reason);
    else
        help_reply_unknown(rq);
}

bool command_arity_fits(const struct command *command, size_t argc)
{
    CHECK(command->arity != 0); /* the name counts, so no command has it */
    return command->arity >= 0 ? argc == (size_t)command->arity : argc >= (size_t)-command->arity;
}

static bool memory_admits(struct request *rq)
{
    if (!(multi_flags(rq) & CMD_DENYOOM) || db_has_room(rq->env->db, 0))
        return true;
    reply_err(&rq->reply, ERR_NOMEM, NULL);
    return false;
}

const char *command_log_error(const struct cmd_env *env)
{
    return env->persist != NULL ? persist_error(env->persist) : "there is none";
}

/* As Redis says it. */
static const char saves_fail[] =
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
    "disk. Commands that may modify the data set are disabled, because this instance is configured "
    "to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error "
    "option). Please check the Redis logs for details about the RDB error.";

/* Not before the data is there, and no change that cannot be logged. */
static bool log_admits(struct request *rq)
{
    const struct persist *persist = rq->env->persist;
    if (persist != NULL && persist_loading(persist) && !(rq->command->flags & CMD_LOADING)) {
        reply_error(&rq->reply, "LOADING vdb is loading the dataset in memory");
        return false;
    }
    if ((multi_flags(rq) & CMD_WRITE) && !mlog_accepts(&rq->env->db->log)) {
        reply_errorf(&rq->reply, "MISCONF Errors writing to the AOF file: %s",
                     command_log_error(rq->env));
        return false;
    }
    if ((multi_flags(rq) & CMD_WRITE) && persist != NULL && persist_saves_fail(persist)) {
        reply_error(&rq->reply, saves_fail);
        return false;
    }
    return true;
}

/* What is checked before a command's arguments are looked at. */
static bool admitted(struct request *rq)
{
    const struct command *command = rq->command;
    if (command == NULL) {
        reply_unknown(rq);
        return false;
    }
    if (!(rq->client->flags & CLIENT_AUTHENTICATED) && !(command->flags & CMD_NO_AUTH)) {
        reply_error(&rq->reply, "NOAUTH Authentication required.");
        return false;
    }
    if (!command_arity_fits(command, rq->argc)) {
        reply_errorf(&rq->reply, "ERR wrong number of arguments for '%s' command", command->name);
        return false;
    }
    if (lacks_subcommand(rq)) {
        reply_no_subcommand(rq);
        return false;
    }
    return log_admits(rq) && pubsub_admits(rq);
}

/* The arguments live on this stack frame, so a handler copies what must outlive it. */
static void parse_and_run(struct request *rq)
{
    _Alignas(16) uint8_t args[ARGS_SIZE_MAX];
    struct why why = {{0}};
    CHECK(rq->command->args_size <= sizeof(args));
    CHECK(!(rq->command->flags & CMD_EMPTY_KEY) || rq->command->first_key == 1);
    memset(args, 0, rq->command->args_size);
    if (!expire_keys_of(rq))
        return;
    if ((rq->command->flags & CMD_EMPTY_KEY) && db_find(rq->env->db, rq->argv[1]) == NULL) {
        rq->env->stats->keyspace_misses++;
        notify_miss(rq->env, rq->argv[1]);
        reply_array(&rq->reply, 0);
        return;
    }
    enum err e = args_parse(rq->command, rq->argv, rq->argc, args, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    const struct request *outer = rq->env->notify.running; /* EXEC */
    rq->args = args;
    rq->env->notify.running = rq;
    rq->command->run(rq);
    rq->env->notify.running = outer;
    rq->args = NULL;
    if (!(rq->client->flags & CLIENT_IN_EXEC))
        pubsub_end_late(rq->client);
}

/* Counts an error reply; it stands in client->out from offset on. */
static bool count_error(struct cmd_env *env, const struct client *client, size_t offset)
{
    bool error = client->out.len > offset && client->out.ptr[offset] == '-';
    if (error)
        counters_error(env,
                       (struct slice){client->out.ptr + offset + 1, client->out.len - offset - 1});
    return error;
}

/* Does finding a key count as using it? */
static bool touches(const struct request *rq)
{
    return !(rq->command->flags & CMD_NO_TOUCH) &&
           (!(rq->client->flags & CLIENT_NO_TOUCH) || rq->command->run == cmd_touch);
}

enum { CLOCK_KEPT_US = 200 };

/* When a command begins, for it and for the data. */
static void set_clock(struct cmd_env *env, struct client *client)
{
    struct batch_clock *clock = &env->clock;
    uint64_t now = clock->now_us > 0 ? clock->now_us : env->io->ops->mono_us(env->io);
    client->active_us = now;
    clock->now_us = 0;
    if (clock->runs && clock->wall_at > 0 && now - clock->wall_at < CLOCK_KEPT_US)
        return;
    env->db->now_ms = env->io->ops->wall_us(env->io) / 1000;
    clock->wall_at = now;
}

/* Runs what was let in. */
static void run(struct request *rq)
{
    struct cmd_env *env = rq->env;
    struct client *client = rq->client;
    struct command_stats *stats = &env->command_stats[command_index(rq->command)];
    size_t before = client->out.len;
    bool queued = (client->flags & CLIENT_IN_EXEC) != 0;
    uint64_t start = queued ? env->io->ops->mono_us(env->io) : client->active_us;
    client->command = rq->command;
    client->commands++;
    env->stats->total_commands_processed++;
    env->db->touches = touches(rq);
    env->db->index_filled = NULL;
    parse_and_run(rq);
    env->db->touches = false;
    if (env->db->index_filled != NULL && !client->blocked)
        wait_for_room(rq, env->db->index_filled, before);
    CHECK(client->out.len >= before); /* replies of commands before it are not this one's */
    stats->calls++;
    stats->failed += count_error(env, client, before);
    uint64_t end = env->io->ops->mono_us(env->io);
    CHECK(end >= start);
    /* What comes behind a longer one, the record in the log, is not the next one's time. */
    env->clock.now_us = env->clock.runs && end - start < CLOCK_KEPT_US ? end : 0;
    stats->usec += end - start;
    latency_note_command(env, command_index(rq->command), end - start);
    if (client->search != NULL || client->key_list != NULL || client->bulk_add != NULL)
        client->slow = slowlog_begin(rq, start);
    else
        slowlog_note(rq, start, end);
    if (env->monitors != NULL)
        monitor_show(rq);
}

void command_run_again(struct request *rq)
{
    struct db *db = rq->env->db;
    CHECK(db->log.open && rq->client->blocked && rq->ready != NULL);
    db->touches = touches(rq);
    parse_and_run(rq);
    db->touches = false;
}

void command_run_queued(struct request *rq)
{
    CHECK(rq->env->db->log.open && (rq->client->flags & CLIENT_IN_EXEC));
    run(rq);
}

/* What was not let in. */
static void refused(struct request *rq, size_t before)
{
    multi_refused(rq, before);
    (void)count_error(rq->env, rq->client, before);
    if (rq->command != NULL)
        rq->env->command_stats[command_index(rq->command)].rejected++;
}

void command_run(struct cmd_env *env, struct client *client, const struct slice *argv, size_t argc)
{
    CHECK(argc >= 1 && !client->blocked);
    struct request rq = {.env = env, .client = client, .argv = argv, .argc = argc};
    rq.command = command_lookup_in(&env->names, argv, argc);
    rq.reply = (struct reply){&client->out, client->proto};
    size_t before = client->out.len;
    set_clock(env, client);
    evict_set_options(env);
    mute_begin(client);
    bool runs = admitted(&rq);
    if (runs &&
        (pause_takes(&rq) || bulk_add_holds(&rq) || evict_takes(&rq) || text_ahead_takes(&rq))) {
        mute_again(client);
        return;
    }
    uint64_t lsn = env->db->log.last_lsn;
    if (!runs || !memory_admits(&rq)) {
        refused(&rq, before);
    } else if (multi_takes(&rq)) {
        multi_queue(&rq);
    } else {
        db_begin(env->db); /* whatever it changes is one record */
        run(&rq);
        db_commit(env->db);
    }
    if (!client->retry)
        text_ahead_end(client);
    if (env->deferred) {
        env->deferred = false;
        env->hooks->deferred(env);
    }
    if (!client->blocked)
        mute_end(client);
    else if (client->retry)
        mute_again(client);
    monitor_catch_up(client);
    bool wrote = env->db->log.last_lsn > lsn;
    gate_replies(env, client, before, wrote);
    if (wrote && !client->blocked && env->persist != NULL && persist_full(env->persist))
        log_wait_for_room(env, client);
    blocking_serve(env);
}
