#include "base/limits.h"
#include "base/mem.h"
#include "db/filter.h"
#include "lib/test.h"

#include <stdlib.h>

/* The reader is strict, so texts without fields still need valid JSON. */
#define MOVIE                                                                                      \
    "{\"year\":1984,\"genre\":\"drama\",\"rating\":7.5,\"seen\":true,\"lost\":false,"              \
    "\"none\":null,\"tags\":[\"a\",\"b\",3,null],\"empty\":\"\",\"nothing\":[],"                   \
    "\"text\":\"12\",\"meta\":{\"lang\":\"en\",\"sizes\":[10,{\"w\":20}]},\"mixed\":[1,{}],"       \
    "\"esc\":\"l1\\nl2 \\u00e9\\\"q\\\"\",\"a-1\":5,\"grid\":[[1,2],[3]]}"

struct example {
    const char *expression;
    const char *json;
    bool matches;
};

static struct filter *compiled(const char *expression)
{
    struct filter *f = NULL;
    struct why why = {.text = ""};
    if (filter_compile(slice_of(expression), NULL, 0, &f, &why) != OK)
        test_fail(__FILE__, __LINE__, "%s: %s", expression, why.text);
    return f;
}

/* The JSON text lies in memory of exactly its size, for the sanitizers. */
static bool matches(const struct filter *f, struct slice json)
{
    uint8_t *copy = malloc(json.len > 0 ? json.len : 1);
    CHECK(copy != NULL);
    memcpy(copy, json.ptr, json.len);
    bool result = filter_match(f, (struct slice){copy, json.len});
    free(copy);
    return result;
}

static void expect_examples(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct example *x = &examples[i];
        struct filter *f = compiled(x->expression);
        if (f != NULL && matches(f, slice_of(x->json)) != x->matches)
            test_fail(__FILE__, __LINE__, "%s on %s should be %d", x->expression, x->json,
                      x->matches);
        filter_free(f);
    }
}

/* Holds and does not hold, on one text. */
static void expect_true(const char *const *expressions, size_t count, bool expected)
{
    for (size_t i = 0; i < count; i++)
        expect_examples(&(struct example){expressions[i], MOVIE, expected}, 1);
}

#define EXPECT_ALL(...)                                                                            \
    expect_true((const char *const[]){__VA_ARGS__},                                                \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), true)
#define EXPECT_NONE(...)                                                                           \
    expect_true((const char *const[]){__VA_ARGS__},                                                \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), false)

TEST(filter, compares_numbers)
{
    EXPECT_ALL(".year == 1984", ".year >= 1984", ".year <= 1984", ".year > 1983", ".year < 1985",
               ".year != 1985", ".rating == 7.5", "1980<.year&&.year<1990", ".year==1984.0",
               ".year == 1.984e3", ".year == 1984e-0", ".rating > -1", ".rating>-1",
               "-1 < .rating");
    EXPECT_NONE(".year == 1985", ".year > 1984", ".year < 1984", ".year != 1984", "-8 > .rating");
}

TEST(filter, computes)
{
    EXPECT_ALL(".year + 16 == 2000", ".year - 4 == 1980", ".year * 2 == 3968", ".year / 2 == 992",
               ".year % 10 == 4", ".rating ** 2 == 56.25", "7 - 2 - 1 == 4", "100 / 10 / 2 == 5",
               "7 % 4 == 3", "-7 % 4 == -3", "5.5 % 2 == 1.5", "2**-1 == 0.5", "2*-3 == -6",
               "5 -3 == 2", "5-3 == 2", "(5)-3 == 2", "1 / 0 > 1e308", "-1 / 0 < -1e308");
    EXPECT_ALL("(0 / 0) != (0 / 0)", "0 / 0", "not (0 % 0 == 0)", "5 % 0 != 5");
    EXPECT_NONE("0 / 0 == 0", "1 / 0 == -1 / 0", "0 / 0 > 0");
}

TEST(filter, precedence_is_that_of_redis)
{
    EXPECT_ALL("1 + 2 * 3 == 7", "(1 + 2) * 3 == 9", "2 ** 3 ** 2 == 512", "(2 ** 3) ** 2 == 64",
               "-2 ** 2 == 4", "2 * 3 ** 2 == 18", "10 - 2 * 3 == 4", "12 / 2 * 3 == 18",
               "1 < 2 == 1", "3 > 2 > 0", "1 or 0 and 0", "0 and 0 or 1", "0 or 1 and 1", "!0 == 1",
               "not 5 == 0", "not 0 + 1 == 2", "!0 ** 5 == 1", "2 ** !0 == 2", "1 + !1 * 5 == 1",
               "!!5 == 1", "not not 5", "!!!0", "! ! ! 0", "not!0 == 0", "1 in [1] == 1",
               "2 + 1 in [3]", "not .seen in [0]", "1 == 1 in [1]");
    EXPECT_NONE("(1 or 0) and 0", "3 > 2 > 1", "not (0 == 0)", "!(1)", "1 and not 1",
                "not .seen in [1]", "3 in [3] + 1 == 0 and 0");
}

