/* Which terms a leaf of a query stands for, by a walk over the terms in order.
 *
 * Prefixes and what a pattern begins with narrow the walk. A fuzzy word is compared by the rows of
 * Wagner and Fischer's table (1974), one for each letter; terms that begin alike share rows, and
 * where no entry of a row is small enough the walk goes on behind all terms that begin so. */
#include <stdlib.h>

#include "text/match_own.h"
#include "text/patterns.h"

/* -- walks ------------------------------------------------------------------------------------- */

/* What every text begins with that the pattern matches. */
static struct slice pattern_prefix(struct slice pattern)
{
    size_t size = 0;
    while (size < pattern.len && memchr("*?\\", pattern.ptr[size], 3) == NULL)
        size++;
    return (struct slice){pattern.ptr, size};
}

static bool begins_with(struct slice text, struct slice prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.ptr, prefix.ptr, prefix.len) == 0);
}

static bool add(struct text_leaf_terms *l, const struct text_term *term)
{
    l->terms[l->count++] = term;
    return l->count < TEXT_EXPANSIONS_MAX;
}

static bool is_word(const struct text_term *term)
{
    return term->size == 0 || term->text[0] != TEXT_STEM_MARK;
}

static void walk_pattern(struct text_matching *m, const struct text_node *n,
                         struct text_leaf_terms *l)
{
    struct slice pattern = text_node_text(m->query, n);
    struct slice prefix = n->kind == TEXT_PREFIX     ? pattern
                          : n->kind == TEXT_WILDCARD ? pattern_prefix(pattern)
                                                     : (struct slice){0};
    struct text_walk w;
    const struct text_term *term;
    if (n->kind != TEXT_WILDCARD && pattern.len < TEXT_PREFIX_MIN)
        return;
    text_walk_from(&m->view->index->terms, prefix, &w);
    while ((term = text_walk_next(&w)) != NULL && !text_gives_up(m)) {
        struct slice text = text_term_text(term);
        if (!begins_with(text, prefix))
            return;
        if (is_word(term) && text_fits(n->kind, pattern, text) && !add(l, term))
            return;
    }
}

/* -- fuzzy words ------------------------------------------------------------------------------- */

struct fuzzy {
    uint32_t word[TEXT_LETTERS_MAX], term[TEXT_LETTERS_MAX];
    size_t word_size, term_size;
    size_t edits;
    size_t good; /* rows below it are those of the first letters of `term` */
    uint16_t rows[TEXT_LETTERS_MAX + 1]
                 [TEXT_LETTERS_MAX + 1]; /* of which a short word needs a corner */
};

/* Row `at` from the one before; its least entry. */
static size_t make_row(struct fuzzy *f, size_t at)
{
    const uint16_t *above = f->rows[at - 1];
    uint16_t *row = f->rows[at];
    row[0] = (uint16_t)at;
    size_t least = at;
    for (size_t i = 1; i <= f->word_size; i++) {
        uint16_t best = (uint16_t)(above[i - 1] + (f->word[i - 1] != f->term[at - 1]));
        if (above[i] + 1 < best)
            best = (uint16_t)(above[i] + 1);
        if (row[i - 1] + 1 < best)
            best = (uint16_t)(row[i - 1] + 1);
        row[i] = best;
        least = best < least ? best : least;
    }
    return least;
}

/* The bytes of the first letters of a text. */
static size_t bytes_of(struct slice text, size_t letters)
{
    size_t at = 0;
    while (letters-- > 0 && at < text.len)
        (void)text_next_letter(text, &at);
    return at;
}

/* Is the term near enough? *dead: nothing is that begins with so many of its letters. */
static bool is_near(struct fuzzy *f, struct slice text, size_t *dead)
{
    uint32_t letters[TEXT_LETTERS_MAX];
    size_t count = text_letters_of(text, letters), same = 0;
    while (same < count && same < f->term_size && letters[same] == f->term[same])
        same++;
    if (same < f->good)
        f->good = same;
    memcpy(f->term, letters, count * sizeof(*letters));
    f->term_size = count;
    *dead = 0;
    while (f->good < count) {
        if (make_row(f, f->good + 1) > f->edits) {
            /* What is no letter may become one by the bytes that follow. */
            *dead = letters[f->good] < TEXT_NO_LETTER ? f->good + 1 : 0;
            return false;
        }
        f->good++;
    }
    return f->rows[count][f->word_size] <= f->edits;
}

