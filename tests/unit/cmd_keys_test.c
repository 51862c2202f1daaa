/* cmd_keys_test.c: strings and keys answer as Redis 7 does, byte by byte. */
#include "lib/cmd_harness.h"

#include <stdlib.h>

#include "base/limits.h"

#define SYNTAX "-ERR syntax error\r\n"
#define OK_ "+OK\r\n"
#define NOT_INTEGER "-ERR value is not an integer or out of range\r\n"
#define WRONGTYPE "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
#define OOM "-OOM command not allowed when used memory > 'maxmemory'.\r\n"

static void arity(struct harness *h, const char *line, const char *name)
{
    char expected[128];
    (void)snprintf(expected, sizeof(expected),
                   "-ERR wrong number of arguments for '%s' command\r\n", name);
    EXPECT_REPLIES(h, line, expected);
}

/* A harness with a string k, an integer n and a vector set v. */
static struct harness *filled(void)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET k hello", OK_);
    EXPECT_REPLY(h, 2, "SET n 10", OK_);
    EXPECT_REPLY(h, 2, "VADD v VALUES 2 1 0 e", ":1\r\n");
    return h;
}

/* -- strings ----------------------------------------------------------------------------------- */

TEST(cmd_strings, set_and_get)
{
    struct harness *h = filled();
    EXPECT_REPLIES(h, "GET k", "$5\r\nhello\r\n");
    EXPECT_REPLY(h, 2, "GET none", "$-1\r\n");
    EXPECT_REPLY(h, 3, "GET none", "_\r\n");
    EXPECT_REPLIES(h, "GET v", WRONGTYPE);
    EXPECT_REPLIES(h, "SET v \"\"", OK_); /* whatever the key held */
    EXPECT_REPLIES(h, "GET v", "$0\r\n\r\n");
    EXPECT_REPLIES(h, "SET \"\" \"\\x00\\xff\"", OK_);
    EXPECT_REPLIES(h, "STRLEN \"\"", ":2\r\n");
    arity(h, "SET k", "set");
    arity(h, "GET", "get");
    arity(h, "GET a b", "get");
    harness_free(h);
}

TEST(cmd_strings, set_with_conditions)
{
    struct harness *h = filled();
    EXPECT_REPLY(h, 2, "SET k x NX", "$-1\r\n");
    EXPECT_REPLY(h, 3, "SET k x NX", "_\r\n");
    EXPECT_REPLY(h, 2, "SET a x xx", "$-1\r\n");
    EXPECT_REPLY(h, 2, "SET a x nx", OK_);
    EXPECT_REPLY(h, 2, "SET a y XX", OK_);
    EXPECT_REPLY(h, 2, "SET a z GET", "$1\r\ny\r\n");
    EXPECT_REPLY(h, 2, "SET a w XX GET", "$1\r\nz\r\n");
    EXPECT_REPLY(h, 2, "SET a q NX GET", "$1\r\nw\r\n");
    EXPECT_REPLY(h, 2, "GET a", "$1\r\nw\r\n");
    EXPECT_REPLY(h, 2, "SET b 1 GET", "$-1\r\n");
    EXPECT_REPLY(h, 3, "SET c 1 NX GET", "_\r\n");
    EXPECT_REPLY(h, 2, "GET c", "$1\r\n1\r\n");
    EXPECT_REPLIES(h, "SET v 1 GET", WRONGTYPE);
    EXPECT_REPLIES(h, "TYPE v", "+vectorset\r\n");
    harness_free(h);
}

