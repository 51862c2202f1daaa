#include "base/epoch.h"

#include "base/rng.h"
#include "lib/test.h"

/* Something that waits, and what became of it. */
struct waiter {
    struct epoch_item item;
    unsigned ran;
    unsigned order; /* in which it ran, from 1 */
    unsigned *ran_count;
    struct epoch *defers_in; /* defers other when it runs */
    struct waiter *other;
};

static void on_free(struct epoch_item *item)
{
    struct waiter *w = (struct waiter *)item;
    w->ran++;
    if (w->ran_count != NULL)
        w->order = ++*w->ran_count;
    if (w->other != NULL)
        epoch_defer(w->defers_in, &w->other->item, on_free);
}

TEST(epoch, runs_at_once_when_no_guard_is_held)
{
    static struct epoch e;
    epoch_init(&e);
    EXPECT(epoch_idle(&e));
    struct waiter w = {.ran = 0};
    epoch_defer(&e, &w.item, on_free);
    EXPECT_EQ(w.ran, 1);
    uint64_t guard = epoch_enter(&e);
    EXPECT(!epoch_idle(&e));
    epoch_leave(&e, guard);
    EXPECT(epoch_idle(&e));
    epoch_defer(&e, &w.item, on_free);
    EXPECT_EQ(w.ran, 2);
    EXPECT(epoch_idle(&e));
}

TEST(epoch, waits_for_every_guard_that_was_held)
{
    static struct epoch e;
    epoch_init(&e);
    struct waiter w = {.ran = 0};
    uint64_t a = epoch_enter(&e), b = epoch_enter(&e);
    epoch_defer(&e, &w.item, on_free);
    epoch_leave(&e, a);
    EXPECT_EQ(w.ran, 0);
    EXPECT(!epoch_idle(&e));
    epoch_leave(&e, b);
    EXPECT_EQ(w.ran, 1);
    EXPECT(epoch_idle(&e));
}

TEST(epoch, does_not_wait_for_guards_taken_later)
{
    static struct epoch e;
    epoch_init(&e);
    struct waiter first = {.ran = 0}, second = {.ran = 0};
    uint64_t old = epoch_enter(&e);
    epoch_defer(&e, &first.item, on_free);
    epoch_defer(&e, &second.item, on_free); /* the newest epoch has no guard yet */
    uint64_t later = epoch_enter(&e);
    epoch_leave(&e, old);
    EXPECT_EQ(first.ran, 1);
    EXPECT_EQ(second.ran, 1);
    epoch_leave(&e, later);
    EXPECT(epoch_idle(&e));
}

TEST(epoch, runs_items_in_the_order_they_were_deferred)
{
    static struct epoch e;
    epoch_init(&e);
    enum { COUNT = 20 };
    struct waiter w[COUNT] = {{.ran = 0}};
    unsigned ran = 0;
    uint64_t guard = epoch_enter(&e);
    for (unsigned i = 0; i < COUNT; i++) {
        w[i].ran_count = &ran;
        epoch_defer(&e, &w[i].item, on_free);
    }
    EXPECT_EQ(ran, 0);
    epoch_leave(&e, guard);
    for (unsigned i = 0; i < COUNT; i++)
        EXPECT_EQ(w[i].order, i + 1);
}

TEST(epoch, an_item_may_defer_another_while_it_runs)
{
    static struct epoch e;
    epoch_init(&e);
    unsigned ran = 0;
    struct waiter inner = {.ran_count = &ran};
    struct waiter outer = {.ran_count = &ran, .defers_in = &e, .other = &inner};
    struct waiter last = {.ran_count = &ran};
    uint64_t guard = epoch_enter(&e);
    epoch_defer(&e, &outer.item, on_free);
    epoch_defer(&e, &last.item, on_free);
    epoch_leave(&e, guard);
    EXPECT_EQ(outer.ran, 1);
    EXPECT_EQ(inner.ran, 1);
    EXPECT_EQ(last.ran, 1);
    EXPECT(epoch_idle(&e));
}

