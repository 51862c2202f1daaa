/* What arrives on a socket: whole, in pieces, in bulk, broken, or not RESP at all. */
#include <stdlib.h>

#include "integration/peer.h"

static struct peer connected(void)
{
    struct peer p;
    peer_open(&p, served_shared());
    return p;
}

static void send_text(struct peer *p, const char *text)
{
    (void)peer_send(p, text, strlen(text)); /* a closed connection shows in the reply */
}

/* The shared server still serves others. */
static void expect_serving(void)
{
    struct peer p = connected();
    SAYS(&p, "PING", "+PONG");
    peer_close(&p);
}

TEST(protocol, a_command_may_be_split_anywhere)
{
    static const char set[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\na\r\nb\0c\r\n";
    struct peer p = connected();
    for (size_t cut = 1; cut < sizeof(set) - 1; cut++) {
        REQUIRE(peer_send(&p, set, cut));
        sleep_us(300);
        REQUIRE(peer_send(&p, set + cut, sizeof(set) - 1 - cut));
        EXPECT_STR(peer_reply(&p, REPLY_MS), "+OK");
    }
    for (size_t i = 0; i < sizeof(set) - 1; i++) {
        REQUIRE(peer_send(&p, set + i, 1));
        sleep_us(100);
    }
    EXPECT_STR(peer_reply(&p, REPLY_MS), "+OK");
    SAYS(&p, "GET k", "'a\\x0d\\x0ab\\x00c'");
    peer_close(&p);
}

TEST(protocol, a_hundred_thousand_commands_at_once_are_answered_in_order)
{
    enum { COUNT = 100000 };
    struct peer p = connected();
    struct buf b = BUF_INIT(MEM_TEST);
    for (int i = 0; i < COUNT; i++)
        buf_printf(&b, "*2\r\n$4\r\nECHO\r\n$6\r\n%06d\r\n", i);
    REQUIRE(peer_send(&p, b.ptr, b.len));
    int wrong = 0;
    for (int i = 0; i < COUNT; i++) {
        char expected[16];
        (void)snprintf(expected, sizeof(expected), "'%06d'", i);
        wrong += strcmp(peer_reply(&p, REPLY_MS), expected) != 0;
    }
    EXPECT_EQ(wrong, 0);
    buf_fini(&b);
    peer_close(&p);
}

TEST(protocol, searches_and_writes_of_a_pipeline_are_answered_in_order)
{
    enum { COUNT = 3000 };
    struct peer *p = peer_fresh(2);
    SAYS(p, "VCREATE c DIM 2 METRIC L2 INDEX HNSW", "+OK");
    struct peer raw = connected();
    struct buf b = BUF_INIT(MEM_TEST);
    for (int i = 0; i < COUNT; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "VADD c VALUES 2 %d 0 %d", i, i);
        command_bytes(line, &b);
        (void)snprintf(line, sizeof(line), "VSEARCH c VALUES 2 %d 0 COUNT 1", i);
        command_bytes(line, &b);
    }
    REQUIRE(peer_send(&raw, b.ptr, b.len));
    int wrong = 0;
    for (int i = 0; i < COUNT; i++) {
        char expected[16];
        (void)snprintf(expected, sizeof(expected), "['%d']", i);
        wrong += strcmp(peer_reply(&raw, REPLY_MS), ":1") != 0;
        wrong += strcmp(peer_reply(&raw, REPLY_MS), expected) != 0;
    }
    EXPECT_EQ(wrong, 0);
    buf_fini(&b);
    peer_close(&raw);
}

TEST(protocol, half_a_command_harms_nobody)
{
    static const char *const halves[] = {"*", "*3\r\n$4\r\nVA", "*2\r\n$4\r\nECHO\r\n$100\r\nabc",
                                         "PIN", "*1\r\n$536870912\r\n"};
    struct peer peers[COUNT_OF(halves)];
    for (size_t i = 0; i < COUNT_OF(halves); i++) {
        peers[i] = connected();
        send_text(&peers[i], halves[i]);
    }
    for (size_t i = 0; i < COUNT_OF(halves); i++)
        EXPECT_STR(peer_reply(&peers[i], 20), "silence");
    expect_serving();
    for (size_t i = 0; i < COUNT_OF(halves); i++)
        peer_close(&peers[i]);
    expect_serving();
}

TEST(protocol, inline_commands_are_understood)
{
    struct peer p = connected();
    send_text(&p, "PING\r\nping\n\r\n\n  SET  k  'b c'  \r\nGET k\r\nECHO \"\\x41\\n\"\r\n");
    EXPECT_STR(peer_reply(&p, REPLY_MS), "+PONG");
    EXPECT_STR(peer_reply(&p, REPLY_MS), "+PONG");
    EXPECT_STR(peer_reply(&p, REPLY_MS), "+OK");
    EXPECT_STR(peer_reply(&p, REPLY_MS), "'b c'");
    EXPECT_STR(peer_reply(&p, REPLY_MS), "'A\\x0a'");
    send_text(&p, "VADD inl VALUES 2 1 0 a\r\nVSIM inl ELE a\r\n");
    EXPECT_STR(peer_reply(&p, REPLY_MS), ":1");
    EXPECT_STR(peer_reply(&p, REPLY_MS), "['a']");
    peer_close(&p);
}

