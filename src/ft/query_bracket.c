/* query_bracket.c: what stands in brackets in a query: tags, ranges, circles, vectors, traits. */
#include <math.h>

#include "base/limits.h"
#include "ft/query_build.h"

/* ---- numbers ---- */

static bool read_number(struct slice text, double *out)
{
    if (text.len > 1 && text.ptr[0] == '+') {
        text.ptr++;
        text.len--;
    }
    return slice_to_f64(text, out) && !isnan(*out);
}

static enum err read_value(struct query_builder *b, struct slice written, double *out)
{
    struct slice text;
    enum err e = query_param_or_text(b, written, &text);
    if (e != OK)
        return e;
    if (!read_number(text, out))
        return why_set(b->why, ERR_SYNTAX, "Syntax error: expected a number, got %.*s",
                       (int)(text.len < 32 ? text.len : 32), (const char *)text.ptr);
    return OK;
}

/* 5, (5, $name, ($name */
static enum err read_bound(struct query_builder *b, struct slice written, double *out, bool *open)
{
    *open = written.len > 1 && written.ptr[0] == '(';
    if (*open) {
        written.ptr++;
        written.len--;
    }
    return read_value(b, written, out);
}

/* ---- tags ---- */

/* What a value's stars make of it; *text: without them. */
static enum query_kind strip_stars(struct slice *text)
{
    bool before = text->len > 1 && text->ptr[0] == '*';
    bool after = text->len > 1 && text->ptr[text->len - 1] == '*' &&
                 (text->len < 3 || text->ptr[text->len - 2] != '\\');
    if (before) {
        text->ptr++;
        text->len--;
    }
    if (after && text->len > 0)
        text->len--;
    if (text->len == 0)
        return QUERY_WORD;
    if (before)
        return after ? QUERY_INFIX : QUERY_SUFFIX;
    return after ? QUERY_PREFIX : QUERY_WORD;
}

static bool is_wrapped(struct slice text, const char *before, uint8_t after)
{
    size_t size = strlen(before);
    return text.len > size && memcmp(text.ptr, before, size) == 0 &&
           text.ptr[text.len - 1] == after;
}

static struct slice inner(struct slice text, size_t before)
{
    return (struct slice){text.ptr + before, text.len - before - 1};
}

static enum err add_tag(struct query_builder *b, struct slice written, uint32_t *out)
{
    enum query_kind kind = QUERY_WORD;
    struct slice text = written;
    bool quoted = written.len > 1 && is_wrapped(written, "\"", '"');
    bool param = written.len > 1 && written.ptr[0] == '$';
    if (quoted) {
        text = inner(written, 1);
    } else if (written.len > 2 && is_wrapped(written, "w'", '\'')) {
        text = inner(written, 2);
        kind = QUERY_WILDCARD;
    } else if (param) {
        enum err e = query_param_or_text(b, written, &text);
        if (e != OK)
            return e;
    } else {
        kind = strip_stars(&text);
    }
    enum err e = query_add_node(b, kind, out);
    if (e != OK)
        return e;
    b->query->nodes[*out].quoted = quoted;
    b->query->nodes[*out].text =
        param || kind == QUERY_WILDCARD ? query_keep(b, text) : query_keep_unescaped(b, text);
    return OK;
}

enum err query_read_tags(struct query_builder *b, const struct query_token *t, uint32_t *out)
{
    struct query_scanner parts = {t->text, 0};
    struct slice written;
    uint32_t first = QUERY_NO_NODE, last = QUERY_NO_NODE, node;
    while (query_scan_part(&parts, '|', &written)) {
        if (written.len == 0)
            return query_error_at(b, t->at);
        enum err e = add_tag(b, written, &node);
        if (e != OK)
            return e;
        if (last == QUERY_NO_NODE)
            first = node;
        else
            b->query->nodes[last].next = node;
        last = node;
    }
    CHECK(first != QUERY_NO_NODE);
    enum err e = query_add_node(b, QUERY_TAG, out);
    if (e != OK)
        return e;
    b->query->nodes[*out].child = first;
    b->query->nodes[*out].from = first;
    return OK;
}

/* ---- ranges ---- */

enum { RANGE_WORDS = 4 };

static enum err read_numeric(struct query_builder *b, const struct slice *words, size_t count,
                             uint32_t *out)
{
    struct query_range range;
    enum err e = read_bound(b, words[0], &range.low, &range.low_open);
    if (e == OK)
        e = read_bound(b, words[count - 1], &range.high, &range.high_open);
    if (e == OK)
        e = query_add_node(b, QUERY_NUMERIC, out);
    if (e == OK)
        b->query->nodes[*out].range = range;
    return e;
}

