/* Element types of collections: what goes in comes out, in every form, and what does not fit is
 * refused. */
#include "integration/peer.h"

TEST(types, vectors_of_int8_come_back_as_they_were_in_every_form)
{
    PLAY(
        {"VCREATE c DIM 4 TYPE INT8 METRIC L2", "+OK"},
        {"VADD c INT8 \"\\x80\\x7f\\x00\\xff\" a", ":1", "#t"},
        {"VADD c VALUES 4 -128 127 0 1 b", ":1", "#t"},
        {"VADD c JSON '[1, 2, 3, 4]' d", ":1", "#t"}, {"VADD c FP32 {f32 5 6 7 8} e", ":1", "#t"},
        {"VMADD c INT8 2 f g \"\\x01\\x01\\x01\\x01\\x02\\x02\\x02\\x02\"", "[:1 :1]"},
        {"VMADD c FP32 1 h {f32 9 9 9 9}", "[:1]"},
        {"VGET c 1 a WITHVECTORS RAW", "[['a' nil '\\x80\\x7f\\x00\\xff']]"},
        {"VGET c 1 d WITHVECTORS", "[['d' nil ['1' '2' '3' '4']]]", "[['d' nil [,1 ,2 ,3 ,4]]]"},
        {"VEMB c a", "['-128' '127' '0' '-1']", "[,-128 ,127 ,0 ,-1]"},
        {"VEMB c a RAW", "[+int8 '\\x80\\x7f\\x00\\xff' '1' '127']",
         "[+int8 '\\x80\\x7f\\x00\\xff' ,1 ,127]"},
        {"VSEARCH c ELE a COUNT 2 WITHDIST", "[['a' '0'] ['b' '4']]", "[['a' ,0] ['b' ,4]]"},
        {"VSEARCH c INT8 \"\\x05\\x06\\x07\\x09\" COUNT 1 WITHDIST", "[['e' '1']]", "[['e' ,1]]"},
        {"VSEARCH c VALUES 4 9 9 9 9 COUNT 1", "['h']"},
        {"VMSEARCH c 2 INT8 \"\\x01\\x01\\x01\\x01\\x02\\x02\\x02\\x02\" COUNT 1", "[['f'] ['g']]"},
        {"VMSEARCH c 1 {f32 5 6 7 8} COUNT 1 WITHVECTORS RAW", "[[['e' '\\x05\\x06\\x07\\x08']]]"});
}

TEST(types, vectors_of_halves_are_rounded_and_blobs_come_back_as_they_were)
{
    PLAY(
        {"VCREATE h DIM 2 TYPE FP16 METRIC COSINE", "+OK"},
        {"VCREATE b DIM 2 TYPE bf16 METRIC IP", "+OK"},
        {"VADD h FP16 \"\\x00\\x3c\\x55\\x35\" a", ":1", "#t"},
        {"VADD b BF16 \"\\x80\\x3f\\x00\\x3f\" a", ":1", "#t"},
        {"VADD h VALUES 2 3 -4.0001 b", ":1", "#t"}, {"VADD b JSON '[0.5, -1.001]' b", ":1", "#t"},
        {"VGET h 2 a b WITHVECTORS RAW", "[['a' nil '\\x00<U5'] ['b' nil '\\x00B\\x00\\xc4']]"},
        {"VGET b 2 a b WITHVECTORS RAW", "[['a' nil '\\x80?\\x00?'] ['b' nil '\\x00?\\x80\\xbf']]"},
        {"VEMB h b", "['3' '-4']", "[,3 ,-4]"}, {"VEMB b b", "['0.5' '-1']", "[,0.5 ,-1]"},
        {"VSEARCH h VALUES 2 6 -8 WITHDIST", "[['b' '~0'] ['a' '~0.6837']]",
         "[['b' ,~0] ['a' ,~0.6837]]"},
        {"VSEARCH h ELE b WITHDIST COUNT 1", "[['b' '0']]", "[['b' ,0]]"},
        {"VSEARCH b FP32 {f32 1 1} WITHDIST", "[['a' '-0.5'] ['b' '1.5']]",
         "[['a' ,-0.5] ['b' ,1.5]]"},
        {"VMADD b BF16 2 c d \"\\x80\\x3f\\x80\\x3f\\x00\\x00\\x80\\x3f\"", "[:1 :1]"},
        {"VMSEARCH b 1 bf16 \"\\x80\\x3f\\x80\\x3f\" COUNT 1", "[['c']]"});
}

