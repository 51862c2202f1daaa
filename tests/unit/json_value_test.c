/* Documents: what is read, how it is kept, and what is found in it. */
#include <math.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/rng.h"
#include "json/numbers.h"
#include "json/parse.h"
#include "json/path.h"
#include "json/regex.h"
#include "lib/test.h"

static const uint64_t seed[2] = {1, 2};

static const char *canonical(const char *text, struct buf *out, struct why *why)
{
    buf_clear(out, SIZE_MAX);
    *why = (struct why){""};
    enum err e = jparse(slice_of(text), seed, out, why);
    buf_append_byte(out, '\0');
    return e == OK ? (const char *)out->ptr : why->text;
}

TEST(json_parse, keeps_text_in_one_form)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {" { \"b\" : 1 , \"a\" : [ 1.0 , 2 ] }\n", "{\"b\":1,\"a\":[1.0,2]}"},
        {"[]", "[]"},
        {"[ ]", "[]"},
        {"{ }", "{}"},
        {"[[],{},[{}]]", "[[],{},[{}]]"},
        {"\"\\u0041\\/\\n\\u0001\\u00e9\\ud83d\\ude00\"",
         "\"A/\\n\\u0001\xc3\xa9\xf0\x9f\x98\x80\""},
        {"\"\\u001F\\\"\\\\\"", "\"\\u001f\\\"\\\\\""},
        {"{\"a\":1,\"b\":2,\"a\":{\"c\":3,\"c\":4}}", "{\"a\":{\"c\":4},\"b\":2}"},
        {"{\"\\u0061\":1,\"a\":2}", "{\"a\":2}"},
        {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"b\":0,\"i\":"
         "1}",
         "{\"a\":1,\"b\":0,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":1}"},
        {"-0", "-0.0"},
        {"-0.0", "-0.0"},
        {"0.10", "0.1"},
        {"1e2", "100.0"},
        {"1E+2", "100.0"},
        {"1e15", "1000000000000000.0"},
        {"1e16", "1e16"},
        {"1e20", "1e20"},
        {"0.00001", "0.00001"},
        {"0.000001", "1e-6"},
        {"1.25e-7", "1.25e-7"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"18446744073709551615", "18446744073709551615"},
        {"18446744073709551616", "1.8446744073709552e19"},
        {"-9223372036854775809", "-9.223372036854776e18"},
        {"0.1000000000000000055511151231257827", "0.1"},
        {"123456789.125", "123456789.125"},
        {"1.7976931348623157e308", "1.7976931348623157e308"},
        {"5e-324", "5e-324"},
    };
    struct buf out = BUF_INIT(MEM_TEST);
    struct why why;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT_STR(canonical(cases[i].in, &out, &why), cases[i].out);
        bool same = strcmp(cases[i].in, cases[i].out) == 0;
        EXPECT_EQ(jparse_check(slice_of(cases[i].out)), OK);
        EXPECT_EQ(jparse_check(slice_of(cases[i].in)), same ? OK : ERR_CORRUPT);
    }
    buf_fini(&out);
}

