#include "base/words.h"

#include "base/check.h"

/* isspace() of the C locale. */
static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What ends a word outside quotes: as in Redis, \v and \f separate words but do not end one. */
static bool ends_word(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static uint8_t escaped_byte(uint8_t c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/* Decodes the escape that starts at p with a backslash inside "...". Returns how many bytes of the
 * line it took. A backslash at the end of the line is itself. */
static size_t decode_escape(const uint8_t *p, size_t left, uint8_t *out)
{
    CHECK(left > 0 && *p == '\\');
    if (left == 1) {
        *out = '\\';
        return 1;
    }
    if (left >= 4 && p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
        *out = (uint8_t)(hex_digit(p[2]) * 16 + hex_digit(p[3]));
        return 4;
    }
    *out = escaped_byte(p[1]);
    return 2;
}

/* Copies what stands behind an opening quote up to its partner. Returns how many bytes of the line
 * that took, with the closing quote, or 0 when the quote does not close as it must. */
static size_t copy_quoted(struct slice s, uint8_t quote, uint8_t **spare)
{
    size_t i = 0;
    while (i < s.len) {
        uint8_t c = s.ptr[i];
        if (c == quote) {
            bool alone = i + 1 == s.len || is_blank(s.ptr[i + 1]);
            return alone ? i + 1 : 0;
        }
        if (c == '\\' && quote == '"') {
            i += decode_escape(s.ptr + i, s.len - i, *spare);
        } else if (c == '\\' && i + 1 < s.len && s.ptr[i + 1] == '\'') {
            **spare = '\'';
            i += 2;
        } else {
            **spare = c;
            i++;
        }
        (*spare)++;
    }
    return 0;
}

static void drop(struct slice *s, size_t n)
{
    CHECK(n <= s->len);
    s->ptr += n;
    s->len -= n;
}

enum words_status words_next(struct slice *line, uint8_t **spare, struct slice *word)
{
    CHECK(line != NULL && word != NULL);
    while (line->len > 0 && is_blank(line->ptr[0]))
        drop(line, 1);
    if (line->len == 0)
        return WORDS_END;

    size_t plain = 0;
    while (plain < line->len && !ends_word(line->ptr[plain]) && line->ptr[plain] != '"' &&
           line->ptr[plain] != '\'')
        plain++;
    *word = (struct slice){line->ptr, plain};
    drop(line, plain);
    if (line->len == 0 || ends_word(line->ptr[0]))
        return WORDS_WORD;

    CHECK(spare != NULL && *spare != NULL);
    uint8_t *start = *spare;
    memcpy(start, word->ptr, plain);
    *spare += plain;
    uint8_t quote = line->ptr[0];
    drop(line, 1);
    size_t taken = copy_quoted(*line, quote, spare);
    if (taken == 0)
        return WORDS_UNBALANCED;
    drop(line, taken);
    *word = (struct slice){start, (size_t)(*spare - start)};
    return WORDS_WORD;
}

bool words_has_quotes(struct slice line)
{
    return line.len > 0 &&
           (memchr(line.ptr, '"', line.len) != NULL || memchr(line.ptr, '\'', line.len) != NULL);
}
