/* Bad commands to collections: each has an error that names what is wrong, and changes nothing. */
#include <stdlib.h>

#include "base/limits.h"
#include "integration/peer.h"

/* Four elements, told by VCARD and an exact search. */
static void make_collection(struct peer *p)
{
    SAYS(p, "VCREATE c DIM 2 METRIC L2", "+OK");
    SAYS(p, "VMADD c FP32 4 a b c d {f32 0 0 1 0 2 0 3 0} ATTRS 4 '{\"n\":1}' '{\"n\":2}' '' ''",
         "[:1 :1 :1 :1]");
}

static const char unchanged[] = "[['a' '0' '{\"n\":1}'] ['b' '1' '{\"n\":2}'] ['c' '4' nil] "
                                "['d' '9' nil]]";

static void expect_unchanged(const char *file, int line, struct peer *p)
{
    expect_reply(file, line, p, "VCARD c", ":4");
    expect_reply(file, line, p, "VSEARCH c VALUES 2 0 0 EXACT WITHDIST WITHATTRIBS", unchanged);
    expect_reply(file, line, p, "VLIST", "['c']");
    expect_reply(file, line, p, "DBSIZE", ":1");
}

/* A command and words of its error. */
struct refusal {
    const char *command, *words;
};

static void refuse_all(const char *file, int line, const struct refusal *list, size_t count)
{
    struct peer *p = peer_fresh(2);
    make_collection(p);
    for (size_t i = 0; i < count; i++) {
        expect_error(file, line, p, list[i].command, list[i].words);
        expect_unchanged(file, line, p);
    }
}

#define REFUSED(...)                                                                               \
    do {                                                                                           \
        static const struct refusal list_[] = {__VA_ARGS__};                                       \
        refuse_all(__FILE__, __LINE__, list_, COUNT_OF(list_));                                    \
    } while (0)

TEST(collection_errors, vcreate_bounds_its_numbers)
{
    REFUSED(
        {"VCREATE k DIM 0", "DIM must be an integer between 1 and 65536, got '0'"},
        {"VCREATE k DIM -1", "DIM must be"}, {"VCREATE k DIM 65537", "DIM must be"},
        {"VCREATE k DIM x", "DIM must be"}, {"VCREATE k DIM 1.5", "DIM must be"},
        {"VCREATE k DIM ''", "DIM must be"}, {"VCREATE k DIM 18446744073709551617", "DIM must be"},
        {"VCREATE k DIM 2 M 3", "M must be an integer between 4 and 4096, got '3'"},
        {"VCREATE k DIM 2 M 4097", "M must be"},
        {"VCREATE k DIM 2 EFC 0", "EFC must be an integer between 1 and 4096, got '0'"},
        {"VCREATE k DIM 2 EFC 4097", "EFC must be"},
        {"VCREATE k DIM 2 EF 0", "EF must be an integer between 1 and 1000000, got '0'"},
        {"VCREATE k DIM 2 EF 1000001", "EF must be"}, {"VCREATE k METRIC L2", "DIM is missing"});
}

TEST(collection_errors, vcreate_takes_numbers_at_their_limits)
{
    PLAY({"VCREATE a DIM 1 M 4 EFC 1 EF 1 INDEX HNSW", "+OK"},
         {"VCREATE b DIM 65536 M 4096 EFC 4096 EF 1000000 INDEX HNSW", "+OK"}, {"VDIM b", ":65536"},
         {"VADD a VALUES 1 1 x", ":1", "#t"}, {"VSEARCH a VALUES 1 2", "['x']"});
}

