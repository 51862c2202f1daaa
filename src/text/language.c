#include "text/language.h"

#include <libstemmer.h>

static const char *const names[] = {
#define X(language, name) name,
    TEXT_LANGUAGE_LIST(X)
#undef X
};

static const char *const stop_words[TEXT_STOP_WORD_COUNT] = {
    "a",    "is",    "the",  "an",    "and",   "are",  "as",   "at", "be",  "but",  "by",
    "for",  "if",    "in",   "into",  "it",    "no",   "not",  "of", "on",  "or",   "such",
    "that", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with"};

void text_usual_stop_words(struct slice out[TEXT_STOP_WORD_COUNT])
{
    for (size_t i = 0; i < TEXT_STOP_WORD_COUNT; i++)
        out[i] = slice_of(stop_words[i]);
}

bool text_is_usual_stop_word(struct slice word)
{
    for (size_t i = 0; i < TEXT_STOP_WORD_COUNT; i++)
        if (slice_eq_nocase(word, stop_words[i]))
            return true;
    return false;
}

const char *text_language_name(enum text_language language)
{
    CHECK(language < TEXT_LANGUAGE_COUNT);
    return names[language];
}

bool text_language_find(struct slice name, enum text_language *out)
{
    for (unsigned i = 0; i < TEXT_LANGUAGE_COUNT; i++)
        if (slice_eq_nocase(name, names[i])) {
            *out = (enum text_language)i;
            return true;
        }
    return false;
}

void text_stemmers_fini(struct text_stemmers *s)
{
    for (unsigned i = 0; i < TEXT_LANGUAGE_COUNT; i++)
        if (s->of[i] != NULL)
            sb_stemmer_delete(s->of[i]);
    *s = (struct text_stemmers){0};
}

struct slice text_stem(struct text_stemmers *s, enum text_language language, struct slice word)
{
    CHECK(language < TEXT_LANGUAGE_COUNT);
    if (s->of[language] == NULL)
        s->of[language] = sb_stemmer_new(names[language], NULL);
    if (s->of[language] == NULL || word.len > INT32_MAX)
        return word;
    const sb_symbol *stem = sb_stemmer_stem(s->of[language], word.ptr, (int)word.len);
    if (stem == NULL)
        return word;
    return (struct slice){stem, (size_t)sb_stemmer_length(s->of[language])};
}
