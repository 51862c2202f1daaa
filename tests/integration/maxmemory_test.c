/* More vectors than maxmemory has room for: resident memory stays within the promise (maxmemory +
 * 64 MiB + 5 %), then adding is refused, searches go on, and deleting makes room again.
 *
 *     make maxmemory-test N=1000000 MB=400 */
#include <stdlib.h>

#include "base/rng.h"
#include "integration/peer.h"

enum {
    DIM = 128,
    BATCH = 100,
    COUNT_DEFAULT = 30000,
    MB_DEFAULT = 16,
    MIB = 1 << 20,
    SEARCHES = 200,
    REMOVE_SHARE = 5, /* 1 in so many is removed */
    ROOM_US = 120 * 1000 * 1000
};

static const char oom[] = "-OOM command not allowed when used memory > 'maxmemory'.";

struct filling {
    struct served server;
    struct peer peer;
    size_t maxmemory, promise, rss_most;
    uint32_t count; /* vectors offered */
    uint32_t added; /* 0 .. added - 1 are in */
    uint32_t refused_batches;
};

/* Twelve hidden numbers spread over all dimensions, and a little noise: neighbours exist, as they
 * do in real data and not in pure chance. */
static void random_vector(uint32_t i, float *out)
{
    enum { HIDDEN = 12 };
    uint64_t state = (uint64_t)i << 20, spread = 1;
    double hidden[HIDDEN];
    for (int h = 0; h < HIDDEN; h++)
        hidden[h] = rng_unit(&state) - 0.5;
    for (int d = 0; d < DIM; d++) {
        double sum = 0.1 * rng_unit(&state);
        uint64_t signs = rng_next(&spread);
        for (int h = 0; h < HIDDEN; h++)
            sum += (signs >> h & 1) != 0 ? hidden[h] : -hidden[h];
        out[d] = (float)sum;
    }
}