TEST(cmd_strings, set_refuses_what_it_does_not_know)
{
    struct harness *h = filled();
    EXPECT_REPLIES(h, "SET k 1 NX XX", SYNTAX);
    EXPECT_REPLIES(h, "SET k 1 FOO", SYNTAX);
    EXPECT_REPLIES(h, "SET k 1 EX", SYNTAX);
    EXPECT_REPLIES(h, "SET k 1 EX 10 PX 10", SYNTAX);
    EXPECT_REPLIES(h, "SET k 1 EX 10 KEEPTTL", SYNTAX);
    EXPECT_REPLIES(h, "SET k 1 EX x", NOT_INTEGER);
    EXPECT_REPLIES(h, "SET k 1 EX 0", "-ERR invalid expire time in 'set' command\r\n");
    EXPECT_REPLIES(h, "GET k", "$5\r\nhello\r\n");
    EXPECT_REPLIES(h, "SET k 1 KEEPTTL", OK_);
    harness_free(h);
}

TEST(cmd_strings, many_at_once)
{
    struct harness *h = filled();
    EXPECT_REPLY(h, 2, "MGET k none v n", "*4\r\n$5\r\nhello\r\n$-1\r\n$-1\r\n$2\r\n10\r\n");
    EXPECT_REPLY(h, 3, "MGET k none", "*2\r\n$5\r\nhello\r\n_\r\n");
    EXPECT_REPLIES(h, "MSET a 1 b 2 a 3", OK_);
    EXPECT_REPLIES(h, "MGET a b", "*2\r\n$1\r\n3\r\n$1\r\n2\r\n");
    EXPECT_REPLIES(h, "SETNX a 9", ":0\r\n");
    EXPECT_REPLY(h, 2, "SETNX c 9", ":1\r\n");
    arity(h, "MSET a", "mset");
    arity(h, "MSET a 1 b", "mset");
    arity(h, "MGET", "mget");
    arity(h, "SETNX a", "setnx");
    harness_free(h);
}

TEST(cmd_strings, append_strlen_getdel)
{
    struct harness *h = filled();
    EXPECT_REPLY(h, 2, "APPEND k \" world\"", ":11\r\n");
    EXPECT_REPLY(h, 2, "APPEND new ab", ":2\r\n");
    EXPECT_REPLIES(h, "GET k", "$11\r\nhello world\r\n");
    EXPECT_REPLIES(h, "STRLEN k", ":11\r\n");
    EXPECT_REPLIES(h, "STRLEN none", ":0\r\n");
    EXPECT_REPLIES(h, "APPEND v x", WRONGTYPE);
    EXPECT_REPLIES(h, "STRLEN v", WRONGTYPE);
    EXPECT_REPLIES(h, "GETDEL v", WRONGTYPE);
    EXPECT_REPLY(h, 2, "GETDEL new", "$2\r\nab\r\n");
    EXPECT_REPLY(h, 2, "GETDEL new", "$-1\r\n");
    EXPECT_REPLY(h, 3, "GETDEL new", "_\r\n");
    arity(h, "APPEND k", "append");
    arity(h, "STRLEN", "strlen");
    arity(h, "GETDEL", "getdel");
    harness_free(h);
}

TEST(cmd_strings, append_stops_at_the_longest_bulk)
{
    struct harness *h = filled();
    h->config.proto_max_bulk_len = 6;
    EXPECT_REPLY(h, 2, "APPEND k x", ":6\r\n");
    EXPECT_REPLIES(h, "APPEND k x",
                   "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
    EXPECT_REPLIES(h, "STRLEN k", ":6\r\n");
    harness_free(h);
}

TEST(cmd_strings, integers_count)
{
    struct harness *h = filled();
    EXPECT_REPLY(h, 2, "INCR n", ":11\r\n");
    EXPECT_REPLY(h, 2, "INCR new", ":1\r\n");
    EXPECT_REPLY(h, 2, "DECR n", ":10\r\n");
    EXPECT_REPLY(h, 2, "INCRBY n -20", ":-10\r\n");
    EXPECT_REPLY(h, 2, "DECRBY n 5", ":-15\r\n");
    EXPECT_REPLIES(h, "GET n", "$3\r\n-15\r\n");
    EXPECT_REPLIES(h, "INCRBY n x", NOT_INTEGER);
    EXPECT_REPLIES(h, "INCRBY n 9223372036854775808", NOT_INTEGER);
    EXPECT_REPLIES(h, "INCR k", NOT_INTEGER);
    EXPECT_REPLIES(h, "INCR v", WRONGTYPE);
    arity(h, "INCR", "incr");
    arity(h, "INCRBY n", "incrby");
    harness_free(h);
}

TEST(cmd_strings, integers_have_bounds)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET n 9223372036854775806", OK_);
    EXPECT_REPLY(h, 2, "INCR n", ":9223372036854775807\r\n");
    EXPECT_REPLIES(h, "INCR n", "-ERR increment or decrement would overflow\r\n");
    EXPECT_REPLY(h, 2, "SET n -9223372036854775808", OK_);
    EXPECT_REPLIES(h, "DECR n", "-ERR increment or decrement would overflow\r\n");
    EXPECT_REPLIES(h, "DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n");
    EXPECT_REPLY(h, 2, "INCRBY n 9223372036854775807", ":-1\r\n");
    harness_free(h);
}

