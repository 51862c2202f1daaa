/* json_cursor.c: no recursion: what is open is a stack of closing brackets of fixed size, so that a
 * file of brackets cannot exhaust ours. */
#include "tool/json_cursor.h"

#include "base/check.h"
#include "base/limits.h"

void json_cursor_init(struct json_cursor *j, struct slice text)
{
    *j = (struct json_cursor){.at = text.ptr, .end = text.ptr + text.len, .problem = ""};
}

static bool fail(struct json_cursor *j, const char *problem)
{
    j->problem = problem;
    return false;
}

uint8_t json_cursor_peek(struct json_cursor *j)
{
    CHECK(j->at <= j->end);
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' || *j->at == '\r' || *j->at == '\n'))
        j->at++;
    return j->at < j->end ? *j->at : 0;
}

bool json_cursor_at_end(struct json_cursor *j)
{
    return (json_cursor_peek(j) == 0 && j->at == j->end) || fail(j, "nothing more was expected");
}

bool json_cursor_expect(struct json_cursor *j, uint8_t byte, const char *problem)
{
    if (json_cursor_peek(j) != byte || j->at == j->end)
        return fail(j, problem);
    j->at++;
    return true;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind a backslash. */
static bool skip_escape(struct json_cursor *j)
{
    if (j->at == j->end || *j->at == '\0' || strchr("\"\\/bfnrtu", *j->at) == NULL)
        return fail(j, "no such escape in a string");
    if (*j->at++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, j->at++)
        if (j->at == j->end || hex_digit(*j->at) < 0)
            return fail(j, "\\u needs four hex digits");
    return true;
}

bool json_cursor_string(struct json_cursor *j, struct slice *raw)
{
    if (!json_cursor_expect(j, '"', "a string was expected"))
        return false;
    const uint8_t *start = j->at - 1;
    while (j->at < j->end && *j->at != '"') {
        if (*j->at < 0x20)
            return fail(j, "a control byte in a string");
        if (*j->at++ == '\\' && !skip_escape(j))
            return false;
    }
    if (j->at == j->end)
        return fail(j, "the string does not end");
    j->at++;
    *raw = (struct slice){start, (size_t)(j->at - start)};
    return true;
}

static bool skip_digits(struct json_cursor *j)
{
    const uint8_t *start = j->at;
    while (j->at < j->end && *j->at >= '0' && *j->at <= '9')
        j->at++;
    return j->at > start || fail(j, "a digit was expected");
}

static bool take_any(struct json_cursor *j, const char *bytes)
{
    if (j->at == j->end || *j->at == '\0' || strchr(bytes, *j->at) == NULL)
        return false;
    j->at++;
    return true;
}

bool json_cursor_number(struct json_cursor *j, struct slice *raw)
{
    (void)json_cursor_peek(j);
    const uint8_t *start = j->at;
    (void)take_any(j, "-");
    if (j->at == j->end || *j->at < '0' || *j->at > '9')
        return fail(j, "a number was expected");
    if (!take_any(j, "0") && !skip_digits(j))
        return false;
    if (take_any(j, ".") && !skip_digits(j))
        return false;
    if (take_any(j, "eE")) {
        (void)take_any(j, "+-");
        if (!skip_digits(j))
            return false;
    }
    *raw = (struct slice){start, (size_t)(j->at - start)};
    return true;
}

static bool skip_word(struct json_cursor *j, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(j->end - j->at) < len || memcmp(j->at, word, len) != 0)
        return fail(j, "a value was expected");
    j->at += len;
    return true;
}

static bool skip_scalar(struct json_cursor *j)
{
    struct slice ignored;
    switch (json_cursor_peek(j)) {
    case '"':
        return json_cursor_string(j, &ignored);
    case 't':
        return skip_word(j, "true");
    case 'f':
        return skip_word(j, "false");
    case 'n':
        return skip_word(j, "null");
    default:
        return json_cursor_number(j, &ignored) || fail(j, "a value was expected");
    }
}