TEST(collection_errors, vcreate_names_the_words_it_takes)
{
    REFUSED({"VCREATE k DIM 2 METRIC EUCLID", "METRIC: 'EUCLID' is not one of: COSINE L2 IP"},
            {"VCREATE k DIM 2 TYPE FP64", "TYPE: 'FP64' is not one of: FP32"},
            {"VCREATE k DIM 2 INDEX TREE", "INDEX: 'TREE' is not one of: AUTO HNSW FLAT IVF"},
            {"VCREATE k DIM 2 QUANT OPQ", "QUANT: 'OPQ' is not one of: NONE SQ8 RABITQ PQ AUTO"},
            {"VCREATE k DIM 2 QUANT PQ", "QUANT PQ belongs to INDEX IVF, not to AUTO"},
            {"VCREATE k DIM 2 INDEX IVF NLIST 0", "NLIST must be AUTO or an integer between 1"},
            {"VCREATE k DIM 2 INDEX IVF NLIST 65537", "NLIST must be AUTO or an integer between 1"},
            {"VCREATE k DIM 2 INDEX IVF NPROBE 65537", "NPROBE must be an integer between 0 and"},
            {"VCREATE k DIM 2 INDEX HNSW NPROBE 3", "NPROBE belongs to INDEX IVF, not to HNSW"},
            {"VCREATE k DIM 2 NLIST 3", "NLIST belongs to INDEX IVF, not to AUTO"},
            {"VCREATE k DIM 2 INDEX IVF SUB 2", "SUB belongs to QUANT PQ, not to SQ8"},
            {"VCREATE k DIM 2 INDEX IVF QUANT PQ SUB 3", "SUB cuts vectors of DIM 2 into 2 parts"},
            {"VCREATE k DIM 2 INDEX IVF QUANT PQ SUB 1025", "SUB must be an integer between 1 and"},
            {"VCREATE k DIM 2 INDEX IVF M 8", "M belongs to INDEX HNSW, not to IVF"},
            {"VCREATE k DIM 2 INDEX IVF QUANT PQ ORIGINALS DROP", "QUANT PQ says about where"},
            {"VCREATE k DIM 64 INDEX IVF TYPE BIT", "INDEX IVF has no lists of bits"},
            {"VCREATE k DIM 2 ORIGINALS MAYBE", "ORIGINALS: 'MAYBE' is not one of: DROP KEEP"},
            {"VCREATE k DIM 2 METRIC", "METRIC: a value is missing after it"},
            {"VCREATE k DIM 2 METRIC ''", "METRIC: '' is not one of"},
            {"VCREATE k DIM 2 METRIC {x 70000}", "is not one of"});
}

TEST(collection_errors, words_of_other_products_are_understood)
{
    REFUSED({"VCREATE k DIM 2 DISTANCE_METRIC L2", "DISTANCE_METRIC: did you mean METRIC?"},
            {"VCREATE k DIMENSION 2", "DIMENSION: did you mean DIM?"},
            {"VCREATE k DIM 2 EF_CONSTRUCTION 9", "did you mean EFC?"},
            {"VCREATE k DIM 2 METRICS L2", "METRICS: did you mean METRIC?"},
            {"VCREATE k DIM 2 quantt SQ8", "quantt: did you mean QUANT?"},
            {"VSEARCH c ELE a LIMIT 3", "LIMIT: did you mean COUNT?"},
            {"VSEARCH c ELE a TOPK 3", "TOPK: did you mean COUNT?"},
            {"VSEARCH c ELE a EF_RUNTIME 3", "EF_RUNTIME: did you mean EF?"},
            {"VSEARCH c ELE a WITHSCORES", "use WITHDIST"},
            {"VSEARCH c ELE a TRUTH", "TRUTH: did you mean EXACT?"},
            {"VSEARCH c ELE a WHERE '.n == 1'", "WHERE: did you mean FILTER?"},
            {"VSEARCH c ELE a ZZZZZZ", "ZZZZZZ: unknown option of VSEARCH, which takes COUNT"},
            {"VSEARCH c ELE a {x 70000}", "unknown option"});
}

TEST(collection_errors, contradictions_and_repetitions_are_refused)
{
    REFUSED({"VCREATE k DIM 2 DIM 3", "DIM: given twice"},
            {"VCREATE k DIM 2 METRIC L2 METRIC L2", "METRIC: given twice"},
            {"VCREATE k DIM 2 INDEX FLAT M 8", "M belongs to INDEX HNSW, not to FLAT"},
            {"VCREATE k DIM 2 INDEX FLAT EFC 8", "EFC belongs to INDEX HNSW, not to FLAT"},
            {"VCREATE k DIM 2 QUANT NONE ORIGINALS DROP", "ORIGINALS DROP needs a QUANT"},
            {"VSEARCH c ELE a EXACT EF 10", "EXACT and EF contradict each other"},
            {"VSEARCH c ELE a COUNT 1 COUNT 2", "COUNT: given twice"},
            {"VSEARCH c ELE a EXACT EXACT", "EXACT: given twice"},
            {"VSEARCH c ELE a RAW", "RAW goes after WITHVECTORS"},
            {"VSEARCH c ELE a FILTER '.n == 1' FILTER '.n == 2'", "FILTER: given twice"},
            {"VMADD c FP32 1 z {f32 1 1} ATTRS 1 x ATTRS 1 y", "ATTRS: given twice"});
}

