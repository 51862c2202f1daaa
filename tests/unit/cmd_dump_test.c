/* cmd_dump_test.c: DUMP and RESTORE; KEYS and SCAN over more keys than fit into one go. */
#include "lib/cmd_harness.h"

#include <stdlib.h>

#include "base/crc32c.h"
#include "db/dump.h"

#define OK_ "+OK\r\n"
#define WRONG "-ERR DUMP payload version or checksum are wrong\r\n"

/* -- DUMP -------------------------------------------------------------------------------------- */

/* The payload of a DUMP, in room of its own. */
static struct buf dump_of(struct harness *h, const char *line)
{
    struct buf payload = BUF_INIT(MEM_TEST);
    struct slice reply = harness_run(h, 2, line);
    const uint8_t *end = memchr(reply.ptr, '\n', reply.len);
    REQUIRE(reply.ptr[0] == '$' && end != NULL);
    size_t head = (size_t)(end + 1 - reply.ptr);
    buf_append(&payload, reply.ptr + head, reply.len - head - 2);
    return payload;
}

static struct slice restore(struct harness *h, const char *key, const char *ttl,
                            struct slice payload, const char *option, const char *value)
{
    struct slice argv[6] = {slice_of("RESTORE"), slice_of(key), slice_of(ttl), payload};
    size_t argc = 4;
    if (option != NULL)
        argv[argc++] = slice_of(option);
    if (value != NULL)
        argv[argc++] = slice_of(value);
    return harness_run_args(h, 2, argv, argc);
}

#define EXPECT_RESTORE(reply, ...) EXPECT(slice_eq(restore(h, __VA_ARGS__), slice_of(reply)))

TEST(cmd_dump, what_dump_returns_restore_makes_again)
{
    static const char *const values[] = {"", "text", "12345", "a\\x00b\\r\\n"};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct harness *h = harness_new();
        char line[64];
        (void)snprintf(line, sizeof(line), "SET a \"%s\"", values[i]);
        EXPECT_REPLY(h, 2, line, OK_);
        struct buf payload = dump_of(h, "DUMP a");
        EXPECT_RESTORE(OK_, "b", "0", buf_slice(&payload), NULL, NULL);
        struct object *a = keyspace_get(&h->db.keys, slice_of("a"));
        struct object *b = keyspace_get(&h->db.keys, slice_of("b"));
        REQUIRE(a != NULL && b != NULL);
        EXPECT(slice_eq(object_string(a), object_string(b)) && b->expire_ms == 0);
        buf_fini(&payload);
        harness_free(h);
    }
}

TEST(cmd_dump, restore_sets_when_it_expires_and_how_it_was_used)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET a text", OK_);
    struct buf payload = dump_of(h, "DUMP a");
    struct slice bytes = buf_slice(&payload);
    EXPECT_RESTORE("-BUSYKEY Target key name already exists.\r\n", "a", "0", bytes, NULL, NULL);
    EXPECT_RESTORE(OK_, "a", "5000", bytes, "REPLACE", NULL);
    EXPECT_REPLY(h, 2, "PTTL a", ":5000\r\n");
    EXPECT_RESTORE(OK_, "b", "0", bytes, "IDLETIME", "77");
    EXPECT_REPLY(h, 2, "OBJECT IDLETIME b", ":77\r\n");
    EXPECT_RESTORE(OK_, "b", "1", bytes, "ABSTTL", "REPLACE"); /* that was in 1970 */
    EXPECT_REPLY(h, 2, "EXISTS b", ":0\r\n");
    EXPECT_RESTORE("-ERR invalid expire time in 'restore' command\r\n", "b", "9223372036854775807",
                   bytes, NULL, NULL);
    EXPECT_REPLY(h, 2, "CONFIG SET maxmemory-policy allkeys-lfu", OK_);
    EXPECT_RESTORE(OK_, "c", "0", bytes, "FREQ", "99");
    EXPECT_REPLY(h, 2, "OBJECT FREQ c", ":99\r\n");
    buf_fini(&payload);
    harness_free(h);
}

