/* TEXT fields as FT.SEARCH sees them: which documents a query of words finds, and in what order. */
#include <stdio.h>

#include "base/limits.h"
#include "ft/index_filter.h"
#include "lib/cmd_harness.h"
#include "text/tokens.h"

enum { LINE_SIZE = 2048 };

/* The keys that a query finds, in order, between blanks. */
static const char *found(struct harness *h, const char *query, const char *options)
{
    static char keys[LINE_SIZE];
    char line[LINE_SIZE];
    size_t size = 0;
    (void)snprintf(line, sizeof(line), "FT.SEARCH i \"%s\" NOCONTENT %s", query, options);
    struct slice reply = harness_run(h, 2, line);
    if (reply.ptr[0] == '-') {
        (void)snprintf(keys, sizeof(keys), "%.*s", (int)reply.len - 2, (const char *)reply.ptr);
        return keys;
    }
    keys[0] = '\0';
    for (const uint8_t *at = reply.ptr; at < reply.ptr + reply.len; at++) {
        if (*at != '$')
            continue;
        at = (const uint8_t *)memchr(at, '\n', (size_t)(reply.ptr + reply.len - at)) + 1;
        const uint8_t *end = memchr(at, '\r', (size_t)(reply.ptr + reply.len - at));
        size += (size_t)snprintf(keys + size, sizeof(keys) - size, "%s%.*s", size > 0 ? " " : "",
                                 (int)(end - at), (const char *)at);
        at = end;
    }
    return keys;
}

#define FINDS(h, query, keys) EXPECT_STR(found(h, query, ""), keys)
#define FINDS_BY(h, query, options, keys) EXPECT_STR(found(h, query, options), keys)

static void run(struct harness *h, const char *line)
{
    struct slice reply = harness_run(h, 2, line);
    EXPECT(reply.ptr[0] != '-');
}

static struct harness *open_words(void)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(
        h, 2,
        "FT.CREATE i PREFIX 1 d: SCHEMA t TEXT u TEXT WEIGHT 2 NOSTEM c TAG v VECTOR FLAT 6 "
        "TYPE FLOAT32 DIM 1 DISTANCE_METRIC L2",
        "+OK\r\n");
    run(h, "HSET d:1 t \"hello world\" c x v \"\\x00\\x00\\x00\\x00\"");
    run(h, "HSET d:2 t \"hello there, big World\" c y v \"\\x00\\x00\\x80?\"");
    run(h, "HSET d:3 t \"the quick brown fox\" u \"hello\" c x v \"\\x00\\x00\\x00@\"");
    run(h, "HSET d:4 t \"foxes were hunting\" u \"foxes\" c y");
    run(h, "HSET d:5 t foo-bar u \"foo\\\\-bar\" c x");
    return h;
}

TEST(text_search, words_or_and_not)
{
    struct harness *h = open_words();
    FINDS(h, "world", "d:1 d:2");
    FINDS(h, "hello world", "d:1 d:2");
    FINDS(h, "WORLD big", "d:2");
    FINDS(h, "world|fox -hello", "d:4 d:1 d:2");
    FINDS(h, "(world|fox) -@u:hello -big", "d:4 d:1");
    FINDS(h, "-world", "d:3 d:4 d:5");
    FINDS(h, "missing", "");
    FINDS(h, "-missing -world -fox", "d:5");
    FINDS(h, "~world @c:{x}", "d:1 d:3 d:5");
    harness_free(h);
}

TEST(text_search, fields_and_stems)
{
    struct harness *h = open_words();
    FINDS(h, "@u:hello", "d:3");
    FINDS(h, "@t|u:hello", "d:3 d:1 d:2");
    FINDS(h, "@t:(hello | fox)", "d:3 d:4 d:1 d:2");
    FINDS(h, "@t:hunted", "d:4");
    FINDS(h, "@u:fox", "");
    FINDS_BY(h, "fox", "VERBATIM", "d:3");
    FINDS_BY(h, "hello", "INFIELDS 1 u", "d:3");
    FINDS(h, "@c:hello", "");
    FINDS(h, "@nothing:hello", "-Unknown field at offset 0 near nothing");
    harness_free(h);
}

