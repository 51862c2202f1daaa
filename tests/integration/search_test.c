/* Indexes over hashes in a server of its own: they come back, and follow keys whoever changes them.
 */
#include <stdio.h>

#include "base/rng.h"
#include "integration/peer.h"

static const char *const everysec[] = {"--appendfsync", "everysec", NULL};

static const char knn[] =
    "FT.SEARCH i \"*=>[KNN 9 @v $b AS d]\" PARAMS 2 b {f32 1 0} NOCONTENT DIALECT 2";

TEST(search, an_index_comes_back_from_the_log_and_from_a_snapshot)
{
    struct served s;
    struct peer p;
    served_start(&s, everysec);
    peer_open(&p, &s);
    SAYS(&p, "HSET k1 t red v {f32 1 0}", ":2");
    SAYS(
        &p,
        "FT.CREATE i PREFIX 1 k SCHEMA t TAG v VECTOR HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2",
        "+OK");
    SAYS(&p, "FT.CREATE gone SCHEMA t TAG", "+OK");
    SAYS(&p, "HSET k2 t blue v {f32 0 1}", ":2");
    SAYS(&p, "FT.DROPINDEX gone", "+OK");
    SAYS(&p, knn, "[:2 'k1' 'k2']");
    for (int life = 0; life < 2; life++) {
        EXPECT_EQ(served_restart(&s, everysec), 0);
        peer_close(&p);
        peer_open(&p, &s);
        SAYS(&p, "FT._LIST", "['i']");
        SAYS(&p, knn, "[:2 'k1' 'k2']");
        SAYS(&p, "FT.SEARCH i @t:{blue} NOCONTENT", "[:1 'k2']");
        SAYS(&p, "SAVE", "+OK");
    }
    SAYS(&p, "FLUSHALL", "+OK");
    SAYS(&p, "FT._LIST", "[]");
    peer_close(&p);
    EXPECT_EQ(served_stop(&s), 0);
}

/* While documents are indexed the server says that it loads. */
TEST(search, the_first_search_after_a_start_finds_all)
{
    enum { KEYS = 5000 };
    struct served s;
    struct peer p;
    char line[64], all[16];
    served_start(&s, everysec);
    peer_open(&p, &s);
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(line, sizeof(line), "HSET d%d n %d t red", i, i);
        SAYS(&p, line, ":2");
    }
    (void)snprintf(all, sizeof(all), "[:%d]", KEYS);
    SAYS(&p, "FT.CREATE i SCHEMA n NUMERIC t TAG", "+OK");
    SAYS(&p, "FT.CREATE skips SKIPINITIALSCAN SCHEMA t TAG", "+OK");
    SAYS(&p, "FT.SEARCH skips * LIMIT 0 0", "[:0]");
    SAYS(&p, "SAVE", "+OK");
    EXPECT_EQ(served_restart(&s, everysec), 0);
    peer_close(&p);
    peer_open(&p, &s);
    SAYS(&p, "FT.SEARCH i \"@n:[0 inf] @t:{red}\" LIMIT 0 0", all);
    SAYS(&p, "FT.SEARCH skips * LIMIT 0 0", all);
    peer_close(&p);
    EXPECT_EQ(served_stop(&s), 0);
}

TEST(search, what_expires_is_not_found)
{
    struct served s;
    struct peer p;
    served_start(&s, NULL);
    peer_open(&p, &s);
    SAYS(&p, "FT.CREATE i SCHEMA t TAG", "+OK");
    SAYS(&p, "HSET a t x", ":1");
    SAYS(&p, "HSET b t x", ":1");
    SAYS(&p, "HSET c t x other 1", ":2");
    SAYS(&p, "PEXPIRE a 1", ":1");
    SAYS(&p, "HPEXPIRE c 1 FIELDS 1 t", "[:1]");
    sleep_us(300 * 1000);
    SAYS(&p, "FT.SEARCH i @t:{x} NOCONTENT", "[:1 'b']");
    SAYS(&p, "FT.SEARCH i *", "[:2 'b' ['t' 'x'] 'c' ['other' '1']]");
    peer_close(&p);
    EXPECT_EQ(served_stop(&s), 0);
}

