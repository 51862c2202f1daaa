/* Random expressions over random attributes: filter_match() against a second evaluator that walks
 * the tree the expression was printed from, straightforwardly and with none of the same code. */
#include "base/buf.h"
#include "base/rng.h"
#include "db/filter.h"
#include "lib/test.h"

#include <math.h>
#include <stdlib.h>

enum { CASES = 20000, FIELDS = 6, TREE_MAX = 64, ITEMS_MAX = 3, TREE_DEPTH_MAX = 5 };

enum tag { TAG_NUMBER, TAG_STRING, TAG_NULL, TAG_LIST, TAG_OBJECT, TAG_MISSING };

struct thing {
    enum tag tag;
    double number;
    const char *string;
    struct thing *items;
    size_t item_count;
    bool is_field;
    bool object_inside; /* a list that is printed with an object in it */
};

struct operator_ {
    const char *text;
    int binds;
};

enum which {
    OR,
    AND,
    GT,
    GE,
    LT,
    LE,
    EQ,
    NE,
    IN,
    CONTAINS,
    LIKE,
    HAS,
    HASLIKE,
    ADD,
    SUB,
    MUL,
    DIV,
    MOD,
    POW,
    NOT,
    LEAF,
    FIELD,
    EXISTS
};

static const struct operator_ operators[] = {
    {"or", 0},      {"and", 1}, {">", 2},  {">=", 2},       {"<", 2},    {"<=", 2},
    {"==", 2},      {"!=", 2},  {"in", 2}, {"contains", 2}, {"like", 2}, {"has", 2},
    {"haslike", 2}, {"+", 3},   {"-", 3},  {"*", 4},        {"/", 4},    {"%", 4},
    {"**", 5},      {"not", 6}, {"", 7},   {"", 7},         {"", 7},
};

struct tree {
    enum which which;
    struct tree *left, *right; /* NOT: right */
    struct thing leaf;
    int field;
};

struct world {
    uint64_t random;
    struct tree trees[TREE_MAX];
    size_t tree_count;
    struct thing items[(TREE_MAX + FIELDS) * ITEMS_MAX];
    size_t item_count;
    struct thing fields[FIELDS];
    bool has_field[FIELDS][2]; /* in the expression: read, asked exists() */
    struct buf expression;
    struct buf json;
};

static size_t below(struct world *w, size_t bound)
{
    return (size_t)rng_below(&w->random, bound);
}

/* ---- making ---- */

static struct thing make_scalar(struct world *w)
{
    static const char *const strings[] = {
        "",     "a",  "ab",   "b",   "12", "7.5",  "\xc3\xa9", "a\"b",
        "x\\y", "\n", "a*",   "?b",  "*",  "abab", "0",        "\xf0\x9f\x98\x80",
        "'",    "-3", "a\\*", "0x10"};
    static const double numbers[] = {0, 1, 2, 3, 7.5, 12, -3, 0.5, 100, -1};
    switch (below(w, 8)) {
    case 0:
        return (struct thing){.tag = TAG_NULL};
    case 1:
    case 2:
    case 3:
        return (struct thing){.tag = TAG_STRING, .string = strings[below(w, COUNT_OF(strings))]};
    default:
        return (struct thing){.tag = TAG_NUMBER, .number = numbers[below(w, COUNT_OF(numbers))]};
    }
}

static struct thing make_list(struct world *w)
{
    struct thing list = {.tag = TAG_LIST, .items = w->items + w->item_count};
    list.item_count = below(w, ITEMS_MAX + 1);
    CHECK(w->item_count + list.item_count <= COUNT_OF(w->items));
    w->item_count += list.item_count;
    for (size_t i = 0; i < list.item_count; i++)
        list.items[i] = make_scalar(w);
    return list;
}

