#include "db/expiry.h"

#include <stdlib.h>

#include "base/rng.h"
#include "db/keyspace.h"
#include "lib/test.h"

enum { OBJECTS = 500 };

/* The soonest time by looking at all. */
static uint64_t soonest(const struct object *objects)
{
    uint64_t time = UINT64_MAX;
    for (size_t i = 0; i < OBJECTS; i++)
        if (objects[i].expiry_at != EXPIRY_NONE && objects[i].expire_ms < time)
            time = objects[i].expire_ms;
    return time;
}

TEST(expiry, knows_what_expires_first_whatever_comes_and_goes)
{
    struct object *objects = calloc(OBJECTS, sizeof(*objects));
    struct expiry x = {0};
    uint64_t rng = 9;
    for (size_t i = 0; i < OBJECTS; i++)
        objects[i].expiry_at = EXPIRY_NONE;
    for (unsigned i = 0; i < 20000; i++) {
        struct object *o = &objects[rng_below(&rng, OBJECTS)];
        if (o->expiry_at != EXPIRY_NONE) {
            expiry_remove(&x, o);
            expiry_remove(&x, o); /* what is not there is no error */
        } else {
            o->expire_ms = 1 + rng_below(&rng, 1000); /* many are the same */
            REQUIRE(expiry_reserve(&x));
            expiry_add(&x, o, o->expire_ms);
        }
        if (i % 100 == 0)
            REQUIRE(expiry_check(&x));
        struct object *first = expiry_first(&x);
        REQUIRE(first == NULL || first->expire_ms == soonest(objects));
    }
    uint64_t last = 0;
    while (expiry_first(&x) != NULL) {
        struct object *first = expiry_first(&x);
        EXPECT(first->expire_ms >= last);
        last = first->expire_ms;
        expiry_remove(&x, first);
    }
    EXPECT_EQ(x.count, 0);
    expiry_fini(&x);
    free(objects);
}

TEST(expiry, is_due_when_the_first_time_has_passed)
{
    struct object o = {.expire_ms = 1000, .expiry_at = EXPIRY_NONE};
    struct expiry x = {0};
    EXPECT(!expiry_is_due(&x, UINT64_MAX));
    EXPECT_EQ(expiry_average_ms(&x, 5), 0);
    REQUIRE(expiry_reserve(&x));
    expiry_add(&x, &o, o.expire_ms);
    EXPECT(!expiry_is_due(&x, 1000));
    EXPECT(expiry_is_due(&x, 1001));
    EXPECT(!object_expired(&o, 1000));
    EXPECT(object_expired(&o, 1001));
    EXPECT_EQ(expiry_average_ms(&x, 400), 600);
    EXPECT_EQ(expiry_average_ms(&x, 2000), 0);
    expiry_fini(&x);
}

TEST(expiry, averages_millions_from_a_sample)
{
    enum { MANY = 100000 };
    struct object *objects = calloc(MANY, sizeof(*objects));
    struct expiry x = {0};
    for (size_t i = 0; i < MANY; i++) {
        objects[i] = (struct object){.expire_ms = 1 + i, .expiry_at = EXPIRY_NONE};
        REQUIRE(expiry_reserve(&x));
        expiry_add(&x, &objects[i], objects[i].expire_ms);
    }
    uint64_t average = expiry_average_ms(&x, 0);
    EXPECT(average > MANY / 2 - MANY / 20 && average < MANY / 2 + MANY / 20);
    expiry_fini(&x);
    free(objects);
}

TEST(expiry, that_has_no_room_stays_as_it_is)
{
    struct object o = {.expire_ms = 1000, .expiry_at = EXPIRY_NONE};
    struct expiry x = {0};
    (void)mem_fail_nth(1);
    EXPECT(!expiry_reserve(&x));
    EXPECT(mem_fail_nth(0));
    EXPECT_EQ(x.count, 0);
    REQUIRE(expiry_reserve(&x));
    expiry_add(&x, &o, o.expire_ms);
    expiry_fini(&x);
}
