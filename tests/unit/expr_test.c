#include "ft/expr.h"
#include "base/rng.h"
#include "lib/test.h"

#include <math.h>
#include <stdlib.h>

/* a: 5, b: "10", name: "Foo Bar", list: x y, nothing: is not there, null: NULL */
static const char *const names[] = {"a", "b", "name", "list", "nothing", "null", "a.b"};

static enum err column_of(void *user, struct slice name, uint32_t *column, struct why *why)
{
    (void)user;
    for (uint32_t i = 0; i < COUNT_OF(names); i++)
        if (slice_eq(name, slice_of(names[i]))) {
            *column = i;
            return OK;
        }
    return why_set(why, ERR_ARG, "no such column");
}

static void fill(struct value row[COUNT_OF(names)], struct value items[2])
{
    items[0] = value_of(slice_of("x"));
    items[1] = value_of(slice_of("y"));
    row[0] = value_number(5);
    row[1] = value_of(slice_of("10"));
    row[2] = value_of(slice_of("Foo Bar"));
    row[3] = (struct value){.kind = VALUE_LIST, .size = 2, .items = items};
    row[4] = (struct value){.kind = VALUE_NONE};
    row[5] = (struct value){.kind = VALUE_NULL};
    row[6] = value_number(7);
}

static void show(const struct value *v, struct buf *out)
{
    char room[VALUE_TEXT_MAX];
    if (v->kind == VALUE_NULL)
        buf_append_text(out, "NULL");
    for (uint32_t i = 0; v->kind == VALUE_LIST && i < v->size; i++) {
        buf_append_byte(out, i == 0 ? '[' : ' ');
        buf_append_slice(out, value_to_text(&v->items[i], room));
    }
    if (v->kind == VALUE_LIST)
        buf_append_text(out, v->size == 0 ? "[]" : "]");
    buf_append_slice(out, value_to_text(v, room));
    buf_append_byte(out, 0);
}

/* Value or error of an expression, as text. */
static void evaluate(const char *text, struct buf *out)
{
    struct value row[COUNT_OF(names)], items[2], v = {.kind = VALUE_NULL};
    struct expr *e;
    struct why why = {""};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    fill(row, items);
    enum err r = expr_compile(slice_of(text), column_of, NULL, &e, &why);
    if (r == OK)
        r = expr_eval(e, row, &arena, &v, &why);
    if (r == OK)
        show(&v, out);
    else
        buf_printf(out, "! %s%c", why.text, 0);
    expr_free(e);
    arena_fini(&arena);
}

struct expression {
    const char *text, *value;
};

static void check_all(const struct expression *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf out = BUF_INIT(MEM_TEST);
        evaluate(all[i].text, &out);
        if (strcmp((const char *)out.ptr, all[i].value) != 0)
            test_fail(__FILE__, __LINE__, "%s gives %s, expected %s", all[i].text, out.ptr,
                      all[i].value);
        buf_fini(&out);
    }
}

TEST(expr, operators_bind_as_in_redisearch)
{
    static const struct expression all[] = {{"1 + 2 * 3", "7"},
                                            {"(1 + 2) * 3", "9"},
                                            {"2 ^ 3 ^ 2", "512"},
                                            {"2 * 3 ^ 2", "18"},
                                            {"10 - 4 - 3", "3"},
                                            {"12 / 2 / 3", "2"},
                                            {"7 % 4 * 2", "6"},
                                            {"-7 % 4", "-3"},
                                            {"5.5 % 2", "1.5"},
                                            {"1-1", "0"},
                                            {"@a -1", "4"},
                                            {"-2 ^ 2", "4"},
                                            {"1 / 0", "inf"},
                                            {"0 / 0", "nan"},
                                            {"1e3 + 2.5E-1", "1000.25"},
                                            {"-inf < inf", "1"},
                                            {"1 < 2 && 2 < 1", "0"},
                                            {"1 < 2 || 2 < 1", "1"},
                                            {"0 || 0 && 1 || 2", "1"},
                                            {"!1 == 2", "1"},
                                            {"!(1 == 1) || 3", "1"},
                                            {"!!7", "1"},
                                            {"!NULL", "1"},
                                            {"1 + 2 == 3", "1"},
                                            {"'a' == \"a\"", "1"},
                                            {"'it\\'s'", "it's"},
                                            {"'a\\b'", "a\\b"},
                                            {"@a == 5.0", "1"},
                                            {"@b == 10", "1"},
                                            {"@b > 9", "1"},
                                            {"@name < 'Goo'", "1"},
                                            {"1 != 'foo'", "1"},
                                            {"NULL == NULL", "1"},
                                            {"0 == NULL", "0"},
                                            {"@a\\.b", "7"},
                                            {"@a.b", "7"},
                                            {"3 >= 3 && 3 <= 3", "1"}};
    check_all(all, COUNT_OF(all));
}

