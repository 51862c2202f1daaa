/* cmd_copy_test.c: COPY, DUMP and RESTORE of collections. */
#include <math.h>

#include "lib/cmd_harness.h"

#include "base/crc32c.h"
#include "base/limits.h"
#include "base/rng.h"
#include "db/dump.h"

#define OK_ "+OK\r\n"
#define BAD "-ERR Bad data format\r\n"

/* Whatever a spec can say, but for what needs many elements. */
static const char *const kinds[] = {
    "VCREATE a DIM 3",
    "VCREATE a DIM 3 METRIC L2 INDEX HNSW M 7 EFC 33 QUANT NONE EF 44",
    "VCREATE a DIM 3 METRIC IP INDEX FLAT ORIGINALS DROP",
    "VCREATE a DIM 3 TYPE FP16 METRIC L2",
    "VCREATE a DIM 3 TYPE BF16 QUANT NONE",
    "VCREATE a DIM 3 TYPE FP16 INDEX HNSW",
    "VCREATE a DIM 3 ELEMENTTTL 1000 MAXLEN 50 MAXBYTES 100000 EVICT LRU",
    "VCREATE a DIM 3 SCHEMA year NUMERIC lang TAG a.b BOOL",
    "VADD a VALUES 3 1 2 3 first Q8",
    "VADD a VALUES 3 1 2 3 first BIN",
    "VADD a VALUES 3 1 2 3 first NOQUANT",
    "VADD a REDUCE 2 VALUES 3 1 2 3 first",
};

/* A VADD to a set that VADD has made says how it is quantized, again. */
static void add(struct harness *h, const char *kind, const char *element, const char *reply)
{
    char line[128];
    const char *quant = strstr(kind, "BIN") != NULL       ? "BIN"
                        : strstr(kind, "NOQUANT") != NULL ? "NOQUANT"
                                                          : "";
    (void)snprintf(line, sizeof(line), "VADD a VALUES 3 %s %s", element, quant);
    EXPECT_REPLY(h, 2, line, reply);
}

static struct harness *filled(const char *kind)
{
    struct harness *h = harness_new();
    harness_start_log(h);
    (void)harness_run(h, 2, kind);
    add(h, kind, "1 0.5 0.25 x SETATTR '{\"year\":2020,\"lang\":\"de\"}'", ":1\r\n");
    add(h, kind, "-1 3 0 \"y\\x00\\xff\" PX 5000", ":1\r\n");
    add(h, kind, "0 1 0 gone PX 1", ":1\r\n");
    add(h, kind, "0 1 0 removed", ":1\r\n");
    add(h, kind, "2 3 1 z", ":1\r\n");
    EXPECT_REPLY(h, 2, "VREM a removed", ":1\r\n");
    add(h, kind, "3 3 1 z", ":0\r\n");
    sim_run_for(h->sim, 2000);
    return h;
}

/* A reply in room of its own. */
static struct buf reply_of(struct harness *h, const char *line)
{
    struct buf copy = BUF_INIT(MEM_TEST);
    buf_append_slice(&copy, harness_run(h, 2, line));
    return copy;
}

static void expect_same(const char *line, struct harness *h, const char *format)
{
    char a_line[128], b_line[128];
    (void)snprintf(a_line, sizeof(a_line), format, "a");
    (void)snprintf(b_line, sizeof(b_line), format, "b");
    struct buf a = reply_of(h, a_line), b = reply_of(h, b_line);
    if (!slice_eq(buf_slice(&a), buf_slice(&b)))
        test_fail(__FILE__, __LINE__, "%s: %s answers another thing:\n%.*s\n%.*s", line, b_line,
                  (int)a.len, a.ptr, (int)b.len, b.ptr);
    buf_fini(&a);
    buf_fini(&b);
}

