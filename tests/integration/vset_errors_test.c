/* Redis 8 vector sets: every error text, limits, and that a refused command changes nothing. */
#include "integration/peer.h"

#define BAD_VECTOR "-ERR invalid vector specification"
#define WRONG_TYPE "-WRONGTYPE Operation against a key holding the wrong kind of value"

TEST(vset_errors, wrong_numbers_of_arguments)
{
    static const struct {
        const char *line, *name;
    } lines[] = {
        {"VADD k VALUES 2", "VADD"},
        {"VSIM k ELE", "VSIM"},
        {"VREM k", "VREM"},
        {"VCARD", "VCARD"},
        {"VCARD k k", "VCARD"},
        {"VDIM k k", "VDIM"},
        {"VEMB k", "VEMB"},
        {"VLINKS k", "VLINKS"},
        {"VSETATTR k a", "VSETATTR"},
        {"VSETATTR k a b c", "VSETATTR"},
        {"VGETATTR k", "VGETATTR"},
        {"VINFO", "VINFO"},
        {"VRANDMEMBER", "VRANDMEMBER"},
        {"VISMEMBER k", "VISMEMBER"},
        {"VRANGE k -", "VRANGE"},
        {"VADD k VALUES 3 1 2 3", "VADD"},
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char expected[96];
        (void)snprintf(expected, sizeof(expected),
                       "-ERR wrong number of arguments for '%s' command", lines[i].name);
        SAYS(peer_fresh(i % 2 == 0 ? 2 : 3), lines[i].line, expected);
    }
}

TEST(vset_errors, every_command_refuses_a_key_of_another_type)
{
    PLAY({"SET s text", "+OK"}, {"VADD s VALUES 1 1 a", WRONG_TYPE}, {"VSIM s ELE a", WRONG_TYPE},
         {"VREM s a", WRONG_TYPE}, {"VCARD s", WRONG_TYPE}, {"VDIM s", WRONG_TYPE},
         {"VEMB s a", WRONG_TYPE}, {"VEMB s a RAW", WRONG_TYPE}, {"VLINKS s a", WRONG_TYPE},
         {"VSETATTR s a {}", WRONG_TYPE}, {"VGETATTR s a", WRONG_TYPE}, {"VINFO s", WRONG_TYPE},
         {"VRANDMEMBER s", WRONG_TYPE}, {"VRANDMEMBER s 2", WRONG_TYPE},
         {"VISMEMBER s a", WRONG_TYPE}, {"VRANGE s - +", WRONG_TYPE}, {"GET s", "'text'"},
         {"VADD k VALUES 1 1 a", ":1", "#t"}, {"GET k", WRONG_TYPE});
}

TEST(vset_errors, a_bad_vector_makes_no_set)
{
    PLAY({"VADD k VALUES 2 1 x a", BAD_VECTOR}, {"VADD k VALUES 0 a b", BAD_VECTOR},
         {"VADD k VALUES -1 1 a", BAD_VECTOR}, {"VADD k VALUES x 1 a", BAD_VECTOR},
         {"VADD k VALUES 4 1 2 a", BAD_VECTOR}, {"VADD k VALUES 1 nan a", BAD_VECTOR},
         {"VADD k VALUES 2 1 inf a", BAD_VECTOR}, {"VADD k VALUES 2 -inf 1 a", BAD_VECTOR},
         {"VADD k VALUES 2 1e39 1 a", BAD_VECTOR}, {"VADD k VALUES 1 '' a", BAD_VECTOR},
         {"VADD k VALUES 1 ' 1' a", BAD_VECTOR}, {"VADD k FP32 '' a", BAD_VECTOR},
         {"VADD k FP32 abc a", BAD_VECTOR}, {"VADD k FP32 abcde a", BAD_VECTOR},
         {"VADD k FP32 {f32 1 nan} a", BAD_VECTOR}, {"VADD k FP32 {f32 inf 1} a", BAD_VECTOR},
         {"VADD k FP64 {f64 1 2} a", BAD_VECTOR}, {"VADD k ELE other a", BAD_VECTOR},
         {"VADD k JSON '[1,2' a", BAD_VECTOR}, {"VADD k JSON '1,2' a", BAD_VECTOR},
         {"VADD k JSON '[]' a", BAD_VECTOR}, {"VADD k JSON '[1,]' a", BAD_VECTOR},
         {"VADD k JSON '[1,\"2\"]' a", BAD_VECTOR}, {"VADD k JSON '[1e999]' a", BAD_VECTOR},
         {"VADD k JSON '{\"a\":[1]}' a", BAD_VECTOR}, {"VADD k JSON '[[1]]' a", BAD_VECTOR},
         {"EXISTS k", ":0"}, {"DBSIZE", ":0"});
}

