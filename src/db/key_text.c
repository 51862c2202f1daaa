#include "db/key_text.h"

#include <math.h>

#include "base/limits.h"

enum { STACK_MAX = TEXT_DEPTH_MAX, DRIVE_ANYWAY = 1000 };

/* A node whose children are being copied. */
struct open_words {
    const struct query_node *node;
    uint32_t next;               /* child */
    uint32_t first, last, count; /* of what was made of them */
};

struct copying {
    struct key_text *text;
    const struct ft_query *q;
    const struct key_text_options *options;
    struct key_words *words;
    struct open_words open[STACK_MAX];
    size_t depth;
    bool exact; /* in a phrase: no stems */
    uint64_t fields;
    struct why *why;
};

/* -- marks ------------------------------------------------------------------------------------- */

enum err key_text_mark(const struct ft_query *q, bool **out)
{
    bool *marks = *out = mem_try(MEM_SCRATCH, (q->node_count + 1) * sizeof(*marks));
    if (marks == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < q->node_count; i++) { /* children stand before their parents */
        const struct query_node *n = &q->nodes[i];
        bool inner = n->kind == QUERY_AND || n->kind == QUERY_OR || n->kind == QUERY_NOT ||
                     n->kind == QUERY_OPTIONAL;
        marks[i] = inner || (n->kind >= QUERY_PHRASE && n->kind <= QUERY_FUZZY);
        for (uint32_t c = n->child; inner && c != QUERY_NO_NODE; c = q->nodes[c].next)
            marks[i] = marks[i] && marks[c];
    }
    return OK;
}

/* -- making ------------------------------------------------------------------------------------ */

struct key_text *key_text_new(struct key_index *x, const struct key_text_options *o)
{
    struct key_text *t = mem_try_calloc(MEM_SCRATCH, sizeof(*t));
    if (t != NULL) {
        t->index = x;
        t->ask = (struct text_ask){.scorer = o->scorer, .scores = o->scores};
    }
    return t;
}

void key_text_free(struct key_text *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->count; i++) {
        text_query_fini(&t->groups[i]->query);
        text_set_fini(&t->groups[i]->set);
        mem_free(MEM_SCRATCH, t->groups[i]->rarity);
        mem_free(MEM_SCRATCH, t->groups[i]);
    }
    mem_free(MEM_SCRATCH, t->scores);
    mem_free(MEM_SCRATCH, t);
}

static int shown(struct slice s)
{
    return (int)(s.len < 64 ? s.len : 64);
}

enum err key_text_fields(const struct index_spec *spec, const struct slice *names, size_t count,
                         uint64_t *out, struct why *why)
{
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        const struct index_field *f = index_spec_field(spec, names[i]);
        if (f == NULL)
            return why_set(why, ERR_ARG, "Unknown field at offset 0 near %.*s", shown(names[i]),
                           (const char *)names[i].ptr);
        if (f->kind == INDEX_TEXT)
            *out |= (uint64_t)1 << f->text_number;
    }
    return OK;
}

static enum err mask_of(const struct copying *c, const struct slice *names, size_t count,
                        uint64_t *out)
{
    return key_text_fields(c->text->index->spec, names, count, out, c->why);
}

static enum err node_fields(struct copying *c, const struct query_node *n)
{
    c->fields = UINT64_MAX;
    enum err e =
        n->field_count > 0 ? mask_of(c, c->q->fields + n->field, n->field_count, &c->fields) : OK;
    uint64_t only = UINT64_MAX;
    if (e == OK && c->options->field_count > 0)
        e = mask_of(c, c->options->fields, c->options->field_count, &only);
    c->fields &= only;
    return e;
}

static double weight_of(const struct ft_query *q, const struct query_node *n)
{
    double weight = n->traits == QUERY_NO_NODE ? NAN : q->traits[n->traits].weight;
    return isnan(weight) ? 1 : weight;
}

/* Fields whose words have stems. */
static uint64_t stemmed_fields(const struct copying *c)
{
    const struct index_spec *s = c->text->index->spec;
    uint64_t fields = 0;
    for (size_t i = 0; i < s->field_count; i++)
        if (s->fields[i].kind == INDEX_TEXT && !s->fields[i].no_stem)
            fields |= (uint64_t)1 << s->fields[i].text_number;
    return fields & c->fields;
}

static enum err add_leaf(struct copying *c, enum text_kind kind, struct slice text, uint32_t *out)
{
    enum err e = text_query_add(&c->words->query, kind, text, out);
    if (e == OK)
        c->words->query.nodes[*out].fields = c->fields;
    return e;
}

