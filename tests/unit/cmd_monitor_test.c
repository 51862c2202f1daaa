/* MONITOR within one process: lines never come into the middle of a reply, and long words are cut.
 */
#include "base/limits.h"
#include "cmd/command.h"
#include "lib/cmd_harness.h"

/* The client that watches; what it has been sent since the last look is in its out. */
static struct client *watcher(struct harness *h)
{
    struct client *self = h->client, *c = harness_add_client(h, "10.0.0.9", 9);
    h->client = c;
    EXPECT_REPLY(h, 2, "MONITOR", "+OK\r\n");
    h->client = self;
    buf_clear(&c->out, 0);
    return c;
}

static bool has(const struct client *c, const char *part)
{
    return memmem(c->out.ptr, c->out.len, part, strlen(part)) != NULL;
}

static bool ends_with(const struct client *c, const char *part)
{
    size_t size = strlen(part);
    return c->out.len >= size && memcmp(c->out.ptr + c->out.len - size, part, size) == 0;
}

TEST(cmd_monitor, shows_what_others_run_until_reset)
{
    struct harness *h = harness_new();
    struct client *c = watcher(h), *self = h->client;
    EXPECT_REPLY(h, 2, "SET k \"a\\\\b\\x01\"", "+OK\r\n");
    EXPECT(ends_with(c, " [0 127.0.0.1:50001] \"SET\" \"k\" \"a\\\\b\\x01\"\r\n"));
    buf_clear(&c->out, 0);
    h->client = c;
    EXPECT_REPLY(h, 2, "RESET", "+RESET\r\n");
    h->client = self;
    buf_clear(&c->out, 0);
    EXPECT_REPLY(h, 2, "SET k v", "+OK\r\n");
    EXPECT(c->out.len == 0 && h->env.monitors == NULL);
    harness_free(h);
}

TEST(cmd_monitor, own_transactions_and_searches_stay_whole)
{
    struct harness *h = harness_new();
    struct client *c = watcher(h);
    h->client = c;
    (void)harness_run(h, 2, "MULTI");
    (void)harness_run(h, 2, "SET k v");
    (void)harness_run(h, 2, "GET k");
    struct slice reply = harness_run(h, 2, "EXEC");
    static const char whole[] = "*2\r\n+OK\r\n$1\r\nv\r\n+";
    EXPECT(reply.len > sizeof(whole) && memcmp(reply.ptr, whole, sizeof(whole) - 1) == 0);
    EXPECT(memmem(reply.ptr, reply.len, "\"SET\" \"k\" \"v\"\r\n", 15) != NULL);
    EXPECT(memmem(reply.ptr, reply.len, "\"EXEC\"\r\n", 8) != NULL);
    reply = harness_run(h, 2, "KEYS *");
    static const char keys[] = "*1\r\n$1\r\nk\r\n";
    EXPECT(memmem(reply.ptr, reply.len, keys, sizeof(keys) - 1) != NULL);
    EXPECT(memmem(reply.ptr, reply.len, "\"KEYS\" \"*\"\r\n", 12) != NULL);
    harness_free(h);
}

/* SET k with so many bytes. */
static void set(struct harness *h, size_t size)
{
    struct buf value = BUF_INIT(MEM_TEST);
    for (size_t i = 0; i < size; i++)
        buf_append_byte(&value, 'x');
    struct slice words[] = {slice_of("SET"), slice_of("k"), buf_slice(&value)};
    (void)harness_run_args(h, 2, words, COUNT_OF(words));
    buf_fini(&value);
}

TEST(cmd_monitor, a_word_is_shown_so_far_and_no_further)
{
    struct harness *h = harness_new();
    struct client *c = watcher(h);
    set(h, LIMIT_MONITOR_WORD);
    EXPECT(ends_with(c, "xx\"\r\n") && c->out.len > LIMIT_MONITOR_WORD);
    set(h, LIMIT_MONITOR_WORD + 1);
    EXPECT(ends_with(c, "xx... (1 more bytes)\"\r\n"));
    harness_free(h);
}

TEST(cmd_monitor, a_line_is_so_long_and_not_much_longer)
{
    enum { WORDS = 20 };
    struct harness *h = harness_new();
    struct client *c = watcher(h);
    static uint8_t text[LIMIT_MONITOR_WORD / 2];
    struct slice words[WORDS] = {slice_of("DEL")};
    memset(text, 'k', sizeof(text));
    for (size_t i = 1; i < WORDS; i++)
        words[i] = (struct slice){text, sizeof(text)};
    (void)harness_run_args(h, 2, words, WORDS);
    EXPECT(ends_with(c, " \"... (11 more arguments)\"\r\n"));
    EXPECT(c->out.len < LIMIT_MONITOR_LINE + sizeof(text));
    EXPECT(!has(c, "more bytes"));
    buf_clear(&c->out, 0);
    (void)harness_run_args(h, 2, words, 8);
    EXPECT(ends_with(c, "kk\"\r\n") && !has(c, "more arguments"));
    harness_free(h);
}

TEST(cmd_monitor, what_waits_for_the_end_of_a_reply_is_limited)
{
    struct harness *h = harness_new();
    struct client *c = watcher(h), *self = h->client;
    h->config.client_output_buffer_limit.hard_bytes = 1000;
    h->client = c;
    (void)harness_run(h, 2, "CLIENT REPLY SKIP");
    c->muted_from = c->out.len; /* as while a search runs whose reply it does not want */
    h->client = self;
    EXPECT_REPLY(h, 2, "PING", "+PONG\r\n");
    EXPECT(h->killed == 0 && c->monitored.len > 0);
    set(h, 1000);
    EXPECT(h->killed == 1 && h->last_killed == c);
    c->muted_from = UINT64_MAX;
    harness_free(h);
}
