/* hiredis_steps.c: vdb through hiredis.
 *
 *     hiredis_steps PORT */
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIPELINE = 1000, LARGE = 1 << 20 };

#define KEY "key \0\r\n"
enum { KEY_SIZE = sizeof(KEY) - 1 };

struct steps {
    redisContext *server;
    int passed, failed;
    bool good; /* so far in this step */
};

/* What a reply must be: its kind, and its text or number or count. */
struct wanted {
    int type;
    const char *text;
    long long number;
};

static const struct wanted OK_REPLY = {REDIS_REPLY_STATUS, "OK", 0};

static void expect(struct steps *s, redisReply *reply, struct wanted wanted)
{
    bool same = reply != NULL && reply->type == wanted.type;
    if (same && wanted.text != NULL)
        same = reply->type == REDIS_REPLY_ERROR
                   ? strstr(reply->str, wanted.text) != NULL
                   : reply->len == strlen(wanted.text) && strcmp(reply->str, wanted.text) == 0;
    if (same && reply->type == REDIS_REPLY_INTEGER)
        same = reply->integer == wanted.number;
    if (same && reply->type == REDIS_REPLY_ARRAY)
        same = (long long)reply->elements == wanted.number;
    if (!same)
        printf("a reply of type %d: %s\n", reply == NULL ? -1 : reply->type,
               reply == NULL || reply->str == NULL ? "" : reply->str);
    s->good = s->good && same;
}

static struct wanted text(const char *bytes)
{
    return (struct wanted){REDIS_REPLY_STRING, bytes, 0};
}

static struct wanted number(long long n)
{
    return (struct wanted){REDIS_REPLY_INTEGER, NULL, n};
}

static struct wanted array(long long count)
{
    return (struct wanted){REDIS_REPLY_ARRAY, NULL, count};
}

static struct wanted error(const char *words)
{
    return (struct wanted){REDIS_REPLY_ERROR, words, 0};
}

/* Sends one command as redisCommand has it and checks its reply. */
#define DO(s, wanted, ...)                                                                         \
    do {                                                                                           \
        redisReply *reply_ = redisCommand((s)->server, __VA_ARGS__);                               \
        expect(s, reply_, wanted);                                                                 \
        freeReplyObject(reply_);                                                                   \
    } while (0)

static void next(struct steps *s, struct wanted wanted)
{
    void *reply = NULL;
    if (redisGetReply(s->server, &reply) != REDIS_OK)
        s->good = false;
    expect(s, reply, wanted);
    freeReplyObject(reply);
}

static void connects(struct steps *s)
{
    DO(s, OK_REPLY, "FLUSHALL");
    DO(s, OK_REPLY, "CLIENT SETNAME steps");
    DO(s, text("steps"), "CLIENT GETNAME");
    DO(s, text("words"), "ECHO %s", "words");
}

static void binary_values(struct steps *s)
{
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    DO(s, OK_REPLY, "SET %b %b", KEY, (size_t)KEY_SIZE, bytes, sizeof(bytes));
    redisReply *reply = redisCommand(s->server, "GET %b", KEY, (size_t)KEY_SIZE);
    s->good = s->good && reply != NULL && reply->len == sizeof(bytes) &&
              memcmp(reply->str, bytes, sizeof(bytes)) == 0;
    freeReplyObject(reply);
    DO(s, ((struct wanted){REDIS_REPLY_NIL, NULL, 0}), "GET none");
}

static void large_values(struct steps *s)
{
    char *large = malloc(LARGE + 1);
    memset(large, 'x', LARGE);
    large[LARGE] = '\0';
    DO(s, OK_REPLY, "SET large %s", large);
    DO(s, text(large), "GET large");
    free(large);
}

static void pipeline(struct steps *s)
{
    for (int i = 0; i < PIPELINE; i++) {
        redisAppendCommand(s->server, "SET p%d %d", i, i);
        redisAppendCommand(s->server, "GET p%d", i);
    }
    for (int i = 0; i < PIPELINE; i++) {
        char digits[16];
        snprintf(digits, sizeof(digits), "%d", i);
        next(s, OK_REPLY);
        next(s, text(digits));
    }
}