static uint32_t asked_for(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static void start(struct filling *f)
{
    char limit[32];
    uint32_t mb = asked_for("MAXMEMORY_MB", MB_DEFAULT);
    *f = (struct filling){.count = asked_for("MAXMEMORY_N", COUNT_DEFAULT)};
    (void)snprintf(limit, sizeof(limit), "%umb", mb);
    const char *const options[] = {"--maxmemory", limit, NULL};
    served_start(&f->server, options);
    f->maxmemory = (size_t)mb * MIB;
    f->promise = f->maxmemory + 64 * (size_t)MIB + f->maxmemory / 20;
    peer_open(&f->peer, &f->server);
    SAYS(&f->peer, "VCREATE c DIM 128", "+OK");
}

static void watch_memory(struct filling *f)
{
    size_t rss = served_rss_bytes(&f->server);
    if (rss > f->rss_most)
        f->rss_most = rss;
}

/* One VMADD of BATCH vectors from number first on; the reply. */
static const char *add_batch(struct filling *f, uint32_t first)
{
    struct buf b = BUF_INIT(MEM_TEST);
    float vectors[BATCH * DIM];
    buf_printf(&b, "*%d\r\n$5\r\nVMADD\r\n$1\r\nc\r\n$4\r\nFP32\r\n$%d\r\n%d\r\n", BATCH + 5, 3,
               BATCH);
    for (uint32_t i = 0; i < BATCH; i++) {
        buf_printf(&b, "$7\r\n%07u\r\n", first + i);
        random_vector(first + i, vectors + i * DIM);
    }
    buf_printf(&b, "$%zu\r\n", sizeof(vectors));
    buf_append(&b, vectors, sizeof(vectors));
    buf_append_text(&b, "\r\n");
    REQUIRE(peer_send(&f->peer, b.ptr, b.len));
    buf_fini(&b);
    watch_memory(f);
    return peer_reply(&f->peer, 6 * REPLY_MS);
}

static void fill(struct filling *f)
{
    uint64_t begin = now_us(), full = 0;
    /* A batch that did not fit may fit a moment later, when the log has written what it holds. */
    for (uint32_t offered = 0; offered < f->count; offered += BATCH) {
        const char *said = add_batch(f, f->added);
        if (strncmp(said, "[:1 ", 4) == 0) {
            f->added += BATCH;
            continue;
        }
        REQUIRE(strcmp(said, oom) == 0);
        full = full == 0 ? now_us() : full;
        f->refused_batches++;
    }
    printf("  %u of %u vectors of %d dimensions in %.1f s under maxmemory %zu MiB; then OOM\n",
           f->added, f->count, DIM, (double)((full > 0 ? full : now_us()) - begin) / 1e6,
           f->maxmemory / MIB);
}

static const char *search(struct filling *f, uint32_t i, const char *options)
{
    struct buf b = BUF_INIT(MEM_TEST);
    float vector[DIM];
    random_vector(i, vector);
    buf_printf(&b, "*%d\r\n$7\r\nVSEARCH\r\n$1\r\nc\r\n$4\r\nFP32\r\n$%zu\r\n",
               options[0] == '\0' ? 4 : 5, sizeof(vector));
    buf_append(&b, vector, sizeof(vector));
    buf_printf(&b, "\r\n%s", options);
    REQUIRE(peer_send(&f->peer, b.ptr, b.len));
    buf_fini(&b);
    watch_memory(f);
    return peer_reply(&f->peer, REPLY_MS);
}

/* How many ids of a reply another holds too. */
static size_t common_ids(const char *a, const char *b)
{
    size_t count = 0;
    for (const char *at = strchr(a, '\''); at != NULL; at = strchr(at + 9, '\'')) {
        char id[10];
        memcpy(id, at, 9); /* seven digits in quotes */
        id[9] = '\0';
        count += strstr(b, id) != NULL;
    }
    return count;
}

/* Stored vectors are found first, and the ten nearest are those of an exact search. */
static void search_many(struct filling *f)
{
    size_t common = 0;
    for (uint32_t i = 0; i < SEARCHES; i++) {
        uint32_t number = (uint32_t)((uint64_t)i * f->added / SEARCHES);
        char first[24], exact[512];
        (void)snprintf(first, sizeof(first), "['%07u' ...", number);
        (void)snprintf(exact, sizeof(exact), "%s", search(f, number, "$5\r\nEXACT\r\n"));
        const char *walked = search(f, number, "");
        if (!reply_matches(exact, first) || !reply_matches(walked, first))
            test_fail(__FILE__, __LINE__, "vector %u: %s exactly, %s by the graph", number, exact,
                      walked);
        common += common_ids(exact, walked);
    }
    double recall = (double)common / (10.0 * SEARCHES);
    printf("  recall@10 of %d searches: %.3f\n", SEARCHES, recall);
    EXPECT(recall >= 0.9);
}

/* Removes some and adds as many again, as soon as there is room. */
static void make_room(struct filling *f)
{
    uint32_t removed = f->added / REMOVE_SHARE;
    for (uint32_t i = 0; i < removed; i++) {
        char line[48];
        (void)snprintf(line, sizeof(line), "VREM c %07u", i * REMOVE_SHARE);
        SAYS(&f->peer, line, ":1");
    }
    uint32_t back = 0, fresh = f->count;
    uint64_t begin = now_us();
    while (back + BATCH <= removed / 2 && now_us() - begin < ROOM_US) {
        const char *said = add_batch(f, fresh);
        if (strcmp(said, oom) == 0) {
            sleep_us(10000);
            continue;
        }
        REQUIRE(strncmp(said, "[:1 ", 4) == 0);
        back += BATCH;
        fresh += BATCH;
    }
    printf("  %u removed, %u added again after %.1f s\n", removed, back,
           (double)(now_us() - begin) / 1e6);
    EXPECT(back + BATCH > removed / 2);
    char expected[24];
    (void)snprintf(expected, sizeof(expected), ":%u", f->added - removed + back);
    SAYS(&f->peer, "VCARD c", expected);
    (void)snprintf(expected, sizeof(expected), "['%07u' ...", f->count);
    EXPECT(reply_matches(search(f, f->count, ""), expected));
    EXPECT(!reply_matches(search(f, 0, ""), "['0000000' ..."));
}

TEST(maxmemory, memory_stays_within_the_promise_and_searches_go_on)
{
    struct filling f;
    start(&f);
    fill(&f);
    EXPECT(f.refused_batches > 0);
    EXPECT(f.added > 0);
    search_many(&f);
    SAYS(&f.peer, "SET text {x 8000000}", oom);
    make_room(&f);
    printf("  at most %zu MiB resident, %zu MiB promised\n", f.rss_most / MIB, f.promise / MIB);
#ifndef VDB_SANITIZER /* which keeps books of its own about every byte */
    EXPECT(f.rss_most <= f.promise);
#endif
    peer_close(&f.peer);
    EXPECT_EQ(served_stop(&f.server), 0);
}
