/* Finding elements by their attributes: VQUERY, VCOUNT, VREMWHERE, VSCAN, and what VSEARCH and VGET
 * show of them: OFFSET, RADIUS, RETURN, TIMEOUT. */
#include <stdlib.h>

#include "base/limits.h"
#include "integration/peer.h"

/* clang-format off */
#define BOOKS                                                                                      \
    {"VCREATE c DIM 2 METRIC L2", "+OK"},                                                          \
    {"VMADD c FP32 5 a b c d e {f32 0 0 1 0 2 0 3 0 4 0} ATTRS 5 "                                 \
     "'{\"y\":1980,\"g\":\"drama\"}' '{\"y\":1999,\"g\":\"crime\",\"in\":{\"n\":7}}' "             \
     "'{\"y\":\"1970\",\"g\":\"drama\"}' '{\"y\":2004.5,\"g\":null,\"l\":[1,\"x\"]}' ''",          \
     "[:1 :1 :1 :1 :1]"}
/* clang-format on */

TEST(query, vcount_counts_all_or_what_matches)
{
    PLAY(BOOKS, {"VCOUNT c", ":5"}, {"VCOUNT c '.g == \"drama\"'", ":2"},
         {"VCOUNT c '.y >= $y' PARAMS 2 y 1975", ":3"}, {"VCOUNT c 'exists(.l)'", ":1"},
         {"VCOUNT c '.nothing == 1'", ":0"}, {"VCOUNT c '.y >'", "-ERR syntax error in FILTER ..."},
         {"VCOUNT c '.y > $z'", "-ERR FILTER expression names $z, which PARAMS does not give"},
         {"VCOUNT nokey", "-ERR no such collection 'nokey'; create it with VCREATE nokey DIM n"});
}

TEST(query, vquery_sorts_numbers_before_strings_and_the_rest_last)
{
    PLAY(BOOKS, {"VQUERY c 'exists(.y)' SORTBY y", "['a' 'b' 'd' 'c']"},
         {"VQUERY c 'exists(.y)' SORTBY y DESC", "['c' 'd' 'b' 'a']"},
         {"VQUERY c 'exists(.g)' SORTBY g", "['b' 'a' 'c' 'd']"},
         {"VQUERY c 'exists(.g)' SORTBY .g DESC", "['a' 'c' 'b' 'd']"},
         {"VQUERY c 'exists(.y)' SORTBY y ASC COUNT 2", "['a' 'b']"},
         {"VQUERY c 'exists(.y)' SORTBY y COUNT 2 OFFSET 1", "['b' 'd']"},
         {"VQUERY c 'exists(.y)' SORTBY y OFFSET 4", "[]"},
         {"VQUERY c '1' SORTBY in.n", "['b' 'a' 'c' 'd']"});
}

TEST(query, vquery_shows_what_it_is_asked_for)
{
    PLAY(BOOKS, {"VQUERY c '.y == 1999'", "['b']"}, {"VQUERY c '.y == 3'", "[]"},
         {"VQUERY c '.y == $y' PARAMS 2 y 1980 RETURN 3 g y nothing",
          "[['a' ['drama' '1980' nil]]]"},
         {"VQUERY c '.y > 2000' RETURN 4 l l[1] g y", "[['d' ['[1,\"x\"]' 'x' nil '2004.5']]]"},
         {"VQUERY c '.y == 1999' RETURN 2 in .in.n", "[['b' ['{\"n\":7}' '7']]]"},
         {"VQUERY c '.y == 1980' WITHATTRIBS WITHVECTORS RETURN 1 y",
          "[['a' '{\"y\":1980,\"g\":\"drama\"}' ['0' '0'] ['1980']]]",
          "[['a' '{\"y\":1980,\"g\":\"drama\"}' [,0 ,0] ['1980']]]"},
         {"VQUERY c '.y == 1999' TIMEOUT 10000", "[+complete ['b']]"});
}

TEST(query, strings_with_escapes_sort_and_show_by_what_they_stand_for)
{
    PLAY({"VCREATE c DIM 1 METRIC L2", "+OK"},
         {"VMADD c FP32 3 x y z {f32 1 2 3} ATTRS 3 '{\"s\":\"b\\u0061\"}' '{\"s\":\"az\"}' "
          "'{\"s\":\"b\"}'",
          "[:1 :1 :1]"},
         {"VQUERY c 'exists(.s)' SORTBY s RETURN 1 s",
          "[['y' ['az']] ['z' ['b']] ['x' ['ba']]]"});
}