TEST(filter, words_need_no_blanks_behind_them)
{
    EXPECT_ALL("not.lost", "!.lost", ".seen andnot.lost", ".year in[1984]", ".seen and(1)",
               ".lost or.seen", "1or 0", ".genre in'drama'", "\t.seen\n", ".tags contains\"a\"",
               ".genre like'dr*'", "null==null", "(null)==null", "[null,]contains null");
}

TEST(filter, compares_strings)
{
    EXPECT_ALL(".genre == \"drama\"", ".genre == 'drama'", ".genre != \"Drama\"", ".empty == ''",
               "'a' == \"a\"", ".genre != 'dram'", ".genre != 'dramas'", ".text == '12'",
               ".text != '12.0'");
    EXPECT_NONE(".genre == 'comedy'", ".genre == ''", ".genre != 'drama'");
}

TEST(filter, strings_meet_numbers_as_numbers)
{
    EXPECT_ALL(".text == 12", ".text > 11", ".text + 1 == 13", "'12.0' == 12", "'0x10' == 16",
               "' 5' == 5", "'5 ' == 0", "'abc' == 0", "'' == 0", "'1e3' == 1000", "'inf' > 1e308",
               ".genre == 0", ".genre + 1 == 1", "'b' <= 'a'", "'-3' < -2", "'+4' == 4",
               "'12abc' == 0", "'.5' == 0.5");
    EXPECT_NONE("'b' > 'a'", "'nan' == 0", "'12abc' == 12", ".genre == 5");
}

TEST(filter, null_equals_only_null)
{
    EXPECT_ALL(".none == null", "null == null", ".year != null", "null != 0", "null != ''",
               "null + 1 == 1", "null >= 0", "not null", "not .none", "null in [1, null]",
               "null in .tags", "null != []");
    EXPECT_NONE(".none", "null", ".none == 0", "null in [0, '']", ".year == null", ".none > 0");
}

TEST(filter, booleans_are_numbers)
{
    EXPECT_ALL(".seen", ".seen == 1", ".seen == true", ".lost == false", ".lost == 0",
               ".seen + 1 == 2", "true", "true != false", ".seen in [true]");
    EXPECT_NONE(".lost", "false", ".seen == false", ".seen == 2");
}

TEST(filter, truth_of_values)
{
    EXPECT_ALL(".tags", ".nothing", "[]", "[0]", "'0'", "' '", "-1", "0.1", ".grid", "'' == 0");
    EXPECT_NONE("''", "0", "0.0", "-0", ".empty", ".none");
}

TEST(filter, in_lists_arrays_and_strings)
{
    EXPECT_ALL(".year in [1983, 1984]", ".genre in ['comedy', \"drama\"]", "'a' in .tags",
               "3 in .tags", "'3' in .tags", "'ram' in .genre", "'' in .genre", "'drama' in .genre",
               "'' in ''", "'' in .empty", ".text in [12]", "not (1 in [])", "5 in [1, 5,]",
               "-5 in [-5]", "[1] in .grid");
    EXPECT_NONE(".year in [1983, 1985]", "'c' in .tags", "'dramas' in .genre", ".genre in ''",
                "1 in 11", "1 in '11'", "1 in 1", "'x' in .nothing", "1 in null", ".year in []");
}

TEST(filter, contains_is_in_turned_around)
{
    EXPECT_ALL(".tags contains 'a'", ".tags contains 3", ".genre contains 'ram'",
               "[1, 2] contains 2", ".genre contains ''", "not (.nothing contains 1)");
    EXPECT_NONE(".tags contains 'z'", "'ram' contains .genre", ".year contains 1", "11 contains 1");
}

TEST(filter, like_is_a_glob)
{
    EXPECT_ALL(".genre like 'dr*'", ".genre like '*ama'", ".genre like '*'", ".genre like 'dr?ma'",
               ".genre like '*r*m*'", ".genre like 'drama'", ".empty like ''", ".empty like '*'",
               "'a*b' like 'a\\\\*b'", "'a\\\\b' like 'a\\\\\\\\b'", "'aXbXbc' like 'a*bc'",
               "'[a]' like '[a]'", "'mississippi' like '*issip*'", "'a\\\\' like 'a\\\\'",
               "not .genre like 'x' == 0", "'%_' like '%_'", ".esc like 'l1?l2*'");
    EXPECT_NONE(".genre like 'dr'", ".genre like 'ama'", ".genre like '?drama'", ".genre like ''",
                ".genre like 'D*'", "'axb' like 'a\\\\*b'", "12 like '12'", "'12' like 12",
                ".tags like '*'", "null like '*'", "'a' like '[a]'", "'ab' like 'a%'",
                "'drama' like 'd*x*a'");
}

