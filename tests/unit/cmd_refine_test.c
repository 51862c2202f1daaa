/* cmd_refine_test.c: GROUPBY, MMR and POSITIVE of VSEARCH against their definitions, over elements
 * on a line, where every distance is exact. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "lib/cmd_harness.h"

enum { ELEMENTS = 3000, DOCUMENTS = 150, LINE = 256 };

/* Element i stands at place[i] and is of document doc[i]; order: from the query outwards. */
struct line {
    struct harness *h;
    int place[ELEMENTS], doc[ELEMENTS], order[ELEMENTS];
    float dist[ELEMENTS];
};

static const float query = 1000.25f;

static int nearer(const void *a, const void *b, void *user)
{
    const struct line *l = user;
    float x = l->dist[*(const int *)a], y = l->dist[*(const int *)b];
    return (x > y) - (x < y);
}

/* Few documents have many elements; every tenth element has none. */
static struct line *line_new(const char *index)
{
    char text[LINE];
    struct line *l = mem_calloc(MEM_TEST, sizeof(*l));
    uint64_t rng = 7;
    l->h = harness_new();
    (void)snprintf(text, sizeof(text), "VCREATE c DIM 1 METRIC L2 INDEX %s", index);
    EXPECT_REPLY(l->h, 2, text, "+OK\r\n");
    for (int i = 0; i < ELEMENTS; i++)
        l->place[i] = i;
    for (int i = 0; i < ELEMENTS; i++) {
        int other = (int)rng_below(&rng, ELEMENTS), was = l->place[i];
        l->place[i] = l->place[other];
        l->place[other] = was;
    }
    for (int i = 0; i < ELEMENTS; i++) {
        double share = rng_unit(&rng);
        l->doc[i] = i % 10 == 0 ? -1 : (int)(share * share * share * DOCUMENTS);
        l->dist[i] = ((float)l->place[i] - query) * ((float)l->place[i] - query);
        l->order[i] = i;
        int size = snprintf(text, sizeof(text), "VADD c VALUES 1 %d e%d", l->place[i], i);
        if (l->doc[i] >= 0)
            (void)snprintf(text + size, sizeof(text) - (size_t)size,
                           " SETATTR '{\"doc\": \"d%d\"}'", l->doc[i]);
        EXPECT_REPLY(l->h, 2, text, ":1\r\n");
    }
    qsort_r(l->order, ELEMENTS, sizeof(l->order[0]), nearer, l);
    return l;
}

static void line_free(struct line *l)
{
    harness_free(l->h);
    mem_free(MEM_TEST, l);
}

static void put_id(struct buf *out, int element)
{
    char id[16];
    int size = snprintf(id, sizeof(id), "e%d", element);
    buf_printf(out, "$%d\r\n%s\r\n", size, id);
}

/* The nearest documents, each with its nearest elements, among the nearest `look` elements. */
static void put_groups(const struct line *l, struct buf *out, size_t groups, size_t group_size)
{
    int docs[DOCUMENTS], found = 0;
    bool seen[DOCUMENTS] = {false};
    for (int i = 0; i < ELEMENTS && (size_t)found < groups; i++) {
        int doc = l->doc[l->order[i]];
        if (doc >= 0 && !seen[doc])
            docs[found++] = doc;
        if (doc >= 0)
            seen[doc] = true;
    }
    buf_printf(out, "*%d\r\n", found);
    for (int g = 0; g < found; g++) {
        struct buf hits = BUF_INIT(MEM_TEST);
        char name[16];
        size_t count = 0;
        for (int i = 0; i < ELEMENTS && count < group_size; i++) {
            if (l->doc[l->order[i]] != docs[g])
                continue;
            put_id(&hits, l->order[i]);
            count++;
        }
        int size = snprintf(name, sizeof(name), "d%d", docs[g]);
        buf_printf(out, "*2\r\n$%d\r\n%s\r\n*%zu\r\n", size, name, count);
        buf_append_slice(out, buf_slice(&hits));
        buf_fini(&hits);
    }
}