static void transaction(struct steps *s)
{
    DO(s, OK_REPLY, "MULTI");
    DO(s, ((struct wanted){REDIS_REPLY_STATUS, "QUEUED", 0}), "SET n 7");
    DO(s, ((struct wanted){REDIS_REPLY_STATUS, "QUEUED", 0}), "INCR n");
    redisReply *reply = redisCommand(s->server, "EXEC");
    expect(s, reply, array(2));
    if (s->good)
        expect(s, reply->element[1], number(8));
    freeReplyObject(reply);
}

static void errors(struct steps *s)
{
    DO(s, OK_REPLY, "SET text v");
    DO(s, error("WRONGTYPE"), "VCARD text");
    DO(s, error("unknown command"), "NOSUCH");
    DO(s, error("not an integer"), "INCR text");
    DO(s, ((struct wanted){REDIS_REPLY_STATUS, "PONG", 0}), "PING");
}

static void expiry(struct steps *s)
{
    DO(s, OK_REPLY, "SET e v EX 100");
    DO(s, number(100), "TTL e");
    DO(s, OK_REPLY, "PSETEX e 30 v");
    usleep(150000);
    DO(s, ((struct wanted){REDIS_REPLY_NIL, NULL, 0}), "GET e");
}

static void vector_set(struct steps *s)
{
    const float a[] = {3, 4}, b[] = {4, 3}, c[] = {-3, 4};
    DO(s, number(1), "VADD set FP32 %b a", a, sizeof(a));
    DO(s, number(1), "VADD set FP32 %b b", b, sizeof(b));
    DO(s, number(1), "VADD set FP32 %b c SETATTR %s", c, sizeof(c), "{\"n\":1}");
    redisReply *reply = redisCommand(s->server, "VSIM set FP32 %b WITHSCORES", a, sizeof(a));
    expect(s, reply, array(6));
    for (size_t i = 0; s->good && i < 3; i++)
        expect(s, reply->element[2 * i], text(i == 0 ? "a" : i == 1 ? "b" : "c"));
    freeReplyObject(reply);
    DO(s, array(1), "VSIM set ELE a FILTER %s", ".n == 1");
    DO(s, array(2), "VEMB set a");
}

static void collection(struct steps *s)
{
    const float two[] = {1, 0, 0, 1};
    DO(s, OK_REPLY, "VCREATE c DIM 2 METRIC L2");
    DO(s, array(2), "VMADD c FP32 2 x %b %b", KEY, (size_t)KEY_SIZE, two, sizeof(two));
    redisReply *reply = redisCommand(s->server, "VSEARCH c FP32 %b WITHDIST", two, sizeof(two) / 2);
    expect(s, reply, array(2));
    if (s->good) {
        const redisReply *far = reply->element[1];
        s->good = far->elements == 2 && far->element[0]->len == KEY_SIZE &&
                  memcmp(far->element[0]->str, KEY, KEY_SIZE) == 0;
        expect(s, far->element[1], text("2"));
    }
    freeReplyObject(reply);
    DO(s, OK_REPLY, "VDROP c");
}

static void pipeline_of_vectors(struct steps *s)
{
    for (int i = 0; i < PIPELINE; i++) {
        const float row[] = {(float)i, 1};
        redisAppendCommand(s->server, "VADD many FP32 %b %d", row, sizeof(row), i);
    }
    for (int i = 0; i < PIPELINE; i++)
        next(s, number(1));
    DO(s, number(PIPELINE), "VCARD many");
}

static void step(struct steps *s, const char *name, void (*run)(struct steps *))
{
    s->good = true;
    run(s);
    s->passed += s->good;
    s->failed += !s->good;
    if (!s->good)
        printf("FAIL %s\n", name);
}

int main(int argc, char **argv)
{
    struct steps s = {0};
    if (argc != 2)
        return 2;
    s.server = redisConnect("127.0.0.1", (int)strtol(argv[1], NULL, 10));
    if (s.server == NULL || s.server->err != 0) {
        printf("no connection\n");
        return 1;
    }
    printf("client hiredis %d.%d.%d RESP2\n", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    step(&s, "connect", connects);
    step(&s, "binary values", binary_values);
    step(&s, "large values", large_values);
    step(&s, "pipeline", pipeline);
    step(&s, "transaction", transaction);
    step(&s, "errors", errors);
    step(&s, "expiry", expiry);
    step(&s, "vector set", vector_set);
    step(&s, "collection", collection);
    step(&s, "pipeline of vectors", pipeline_of_vectors);
    redisFree(s.server);
    printf("%d passed, %d failed, 0 skipped\n", s.passed, s.failed);
    return s.failed == 0 ? 0 : 1;
}