/* VINFO, but for what tells one collection from another. */
static void expect_same_info(struct harness *h)
{
    static const char *const fields[] = {
        "quant-type", "vector-dim", "size",   "attributes-count", "element-ttl", "max-len",
        "max-bytes",  "evict",      "hnsw-m", "metric",           "ef",          "ef-construction",
        "index",      "type"};
    struct buf a = reply_of(h, "VINFO a"), b = reply_of(h, "VINFO b");
    buf_append_byte(&a, 0);
    buf_append_byte(&b, 0);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        const char *x = strstr((const char *)a.ptr, fields[i]);
        const char *y = strstr((const char *)b.ptr, fields[i]);
        EXPECT((x == NULL) == (y == NULL));
        if (x != NULL && y != NULL)
            EXPECT(strncmp(x, y, strlen(fields[i]) + 8) == 0);
    }
    buf_fini(&a);
    buf_fini(&b);
}

static void expect_copy(const char *kind, struct harness *h)
{
    static const char *const asked[] = {"DUMP %s",
                                        "VCARD %s",
                                        "VRANGE %s - +",
                                        "VEMB %s x",
                                        "VEMB %s z",
                                        "VGET %s 3 x \"y\\x00\\xff\" z WITHVECTORS RAW WITHTTL",
                                        "VGETATTR %s x",
                                        "VGETATTR %s z",
                                        "VSIM %s VALUES 3 1 1 1 WITHSCORES",
                                        "VSIM %s ELE x FILTER .year>2000",
                                        "PTTL %s"};
    for (size_t i = 0; i < COUNT_OF(asked); i++)
        expect_same(kind, h, asked[i]);
    expect_same_info(h);
}

/* The payload of a DUMP, in room of its own, which a test may change. */
static struct buf dump_of(struct harness *h, const char *key)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "DUMP %s", key);
    struct buf reply = reply_of(h, line);
    const uint8_t *end = memchr(reply.ptr, '\n', reply.len);
    REQUIRE(reply.ptr[0] == '$' && end != NULL);
    buf_consume(&reply, (size_t)(end + 1 - reply.ptr));
    reply.len -= 2;
    return reply;
}

static struct slice restore(struct harness *h, const char *key, const char *ttl,
                            struct slice payload, const char *option)
{
    struct slice argv[] = {slice_of("RESTORE"), slice_of(key), slice_of(ttl), payload,
                           slice_of(option)};
    return harness_run_args(h, 2, argv, option[0] == '\0' ? 4 : 5);
}

#define EXPECT_RESTORE(reply, ...) EXPECT(slice_eq(restore(h, __VA_ARGS__), slice_of(reply)))

TEST(cmd_copy, a_copy_answers_as_what_it_is_a_copy_of)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct harness *h = filled(kinds[i]);
        EXPECT_REPLY(h, 2, "PEXPIREAT a 99999999999999", ":1\r\n");
        EXPECT_REPLY(h, 2, "COPY a b", ":1\r\n");
        expect_copy(kinds[i], h);
        EXPECT_REPLY(h, 2, "COPY a b", ":0\r\n");
        add(h, kinds[i], "7 7 7 new", ":1\r\n");
        EXPECT_REPLY(h, 2, "VISMEMBER b new", ":0\r\n");
        EXPECT_REPLY(h, 2, "COPY a b DB 0 REPLACE", ":1\r\n");
        expect_copy(kinds[i], h);
        EXPECT_REPLY(h, 2, "DBSIZE", ":2\r\n");
        harness_free(h);
    }
}

TEST(cmd_copy, what_dump_returns_restore_makes_again)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct harness *h = filled(kinds[i]);
        struct buf payload = dump_of(h, "a");
        EXPECT_RESTORE(OK_, "b", "0", buf_slice(&payload), "");
        expect_copy(kinds[i], h);
        EXPECT_RESTORE("-BUSYKEY Target key name already exists.\r\n", "b", "0",
                       buf_slice(&payload), "");
        EXPECT_REPLY(h, 2, "SET b text", OK_);
        EXPECT_RESTORE(OK_, "b", "9000", buf_slice(&payload), "REPLACE");
        EXPECT_PART(h, 2, "PTTL b", ":9000");
        EXPECT_REPLY(h, 2, "PERSIST b", ":1\r\n");
        expect_copy(kinds[i], h);
        EXPECT_REPLY(h, 2, "DBSIZE", ":2\r\n");
        buf_fini(&payload);
        harness_free(h);
    }
}

