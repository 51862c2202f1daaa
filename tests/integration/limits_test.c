/* Options that bound what clients may take: passwords, maxclients, timeout, buffers. */
#include <stdlib.h>

#include "integration/peer.h"

enum { MIB = 1 << 20 };

static void begin(struct served *s, struct peer *p, const char *const *options)
{
    served_start(s, options);
    peer_open(p, s);
}

static void end(struct served *s, struct peer *p)
{
    peer_close(p);
    EXPECT_EQ(served_stop(s), 0);
}

TEST(limits, a_password_is_asked_for)
{
    static const char *const options[] = {"--requirepass", "secret", NULL};
    struct served s;
    struct peer p;
    begin(&s, &p, options);
    SAYS(&p, "PING", "-NOAUTH Authentication required.");
    SAYS(&p, "VADD k VALUES 1 1 a", "-NOAUTH Authentication required.");
    SAYS(&p, "VSIM k ELE a", "-NOAUTH Authentication required.");
    REFUSES(&p, "AUTH wrong", "WRONGPASS");
    REFUSES(&p, "HELLO 3", "NOAUTH");
    REFUSES(&p, "HELLO 3 AUTH default wrong", "WRONGPASS");
    SAYS(&p, "PING", "-NOAUTH Authentication required.");
    SAYS(&p, "AUTH secret", "+OK");
    SAYS(&p, "VADD k VALUES 1 1 a", ":1");
    struct peer other;
    peer_open(&other, &s);
    EXPECT(ask(&other, "HELLO 3 AUTH default secret")[0] == '{');
    SAYS(&other, "VISMEMBER k a", "#t");
    peer_close(&other);
    end(&s, &p);
}

/* Bytes from somebody who gave no password, and the reply. */
static void expect_of_stranger(const struct served *s, const char *bytes, size_t len,
                               const char *expected)
{
    struct peer p;
    peer_open(&p, s);
    (void)peer_send(&p, bytes, len);
    EXPECT_STR(peer_reply(&p, REPLY_MS), expected);
    peer_close(&p);
}

TEST(limits, without_the_password_there_is_little_room)
{
    static const char *const options[] = {"--requirepass", "secret", NULL};
    enum { ARGS = 10, BULK = 16384 };
    struct served s;
    struct peer p;
    begin(&s, &p, options);
    for (int args = ARGS; args <= ARGS + 1; args++) {
        struct buf b = BUF_INIT(MEM_TEST);
        buf_printf(&b, "*%d\r\n", args);
        for (int i = 0; i < args; i++)
            buf_append_text(&b, "$4\r\nPING\r\n");
        expect_of_stranger(&s, (const char *)b.ptr, b.len,
                           args == ARGS ? "-NOAUTH Authentication required."
                                        : "-ERR Protocol error: unauthenticated multibulk length");
        buf_fini(&b);
    }
    for (int size = BULK; size <= BULK + 1; size++) {
        struct buf b = BUF_INIT(MEM_TEST);
        buf_printf(&b, "*2\r\n$4\r\nPING\r\n$%d\r\n", size);
        for (int i = 0; i < size; i++)
            buf_append_byte(&b, 'x');
        buf_append_text(&b, "\r\n");
        expect_of_stranger(&s, (const char *)b.ptr, b.len,
                           size == BULK ? "-NOAUTH Authentication required."
                                        : "-ERR Protocol error: unauthenticated bulk length");
        buf_fini(&b);
    }
    SAYS(&p, "AUTH secret", "+OK");
    SAYS(&p, "ECHO {x 16385}", "...");
    SAYS(&p, "DEL 1 2 3 4 5 6 7 8 9 10 11", ":0");
    end(&s, &p);
}

TEST(limits, no_more_than_maxclients)
{
    static const char *const options[] = {"--maxclients", "3", NULL};
    struct served s;
    struct peer p, others[2], late;
    begin(&s, &p, options);
    SAYS(&p, "PING", "+PONG");
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        peer_open(&others[i], &s);
        SAYS(&others[i], "PING", "+PONG");
    }
    peer_open(&late, &s);
    EXPECT_STR(peer_reply(&late, REPLY_MS), "-ERR max number of clients reached");
    EXPECT_STR(peer_reply(&late, REPLY_MS), "closed");
    peer_close(&late);
    peer_close(&others[0]);
    sleep_us(100000);
    peer_open(&late, &s);
    SAYS(&late, "PING", "+PONG");
    peer_close(&late);
    peer_close(&others[1]);
    end(&s, &p);
}

