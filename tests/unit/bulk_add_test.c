/* Long VMADDs: in slices, with others served in between, and nobody sees a part of one. */
#include "cmd/bulk_add.h"

#include <stdio.h>

#include "db/bulk.h"
#include "lib/cmd_harness.h"

enum { COUNT = 1500, DIM = 2, WAIT_US = 1000 * 1000 * 1000 };

/* The words of one VMADD into a key: ids e<first> and on, in order. */
struct vmadd {
    struct slice words[COUNT + 8];
    size_t count;
    char ids[COUNT][12];
    float vectors[COUNT * DIM];
};

static struct vmadd *vmadd_new(const char *key, unsigned first, const char *option)
{
    struct vmadd *v = mem_calloc(MEM_TEST, sizeof(*v));
    size_t at = 0;
    v->words[at++] = slice_of("VMADD");
    v->words[at++] = slice_of(key);
    v->words[at++] = slice_of("FP32");
    v->words[at++] = slice_of("1500");
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(v->ids[i], sizeof(v->ids[i]), "e%u", first + i);
        v->words[at++] = slice_of(v->ids[i]);
        v->vectors[i * DIM] = 1;
        v->vectors[i * DIM + 1] = (float)i;
    }
    v->words[at++] = (struct slice){(const uint8_t *)v->vectors, sizeof(v->vectors)};
    if (option != NULL)
        v->words[at++] = slice_of(option);
    v->count = at;
    return v;
}

/* Sends it for a client of its own and returns that; it is blocked. */
static struct client *send(struct harness *h, struct vmadd *v)
{
    struct client *c = harness_add_client(h, "10.0.0.1", 1);
    c->proto = 2;
    command_run(&h->env, c, v->words, v->count);
    REQUIRE(c->blocked && c->bulk_add != NULL);
    bulk_add_keep(c->bulk_add, BUF_INIT(MEM_CLIENT),
                  (struct resp_words){.text = BUF_INIT(MEM_CLIENT)});
    return c;
}

static bool is_half_done(void *user)
{
    const struct bulk *b = ((struct harness *)user)->db.bulk;
    return b != NULL && b->state == BULK_APPLYING && b->done > COUNT / 4;
}

static bool is_planned(void *user)
{
    const struct bulk *b = ((struct harness *)user)->db.bulk;
    return b != NULL && b->state == BULK_CLAIMED;
}

static bool goes_on(void *user)
{
    return !((const struct client *)user)->blocked;
}

static void run_until(struct harness *h, bool (*until)(void *user), void *user)
{
    bool there = sim_run_until(h->sim, until, user, WAIT_US);
    REQUIRE(there);
}

/* A command that is not answered before the bulk is over: of a client of its own. */
static struct client *send_and_wait(struct harness *h, const char *word, const char *key)
{
    struct client *c = harness_add_client(h, "10.0.0.2", 2);
    struct slice argv[] = {slice_of(word), slice_of(key)};
    c->proto = 2;
    command_run(&h->env, c, argv, 2);
    EXPECT(c->blocked && c->waits_for_bulk && c->retry);
    return c;
}

TEST(bulk_add, is_one_record_in_slices_and_others_are_served_and_see_no_part_of_it)
{
    struct harness *h = harness_new();
    harness_start_log(h);
    EXPECT_REPLY(h, 2, "VCREATE c DIM 2 METRIC L2 INDEX FLAT", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 5 5 before", ":1\r\n");
    struct vmadd *v = vmadd_new("c", 0, NULL);
    uint64_t lsn = h->db.log.last_lsn;
    struct client *c = send(h, v);
    run_until(h, is_half_done, h);
    EXPECT_EQ(h->db.log.last_lsn, lsn + 1);
    EXPECT(h->db.bulk->done < COUNT);
    EXPECT_REPLY(h, 2, "VCARD c", ":1\r\n");
    EXPECT_REPLY(h, 2, "VISMEMBER c e0", ":0\r\n");
    EXPECT_REPLY(h, 2, "VSEARCH c VALUES 2 1 0 COUNT 3", "*1\r\n$6\r\nbefore\r\n");
    EXPECT_REPLY(h, 2, "SET k x", "+OK\r\n");
    EXPECT(is_half_done(h)); /* none of these waited */
    struct client *w = send_and_wait(h, "DEL", "c");
    run_until(h, goes_on, c);
    EXPECT(c->out.len > 6 && memcmp(c->out.ptr, "*1500\r", 6) == 0);
    EXPECT_EQ(c->out.len, strlen("*1500\r\n") + COUNT * strlen(":1\r\n"));
    EXPECT(!w->blocked);
    EXPECT_REPLY(h, 2, "VCARD c", ":1501\r\n");
    EXPECT_REPLY(h, 2, "VSEARCH c VALUES 2 1 0 COUNT 1", "*1\r\n$2\r\ne0\r\n");
    EXPECT_EQ(h->db.log.last_lsn, lsn + 2);
    EXPECT(h->env.latency.longest_us[LATENCY_SLICE] < WAIT_US);
    harness_free(h);
    mem_free(MEM_TEST, v);
}

TEST(bulk_add, that_replaces_elements_has_readers_of_the_collection_wait)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VCREATE c DIM 2 METRIC L2 INDEX FLAT", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VADD c VALUES 2 7 7 e1400 SETATTR {}", ":1\r\n");
    struct vmadd *v = vmadd_new("c", 0, NULL);
    struct client *c = send(h, v);
    run_until(h, is_half_done, h);
    struct client *reader = send_and_wait(h, "VCARD", "c");
    EXPECT_REPLY(h, 2, "GET k", "$-1\r\n");
    run_until(h, goes_on, c);
    EXPECT(!reader->blocked);
    EXPECT_PART(h, 2, "VGETATTR c e1400", "{}");
    EXPECT_EQ(c->out.len, strlen("*1500\r\n") + COUNT * strlen(":1\r\n"));
    EXPECT(memmem(c->out.ptr, c->out.len, ":0", 2) == c->out.ptr + 7 + 1400 * 4);
    harness_free(h);
    mem_free(MEM_TEST, v);
}