/* A parent of what was just made: count nodes, chained from first on. */
static enum err add_parent(struct copying *c, enum text_kind kind, uint32_t first, uint32_t *out)
{
    enum err e = text_query_add(&c->words->query, kind, (struct slice){0}, out);
    if (e == OK)
        c->words->query.nodes[*out].child = first;
    return e;
}

static void chain(struct copying *c, uint32_t *first, uint32_t *last, uint32_t node)
{
    if (*first == TEXT_NO_NODE)
        *first = node;
    else
        c->words->query.nodes[*last].next = node;
    *last = node;
}

/* -- words ------------------------------------------------------------------------------------- */

/* The words of one word of the query: several where it has to be broken (Chinese). */
struct breaking {
    struct copying *c;
    uint32_t first, last, count;
    bool expands, stopped; /* stopped: it had stop words */
};

/* Nodes of what a word stands for. */
struct others {
    uint32_t first, last;
};

/* One more of what a word stands for. */
static enum err add_other(struct breaking *b, struct slice word, struct others *o)
{
    uint32_t node;
    enum err e = add_leaf(b->c, TEXT_TERM, word, &node);
    if (e == OK)
        chain(b->c, &o->first, &o->last, node);
    return e;
}

/* Its stem: as a stem, and as a word of its own. */
static enum err add_stem(struct breaking *b, struct slice word, struct others *o)
{
    struct copying *c = b->c;
    struct text_index *t = index_text_of(c->text->index->text);
    uint64_t fields = c->fields;
    uint8_t marked[TEXT_WORD_MAX + 1] = {TEXT_STEM_MARK};
    struct slice stem = text_stem(&t->stemmers, c->options->language, word);
    if (stem.len == 0 || stem.len > TEXT_WORD_MAX)
        return OK;
    memcpy(marked + 1, stem.ptr, stem.len);
    c->fields = stemmed_fields(c);
    enum err e = add_other(b, (struct slice){marked, stem.len + 1}, o);
    if (e == OK && !slice_eq(stem, word))
        e = add_other(b, (struct slice){marked + 1, stem.len}, o);
    c->fields = fields;
    return e;
}

/* The other words of each group that it is in. */
static enum err add_synonyms(struct breaking *b, struct slice word, struct others *o)
{
    enum { NODES_MAX = 4 * LIMIT_QUERY_NODES };
    const struct word_list *l = b->c->text->index->synonyms;
    enum err e = OK;
    for (; l != NULL && e == OK; l = l->next) {
        if (!word_list_has(l, word))
            continue;
        if (b->c->words->query.count + l->count > NODES_MAX)
            return why_set(b->c->why, ERR_LIMIT, "a query has too many words with synonyms");
        for (uint32_t i = 0; i < l->count && e == OK; i++)
            if (!slice_eq(word_list_at(l, i), word))
                e = add_other(b, word_list_at(l, i), o);
    }
    return e;
}

/* A word, or any of it and what else it stands for. */
static enum err add_word(struct breaking *b, struct slice word, uint32_t *out)
{
    const struct key_text_options *with = b->c->options;
    struct others o = {.first = TEXT_NO_NODE, .last = TEXT_NO_NODE};
    enum err e = add_other(b, word, &o);
    *out = o.first;
    if (e == OK && b->expands && !with->no_stems && stemmed_fields(b->c) != 0)
        e = add_stem(b, word, &o);
    if (e == OK && b->expands && !with->no_synonyms)
        e = add_synonyms(b, word, &o);
    return e == OK && o.first != o.last ? add_parent(b->c, TEXT_OR, o.first, out) : e;
}

static enum err on_word(void *user, const struct text_token *token)
{
    struct breaking *b = user;
    uint32_t node;
    if (!b->c->options->no_stop_words &&
        text_is_stop_word(index_text_of(b->c->text->index->text), token->text)) {
        b->stopped = true;
        return OK;
    }
    enum err e = add_word(b, token->text, &node);
    if (e != OK)
        return e;
    chain(b->c, &b->first, &b->last, node);
    b->count++;
    return OK;
}

/* Stop words say nothing even where there is no TEXT field: redisvl joins clauses by AND. */
static bool is_stop_word(const struct index_spec *s, struct slice word)
{
    return !s->own_stop_words && text_is_usual_stop_word(word);
}