TEST(text_search, phrases_and_nearness)
{
    struct harness *h = open_words();
    FINDS(h, "\\\"hello world\\\"", "d:1");
    FINDS(h, "\\\"the quick brown\\\"", "d:3"); /* stop words take no place */
    FINDS(h, "\\\"world hello\\\"", "");
    FINDS(h, "@t:(hello world)=>{$slop: 0}", "d:1");
    FINDS(h, "@t:(hello world)=>{$slop: 1}", "d:1 d:2");
    FINDS(h, "@t:(world hello)=>{$slop: 1}", "d:1 d:2");
    FINDS(h, "@t:(world hello)=>{$slop: 2; $inorder: true}", "");
    FINDS_BY(h, "world hello", "SLOP 0", "d:1");
    FINDS_BY(h, "world hello", "INORDER", "");
    FINDS_BY(h, "hello world", "INORDER", "d:1 d:2");
    harness_free(h);
}

TEST(text_search, prefixes_patterns_and_edits)
{
    struct harness *h = open_words();
    FINDS(h, "fo*", "d:5 d:4 d:3");
    FINDS(h, "f*", "");
    FINDS(h, "*oxes", "d:4");
    FINDS(h, "*uic*", "d:3");
    FINDS(h, "w'q?ic*'", "d:3");
    FINDS(h, "%wurld%", "d:1 d:2");
    FINDS(h, "%wurldx%", "");
    FINDS(h, "%%wurldx%%", "d:1 d:2");
    FINDS(h, "%%%wuxldx%%%", "d:1 d:2");
    FINDS(h, "foo", "d:5");
    FINDS(h, "foo\\\\-bar", "d:5");
    harness_free(h);
}

TEST(text_search, beside_tags_and_vectors)
{
    struct harness *h = open_words();
    FINDS(h, "@c:{x} @t:hello", "d:1");
    FINDS(h, "@c:{y} | quick", "d:3 d:2 d:4");
    FINDS(h, "@c:{x} AND @c:{x}", "d:1 d:3 d:5");
    FINDS(h, "the", "");
    FINDS(h, "(@c:{x} (world | fox)) | (@c:{y} big)", "d:2 d:3 d:1");
    const char *near = "PARAMS 2 v \"\\x00\\x00\\x00@\" DIALECT 2";
    FINDS_BY(h, "@t:hello=>[KNN 9 @v $v]", near, "d:2 d:1");
    FINDS_BY(h, "(~hello)=>[KNN 2 @v $v]", near, "d:3 d:2");
    FINDS_BY(h, "(-world)=>[KNN 2 @v $v]", near, "d:3");
    FINDS_BY(h, "hello @v:[VECTOR_RANGE 1 $v]", near, "d:3 d:2");
    harness_free(h);
}

TEST(text_search, follows_what_documents_become)
{
    struct harness *h = open_words();
    run(h, "HSET d:1 t \"good bye\"");
    FINDS(h, "world", "d:2");
    FINDS(h, "bye", "d:1");
    run(h, "HDEL d:1 t");
    FINDS(h, "bye", "");
    run(h, "RENAME d:2 d:9");
    FINDS(h, "world", "d:9");
    run(h, "RENAME d:9 elsewhere");
    FINDS(h, "world", "");
    run(h, "DEL d:3");
    FINDS(h, "fox", "d:4");
    run(h, "SET d:4 string");
    FINDS(h, "fox", "");
    run(h, "FT.DROPINDEX i");
    harness_free(h);
}

TEST(text_search, words_of_any_script)
{
    struct harness *h = open_words();
    run(h, "HSET d:10 t \"\xe6\x88\x91\xe5\x96\x9c\xe6\xac\xa2\xe6\x95\xb0\xe6\x8d\xae\"");
    run(h, "HSET d:11 t \"NA\xc3\x8fVE Caf\xc3\xa9\"");
    run(h, "HSET d:12 t \"bad \\xff\\xfe bytes\"");
    FINDS(h, "\xe6\x95\xb0\xe6\x8d\xae", "d:10");
    FINDS(h, "\xe5\x96\x9c\xe6\xac\xa2", "d:10");
    FINDS(h, "na\xc3\xafve", "d:11");
    FINDS(h, "CAF\xc3\x89", "d:11");
    FINDS(h, "cafe\xcc\x81", "d:11"); /* an accent of its own */
    FINDS(h, "caf*", "d:11");
    FINDS(h, "bytes", "d:12");
    harness_free(h);
}

