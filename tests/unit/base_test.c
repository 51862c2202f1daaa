/* slice, buf, bytes, rng, topk and err: small things everything else stands on. */
#include <math.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/topk.h"
#include "lib/test.h"

/* -- slice ------------------------------------------------------------------------------------- */

TEST(slice, compares_as_memcmp_and_the_shorter_first)
{
    struct slice empty = {NULL, 0};
    EXPECT(slice_cmp(empty, slice_of("")) == 0);
    EXPECT(slice_cmp(empty, slice_of("a")) < 0);
    EXPECT(slice_cmp(slice_of("a"), empty) > 0);
    EXPECT(slice_cmp(slice_of("ab"), slice_of("abc")) < 0);
    EXPECT(slice_cmp(slice_of("b"), slice_of("abc")) > 0);
    EXPECT(slice_cmp(slice_of("\x80"), slice_of("\x7f")) > 0);
    EXPECT(slice_cmp(slice_of("same"), slice_of("same")) == 0);
    EXPECT(slice_eq(empty, slice_of("")));
    EXPECT(!slice_eq(slice_of("ab"), slice_of("abc")));
    struct slice with_nul = {(const uint8_t *)"a\0b", 3}, other = {(const uint8_t *)"a\0c", 3};
    EXPECT(!slice_eq(with_nul, other));
    EXPECT(slice_cmp(with_nul, other) < 0);
}

TEST(slice, compares_option_words_without_case)
{
    EXPECT(slice_eq_nocase(slice_of("WithScores"), "WITHSCORES"));
    EXPECT(slice_eq_nocase(slice_of(""), ""));
    EXPECT(!slice_eq_nocase(slice_of("with"), "withscores"));
    EXPECT(!slice_eq_nocase(slice_of("withscores2"), "withscores"));
    /* '@' and '`', '[' and '{' differ by the bit that tells the cases of letters apart */
    EXPECT(!slice_eq_nocase(slice_of("@"), "`"));
    EXPECT(!slice_eq_nocase(slice_of("["), "{"));
    struct slice with_nul = {(const uint8_t *)"ef\0", 3};
    EXPECT(!slice_eq_nocase(with_nul, "ef"));
}

TEST(slice, reads_unsigned_numbers_up_to_their_limit)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0}, {"7", 7}, {"10", 10}, {"18446744073709551615", UINT64_MAX}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        uint64_t value = 99;
        EXPECT(slice_to_u64(slice_of(good[i].text), &value));
        EXPECT(value == good[i].value);
    }
    static const char *const bad[] = {"",     "-1",  "+1",  " 1",  "1 ", "00",
                                      "01",   "1.0", "1e3", "0x1", "/",  ":",
                                      "18446744073709551616", "18446744073709551620",
                                      "28446744073709551615", "99999999999999999999",
                                      "100000000000000000000"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint64_t value = 99;
        EXPECT(!slice_to_u64(slice_of(bad[i]), &value));
        EXPECT_EQ(value, 99);
    }
    uint64_t value;
    EXPECT(!slice_to_u64((struct slice){(const uint8_t *)"1\0", 2}, &value));
    EXPECT(slice_to_u64((struct slice){(const uint8_t *)"123", 2}, &value) && value == 12);
}

TEST(slice, reads_signed_numbers_up_to_their_limits)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-1", -1},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775807", -INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t value = 99;
        EXPECT(slice_to_i64(slice_of(good[i].text), &value));
        EXPECT(value == good[i].value);
    }
    static const char *const bad[] = {"",   "-",   "--1", "-0", "-01", "+1", "1-",
                                      "- 1", "9223372036854775808", "-9223372036854775809",
                                      "18446744073709551615", "-18446744073709551615"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t value = 99;
        EXPECT(!slice_to_i64(slice_of(bad[i]), &value));
        EXPECT_EQ(value, 99);
    }
}