TEST(collection_errors, counts_of_searches_are_bounded)
{
    REFUSED({"VSEARCH c ELE a COUNT 0", "COUNT must be an integer between 1 and 1000000, got '0'"},
            {"VSEARCH c ELE a COUNT -1", "COUNT must be"},
            {"VSEARCH c ELE a COUNT 1000001", "COUNT must be"},
            {"VSEARCH c ELE a COUNT 99999999999999999999", "COUNT must be"},
            {"VSEARCH c ELE a COUNT", "COUNT: a value is missing after it"},
            {"VSEARCH c ELE a EF 0", "EF must be"}, {"VSEARCH c ELE a EF 1000001", "EF must be"},
            {"VSEARCH c ELE a AFTER -1", "AFTER must be"},
            {"VSEARCH c ELE a AFTER 999999999", "AFTER: LSN 999999999 has not been reached"});
    PLAY({"VCREATE c DIM 1", "+OK"}, {"VADD c VALUES 1 1 a", ":1", "#t"},
         {"VSEARCH c ELE a COUNT 1000000 EF 1000000", "['a']"},
         {"VSEARCH c ELE a COUNT 1000000 EXACT", "['a']"}, {"VSEARCH c ELE a AFTER 0", "['a']"},
         {"VMSEARCH c 1 {f32 1} COUNT 1000000", "[['a']]"});
}

TEST(collection_errors, queries_must_fit)
{
    REFUSED(
        {"VSEARCH c ELE nothere", "element not found"},
        {"VSEARCH c VALUES 3 1 2 3", "Vector dimension mismatch - got 3 but set has 2"},
        {"VSEARCH c VALUES 2 1", "fewer values follow than VALUES announced"},
        {"VSEARCH c VALUES 2 1 x", "value 1 of the vector is not a number"},
        {"VSEARCH c VALUES 2 1 inf", "value 1 of the vector is not a finite number"},
        {"VSEARCH c VALUES 0 1", "VALUES takes the number of values first, 1 to 65536"},
        {"VSEARCH c VALUES 65537 1", "VALUES takes the number of values first, 1 to 65536"},
        {"VSEARCH c FP32 {f32 nan 1}", "value 0 of the vector is not a finite number"},
        {"VSEARCH c FP32 {f32 1 -inf}", "value 1 of the vector is not a finite number"},
        {"VSEARCH c FP32 {f64 1 2}", "float64 blob?"}, {"VSEARCH c FP32 abcd", "float16 blob?"},
        {"VSEARCH c FP32 abcdefg", "an FP32 blob of 7 bytes: expected 8, 4 for each of 2 floats"},
        {"VSEARCH c FP32 ''", "an FP32 blob of 0 bytes"},
        {"VSEARCH c JSON '[1,2,3]'", "Vector dimension mismatch"},
        {"VSEARCH c JSON '[1,null]'", "value 1 is not a number"},
        {"VSEARCH c JSON '{}'", "dimension mismatch"},
        {"VSEARCH c VECTOR {f32 1 2}", "expected FP32 blob, VALUES n v1 .. vn, JSON"});
}

TEST(collection_errors, elements_must_fit)
{
    REFUSED({"VADD c VALUES 3 1 2 3 z", "Vector dimension mismatch - got 3 but set has 2"},
            {"VADD c VALUES 2 1 nan z", "invalid vector specification"},
            {"VADD c FP32 {f64 1 2} z", "float64 blob?"},
            {"VADD c JSON '[1,2' z", "invalid vector specification"},
            {"VADD c VALUES 2 1 1 {x 65536}", "at most 65535 bytes"},
            {"VADD c VALUES 2 1 1 z NOQUANT", "asked quantization mismatch"},
            {"VADD c REDUCE 2 VALUES 4 1 1 1 1 z", "cannot add projection to existing set"},
            {"VCREATE {x 65536} DIM 2", "the key of a collection has at most 65535 bytes"});
}

