#include "db/json_scan.h"
#include "base/limits.h"
#include "lib/test.h"

#include <math.h>
#include <stdlib.h>

enum { SLOTS = LIMIT_FILTER_FIELDS + 1 };

/* Reads one path of a text that lies in memory of exactly its size, so that a sanitizer sees a read
 * past it. The value points into the copy, which the caller frees through *copy. */
static bool read_one(const char *path, struct slice json, struct json_value *out, uint8_t **copy)
{
    struct json_paths paths;
    struct json_value values[SLOTS];
    uint32_t slot = 0;
    REQUIRE(json_paths_init(&paths, MEM_TEST) == OK);
    REQUIRE(json_paths_add(&paths, slice_of(path), &slot, NULL) == OK);
    *copy = malloc(json.len > 0 ? json.len : 1);
    REQUIRE(*copy != NULL);
    memcpy(*copy, json.ptr, json.len);
    bool valid = json_read((struct slice){*copy, json.len}, &paths, values);
    *out = values[slot];
    json_paths_fini(&paths);
    return valid;
}

static bool is_valid(struct slice json)
{
    struct json_value v;
    uint8_t *copy;
    bool valid = read_one(".a", json, &v, &copy);
    free(copy);
    return valid;
}

static void expect_text(const char *path, const char *json, enum json_kind kind, const char *text)
{
    struct json_value v;
    uint8_t *copy;
    if (!read_one(path, slice_of(json), &v, &copy))
        test_fail(__FILE__, __LINE__, "%s is not valid", json);
    else if (v.kind != kind || (kind != JSON_MISSING && !slice_eq(v.text, slice_of(text))))
        test_fail(__FILE__, __LINE__, "%s of %s has kind %d", path, json, (int)v.kind);
    free(copy);
}

TEST(json_scan, finds_fields_paths_and_elements)
{
    expect_text(".a", "{\"a\":1}", JSON_NUMBER, "1");
    expect_text(".a", " { \"b\" : 2 , \"a\" : \"x\\\"y\" } ", JSON_STRING, "x\\\"y");
    expect_text(".a", "{\"aa\":2,\"A\":3,\"a\":true}", JSON_TRUE, "true");
    expect_text(".a", "{\"a\":false}", JSON_FALSE, "false");
    expect_text(".a", "{\"a\":null}", JSON_NULL, "null");
    expect_text(".a", "{\"a\":[1, [2]]}", JSON_ARRAY, "[1, [2]]");
    expect_text(".a", "{\"a\":{\"a\":1}}", JSON_OBJECT, "{\"a\":1}");
    expect_text(".a.b[1].c", "{\"a\":{\"x\":0,\"b\":[{\"c\":1},{\"c\":2}]}}", JSON_NUMBER, "2");
    expect_text(".a[2]", "{\"a\":[[0],{\"x\":[]},\"two\"]}", JSON_STRING, "two");
    expect_text(".a[0][1]", "{\"a\":[[1,2],3]}", JSON_NUMBER, "2");
    expect_text(".0-_x", "{\"0-_x\":7}", JSON_NUMBER, "7");
    expect_text(".exactly8", "{\"exactly9\":1,\"exactly8\":2}", JSON_NUMBER, "2");
    expect_text(".much_longer_name", "{\"much_longer_nama\":1,\"much_longer_name\":2}", JSON_NUMBER,
                "2");
}

TEST(json_scan, says_what_is_missing)
{
    expect_text(".a", "{}", JSON_MISSING, NULL);
    expect_text(".a", "[]", JSON_MISSING, NULL);
    expect_text(".a", "5", JSON_MISSING, NULL);
    expect_text(".a", "\"a\"", JSON_MISSING, NULL);
    expect_text(".a", "{\"b\":{\"a\":1}}", JSON_MISSING, NULL);
    expect_text(".a.b", "{\"a\":1}", JSON_MISSING, NULL);
    expect_text(".a.b", "{\"a\":[{\"b\":1}]}", JSON_MISSING, NULL);
    expect_text(".a[0]", "{\"a\":{\"0\":1}}", JSON_MISSING, NULL);
    expect_text(".a[2]", "{\"a\":[1,2]}", JSON_MISSING, NULL);
}

TEST(json_scan, first_of_equal_names_counts)
{
    expect_text(".a", "{\"a\":1,\"a\":2}", JSON_NUMBER, "1");
    expect_text(".a.b", "{\"a\":{\"c\":1},\"a\":{\"b\":2}}", JSON_MISSING, NULL);
    expect_text(".a.b", "{\"a\":7,\"a\":{\"b\":2}}", JSON_MISSING, NULL);
}

