#include "text/tokens.h"

#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

struct text_tokenizer {
    UBreakIterator *breaks;
    const UNormalizer2 *normal; /* ICU's, shared */
    struct buf run;             /* bytes of a run, escapes resolved, ASCII folded */
    struct buf wide, folded;    /* UTF-16 of a run; of a word */
    struct buf word;            /* a word, UTF-8 */
};

struct text_tokenizer *text_tokenizer_new(void)
{
    UErrorCode status = U_ZERO_ERROR;
    struct text_tokenizer *t = mem_try_calloc(MEM_KEYSPACE, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->run = t->wide = t->folded = t->word = BUF_INIT(MEM_KEYSPACE);
    t->breaks = ubrk_open(UBRK_WORD, "", NULL, 0, &status);
    t->normal = unorm2_getNFKCCasefoldInstance(&status);
    if (U_FAILURE(status)) {
        text_tokenizer_free(t);
        return NULL;
    }
    return t;
}

void text_tokenizer_free(struct text_tokenizer *t)
{
    if (t == NULL)
        return;
    if (t->breaks != NULL)
        ubrk_close(t->breaks);
    buf_fini(&t->run);
    buf_fini(&t->wide);
    buf_fini(&t->folded);
    buf_fini(&t->word);
    mem_free(MEM_KEYSPACE, t);
}

/* -- bytes ------------------------------------------------------------------------------------- */

bool text_is_separator(uint8_t c)
{
    if (c >= 0x80 || c == '_' || c == '\\')
        return false;
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return !letter && !(c >= '0' && c <= '9');
}

static bool is_control(uint8_t c)
{
    return c < ' ' || c == 0x7f;
}

/* May it be a part of a word behind a backslash? */
static bool is_escapable(uint8_t c)
{
    return (text_is_separator(c) && !is_control(c)) || c == '\\' || c == '_';
}

static uint8_t folded(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static struct slice cut(struct slice word)
{
    if (word.len <= TEXT_WORD_MAX)
        return word;
    word.len = TEXT_WORD_MAX;
    while (word.len > 0 && (word.ptr[word.len] & 0xc0) == 0x80)
        word.len--;
    return word;
}

/* What a run of the source is. */
struct run {
    size_t at, end;
    bool wide;    /* has bytes beyond ASCII */
    bool escaped; /* had an escape: it stays one word */
};

/* The next run from *at on, its bytes in t->run. False: there is none. */
static bool next_run(struct text_tokenizer *t, struct slice source, size_t *at, struct run *out)
{
    size_t i = *at;
    while (i < source.len && text_is_separator(source.ptr[i]))
        i++;
    *out = (struct run){.at = i};
    buf_clear(&t->run, SIZE_MAX);
    for (; i < source.len && !text_is_separator(source.ptr[i]); i++) {
        uint8_t c = source.ptr[i];
        if (c == '\\') {
            if (i + 1 == source.len)
                break; /* escapes nothing */
            uint8_t next = source.ptr[i + 1];
            if (!is_escapable(next))
                continue;
            c = next;
            i++;
            out->escaped = true;
        }
        out->wide |= c >= 0x80;
        buf_append_byte(&t->run, folded(c));
    }
    out->end = i;
    *at = i < source.len ? i + (source.ptr[i] == '\\') : i;
    return t->run.len > 0 || *at < source.len;
}

/* -- beyond ASCII ------------------------------------------------------------------------------ */

/* UTF-16 of bytes, into t->wide; its length, or -1: they are not UTF-8; -2: no memory. */
static int32_t widen(struct text_tokenizer *t, struct slice bytes)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t size;
    buf_clear(&t->wide, SIZE_MAX);
    if (bytes.len > INT32_MAX / 4)
        return -1;
    UChar *room = (UChar *)(void *)buf_reserve(&t->wide, (bytes.len + 1) * sizeof(UChar));
    if (room == NULL)
        return -2;
    u_strFromUTF8(room, (int32_t)bytes.len + 1, &size, (const char *)bytes.ptr, (int32_t)bytes.len,
                  &status);
    if (U_FAILURE(status))
        return -1;
    for (int32_t i = 0; i < size; i++) /* quotes that Unicode lets join words, and ASCII's do not */
        if (room[i] == 0x2018 || room[i] == 0x2019)
            room[i] = ' ';
    return size;
}

bool text_is_utf8(struct slice text, size_t *size)
{
    enum { LETTER_MAX = 4 };
    int64_t at = 0, end = (int64_t)text.len;
    for (*size = 0; at < end; *size = (size_t)at) {
        UChar32 c;
        U8_NEXT(text.ptr, at, end, c);
        if (c < 0)
            return end - (int64_t)*size < LETTER_MAX && at == end && text.ptr[*size] >= 0xc2;
    }
    return true;
}

/* Appends a word in its folded form, of a very long one the start. ERR_NOMEM. */
static enum err fold_wide(struct text_tokenizer *t, const UChar *text, int32_t size,
                          struct buf *out)
{
    enum { GROWS = 18 /* NFKC makes at most so many of one */ };
    UErrorCode status = U_ZERO_ERROR;
    if (size > TEXT_WORD_MAX)
        size = TEXT_WORD_MAX - (U16_IS_LEAD(text[TEXT_WORD_MAX - 1]) ? 1 : 0);
    int32_t most = size * GROWS + 1, bytes;
    buf_clear(&t->folded, SIZE_MAX);
    UChar *room = (UChar *)(void *)buf_reserve(&t->folded, (size_t)most * sizeof(UChar));
    if (room == NULL)
        return ERR_NOMEM;
    int32_t length = unorm2_normalize(t->normal, text, size, room, most, &status);
    CHECK(status != U_BUFFER_OVERFLOW_ERROR);
    size_t utf8 = (size_t)length * 3 + 1;
    uint8_t *end = buf_reserve(out, utf8);
    if (U_FAILURE(status) || end == NULL)
        return ERR_NOMEM;
    u_strToUTF8((char *)end, (int32_t)utf8, &bytes, room, length, &status);
    CHECK(U_SUCCESS(status));
    buf_advance(out, (size_t)bytes);
    return OK;
}

/* The character at a place, which moves on; ICU's own macro mixes signs. */
static UChar32 next_char(const UChar *text, int32_t *at, int32_t end)
{
    UChar unit = text[(*at)++];
    if (!U16_IS_LEAD(unit) || *at == end || !U16_IS_TRAIL(text[*at]))
        return unit;
    return U16_GET_SUPPLEMENTARY(unit, text[(*at)++]);
}

static size_t utf8_size(const UChar *text, int32_t from, int32_t end)
{
    size_t size = 0;
    while (from < end) {
        UChar32 c = next_char(text, &from, end); /* which the macro names more than once */
        size += (size_t)U8_LENGTH((uint32_t)c);
    }
    return size;
}

/* What UAX 29 calls no word may still be one to look for: an emoji, a sign. */
static bool is_word(const UChar *text, int32_t from, int32_t end, int32_t status)
{
    if (status >= UBRK_WORD_NONE_LIMIT)
        return true;
    uint32_t signs = U_GC_SO_MASK | U_GC_SC_MASK | U_GC_SM_MASK | U_GC_CO_MASK;
    return (U_GET_GC_MASK(next_char(text, &from, end)) & signs) != 0;
}

/* The words of a run of size UTF-16 units. */
static enum err break_run(struct text_tokenizer *t, const struct run *run, int32_t size,
                          text_on_token *fn, void *user)
{
    UErrorCode status = U_ZERO_ERROR;
    const UChar *text = (const UChar *)(const void *)t->wide.ptr;
    size_t at = run->at;
    ubrk_setText(t->breaks, text, size, &status);
    if (U_FAILURE(status))
        return ERR_NOMEM;
    int32_t from = ubrk_first(t->breaks);
    for (int32_t end = ubrk_next(t->breaks); end != UBRK_DONE; end = ubrk_next(t->breaks)) {
        size_t written = utf8_size(text, from, end);
        /* A quote that became a blank was three bytes. */
        if (end - from == 1 && text[from] == ' ')
            written = 3;
        if (is_word(text, from, end, ubrk_getRuleStatus(t->breaks))) {
            buf_clear(&t->word, SIZE_MAX);
            enum err e = fold_wide(t, text + from, end - from, &t->word);
            struct text_token token = {cut(buf_slice(&t->word)), at, written};
            if (e == OK && token.text.len > 0)
                e = fn(user, &token);
            if (e != OK)
                return e;
        }
        at += written;
        from = end;
    }
    return OK;
}

static enum err take_run(struct text_tokenizer *t, const struct run *run, text_on_token *fn,
                         void *user)
{
    struct text_token token = {cut(buf_slice(&t->run)), run->at, run->end - run->at};
    int32_t size = run->wide ? widen(t, buf_slice(&t->run)) : -1;
    if (size == -2)
        return ERR_NOMEM;
    if (size >= 0 && !run->escaped)
        return break_run(t, run, size, fn, user);
    if (size >= 0) {
        buf_clear(&t->word, SIZE_MAX);
        enum err e = fold_wide(t, (const UChar *)(const void *)t->wide.ptr, size, &t->word);
        if (e != OK)
            return e;
        token.text = cut(buf_slice(&t->word));
    }
    return token.text.len > 0 ? fn(user, &token) : OK;
}

enum err text_tokenize(struct text_tokenizer *t, struct slice source, text_on_token *fn, void *user)
{
    size_t at = 0;
    struct run run;
    enum err e = OK;
    while (e == OK && at < source.len && next_run(t, source, &at, &run)) {
        if (buf_failed(&t->run))
            e = ERR_NOMEM;
        else if (t->run.len > 0)
            e = take_run(t, &run, fn, user);
    }
    return e;
}

enum err text_break_word(struct text_tokenizer *t, struct slice word, text_on_token *fn, void *user)
{
    struct run run = {.end = word.len};
    buf_clear(&t->run, SIZE_MAX);
    for (size_t i = 0; i < word.len; i++) {
        if (is_control(word.ptr[i])) /* no word has one */
            continue;
        run.wide |= word.ptr[i] >= 0x80;
        run.escaped |= text_is_separator(word.ptr[i]); /* it would not be here otherwise */
        buf_append_byte(&t->run, folded(word.ptr[i]));
    }
    return buf_failed(&t->run) ? ERR_NOMEM : take_run(t, &run, fn, user);
}

enum err text_fold(struct text_tokenizer *t, struct slice source, struct buf *out)
{
    bool wide = false;
    buf_clear(&t->run, SIZE_MAX);
    for (size_t i = 0; i < source.len; i++) {
        wide |= source.ptr[i] >= 0x80;
        buf_append_byte(&t->run, folded(source.ptr[i]));
    }
    if (buf_failed(&t->run))
        return ERR_NOMEM;
    int32_t size = wide ? widen(t, buf_slice(&t->run)) : -1;
    if (size >= 0)
        return fold_wide(t, (const UChar *)(const void *)t->wide.ptr, size, out);
    buf_append_slice(out, buf_slice(&t->run));
    return size == -2 || buf_failed(out) ? ERR_NOMEM : OK;
}
