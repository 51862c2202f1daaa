/* tokens.h: from a text to the words that an index knows it by.
 *
 * ASCII blanks and punctuation separate words, but for `_`; `\` before one makes it a part of the
 * word (RediSearch's rules, so that what clients escape is found). A run with characters beyond
 * ASCII is broken by Unicode's rules (UAX 29; Chinese, Japanese, Thai and the like by ICU's
 * dictionaries), and normalised by NFKC with case folding, so that what looks alike is alike. A run
 * that is not UTF-8 is a word as it is.
 *
 * owner: one thread at a time; nothing global. */
#ifndef VDB_TEXT_TOKENS_H
#define VDB_TEXT_TOKENS_H

#include "base/buf.h"
#include "base/err.h"

/* Bytes of a word, what is beyond does not count. */
enum { TEXT_WORD_MAX = 512 };

struct text_tokenizer;

struct text_token {
    struct slice text; /* folded; valid during the call */
    size_t at, size;   /* where in the source, as written */
};

/* Does a byte of ASCII separate words? */
bool text_is_separator(uint8_t c);

/* Is all of it UTF-8, but for a letter that ends behind it? *size: of what is before such a one. */
bool text_is_utf8(struct slice text, size_t *size);

/* NULL when memory is short, or ICU's data is not there. */
MUST_USE struct text_tokenizer *text_tokenizer_new(void);
void text_tokenizer_free(struct text_tokenizer *t);

/* Calls fn for each word in order until it fails, which is what is returned. ERR_NOMEM. */
typedef enum err text_on_token(void *user, const struct text_token *token);
MUST_USE enum err text_tokenize(struct text_tokenizer *t, struct slice source, text_on_token *fn,
                                void *user);
/* The same of one word of a query, whose escapes are resolved: what separates words in it does not,
 * but it is broken as Unicode says. */
MUST_USE enum err text_break_word(struct text_tokenizer *t, struct slice word, text_on_token *fn,
                                  void *user);
/* The whole of source as one word, whatever is in it: for prefixes, patterns and fuzzy words, which
 * lose a letter when they are broken. Appends it. ERR_NOMEM. */
MUST_USE enum err text_fold(struct text_tokenizer *t, struct slice source, struct buf *out);

#endif