TEST(types, bits_are_compared_by_hamming_and_jaccard)
{
    PLAY({"VCREATE h DIM 16 TYPE BIT", "+OK"}, {"VCREATE j DIM 16 TYPE BIT METRIC JACCARD", "+OK"},
         {"VADD h BIT \"\\xf0\\x01\" a", ":1", "#t"},
         {"VADD h VALUES 16 1 1 1 1 0 0 0 0 0 0 0 0 0 0 1 1 b", ":1", "#t"},
         {"VMADD j BIT 3 a b z \"\\xf0\\x01\\xf0\\x03\\x00\\x00\"", "[:1 :1 :1]"},
         {"VSEARCH h BIT \"\\xf0\\x03\" WITHDIST", "[['b' '0'] ['a' '1']]", "[['b' ,0] ['a' ,1]]"},
         {"VSEARCH j BIT \"\\xf0\\x01\" WITHDIST", "[['a' '0'] ['b' '~0.1667'] ['z' '1']]",
          "[['a' ,0] ['b' ,~0.1667] ['z' ,1]]"},
         {"VSEARCH j BIT \"\\x00\\x00\" WITHDIST COUNT 1", "[['z' '0']]", "[['z' ,0]]"},
         {"VSEARCH h ELE a COUNT 1", "['a']"},
         {"VGET h 1 b WITHVECTORS RAW", "[['b' nil '\\xf0\\x03']]"},
         {"VEMB h b RAW", "[+bin '\\xf0\\x03' '1']", "[+bin '\\xf0\\x03' ,1]"},
         {"VGET h 1 a WITHVECTORS",
          "[['a' nil ['1' '1' '1' '1' '0' '0' '0' '0' '0' '0' '0' '0' '0' '0' '0' '1']]]",
          "[['a' nil [,1 ,1 ,1 ,1 ,0 ,0 ,0 ,0 ,0 ,0 ,0 ,0 ,0 ,0 ,0 ,1]]]"});
}

TEST(types, vcreate_refuses_what_does_not_go_together)
{
    PLAY({"VCREATE c DIM 8 TYPE BIT METRIC L2",
          "-ERR METRIC L2 does not go with TYPE BIT, which has HAMMING and JACCARD"},
         {"VCREATE c DIM 8 METRIC HAMMING",
          "-ERR METRIC HAMMING does not go with TYPE FP32, which has COSINE, L2 and IP"},
         {"VCREATE c DIM 12 TYPE BIT",
          "-ERR DIM of TYPE BIT counts bits, and is a multiple of 8, got 12"},
         {"VCREATE c DIM 8 TYPE INT8 QUANT SQ8",
          "-ERR QUANT SQ8 does not go with TYPE INT8: searches walk its vectors as they are"},
         {"VCREATE c DIM 8 TYPE BIT ORIGINALS DROP", "-ERR ORIGINALS DROP needs a QUANT that ..."},
         {"VCREATE c DIM 8 TYPE FP16 ORIGINALS DROP",
          "-ERR ORIGINALS DROP keeps no vectors, of "
          "which TYPE FP16 would say how they are kept"},
         {"VCREATE c DIM 8 TYPE FP64", "-ERR TYPE: 'FP64' is not one of: FP32 FP16 BF16 INT8 BIT"},
         {"VLIST", "[]"}, {"VCREATE c DIM 65536 TYPE BIT", "+OK"},
         {"VCREATE c DIM 65536 TYPE INT8 IFNOTEXISTS",
          "-ERR the collection exists already with TYPE BIT"},
         {"VCREATE d DIM 65537 TYPE BIT", "-ERR DIM must be an integer between 1 and 65536, ..."},
         {"VALTER c TYPE FP32", "-ERR TYPE of a collection cannot change..."});
}

