/* rig.h: the whole server in the simulator, and a few clients that ask it one thing at a time.
 *
 * Nothing is left to chance: the network takes no time, jobs run at once and as they come, so what
 * happens to a server follows from what it is sent. Time is virtual. */
#ifndef VDB_TESTS_ROBUST_RIG_H
#define VDB_TESTS_ROBUST_RIG_H

#include "server.h"
#include "sim/sim_io.h"

enum { RIG_CLIENTS = 3, RIG_WORDS_MAX = 600 };

/* What became of a command. */
enum answer {
    ANSWER_REPLY,
    ANSWER_SILENCE, /* none within a virtual minute */
    ANSWER_CLOSED,  /* the server has closed the connection and replied nothing more */
    ANSWER_BAD      /* bytes that are no reply */
};

struct rig {
    struct sim *sim;
    struct server *server; /* NULL: none runs */
    struct config config;  /* to be changed before the start */
    struct sim_client *clients[RIG_CLIENTS];
    int protos[RIG_CLIENTS];
    int proto; /* of new connections */
    bool stopped;
};

/* A world without a server. proto: 2, or 3 to begin each connection with HELLO 3. */
void rig_open(struct rig *r, int proto);
/* Starts a server over the disk as it is and waits until it serves. false: it does not start, and
 * is gone. */
MUST_USE bool rig_start(struct rig *r, struct why *why);
/* Stops the server in order, and frees it. */
void rig_stop(struct rig *r);
void rig_close(struct rig *r);

/* Sends one command and waits for its reply, which reply gets. A client connects when it is not. */
enum answer rig_ask(struct rig *r, unsigned client, const struct slice *argv, size_t argc,
                    struct buf *reply);
/* The same of words in a line, without quotes. */
enum answer rig_ask_line(struct rig *r, unsigned client, const char *line, struct buf *reply);
/* Bytes as they are. */
void rig_send(struct rig *r, unsigned client, struct slice bytes);
enum answer rig_wait(struct rig *r, unsigned client, struct buf *reply);
/* Whether the connection stands; it has not been closed by anyone. */
bool rig_connected(const struct rig *r, unsigned client);
void rig_disconnect(struct rig *r, unsigned client);
/* So much time passes. */
void rig_time(struct rig *r, uint64_t us);

/* Gives back all room that buffers keep for later, so that what comes next has to ask for it. */
void rig_forget_room(struct rig *r);

/* A number that is equal when data, options, and what is remembered of connections are. */
uint64_t rig_state(const struct rig *r);
/* The same of the data alone, whatever number of records it came by. */
uint64_t rig_data(const struct rig *r);
/* How many clients MONITOR shows what is run. */
unsigned rig_watchers(const struct rig *r);
/* NULL, or what is broken in the books of the data. */
const char *rig_inspect(const struct rig *r);

#endif
