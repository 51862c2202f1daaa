/* query_scan.c: splits a query into words as RediSearch does.
 *
 * What may surprise, and is RediSearch's: punctuation that means nothing separates words and is
 * dropped, so `a.b` is two words; a backslash makes any byte part of a word. Beyond it: a point
 * between digits belongs to the number, and names of fields have points and minuses unescaped,
 * since clients send `@metadata.year:[1 2]` so. */
#include "ft/query_scan.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c >= 0x80;
}

/* The byte n behind the current one, NUL behind the end. */
static uint8_t peek(const struct query_scanner *s, size_t n)
{
    return s->at + n < s->source.len ? s->source.ptr[s->at + n] : '\0';
}

static bool at_end(const struct query_scanner *s)
{
    return s->at >= s->source.len;
}

static void skip_blanks(struct query_scanner *s)
{
    while (!at_end(s) && is_blank(peek(s, 0)))
        s->at++;
}

static struct slice from(const struct query_scanner *s, size_t start)
{
    return (struct slice){s->source.ptr + start, s->at - start};
}

/* Bytes of the word's next letter, 0: none follows. */
static size_t letter_size(const struct query_scanner *s, bool in_name)
{
    uint8_t c = peek(s, 0);
    if (c == '\\')
        return s->at + 1 < s->source.len ? 2 : 0;
    if (is_word_byte(c))
        return 1;
    if (in_name)
        return c == '.' || c == '-';
    return c == '.' && s->at > 0 && is_digit(s->source.ptr[s->at - 1]) && is_digit(peek(s, 1));
}

static struct slice scan_letters(struct query_scanner *s, bool in_name)
{
    size_t start = s->at, size;
    while ((size = letter_size(s, in_name)) > 0)
        s->at += size;
    return from(s, start);
}

/* Up to the unescaped byte, which is skipped. False: there is none. */
static bool scan_until(struct query_scanner *s, uint8_t end, struct slice *out)
{
    size_t start = s->at;
    while (!at_end(s) && peek(s, 0) != end)
        s->at += peek(s, 0) == '\\' ? 2 : 1;
    if (at_end(s)) {
        s->at = s->source.len;
        return false;
    }
    *out = from(s, start);
    s->at++;
    return true;
}

/* Quotes count at the start of a value only: some clients send inches unescaped, {5" pipe}. */
struct quotes {
    bool open;
    bool may_open;
};

static void note_quotes(struct quotes *q, uint8_t c)
{
    if (c == '"' && (q->open || q->may_open))
        q->open = !q->open;
    q->may_open = c == '|' || (q->may_open && is_blank(c));
}

/* Up to the closing bracket, past those in quotes: a tag may hold one. */
static bool scan_bracketed(struct query_scanner *s, uint8_t end, struct slice *out)
{
    size_t start = s->at;
    struct quotes quotes = {.may_open = true};
    for (; !at_end(s); s->at++) {
        uint8_t c = peek(s, 0);
        note_quotes(&quotes, c);
        if (c == '\\')
            s->at++;
        else if (c == end && !quotes.open)
            break;
    }
    if (at_end(s)) {
        s->at = s->source.len;
        return false;
    }
    *out = from(s, start);
    s->at++;
    return true;
}

/* word, word*, $name, $name*: behind what came before the word. */
static void scan_word(struct query_scanner *s, struct query_token *t, bool starred)
{
    t->is_param = peek(s, 0) == '$';
    if (t->is_param)
        s->at++;
    t->text = scan_letters(s, false);
    if (t->text.len == 0)
        return;
    t->kind = QTOKEN_TEXT;
    t->pattern = starred ? QUERY_SUFFIX : QUERY_WORD;
    if (peek(s, 0) == '*') {
        t->pattern = starred ? QUERY_INFIX : QUERY_PREFIX;
        s->at++;
    }
}

static void scan_star(struct query_scanner *s, struct query_token *t)
{
    s->at++;
    if (peek(s, 0) == '$' || letter_size(s, false) > 0)
        scan_word(s, t, true);
    else
        t->kind = QTOKEN_ALL;
}

static void scan_fuzzy(struct query_scanner *s, struct query_token *t)
{
    while (peek(s, 0) == '%' && t->edits <= QUERY_EDITS_MAX) {
        t->edits++;
        s->at++;
    }
    t->is_param = peek(s, 0) == '$';
    if (t->is_param)
        s->at++;
    t->text = scan_letters(s, false);
    for (unsigned i = 0; i < t->edits; i++, s->at++)
        if (peek(s, 0) != '%')
            return;
    if (t->text.len == 0 || t->edits > QUERY_EDITS_MAX)
        return;
    t->kind = QTOKEN_TEXT;
    t->pattern = QUERY_FUZZY;
}

/* At the operator behind a field's name: == != < <= > >=. False: another byte stands there. */
static bool scan_compare(struct query_scanner *s, enum query_compare *out)
{
    static const struct {
        const char *text;
        enum query_compare op;
    } spellings[] = {{"==", COMPARE_EQ}, {"!=", COMPARE_NE}, {"<=", COMPARE_LE},
                     {">=", COMPARE_GE}, {"<", COMPARE_LT},  {">", COMPARE_GT}};
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        const char *text = spellings[i].text;
        if (peek(s, 0) != (uint8_t)text[0] || (text[1] != '\0' && peek(s, 1) != (uint8_t)text[1]))
            continue;
        s->at += strlen(text);
        *out = spellings[i].op;
        return true;
    }
    return false;
}

