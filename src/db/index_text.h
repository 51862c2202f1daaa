/* index_text.h: the TEXT fields of an index over keys: one text index (text/index.h) beside its
 * collections.
 *
 * A document's slot there is in its attributes as "d", the first of their fields, which has a
 * column: so a lane knows of a row what words its document has, and of a document its rows
 * (text/documents.h). What is dead is collected by a timer, in slices of the loop's time.
 *
 * owner: loop */
#ifndef VDB_DB_INDEX_TEXT_H
#define VDB_DB_INDEX_TEXT_H

#include "db/indexes.h"
#include "text/match.h"

#define INDEX_TEXT_SLOT "d"

/* NULL: memory is short. */
MUST_USE struct index_text *index_text_new(struct db *db, const struct index_spec *spec);
/* Frees it when no search can hold it; NULL is allowed. */
void index_text_drop(struct index_text *t);
size_t index_text_bytes(const struct index_text *t);
struct text_index *index_text_of(const struct index_text *t);

/* The slot of a document, whether there or new; ERR_NOMEM. */
MUST_USE enum err index_text_slot(const struct key_index *x, struct slice key, uint32_t *slot);
/* TEXT_NO_SLOT: the document is not there. */
uint32_t index_text_find(const struct key_index *x, struct slice key);
/* Are its words those of x->document? */
bool index_text_is(const struct key_index *x, uint32_t slot);
/* Its words are those of x->document from lsn on. ERR_NOMEM: they are as before. */
MUST_USE enum err index_text_put(struct key_index *x, uint32_t slot, uint64_t lsn);
/* It stands in rows of the collections now. */
void index_text_note_rows(struct key_index *x, uint32_t slot, struct slice key);
/* It is going to leave the collections. slot: TEXT_NO_SLOT, or one that came from
 * index_text_slot and is not in an attribute yet. */
void index_text_forget(struct key_index *x, struct slice key, uint32_t slot, uint64_t lsn);

/* A text that a field of a document is going to have is read ahead of that, in steps, and found by
 * index_text_put. NULL: memory is short, or there is nothing to be read. */
struct index_ahead;
MUST_USE struct index_ahead *index_ahead_new(struct key_index *x, const struct index_field *f,
                                             struct slice text);
/* A tenth of a millisecond or so; true: it is done, or of no use any more. */
bool index_ahead_step(struct index_ahead *a);
void index_ahead_free(struct index_ahead *a); /* NULL is allowed */

/* [lane] The slot of a row's document; TEXT_NO_SLOT: it has none. */
uint32_t index_text_row_slot(const struct collection_view *v, uint32_t row);

#endif
