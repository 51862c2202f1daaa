/* client.h: one connection to a server that speaks RESP, for commands built in place and pipelined.
 *
 * A command is written argument by argument into a buffer (client_begin, client_arg...), so that a
 * batch of vectors is copied once; client_send queues it; client_reply waits for the oldest reply
 * that has not been read. */
#ifndef VDB_TOOL_CLIENT_H
#define VDB_TOOL_CLIENT_H

#include <hiredis/hiredis.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "tool/options.h"

/* Where a server is, as options say it. */
struct client_address {
    const char *host;
    uint32_t port;
    const char *unix_path; /* NULL: host and port */
    const char *auth;      /* NULL: none */
};

#define CLIENT_ADDRESS_DEFAULT                                                                     \
    {                                                                                              \
        .host = "127.0.0.1", .port = 6379                                                          \
    }

/* Rows of an option table for a struct type whose field is a struct client_address. */
#define CLIENT_OPTIONS(type, field)                                                                \
    {"host", OPTION_TEXT, "NAME", "server to talk to (127.0.0.1)", offsetof(type, field.host), 0,  \
     0},                                                                                           \
        {"port", OPTION_NUMBER, "N", "its port (6379)", offsetof(type, field.port), 1, 65535},     \
        {"unix",                                                                                   \
         OPTION_TEXT,                                                                              \
         "PATH",                                                                                   \
         "its Unix socket instead of host and port",                                               \
         offsetof(type, field.unix_path),                                                          \
         0,                                                                                        \
         0},                                                                                       \
    {                                                                                              \
        "auth", OPTION_TEXT, "PASSWORD", "password (or set VDB_AUTH)", offsetof(type, field.auth), \
            0, 0                                                                                   \
    }

/* owner: one thread */
struct client {
    redisContext *context;
    struct buf command;
    size_t args_missing; /* of the command being built */
};

/* A closed client, which client_close accepts. */
void client_clear(struct client *c);
/* Connects and authenticates. why says what to check when that fails. */
MUST_USE enum err client_open(struct client *c, const struct client_address *address,
                              struct why *why);
void client_close(struct client *c);

void client_begin(struct client *c, size_t arg_count);
void client_arg(struct client *c, struct slice bytes);
void client_arg_text(struct client *c, const char *text);
void client_arg_number(struct client *c, uint64_t value);
void client_arg_floats(struct client *c, const float *values, size_t count);
/* Every blank-separated word of text; returns their number. count_words counts without sending. */
void client_arg_words(struct client *c, const char *text);
size_t count_words(const char *text);
void client_send(struct client *c);

/* The next reply, freed by freeReplyObject. An error reply of the server is a reply. */
MUST_USE enum err client_reply(struct client *c, redisReply **out, struct why *why);
/* client_send and client_reply, and an error reply is ERR_ARG with the server's text. */
MUST_USE enum err client_call(struct client *c, redisReply **out, struct why *why);

#endif