TEST(filter, has_knows_whole_values_and_elements)
{
    EXPECT_ALL(".tags has 'a'", ".tags has 3", ".genre has 'drama'", ".genre has ['x', 'drama']",
               ".tags has ['z', 'a']", "[1, 'b'] has 'b'", "'a' has 'a'", "12 has [11, 12]",
               ".genre haslike 'dr*'", ".tags haslike 'a*'", "['x', 'yz'] haslike '?z'");
    EXPECT_NONE(".genre has 'ram'", ".tags has 'z'", ".tags has []", "12 has '12'", "'12' has 12",
                ".tags has null", "null has null", "0 has ''", ".grid has 1", ".tags has .tags",
                ".tags haslike 'b?'", "12 haslike '12'", ".genre haslike ['drama']",
                "null haslike '*'");
}

TEST(filter, geo_is_what_lies_in_a_circle)
{
    static const struct example examples[] = {
        {"geo(.p, 13.361389, 38.115556, 166300)", "{\"p\":\"15.087269,37.502669\"}", true},
        {"geo(.p, 13.361389, 38.115556, 166200)", "{\"p\":\"15.087269,37.502669\"}", false},
        {"geo ( .p , 15.087269 , 37.502669 , 0 )", "{\"p\":[15.087269, 37.502669]}", true},
        {"geo(.p, 15, 37, 1e5)", "{\"p\":\"15\\u002c37\"}", true},
        {"geo(.p[0], 15, 37, 1e5)", "{\"p\":[\"15 37\"]}", true},
        {"geo(.p, 15, 37, 1e5)", "{\"p\":[\"0,0\",\"15,37\"]}", true},
        {"geo(.p, 15, 37, 1e5)", "{\"p\":[\"0,0\",[15,37],null]}", true},
        {"geo(.p, 15, 37, 1e5)", "{\"p\":[\"0,0\"]}", false},
        {"geo(.p, 180, 0, 10)", "{\"p\":\"-180,0\"}", true},
        {"geo(.p, 0, 90, 10)", "{\"p\":\"77,90\"}", true},
        {"geo(.p, 0, 0, 3e7)", "{\"p\":\"180,-90\"}", true},
        {"not geo(.p, 0, 0, 3e7)", "{\"p\":\"181,0\"}", true}, /* no point is in no circle */
        {"not geo(.p, 0, 0, 3e7)", "{\"p\":7}", true},
        {"not geo(.p, 0, 0, 3e7)", "{\"p\":[1]}", true},
        {"not geo(.p, 0, 0, 3e7)", "{\"p\":[1,2,3]}", true},
        {"not geo(.p, 0, 0, 3e7)", "{\"p\":[]}", true},
        {"not geo(.p, 0, 0, 3e7)", "{\"p\":null}", true},
        {"not geo(.p, 0, 0, 3e7)", "{\"q\":1}", false}, /* a missing field decides */
        {"not exists(.p) or geo(.p, 0, 0, 1)", "{\"q\":1}", true},
        {"geo(.p, 0, 0, 1) and geo(.p, 0, 0, 2) or .q + 1 == 3", "{\"p\":[9,9],\"q\":2}", true},
        {"geo(.p, 0, 0, 10) + 1 == 2", "{\"p\":[0,0]}", true},
    };
    expect_examples(examples, COUNT_OF(examples));
}

TEST(filter, between_is_one_number_within_both_ends)
{
    static const struct example examples[] = {
        {"between(.n, 1, 5)", "{\"n\":1}", true},
        {"between(.n, 1, 5)", "{\"n\":5.0}", true},
        {"between(.n, 1, 5)", "{\"n\":5.000000000000001}", false},
        {"between(.n, 1, 5)", "{\"n\":[0,10]}", false},
        {"between(.n, 1, 5)", "{\"n\":[0,\"3\",null,[3]]}", false},
        {"between(.n, 1, 5)", "{\"n\":[0,3,10]}", true},
        {"between(.n, 5, 1)", "{\"n\":3}", false},
        {"between(.n, 0, 1)", "{\"n\":true}", true},
        {"between(.n, 0, 1)", "{\"n\":[9,false]}", true},
        {"not between(.n, 0, 1)", "{\"n\":null}", true},
        {"not between(.n, -9, 9)", "{\"n\":\"3\"}", true},
        {"not between(.n, -9, 9)", "{\"n\":[]}", true},
        {"not between(.n, -9, 9)", "{\"m\":1}", false}, /* a missing field decides */
        {"not exists(.n) or between(.n, 0, 1)", "{\"m\":1}", true},
        {"between(.n, 4.9406564584124654e-324, 1)", "{\"n\":0}", false},
        {"between(.n, -1.7976931348623157e308, 0)", "{\"n\":-1.7976931348623157e308}", true},
        {"between(.n, 0, 9) + between(.n[1], 0, 9) == 2", "{\"n\":[2,3]}", true},
    };
    expect_examples(examples, COUNT_OF(examples));
}

