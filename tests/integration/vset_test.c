/* Redis 8 vector sets: every reply of every command, in RESP2 by hiredis and in RESP3. */
#include "integration/peer.h"

/* clang-format off */
#define VSET                                                                                       \
    {"VADD k VALUES 2 1 0 a", ":1", "#t"}, {"VADD k VALUES 2 0 1 b", ":1", "#t"},                  \
    {"VADD k VALUES 2 -1 0 c", ":1", "#t"}
/* clang-format on */

TEST(vset, vadd_says_whether_the_element_is_new)
{
    PLAY({"VADD k VALUES 2 1 0 a", ":1", "#t"}, {"VADD k VALUES 2 0 1 a", ":0", "#f"},
         {"VCARD k", ":1"}, {"VSIM k VALUES 2 0 1 WITHSCORES", "['a' '1']", "{'a' ,1}"});
}

TEST(vset, vadd_takes_its_options_in_any_order_and_case)
{
    PLAY({"VADD k FP32 {f32 1 0} a CAS Q8 EF 100 SETATTR '{\"x\":1}' M 16", ":1", "#t"},
         {"vadd k fp32 {f32 0 1} b m 16 setattr '{\"x\":2}' ef 200 q8 cas", ":1", "#t"},
         {"VADD k JSON '[ -1, 0e0 ]' c", ":1", "#t"}, {"VCARD k", ":3"},
         {"VGETATTR k b", "'{\"x\":2}'"}, {"TYPE k", "+vectorset"});
}

TEST(vset, every_quantization_is_named_by_vinfo)
{
    PLAY({"VADD f VALUES 2 1 0 a NOQUANT", ":1", "#t"}, {"VADD q VALUES 2 1 0 a Q8", ":1", "#t"},
         {"VADD b VALUES 2 1 0 a BIN", ":1", "#t"},
         {"VINFO f", "[+quant-type +f32 ...", "{+quant-type +f32 ..."},
         {"VINFO q", "[+quant-type +int8 ...", "{+quant-type +int8 ..."},
         {"VINFO b", "[+quant-type +bin ...", "{+quant-type +bin ..."});
}

TEST(vset, an_update_without_setattr_keeps_the_attribute)
{
    PLAY({"VADD k VALUES 2 1 0 a SETATTR '{\"x\":1}'", ":1", "#t"},
         {"VADD k VALUES 2 0 1 a", ":0", "#f"}, {"VGETATTR k a", "'{\"x\":1}'"},
         {"VADD k VALUES 2 0 1 a SETATTR '{\"x\":2}'", ":0", "#f"},
         {"VGETATTR k a", "'{\"x\":2}'"});
}

TEST(vset, vsim_replies_in_all_four_shapes)
{
    PLAY(VSET, {"VSETATTR k b '{\"y\":7}'", ":1", "#t"}, {"VSIM k ELE a", "['a' 'b' 'c']"},
         {"VSIM k VALUES 2 1 0 WITHSCORES", "['a' '1' 'b' '0.5' 'c' '0']",
          "{'a' ,1 'b' ,0.5 'c' ,0}"},
         {"VSIM k FP32 {f32 1 0} WITHATTRIBS", "['a' nil 'b' '{\"y\":7}' 'c' nil]",
          "{'a' nil 'b' '{\"y\":7}' 'c' nil}"},
         {"VSIM k ELE a WITHSCORES WITHATTRIBS", "['a' '1' nil 'b' '0.5' '{\"y\":7}' 'c' '0' nil]",
          "{'a' [,1 nil] 'b' [,0.5 '{\"y\":7}'] 'c' [,0 nil]}"},
         {"VSIM k ELE a WITHATTRIBS WITHSCORES COUNT 1", "['a' '1' nil]", "{'a' [,1 nil]}"});
}

TEST(vset, vsim_of_a_missing_key_is_an_empty_array_whatever_follows)
{
    PLAY({"VSIM k ELE a", "[]"}, {"VSIM k ELE a WITHSCORES", "[]"},
         {"VSIM k VALUES 3 1 2 3 WITHSCORES WITHATTRIBS COUNT 5", "[]"},
         {"VSIM k FP32 {f32 1} FILTER '.x =='", "[]"});
}