TEST(cmd_copy, integers_and_bits_come_back_as_they_were)
{
    static const char *const made[][2] = {
        {"VCREATE a DIM 8 TYPE INT8", "VMADD a INT8 2 x y \"abcdefgh\\x80\\x7f345678\""},
        {"VCREATE a DIM 8 TYPE INT8 METRIC L2", "VMADD a INT8 2 x y \"abcdefgh\\x80\\x7f345678\""},
        {"VCREATE a DIM 8 TYPE BIT", "VMADD a BIT 2 x y \"a\\x00\""},
        {"VCREATE a DIM 8 TYPE BIT METRIC JACCARD", "VMADD a BIT 2 x y \"a\\x00\""}};
    for (size_t i = 0; i < COUNT_OF(made); i++) {
        struct harness *h = harness_new();
        EXPECT_REPLY(h, 2, made[i][0], OK_);
        EXPECT_REPLY(h, 2, made[i][1], "*2\r\n:1\r\n:1\r\n");
        EXPECT_REPLY(h, 2, "COPY a b", ":1\r\n");
        expect_same_info(h);
        expect_same("copy", h, "VGET %s 2 x y WITHVECTORS RAW");
        expect_same("copy", h, "VSEARCH %s ELE x WITHDIST");
        struct buf payload = dump_of(h, "a");
        EXPECT_RESTORE(OK_, "b", "0", buf_slice(&payload), "REPLACE");
        expect_same_info(h);
        expect_same("dump", h, "DUMP %s");
        buf_fini(&payload);
        harness_free(h);
    }
}

TEST(cmd_copy, an_empty_collection_is_one_too)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VCREATE a DIM 5 METRIC L2", OK_);
    EXPECT_REPLY(h, 2, "COPY a b", ":1\r\n");
    expect_same("empty", h, "DUMP %s");
    struct buf payload = dump_of(h, "a");
    EXPECT_RESTORE(OK_, "b", "0", buf_slice(&payload), "REPLACE");
    EXPECT_REPLY(h, 2, "VDIM b", ":5\r\n");
    EXPECT_REPLY(h, 2, "VCARD b", ":0\r\n");
    buf_fini(&payload);
    harness_free(h);
}

/* -- limits ------------------------------------------------------------------------------------ */

/* So many elements, of dim floats. */
static void fill(struct harness *h, uint32_t dim, unsigned from, unsigned count)
{
    struct buf ids = BUF_INIT(MEM_TEST), blob = BUF_INIT(MEM_TEST), sum = BUF_INIT(MEM_TEST);
    struct slice *argv = mem_calloc(MEM_TEST, (count + 5) * sizeof(*argv));
    buf_printf(&sum, "%u", count);
    for (unsigned i = 0; i < count; i++) {
        buf_printf(&ids, "%08u", from + i);
        for (uint32_t j = 0; j < dim; j++)
            buf_append(&blob, &(float){1}, sizeof(float));
    }
    argv[0] = slice_of("VMADD");
    argv[1] = slice_of("a");
    argv[2] = slice_of("FP32");
    argv[3] = buf_slice(&sum);
    for (unsigned i = 0; i < count; i++)
        argv[4 + i] = (struct slice){ids.ptr + (size_t)i * 8, 8};
    argv[4 + count] = buf_slice(&blob);
    EXPECT(harness_run_args(h, 2, argv, count + 5).ptr[0] == '*');
    mem_free(MEM_TEST, argv);
    buf_fini(&ids);
    buf_fini(&blob);
    buf_fini(&sum);
}