TEST(types, numbers_that_do_not_fit_are_refused)
{
    PLAY({"VCREATE h DIM 2 TYPE FP16 METRIC L2", "+OK"}, {"VCREATE i DIM 2 TYPE INT8", "+OK"},
         {"VCREATE b DIM 8 TYPE BIT", "+OK"}, {"VCREATE f DIM 2 TYPE BF16", "+OK"},
         {"VADD h VALUES 2 1 65519 a", ":1", "#t"},
         {"VADD h VALUES 2 1 65520 a", "-ERR value 1 of the vector is too large for the type ..."},
         {"VADD f VALUES 2 3.4e38 1 a", "-ERR value 0 of the vector is too large for ..."},
         {"VADD i VALUES 2 -128 127 a", ":1", "#t"},
         {"VADD i VALUES 2 -129 1 a", "-ERR value 0 of the vector is not an integer between -128 "
                                      "and 127, as INT8 has them"},
         {"VADD i VALUES 2 1 128 a", "-ERR value 1 of the vector is not an integer ..."},
         {"VADD i VALUES 2 0.5 1 a", "-ERR value 0 of the vector is not an integer ..."},
         {"VSEARCH i VALUES 2 0.5 1", "-ERR value 0 of the vector is not an integer ..."},
         {"VADD i VALUES 2 0 0 a", "-ERR a zero vector has no direction: ..."},
         {"VSEARCH i VALUES 2 0 0", "-ERR a zero vector has no direction: ..."},
         {"VADD f VALUES 2 0 0 a", "-ERR a zero vector has no direction: ..."},
         {"VADD f VALUES 2 1e-46 0 a", "-ERR a zero vector has no direction: ..."},
         {"VADD b VALUES 8 0 1 0 1 2 0 0 0 a",
          "-ERR value 4 of the vector is neither 0 nor 1, as BIT has them"},
         {"VADD h FP16 \"\\x00\\x3c\\x00\\x7c\" a",
          "-ERR value 1 of the vector is not a finite number"},
         {"VADD f BF16 \"\\xc0\\x7f\\x00\\x00\" a",
          "-ERR value 0 of the vector is not a finite number"},
         {"VMADD i FP32 2 p q {f32 1 2 3 300}",
          "[:1 -ERR value 1 of the vector is not an integer between -128 and 127, as INT8 has "
          "them]"},
         {"VGET i 1 a WITHVECTORS RAW", "[['a' nil '\\x80\\x7f']]"}, {"VCARD i", ":2"},
         {"VCARD b", ":0"}, {"VCARD f", ":0"});
}

TEST(types, lengths_that_overflow_distances_are_refused_and_no_others)
{
    PLAY({"VCREATE l DIM 2 TYPE BF16 METRIC L2", "+OK"}, {"VCREATE c DIM 2 TYPE BF16", "+OK"},
         {"VADD l VALUES 2 1e18 1e18 a", ":1", "#t"},
         {"VADD l VALUES 2 1e20 0 b", "-ERR the vector is too long for distances in floats"},
         {"VSEARCH l VALUES 2 1e20 0", "-ERR the vector is too long for distances in floats"},
         {"VADD c VALUES 2 1e38 1e38 a", ":1", "#t"},
         {"VADD c VALUES 2 3e38 3e38 b", "-ERR the vector is too long for distances in floats"},
         {"VADD c VALUES 2 1e-39 0 b", ":1", "#t"},
         {"VSEARCH c VALUES 2 1e38 1e38 WITHDIST", "[['a' '~0'] ['b' '~0.2929']]",
          "[['a' ,~0] ['b' ,~0.2929]]"},
         {"VSEARCH c ELE b WITHDIST EXACT", "[['b' '0'] ['a' '~0.2929']]",
          "[['b' ,0] ['a' ,~0.2929]]"});
}