TEST(search, a_transaction_sees_its_own_documents)
{
    struct served s;
    struct peer p;
    served_start(&s, NULL);
    peer_open(&p, &s);
    SAYS(&p, "FT.CREATE i SCHEMA v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC IP", "+OK");
    SAYS(&p, "MULTI", "+OK");
    SAYS(&p, "HSET a v {f32 1 0}", "+QUEUED");
    SAYS(&p, knn, "+QUEUED");
    SAYS(&p, "HSET a v {f32 2 0}", "+QUEUED");
    SAYS(&p, "FT.SEARCH i * RETURN 0", "+QUEUED");
    SAYS(&p, "EXEC", "[:1 [:1 'a'] :0 [:1 'a' []]]");
    peer_close(&p);
    EXPECT_EQ(served_stop(&s), 0);
}

enum { NEAR_KEYS = 7000, NEAR_DIM = 12 };

/* Letters: a vector of small whole numbers. */
static const char *letters(uint64_t *rng)
{
    static char text[NEAR_DIM + 1];
    for (size_t i = 0; i < NEAR_DIM; i++)
        text[i] = (char)('a' + rng_below(rng, 20));
    return text;
}

/* How many documents a query finds that has two vectors. */
static long count_near(struct peer *p, const char *index, const char *query, uint64_t rng)
{
    char line[320], b[NEAR_DIM + 1];
    long count = -1;
    (void)snprintf(b, sizeof(b), "%s", letters(&rng));
    (void)snprintf(line, sizeof(line), "FT.SEARCH %s \"%s\" PARAMS 4 b %s c %s LIMIT 0 0 DIALECT 2",
                   index, query, b, letters(&rng));
    REQUIRE(sscanf(ask(p, line), "[:%ld]", &count) == 1);
    return count;
}

/* By walks of a graph, beside an index that looks at every document. */
TEST(search, ranges_of_vectors_find_what_is_within_them)
{
    static const char *const queries[] = {
        "@v:[VECTOR_RANGE 230 $b]",
        "@v:[VECTOR_RANGE 230 $b]=>{$EPSILON: 0.5}",
        "@v:[VECTOR_RANGE 230 $b] @t:{odd}",
        "@v:[VECTOR_RANGE 230 $b] @v:[VECTOR_RANGE 220 $b]",
        "@v:[VECTOR_RANGE 390 $b] @w:[VECTOR_RANGE 390 $c]", /* too many for walks */
        "@v:[VECTOR_RANGE 230 $b] @w:[VECTOR_RANGE 600 $c]",
    };
    struct served s;
    struct peer p;
    char line[160];
    uint64_t rng = 5;
    served_start(&s, NULL);
    peer_open(&p, &s);
    for (unsigned i = 0; i < NEAR_KEYS; i++) {
        char v[NEAR_DIM + 1];
        (void)snprintf(v, sizeof(v), "%s", letters(&rng));
        (void)snprintf(line, sizeof(line), "HSET d%u v %s w %s t %s", i, v, letters(&rng),
                       i % 2 == 1 ? "odd" : "even");
        SAYS(&p, line, ":3");
    }
    for (unsigned flat = 0; flat < 2; flat++) {
        const char *vector = flat == 1 ? "FLAT" : "HNSW";
        (void)snprintf(line, sizeof(line),
                       "FT.CREATE %s SCHEMA v VECTOR %s 6 TYPE INT8 DIM 12 DISTANCE_METRIC L2 "
                       "w VECTOR %s 6 TYPE INT8 DIM 12 DISTANCE_METRIC L2 t TAG",
                       vector, vector, vector);
        SAYS(&p, line, "+OK");
        while (strstr(ask(&p, flat == 1 ? "FT.INFO FLAT" : "FT.INFO HNSW"), "'num_docs' :7000") ==
               NULL)
            sleep_us(20 * 1000);
    }
    while (strstr(ask(&p, "INFO vectors"), "rows_linked:14000") == NULL)
        sleep_us(20 * 1000);
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        long exact = 0, walked = 0;
        for (uint64_t q = 0; q < 30; q++) {
            long all = count_near(&p, "FLAT", queries[i], q), some;
            some = count_near(&p, "HNSW", queries[i], q);
            EXPECT(some <= all);
            exact += all;
            walked += some;
        }
        printf("  %s: %ld of %ld\n", queries[i], walked, exact);
        EXPECT(exact > 100 && walked * 100 >= exact * 95);
    }
    peer_close(&p);
    EXPECT_EQ(served_stop(&s), 0);
}
