/* Collections: VCREATE, VADD, VMADD, VGET, VSEARCH, VMSEARCH, VDROP, VLIST, VINFO as COMMANDS says.
 */
#include "integration/peer.h"

/* clang-format off */
#define SQUARE                                                                                     \
    {"VCREATE c DIM 2 METRIC L2", "+OK"},                                                          \
    {"VMADD c FP32 3 o x y {f32 0 0 1 0 0 2} ATTRS 3 '{\"n\":0}' '{\"n\":1}' ''", "[:1 :1 :1]"}
/* clang-format on */

TEST(collection, is_created_listed_described_and_dropped)
{
    PLAY({"VLIST", "[]"}, {"VCREATE c DIM 3", "+OK"}, {"VLIST", "['c']"}, {"TYPE c", "+vectorset"},
         {"VCARD c", ":0"}, {"VDIM c", ":3"}, {"VDROP c", "+OK"}, {"VLIST", "[]"},
         {"VDROP c", "-ERR no such collection 'c'; create it with VCREATE c DIM n"},
         {"EXISTS c", ":0"});
}

TEST(collection, vinfo_tells_the_fields_of_redis_and_its_own)
{
    static const char fields[] =
        "+quant-type +int8 +hnsw-m :8 +vector-dim :3 +projection-input-dim :0 +size :0 "
        "+max-level :0 +attributes-count :0 +vset-uid :@ +hnsw-max-node-uid :@ +metric +IP "
        "+type +FP32 +index +HNSW +index-now +FLAT +quant +SQ8 +originals +DROP "
        "+ef-construction :77 +ef :55 +pending :0 +dead-rows :0 +free-rows :0 "
        "+memory-bytes :@ +bytes-per-vector :0 +element-ttl :0 +max-len :0 +max-bytes :0 "
        "+evict +REFUSE +evicted :0 +element-bytes :0 +expiring :0 +partitions :1 +schema [] "
        "+altering +no +altering-to + +altering-rows :0 +altering-bytes :0 +serving-bytes :@";
    char two[1024], three[1024];
    (void)snprintf(two, sizeof(two),
                   "[%s +recall '0' +recall-low '0' +recall-high '1' +recall-checks :0 "
                   "+calibration +exact +calibration-queries :0 +dead-ratio '0' +repair-rows :0]",
                   fields);
    (void)snprintf(three, sizeof(three),
                   "{%s +recall ,0 +recall-low ,0 +recall-high ,1 +recall-checks :0 "
                   "+calibration +exact +calibration-queries :0 +dead-ratio ,0 +repair-rows :0}",
                   fields);
    for (int proto = 2; proto <= 3; proto++) {
        struct peer *p = peer_fresh(proto);
        SAYS(p,
             "VCREATE c DIM 3 METRIC IP TYPE FP32 INDEX HNSW M 8 EFC 77 QUANT SQ8 EF 55 "
             "ORIGINALS DROP",
             "+OK");
        SAYS(p, "VINFO c", proto == 2 ? two : three);
    }
}

/* Whether VINFO says the words, in RESP3, by and by or at once. */
static bool info_says(struct peer *p, const char *words, bool at_once)
{
    struct buf line = BUF_INIT(MEM_TEST);
    const uint64_t end = now_us() + (at_once ? 0 : REPLY_MS * 1000ull);
    bool says;
    command_bytes("VINFO c", &line);
    do {
        REQUIRE(peer_send(p, line.ptr, line.len));
        says = strstr(peer_reply(p, REPLY_MS), words) != NULL;
    } while (!says && now_us() < end);
    buf_fini(&line);
    return says;
}

/* Few dead rows wait a second for more. */
TEST(collection, vinfo_tells_of_dead_rows_until_they_are_swept)
{
    struct peer *p = peer_fresh(3);
    SAYS(p, "CONFIG SET flat-rows-max 50", "+OK");
    SAYS(p, "VCREATE c DIM 2", "+OK");
    for (unsigned i = 0; i < 80; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "VADD c JSON '[%u,7]' e%u", i, i);
        SAYS(p, line, "#t");
    }
    EXPECT(info_says(p, "+pending :0 +dead-rows :0 +free-rows :0 ", false));
    SAYS(p, "VREM c e5", "#t");
    EXPECT(info_says(p, "+pending :0 +dead-rows :1 +free-rows :0 ", true));
    EXPECT(info_says(p, "+dead-ratio ,0.0125 +repair-rows :0}", true));
    EXPECT(info_says(p, "+dead-rows :0 +free-rows :1 ", false));
    EXPECT(info_says(p, "+dead-ratio ,0 +repair-rows :0}", true));
    SAYS(p, "CONFIG SET flat-rows-max 2000", "+OK");
}

