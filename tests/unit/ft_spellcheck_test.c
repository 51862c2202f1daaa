/* FT.SPELLCHECK, compared with looking at every word there is. */
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "lib/cmd_harness.h"

enum { DOCS = 60, WORDS = 4, SIZE_MAX_WORD = 5, ASKED = 150 };

/* Words of each document in its one field. */
struct corpus {
    struct harness *h;
    uint64_t rng;
    char words[DOCS][WORDS][SIZE_MAX_WORD + 1];
    bool gone[DOCS];
};

/* Of three letters, none of which is a stop word alone or a plural. */
static void make_word(uint64_t *rng, char *out)
{
    size_t size = 2 + rng_below(rng, SIZE_MAX_WORD - 1);
    for (size_t i = 0; i < size; i++)
        out[i] = "xyz"[rng_below(rng, 3)];
    out[size] = '\0';
}

static struct corpus *make_corpus(uint64_t seed)
{
    struct corpus *c = mem_try_calloc(MEM_TEST, sizeof(*c));
    char line[128];
    REQUIRE(c != NULL);
    c->h = harness_new();
    c->rng = seed;
    EXPECT_REPLY(c->h, 2, "FT.CREATE i SCHEMA t TEXT NOSTEM", "+OK\r\n");
    for (size_t i = 0; i < DOCS; i++) {
        int size = snprintf(line, sizeof(line), "HSET d%zu t \"", i);
        for (size_t j = 0; j < WORDS; j++) {
            make_word(&c->rng, c->words[i][j]);
            size += snprintf(line + size, sizeof(line) - (size_t)size, "%s ", c->words[i][j]);
        }
        CHECK(size > 0 && (size_t)size < sizeof(line) - 2);
        line[size - 1] = '"';
        EXPECT_REPLY(c->h, 2, line, ":1\r\n");
    }
    for (size_t i = 0; i < DOCS; i += 7) {
        (void)snprintf(line, sizeof(line), "DEL d%zu", i);
        EXPECT_REPLY(c->h, 2, line, ":1\r\n");
        c->gone[i] = true;
    }
    return c;
}

static void free_corpus(struct corpus *c)
{
    harness_free(c->h);
    mem_free(MEM_TEST, c);
}

/* Levenshtein's distance by the whole table. */
static size_t edits_between(const char *a, const char *b)
{
    size_t table[SIZE_MAX_WORD + 1][SIZE_MAX_WORD + 1];
    size_t m = strlen(a), n = strlen(b);
    for (size_t i = 0; i <= m; i++)
        for (size_t j = 0; j <= n; j++) {
            size_t best = i == 0 ? j : j == 0 ? i : SIZE_MAX;
            if (i > 0 && j > 0) {
                best = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
                best = table[i - 1][j] + 1 < best ? table[i - 1][j] + 1 : best;
                best = table[i][j - 1] + 1 < best ? table[i][j - 1] + 1 : best;
            }
            table[i][j] = best;
        }
    return table[m][n];
}

/* Which words are near that a document has: each once, in the order of their bytes. */
static size_t near_words(const struct corpus *c, const char *word, size_t edits, const char **out,
                         bool *known)
{
    size_t count = 0;
    *known = false;
    for (size_t i = 0; i < DOCS; i++)
        for (size_t j = 0; j < WORDS && !c->gone[i]; j++) {
            const char *other = c->words[i][j];
            bool had = false;
            *known |= strcmp(word, other) == 0;
            for (size_t k = 0; k < count; k++)
                had |= strcmp(out[k], other) == 0;
            if (!had && edits_between(word, other) <= edits)
                out[count++] = other;
        }
    return count;
}

/* Bulk strings of a reply of RESP2 that are words of the corpus' letters. */
static size_t words_in(const char *reply, const char *word)
{
    size_t count = 0;
    char text[32];
    int size = snprintf(text, sizeof(text), "\r\n%s\r\n", word);
    CHECK(size > 0);
    for (const char *at = reply; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

TEST(ft_spellcheck, suggests_all_that_is_near_and_nothing_else)
{
    struct corpus *c = make_corpus(5);
    size_t misspelled = 0, suggested = 0;
    for (size_t i = 0; i < ASKED; i++) {
        char word[SIZE_MAX_WORD + 1], line[64];
        const char *near[DOCS * WORDS];
        bool known;
        make_word(&c->rng, word);
        size_t edits = 1 + rng_below(&c->rng, 3);
        size_t count = near_words(c, word, edits, near, &known);
        (void)snprintf(line, sizeof(line), "FT.SPELLCHECK i %s DISTANCE %zu", word, edits);
        struct slice bytes = harness_run(c->h, 2, line);
        char reply[8192] = "";
        REQUIRE(bytes.len < sizeof(reply));
        memcpy(reply, bytes.ptr, bytes.len);
        if (known) {
            EXPECT_STR(reply, "*0\r\n");
            continue;
        }
        (void)snprintf(line, sizeof(line), "*1\r\n*3\r\n+TERM\r\n$%zu\r\n%s\r\n*%zu\r\n",
                       strlen(word), word, count);
        EXPECT(strncmp(reply, line, strlen(line)) == 0);
        for (size_t k = 0; k < count; k++)
            EXPECT_EQ(words_in(reply, near[k]), 1);
        misspelled++;
        suggested += count;
    }
    EXPECT(misspelled > ASKED / 4 && suggested > 4 * misspelled);
    free_corpus(c);
}
