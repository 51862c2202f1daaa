#include "robust/fuzz_world.h"

#include <stdio.h>

enum { SETTLE_US = 200 * 1000, STOP_TRIES = 100, WATCHER = 1 /* among the clients */ };

/* Vectors have GRAMMAR_DIM dimensions. */
static const char *const setup[] = {
    "CONFIG SET proto-max-bulk-len 1048576",
    "SET s hello",
    "SET n 41",
    "SET long 0123456789012345678901234567890123456789012345678901234567890123456789",
    "SET volatile x EX 100000",
    "RPUSH list e1 e2 e3 e1 e4",
    "RPUSH other e1",
    "RPUSH longlist 0123456789012345678901234567890123456789 e1 e2 e3 e4 e5 e6 e7 e8 e9",
    "HSET hash e1 1 e2 2.5 e3 text e4 4",
    "HSET times e1 1 e2 2 e3 3",
    "HEXPIRE times 100000 FIELDS 2 e1 e2",
    "SADD set e1 e2 1 2 3",
    "SADD one e1",
    "SADD big e1 e2 e3 e4 e5 e6 e7 e8 e9 1 2 3 4 5 6 7 8 9",
    "ZADD zset 1 e1 2 e2 2 e3 -1.5 e4",
    "ZADD z2 0 e1 0 e2 0 e3 0 e4 0 e5",
    "ZADD tall 1 e1 2 e2 3 e3 4 e4 5 e5 6 e6 7 e7 inf e8 -inf e9 0 e10",
    "JSON.SET doc $ {\"a\":1,\"l\":[1,2.5,\"x\"],\"s\":\"y\",\"t\":true,\"o\":{\"l\":[[]]}}",
    "JSON.SET letters $ \"abc\"",
    "VCREATE c DIM 4 SCHEMA year NUMERIC genre TAG new BOOL",
    "VADD c VALUES 4 1 0 0 0 e1 SETATTR {\"year\":1990,\"genre\":\"drama\",\"new\":true}",
    "VADD c VALUES 4 1 1 0 0 e2 SETATTR {\"year\":1991,\"genre\":\"comedy\",\"new\":false}",
    "VADD c VALUES 4 1 1 1 0 e3 SETATTR {\"year\":2000,\"genre\":\"drama\",\"n\":2}",
    "VADD c VALUES 4 1 1 1 1 e4 EX 100000",
    "VCREATE h DIM 4 METRIC L2 INDEX HNSW",
    "VADD h VALUES 4 1 0 0 0 e1 SETATTR {\"year\":1990,\"n\":1}",
    "VADD h VALUES 4 0 1 0 0 e2 SETATTR {\"year\":1991,\"n\":2}",
    "VADD h VALUES 4 0 0 1 0 e3 SETATTR {\"year\":1992,\"n\":3}",
    "VADD h VALUES 4 0 0 0 1 e4",
    "VADD h VALUES 4 1 0 0 1 e5",
    "VADD v VALUES 4 1 2 3 4 e1",
    "VADD v VALUES 4 4 3 2 1 e2 SETATTR {\"n\":2}",
    "VADD v VALUES 4 4 3 2 9 e3",
    "VCREATE fp16 DIM 4 TYPE FP16",
    "VADD fp16 VALUES 4 1 2 3 4 e1",
    "VADD fp16 VALUES 4 4 3 2 1 e2",
    "VCREATE bf16 DIM 4 TYPE BF16 METRIC L2",
    "VADD bf16 VALUES 4 1 2 3 4 e1",
    "VCREATE int8 DIM 4 TYPE INT8",
    "VADD int8 VALUES 4 1 2 3 4 e1",
    "VADD int8 VALUES 4 4 -3 2 1 e2",
    "VCREATE ivf DIM 4 INDEX IVF QUANT PQ METRIC L2",
    "VADD ivf VALUES 4 1 2 3 4 e1",
    "VADD ivf VALUES 4 4 3 2 1 e2",
    "VCREATE bit DIM 32 TYPE BIT METRIC HAMMING",
    "VADD bit BIT abcd e1",
    "VADD bit BIT wxyz e2",
    "VPARTITION CREATE c red",
    "VPARTITION CREATE h red",
    "VPARTITION CREATE h blue",
    "VADD h VALUES 4 1 0 0 2 e7 PARTITION red",
    "VCREATE cache DIM 4 MAXLEN 3 EVICT LRU",
    "FT.CREATE idx PREFIX 1 h SCHEMA e1 NUMERIC e3 TAG e2 TEXT",
    "VADD cache VALUES 4 1 2 3 4 e1",
    "VADD cache VALUES 4 1 2 3 4 e2",
    "VADD cache VALUES 4 1 2 3 4 e3",
};

/* The text of a bulk reply. */
static void take_bulk(struct buf *reply)
{
    const uint8_t *end = reply->len > 0 ? memchr(reply->ptr, '\n', reply->len) : NULL;
    CHECK(end != NULL && reply->ptr[0] == '$');
    buf_consume(reply, (size_t)(end + 1 - reply->ptr));
    reply->len -= 2;
}

