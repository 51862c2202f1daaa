/* words.h: the words of one line, quoted as redis-cli, redis.conf and inline commands quote them.
 *
 * "..." understands \n \r \t \b \a \xHH and takes any other escaped byte as itself; '...' only \'.
 * A quote may open in the middle of a word; a closing quote ends the word and must be followed by a
 * blank or the end of the line. Pure; no state. */
#ifndef VDB_BASE_WORDS_H
#define VDB_BASE_WORDS_H

#include "base/slice.h"

enum words_status {
    WORDS_WORD,
    WORDS_END,       /* nothing but blanks was left */
    WORDS_UNBALANCED /* a quote that does not close, or text right behind a closing one */
};

/* Takes the next word from the front of *line. A word without quotes is a slice of the line;
 * otherwise its bytes are written to *spare, which moves on behind them. Spare room of line->len
 * bytes is enough for all words of a line; it may be NULL when the line holds no quote. */
enum words_status words_next(struct slice *line, uint8_t **spare, struct slice *word);

/* Whether the line holds a quote of either kind, so that words_next needs spare room. */
bool words_has_quotes(struct slice line);

#endif
