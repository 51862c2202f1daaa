#include "cmd/ft_hybrid.h"
#include "base/rng.h"
#include "lib/test.h"

#include <math.h>

enum { KEYS = 40 };

/* Keys that one search has found: the rank of each from 1, or 0, and its score or distance. */
struct merged_side {
    size_t rank[KEYS];
    float value[KEYS];
};

static void put(struct buf *out, unsigned key, float distance, float score)
{
    char text[8];
    (void)snprintf(text, sizeof(text), "k%u", key);
    bytes_put_f32(out, distance);
    bytes_put_f32(out, score);
    bytes_put_slice(out, slice_of(text));
}

/* Some keys, the best first. */
static void make_side(uint64_t *seed, bool by_vector, struct merged_side *side, struct buf *out)
{
    *side = (struct merged_side){0};
    *out = BUF_INIT(MEM_CLIENT);
    size_t rank = 0;
    float value = by_vector ? 0 : 100;
    bytes_put_u64(out, KEYS);
    for (unsigned i = 0; i < KEYS / 2; i++) {
        unsigned key = (unsigned)rng_below(seed, KEYS);
        if (side->rank[key] != 0)
            continue;
        value += (by_vector ? 1.0f : -1.0f) * (float)(1 + rng_below(seed, 3));
        side->rank[key] = ++rank;
        side->value[key] = value;
        put(out, key, by_vector ? value : 0, by_vector ? 1 : value);
    }
}

static double wanted(const struct hybrid_words *w, const struct merged_side *words,
                     const struct merged_side *vector, unsigned key)
{
    double score = 0;
    size_t a = words->rank[key], b = vector->rank[key];
    if (a > 0 && a <= w->window)
        score += w->linear ? w->alpha * (double)words->value[key] : 1 / (w->constant + (double)a);
    if (b > 0 && b <= w->window)
        score +=
            w->linear ? w->beta / (1 + (double)vector->value[key]) : 1 / (w->constant + (double)b);
    return score;
}

static void check_one(uint64_t *seed, bool linear)
{
    struct ft_hybrid h = {.metric = METRIC_L2};
    h.words = (struct hybrid_words){.linear = linear,
                                    .constant = 60,
                                    .alpha = 0.3,
                                    .beta = 0.7,
                                    .window = 1 + rng_below(seed, 20)};
    struct merged_side words, vector;
    struct ft_ask ask = {0};
    struct search s = {.extra = &ask};
    make_side(seed, false, &words, &s.reply);
    make_side(seed, true, &vector, &h.found);
    EXPECT_EQ(ft_hybrid_fuse(&h, &s), OK);
    struct bytes_reader r = {.left = buf_slice(&s.reply)};
    uint64_t total = bytes_get_u64(&r), found = 0, all = 0;
    double last = INFINITY;
    while (r.left.len > 0) {
        struct hybrid_hit hit = ft_hybrid_hit(&r);
        uint64_t key = KEYS;
        REQUIRE(slice_to_u64((struct slice){hit.key.ptr + 1, hit.key.len - 1}, &key) && key < KEYS);
        EXPECT(fabs(hit.score - wanted(&h.words, &words, &vector, (unsigned)key)) < 1e-9);
        EXPECT(hit.score <= last);
        EXPECT(isnan(hit.vector) == (vector.rank[key] == 0 || vector.rank[key] > h.words.window));
        last = hit.score;
        found++;
    }
    for (unsigned key = 0; key < KEYS; key++)
        all += wanted(&h.words, &words, &vector, key) > 0;
    EXPECT(!r.broken && found == total && found == all);
    buf_fini(&s.reply);
    buf_fini(&h.found);
}

TEST(ft_hybrid, scores_are_what_ranks_and_weights_say)
{
    uint64_t seed = 1;
    for (int i = 0; i < 500; i++)
        check_one(&seed, i % 2 == 0);
}