TEST(cmd_copy, so_many_elements_and_no_more)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VCREATE a DIM 1 INDEX FLAT", OK_);
    fill(h, 1, 0, LIMIT_COPY_ELEMENTS);
    EXPECT_REPLY(h, 2, "COPY a b", ":1\r\n");
    struct buf payload = dump_of(h, "b");
    EXPECT_RESTORE(OK_, "c", "0", buf_slice(&payload), "");
    EXPECT_REPLY(h, 2, "VCARD c", ":20000\r\n");
    fill(h, 1, LIMIT_COPY_ELEMENTS, 1);
    static const char text[] = "COPY, DUMP and RESTORE take collections of at most 20000 elements";
    EXPECT_PART(h, 2, "COPY a d", text);
    EXPECT_PART(h, 2, "DUMP a", text);
    EXPECT_REPLY(h, 2, "EXISTS d", ":0\r\n");
    buf_fini(&payload);
    harness_free(h);
}

TEST(cmd_copy, so_many_bytes_and_no_more)
{
    enum { DIM = 65536, FIT = 63 };
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VCREATE a DIM 65536 INDEX FLAT QUANT NONE", OK_);
    for (unsigned i = 0; i < FIT; i += 21)
        fill(h, DIM, i, 21);
    EXPECT_REPLY(h, 2, "COPY a b", ":1\r\n");
    struct buf payload = dump_of(h, "b");
    EXPECT(payload.len > (size_t)FIT * DIM * sizeof(float));
    EXPECT_RESTORE(OK_, "c", "0", buf_slice(&payload), "");
    EXPECT_REPLY(h, 2, "VCARD c", ":63\r\n");
    EXPECT_REPLY(h, 2, "DEL b c", ":2\r\n");
    fill(h, DIM, FIT, 1);
    static const char text[] = "COPY, DUMP and RESTORE take collections of at most 16777216 bytes";
    EXPECT_PART(h, 2, "COPY a d", text);
    EXPECT_PART(h, 2, "DUMP a", text);
    while (payload.len < LIMIT_COPY_SIZE + DUMP_TAIL_SIZE)
        buf_append_byte(&payload, 1);
    struct buf larger = BUF_INIT(MEM_TEST);
    buf_append(&larger, payload.ptr, LIMIT_COPY_SIZE + 1);
    bytes_put_u32(&larger, 'v' | 'D' << 8 | (uint32_t)DUMP_VERSION << 16);
    bytes_put_u32(&larger, crc32c(buf_slice(&larger)));
    struct slice reply = restore(h, "d", "0", buf_slice(&larger), "");
    EXPECT(reply.len > 5 && memcmp(reply.ptr + 5, text, strlen(text)) == 0);
    buf_fini(&payload);
    buf_fini(&larger);
    harness_free(h);
}

TEST(cmd_copy, a_key_of_a_collection_has_its_limit_here_too)
{
    struct harness *h = filled(kinds[0]);
    struct buf payload = dump_of(h, "a"), key = BUF_INIT(MEM_TEST);
    while (key.len < LIMIT_KEY_SIZE)
        buf_append_byte(&key, 'k');
    struct slice argv[] = {slice_of("RESTORE"), buf_slice(&key), slice_of("0"),
                           buf_slice(&payload)};
    struct slice copy[] = {slice_of("COPY"), slice_of("a"), buf_slice(&key), slice_of("REPLACE")};
    static const char text[] = "-ERR the key of a collection has at most 65535 bytes\r\n";
    EXPECT(slice_eq(harness_run_args(h, 2, argv, 4), slice_of(OK_)));
    EXPECT(slice_eq(harness_run_args(h, 2, copy, 4), slice_of(":1\r\n")));
    buf_append_byte(&key, 'k');
    argv[1] = copy[2] = buf_slice(&key);
    EXPECT(slice_eq(harness_run_args(h, 2, argv, 4), slice_of(text)));
    EXPECT(slice_eq(harness_run_args(h, 2, copy, 4), slice_of(text)));
    EXPECT_REPLY(h, 2, "DBSIZE", ":2\r\n");
    buf_fini(&payload);
    buf_fini(&key);
    harness_free(h);
}

