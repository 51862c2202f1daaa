/* cmd_lcs_test.c: LCS against the definition, and its limit. */
#include "lib/cmd_harness.h"

#include "base/limits.h"
#include "base/rng.h"

enum { LONGEST = 12 };

static bool is_subsequence(const char *of, const char *s)
{
    for (; *s != '\0'; s++, of++) {
        while (*of != '\0' && *of != *s)
            of++;
        if (*of == '\0')
            return false;
    }
    return true;
}

/* By trying every subsequence of a. */
static size_t longest(const char *a, const char *b)
{
    size_t len = strlen(a), best = 0;
    for (unsigned set = 0; set < 1u << len; set++) {
        char s[LONGEST + 1] = "";
        size_t n = 0;
        for (size_t i = 0; i < len; i++)
            if (set >> i & 1)
                s[n++] = a[i];
        s[n] = '\0';
        if (n > best && is_subsequence(b, s))
            best = n;
    }
    return best;
}

static void some_text(uint64_t *random, char text[LONGEST + 1])
{
    size_t len = 1 + rng_next(random) % (LONGEST - 1);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + rng_next(random) % 3);
    text[len] = '\0';
}

TEST(cmd_lcs, is_a_longest_one)
{
    struct harness *h = harness_new();
    uint64_t random = 5;
    for (int i = 0; i < 200; i++) {
        char a[LONGEST + 1], b[LONGEST + 1], line[64], reply[64], got[LONGEST + 1] = "";
        some_text(&random, a);
        some_text(&random, b);
        (void)snprintf(line, sizeof(line), "MSET a %s b %s", a, b);
        EXPECT_REPLY(h, 2, line, "+OK\r\n");
        (void)snprintf(reply, sizeof(reply), ":%zu\r\n", longest(a, b));
        EXPECT_REPLIES(h, "LCS a b LEN", reply);
        struct slice common = harness_run(h, 2, "LCS a b");
        const uint8_t *start = memchr(common.ptr, '\n', common.len);
        REQUIRE(start != NULL);
        size_t len = (size_t)(common.ptr + common.len - start) - 3;
        REQUIRE(len <= LONGEST);
        memcpy(got, start + 1, len);
        EXPECT_EQ(strlen(got), longest(a, b));
        EXPECT(is_subsequence(a, got) && is_subsequence(b, got));
    }
    harness_free(h);
}

TEST(cmd_lcs, takes_so_much_and_no_more)
{
    struct harness *h = harness_new();
    char line[64];
    EXPECT_REPLY(h, 2, "SETRANGE a 1022 x", ":1023\r\n");
    EXPECT_REPLY(h, 2, "SETRANGE b 1022 x", ":1023\r\n");
    EXPECT_REPLIES(h, "LCS a b LEN", ":1023\r\n");
    EXPECT_REPLY(h, 2, "APPEND b y", ":1024\r\n");
    (void)snprintf(line, sizeof(line), "the product of the strings' lengths is over %d",
                   LIMIT_LCS_CELLS);
    EXPECT_PART(h, 2, "LCS a b LEN", line);
    EXPECT_PART(h, 2, "LCS b a", line);
    harness_free(h);
}
