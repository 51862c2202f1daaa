/* Filters over columns answer what they answer over the attributes themselves, whatever the fields
 * hold and however the elements have changed. */
#include <stdio.h>

#include "base/rng.h"
#include "db/collection_fields.h"
#include "db/plan.h"
#include "lib/cmd_harness.h"

enum { ELEMENTS = 60, CHANGES = 400, EXPRESSIONS = 60, DEPTH_MAX = 3 };

struct rig {
    struct harness *h;
    uint64_t random;
    struct buf text;
    size_t plans, exact_plans; /* that named rows; that named the matches and nothing else */
};

static size_t below(struct rig *r, size_t bound)
{
    return (size_t)rng_below(&r->random, bound);
}

static const char *one_of(struct rig *r, const char *const *texts, size_t count)
{
    return texts[below(r, count)];
}

#define ONE_OF(r, ...)                                                                             \
    one_of(r, (const char *const[]){__VA_ARGS__},                                                  \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void rig_init(struct rig *r, uint64_t seed)
{
    *r = (struct rig){.h = harness_new(), .random = seed, .text = BUF_INIT(MEM_TEST)};
    EXPECT_REPLY(r->h, 2,
                 "VCREATE c DIM 1 METRIC L2 SCHEMA n NUMERIC .m NUMERIC t TAG b BOOL o.x TAG g GEO",
                 "+OK\r\n");
}

static void rig_fini(struct rig *r)
{
    buf_fini(&r->text);
    harness_free(r->h);
}

static struct collection *collection_of(struct rig *r)
{
    struct collection *c = NULL;
    REQUIRE(db_collection(&r->h->db, slice_of("c"), &c) == OK && c != NULL);
    return c;
}

/* -- elements ---------------------------------------------------------------------------------- */

static const char *random_value(struct rig *r, const char *field)
{
    if (below(r, 5) == 0) /* of any type */
        return ONE_OF(r, "null", "true", "false", "[1,2]", "[\"a\"]", "{\"x\":1}", "[{}]", "\"3\"",
                      "7", "\"\"", "1e999");
    if (*field == 't' && below(r, 3) == 0)
        return ONE_OF(r, "[\"a\"]", "[\"a\",\"b\"]", "[\"b\",\"a\",\"b\"]", "[\"zz\",\"\"]",
                      "[\"\\u0061b\",\"12\"]", "[]", "[\"a\",3]", "[\"b\",[\"a\"]]");
    if (*field == 't' || *field == 'o')
        return ONE_OF(r, "\"a\"", "\"b\"", "\"ab\"", "\"\\u0061\"", "\"c\\n\"", "\"12\"");
    if (*field == 'g') /* 1.112 km to the degree's hundredth: some are a metre from an edge */
        return ONE_OF(r, "\"0,0\"", "\"0.01,0\"", "\"0.0100001,0\"", "[0,0.01]", "[0, 0.1]",
                      "\"180,0\"", "\"-180 0\"", "\"12,90\"", "\"0\\u002c0.01\"",
                      "[\"0,0\",\"9,9\"]", "\"200,0\"", "[1,2,3]", "\"179.99,0.005\"");
    if (*field == 'm' && below(r, 3) == 0)
        return ONE_OF(r, "[0,3]", "[2]", "[1,\"2\"]", "[\"2\",null]", "[-1,100,2.5]", "[]",
                      "[[1]]");
    if (*field == 'b')
        return ONE_OF(r, "true", "false", "1", "0");
    return ONE_OF(r, "0", "1", "2", "3", "-1", "2.5", "3.0", "-0", "1e2", "12");
}

static void make_attribute(struct rig *r, struct buf *out)
{
    const char *comma = "";
    out->len = 0;
    if (below(r, 12) == 0) {
        buf_append_text(out, ONE_OF(r, "", "{", "7", "[]", "null"));
        return;
    }
    buf_append_byte(out, '{');
    for (const char *const *field =
             (const char *const[]){"n", "m", "t", "b", "o", "g", "free", NULL};
         *field != NULL; field++) {
        if (below(r, 5) == 0)
            continue;
        bool nested = **field == 'o' && below(r, 4) > 0;
        buf_printf(out, nested ? "%s\"%s\":{\"x\":%s}" : "%s\"%s\":%s", comma, *field,
                   random_value(r, *field));
        comma = ",";
    }
    buf_append_byte(out, '}');
}

static void change(struct rig *r)
{
    char id[16], x[16];
    struct buf attribute = BUF_INIT(MEM_TEST);
    int size = snprintf(id, sizeof(id), "e%zu", below(r, ELEMENTS));
    int x_size = snprintf(x, sizeof(x), "%zu", below(r, 100));
    CHECK(size > 0 && x_size > 0);
    make_attribute(r, &attribute);
    struct slice key = slice_of("c"), element = slice_of(id), value = buf_slice(&attribute);
    switch (below(r, 4)) {
    case 0:
        (void)harness_run_args(r->h, 2, (struct slice[]){slice_of("VSETATTR"), key, element, value},
                               4);
        break;
    case 1:
        (void)harness_run_args(r->h, 2, (struct slice[]){slice_of("VREM"), key, element}, 3);
        break;
    case 2: /* keeps its attribute */
        (void)harness_run_args(r->h, 2,
                               (struct slice[]){slice_of("VADD"), key, slice_of("VALUES"),
                                                slice_of("1"), slice_of(x), element},
                               6);
        break;
    default:
        (void)harness_run_args(r->h, 2,
                               (struct slice[]){slice_of("VADD"), key, slice_of("VALUES"),
                                                slice_of("1"), slice_of(x), element,
                                                slice_of("SETATTR"), value},
                               8);
    }
    buf_fini(&attribute);
}

/* -- expressions ------------------------------------------------------------------------------- */

static void make_leaf(struct rig *r, struct buf *out)
{
    static const char *const compares[] = {"==", "!=", "<", "<=", ">", ">="};
    const char *compare = one_of(r, compares, COUNT_OF(compares));
    const char *number =
        ONE_OF(r, "0", "1", "2.5", "3", "-1", "100", "\"3\"", "\"x\"", "null", "$p");
    switch (below(r, 18)) {
    case 16:
    case 17:
        buf_printf(
            out, "between(%s, %s)", ONE_OF(r, ".n", ".n", ".m", ".b", ".t", ".g", ".free"),
            ONE_OF(r, "1, 2", "0, 0", "-1, 2.5", "3, 1", "2, 1e300", "-1e300, 1e300", "2.5, 2.5"));
        return;
    case 14:
    case 15:
        buf_printf(out, "geo(%s, %s, %s)", ONE_OF(r, ".g", ".g", ".g", ".g", ".t", ".n", ".free"),
                   ONE_OF(r, "0, 0", "0.01,0", "-180,0", "180, 0.01", "77, 89.99", "0, -90"),
                   ONE_OF(r, "0", "1112.25", "1112.3", "2000", "1e5", "1e7", "3e7", "0.5"));
        return;
    case 12:
        buf_printf(out, "%s has %s", ONE_OF(r, ".t", ".o.x", ".n"),
                   ONE_OF(r, "\"a\"", "\"b\"", "\"ab\"", "\"\"", "3", "$p"));
        return;
    case 13:
        buf_printf(out, "%s haslike %s", ONE_OF(r, ".t", ".o.x", ".n"),
                   ONE_OF(r, "\"a*\"", "\"*\"", "\"?\"", "\"*b*\"", "3", "$p"));
        return;
    case 0:
    case 1:
    case 2:
        buf_printf(out, "%s %s %s", ONE_OF(r, ".n", ".m", ".b"), compare, number);
        return;
    case 3:
        buf_printf(out, "%s %s %s", number, compare, ONE_OF(r, ".n", ".m", ".b"));
        return;
    case 4:
    case 5:
        buf_printf(out, "%s %s %s", ONE_OF(r, ".t", ".o.x"), ONE_OF(r, "==", "!="),
                   ONE_OF(r, "\"a\"", "\"b\"", "\"zz\"", "\"12\"", "\"\"", "$p"));
        return;
    case 6:
        buf_printf(out, "%s %s %s", ONE_OF(r, ".t", ".o.x", ".t"), ONE_OF(r, "in", "has"),
                   ONE_OF(r, "[\"a\"]", "[\"a\",\"b\",\"nobody\"]", "[]", "[\"a\",1]", "[null]"));
        return;
    case 7:
        buf_printf(out, "exists(%s)", ONE_OF(r, ".n", ".t", ".b", ".o.x", ".m", ".g"));
        return;
    case 8:
        buf_append_text(out, ONE_OF(r, ".b", ".n", ".n + .m > 3", ".n in [1, 2, \"3\"]",
                                    ".n * 2 == .m", "1", ".n - 1", "3 in .n"));
        return;
    case 9:
        buf_append_text(out, ONE_OF(r, ".t like \"a*\"", "\"a\" in .t", ".t contains \"b\"",
                                    ".t == .n", ".t", ".t == 12", ".free == 1", ".o",
                                    ".g == \"0,0\"", "geo(.n, 1, 2, 3)", "geo(.o.x, 1, 2, 3)"));
        return;
    default:
        buf_printf(out, "%s %s %s", ONE_OF(r, ".n", ".m"), compare, ONE_OF(r, "0", "1", "2", "3"));
    }
}

static void make_expression(struct rig *r, struct buf *out, int depth)
{
    if (depth == 0 || below(r, 3) == 0) {
        make_leaf(r, out);
        return;
    }
    if (below(r, 5) == 0)
        buf_append_text(out, "not ");
    buf_append_byte(out, '(');
    make_expression(r, out, depth - 1);
    buf_append_text(out, ONE_OF(r, " and ", " or ", " && ", " || "));
    make_expression(r, out, depth - 1);
    buf_append_byte(out, ')');
}

/* -- comparing --------------------------------------------------------------------------------- */

/* What the indexes say: all matches are among the rows of the plan, and are they when it is exact.
 */
static void check_plan(struct rig *r, const struct predicate *p, const struct collection_view *v,
                       const bool *matches, size_t count, struct slice expression)
{
    struct plan plan;
    plan_make_rows(&plan, &(struct plan_request){.predicate = p, .live = v->live});
    bool ok = !plan.exact || plan.bound == count;
    if (plan.rows != NULL) {
        bool among[4096] = {false};
        size_t found = 0;
        REQUIRE(plan_tidy(&plan, v->codes.end) && v->codes.end <= 4096);
        for (size_t i = 0; i < plan.row_count; i++) {
            ok = ok && row_visible(&v->codes, plan.rows[i]) && !among[plan.rows[i]];
            among[plan.rows[i]] = true;
            found += matches[plan.rows[i]];
        }
        ok = ok && found == count && (!plan.exact || plan.row_count == count);
        r->plans++;
    }
    r->exact_plans += plan.exact;
    if (!ok)
        test_fail(__FILE__, __LINE__, "%.*s: %zu match, %zu are named", (int)expression.len,
                  (const char *)expression.ptr, count, plan.row_count);
    plan_fini(&plan);
}

/* Every element by columns and by its attribute. Returns whether columns could be used. */
static bool compare_all(struct rig *r, const struct filter *f, struct slice expression)
{
    struct collection *c = collection_of(r);
    struct collection_view v;
    db_view(&r->h->db, c, &v);
    struct predicate *p = predicate_new(f, c->fields);
    REQUIRE(p != NULL);
    bool matches[4096] = {false};
    size_t count = 0;
    REQUIRE(v.codes.end <= COUNT_OF(matches));
    for (uint32_t row = 0; row < v.codes.end; row++) {
        if (!row_visible(&v.codes, row))
            continue;
        bool by_text = filter_match(f, view_attribute(&v, row));
        matches[row] = by_text;
        count += by_text;
        struct slice attribute = view_attribute(&v, row);
        if (predicate_match(p, &v, row) != by_text)
            test_fail(__FILE__, __LINE__, "%.*s of %.*s: %d by the attribute", (int)expression.len,
                      (const char *)expression.ptr, (int)attribute.len, (const char *)attribute.ptr,
                      by_text);
    }
    check_plan(r, p, &v, matches, count, expression);
    bool columnar = predicate_is_columnar(p);
    predicate_free(p);
    return columnar;
}

static size_t compare_expressions(struct rig *r)
{
    const struct filter_param param = {slice_of("p"), slice_of(ONE_OF(r, "a", "3", "")), NULL};
    size_t columnar = 0;
    for (int i = 0; i < EXPRESSIONS; i++) {
        struct filter *f;
        struct why why;
        r->text.len = 0;
        make_expression(r, &r->text, DEPTH_MAX);
        enum err e = filter_compile(buf_slice(&r->text), &param, 1, &f, &why);
        if (e != OK)
            test_fail(__FILE__, __LINE__, "%.*s: %s", (int)r->text.len, (char *)r->text.ptr,
                      why.text);
        REQUIRE(e == OK);
        columnar += compare_all(r, f, buf_slice(&r->text));
        filter_free(f);
    }
    return columnar;
}

TEST(predicate, columns_answer_what_attributes_do)
{
    enum { SEEDS = 24 };
    size_t columnar = 0, plans = 0, exact_plans = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct rig r;
        rig_init(&r, seed);
        for (int round = 0; round < 4; round++) {
            for (int i = 0; i < CHANGES / 4; i++)
                change(&r);
            columnar += compare_expressions(&r);
        }
        plans += r.plans;
        exact_plans += r.exact_plans;
        rig_fini(&r);
    }
    EXPECT(columnar > SEEDS * 4 * EXPRESSIONS / 3);
    EXPECT(plans > 500 && exact_plans > 20);
}

