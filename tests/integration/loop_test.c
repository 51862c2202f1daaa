/* How long commands that touch very much hold the loop: each is done in slices, so its own part is
 * short, and others are answered in between. Prints what the server has measured; the bound is one
 * that only the whole of a command in one turn exceeds. Slices are printed alone: by the clock they
 * take as long as the machine has other things to do. */
#include <stdio.h>
#include <string.h>

#include "integration/peer.h"

enum {
    KEYS = 1000 * 1000,
    KEYS_AT_ONCE = 1000,
    VECTORS = 100 * 1000,
    DIM = 100,
    LONG_US = 100 * 1000,
    WAIT_MS = 60 * 1000
};

static const char *const options[] = {"--save", "", "--latency-monitor-threshold", "100", NULL};

/* A number of INFO. */
static int64_t figure(struct peer *p, const char *command, const char *name)
{
    const char *at = strstr(ask(p, command), name);
    REQUIRE(at != NULL);
    at += strlen(name);
    int64_t value;
    REQUIRE(slice_to_i64((struct slice){(const uint8_t *)at, strspn(at, "0123456789")}, &value));
    return value;
}

/* The command has run since the last call; by itself it held the loop for less than the bound. */
static void expect_short(struct peer *p, const char *name)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "cmdstat_%s:calls=1,usec=", name);
    int64_t own = figure(p, "INFO commandstats", wanted);
    int64_t slice = figure(p, "INFO stats", "longest_slice_usec:");
    printf("  %-8s held the loop for %lld us, its longest slice for %lld us\n", name,
           (long long)own, (long long)slice);
    EXPECT(own < LONG_US);
    SAYS(p, "CONFIG RESETSTAT", "+OK");
}

static void add_keys(struct peer *p)
{
    struct buf b = BUF_INIT(MEM_TEST);
    for (unsigned first = 0; first < KEYS; first += KEYS_AT_ONCE) {
        buf_clear(&b, SIZE_MAX);
        buf_printf(&b, "*%d\r\n$4\r\nMSET\r\n", 1 + 2 * KEYS_AT_ONCE);
        for (unsigned i = 0; i < KEYS_AT_ONCE; i++)
            buf_printf(&b, "$10\r\nkey%07u\r\n$1\r\nv\r\n", first + i);
        REQUIRE(peer_send(p, b.ptr, b.len));
        REQUIRE(strcmp(peer_reply(p, REPLY_MS), "+OK") == 0);
    }
    buf_fini(&b);
}

TEST(loop, is_not_held_by_commands_over_a_million_keys)
{
    struct served s = {0};
    struct peer p = {0};
    served_start(&s, options);
    peer_open(&p, &s);
    add_keys(&p);
    SAYS(&p, "DBSIZE", ":1000000");
    SAYS(&p, "CONFIG RESETSTAT", "+OK");
    SAYS(&p, "KEYS *99999", "[...");
    expect_short(&p, "keys");
    SAYS(&p, "SCAN 0 COUNT 1000000 MATCH none", "[...");
    expect_short(&p, "scan");
    SAYS(&p, "FLUSHALL", "+OK");
    expect_short(&p, "flushall");
    peer_close(&p);
    EXPECT_EQ(served_stop(&s), 0);
}

/* All in one bulk; ids are eight letters. */
static void send_vectors(struct peer *p)
{
    struct buf b = BUF_INIT(MEM_TEST);
    buf_printf(&b, "*%d\r\n$5\r\nVMADD\r\n$1\r\nc\r\n$4\r\nFP32\r\n$6\r\n%d\r\n", VECTORS + 5,
               VECTORS);
    for (unsigned i = 0; i < VECTORS; i++)
        buf_printf(&b, "$8\r\nv%07u\r\n", i);
    buf_printf(&b, "$%zu\r\n", VECTORS * DIM * sizeof(float));
    for (unsigned i = 0; i < VECTORS; i++) {
        float vector[DIM];
        for (unsigned d = 0; d < DIM; d++)
            vector[d] = (float)(1 + i * 31 % 1009 * d % 97);
        buf_append(&b, vector, sizeof(vector));
    }
    buf_append_text(&b, "\r\n");
    REQUIRE(!buf_failed(&b) && peer_send(p, b.ptr, b.len));
    buf_fini(&b);
}

/* Asks until all are there: nobody sees a part. */
static void watch_count(struct peer *p, const char *all)
{
    unsigned asked = 1;
    const char *said = ask(p, "VCARD c");
    for (; strcmp(said, ":0") == 0; asked++)
        said = ask(p, "VCARD c");
    EXPECT_STR(said, all);
    printf("  %u times in between another client was told that there is none\n", asked - 1);
    EXPECT(asked > 1);
}

TEST(loop, is_not_held_by_a_vmadd_of_100000_vectors_nor_by_dropping_them)
{
    struct served s = {0};
    struct peer p = {0}, other = {0};
    served_start(&s, options);
    peer_open(&p, &s);
    peer_open_hiredis(&other, &s);
    SAYS(&p, "VCREATE c DIM 100", "+OK");
    SAYS(&p, "CONFIG RESETSTAT", "+OK");
    send_vectors(&p);
    watch_count(&other, ":100000");
    EXPECT(strncmp(peer_reply(&p, WAIT_MS), "[:1 :1 ", 7) == 0);
    expect_short(&other, "VMADD");
    SAYS(&other, "VDROP c", "+OK");
    expect_short(&other, "VDROP");
    peer_close(&p);
    peer_close(&other);
    EXPECT_EQ(served_stop(&s), 0);
}
