/* Long texts are read ahead of their documents: what is found then is what would have been found,
 * and whatever happens meanwhile, nothing is left of it. */
#include <stdio.h>

#include "base/rng.h"
#include "cmd/env.h"
#include "db/indexes.h"
#include "lib/cmd_harness.h"
#include "text/ahead.h"

enum { TEXT_SIZE = 40000, WORDS = 60 };

static const char *const words[] = {
    "hello",
    "World,",
    "running",
    "runs\n",
    "a\\-b",
    "the",
    "and ",
    "\xe6\x9d\xb1\xe4\xba\xac",
    ("\xe6\x88\x91\xe4\xbb\xac\xe5\x9c\xa8\xe5\x8c\x97\xe4\xba\xac\xe3\x80\x82\xe5\xad\xa6\xe4\xb9"
     "\xa0\xef\xbc\x8c\xe4\xb8\xad\xe6\x96\x87"),
    "caf\xc3\xa9",
    "na\xc3\xafve.",
    "\xf0\x9f\x98\x80",
    "x1",
    "foxes",
    "\xe2\x80\x99s"};

/* Of words by chance; whether it has escapes, runs without blanks, bytes that are no UTF-8. */
static void make_text(uint64_t *seed, unsigned traits, struct buf *out)
{
    while (out->len < TEXT_SIZE) {
        const char *word = words[rng_below(seed, COUNT_OF(words))];
        if (word[1] == '\\' && (traits & 1) == 0)
            continue;
        if ((traits & 4) != 0 && rng_below(seed, 50) == 0)
            word = "\xe6\x9d";
        buf_append_text(out, word);
        if ((traits & 2) == 0 || rng_below(seed, 500) == 0)
            buf_append_byte(out, ' ');
    }
}

static struct text_index *new_index(struct epoch *epoch, bool fields)
{
    static const uint64_t seed[2] = {1, 2};
    struct text_options options = {.collection_count = 1};
    options.format = (struct text_format){
        .field_count = 2, .fields = fields, .freqs = true, .positions = true, .weights = {1, 1}};
    struct text_index *x = text_index_new(epoch, seed, &options);
    EXPECT(x != NULL);
    return x;
}

/* Both texts, of which some are read ahead (bits). */
static void put(struct text_index *x, const struct buf *texts, unsigned ahead)
{
    text_put_begin(x, TEXT_ENGLISH, 1, 0);
    for (unsigned i = 0; i < 2; i++) {
        struct slice text = buf_slice(&texts[i]);
        if ((ahead >> i & 1) == 0) {
            EXPECT(text_put_field(x, i, text) == OK);
            continue;
        }
        struct text_ahead *a = text_ahead_new(x, TEXT_ENGLISH, i, text);
        EXPECT(a != NULL && !text_ahead_is(a, TEXT_ENGLISH, i, text));
        for (bool done = false; !done;)
            EXPECT(text_ahead_step(a, &done) == OK);
        EXPECT(text_ahead_is(a, TEXT_ENGLISH, i, text));
        EXPECT(!text_ahead_is(a, TEXT_FRENCH, i, text) && !text_ahead_is(a, TEXT_ENGLISH, 9, text));
        EXPECT(text_put_ahead(x, a) == OK && !text_ahead_is(a, TEXT_ENGLISH, i, text));
        text_ahead_free(a);
    }
    EXPECT(text_put_end(x, text_document_new(x), 1) == OK);
}

/* Are all terms of x in y, with the same postings? */
static void expect_same(const struct text_index *x, const struct text_index *y)
{
    EXPECT_EQ(x->terms.live, y->terms.live);
    EXPECT_EQ(x->places, y->places);
    EXPECT_EQ(x->documents.length, y->documents.length);
    for (uint32_t i = 0; i < x->terms.count; i++) {
        const struct text_term *t = x->terms.terms[i];
        const struct text_term *u = text_terms_find(&y->terms, text_term_text(t));
        EXPECT(u != NULL && t->last != NULL && u->last != NULL);
        EXPECT_EQ(t->last->used, u->last->used); /* of one document one block has all */
        EXPECT(memcmp(t->last->bytes, u->last->bytes, t->last->used) == 0);
    }
}

TEST(text_ahead, a_text_in_parts_is_the_same_text)
{
    uint64_t seed = 7;
    for (unsigned traits = 0; traits < 8; traits++)
        for (unsigned ahead = 1; ahead < 4; ahead++) {
            struct epoch epoch;
            epoch_init(&epoch);
            struct buf texts[2] = {BUF_INIT(MEM_SCRATCH), BUF_INIT(MEM_SCRATCH)};
            struct text_index *x = new_index(&epoch, traits % 2 == 0);
            struct text_index *y = new_index(&epoch, traits % 2 == 0);
            make_text(&seed, traits, &texts[0]);
            make_text(&seed, traits, &texts[1]);
            put(x, texts, 0);
            put(y, texts, ahead);
            expect_same(x, y);
            text_index_free(x);
            text_index_free(y);
            buf_fini(&texts[0]);
            buf_fini(&texts[1]);
        }
}