static struct tree *make_tree(struct world *w, int depth)
{
    CHECK(w->tree_count < TREE_MAX);
    struct tree *t = &w->trees[w->tree_count++];
    *t = (struct tree){.which = LEAF};
    if (depth < TREE_DEPTH_MAX && below(w, 4) > 0) {
        t->which = (enum which)below(w, NOT + 1);
        if (t->which != NOT)
            t->left = make_tree(w, depth + 1);
        t->right = make_tree(w, depth + 1);
        return t;
    }
    size_t kind = below(w, 10);
    if (kind < 5) {
        t->which = FIELD;
        t->field = (int)below(w, FIELDS);
        w->has_field[t->field][0] = true;
    } else if (kind == 5) {
        t->which = EXISTS;
        t->field = (int)below(w, FIELDS);
        w->has_field[t->field][1] = true;
    } else {
        t->leaf = kind == 6 ? make_list(w) : make_scalar(w);
    }
    return t;
}

static void make_fields(struct world *w)
{
    for (int i = 0; i < FIELDS; i++) {
        size_t kind = below(w, 32);
        w->fields[i] = kind < 6 ? make_list(w) : make_scalar(w);
        w->fields[i].object_inside = kind == 0;
        w->fields[i].is_field = true;
        if (kind == 30)
            w->fields[i].tag = TAG_OBJECT;
        if (kind == 31)
            w->fields[i].tag = TAG_MISSING;
    }
}

/* ---- printing ---- */

static void print_blanks(struct world *w, struct buf *out)
{
    for (size_t n = below(w, 6); n > 4; n--)
        buf_append_byte(out, ' ');
}

/* Bytes below 0x80 are now and then printed as \uXXXX; the others are UTF-8 and printed as such. */
static void print_string(struct world *w, struct buf *out, const char *s, char quote)
{
    buf_printf(out, "%c", quote);
    for (; *s != '\0'; s++) {
        if ((uint8_t)*s < 0x80 && below(w, 6) == 0)
            buf_printf(out, "\\u%04x", (unsigned)(uint8_t)*s);
        else if (*s == '\n')
            buf_append_text(out, "\\n");
        else
            buf_printf(out, "%s%c", *s == quote || *s == '\\' ? "\\" : "", *s);
    }
    buf_printf(out, "%c", quote);
}

static void print_thing(struct world *w, struct buf *out, const struct thing *x, bool json)
{
    if (x->tag == TAG_NUMBER && (x->number == 0 || x->number == 1) && below(w, 3) == 0) {
        buf_append_text(out, x->number == 0 ? "false" : "true");
    } else if (x->tag == TAG_NUMBER) {
        buf_printf(out, "%.17g%s", x->number, x->number == 7.5 && below(w, 2) == 0 ? "e0" : "");
    } else if (x->tag == TAG_STRING) {
        print_string(w, out, x->string, json || below(w, 2) == 0 ? '"' : '\'');
    } else if (x->tag == TAG_NULL) {
        buf_append_text(out, "null");
    } else if (x->tag == TAG_OBJECT) {
        buf_append_text(out, "{\"f\":[]}");
    } else {
        buf_append_byte(out, '[');
        for (size_t i = 0; i < x->item_count; i++) {
            buf_append_text(out, i > 0 ? "," : "");
            print_blanks(w, out);
            print_thing(w, out, &x->items[i], json);
            print_blanks(w, out);
        }
        if (x->object_inside)
            buf_append_text(out, x->item_count > 0 ? ",{}" : "[[{}]]");
        buf_append_byte(out, ']');
    }
}

/* Where field i lies: at the top, in an object, or in an array. */
static const char *const paths[FIELDS] = {".f0", ".f-1", ".a_long_name", ".o.x", ".o.y", ".l[1]"};

static void print_json(struct world *w)
{
    static const char *const before[FIELDS] = {
        "\"f0\":", "\"f-1\":", "\"a_long_na\\u006de\":", "\"x\":", "\"y\":", ""};
    struct buf *out = &w->json;
    buf_append_text(out, "{\"skip\":{\"f0\":[1,{}]},");
    for (int i = 0; i < FIELDS; i++) {
        const char *open = i == 3 ? "\"o\":{" : i == 5 ? "\"l\":[0" : "";
        bool missing = w->fields[i].tag == TAG_MISSING;
        buf_append_text(out, open);
        if (!missing) {
            buf_append_text(out, i == 5 ? "," : before[i]);
            print_blanks(w, out);
            print_thing(w, out, &w->fields[i], true);
        } else if (i != 5) {
            buf_printf(out, "\"gone%d\":0", i);
        }
        buf_append_text(out, i == 4 ? "}," : i == 5 ? "]}" : ",");
    }
}