TEST(filter, geo_takes_numbers_of_the_earth)
{
    static const char *const good[] = {"geo(.p, -180, -90, 0)", "geo(.p, 180, 90, 1.7e308)"};
    static const char *const bad[] = {
        "geo(.p, -180.1, 0, 1)", "geo(.p, 0, 90.1, 1)", "geo(.p, 181, 0, 1)",
        "geo(.p, 0, -91, 1)",    "geo(.p, 0, 0, -1)",   "geo(.p, 0, 0, $inf)",
        "geo(.p, $nan, 0, 1)",   "geo(.p, $x, 0, 1)",   "geo(.p, $none, 0, 1)"};
    const struct filter_param params[] = {{slice_of("inf"), slice_of("inf"), NULL},
                                          {slice_of("nan"), slice_of("nan"), NULL},
                                          {slice_of("x"), slice_of("1x"), NULL},
                                          {slice_of("two"), slice_of("2"), NULL}};
    struct filter *f = NULL;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        filter_free(compiled(good[i]));
        f = NULL;
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct why why = {.text = ""};
        EXPECT(filter_compile(slice_of(bad[i]), params, COUNT_OF(params), &f, &why) == ERR_ARG);
        EXPECT(why.text[0] != '\0');
    }
    REQUIRE(filter_compile(slice_of("geo(.p, $two, $two, $two)"), params, COUNT_OF(params), &f,
                           NULL) == OK);
    EXPECT(filter_match(f, slice_of("{\"p\":\"2,2\"}")));
    filter_free(f);
}

TEST(filter, paths_reach_inside)
{
    EXPECT_ALL(".meta.lang == 'en'", ".meta.sizes[0] == 10", ".meta.sizes[1].w == 20",
               ".tags[0] == 'a'", ".tags[3] == null", ".grid[1][0] == 3", "2 in .grid[0]",
               ".a-1 == 5", ".meta.lang == 'en' and .meta.sizes[0] == 10 and .year == 1984");
    EXPECT_NONE(".meta.lang == 'de'", ".tags[4] == null", ".meta.sizes[1].w[0] == 20",
                ".year.x == null", ".meta[0] == null", ".tags.a == null");
}

TEST(filter, what_an_expression_cannot_hold_never_matches)
{
    EXPECT_NONE(".meta", "not .meta", "1 or .meta", ".mixed", "1 in .mixed", "not (1 in .mixed)",
                ".meta.sizes", "exists(.meta) and not .meta");
    EXPECT_ALL(".mixed[0] == 1", "exists(.meta)", "exists(.mixed)");
}

TEST(filter, missing_fields_decide_whatever_else_is_said)
{
    EXPECT_NONE(".missing", "not .missing", "1 or .missing", ".missing or 1", "0 and .missing or 1",
                ".missing == null", ".missing != 1", ".seen or .missing", ".missing in []");
}

TEST(filter, exists_asks_and_excuses)
{
    EXPECT_ALL("exists(.year)", "exists ( .year )", "exists(.none)", "exists(.meta.lang)",
               "not exists(.missing)", "exists(.year) + 1 == 2", "not exists(.meta.x)",
               "not exists(.rating) or .rating > 7", "not exists(.missing) or .missing > 7",
               "exists(.missing) == 0 and .missing == null", "exists(.tags[3])");
    EXPECT_NONE("exists(.missing)", "not exists(.year)", "exists(.missing) and .missing > 7",
                "not exists(.missing) and .other", "exists(.tags[4])");
}

TEST(filter, bad_or_absent_json_never_matches)
{
    static const struct example examples[] = {
        {"1", "", false},
        {"not .a", "", false},
        {"not exists(.a)", "", false},
        {"1", "nonsense", false},
        {".a", "invalid json", false},
        {".a == 1", "{\"a\":1", false},
        {".a == 1", "{\"a\":1}}", false},
        {".a == 1", "{\"a\":1,\"b\":}", false},
        {".a == 1", "{\"a\":1,}", false},
        {"not exists(.a)", "{", false},
        {"1", "{}", true},
        {"1", "5", true},
        {".a == 1", "5", false},
        {".a == 1", "[{\"a\":1}]", false},
        {".a == 1", "{\"a\":1,\"a\":2}", true},
        {".a == 2", "{\"a\":1,\"a\":2}", false},
        {".a == 1", " { \"a\" : 1 } ", true},
        {".a == 1", "{\"\\u0061\":1}", true},
    };
    expect_examples(examples, COUNT_OF(examples));
}