TEST(collection, vlist_matches_patterns_and_lists_implicit_sets)
{
    PLAY({"VCREATE docs DIM 1", "+OK"}, {"VADD dots VALUES 1 1 a", ":1", "#t"},
         {"SET doxs text", "+OK"}, {"VLIST MATCH do?s", "['do...", "['do..."},
         {"VLIST MATCH doc*", "['docs']"}, {"VLIST MATCH doxs", "[]"},
         {"VLIST MATCH d[ou]t*", "['dots']"}, {"VLIST MATCH", "-ERR MATCH: ..."});
}

TEST(collection, is_not_created_twice)
{
    PLAY({"VCREATE c DIM 2", "+OK"},
         {"VCREATE c DIM 2", "-ERR collection 'c' exists already; VDROP it first, or say "
                             "IFNOTEXISTS"},
         {"VCREATE c DIM 2 IFNOTEXISTS", "+OK"},
         {"VCREATE c DIM 3 IFNOTEXISTS", "-ERR the collection exists already with DIM 2"},
         {"SET s text", "+OK"},
         {"VCREATE s DIM 2", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
         {"VDIM c", ":2"}, {"GET s", "'text'"});
}

TEST(collection, distances_are_those_of_the_metric)
{
    PLAY({"VCREATE l DIM 2 METRIC L2", "+OK"}, {"VCREATE i DIM 2 METRIC IP", "+OK"},
         {"VCREATE c DIM 2 METRIC COSINE", "+OK"}, {"VMADD l FP32 2 a b {f32 1 0 3 4}", "[:1 :1]"},
         {"VMADD i FP32 2 a b {f32 1 0 3 4}", "[:1 :1]"},
         {"VMADD c FP32 2 a b {f32 1 0 3 4}", "[:1 :1]"},
         {"VSEARCH l VALUES 2 1 0 WITHDIST", "[['a' '0'] ['b' '20']]", "[['a' ,0] ['b' ,20]]"},
         {"VSEARCH i VALUES 2 1 0 WITHDIST", "[['b' '~-2'] ['a' '~0']]", "[['b' ,~-2] ['a' ,~0]]"},
         {"VSEARCH c VALUES 2 1 0 WITHDIST", "[['a' '~0'] ['b' '~0.4']]",
          "[['a' ,~0] ['b' ,~0.4]]"});
}

TEST(collection, vsearch_gives_ids_or_an_array_for_each)
{
    PLAY(SQUARE, {"VSEARCH c VALUES 2 0.1 0", "['o' 'x' 'y']"},
         {"VSEARCH c ELE x", "['x' 'o' 'y']"}, {"VSEARCH c JSON '[0,2]' COUNT 1", "['y']"},
         {"VSEARCH c ELE x WITHATTRIBS", "[['x' '{\"n\":1}'] ['o' '{\"n\":0}'] ['y' nil]]"},
         {"VSEARCH c ELE x COUNT 2 WITHDIST WITHATTRIBS",
          "[['x' '0' '{\"n\":1}'] ['o' '1' '{\"n\":0}']]",
          "[['x' ,0 '{\"n\":1}'] ['o' ,1 '{\"n\":0}']]"},
         {"VSEARCH c ELE y COUNT 1 WITHVECTORS", "[['y' ['0' '2']]]", "[['y' [,0 ,2]]]"},
         {"VSEARCH c ELE x COUNT 1 WITHVECTORS RAW",
          "[['x' '\\x00\\x00\\x80?\\x00\\x00\\x00\\x00']]"},
         {"VSEARCH c ELE x COUNT 1 WITHVECTORS WITHATTRIBS WITHDIST",
          "[['x' '0' '{\"n\":1}' ['1' '0']]]", "[['x' ,0 '{\"n\":1}' [,1 ,0]]]"});
}

TEST(collection, vsearch_filters_with_parameters)
{
    PLAY(SQUARE, {"VSEARCH c ELE o FILTER '.n >= 1'", "['x']"},
         {"VSEARCH c ELE o FILTER '.n == $v' PARAMS 2 v 0", "['o']"},
         {"VSEARCH c ELE o PARAMS 4 low 0 high 1 FILTER '.n >= $low and .n < $high'", "['o']"},
         {"VSEARCH c ELE o FILTER 'exists(.n) and not .n == 0'", "['x']"},
         {"VSEARCH c ELE o FILTER '.n == $v'", "-ERR ..."},
         {"VSEARCH c ELE o FILTER '.n == $v' PARAMS 2 w 0", "-ERR ..."},
         {"VSEARCH c ELE o PARAMS 2 v 0", "-ERR PARAMS without FILTER"},
         {"VSEARCH c ELE o FILTER '.n == $v' PARAMS 1 v", "-ERR PARAMS: ..."},
         {"VSEARCH c ELE o FILTER '.n == $v' PARAMS 4 v 0", "-ERR PARAMS: ..."},
         {"VSEARCH c ELE o FILTER '.n == $v' PARAMS 0", "-ERR PARAMS: ..."});
}

TEST(collection, vmsearch_replies_an_array_per_query)
{
    PLAY(SQUARE, {"VMSEARCH c 2 {f32 0.1 0 0 2} COUNT 2", "[['o' 'x'] ['y' 'o']]"},
         {"VMSEARCH c 1 {f32 1 0} COUNT 1 WITHDIST", "[[['x' '0']]]", "[[['x' ,0]]]"},
         {"VMSEARCH c 2 {f32 1 0}", "-ERR the blob has 8 bytes, 2 queries of 2 floats need 16: "
                                    "float16 blob?"},
         {"VMSEARCH c 1 {f32 1 nan}", "-ERR value 1 of the vector is not a finite number"},
         {"VMSEARCH c 0 ''", "-ERR n must be an integer between 1 and 1000000, got '0'"},
         {"VMSEARCH c 1000001 ''", "-ERR n must be an integer between 1 and 1000000, got "
                                   "'1000001'"},
         {"VMSEARCH c -1 {f32 1 0}", "-ERR n must be an integer between 1 and 1000000, got '-1'"});
}

TEST(collection, vget_gives_attributes_and_vectors_by_id)
{
    PLAY(SQUARE, {"VGET c 3 x nothere y", "[['x' '{\"n\":1}'] nil ['y' nil]]"},
         {"VGET c 1 y WITHVECTORS", "[['y' nil ['0' '2']]]", "[['y' nil [,0 ,2]]]"},
         {"VGET c 1 x WITHVECTORS RAW",
          "[['x' '{\"n\":1}' '\\x00\\x00\\x80?\\x00\\x00\\x00\\x00']]"},
         {"VGET c 2 x", "-ERR id: 2 arguments announced, 1 follow"}, {"VGET c 0 x", "-ERR id: ..."},
         {"VGET c -1 x", "-ERR id: ..."}, {"VGET c 1 x RAW", "-ERR RAW goes after WITHVECTORS"},
         {"VGET c 1 x y", "-ERR y: unknown option of VGET, ..."});
}

TEST(collection, vmadd_says_of_each_element_what_became_of_it)
{
    PLAY(SQUARE, {"VMADD c FP32 2 x z {f32 5 5 6 6}", "[:0 :1]"},
         {"VGET c 1 x", "[['x' '{\"n\":1}']]"},
         {"VMADD c FP32 3 p q r {f32 1 1 nan 1 2 2}",
          "[:1 -ERR value 0 of the vector is not a finite number :1]"},
         {"VMADD c FP32 2 s s {f32 1 1 9 9}", "[:1 :@]"},
         {"VGET c 1 s WITHVECTORS", "[['s' nil ['9' '9']]]", "[['s' nil [,9 ,9]]]"},
         {"VMADD c FP32 1 {x 65536} {f32 1 1}", "[-ERR an id has at most 65535 bytes]"},
         {"VCARD c", ":7"});
}

TEST(collection, vmadd_refuses_what_does_not_add_up)
{
    PLAY(SQUARE,
         {"VMADD c FP32 2 a b {f32 1 0 1}", "-ERR the blob has 12 bytes, 2 ids of 2 floats "
                                            "need 16"},
         {"VMADD c FP32 2 a b {f64 1 0 1 0}", "-ERR the blob has 32 bytes, 2 ids of 2 floats need "
                                              "16: float64 blob?"},
         {"VMADD c FP32 1 a ''", "-ERR the blob has 0 bytes, ..."},
         {"VMADD c FP32 3 a b {f32 1 0}", "-ERR ..."},
         {"VMADD c FP32 0 a {f32 1 0}", "-ERR FP32: ..."},
         {"VMADD c FP32 x a {f32 1 0}", "-ERR FP32: ..."},
         {"VMADD c FP32 1000001 a {f32 1 0}", "-ERR FP32: ..."},
         {"VMADD c FP32 2 a b {f32 1 0 0 1} ATTRS 1 {}", "-ERR ATTRS: 1 attributes for 2 ids"},
         {"VMADD c FP32 1 a {f32 1 0} ATTRS 1", "-ERR ATTRS: 1 arguments announced, 0 follow"},
         {"VMADD c VALUES 1 a {f32 1 0}", "-ERR ..."}, {"VMADD c FP64 1 a {f64 1 0}", "-ERR ..."},
         {"VMADD nokey FP32 1 a {f32 1 0}",
          "-ERR no such collection 'nokey'; create it with VCREATE nokey DIM n"},
         {"VCARD c", ":3"}, {"VSEARCH c ELE o EXACT", "['o' 'x' 'y']"}, {"EXISTS nokey", ":0"});
}

TEST(collection, cosine_refuses_vectors_without_direction)
{
    PLAY({"VCREATE c DIM 2", "+OK"},
         {"VADD c VALUES 2 0 0 a", "-ERR a zero vector has no direction: COSINE cannot compare it"},
         {"VMADD c FP32 2 a b {f32 0 0 1 0}",
          "[-ERR a zero vector has no direction: COSINE cannot compare it :1]"},
         {"VSEARCH c VALUES 2 0 0", "-ERR a zero vector has no direction: COSINE cannot compare "
                                    "it"},
         {"VSEARCH c VALUES 2 1 0", "['b']"}, {"VCREATE l DIM 2 METRIC L2", "+OK"},
         {"VADD l VALUES 2 0 0 a", ":1", "#t"},
         {"VSEARCH l VALUES 2 0 0 WITHDIST", "[['a' '0']]", "[['a' ,0]]"});
}

TEST(collection, outlives_its_last_element)
{
    PLAY(SQUARE, {"VREM c o x y", ":3"}, {"VCARD c", ":0"}, {"EXISTS c", ":1"},
         {"VSEARCH c VALUES 2 1 0", "[]"}, {"VADD c VALUES 2 1 0 back", ":1", "#t"},
         {"VSEARCH c VALUES 2 1 0", "['back']"});
}

TEST(collection, vadd_options_of_vector_sets_must_match)
{
    PLAY({"VCREATE c DIM 2 INDEX HNSW M 8", "+OK"}, {"VADD c VALUES 2 1 0 a", ":1", "#t"},
         {"VADD c VALUES 2 1 0 b Q8 M 8", ":1", "#t"},
         {"VADD c VALUES 2 1 0 d NOQUANT", "-ERR asked quantization mismatch with existing vector "
                                           "set"},
         {"VADD c VALUES 2 1 0 d M 16", "-ERR asked M value mismatch with existing vector set"},
         {"VADD c FP32 {f64 1 0} d", "-ERR got 4 floats, collection has 2: float64 blob?"},
         {"VADD c FP32 abcd d", "-ERR got 4 bytes, collection has 2 floats: float16 blob?"},
         {"VADD c FP32 {f32 1 2 3} d", "-ERR Vector dimension mismatch - got 3 but set has 2"},
         {"VCARD c", ":2"});
}

TEST(collection, vsim_searches_it_too)
{
    PLAY({"VCREATE c DIM 2", "+OK"}, {"VMADD c FP32 2 a b {f32 1 0 0 1}", "[:1 :1]"},
         {"VSIM c ELE a WITHSCORES", "['a' '1' 'b' '0.5']", "{'a' ,1 'b' ,0.5}"},
         {"VEMB c b", "['0' '1']", "[,0 ,1]"}, {"VISMEMBER c b", ":1", "#t"});
}

TEST(collection, commands_that_need_one_say_how_to_make_it)
{
    PLAY({"VSEARCH k ELE a", "-ERR no such collection 'k'; create it with VCREATE k DIM n"},
         {"VMSEARCH k 1 {f32 1}", "-ERR no such collection 'k'; create it with VCREATE k DIM n"},
         {"VGET k 1 a", "-ERR no such collection 'k'; create it with VCREATE k DIM n"},
         {"VDROP k", "-ERR no such collection 'k'; create it with VCREATE k DIM n"},
         {"SET s text", "+OK"}, {"VSEARCH s ELE a", "-WRONGTYPE ..."},
         {"VDROP s", "-WRONGTYPE ..."}, {"VGET s 1 a", "-WRONGTYPE ..."},
         {"VMADD s FP32 1 a {f32 1}", "-WRONGTYPE ..."}, {"GET s", "'text'"});
}
