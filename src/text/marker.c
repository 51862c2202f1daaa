#include "text/marker.h"

#include <stdlib.h>

#include "text/index.h"
#include "text/match.h"
#include "text/patterns.h"
#include "text/pieces.h"
#include "text/stops.h"

/* A leaf of a query. */
struct sought {
    enum text_kind kind;
    uint8_t edits;
    struct slice text;
    double rarity;
    size_t piece; /* the last one that it is in, from 1; 0: none yet */
};

struct text_marker {
    enum text_language language;
    struct text_tokenizer *tokenizer;
    struct text_stemmers stemmers;
    struct text_stops *stops;
    struct buf words, patterns; /* struct sought; the words sorted once a text is shown */
    bool sorted;

    /* of the text that is shown */
    struct buf marks, pieces; /* struct text_mark, struct text_piece */
    struct buf stem;
    uint32_t position;
    bool stems;
};

struct text_marker *text_marker_new(enum text_language language, const struct slice *stop_words,
                                    size_t count)
{
    struct text_marker *m = mem_try_calloc(MEM_SCRATCH, sizeof(*m));
    if (m == NULL)
        return NULL;
    m->language = language;
    m->words = m->patterns = m->marks = m->pieces = m->stem = BUF_INIT(MEM_SCRATCH);
    m->tokenizer = text_tokenizer_new();
    m->stops = text_stops_new(m->tokenizer, stop_words, count);
    if (m->stops == NULL) {
        text_marker_free(m);
        return NULL;
    }
    return m;
}

void text_marker_free(struct text_marker *m)
{
    if (m == NULL)
        return;
    text_tokenizer_free(m->tokenizer);
    text_stemmers_fini(&m->stemmers);
    text_stops_free(m->stops);
    buf_fini(&m->words);
    buf_fini(&m->patterns);
    buf_fini(&m->marks);
    buf_fini(&m->pieces);
    buf_fini(&m->stem);
    mem_free(MEM_SCRATCH, m);
}

/* -- what is looked for ------------------------------------------------------------------------ */

static struct sought *items_of(const struct buf *b)
{
    return (struct sought *)(void *)b->ptr;
}

static size_t count_of(const struct buf *b)
{
    return b->len / sizeof(struct sought);
}

static void add_leaf(struct text_marker *m, const struct text_query *q, uint32_t node,
                     double rarity)
{
    const struct text_node *n = &q->nodes[node];
    struct sought s = {n->kind, n->edits, text_node_text(q, n), rarity, 0};
    bool pattern = n->kind >= TEXT_PREFIX && n->kind <= TEXT_FUZZY;
    bool bare = n->kind == TEXT_PREFIX || n->kind == TEXT_SUFFIX || n->kind == TEXT_INFIX;
    if (n->kind == TEXT_TERM)
        buf_append(&m->words, &s, sizeof(s));
    else if (pattern && !(bare && s.text.len < TEXT_PREFIX_MIN) &&
             count_of(&m->patterns) < TEXT_MARK_PATTERNS_MAX)
        buf_append(&m->patterns, &s, sizeof(s));
}

enum err text_marker_add(struct text_marker *m, const struct text_query *q, const double *rarity)
{
    bool *wanted = mem_try_calloc(MEM_SCRATCH, (q->count + 1) * sizeof(*wanted));
    if (wanted == NULL)
        return ERR_NOMEM;
    CHECK(q->root < q->count);
    wanted[q->root] = true;
    for (uint32_t i = q->root + 1; i-- > 0;) { /* children stand before their parents */
        const struct text_node *n = &q->nodes[i];
        bool inner = n->kind >= TEXT_AND && n->kind != TEXT_NOT;
        for (uint32_t c = n->child; wanted[i] && inner && c != TEXT_NO_NODE; c = q->nodes[c].next)
            wanted[c] = true;
    }
    for (uint32_t i = 0; i <= q->root; i++)
        if (wanted[i])
            add_leaf(m, q, i, rarity == NULL ? 1 : rarity[i]);
    mem_free(MEM_SCRATCH, wanted);
    m->sorted = false;
    return buf_failed(&m->words) || buf_failed(&m->patterns) ? ERR_NOMEM : OK;
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(((const struct sought *)a)->text, ((const struct sought *)b)->text);
}