TEST(slice, reads_floating_point_numbers)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},       {"-0.5", -0.5},       {"1e3", 1000},    {"+2", 2},
                {".5", 0.5},    {"5.", 5},            {"1E-2", 0.01},   {"1e999", HUGE_VAL},
                {"inf", HUGE_VAL}, {"-INF", -HUGE_VAL}, {"Infinity", HUGE_VAL},
                {"0.1", 0.1},   {"9007199254740993", 9007199254740992.0}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        double value = 99;
        EXPECT(slice_to_f64(slice_of(good[i].text), &value));
        if (value != good[i].value)
            test_fail(__FILE__, __LINE__, "%s gives %.17g", good[i].text, value);
    }
    double nan = 0;
    EXPECT(slice_to_f64(slice_of("NaN"), &nan) && isnan(nan));
    static const char *const bad[] = {"",   " 1",  "1 ",  "\t1",   "\n1", "1,5",    "0x10", "0X1p3",
                                      "1e", "e1",  "--1", "+-1",   ".",   "nan(1)", "nan()",
                                      "abc", "1.2.3", "infx", "in"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        double value = 99;
        if (slice_to_f64(slice_of(bad[i]), &value) || value != 99)
            test_fail(__FILE__, __LINE__, "\"%s\" is taken for a number", bad[i]);
    }
    double value;
    EXPECT(!slice_to_f64((struct slice){(const uint8_t *)"1\0002", 3}, &value));
}

TEST(slice, reads_floating_point_numbers_of_255_bytes_and_no_more)
{
    char text[257];
    memset(text, '0', sizeof(text));
    text[254] = text[255] = '1';
    double value = 0;
    EXPECT(slice_to_f64((struct slice){(uint8_t *)text, 255}, &value) && value == 1);
    EXPECT(!slice_to_f64((struct slice){(uint8_t *)text, 256}, &value));
}

/* -- buf --------------------------------------------------------------------------------------- */

TEST(buf, keeps_what_was_appended)
{
    struct buf b = BUF_INIT(MEM_TEST);
    EXPECT_EQ(buf_slice(&b).len, 0);
    buf_append_text(&b, "one");
    buf_append_byte(&b, ' ');
    buf_append(&b, NULL, 0);
    buf_append_slice(&b, slice_of("two"));
    buf_printf(&b, " %d%s", 3, "");
    EXPECT(slice_eq(buf_slice(&b), slice_of("one two 3")));
    buf_consume(&b, 4);
    EXPECT(slice_eq(buf_slice(&b), slice_of("two 3")));
    buf_consume(&b, 0);
    buf_consume(&b, 5);
    EXPECT_EQ(b.len, 0);
    for (int i = 0; i < 100000; i++)
        buf_append_byte(&b, (uint8_t)i);
    bool same = b.len == 100000;
    for (size_t i = 0; same && i < b.len; i++)
        same = b.ptr[i] == (uint8_t)i;
    EXPECT(same);
    buf_fini(&b);
    EXPECT_EQ(mem_used(MEM_TEST), 0);
}

TEST(buf, reserves_room_that_counts_only_when_advanced)
{
    struct buf b = BUF_INIT(MEM_TEST);
    EXPECT(buf_reserve(&b, 0) != NULL);
    uint8_t *room = buf_reserve(&b, 1000);
    REQUIRE(room != NULL);
    EXPECT_EQ(b.len, 0);
    memset(room, 'x', 1000);
    buf_advance(&b, 10);
    EXPECT_EQ(b.len, 10);
    EXPECT(b.capacity >= 1000);
    EXPECT(buf_reserve(&b, 0) == b.ptr + 10);
    buf_fini(&b);
}

TEST(buf, printf_grows_to_any_length)
{
    struct buf b = BUF_INIT(MEM_TEST);
    buf_printf(&b, "%*d", 5000, 7);
    EXPECT_EQ(b.len, 5000);
    EXPECT_EQ(b.ptr[4999], '7');
    buf_printf(&b, "%s", "");
    EXPECT_EQ(b.len, 5000);
    buf_fini(&b);
}

TEST(buf, stays_failed_until_cleared_and_keeps_what_it_had)
{
    struct buf b = BUF_INIT(MEM_TEST);
    buf_append_text(&b, "before");
    (void)mem_fail_nth(1);
    buf_printf(&b, "%*d", 1000, 7);
    EXPECT(mem_fail_nth(0));
    EXPECT(buf_failed(&b));
    buf_append_text(&b, "after");
    EXPECT(buf_reserve(&b, 1) == NULL);
    EXPECT(slice_eq(buf_slice(&b), slice_of("before")));
    buf_clear(&b, 1024);
    EXPECT(!buf_failed(&b));
    buf_append_text(&b, "again");
    EXPECT(slice_eq(buf_slice(&b), slice_of("again")));
    buf_fini(&b);
    EXPECT_EQ(mem_used(MEM_TEST), 0);
}

