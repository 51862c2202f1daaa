/* resp_test.c: the wire as Redis speaks it: what is read, refused and written. */
#include "lib/test.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/words.h"
#include "net/resp_read.h"
#include "net/resp_write.h"

enum { ARGS_MAX = 100, BULK_MAX = 1000, INLINE_MAX = 200 };

/* What a stream of bytes means: every command as "[arg|arg]", an error as "!text", and "..." when
 * the last command is not complete. */
struct transcript {
    struct buf text;
    struct buf input; /* as a session keeps it */
    struct resp_reader reader;
    bool broken;
};

static void transcript_init(struct transcript *t)
{
    buf_init(&t->text, MEM_TEST);
    buf_init(&t->input, MEM_TEST);
    resp_reader_init(&t->reader, ARGS_MAX, BULK_MAX, INLINE_MAX);
    t->broken = false;
}

static void transcript_fini(struct transcript *t)
{
    buf_fini(&t->text);
    buf_fini(&t->input);
    resp_reader_fini(&t->reader);
}

static void note_command(struct transcript *t)
{
    const struct resp_reader *r = &t->reader;
    buf_append_byte(&t->text, '[');
    for (size_t i = 0; i < r->arg_count; i++) {
        if (i > 0)
            buf_append_byte(&t->text, '|');
        buf_append_slice(&t->text, r->args[i]);
    }
    buf_append_byte(&t->text, ']');
}

static void transcript_feed(struct transcript *t, struct slice bytes)
{
    struct resp_reader *r = &t->reader;
    if (t->broken)
        return;
    buf_append_slice(&t->input, bytes);
    struct why why = {""};
    enum resp_status status;
    while ((status = resp_read(r, buf_slice(&t->input), &why)) == RESP_COMMAND) {
        REQUIRE(r->size > 0 && r->size <= t->input.len);
        note_command(t);
        buf_consume(&t->input, r->size);
        resp_reader_next(r);
    }
    if (status == RESP_BROKEN) {
        t->broken = true;
        buf_append_byte(&t->text, '!');
        buf_append_text(&t->text, why.text);
    } else {
        EXPECT(r->size_needed == 0 || r->size_needed > t->input.len);
    }
}

static const char *transcript_end(struct transcript *t)
{
    if (!t->broken && t->input.len > 0)
        buf_append_text(&t->text, "...");
    buf_append_byte(&t->text, '\0');
    return (const char *)t->text.ptr;
}

static void expect_reads(const char *file, int line, struct slice bytes, const char *expected)
{
    struct transcript t;
    transcript_init(&t);
    transcript_feed(&t, bytes);
    const char *got = transcript_end(&t);
    if (strcmp(got, expected) != 0)
        test_fail(file, line, "read \"%s\", expected \"%s\"", got, expected);
    transcript_fini(&t);
}

#define EXPECT_READS(literal, expected)                                                            \
    expect_reads(__FILE__, __LINE__,                                                               \
                 (struct slice){(const uint8_t *)(literal), sizeof(literal) - 1}, (expected))

TEST(resp_read, arrays_of_bulks)
{
    EXPECT_READS("*1\r\n$4\r\nPING\r\n", "[PING]");
    EXPECT_READS("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", "[SET|k|]");
    EXPECT_READS("*2\r\n$4\r\nECHO\r\n$5\r\na\r\n$b\r\n*1\r\n$4\r\nPING\r\n",
                 "[ECHO|a\r\n$b][PING]");
    EXPECT_READS("*2\r\n$4\r\nECHO\r\n$5\r\na", "...");
    EXPECT_READS("", "");
}

TEST(resp_read, empty_commands_have_no_arguments)
{
    EXPECT_READS("*0\r\n*-1\r\n*-7\r\n\r\n\n   \r\n*1\r\n$1\r\nx\r\n", "[][][][][][][x]");
}