TEST(filter, escapes_mean_the_same_on_both_sides)
{
    static const struct example examples[] = {
        {".s == \"a\\\"b\"", "{\"s\":\"a\\\"b\"}", true},
        {".s == 'a\"b'", "{\"s\":\"a\\\"b\"}", true},
        {".s == 'O\\'Brien'", "{\"s\":\"O'Brien\"}", true},
        {".s == \"x\\\\y\"", "{\"s\":\"x\\\\y\"}", true},
        {".s == \"l1\\nl2\"", "{\"s\":\"l1\\nl2\"}", true},
        {".s == \"l1\\nl2\"", "{\"s\":\"l1nl2\"}", false},
        {".s == '\xc3\xa9'", "{\"s\":\"\\u00e9\"}", true},
        {".s == '\\u00e9'", "{\"s\":\"\xc3\xa9\"}", true},
        {".s == '\\ud83d\\ude00'", "{\"s\":\"\xf0\x9f\x98\x80\"}", true},
        {".s == '\xf0\x9f\x98\x80'", "{\"s\":\"\\uD83D\\uDE00\"}", true},
        {".s == 'a\\qb'", "{\"s\":\"aqb\"}", true},
        {".s == .t", "{\"s\":\"\\u0041b\",\"t\":\"A\\u0062\"}", true},
        {".s == .t", "{\"s\":\"\\u0041b\",\"t\":\"Abc\"}", false},
        {".s == 12", "{\"s\":\"\\u0031\\u0032\"}", true},
        {".s in .t", "{\"s\":\"\\u0062c\",\"t\":\"ab\\u0063d\"}", true},
        {".s in .t", "{\"s\":\"\\u0062d\",\"t\":\"ab\\u0063d\"}", false},
        {"'\xc3\xa9' in .t", "{\"t\":\"caf\\u00e9\"}", true},
        {"'longer than that' in .t", "{\"t\":\"\\u0041\"}", false},
        {"'' in .t", "{\"t\":\"\\u0041\"}", true},
        {"'aab' in .t", "{\"t\":\"\\u0061aaaab\"}", true},
        {"'\xc3\xa9' in .t", "{\"t\":[\"x\",\"\\u00e9\"]}", true},
        {".t like 'caf*!'", "{\"t\":\"caf\\u00e9\\u0021\"}", true},
        {".t like .p", "{\"t\":\"abc\",\"p\":\"\\u0061*\"}", true},
        {".t", "{\"t\":\"\\u0000\"}", true},
    };
    expect_examples(examples, COUNT_OF(examples));
}

TEST(filter, strings_may_hold_any_byte)
{
    static const char expression[] = ".s == 'a\0\xff'";
    static const char json[] = "{\"s\":\"a\0\xff\"}";
    struct filter *f = NULL;
    struct slice text = {(const uint8_t *)expression, sizeof(expression) - 1};
    REQUIRE(filter_compile(text, NULL, 0, &f, NULL) == OK);
    EXPECT(matches(f, (struct slice){(const uint8_t *)json, sizeof(json) - 1}));
    EXPECT(!matches(f, slice_of("{\"s\":\"a\"}")));
    filter_free(f);
}

/* ---- parameters ---- */

static enum err compile_with(const char *expression, const char *value, struct filter **f,
                             struct why *why)
{
    struct filter_param params[] = {{slice_of("other"), slice_of("0"), NULL},
                                    {slice_of("p_1"), slice_of(value), NULL}};
    return filter_compile(slice_of(expression), params, COUNT_OF(params), f, why);
}

static bool param_matches(const char *expression, const char *value)
{
    struct filter *f = NULL;
    struct why why = {.text = ""};
    REQUIRE(compile_with(expression, value, &f, &why) == OK);
    bool result = matches(f, slice_of(MOVIE));
    filter_free(f);
    return result;
}

