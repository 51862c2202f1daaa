#include "db/key_filter.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/limits.h"

/* A node whose children are being written. */
struct open_node {
    const struct query_node *node;
    uint32_t next; /* child */
    bool any;      /* one was written */
};

struct writing {
    struct key_index *x;
    const struct ft_query *q;
    const struct key_text_options *options;
    bool *words;    /* by node: it is about words alone */
    uint32_t *room; /* for nodes that become one group of words */
    struct key_filter *out;
    struct buf text;
    bool strict; /* nothing matches by lacking a field: a filter that reads one need not ask */
    struct open_node open[KEY_FILTER_DEPTH];
    size_t depth;
    struct why *why;
};

static const struct query_node *node_at(const struct writing *w, uint32_t at)
{
    CHECK(at < w->q->node_count);
    return &w->q->nodes[at];
}

/* -- fields ------------------------------------------------------------------------------------ */

/* The field a clause speaks of. */
static enum err field_of(const struct writing *w, const struct query_node *n,
                         enum index_field_kind kind, const struct index_field **out)
{
    struct slice name = w->q->fields[n->field];
    CHECK(n->field_count > 0);
    *out = index_spec_field(w->x->spec, name);
    if (*out == NULL)
        return why_set(w->why, ERR_ARG, "Unknown field at offset 0 near %.*s",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr);
    if ((*out)->kind != kind)
        return why_set(w->why, ERR_ARG, "Field `%.*s` is %s, the query needs %s",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr,
                       index_field_kind_name((*out)->kind), index_field_kind_name(kind));
    return OK;
}

static void put_path(struct writing *w, const struct index_field *f)
{
    buf_printf(&w->text, ".f%zu", index_field_number(w->x, f));
}

static void put_exists(struct writing *w, const struct index_field *f)
{
    buf_append_text(&w->text, "exists(");
    put_path(w, f);
    buf_append_text(&w->text, ")");
}

/* Opens what is written of a node that asks a field, which must be there. *out NULL: nothing more
 * is to be written, the error is returned or what matches is nothing. */
static enum err open_field(struct writing *w, const struct query_node *n,
                           enum index_field_kind kind, const struct index_field **out)
{
    enum err e = field_of(w, n, kind, out);
    if (e != OK || (*out)->no_index) {
        buf_append_text(&w->text, "false");
        *out = NULL;
        return e;
    }
    buf_append_text(&w->text, "(");
    if (!w->strict) {
        put_exists(w, *out);
        buf_append_text(&w->text, " and ");
    }
    return OK;
}

/* -- NUMERIC ----------------------------------------------------------------------------------- */

/* A filter has no infinity. */
static double clamped(double number)
{
    return fmax(-DBL_MAX, fmin(number, DBL_MAX));
}

static enum err put_numeric(struct writing *w, const struct query_node *n)
{
    const struct query_range *r = &n->range;
    const struct index_field *f;
    enum err e = field_of(w, n, INDEX_NUMERIC, &f);
    if (e != OK || f->no_index) {
        buf_append_text(&w->text, "false");
        return e;
    }
    bool all = r->low == -INFINITY && r->high == INFINITY;
    buf_append_text(&w->text, "(");
    if (!w->strict || all) {
        put_exists(w, f);
        buf_append_text(&w->text, all ? "" : " and ");
    }
    if (!all) {
        /* What is open ends at the next number: one value of several has to be within both. */
        double low = r->low_open ? nextafter(r->low, INFINITY) : r->low;
        double high = r->high_open ? nextafter(r->high, -INFINITY) : r->high;
        buf_append_text(&w->text, "between(");
        put_path(w, f);
        buf_printf(&w->text, ", %.17g, %.17g)", clamped(low), clamped(high));
    }
    buf_append_text(&w->text, ")");
    return OK;
}

/* -- GEO --------------------------------------------------------------------------------------- */

static enum err put_circle(struct writing *w, const struct query_node *n)
{
    const struct query_circle *c = &n->circle;
    const struct index_field *f;
    enum err e = open_field(w, n, INDEX_GEO, &f);
    if (f == NULL)
        return e;
    buf_append_text(&w->text, "geo(");
    put_path(w, f);
    buf_printf(&w->text, ", %.17g, %.17g, %.17g))", c->longitude, c->latitude,
               fmin(c->radius_m, 1.7e308));
    return OK;
}

/* -- TAG --------------------------------------------------------------------------------------- */

/* Within a string of a filter; of a pattern, only what it matches as itself. */
static void put_bytes(struct writing *w, struct slice bytes, bool pattern)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];
        if (pattern && (c == '*' || c == '?' || c == '\\'))
            buf_append_text(&w->text, "\\\\");
        if (c == '"' || c == '\\')
            buf_append_byte(&w->text, '\\');
        buf_append_byte(&w->text, c);
    }
}

/* A value as it is kept; of a pattern, with what may stand before and after it. */
static void put_value(struct writing *w, const struct index_field *f, struct slice value,
                      const char *before, const char *after)
{
    struct buf folded = BUF_INIT(MEM_SCRATCH);
    index_tag_append(f, value, &folded);
    buf_printf(&w->text, "\"%s", before);
    put_bytes(w, buf_slice(&folded), *before != '\0' || *after != '\0');
    buf_printf(&w->text, "%s\"", after);
    if (buf_failed(&folded))
        w->text.failed = true;
    buf_fini(&folded);
}