TEST(json_parse, says_what_is_wrong_as_serde_does)
{
    static const struct {
        const char *in, *error;
    } cases[] = {
        {"", "EOF while parsing a value at line 1 column 0"},
        {"foo", "expected ident at line 1 column 2"},
        {"bar", "expected value at line 1 column 1"},
        {"nul", "EOF while parsing a value at line 1 column 3"},
        {"{\"a\":1 x}", "expected `,` or `}` at line 1 column 8"},
        {"[1 2]", "expected `,` or `]` at line 1 column 4"},
        {"[1,]", "trailing comma at line 1 column 4"},
        {"{\"a\":1,}", "trailing comma at line 1 column 8"},
        {"{a:1}", "key must be a string at line 1 column 2"},
        {"{\"a\" 1}", "expected `:` at line 1 column 6"},
        {"1 2", "trailing characters at line 1 column 3"},
        {"{}\n x", "trailing characters at line 2 column 2"},
        {"01", "invalid number at line 1 column 2"},
        {"1.", "EOF while parsing a value at line 1 column 2"},
        {"-x", "invalid number at line 1 column 2"},
        {"1e400", "number out of range at line 1 column 5"},
        {"\"abc", "EOF while parsing a string at line 1 column 4"},
        {"\"\\x\"", "invalid escape at line 1 column 3"},
        {"\"\\ud800x\"", "unexpected end of hex escape at line 1 column 8"},
        {"\"\\udc00\"", "lone leading surrogate in hex escape at line 1 column 7"},
        {"[", "EOF while parsing a list at line 1 column 1"},
        {"{\"a\":1", "EOF while parsing an object at line 1 column 6"},
        {"\"\x01\"",
         "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 2"},
        {"\"\xff\"", "Couldn't parse as UTF-8 string"},
        {"\"\xed\xa0\x80\"", "Couldn't parse as UTF-8 string"},
        {"\"\xc0\x80\"", "Couldn't parse as UTF-8 string"},
    };
    struct buf out = BUF_INIT(MEM_TEST);
    struct why why;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT_STR(canonical(cases[i].in, &out, &why), cases[i].error);
        EXPECT_EQ(out.len, 1);
    }
    buf_fini(&out);
}

TEST(json_parse, nests_to_the_limit_and_no_deeper)
{
    char text[2 * LIMIT_JSON_DEPTH + 1];
    struct buf out = BUF_INIT(MEM_TEST);
    struct why why;
    for (size_t depth = LIMIT_JSON_DEPTH - 1; depth <= LIMIT_JSON_DEPTH; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        if (depth < LIMIT_JSON_DEPTH) {
            EXPECT_STR(canonical(text, &out, &why), text);
            EXPECT_EQ(jval_depth(slice_of(text)), depth);
        } else {
            EXPECT_STR(canonical(text, &out, &why),
                       "recursion limit exceeded at line 1 column 128");
        }
    }
    buf_fini(&out);
}

/* A number goes through text and back, and short text stays as it is. */
TEST(json_numbers, print_what_reads_back)
{
    uint64_t state = 7;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_next(&state);
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (i % 2 == 0)
            value = (double)(int64_t)rng_below(&state, 2000000) / 1000 - 1000;
        if (!isfinite(value))
            continue;
        char text[JNUM_TEXT_MAX], room[JNUM_TEXT_MAX];
        struct slice printed = {(const uint8_t *)text, jnum_print(value, text)}, again;
        EXPECT(jnum_value(printed) == value && !jnum_is_integer(printed));
        EXPECT(jnum_canonical(printed, room, &again) && slice_eq(printed, again));
    }
}

/* Every allocation fails once, and memory is whole. */
TEST(json_parse, survives_short_memory)
{
    struct buf out = BUF_INIT(MEM_TEST);
    struct why why;
    const char *text = "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,"
                       "\"b\":[1,2,3,\"some longer text for more memory than there is\"]}";
    enum err e = ERR_NOMEM;
    unsigned n = 1;
    for (; e == ERR_NOMEM && n < 100; n++) {
        buf_fini(&out);
        mem_fail_nth(n);
        e = jparse(slice_of(text), seed, &out, &why);
        mem_fail_nth(0);
    }
    EXPECT_EQ(e, OK);
    EXPECT(n > 4);
    buf_fini(&out);
}

/* -- paths ------------------------------------------------------------------------------------- */

/* All that a path leads to, as an array, or the error. */
static const char *found(const char *path, const char *document, struct buf *out)
{
    struct jpath p;
    struct jhits hits = {0};
    struct why why = {""};
    buf_clear(out, SIZE_MAX);
    enum err e = jpath_init(&p, slice_of(path), &why);
    if (e == OK)
        e = jpath_find(&p, slice_of(document), SIZE_MAX, &hits, &why);
    buf_append_text(out, e == OK ? "[" : why.text);
    for (size_t i = 0; i < hits.count && e == OK; i++) {
        buf_append_text(out, i > 0 ? "," : "");
        buf_append_slice(out, hits.items[i].value);
        EXPECT(hits.items[i].entry.ptr <= hits.items[i].value.ptr);
    }
    buf_append(out, "]", e == OK);
    buf_append_byte(out, '\0');
    jhits_fini(&hits);
    jpath_fini(&p);
    return (const char *)out->ptr;
}