TEST(types, blobs_of_another_size_are_told_what_they_look_like)
{
    PLAY({"VCREATE c DIM 8 TYPE INT8", "+OK"},
         {"VADD c INT8 {f32 1 2 3 4 5 6 7 8} a",
          "-ERR got 32 bytes, collection has 8 dimensions, which are 8 bytes of INT8: float32 "
          "blob?"},
         {"VADD c INT8 abcd a",
          "-ERR got 4 bytes, collection has 8 dimensions, which are 8 bytes of INT8"},
         {"VADD c FP16 \"\\x01\" a", "-ERR invalid vector specification"},
         {"VADD c FP32 abcdefgh a", "-ERR got 8 bytes, collection has 8 floats: int8 blob?"},
         {"VSEARCH c BIT abcdefgh", "-ERR got 8 bytes, collection has 8 dimensions, which are 1 "
                                    "bytes of BIT: int8 blob?"},
         {"VMADD c INT8 1 a {f32 1 2 3 4 5 6 7 8}",
          "-ERR the blob has 32 bytes, 1 ids of 8 INT8 need 8: float32 blob?"},
         {"VMSEARCH c 1 abcdefgh",
          "-ERR the blob has 8 bytes, 1 queries of 8 floats need 32: int8 blob?"},
         {"VMADD c INT8 1 a FP32 1 a abcdefgh", "-ERR VMADD takes FP32 n id ... blob after ..."},
         {"VMADD c abcdefgh", "-ERR wrong number of arguments for 'VMADD' command"},
         {"VCREATE d DIM 4", "+OK"}, {"VADD d INT8 abcd a", ":1", "#t"},
         {"VADD d BIT a b", "-ERR a BIT blob: the collection has 4 dimensions, which is no "
                            "multiple of 8"},
         {"VCARD c", ":0"});
}

TEST(types, vector_sets_know_fp32_only)
{
    PLAY({"VADD k INT8 abcd a", "-ERR invalid vector specification"},
         {"VADD k VALUES 2 1 1 a", ":1", "#t"},
         {"VADD k FP16 abcd b", "-ERR invalid vector specification"},
         {"VSIM k FP16 abcd", "-ERR invalid vector specification"}, {"VCARD k", ":1"});
}

TEST(types, vinfo_names_the_type_and_what_searches_walk)
{
    static const char *const lines[][3] = {
        {"VCREATE a DIM 64 TYPE FP16", "VINFO a", "int8 FP16 SQ8"},
        {"VCREATE b DIM 64 TYPE BF16 QUANT NONE", "VINFO b", "bf16 BF16 NONE"},
        {"VCREATE c DIM 64 TYPE INT8", "VINFO c", "int8 INT8 NONE"},
        {"VCREATE d DIM 64 TYPE BIT METRIC JACCARD", "VINFO d", "bin BIT NONE"},
        {"VCREATE e DIM 64 QUANT RABITQ", "VINFO e", "rabitq FP32 RABITQ"}};
    struct peer *p = peer_fresh(2);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char quant[16], type[16], codes[16], want[512];
        REQUIRE(sscanf(lines[i][2], "%15s %15s %15s", quant, type, codes) == 3);
        SAYS(p, lines[i][0], "+OK");
        (void)snprintf(want, sizeof(want),
                       "[+quant-type +%s +hnsw-m :16 +vector-dim :64 +projection-input-dim :0 "
                       "+size :0 +max-level :0 +attributes-count :0 +vset-uid :@ "
                       "+hnsw-max-node-uid :@ +metric +%s +type +%s +index +AUTO +index-now +FLAT "
                       "+quant +%s ...",
                       quant, i == 3 ? "JACCARD" : "COSINE", type, codes);
        SAYS(p, lines[i][1], want);
    }
}