TEST(expr, functions_are_those_of_redisearch)
{
    static const struct expression all[] = {
        {"sqrt(9) + abs(-2) + ceil(1.2) + floor(1.8)", "8"},
        {"log(1) + log2(8) + exp(0)", "4"},
        {"sqrt('x')", "nan"},
        {"upper(@name)", "FOO BAR"},
        {"LOWER(@name)", "foo bar"},
        {"upper(5)", "NULL"},
        {"startswith(@name, 'Foo')", "1"},
        {"contains('banana', 'ana')", "2"},
        {"contains('abc', '')", "4"},
        {"strlen(@name)", "7"},
        {"substr(@name, 4, 3)", "Bar"},
        {"substr(@name, -3, -1)", "Ba"},
        {"substr(@name, 99, 2)", ""},
        {"format('%s|%s|%%|%s', @name, 1.5, NULL)", "Foo Bar|1.5|%|(null)"},
        {"split('a, b,,c ')", "[a b c]"},
        {"split('a;b', ';', 'a')", "[b]"},
        {"split('')", "[]"},
        {"to_number('2.5') * 2", "5"},
        {"to_str(3)", "3"},
        {"exists(@nothing)", "0"},
        {"exists(@null) + exists(@a)", "1"},
        {"exists(@nothing) && @nothing > 3", "0"},
        {"@nothing && 1", "0"},
        {"case(@a > 3, 'big', @nothing)", "big"},
        {"case(@a > 9, @nothing, case(0, 1, 'small'))", "small"},
        {"geodistance('1.0,2.0', '1.0,2.0')", "0"},
        {"geodistance(13.361389, 38.115556, '15.087269,37.502669')", "166274.26"},
        {"timefmt(1517417144)", "2018-01-31T16:45:44Z"},
        {"timefmt(1517417144, '%d/%m/%Y')", "31/01/2018"},
        {"timefmt('x')", "NULL"},
        {"parsetime('2018-01-31T16:45:44Z', '%FT%TZ')", "1517417144"},
        {"parsetime('x', '%F')", "NULL"},
        {"timefmt(day(1517417144))", "2018-01-31T00:00:00Z"},
        {"timefmt(hour(1517417144))", "2018-01-31T16:00:00Z"},
        {"timefmt(minute(1517417144))", "2018-01-31T16:45:00Z"},
        {"timefmt(month(1709230599))", "2024-02-01T00:00:00Z"},
        {"year(1709230599)", "2024"},
        {"monthofyear(1709230599)", "1"},
        {"dayofmonth(1709230599)", "29"},
        {"dayofweek(1709230599)", "4"},
        {"dayofyear(1709230599)", "59"},
        {"year(-1)", "NULL"}};
    check_all(all, COUNT_OF(all));
}

TEST(expr, errors_say_what_is_wrong)
{
    static const struct expression all[] = {
        {"", "! Syntax error at offset 0 near ''"},
        {"1 +", "! Syntax error at offset 3 near ''"},
        {"@a++", "! Syntax error at offset 3 near '+'"},
        {"(1", "! Syntax error at offset 2 near ''"},
        {"1)", "! Syntax error at offset 1 near ')'"},
        {"()", "! Syntax error at offset 1 near ')'"},
        {"1, 2", "! Syntax error at offset 1 near ','"},
        {"sqrt(1,)", "! Syntax error at offset 7 near ')'"},
        {"1 == 2 == 3", "! Syntax error at offset 7 near '=='"},
        {"\"abc", "! Syntax error at offset 0 near '\"abc'"},
        {"1 # 2", "! Syntax error at offset 2 near '#'"},
        {"-@a", "! Syntax error at offset 0 near '-'"},
        {"bad filter", "! Unknown symbol 'bad'"},
        {"banana(1, 2)", "! Unknown function name 'banana'"},
        {"matched_terms()", "! Unknown function name 'matched_terms'"},
        {"sqrt()", "! Function 'sqrt' expects 1 arguments, but got 0"},
        {"case(1, 2)", "! Function 'case' expects 3 arguments, but got 2"},
        {"split(1, 2, 3, 4)", "! Function 'split' expects between 1 and 3 arguments, but got 4"},
        {"@nope", "! no such column"},
        {"@nothing", "! Could not find the value for a parameter name, consider using EXISTS if "
                     "applicable for nothing"},
        {"1 + @nothing", "! Could not find the value for a parameter name, consider using EXISTS "
                         "if applicable for nothing"},
        {"@name + 1", "! Invalid numeric value"},
        {"@name < 1", "! Error converting string"},
        {"to_number('x')", "! to_number: cannot convert string 'x'"},
        {"startswith(1, 'x')",
         "! Invalid type for argument 0 in function 'startswith'. Expected string"},
        {"substr('abc', '1', 2)",
         "! Invalid type for argument 1 in function 'substr'. Expected number"},
        {"format('%d', 1)", "! Unknown format specifier passed"},
        {"format('%s')", "! Not enough arguments for format"},
        {"format('a%')", "! Bad format string!"}};
    check_all(all, COUNT_OF(all));
}

/* -- made up ----------------------------------------------------------------------------------- */