/* Breaking these takes the loop a tenth of a microsecond a byte. */
static enum err count_wide(struct copying *c, struct slice word)
{
    for (size_t i = 0; i < word.len; i++)
        c->text->wide += word.ptr[i] >= 0x80;
    if (c->text->wide <= LIMIT_QUERY_WIDE)
        return OK;
    return why_set(c->why, ERR_LIMIT, "The words of a query have at most %d bytes beyond ASCII",
                   LIMIT_QUERY_WIDE);
}

/* *out: TEXT_NO_NODE when it says nothing. */
static enum err copy_word(struct copying *c, const struct query_node *n, uint32_t *out)
{
    struct key_index *x = c->text->index;
    struct breaking b = {.c = c, .first = TEXT_NO_NODE};
    *out = TEXT_NO_NODE;
    if (x->text == NULL) {
        enum text_kind kind = TEXT_NOTHING;
        bool says_nothing = !c->options->no_stop_words && is_stop_word(x->spec, n->text);
        return says_nothing ? OK : add_leaf(c, kind, n->text, out);
    }
    b.expands = !c->exact && !c->options->verbatim;
    enum err e = count_wide(c, n->text);
    if (e == OK)
        e = text_break_word(index_text_of(x->text)->tokenizer, n->text, on_word, &b);
    if (e != OK || (b.count == 0 && b.stopped))
        return e;
    if (b.count == 0)
        return add_leaf(c, TEXT_NOTHING, n->text, out);
    *out = b.first;
    if (b.count == 1)
        return OK;
    e = add_parent(c, TEXT_AND, b.first, out);
    if (e == OK) {
        c->words->query.nodes[*out].slop = 0;
        c->words->query.nodes[*out].in_order = true;
    }
    return e;
}

static enum err copy_pattern(struct copying *c, const struct query_node *n, uint32_t *out)
{
    static const enum text_kind kinds[] = {
        [QUERY_PREFIX] = TEXT_PREFIX,     [QUERY_SUFFIX] = TEXT_SUFFIX, [QUERY_INFIX] = TEXT_INFIX,
        [QUERY_WILDCARD] = TEXT_WILDCARD, [QUERY_FUZZY] = TEXT_FUZZY,
    };
    struct key_index *x = c->text->index;
    struct buf folded = BUF_INIT(MEM_SCRATCH);
    if (x->text == NULL)
        return add_leaf(c, TEXT_NOTHING, n->text, out);
    enum err e = text_fold(index_text_of(x->text)->tokenizer, n->text, &folded);
    if (e == OK)
        e = add_leaf(c, kinds[n->kind], buf_slice(&folded), out);
    if (e == OK)
        c->words->query.nodes[*out].edits = n->edits;
    buf_fini(&folded);
    return e;
}

static enum err copy_leaf(struct copying *c, const struct query_node *n, uint32_t *out)
{
    enum err e = node_fields(c, n);
    if (e != OK)
        return e;
    e = n->kind == QUERY_WORD ? copy_word(c, n, out) : copy_pattern(c, n, out);
    if (e == OK && *out != TEXT_NO_NODE)
        c->words->query.nodes[*out].weight = weight_of(c->q, n);
    return e;
}

/* -- trees ------------------------------------------------------------------------------------- */

static void open_node(struct copying *c, const struct query_node *n, uint32_t child)
{
    CHECK(c->depth < STACK_MAX); /* the parser nests less than half as deep */
    c->open[c->depth++] = (struct open_words){n, child, TEXT_NO_NODE, TEXT_NO_NODE, 0};
    c->exact |= n->kind == QUERY_PHRASE;
}

static enum text_kind kind_of(enum query_kind kind)
{
    return kind == QUERY_OR         ? TEXT_OR
           : kind == QUERY_NOT      ? TEXT_NOT
           : kind == QUERY_OPTIONAL ? TEXT_OPTIONAL
                                    : TEXT_AND;
}

/* How near the children of a node are to stand. */
static void set_nearness(const struct copying *c, const struct query_node *n, struct text_node *to)
{
    const struct query_traits *t = n->traits == QUERY_NO_NODE ? NULL : &c->q->traits[n->traits];
    bool phrase = n->kind == QUERY_PHRASE;
    if (to->kind != TEXT_AND)
        return;
    to->slop = phrase ? 0 : c->options->slop;
    to->in_order = phrase || c->options->in_order;
    if (t != NULL && t->slop >= 0)
        to->slop = t->slop;
    if (t != NULL && t->in_order >= 0)
        to->in_order = t->in_order == 1;
    if (to->in_order && to->slop == TEXT_NO_SLOP)
        to->slop = UINT32_MAX;
}