/* -- when memory is short ---------------------------------------------------------------------- */

/* Each attempt lacks the next piece of memory: a or b is as before, or all is done. */
static void sweep(const char *kind, const char *line, const char *done)
{
    struct harness *h = filled(kind);
    EXPECT_REPLY(h, 2, "VADD b VALUES 2 1 2 before SETATTR '{\"x\":1}'", ":1\r\n");
    struct buf before = dump_of(h, "b"), a = dump_of(h, "a");
    struct slice argv[] = {slice_of("RESTORE"), slice_of("b"), slice_of("7000000"), buf_slice(&a),
                           slice_of("REPLACE")};
    size_t refused = 0;
    mem_fail_spare(MEM_TEST);
    for (uint64_t nth = 1;; nth++) {
        REQUIRE(nth < 1000);
        (void)mem_fail_nth(nth);
        struct slice reply =
            line != NULL ? harness_run(h, 2, line) : harness_run_args(h, 2, argv, COUNT_OF(argv));
        bool fired = mem_fail_nth(0);
        bool ok = slice_eq(reply, slice_of(done));
        EXPECT(ok || (fired && reply.ptr[0] == '-'));
        EXPECT_REPLY(h, 2, "DBSIZE", ":2\r\n");
        struct buf b = dump_of(h, "b");
        EXPECT(slice_eq(buf_slice(&b), buf_slice(ok ? &a : &before)));
        buf_fini(&b);
        refused += !ok;
        if (ok)
            break;
    }
    mem_fail_spare(MEM_TAG_COUNT);
    EXPECT(refused > 5);
    buf_fini(&before);
    buf_fini(&a);
    harness_free(h);
}

TEST(cmd_copy, all_or_nothing_whatever_memory_is_missing)
{
    sweep(kinds[3], "COPY a b REPLACE", ":1\r\n");
    sweep(kinds[4], "COPY a b REPLACE", ":1\r\n");
    sweep(kinds[2], NULL, OK_);
    sweep(kinds[8], NULL, OK_);
}

TEST(cmd_copy, a_record_that_would_be_too_large_is_none)
{
    struct harness *h = filled(kinds[0]);
    h->db.log.record_size_max = 2000;
    EXPECT_REPLY(h, 2, "COPY a b",
                 "-ERR a command, or a transaction, changes at most 2000 bytes\r\n");
    EXPECT_REPLY(h, 2, "DBSIZE", ":1\r\n");
    h->db.log.record_size_max = 8000;
    EXPECT_REPLY(h, 2, "COPY a b", ":1\r\n");
    harness_free(h);
}

/* -- hostile bytes ----------------------------------------------------------------------------- */

static void seal(struct buf *payload)
{
    uint32_t crc = crc32c((struct slice){payload->ptr, payload->len - 4});
    memcpy(payload->ptr + payload->len - 4, &crc, 4);
}

TEST(cmd_copy, every_changed_byte_is_told_by_the_checksum)
{
    struct harness *h = filled(kinds[0]);
    struct buf payload = dump_of(h, "a");
    for (size_t i = 0; i < payload.len; i++) {
        static const char wrong[] = "-ERR DUMP payload version or checksum are wrong\r\n";
        payload.ptr[i] ^= 0x20;
        EXPECT_RESTORE(wrong, "b", "0", buf_slice(&payload), "");
        payload.ptr[i] ^= 0x20;
    }
    EXPECT_REPLY(h, 2, "DBSIZE", ":1\r\n");
    buf_fini(&payload);
    harness_free(h);
}

/* With the checksum made right again: what is let in can be used, and what is not leaves nothing.
 */