double query_unit_metres(struct slice unit)
{
    static const struct {
        const char *name;
        double metres;
    } units[] = {{"m", 1}, {"km", 1000}, {"mi", 1609.34}, {"ft", 0.3048}};
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (slice_eq_nocase(unit, units[i].name))
            return units[i].metres;
    return 0;
}

static enum err read_circle(struct query_builder *b, const struct slice *words, uint32_t *out)
{
    struct query_circle circle;
    double radius, metres;
    struct slice unit;
    enum err e = read_value(b, words[0], &circle.longitude);
    if (e == OK)
        e = read_value(b, words[1], &circle.latitude);
    if (e == OK)
        e = read_value(b, words[2], &radius);
    if (e == OK)
        e = query_param_or_text(b, words[3], &unit);
    if (e != OK)
        return e;
    metres = query_unit_metres(unit);
    if (metres == 0)
        return why_set(b->why, ERR_SYNTAX, "Invalid GeoFilter unit: %.*s (m, km, mi or ft)",
                       (int)(unit.len < 32 ? unit.len : 32), (const char *)unit.ptr);
    if (!(radius > 0))
        return why_set(b->why, ERR_SYNTAX, "Invalid GeoFilter radius");
    if (!(fabs(circle.longitude) <= 180) || !(fabs(circle.latitude) <= 90))
        return why_set(b->why, ERR_SYNTAX, "Invalid GeoFilter lat/lon");
    circle.radius_m = radius * metres;
    e = query_add_node(b, QUERY_GEO, out);
    if (e == OK)
        b->query->nodes[*out].circle = circle;
    return e;
}

static enum err read_near(struct query_builder *b, const struct slice *words, uint32_t *out)
{
    struct query_near near;
    enum err e = read_value(b, words[1], &near.radius);
    if (e != OK)
        return e;
    if (!(near.radius >= 0))
        return why_set(b->why, ERR_SYNTAX,
                       "Error parsing vector similarity query: negative radius (%g) given in a "
                       "range query",
                       near.radius);
    if (words[2].ptr[0] != '$')
        return why_set(b->why, ERR_SYNTAX,
                       "Syntax error: the vector of VECTOR_RANGE is a $parameter");
    struct slice vector;
    e = query_param_or_text(b, words[2], &vector);
    if (e == OK)
        e = query_add_node(b, QUERY_RADIUS, out);
    if (e != OK)
        return e;
    near.vector = query_keep(b, vector);
    b->query->nodes[*out].near = near;
    return OK;
}

enum err query_read_range(struct query_builder *b, const struct query_token *t, uint32_t *out)
{
    struct query_scanner scanner = {t->text, 0};
    struct slice words[RANGE_WORDS], extra;
    size_t count = 0;
    while (count < RANGE_WORDS && query_scan_word(&scanner, &words[count]))
        count++;
    if (count == 0 || query_scan_word(&scanner, &extra))
        return query_error_at(b, t->at);
    if (slice_eq_nocase(words[0], "VECTOR_RANGE"))
        return count == 3 ? read_near(b, words, out) : query_error_at(b, t->at);
    if (count <= 2)
        return read_numeric(b, words, count, out);
    return count == RANGE_WORDS ? read_circle(b, words, out) : query_error_at(b, t->at);
}

static void negate(struct query_builder *b, uint32_t child, uint32_t node)
{
    b->query->nodes[node].child = child;
    b->query->nodes[node].from = child;
}

enum err query_read_compare(struct query_builder *b, const struct query_token *t, uint32_t *out)
{
    double value;
    enum err e = read_value(b, t->operand, &value);
    if (e == OK)
        e = query_add_node(b, QUERY_NUMERIC, out);
    if (e != OK)
        return e;
    struct query_range range = {.low = -INFINITY, .high = INFINITY};
    if (t->op != COMPARE_LT && t->op != COMPARE_LE)
        range.low = value;
    if (t->op != COMPARE_GT && t->op != COMPARE_GE)
        range.high = value;
    range.low_open = t->op == COMPARE_GT;
    range.high_open = t->op == COMPARE_LT;
    b->query->nodes[*out].range = range;
    if (t->op != COMPARE_NE)
        return OK;
    uint32_t child = *out;
    e = query_add_node(b, QUERY_NOT, out);
    if (e == OK)
        negate(b, child, *out);
    return e;
}