/* Of equal words one is left. */
static void sort_words(struct text_marker *m)
{
    struct sought *words = items_of(&m->words);
    size_t count = count_of(&m->words), kept = 0;
    m->sorted = true;
    if (count == 0)
        return;
    qsort(words, count, sizeof(*words), by_text);
    for (size_t i = 1; i < count; i++)
        if (!slice_eq(words[i].text, words[kept].text))
            words[++kept] = words[i];
    m->words.len = (kept + 1) * sizeof(*words);
}

static struct sought *find_word(const struct text_marker *m, struct slice word)
{
    struct sought key = {.text = word};
    if (m->words.len == 0)
        return NULL;
    return bsearch(&key, m->words.ptr, count_of(&m->words), sizeof(key), by_text);
}

/* What a word of the text is found by; NULL: it is not. */
static struct sought *find(struct text_marker *m, struct slice word)
{
    struct sought *found = find_word(m, word), *patterns = items_of(&m->patterns);
    if (found == NULL && m->stems) {
        buf_clear(&m->stem, SIZE_MAX);
        buf_append_byte(&m->stem, TEXT_STEM_MARK);
        buf_append_slice(&m->stem, text_stem(&m->stemmers, m->language, word));
        found = find_word(m, buf_slice(&m->stem));
    }
    for (size_t i = 0; found == NULL && i < count_of(&m->patterns); i++) {
        const struct sought *p = &patterns[i];
        if (p->kind == TEXT_FUZZY ? text_is_near(p->text, word, p->edits)
                                  : text_fits(p->kind, p->text, word))
            found = &patterns[i];
    }
    return found;
}

/* -- a text ------------------------------------------------------------------------------------ */

enum { APART = 8 /* words on, a match is in another piece */ };

static void add_mark(struct text_marker *m, struct sought *by, const struct text_token *token)
{
    struct text_mark mark = {token->at, token->size};
    size_t count = m->pieces.len / sizeof(struct text_piece);
    struct text_piece *pieces = (struct text_piece *)(void *)m->pieces.ptr;
    struct text_piece *last = count == 0 ? NULL : &pieces[count - 1];
    if (last == NULL || m->position - last->last > APART) {
        struct text_piece next = {
            .at = mark.at, .first_mark = m->marks.len / sizeof(mark), .first = m->position};
        buf_append(&m->pieces, &next, sizeof(next));
        if (buf_failed(&m->pieces))
            return;
        last = (struct text_piece *)(void *)m->pieces.ptr + count++;
    }
    last->end = mark.at + mark.size;
    last->last = m->position;
    last->marks++;
    if (by->piece != count)
        last->score += by->rarity;
    by->piece = count;
    buf_append(&m->marks, &mark, sizeof(mark));
}

static enum err on_token(void *user, const struct text_token *token)
{
    struct text_marker *m = user;
    if (text_stops_have(m->stops, token->text))
        return OK;
    m->position++;
    struct sought *by = find(m, token->text);
    if (by != NULL)
        add_mark(m, by, token);
    return buf_failed(&m->pieces) || buf_failed(&m->marks) || buf_failed(&m->stem) ? ERR_NOMEM : OK;
}

static void begin_text(struct text_marker *m, bool stems)
{
    if (!m->sorted)
        sort_words(m);
    for (size_t i = 0; i < count_of(&m->words); i++)
        items_of(&m->words)[i].piece = 0;
    for (size_t i = 0; i < count_of(&m->patterns); i++)
        items_of(&m->patterns)[i].piece = 0;
    buf_clear(&m->marks, SIZE_MAX);
    buf_clear(&m->pieces, SIZE_MAX);
    m->position = 0;
    m->stems = stems;
}

enum err text_marker_show(struct text_marker *m, struct slice text, bool stems,
                          const struct text_show *how, struct buf *out)
{
    begin_text(m, stems);
    enum err e = OK;
    if (m->words.len + m->patterns.len > 0)
        e = text_tokenize(m->tokenizer, text, on_token, m);
    if (e != OK)
        return e;
    const struct text_mark *marks = (const struct text_mark *)(const void *)m->marks.ptr;
    struct text_piece *pieces = (struct text_piece *)(void *)m->pieces.ptr;
    size_t count = m->pieces.len / sizeof(*pieces);
    if (count > 0 && how->in_pieces)
        text_pieces_write(text, pieces, count, marks, how, out);
    else if (count > 0)
        text_marks_write(text, marks, m->marks.len / sizeof(*marks), how, out);
    else if (how->in_pieces && !how->marked)
        text_head_write(text, how, out);
    else
        buf_append_slice(out, text);
    return buf_failed(out) ? ERR_NOMEM : OK;
}