TEST(filter, parameters_are_strings_that_read_as_numbers)
{
    EXPECT(param_matches(".year == $p_1", "1984"));
    EXPECT(param_matches(".year > $p_1", "1983.5"));
    EXPECT(param_matches(".year - $p_1 == 4", "1980"));
    EXPECT(param_matches("$p_1-4 == 1980", "1984"));
    EXPECT(param_matches(".genre == $p_1", "drama"));
    EXPECT(param_matches(".text == $p_1", "12"));
    EXPECT(!param_matches(".text == $p_1", "12.0"));
    EXPECT(param_matches(".year in [1, $p_1]", "1984"));
    EXPECT(param_matches(".genre in [$other, $p_1,]", "drama"));
    EXPECT(param_matches("$p_1 in .tags and .tags contains $p_1", "b"));
    EXPECT(param_matches(".genre like $p_1", "d*"));
    EXPECT(param_matches("$p_1", "0"));
    EXPECT(!param_matches("$p_1", ""));
    EXPECT(param_matches("'' == $p_1", ""));
    EXPECT(!param_matches("$p_1 == 5 or .year < $p_1", "' or 1 or '"));
}

TEST(filter, parameters_that_are_not_given_are_named)
{
    struct filter *f = NULL;
    struct why why = {.text = ""};
    EXPECT(compile_with(".a == $p", "1", &f, &why) == ERR_ARG);
    EXPECT_STR(why.text, "FILTER expression names $p, which PARAMS does not give");
    EXPECT(compile_with("[$p_10]", "1", &f, &why) == ERR_ARG);
    EXPECT(compile_with("$ p", "1", &f, &why) == ERR_SYNTAX);
    EXPECT(f == NULL);
}

TEST(filter, the_caller_keeps_nothing)
{
    char expression[] = ".genre in ['x', $p]", value[] = "drama", name[] = "p";
    struct filter_param param = {slice_of(name), slice_of(value), NULL};
    struct filter *f = NULL;
    REQUIRE(filter_compile(slice_of(expression), &param, 1, &f, NULL) == OK);
    memset(expression, 'z', sizeof(expression));
    memset(value, 'z', sizeof(value));
    memset(name, 'z', sizeof(name));
    EXPECT(matches(f, slice_of(MOVIE)));
    filter_free(f);
}

/* ---- errors ---- */

static void expect_error(struct slice text, enum err expected, const char *message)
{
    struct filter *f = NULL;
    struct why why = {.text = ""};
    enum err e = filter_compile(text, NULL, 0, &f, &why);
    if (e != expected || strcmp(why.text, message) != 0)
        test_fail(__FILE__, __LINE__, "%.*s: %s: \"%s\"", (int)text.len, (const char *)text.ptr,
                  err_name(e), why.text);
    if (e == OK)
        filter_free(f);
}

/* Expressions, and what stands where each is wrong. */
static void expect_syntax_errors(const char *const errors[][2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char message[WHY_SIZE];
        (void)snprintf(message, sizeof(message), "syntax error in FILTER expression near: %s",
                       errors[i][1]);
        expect_error(slice_of(errors[i][0]), ERR_SYNTAX, message);
    }
}

TEST(filter, syntax_errors_say_where)
{
    static const char *const errors[][2] = {
        {"", ""},
        {"  ", ""},
        {".a = 1", "= 1"},
        {".a == ", "== "},
        {".a and", "and"},
        {"(.a", "(.a"},
        {"(", "("},
        {".a)", ")"},
        {"()", ")"},
        {".a .b", ".b"},
        {"1 2 +", "2 +"},
        {"5 not", "not"},
        {"5 ! 5", "! 5"},
        {"* 2", "* 2"},
        {"-.a", "-.a"},
        {"- 5", "- 5"},
        {".a - -.b", "-.b"},
        {".", "."},
        {".a.", "."},
        {"..a", "..a"},
        {".a[x]", "[x]"},
        {".a[1", "[1"},
        {".a [0]", "[0]"},
        {"[1", ""},
        {"[1 2]", "2]"},
        {"[,1]", ",1]"},
        {"[1,,2]", ",2]"},
        {"[[1]]", "[1]]"},
        {"[.a]", ".a]"},
        {"[-]", "-]"},
        {"1]", "]"},
        {"1, 2", ", 2"},
        {"'abc", "'abc"},
        {"\"abc'", "\"abc'"},
        {".a == 'abc\\'", "'abc\\'"},
        {"1.2.3 == 1", "1.2.3 == 1"},
        {"1e == 1", "1e == 1"},
        {"5 AND 5", "AND 5"},
        {"foo", "foo"},
        {"nullx", "nullx"},
        {"truee", "truee"},
        {".a likely 'b'", "likely 'b'"},
        {"exists", ""},
        {"exists()", ")"},
        {"exists(1)", "1)"},
        {"exists(.a", ""},
        {"exists(.a .b)", ".b)"},
        {"exists .a", ".a"},
        {".a === 1", "= 1"},
        {".a & .b", "& .b"},
        {".a \x01 x\n", "? x?"},
        {"$", "$"},
        {".a == #", "#"},
        {".a == 1 ??????????????????????????????????????????????????",
         "????????????????????????????????????????"},
        {"!?\xc3\xa9", "?\xc3\xa9"},
        {"?12345678901234567890123456789012345678\xc3\xa9",
         "?12345678901234567890123456789012345678"},
    };
    expect_syntax_errors(errors, COUNT_OF(errors));
    expect_error((struct slice){(const uint8_t *)"1\0", 2}, ERR_SYNTAX,
                 "syntax error in FILTER expression near: ?");
    expect_error((struct slice){NULL, 0}, ERR_SYNTAX, "syntax error in FILTER expression near: ");
}