/* ---- traits ---- */

static enum err read_count(struct query_builder *b, const char *name, struct slice text,
                           int64_t *out)
{
    if (!slice_to_i64(text, out) || *out < 0)
        return why_set(b->why, ERR_SYNTAX, "Invalid value (%.*s) for `%s`",
                       (int)(text.len < 32 ? text.len : 32), (const char *)text.ptr, name);
    return OK;
}

static enum err read_positive(struct query_builder *b, const char *name, struct slice text,
                              double *out)
{
    if (!read_number(text, out) || !(*out > 0) || isinf(*out))
        return why_set(b->why, ERR_SYNTAX, "Invalid value (%.*s) for `%s`",
                       (int)(text.len < 32 ? text.len : 32), (const char *)text.ptr, name);
    return OK;
}

static enum err set_trait(struct query_builder *b, struct query_traits *traits, struct slice name,
                          struct slice value)
{
    if (slice_eq_nocase(name, "$weight"))
        return read_positive(b, "weight", value, &traits->weight);
    if (slice_eq_nocase(name, "$epsilon"))
        return read_positive(b, "epsilon", value, &traits->epsilon);
    if (slice_eq_nocase(name, "$slop"))
        return read_count(b, "slop", value, &traits->slop);
    if (slice_eq_nocase(name, "$ef_runtime"))
        return read_count(b, "ef_runtime", value, &traits->ef_runtime);
    if (slice_eq_nocase(name, "$inorder")) {
        traits->in_order = slice_eq_nocase(value, "true") || slice_eq_nocase(value, "1");
        return OK;
    }
    if (slice_eq_nocase(name, "$phonetic"))
        return OK; /* there is no phonetic matching to turn off */
    if (slice_eq_nocase(name, "$yield_distance_as")) {
        traits->distance_as = query_keep(b, value);
        return OK;
    }
    return why_set(b->why, ERR_SYNTAX, "Invalid attribute %.*s",
                   (int)(name.len < 32 ? name.len : 32), (const char *)name.ptr);
}

/* "$name: value" in two. */
static bool split_trait(struct slice part, struct slice *name, struct slice *value)
{
    const uint8_t *colon = memchr(part.ptr, ':', part.len);
    if (colon == NULL || part.ptr[0] != '$')
        return false;
    struct query_scanner before = {{part.ptr, (size_t)(colon - part.ptr)}, 0};
    struct query_scanner after = {{colon + 1, part.len - before.source.len - 1}, 0};
    struct slice extra;
    return query_scan_word(&before, name) && query_scan_word(&after, value) &&
           !query_scan_word(&after, &extra);
}

static enum err read_trait_list(struct query_builder *b, const struct query_token *t,
                                struct query_traits *traits)
{
    struct query_scanner parts = {t->text, 0};
    struct slice part, name, value;
    while (query_scan_part(&parts, ';', &part)) {
        if (part.len == 0)
            continue; /* a semicolon may end the list */
        if (!split_trait(part, &name, &value))
            return query_error_at(b, t->at);
        enum err e = query_param_or_text(b, value, &value);
        if (e == OK)
            e = set_trait(b, traits, name, value);
        if (e != OK)
            return e;
    }
    return OK;
}

/* A name for distances goes to the one clause with a vector that it can mean. */
static enum err settle_distance(struct query_builder *b, uint32_t node)
{
    struct ft_query *q = b->query;
    struct slice name = q->traits[q->nodes[node].traits].distance_as;
    if (name.len == 0 || q->nodes[node].kind == QUERY_RADIUS)
        return OK;
    uint32_t found = QUERY_NO_NODE;
    for (uint32_t i = q->nodes[node].from; i < node; i++) {
        if (q->nodes[i].kind != QUERY_RADIUS)
            continue;
        if (found != QUERY_NO_NODE)
            return why_set(b->why, ERR_SYNTAX,
                           "Invalid attribute yield_distance_as: the clause has two VECTOR_RANGE");
        found = i;
    }
    if (found == QUERY_NO_NODE)
        return why_set(b->why, ERR_SYNTAX, "Invalid attribute yield_distance_as");
    struct query_traits *traits;
    enum err e = query_need_traits(b, found, &traits);
    if (e == OK)
        traits->distance_as = name;
    return e;
}

