/* A vector is found by the next search after its VADD was acknowledged, when it has just been
 * linked, a second later, and once all are there, while another client keeps the workers busy.
 *
 *     make visible N=100000 */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "integration/peer.h"

enum { DIM = 100, COUNT_DEFAULT = 2000, LATER_US = 1000 * 1000, SEED = 7 };

/* When a vector is searched for. */
enum moment { PENDING, LINKED, LATER, AT_THE_END, MOMENT_COUNT };

static const char *const moment_names[] = {"at once", "when linked", "a second later",
                                           "at the end"};

struct watch {
    struct peer adder, searcher;
    uint32_t count; /* vectors in all */
    uint32_t added;
    uint32_t linked;             /* 0 .. linked - 1 are in the graph, as VINFO says */
    uint32_t next[MOMENT_COUNT]; /* the vector whose turn is next */
    uint64_t *added_us;
    uint32_t misses[MOMENT_COUNT];
    uint32_t was_pending; /* of those searched at once */
};

/* Vector i of a seed: Gaussian, so that directions are uniform. */
static void random_vector(uint64_t seed, uint32_t i, float *out)
{
    uint64_t state = seed << 32 | i;
    for (int d = 0; d < DIM; d += 2) {
        double u = ((double)(rng_next(&state) >> 11) + 1) / 9007199254740993.0;
        double angle = (double)(rng_next(&state) >> 11) / 9007199254740992.0 * 2 * M_PI;
        out[d] = (float)(sqrt(-2 * log(u)) * cos(angle));
        out[d + 1] = (float)(sqrt(-2 * log(u)) * sin(angle));
    }
}

/* head, then the vector as an FP32 blob, then tail; both are RESP. */
static void send_with_vector(struct peer *p, const char *head, const float *vector,
                             const char *tail)
{
    struct buf b = BUF_INIT(MEM_TEST);
    buf_printf(&b, "%s$4\r\nFP32\r\n$%zu\r\n", head, DIM * sizeof(float));
    buf_append(&b, vector, DIM * sizeof(float));
    buf_printf(&b, "\r\n%s", tail);
    REQUIRE(peer_send(p, b.ptr, b.len));
    buf_fini(&b);
}

/* ef 0: the default. */
static const char *search(struct peer *p, const float *vector, unsigned ef)
{
    static const char head[] = "$7\r\nVSEARCH\r\n$1\r\nc\r\n";
    char full[64], tail[64] = "$5\r\nCOUNT\r\n$1\r\n1\r\n";
    (void)snprintf(full, sizeof(full), "*%d\r\n%s", ef == 0 ? 6 : 8, head);
    if (ef > 0)
        (void)snprintf(tail + strlen(tail), sizeof(tail) - strlen(tail),
                       "$2\r\nEF\r\n$%d\r\n%u\r\n", snprintf(NULL, 0, "%u", ef), ef);
    send_with_vector(p, full, vector, tail);
    return peer_reply(p, REPLY_MS);
}

/* Another process searches for random vectors until it is ended. */
static pid_t start_load(const struct served *s)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0)
        return pid;
    struct peer p;
    float vector[DIM];
    peer_open(&p, s);
    for (uint32_t i = 0;; i++) {
        random_vector(SEED + 1, i, vector);
        if (search(&p, vector, 0)[0] != '[')
            _exit(1);
    }
}

/* Adds the next vector. VINFO travels with VADD, so it tells what the acknowledged state was. */
static void add_next(struct watch *w)
{
    char tail[128], id[16];
    float vector[DIM];
    int id_len = snprintf(id, sizeof(id), "%u", w->added);
    (void)snprintf(tail, sizeof(tail), "$%d\r\n%s\r\n*2\r\n$5\r\nVINFO\r\n$1\r\nc\r\n", id_len, id);
    random_vector(SEED, w->added, vector);
    send_with_vector(&w->adder, "*5\r\n$4\r\nVADD\r\n$1\r\nc\r\n", vector, tail);
    REQUIRE(strcmp(peer_reply(&w->adder, REPLY_MS), ":1") == 0);
    w->added_us[w->added++] = now_us();
    const char *pending = strstr(peer_reply(&w->adder, REPLY_MS), "+pending :");
    REQUIRE(pending != NULL);
    unsigned long left = strtoul(pending + strlen("+pending :"), NULL, 10);
    if (left <= w->added && w->added - left > w->linked)
        w->linked = w->added - (uint32_t)left;
    w->was_pending += w->linked < w->added;
}