TEST(resp_read, inline_commands_split_as_in_redis)
{
    EXPECT_READS("PING\r\n", "[PING]");
    EXPECT_READS("PING\n", "[PING]");
    EXPECT_READS("  set  k\tv  \r\n", "[set|k|v]");
    EXPECT_READS("set k \"a b\"\r\n", "[set|k|a b]");
    EXPECT_READS("set k \"\\x41\\n\\r\\t\\b\\a\\\\\\\"\\q\\xzz\"\r\n",
                 "[set|k|A\n\r\t\b\a\\\"qxzz]");
    EXPECT_READS("set k 'a\\'b \\n'\r\n", "[set|k|a'b \\n]");
    EXPECT_READS("set k '' \"\"\r\n", "[set|k||]");
    EXPECT_READS("set pre\"fix x\" y\r\n", "[set|prefix x|y]");
    EXPECT_READS("a \v b\vc\r\n", "[a|b\vc]");
    EXPECT_READS("$4\r\n", "[$4]");
}

TEST(resp_read, unbalanced_quotes_are_refused)
{
    const char *expected = "!Protocol error: unbalanced quotes in request";
    EXPECT_READS("set k \"a\r\n", expected);
    EXPECT_READS("set k 'a\r\n", expected);
    EXPECT_READS("set k \"a\"b\r\n", expected);
    EXPECT_READS("set k 'a'b\r\n", expected);
    EXPECT_READS("set k \"a\\\"\r\n", expected);
    EXPECT_READS("set k \"a\\\r\n", expected);
    EXPECT_READS("\"\r\n", expected);
}

TEST(resp_read, http_is_refused)
{
    const char *expected = "!Protocol error: this is a Redis protocol port, not HTTP "
                           "(possible cross-protocol attack)";
    EXPECT_READS("POST / HTTP/1.1\r\n", expected);
    EXPECT_READS("host: localhost\r\n", expected);
    EXPECT_READS("hosts x\r\n", "[hosts|x]");
    EXPECT_READS("*1\r\n$4\r\nPOST\r\n", "[POST]");
}

TEST(resp_read, errors_are_worded_as_in_redis)
{
    const char *count = "!Protocol error: invalid multibulk length";
    EXPECT_READS("*x\r\n", count);
    EXPECT_READS("*\r\n", count);
    EXPECT_READS("*01\r\n", count);
    EXPECT_READS("*+1\r\n", count);
    EXPECT_READS("* 1\r\n", count);
    EXPECT_READS("*9223372036854775808\r\n", count);
    const char *size = "!Protocol error: invalid bulk length";
    EXPECT_READS("*1\r\n$x\r\n", size);
    EXPECT_READS("*1\r\n$\r\n", size);
    EXPECT_READS("*1\r\n$-1\r\n", size);
    EXPECT_READS("*1\r\n$99999999999999999999\r\n", size);
    EXPECT_READS("*1\r\n:1\r\n", "!Protocol error: expected '$', got ':'");
    EXPECT_READS("*2\r\n$1\r\na\r\nPING\r\n", "!Protocol error: expected '$', got 'P'");
    EXPECT_READS("*1\r\n\0\r\n", "!Protocol error: expected '$', got ' '");
    EXPECT_READS("*1\r\n\r\n", "!Protocol error: expected '$', got ' '");
    EXPECT_READS("PING\r\n*x\r\n", "[PING]!Protocol error: invalid multibulk length");
}

/* A reader with the limits of this file, given whole lines of fill bytes. */
static enum resp_status read_filled(const char *head, size_t fill, const char *tail,
                                    bool unauthenticated, struct why *why)
{
    struct buf in = BUF_INIT(MEM_TEST);
    struct resp_reader r;
    resp_reader_init(&r, ARGS_MAX, BULK_MAX, INLINE_MAX);
    r.unauthenticated = unauthenticated;
    buf_append_text(&in, head);
    for (size_t i = 0; i < fill; i++)
        buf_append_byte(&in, '0');
    buf_append_text(&in, tail);
    why->text[0] = '\0';
    enum resp_status status = resp_read(&r, buf_slice(&in), why);
    resp_reader_fini(&r);
    buf_fini(&in);
    return status;
}