TEST(cmd_strings, what_looks_like_an_integer_is_none)
{
    static const char *const texts[] = {"007",    "+1", "1.0",  "\" 1\"",
                                        "\"1 \"", "-0", "\"\"", "0x1"};
    struct harness *h = harness_new();
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "SET n %s", texts[i]);
        EXPECT_REPLY(h, 2, line, OK_);
        EXPECT_REPLY(h, 2, "INCR n", NOT_INTEGER);
    }
    harness_free(h);
}

/* -- keys -------------------------------------------------------------------------------------- */

TEST(cmd_keys, removing_and_counting)
{
    struct harness *h = filled();
    EXPECT_REPLIES(h, "EXISTS k k none v", ":3\r\n");
    EXPECT_REPLIES(h, "TOUCH k none", ":1\r\n");
    EXPECT_REPLIES(h, "DBSIZE", ":3\r\n");
    EXPECT_REPLY(h, 2, "DEL k k none", ":1\r\n");
    EXPECT_REPLY(h, 2, "UNLINK v n", ":2\r\n");
    EXPECT_REPLIES(h, "DEL none", ":0\r\n");
    EXPECT_REPLIES(h, "DBSIZE", ":0\r\n");
    arity(h, "DEL", "del");
    arity(h, "UNLINK", "unlink");
    arity(h, "EXISTS", "exists");
    arity(h, "DBSIZE x", "dbsize");
    harness_free(h);
}

TEST(cmd_keys, types_and_times)
{
    struct harness *h = filled();
    EXPECT_REPLIES(h, "TYPE k", "+string\r\n");
    EXPECT_REPLIES(h, "TYPE v", "+vectorset\r\n");
    EXPECT_REPLIES(h, "TYPE none", "+none\r\n");
    EXPECT_REPLIES(h, "TTL k", ":-1\r\n");
    EXPECT_REPLIES(h, "PTTL v", ":-1\r\n");
    EXPECT_REPLIES(h, "TTL none", ":-2\r\n");
    EXPECT_REPLIES(h, "PTTL none", ":-2\r\n");
    arity(h, "TYPE", "type");
    arity(h, "TTL", "ttl");
    harness_free(h);
}

TEST(cmd_keys, patterns)
{
    struct harness *h = filled();
    EXPECT_REPLIES(h, "KEYS k*", "*1\r\n$1\r\nk\r\n");
    EXPECT_REPLIES(h, "KEYS none", "*0\r\n");
    EXPECT_PART(h, 2, "KEYS *", "*3\r\n$1\r\n");
    arity(h, "KEYS", "keys");
    EXPECT_REPLY(h, 2, "FLUSHALL", OK_);
    EXPECT_REPLIES(h, "KEYS *", "*0\r\n");
    harness_free(h);
}

