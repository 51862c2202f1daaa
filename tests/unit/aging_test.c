#include "db/aging.h"

#include "base/rng.h"
#include "lib/test.h"

enum { ROWS = 3000, STEPS = 40000 };

/* What is expected: by row when it expires; 0: never, or not there. */
struct expected {
    uint64_t expire_ms[ROWS];
    size_t count;
};

static size_t count_before(const struct expected *x, uint64_t now_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < ROWS; i++)
        count += x->expire_ms[i] > 0 && x->expire_ms[i] < now_ms;
    return count;
}

static void expect_soonest(const struct aging *a, const struct expected *x, size_t most)
{
    static uint32_t rows[ROWS];
    size_t count = aging_soonest(a, most, rows);
    EXPECT_EQ(count, most < x->count ? most : x->count);
    for (size_t i = 0; i < count; i++) {
        EXPECT(x->expire_ms[rows[i]] > 0);
        EXPECT(i == 0 || x->expire_ms[rows[i - 1]] <= x->expire_ms[rows[i]]);
    }
    if (count > 0)
        EXPECT(count_before(x, x->expire_ms[rows[count - 1]]) < count);
}

static void step(struct aging *a, struct expected *x, uint64_t *rng)
{
    uint32_t row = (uint32_t)rng_below(rng, ROWS), to = (uint32_t)rng_below(rng, ROWS);
    bool there = x->expire_ms[row] > 0;
    if (there && rng_below(rng, 4) == 0 && x->expire_ms[to] == 0) {
        aging_set(a, to, 0, 0);
        aging_move(a, row, to);
        x->expire_ms[to] = x->expire_ms[row];
        x->expire_ms[row] = 0;
        EXPECT_EQ(aging_expiry(a, to), x->expire_ms[to]);
        return;
    }
    if (there) {
        aging_forget(a, row);
        x->expire_ms[row] = 0;
        x->count--;
        return;
    }
    x->expire_ms[row] = rng_below(rng, 3) == 0 ? 0 : 1 + rng_below(rng, 1000);
    EXPECT_EQ(aging_reserve(a, ROWS, 1), OK);
    aging_set(a, row, x->expire_ms[row], 7);
    x->count += x->expire_ms[row] > 0;
}

TEST(aging, knows_which_rows_expire_first_and_how_many_are_due)
{
    struct epoch epoch;
    epoch_init(&epoch);
    struct aging *a = aging_new(NULL, &epoch, ROWS);
    static struct expected x;
    uint64_t rng = 5;
    REQUIRE(a != NULL && aging_reserve(a, ROWS, 0) == OK);
    EXPECT_EQ(aging_soonest(a, 10, NULL), 0);
    EXPECT(!aging_is_due(a, UINT64_MAX));
    for (unsigned i = 0; i < STEPS; i++) {
        step(a, &x, &rng);
        EXPECT_EQ(a->count, x.count);
        if (i % 1000 != 0)
            continue;
        EXPECT(aging_check(a));
        uint64_t now_ms = rng_below(&rng, 1100);
        EXPECT_EQ(aging_count_due(a, now_ms, NULL, NULL), count_before(&x, now_ms));
        EXPECT_EQ(aging_is_due(a, now_ms), count_before(&x, now_ms) > 0);
        expect_soonest(a, &x, rng_below(&rng, 40));
        expect_soonest(a, &x, ROWS);
    }
    aging_free(a);
}

TEST(aging, a_list_keeps_its_place_when_one_leaves)
{
    struct epoch epoch;
    struct aging *head = NULL, *next = NULL, *a[3];
    epoch_init(&epoch);
    for (size_t i = 0; i < COUNT_OF(a); i++) {
        a[i] = aging_new(NULL, &epoch, 1);
        REQUIRE(a[i] != NULL);
        aging_list(a[i], &head);
    }
    next = a[1];
    aging_unlist(a[1], &next);
    EXPECT(next == a[0] && head == a[2] && a[2]->next == a[0]);
    aging_unlist(a[2], &next);
    EXPECT(next == a[0] && head == a[0]);
    aging_unlist(a[0], &next);
    aging_unlist(a[0], &next); /* it has left already */
    EXPECT(next == NULL && head == NULL);
    for (size_t i = 0; i < COUNT_OF(a); i++)
        aging_free(a[i]);
}