/* One reader stays while more epochs come than the window has room for. */
TEST(epoch, a_slow_reader_does_not_break_the_window)
{
    static struct epoch e;
    epoch_init(&e);
    enum { COUNT = EPOCH_WINDOW_MAX + 100 };
    static struct waiter w[COUNT];
    static uint64_t guards[COUNT];
    memset(w, 0, sizeof(w));
    uint64_t slow = epoch_enter(&e);
    for (unsigned i = 0; i < COUNT; i++) {
        guards[i] = epoch_enter(&e);
        epoch_defer(&e, &w[i].item, on_free);
    }
    for (unsigned i = 0; i < COUNT - 1; i++)
        epoch_leave(&e, guards[i]);
    for (unsigned i = 0; i < COUNT; i++)
        EXPECT_EQ(w[i].ran, 0);
    /* Searches that overlap for ever from here on must not hold anything up once it has gone. */
    uint64_t endless = epoch_enter(&e);
    epoch_leave(&e, slow);
    epoch_leave(&e, guards[COUNT - 1]);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t next = epoch_enter(&e);
        epoch_leave(&e, endless);
        endless = next;
    }
    for (unsigned i = 0; i < COUNT; i++)
        EXPECT_EQ(w[i].ran, 1);
    epoch_leave(&e, endless);
    EXPECT(epoch_idle(&e));
}

/* Random guards and items against the definition: an item runs exactly when the last guard that was
 * held at its deferral is given back. */
TEST(epoch, runs_each_item_exactly_when_it_should)
{
    static struct epoch e;
    epoch_init(&e);
    enum { GUARDS = 12, ITEMS = 3000 };
    static struct waiter w[ITEMS];
    static uint32_t waits_for[ITEMS]; /* bits of guards */
    memset(w, 0, sizeof(w));
    uint64_t guard[GUARDS];
    uint32_t held = 0;
    uint64_t rng = 5;
    for (unsigned deferred = 0; deferred < ITEMS;) {
        unsigned g = (unsigned)rng_below(&rng, GUARDS);
        uint32_t bit = (uint32_t)1 << g;
        if (rng_below(&rng, 3) == 0) {
            waits_for[deferred] = held;
            epoch_defer(&e, &w[deferred].item, on_free);
            deferred++;
        } else if ((held & bit) == 0) {
            guard[g] = epoch_enter(&e);
            held |= bit;
        } else {
            held &= ~bit;
            for (unsigned i = 0; i < deferred; i++)
                waits_for[i] &= ~bit;
            epoch_leave(&e, guard[g]);
        }
        for (unsigned i = deferred > 200 ? deferred - 200 : 0; i < deferred; i++)
            REQUIRE(w[i].ran == (waits_for[i] == 0 ? 1u : 0u));
    }
    for (unsigned g = 0; g < GUARDS; g++)
        if ((held >> g & 1) != 0)
            epoch_leave(&e, guard[g]);
    EXPECT(epoch_idle(&e));
    for (unsigned i = 0; i < ITEMS; i++)
        EXPECT_EQ(w[i].ran, 1);
}

static void on_later(void *user)
{
    ++*(unsigned *)user;
}

/* A search that ends may be the last that held a hundred thousand rows: the loop frees a few. */
TEST(epoch, frees_so_many_in_one_go_and_asks_once_for_the_rest)
{
    enum { ITEMS = 3 * EPOCH_ITEMS_AT_ONCE + 1 };
    static struct epoch e;
    static struct waiter waiters[ITEMS];
    unsigned ran = 0, asked = 0;
    epoch_init(&e);
    e.later = on_later;
    e.later_user = &asked;
    uint64_t guard = epoch_enter(&e);
    for (size_t i = 0; i < ITEMS; i++) {
        waiters[i] = (struct waiter){.ran_count = &ran};
        epoch_defer(&e, &waiters[i].item, on_free);
    }
    epoch_leave(&e, guard);
    EXPECT_EQ(ran, EPOCH_ITEMS_AT_ONCE);
    EXPECT_EQ(asked, 1);
    EXPECT(!epoch_idle(&e));
    epoch_leave(&e, epoch_enter(&e));
    EXPECT_EQ(ran, 2 * EPOCH_ITEMS_AT_ONCE);
    EXPECT_EQ(asked, 1);
    epoch_go_on(&e);
    EXPECT_EQ(ran, 3 * EPOCH_ITEMS_AT_ONCE);
    EXPECT_EQ(asked, 2);
    epoch_go_on(&e);
    EXPECT_EQ(ran, ITEMS);
    EXPECT_EQ(asked, 2);
    EXPECT(epoch_idle(&e));
}