TEST(cmd_keys, a_pattern_has_a_limit)
{
    struct harness *h = filled();
    char pattern[LIMIT_PATTERN_SIZE + 1];
    memset(pattern, '*', sizeof(pattern));
    struct slice keys[2] = {slice_of("keys"), {(const uint8_t *)pattern, LIMIT_PATTERN_SIZE}};
    struct slice scan[4] = {slice_of("scan"), slice_of("0"), slice_of("match"), keys[1]};
    struct slice list[3] = {slice_of("vlist"), slice_of("match"), keys[1]};
    EXPECT(harness_run_args(h, 2, keys, 2).ptr[0] == '*');
    EXPECT(harness_run_args(h, 2, scan, 4).ptr[0] == '*');
    EXPECT(harness_run_args(h, 2, list, 3).ptr[0] == '*');
    keys[1].len++;
    scan[3].len++;
    list[2].len++;
    const char *error = "-ERR a pattern has at most 4096 bytes\r\n";
    EXPECT(slice_eq(harness_run_args(h, 2, keys, 2), slice_of(error)));
    EXPECT(slice_eq(harness_run_args(h, 2, scan, 4), slice_of(error)));
    EXPECT(slice_eq(harness_run_args(h, 2, list, 3), slice_of(error)));
    harness_free(h);
}

TEST(cmd_keys, random_keys)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "RANDOMKEY", "$-1\r\n");
    EXPECT_REPLY(h, 3, "RANDOMKEY", "_\r\n");
    EXPECT_REPLY(h, 2, "SET k 1", OK_);
    EXPECT_REPLIES(h, "RANDOMKEY", "$1\r\nk\r\n");
    harness_free(h);
}

TEST(cmd_keys, flushing)
{
    static const char *const lines[] = {"FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC", "flushdb sync"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct harness *h = filled();
        EXPECT_REPLY(h, 2, lines[i], OK_);
        EXPECT_REPLY(h, 2, "DBSIZE", ":0\r\n");
        harness_free(h);
    }
    struct harness *h = filled();
    EXPECT_REPLIES(h, "FLUSHALL FOO", SYNTAX);
    EXPECT_REPLIES(h, "FLUSHALL ASYNC SYNC", SYNTAX);
    EXPECT_REPLIES(h, "DBSIZE", ":3\r\n");
    harness_free(h);
}

TEST(cmd_keys, encodings)
{
    struct harness *h = filled();
    EXPECT_REPLIES(h, "OBJECT ENCODING n", "$3\r\nint\r\n");
    EXPECT_REPLIES(h, "OBJECT ENCODING k", "$6\r\nembstr\r\n");
    EXPECT_REPLIES(h, "OBJECT ENCODING v", "$3\r\nraw\r\n");
    EXPECT_REPLY(h, 2, "SET k 012345678901234567890123456789012345678901234", OK_);
    EXPECT_REPLIES(h, "OBJECT ENCODING k", "$3\r\nraw\r\n");
    EXPECT_REPLY(h, 2, "SET k 01234567890123456789012345678901234567890123", OK_);
    EXPECT_REPLIES(h, "OBJECT ENCODING k", "$6\r\nembstr\r\n");
    EXPECT_REPLIES(h, "OBJECT REFCOUNT k", ":1\r\n");
    EXPECT_REPLY(h, 2, "OBJECT ENCODING none", "$-1\r\n");
    EXPECT_REPLY(h, 3, "OBJECT REFCOUNT none", "_\r\n");
    EXPECT_PART(h, 2, "OBJECT FREQ k", "-ERR An LFU maxmemory policy is not selected");
    EXPECT_REPLY(h, 2, "OBJECT FREQ none", "$-1\r\n");
    EXPECT_REPLIES(h, "OBJECT IDLETIME k", ":0\r\n");
    EXPECT_REPLIES(h, "OBJECT FOO k", "-ERR unknown subcommand 'FOO'. Try OBJECT HELP.\r\n");
    arity(h, "OBJECT ENCODING", "object|encoding");
    arity(h, "OBJECT", "object");
    harness_free(h);
}

/* -- SCAN -------------------------------------------------------------------------------------- */

