#include "text/spell.h"

#include <stdlib.h>

#include "text/match_own.h"
#include "text/nearby.h"
#include "text/patterns.h"

struct spelling {
    const struct text_spelling *s;
    struct text_suggestions *out;
    unsigned looked;
};

static uint64_t docs_of(const struct text_term *term)
{
    return atomic_load_explicit(&((struct text_term *)(uintptr_t)term)->docs, memory_order_relaxed);
}

/* Does a document that is there have the term in one of the fields? Mostly the first record says.
 */
static bool is_in(const struct text_view *v, const struct text_term *term, uint64_t fields)
{
    struct text_cursor c;
    uint32_t chunk = 0, doc;
    if (!v->index->format.fields)
        fields = UINT64_MAX;
    text_cursor_open(&c, term, &v->index->format, v->end);
    while (text_cursor_next(&c))
        if ((c.fields & fields) != 0 && text_find_version(v, c.version, &chunk, &doc) &&
            text_version_death(text_doc(v, doc)) > v->lsn)
            return true;
    return false;
}

bool text_is_known(const struct text_view *v, struct slice word)
{
    const struct text_term *term = text_terms_find(&v->index->terms, word);
    return term != NULL && is_in(v, term, UINT64_MAX);
}

static bool append(struct text_suggestions *s, struct slice word, uint64_t docs)
{
    enum { FIRST = 16 };
    if (s->count == s->capacity) {
        size_t capacity = s->capacity == 0 ? FIRST : 2 * s->capacity;
        struct text_suggestion *items =
            mem_try_realloc(MEM_SCRATCH, s->items, capacity * sizeof(*items));
        s->failed |= items == NULL;
        if (items == NULL)
            return false;
        s->items = items;
        s->capacity = capacity;
    }
    s->items[s->count++] = (struct text_suggestion){word, docs};
    return true;
}

static bool add_term(void *user, const struct text_term *term)
{
    struct spelling *x = user;
    return !is_in(x->s->view, term, x->s->fields) ||
           append(x->out, text_term_text(term), docs_of(term));
}

static bool stops(void *user)
{
    enum { LOOK_EVERY = 1024 };
    struct spelling *x = user;
    return ++x->looked % LOOK_EVERY == 0 && x->s->stops(x->s->user);
}

enum err text_suggest(const struct text_spelling *s, struct text_suggestions *out)
{
    struct spelling x = {s, out, 0};
    const struct text_near near = {s->word, s->edits, add_term, stops, &x};
    enum err e = text_each_near(&s->view->index->terms, &near);
    return e == OK && out->failed ? ERR_NOMEM : e;
}

void text_suggest_one(const struct text_spelling *s, struct slice word,
                      struct text_suggestions *out)
{
    if (!text_is_near(s->word, word, s->edits))
        return;
    const struct text_term *term = text_terms_find(&s->view->index->terms, word);
    if (term == NULL || !is_in(s->view, term, UINT64_MAX))
        (void)append(out, word, 0);
    else if (is_in(s->view, term, s->fields))
        (void)append(out, word, docs_of(term));
}

static int by_docs(const void *a, const void *b)
{
    const struct text_suggestion *x = a, *y = b;
    return x->docs != y->docs ? (x->docs < y->docs) - (x->docs > y->docs)
                              : slice_cmp(x->word, y->word);
}

void text_suggestions_sort(struct text_suggestions *s)
{
    size_t count = 0;
    if (s->count > 1)
        qsort(s->items, s->count, sizeof(*s->items), by_docs);
    for (size_t i = 0; i < s->count; i++)
        if (count == 0 || !slice_eq(s->items[count - 1].word, s->items[i].word))
            s->items[count++] = s->items[i];
    s->count = count;
}

void text_suggestions_fini(struct text_suggestions *s)
{
    mem_free(MEM_SCRATCH, s->items);
    *s = (struct text_suggestions){0};
}
