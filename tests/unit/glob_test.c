/* glob_test.c: patterns match what Redis's match, and never explode. */
#include "lib/test.h"

#include "base/glob.h"
#include "base/mem.h"
#include "base/rng.h"

static bool matches(const char *pattern, const char *text)
{
    return glob_match(slice_of(pattern), slice_of(text));
}

TEST(glob, literals_and_single_bytes)
{
    EXPECT(matches("", "") && !matches("", "a") && !matches("a", ""));
    EXPECT(matches("abc", "abc") && !matches("abc", "abd") && !matches("abc", "ab"));
    EXPECT(!matches("ab", "abc"));
    EXPECT(matches("h?llo", "hello") && matches("h?llo", "h?llo") && !matches("h?llo", "hllo"));
    EXPECT(!matches("a", "A") && glob_match_nocase(slice_of("aB"), slice_of("Ab")));
}

TEST(glob, a_star_takes_any_bytes)
{
    EXPECT(matches("*", "") && matches("*", "anything") && matches("**", "x"));
    EXPECT(matches("h*llo", "hllo") && matches("h*llo", "heeeello") && !matches("h*llo", "hell"));
    EXPECT(matches("*abab", "abababab") && matches("a*b*c", "a-b-b-c") && !matches("a*b*c", "a-c"));
    EXPECT(matches("ab*", "ab") && !matches("*b", "abc") && matches("*b*", "abc"));
}

TEST(glob, sets)
{
    EXPECT(matches("h[ae]llo", "hello") && !matches("h[ae]llo", "hillo"));
    EXPECT(matches("h[^e]llo", "hallo") && !matches("h[^e]llo", "hello"));
    EXPECT(matches("h[a-b]llo", "hbllo") && !matches("h[a-b]llo", "hcllo"));
    EXPECT(matches("h[b-a]llo", "hallo")); /* a range may be written backwards */
    EXPECT(matches("[]", "") == false && !matches("[]", "a"));
    EXPECT(matches("[a", "a") && matches("[^a", "b")); /* a set may lack its end */
    EXPECT(matches("[\\]]", "]") && matches("[\\-a]", "-"));
    EXPECT(matches("[", "a") == false);
    EXPECT(glob_match_nocase(slice_of("[A-C]x"), slice_of("bX")));
}

TEST(glob, a_backslash_takes_the_next_byte_as_it_is)
{
    EXPECT(matches("\\*", "*") && !matches("\\*", "a"));
    EXPECT(matches("a\\", "a\\")); /* at the end it stands for itself */
    EXPECT(matches("\\[a]", "[a]") && matches("\\\\", "\\"));
}

TEST(glob, takes_any_bytes)
{
    struct slice text = {(const uint8_t *)"a\0\xff", 3};
    EXPECT(glob_match((struct slice){(const uint8_t *)"a?\xff", 3}, text));
    EXPECT(glob_match((struct slice){(const uint8_t *)"*\0*", 3}, text));
    EXPECT(!glob_match((struct slice){(const uint8_t *)"a?\xfe", 3}, text));
}

/* Matching by trying each star at each place takes longer than the age of the universe here. */
TEST(glob, many_stars_take_no_time)
{
    enum { TEXT = 20000, STARS = 1000 };
    uint8_t *text = mem_alloc(MEM_TEST, TEXT), *pattern = mem_alloc(MEM_TEST, 2 * STARS + 1);
    memset(text, 'a', TEXT);
    for (size_t i = 0; i < STARS; i++)
        memcpy(pattern + 2 * i, "a*", 2);
    pattern[2 * STARS] = 'b';
    EXPECT(!glob_match((struct slice){pattern, 2 * STARS + 1}, (struct slice){text, TEXT}));
    EXPECT(glob_match((struct slice){pattern, 2 * STARS}, (struct slice){text, TEXT}));
    mem_free(MEM_TEST, pattern);
    mem_free(MEM_TEST, text);
}

/* The definition, by recursion: for short inputs only. */
static bool slow_match(struct slice p, struct slice t)
{
    if (p.len == 0)
        return t.len == 0;
    struct slice rest = {p.ptr + 1, p.len - 1};
    if (p.ptr[0] == '*') {
        for (size_t skip = 0; skip <= t.len; skip++)
            if (slow_match(rest, (struct slice){t.ptr + skip, t.len - skip}))
                return true;
        return false;
    }
    return t.len > 0 && (p.ptr[0] == '?' || p.ptr[0] == t.ptr[0]) &&
           slow_match(rest, (struct slice){t.ptr + 1, t.len - 1});
}

TEST(glob, agrees_with_trying_everything)
{
    uint64_t state = 7;
    unsigned found = 0;
    for (int round = 0; round < 20000; round++) {
        uint8_t pattern[8], text[10];
        struct slice p = {pattern, rng_below(&state, 8)}, t = {text, rng_below(&state, 10)};
        for (size_t i = 0; i < p.len; i++)
            pattern[i] = (uint8_t) "ab*?"[rng_below(&state, 4)];
        for (size_t i = 0; i < t.len; i++)
            text[i] = (uint8_t) "ab"[rng_below(&state, 2)];
        found += slow_match(p, t);
        if (glob_match(p, t) != slow_match(p, t))
            test_fail(__FILE__, __LINE__, "'%.*s' on '%.*s'", (int)p.len, (char *)pattern,
                      (int)t.len, (char *)text);
    }
    EXPECT(found > 1000);
}