TEST(cmd_scan, refuses_bad_arguments)
{
    struct harness *h = filled();
    EXPECT_REPLIES(h, "SCAN x", "-ERR invalid cursor\r\n");
    EXPECT_REPLIES(h, "SCAN -1", "-ERR invalid cursor\r\n");
    EXPECT_REPLIES(h, "SCAN 18446744073709551616", "-ERR invalid cursor\r\n");
    EXPECT_REPLIES(h, "SCAN 0 COUNT 0", SYNTAX);
    EXPECT_REPLIES(h, "SCAN 0 COUNT -1", SYNTAX);
    EXPECT_REPLIES(h, "SCAN 0 COUNT x", NOT_INTEGER);
    EXPECT_REPLIES(h, "SCAN 0 MATCH", SYNTAX);
    EXPECT_REPLIES(h, "SCAN 0 FOO", SYNTAX);
    arity(h, "SCAN", "scan");
    harness_free(h);
}

TEST(cmd_scan, filters_by_pattern_and_type)
{
    struct harness *h = filled();
    EXPECT_REPLIES(h, "SCAN 0 TYPE vectorset COUNT 100", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nv\r\n");
    EXPECT_REPLIES(h, "SCAN 0 COUNT 9223372036854775807 MATCH k TYPE STRING",
                   "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n");
    EXPECT_REPLIES(h, "SCAN 0 TYPE foo COUNT 100", "*2\r\n$1\r\n0\r\n*0\r\n");
    EXPECT_REPLIES(h, "SCAN 18446744073709551615", "*2\r\n$1\r\n0\r\n*0\r\n");
    harness_free(h);
}

enum { KEYS = 1000 };

/* The number of a key "key:<n>", from its bulk; *at moves behind it. */
static unsigned take_key(const char **at)
{
    unsigned long n = strtoul(strstr(*at, "key:") + 4, NULL, 10);
    *at = strstr(*at, "key:") + 4;
    return (unsigned)n;
}

static char *text_of(struct slice reply)
{
    char *text = mem_alloc(MEM_TEST, reply.len + 1);
    memcpy(text, reply.ptr, reply.len);
    text[reply.len] = '\0';
    return text;
}

TEST(cmd_scan, sees_every_key_that_is_there_all_the_time)
{
    struct harness *h = harness_new();
    char line[64];
    bool seen[KEYS] = {false};
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(line, sizeof(line), "SET key:%d x", i);
        EXPECT_REPLY(h, 2, line, OK_);
    }
    unsigned long long cursor = 0;
    unsigned calls = 0;
    do {
        (void)snprintf(line, sizeof(line), "SCAN %llu COUNT 20", cursor);
        char *text = text_of(harness_run(h, 2, line));
        const char *at = strstr(text, "\r\n$") + 3;
        cursor = strtoull(strstr(at, "\r\n") + 2, NULL, 10);
        while (strstr(at, "key:") != NULL)
            seen[take_key(&at)] = true;
        mem_free(MEM_TEST, text);
        /* The table grows meanwhile, as when others write. */
        for (int i = 0; i < 50; i++) {
            (void)snprintf(line, sizeof(line), "SET other-%u-%d x", calls, i);
            EXPECT_REPLY(h, 2, line, OK_);
        }
        calls++;
    } while (cursor != 0 && calls < 10 * KEYS);
    EXPECT_EQ(cursor, 0);
    EXPECT(calls > 10);
    for (int i = 0; i < KEYS; i++)
        EXPECT(seen[i]);
    harness_free(h);
}

/* -- memory ------------------------------------------------------------------------------------ */

TEST(cmd_keys, at_maxmemory_writes_are_refused_and_reads_are_not)
{
    struct harness *h = filled();
    h->db.maxmemory = 1;
    EXPECT_REPLIES(h, "SET k 1", OOM);
    EXPECT_REPLIES(h, "MSET a 1", OOM);
    EXPECT_REPLIES(h, "APPEND k x", OOM);
    EXPECT_REPLIES(h, "INCR n", OOM);
    EXPECT_REPLIES(h, "VADD v VALUES 2 1 1 f", OOM);
    EXPECT_REPLIES(h, "GET k", "$5\r\nhello\r\n");
    EXPECT_REPLY(h, 2, "DEL k", ":1\r\n");
    EXPECT_REPLY(h, 2, "FLUSHALL", OK_);
    harness_free(h);
}

