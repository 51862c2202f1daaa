/* stops.h: words that are left out. Pure, once made. */
#ifndef VDB_TEXT_STOPS_H
#define VDB_TEXT_STOPS_H

#include "text/tokens.h"

struct text_stops;

/* words: as they were given. NULL: memory is short, or there is no tokenizer. */
MUST_USE struct text_stops *text_stops_new(struct text_tokenizer *t, const struct slice *words,
                                           size_t count);
void text_stops_free(struct text_stops *s); /* NULL is allowed */
/* word: folded */
bool text_stops_have(const struct text_stops *s, struct slice word);

#endif