/* A tree written with as few parentheses as its levels allow, and what it is worth. */
static double made_up(uint64_t *seed, int depth, int level, struct buf *out)
{
    static const struct {
        const char *word;
        int level;
    } ops[] = {{"||", 1}, {"&&", 2}, {"==", 4}, {"<", 4}, {"+", 5}, {"-", 5}, {"*", 6}};
    if (depth == 0 || rng_below(seed, 5) == 0) {
        double x = (double)rng_below(seed, 4);
        buf_printf(out, "%s%g", rng_below(seed, 2) ? " " : "", x);
        return x;
    }
    size_t op = (size_t)rng_below(seed, COUNT_OF(ops));
    bool wraps = ops[op].level < level || rng_below(seed, 8) == 0;
    bool comparison = ops[op].level == 4;
    buf_append_text(out, wraps ? "(" : "");
    double a = made_up(seed, depth - 1, ops[op].level + comparison, out);
    buf_printf(out, " %s ", ops[op].word);
    double b = made_up(seed, depth - 1, ops[op].level + 1, out);
    buf_append_text(out, wraps ? ")" : "");
    const double results[] = {
        a != 0 || b != 0, a != 0 && b != 0, a == b, a < b, a + b, a - b, a * b};
    return results[op];
}

TEST(expr, made_up_ones_are_worth_what_their_trees_are)
{
    uint64_t seed = 20261123;
    for (int i = 0; i < 5000; i++) {
        struct buf text = BUF_INIT(MEM_TEST), out = BUF_INIT(MEM_TEST);
        double wanted = made_up(&seed, 6, 0, &text), got = NAN;
        buf_append_byte(&text, 0);
        evaluate((const char *)text.ptr, &out);
        /* 12 digits are shown; products of small numbers have fewer */
        bool number = slice_to_f64(slice_of((const char *)out.ptr), &got);
        if (!number || fabs(got - wanted) > 1e-9 * fabs(wanted))
            test_fail(__FILE__, __LINE__, "%s gives %s, expected %g", text.ptr, out.ptr, wanted);
        buf_fini(&text);
        buf_fini(&out);
    }
}

/* -- limits and memory ------------------------------------------------------------------------- */

static enum err compile(const struct buf *text, struct why *why)
{
    struct expr *e;
    enum err r = expr_compile(buf_slice(text), column_of, NULL, &e, why);
    expr_free(e);
    return r;
}

static enum err repeated(const char *word, size_t count, const char *end, struct why *why)
{
    struct buf text = BUF_INIT(MEM_TEST);
    for (size_t i = 0; i < count; i++)
        buf_append_text(&text, word);
    buf_append_text(&text, end);
    enum err e = compile(&text, why);
    buf_fini(&text);
    return e;
}

TEST(expr, limits_hold_at_the_limit_and_not_past_it)
{
    struct why why = {""};
    EXPECT_EQ(repeated("!", EXPR_DEPTH_MAX, "1", &why), OK);
    EXPECT_EQ(repeated("!", EXPR_DEPTH_MAX + 1, "1", &why), ERR_LIMIT);
    EXPECT(strstr(why.text, "256 open operations") != NULL);
    EXPECT_EQ(repeated("1+", EXPR_STEPS_MAX / 2 - 1, "1", &why), OK);
    EXPECT_EQ(repeated("1+", EXPR_STEPS_MAX / 2, "1", &why), ERR_LIMIT);
    EXPECT_EQ(repeated(" ", EXPR_SIZE_MAX - 1, "1", &why), OK);
    EXPECT_EQ(repeated(" ", EXPR_SIZE_MAX, "1", &why), ERR_LIMIT);
    EXPECT(strstr(why.text, "65536 bytes") != NULL);
    struct buf text = BUF_INIT(MEM_TEST);
    buf_append_text(&text, "format('x'");
    for (int i = 1; i < EXPR_ARGS_MAX; i++)
        buf_append_text(&text, ",1");
    buf_append_byte(&text, ')');
    EXPECT_EQ(compile(&text, &why), OK);
    text.len--;
    buf_append_text(&text, ",1)");
    EXPECT_EQ(compile(&text, &why), ERR_LIMIT);
    buf_fini(&text);
}

TEST(expr, an_arena_refuses_what_is_over_its_limit)
{
    struct arena a;
    struct why why = {""};
    arena_init(&a, 256 * 1024);
    EXPECT(arena_alloc(&a, 256 * 1024) != NULL);
    EXPECT_EQ(arena_error(&a, &why), OK);
    EXPECT(arena_alloc(&a, 1) == NULL);
    EXPECT_EQ(arena_error(&a, &why), ERR_LIMIT);
    EXPECT(strstr(why.text, "262144 bytes") != NULL);
    arena_fini(&a);
    EXPECT_EQ(mem_used(MEM_SCRATCH), 0);
}

TEST(expr, allocations_fail_without_a_leak)
{
    for (uint64_t n = 1;; n++) {
        struct buf out = BUF_INIT(MEM_TEST);
        (void)mem_fail_nth(n);
        evaluate("upper(format('%s %s', @name, split(@name)))", &out);
        bool fired = mem_fail_nth(0);
        EXPECT_EQ(mem_used(MEM_SCRATCH), 0);
        if (!fired)
            EXPECT_STR((const char *)out.ptr, "FOO BAR ");
        buf_fini(&out);
        if (!fired)
            break;
    }
}
