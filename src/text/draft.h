/* draft.h: the words of the document that is being put, by term. Between index.c, draft.c and
 * ahead.c. */
#ifndef VDB_TEXT_DRAFT_H
#define VDB_TEXT_DRAFT_H

#include "text/index.h"

struct text_draft *text_draft_new(struct text_index *index);
void text_draft_free(struct text_draft *d);
/* ahead.c: one field by itself, in several parts that end between words. ERR_NOMEM. */
void text_draft_begin(struct text_draft *d, enum text_language language, unsigned field);
MUST_USE enum err text_draft_read(struct text_draft *d, struct slice text);
/* Then its places, which stand in the order of the text, are put in that of the terms, a few each
 * time: so text_put_end finds them in the caches. True: they are. */
bool text_draft_pack(struct text_draft *d);
/* It is the next field of the document that is being put; read is of no use then. ERR_NOMEM. */
MUST_USE enum err text_put_read(struct text_index *x, struct text_draft *read);

#endif