TEST(cmd_copy, bytes_of_a_stranger_are_refused_or_harmless)
{
    enum { ROUNDS = 1500 };
    uint64_t random = 7;
    size_t taken = 0;
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct harness *h = filled(kinds[k]);
        struct buf payload = dump_of(h, "a");
        for (int i = 0; i < ROUNDS; i++) {
            struct buf bad = BUF_INIT(MEM_TEST);
            buf_append_slice(&bad, buf_slice(&payload));
            for (uint64_t n = rng_next(&random) % 4; n < 4; n++)
                bad.ptr[rng_next(&random) % (bad.len - 8)] = (uint8_t)rng_next(&random);
            seal(&bad);
            struct slice reply = restore(h, "b", "0", buf_slice(&bad), "REPLACE");
            bool ok = slice_eq(reply, slice_of(OK_));
            EXPECT(ok || slice_eq(reply, slice_of(BAD)) || memcmp(reply.ptr, "-OOM", 4) == 0);
            taken += ok;
            buf_fini(&bad);
            (void)harness_run(h, 2, "VSIM b VALUES 3 1 2 3 WITHSCORES");
            if (ok)
                (void)harness_run(h, 2, "VADD b VALUES 3 1 2 3 more");
            (void)harness_run(h, 2, "VQUERY b .year>0");
            EXPECT_REPLY(h, 2, "DEL b", ok ? ":1\r\n" : ":0\r\n");
        }
        EXPECT_REPLY(h, 2, "DBSIZE", ":1\r\n");
        buf_fini(&payload);
        harness_free(h);
    }
    EXPECT(taken > 100);
}

TEST(cmd_copy, numbers_that_distances_cannot_be_told_of_are_refused)
{
    static const float bad[] = {(float)NAN, INFINITY, 1e30f};
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VCREATE a DIM 1 METRIC L2", OK_);
    EXPECT_REPLY(h, 2, "VADD a VALUES 1 77 x", ":1\r\n");
    struct buf payload = dump_of(h, "a");
    const float there = 77;
    uint8_t *at = memmem(payload.ptr, payload.len, &there, sizeof(there));
    REQUIRE(at != NULL);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        memcpy(at, &bad[i], sizeof(bad[i]));
        seal(&payload);
        EXPECT_RESTORE(BAD, "b", "0", buf_slice(&payload), "");
    }
    memcpy(at, &(float){1e15f}, sizeof(float));
    seal(&payload);
    EXPECT_RESTORE(OK_, "b", "0", buf_slice(&payload), "");
    buf_fini(&payload);
    harness_free(h);
}

/* Halves that are no number, or at a length that they do not have. */
TEST(cmd_copy, halves_that_do_not_fit_are_refused)
{
    static const uint16_t there[2] = {0x3c00, 0x4000}, bad[2] = {0x3c00, 0x7c00};
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VCREATE a DIM 2 TYPE FP16", OK_);
    EXPECT_REPLY(h, 2, "VADD a VALUES 2 1 2 x", ":1\r\n");
    struct buf payload = dump_of(h, "a");
    uint8_t *at = memmem(payload.ptr, payload.len, there, sizeof(there));
    REQUIRE(at != NULL);
    memcpy(at, bad, sizeof(bad));
    seal(&payload);
    EXPECT_RESTORE(BAD, "b", "0", buf_slice(&payload), "");
    memset(at, 0, sizeof(bad));
    seal(&payload);
    EXPECT_RESTORE(BAD, "b", "0", buf_slice(&payload), "");
    memcpy(at, there, sizeof(there));
    float norm = (float)sqrt(5);
    uint8_t *length = memmem(payload.ptr, payload.len, &norm, sizeof(norm));
    REQUIRE(length != NULL);
    memcpy(length, &(float){1e-30f}, sizeof(float));
    seal(&payload);
    EXPECT_RESTORE(BAD, "b", "0", buf_slice(&payload), "");
    memcpy(length, &norm, sizeof(norm));
    seal(&payload);
    EXPECT_RESTORE(OK_, "b", "0", buf_slice(&payload), "");
    buf_fini(&payload);
    harness_free(h);
}