TEST(json_scan, compares_names_without_their_escapes)
{
    expect_text(".abc", "{\"a\\u0062c\":1}", JSON_NUMBER, "1");
    expect_text(".abc", "{\"a\\u0062\":1}", JSON_MISSING, NULL);
    expect_text(".abc", "{\"a\\u0062cd\":1}", JSON_MISSING, NULL);
}

TEST(json_scan, accepts_all_json)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "0",
        "-0",
        "1.5e+10",
        "-1E-2",
        "\"\"",
        "true",
        "false",
        "null",
        " \t\r\n1 ",
        "[1,2,3]",
        "[[],{},[{}]]",
        "{\"\":{\"\":[]}}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00Af\"",
        "\"\\ud800\"",
        "\"raw\ttab\"",
        "\"\xff\xfe\"",
        "{\"a\":[{\"b\":[1,{\"c\":null}]}],\"d\":2}",
        "123456789012345678901234567890",
        "[ 1 , 2 ]",
        "{ \"a\" : 1 , \"b\" : [ ] }",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!is_valid(slice_of(texts[i])))
            test_fail(__FILE__, __LINE__, "%s should be valid", texts[i]);
}

TEST(json_scan, refuses_all_else)
{
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1,,2]",
        "[1}",
        "{\"a\":1]",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1.e5",
        "1e",
        "1e+",
        "--1",
        "0x10",
        "1a",
        "tru",
        "True",
        "nul",
        "nulll",
        "NaN",
        "Infinity",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123\"",
        "\"\\",
        "{}{}",
        "1 2",
        "{} x",
        "[1]]",
        "{\"a\":1}}",
        "\f1",
        "{\"a\":{\"b\":1}",
        "{\"a\":[1,{]}",
        "{\"a\":{\"b\"}}",
        "{\"b\":[1,{\"c\":[2,]}]}",
        "{\"a\":1,\"b\":tru}",
        "{\"b\":01,\"a\":1}",
        "[[1][2]]",
        "{\"b\":{\"x\":1,}}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (is_valid(slice_of(texts[i])))
            test_fail(__FILE__, __LINE__, "%s should not be valid", texts[i]);
}

TEST(json_scan, no_prefix_of_an_object_is_valid)
{
    const char *json = "{\"k\\u0041\":[1,-2.5e3,{\"x\":null}],\"a\":{\"b\":\"c\\n\",\"d\":[true]}}";
    size_t len = strlen(json);
    for (size_t cut = 0; cut < len; cut++)
        EXPECT(!is_valid((struct slice){(const uint8_t *)json, cut}));
    EXPECT(is_valid(slice_of(json)));
}

/* piece n times, then end. */
static void append_times(struct buf *b, const char *piece, unsigned n, const char *end)
{
    for (unsigned i = 0; i < n; i++)
        buf_append_text(b, piece);
    buf_append_text(b, end);
}

/* Is a 1 with n arrays (or objects) around it valid? */
static bool nested_is_valid(unsigned n, const char *open, const char *close)
{
    struct buf b = BUF_INIT(MEM_TEST);
    append_times(&b, open, n, "1");
    append_times(&b, close, n, "");
    REQUIRE(!buf_failed(&b));
    bool valid = is_valid(buf_slice(&b));
    buf_fini(&b);
    return valid;
}

TEST(json_scan, nests_to_the_limit_and_no_further)
{
    EXPECT(nested_is_valid(LIMIT_JSON_DEPTH, "[", "]"));
    EXPECT(!nested_is_valid(LIMIT_JSON_DEPTH + 1, "[", "]"));
    EXPECT(nested_is_valid(LIMIT_JSON_DEPTH, "{\"a\":", "}"));
    EXPECT(!nested_is_valid(LIMIT_JSON_DEPTH + 1, "{\"a\":", "}"));
    EXPECT(nested_is_valid(LIMIT_JSON_DEPTH, "{\"b\":", "}"));
    EXPECT(!nested_is_valid(LIMIT_JSON_DEPTH + 1, "{\"b\":", "}"));
    EXPECT(!nested_is_valid(4 * LIMIT_JSON_DEPTH, "[", ""));
}

TEST(json_scan, sees_objects_inside_arrays)
{
    struct json_value v;
    uint8_t *copy;
    EXPECT(read_one(".a", slice_of("{\"a\":[1,[2]],\"b\":{}}"), &v, &copy) && !v.has_object);
    free(copy);
    EXPECT(read_one(".a", slice_of("{\"a\":[1,[[{}]]]}"), &v, &copy) && v.has_object);
    free(copy);
}

