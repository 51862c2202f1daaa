#include "net/resp_write.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    ERROR_TEXT_MAX = 1024,
    HEAD_MAX = 24 /* a kind, 20 digits and a sign, CR LF */
};

/* Writes the decimal digits of value so that they end before end; returns where they start. */
static uint8_t *digits_before(uint8_t *end, uint64_t value)
{
    do {
        *--end = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return end;
}

/* kind, number, CR LF: the head of most replies. */
static void append_head(struct buf *out, char kind, int64_t value)
{
    uint8_t text[HEAD_MAX];
    uint8_t *end = text + sizeof(text);
    *--end = '\n';
    *--end = '\r';
    uint64_t magnitude = value < 0 ? ~(uint64_t)value + 1 : (uint64_t)value;
    uint8_t *start = digits_before(end, magnitude);
    if (value < 0)
        *--start = '-';
    *--start = (uint8_t)kind;
    CHECK(start >= text);
    buf_append(out, start, (size_t)(text + sizeof(text) - start));
}

static void append_count(struct buf *out, char kind, size_t count)
{
    CHECK(count <= INT64_MAX);
    append_head(out, kind, (int64_t)count);
}

/* A text that must stay on one line: a control byte in it, which may come from a client's own
 * words, would let it forge the replies that follow. */
static void append_line(struct buf *out, char kind, const char *text)
{
    size_t size = strnlen(text, ERROR_TEXT_MAX);
    uint8_t *to = buf_reserve(out, size + 3);
    if (to == NULL)
        return;
    *to++ = (uint8_t)kind;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = (uint8_t)text[i];
        *to++ = c < ' ' || c == 0x7f ? ' ' : c;
    }
    *to++ = '\r';
    *to++ = '\n';
    buf_advance(out, size + 3);
}

void reply_simple(struct reply *r, const char *text)
{
    append_line(r->out, '+', text);
}

void reply_error(struct reply *r, const char *text)
{
    CHECK(text[0] != '\0');
    append_line(r->out, '-', text);
}

void reply_errorf(struct reply *r, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX + 1];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    reply_error(r, text);
}

void reply_err(struct reply *r, enum err e, const struct why *why)
{
    CHECK(e != OK);
    bool explained = why != NULL && why->text[0] != '\0';
    reply_errorf(r, "%s %s", err_code(e), explained ? why->text : err_text(e));
}

void reply_int(struct reply *r, int64_t value)
{
    append_head(r->out, ':', value);
}

/* How many digits a length has. */
static size_t digit_count(uint64_t value)
{
    size_t count = 1;
    for (; value >= 10; value /= 10)
        count++;
    return count;
}

/* What long replies are made of: its parts are written where they stay, with one look at the room
 * that the buffer has. */
void reply_bulk(struct reply *r, struct slice bytes)
{
    CHECK(bytes.len <= INT64_MAX);
    size_t head = 1 + digit_count(bytes.len) + 2;
    uint8_t *to = buf_reserve(r->out, head + bytes.len + 2);
    if (to == NULL)
        return;
    uint8_t *body = to + head;
    *to = '$';
    (void)digits_before(body - 2, bytes.len);
    memcpy(body - 2, "\r\n", 2);
    if (bytes.len > 0)
        memcpy(body, bytes.ptr, bytes.len);
    memcpy(body + bytes.len, "\r\n", 2);
    buf_advance(r->out, head + bytes.len + 2);
}

void reply_gathered(struct reply *r, const struct buf *text)
{
    if (buf_failed(text))
        r->out->failed = true;
    else
        reply_bulk(r, buf_slice(text));
}

void reply_text(struct reply *r, const char *text)
{
    reply_bulk(r, slice_of(text));
}

void reply_bool(struct reply *r, bool value)
{
    if (r->proto == 2)
        reply_int(r, value);
    else
        buf_append(r->out, value ? "#t\r\n" : "#f\r\n", 4);
}

void reply_digits(struct reply *r, struct slice digits)
{
    if (r->proto == 2) {
        reply_bulk(r, digits);
        return;
    }
    buf_append_byte(r->out, ',');
    buf_append_slice(r->out, digits);
    buf_append(r->out, "\r\n", 2);
}

void reply_double(struct reply *r, double value)
{
    char text[DOUBLE_TEXT_MAX];
    size_t size = double_to_text(value, text);
    reply_digits(r, (struct slice){(const uint8_t *)text, size});
}

void reply_null(struct reply *r)
{
    buf_append_text(r->out, r->proto == 2 ? "$-1\r\n" : "_\r\n");
}

void reply_null_array(struct reply *r)
{
    buf_append_text(r->out, r->proto == 2 ? "*-1\r\n" : "_\r\n");
}

void reply_verbatim(struct reply *r, const char *format3, struct slice bytes)
{
    CHECK(strlen(format3) == 3);
    if (r->proto == 2) {
        reply_bulk(r, bytes);
        return;
    }
    append_count(r->out, '=', bytes.len + 4);
    buf_append(r->out, format3, 3);
    buf_append_byte(r->out, ':');
    buf_append_slice(r->out, bytes);
    buf_append(r->out, "\r\n", 2);
}

void reply_array(struct reply *r, size_t count)
{
    append_count(r->out, '*', count);
}

void reply_push(struct reply *r, size_t count)
{
    append_count(r->out, r->proto == 2 ? '*' : '>', count);
}

void reply_map(struct reply *r, size_t pairs)
{
    CHECK(pairs <= INT64_MAX / 2);
    if (r->proto == 2)
        append_count(r->out, '*', 2 * pairs);
    else
        append_count(r->out, '%', pairs);
}

void reply_set(struct reply *r, size_t count)
{
    append_count(r->out, r->proto == 2 ? '*' : '~', count);
}
