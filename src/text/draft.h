/* draft.h: the words of the document that is being put, by term; and words that are left out.
 * Between index.c, draft.c and
 * marker.c. */
#ifndef VDB_TEXT_DRAFT_H
#define VDB_TEXT_DRAFT_H

#include "text/index.h"

struct text_draft *text_draft_new(void);
void text_draft_free(struct text_draft *d);

struct text_stops *text_stops_new(struct text_tokenizer *t, const struct slice *words,
                                  size_t count);
void text_stops_free(struct text_stops *s);
bool text_stops_have(const struct text_stops *s, struct slice word);

#endif