TEST(cmd_dump, every_changed_byte_and_every_cut_is_told)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET a \"some text of 25 bytes or so\"", OK_);
    struct buf payload = dump_of(h, "DUMP a");
    for (size_t i = 0; i < payload.len; i++) {
        payload.ptr[i] ^= 0x20;
        EXPECT_RESTORE(WRONG, "b", "0", buf_slice(&payload), NULL, NULL);
        payload.ptr[i] ^= 0x20;
        EXPECT_RESTORE(WRONG, "b", "0", ((struct slice){payload.ptr, i}), NULL, NULL);
    }
    payload.ptr[0] = 9; /* another kind, with the right checksum */
    uint32_t crc = crc32c((struct slice){payload.ptr, payload.len - 4});
    memcpy(payload.ptr + payload.len - 4, &crc, 4);
    EXPECT_RESTORE("-ERR Bad data format\r\n", "b", "0", buf_slice(&payload), NULL, NULL);
    EXPECT_REPLY(h, 2, "DBSIZE", ":1\r\n");
    buf_fini(&payload);
    harness_free(h);
}

/* -- KEYS -------------------------------------------------------------------------------------- */

enum { KEYS = 20000 };

static void fill(struct harness *h, const char *name, int count)
{
    char line[64];
    for (int i = 0; i < count; i++) {
        (void)snprintf(line, sizeof(line), "SET %s%d v", name, i);
        EXPECT_REPLY(h, 2, line, OK_);
    }
}

/* How often each of name0 .. name<count - 1> is in the reply; false when it is not well-formed. */
static void expect_each_once(struct slice reply, const char *name, int count)
{
    uint8_t *seen = mem_calloc(MEM_TEST, (size_t)count);
    size_t prefix = strlen(name);
    for (const uint8_t *at = reply.ptr, *end = at + reply.len; at < end;) {
        const uint8_t *eol = memchr(at, '\r', (size_t)(end - at));
        REQUIRE(eol != NULL);
        int64_t number;
        if ((size_t)(eol - at) > prefix && memcmp(at, name, prefix) == 0 &&
            slice_to_i64((struct slice){at + prefix, (size_t)(eol - at) - prefix}, &number)) {
            REQUIRE(number >= 0 && number < count && seen[number] == 0);
            seen[number] = 1;
        }
        at = eol + 2;
    }
    int missing = 0;
    for (int i = 0; i < count; i++)
        missing += seen[i] == 0;
    EXPECT_EQ(missing, 0);
    mem_free(MEM_TEST, seen);
}

TEST(cmd_keys_many, keys_returns_each_key_once)
{
    struct harness *h = harness_new();
    fill(h, "key", KEYS);
    struct slice reply = harness_run(h, 2, "KEYS *");
    EXPECT(reply_is_well_formed(reply, 2) && reply.ptr[0] == '*');
    expect_each_once(reply, "key", KEYS);
    EXPECT_PART(h, 3, "KEYS key1999?", "*10\r\n");
    EXPECT_REPLIES(h, "KEYS nothing*", "*0\r\n");
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    EXPECT_REPLY(h, 2, "KEYS key777", "+QUEUED\r\n");
    EXPECT_REPLY(h, 2, "EXEC", "*1\r\n*1\r\n$6\r\nkey777\r\n");
    EXPECT_REPLY(h, 2, "CLIENT REPLY SKIP", "");
    EXPECT_REPLY(h, 2, "KEYS key777", "");
    EXPECT_REPLY(h, 2, "KEYS key777", "*1\r\n$6\r\nkey777\r\n");
    harness_free(h);
}

TEST(cmd_keys_many, a_client_may_leave_in_the_middle)
{
    struct harness *h = harness_new();
    struct client *c = harness_add_client(h, "127.0.0.2", 7);
    struct slice argv[2] = {slice_of("KEYS"), slice_of("*")};
    fill(h, "key", 3000);
    command_run(&h->env, c, argv, 2);
    EXPECT(c->blocked && c->key_list != NULL);
    client_abandon(&h->env, c);
    EXPECT(!c->blocked && c->key_list == NULL);
    harness_free(h);
}