/* What was made of a node's children becomes a node; *out: TEXT_NO_NODE when they say nothing. */
static enum err close_node(struct copying *c, uint32_t *out)
{
    struct open_words w = c->open[--c->depth];
    enum text_kind kind = kind_of(w.node->kind);
    bool one = w.count == 1 && (kind == TEXT_AND || kind == TEXT_OR);
    if (w.node->kind == QUERY_PHRASE)
        c->exact = false;
    *out = TEXT_NO_NODE;
    if (w.count == 0)
        return OK;
    *out = w.first;
    enum err e = one ? OK : add_parent(c, kind, w.first, out);
    if (e != OK)
        return e;
    struct text_node *to = &c->words->query.nodes[*out];
    to->weight *= weight_of(c->q, w.node);
    if (!one)
        set_nearness(c, w.node, to);
    return OK;
}

static void take(struct copying *c, uint32_t node)
{
    struct open_words *w = &c->open[c->depth - 1];
    if (node == TEXT_NO_NODE)
        return;
    chain(c, &w->first, &w->last, node);
    w->count++;
}

static bool has_children(enum query_kind kind)
{
    return kind <= QUERY_PHRASE;
}

/* All below one node. */
static enum err copy_tree(struct copying *c, uint32_t root, uint32_t *out)
{
    const struct query_node *n = &c->q->nodes[root];
    size_t base = c->depth;
    if (!has_children(n->kind))
        return copy_leaf(c, n, out);
    open_node(c, n, n->child);
    for (;;) {
        struct open_words *w = &c->open[c->depth - 1];
        uint32_t node;
        enum err e;
        if (w->next == QUERY_NO_NODE) {
            e = close_node(c, out);
            if (e != OK || c->depth == base)
                return e;
            take(c, *out);
            continue;
        }
        n = &c->q->nodes[w->next];
        w->next = n->next;
        if (has_children(n->kind)) {
            open_node(c, n, n->child);
            continue;
        }
        e = copy_leaf(c, n, &node);
        if (e != OK)
            return e;
        take(c, node);
    }
}

enum err key_text_add(struct key_text *t, const struct ft_query *q,
                      const struct key_text_options *o, const uint32_t *nodes, size_t count,
                      enum query_kind kind, bool required, size_t *number, struct why *why)
{
    struct query_node above = {.kind = kind, .traits = QUERY_NO_NODE};
    struct key_words *words = mem_try_calloc(MEM_SCRATCH, sizeof(*words));
    struct copying *c = mem_try(MEM_SCRATCH, sizeof(*c));
    enum err e = words == NULL || c == NULL ? ERR_NOMEM : OK;
    *number = SIZE_MAX;
    if (e == OK && t->count == COUNT_OF(t->groups))
        e = why_set(why, ERR_LIMIT, "a query has at most %d groups of words", LIMIT_PARAMS);
    if (e == OK) {
        *c = (struct copying){.text = t, .q = q, .options = o, .words = words, .why = why};
        text_query_init(&words->query);
        words->required = required;
        open_node(c, &above, QUERY_NO_NODE);
    }
    for (size_t i = 0; i < count && e == OK; i++) {
        uint32_t node;
        e = copy_tree(c, nodes[i], &node);
        if (e == OK)
            take(c, node);
    }
    if (e == OK)
        e = close_node(c, &words->query.root);
    mem_free(MEM_SCRATCH, c);
    if (e == OK && words->query.root != TEXT_NO_NODE) {
        *number = t->count;
        t->groups[t->count++] = words;
        return OK;
    }
    if (words != NULL)
        text_query_fini(&words->query);
    mem_free(MEM_SCRATCH, words);
    return e;
}

/* -- running ----------------------------------------------------------------------------------- */

void key_text_view(struct key_text *t, size_t number)
{
    if (t->index->text != NULL)
        text_view(index_text_of(t->index->text), t->index->db->log.last_lsn, number, &t->view);
}

static bool stops(void *user)
{
    struct key_text *t = user;
    lane_yield(t->lane);
    return index_stops(&t->search->cost);
}

/* The sum of what the groups give. */
static enum err sum_scores(struct key_text *t)
{
    if (!t->ask.scores || t->count == 0)
        return OK;
    struct text_set *first = &t->groups[0]->set;
    t->scores = first->scores;
    t->scores_end = first->end;
    first->scores = NULL;
    for (size_t i = 1; i < t->count; i++) {
        const struct text_set *set = &t->groups[i]->set;
        for (uint32_t slot = 0; slot < set->end && slot < t->scores_end; slot++)
            t->scores[slot] += set->scores[slot];
    }
    return OK;
}