TEST(vset, vsim_takes_its_options_in_any_order)
{
    PLAY(VSET, {"VSIM k ELE a COUNT 2 EF 10 TRUTH NOTHREAD", "['a' 'b']"},
         {"VSIM k ELE a NOTHREAD TRUTH FILTER-EF 10 EF 1000000 COUNT 2", "['a' 'b']"},
         {"VSIM k ELE a EPSILON 0.5", "['a' 'b']"}, {"VSIM k ELE a EPSILON 0.49", "['a']"},
         {"VSIM k ELE a EPSILON 1", "['a' 'b' 'c']"},
         {"VSIM k ELE a COUNT 1 COUNT 3 COUNT 2", "['a' 'b']"});
}

TEST(vset, filters_compare_select_and_calculate)
{
    PLAY({"VADD k VALUES 2 1 0 a SETATTR '{\"y\":1980,\"g\":\"drama\",\"t\":[\"x\",\"z\"]}'", ":1",
          "#t"},
         {"VADD k VALUES 2 0 1 b SETATTR '{\"y\":1990,\"g\":\"comedy\",\"ok\":true}'", ":1", "#t"},
         {"VADD k VALUES 2 -1 0 c", ":1", "#t"},
         {"VADD k VALUES 2 -1 0.1 d SETATTR 'no json'", ":1", "#t"},
         {"VSIM k ELE a FILTER '.y >= 1980'", "['a' 'b']"},
         {"VSIM k ELE a FILTER '.y > 1980 and .g == \"comedy\"'", "['b']"},
         {"VSIM k ELE a FILTER '.y < 1985 || .g == \"comedy\"'", "['a' 'b']"},
         {"VSIM k ELE a FILTER '.g in [\"drama\", \"war\"]'", "['a']"},
         {"VSIM k ELE a FILTER '\"x\" in .t'", "['a']"},
         {"VSIM k ELE a FILTER '\"ram\" in .g'", "['a']"},
         {"VSIM k ELE a FILTER 'not (.y == 1980)'", "['b']"},
         {"VSIM k ELE a FILTER '(.y - 1900) * 2 / 4 % 7 == 5'", "['a']"},
         {"VSIM k ELE a FILTER '.y == 2 ** 3 * 200 + 390'", "['b']"},
         {"VSIM k ELE a FILTER '.ok == 1'", "['b']"},
         {"VSIM k ELE a FILTER '.ok == true'", "['b']"},
         {"VSIM k ELE a FILTER '.none == 1 or .y > 0'", "[]"},
         {"VSIM k ELE a FILTER '1 == 1'", "['a' 'b']"});
}

TEST(vset, vrem_says_whether_it_was_there_and_takes_the_empty_key_along)
{
    PLAY(VSET, {"VREM k nothere", ":0", "#f"}, {"VREM k a", ":1", "#t"}, {"VREM k a", ":0", "#f"},
         {"VREM k b", ":1", "#t"}, {"EXISTS k", ":1"}, {"VREM k c", ":1", "#t"}, {"EXISTS k", ":0"},
         {"VREM k c", ":0", "#f"}, {"VREM nokey a", ":0", "#f"}, {"TYPE k", "+none"});
}

TEST(vset, vrem_of_several_says_how_many)
{
    PLAY(VSET, {"VREM k a b a z", ":2"}, {"VCARD k", ":1"}, {"VREM k c c", ":1"},
         {"EXISTS k", ":0"});
}

TEST(vset, cardinality_dimension_and_membership)
{
    PLAY({"VCARD k", ":0"}, {"VDIM k", "-ERR key does not exist"}, {"VISMEMBER k a", ":0", "#f"},
         VSET, {"VCARD k", ":3"}, {"VDIM k", ":2"}, {"VISMEMBER k a", ":1", "#t"},
         {"VISMEMBER k z", ":0", "#f"});
}

TEST(vset, vemb_gives_the_vector_in_its_original_length)
{
    PLAY({"VADD k VALUES 2 3 4 a NOQUANT", ":1", "#t"}, {"VADD q VALUES 2 3 4 a", ":1", "#t"},
         {"VEMB k a", "['~3' '~4']", "[,~3 ,~4]"}, {"VEMB q a", "['~3' '~4']", "[,~3 ,~4]"},
         {"VEMB k z", "nil"}, {"VEMB nokey a", "nil"}, {"VEMB k z RAW", "nil"});
}