TEST(predicate, fields_that_are_built_again_are_the_same)
{
    struct rig r;
    rig_init(&r, 77);
    for (int i = 0; i < CHANGES; i++)
        change(&r);
    struct collection *c = collection_of(&r);
    for (uint32_t row = 0; row < c->rows_end; row++)
        if (atomic_load(&((_Atomic uint64_t *)c->columns.base[COL_DEATH])[row]) == LSN_NEVER)
            fields_forget(c->fields, row);
    collection_build_fields(c);
    EXPECT(compare_expressions(&r) == 0); /* by attributes alone, meanwhile */
    for (int i = 0; i < 20; i++)
        change(&r);
    sim_run_for(r.h->sim, 1000 * 1000);
    EXPECT(!c->fields->building);
    EXPECT(compare_expressions(&r) > EXPRESSIONS / 3);
    for (int i = 0; i < 50; i++)
        change(&r);
    EXPECT(compare_expressions(&r) > EXPRESSIONS / 3);
    rig_fini(&r);
}

/* -- limits ------------------------------------------------------------------------------------ */

static void add(struct rig *r, size_t number, struct slice attribute)
{
    char id[16];
    int size = snprintf(id, sizeof(id), "e%zu", number);
    CHECK(size > 0);
    struct slice words[] = {slice_of("VADD"), slice_of("c"), slice_of("VALUES"),  slice_of("1"),
                            slice_of("1"),    slice_of(id),  slice_of("SETATTR"), attribute};
    (void)harness_run_args(r->h, 2, words, COUNT_OF(words));
}

