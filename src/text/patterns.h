/* patterns.h: whether a pattern, or a fuzzy word, stands for a word. Pure. */
#ifndef VDB_TEXT_PATTERNS_H
#define VDB_TEXT_PATTERNS_H

#include "text/query.h"
#include "text/tokens.h"

enum { TEXT_LETTERS_MAX = TEXT_WORD_MAX + 4, TEXT_NO_LETTER = 0x110000 /* and a byte */ };

/* The letter at a place, which moves on; bytes that are not UTF-8 are letters of their own. */
uint32_t text_next_letter(struct slice text, size_t *at);
/* The first TEXT_LETTERS_MAX letters of a text. */
size_t text_letters_of(struct slice text, uint32_t *out);

/* Of a kind from TEXT_PREFIX to TEXT_WILDCARD. */
bool text_fits(enum text_kind kind, struct slice pattern, struct slice word);
/* Do so many edits, at most, make one of the other (Levenshtein)? */
bool text_is_near(struct slice a, struct slice b, size_t edits);

#endif