enum err query_read_traits(struct query_builder *b, const struct query_token *t, uint32_t node)
{
    struct query_traits *traits;
    enum err e = query_need_traits(b, node, &traits);
    if (e == OK)
        e = read_trait_list(b, t, traits);
    if (e == OK)
        e = settle_distance(b, node);
    return e;
}

/* ---- KNN ---- */

static enum err knn_error(const struct query_builder *b, const char *text)
{
    return why_set(b->why, ERR_SYNTAX, "Error parsing vector similarity query: %s", text);
}

static enum err set_knn_option(struct query_builder *b, struct slice name, struct slice value)
{
    struct query_knn *knn = &b->query->knn;
    if (slice_eq_nocase(name, "AS")) {
        knn->distance_as = query_keep_unescaped(b, value);
        return OK;
    }
    if (slice_eq_nocase(name, "EF_RUNTIME"))
        return read_count(b, "EF_RUNTIME", value, &knn->ef_runtime);
    if (slice_eq_nocase(name, "EPSILON"))
        return read_positive(b, "EPSILON", value, &knn->epsilon);
    if (slice_eq_nocase(name, "HYBRID_POLICY"))
        return slice_eq_nocase(value, "BATCHES") || slice_eq_nocase(value, "ADHOC_BF")
                   ? OK /* the planner chooses by measured costs */
                   : knn_error(b, "HYBRID_POLICY is BATCHES or ADHOC_BF");
    int64_t ignored;
    if (slice_eq_nocase(name, "BATCH_SIZE"))
        return read_count(b, "BATCH_SIZE", value, &ignored);
    if (slice_eq_nocase(name, "SHARD_K_RATIO"))
        return OK; /* one shard has all */
    return why_set(b->why, ERR_SYNTAX,
                   "Error parsing vector similarity parameters: Invalid option "
                   "%.*s",
                   (int)(name.len < 32 ? name.len : 32), (const char *)name.ptr);
}

static enum err read_knn_head(struct query_builder *b, struct query_scanner *s)
{
    struct query_knn *knn = &b->query->knn;
    struct slice keyword, k, field, vector;
    if (!query_scan_word(s, &keyword) || !slice_eq_nocase(keyword, "KNN"))
        return knn_error(b, "expected KNN");
    if (!query_scan_word(s, &k) || !query_scan_word(s, &field) || !query_scan_word(s, &vector))
        return knn_error(b, "expected KNN k @field $vector");
    enum err e = query_param_or_text(b, k, &k);
    if (e != OK)
        return e;
    if (!slice_to_u64(k, &knn->k) || knn->k == 0 || knn->k > LIMIT_EF)
        return why_set(b->why, ERR_SYNTAX,
                       "Error parsing vector similarity query: K is a number from 1 to %d",
                       (int)LIMIT_EF);
    if (field.len < 2 || field.ptr[0] != '@')
        return knn_error(b, "expected @field after K");
    if (vector.len < 2 || vector.ptr[0] != '$')
        return knn_error(b, "the vector is a $parameter");
    e = query_param_or_text(b, vector, &vector);
    if (e != OK)
        return e;
    knn->field = query_keep_unescaped(b, (struct slice){field.ptr + 1, field.len - 1});
    knn->vector = query_keep(b, vector);
    return OK;
}

enum err query_read_knn(struct query_builder *b, const struct query_token *t)
{
    struct query_knn *knn = &b->query->knn;
    struct query_scanner s = {t->text, 0};
    *knn = (struct query_knn){.given = true, .ef_runtime = -1, .epsilon = NAN};
    enum err e = read_knn_head(b, &s);
    struct slice name, value;
    while (e == OK && query_scan_word(&s, &name)) {
        if (!query_scan_word(&s, &value))
            return knn_error(b, "an option has no value");
        e = query_param_or_text(b, value, &value);
        if (e == OK)
            e = set_knn_option(b, name, value);
    }
    return e;
}

enum err query_read_knn_traits(struct query_builder *b, const struct query_token *t)
{
    struct query_knn *knn = &b->query->knn;
    struct query_traits traits = {.weight = NAN, .epsilon = NAN, .ef_runtime = -1, .slop = -1};
    enum err e = read_trait_list(b, t, &traits);
    if (traits.distance_as.len > 0)
        knn->distance_as = traits.distance_as;
    if (traits.ef_runtime >= 0)
        knn->ef_runtime = traits.ef_runtime;
    if (!isnan(traits.epsilon))
        knn->epsilon = traits.epsilon;
    return e;
}