/* Whole values, as one list: it costs a search the same however long it is. */
static bool put_words(struct writing *w, const struct query_node *n, const struct index_field *f)
{
    bool any = false;
    for (uint32_t at = n->child; at != QUERY_NO_NODE; at = node_at(w, at)->next) {
        const struct query_node *value = node_at(w, at);
        if (value->kind != QUERY_WORD)
            continue;
        if (!any)
            put_path(w, f);
        buf_append_text(&w->text, any ? "," : " has [");
        put_value(w, f, value->text, "", "");
        any = true;
    }
    buf_append_text(&w->text, any ? "]" : "");
    return any;
}

static void put_pattern(struct writing *w, const struct query_node *n, const struct index_field *f)
{
    bool before = n->kind == QUERY_SUFFIX || n->kind == QUERY_INFIX;
    bool after = n->kind == QUERY_PREFIX || n->kind == QUERY_INFIX;
    put_path(w, f);
    buf_append_text(&w->text, " haslike ");
    put_value(w, f, n->text, before ? "*" : "", after ? "*" : "");
}

static enum err put_tags(struct writing *w, const struct query_node *n)
{
    const struct index_field *f;
    enum err e = open_field(w, n, INDEX_TAG, &f);
    if (f == NULL)
        return e;
    buf_append_text(&w->text, w->strict ? "" : "(");
    bool any = put_words(w, n, f);
    for (uint32_t at = n->child; at != QUERY_NO_NODE; at = node_at(w, at)->next) {
        if (node_at(w, at)->kind == QUERY_WORD)
            continue;
        buf_append_text(&w->text, any ? " or " : "");
        put_pattern(w, node_at(w, at), f);
        any = true;
    }
    buf_append_text(&w->text, w->strict ? ")" : "))");
    return OK;
}

static enum err put_missing(struct writing *w, const struct query_node *n)
{
    struct slice name = w->q->fields[n->field];
    const struct index_field *f = index_spec_field(w->x->spec, name);
    if (f == NULL)
        return why_set(w->why, ERR_ARG, "Unknown field at offset 0 near %.*s",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr);
    if (!f->index_missing || f->kind == INDEX_VECTOR)
        return why_set(w->why, ERR_ARG,
                       "'ismissing' requires field '%.*s' to be defined with 'INDEXMISSING'",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr);
    buf_append_text(&w->text, "(not ");
    put_exists(w, f);
    buf_append_text(&w->text, ")");
    return OK;
}

/* -- the tree ---------------------------------------------------------------------------------- */

/* Must everything that is open match, for a document to? */
static bool all_must_match(const struct writing *w)
{
    for (size_t i = 0; i < w->depth; i++)
        if (w->open[i].node->kind != QUERY_AND)
            return false;
    return true;
}

static enum err put_radius(struct writing *w, const struct query_node *n)
{
    const struct index_field *f;
    enum err e = field_of(w, n, INDEX_VECTOR, &f);
    if (e != OK)
        return e;
    if (!all_must_match(w) || w->q->knn.given)
        return why_set(w->why, ERR_UNSUPPORTED,
                       "VECTOR_RANGE is supported beside clauses that must all match");
    if (w->out->radius_count == LIMIT_QUERY_RADII)
        return why_set(w->why, ERR_LIMIT, "a query has at most %d VECTOR_RANGEs",
                       LIMIT_QUERY_RADII);
    w->out->radii[w->out->radius_count++] = n;
    buf_append_text(&w->text, "true");
    return OK;
}

/* -- words ------------------------------------------------------------------------------------- */

/* Some nodes side by side as one group; what says nothing is left to the filter as what changes
 * nothing there. */
static enum err put_group(struct writing *w, size_t count, enum query_kind kind)
{
    size_t number;
    if (w->out->text == NULL)
        w->out->text = key_text_new(w->x, w->options);
    if (w->out->text == NULL)
        return ERR_NOMEM;
    enum err e = key_text_add(w->out->text, w->q, w->options, w->room, count, kind,
                              all_must_match(w), &number, w->why);
    if (e == OK && number == SIZE_MAX) /* stop words: all that was asked for, or nothing at all */
        buf_append_text(&w->text, kind == QUERY_OR || w->depth == 0 ? "false" : "true");
    else if (e == OK)
        buf_printf(&w->text, "(." INDEX_TEXT_SLOT " in $t%zu)", number);
    return e;
}

/* Those children of a node that are about words alone. */
static enum err put_words_of(struct writing *w, struct open_node *open)
{
    size_t count = 0;
    for (uint32_t at = open->node->child; at != QUERY_NO_NODE; at = node_at(w, at)->next)
        if (w->words[at])
            w->room[count++] = at;
    open->any = count > 0;
    return count > 0 ? put_group(w, count, open->node->kind) : OK;
}

