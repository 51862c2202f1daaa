/* train.h: learning the lists of INDEX IVF from the rows of a collection, by jobs one after the
 * other. What comes of it is an index without rows, which alter.h fills and puts to use: a
 * collection of INDEX IVF is flat until there are rows enough, and is trained again when those that
 * there are have become others than those it was trained with. */
#ifndef VDB_DB_TRAIN_H
#define VDB_DB_TRAIN_H

#include "db/background.h"
#include "db/collection.h"

struct training;

/* Lists that the spec wants of so many rows as there are. */
uint32_t train_lists(const struct collection *c);
/* Are there rows enough to learn from? */
bool train_can(const struct collection *c);
/* Has it an index, by its spec, that is to be trained, or to be trained again? */
bool train_is_due(struct collection *c);

/* What the collection's spec asks for. on_end is called on the loop when nothing is left to learn,
 * or nothing more can be. NULL when memory is short. */
MUST_USE struct training *train_new(struct collection *c, void (*on_end)(struct collection *c));
/* Starts the next job; false: one is out. */
bool train_start(struct background *b, struct training *t);
/* After on_end: the index, without rows. NULL: memory was short, or the rows are gone. */
MUST_USE struct index *train_take(struct training *t);
/* NULL is none. When a job is out, it is freed by its end. */
void train_free(struct training *t);
/* Percent. */
unsigned train_progress(const struct training *t);

/* The side serves, all of its rows in the lists: from here on they change. */
void train_note_served(struct side *s);

#endif