/* Whether it ran over columns; its answers are compared with those of the text in any case. */
static bool is_columnar(struct rig *r, const char *expression)
{
    struct filter *f;
    struct why why;
    REQUIRE(filter_compile(slice_of(expression), NULL, 0, &f, &why) == OK);
    bool columnar = compare_all(r, f, slice_of(expression));
    filter_free(f);
    return columnar;
}

/* More texts than are looked at on the loop: then lanes read the attributes. */
TEST(predicate, patterns_look_at_so_many_texts_and_not_more)
{
    enum { PATTERN_TAGS_MAX = 2000 };
    struct rig r;
    rig_init(&r, 1);
    for (size_t i = 0; i <= PATTERN_TAGS_MAX; i++) {
        char attribute[32];
        int size = snprintf(attribute, sizeof(attribute), "{\"t\":\"x%zu\"}", i);
        CHECK(size > 0);
        if (i == PATTERN_TAGS_MAX)
            EXPECT(is_columnar(&r, ".t haslike \"x1*\"") && is_columnar(&r, "\"x2\" in .t"));
        add(&r, i, slice_of(attribute));
    }
    EXPECT(!is_columnar(&r, ".t haslike \"x1*\"") && !is_columnar(&r, ".t like \"x1*\""));
    EXPECT(is_columnar(&r, ".t has [\"x7\",\"x2000\"]"));
    rig_fini(&r);
}