TEST(limits, idle_clients_leave_after_the_timeout)
{
    static const char *const options[] = {"--timeout", "1", NULL};
    struct served s;
    struct peer p, half;
    begin(&s, &p, options);
    peer_open(&half, &s);
    REQUIRE(peer_send(&half, "*2\r\n$4\r\nEC", 10));
    SAYS(&p, "PING", "+PONG");
    uint64_t start = now_us();
    EXPECT_STR(peer_reply(&half, 5000), "closed");
    EXPECT_STR(peer_reply(&p, 5000), "closed");
    EXPECT(now_us() - start >= 900 * 1000);
    EXPECT(now_us() - start < 4000 * 1000);
    peer_close(&half);
    peer_close(&p);
    peer_open(&p, &s);
    SAYS(&p, "CONFIG SET timeout 0", "+OK");
    EXPECT_STR(peer_reply(&p, 2000), "silence");
    SAYS(&p, "PING", "+PONG");
    end(&s, &p);
}

TEST(limits, a_client_that_does_not_read_is_closed)
{
    static const char *const options[] = {"--client-output-buffer-limit", "normal 4mb 0 0", NULL};
    enum { ASKED = 1000 };
    struct served s;
    struct peer p, deaf;
    begin(&s, &p, options);
    SAYS(&p, "SET big {x 200000}", "+OK");
    size_t before = served_rss_bytes(&s), most = 0;
    peer_open(&deaf, &s);
    static const char get[] = "*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n";
    for (int i = 0; i < ASKED && peer_send(&deaf, get, sizeof(get) - 1); i++) {
        size_t rss = served_rss_bytes(&s);
        most = rss > most ? rss : most;
        if (i % 50 == 0)
            SAYS(&p, "PING", "+PONG");
    }
#ifdef VDB_SANITIZER
    size_t slack = SIZE_MAX / 2; /* a sanitizer keeps freed memory for a while */
#else
    size_t slack = 32 * (size_t)MIB;
#endif
    EXPECT(most < before + slack);
    int replies = 0;
    while (strcmp(peer_reply(&deaf, REPLY_MS), "closed") != 0 && replies < ASKED)
        replies++;
    EXPECT(replies < ASKED);
    EXPECT(strstr(ask(&p, "INFO stats"), "client_output_buffer_limit_disconnections:1") != NULL);
    peer_close(&deaf);
    end(&s, &p);
}

TEST(limits, a_client_that_sends_too_much_at_once_is_closed)
{
    static const char *const options[] = {"--client-query-buffer-limit", "1mb", NULL};
    struct served s;
    struct peer p, greedy;
    begin(&s, &p, options);
    SAYS(&p, "SET fits {x 900000}", "+OK");
    peer_open(&greedy, &s);
    struct buf b = BUF_INIT(MEM_TEST);
    command_bytes("SET big {x 1100000}", &b);
    (void)peer_send(&greedy, b.ptr, b.len);
    EXPECT_STR(peer_reply(&greedy, REPLY_MS), "closed");
    buf_fini(&b);
    peer_close(&greedy);
    SAYS(&p, "EXISTS fits big", ":1");
    end(&s, &p);
}

TEST(limits, the_length_of_an_argument_can_be_lowered)
{
    static const char *const options[] = {"--proto-max-bulk-len", "1mb", NULL};
    struct served s;
    struct peer p, other;
    begin(&s, &p, options);
    SAYS(&p, "SET k {x 1048576}", "+OK");
    peer_open(&other, &s);
    static const char over[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n";
    REQUIRE(peer_send(&other, over, sizeof(over) - 1));
    EXPECT_STR(peer_reply(&other, REPLY_MS), "-ERR Protocol error: invalid bulk length");
    EXPECT_STR(peer_reply(&other, REPLY_MS), "closed");
    peer_close(&other);
    end(&s, &p);
}

TEST(limits, clients_that_leave_in_the_middle_of_searches_harm_nobody)
{
    struct served s;
    struct peer p;
    begin(&s, &p, NULL);
    SAYS(&p, "VCREATE c DIM 16 METRIC L2 INDEX HNSW", "+OK");
    for (int i = 0; i < 500; i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "VADD c FP32 {f32 %d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1} %d",
                       i, i);
        SAYS(&p, line, ":1");
    }
    for (int i = 0; i < 200; i++) {
        struct peer gone;
        struct buf b = BUF_INIT(MEM_TEST);
        peer_open(&gone, &s);
        for (int n = 0; n < 5; n++)
            command_bytes("VSEARCH c ELE 7 COUNT 400 EXACT WITHVECTORS", &b);
        command_bytes("VADD c FP32 {f32 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1} new", &b);
        REQUIRE(peer_send(&gone, b.ptr, b.len));
        buf_fini(&b);
        peer_close(&gone);
    }
    SAYS(&p, "VSEARCH c ELE 7 COUNT 1", "['7']");
    end(&s, &p);
}
