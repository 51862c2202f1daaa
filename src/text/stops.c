#include "text/stops.h"

#include <stdlib.h>

struct text_stops {
    struct buf text;     /* folded, one after the other */
    struct slice *words; /* sorted */
    size_t count;
};

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

void text_stops_free(struct text_stops *s)
{
    if (s == NULL)
        return;
    buf_fini(&s->text);
    mem_free(MEM_TEXT, s->words);
    mem_free(MEM_TEXT, s);
}

struct text_stops *text_stops_new(struct text_tokenizer *t, const struct slice *words, size_t count)
{
    struct text_stops *s = t == NULL ? NULL : mem_try_calloc(MEM_TEXT, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->text = BUF_INIT(MEM_TEXT);
    s->words = mem_try_calloc(MEM_TEXT, (count + 1) * sizeof(*s->words));
    bool ok = s->words != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        size_t from = s->text.len;
        ok = text_fold(t, words[i], &s->text) == OK;
        s->words[i].len = s->text.len - from;
    }
    if (!ok) {
        text_stops_free(s);
        return NULL;
    }
    for (size_t i = 0, at = 0; i < count; at += s->words[i++].len)
        s->words[i].ptr = s->text.ptr == NULL ? NULL : s->text.ptr + at;
    s->count = count;
    if (count > 1)
        qsort(s->words, count, sizeof(*s->words), by_text);
    return s;
}

bool text_stops_have(const struct text_stops *s, struct slice word)
{
    return s->count > 0 && bsearch(&word, s->words, s->count, sizeof(*s->words), by_text) != NULL;
}
