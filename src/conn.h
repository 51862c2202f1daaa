/* conn.h: a session on a byte stream: flow control, limits on what waits, closing. owner: loop. */
#ifndef VDB_CONN_H
#define VDB_CONN_H

#include "base/io.h"
#include "session.h"

struct server;

struct conn {
    struct session session; /* first: a session of the list is its connection's */
    struct server *server;
    struct io_stream *stream; /* of io; gone after on_closed, as is this */
    struct buf sending;       /* on its way; the stream holds its bytes while writing */
    bool writing;             /* a part of sending waits in the stream for on_written */
    bool reading;             /* off while a blocked client has sent enough for now */
    bool closed;              /* stream_close was called */
    bool ready;               /* in the server's list of those to go on with */
    struct conn *ready_next;
    uint64_t soft_since_us;   /* the output has been over the soft limit since; 0: it is not */
};

/* Serves a stream that was just accepted; closes it when memory is short. */
void conn_open(struct server *server, struct io_stream *stream);

/* Goes on with what was fed before and sends what there is. */
void conn_go_on(struct conn *c);

/* Closes after the replies that wait. The client runs no further command. */
void conn_close_soon(struct conn *c);
/* Closes at once; what was not sent is lost. The memory goes later, when the stream is closed, so
 * this may be called from inside a command of the client itself. Twice is once. */
void conn_close(struct conn *c);

/* Once a second: is the client idle for too long, or too slow a reader? */
void conn_check(struct conn *c, uint64_t now_us);

#endif
