/* alter.h: a collection whose index, codes or kept vectors are to be others.
 *
 * VALTER changes the spec, once, in the log: a wish. What serves until it has come true is
 * the collection's side; beside it a second one is made:
 *
 *   WAITING     for memory, for a long put or for moves to end
 *   TRAINING    of INDEX IVF, from the rows there are (train.h), when there are enough; else flat
 *   FILLING     lanes encode the rows there are, which become the second side's; those born from
 * now on are both sides' at once LINKING     the second side's links, by the jobs of background.c
 *   READY       for a snapshot to end
 *   CLEARING    one side serves, the other one is gone; rows that only it led to become free
 *
 * Searches use the one that serves, to their end. Who wishes otherwise meanwhile ends the second
 * side; who wishes what was there before, too. Without memory for it things stay as they are, and
 * it is tried again later. A snapshot has what served, and the wish; a log has the wish: either way
 * the work begins again after a start.
 *
 * While it is on, no element moves to another row. owner: loop. */
#ifndef VDB_DB_ALTER_H
#define VDB_DB_ALTER_H

#include "db/background.h"
#include "db/collection.h"

enum alter_phase {
    ALTER_IDLE, /* it has not begun */
    ALTER_WAITING,
    ALTER_SHORT_OF_MEMORY,
    ALTER_TRAINING,
    ALTER_FILLING,
    ALTER_LINKING,
    ALTER_READY,
    ALTER_CLEARING
};

enum alter_phase alter_phase(const struct collection *c);
/* Text for VINFO. */
const char *alter_phase_name(const struct collection *c);
/* Rows that the second side does not lead to yet. */
size_t alter_rows_left(const struct collection *c);
/* Bytes of index and codes: of a side; NULL: 0. */
size_t alter_side_bytes(const struct collection *c, const struct side *s);

/* Bytes that making this shape true would take beside what is there. */
size_t alter_cost(const struct collection *c, const struct spec_shape *shape);
/* What alter_begin is going to need. ERR_NOMEM. */
MUST_USE enum err alter_prepare(struct collection *c);
/* The spec has a shape that may differ from that of what serves. */
void alter_begin(struct collection *c);
/* Memory is short: the second side goes; it is tried again later. */
void alter_give_up(struct collection *c);
/* The collection is dropped; then nobody holds it any more. */
void alter_forget(struct collection *c);
void alter_free(struct collection *c);

/* INDEX IVF is due to be trained (train.h), beside what serves. ERR_NOMEM. */
MUST_USE enum err alter_retrain(struct collection *c);
/* Percent of the training under way. */
unsigned alter_training_percent(const struct collection *c);

/* Starts a job that trains or fills the second side; false: there is none to start. */
bool alter_start(struct background *b, struct collection *c);

#endif