static const char store[] =
    "{\"store\":{\"book\":[{\"category\":\"reference\",\"author\":\"Nigel Rees\",\"price\":8.95},"
    "{\"category\":\"fiction\",\"author\":\"Evelyn Waugh\",\"price\":12.99,\"isbn\":\"0-553\"},"
    "{\"category\":\"fiction\",\"author\":\"Herman Melville\",\"price\":9,\"isbn\":\"0-395\"}],"
    "\"bicycle\":{\"color\":\"red\",\"price\":19.95}},\"a b\":{\"x.y\":[0,1,2,3,4,5]},"
    "\"n\":null,\"t\":true,\"max\":10}";

static const struct {
    const char *path, *values;
} path_cases[] = {
    {"$.max", "[10]"},
    {"$['max']", "[10]"},
    {"max", "[10]"},
    {".max", "[10]"},
    {"$.none", "[]"},
    {"$.max.none", "[]"},
    {"$.store.book[*].price", "[8.95,12.99,9]"},
    {"$..price", "[8.95,12.99,9,19.95]"},
    {"$.store..color", "[\"red\"]"},
    {"$['a b'][\"x.y\"][0]", "[0]"},
    {"$['a b']['x.y'][-1]", "[5]"},
    {"$['a b']['x.y'][-9]", "[0]"},
    {"$['a b']['x.y'][6]", "[]"},
    {"$['a b']['x.y'][0,2,-1]", "[0,2,5]"},
    {"$['a b']['x.y'][1:3]", "[1,2]"},
    {"$['a b']['x.y'][:2]", "[0,1]"},
    {"$['a b']['x.y'][4:]", "[4,5]"},
    {"$['a b']['x.y'][-2:]", "[4,5]"},
    {"$['a b']['x.y'][::2]", "[0,2,4]"},
    {"$['a b']['x.y'][1:6:2]", "[1,3,5]"},
    {"$['a b']['x.y'][1:-1:99]", "[1]"},
    {"$['a b']['x.y'][3:1]", "[]"},
    {"$['a b']['x.y'][:]", "[0,1,2,3,4,5]"},
    {"$['max','n','none']", "[10,null]"},
    {"$.store.bicycle.*", "[\"red\",19.95]"},
    {"$.store.bicycle[*]", "[\"red\",19.95]"},
    {"$..book[0].author", "[\"Nigel Rees\"]"},
    {"$.store.book[?(@.price<10)].author", "[\"Nigel Rees\",\"Herman Melville\"]"},
    {"$.store.book[?@.price >= 9 && @.category == \"fiction\"].price", "[12.99,9]"},
    {"$.store.book[?(@.price<9 || @.price>12)].price", "[8.95,12.99]"},
    {"$.store.book[?(@.price<9 || @.price>12 && @.isbn)].price", "[8.95,12.99]"},
    {"$.store.book[?((@.price<9 || @.price>12) && @.isbn)].price", "[12.99]"},
    {"$.store.book[?(!@.isbn)].price", "[8.95]"},
    {"$.store.book[?(!(@.isbn && @.price<10))].price", "[8.95,12.99]"},
    {"$.store.book[?(@.isbn)].price", "[12.99,9]"},
    {"$.store.book[?(@.isbn!='0-553')].price", "[8.95,9]"},
    {"$.store.book[?(@.price<$.max)].price", "[8.95,9]"},
    {"$.store.book[?(@.author=~\"(?i)^herman\")].price", "[9]"},
    {"$.store.book[?(@.author =~ '[A-Z]\\\\w+ W')].price", "[12.99]"},
    {"$.store.book[?(@.author=~'[')].price", "[]"},
    {"$.store[?(@.color=='red')].price", "[19.95]"},
    {"$['a b']['x.y'][?(@>3)]", "[4,5]"},
    {"$[?(@==null)]", "[null]"},
    {"$[?(@==true)]", "[true]"},
    {"$.store.book[?(@..isbn)].price", "[12.99,9]"},
    {"$.store.book[?(9==@.*)].price", "[9]"},
    {"$", 0},
    {".", 0},
    {"$a", "[]"},
    {"$.", "Error occurred at position 2, expected one of the following: <string>, '*', '..'"},
    {"", "Error occurred at position 0, expected one of the following: '.', '..', '[', the end"},
    {"$[", "Error occurred at position 2, expected one of the following: '*', "
           "'<number>[,<number>,...]', '<string>[,<string>,...]', ['start:end:steps'], "
           "'[?(filter_expression)]'"},
    {"$.a[?(@.b]", "Error occurred at position 9, expected one of the following: ')'"},
    {"$['a", "Error occurred at position 4, expected one of the following: the string's end"},
    {"$.a b", "Error occurred at position 4, expected one of the following: '.', '..', '[', the "
              "end"},
    {"$[0:1:0]", "Error occurred at position 7, expected one of the following: a step of 1 or "
                 "more"},
};