TEST(vset, vemb_raw_says_how_it_is_stored)
{
    PLAY({"VADD f VALUES 2 3 4 a NOQUANT", ":1", "#t"}, {"VADD q VALUES 2 3 4 a", ":1", "#t"},
         {"VADD b VALUES 2 3 -4 a BIN", ":1", "#t"},
         {"VEMB f a RAW", "[+f32 '\\x9a\\x99\\x19?\\xcd\\xccL?' '5']",
          "[+f32 '\\x9a\\x99\\x19?\\xcd\\xccL?' ,5]"},
         {"VEMB q a RAW", "[+int8 '_\\x7f' '5' '~0.8']", "[+int8 '_\\x7f' ,5 ,~0.8]"},
         {"VEMB b a RAW", "[+bin '\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00' '5']",
          "[+bin '\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00' ,5]"});
}

TEST(vset, vlinks_lists_neighbours_level_by_level)
{
    PLAY(VSET, {"VLINKS k z", "nil"}, {"VLINKS nokey a", "nil"},
         {"VADD one VALUES 2 1 0 a", ":1", "#t"}, {"VLINKS one a", "[[]...", "[[]..."});
}

TEST(vset, vlinks_gives_scores_flat_or_as_a_map)
{
    struct peer *two = peer_fresh(2);
    SAYS(two, "VADD k VALUES 2 1 0 a", ":1");
    SAYS(two, "VADD k VALUES 2 0 1 b", ":1");
    const char *plain = ask(two, "VLINKS k a");
    EXPECT(strstr(plain, "['b']]") != NULL);
    EXPECT(strstr(ask(two, "VLINKS k a WITHSCORES"), "['b' '0.5']]") != NULL);
    struct peer *three = peer_fresh(3);
    SAYS(three, "VADD k VALUES 2 1 0 a", "#t");
    SAYS(three, "VADD k VALUES 2 0 1 b", "#t");
    EXPECT(strstr(ask(three, "VLINKS k a"), "['b']]") != NULL);
    EXPECT(strstr(ask(three, "VLINKS k a withscores"), "{'b' ,0.5}]") != NULL);
}

TEST(vset, attributes_are_set_read_and_removed)
{
    PLAY(VSET, {"VGETATTR k a", "nil"}, {"VSETATTR k a '{\"x\":1}'", ":1", "#t"},
         {"VGETATTR k a", "'{\"x\":1}'"}, {"VSETATTR k a 'no json at all'", ":1", "#t"},
         {"VGETATTR k a", "'no json at all'"}, {"VSETATTR k a ''", ":1", "#t"},
         {"VGETATTR k a", "nil"}, {"VSETATTR k z '{}'", ":0", "#f"},
         {"VSETATTR nokey a '{}'", ":0", "#f"}, {"VGETATTR k z", "nil"},
         {"VGETATTR nokey a", "nil"}, {"EXISTS nokey", ":0"});
}

TEST(vset, vinfo_has_nine_fields_in_the_order_of_redis)
{
    PLAY({"VADD k VALUES 2 1 0 a SETATTR '{}'", ":1", "#t"}, {"VADD k VALUES 2 0 1 b", ":1", "#t"},
         {"VINFO k",
          "[+quant-type +int8 +hnsw-m :16 +vector-dim :2 +projection-input-dim :0 +size :2 "
          "+max-level :@ +attributes-count :1 +vset-uid :@ +hnsw-max-node-uid :@]",
          "{+quant-type +int8 +hnsw-m :16 +vector-dim :2 +projection-input-dim :0 +size :2 "
          "+max-level :@ +attributes-count :1 +vset-uid :@ +hnsw-max-node-uid :@}"},
         {"VADD m VALUES 2 1 0 a M 32", ":1", "#t"},
         {"VINFO m", "[+quant-type +int8 +hnsw-m :32 ...", "{+quant-type +int8 +hnsw-m :32 ..."},
         {"VINFO nokey", "nil"});
}