TEST(text_search, what_an_index_says_of_words)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "FT.CREATE i STOPWORDS 0 SCHEMA t TEXT", "+OK\r\n");
    run(h, "HSET a t \"to be\"");
    FINDS(h, "@t:(to be)", "a");
    run(h, "FT.DROPINDEX i");
    EXPECT_REPLY(h, 2, "FT.CREATE i STOPWORDS 1 Foo LANGUAGE german LANGUAGE_FIELD l SCHEMA t TEXT",
                 "+OK\r\n");
    run(h, "HSET b t \"foo h\xc3\xa4user\"");
    run(h, "HSET c t \"running horses\" l english");
    FINDS(h, "foo", "");
    FINDS(h, "h\xc3\xa4usern", "b");
    FINDS_BY(h, "horse", "LANGUAGE english", "c");
    FINDS_BY(h, "horse", "LANGUAGE klingon", "-No such language klingon");
    FINDS_BY(h, "horse", "SCORER best", "-No such scorer best");
    EXPECT_REPLY(h, 2, "FT.CREATE j LANGUAGE klingon SCHEMA t TEXT",
                 "-Invalid language: `klingon`\r\n");
    harness_free(h);
}

TEST(text_search, an_index_has_what_its_filter_lets_in)
{
    struct harness *h = harness_new();
    run(h, "HSET a t old n 9");
    run(h, "FT.CREATE i FILTER \"@n > 5 && startswith(@__key, 'a')\" SCHEMA t TEXT n AS m TAG");
    run(h, "HSET b t other n 9");
    run(h, "HSET a1 t one n 10");
    run(h, "HSET a2 t two");
    FINDS_BY(h, "*", "SORTBY t", "a a1");
    run(h, "HSET a n 3");
    run(h, "HSET a2 n 6");
    FINDS_BY(h, "*", "SORTBY t", "a1 a2");
    EXPECT_PART(h, 2, "FT.CREATE j FILTER \"@n >\" SCHEMA t TEXT", "-Syntax error");
    EXPECT_REPLY(h, 2, "FT.CREATE j FILTER 1 FILTER 1 SCHEMA t TEXT", "-FILTER is given twice\r\n");
    EXPECT_REPLY(h, 2, "FT.CREATE j MAXTEXTFIELDS NOHL FILTER",
                 "-Bad arguments for FILTER: Expected an argument, but "
                 "none provided\r\n");
    harness_free(h);
}

TEST(text_search, sorts_by_texts_that_are_sortable_or_not)
{
    struct harness *h = harness_new();
    run(h, "FT.CREATE i SCHEMA t TEXT s TEXT SORTABLE");
    run(h, "HSET a t pear s Pear");
    run(h, "HSET b t apple s apple");
    run(h, "HSET c t fig s Fig");
    FINDS_BY(h, "*", "SORTBY t", "b c a");
    FINDS_BY(h, "*", "SORTBY t DESC LIMIT 1 1", "c");
    FINDS_BY(h, "*", "SORTBY s", "b c a");
    FINDS_BY(h, "pear|fig", "SORTBY t", "c a");
    FINDS_BY(h, "pear|fig|apple", "SORTBY s LIMIT 2 5", "a");
    harness_free(h);
}

/* -- limits ------------------------------------------------------------------------------------ */

/* before, `count` times part with the number of the time in place of #, after. */
static const char *repeated(const char *before, const char *part, size_t count, const char *after)
{
    static char line[32 * 1024];
    size_t size = (size_t)snprintf(line, sizeof(line), "%s", before);
    const char *mark = strchr(part, '#');
    int head = mark == NULL ? (int)strlen(part) : (int)(mark - part);
    for (size_t i = 0; i < count; i++) {
        size += (size_t)snprintf(line + size, sizeof(line) - size, "%.*s", head, part);
        if (mark != NULL)
            size += (size_t)snprintf(line + size, sizeof(line) - size, "%zu%s", i, mark + 1);
    }
    size += (size_t)snprintf(line + size, sizeof(line) - size, "%s", after);
    REQUIRE(size < sizeof(line));
    return line;
}

