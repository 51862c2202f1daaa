#include "integration/peer.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { NESTING_MAX = 8, READ_SIZE = 64 * 1024 };

static void init(struct peer *p)
{
    *p = (struct peer){.fd = -1, .in = BUF_INIT(MEM_TEST), .said = BUF_INIT(MEM_TEST)};
}

void peer_open_hiredis(struct peer *p, const struct served *s)
{
    init(p);
    p->hiredis = redisConnect("127.0.0.1", s->port);
    CHECK(p->hiredis != NULL);
    REQUIRE(p->hiredis->err == 0);
    p->fd = p->hiredis->fd;
}

void peer_open(struct peer *p, const struct served *s)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    init(p);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(p->fd >= 0 && connect(p->fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
}

void peer_open_unix(struct peer *p, const struct served *s)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    CHECK(strlen(s->unix_path) < sizeof(addr.sun_path));
    memcpy(addr.sun_path, s->unix_path, strlen(s->unix_path) + 1);
    init(p);
    p->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(p->fd >= 0 && connect(p->fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
}

void peer_close(struct peer *p)
{
    if (p->hiredis != NULL)
        redisFree(p->hiredis);
    else if (p->fd >= 0)
        close(p->fd);
    buf_fini(&p->in);
    buf_fini(&p->said);
    *p = (struct peer){.fd = -1};
}

/* -- sockets ----------------------------------------------------------------------------------- */

bool peer_send(struct peer *p, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t sent = send(p->fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* What became of waiting for bytes. */
enum arrival { ARRIVED, SILENCE, CLOSED };

static enum arrival receive(struct peer *p, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = p->fd, .events = POLLIN};
    if (p->at == p->in.len) {
        buf_clear(&p->in, READ_SIZE);
        p->at = 0;
    }
    if (poll(&poll_fd, 1, timeout_ms) <= 0)
        return SILENCE;
    uint8_t *room = buf_reserve(&p->in, READ_SIZE);
    CHECK(room != NULL);
    ssize_t got = recv(p->fd, room, READ_SIZE, 0);
    if (got <= 0)
        return CLOSED;
    buf_advance(&p->in, (size_t)got);
    return ARRIVED;
}

/* -- replies as text --------------------------------------------------------------------------- */

static void show_bulk(struct buf *out, const char *bytes, size_t len)
{
    buf_append_byte(out, '\'');
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (isprint(byte))
            buf_append_byte(out, byte);
        else
            buf_printf(out, "\\x%02x", byte);
    }
    buf_append_byte(out, '\'');
}

/* Reading a reply off the wire. */
struct reading {
    struct peer *peer;
    int timeout_ms;
    enum arrival end; /* other than ARRIVED: why there is no more */
};

/* The next line without its end, or NULL. */
static const char *read_line(struct reading *r, size_t *len)
{
    struct peer *p = r->peer;
    size_t looked = p->at;
    for (;;) {
        const uint8_t *found =
            looked < p->in.len ? memchr(p->in.ptr + looked, '\n', p->in.len - looked) : NULL;
        if (found != NULL) {
            const char *line = (const char *)p->in.ptr + p->at;
            *len = (size_t)(found - p->in.ptr) - p->at;
            p->at += *len + 1;
            CHECK(*len > 0 && line[*len - 1] == '\r');
            (*len)--;
            return line;
        }
        size_t seen = p->in.len - p->at;
        r->end = receive(p, r->timeout_ms);
        if (r->end != ARRIVED)
            return NULL;
        looked = p->at + seen;
    }
}

static void read_bulk(struct reading *r, size_t len)
{
    struct peer *p = r->peer;
    while (p->in.len - p->at < len + 2) {
        r->end = receive(p, r->timeout_ms);
        if (r->end != ARRIVED)
            return;
    }
    show_bulk(&p->said, (const char *)p->in.ptr + p->at, len);
    p->at += len + 2;
}

/* The first line of a reply. Returns how many elements follow, -1 when the reply is complete. */
static long read_head(struct reading *r, const char **closing)
{
    struct buf *said = &r->peer->said;
    size_t len;
    const char *line = read_line(r, &len);
    if (line == NULL)
        return -1;
    long number = strtol(line + 1, NULL, 10);
    switch (line[0]) {
    case '$':
        if (number < 0)
            buf_append_text(said, "nil");
        else
            read_bulk(r, (size_t)number);
        return -1;
    case '_':
        buf_append_text(said, "nil");
        return -1;
    case '*':
        if (number < 0) {
            buf_append_text(said, "nil-array");
            return -1;
        }
        buf_append_byte(said, '[');
        *closing = "]";
        return number;
    case '%':
        buf_append_byte(said, '{');
        *closing = "}";
        return 2 * number;
    default:
        buf_append(said, line, len);
        return -1;
    }
}

/* One reply, arrays in arrays without recursion. */
static void read_reply(struct reading *r)
{
    struct buf *said = &r->peer->said;
    struct {
        long left;
        bool first;
        const char *closing;
    } open[NESTING_MAX];
    size_t depth = 0;
    do {
        if (depth > 0) {
            if (!open[depth - 1].first)
                buf_append_byte(said, ' ');
            open[depth - 1].first = false;
            open[depth - 1].left--;
        }
        const char *closing = NULL;
        long count = read_head(r, &closing);
        if (r->end != ARRIVED)
            return;
        if (count >= 0) {
            CHECK(depth < NESTING_MAX);
            open[depth].left = count;
            open[depth].first = true;
            open[depth++].closing = closing;
        }
        while (depth > 0 && open[depth - 1].left == 0)
            buf_append_text(said, open[--depth].closing);
    } while (depth > 0);
}

static const char *finish_text(struct peer *p)
{
    buf_append_byte(&p->said, '\0');
    CHECK(!buf_failed(&p->said));
    return (const char *)p->said.ptr;
}

const char *peer_reply(struct peer *p, int timeout_ms)
{
    struct reading r = {.peer = p, .timeout_ms = timeout_ms, .end = ARRIVED};
    CHECK(p->hiredis == NULL);
    buf_clear(&p->said, SIZE_MAX);
    read_reply(&r);
    if (r.end == ARRIVED)
        return finish_text(p);
    return r.end == CLOSED ? "closed" : "silence";
}

/* hiredis has parsed already; its tree is as deep as replies of vdb are. */
static void show_reply(struct buf *out, const struct redisReply *r)
{
    const struct redisReply *parents[NESTING_MAX];
    size_t next[NESTING_MAX], depth = 0;
    for (;;) {
        if (r->type == REDIS_REPLY_STATUS)
            buf_printf(out, "+%s", r->str);
        else if (r->type == REDIS_REPLY_ERROR)
            buf_printf(out, "-%s", r->str);
        else if (r->type == REDIS_REPLY_INTEGER)
            buf_printf(out, ":%lld", r->integer);
        else if (r->type == REDIS_REPLY_NIL)
            buf_append_text(out, "nil");
        else if (r->type == REDIS_REPLY_STRING)
            show_bulk(out, r->str, r->len);
        if (r->type == REDIS_REPLY_ARRAY) {
            CHECK(depth < NESTING_MAX);
            buf_append_byte(out, '[');
            next[depth] = 0;
            parents[depth++] = r;
        }
        while (depth > 0 && next[depth - 1] == parents[depth - 1]->elements) {
            buf_append_byte(out, ']');
            depth--;
        }
        if (depth == 0)
            return;
        if (next[depth - 1] > 0)
            buf_append_byte(out, ' ');
        r = parents[depth - 1]->element[next[depth - 1]++];
    }
}

const char *ask(struct peer *p, const char *line)
{
    struct buf bytes = BUF_INIT(MEM_TEST);
    command_bytes(line, &bytes);
    if (p->hiredis == NULL) {
        bool sent = peer_send(p, bytes.ptr, bytes.len);
        buf_fini(&bytes);
        return sent ? peer_reply(p, REPLY_MS) : "closed";
    }
    void *reply = NULL;
    buf_clear(&p->said, SIZE_MAX);
    int status = redisAppendFormattedCommand(p->hiredis, (const char *)bytes.ptr, bytes.len);
    if (status == REDIS_OK)
        status = redisGetReply(p->hiredis, &reply);
    buf_fini(&bytes);
    if (status != REDIS_OK)
        return "closed";
    show_reply(&p->said, reply);
    freeReplyObject(reply);
    return finish_text(p);
}

/* -- expectations ------------------------------------------------------------------------------ */

void expect_reply(const char *file, int line, struct peer *p, const char *command,
                  const char *expected)
{
    const char *said = ask(p, command);
    if (!reply_matches(said, expected))
        test_fail(file, line, "%.200s says\n      %.2000s\n    expected\n      %s", command, said,
                  expected);
}

void expect_error(const char *file, int line, struct peer *p, const char *command,
                  const char *words)
{
    const char *said = ask(p, command);
    if (said[0] != '-' || strstr(said, words) == NULL)
        test_fail(file, line, "%.200s says\n      %.2000s\n    expected an error with\n      %s",
                  command, said, words);
}

struct peer *peer_fresh(int proto)
{
    static struct peer peers[2];
    static bool open[2];
    size_t i = proto == 3;
    const struct served *s = served_shared();
    if (open[i])
        peer_close(&peers[i]);
    if (proto == 3)
        peer_open(&peers[i], s);
    else
        peer_open_hiredis(&peers[i], s);
    open[i] = true;
    if (proto == 3)
        REQUIRE(ask(&peers[i], "HELLO 3")[0] == '{');
    REQUIRE(strcmp(ask(&peers[i], "FLUSHALL"), "+OK") == 0);
    return &peers[i];
}

void play(const char *file, int line, const struct exchange *list, size_t count)
{
    for (int proto = 2; proto <= 3; proto++) {
        struct peer *p = peer_fresh(proto);
        for (size_t i = 0; i < count; i++) {
            const char *expected = list[i].resp2;
            if (proto == 3 && list[i].resp3 != NULL)
                expected = list[i].resp3;
            const char *said = ask(p, list[i].command);
            if (!reply_matches(said, expected))
                test_fail(file, line, "RESP%d: %.200s says\n      %.2000s\n    expected\n      %s",
                          proto, list[i].command, said, expected);
        }
    }
}