/* Behind a value: closes what ends here. True when *depth is 0 or another value follows. */
static bool close_and_go_on(struct json_cursor *j, uint8_t *closers, size_t *depth)
{
    struct slice key;
    CHECK(*depth <= LIMIT_JSON_DEPTH);
    while (*depth > 0) {
        uint8_t closer = closers[*depth - 1];
        uint8_t next = json_cursor_peek(j);
        if (next == closer) {
            j->at++;
            (*depth)--;
            continue;
        }
        if (!json_cursor_expect(
                j, ',', closer == ']' ? "',' or ']' was expected" : "',' or '}' was expected"))
            return false;
        return closer == ']' ||
               (json_cursor_string(j, &key) && json_cursor_expect(j, ':', "':' was expected"));
    }
    return true;
}

bool json_cursor_value(struct json_cursor *j, struct slice *raw)
{
    uint8_t closers[LIMIT_JSON_DEPTH];
    size_t depth = 0;
    struct slice key;
    uint8_t first = json_cursor_peek(j);
    const uint8_t *start = j->at;
    do {
        first = json_cursor_peek(j);
        if (first != '{' && first != '[') {
            if (!skip_scalar(j) || !close_and_go_on(j, closers, &depth))
                return false;
            continue;
        }
        if (depth == LIMIT_JSON_DEPTH)
            return fail(j, "nested too deep");
        closers[depth++] = first == '{' ? '}' : ']';
        j->at++;
        bool is_empty = json_cursor_peek(j) == closers[depth - 1];
        if (is_empty && !close_and_go_on(j, closers, &depth))
            return false;
        if (!is_empty && first == '{' &&
            (!json_cursor_string(j, &key) || !json_cursor_expect(j, ':', "':' was expected")))
            return false;
    } while (depth > 0);
    *raw = (struct slice){start, (size_t)(j->at - start)};
    return true;
}

static uint32_t hex4(const uint8_t *at)
{
    uint32_t value = 0;
    CHECK(hex_digit(at[0]) >= 0);
    for (int i = 0; i < 4; i++)
        value = value * 16 + (uint32_t)hex_digit(at[i]);
    return value;
}

static void append_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_append_byte(out, (uint8_t)c);
        return;
    }
    CHECK(c <= 0x10ffff);
    int followers = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    buf_append_byte(out, (uint8_t)(lead[followers] | c >> (6 * followers)));
    while (followers-- > 0)
        buf_append_byte(out, (uint8_t)(0x80 | (c >> (6 * followers) & 0x3f)));
}

/* at stands on the four digits of \u; returns how many bytes were used. */
static size_t append_code_unit(struct buf *out, const uint8_t *at, const uint8_t *end)
{
    uint32_t c = hex4(at);
    bool is_high = c >= 0xd800 && c < 0xdc00;
    if (is_high && end - at >= 10 && at[4] == '\\' && at[5] == 'u') {
        uint32_t low = hex4(at + 6);
        if (low >= 0xdc00 && low < 0xe000) {
            append_utf8(out, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
            return 10;
        }
    }
    append_utf8(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
    return 4;
}

void json_cursor_unescape(struct slice raw, struct buf *out)
{
    static const char names[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    CHECK(raw.len >= 2 && raw.ptr[0] == '"' && raw.ptr[raw.len - 1] == '"');
    const uint8_t *end = raw.ptr + raw.len - 1;
    for (const uint8_t *at = raw.ptr + 1; at < end;) {
        if (*at != '\\') {
            buf_append_byte(out, *at++);
            continue;
        }
        uint8_t escape = at[1];
        at += 2;
        const char *name = strchr(names, escape);
        if (escape == 'u')
            at += append_code_unit(out, at, end);
        else
            buf_append_byte(out, name != NULL ? (uint8_t)bytes[name - names] : escape);
    }
}
