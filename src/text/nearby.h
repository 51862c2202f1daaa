/* nearby.h: the words of an index that a few edits make of one. [lane] */
#ifndef VDB_TEXT_NEARBY_H
#define VDB_TEXT_NEARBY_H

#include "text/index.h"

/* What is looked for, and for whom. */
struct text_near {
    struct slice word;
    size_t edits; /* letters that are added, missing or others, at most */
    bool (*fn)(void *user, const struct text_term *term); /* false: that was enough */
    bool (*stops)(void *user);                            /* asked for each term that is met */
    void *user;
};

/* In the order of the words, without stems. ERR_NOMEM. */
MUST_USE enum err text_each_near(const struct text_terms *terms, const struct text_near *near);

/* Not a stem. */
static inline bool text_term_is_word(const struct text_term *term)
{
    return term->size == 0 || term->text[0] != TEXT_STEM_MARK;
}

#endif