static void print_tree(struct world *w, const struct tree *t);

static void print_child(struct world *w, const struct tree *t, bool must)
{
    bool parenthesis = must || below(w, 8) == 0;
    buf_append_text(&w->expression, parenthesis ? "(" : "");
    print_tree(w, t);
    buf_append_text(&w->expression, parenthesis ? ")" : "");
}

static void print_tree(struct world *w, const struct tree *t)
{
    struct buf *out = &w->expression;
    int binds = operators[t->which].binds;
    print_blanks(w, out);
    if (t->which == LEAF) {
        print_thing(w, out, &t->leaf, false);
    } else if (t->which == FIELD) {
        buf_append_text(out, paths[t->field]);
    } else if (t->which == EXISTS) {
        buf_printf(out, "exists(%s)", paths[t->field]);
    } else if (t->which == NOT) {
        buf_append_text(out, below(w, 2) == 0 ? "!" : "not ");
        print_child(w, t->right, operators[t->right->which].binds < binds);
    } else {
        bool to_the_right = t->which == POW;
        print_child(w, t->left, operators[t->left->which].binds < binds + to_the_right);
        const char *text = operators[t->which].text;
        if (t->which == AND && below(w, 2) == 0)
            text = "&&";
        if (t->which == OR && below(w, 2) == 0)
            text = "||";
        buf_printf(out, " %s ", text);
        print_child(w, t->right, operators[t->right->which].binds < binds + !to_the_right);
    }
    print_blanks(w, out);
}

/* ---- the second evaluator ---- */

static double number_of(const struct thing *x)
{
    if (x->tag == TAG_NUMBER)
        return x->number;
    if (x->tag != TAG_STRING)
        return 0;
    char *end;
    double number = strtod(x->string, &end);
    return *end == '\0' ? number : 0;
}

static bool truth_of(const struct thing *x)
{
    if (x->tag == TAG_NUMBER)
        return x->number != 0;
    return x->tag == TAG_STRING ? x->string[0] != '\0' : x->tag == TAG_LIST;
}

static bool same(const struct thing *a, const struct thing *b)
{
    if (a->tag == TAG_STRING && b->tag == TAG_STRING)
        return strcmp(a->string, b->string) == 0;
    if (a->tag == TAG_NULL || b->tag == TAG_NULL)
        return a->tag == b->tag;
    return number_of(a) == number_of(b);
}

static bool is_in(const struct thing *a, const struct thing *b)
{
    if (a->tag == TAG_STRING && b->tag == TAG_STRING)
        return strstr(b->string, a->string) != NULL;
    for (size_t i = 0; b->tag == TAG_LIST && i < b->item_count; i++)
        if (same(a, &b->items[i]))
            return true;
    return false;
}

static bool glob(const char *s, const char *p)
{
    if (*p == '\0')
        return *s == '\0';
    if (*p == '*')
        return glob(s, p + 1) || (*s != '\0' && glob(s + 1, p));
    if (*s == '\0')
        return false;
    if (*p == '?')
        return glob(s + 1, p + 1);
    if (*p == '\\' && p[1] != '\0')
        p++;
    return *s == *p && glob(s + 1, p + 1);
}

/* One value, or any of a list's, in any of a list's that the expression has. */
static bool has_of(const struct thing *a, const struct thing *b, bool as_glob)
{
    const struct thing *lefts = a->tag == TAG_LIST ? a->items : a;
    const struct thing *rights = b->tag == TAG_LIST ? b->items : b;
    size_t left_count = a->tag == TAG_LIST ? a->item_count : 1;
    size_t right_count = b->tag == TAG_LIST ? b->item_count : 1;
    if (b->tag == TAG_LIST && b->is_field)
        return false;
    for (size_t i = 0; i < left_count; i++) {
        for (size_t j = 0; j < right_count; j++) {
            const struct thing *x = &lefts[i], *y = &rights[j];
            bool strings = x->tag == TAG_STRING && y->tag == TAG_STRING;
            if (as_glob && strings && b->tag != TAG_LIST && glob(x->string, y->string))
                return true;
            if (!as_glob && strings && strcmp(x->string, y->string) == 0)
                return true;
            if (!as_glob && x->tag == TAG_NUMBER && y->tag == TAG_NUMBER && x->number == y->number)
                return true;
        }
    }
    return false;
}