TEST(json_path, finds_what_it_says)
{
    struct buf out = BUF_INIT(MEM_TEST);
    for (size_t i = 0; i < COUNT_OF(path_cases); i++) {
        const char *values = found(path_cases[i].path, store, &out);
        if (path_cases[i].values != NULL)
            EXPECT_STR(values, path_cases[i].values);
        else
            EXPECT(out.len == strlen(store) + 3);
    }
    buf_fini(&out);
}

/* The path `head`, then count times `more`, then `tail`. */
static const char *found_long(const char *head, const char *more, size_t count, const char *tail,
                              struct buf *path, struct buf *out)
{
    buf_clear(path, SIZE_MAX);
    buf_append_text(path, head);
    for (size_t i = 0; i < count; i++)
        buf_append_text(path, more);
    buf_append_text(path, tail);
    buf_append_byte(path, '\0');
    return found((const char *)path->ptr, "[1]", out);
}

TEST(json_path, has_limits)
{
    struct buf path = BUF_INIT(MEM_TEST), out = BUF_INIT(MEM_TEST);
    size_t steps = LIMIT_JSON_PATH_STEPS, ops = (LIMIT_JSON_PATH_OPS + 1) / 2;
    EXPECT_STR(found_long("$", ".a", steps, "", &path, &out), "[]");
    EXPECT_STR(found_long("$", ".a", steps + 1, "", &path, &out),
               "ERR a JSONPath has at most 128 steps");
    EXPECT_STR(found_long("$[?(@.a", "||@", ops - 1, ")]", &path, &out), "[1]");
    EXPECT_STR(found_long("$[?(@.a", "||@", ops, ")]", &path, &out),
               "ERR a JSONPath has at most 128 operators and terms in a filter");
    EXPECT_STR(found_long("$[?", "(", LIMIT_JSON_PATH_OPS + 1, "@)]", &path, &out),
               "ERR a JSONPath has at most 128 operators and terms in a filter");
    EXPECT_STR(found_long("$", "[?@", LIMIT_JSON_PATH_NESTING, "]]]]]]]]", &path, &out), "[]");
    EXPECT_STR(found_long("$", "[?@", LIMIT_JSON_PATH_NESTING + 1, "]]]]]]]]]", &path, &out),
               "ERR a JSONPath has at most 8 filters within each other");
    EXPECT_STR(found_long("$.", "a", LIMIT_JSON_PATH_SIZE - 2, "", &path, &out), "[]");
    EXPECT_STR(found_long("$.", "a", LIMIT_JSON_PATH_SIZE - 1, "", &path, &out),
               "ERR a JSONPath has at most 65536 bytes");
    buf_fini(&path);
    buf_fini(&out);
}