/* FILTER ".n == 1 or .n == 1 or ..." with count comparisons. */
static void long_filter(struct buf *b, size_t count)
{
    buf_append_text(b, "VSEARCH c ELE a FILTER '.n == 1");
    for (size_t i = 1; i < count; i++)
        buf_append_text(b, " or .n == 1");
    buf_append_text(b, "'");
    buf_append_byte(b, '\0');
}

static void deep_filter(struct buf *b, size_t depth)
{
    buf_append_text(b, "VSEARCH c ELE a FILTER '");
    for (size_t i = 0; i < depth; i++)
        buf_append_byte(b, '(');
    buf_append_text(b, ".n == 1");
    for (size_t i = 0; i < depth; i++)
        buf_append_byte(b, ')');
    buf_append_text(b, "'");
    buf_append_byte(b, '\0');
}

/* FILTER of exactly size bytes. */
static void wide_filter(struct buf *b, size_t size)
{
    buf_append_text(b, "VSEARCH c ELE a FILTER '.n == 1");
    for (size_t i = strlen(".n == 1"); i < size; i++)
        buf_append_byte(b, ' ');
    buf_append_text(b, "'");
    buf_append_byte(b, '\0');
}

static void expect_limit(void (*make)(struct buf *b, size_t n), size_t limit)
{
    for (size_t n = limit; n <= limit + 1; n++) {
        struct peer *p = peer_fresh(2);
        struct buf b = BUF_INIT(MEM_TEST);
        make_collection(p);
        make(&b, n);
        const char *said = ask(p, (const char *)b.ptr);
        if (n == limit)
            EXPECT_STR(said, "['a']");
        else if (said[0] != '-')
            test_fail(__FILE__, __LINE__, "%zu is over the limit, yet: %.200s", n, said);
        expect_unchanged(__FILE__, __LINE__, p);
        buf_fini(&b);
    }
}

TEST(collection_errors, filters_have_limits_of_depth_length_and_nodes)
{
    expect_limit(deep_filter, LIMIT_FILTER_DEPTH);
    expect_limit(wide_filter, LIMIT_FILTER_SIZE);
    /* .n == 1 is three nodes, and each " or .n == 1" four. */
    expect_limit(long_filter, (LIMIT_FILTER_NODES + 1) / 4);
}

TEST(collection_errors, bad_filters_say_where)
{
    REFUSED({"VSEARCH c ELE a FILTER '.n =='", "syntax error in FILTER expression near"},
            {"VSEARCH c ELE a FILTER '('", "syntax error in FILTER expression near"},
            {"VSEARCH c ELE a FILTER ')'", "syntax error in FILTER expression near"},
            {"VSEARCH c ELE a FILTER '.n == \"open'", "syntax error in FILTER expression near"},
            {"VSEARCH c ELE a FILTER '.n in [1, 2'", "syntax error in FILTER expression near"},
            {"VSEARCH c ELE a FILTER \".n == 1\\x00\"", "syntax error in FILTER expression near"},
            {"VSEARCH c ELE a FILTER \"\\xff\\xfe\"", "syntax error in FILTER expression near"},
            {"VSEARCH c ELE a FILTER ''", "syntax error in FILTER expression near"});
}

static void many_params(struct buf *b, size_t pairs)
{
    buf_printf(b, "VSEARCH c ELE a FILTER '.n == $p0' PARAMS %zu", 2 * pairs);
    for (size_t i = 0; i < pairs; i++)
        buf_printf(b, " p%zu 1", i);
    buf_append_byte(b, '\0');
}

TEST(collection_errors, parameters_have_a_limit)
{
    expect_limit(many_params, LIMIT_PARAMS);
}

TEST(collection_errors, arity_and_types)
{
    REFUSED({"VCREATE k", "wrong number of arguments for 'VCREATE' command"},
            {"VCREATE k DIM", "wrong number of arguments for 'VCREATE' command"},
            {"VDROP", "wrong number of arguments for 'VDROP' command"},
            {"VMADD c FP32 1 z", "wrong number of arguments for 'VMADD' command"},
            {"VGET c 1", "wrong number of arguments for 'VGET' command"},
            {"VSEARCH c ELE", "wrong number of arguments for 'VSEARCH' command"},
            {"VMSEARCH c 1", "wrong number of arguments for 'VMSEARCH' command"},
            {"VLIST MATCH * MATCH *", "MATCH: given twice"}, {"VLIST d*", "d*: "},
            {"GET c", "WRONGTYPE"});
}
