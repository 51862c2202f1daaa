/* query_print.c: a query's tree as FT.EXPLAIN shows it. */
#include <inttypes.h>
#include <math.h>

#include "base/limits.h"
#include "ft/query.h"

/* A clause in parentheses, its prefix and `|` are three levels at most. */
enum { PRINT_DEPTH = 3 * LIMIT_QUERY_DEPTH + 4, INDENT = 2 };

static void print_indent(struct buf *out, uint32_t depth)
{
    for (uint32_t i = 0; i < depth * INDENT; i++)
        buf_append_byte(out, ' ');
}

static void print_fields(const struct ft_query *q, const struct query_node *n, struct buf *out)
{
    for (uint32_t i = 0; i < n->field_count; i++) {
        buf_append_byte(out, i == 0 ? '@' : '|');
        buf_append_slice(out, q->fields[n->field + i]);
    }
    if (n->field_count > 0)
        buf_append_byte(out, ':');
}

static void print_number(double value, struct buf *out)
{
    if (isinf(value))
        buf_append_text(out, value > 0 ? "inf" : "-inf");
    else
        buf_printf(out, "%f", value);
}

static void print_range(const struct ft_query *q, const struct query_node *n, struct buf *out)
{
    const struct query_range *r = &n->range;
    buf_append_text(out, "NUMERIC {");
    print_number(r->low, out);
    buf_append_text(out, r->low_open ? " < @" : " <= @");
    buf_append_slice(out, q->fields[n->field]);
    buf_append_text(out, r->high_open ? " < " : " <= ");
    print_number(r->high, out);
    buf_append_text(out, "}");
}

static void print_text(const struct query_node *n, struct buf *out)
{
    static const struct {
        const char *before, *after;
    } marks[] = {
        [QUERY_WORD] = {"", ""},
        [QUERY_PREFIX] = {"PREFIX{", "*}"},
        [QUERY_SUFFIX] = {"SUFFIX{*", "}"},
        [QUERY_INFIX] = {"INFIX{*", "*}"},
        [QUERY_WILDCARD] = {"WILDCARD{", "}"},
        [QUERY_FUZZY] = {"FUZZY{", "}"},
    };
    CHECK(n->kind >= QUERY_WORD && n->kind <= QUERY_FUZZY);
    buf_append_text(out, marks[n->kind].before);
    buf_append_slice(out, n->text);
    buf_append_text(out, marks[n->kind].after);
}

static void print_leaf(const struct ft_query *q, const struct query_node *n, struct buf *out)
{
    if (n->kind == QUERY_ALL) {
        buf_append_text(out, "<WILDCARD>");
    } else if (n->kind == QUERY_NUMERIC) {
        print_range(q, n, out);
    } else if (n->kind == QUERY_GEO) {
        buf_printf(out, "GEO %.*s:{%f,%f --> %f m}", (int)q->fields[n->field].len,
                   (const char *)q->fields[n->field].ptr, n->circle.longitude, n->circle.latitude,
                   n->circle.radius_m);
    } else if (n->kind == QUERY_RADIUS) {
        buf_printf(out,
                   "VECTOR {Vectors that are within %g distance radius from `$vector` in "
                   "vector index associated with field @%.*s}",
                   n->near.radius, (int)q->fields[n->field].len,
                   (const char *)q->fields[n->field].ptr);
    } else if (n->kind == QUERY_MISSING) {
        buf_printf(out, "ISMISSING{%.*s}", (int)q->fields[n->field].len,
                   (const char *)q->fields[n->field].ptr);
    } else {
        print_fields(q, n, out);
        print_text(n, out);
    }
}

static const char *opening(enum query_kind kind)
{
    switch (kind) {
    case QUERY_AND:
        return "INTERSECT {";
    case QUERY_OR:
        return "UNION {";
    case QUERY_NOT:
        return "NOT{";
    case QUERY_OPTIONAL:
        return "OPTIONAL{";
    case QUERY_PHRASE:
        return "EXACT {";
    case QUERY_TAG:
        return "TAG:";
    case QUERY_ALL:
    case QUERY_WORD:
    case QUERY_PREFIX:
    case QUERY_SUFFIX:
    case QUERY_INFIX:
    case QUERY_WILDCARD:
    case QUERY_FUZZY:
    case QUERY_NUMERIC:
    case QUERY_GEO:
    case QUERY_RADIUS:
    case QUERY_MISSING:
        break;
    }
    return NULL;
}

static void print_traits(const struct ft_query *q, const struct query_node *n, struct buf *out)
{
    if (n->traits == QUERY_NO_NODE)
        return;
    const struct query_traits *t = &q->traits[n->traits];
    buf_append_text(out, " => {");
    if (!isnan(t->weight))
        buf_printf(out, " $weight: %g;", t->weight);
    if (t->slop >= 0)
        buf_printf(out, " $slop: %" PRId64 ";", t->slop);
    if (t->in_order >= 0)
        buf_printf(out, " $inorder: %s;", t->in_order != 0 ? "true" : "false");
    if (t->distance_as.len > 0)
        buf_printf(out, " $yield_distance_as: %.*s;", (int)t->distance_as.len,
                   (const char *)t->distance_as.ptr);
    buf_append_text(out, " }");
}

static void print_tree(const struct ft_query *q, uint32_t depth, struct buf *out)
{
    uint32_t open[PRINT_DEPTH], opened = 0, node = q->root;
    while (node != QUERY_NO_NODE) {
        const struct query_node *n = &q->nodes[node];
        print_indent(out, depth + opened);
        if (opening(n->kind) != NULL) {
            buf_append_text(out, opening(n->kind));
            if (n->kind == QUERY_TAG) {
                print_fields(q, n, out);
                buf_append_text(out, " {");
            }
            buf_append_text(out, "\n");
            CHECK(opened < PRINT_DEPTH);
            open[opened++] = node;
            node = n->child;
        } else {
            print_leaf(q, n, out);
            print_traits(q, n, out);
            buf_append_text(out, "\n");
            node = n->next;
        }
        while (node == QUERY_NO_NODE && opened > 0) {
            n = &q->nodes[open[--opened]];
            print_indent(out, depth + opened);
            buf_append_text(out, "}");
            print_traits(q, n, out);
            buf_append_text(out, "\n");
            node = n->next;
        }
    }
}

void query_print(const struct ft_query *q, struct buf *out)
{
    CHECK(q->root != QUERY_NO_NODE);
    if (!q->knn.given) {
        print_tree(q, 0, out);
        return;
    }
    buf_printf(out,
               "VECTOR {K=%" PRIu64 " nearest vectors to `$vector` in vector index associated "
               "with field @%.*s, yields distance as `",
               q->knn.k, (int)q->knn.field.len, (const char *)q->knn.field.ptr);
    if (q->knn.distance_as.len > 0)
        buf_append_slice(out, q->knn.distance_as);
    else
        buf_printf(out, "__%.*s_score", (int)q->knn.field.len, (const char *)q->knn.field.ptr);
    buf_append_text(out, "`\n");
    print_tree(q, 1, out);
    buf_append_text(out, "}\n");
}