static enum err open_node(struct writing *w, const struct query_node *n)
{
    if (w->depth == KEY_FILTER_DEPTH)
        return why_set(w->why, ERR_LIMIT, "a query nests at most %d clauses", KEY_FILTER_DEPTH);
    w->open[w->depth++] = (struct open_node){n, n->child, false};
    buf_append_text(&w->text, n->kind == QUERY_NOT ? "not (" : "(");
    return put_words_of(w, &w->open[w->depth - 1]);
}

static enum err put_node(struct writing *w, const struct query_node *n)
{
    uint32_t at = (uint32_t)(n - w->q->nodes);
    if (w->words[at]) {
        w->room[0] = at;
        return put_group(w, 1, QUERY_AND);
    }
    switch (n->kind) {
    case QUERY_AND:
    case QUERY_OR:
    case QUERY_NOT:
        return open_node(w, n);
    case QUERY_TAG:
        return put_tags(w, n);
    case QUERY_NUMERIC:
        return put_numeric(w, n);
    case QUERY_MISSING:
        return put_missing(w, n);
    case QUERY_RADIUS:
        return put_radius(w, n);
    case QUERY_ALL:
    case QUERY_OPTIONAL:
        buf_append_text(&w->text, "true");
        return OK;
    case QUERY_PHRASE:
    case QUERY_WORD:
    case QUERY_PREFIX:
    case QUERY_SUFFIX:
    case QUERY_INFIX:
    case QUERY_WILDCARD:
    case QUERY_FUZZY:
        break;
    case QUERY_GEO:
        return put_circle(w, n);
    }
    CHECK(false);
    return ERR_ARG;
}

/* Stops at what is longer than a filter may be, which is refused then. */
static enum err put_tree(struct writing *w)
{
    enum err e = put_node(w, node_at(w, w->q->root));
    while (e == OK && w->depth > 0 && w->text.len <= LIMIT_FILTER_SIZE) {
        struct open_node *top = &w->open[w->depth - 1];
        if (top->next == QUERY_NO_NODE) {
            buf_append_text(&w->text, ")");
            w->depth--;
            continue;
        }
        const struct query_node *child = node_at(w, top->next);
        if (w->words[top->next]) { /* written when the node was opened */
            top->next = child->next;
            continue;
        }
        if (top->any)
            buf_append_text(&w->text, top->node->kind == QUERY_OR ? " or " : " and ");
        top->any = true;
        top->next = child->next;
        e = put_node(w, child);
    }
    return e;
}

static bool is_strict(const struct ft_query *q, const bool *words)
{
    for (uint32_t i = 0; i < q->node_count; i++) {
        enum query_kind kind = q->nodes[i].kind;
        if (!words[i] && (kind == QUERY_OR || kind == QUERY_NOT || kind == QUERY_MISSING))
            return false;
    }
    return true;
}

/* Is there nothing but clauses that match whatever a document is? */
static bool matches_all(const struct ft_query *q)
{
    for (uint32_t i = 0; i < q->node_count; i++) {
        enum query_kind kind = q->nodes[i].kind;
        if (kind != QUERY_ALL && kind != QUERY_AND && kind != QUERY_RADIUS)
            return false;
    }
    return true;
}

/* The filter asks for sets of documents by the names of groups. */
static enum err compile(const struct writing *w, struct filter **out)
{
    enum { NAME_SIZE = 8 };
    struct filter_param params[LIMIT_PARAMS] = {0};
    char names[LIMIT_PARAMS][NAME_SIZE];
    const struct key_text *t = w->out->text;
    size_t count = t == NULL ? 0 : t->count;
    for (size_t i = 0; i < count; i++) {
        int size = snprintf(names[i], NAME_SIZE, "t%zu", i);
        CHECK(size > 0 && size < NAME_SIZE);
        params[i].name = slice_of(names[i]);
        params[i].set = &t->groups[i]->set;
    }
    return filter_compile_query(buf_slice(&w->text), params, count, out, w->why);
}

enum err key_filter_make(struct key_index *x, const struct ft_query *q,
                         const struct key_text_options *options, struct key_filter *out,
                         struct why *why)
{
    struct writing w = {
        .x = x, .q = q, .options = options, .out = out, .text = BUF_INIT(MEM_SCRATCH), .why = why};
    *out = (struct key_filter){0};
    w.room = mem_try(MEM_SCRATCH, (q->node_count + 1) * sizeof(*w.room));
    enum err e = w.room == NULL ? ERR_NOMEM : key_text_mark(q, &w.words);
    if (e == OK) {
        w.strict = is_strict(q, w.words);
        e = put_tree(&w);
    }
    if (e == OK && buf_failed(&w.text))
        e = ERR_NOMEM;
    if (e == OK && !matches_all(q))
        e = compile(&w, &out->filter);
    if (e != OK || (out->text != NULL && out->text->count == 0)) { /* nothing but stop words */
        key_text_free(out->text);
        out->text = NULL;
    }
    if (out->text != NULL)
        out->text->alone = out->text->count == 1 && w.words[q->root];
    mem_free(MEM_SCRATCH, w.words);
    mem_free(MEM_SCRATCH, w.room);
    buf_fini(&w.text);
    return e;
}
