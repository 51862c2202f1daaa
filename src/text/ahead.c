#include "text/ahead.h"

#include "text/draft.h"

enum { PART = 2048 /* bytes, at least */, CHECKED = 64 * 1024 };

struct text_ahead {
    struct text_index *index;
    struct text_draft *draft;
    enum text_language language;
    unsigned field;
    struct buf text;
    size_t at;      /* so much has been read */
    size_t checked; /* so much is UTF-8, before anything is read */
    bool joined;    /* it has escapes, or is not UTF-8: a word may go on behind any sign */
    bool ready, used;
};

struct text_ahead *text_ahead_new(struct text_index *x, enum text_language language, unsigned field,
                                  struct slice text)
{
    struct text_ahead *a = mem_try_calloc(MEM_TEXT, sizeof(*a));
    if (a == NULL)
        return NULL;
    *a = (struct text_ahead){
        .index = x, .language = language, .field = field, .text = BUF_INIT(MEM_TEXT)};
    a->draft = text_draft_new(x);
    buf_append_slice(&a->text, text);
    if (a->draft == NULL || buf_failed(&a->text)) {
        text_ahead_free(a);
        return NULL;
    }
    a->joined = text.len > 0 && memchr(text.ptr, '\\', text.len) != NULL;
    text_draft_begin(a->draft, language, field);
    return a;
}

void text_ahead_free(struct text_ahead *a)
{
    if (a == NULL)
        return;
    text_draft_free(a->draft);
    buf_fini(&a->text);
    mem_free(MEM_TEXT, a);
}

/* Is there a sign of Chinese or Japanese that ends sentences and clauses? No word reaches over
 * one, whatever is around it. */
static bool is_full_stop(struct slice text, size_t at)
{
    static const char signs[][4] = {"\xe3\x80\x81", "\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x8c",
                                    "\xef\xbc\x9f"};
    for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
        if (text.len - at >= 3 && memcmp(text.ptr + at, signs[i], 3) == 0)
            return true;
    return false;
}

/* Where a part ends that begins at a->at: between words. */
static size_t part_end(const struct text_ahead *a)
{
    struct slice text = buf_slice(&a->text);
    for (size_t i = a->at + PART; i < text.len; i++) {
        bool escaped = text.ptr[i - 1] == '\\';
        if (text_is_separator(text.ptr[i]) ? !escaped : !a->joined && is_full_stop(text, i))
            return i;
    }
    return text.len;
}

/* Looks at a part of the text; false: it is read from now on. */
static bool check_some(struct text_ahead *a)
{
    size_t left = a->text.len - a->checked, size = 0;
    if (left == 0 || a->joined)
        return false;
    struct slice part = {a->text.ptr + a->checked, left < CHECKED ? left : CHECKED};
    a->joined = !text_is_utf8(part, &size) || size == 0;
    a->checked += size;
    return true;
}

enum err text_ahead_step(struct text_ahead *a, bool *done)
{
    *done = false;
    if (check_some(a))
        return OK;
    if (a->at == a->text.len) {
        *done = a->ready = text_draft_pack(a->draft);
        return OK;
    }
    size_t end = part_end(a);
    enum err e = text_draft_read(a->draft, (struct slice){a->text.ptr + a->at, end - a->at});
    a->at = end;
    return e;
}

bool text_ahead_is(const struct text_ahead *a, enum text_language language, unsigned field,
                   struct slice text)
{
    return a->ready && !a->used && a->language == language && a->field == field &&
           slice_eq(buf_slice(&a->text), text);
}

enum err text_put_ahead(struct text_index *x, struct text_ahead *a)
{
    CHECK(a->index == x && !a->used);
    a->used = true;
    return text_put_read(x, a->draft);
}