TEST(vset, vrandmember_gives_one_distinct_or_any)
{
    PLAY({"VADD k VALUES 2 1 0 a", ":1", "#t"}, {"VRANDMEMBER k", "'a'"},
         {"VRANDMEMBER k 5", "['a']"}, {"VRANDMEMBER k -3", "['a' 'a' 'a']"},
         {"VRANDMEMBER k 0", "[]"}, {"VRANDMEMBER nokey", "nil"}, {"VRANDMEMBER nokey 3", "[]"},
         {"VRANDMEMBER nokey -3", "[]"}, {"VRANDMEMBER k x", "-ERR COUNT value is not an integer"},
         {"VRANDMEMBER k 1.5", "-ERR COUNT value is not an integer"});
}

TEST(vset, vrandmember_with_a_count_repeats_nobody)
{
    struct peer *p = peer_fresh(2);
    for (int i = 0; i < 8; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "VADD k VALUES 2 1 %d %d", i, i);
        SAYS(p, line, ":1");
    }
    for (int count = 1; count <= 9; count++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "VRANDMEMBER k %d", count);
        const char *said = ask(p, line);
        bool seen[8] = {false};
        int got = 0;
        for (const char *at = strchr(said, '\''); at != NULL; at = strchr(at + 3, '\'')) {
            REQUIRE(at[1] >= '0' && at[1] < '8');
            EXPECT(!seen[at[1] - '0']);
            seen[at[1] - '0'] = true;
            got++;
        }
        EXPECT_EQ(got, count < 8 ? count : 8);
    }
}

TEST(vset, vrange_goes_by_bytes)
{
    PLAY({"VADD k VALUES 2 1 0 b", ":1", "#t"}, {"VADD k VALUES 2 1 0 a", ":1", "#t"},
         {"VADD k VALUES 2 1 0 \"\\xff\"", ":1", "#t"}, {"VADD k VALUES 2 1 0 ab", ":1", "#t"},
         {"VADD k VALUES 2 1 0 B", ":1", "#t"}, {"VRANGE k - +", "['B' 'a' 'ab' 'b' '\\xff']"},
         {"VRANGE k [a [b", "['a' 'ab' 'b']"}, {"VRANGE k (a (b", "['ab']"},
         {"VRANGE k - (a", "['B']"}, {"VRANGE k [b + 1", "['b']"},
         {"VRANGE k - + -1", "['B' 'a' 'ab' 'b' '\\xff']"}, {"VRANGE k - + 0", "[]"},
         {"VRANGE k [z [c", "[]"}, {"VRANGE nokey - +", "[]"},
         {"VRANGE k (", "-ERR wrong number of arguments..."});
}

#define TWENTY(first, second) "{f32 " first " " second " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0}"

TEST(vset, reduce_projects_what_comes_in)
{
    PLAY({"VADD k REDUCE 16 FP32 " TWENTY("1", "0") " a", ":1", "#t"}, {"VDIM k", ":16"},
         {"VADD k REDUCE 16 FP32 " TWENTY("0", "1") " b", ":1", "#t"},
         {"VSIM k FP32 " TWENTY("1", "0") " COUNT 1", "['a']"},
         {"VSIM k FP32 " TWENTY("0", "1") " COUNT 1", "['b']"}, {"VSIM k ELE b COUNT 1", "['b']"},
         {"VINFO k", "[+quant-type +int8 +hnsw-m :16 +vector-dim :16 +projection-input-dim :20 ...",
          "{+quant-type +int8 +hnsw-m :16 +vector-dim :16 +projection-input-dim :20 ..."});
}

TEST(vset, a_raw_resp2_client_sees_null_arrays_where_redis_sends_them)
{
    const struct served *s = served_shared();
    (void)peer_fresh(2);
    struct peer p;
    peer_open(&p, s);
    SAYS(&p, "VADD k VALUES 2 1 0 a", ":1");
    SAYS(&p, "VINFO nokey", "nil-array");
    SAYS(&p, "VEMB k z", "nil");
    SAYS(&p, "VLINKS k z", "nil");
    SAYS(&p, "VGETATTR k z", "nil");
    SAYS(&p, "VRANDMEMBER nokey", "nil");
    peer_close(&p);
}
