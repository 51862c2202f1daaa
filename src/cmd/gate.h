/* gate.h: a reply leaves once the log position it depends on is stable (ARCHITECTURE.md, "A vector,
 * from bytes to log"). Replies of reads wait too, for the last change they saw, so that nobody is
 * told what a crash can take back. Replies of writes wait besides until the end of the process
 * cannot take them back. What "stable" and "kept" mean is the sinks' business (db/mlog.h): without
 * one, nothing ever waits.
 *
 * owner: loop. */
#ifndef VDB_CMD_GATE_H
#define VDB_CMD_GATE_H

#include "cmd/client.h"

struct cmd_env;

/* Replies of a client from a position on wait for an LSN. */
struct reply_gate {
    uint64_t from; /* position in all that was ever written to the client */
    uint64_t lsn;
    bool wrote; /* the record with this LSN is the client's own */
};

/* What was appended to client->out from offset on depends on the log as it is now. wrote: the last
 * record is what the command changed. */
void gate_replies(struct cmd_env *env, struct client *client, size_t offset, bool wrote);

/* How many bytes of client->out may leave now; opens the gates whose LSN is. */
size_t gate_open_bytes(struct cmd_env *env, struct client *client);

/* What a sink calls stable or kept has risen: clients whose gates open go on. */
void gate_on_stable(struct cmd_env *env);

#endif
