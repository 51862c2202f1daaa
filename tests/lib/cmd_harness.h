/* cmd_harness.h: commands without a server: one client, one database, a simulated outside world.
 *
 *     struct harness *h = harness_new();
 *     EXPECT_REPLY(h, 2, "SET k v", "+OK\r\n");
 *     harness_free(h);
 *
 * A line is split into arguments as redis-cli does it: "a b", "\x00\xff". A command that waits for
 * a search or for links runs the simulation until it has its answer. */
#ifndef VDB_TESTS_LIB_CMD_HARNESS_H
#define VDB_TESTS_LIB_CMD_HARNESS_H

#include "cmd/command.h"
#include "cmd/env.h"
#include "lib/test.h"
#include "persist/persist.h"
#include "sim/sim_io.h"

struct harness {
    struct sim *sim;
    struct config config;
    struct stats stats;
    struct db db;
    struct log log;
    struct persist persist; /* the folder "data" of the simulation */
    struct cmd_env env;
    struct client *client; /* who sends what harness_run runs */
    /* calls of the hooks */
    unsigned killed, shutdowns, reconfigured;
    enum shutdown_save last_shutdown;
    struct client *last_killed;
    size_t killed_with_bytes; /* of replies: those that still leave */
};

/* config as by default; change h->config and call harness_reconfigure for what db copies. */
struct harness *harness_new(void);
void harness_reconfigure(struct harness *h);
void harness_free(struct harness *h);
/* Nothing is logged before this. Replies are not held back by it. */
void harness_start_log(struct harness *h);

/* A further client, which is freed with the harness. */
struct client *harness_add_client(struct harness *h, const char *host, int port);

/* Runs one command of h->client in protocol 2 or 3, or in what the client has chosen by itself when
 * proto is 0; returns the reply, valid until the next one. */
struct slice harness_run(struct harness *h, int proto, const char *line);
struct slice harness_run_args(struct harness *h, int proto, const struct slice *argv, size_t argc);

/* Is this exactly one reply, whole, with the types of the protocol? */
bool reply_is_well_formed(struct slice reply, int proto);

void harness_expect(const char *file, int at, struct harness *h, int proto, const char *line,
                    const char *reply);
void harness_expect_part(const char *file, int at, struct harness *h, int proto, const char *line,
                         const char *part, bool there);

#define EXPECT_REPLY(h, proto, line, reply)                                                        \
    harness_expect(__FILE__, __LINE__, h, proto, line, reply)
/* The same bytes in both protocols. */
#define EXPECT_REPLIES(h, line, reply)                                                             \
    do {                                                                                           \
        EXPECT_REPLY(h, 2, line, reply);                                                           \
        EXPECT_REPLY(h, 3, line, reply);                                                           \
    } while (0)
/* The reply holds part somewhere, or does not. */
#define EXPECT_PART(h, proto, line, part)                                                          \
    harness_expect_part(__FILE__, __LINE__, h, proto, line, part, true)
#define EXPECT_NO_PART(h, proto, line, part)                                                       \
    harness_expect_part(__FILE__, __LINE__, h, proto, line, part, false)

#endif
