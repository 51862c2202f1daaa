/* SUMMARIZE and HIGHLIGHT: the values of a reply as they are shown. Texts and what is expected of
 * them are those of RediSearch's own tests where it has some. */
#include <stdio.h>

#include "base/limits.h"
#include "lib/cmd_harness.h"
#include "text/marker.h"
#include "text/patterns.h"

enum { LINE_SIZE = 16 * 1024 };

static void run(struct harness *h, const char *line)
{
    EXPECT(harness_run(h, 2, line).ptr[0] != '-');
}

/* The value of field t of the only document that is found. */
static void expect_value(struct harness *h, const char *rest, const char *value)
{
    char line[LINE_SIZE], reply[LINE_SIZE];
    (void)snprintf(line, sizeof(line), "FT.SEARCH i %s RETURN 1 t", rest);
    (void)snprintf(reply, sizeof(reply), "*3\r\n:1\r\n$3\r\nd:1\r\n*2\r\n$1\r\nt\r\n$%zu\r\n%s\r\n",
                   strlen(value), value);
    EXPECT_REPLY(h, 2, line, reply);
}

static struct harness *open_text(const char *text)
{
    char line[LINE_SIZE];
    struct harness *h = harness_new();
    run(h, "FT.CREATE i PREFIX 1 d: SCHEMA t TEXT u TEXT c TAG w TEXT NOSTEM n TEXT NOINDEX");
    (void)snprintf(line, sizeof(line), "HSET d:1 t \"%s\"", text);
    run(h, line);
    return h;
}

TEST(ft_marks, words_are_marked_as_they_stand)
{
    struct harness *h = open_text("Hello, WORLD! The worlds of hello-world and caf\xc3\xa9");
    expect_value(h, "world HIGHLIGHT",
                 "Hello, <b>WORLD</b>! The <b>worlds</b> of hello-<b>world</b> and caf\xc3\xa9");
    expect_value(h, "world VERBATIM HIGHLIGHT TAGS [ ]",
                 "Hello, [WORLD]! The worlds of hello-[world] and caf\xc3\xa9");
    expect_value(h, "hello HIGHLIGHT TAGS a b TAGS \"\" !",
                 "Hello!, WORLD! The worlds of hello!-world and caf\xc3\xa9");
    expect_value(h, "\"CAF\xc3\x89 -hello ~missing | world\" HIGHLIGHT TAGS [ ]",
                 "Hello, [WORLD]! The [worlds] of hello-[world] and [caf\xc3\xa9]");
    expect_value(h, "* HIGHLIGHT", "Hello, WORLD! The worlds of hello-world and caf\xc3\xa9");
    expect_value(h, "world HIGHLIGHT FIELDS 1 u",
                 "Hello, WORLD! The worlds of hello-world and caf\xc3\xa9");
    harness_free(h);
}

TEST(ft_marks, patterns_and_fuzzy_words)
{
    struct harness *h = open_text("begin beginning began gun");
    expect_value(h, "begi* HIGHLIGHT", "<b>begin</b> <b>beginning</b> began gun");
    expect_value(h, "*in* HIGHLIGHT", "<b>begin</b> <b>beginning</b> began gun");
    expect_value(h, "*un HIGHLIGHT", "begin beginning began <b>gun</b>");
    expect_value(h, "\"w'beg?n'\" HIGHLIGHT", "<b>begin</b> beginning <b>began</b> gun");
    expect_value(h, "%begun% HIGHLIGHT", "<b>begin</b> beginning <b>began</b> gun");
    expect_value(h, "\"gun -zebra*\" HIGHLIGHT", "begin beginning began <b>gun</b>");
    harness_free(h);
}