static void scan_operand(struct query_scanner *s, struct query_token *t)
{
    skip_blanks(s);
    size_t start = s->at;
    while (!at_end(s) && !is_blank(peek(s, 0)) && strchr("()|=&", peek(s, 0)) == NULL)
        s->at++;
    t->operand = from(s, start);
    t->kind = t->operand.len > 0 ? QTOKEN_COMPARE : QTOKEN_BAD;
}

/* At the @. */
static void scan_fields(struct query_scanner *s, struct query_token *t)
{
    size_t start = ++s->at, names = 0;
    for (;;) {
        if (names > 0 && peek(s, 0) == '@')
            s->at++;
        if (scan_letters(s, true).len == 0)
            return;
        names++;
        t->text = from(s, start);
        if (peek(s, 0) != '|')
            break;
        s->at++;
    }
    skip_blanks(s);
    if (peek(s, 0) == ':') {
        s->at++;
        t->kind = QTOKEN_FIELDS;
    } else if (names == 1 && scan_compare(s, &t->op)) {
        scan_operand(s, t);
    }
}

/* Behind the word ismissing: (@field). False: something else follows, and nothing is consumed. */
static bool scan_missing(struct query_scanner *s, struct query_token *t)
{
    struct query_scanner ahead = *s;
    skip_blanks(&ahead);
    if (peek(&ahead, 0) != '(')
        return false;
    ahead.at++;
    skip_blanks(&ahead);
    if (peek(&ahead, 0) != '@')
        return false;
    ahead.at++;
    struct slice name = scan_letters(&ahead, true);
    skip_blanks(&ahead);
    if (name.len == 0 || peek(&ahead, 0) != ')')
        return false;
    ahead.at++;
    *s = ahead;
    t->kind = QTOKEN_MISSING;
    t->text = name;
    return true;
}

static void scan_plain(struct query_scanner *s, struct query_token *t)
{
    if (peek(s, 0) == 'w' && peek(s, 1) == '\'') {
        s->at += 2;
        if (scan_until(s, '\'', &t->text) && t->text.len > 0) {
            t->kind = QTOKEN_TEXT;
            t->pattern = QUERY_WILDCARD;
        }
        return;
    }
    scan_word(s, t, false);
    if (t->kind == QTOKEN_TEXT && !t->is_param && t->pattern == QUERY_WORD &&
        slice_eq_nocase(t->text, "ismissing"))
        (void)scan_missing(s, t); /* otherwise it is a word as any other */
}

/* Does something start here, or is it punctuation between words? */
static bool starts_token(const struct query_scanner *s)
{
    uint8_t c = peek(s, 0);
    if (c == '=')
        return peek(s, 1) == '>';
    return (c != '\0' && strchr("()|-~*%@\"{}[]$", c) != NULL) || letter_size(s, false) > 0;
}

static enum query_token_kind sign(uint8_t c)
{
    switch (c) {
    case '(':
        return QTOKEN_OPEN;
    case ')':
        return QTOKEN_CLOSE;
    case '|':
        return QTOKEN_OR;
    case '-':
        return QTOKEN_NOT;
    case '~':
        return QTOKEN_OPTIONAL;
    default:
        return QTOKEN_BAD;
    }
}

struct query_token query_scan(struct query_scanner *s)
{
    while (!at_end(s) && !starts_token(s))
        s->at++;
    struct query_token t = {.kind = QTOKEN_BAD, .at = s->at};
    uint8_t c = peek(s, 0);
    if (at_end(s)) {
        t.kind = QTOKEN_END;
    } else if (sign(c) != QTOKEN_BAD) {
        t.kind = sign(c);
        s->at++;
    } else if (c == '=') {
        t.kind = QTOKEN_ARROW;
        s->at += 2;
    } else if (c == '*') {
        scan_star(s, &t);
    } else if (c == '%') {
        scan_fuzzy(s, &t);
    } else if (c == '@') {
        scan_fields(s, &t);
    } else if (c == '"') {
        s->at++;
        t.kind = scan_until(s, '"', &t.text) ? QTOKEN_PHRASE : QTOKEN_BAD;
    } else if (c == '{' || c == '[') {
        s->at++;
        bool closed = scan_bracketed(s, c == '{' ? '}' : ']', &t.text);
        if (closed)
            t.kind = c == '{' ? QTOKEN_BRACE : QTOKEN_BRACKET;
    } else {
        scan_plain(s, &t);
    }
    return t;
}

bool query_scan_word(struct query_scanner *s, struct slice *out)
{
    while (!at_end(s) && (is_blank(peek(s, 0)) || peek(s, 0) == ','))
        s->at++;
    size_t start = s->at;
    while (!at_end(s) && !is_blank(peek(s, 0)) && peek(s, 0) != ',')
        s->at++;
    *out = from(s, start);
    return out->len > 0;
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    /* A blank behind a backslash belongs to the word. */
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]) && !(s.len > 1 && s.ptr[s.len - 2] == '\\'))
        s.len--;
    return s;
}

bool query_scan_part(struct query_scanner *s, uint8_t separator, struct slice *out)
{
    if (s->at > s->source.len)
        return false;
    size_t start = s->at;
    struct quotes quotes = {.may_open = true};
    for (; !at_end(s); s->at++) {
        uint8_t c = peek(s, 0);
        note_quotes(&quotes, c);
        if (c == '\\')
            s->at++;
        else if (c == separator && !quotes.open)
            break;
    }
    if (s->at > s->source.len)
        s->at = s->source.len;
    *out = trim(from(s, start));
    s->at++; /* one past the end: nothing follows the last part */
    return true;
}

bool query_scan_phrase_word(struct query_scanner *s, struct slice *out)
{
    while (!at_end(s) && letter_size(s, false) == 0)
        s->at++;
    *out = scan_letters(s, false);
    return out->len > 0;
}
