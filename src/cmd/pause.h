/* pause.h: CLIENT PAUSE: for some time clients' commands wait, all of them or those that write; and
 * CLIENT REPLY, by which a client wants none.
 *
 * A command that waits stays in its client's query and runs again, from the start, when the pause
 * is over. Nothing expires and nothing is evicted meanwhile: what is in memory stays as it is.
 *
 * owner: loop. */
#ifndef VDB_CMD_PAUSE_H
#define VDB_CMD_PAUSE_H

#include "base/io.h"

struct cmd_env;
struct client;
struct request;

enum pause_mode { PAUSE_NONE, PAUSE_WRITE, PAUSE_ALL };

struct pause {
    enum pause_mode mode;
    uint64_t until_us; /* monotonic */
    struct io_timer timer;
};

void pause_fini(struct cmd_env *env);
/* Does this command wait now? Then its client is blocked. */
bool pause_takes(struct request *rq);
/* The client goes away. */
void pause_forget(struct client *client);
static inline bool pause_is_on(const struct pause *p)
{
    return p->mode != PAUSE_NONE;
}

/* A command begins to reply, behind what is in client->out; does the client want to hear it? */
void mute_begin(struct client *client);
/* It has not run, and will again. */
void mute_again(struct client *client);
/* It has replied: takes back what the client does not want to hear. A blocked client's reply comes
 * later: then this is called once more. */
void mute_end(struct client *client);
/* A message is put into client->out between the two: it is no reply, and is heard. */
void mute_push_begin(struct client *client);
void mute_push_end(struct client *client);

#endif
