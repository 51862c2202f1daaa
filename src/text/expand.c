/* Which terms a leaf of a query stands for, by a walk over the terms in order. Prefixes and
 * what a pattern begins with narrow it; fuzzy words have a walk of their own (nearby.h). */
#include <stdlib.h>

#include "text/match_own.h"
#include "text/nearby.h"
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
        if (text_term_is_word(term) && text_fits(n->kind, pattern, text) && !add(l, term))
            return;
    }
}

/* -- fuzzy words ------------------------------------------------------------------------------- */

struct fuzzy {
    struct text_matching *m;
    struct text_leaf_terms *l;
};

static bool add_near(void *user, const struct text_term *term)
{
    return add(((struct fuzzy *)user)->l, term);
}

static bool stops(void *user)
{
    return text_gives_up(((struct fuzzy *)user)->m);
}

static enum err walk_fuzzy(struct text_matching *m, const struct text_node *n,
                           struct text_leaf_terms *l)
{
    struct fuzzy f = {m, l};
    const struct text_near near = {text_node_text(m->query, n), n->edits, add_near, stops, &f};
    return text_each_near(&m->view->index->terms, &near);
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