/* RediSearch, test_summarize.py, testSummarizationMultiField and testIssue364. */
TEST(ft_marks, pieces_are_those_of_redisearch)
{
    struct harness *h = open_text(
        "Redis is an open-source in-memory database project implementing a networked, in-memory "
        "key-value store with optional durability. Redis supports different kinds of abstract data "
        "structures, such as strings, lists, maps, sets, sorted sets, hyperloglogs, bitmaps and "
        "spatial indexes. The project is mainly developed by Salvatore Sanfilippo and is currently "
        "sponsored by Redis Labs.[4] Redis Labs creates and maintains the official Redis "
        "Enterprise Pack.\" u \"Redis typically holds the whole dataset in memory. Versions up to "
        "2.4 "
        "could be configured to use what they refer to as virtual memory[19] in which some of "
        "the dataset is stored on disk, but this feature is deprecated. Persistence is now "
        "achieved in two different ways: one is called snapshotting, and is a semi-persistent "
        "durability mode where the dataset is asynchronously transferred from memory to disk "
        "from time to time, written in RDB dump format. Since version 1.1 the safer alternative "
        "is AOF, an append-only file (a journal) that is written as operations modifying the "
        "dataset in memory are processed. Redis is able to rewrite the append-only file in the "
        "background in order to avoid an indefinite growth of the journal.");
    const char *line = "FT.SEARCH i \"memory persistence salvatore\" SUMMARIZE FIELDS 2 t u LEN 5";
    EXPECT_PART(h, 2, line,
                "memory database project implementing a networked, in-memory ... by Salvatore "
                "Sanfilippo... ");
    EXPECT_PART(h, 2, line,
                "dataset in memory. Versions... as virtual memory[19] in... persistent durability "
                "mode where the dataset is asynchronously transferred from memory... ");
    /* of many pieces the rarest words: each of persistence and memory is in one document */
    expect_value(h, "salvatore SUMMARIZE FRAGS 1 LEN 9 SEPARATOR | HIGHLIGHT",
                 "is mainly developed by <b>Salvatore</b> Sanfilippo and is|");
    harness_free(h);
}

TEST(ft_marks, without_a_match_the_start_is_shown)
{
    struct harness *h =
        open_text("To change the use from a Restaurant to a Personal Service Shop (Great Clips) "
                  "at the end");
    expect_value(h, "* SUMMARIZE",
                 "To change the use from a Restaurant to a Personal Service Shop (Great Clips) "
                 "at the");
    expect_value(h, "* SUMMARIZE LEN 2 FRAGS 1", "To change the use");
    expect_value(h, "* SUMMARIZE LEN 0", "To");
    expect_value(h, "* SUMMARIZE HIGHLIGHT",
                 "To change the use from a Restaurant to a Personal Service Shop (Great Clips) "
                 "at the end");
    expect_value(h, "change SUMMARIZE FRAGS 0", "");
    run(h, "HSET d:1 t single");
    expect_value(h, "* SUMMARIZE", "single");
    expect_value(h, "single SUMMARIZE", "single... ");
    run(h, "HSET d:1 t abcdefghijklmnop");
    expect_value(h, "* SUMMARIZE LEN 0", "abcdef");
    harness_free(h);
}

/* Nothing is cut within a letter, in scripts with and without blanks. */
TEST(ft_marks, letters_stay_whole)
{
    struct harness *h = open_text("\xe6\x88\x91\xe4\xbb\xac\xe5\x9c\xa8\xe5\x8c\x97\xe4\xba\xac"
                                  "\xe5\xad\xa6\xe4\xb9\xa0\xe4\xb8\xad\xe6\x96\x87\xe5\x92\x8c"
                                  "\xe6\x95\xb0\xe5\xad\xa6");
    expect_value(h, "\xe5\x8c\x97\xe4\xba\xac HIGHLIGHT TAGS [ ]",
                 "\xe6\x88\x91\xe4\xbb\xac\xe5\x9c\xa8[\xe5\x8c\x97\xe4\xba\xac]"
                 "\xe5\xad\xa6\xe4\xb9\xa0\xe4\xb8\xad\xe6\x96\x87\xe5\x92\x8c"
                 "\xe6\x95\xb0\xe5\xad\xa6");
    expect_value(h, "\xe5\x8c\x97\xe4\xba\xac SUMMARIZE LEN 2 SEPARATOR .",
                 "\xe4\xbb\xac\xe5\x9c\xa8\xe5\x8c\x97\xe4\xba\xac\xe5\xad\xa6\xe4\xb9\xa0.");
    expect_value(h, "* SUMMARIZE LEN 1 FRAGS 1", "\xe6\x88\x91\xe4\xbb\xac\xe5\x9c\xa8");
    run(h,
        "HSET d:1 t \"\xc3\xa9t\xc3\xa9 d\xc3\xa9j\xc3\xa0 hello\xe2\x80\xa6 \xc3\xa9t\xc3\xa9\"");
    expect_value(h, "hello SUMMARIZE LEN 2 SEPARATOR .", "hello\xe2\x80\xa6.");
    expect_value(h, "hello SUMMARIZE LEN 4 SEPARATOR .", "d\xc3\xa9j\xc3\xa0 hello\xe2\x80\xa6.");
    harness_free(h);
}

