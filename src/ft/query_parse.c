/* query_parse.c: reads a query into a tree.
 *
 * A stack of frames instead of recursion, so that no query can exhaust the machine's stack. A group
 * frame collects what stands side by side, and the sides of `|`; a prefix frame (-, ~, @field:)
 * waits for the one clause behind it.
 *
 * Dialect 1 differs from the later ones: `a b|c` is a (b|c), where they read (a b)|c; and - and
 * @field: before bare words take all of them, where they take one. */
#include "base/limits.h"
#include "ft/query_build.h"

enum frame_kind { FRAME_GROUP, FRAME_NOT, FRAME_OPTIONAL, FRAME_FIELDS };

struct chain {
    uint32_t first, last, count;
};

struct frame {
    enum frame_kind kind;
    bool of_words; /* FRAME_GROUP that dialect 1 opens: ends where no bare word follows */
    bool joins;    /* FRAME_GROUP, dialect 1: `|` stood last, the next clause joins sides */
    uint32_t field, field_count; /* FRAME_FIELDS */
    uint32_t from;               /* the first node that was made inside */
    struct chain sides; /* FRAME_GROUP: the last clause; dialect 1: those that `|` joins to it */
    struct chain all;   /* FRAME_GROUP: what stands side by side before that */
    struct chain any;   /* FRAME_GROUP, later dialects: complete sides of `|` */
};

struct parser {
    struct query_builder b;
    struct query_scanner scanner;
    struct query_token token;
    unsigned dialect;
    uint32_t depth;
    struct frame frames[LIMIT_QUERY_DEPTH];
};

static struct frame *top(struct parser *p)
{
    CHECK(p->depth > 0);
    return &p->frames[p->depth - 1];
}

static struct query_node *node_at(struct parser *p, uint32_t node)
{
    CHECK(node < p->b.query->node_count);
    return &p->b.query->nodes[node];
}

static enum err syntax_error(struct parser *p)
{
    return query_error_at(&p->b, p->token.at);
}

static enum err push(struct parser *p, enum frame_kind kind)
{
    if (p->depth == LIMIT_QUERY_DEPTH)
        return why_set(p->b.why, ERR_LIMIT, "the query has more than %d levels of nesting",
                       (int)LIMIT_QUERY_DEPTH - 1);
    p->frames[p->depth++] = (struct frame){.kind = kind, .from = p->b.query->node_count};
    return OK;
}

static void chain_add(struct parser *p, struct chain *c, uint32_t node)
{
    node_at(p, node)->next = QUERY_NO_NODE;
    if (c->count == 0)
        c->first = node;
    else
        node_at(p, c->last)->next = node;
    c->last = node;
    c->count++;
}

/* One node of a chain: the only one itself, or a new one above them. */
static enum err chain_close(struct parser *p, const struct chain *c, enum query_kind kind,
                            uint32_t *out)
{
    CHECK(c->count > 0);
    *out = c->first;
    if (c->count == 1)
        return OK;
    enum err e = query_add_node(&p->b, kind, out);
    if (e != OK)
        return e;
    node_at(p, *out)->child = c->first;
    node_at(p, *out)->from = node_at(p, c->first)->from;
    return OK;
}

static enum err end_sides(struct parser *p, struct frame *f)
{
    if (f->sides.count == 0)
        return OK;
    uint32_t node;
    enum err e = chain_close(p, &f->sides, QUERY_OR, &node);
    if (e != OK)
        return e;
    chain_add(p, &f->all, node);
    f->sides = (struct chain){0};
    return OK;
}

static enum err group_close(struct parser *p, struct frame *f, uint32_t *out)
{
    if (f->sides.count == 0 || f->joins)
        return syntax_error(p);
    enum err e = end_sides(p, f);
    if (e == OK)
        e = chain_close(p, &f->all, QUERY_AND, out);
    if (e != OK || f->any.count == 0)
        return e;
    chain_add(p, &f->any, *out);
    return chain_close(p, &f->any, QUERY_OR, out);
}

