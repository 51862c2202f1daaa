/* filter_lex.h: the words of a FILTER expression. */
#ifndef VDB_DB_FILTER_LEX_H
#define VDB_DB_FILTER_LEX_H

#include "db/filter_program.h"

enum token_kind {
    TOKEN_END,
    TOKEN_BAD,
    TOKEN_NUMBER,
    TOKEN_STRING, /* text: between the quotes, escapes as written */
    TOKEN_FIELD,  /* text: the path, with its dot */
    TOKEN_PARAM,  /* text: the name, without $ */
    TOKEN_NULL,
    TOKEN_EXISTS,
    TOKEN_FUNCTION, /* of a field and numbers */
    TOKEN_OPERATOR, /* code */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_LIST_OPEN,
    TOKEN_LIST_CLOSE,
    TOKEN_COMMA
};

struct token {
    enum token_kind kind;
    enum filter_code code;
    size_t at; /* where it starts in the expression */
    double number;
    struct slice text;
};

struct lexer {
    struct slice source;
    size_t at;
};

/* operand: whether an operand may stand here; then a minus before a digit belongs to the number. */
struct token lexer_next(struct lexer *lx, bool operand);

/* Appends what a TOKEN_STRING stands for: JSON's escapes, and \x is x for every other x. */
void lexer_decode_string(struct slice text, struct buf *out);

#endif
