/* query_build.c: nodes, names and texts of a query while it is read. */
#include "ft/query_build.h"

#include <math.h>

#include "base/limits.h"

enum { NEAR_SIZE = 32, FIRST_ROOM = 16 };

enum err query_error_at(const struct query_builder *b, size_t at)
{
    if (at > b->source.len)
        at = b->source.len;
    char near[NEAR_SIZE + 1];
    size_t size = b->source.len - at;
    const uint8_t *rest = b->source.ptr + at;
    if (size > NEAR_SIZE)
        for (size = NEAR_SIZE; size > 0 && (rest[size] & 0xc0) == 0x80;)
            size--;
    for (size_t i = 0; i < size; i++)
        near[i] = rest[i] < ' ' || rest[i] == 0x7f ? '?' : (char)rest[i];
    near[size] = '\0';
    return why_set(b->why, ERR_SYNTAX, "Syntax error at offset %zu near %s", at, near);
}

/* Room for one more of count elements; *array and *capacity grow. */
static enum err grow(void **array, uint32_t *capacity, uint32_t count, size_t size)
{
    if (count < *capacity)
        return OK;
    uint32_t larger = *capacity == 0 ? FIRST_ROOM : *capacity * 2;
    void *moved = mem_try_realloc(MEM_SCRATCH, *array, larger * size);
    if (moved == NULL)
        return ERR_NOMEM;
    *array = moved;
    *capacity = larger;
    return OK;
}

enum err query_add_node(struct query_builder *b, enum query_kind kind, uint32_t *out)
{
    struct ft_query *q = b->query;
    if (q->node_count == LIMIT_QUERY_NODES)
        return why_set(b->why, ERR_LIMIT, "the query has more than %d words and clauses",
                       (int)LIMIT_QUERY_NODES);
    void *nodes = q->nodes;
    enum err e = grow(&nodes, &q->node_capacity, q->node_count, sizeof(*q->nodes));
    q->nodes = nodes;
    if (e != OK)
        return e;
    *out = q->node_count++;
    q->nodes[*out] = (struct query_node){.kind = kind,
                                         .child = QUERY_NO_NODE,
                                         .next = QUERY_NO_NODE,
                                         .from = *out,
                                         .traits = QUERY_NO_NODE};
    return OK;
}

enum err query_add_field(struct query_builder *b, struct slice written, uint32_t *out)
{
    struct ft_query *q = b->query;
    void *fields = q->fields;
    enum err e = grow(&fields, &q->field_capacity, q->field_count, sizeof(*q->fields));
    q->fields = fields;
    if (e != OK)
        return e;
    *out = q->field_count++;
    q->fields[*out] = query_keep_unescaped(b, written);
    return OK;
}

static enum err add_clause(struct query_builder *b, const struct query_clause *c, uint32_t *out)
{
    uint32_t name;
    CHECK(c->node.kind == QUERY_NUMERIC || c->node.kind == QUERY_GEO);
    enum err e = query_add_field(b, (struct slice){0}, &name);
    if (e == OK)
        e = query_add_node(b, c->node.kind, out);
    if (e != OK)
        return e;
    b->query->fields[name] = c->field;
    struct query_node *n = &b->query->nodes[*out];
    n->field = name;
    n->field_count = 1;
    if (c->node.kind == QUERY_GEO)
        n->circle = c->node.circle;
    else
        n->range = c->node.range;
    return OK;
}

enum err query_require(struct ft_query *q, const struct query_clause *clauses, size_t count,
                       struct why *why)
{
    struct query_builder b = {.query = q, .why = why};
    uint32_t first = q->root, last = q->root, at;
    CHECK(q->root != QUERY_NO_NODE);
    for (size_t i = 0; i < count; i++) {
        enum err e = add_clause(&b, &clauses[i], &at);
        if (e != OK)
            return e;
        if (i == 0 && q->nodes[q->root].kind == QUERY_ALL)
            first = at;
        else
            q->nodes[last].next = at;
        last = at;
    }
    if (first == last) {
        q->root = first;
        return OK;
    }
    enum err e = query_add_node(&b, QUERY_AND, &at);
    if (e != OK)
        return e;
    q->nodes[at].child = first;
    q->nodes[at].from = 0;
    q->root = at;
    return OK;
}

enum err query_need_traits(struct query_builder *b, uint32_t node, struct query_traits **out)
{
    struct ft_query *q = b->query;
    if (q->nodes[node].traits == QUERY_NO_NODE) {
        void *traits = q->traits;
        enum err e = grow(&traits, &q->trait_capacity, q->trait_count, sizeof(*q->traits));
        q->traits = traits;
        if (e != OK)
            return e;
        q->nodes[node].traits = q->trait_count;
        q->traits[q->trait_count++] = (struct query_traits){
            .weight = NAN, .slop = -1, .in_order = -1, .epsilon = NAN, .ef_runtime = -1};
    }
    *out = &q->traits[q->nodes[node].traits];
    return OK;
}

static struct slice kept_from(const struct ft_query *q, size_t offset)
{
    return (struct slice){(const uint8_t *)(offset + 1), q->text.len - offset};
}

struct slice query_keep(struct query_builder *b, struct slice bytes)
{
    size_t offset = b->query->text.len;
    buf_append_slice(&b->query->text, bytes);
    return kept_from(b->query, offset);
}

struct slice query_keep_unescaped(struct query_builder *b, struct slice written)
{
    size_t offset = b->query->text.len;
    for (size_t i = 0; i < written.len; i++) {
        if (written.ptr[i] == '\\' && i + 1 < written.len)
            i++;
        buf_append_byte(&b->query->text, written.ptr[i]);
    }
    return kept_from(b->query, offset);
}

enum err query_find_param(struct query_builder *b, struct slice name, struct slice *out)
{
    for (size_t i = 0; i < b->param_count; i++) {
        if (!slice_eq(b->params[i].name, name))
            continue;
        *out = b->params[i].value;
        return OK;
    }
    int size = name.len < NEAR_SIZE ? (int)name.len : NEAR_SIZE;
    return why_set(b->why, ERR_ARG, "No such parameter `%.*s`", size, (const char *)name.ptr);
}

enum err query_param_or_text(struct query_builder *b, struct slice written, struct slice *out)
{
    *out = written;
    if (written.len < 2 || written.ptr[0] != '$')
        return OK;
    return query_find_param(b, (struct slice){written.ptr + 1, written.len - 1}, out);
}