static bool takes_fields(enum query_kind kind)
{
    return kind >= QUERY_WORD && kind <= QUERY_FUZZY;
}

/* What is in a frame of fields belongs to them, but for what names fields of its own. */
static void apply_fields(struct parser *p, const struct frame *f)
{
    struct ft_query *q = p->b.query;
    for (uint32_t i = f->from; i < q->node_count; i++) {
        if (!takes_fields(q->nodes[i].kind) || q->nodes[i].field_count > 0)
            continue;
        q->nodes[i].field = f->field;
        q->nodes[i].field_count = f->field_count;
    }
}

static enum err wrap(struct parser *p, enum query_kind kind, uint32_t *node)
{
    uint32_t child = *node;
    enum err e = query_add_node(&p->b, kind, node);
    if (e != OK)
        return e;
    node_at(p, *node)->child = child;
    node_at(p, *node)->from = node_at(p, child)->from;
    return OK;
}

/* A clause is there: the prefixes that waited for it take it, then the group. */
static enum err complete(struct parser *p, uint32_t node)
{
    enum err e = OK;
    for (; e == OK && top(p)->kind != FRAME_GROUP; p->depth--) {
        if (top(p)->kind == FRAME_FIELDS)
            apply_fields(p, top(p));
        else
            e = wrap(p, top(p)->kind == FRAME_NOT ? QUERY_NOT : QUERY_OPTIONAL, &node);
    }
    if (e != OK)
        return e;
    struct frame *f = top(p);
    if (!f->joins)
        e = end_sides(p, f);
    f->joins = false;
    if (e == OK)
        chain_add(p, &f->sides, node);
    return e;
}

/* Ends the groups that dialect 1 has opened around bare words. */
static enum err end_words(struct parser *p)
{
    while (top(p)->kind == FRAME_GROUP && top(p)->of_words) {
        uint32_t node;
        enum err e = group_close(p, top(p), &node);
        if (e != OK)
            return e;
        p->depth--;
        e = complete(p, node);
        if (e != OK)
            return e;
    }
    return OK;
}

/* ---- clauses ---- */

/* The next token decides what @field: is about. */
static enum err read_fields(struct parser *p)
{
    struct query_scanner names = {p->token.text, 0};
    struct slice name;
    uint32_t first = p->b.query->field_count, count = 0, field, node;
    while (query_scan_part(&names, '|', &name)) {
        if (name.len > 0 && name.ptr[0] == '@')
            name = (struct slice){name.ptr + 1, name.len - 1};
        enum err e = query_add_field(&p->b, name, &field);
        if (e != OK)
            return e;
        count++;
    }
    struct query_scanner ahead = p->scanner;
    struct query_token next = query_scan(&ahead);
    enum err e;
    if (next.kind != QTOKEN_BRACE && next.kind != QTOKEN_BRACKET) {
        e = push(p, FRAME_FIELDS);
        if (e == OK) {
            top(p)->field = first;
            top(p)->field_count = count;
        }
        return e;
    }
    p->scanner = ahead;
    p->token = next;
    e = next.kind == QTOKEN_BRACE ? query_read_tags(&p->b, &next, &node)
                                  : query_read_range(&p->b, &next, &node);
    if (e != OK)
        return e;
    node_at(p, node)->field = first;
    node_at(p, node)->field_count = count;
    return complete(p, node);
}

/* @f >= 5, ismissing(@f) */
static enum err read_own_field(struct parser *p)
{
    uint32_t field, node;
    enum err e = query_add_field(&p->b, p->token.text, &field);
    if (e == OK)
        e = p->token.kind == QTOKEN_COMPARE ? query_read_compare(&p->b, &p->token, &node)
                                            : query_add_node(&p->b, QUERY_MISSING, &node);
    if (e != OK)
        return e;
    for (uint32_t i = node_at(p, node)->from; i <= node; i++) {
        node_at(p, i)->field = field;
        node_at(p, i)->field_count = 1;
    }
    return complete(p, node);
}