TEST(filter, geo_errors_say_where)
{
    static const char *const errors[][2] = {
        {"geo", ""},
        {"geo()", ")"},
        {"geo(1, 2, 3, 4)", "1, 2, 3, 4)"},
        {"geo(.a)", ")"},
        {"geo(.a, 1, 2)", ")"},
        {"geo(.a, 1, 2, 'x')", "'x')"},
        {"geo(.a, 1, 2, 3", ""},
        {"geo(.a, 1, 2, 3, 4)", ", 4)"},
        {"geo(.a 1, 2, 3)", "1, 2, 3)"},
        {"geo(.a, .b, 2, 3)", ".b, 2, 3)"},
    };
    expect_syntax_errors(errors, COUNT_OF(errors));
}

TEST(filter, between_takes_two_numbers)
{
    static const char *const errors[][2] = {
        {"between", ""},
        {"between()", ")"},
        {"between(1, 2, 3)", "1, 2, 3)"},
        {"between(.a, 1)", ")"},
        {"between(.a, 1, 2, 3)", ", 3)"},
        {"between(.a, 'x', 2)", "'x', 2)"},
    };
    const struct filter_param params[] = {{slice_of("nan"), slice_of("nan"), NULL},
                                          {slice_of("x"), slice_of("1x"), NULL},
                                          {slice_of("inf"), slice_of("-inf"), NULL}};
    static const char *const bad[] = {"between(.a, $nan, 1)", "between(.a, 1, $x)"};
    struct filter *f = NULL;
    expect_syntax_errors(errors, COUNT_OF(errors));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct why why = {.text = ""};
        EXPECT(filter_compile(slice_of(bad[i]), params, COUNT_OF(params), &f, &why) == ERR_ARG);
        EXPECT(strstr(why.text, "between()") != NULL);
    }
    REQUIRE(filter_compile(slice_of("between(.a, $inf, 1)"), params, COUNT_OF(params), &f, NULL) ==
            OK);
    EXPECT(filter_match(f, slice_of("{\"a\":[7,-1e300]}")));
    filter_free(f);
}

/* count times a piece, then the end. */
static struct slice repeated(char *out, const char *piece, size_t count, const char *end)
{
    size_t size = strlen(piece), at = 0;
    for (size_t i = 0; i < count; i++, at += size)
        memcpy(out + at, piece, size);
    memcpy(out + at, end, strlen(end) + 1);
    return slice_of(out);
}

static void expect_compiles(struct slice text, bool expected)
{
    struct filter *f = NULL;
    struct why why = {.text = ""};
    enum err e = filter_compile(text, NULL, 0, &f, &why);
    if (e != OK)
        test_fail(__FILE__, __LINE__, "%.40s: %s", (const char *)text.ptr, why.text);
    else if (matches(f, slice_of(MOVIE)) != expected)
        test_fail(__FILE__, __LINE__, "%.40s is not %d", (const char *)text.ptr, expected);
    if (e == OK)
        filter_free(f);
}

static char text[LIMIT_FILTER_SIZE + 64];

TEST(filter, nests_to_the_limit_and_no_further)
{
    const char *message = "FILTER expression has more than 64 levels of nesting";
    char close[256];
    (void)repeated(close, ")", 64, "");
    size_t at = repeated(text, "(", 64, "1").len;
    memcpy(text + at, close, 65);
    expect_compiles(slice_of(text), true);
    expect_error(repeated(text, "(", 65, "1"), ERR_LIMIT, message);

    /* The most values that can wait at once: every kind of operator in every parenthesis. */
    at = repeated(text, "0 or 1 and 1 == 0 + 1 * (", 64, "1 ** ").len;
    at += repeated(text + at, "1 ** ", 63, "1").len;
    memcpy(text + at, close, 65);
    expect_compiles(slice_of(text), true);

    expect_compiles(repeated(text, "1 ** ", 64, "1"), true);
    expect_error(repeated(text, "1 ** ", 65, "1"), ERR_LIMIT, message);
    expect_compiles(repeated(text, "!", 1001, "1"), false);

    expect_compiles(repeated(text, ".a", 64, ""), false);
    expect_error(repeated(text, ".a", 65, ""), ERR_LIMIT, message);
}

