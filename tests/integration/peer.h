/* peer.h: a client of a server under test, and replies as text that a test can show.
 *
 * A command is one line. Words are separated by blanks; 'literal', "with \n \r \0 \xff \" escapes",
 * {f32 1 -0.5} (a blob of floats), {f64 1 2} (of doubles), {x 100} (100 letters x).
 *
 * A reply is shown as +OK, -ERR text, :1, 'bulk' (bytes that are no text as \xff), nil, [a b c] for
 * arrays, and in RESP3 ,0.5 #t {key value key value}. A raw peer in RESP2 tells nil from
 * nil-array. */
#ifndef VDB_TESTS_INTEGRATION_PEER_H
#define VDB_TESTS_INTEGRATION_PEER_H

#include "base/buf.h"
#include "integration/served.h"

struct redisContext;

struct peer {
    struct redisContext *hiredis; /* or NULL: fd */
    int fd;
    struct buf in; /* received and not yet looked at */
    size_t at;
    struct buf said;
};

/* By hiredis, in RESP2. */
void peer_open_hiredis(struct peer *p, const struct served *s);
/* By a socket, nothing sent yet; path NULL: TCP. */
void peer_open(struct peer *p, const struct served *s);
void peer_open_unix(struct peer *p, const struct served *s);
void peer_close(struct peer *p);

/* Sends a command and returns its reply as text, valid until the next one of this peer. */
const char *ask(struct peer *p, const char *line);

/* [raw peers] Sends bytes; false when the server has closed. */
bool peer_send(struct peer *p, const void *bytes, size_t len);
/* The next reply; "closed" at the end of the stream, "silence" after timeout_ms. */
const char *peer_reply(struct peer *p, int timeout_ms);
enum { REPLY_MS = 20000 };

/* The words of a command line as RESP, appended to out. */
void command_bytes(const char *line, struct buf *out);

/* Does a reply look as expected? In expected, ~0.5 is a number within 0.005 of it, @ any
 * integer of digits, and ... at the end anything. */
bool reply_matches(const char *said, const char *expected);

/* Reports a reply that does not match. */
void expect_reply(const char *file, int line, struct peer *p, const char *command,
                  const char *expected);
/* The reply is an error that contains the words. */
void expect_error(const char *file, int line, struct peer *p, const char *command,
                  const char *words);

#define SAYS(peer, command, expected) expect_reply(__FILE__, __LINE__, peer, command, expected)
#define REFUSES(peer, command, words) expect_error(__FILE__, __LINE__, peer, command, words)

/* The shared server emptied, and a peer to it in RESP2 (hiredis) or RESP3 (raw). Closed by the next
 * call with the same protocol. */
struct peer *peer_fresh(int proto);

/* A list of exchanges reads better without a NULL in every second line. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* A command with its replies in both protocols; NULL resp3: the same in both. */
struct exchange {
    const char *command, *resp2, *resp3;
};

/* Runs the exchanges in order on an empty server, in RESP2 and then in RESP3. */
void play(const char *file, int line, const struct exchange *list, size_t count);
#define PLAY(...)                                                                                  \
    do {                                                                                           \
        static const struct exchange list_[] = {__VA_ARGS__};                                      \
        play(__FILE__, __LINE__, list_, COUNT_OF(list_));                                          \
    } while (0)

#endif
