/* config.h: the options of the server, generated from config.def.
 *
 * owner: the loop. struct config holds no pointers, so a copy is a snapshot that a thread may be
 * given. A failed call leaves it unchanged. */
#ifndef VDB_CONF_CONFIG_H
#define VDB_CONF_CONFIG_H

#include <limits.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/job.h"
#include "base/limits.h"
#include "base/slice.h"

enum { CONFIG_TEXT_MAX = 1023, CONFIG_SAVE_POINTS_MAX = 32 };

/* Words of the enumerated options: constant, word, why it is refused (NULL: accepted). The fields
 * hold the constants. */
#define CONFIG_LOGLEVEL_LIST(X)                                                                    \
    X(LOGLEVEL_DEBUG, "debug", NULL)                                                               \
    X(LOGLEVEL_VERBOSE, "verbose", NULL)                                                           \
    X(LOGLEVEL_NOTICE, "notice", NULL)                                                             \
    X(LOGLEVEL_WARNING, "warning", NULL)

#define CONFIG_POLICY_LIST(X)                                                                      \
    X(POLICY_VOLATILE_LRU, "volatile-lru", NULL)                                     \
    X(POLICY_VOLATILE_LFU, "volatile-lfu", NULL)                                     \
    X(POLICY_VOLATILE_RANDOM, "volatile-random", NULL)                               \
    X(POLICY_VOLATILE_TTL, "volatile-ttl", NULL)                                     \
    X(POLICY_ALLKEYS_LRU, "allkeys-lru", NULL)                                       \
    X(POLICY_ALLKEYS_LFU, "allkeys-lfu", NULL)                                       \
    X(POLICY_ALLKEYS_RANDOM, "allkeys-random", NULL)                                 \
    X(POLICY_NOEVICTION, "noeviction", NULL)

#define CONFIG_FSYNC_LIST(X)                                                                       \
    X(FSYNC_ALWAYS, "always", NULL)                                                                \
    X(FSYNC_EVERYSEC, "everysec", NULL)                                                            \
    X(FSYNC_NO, "no", NULL)

#define CONFIG_PATH_STYLE_LIST(X)                                                                  \
    X(PATH_STYLE_AUTO, "auto", NULL)                                                               \
    X(PATH_STYLE_YES, "yes", NULL)                                                                 \
    X(PATH_STYLE_NO, "no", NULL)

#define CONFIG_STORE_BACKEND_LIST(X)                                                               \
    X(STORE_BACKEND_CURL, "curl", NULL)                                                            \
    X(STORE_BACKEND_LIBS3, "libs3", NULL)

#define CONFIG_ALLOWED_LIST(X)                                                                     \
    X(ALLOWED_NO, "no", NULL)                                                                      \
    X(ALLOWED_LOCAL, "local", NULL)                                                                \
    X(ALLOWED_YES, "yes", NULL)

#define CONFIG_ON_TIMEOUT_LIST(X)                                                                  \
    X(ON_TIMEOUT_RETURN, "return", NULL)                                                           \
    X(ON_TIMEOUT_FAIL, "fail", NULL)

#define X(constant, word, refusal) constant,
enum config_on_timeout { CONFIG_ON_TIMEOUT_LIST(X) };
enum config_path_style { CONFIG_PATH_STYLE_LIST(X) };
enum config_store_backend { CONFIG_STORE_BACKEND_LIST(X) };
enum config_allowed { CONFIG_ALLOWED_LIST(X) };
enum config_loglevel { CONFIG_LOGLEVEL_LIST(X) };
enum config_policy { CONFIG_POLICY_LIST(X) };
enum config_fsync { CONFIG_FSYNC_LIST(X) };
#undef X

/* Classes of keyspace events, and the channels they go to: constant, letter, bit. */
#define CONFIG_EVENT_LIST(X)                                                                       \
    X(EVENT_GENERIC, 'g', 1)                                                                       \
    X(EVENT_STRING, '$', 2)                                                                        \
    X(EVENT_LIST, 'l', 4)                                                                          \
    X(EVENT_SET, 's', 8)                                                                           \
    X(EVENT_HASH, 'h', 16)                                                                         \
    X(EVENT_ZSET, 'z', 32)                                                                         \
    X(EVENT_EXPIRED, 'x', 64)                                                                      \
    X(EVENT_EVICTED, 'e', 128)                                                                     \
    X(EVENT_STREAM, 't', 256)                                                                      \
    X(EVENT_MODULE, 'd', 512)                                                                      \
    X(EVENT_NEW, 'n', 1024)                                                                        \
    X(EVENT_KEYSPACE, 'K', 2048)                                                                   \
    X(EVENT_KEYEVENT, 'E', 4096)                                                                   \
    X(EVENT_MISS, 'm', 8192)

enum config_event {
#define X(constant, letter, bit) constant = bit,
    CONFIG_EVENT_LIST(X)
#undef X
        EVENT_ALL = 1023 /* A: all classes but new and miss */
};

