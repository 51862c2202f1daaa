/* Dictionaries and synonyms: their limits, and what becomes of their memory. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "db/word_lists.h"
#include "lib/cmd_harness.h"

enum { WORD_SIZE = 16 };

/* command name word0 word1 ..: `count` words from `first` on. */
static struct slice run_words(struct harness *h, const char *command, const char *name,
                              const char *group, unsigned first, unsigned count)
{
    unsigned head = group == NULL ? 2 : 3;
    struct slice *argv = calloc(count + head, sizeof(*argv));
    char *text = calloc(count, WORD_SIZE);
    CHECK(argv != NULL && text != NULL);
    argv[0] = slice_of(command);
    argv[1] = slice_of(name);
    if (group != NULL)
        argv[2] = slice_of(group);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(text + (size_t)i * WORD_SIZE, WORD_SIZE, "word%u", first + i);
        argv[head + i] = slice_of(text + (size_t)i * WORD_SIZE);
    }
    struct slice reply = harness_run_args(h, 2, argv, count + head);
    free(argv);
    free(text);
    return reply;
}

static bool replied(struct slice reply, const char *text)
{
    return reply.len >= strlen(text) && memcmp(reply.ptr, text, strlen(text)) == 0;
}

TEST(word_lists, a_dictionary_has_so_many_words)
{
    struct harness *h = harness_new();
    EXPECT(replied(run_words(h, "FT.DICTADD", "d", NULL, 0, LIMIT_WORDS), ":65536\r\n"));
    EXPECT(replied(run_words(h, "FT.DICTADD", "d", NULL, LIMIT_WORDS, 1),
                   "-ERR a dictionary has at most 65536 words"));
    EXPECT_REPLY(h, 2, "FT.DICTADD d word7", ":0\r\n");
    EXPECT(replied(run_words(h, "FT.DICTDEL", "d", NULL, 1, LIMIT_WORDS - 1), ":65535\r\n"));
    EXPECT_REPLY(h, 2, "FT.DICTDUMP d", "*1\r\n$5\r\nword0\r\n");
    EXPECT(h->db.dictionaries->bytes.len < 4096 * 2); /* what is gone has been given back */
    EXPECT_REPLY(h, 2, "FT.DICTADD d word7", ":1\r\n");
    EXPECT_REPLY(h, 2, "FT.DICTDEL d word0 word7", ":2\r\n");
    EXPECT(h->db.dictionaries == NULL);
    harness_free(h);
}

TEST(word_lists, a_word_has_so_many_bytes)
{
    struct harness *h = harness_new();
    static char word[LIMIT_WORD + 1];
    memset(word, 'a', sizeof(word));
    struct slice argv[] = {slice_of("FT.DICTADD"), slice_of("d"), {(uint8_t *)word, LIMIT_WORD}};
    EXPECT(replied(harness_run_args(h, 2, argv, 3), ":1\r\n"));
    argv[2].len++;
    EXPECT(replied(harness_run_args(h, 2, argv, 3), "-ERR a word has at most 1024 bytes"));
    harness_free(h);
}

TEST(word_lists, there_are_so_many_dictionaries)
{
    struct harness *h = harness_new();
    char line[64];
    for (unsigned i = 0; i < LIMIT_WORD_LISTS; i++) {
        (void)snprintf(line, sizeof(line), "FT.DICTADD d%u word", i);
        EXPECT_REPLY(h, 2, line, ":1\r\n");
    }
    EXPECT_PART(h, 2, "FT.DICTADD other word", "-ERR there are at most 1024 dictionaries");
    EXPECT_REPLY(h, 2, "FT.DICTADD d0 more", ":1\r\n");
    EXPECT_REPLY(h, 2, "FLUSHALL", "+OK\r\n");
    EXPECT(h->db.dictionaries == NULL);
    harness_free(h);
}

TEST(word_lists, a_group_and_an_index_have_so_many_synonyms)
{
    struct harness *h = harness_new();
    char group[16];
    EXPECT_REPLY(h, 2, "FT.CREATE i SCHEMA t TEXT", "+OK\r\n");
    EXPECT(replied(run_words(h, "FT.SYNUPDATE", "i", "g", 0, LIMIT_SYNONYMS), "+OK"));
    EXPECT(replied(run_words(h, "FT.SYNUPDATE", "i", "g", LIMIT_SYNONYMS, 1),
                   "-ERR a group of synonyms has at most 1000 words"));
    for (unsigned i = 1; i < LIMIT_WORDS / LIMIT_SYNONYMS; i++) {
        (void)snprintf(group, sizeof(group), "g%u", i);
        EXPECT(replied(run_words(h, "FT.SYNUPDATE", "i", group, 0, LIMIT_SYNONYMS), "+OK"));
    }
    unsigned left = LIMIT_WORDS % LIMIT_SYNONYMS;
    EXPECT(replied(run_words(h, "FT.SYNUPDATE", "i", "last", 0, left), "+OK"));
    EXPECT(replied(run_words(h, "FT.SYNUPDATE", "i", "more", 0, 1),
                   "-ERR an index has at most 65536 synonyms"));
    EXPECT_PART(h, 2, "FT.SYNDUMP i", "*2000\r\n$5\r\nword0\r\n*66\r\n$1\r\ng\r\n$2\r\ng1\r\n");
    EXPECT_PART(h, 2, "FT.SEARCH i word5 NOCONTENT", "*1\r\n:0\r\n");
    harness_free(h);
}
