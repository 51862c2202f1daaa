/* spell.h: what a word may have been meant to be that no document has: words of documents, or of
 * lists, that a few edits make of it. [lane] */
#ifndef VDB_TEXT_SPELL_H
#define VDB_TEXT_SPELL_H

#include "text/match.h"

struct text_suggestion {
    struct slice word; /* of the index, under the view's guard, or of a list */
    uint64_t docs;     /* that have it, with such as are gone but not collected */
};

/* All for one word. owner: caller */
struct text_suggestions {
    struct text_suggestion *items;
    size_t count, capacity;
    bool failed; /* memory was short */
};

struct text_spelling {
    const struct text_view *view;
    struct slice word;
    uint64_t fields; /* bits: those that a document has the suggestion in */
    size_t edits;
    bool (*stops)(void *user); /* is the time over? asked now and then */
    void *user;
};

/* Does any document have it, in whatever field? */
bool text_is_known(const struct text_view *v, struct slice word);
/* Adds the words of the index. ERR_NOMEM. */
MUST_USE enum err text_suggest(const struct text_spelling *s, struct text_suggestions *out);
/* Adds a word of a list, if it is near, and not only in other fields. */
void text_suggest_one(const struct text_spelling *s, struct slice word,
                      struct text_suggestions *out);
/* What most documents have first, of equals by their bytes; none twice. */
void text_suggestions_sort(struct text_suggestions *s);
void text_suggestions_fini(struct text_suggestions *s);

#endif