static double apply(enum which which, const struct thing *a, const struct thing *b)
{
    double x = number_of(a), y = number_of(b);
    bool strings = a->tag == TAG_STRING && b->tag == TAG_STRING;
    double results[] = {
        [OR] = truth_of(a) || truth_of(b),
        [AND] = truth_of(a) && truth_of(b),
        [GT] = x > y,
        [GE] = x >= y,
        [LT] = x < y,
        [LE] = x <= y,
        [EQ] = same(a, b),
        [NE] = !same(a, b),
        [IN] = is_in(a, b),
        [CONTAINS] = is_in(b, a),
        [LIKE] = strings && glob(a->string, b->string),
        [HAS] = has_of(a, b, false),
        [HASLIKE] = has_of(a, b, true),
        [ADD] = x + y,
        [SUB] = x - y,
        [MUL] = x * y,
        [DIV] = x / y,
        [MOD] = fmod(x, y),
        [POW] = pow(x, y),
        [NOT] = !truth_of(b),
    };
    return results[which];
}

static struct thing value_of(const struct world *w, const struct tree *t)
{
    if (t->which == LEAF)
        return t->leaf;
    if (t->which == EXISTS)
        return (struct thing){.number = w->fields[t->field].tag != TAG_MISSING};
    if (t->which == FIELD)
        return w->fields[t->field].tag == TAG_MISSING ? (struct thing){.tag = TAG_NULL}
                                                      : w->fields[t->field];
    struct thing right = value_of(w, t->right);
    struct thing left = t->left == NULL ? right : value_of(w, t->left);
    return (struct thing){.number = apply(t->which, &left, &right)};
}

static bool expected(const struct world *w)
{
    for (int i = 0; i < FIELDS; i++) {
        bool excused = w->has_field[i][1] && w->fields[i].tag == TAG_MISSING;
        bool holds = w->fields[i].tag <= TAG_LIST && !w->fields[i].object_inside;
        if (w->has_field[i][0] && !holds && !excused)
            return false;
    }
    struct thing result = value_of(w, &w->trees[0]);
    return truth_of(&result);
}

static void run_case(struct world *w, uint64_t seed, int *matched)
{
    *w = (struct world){.random = seed};
    buf_init(&w->expression, MEM_TEST);
    buf_init(&w->json, MEM_TEST);
    make_fields(w);
    print_tree(w, make_tree(w, 0));
    print_json(w);
    struct filter *f = NULL;
    struct why why = {.text = ""};
    REQUIRE(!buf_failed(&w->expression) && !buf_failed(&w->json));
    enum err e = filter_compile(buf_slice(&w->expression), NULL, 0, &f, &why);
    if (e != OK || filter_match(f, buf_slice(&w->json)) != expected(w))
        test_fail(__FILE__, __LINE__, "seed %llu: %.*s on %.*s: should be %d %s",
                  (unsigned long long)seed, (int)w->expression.len, (char *)w->expression.ptr,
                  (int)w->json.len, (char *)w->json.ptr, expected(w), why.text);
    *matched += e == OK && expected(w);
    filter_free(f);
    buf_fini(&w->expression);
    buf_fini(&w->json);
}

TEST(filter, agrees_with_a_second_evaluator)
{
    static struct world w;
    int matched = 0;
    for (uint64_t seed = 1; seed <= CASES; seed++)
        run_case(&w, seed, &matched);
    /* Otherwise the cases would not tell much. */
    EXPECT(matched > CASES / 4 && matched < CASES * 3 / 4);
}