/* -- commands ---------------------------------------------------------------------------------- */

static struct slice long_text(struct buf *out, const char *last)
{
    buf_clear(out, SIZE_MAX);
    for (unsigned i = 0; i < 4000; i++)
        buf_printf(out, "word%u filler ", i % 300);
    buf_append_text(out, last);
    return buf_slice(out);
}

static struct slice ask(struct harness *h, const char *a, const char *b, const char *c,
                        struct slice d)
{
    struct slice line[] = {slice_of(a), slice_of(b), slice_of(c), d};
    return harness_run_args(h, 2, line, COUNT_OF(line));
}

static struct harness *open_index(const char *schema)
{
    char line[256];
    struct harness *h = harness_new();
    (void)snprintf(line, sizeof(line), "FT.CREATE i %s", schema);
    EXPECT_REPLY(h, 2, line, "+OK\r\n");
    return h;
}

TEST(text_ahead, commands_wait_and_are_found_at_once)
{
    struct buf text = BUF_INIT(MEM_SCRATCH);
    struct harness *h = open_index("SCHEMA t TEXT u TEXT");
    EXPECT(slice_eq(ask(h, "HSET", "k", "t", long_text(&text, "needle")), slice_of(":1\r\n")));
    EXPECT(h->client->text_ahead == NULL && !h->client->blocked);
    EXPECT_REPLY(h, 2, "FT.SEARCH i needle NOCONTENT", "*2\r\n:1\r\n$1\r\nk\r\n");
    EXPECT_REPLY(h, 2, "FT.SEARCH i \"\\\"word99 filler needle\\\"\" NOCONTENT",
                 "*2\r\n:1\r\n$1\r\nk\r\n");
    /* the same in a transaction, where nothing waits */
    EXPECT_REPLY(h, 2, "MULTI", "+OK\r\n");
    (void)ask(h, "HSET", "l", "t", long_text(&text, "needle"));
    EXPECT_REPLY(h, 2, "EXEC", "*1\r\n:1\r\n");
    EXPECT_REPLY(h, 2, "FT.SEARCH i needle WITHSCORES NOCONTENT SCORER TFIDF",
                 "*5\r\n:2\r\n$1\r\nk\r\n$17\r\n0.000500000023749\r\n$1\r\nl\r\n$17\r\n"
                 "0.000500000023749\r\n");
    harness_free(h);
    buf_fini(&text);
}

TEST(text_ahead, documents_of_json_too)
{
    struct buf text = BUF_INIT(MEM_SCRATCH), json = BUF_INIT(MEM_SCRATCH);
    struct harness *h = open_index("ON JSON SCHEMA $.t AS t TEXT $.n AS n NUMERIC");
    (void)long_text(&text, "needle");
    buf_printf(&json, "{\"n\":1,\"t\":\"%.*s\"}", (int)text.len, (const char *)text.ptr);
    EXPECT(slice_eq(ask(h, "JSON.SET", "k", "$", buf_slice(&json)), slice_of("+OK\r\n")));
    EXPECT_REPLY(h, 2, "FT.SEARCH i needle NOCONTENT", "*2\r\n:1\r\n$1\r\nk\r\n");
    buf_append_byte(&json, '!');
    EXPECT(ask(h, "JSON.SET", "k", "$", buf_slice(&json)).ptr[0] == '-');
    EXPECT(h->client->text_ahead == NULL);
    harness_free(h);
    buf_fini(&text);
    buf_fini(&json);
}

/* The command waits, and what it waits for goes: the index, or the client itself. */
TEST(text_ahead, what_is_dropped_meanwhile_is_left)
{
    for (unsigned leaves = 0; leaves < 2; leaves++) {
        struct buf text = BUF_INIT(MEM_SCRATCH);
        struct harness *h = open_index("SCHEMA t TEXT");
        struct client *client = harness_add_client(h, "10.0.0.2", 7);
        struct slice line[] = {slice_of("HSET"), slice_of("k"), slice_of("t"),
                               long_text(&text, "needle")};
        command_run(&h->env, client, line, COUNT_OF(line));
        EXPECT(client->blocked && client->retry && client->text_ahead != NULL);
        EXPECT_REPLY(h, 2, "FT.SEARCH i needle NOCONTENT", "*1\r\n:0\r\n");
        EXPECT_REPLY(h, 2, "FT.DROPINDEX i", "+OK\r\n");
        if (leaves == 1) {
            client_abandon(&h->env, client);
            EXPECT(client->text_ahead == NULL);
        } else {
            while (client->blocked)
                sim_run_for(h->sim, 1000);
            client->retry = false;
            command_run(&h->env, client, line, COUNT_OF(line));
            EXPECT(!client->blocked && client->text_ahead == NULL);
        }
        EXPECT_REPLY(h, 2, "EXISTS k", leaves == 1 ? ":0\r\n" : ":1\r\n");
        harness_free(h);
        buf_fini(&text);
    }
}