static enum err read_text(struct parser *p)
{
    struct slice text = p->token.text;
    uint32_t node;
    enum err e = query_add_node(&p->b, p->token.pattern, &node);
    if (e == OK && p->token.is_param)
        e = query_find_param(&p->b, text, &text);
    if (e != OK)
        return e;
    bool plain = p->token.is_param || p->token.pattern == QUERY_WILDCARD;
    node_at(p, node)->text = plain ? query_keep(&p->b, text) : query_keep_unescaped(&p->b, text);
    node_at(p, node)->edits = p->token.edits;
    /* Dialect 1: the prefix takes all bare words that follow. */
    if (p->dialect == 1 && top(p)->kind != FRAME_GROUP) {
        uint32_t from = top(p)->from;
        e = push(p, FRAME_GROUP);
        if (e != OK)
            return e;
        top(p)->of_words = true;
        top(p)->from = from;
    }
    return complete(p, node);
}

static enum err read_phrase(struct parser *p)
{
    struct query_scanner s = {p->token.text, 0};
    struct chain words = {0};
    struct slice word;
    uint32_t node;
    uint32_t from = p->b.query->node_count;
    while (query_scan_phrase_word(&s, &word)) {
        enum err e = query_add_node(&p->b, QUERY_WORD, &node);
        if (e != OK)
            return e;
        node_at(p, node)->text = query_keep_unescaped(&p->b, word);
        chain_add(p, &words, node);
    }
    enum err e = query_add_node(&p->b, QUERY_PHRASE, &node);
    if (e != OK)
        return e;
    node_at(p, node)->child = words.count > 0 ? words.first : QUERY_NO_NODE;
    node_at(p, node)->from = from;
    return complete(p, node);
}

/* ---- structure ---- */

static enum err read_or(struct parser *p)
{
    struct frame *f = top(p);
    if (f->kind != FRAME_GROUP || f->sides.count == 0 || f->joins)
        return syntax_error(p);
    if (p->dialect == 1) {
        f->joins = true;
        return OK;
    }
    uint32_t node;
    enum err e = end_sides(p, f);
    if (e == OK)
        e = chain_close(p, &f->all, QUERY_AND, &node);
    if (e != OK)
        return e;
    chain_add(p, &f->any, node);
    f->all = (struct chain){0};
    return OK;
}

static enum err read_close(struct parser *p)
{
    enum err e = end_words(p);
    if (e != OK)
        return e;
    if (top(p)->kind != FRAME_GROUP || p->depth == 1)
        return syntax_error(p);
    uint32_t node;
    e = group_close(p, top(p), &node);
    if (e != OK)
        return e;
    p->depth--;
    return complete(p, node);
}

/* The clause that =>{...} speaks of. */
static uint32_t last_clause(struct parser *p)
{
    uint32_t node = top(p)->sides.last;
    while (node_at(p, node)->kind == QUERY_NOT || node_at(p, node)->kind == QUERY_OPTIONAL)
        node = node_at(p, node)->child;
    return node;
}

static enum err read_arrow(struct parser *p)
{
    enum err e = end_words(p);
    if (e != OK)
        return e;
    struct frame *f = top(p);
    struct query_token next = query_scan(&p->scanner);
    p->token = next;
    bool after_knn = p->b.query->knn.given;
    if (f->kind != FRAME_GROUP || f->sides.count == 0 || f->joins)
        return syntax_error(p);
    if (next.kind == QTOKEN_BRACE)
        return after_knn ? query_read_knn_traits(&p->b, &next)
                         : query_read_traits(&p->b, &next, last_clause(p));
    if (next.kind != QTOKEN_BRACKET || p->depth > 1 || after_knn)
        return syntax_error(p);
    return query_read_knn(&p->b, &next);
}

static enum err read_all(struct parser *p)
{
    uint32_t node;
    enum err e = query_add_node(&p->b, QUERY_ALL, &node);
    return e == OK ? complete(p, node) : e;
}

static bool is_bare(enum query_token_kind kind)
{
    return kind == QTOKEN_TEXT || kind == QTOKEN_OR || kind == QTOKEN_CLOSE || kind == QTOKEN_ARROW;
}