TEST(ft_marks, which_fields_are_shown)
{
    struct harness *h = open_text("pills");
    run(h, "HSET d:1 u pillow w pills n pill c pill x pill");
    EXPECT_REPLY(h, 2, "FT.SEARCH i \"pill|pillow\" HIGHLIGHT FIELDS 2 u w",
                 "*3\r\n:1\r\n$3\r\nd:1\r\n*4\r\n$1\r\nu\r\n$13\r\n<b>pillow</b>\r\n$1\r\nw\r\n"
                 "$5\r\npills\r\n");
    EXPECT_REPLY(
        h, 3, "FT.SEARCH i pill RETURN 1 t SUMMARIZE FIELDS 2 u w",
        "%5\r\n$10\r\nattributes\r\n*0\r\n$6\r\nformat\r\n$6\r\nSTRING\r\n$7\r\nresults\r\n"
        "*1\r\n%3\r\n$2\r\nid\r\n$3\r\nd:1\r\n$16\r\nextra_attributes\r\n%1\r\n$1\r\nt\r\n"
        "$5\r\npills\r\n$6\r\nvalues\r\n*0\r\n$13\r\ntotal_results\r\n:1\r\n$7\r\nwarning"
        "\r\n*0\r\n");
    EXPECT_REPLY(
        h, 2, "FT.SEARCH i pill HIGHLIGHT",
        "*3\r\n:1\r\n$3\r\nd:1\r\n*12\r\n$1\r\nt\r\n$12\r\n<b>pills</b>\r\n$1\r\nu\r\n$6\r\n"
        "pillow\r\n$1\r\nw\r\n$5\r\npills\r\n$1\r\nn\r\n$4\r\npill\r\n$1\r\nc\r\n$4\r\npill"
        "\r\n$1\r\nx\r\n$4\r\npill\r\n");
    EXPECT_REPLY(h, 2, "FT.SEARCH i pill HIGHLIGHT RETURN 3 t AS x",
                 "*3\r\n:1\r\n$3\r\nd:1\r\n*2\r\n$1\r\nx\r\n$12\r\n<b>pills</b>\r\n");
    EXPECT_REPLY(h, 2, "FT.SEARCH i pill HIGHLIGHT FIELDS 1 t TAGS [ ] SUMMARIZE SEPARATOR .",
                 "*3\r\n:1\r\n$3\r\nd:1\r\n*2\r\n$1\r\nt\r\n$8\r\n[pills].\r\n");
    EXPECT_REPLY(h, 2, "FT.SEARCH i pill HIGHLIGHT NOCONTENT", "*2\r\n:1\r\n$3\r\nd:1\r\n");
    run(h, "MULTI");
    run(h, "FT.SEARCH i pill HIGHLIGHT RETURN 1 t");
    EXPECT_REPLY(h, 2, "EXEC",
                 "*1\r\n*3\r\n:1\r\n$3\r\nd:1\r\n*2\r\n$1\r\nt\r\n$12\r\n<b>pills</b>\r\n");
    harness_free(h);
}

TEST(ft_marks, documents_of_json)
{
    struct harness *h = harness_new();
    run(h, "FT.CREATE i ON JSON SCHEMA $.t AS t TEXT $.l[*] AS l TEXT");
    run(h, "JSON.SET d:1 $ '{\"t\":\"say \\\"hello\\\" to all\",\"l\":[\"hello\",\"you\"]}'");
    expect_value(h, "hello HIGHLIGHT", "say \"<b>hello</b>\" to all");
    EXPECT_PART(h, 2, "FT.SEARCH i hello HIGHLIGHT FIELDS 1 $.t", "say \"<b>hello</b>\" to all");
    EXPECT_PART(h, 2, "FT.SEARCH i hello RETURN 1 l HIGHLIGHT DIALECT 3", "[\"hello\",\"you\"]");
    EXPECT_NO_PART(h, 2, "FT.SEARCH i hello HIGHLIGHT", "<b>");
    harness_free(h);
}