TEST(vset_errors, bad_options_of_vadd_make_no_set)
{
    PLAY({"VADD k VALUES 1 1 a EF 0", "-ERR invalid EF"},
         {"VADD k VALUES 1 1 a EF 1000001", "-ERR invalid EF"},
         {"VADD k VALUES 1 1 a EF x", "-ERR invalid EF"},
         {"VADD k VALUES 1 1 a EF 99999999999999999999", "-ERR invalid EF"},
         {"VADD k VALUES 1 1 a M 3", "-ERR invalid M"},
         {"VADD k VALUES 1 1 a M 4097", "-ERR invalid M"},
         {"VADD k VALUES 1 1 a M -5", "-ERR invalid M"},
         {"VADD k VALUES 1 1 a NOSUCH", "-ERR invalid option after element"},
         {"VADD k VALUES 1 1 a SETATTR", "-ERR invalid option after element"},
         {"VADD k VALUES 1 1 a EF", "-ERR invalid option after element"},
         {"VADD k VALUES 1 1 a CAS NOQUANT 7", "-ERR invalid option after element"},
         {"VADD k REDUCE 0 VALUES 2 1 1 a", BAD_VECTOR},
         {"VADD k REDUCE 3 VALUES 2 1 1 a", BAD_VECTOR},
         {"VADD k REDUCE -1 VALUES 2 1 1 a", BAD_VECTOR},
         {"VADD k REDUCE x VALUES 2 1 1 a", BAD_VECTOR}, {"EXISTS k", ":0"});
}

TEST(vset_errors, options_at_their_limits_are_taken)
{
    PLAY({"VADD k VALUES 1 1 a EF 1", ":1", "#t"}, {"VADD k VALUES 1 1 b EF 1000000", ":1", "#t"},
         {"VADD m4 VALUES 1 1 a M 4", ":1", "#t"}, {"VADD m4096 VALUES 1 1 a M 4096", ":1", "#t"},
         {"VSIM m4096 ELE a", "['a']"}, {"VLINKS m4096 a", "[[]...", "[[]..."},
         {"VADD r REDUCE 2 VALUES 2 1 1 a", ":1", "#t"}, {"VDIM r", ":2"});
}

/* Each graph has address space for as many rows as the machine could hold, not for more. */
TEST(vset_errors, many_sets_may_have_many_links)
{
    struct peer *p = peer_fresh(2);
    for (int i = 0; i < 20; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "VADD k%d VALUES 1 1 a M 4096", i);
        SAYS(p, line, ":1");
        (void)snprintf(line, sizeof(line), "VLINKS k%d a", i);
        SAYS(p, line, "[[]...");
    }
}

TEST(vset_errors, what_does_not_fit_the_set_leaves_it_alone)
{
    PLAY({"VADD k VALUES 2 1 0 a", ":1", "#t"},
         {"VADD k VALUES 3 1 0 0 b", "-ERR Vector dimension mismatch - got 3 but set has 2"},
         {"VADD k FP32 {f32 1} b", "-ERR Vector dimension mismatch - got 1 but set has 2"},
         {"VADD k VALUES 2 1 0 b NOQUANT",
          "-ERR asked quantization mismatch with existing vector set"},
         {"VADD k VALUES 2 1 0 b BIN", "-ERR asked quantization mismatch with existing vector set"},
         {"VADD k VALUES 2 1 0 b M 17", "-ERR asked M value mismatch with existing vector set"},
         {"VADD k REDUCE 2 VALUES 4 1 0 0 0 b",
          "-ERR cannot add projection to existing set without projection"},
         {"VCARD k", ":1"}, {"VSIM k VALUES 2 1 0", "['a']"}, {"VISMEMBER k b", ":0", "#f"});
}

TEST(vset_errors, defaults_do_not_fit_a_set_made_with_options)
{
    PLAY({"VADD k VALUES 2 1 0 a NOQUANT M 8", ":1", "#t"},
         {"VADD k VALUES 2 1 0 b", "-ERR asked quantization mismatch with existing vector set"},
         {"VADD k VALUES 2 1 0 b NOQUANT", "-ERR asked M value mismatch with existing vector set"},
         {"VADD k VALUES 2 1 0 b NOQUANT M 8", ":1", "#t"}, {"VCARD k", ":2"});
}