/* 0: no limit */
struct config_output_limit {
    uint64_t hard_bytes;
    uint64_t soft_bytes;
    int soft_seconds;
    int pubsub_soft_seconds; /* of clients that have subscribed to something */
    uint64_t pubsub_hard_bytes;
    uint64_t pubsub_soft_bytes;
};

/* When snapshots are taken. */
struct config_save {
    struct config_save_point {
        int64_t seconds; /* since the last */
        int64_t changes;
    } list[CONFIG_SAVE_POINTS_MAX];
    int count;
};

#define CONFIG_FIELD_TEXT(field) char field[CONFIG_TEXT_MAX + 1];
#define CONFIG_FIELD_WORDS(field) char field[CONFIG_TEXT_MAX + 1];
#define CONFIG_FIELD_SECRET(field) char field[CONFIG_TEXT_MAX + 1];
#define CONFIG_FIELD_HIDDEN(field) char field[CONFIG_TEXT_MAX + 1];
#define CONFIG_FIELD_PATH_STYLE(field) int field;
#define CONFIG_FIELD_STORE_BACKEND(field) int field;
#define CONFIG_FIELD_ALLOWED(field) int field;
#define CONFIG_FIELD_ON_TIMEOUT(field) int field;
#define CONFIG_FIELD_INT(field) int field;
#define CONFIG_FIELD_LONG(field) int64_t field;
#define CONFIG_FIELD_OCTAL(field) int field;
#define CONFIG_FIELD_BOOL(field) bool field;
#define CONFIG_FIELD_BYTES(field) uint64_t field;
#define CONFIG_FIELD_MEMORY(field) uint64_t field;
#define CONFIG_FIELD_OUTPUT_LIMIT(field) struct config_output_limit field;
#define CONFIG_FIELD_LOGLEVEL(field) int field;
#define CONFIG_FIELD_POLICY(field) int field;
#define CONFIG_FIELD_FSYNC(field) int field;
#define CONFIG_FIELD_SAVE(field) struct config_save field;
#define CONFIG_FIELD_EVENTS(field) unsigned field; /* enum config_event */

struct config {
#define SECTION(title)
#define OPTION(type, field, name, text, min, max, change, doc) CONFIG_FIELD_##type(field)
#include "conf/config.def"
#undef OPTION
#undef SECTION
    bool repair; /* --repair: for one start, so the command line has it and no file */
    char file[CONFIG_TEXT_MAX + 1]; /* path of the configuration file; empty: there is none */
};

enum config_change_time { CONFIG_STARTUP, CONFIG_ONCE, CONFIG_RUNTIME };

/* A row of config.def. Immutable. */
struct config_option {
    const struct config_type *type; /* private: config_value.h */
    const char *name;
    const char *default_text; /* as a vdb.conf would have it; its type accepts it */
    int64_t min;              /* of a number; of a text, bytes; inclusive */
    int64_t max;
    enum config_change_time change;
    const char *doc;          /* sentences for vdb.conf */
    size_t offset; /* of the field in struct config */
};

size_t config_option_count(void);
const struct config_option *config_option_at(size_t index);
/* Without case; NULL when there is none. */
const struct config_option *config_option_find(struct slice name);

/* Is its value for nobody's eyes? */
bool config_option_is_secret(const struct config_option *option);

/* Every option at its default. */
void config_init(struct config *c);

/* Before the server runs: sets any option. ERR_NOT_FOUND when there is none of that name. why gets
 * the reason alone, as "argument must be between 0 and 65535 inclusive". */
MUST_USE enum err config_set(struct config *c, struct slice name, struct slice value,
                             struct why *why);

/* CONFIG SET name value [name value ...]: all or none; pairs holds 2 * pair_count slices. why gets
 * the whole text of the error reply, as Redis words it. The caller acts on what has changed. */
MUST_USE enum err config_change(struct config *c, const struct slice *pairs, size_t pair_count,
                                struct why *why);

/* Appends the value as CONFIG GET shows it (sizes in bytes, the password too). */
void config_value(const struct config *c, const struct config_option *option, struct buf *out);
/* The same by name; false when there is no such option. */
bool config_get(const struct config *c, struct slice name, struct buf *out);

/* Sets what the text of a vdb.conf says; path is for the error, which names the line. What stood
 * before the bad line is set. ERR_SYNTAX, ERR_NOT_FOUND, or what config_set returns. */
MUST_USE enum err config_parse(struct config *c, const char *path, struct slice text,
                               struct why *why);

/* Appends the text of a configuration file with the options as they are: lines, comments and order
 * stay, what is new comes at the end. False: no memory. Takes some milliseconds. */
MUST_USE bool config_rewrite(const struct config *c, struct slice text, struct buf *out);

/* The configuration file that the command line names (a first argument without '-'), or NULL. */
const char *config_file_argument(int argc, char *const argv[]);
/* Sets what stands on the command line as --name value ..., which overrides the file. */
MUST_USE enum err config_parse_args(struct config *c, int argc, char *const argv[],
                                    struct why *why);

/* Appends a whole vdb.conf: every option with what it does and its default. Secrets are commented
 * out. */
void config_print(struct buf *out);

#endif