/* The row of a document in the view; ROW_NONE: the hints are old. */
static uint32_t find_row(const struct key_text *t, const struct collection_view *v, uint32_t slot)
{
    enum { HINTS = 2 };
    const struct text_rows *rows = t->view.rows;
    for (size_t i = 0; i < HINTS; i++) {
        uint32_t row = atomic_load_explicit(
            &((struct text_rows *)(uintptr_t)rows)->of[(size_t)slot * HINTS + i],
            memory_order_acquire);
        if (row < v->codes.end && row_visible(&v->codes, row) &&
            index_text_row_slot(v, row) == slot)
            return row;
    }
    return ROW_NONE;
}

/* The rows of a group's documents in place of those that an index has named, when they are fewer.
 * A document without the vector has no row; where a hint is old, nothing is named. */
static void drive(struct key_text *t, struct search *s, const struct text_set *set)
{
    struct plan *plan = &s->plan;
    uint32_t *rows = mem_try(MEM_SCRATCH, (set->count + 1) * sizeof(*rows));
    size_t count = 0, words = ((size_t)set->end + 63) / 64;
    if (rows == NULL)
        return;
    for (size_t i = 0; i < words; i++) {
        for (uint64_t left = set->bits[i]; left != 0; left &= left - 1) {
            uint32_t slot = (uint32_t)(i * 64 + (size_t)__builtin_ctzll(left));
            uint32_t row = find_row(t, &s->view, slot);
            if (row == ROW_NONE) {
                mem_free(MEM_SCRATCH, rows);
                return;
            }
            rows[count++] = row;
        }
    }
    plan_fini(plan);
    plan->rows = rows;
    plan->row_count = plan->bound = count;
    plan->can_name = true;
    plan->field = -1;
    plan->by_partition = plan->tidy = plan->has_twins = false;
    plan->exact = t->alone;
    s->rows_asked = true;
}

/* How many match is known better now. */
static void refine(struct key_text *t, struct search *s)
{
    struct plan *plan = &s->plan;
    const struct text_set *least = NULL;
    double live = (double)s->view.live;
    for (size_t i = 0; i < t->count; i++) {
        const struct text_set *set = &t->groups[i]->set;
        double guessed = live / PLAN_UNKNOWN_SHARE;
        if (!t->groups[i]->required)
            continue;
        if (plan->known && guessed > 0)
            plan->matches *= (double)set->count / guessed;
        if (plan->matches > (double)set->count)
            plan->matches = (double)set->count;
        if (least == NULL || set->count < least->count)
            least = set;
    }
    if (least == NULL)
        return;
    if (!plan->known)
        plan->matches = (double)least->count;
    plan->known = true;
    bool named = plan->rows != NULL || plan->can_name;
    bool few = (double)least->count * PLAN_UNKNOWN_SHARE < live || least->count < DRIVE_ANYWAY;
    if (t->view.rows != NULL && few && least->count <= PLAN_ROWS_MAX &&
        (!named || least->count < plan->bound))
        drive(t, s, least);
}

static enum err match_group(struct key_text *t, struct key_words *w)
{
    struct text_ask ask = t->ask;
    if (t->view.index == NULL) /* there are no words */
        return OK;
    if (t->rarities) {
        w->rarity = mem_try_calloc(MEM_SCRATCH, w->query.count * sizeof(*w->rarity));
        if (w->rarity == NULL)
            return ERR_NOMEM;
        ask.rarity = w->rarity;
    }
    return text_match(&t->view, &w->query, &ask, &w->set);
}

enum err key_text_run(struct key_text *t, struct search *s, struct lane *lane)
{
    enum err e = OK;
    t->search = s;
    t->lane = lane;
    t->ask.stops = stops;
    t->ask.user = t;
    for (size_t i = 0; i < t->count && e == OK; i++)
        e = match_group(t, t->groups[i]);
    if (e == OK && t->view.index != NULL)
        e = sum_scores(t);
    if (e == OK && search_selects(s) && !s->named)
        refine(t, s);
    return e;
}

double key_text_score(const struct key_text *t, const struct collection_view *v, uint32_t row)
{
    if (t->scores == NULL)
        return 0;
    uint32_t slot = index_text_row_slot(v, row);
    return slot < t->scores_end ? (double)t->scores[slot] : 0;
}
