/* ahead.h: a long text is broken into words ahead of the document that will have it, a part at a
 * time. What is found there is no part of the index; terms that are new are, without postings.
 *
 * Nothing of the index may be collected as long as there is one. owner: loop */
#ifndef VDB_TEXT_AHEAD_H
#define VDB_TEXT_AHEAD_H

#include "text/index.h"

struct text_ahead;

/* Of a copy of text. NULL: memory is short. */
MUST_USE struct text_ahead *text_ahead_new(struct text_index *x, enum text_language language,
                                           unsigned field, struct slice text);
/* The index may be gone; NULL is allowed. */
void text_ahead_free(struct text_ahead *a);
/* Reads on for a tenth of a millisecond or so; *done: that was the last part. ERR_NOMEM. */
MUST_USE enum err text_ahead_step(struct text_ahead *a, bool *done);
/* Has it read this text, as a document of that language would? */
bool text_ahead_is(const struct text_ahead *a, enum text_language language, unsigned field,
                   struct slice text);
/* Takes the place of text_put_field; once. */
MUST_USE enum err text_put_ahead(struct text_index *x, struct text_ahead *a);

#endif