/* The first text behind all that begin with these bytes; false: there is none. */
static bool behind(struct slice prefix, struct buf *out)
{
    buf_clear(out, SIZE_MAX);
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == 0xff)
        prefix.len--;
    buf_append_slice(out, prefix);
    if (prefix.len == 0 || buf_failed(out))
        return false;
    out->ptr[out->len - 1]++;
    return true;
}

static enum err walk_fuzzy(struct text_matching *m, const struct text_node *n,
                           struct text_leaf_terms *l)
{
    struct fuzzy *f = mem_try(MEM_SCRATCH, sizeof(*f));
    struct buf next = BUF_INIT(MEM_SCRATCH);
    struct text_walk w;
    const struct text_term *term;
    if (f == NULL)
        return ERR_NOMEM;
    f->term_size = f->good = 0;
    f->edits = n->edits;
    f->word_size = text_letters_of(text_node_text(m->query, n), f->word);
    for (size_t i = 0; i <= f->word_size; i++)
        f->rows[0][i] = (uint16_t)i;
    const struct text_terms *terms = &m->view->index->terms;
    text_walk_from(terms, (struct slice){0}, &w);
    while ((term = text_walk_next(&w)) != NULL && !text_gives_up(m)) {
        size_t dead;
        struct slice text = text_term_text(term);
        if (!is_word(term))
            continue;
        if (is_near(f, text, &dead) && !add(l, term))
            break;
        if (dead == 0)
            continue;
        if (!behind((struct slice){text.ptr, bytes_of(text, dead)}, &next))
            break;
        text_walk_from(terms, buf_slice(&next), &w);
    }
    bool failed = buf_failed(&next);
    buf_fini(&next);
    mem_free(MEM_SCRATCH, f);
    return failed ? ERR_NOMEM : OK;
}

/* -- all --------------------------------------------------------------------------------------- */

/* A query may have many patterns. What cannot be made smaller stays large. */
static void keep_few(struct text_leaf_terms *l)
{
    size_t count = l->count > 0 ? l->count : 1;
    const struct text_term **terms =
        mem_try_realloc(MEM_SCRATCH, l->terms, count * sizeof(*l->terms));
    double *idf = mem_try_realloc(MEM_SCRATCH, l->idf, count * sizeof(*l->idf));
    l->terms = terms != NULL ? terms : l->terms;
    l->idf = idf != NULL ? idf : l->idf;
}

enum err text_expand(struct text_matching *m, uint32_t node)
{
    const struct text_node *n = &m->query->nodes[node];
    struct text_leaf_terms *l = &m->leaves[node];
    size_t most = n->kind == TEXT_TERM ? 1 : TEXT_EXPANSIONS_MAX;
    enum err e = OK;
    l->terms = mem_try(MEM_SCRATCH, most * sizeof(*l->terms));
    l->idf = mem_try(MEM_SCRATCH, most * sizeof(*l->idf));
    if (l->terms == NULL || l->idf == NULL)
        return ERR_NOMEM;
    if (n->kind == TEXT_TERM) {
        l->terms[0] = text_terms_find(&m->view->index->terms, text_node_text(m->query, n));
        l->count = l->terms[0] != NULL;
    } else if (n->kind == TEXT_FUZZY) {
        e = walk_fuzzy(m, n, l);
    } else {
        walk_pattern(m, n, l);
    }
    for (uint32_t i = 0; i < l->count; i++) {
        uint64_t docs = atomic_load_explicit(&((struct text_term *)(uintptr_t)l->terms[i])->docs,
                                             memory_order_relaxed);
        l->idf[i] = text_idf(m, docs);
        l->docs += docs;
    }
    keep_few(l);
    return e;
}