TEST(ft_marks, errors_and_limits)
{
    struct harness *h = open_text("hello");
    char line[LINE_SIZE];
    EXPECT_REPLIES(h, "FT.SEARCH i a SUMMARIZE FRAGS", "-Bad arguments for SUMMARIZE\r\n");
    EXPECT_REPLIES(h, "FT.SEARCH i a SUMMARIZE LEN -1", "-Bad arguments for SUMMARIZE\r\n");
    EXPECT_REPLIES(h, "FT.SEARCH i a SUMMARIZE FIELDS 2 t", "-Bad arguments for SUMMARIZE\r\n");
    EXPECT_REPLIES(h, "FT.SEARCH i a SUMMARIZE SEPARATOR", "-Bad arguments for SUMMARIZE\r\n");
    EXPECT_REPLIES(h, "FT.SEARCH i a HIGHLIGHT TAGS a", "-Bad arguments for HIGHLIGHT\r\n");
    EXPECT_REPLIES(h, "FT.SEARCH i a HIGHLIGHT FIELDS x", "-Bad arguments for HIGHLIGHT\r\n");
    for (unsigned over = 0; over < 2; over++) {
        (void)snprintf(line, sizeof(line), "FT.SEARCH i a SUMMARIZE LEN %u FRAGS %u", LIMIT_PIECES,
                       LIMIT_PIECES + over);
        EXPECT((harness_run(h, 2, line).ptr[0] == '-') == (over == 1));
        (void)snprintf(line, sizeof(line), "FT.SEARCH i a HIGHLIGHT TAGS %0*u b",
                       LIMIT_MARK_SIZE + (int)over, 0);
        EXPECT((harness_run(h, 2, line).ptr[0] == '-') == (over == 1));
    }
    run(h, "FT.CREATE k NOHL SCHEMA t TEXT");
    EXPECT_REPLIES(h, "FT.SEARCH k a HIGHLIGHT",
                   "-Cannot use highlight/summarize because NOHL was specified at index level\r\n");
    run(h, "FT.CREATE l NOOFFSETS SCHEMA t TEXT");
    EXPECT_REPLIES(h, "FT.SEARCH l a SUMMARIZE",
                   "-Cannot use highlight/summarize because NOHL was specified at index level\r\n");
    harness_free(h);
}

TEST(ft_marks, fields_have_a_limit)
{
    struct harness *h = open_text("hello");
    for (size_t over = 0; over < 2; over++) {
        struct slice words[8 + LIMIT_INDEX_FIELDS];
        char names[LIMIT_INDEX_FIELDS + 1][8], count[8];
        size_t n = LIMIT_INDEX_FIELDS + over, at = 0;
        (void)snprintf(count, sizeof(count), "%zu", n);
        const char *head[] = {"FT.SEARCH", "i", "hello", "HIGHLIGHT", "FIELDS", count};
        for (; at < COUNT_OF(head); at++)
            words[at] = slice_of(head[at]);
        for (size_t i = 0; i < n; i++) {
            (void)snprintf(names[i], sizeof(names[i]), "f%zu", i);
            words[at++] = slice_of(names[i]);
        }
        EXPECT((harness_run_args(h, 2, words, at).ptr[0] == '-') == (over == 1));
    }
    harness_free(h);
}

/* Further patterns mark nothing, and find their documents as ever. */
TEST(ft_marks, patterns_have_a_limit)
{
    char query[8];
    struct text_query q;
    struct text_marker *m;
    struct text_show how = {.marked = true, .open = slice_of("["), .close = slice_of("]")};
    uint32_t node, first = TEXT_NO_NODE, last = TEXT_NO_NODE;
    for (unsigned over = 0; over < 2; over++) {
        text_query_init(&q);
        for (unsigned i = 0; i < TEXT_MARK_PATTERNS_MAX + over; i++) {
            (void)snprintf(query, sizeof(query), "q%03u", i);
            EXPECT(text_query_add(&q, TEXT_PREFIX, slice_of(i == 0 ? "he" : query), &node) == OK);
            first = i == 0 ? node : first;
            if (i > 0)
                q.nodes[last].next = node;
            last = node;
        }
        EXPECT(text_query_add(&q, TEXT_OR, (struct slice){0}, &q.root) == OK);
        q.nodes[q.root].child = first;
        m = text_marker_new(TEXT_ENGLISH, NULL, 0);
        EXPECT(m != NULL && text_marker_add(m, &q, NULL) == OK);
        struct buf out = BUF_INIT(MEM_SCRATCH);
        EXPECT(text_marker_show(m, slice_of("hello q255 q256"), false, &how, &out) == OK);
        EXPECT(slice_eq(buf_slice(&out), slice_of("[hello] [q255] q256")));
        buf_fini(&out);
        text_marker_free(m);
        text_query_fini(&q);
    }
}

TEST(ft_marks, edits_between_words)
{
    static const struct {
        const char *a, *b;
        size_t edits;
    } cases[] = {{"kitten", "sitting", 3}, {"", "abc", 3},       {"same", "same", 0},
                 {"abc", "abd", 1},        {"abc", "xabc", 1},   {"\xc3\xa9t\xc3\xa9", "ete", 2},
                 {"flaw", "lawn", 2},      {"ab", "\xff\xfe", 2}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct slice a = slice_of(cases[i].a), b = slice_of(cases[i].b);
        EXPECT(text_is_near(a, b, cases[i].edits) && text_is_near(b, a, cases[i].edits));
        EXPECT(cases[i].edits == 0 || !text_is_near(a, b, cases[i].edits - 1));
    }
}