TEST(query, vquery_refuses_what_contradicts_itself)
{
    PLAY(BOOKS, {"VQUERY c '1' DESC", "-ERR ASC and DESC go with SORTBY"},
         {"VQUERY c '1' SORTBY y ASC DESC", "-ERR ..."},
         {"VQUERY c '1' SORTBY 'a b'",
          "-ERR SORTBY: 'a b' is not a field: write year, a.b or a[0]"},
         {"VQUERY c '1' RETURN 1 ''", "-ERR RETURN: '' is not a field: write year, a.b or a[0]"},
         {"VQUERY c '1' RETURN 0", "-ERR RETURN: the count must be an integer between 1 and "
                                     "1000000"},
         {"VQUERY c '1' RETURN 2 a", "-ERR RETURN: 2 arguments announced, 1 follow"},
         {"VQUERY c '1' RAW", "-ERR RAW goes after WITHVECTORS"},
         {"VQUERY c '1' COUNT 0", "-ERR COUNT must be an integer between 1 and 1000000, got '0'"},
         {"VQUERY c '1' COUNT 1000000 OFFSET 1", "-ERR OFFSET and COUNT together are at most "
                                                 "1000000"},
         {"VQUERY c '1' TIMEOUT 0", "-ERR TIMEOUT must be an integer between 1 and 3600000, got "
                                    "'0'"},
         {"VQUERY c", "-ERR wrong number of arguments for 'VQUERY' command"},
         {"VQUERY nokey '1'",
          "-ERR no such collection 'nokey'; create it with VCREATE nokey DIM n"});
}

/* A field more than RETURN takes, and as many. */
TEST(query, return_takes_as_many_fields_as_the_limit_says)
{
    struct buf line = BUF_INIT(MEM_TEST);
    for (int count = LIMIT_RETURN_FIELDS; count <= LIMIT_RETURN_FIELDS + 1; count++) {
        struct peer *p = peer_fresh(2);
        SAYS(p, "VCREATE c DIM 1", "+OK");
        line.len = 0;
        buf_printf(&line, "VQUERY c '1' RETURN %d", count);
        for (int i = 0; i < count; i++)
            buf_printf(&line, " f%d", i);
        buf_append_byte(&line, 0);
        SAYS(p, (const char *)line.ptr,
             count == LIMIT_RETURN_FIELDS ? "[]" : "-ERR RETURN: at most 64 fields");
    }
    buf_fini(&line);
}

TEST(query, vremwhere_removes_what_matches)
{
    PLAY(BOOKS, {"VREMWHERE c '.g == $g' PARAMS 2 g drama", ":2"}, {"VCARD c", ":3"},
         {"VREMWHERE c '.g == $g' PARAMS 2 g drama", ":0"},
         {"VSEARCH c VALUES 2 0 0", "['b' 'd' 'e']"}, {"VREMWHERE c 'exists(.y)'", ":2"},
         {"VQUERY c 'exists(.y)'", "[]"}, {"VCARD c", ":1"},
         {"VREMWHERE c '.y +'", "-ERR syntax error in FILTER ..."},
         {"VREMWHERE nokey '1'",
          "-ERR no such collection 'nokey'; create it with VCREATE nokey DIM n"},
         {"EXISTS c", ":1"});
}

TEST(query, vremwhere_in_a_transaction_is_one_change_with_the_others)
{
    PLAY(BOOKS, {"MULTI", "+OK"}, {"VREMWHERE c '.y < 1990'", "+QUEUED"}, {"VCARD c", "+QUEUED"},
         {"VCOUNT c 'exists(.g)'", "+QUEUED"}, {"VQUERY c 'exists(.g)' SORTBY y", "+QUEUED"},
         {"EXEC", "[:2 :3 :2 ['b' 'd']]"}, {"VCARD c", ":3"});
}

TEST(query, vremwhere_takes_the_last_element_of_an_implicit_set_with_its_key)
{
    PLAY({"VADD s VALUES 1 1 a SETATTR '{\"n\":1}'", ":1", "#t"}, {"VREMWHERE s '.n == 1'", ":1"},
         {"EXISTS s", ":0"});
}

/* More than one slice, and all of it while others ask. */
TEST(query, vremwhere_removes_thousands_while_others_search)
{
    enum { BATCHES = 8, SIZE = 1000 };
    struct peer *p = peer_fresh(2);
    struct buf line = BUF_INIT(MEM_TEST);
    SAYS(p, "VCREATE c DIM 1 METRIC L2", "+OK");
    for (int b = 0; b < BATCHES; b++) {
        line.len = 0;
        buf_printf(&line, "VMADD c FP32 %d", SIZE);
        for (int i = 0; i < SIZE; i++)
            buf_printf(&line, " e%d", b * SIZE + i);
        buf_printf(&line, " {f32");
        for (int i = 0; i < SIZE; i++)
            buf_printf(&line, " %d", b * SIZE + i);
        buf_printf(&line, "} ATTRS %d", SIZE);
        for (int i = 0; i < SIZE; i++)
            buf_printf(&line, " '{\"n\":%d}'", i);
        buf_append_byte(&line, 0);
        (void)ask(p, (const char *)line.ptr);
    }
    SAYS(p, "VCARD c", ":8000");
    SAYS(p, "VREMWHERE c '.n % 2 == 1'", ":4000");
    SAYS(p, "VCARD c", ":4000");
    SAYS(p, "VCOUNT c '.n % 2 == 1'", ":0");
    SAYS(p, "VSEARCH c VALUES 1 11 COUNT 2", "['e10' 'e12']");
    buf_fini(&line);
}