TEST(resp_read, sizes_at_the_limit_pass_and_one_past_are_refused)
{
    struct why why;
    EXPECT_EQ(read_filled("*1\r\n$1000\r\n", 1000, "\r\n", false, &why), RESP_COMMAND);
    EXPECT_EQ(read_filled("*1\r\n$1001\r\n", 0, "", false, &why), RESP_BROKEN);
    EXPECT_STR(why.text, "Protocol error: invalid bulk length");
    EXPECT_EQ(read_filled("*1\r\n$1001\r\n", 0, "", true, &why), RESP_BROKEN);
    EXPECT_STR(why.text, "Protocol error: unauthenticated bulk length");

    EXPECT_EQ(read_filled("*100\r\n", 0, "", false, &why), RESP_MORE);
    EXPECT_EQ(read_filled("*101\r\n", 0, "", false, &why), RESP_BROKEN);
    EXPECT_STR(why.text, "Protocol error: invalid multibulk length");
    EXPECT_EQ(read_filled("*101\r\n", 0, "", true, &why), RESP_BROKEN);
    EXPECT_STR(why.text, "Protocol error: unauthenticated multibulk length");
}

TEST(resp_read, lines_at_the_limit_pass_and_one_past_are_refused)
{
    struct why why;
    EXPECT_EQ(read_filled("", INLINE_MAX, "\n", false, &why), RESP_COMMAND);
    EXPECT_EQ(read_filled("", INLINE_MAX, "", false, &why), RESP_MORE);
    EXPECT_EQ(read_filled("", INLINE_MAX + 1, "\n", false, &why), RESP_BROKEN);
    EXPECT_STR(why.text, "Protocol error: too big inline request");
    EXPECT_EQ(read_filled("*", INLINE_MAX - 1, "", false, &why), RESP_MORE);
    EXPECT_EQ(read_filled("*", INLINE_MAX, "", false, &why), RESP_BROKEN);
    EXPECT_STR(why.text, "Protocol error: too big mbulk count string");
    EXPECT_EQ(read_filled("*1\r\n$", INLINE_MAX - 1, "", false, &why), RESP_MORE);
    EXPECT_EQ(read_filled("*1\r\n$", INLINE_MAX, "", false, &why), RESP_BROKEN);
    EXPECT_STR(why.text, "Protocol error: too big bulk count string");
}

