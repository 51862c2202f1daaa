/* filter_lex.c: splits a FILTER expression into tokens as Redis does.
 *
 * What may surprise, and is Redis's: a field name has letters, digits, _ and -, so `.a-1` is the
 * field "a-1"; `and`, `or`, `not` and `in` need no blank behind them (`not.a`, `.a in[1]`); words
 * are lower case only. Beyond Redis: numbers such as 1e-5, true and false, null before a bracket,
 * and escapes in strings mean something (Redis 8.8 compares the backslashes; later ones decode). */
#include "db/filter_lex.h"

struct spelling {
    const char *text;
    uint8_t size;
    bool whole; /* a word that must not be followed by more letters */
    enum token_kind kind;
    enum filter_code code;
    double number;
};

#define OPERATOR(text, code)                                                                       \
    {                                                                                              \
        text, sizeof(text) - 1, false, TOKEN_OPERATOR, code, 0                                     \
    }
#define WORD(text, kind, code, number)                                                             \
    {                                                                                              \
        text, sizeof(text) - 1, true, kind, code, number                                           \
    }

/* The longer of two that start alike comes first. */
static const struct spelling spellings[] = {
    OPERATOR("**", FILTER_POWER),
    OPERATOR("*", FILTER_MULTIPLY),
    OPERATOR("/", FILTER_DIVIDE),
    OPERATOR("%", FILTER_MODULO),
    OPERATOR("+", FILTER_ADD),
    OPERATOR("-", FILTER_SUBTRACT),
    OPERATOR(">=", FILTER_GE),
    OPERATOR(">", FILTER_GT),
    OPERATOR("<=", FILTER_LE),
    OPERATOR("<", FILTER_LT),
    OPERATOR("==", FILTER_EQ),
    OPERATOR("!=", FILTER_NE),
    OPERATOR("!", FILTER_NOT),
    OPERATOR("&&", FILTER_AND),
    OPERATOR("||", FILTER_OR),
    WORD("like", TOKEN_OPERATOR, FILTER_LIKE, 0),
    WORD("haslike", TOKEN_OPERATOR, FILTER_HAS_LIKE, 0),
    WORD("has", TOKEN_OPERATOR, FILTER_HAS, 0),
    WORD("contains", TOKEN_OPERATOR, FILTER_CONTAINS, 0),
    WORD("exists", TOKEN_EXISTS, FILTER_EXISTS, 0),
    WORD("geo", TOKEN_FUNCTION, FILTER_WITHIN, 0),
    WORD("between", TOKEN_FUNCTION, FILTER_BETWEEN, 0),
    WORD("null", TOKEN_NULL, FILTER_CONSTANT, 0),
    WORD("true", TOKEN_NUMBER, FILTER_CONSTANT, 1),
    WORD("false", TOKEN_NUMBER, FILTER_CONSTANT, 0),
    OPERATOR("and", FILTER_AND),
    OPERATOR("or", FILTER_OR),
    OPERATOR("not", FILTER_NOT),
    OPERATOR("in", FILTER_IN),
    {"(", 1, false, TOKEN_OPEN, FILTER_CONSTANT, 0},
    {")", 1, false, TOKEN_CLOSE, FILTER_CONSTANT, 0},
    {"[", 1, false, TOKEN_LIST_OPEN, FILTER_CONSTANT, 0},
    {"]", 1, false, TOKEN_LIST_CLOSE, FILTER_CONSTANT, 0},
    {",", 1, false, TOKEN_COMMA, FILTER_CONSTANT, 0},
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The byte n behind the current one, NUL behind the end. */
static uint8_t peek(const struct lexer *lx, size_t n)
{
    return lx->at + n < lx->source.len ? lx->source.ptr[lx->at + n] : '\0';
}

/* Digits, points and exponents are taken as far as they go, so 1.2.3 is a bad number, not two. */
static void lex_number(struct lexer *lx, struct token *t)
{
    size_t start = lx->at;
    lx->at += peek(lx, 0) == '-';
    for (;;) {
        uint8_t c = peek(lx, 0);
        bool exponent = c == 'e' || c == 'E';
        if (exponent && (peek(lx, 1) == '-' || peek(lx, 1) == '+') && is_digit(peek(lx, 2)))
            lx->at++;
        else if (!exponent && !is_digit(c) && c != '.')
            break;
        lx->at++;
    }
    struct slice text = {lx->source.ptr + start, lx->at - start};
    t->kind = slice_to_f64(text, &t->number) ? TOKEN_NUMBER : TOKEN_BAD;
}

static void lex_string(struct lexer *lx, struct token *t)
{
    uint8_t quote = peek(lx, 0);
    size_t start = ++lx->at;
    while (lx->at < lx->source.len && peek(lx, 0) != quote)
        lx->at += peek(lx, 0) == '\\' ? 2 : 1;
    if (lx->at >= lx->source.len) {
        lx->at = lx->source.len;
        return;
    }
    t->kind = TOKEN_STRING;
    t->text = (struct slice){lx->source.ptr + start, lx->at - start};
    lx->at++;
}

static void lex_param(struct lexer *lx, struct token *t)
{
    size_t start = ++lx->at;
    while (is_word_byte(peek(lx, 0)))
        lx->at++;
    if (lx->at == start)
        return;
    t->kind = TOKEN_PARAM;
    t->text = (struct slice){lx->source.ptr + start, lx->at - start};
}

static void lex_spelling(struct lexer *lx, struct token *t)
{
    size_t rest = lx->source.len - lx->at;
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        const struct spelling *s = &spellings[i];
        if (rest < s->size || memcmp(lx->source.ptr + lx->at, s->text, s->size) != 0 ||
            (s->whole && is_word_byte(peek(lx, s->size))))
            continue;
        t->kind = s->kind;
        t->code = s->code;
        t->number = s->number;
        lx->at += s->size;
        return;
    }
}

struct token lexer_next(struct lexer *lx, bool operand)
{
    while (lx->at < lx->source.len && is_blank(peek(lx, 0)))
        lx->at++;
    struct token t = {.kind = TOKEN_BAD, .code = FILTER_CONSTANT, .at = lx->at};
    struct slice rest = {lx->source.ptr + lx->at, lx->source.len - lx->at};
    uint8_t c = peek(lx, 0);
    if (rest.len == 0) {
        t.kind = TOKEN_END;
    } else if (is_digit(c) || (operand && c == '-' && is_digit(peek(lx, 1)))) {
        lex_number(lx, &t);
    } else if (c == '"' || c == '\'') {
        lex_string(lx, &t);
    } else if (c == '$') {
        lex_param(lx, &t);
    } else if (c == '.') {
        t.text = (struct slice){rest.ptr, json_path_size(rest)};
        t.kind = t.text.len > 0 ? TOKEN_FIELD : TOKEN_BAD;
        lx->at += t.text.len;
    } else {
        lex_spelling(lx, &t);
    }
    return t;
}

void lexer_decode_string(struct slice text, struct buf *out)
{
    const uint8_t *p = text.ptr, *end = text.ptr + text.len;
    while (p < end) {
        const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
        if (slash == NULL)
            slash = end;
        buf_append(out, p, (size_t)(slash - p));
        if (slash == end)
            return;
        uint8_t decoded[4], size = 0;
        size_t taken = json_escape_decode(slash, end, decoded, &size);
        buf_append(out, decoded, size);
        p = taken > 0 ? slash + taken : slash + 2;
        if (taken == 0)
            buf_append(out, slash + 1, 1);
    }
}