TEST(text_search, a_filter_reads_so_many_fields_and_not_one_more)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2,
                 repeated("FT.CREATE i FILTER \"@f < 1", " || @f# > 1", INDEX_FILTER_NAMES_MAX - 1,
                          "\" SCHEMA t TEXT"),
                 "+OK\r\n");
    EXPECT_REPLY(h, 2,
                 repeated("FT.CREATE j FILTER \"@f < 1", " || @f# > 1", INDEX_FILTER_NAMES_MAX,
                          "\" SCHEMA t TEXT"),
                 "-FILTER reads at most 64 fields\r\n");
    harness_free(h);
}

TEST(text_search, words_nest_as_deep_as_queries)
{
    struct harness *h = open_words();
    char query[LIMIT_QUERY_DEPTH * 4];
    for (size_t depth = LIMIT_QUERY_DEPTH - 3; depth < LIMIT_QUERY_DEPTH; depth++) {
        size_t size = 0;
        for (size_t i = 0; i < depth; i++)
            query[size++] = '(';
        memcpy(query + size, "quick", 5);
        size += 5;
        for (size_t i = 0; i < depth; i++)
            query[size++] = ')';
        query[size] = '\0';
        FINDS(h, query, "d:3");
    }
    FINDS(h, repeated("", "(", LIMIT_QUERY_DEPTH, "quick"),
          "-the query has more than 128 levels of nesting");
    harness_free(h);
}

TEST(text_search, a_query_has_so_many_groups_of_words_and_not_one_more)
{
    struct harness *h = open_words();
    EXPECT_PART(h, 2,
                repeated("FT.SEARCH i \"", "(@c:{x} quick#)|", LIMIT_PARAMS - 1,
                         "(@c:{x} quick)\" NOCONTENT"),
                "d:3");
    EXPECT_REPLY(
        h, 2,
        repeated("FT.SEARCH i \"", "(@c:{x} quick#)|", LIMIT_PARAMS, "(@c:{x} quick)\" NOCONTENT"),
        "-a query has at most 256 groups of words\r\n");
    harness_free(h);
}

TEST(text_search, of_a_very_long_word_the_start_counts)
{
    struct harness *h = open_words();
    run(h, repeated("HSET d:7 t ", "x", TEXT_WORD_MAX + 1, ""));
    EXPECT_PART(h, 2, repeated("FT.SEARCH i ", "x", TEXT_WORD_MAX, " NOCONTENT"), "d:7");
    EXPECT_PART(h, 2, repeated("FT.SEARCH i ", "x", TEXT_WORD_MAX + 9, " NOCONTENT"), "d:7");
    EXPECT_NO_PART(h, 2, repeated("FT.SEARCH i ", "x", TEXT_WORD_MAX - 1, " NOCONTENT"), "d:7");
    harness_free(h);
}

TEST(text_search, info_counts_words)
{
    struct harness *h = harness_new();
    run(h, "FT.CREATE i STOPWORDS 1 foo SCHEMA t TEXT WEIGHT 1.5 NOSTEM");
    run(h, "HSET a t \"one two two\"");
    run(h, "HSET b t \"foo one\"");
    EXPECT_PART(h, 2, "FT.INFO i", "num_terms\r\n$1\r\n2\r\n");
    EXPECT_PART(h, 2, "FT.INFO i", "num_records\r\n$1\r\n3\r\n");
    EXPECT_PART(h, 2, "FT.INFO i", "stopwords_list\r\n*1\r\n$3\r\nfoo\r\n");
    EXPECT_PART(h, 2, "FT.INFO i", "WEIGHT\r\n$3\r\n1.5\r\n$6\r\nNOSTEM\r\n");
    harness_free(h);
}

TEST(text_search, words_beyond_ascii_have_a_limit)
{
    enum { LETTER = 3 /* bytes */ };
    struct harness *h = open_words();
    struct buf query = BUF_INIT(MEM_SCRATCH);
    for (size_t i = 0; i < LIMIT_QUERY_WIDE / LETTER; i++)
        buf_append_text(&query, i % 100 == 99 ? "\xe4\xbd\xa0 " : "\xe4\xbd\xa0");
    for (size_t over = 0; over < 2; over++) {
        struct slice line[] = {slice_of("FT.SEARCH"), slice_of("i"), buf_slice(&query)};
        struct slice reply = harness_run_args(h, 2, line, COUNT_OF(line));
        EXPECT((reply.ptr[0] == '-') == (over == 1));
        buf_append_text(&query, "\xe4\xbd\xa0");
    }
    buf_fini(&query);
    harness_free(h);
}