TEST(vset_errors, projected_sets_check_what_comes_in)
{
    PLAY({"VADD k REDUCE 2 VALUES 4 1 0 0 0 a", ":1", "#t"},
         {"VADD k REDUCE 3 VALUES 4 1 0 0 0 b",
          "-ERR projection dimension mismatch with existing set"},
         {"VADD k REDUCE 2 VALUES 3 1 0 0 b",
          "-ERR Input dimension mismatch for projection - got 3 but projection expects 4"},
         {"VSIM k VALUES 3 1 0 0",
          "-ERR Input dimension mismatch for projection - got 3 but projection expects 4"},
         {"VCARD k", ":1"});
}

TEST(vset_errors, vsim_names_what_is_wrong)
{
    PLAY({"VADD k VALUES 2 1 0 a", ":1", "#t"}, {"VSIM k ELE z", "-ERR element not found in set"},
         {"VSIM k VALUES 2 1 x", BAD_VECTOR}, {"VSIM k FP32 abc", BAD_VECTOR},
         {"VSIM k FP64 {f64 1 2}", BAD_VECTOR}, {"VSIM k VALUES 2 nan 1", BAD_VECTOR},
         {"VSIM k FP32 {f32 inf 1}", BAD_VECTOR},
         {"VSIM k VALUES 3 1 0 0", "-ERR Vector dimension mismatch - got 3 but set has 2"},
         {"VSIM k ELE a COUNT 0", "-ERR invalid COUNT"},
         {"VSIM k ELE a COUNT -1", "-ERR invalid COUNT"},
         {"VSIM k ELE a COUNT x", "-ERR invalid COUNT"},
         {"VSIM k ELE a EPSILON 0", "-ERR invalid EPSILON"},
         {"VSIM k ELE a EPSILON -1", "-ERR invalid EPSILON"},
         {"VSIM k ELE a EPSILON nan", "-ERR invalid EPSILON"},
         {"VSIM k ELE a EF 0", "-ERR invalid EF"}, {"VSIM k ELE a EF 1000001", "-ERR invalid EF"},
         {"VSIM k ELE a FILTER-EF 0", "-ERR invalid FILTER-EF"},
         {"VSIM k ELE a FILTER '.x =='", "-ERR syntax error in FILTER expression near: ..."},
         {"VSIM k ELE a FILTER '.x = 1'", "-ERR syntax error in FILTER expression near: ..."},
         {"VSIM k ELE a FILTER ''", "-ERR syntax error in FILTER expression near: ..."},
         {"VSIM k ELE a NOSUCH", "-ERR syntax error in VSIM command"},
         {"VSIM k ELE a COUNT", "-ERR syntax error in VSIM command"},
         {"VSIM k ELE a WITHSCORES 3", "-ERR syntax error in VSIM command"},
         {"VSIM k ELE a", "['a']"});
}

TEST(vset_errors, other_commands_name_what_is_wrong)
{
    PLAY({"VADD k VALUES 2 1 0 a", ":1", "#t"}, {"VEMB k a ROW", "-ERR invalid option"},
         {"VLINKS k a SCORES", "-ERR wrong number of arguments for 'VLINKS' command"},
         {"VRANGE k - + x", "-ERR invalid COUNT value"},
         {"VRANGE k a +", "-ERR invalid start range format"},
         {"VRANGE k - a", "-ERR invalid end range format"},
         {"VRANGE k '' +", "-ERR invalid start range format"},
         {"VRANGE k + -", "-ERR '-' can only be used as first argument, '+' only as second"});
}

TEST(vset_errors, huge_counts_give_what_there_is)
{
    PLAY({"VADD k VALUES 2 1 0 a", ":1", "#t"}, {"VSIM k ELE a COUNT 1000000", "['a']"},
         {"VSIM k ELE a COUNT 1000000 EF 1000000 TRUTH", "['a']"},
         {"VRANDMEMBER k 9223372036854775807", "['a']"},
         {"VRANDMEMBER k -9223372036854775808", "-ERR COUNT value is not an integer"},
         {"VRANGE k - + 9223372036854775807", "['a']"});
}