TEST(json_scan, says_it_of_an_array_that_a_path_leads_into)
{
    struct json_paths paths;
    struct json_value values[8];
    uint32_t array, deep;
    REQUIRE(json_paths_init(&paths, MEM_TEST) == OK);
    REQUIRE(json_paths_add(&paths, slice_of(".a"), &array, NULL) == OK);
    REQUIRE(json_paths_add(&paths, slice_of(".a[1][0]"), &deep, NULL) == OK);
    EXPECT(json_read(slice_of("{\"a\":[0,[5,{}]]}"), &paths, values));
    EXPECT(values[array].has_object && slice_eq(values[array].text, slice_of("[0,[5,{}]]")));
    EXPECT(json_number(&values[deep]) == 5);
    EXPECT(json_read(slice_of("{\"a\":[0,[6]]}"), &paths, values));
    EXPECT(!values[array].has_object && json_number(&values[deep]) == 6);
    json_paths_fini(&paths);
}

TEST(json_scan, reads_many_paths_at_once)
{
    struct json_paths paths;
    static struct json_value values[SLOTS];
    uint32_t slots[200], again;
    struct buf json = BUF_INIT(MEM_TEST);
    char path[32];
    REQUIRE(json_paths_init(&paths, MEM_TEST) == OK);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(path, sizeof(path), ".field_%d", i);
        REQUIRE(json_paths_add(&paths, slice_of(path), &slots[i], NULL) == OK);
        buf_printf(&json, "%c\"field_%d\":%d.25", i == 0 ? '{' : ',', 199 - i, 199 - i);
    }
    buf_append_text(&json, "}");
    REQUIRE(json_paths_add(&paths, slice_of(".field_7"), &again, NULL) == OK);
    EXPECT_EQ(again, slots[7]);
    REQUIRE(json_read(buf_slice(&json), &paths, values));
    for (int i = 0; i < 200; i++)
        EXPECT(values[slots[i]].kind == JSON_NUMBER && json_number(&values[slots[i]]) == i + 0.25);
    buf_fini(&json);
    json_paths_fini(&paths);
}

TEST(json_scan, takes_so_many_fields_and_steps_and_no_more)
{
    struct json_paths paths;
    struct why why = {.text = ""};
    uint32_t slot;
    struct buf path = BUF_INIT(MEM_TEST);
    REQUIRE(json_paths_init(&paths, MEM_TEST) == OK);
    append_times(&path, ".a", LIMIT_FILTER_DEPTH, "");
    EXPECT(json_paths_add(&paths, buf_slice(&path), &slot, &why) == OK);
    buf_append_text(&path, ".a");
    EXPECT(json_paths_add(&paths, buf_slice(&path), &slot, &why) == ERR_LIMIT);
    EXPECT_STR(why.text, "FILTER expression has more than 64 levels of nesting");
    for (int i = LIMIT_FILTER_DEPTH; i < LIMIT_FILTER_FIELDS; i++) {
        buf_clear(&path, 64);
        buf_printf(&path, ".b%d", i);
        EXPECT(json_paths_add(&paths, buf_slice(&path), &slot, &why) == OK);
    }
    EXPECT_EQ(slot, LIMIT_FILTER_FIELDS);
    EXPECT(json_paths_add(&paths, slice_of(".c"), &slot, &why) == ERR_LIMIT);
    EXPECT_STR(why.text, "FILTER expression reads more than 256 fields");
    buf_fini(&path);
    json_paths_fini(&paths);
}

TEST(json_scan, paths_are_measured)
{
    EXPECT_EQ(json_path_size(slice_of(".a.b[0] > 1")), 7);
    EXPECT_EQ(json_path_size(slice_of(".a-1_Z9")), 7);
    EXPECT_EQ(json_path_size(slice_of(".a.")), 2);
    EXPECT_EQ(json_path_size(slice_of(".a[]")), 2);
    EXPECT_EQ(json_path_size(slice_of(".a[-1]")), 2);
    EXPECT_EQ(json_path_size(slice_of(".a[1")), 2);
    EXPECT_EQ(json_path_size(slice_of(".a[999999999]")), 13);
    EXPECT_EQ(json_path_size(slice_of(".a[9999999999]")), 2);
    EXPECT_EQ(json_path_size(slice_of("")), 0);
    EXPECT_EQ(json_path_size(slice_of(".")), 0);
    EXPECT_EQ(json_path_size(slice_of("[0]")), 0);
}