TEST(filter, has_nodes_to_the_limit_and_no_further)
{
    const char *message = "FILTER expression has more than 4096 operands and operators";
    expect_compiles(repeated(text, "1+", 2047, "!1 "), true);
    expect_error(repeated(text, "1+", 2047, "!!1"), ERR_LIMIT, message);
    expect_error(repeated(text, "1+", 2048, "1"), ERR_LIMIT, message);
    expect_compiles(repeated(text, "!", 4095, "1"), false);
    expect_error(repeated(text, "!", 4096, "1"), ERR_LIMIT, message);
    memcpy(text, "1 in [", 6);
    (void)repeated(text + 6, "2,", 4092, "1]");
    expect_compiles(slice_of(text), true);
    (void)repeated(text + 6, "2,", 4093, "1]");
    expect_error(slice_of(text), ERR_LIMIT, message);
}

TEST(filter, is_so_long_and_no_longer)
{
    expect_compiles(repeated(text, " ", LIMIT_FILTER_SIZE - 1, "1"), true);
    expect_error(repeated(text, " ", LIMIT_FILTER_SIZE, "1"), ERR_LIMIT,
                 "FILTER expression is longer than 65536 bytes");
}

TEST(filter, reads_so_many_fields_and_no_more)
{
    size_t at = 0;
    for (int i = 0; i < LIMIT_FILTER_FIELDS; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s.f%d", i == 0 ? "" : " or ", i);
    expect_compiles(slice_of(text), false);
    (void)snprintf(text + at, sizeof(text) - at, " or .one_more");
    expect_error(slice_of(text), ERR_LIMIT, "FILTER expression reads more than 256 fields");
}

TEST(filter, takes_so_many_parameters_and_no_more)
{
    struct filter_param params[LIMIT_PARAMS + 1];
    struct filter *f = NULL;
    struct why why = {.text = ""};
    for (size_t i = 0; i < COUNT_OF(params); i++)
        params[i] = (struct filter_param){.name = slice_of(i + 1 == LIMIT_PARAMS ? "last" : "p"),
                                          .value = slice_of("1")};
    EXPECT(filter_compile(slice_of("$last"), params, LIMIT_PARAMS, &f, &why) == OK);
    filter_free(f);
    EXPECT(filter_compile(slice_of("$last"), params, LIMIT_PARAMS + 1, &f, &why) == ERR_LIMIT);
    EXPECT_STR(why.text, "more than 256 PARAMS");
}

TEST(filter, numbers_have_at_most_255_bytes)
{
    expect_compiles(repeated(text, "0", 254, "1"), true);
    (void)repeated(text, "0", 255, "1");
    char message[WHY_SIZE];
    (void)snprintf(message, sizeof(message), "syntax error in FILTER expression near: %.40s", text);
    expect_error(slice_of(text), ERR_SYNTAX, message);
}

TEST(filter, junk_is_an_error_and_not_a_crash)
{
    uint64_t state = 7;
    for (int round = 0; round < 20000; round++) {
        uint8_t junk[24];
        for (size_t i = 0; i < sizeof(junk); i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            static const char common[] = ".a1 ()[]'\"!=<>+-*/%&|,\\$e";
            uint8_t byte = (uint8_t)(state >> 56);
            junk[i] = byte < 200 ? (uint8_t)common[byte % (sizeof(common) - 1)] : byte;
        }
        struct filter *f = NULL;
        struct why why = {.text = ""};
        if (filter_compile((struct slice){junk, sizeof(junk)}, NULL, 0, &f, &why) == OK) {
            (void)filter_match(f, slice_of("{\"a1\":1,\"a\":[1]}"));
            filter_free(f);
        } else {
            EXPECT(why.text[0] != '\0');
        }
    }
}

/* Fails each allocation in turn: an error, no leak. */
TEST(filter, survives_any_failed_allocation)
{
    struct filter_param param = {slice_of("p"), slice_of("value"), NULL};
    struct slice expression = slice_of(".a.b == 'x' and .c in [$p, 'y'] or exists(.d[0])");
    size_t before = mem_used(MEM_SCRATCH);
    for (uint64_t n = 1;; n++) {
        struct filter *f = NULL;
        (void)mem_fail_nth(n);
        enum err e = filter_compile(expression, &param, 1, &f, NULL);
        bool fired = mem_fail_nth(0) != 0;
        EXPECT((e == OK) == !fired && (e == OK || e == ERR_NOMEM));
        if (e == OK)
            filter_free(f);
        EXPECT_EQ(mem_used(MEM_SCRATCH), before);
        if (!fired)
            break;
        REQUIRE(n < 100);
    }
}
