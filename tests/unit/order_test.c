/* The counted tree against a sorted array. */
#include <stdlib.h>

#include "base/order.h"
#include "base/rng.h"
#include "lib/test.h"

struct pair {
    double value;
    uint32_t row;
};

enum { PAIRS_MAX = 20000 };

/* What a tree must be. */
struct plain {
    struct pair pairs[PAIRS_MAX];
    size_t count;
};

static bool before(struct pair a, struct pair b)
{
    return a.value < b.value || (a.value == b.value && a.row < b.row);
}

static size_t place_of(const struct plain *p, struct pair x)
{
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (before(p->pairs[middle], x))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool plain_has(const struct plain *p, struct pair x)
{
    size_t at = place_of(p, x);
    return at < p->count && !before(x, p->pairs[at]);
}

static void plain_add(struct plain *p, struct pair x)
{
    size_t at = place_of(p, x);
    memmove(p->pairs + at + 1, p->pairs + at, (p->count - at) * sizeof(x));
    p->pairs[at] = x;
    p->count++;
}

static void plain_remove(struct plain *p, size_t at)
{
    p->count--;
    memmove(p->pairs + at, p->pairs + at + 1, (p->count - at) * sizeof(*p->pairs));
}

static void expect_same(const struct order *o, const struct plain *p)
{
    static uint32_t rows[PAIRS_MAX];
    order_check(o);
    REQUIRE(o->count == p->count);
    order_rows(o, 0, p->count, rows);
    for (size_t i = 0; i < p->count; i++)
        REQUIRE(rows[i] == p->pairs[i].row);
    for (size_t i = 0; i < p->count; i += 1 + p->count / 50) {
        double value;
        uint32_t row;
        order_at(o, i, &value, &row);
        REQUIRE(value == p->pairs[i].value && row == p->pairs[i].row);
        REQUIRE(order_rank(o, value, false) == place_of(p, (struct pair){value, 0}));
        REQUIRE(order_rank(o, value, true) == place_of(p, (struct pair){value, UINT32_MAX}));
    }
    for (size_t i = 0; p->count > 0 && i < 20; i++) {
        size_t first = i * p->count / 20, count = (p->count - first) / (i + 1);
        order_rows(o, first, count, rows);
        for (size_t j = 0; j < count; j++)
            REQUIRE(rows[j] == p->pairs[first + j].row);
    }
}

static struct plain *plain_new(void)
{
    return mem_calloc(MEM_TEST, sizeof(struct plain));
}

/* Grows, churns and shrinks to nothing; few values make many equal ones. */
static void try_random(uint64_t seed, uint32_t values)
{
    struct order o;
    struct plain *p = plain_new();
    uint64_t random = seed;
    order_init(&o, MEM_TEST);
    for (int phase = 0; phase < 3; phase++) {
        uint64_t removes = (uint64_t)(phase == 0 ? 1 : phase == 1 ? 5 : 9); /* of 10 */
        for (int i = 0; i < 6000; i++) {
            if (p->count > 0 && rng_below(&random, 10) < removes) {
                size_t at = rng_below(&random, p->count);
                order_remove(&o, p->pairs[at].value, p->pairs[at].row);
                plain_remove(p, at);
                continue;
            }
            struct pair x = {(double)rng_below(&random, values) - values / 2,
                             (uint32_t)rng_below(&random, 100000)};
            if (plain_has(p, x))
                continue;
            REQUIRE(order_add(&o, x.value, x.row));
            plain_add(p, x);
        }
        expect_same(&o, p);
    }
    while (p->count > 0) {
        order_remove(&o, p->pairs[p->count / 2].value, p->pairs[p->count / 2].row);
        plain_remove(p, p->count / 2);
    }
    expect_same(&o, p);
    EXPECT(o.bytes == 0);
    order_fini(&o);
    mem_free(MEM_TEST, p);
}

TEST(order, is_a_sorted_array_whatever_comes_and_goes)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        try_random(seed, 1);
        try_random(seed, 10);
        try_random(seed, 1000000);
    }
}

TEST(order, pairs_that_come_in_order_fill_their_leaves)
{
    struct order up, down;
    order_init(&up, MEM_TEST);
    order_init(&down, MEM_TEST);
    for (uint32_t i = 0; i < 50000; i++)
        REQUIRE(order_add(&up, i, i) && order_add(&down, -(double)i, i));
    order_check(&up);
    order_check(&down);
    EXPECT(up.bytes < 50000 * 16);
    EXPECT(down.bytes < 50000 * 30);
    for (uint32_t i = 0; i < 50000; i++)
        if (i % 20 != 0) {
            order_remove(&up, i, i);
            order_remove(&down, -(double)i, i);
        }
    order_check(&up);
    order_check(&down);
    EXPECT_EQ(up.count, 2500);
    EXPECT(up.bytes < 2500 * 80);
    order_fini(&up);
    order_fini(&down);
}

/* Each addition fails once, at its first allocation, its second, and so on. */
TEST(order, an_addition_without_memory_changes_nothing)
{
    struct order o;
    struct plain *p = plain_new();
    uint64_t random = 5, failures = 0;
    order_init(&o, MEM_TEST);
    for (int i = 0; i < 5000; i++) {
        struct pair x = {(double)rng_below(&random, 1000000), (uint32_t)i};
        for (uint64_t nth = 1;; nth++) {
            (void)mem_fail_nth(nth);
            bool added = order_add(&o, x.value, x.row);
            bool fired = mem_fail_nth(0);
            EXPECT(added == !fired);
            if (added)
                break;
            failures++;
        }
        plain_add(p, x);
        if (i % 500 == 0)
            expect_same(&o, p);
    }
    expect_same(&o, p);
    EXPECT(failures > 100);
    order_fini(&o);
    mem_free(MEM_TEST, p);
}
