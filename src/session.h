/* session.h: one client: bytes in, commands run in order, replies out. No sockets.
 *
 * owner: loop. */
#ifndef VDB_SESSION_H
#define VDB_SESSION_H

#include "cmd/command.h"
#include "cmd/env.h"
#include "net/resp_read.h"

struct session {
    struct client client; /* first: a client of the list is its session */
    struct cmd_env *env;
    struct resp_reader reader; /* reads from client.query + taken on */
    size_t taken; /* bytes of client.query that have been run */
    size_t output_max; /* bytes of replies that may wait in client.out: set before each run */
    bool running; /* a command is being run: no second one starts inside it */
    bool full;    /* the last run ended past output_max, perhaps with commands left */
};

/* id: what CLIENT ID replies, from 1. */
void session_init(struct session *s, struct cmd_env *env, uint64_t id);
/* After client_abandon: nothing runs or waits for the client any more. */
void session_fini(struct session *s);

/* Takes bytes and runs the commands that are complete. ERR_LIMIT: the client sent more than it may
 * (client-query-buffer-limit); ERR_NOMEM: there is no room for it. Either way: close it. */
MUST_USE enum err session_feed(struct session *s, const uint8_t *bytes, size_t len);

/* Goes on with what was fed before, after the client was unblocked. */
void session_run(struct session *s);

/* Replies that may leave now: the beginning of client.out. */
struct slice session_output(struct session *s);

/* The client is to be closed once its output has left. */
static inline bool session_closing(const struct session *s)
{
    return (s->client.flags & CLIENT_CLOSE_AFTER_REPLY) != 0;
}

/* Bytes that wait to be run. */
static inline size_t session_backlog(const struct session *s)
{
    return s->client.query.len - s->taken;
}

#endif
