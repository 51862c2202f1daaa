/* What stands around a piece is measured in bytes, six for a word, and ends where words end; as in
 * RediSearch, a word that ends with the text does not count as ended, nor does one that begins with
 * it as begun. In scripts without blanks it ends between letters. */
#include "text/pieces.h"

#include <ctype.h>
#include <stdlib.h>

#include "text/tokens.h"

enum { WORD_BYTES = 6 };

/* -- where words end --------------------------------------------------------------------------- */

/* Does a letter of a script begin here that is written without blanks: Thai, Lao, kana, Han? */
static bool begins_letter(struct slice text, size_t at)
{
    uint8_t c = text.ptr[at], next = at + 1 < text.len ? text.ptr[at + 1] : 0;
    return (c >= 0xe3 && c <= 0xe9) || (c == 0xe0 && next >= 0xb8 && next <= 0xbb) ||
           (c == 0xf0 && next >= 0xa0);
}

static bool is_end(struct slice text, size_t at)
{
    return text_is_separator(text.ptr[at]) || begins_letter(text, at);
}

/* Where what is shown before `at` begins, from `from` on. */
static size_t begin_of(struct slice text, size_t from, size_t at)
{
    while (from < at && !is_end(text, from))
        from++;
    while (from < at && text_is_separator(text.ptr[from]))
        from++;
    return from;
}

/* Where what is shown behind `at` ends; to: the last byte of it, at most. */
static size_t end_of(struct slice text, size_t at, size_t to)
{
    while (to > at && !is_end(text, to))
        to--;
    if (to > at && begins_letter(text, to))
        return to;
    while (to > at && text_is_separator(text.ptr[to]))
        to--;
    to++;
    while (to < text.len && (text.ptr[to] & 0xc0) == 0x80) /* whole letters */
        to++;
    return to;
}

/* -- writing ----------------------------------------------------------------------------------- */

/* The text from one place to another, in which the marks are. */
static void write_span(struct slice text, size_t from, size_t to, const struct text_mark *marks,
                       size_t count, const struct text_show *how, struct buf *out)
{
    for (size_t i = 0; i < count && how->marked; i++) {
        const struct text_mark *m = &marks[i];
        CHECK(m->at >= from && m->at + m->size <= to);
        buf_append(out, text.ptr + from, m->at - from);
        buf_append_slice(out, how->open);
        buf_append(out, text.ptr + m->at, m->size);
        buf_append_slice(out, how->close);
        from = m->at + m->size;
    }
    buf_append(out, text.ptr + from, to - from);
}

/* Blanks that follow each other become one, from a place of out on. */
static void join_blanks(struct buf *out, size_t from)
{
    size_t to = from;
    for (size_t i = from; i < out->len; i++) {
        bool blank = isspace(out->ptr[i]) != 0;
        if (!blank)
            out->ptr[to++] = out->ptr[i];
        else if (i == from || !isspace(out->ptr[i - 1]))
            out->ptr[to++] = ' ';
    }
    out->len = to;
}

void text_marks_write(struct slice text, const struct text_mark *marks, size_t count,
                      const struct text_show *how, struct buf *out)
{
    write_span(text, 0, text.len, marks, count, how, out);
}

/* The end of the last letter that is whole before `end`; the one at it may not be. */
static size_t letters_end(struct slice text, size_t end)
{
    while (end > 0 && (text.ptr[end - 1] & 0xc0) == 0x80)
        end--;
    return end > 0 && text.ptr[end - 1] >= 0x80 ? end - 1 : end;
}

void text_head_write(struct slice text, const struct text_show *how, struct buf *out)
{
    size_t from = out->len, size = WORD_BYTES * (how->pieces * how->piece_words + 1);
    size = size < text.len ? size : text.len;
    buf_append(out, text.ptr, size);
    if (buf_failed(out))
        return;
    join_blanks(out, from);
    struct slice head = {out->ptr + from, out->len - from};
    size_t end = head.len;
    while (end > 0 && !is_end(head, end - 1))
        end--;
    if (end == 0 && size == text.len)
        return; /* it is one word */
    if (end == 0 || begins_letter(head, end - 1))
        end = letters_end(head, end == 0 ? head.len : end);
    while (end > 0 && isspace(head.ptr[end - 1]))
        end--;
    out->len = from + end;
}

/* -- pieces ------------------------------------------------------------------------------------ */

static int by_score(const void *a, const void *b)
{
    const struct text_piece *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static int by_place(const void *a, const void *b)
{
    const struct text_piece *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* A piece with what is around it, between the one before it and the one behind it. */
static void write_piece(struct slice text, const struct text_piece *p, size_t low, size_t high,
                        const struct text_mark *marks, const struct text_show *how, struct buf *out)
{
    size_t from = p->at, to = p->end, between = p->last - p->first + 1 - p->marks;
    if (how->piece_words > between) {
        size_t bytes = (how->piece_words - between) / 2 * WORD_BYTES;
        from = bytes < p->at - low ? p->at - bytes : low;
        from = begin_of(text, from, p->at);
        to = bytes < high - p->end ? p->end + bytes : high;
        to = to < text.len ? end_of(text, p->end, to) : p->end;
    }
    size_t start = out->len;
    write_span(text, from, to, marks + p->first_mark, p->marks, how, out);
    if (!buf_failed(out))
        join_blanks(out, start);
    buf_append_slice(out, how->separator);
}

void text_pieces_write(struct slice text, struct text_piece *pieces, size_t count,
                       const struct text_mark *marks, const struct text_show *how, struct buf *out)
{
    qsort(pieces, count, sizeof(*pieces), by_score);
    count = count < how->pieces ? count : how->pieces;
    qsort(pieces, count, sizeof(*pieces), by_place);
    for (size_t i = 0; i < count; i++) {
        const struct text_piece *p = &pieces[i];
        size_t low = i == 0 ? 0 : pieces[i - 1].end;
        size_t high = i + 1 == count ? text.len - 1 : pieces[i + 1].at;
        write_piece(text, p, low, high < p->end ? p->end : high, marks, how, out);
    }
}