static const char pipeline[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\na\r\nb*1\r\n$1\r\nx\r\n"
                               "set k \"quoted \\x41\" 'it\\'s'\r\n"
                               "*0\r\n\r\nPING\n*-1\r\n"
                               "*2\r\n$0\r\n\r\n$3\r\n\r\n\r\r\n"
                               "  GET   k  \r\n*1\r\n$4\r\nPI";

TEST(resp_read, commands_do_not_depend_on_how_bytes_are_cut)
{
    struct slice all = {(const uint8_t *)pipeline, sizeof(pipeline) - 1};
    struct transcript whole;
    transcript_init(&whole);
    transcript_feed(&whole, all);
    const char *expected = transcript_end(&whole);
    REQUIRE(strstr(expected, "[set|k|quoted A|it's]") != NULL);
    for (size_t cut = 0; cut <= all.len; cut++) {
        struct transcript t;
        transcript_init(&t);
        transcript_feed(&t, (struct slice){all.ptr, cut});
        transcript_feed(&t, (struct slice){all.ptr + cut, all.len - cut});
        EXPECT_STR(transcript_end(&t), expected);
        transcript_fini(&t);
    }
    struct transcript bytewise;
    transcript_init(&bytewise);
    for (size_t i = 0; i < all.len; i++)
        transcript_feed(&bytewise, (struct slice){all.ptr + i, 1});
    EXPECT_STR(transcript_end(&bytewise), expected);
    transcript_fini(&bytewise);
    transcript_fini(&whole);
}

TEST(resp_read, announced_counts_cost_no_memory)
{
    struct resp_reader r;
    resp_reader_init(&r, LIMIT_ARG_COUNT, 512u << 20, LIMIT_INLINE_SIZE);
    size_t before = mem_used(MEM_CLIENT);
    struct why why;
    EXPECT_EQ(resp_read(&r, slice_of("*1048576\r\n$536870912\r\n"), &why), RESP_MORE);
    EXPECT_EQ(mem_used(MEM_CLIENT), before);
    EXPECT_EQ(r.size_needed, 22 + 536870912 + 2);
    resp_reader_fini(&r);
}

/* 1,000 arguments in single bytes: 10 MB of calls' worth if each call rescanned, 9 kB if not. The
 * property is that positions only go forward. */
TEST(resp_read, looks_at_each_byte_once)
{
    struct buf in = BUF_INIT(MEM_TEST);
    buf_append_text(&in, "*1000\r\n");
    for (int i = 0; i < 1000; i++)
        buf_append_text(&in, "$3\r\nabc\r\n");
    struct resp_reader r;
    resp_reader_init(&r, 1000, BULK_MAX, INLINE_MAX);
    size_t cursor = 0, scanned = 0;
    for (size_t len = 1; len < in.len; len++) {
        EXPECT_EQ(resp_read(&r, (struct slice){in.ptr, len}, NULL), RESP_MORE);
        EXPECT(r.cursor >= cursor && r.scanned >= scanned);
        EXPECT(r.in_bulk || r.scanned + 1 >= len);
        cursor = r.cursor;
        scanned = r.scanned;
    }
    EXPECT_EQ(resp_read(&r, buf_slice(&in), NULL), RESP_COMMAND);
    EXPECT_EQ(r.arg_count, 1000);
    EXPECT(slice_eq(r.args[999], slice_of("abc")));
    resp_reader_next(&r);
    EXPECT(r.args == NULL); /* a large vector is not kept */
    resp_reader_fini(&r);
    buf_fini(&in);
}

TEST(resp_read, running_out_of_memory_breaks_the_connection_only)
{
    const char *commands[] = {"*2\r\n$1\r\na\r\n$1\r\nb\r\n", "a b\r\n", "\"a\" b\r\n"};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        bool failed = false;
        for (uint64_t nth = 1; nth == 1 || failed; nth++) {
            struct resp_reader r;
            struct why why;
            resp_reader_init(&r, ARGS_MAX, BULK_MAX, INLINE_MAX);
            (void)mem_fail_nth(nth);
            enum resp_status status = resp_read(&r, slice_of(commands[i]), &why);
            failed = mem_fail_nth(0) != 0;
            EXPECT_EQ(status, failed ? RESP_BROKEN : RESP_COMMAND);
            if (failed)
                EXPECT_STR(why.text, "Protocol error: out of memory for the arguments");
            EXPECT(nth > 1 || failed);
            resp_reader_fini(&r);
        }
    }
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

TEST(resp_read, garbage_is_read_the_same_in_any_pieces)
{
    static const char alphabet[] = "*$$\r\n\r\n01239-\"'\\x a\0";
    uint64_t state = 1;
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[80];
        size_t len = next_random(&state) % sizeof(bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)alphabet[next_random(&state) % (sizeof(alphabet) - 1)];
        struct transcript whole, pieces;
        transcript_init(&whole);
        transcript_init(&pieces);
        transcript_feed(&whole, (struct slice){bytes, len});
        for (size_t at = 0, size; at < len; at += size) {
            size = 1 + next_random(&state) % 4;
            size = size < len - at ? size : len - at;
            transcript_feed(&pieces, (struct slice){bytes + at, size});
        }
        EXPECT_STR(transcript_end(&whole), transcript_end(&pieces));
        transcript_fini(&whole);
        transcript_fini(&pieces);
    }
}

/* What a writer appends, as text. */
static const char *written(struct buf *out)
{
    buf_append_byte(out, '\0');
    return (const char *)out->ptr;
}

#define EXPECT_WRITES(call, in_2, in_3)                                                            \
    do {                                                                                           \
        for (int proto = 2; proto <= 3; proto++) {                                                 \
            struct buf out = BUF_INIT(MEM_TEST);                                                   \
            struct reply reply = {&out, proto};                                                    \
            struct reply *r = &reply;                                                              \
            call;                                                                                  \
            EXPECT_STR(written(&out), proto == 2 ? (in_2) : (in_3));                               \
            buf_fini(&out);                                                                        \
        }                                                                                          \
    } while (0)
#define EXPECT_WRITES_BOTH(call, expected) EXPECT_WRITES(call, expected, expected)