/* Keys come and go, so that the table grows and shrinks while it is scanned. */
TEST(cmd_keys_many, scan_returns_what_is_there_all_the_time)
{
    struct harness *h = harness_new();
    fill(h, "stays", 2000);
    struct buf all = BUF_INIT(MEM_TEST);
    char line[64];
    uint64_t cursor = 0;
    int round = 0;
    do {
        (void)snprintf(line, sizeof(line), "SCAN %llu COUNT 50", (unsigned long long)cursor);
        struct slice reply = harness_run(h, 2, line);
        buf_append_slice(&all, reply);
        const uint8_t *text = memchr(reply.ptr + 4, '\n', reply.len - 4);
        REQUIRE(text != NULL);
        cursor = strtoull((const char *)text + 1, NULL, 10);
        for (int i = 0; i < 100; i++) {
            bool grows = round / 40 % 2 == 0;
            (void)snprintf(line, sizeof(line), grows ? "SET x%d v" : "DEL x%d",
                           (round % 40) * 100 + i);
            (void)harness_run(h, 2, line);
        }
        round++;
    } while (cursor != 0 && round < 10000);
    EXPECT(cursor == 0 && round > 50);
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(line, sizeof(line), "\r\nstays%d\r\n", i);
        EXPECT(memmem(all.ptr, all.len, line, strlen(line)) != NULL);
    }
    buf_fini(&all);
    harness_free(h);
}

TEST(cmd_keys_many, a_flush_is_seen_at_once_and_freed_in_slices)
{
    struct harness *h = harness_new();
    fill(h, "key", KEYS);
    size_t full = mem_used(MEM_KEYSPACE);
    EXPECT_REPLY(h, 2, "FLUSHALL", OK_);
    EXPECT_REPLY(h, 2, "DBSIZE", ":0\r\n");
    EXPECT_REPLY(h, 2, "GET key7", "$-1\r\n");
    EXPECT(h->db.dead != NULL && db_used_bytes(&h->db) + full < mem_used_total() + 64 * 1024);
    fill(h, "key", 3000); /* the same names again, while the old ones go */
    EXPECT_REPLY(h, 2, "FLUSHALL", OK_);
    EXPECT_REPLY(h, 2, "SET a 1", OK_);
    sim_run_for(h->sim, 1000 * 1000);
    EXPECT(h->db.dead == NULL && h->db.background.retired->bytes == 0);
    EXPECT(mem_used(MEM_KEYSPACE) < 4096);
    EXPECT_REPLY(h, 2, "KEYS *", "*1\r\n$1\r\na\r\n");
    fill(h, "key", 3000);
    EXPECT_REPLY(h, 2, "FLUSHALL", OK_);
    harness_free(h); /* in the middle of it */
}

TEST(cmd_keys_many, a_flush_with_collections_among_the_keys_drops_them_at_once)
{
    struct harness *h = harness_new();
    fill(h, "key", 3000);
    EXPECT_PART(h, 2, "VADD v VALUES 2 1 2 a", ":1");
    EXPECT_EQ(h->db.keys.collections, 1);
    EXPECT_REPLY(h, 2, "RENAME v w", OK_);
    EXPECT_EQ(h->db.keys.collections, 1);
    EXPECT_REPLY(h, 2, "FLUSHALL", OK_);
    EXPECT(h->db.dead == NULL && h->db.keys.collections == 0);
    EXPECT_PART(h, 2, "VADD v VALUES 2 1 2 a", ":1");
    EXPECT_REPLY(h, 2, "SET v text", OK_);
    EXPECT_EQ(h->db.keys.collections, 0);
    harness_free(h);
}

TEST(cmd_keys_many, scan_takes_match_type_and_any_count)
{
    struct harness *h = harness_new();
    fill(h, "key", 2000);
    EXPECT_PART(h, 2, "VADD v VALUES 2 1 2 a", ":1");
    EXPECT_PART(h, 2, "SCAN 0 COUNT 1000000 TYPE vectorset", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nv\r\n");
    EXPECT_PART(h, 2, "SCAN 0 COUNT 1000000 MATCH key199?", "*2\r\n$1\r\n0\r\n*10\r\n");
    EXPECT_PART(h, 2, "SCAN 99999999999 COUNT 10", "*2\r\n$1\r\n0\r\n*0\r\n");
    harness_free(h);
}
