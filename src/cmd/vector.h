/* vector.h: what the handlers of vector commands share. */
#ifndef VDB_CMD_VECTOR_H
#define VDB_CMD_VECTOR_H

#include "cmd/keys.h"
#include "cmd/vector_read.h"

/* The collection at a key, or NULL after replying what missing says: nothing was replied when
 * *missing is set to true, and the caller replies what its command says of a missing key. */
struct collection *find_collection(struct request *rq, struct slice key, bool *missing);

/* The same; replies the error for commands that need one: "no such collection 'x'; ...". */
struct collection *need_collection(struct request *rq, struct slice key);

/* Into *out the name of the partition that a put goes to as the log has it: len 0 for _default. An
 * error when there is none of the name, which says how to create it. */
MUST_USE enum err need_partition(const struct collection *c, struct slice key, struct slice name,
                                 struct slice *out, struct why *why);
/* PARTITION n name ... of a search; *out NULL: all elements are in these. */
MUST_USE enum err choose_partitions(const struct collection *c, struct slice key,
                                    const struct slices *names, bool given,
                                    struct partition_choice **out, struct why *why);

/* After a write to c whose reply starts at from, a position in client->out: when searches would
 * have to scan too much, the reply waits until rows were linked. The write itself is done. In a
 * transaction the reply of EXEC waits. */
void wait_for_room(struct request *rq, struct collection *c, size_t from);
/* The same for a client that is blocked by a write that has just ended: true, and it stays so. */
bool wait_longer_for_room(struct cmd_env *env, struct client *client, struct collection *c,
                          size_t from);
/* Runs this command again once everything that is pending in c was linked. There is something
 * pending, and nothing was replied yet. */
void retry_when_linked(struct request *rq, struct collection *c);

/* Vector of a row as clients see it: an array of doubles, in the length it was added with, or as a
 * blob in the type of the collection. room: dim floats, of the caller. Safe on a lane that holds
 * the view. */
void reply_vector(struct reply *r, const struct collection_view *v, uint32_t row, bool raw,
                  float *room);

#endif