/* Errors, NX, ids that come twice: element by element what the same VMADD says in a transaction. */
TEST(bulk_add, replies_what_a_put_in_one_turn_replies)
{
    static const char *const options[] = {NULL, "NX", "XX"};
    for (size_t o = 0; o < COUNT_OF(options); o++) {
        struct harness *h = harness_new();
        struct vmadd *v = vmadd_new("c", 0, options[o]);
        EXPECT_REPLY(h, 2, "VCREATE c DIM 2 METRIC L2 INDEX FLAT", "+OK\r\n");
        EXPECT_REPLY(h, 2, "VCREATE d DIM 2 METRIC L2 INDEX FLAT", "+OK\r\n");
        EXPECT_REPLY(h, 2, "VADD c VALUES 2 7 7 e3", ":1\r\n");
        EXPECT_REPLY(h, 2, "VADD d VALUES 2 7 7 e3", ":1\r\n");
        v->vectors[700 * DIM] = __builtin_nanf("");
        v->words[4 + 10] = slice_of("e9");
        struct slice first = harness_run_args(h, 2, v->words, v->count);
        struct buf sliced = BUF_INIT(MEM_TEST);
        buf_append_slice(&sliced, first);
        EXPECT_REPLY(h, 2, "MULTI", "+OK\r\n");
        v->words[1] = slice_of("d");
        (void)harness_run_args(h, 2, v->words, v->count);
        struct slice whole = harness_run(h, 2, "EXEC");
        REQUIRE(whole.len > 4);
        EXPECT(slice_eq((struct slice){whole.ptr + 4, whole.len - 4}, buf_slice(&sliced)));
        EXPECT(memmem(sliced.ptr, sliced.len, "not a finite number", 19) != NULL);
        buf_fini(&sliced);
        harness_free(h);
        mem_free(MEM_TEST, v);
    }
}

/* Whatever gets in between by another way than a command: nothing is lost and nothing is there
 * twice. */
TEST(bulk_add, is_whole_whatever_comes_in_between)
{
    static const struct mutation others[] = {
        {.kind = MUTATION_FLUSH},
        {.kind = MUTATION_KEY_REMOVE, .key = {(const uint8_t *)"c", 1}},
        {.kind = MUTATION_KEY_EXPIRE, .key = {(const uint8_t *)"c", 1}, .expire_ms = INT64_MAX},
    };
    for (size_t i = 0; i < 2 * COUNT_OF(others); i++) {
        struct harness *h = harness_new();
        struct vmadd *v = vmadd_new("c", 0, NULL);
        bool planned = i % 2 == 0, stays = i / 2 == 2;
        uint64_t lsn;
        EXPECT_REPLY(h, 2, "VCREATE c DIM 2 METRIC L2 INDEX FLAT", "+OK\r\n");
        struct client *c = send(h, v);
        run_until(h, planned ? is_planned : is_half_done, h);
        EXPECT_EQ(db_write(&h->db, &others[i / 2], &lsn, NULL), OK);
        EXPECT(h->db.bulk == NULL);
        run_until(h, goes_on, c);
        bool added = c->out.len > 6 && memcmp(c->out.ptr, "*1500\r", 6) == 0;
        EXPECT(added == (stays || !planned));
        EXPECT_REPLY(h, 2, "VCARD c", stays ? ":1500\r\n" : ":0\r\n");
        harness_free(h);
        mem_free(MEM_TEST, v);
    }
}

TEST(bulk_add, of_a_client_that_goes_away_happens_once_it_is_logged_and_else_not)
{
    for (int logged = 0; logged < 2; logged++) {
        struct harness *h = harness_new();
        struct vmadd *v = vmadd_new("c", 0, NULL);
        EXPECT_REPLY(h, 2, "VCREATE c DIM 2 METRIC L2 INDEX FLAT", "+OK\r\n");
        struct client *c = send(h, v);
        run_until(h, logged ? is_half_done : is_planned, h);
        client_abandon(&h->env, c);
        sim_run_for(h->sim, WAIT_US / 1000);
        EXPECT(h->db.bulk == NULL && h->env.bulk_adds == NULL);
        EXPECT_REPLY(h, 2, "VCARD c", logged ? ":1500\r\n" : ":0\r\n");
        harness_free(h);
        mem_free(MEM_TEST, v);
    }
}