TEST(vset_errors, ids_and_keys_are_any_bytes)
{
    PLAY({"VADD \"\\x00\\r\\n\" VALUES 1 1 \"a\\x00b\\r\\n\\xff\"", ":1", "#t"},
         {"VADD \"\\x00\\r\\n\" VALUES 1 2 ''", ":1", "#t"},
         {"VADD \"\\x00\\r\\n\" VALUES 1 2 a", ":1", "#t"},
         {"VRANGE \"\\x00\\r\\n\" - +", "['' 'a' 'a\\x00b\\x0d\\x0a\\xff']"},
         {"VISMEMBER \"\\x00\\r\\n\" ''", ":1", "#t"},
         {"VREM \"\\x00\\r\\n\" \"a\\x00b\\r\\n\\xff\"", ":1", "#t"},
         {"VREM \"\\x00\\r\\n\" \"a\\x00\"", ":0", "#f"}, {"VCARD \"\\x00\\r\\n\"", ":2"},
         {"KEYS *", "['\\x00\\x0d\\x0a']"});
}

TEST(vset_errors, ids_and_keys_have_a_length_limit)
{
    PLAY({"VADD k VALUES 1 1 {x 65535}", ":1", "#t"}, {"VISMEMBER k {x 65535}", ":1", "#t"},
         {"VADD k VALUES 1 1 {x 65536}", "-ERR keys and elements of vector sets have at most 65535 "
                                         "bytes"},
         {"VISMEMBER k {x 65536}", ":0", "#f"}, {"VCARD k", ":1"},
         {"VADD {x 65535} VALUES 1 1 a", ":1", "#t"}, {"VADD {x 65536} VALUES 1 1 a", "-ERR ..."},
         {"DBSIZE", ":2"});
}

TEST(vset_errors, vectors_have_a_dimension_limit)
{
    enum { DIM = 65536 };
    struct peer *p = peer_fresh(2);
    float *vector = mem_calloc(MEM_TEST, (DIM + 1) * sizeof(float));
    struct peer raw;
    vector[3] = 1;
    for (size_t dim = DIM; dim <= DIM + 1; dim++) {
        struct buf b = BUF_INIT(MEM_TEST);
        peer_open(&raw, served_shared());
        buf_printf(&b, "*5\r\n$4\r\nVADD\r\n$1\r\nk\r\n$4\r\nFP32\r\n$%zu\r\n",
                   dim * sizeof(float));
        buf_append(&b, vector, dim * sizeof(float));
        buf_printf(&b, "\r\n$2\r\n%zu\r\n", dim - DIM + 10);
        REQUIRE(peer_send(&raw, b.ptr, b.len));
        EXPECT_STR(peer_reply(&raw, REPLY_MS), dim == DIM ? ":1" : BAD_VECTOR);
        buf_fini(&b);
        peer_close(&raw);
    }
    SAYS(p, "VDIM k", ":65536");
    SAYS(p, "VCARD k", ":1");
    SAYS(p, "VSIM k ELE 10", "['10']");
    mem_free(MEM_TEST, vector);
}

/* Defect 4 of Redis 8.8: infinity was stored as NaN. */
TEST(vset_errors, infinity_is_refused_and_zero_vectors_are_not)
{
    PLAY({"VADD k VALUES 2 inf 0 a", BAD_VECTOR}, {"VADD k VALUES 2 0 0 a", ":1", "#t"},
         {"VADD k VALUES 2 1 0 b", ":1", "#t"}, {"VEMB k a", "['0' '0']", "[,0 ,0]"},
         {"VSIM k VALUES 2 0 0 COUNT 5 WITHSCORES", "[...", "{..."},
         {"VSIM k VALUES 2 1 0 COUNT 1", "['b']"});
}

/* Defect 8: a set whose last element went, searched at once. */
TEST(vset_errors, searches_of_what_was_emptied_find_nothing)
{
    PLAY({"VADD k VALUES 2 1 0 a", ":1", "#t"}, {"VREM k a", ":1", "#t"}, {"VSIM k ELE a", "[]"},
         {"VSIM k VALUES 2 1 0 WITHSCORES", "[]"}, {"VCREATE c DIM 2", "+OK"},
         {"VSIM c VALUES 2 1 0", "[]"}, {"VSIM c VALUES 2 1 0 WITHSCORES", "[]", "{}"},
         {"VSIM c ELE a", "-ERR element not found in set"}, {"VRANDMEMBER c", "nil"},
         {"VRANGE c - +", "[]"}, {"VSEARCH c VALUES 2 1 0", "[]"});
}