TEST(cmd_keys, mset_past_maxmemory_sets_nothing)
{
    struct harness *h = filled();
    char *value = mem_alloc(MEM_TEST, 1 << 20);
    memset(value, 'x', 1 << 20);
    h->db.maxmemory = mem_used_total() + (1 << 20) + (1 << 19);
    struct slice big = {(const uint8_t *)value, 1 << 20};
    struct slice argv[5] = {slice_of("mset"), slice_of("a"), big, slice_of("b"), big};
    EXPECT(slice_eq(harness_run_args(h, 2, argv, 5), slice_of(OOM)));
    EXPECT_REPLIES(h, "EXISTS a b", ":0\r\n");
    EXPECT(slice_eq(harness_run_args(h, 2, argv, 3), slice_of(OK_)));
    EXPECT_REPLIES(h, "EXISTS a b", ":1\r\n");
    mem_free(MEM_TEST, value);
    harness_free(h);
}

/* Whichever allocation fails: the write happened and says so, or did not and says that. */
static unsigned fail_each_allocation(const char *line, const char *done, const char *ask,
                                     const char *before, const char *after)
{
    for (uint64_t nth = 1; nth < 100; nth++) {
        struct harness *h = filled();
        (void)mem_fail_nth(nth);
        bool was_done = slice_eq(harness_run(h, 2, line), slice_of(done));
        bool fired = mem_fail_nth(0);
        EXPECT_REPLY(h, 2, ask, was_done ? after : before);
        EXPECT(fired || was_done);
        if (!was_done)
            EXPECT_REPLY(h, 2, line, done);
        EXPECT_REPLY(h, 2, ask, after);
        harness_free(h);
        if (!fired)
            return (unsigned)nth - 1;
    }
    CHECK(false);
    return 0;
}

TEST(cmd_keys, a_write_without_memory_is_refused_whole)
{
    EXPECT(fail_each_allocation("SET k new", OK_, "GET k", "$5\r\nhello\r\n", "$3\r\nnew\r\n") > 0);
    EXPECT(fail_each_allocation("SET fresh new", OK_, "GET fresh", "$-1\r\n", "$3\r\nnew\r\n") > 0);
    EXPECT(fail_each_allocation("SET k new GET", "$5\r\nhello\r\n", "GET k", "$5\r\nhello\r\n",
                                "$3\r\nnew\r\n") > 0);
    EXPECT(fail_each_allocation("APPEND k x", ":6\r\n", "GET k", "$5\r\nhello\r\n",
                                "$6\r\nhellox\r\n") > 0);
    EXPECT(fail_each_allocation("INCR n", ":11\r\n", "GET n", "$2\r\n10\r\n", "$2\r\n11\r\n") > 0);
}

TEST(cmd_keys, hits_and_misses_count_reads)
{
    struct harness *h = filled();
    EXPECT_REPLY(h, 2, "GET k", "$5\r\nhello\r\n");
    EXPECT_REPLY(h, 2, "GET none", "$-1\r\n");
    EXPECT_REPLY(h, 2, "MGET k none none", "*3\r\n$5\r\nhello\r\n$-1\r\n$-1\r\n");
    EXPECT_REPLY(h, 2, "EXISTS k", ":1\r\n");
    EXPECT_EQ(h->stats.keyspace_hits, 3);
    EXPECT_EQ(h->stats.keyspace_misses, 3);
    EXPECT_REPLY(h, 2, "SET k 1 GET", "$5\r\nhello\r\n");
    EXPECT_EQ(h->stats.keyspace_hits, 3);
    harness_free(h);
}
