/* bulk_add.h: a VMADD that is too long for one turn of the loop. Its client is blocked while a lane
 * reads the vectors, the loop plans in slices, a lane makes the record for the log, and the loop
 * puts the elements in slices (db/bulk.h): others are served in between.
 *
 *     reading ──► claiming ──► planning ──► preparing ──► encoding ──► applying ──► replying
 *     (lane)                   (slices)     (slices)      (lane)       (slices)     (slices)
 *
 * From the claim on, commands that change the collection wait; while elements are put that others
 * have the ids of, those that read it wait, too. Without such, reads see the collection as it was
 * before. In a transaction, and in a collection that evicts, all happens in one turn.
 *
 * owner: loop, but for the batch while a lane has it. */
#ifndef VDB_CMD_BULK_ADD_H
#define VDB_CMD_BULK_ADD_H

#include "cmd/vector_batch.h"
#include "net/resp_read.h"

struct bulk_add;

/* Fewer are put at once; so many bytes of vectors are not few. */
enum { BULK_ELEMENTS_MIN = 256, BULK_BYTES_MIN = 256 * 1024 };

/* Takes a VMADD that is long: the client is blocked, or has an error. */
bool bulk_add_takes(struct request *rq, const struct vmadd_args *a, const struct batch_ids *ids,
                    struct collection *c, const struct put_options *options);
/* Takes a command that has to wait for one: it runs again afterwards. */
bool bulk_add_holds(struct request *rq);

/* The session, once the command has returned: the bytes of the command and its arguments are the
 * bulk's from now on. */
void bulk_add_keep(struct bulk_add *a, struct buf query, struct resp_words words);

/* The client goes away. What is not in the log yet is not put. */
void bulk_add_forget(struct client *client);
/* For the end of the server: no job of one is out. */
void bulk_adds_stop(struct cmd_env *env);

#endif