TEST(resp_write, every_reply_in_both_protocols)
{
    EXPECT_WRITES_BOTH(reply_simple(r, "OK"), "+OK\r\n");
    EXPECT_WRITES_BOTH(reply_error(r, "ERR no"), "-ERR no\r\n");
    EXPECT_WRITES_BOTH(reply_errorf(r, "ERR %d", 7), "-ERR 7\r\n");
    EXPECT_WRITES_BOTH(reply_int(r, 0), ":0\r\n");
    EXPECT_WRITES_BOTH(reply_int(r, -42), ":-42\r\n");
    EXPECT_WRITES_BOTH(reply_int(r, INT64_MAX), ":9223372036854775807\r\n");
    EXPECT_WRITES_BOTH(reply_int(r, INT64_MIN), ":-9223372036854775808\r\n");
    EXPECT_WRITES_BOTH(reply_text(r, "text"), "$4\r\ntext\r\n");
    EXPECT_WRITES_BOTH(reply_bulk(r, slice_of("a\r\nb")), "$4\r\na\r\nb\r\n");
    EXPECT_WRITES_BOTH(reply_bulk(r, (struct slice){NULL, 0}), "$0\r\n\r\n");
    EXPECT_WRITES(reply_bool(r, true), ":1\r\n", "#t\r\n");
    EXPECT_WRITES(reply_bool(r, false), ":0\r\n", "#f\r\n");
    EXPECT_WRITES(reply_double(r, 0.5), "$3\r\n0.5\r\n", ",0.5\r\n");
    EXPECT_WRITES(reply_null(r), "$-1\r\n", "_\r\n");
    EXPECT_WRITES(reply_null_array(r), "*-1\r\n", "_\r\n");
    EXPECT_WRITES(reply_verbatim(r, "txt", slice_of("a b")), "$3\r\na b\r\n", "=7\r\ntxt:a b\r\n");
    EXPECT_WRITES_BOTH(reply_array(r, 0), "*0\r\n");
    EXPECT_WRITES_BOTH(reply_array(r, 1234567), "*1234567\r\n");
    EXPECT_WRITES(reply_map(r, 2), "*4\r\n", "%2\r\n");
    EXPECT_WRITES(reply_set(r, 3), "*3\r\n", "~3\r\n");
}

/* At every place where the digits of a length become one more. */
TEST(resp_write, bulk_has_its_length_in_decimal)
{
    static uint8_t bytes[100001];
    memset(bytes, 'v', sizeof(bytes));
    for (size_t size = 10; size < sizeof(bytes); size *= 10)
        for (size_t len = size - 1; len <= size; len++) {
            struct buf out = BUF_INIT(MEM_CLIENT);
            struct reply r = {&out, 2};
            reply_bulk(&r, (struct slice){bytes, len});
            char head[32];
            size_t head_size = (size_t)snprintf(head, sizeof(head), "$%zu\r\n", len);
            EXPECT_EQ(out.len, head_size + len + 2);
            EXPECT(memcmp(out.ptr, head, head_size) == 0);
            EXPECT(memcmp(out.ptr + head_size, bytes, len) == 0);
            EXPECT(memcmp(out.ptr + head_size + len, "\r\n", 2) == 0);
            buf_fini(&out);
        }
}

TEST(resp_write, bulk_without_memory_leaves_no_part_of_it)
{
    static const uint8_t bytes[1000];
    struct buf out = BUF_INIT(MEM_CLIENT);
    struct reply r = {&out, 2};
    reply_int(&r, 1);
    (void)mem_fail_nth(1);
    reply_bulk(&r, (struct slice){bytes, sizeof(bytes)});
    EXPECT(mem_fail_nth(0) != 0);
    EXPECT(buf_failed(&out));
    EXPECT_EQ(out.len, 4);
    buf_fini(&out);
}

