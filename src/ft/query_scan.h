/* query_scan.h: the words of a query. Between query_scan.c and query_parse.c; nobody else includes
 * this. */
#ifndef VDB_FT_QUERY_SCAN_H
#define VDB_FT_QUERY_SCAN_H

#include "ft/query.h"

enum query_token_kind {
    QTOKEN_END,
    QTOKEN_BAD,
    QTOKEN_OPEN,
    QTOKEN_CLOSE,
    QTOKEN_OR,
    QTOKEN_NOT,
    QTOKEN_OPTIONAL,
    QTOKEN_ALL,
    QTOKEN_TEXT,    /* a word or a pattern of one: pattern, edits, is_param */
    QTOKEN_PHRASE,  /* text: between the quotes */
    QTOKEN_FIELDS,  /* text: a|b, with the colon behind it */
    QTOKEN_COMPARE, /* text: the field; op and the number behind it in operand */
    QTOKEN_MISSING, /* text: the field */
    QTOKEN_BRACE,   /* text: between { and } */
    QTOKEN_BRACKET, /* text: between [ and ] */
    QTOKEN_ARROW
};

enum query_compare { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };

/* Slices point into the source, escapes as written. */
struct query_token {
    enum query_token_kind kind;
    enum query_kind pattern; /* QTOKEN_TEXT: QUERY_WORD .. QUERY_FUZZY */
    enum query_compare op;
    uint8_t edits;
    bool is_param; /* QTOKEN_TEXT: text is a name, without $ */
    size_t at;
    struct slice text;
    struct slice operand; /* QTOKEN_COMPARE */
};

struct query_scanner {
    struct slice source;
    size_t at;
};

struct query_token query_scan(struct query_scanner *s);

/* Words by blanks and commas, as they stand in brackets. False at the end. */
bool query_scan_word(struct query_scanner *s, struct slice *out);
/* The text up to the next unescaped separator that is not in quotes, without blanks around it.
 * False at the end. */
bool query_scan_part(struct query_scanner *s, uint8_t separator, struct slice *out);
/* The next run of bytes that make a word, in a phrase. False at the end. */
bool query_scan_phrase_word(struct query_scanner *s, struct slice *out);

#endif