TEST(json_scan, numbers_are_those_of_strtod)
{
    static const char *const numbers[] = {
        "0",
        "-0",
        "1",
        "1984",
        "7.5",
        "-12.25",
        "0.1",
        "0.000000000000001",
        "9007199254740992",
        "9007199254740993",
        "12345678901234567890",
        "18446744073709551616",
        "1e22",
        "1e23",
        "1e308",
        "1e999",
        "-1e999",
        "5e-324",
        "1e-400",
        "3.141592653589793",
        "2.2250738585072014e-308",
        "123456789.123456789",
        "0.1234567890123456789",
        "99999999999999999999.5",
        "1E+2",
        "1.0e-5",
    };
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char json[128];
        (void)snprintf(json, sizeof(json), "{\"a\":%s}", numbers[i]);
        struct json_value v;
        uint8_t *copy;
        double expected = strtod(numbers[i], NULL);
        REQUIRE(read_one(".a", slice_of(json), &v, &copy));
        if (json_number(&v) != expected || signbit(json_number(&v)) != signbit(expected))
            test_fail(__FILE__, __LINE__, "%s reads as %.17g", numbers[i], json_number(&v));
        free(copy);
    }
}

TEST(json_scan, very_long_numbers_are_exact)
{
    struct buf json = BUF_INIT(MEM_TEST);
    buf_append_text(&json, "{\"a\":[0.");
    append_times(&json, "0", 1000, "25e1000]}");
    struct json_value v;
    uint8_t *copy;
    REQUIRE(read_one(".a[0]", buf_slice(&json), &v, &copy));
    EXPECT(json_number(&v) == 0.25);
    buf_fini(&json);
    free(copy);
}

static void expect_decoded(const char *written, const char *expected, size_t size)
{
    struct json_chars chars = json_chars_of(slice_of(written), true);
    for (size_t i = 0; i < size; i++)
        EXPECT_EQ(json_chars_next(&chars), (uint8_t)expected[i]);
    EXPECT_EQ(json_chars_next(&chars), -1);
    EXPECT_EQ(json_chars_next(&chars), -1);
}

TEST(json_scan, decodes_escapes)
{
    expect_decoded("", "", 0);
    expect_decoded("plain", "plain", 5);
    expect_decoded("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8);
    expect_decoded("a\\u0041b", "aAb", 3);
    expect_decoded("\\u0000", "\0", 1);
    expect_decoded("\\u00e9\\u20AC", "\xc3\xa9\xe2\x82\xac", 5);
    expect_decoded("\\ud83d\\ude00!", "\xf0\x9f\x98\x80!", 5);
    expect_decoded("\\udbff\\udfff", "\xf4\x8f\xbf\xbf", 4);
    expect_decoded("\\ud800x", "\xef\xbf\xbdx", 4);
    expect_decoded("\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd", 6);
    expect_decoded("\\ud83d\\u0041",
                   "\xef\xbf\xbd"
                   "A",
                   4);
}

TEST(json_scan, walks_arrays)
{
    struct json_value v, item;
    uint8_t *copy;
    REQUIRE(read_one(".a", slice_of("{\"a\":[ 1 , \"x\",[2,3], null ]}"), &v, &copy));
    struct json_items items = json_items_of(&v);
    EXPECT(json_items_next(&items, &item) && item.kind == JSON_NUMBER && json_number(&item) == 1);
    EXPECT(json_items_next(&items, &item) && slice_eq(item.text, slice_of("x")));
    EXPECT(json_items_next(&items, &item) && item.kind == JSON_ARRAY);
    EXPECT(json_items_next(&items, &item) && item.kind == JSON_NULL);
    EXPECT(!json_items_next(&items, &item));
    EXPECT(!json_items_next(&items, &item));
    free(copy);
    REQUIRE(read_one(".a", slice_of("{\"a\":[ ]}"), &v, &copy));
    items = json_items_of(&v);
    EXPECT(!json_items_next(&items, &item));
    free(copy);
}

/* Every byte of a valid text replaced by each of some others: never a crash, and what is still
 * valid has the field or has it not, consistently on a second reading. */
TEST(json_scan, survives_damage)
{
    static const char text[] = "{\"id\":-1.5e3,\"a\":[\"x\\u0041\",{\"y\":[]},true],\"z\":null}";
    static const uint8_t junk[] = {0, ' ', '"', '\\', '{', '}', '[', ']', ',', ':', '0', 'e', 0xff};
    for (size_t at = 0; at + 1 < sizeof(text); at++)
        for (size_t i = 0; i < sizeof(junk); i++) {
            uint8_t damaged[sizeof(text)];
            memcpy(damaged, text, sizeof(text));
            damaged[at] = junk[i];
            struct slice json = {damaged, sizeof(text) - 1};
            struct json_value v, w;
            uint8_t *copy, *copy_again;
            bool valid = read_one(".a", json, &v, &copy);
            EXPECT(valid == read_one(".a[0]", json, &w, &copy_again));
            if (valid && w.kind != JSON_MISSING)
                EXPECT(v.kind == JSON_ARRAY);
            free(copy);
            free(copy_again);
        }
}
