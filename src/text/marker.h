/* marker.h: a text as a query found it: the words that were looked for in marks, or the pieces
 * around them. [lane]
 *
 * The text is broken into words as when it was indexed; a word is marked, as it stands in the text,
 * when a leaf of the query stands for it or for its stem. Matches that are near each other make a
 * piece; the pieces with the most, and the rarest, of different words are shown, in the order of
 * the text, with what stands around them. Which these are, and where they end, is RediSearch's. */
#ifndef VDB_TEXT_MARKER_H
#define VDB_TEXT_MARKER_H

#include "text/language.h"
#include "text/query.h"

/* How a text is shown. */
struct text_show {
    bool marked, in_pieces;
    struct slice open, close; /* around a marked word */
    size_t pieces, piece_words;
    struct slice separator; /* behind each piece */
};

/* Prefixes, patterns and fuzzy words that are compared with each word of a text; further ones mark
 * nothing. */
enum { TEXT_MARK_PATTERNS_MAX = 256 };

struct text_marker;

/* stop_words, and what is added, stay as long as it does. NULL: memory is short. */
MUST_USE struct text_marker *text_marker_new(enum text_language language,
                                             const struct slice *stop_words, size_t count);
void text_marker_free(struct text_marker *m); /* NULL is allowed */
/* The words of a query, but those that must not be there. rarity: by node (text_ask.rarity); NULL:
 * all are equally rare. ERR_NOMEM. */
MUST_USE enum err text_marker_add(struct text_marker *m, const struct text_query *q,
                                  const double *rarity);
/* Appends the text as it is to be shown. stems: words are found by them, too. ERR_NOMEM. */
MUST_USE enum err text_marker_show(struct text_marker *m, struct slice text, bool stems,
                                   const struct text_show *how, struct buf *out);

#endif