/* Bytes, and the error after which the connection is closed. */
static void expect_broken(const char *bytes, const char *error)
{
    struct peer p = connected();
    send_text(&p, bytes);
    const char *said = peer_reply(&p, REPLY_MS);
    if (!reply_matches(said, error))
        test_fail(__FILE__, __LINE__, "%.60s says %s, expected %s", bytes, said, error);
    EXPECT_STR(peer_reply(&p, REPLY_MS), "closed");
    peer_close(&p);
}

TEST(protocol, broken_requests_are_named_and_closed)
{
    expect_broken("*1048577\r\n", "-ERR Protocol error: invalid multibulk length");
    expect_broken("*x\r\n", "-ERR Protocol error: invalid multibulk length");
    expect_broken("*99999999999999999999\r\n", "-ERR Protocol error: invalid multibulk length");
    expect_broken("*1\r\n:5\r\n", "-ERR Protocol error: expected '$', got ':'");
    expect_broken("*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length");
    expect_broken("*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length");
    expect_broken("*1\r\n$536870913\r\n", "-ERR Protocol error: invalid bulk length");
    expect_broken("SET k 'open\r\n", "-ERR Protocol error: unbalanced quotes in request");
    expect_serving();
}

TEST(protocol, counts_of_nothing_are_no_commands)
{
    struct peer p = connected();
    send_text(&p, "*0\r\n*-1\r\n\r\nPING\r\n");
    EXPECT_STR(peer_reply(&p, REPLY_MS), "+PONG");
    peer_close(&p);
}

TEST(protocol, inline_commands_have_a_length_limit)
{
    enum { LIMIT = 64 * 1024 };
    for (size_t size = LIMIT - 64; size <= LIMIT + 64; size += 128) {
        struct peer p = connected();
        struct buf b = BUF_INIT(MEM_TEST);
        buf_append_text(&b, "ECHO ");
        while (b.len < size)
            buf_append_byte(&b, 'x');
        if (size < LIMIT)
            buf_append_text(&b, "\r\n");
        REQUIRE(peer_send(&p, b.ptr, b.len));
        const char *said = peer_reply(&p, REPLY_MS);
        if (size < LIMIT)
            EXPECT(said[0] == '\'');
        else
            EXPECT_STR(said, "-ERR Protocol error: too big inline request");
        buf_fini(&b);
        peer_close(&p);
    }
}

/* What follows an HTTP request line must not run: a web page could send commands (Redis's "possible
 * SECURITY ATTACK"). */
TEST(protocol, http_is_not_spoken)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET http yes\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 14\r\n\r\nSET http yes\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        struct peer p = connected();
        send_text(&p, requests[i]);
        const char *said = peer_reply(&p, 2000);
        for (int replies = 0; replies < 4 && strcmp(said, "closed") != 0; replies++) {
            EXPECT(said[0] == '-');
            said = peer_reply(&p, 2000);
        }
        EXPECT_STR(said, "closed");
        peer_close(&p);
    }
    struct peer p = connected();
    SAYS(&p, "EXISTS http", ":0");
    peer_close(&p);
}

TEST(protocol, a_unix_socket_serves_the_same_data)
{
    struct peer tcp = connected(), local;
    peer_open_unix(&local, served_shared());
    SAYS(&tcp, "SET shared yes", "+OK");
    SAYS(&local, "GET shared", "'yes'");
    SAYS(&local, "VADD vu VALUES 1 1 a", ":1");
    SAYS(&tcp, "VCARD vu", ":1");
    peer_close(&tcp);
    peer_close(&local);
}

/* 512 MB is the limit of one argument, and really works. */
TEST(protocol, a_value_may_have_512_megabytes)
{
#ifdef VDB_SANITIZER
    SKIP("slow under a sanitizer");
#else
    enum { SIZE = 512 << 20, PIECE = 1 << 20 };
    struct served s;
    struct peer p;
    served_start(&s, NULL);
    peer_open(&p, &s);
    char *piece = mem_calloc(MEM_TEST, PIECE);
    send_text(&p, "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$536870912\r\n");
    for (int i = 0; i < SIZE / PIECE; i++)
        REQUIRE(peer_send(&p, piece, PIECE));
    send_text(&p, "\r\n");
    EXPECT_STR(peer_reply(&p, REPLY_MS), "+OK");
    SAYS(&p, "STRLEN big", ":536870912");
    SAYS(&p, "DEL big", ":1");
    SAYS(&p, "PING", "+PONG");
    mem_free(MEM_TEST, piece);
    peer_close(&p);
    EXPECT_EQ(served_stop(&s), 0);
#endif
}