static enum err read_token(struct parser *p)
{
    enum query_token_kind kind = p->token.kind;
    if (p->b.query->knn.given && kind != QTOKEN_ARROW)
        return syntax_error(p);
    enum err e = is_bare(kind) ? OK : end_words(p);
    if (e != OK)
        return e;
    switch (kind) {
    case QTOKEN_OPEN:
        return push(p, FRAME_GROUP);
    case QTOKEN_CLOSE:
        return read_close(p);
    case QTOKEN_OR:
        return read_or(p);
    case QTOKEN_NOT:
        return push(p, FRAME_NOT);
    case QTOKEN_OPTIONAL:
        return push(p, FRAME_OPTIONAL);
    case QTOKEN_ALL:
        return read_all(p);
    case QTOKEN_TEXT:
        return read_text(p);
    case QTOKEN_PHRASE:
        return read_phrase(p);
    case QTOKEN_FIELDS:
        return read_fields(p);
    case QTOKEN_COMPARE:
    case QTOKEN_MISSING:
        return read_own_field(p);
    case QTOKEN_ARROW:
        return read_arrow(p);
    case QTOKEN_BRACE:
    case QTOKEN_BRACKET:
    case QTOKEN_BAD:
    case QTOKEN_END:
        break;
    }
    return syntax_error(p);
}

static enum err parse(struct parser *p)
{
    enum err e = push(p, FRAME_GROUP);
    while (e == OK) {
        p->token = query_scan(&p->scanner);
        if (p->token.kind == QTOKEN_END)
            break;
        e = read_token(p);
    }
    if (e == OK)
        e = end_words(p);
    if (e != OK)
        return e;
    if (p->depth != 1)
        return syntax_error(p);
    return group_close(p, top(p), &p->b.query->root);
}

/* ---- whole ---- */

static void settle(const struct ft_query *q, struct slice *s)
{
    if (s->len > 0)
        s->ptr = q->text.ptr + ((size_t)s->ptr - 1);
    else
        s->ptr = (const uint8_t *)"";
}

/* The text does not move any more: slices point into it from now on. */
static void settle_all(struct ft_query *q)
{
    for (uint32_t i = 0; i < q->node_count; i++) {
        struct query_node *n = &q->nodes[i];
        settle(q, &n->text);
        if (n->kind == QUERY_RADIUS)
            settle(q, &n->near.vector);
    }
    for (uint32_t i = 0; i < q->field_count; i++)
        settle(q, &q->fields[i]);
    for (uint32_t i = 0; i < q->trait_count; i++)
        settle(q, &q->traits[i].distance_as);
    settle(q, &q->knn.field);
    settle(q, &q->knn.vector);
    settle(q, &q->knn.distance_as);
}

enum err query_parse(struct slice text, unsigned dialect, const struct query_param *params,
                     size_t param_count, struct ft_query *out, struct why *why)
{
    CHECK(dialect >= 1 && dialect <= 4);
    *out = (struct ft_query){.root = QUERY_NO_NODE, .text = BUF_INIT(MEM_SCRATCH)};
    if (text.len > LIMIT_QUERY_SIZE)
        return why_set(why, ERR_LIMIT, "the query has more than %d bytes", (int)LIMIT_QUERY_SIZE);
    struct parser *p = mem_try(MEM_SCRATCH, sizeof(*p));
    if (p == NULL)
        return ERR_NOMEM;
    p->b = (struct query_builder){out, text, params, param_count, why};
    p->scanner = (struct query_scanner){text, 0};
    p->dialect = dialect;
    p->depth = 0;
    enum err e = parse(p);
    mem_free(MEM_SCRATCH, p);
    if (e == OK && buf_failed(&out->text))
        e = ERR_NOMEM;
    if (e == OK)
        settle_all(out);
    return e;
}

void query_fini(struct ft_query *q)
{
    mem_free(MEM_SCRATCH, q->nodes);
    mem_free(MEM_SCRATCH, q->fields);
    mem_free(MEM_SCRATCH, q->traits);
    buf_fini(&q->text);
    *q = (struct ft_query){.root = QUERY_NO_NODE};
}