void fuzz_begin(struct fuzz_world *w, const struct targets *targets, int proto,
                struct chance chance)
{
    static const char *const dumped[GRAMMAR_DUMPS] = {"DUMP s", "DUMP c"};
    struct why why = {{0}};
    for (unsigned tag = 0; tag < MEM_TAG_COUNT; tag++)
        w->used[tag] = mem_used((enum mem_tag)tag);
    w->grammar =
        (struct grammar){.targets = targets, .chance = chance, .bytes = BUF_INIT(MEM_TEST)};
    rig_open(&w->rig, proto);
    bool started = rig_start(&w->rig, &why);
    CHECK(started);
    for (size_t i = 0; i < COUNT_OF(setup); i++) {
        struct buf reply = BUF_INIT(MEM_TEST);
        enum answer answer = rig_ask_line(&w->rig, 0, setup[i], &reply);
        CHECK(answer == ANSWER_REPLY && reply.ptr[0] != '-');
        buf_fini(&reply);
    }
    for (size_t i = 0; i < GRAMMAR_DUMPS; i++) {
        w->grammar.dumps[i] = BUF_INIT(MEM_TEST);
        enum answer answer = rig_ask_line(&w->rig, 0, dumped[i], &w->grammar.dumps[i]);
        CHECK(answer == ANSWER_REPLY);
        take_bulk(&w->grammar.dumps[i]);
    }
    struct buf reply = BUF_INIT(MEM_TEST);
    enum answer answer = rig_ask_line(&w->rig, WATCHER, "MONITOR", &reply);
    CHECK(answer == ANSWER_REPLY && reply.ptr[0] == '+');
    buf_fini(&reply);
    rig_time(&w->rig, SETTLE_US);
}

static uint64_t expired(const struct rig *r)
{
    const struct stats *s = &r->server->stats;
    return s->expired_keys + s->expired_elements + s->evicted_keys;
}

/* Errors that tell of a change: of the transaction, or of what was done before memory or disk ended
 * it. */
static bool may_change(const struct command *c, const struct buf *reply, bool in_multi)
{
    return in_multi || c->run == cmd_exec || c->run == cmd_hello ||
           memmem(reply->ptr, reply->len, "had been removed before that", 28) != NULL;
}

static bool in_multi(const struct rig *r)
{
    const struct client *c = r->server->env.clients;
    bool any = false;
    for (; c != NULL; c = c->next)
        any |= (c->flags & CLIENT_MULTI) != 0;
    return any;
}

static bool is_queued(const struct buf *reply)
{
    return slice_eq(buf_slice(reply), slice_of("+QUEUED\r\n"));
}

/* A client that MONITOR has shown the command is sent whole lines. */
static const char *look_at_watcher(struct rig *r)
{
    if (r->stopped || !rig_connected(r, WATCHER))
        return NULL;
    struct buf *lines = &r->clients[WATCHER]->received;
    bool whole = lines->len == 0 || (lines->ptr[0] == '+' && lines->ptr[lines->len - 1] == '\n');
    lines->len = 0;
    return whole ? NULL : "MONITOR shows half a line";
}

const char *fuzz_command(struct fuzz_world *w, const struct command *command,
                         const struct target *must, enum fuzz_result *result)
{
    struct rig *r = &w->rig;
    struct grammar *g = &w->grammar;
    struct buf reply = BUF_INIT(MEM_TEST);
    const char *wrong = NULL;
    CHECK(!r->stopped);
    if (!rig_connected(r, 0))
        (void)rig_ask_line(r, 0, "PING", &reply);
    bool multi = in_multi(r);
    /* As in Redis, EXEC's reply then lacks a member that it has announced. */
    if (multi && command->run == cmd_client_reply)
        command = command_find(slice_of("ping"));
    grammar_make(g, command, must);
    uint64_t gone = expired(r), state = rig_connected(r, 0) ? rig_state(r) : 0;
    enum answer answer = rig_ask(r, 0, g->words, g->count, &reply);
    *result = answer == ANSWER_CLOSED || answer == ANSWER_BAD ? FUZZ_CLOSED
              : answer == ANSWER_SILENCE                      ? FUZZ_SILENT
              : reply.ptr[0] == '-'                           ? FUZZ_ERROR
              : multi && is_queued(&reply)                    ? FUZZ_QUEUED
                                                              : FUZZ_OK;
    if (answer == ANSWER_BAD)
        wrong = "the reply is malformed";
    else if (*result == FUZZ_ERROR && rig_connected(r, 0) && !may_change(command, &reply, multi) &&
             expired(r) == gone && rig_state(r) != state)
        wrong = "it replied an error and changed something";
    else if (!r->stopped && rig_connected(r, 0) && r->clients[0]->received.len > 0 &&
             command->group != GROUP_PUBSUB)
        wrong = "there is more than one reply";
    if (wrong == NULL)
        wrong = look_at_watcher(r);
    /* Behind MONITOR, lines of commands would stand among replies. A client that has subscribed
     * hears one reply for each channel, and may say little. */
    if (*result == FUZZ_SILENT || (*result == FUZZ_OK && command->run == cmd_monitor) ||
        command->group == GROUP_PUBSUB)
        rig_disconnect(r, 0);
    for (unsigned i = 0; i < STOP_TRIES && r->server->stopping && !r->stopped; i++)
        rig_time(r, SETTLE_US);
    buf_fini(&reply);
    return wrong;
}

const char *fuzz_end(struct fuzz_world *w)
{
    const char *wrong = NULL;
    if (!w->rig.stopped) {
        rig_time(&w->rig, SETTLE_US);
        wrong = w->rig.stopped ? NULL : rig_inspect(&w->rig);
    }
    rig_stop(&w->rig);
    rig_close(&w->rig);
    grammar_free(&w->grammar);
    for (unsigned tag = 0; tag < MEM_TEST && wrong == NULL; tag++)
        if (mem_used((enum mem_tag)tag) != w->used[tag])
            wrong = "memory is left behind";
    return wrong;
}