TEST(buf, fails_on_sizes_that_nothing_can_hold)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 100, SIZE_MAX / 2};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buf b = BUF_INIT(MEM_TEST);
        buf_append_text(&b, "ab");
        (void)mem_fail_nth(1); /* sanitizers abort on a request that large */
        EXPECT(buf_reserve(&b, sizes[i]) == NULL);
        (void)mem_fail_nth(0);
        EXPECT(buf_failed(&b));
        EXPECT_EQ(b.len, 2);
        buf_fini(&b);
    }
}

TEST(buf, clear_keeps_no_more_memory_than_asked)
{
    struct buf b = BUF_INIT(MEM_TEST);
    (void)buf_reserve(&b, 5000);
    size_t capacity = b.capacity;
    buf_clear(&b, capacity);
    EXPECT_EQ(b.capacity, capacity);
    buf_clear(&b, capacity - 1);
    EXPECT(b.capacity < capacity);
    EXPECT_EQ(mem_used(MEM_TEST), 0);
    buf_fini(&b);
}

/* -- bytes ------------------------------------------------------------------------------------- */

TEST(bytes, read_back_what_was_written)
{
    struct buf b = BUF_INIT(MEM_TEST);
    bytes_put_u8(&b, 0xfe);
    bytes_put_u32(&b, 0x01020304);
    bytes_put_u64(&b, 0x0102030405060708);
    bytes_put_f32(&b, -1.5f);
    bytes_put_slice(&b, slice_of("text"));
    bytes_put_slice(&b, (struct slice){NULL, 0});
    bytes_put_u64(&b, UINT64_MAX);
    static const uint8_t head[] = {0xfe, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1};
    EXPECT(b.len > sizeof(head) && memcmp(b.ptr, head, sizeof(head)) == 0);
    struct bytes_reader r = {.left = buf_slice(&b)};
    EXPECT_EQ(bytes_get_u8(&r), 0xfe);
    EXPECT_EQ(bytes_get_u32(&r), 0x01020304);
    EXPECT_EQ(bytes_get_u64(&r), 0x0102030405060708);
    EXPECT(bytes_get_f32(&r) == -1.5f);
    EXPECT(slice_eq(bytes_get_slice(&r), slice_of("text")));
    EXPECT_EQ(bytes_get_slice(&r).len, 0);
    EXPECT(bytes_get_u64(&r) == UINT64_MAX);
    EXPECT(!r.broken && r.left.len == 0);
    buf_fini(&b);
}

TEST(bytes, a_float_keeps_its_bits)
{
    static const uint32_t bits[] = {0x7fc00001, 0xff800000, 0x80000000, 1, 0x7f7fffff};
    for (size_t i = 0; i < COUNT_OF(bits); i++) {
        struct buf b = BUF_INIT(MEM_TEST);
        bytes_put_u32(&b, bits[i]);
        struct bytes_reader r = {.left = buf_slice(&b)};
        float value = bytes_get_f32(&r);
        struct buf again = BUF_INIT(MEM_TEST);
        bytes_put_f32(&again, value);
        EXPECT(slice_eq(buf_slice(&b), buf_slice(&again)));
        buf_fini(&b);
        buf_fini(&again);
    }
}

/* One read of each kind from exactly so many bytes. */
static void read_kind(struct bytes_reader *r, unsigned kind)
{
    if (kind == 0)
        EXPECT_EQ(bytes_get_u8(r), 0);
    else if (kind == 1)
        EXPECT_EQ(bytes_get_u32(r), 0);
    else if (kind == 2)
        EXPECT_EQ(bytes_get_u64(r), 0);
    else if (kind == 3)
        EXPECT(bytes_get_f32(r) == 0);
    else if (kind == 4)
        EXPECT_EQ(bytes_get_slice(r).len, 0);
    else
        EXPECT_EQ(bytes_get_raw(r, 8).len, 0);
}

TEST(bytes, a_read_past_the_end_breaks_the_reader_for_good)
{
    static const size_t sizes[] = {1, 4, 8, 4, 4, 8};
    for (unsigned kind = 0; kind < COUNT_OF(sizes); kind++) {
        for (size_t size = 0; size < sizes[kind]; size++) {
            uint8_t *exact = malloc(size > 0 ? size : 1); /* a read too far is a sanitizer's find */
            memset(exact, 0xff, size);
            struct bytes_reader r = {.left = {exact, size}};
            read_kind(&r, kind);
            EXPECT(r.broken);
            read_kind(&r, 0);
            EXPECT(r.broken);
            free(exact);
        }
    }
}