/* A longer array is read from the attribute, and counts all the same. */
TEST(predicate, arrays_have_so_many_members_in_a_column)
{
    struct rig r;
    rig_init(&r, 1);
    for (size_t count = TAG_SET_MAX - 1; count <= TAG_SET_MAX + 1; count++) {
        r.text.len = 0;
        for (size_t i = 0; i < count; i++)
            buf_printf(&r.text, "%s\"m%zu\"", i == 0 ? "{\"t\":[" : ",", i);
        buf_append_text(&r.text, "]}");
        add(&r, count, buf_slice(&r.text));
    }
    const struct field *t = &collection_of(&r)->fields->fields[2];
    EXPECT_EQ(t->sets.count, 2);
    EXPECT_EQ(t->rest.count, 1);
    EXPECT(is_columnar(&r, ".t has \"m254\"") && is_columnar(&r, ".t has \"m255\""));
    EXPECT_EQ(tags_sets_count(&t->tags, tags_find(&t->tags, slice_of("m254"))), 2);
    EXPECT_EQ(tags_sets_count(&t->tags, tags_find(&t->tags, slice_of("m255"))), 1);
    EXPECT_EQ(tags_find(&t->tags, slice_of("m256")), TAG_NONE);
    for (size_t count = TAG_SET_MAX - 1; count <= TAG_SET_MAX + 1; count++)
        add(&r, count, slice_of("{\"t\":[\"m254\"]}"));
    EXPECT_EQ(t->sets.count, 3);
    EXPECT_EQ(tags_sets_count(&t->tags, tags_find(&t->tags, slice_of("m254"))), 1);
    EXPECT_EQ(tags_find(&t->tags, slice_of("m255")), TAG_NONE);
    rig_fini(&r);
}