/* What would look at everything for each of all values ends with an error. */
TEST(json_path, does_not_look_forever)
{
    struct buf text = BUF_INIT(MEM_TEST), out = BUF_INIT(MEM_TEST);
    for (size_t i = 0; i < 5000; i++)
        buf_append_text(&text, i == 0 ? "[1" : ",1");
    buf_append(&text, "]", 2);
    EXPECT(strncmp(found("$[?(@ == 2)]", (const char *)text.ptr, &out), "[]", 2) == 0);
    EXPECT_STR(found("$[?($..[?($[?(@ == 2)])])]", (const char *)text.ptr, &out),
               "ERR the path looks at too much of the document");
    buf_fini(&text);
    buf_fini(&out);
}

TEST(json_value, equals_whatever_the_order_of_members)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"{\"a\":1,\"b\":[1,{\"c\":2,\"d\":3}]}", "{\"b\":[1,{\"d\":3,\"c\":2}],\"a\":1}", true},
        {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,2]", false},
        {"[1,2]", "[1]", false},
        {"[]", "{}", false},
        {"1", "1.0", false},
        {"0.0", "-0.0", true},
        {"[[],[]]", "[[],{}]", false},
        {"[[],{\"a\":[]}]", "[[],{\"a\":[]}]", true},
        {"\"a\"", "\"b\"", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT_EQ(jval_equal(slice_of(cases[i].a), slice_of(cases[i].b)), cases[i].equal);
        EXPECT_EQ(jval_equal(slice_of(cases[i].b), slice_of(cases[i].a)), cases[i].equal);
    }
}

TEST(regex, matches_anywhere)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"a", "xax", true},
        {"^a", "xa", false},
        {"a$", "xa", true},
        {"^a*$", "aaab", false},
        {"^(ab)+$", "ababab", true},
        {"^(ab|cd)*$", "abcdab", true},
        {"^(a|b|c)$", "c", true},
        {"^a{2,3}$", "a", false},
        {"^a{2,3}$", "aaa", true},
        {"^a{2,3}$", "aaaa", false},
        {"^a{2,}$", "aaaaa", true},
        {"^a{3}$", "aaa", true},
        {"^a{0}b$", "b", true},
        {"a{x", "a{x", true},
        {"[^0-9]", "12", false},
        {"[^0-9]", "1x", true},
        {"[]a]+$", "a]", true},
        {"\\d+\\.\\d", "3.14", true},
        {"^\\w+\\s\\w+$", "ab cd", true},
        {"\\bcat\\b", "a cat!", true},
        {"\\bcat\\b", "concat", false},
        {"\\Bcat", "concat", true},
        {"(?i)HeLLo", "hello", true},
        {"(?i:H)e", "he", true},
        {"(?i:h)E", "he", false},
        {"x(?:yz)?w", "xw", true},
        {"^.$", "\xc3\xa9", true},
        {"^.$", "\n", false},
        {"[\\d_]+$", "1_2", true},
        {"\\D", "1", false},
        {"a??b", "b", true},
        {"\\x41", "A", true},
        {"^(a*)*$", "aaaa", true},
        {"^(a|a)*b$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
        {"a|", "b", true},
        {"^(|a)$", "a", true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct regex *r;
        struct why why = {""};
        REQUIRE(regex_new(slice_of(cases[i].pattern), &r, &why) == OK);
        if (regex_search(r, slice_of(cases[i].text)) != cases[i].matches)
            test_fail(__FILE__, __LINE__, "%s on %s", cases[i].pattern, cases[i].text);
        regex_free(r);
    }
}

TEST(regex, refuses_what_it_is_not)
{
    static const char *const cases[] = {"(",     ")",       "[a",  "*a",     "a\\",
                                        "[b-a]", "(?<n>a)", "\\q", "a{2,1}", "(?i"};
    struct regex *r;
    struct why why;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT_EQ(regex_new(slice_of(cases[i]), &r, &why), ERR_SYNTAX);
    EXPECT_EQ(regex_new(slice_of("a{4096}"), &r, &why), OK);
    regex_free(r);
    EXPECT_EQ(regex_new(slice_of("a{4097}"), &r, &why), ERR_LIMIT);
    EXPECT_EQ(regex_new(slice_of("((((a{99}){99}){99}){99})"), &r, &why), ERR_LIMIT);
}