static void look(struct watch *w, enum moment moment)
{
    float vector[DIM];
    char expected[24];
    uint32_t i = w->next[moment]++;
    random_vector(SEED, i, vector);
    (void)snprintf(expected, sizeof(expected), "['%u']", i);
    if (strcmp(search(&w->searcher, vector, 0), expected) == 0)
        return;
    w->misses[moment]++;
    unsigned ef = 200; /* up to an effort that walks over everything */
    while (ef < 2 * w->added && strcmp(search(&w->searcher, vector, ef), expected) != 0)
        ef *= 2;
    printf("  vector %u of %u, searched %s: %s EF %u\n", i, w->added, moment_names[moment],
           ef < 2 * w->added ? "found only from" : "not even found with", ef);
}

static void look_at_those_due(struct watch *w)
{
    look(w, PENDING);
    while (w->next[LINKED] < w->linked)
        look(w, LINKED);
    while (w->next[LATER] < w->added && now_us() - w->added_us[w->next[LATER]] >= LATER_US)
        look(w, LATER);
}

static void finish(struct watch *w)
{
    struct peer *p = &w->adder;
    uint64_t start = now_us();
    while (strstr(ask(p, "VINFO c"), "+pending :0 ") == NULL && now_us() - start < 60 * LATER_US)
        sleep_us(1000);
    w->linked = w->added;
    while (w->next[LINKED] < w->linked)
        look(w, LINKED);
    sleep_us(LATER_US);
    while (w->next[LATER] < w->added)
        look(w, LATER);
    while (w->next[AT_THE_END] < w->added)
        look(w, AT_THE_END);
}

static void report(const struct watch *w, uint64_t took_us)
{
    printf("  %u vectors of %d dimensions, 4 searches each, in %.1f s\n", w->count, DIM,
           (double)took_us / 1e6);
    for (int i = 0; i < MOMENT_COUNT; i++)
        printf("  searched %-15s %u found, %u missed\n", moment_names[i], w->count - w->misses[i],
               w->misses[i]);
    printf("  %u were pending when they were searched at once\n", w->was_pending);
}

TEST(visible, what_was_added_is_found_at_once_when_linked_later_and_at_the_end)
{
    const char *asked = getenv("VISIBLE_N");
    struct served s;
    struct watch w = {.count = asked != NULL ? (uint32_t)strtoul(asked, NULL, 10) : COUNT_DEFAULT};
    REQUIRE(w.count > 0);
    served_start(&s, NULL);
    peer_open(&w.adder, &s);
    peer_open(&w.searcher, &s);
    w.added_us = mem_calloc(MEM_TEST, w.count * sizeof(*w.added_us));
    SAYS(&w.adder, "VCREATE c DIM 100 INDEX HNSW", "+OK");
    add_next(&w);
    look_at_those_due(&w);
    pid_t load = start_load(&s);
    uint64_t start = now_us();
    while (w.added < w.count) {
        add_next(&w);
        look_at_those_due(&w);
    }
    finish(&w);
    report(&w, now_us() - start);
    for (int moment = 0; moment < MOMENT_COUNT; moment++) {
        EXPECT_EQ(w.next[moment], w.count);
        /* A walk is approximate, and random directions are the hardest data there is. */
        EXPECT(w.misses[moment] <= (moment == AT_THE_END ? w.count / 1000 : 0));
    }
    int status;
    EXPECT(waitpid(load, &status, WNOHANG) == 0); /* the load lasted to the end */
    (void)kill(load, SIGKILL);
    (void)waitpid(load, &status, 0);
    mem_free(MEM_TEST, w.added_us);
    peer_close(&w.adder);
    peer_close(&w.searcher);
    EXPECT_EQ(served_stop(&s), 0);
}