TEST(bytes, a_length_that_lies_breaks_the_reader)
{
    static const uint32_t lengths[] = {6, 7, INT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct buf b = BUF_INIT(MEM_TEST);
        bytes_put_u32(&b, lengths[i]);
        buf_append_text(&b, "five!");
        struct bytes_reader r = {.left = buf_slice(&b)};
        struct slice got = bytes_get_slice(&r);
        EXPECT(r.broken && got.len == 0);
        buf_fini(&b);
    }
    struct bytes_reader r = {.left = slice_of("ab")};
    EXPECT_EQ(bytes_get_raw(&r, SIZE_MAX).len, 0);
    EXPECT(r.broken);
}

/* -- rng and hash ------------------------------------------------------------------------------ */

/* Published values, from state 1234567. */
TEST(rng, is_splitmix64)
{
    static const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u,
                                        9817491932198370423u, 4593380528125082431u,
                                        16408922859458223821u};
    uint64_t state = 1234567;
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        EXPECT(rng_next(&state) == expected[i]);
}

TEST(rng, stays_below_its_bound_and_reaches_all_of_it)
{
    uint64_t state = 1;
    unsigned seen[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t x = rng_below(&state, 7);
        REQUIRE(x < 7);
        seen[x]++;
    }
    for (size_t i = 0; i < COUNT_OF(seen); i++)
        EXPECT(seen[i] > 800 && seen[i] < 1200);
    EXPECT_EQ(rng_below(&state, 1), 0);
    uint64_t high = 0;
    for (int i = 0; i < 100; i++)
        high |= rng_below(&state, (uint64_t)1 << 32);
    EXPECT(high == UINT32_MAX);
    for (int i = 0; i < 1000; i++) {
        double unit = rng_unit(&state);
        REQUIRE(unit >= 0 && unit < 1);
    }
}

/* Published values for the key 00 01 .. 0f and messages 00 01 .. of some lengths. */
TEST(hash, is_siphash_1_3)
{
    const uint64_t seed[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {{0, 0xabac0158050fc4dc},  {1, 0xc9f49bf37d57ca93},  {9, 0x25a48eb36c063de4},
                   {15, 0xd320d86d2a519956}, {16, 0xcc4fdd1a7d908b66}, {17, 0x9cf2689063dbd80c},
                   {23, 0x525a0e7fdae6c123}};
    uint8_t message[23];
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)i;
    for (size_t i = 0; i < COUNT_OF(vectors); i++)
        EXPECT_EQ(hash_bytes((struct slice){message, vectors[i].len}, seed), vectors[i].hash);
}

