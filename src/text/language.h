/* language.h: languages that words are stemmed in, by Snowball, and words that are not indexed.
 *
 * Only constants and one handle per stemmer; knows nothing of an index. */
#ifndef VDB_TEXT_LANGUAGE_H
#define VDB_TEXT_LANGUAGE_H

#include "base/mem.h"
#include "base/slice.h"

/* The names that RediSearch takes; words of a language without a stemmer stay as they are. */
#define TEXT_LANGUAGE_LIST(X)                                                                      \
    X(TEXT_ENGLISH, "english")                                                                     \
    X(TEXT_ARABIC, "arabic")                                                                       \
    X(TEXT_ARMENIAN, "armenian")                                                                   \
    X(TEXT_BASQUE, "basque")                                                                       \
    X(TEXT_CATALAN, "catalan")                                                                     \
    X(TEXT_DANISH, "danish")                                                                       \
    X(TEXT_DUTCH, "dutch")                                                                         \
    X(TEXT_FINNISH, "finnish")                                                                     \
    X(TEXT_FRENCH, "french")                                                                       \
    X(TEXT_GERMAN, "german")                                                                       \
    X(TEXT_GREEK, "greek")                                                                         \
    X(TEXT_HINDI, "hindi")                                                                         \
    X(TEXT_HUNGARIAN, "hungarian")                                                                 \
    X(TEXT_INDONESIAN, "indonesian")                                                               \
    X(TEXT_IRISH, "irish")                                                                         \
    X(TEXT_ITALIAN, "italian")                                                                     \
    X(TEXT_LITHUANIAN, "lithuanian")                                                               \
    X(TEXT_NEPALI, "nepali")                                                                       \
    X(TEXT_NORWEGIAN, "norwegian")                                                                 \
    X(TEXT_PORTUGUESE, "portuguese")                                                               \
    X(TEXT_ROMANIAN, "romanian")                                                                   \
    X(TEXT_RUSSIAN, "russian")                                                                     \
    X(TEXT_SERBIAN, "serbian")                                                                     \
    X(TEXT_SPANISH, "spanish")                                                                     \
    X(TEXT_SWEDISH, "swedish")                                                                     \
    X(TEXT_TAMIL, "tamil")                                                                         \
    X(TEXT_TURKISH, "turkish")                                                                     \
    X(TEXT_YIDDISH, "yiddish")                                                                     \
    X(TEXT_CHINESE, "chinese")

enum text_language {
#define X(language, name) language,
    TEXT_LANGUAGE_LIST(X)
#undef X
        TEXT_LANGUAGE_COUNT
};

const char *text_language_name(enum text_language language);
/* Case does not matter. False: there is none of that name. */
MUST_USE bool text_language_find(struct slice name, enum text_language *out);

/* Stemmers are made when they are first needed. owner: one thread at a time */
struct text_stemmers {
    struct sb_stemmer *of[TEXT_LANGUAGE_COUNT];
};

void text_stemmers_fini(struct text_stemmers *s);
/* The stem of a word (lower case), valid until the next call; the word itself when the language has
 * no stemmer, or there is no memory for one. */
struct slice text_stem(struct text_stemmers *s, enum text_language language, struct slice word);

/* Words that an index leaves out unless FT.CREATE names others: those of RediSearch. */
enum { TEXT_STOP_WORD_COUNT = 33 };
void text_usual_stop_words(struct slice out[TEXT_STOP_WORD_COUNT]);
/* Case does not matter. */
bool text_is_usual_stop_word(struct slice word);

#endif