static void expect_groups(struct line *l, const char *how, size_t groups, size_t group_size)
{
    char text[LINE];
    struct buf expected = BUF_INIT(MEM_TEST);
    put_groups(l, &expected, groups, group_size);
    buf_append_byte(&expected, 0);
    (void)snprintf(text, sizeof(text),
                   "VSEARCH c VALUES 1 %g GROUPBY doc COUNT %zu GROUPSIZE %zu %s", (double)query,
                   groups, group_size, how);
    EXPECT_REPLIES(l->h, text, (const char *)expected.ptr);
    buf_fini(&expected);
}

TEST(cmd_refine, groups_are_the_nearest_and_have_their_nearest)
{
    struct line *l = line_new("FLAT");
    expect_groups(l, "", 1, 1);
    expect_groups(l, "", 10, 1);
    expect_groups(l, "EXACT", 10, 3);
    expect_groups(l, "", 40, 20);
    expect_groups(l, "", 10000, 1); /* all there are */
    expect_groups(l, "", DOCUMENTS, 1000);
    line_free(l);
}

/* Walks find what scans do on a line, where neighbours are links. */
TEST(cmd_refine, groups_are_the_same_by_a_graph)
{
    struct line *l = line_new("HNSW");
    expect_groups(l, "EF 400", 10, 1);
    expect_groups(l, "EF 400", 10, 3);
    expect_groups(l, "", 140, 1);
    line_free(l);
}

/* The first `fetch` by distance, chosen as the definition says. */
static void put_varied(const struct line *l, struct buf *out, size_t count, size_t fetch,
                       float lambda)
{
    bool chosen[ELEMENTS] = {false};
    float apart[ELEMENTS];
    for (size_t i = 0; i < fetch; i++)
        apart[i] = INFINITY;
    buf_printf(out, "*%zu\r\n", count);
    for (size_t n = 0; n < count; n++) {
        size_t best = 0;
        float least = INFINITY;
        for (size_t i = 0; i < fetch && n > 0; i++) {
            float value = lambda * l->dist[l->order[i]] - (1 - lambda) * apart[i];
            if (!chosen[i] && value < least) {
                least = value;
                best = i;
            }
        }
        chosen[best] = true;
        put_id(out, l->order[best]);
        for (size_t i = 0; i < fetch; i++) {
            float d = (float)(l->place[l->order[i]] - l->place[l->order[best]]);
            apart[i] = fminf(apart[i], d * d);
        }
    }
}

static void expect_varied(struct line *l, size_t count, size_t fetch, double lambda)
{
    char text[LINE];
    struct buf expected = BUF_INIT(MEM_TEST);
    put_varied(l, &expected, count, fetch, (float)lambda);
    buf_append_byte(&expected, 0);
    (void)snprintf(text, sizeof(text), "VSEARCH c VALUES 1 %g MMR %g COUNT %zu FETCH %zu",
                   (double)query, lambda, count, fetch);
    EXPECT_REPLIES(l->h, text, (const char *)expected.ptr);
    buf_fini(&expected);
}

TEST(cmd_refine, variety_is_maximal_marginal_relevance)
{
    struct line *l = line_new("FLAT");
    expect_varied(l, 10, 50, 1); /* by distance */
    expect_varied(l, 10, 50, 0.7);
    expect_varied(l, 10, 50, 0.25);
    expect_varied(l, 25, 25, 0.5); /* all of them, in another order */
    expect_varied(l, 1, 100, 0);
    line_free(l);
}

TEST(cmd_refine, examples_are_no_hits)
{
    struct line *l = line_new("FLAT");
    char text[LINE];
    struct buf expected = BUF_INIT(MEM_TEST);
    buf_append_text(&expected, "*5\r\n");
    for (int i = 3; i < 8; i++)
        put_id(&expected, l->order[i]);
    buf_append_byte(&expected, 0);
    /* 1000, 1001 and 999: their mean is 1000, from where 998 and 1002 are equally far, but 2 * mean
     * less the mean of 999.75 is 1000.25. */
    (void)snprintf(
        text, sizeof(text), "VSEARCH c POSITIVE 3 e%d e%d e%d NEGATIVE 4 e%d e%d e%d e%d COUNT 5",
        l->order[0], l->order[1], l->order[2], l->order[0], l->order[0], l->order[0], l->order[2]);
    EXPECT_REPLIES(l->h, text, (const char *)expected.ptr);
    buf_fini(&expected);
    line_free(l);
}