TEST(query, vscan_returns_every_id_in_steps)
{
    struct peer *p = peer_fresh(2);
    SAYS(p, "VCREATE c DIM 1 METRIC L2", "+OK");
    char line[64];
    for (int i = 0; i < 300; i++) {
        (void)snprintf(line, sizeof(line), "VADD c VALUES 1 %d id%d", i, i);
        SAYS(p, line, ":1");
    }
    bool seen[300] = {false};
    unsigned long long cursor = 0;
    int calls = 0;
    do {
        (void)snprintf(line, sizeof(line), "VSCAN c %llu COUNT 20", cursor);
        const char *reply = ask(p, line);
        REQUIRE(sscanf(reply, "['%llu'", &cursor) == 1);
        for (const char *at = strstr(reply, "'id"); at != NULL; at = strstr(at + 1, "'id"))
            seen[strtoul(at + 3, NULL, 10) % 300] = true;
        calls++;
    } while (cursor != 0 && calls < 1000);
    EXPECT(calls > 5 && calls < 100);
    for (int i = 0; i < 300; i++)
        EXPECT(seen[i]);
}

TEST(query, vscan_matches_patterns_and_refuses_wrong_cursors)
{
    PLAY(BOOKS, {"VSCAN c 0 COUNT 1000 MATCH [bx]", "['0' ['b']]"},
         {"VSCAN c x", "-ERR invalid cursor"}, {"VSCAN c -1", "-ERR invalid cursor"},
         {"VSCAN c 0 COUNT 0", "-ERR COUNT must be ..."}, {"VSCAN c 0 MATCH", "-ERR MATCH: ..."},
         {"VSCAN nokey 0", "-ERR no such collection 'nokey'; create it with VCREATE nokey DIM n"});
}

TEST(query, vsearch_passes_over_offset_and_stays_within_radius)
{
    PLAY(BOOKS, {"VSEARCH c VALUES 2 0 0 OFFSET 1 COUNT 2", "['b' 'c']"},
         {"VSEARCH c VALUES 2 0 0 OFFSET 4", "['e']"}, {"VSEARCH c VALUES 2 0 0 OFFSET 9", "[]"},
         {"VSEARCH c VALUES 2 0 0 RADIUS 4", "['a' 'b' 'c']"},
         {"VSEARCH c VALUES 2 0 0 RADIUS 4 OFFSET 2 WITHDIST", "[['c' '4']]", "[['c' ,4]]"},
         {"VSEARCH c VALUES 2 0 0 RADIUS -1", "[]"},
         {"VSEARCH c VALUES 2 0 0 RADIUS x", "-ERR RADIUS: ..."},
         {"VSEARCH c VALUES 2 0 0 OFFSET -1", "-ERR OFFSET must be an integer between 0 and "
                                              "1000000, got '-1'"},
         {"VSEARCH c VALUES 2 0 0 OFFSET 1000000", "-ERR OFFSET and COUNT together are at most "
                                                   "1000000"},
         {"VMSEARCH c 2 {f32 0 0 4 0} COUNT 1 OFFSET 1 RADIUS 0.5", "[[] []]"},
         {"VMSEARCH c 2 {f32 0 0 4 0} COUNT 1 OFFSET 1", "[['b'] ['d']]"});
}

TEST(query, vsearch_and_vget_return_fields)
{
    PLAY(BOOKS, {"VSEARCH c VALUES 2 0 0 COUNT 2 RETURN 1 y", "[['a' ['1980']] ['b' ['1999']]]"},
         {"VSEARCH c VALUES 2 4 0 COUNT 1 WITHDIST RETURN 2 y g", "[['e' '0' [nil nil]]]",
          "[['e' ,0 [nil nil]]]"},
         {"VGET c 2 d nothere RETURN 2 y l[0]", "[['d' ['2004.5' '1']] nil]"},
         {"VGET c 1 b WITHVECTORS RETURN 1 g", "[['b' ['1' '0'] ['crime']]]",
          "[['b' [,1 ,0] ['crime']]]"},
         {"VGET c 1 b RETURN 1 a..b", "-ERR RETURN: 'a..b' is not a field: write year, a.b or "
                                      "a[0]"});
}

TEST(query, with_timeout_a_search_says_whether_it_is_complete)
{
    PLAY(BOOKS, {"VSEARCH c VALUES 2 0 0 COUNT 1 TIMEOUT 10000", "[+complete ['a']]"},
         {"VMSEARCH c 2 {f32 0 0 4 0} COUNT 1 TIMEOUT 10000",
          "[[+complete ['a']] [+complete ['e']]]"},
         {"VSEARCH c VALUES 2 0 0 TIMEOUT 3600001", "-ERR TIMEOUT must be ..."});
}