TEST(resp_write, errors_carry_code_and_reason)
{
    struct why why = {"EF must be between 1 and 1000000"};
    struct why silent = {""};
    EXPECT_WRITES_BOTH(reply_err(r, ERR_ARG, &why), "-ERR EF must be between 1 and 1000000\r\n");
    EXPECT_WRITES_BOTH(reply_err(r, ERR_SYNTAX, &silent), "-ERR syntax error\r\n");
    EXPECT_WRITES_BOTH(reply_err(r, ERR_TYPE, NULL),
                       "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
}

TEST(resp_write, lines_cannot_be_forged_and_are_cut)
{
    EXPECT_WRITES_BOTH(reply_errorf(r, "ERR bad '%s'", "x\r\n+OK\x01\x7f"),
                       "-ERR bad 'x  +OK  '\r\n");
    EXPECT_WRITES_BOTH(reply_simple(r, "a\nb"), "+a b\r\n");
    char text[1200];
    memset(text, 'e', sizeof(text));
    for (size_t size = 1024; size <= 1025; size++) {
        text[size] = '\0';
        struct buf out = BUF_INIT(MEM_TEST);
        struct reply r = {&out, 2};
        reply_error(&r, text);
        reply_errorf(&r, "%s", text);
        EXPECT_EQ(out.len, 2 * (1 + 1024 + 2));
        buf_fini(&out);
        text[size] = 'e';
    }
}

TEST(resp_write, doubles_as_redis_prints_scores)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-3, "-3"},
        {0.5, "0.5"},
        {-2.25, "-2.25"},
        {0.1, "0.1"},
        {0.9992150366306305, "0.9992150366306305"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1f, "0.10000000149011612"},
        {1e-7, "0.0000001"},
        {9.5e-8, "9.5e-08"},
        {123456.789, "123456.789"},
        {1e16, "10000000000000000"},
        {12345678901234568, "12345678901234568"},
        {99999999999999984, "99999999999999980"},
        {1e17, "1e+17"},
        {-1.5e300, "-1.5e+300"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {5e-324, "5e-324"},
        {9007199254740992, "9007199254740992"},
        {4503599627370495.5, "4503599627370495.5"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
        {-NAN, "nan"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[DOUBLE_TEXT_MAX];
        size_t size = double_to_text(cases[i].value, text);
        EXPECT_STR(text, cases[i].text);
        EXPECT_EQ(size, strlen(text));
    }
}

TEST(resp_write, doubles_read_back_as_the_same_bits)
{
    uint64_t state = 7;
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = (uint64_t)next_random(&state) << 33 ^ next_random(&state);
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (i % 2 == 0)
            value = (double)next_random(&state) / 0x1p31;
        char text[DOUBLE_TEXT_MAX];
        (void)double_to_text(value, text);
        double back = strtod(text, NULL);
        EXPECT(memcmp(&back, &value, sizeof(value)) == 0 || isnan(value));
    }
}

/* The significant digits of a number's text, without sign, point, exponent and outer zeros. */
static void significant_digits(const char *text, char digits[DOUBLE_TEXT_MAX])
{
    size_t count = 0;
    for (; *text != '\0' && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && (count > 0 || *text != '0'))
            digits[count++] = *text;
    while (count > 0 && digits[count - 1] == '0')
        count--;
    digits[count] = '\0';
}

static void expect_shortest(double value)
{
    char text[DOUBLE_TEXT_MAX], tried[DOUBLE_TEXT_MAX];
    char digits[DOUBLE_TEXT_MAX], expected[DOUBLE_TEXT_MAX];
    int places = 0;
    do
        (void)snprintf(tried, sizeof(tried), "%.*e", places++, value);
    while (strtod(tried, NULL) != value);
    (void)double_to_text(value, text);
    significant_digits(text, digits);
    significant_digits(tried, expected);
    EXPECT(strtod(text, NULL) == value);
    EXPECT_STR(digits, expected);
}

TEST(resp_write, doubles_have_the_digits_that_printf_finds_by_trial)
{
    uint64_t state = 11;
    for (int i = 0; i < 10000; i++) {
        double fraction =
            (double)next_random(&state) / 0x1p31 + (double)next_random(&state) * 0x1p-62;
        int exponent = (int)(next_random(&state) % 100) - 42;
        expect_shortest(ldexp(fraction, exponent));
        expect_shortest((double)(float)fraction);
        expect_shortest(round(fraction * 1e6) / 1e6);
    }
    for (int exponent = -45; exponent < 60; exponent++)
        for (int step = -2; step <= 2; step++) {
            double power = ldexp(1, exponent);
            expect_shortest(power + step * power * DBL_EPSILON);
        }
}