TEST(types, rotated_codes_find_and_rank_as_the_vectors_do)
{
    PLAY({"VCREATE c DIM 2 METRIC L2 INDEX HNSW QUANT RABITQ", "+OK"},
         {"VADD c VALUES 2 3 4 a", ":1", "#t"}, {"VADD c VALUES 2 0 0 b", ":1", "#t"},
         {"VSEARCH c VALUES 2 3 3 WITHDIST", "[['a' '1'] ['b' '18']]", "[['a' ,1] ['b' ,18]]"},
         {"VEMB c a", "['3' '4']", "[,3 ,4]"}, {"VALTER c QUANT SQ8", "+OK"},
         {"VALTER c QUANT RABITQ", "+OK"},
         {"VSEARCH c VALUES 2 3 3 WITHDIST", "[['a' '1'] ['b' '18']]", "[['a' ,1] ['b' ,18]]"},
         {"VCREATE d DIM 2 METRIC L2 QUANT RABITQ ORIGINALS DROP", "+OK"},
         {"VADD d VALUES 2 0 0 z", ":1", "#t"}, {"VEMB d z", "['0' '0']", "[,0 ,0]"},
         {"VCREATE e DIM 8 TYPE INT8 QUANT RABITQ",
          "-ERR QUANT RABITQ does not go with TYPE INT8: searches walk its vectors as they are"});
}

/* What VINFO answers, until the peer's next reply. */
static const char *info_of(struct peer *p, const char *ask)
{
    struct buf line = BUF_INIT(MEM_TEST);
    command_bytes(ask, &line);
    REQUIRE(peer_send(p, line.ptr, line.len));
    buf_fini(&line);
    return peer_reply(p, REPLY_MS);
}

TEST(types, auto_chooses_codes_by_dimension_metric_and_what_is_kept)
{
    static const char *const lines[][2] = {
        {"DIM 512", "+quant +RABITQ "},           {"DIM 511", "+quant +SQ8 "},
        {"DIM 512 TYPE FP16", "+quant +RABITQ "}, {"DIM 512 METRIC L2", "+quant +SQ8 "},
        {"DIM 512 METRIC IP", "+quant +SQ8 "},    {"DIM 512 ORIGINALS DROP", "+quant +SQ8 "},
        {"DIM 512 INDEX FLAT", "+quant +NONE "},  {"DIM 512 TYPE INT8", "+quant +NONE "},
        {"DIM 512 QUANT SQ8", "+quant +SQ8 "}};
    struct peer *p = peer_fresh(3);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "VCREATE auto%zu %s", i, lines[i][0]);
        SAYS(p, line, "+OK");
        (void)snprintf(line, sizeof(line), "VINFO auto%zu", i);
        EXPECT(strstr(info_of(p, line), lines[i][1]) != NULL);
    }
}

static unsigned element_bytes(struct peer *p, const char *ask)
{
    unsigned bytes = 0;
    const char *said = strstr(info_of(p, ask), "+element-bytes :");
    REQUIRE(said != NULL && sscanf(said, "+element-bytes :%u ", &bytes) == 1);
    return bytes;
}

/* Halves have codes besides; links, times and the id take the same of every type. */
TEST(types, elements_take_the_bytes_of_their_type)
{
    static const struct {
        const char *create;
        unsigned bytes;
    } kinds[] = {{"VCREATE a DIM 768", 3072 + 512},
                 {"VCREATE b DIM 768 TYPE FP16", 1540 + 512},
                 {"VCREATE c DIM 768 TYPE BF16 METRIC L2", 1536 + 832},
                 {"VCREATE d DIM 768 TYPE INT8", 832},
                 {"VCREATE e DIM 768 TYPE BIT", 96},
                 {"VCREATE f DIM 768 TYPE BIT METRIC JACCARD", 100}};
    struct peer *p = peer_fresh(3);
    struct buf line = BUF_INIT(MEM_TEST);
    unsigned rest = 0;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char ask[] = "VINFO ?";
        ask[6] = (char)('a' + i);
        SAYS(p, kinds[i].create, "+OK");
        buf_clear(&line, SIZE_MAX);
        buf_printf(&line, "VADD %c JSON '[1", ask[6]);
        for (unsigned n = 1; n < 768; n++)
            buf_append_text(&line, ",1");
        buf_append_text(&line, "]' x");
        buf_append_byte(&line, 0);
        SAYS(p, (const char *)line.ptr, "#t");
        unsigned bytes = element_bytes(p, ask);
        REQUIRE(bytes > kinds[i].bytes);
        rest = i == 0 ? bytes - kinds[i].bytes : rest;
        EXPECT_EQ(bytes, rest + kinds[i].bytes);
    }
    EXPECT(rest < 200);
    buf_fini(&line);
}