TEST(hash, depends_on_every_byte_the_length_and_the_seed)
{
    const uint64_t seed[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    const uint64_t other[2] = {0x0706050403020101, 0x0f0e0d0c0b0a0908};
    uint8_t text[40] = {0};
    uint64_t hashes[41];
    for (size_t len = 0; len <= sizeof(text); len++) {
        hashes[len] = hash_bytes((struct slice){text, len}, seed);
        EXPECT(hashes[len] == hash_bytes((struct slice){text, len}, seed));
        EXPECT(hashes[len] != hash_bytes((struct slice){text, len}, other));
        for (size_t before = 0; before < len; before++)
            EXPECT(hashes[before] != hashes[len]); /* zeros of different lengths */
        for (size_t bit = 0; bit < 8 * len; bit++) {
            text[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            EXPECT(hashes[len] != hash_bytes((struct slice){text, len}, seed));
            text[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
}

TEST(hash, spreads_similar_keys_evenly)
{
    const uint64_t seed[2] = {1, 2};
    enum { KEYS = 64000, BINS = 64 };
    unsigned low[BINS] = {0}, high[BINS] = {0};
    for (unsigned i = 0; i < KEYS; i++) {
        char key[32];
        int len = snprintf(key, sizeof(key), "user:%u", i);
        uint32_t hash = (uint32_t)hash_bytes((struct slice){(uint8_t *)key, (size_t)len}, seed);
        low[hash % BINS]++;
        high[hash / (UINT32_MAX / BINS + 1)]++;
    }
    for (unsigned i = 0; i < BINS; i++) /* 1000 expected, standard deviation 31 */
        EXPECT(low[i] > 840 && low[i] < 1160 && high[i] > 840 && high[i] < 1160);
}

/* -- topk -------------------------------------------------------------------------------------- */

/* Hits with many ties, so that the order of rows is tested too. */
static void random_hits(uint64_t *rng, struct hit *hits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hits[i] = (struct hit){(float)rng_below(rng, count / 3 + 1) - 5, (uint32_t)i};
    for (size_t i = count; i > 1; i--) {
        size_t j = rng_below(rng, i);
        struct hit swap = hits[i - 1];
        hits[i - 1] = hits[j];
        hits[j] = swap;
    }
}

TEST(topk, keeps_what_sorting_all_would_put_first)
{
    enum { MOST = 300 };
    struct hit all[MOST], room[MOST];
    uint64_t rng = 3;
    for (size_t count = 0; count < MOST; count += 1 + count / 4) {
        for (size_t k = 0; k <= count + 1 && k <= MOST; k += 1 + k / 3) {
            random_hits(&rng, all, count);
            struct topk top;
            topk_init(&top, room, k);
            for (size_t i = 0; i < count; i++) {
                bool wanted = topk_wants(&top, all[i].dist);
                size_t before = top.count;
                topk_push(&top, all[i]);
                EXPECT(wanted || top.count == before);
            }
            topk_sort(&top);
            hits_sort(all, count);
            REQUIRE(top.count == (k < count ? k : count));
            for (size_t i = 0; i < top.count; i++)
                EXPECT(top.hits[i].row == all[i].row && top.hits[i].dist == all[i].dist);
        }
    }
}

TEST(topk, wants_nothing_that_it_would_not_keep)
{
    struct hit room[2];
    struct topk top;
    topk_init(&top, room, 2);
    EXPECT(topk_wants(&top, INFINITY));
    topk_push(&top, (struct hit){2, 5});
    topk_push(&top, (struct hit){1, 6});
    EXPECT(!topk_wants(&top, 2.5f));
    EXPECT(topk_wants(&top, 2)); /* a smaller row may still win the tie */
    topk_push(&top, (struct hit){2, 9});
    topk_push(&top, (struct hit){2, 4});
    topk_sort(&top);
    EXPECT_EQ(top.hits[0].row, 6);
    EXPECT_EQ(top.hits[1].row, 4);
    struct topk none;
    topk_init(&none, NULL, 0);
    EXPECT(!topk_wants(&none, -1));
    topk_push(&none, (struct hit){0, 0});
    topk_sort(&none);
    EXPECT_EQ(none.count, 0);
}

TEST(topk, sorts_any_hits_nearest_first_and_ties_by_row)
{
    enum { MOST = 1000 };
    struct hit hits[MOST];
    uint64_t rng = 11;
    for (size_t count = 0; count <= MOST; count += count < 520 ? 1 : 160) {
        random_hits(&rng, hits, count); /* rows 0 .. count - 1 */
        for (int again = 0; again < 2; again++) {
            hits_sort(hits, count);
            uint64_t rows = 0;
            for (size_t i = 0; i < count; i++)
                rows += hits[i].row;
            for (size_t i = 1; i < count; i++)
                EXPECT(hit_before(hits[i - 1], hits[i]) && !hit_before(hits[i], hits[i - 1]));
            EXPECT(count == 0 || rows == count * (count - 1) / 2);
        }
    }
    hits_sort(NULL, 0);
}

/* -- err --------------------------------------------------------------------------------------- */

TEST(err, every_error_has_a_name_and_a_text)
{
    for (unsigned i = 0; i < ERR_COUNT; i++) {
        EXPECT(strlen(err_name((enum err)i)) > 0);
        EXPECT(strlen(err_text((enum err)i)) > 0);
        EXPECT(i == OK || strlen(err_code((enum err)i)) > 0);
    }
    EXPECT_STR(err_name(ERR_NOMEM), "ERR_NOMEM");
    EXPECT_STR(err_code(ERR_TYPE), "WRONGTYPE");
    EXPECT_STR(err_code(OK), "");
}

TEST(err, a_reason_is_cut_at_its_size_and_may_be_unwanted)
{
    struct why why = {""};
    EXPECT_EQ(why_set(&why, ERR_ARG, "%s is %d", "ef", 7), ERR_ARG);
    EXPECT_STR(why.text, "ef is 7");
    EXPECT_EQ(why_set(&why, ERR_LIMIT, "%*d", WHY_SIZE * 2, 1), ERR_LIMIT);
    EXPECT_EQ(strlen(why.text), WHY_SIZE - 1);
    EXPECT_EQ(why_set(NULL, ERR_IO, "%s", "nobody reads this"), ERR_IO);
}
