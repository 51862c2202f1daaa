/* Circles over documents and over elements find what distances alone find. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/geo.h"
#include "base/limits.h"
#include "base/rng.h"
#include "lib/cmd_harness.h"

enum { PLACES = 400, CIRCLES = 60, LINE_ROOM = 8192 };

struct places {
    struct harness *h;
    uint64_t random;
    struct geo_point at[PLACES];
    bool there[PLACES];
};

static struct geo_point random_point(struct places *p)
{
    double spread = rng_below(&p->random, 2) == 0 ? 1 : 0.01; /* half of them near each other */
    return (struct geo_point){(rng_unit(&p->random) * 360 - 180) * spread,
                              (rng_unit(&p->random) * 180 - 90) * spread};
}

static struct slice run(struct places *p, const char *format, ...) PRINTF_LIKE(2, 3);
static struct slice run(struct places *p, const char *format, ...)
{
    char line[LINE_ROOM];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    CHECK(size > 0 && (size_t)size < sizeof(line));
    return harness_run(p->h, 2, line);
}

static void put(struct places *p, size_t i)
{
    struct geo_point at = p->at[i] = random_point(p);
    p->there[i] = true;
    (void)run(p, "HSET d:%zu loc %.17g,%.17g", i, at.longitude, at.latitude);
    (void)run(p, "VADD c VALUES 1 1 d:%zu SETATTR '{\"loc\":[%.17g,%.17g]}'", i, at.longitude,
              at.latitude);
}

static void take_away(struct places *p, size_t i)
{
    p->there[i] = false;
    (void)run(p, "DEL d:%zu", i);
    (void)run(p, "VREM c d:%zu", i);
}

static size_t within(const struct places *p, const struct geo_circle *c)
{
    size_t count = 0;
    for (size_t i = 0; i < PLACES; i++)
        count += p->there[i] && geo_distance_m(c->centre, p->at[i]) <= c->radius_m;
    return count;
}

static void expect_count(struct slice reply, const char *shape, size_t count)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), shape, count);
    if (!slice_eq(reply, slice_of(wanted)))
        test_fail(__FILE__, __LINE__, "%.*s, but there are %zu", (int)reply.len,
                  (const char *)reply.ptr, count);
}

static void check_circles(struct places *p)
{
    size_t found = 0;
    for (size_t i = 0; i < CIRCLES; i++) {
        double radius = pow(10, 3 + rng_unit(&p->random) * 4.2);
        struct geo_circle c = geo_circle_of(random_point(p), radius);
        double x = c.centre.longitude, y = c.centre.latitude;
        size_t count = within(p, &c);
        found += count;
        expect_count(run(p, "FT.SEARCH i \"@loc:[%.17g %.17g %.17g m]\" LIMIT 0 0", x, y, radius),
                     "*1\r\n:%zu\r\n", count);
        expect_count(
            run(p, "FT.SEARCH i * LIMIT 0 0 GEOFILTER loc %.17g %.17g %.17g m", x, y, radius),
            "*1\r\n:%zu\r\n", count);
        expect_count(run(p, "VCOUNT c \"geo(.loc, %.17g, %.17g, %.17g)\"", x, y, radius),
                     ":%zu\r\n", count);
    }
    EXPECT(found > CIRCLES);
}

TEST(cmd_geo, circles_find_what_distances_do)
{
    struct places p = {.h = harness_new(), .random = 5};
    EXPECT_REPLY(p.h, 2, "FT.CREATE i PREFIX 1 d: SCHEMA loc GEO", "+OK\r\n");
    EXPECT_REPLY(p.h, 2, "VCREATE c DIM 1 METRIC L2 SCHEMA loc GEO", "+OK\r\n");
    for (size_t i = 0; i < PLACES; i++)
        put(&p, i);
    check_circles(&p);
    for (size_t i = 0; i < PLACES; i += 2)
        put(&p, i);
    for (size_t i = 0; i < PLACES; i += 3)
        take_away(&p, i);
    check_circles(&p);
    harness_free(p.h);
}

static struct slice with_filters(struct harness *h, size_t count)
{
    static const char *const head[] = {"FT.SEARCH", "i", "*", "LIMIT", "0", "0"};
    static const char *const filter[] = {"GEOFILTER", "loc", "0", "0", "1", "km"};
    struct slice words[COUNT_OF(head) + (LIMIT_QUERY_FILTERS + 1) * COUNT_OF(filter)];
    size_t used = 0;
    CHECK(count <= LIMIT_QUERY_FILTERS + 1);
    for (size_t i = 0; i < COUNT_OF(head); i++)
        words[used++] = slice_of(head[i]);
    for (size_t i = 0; i < count * COUNT_OF(filter); i++)
        words[used++] = slice_of(filter[i % COUNT_OF(filter)]);
    return harness_run_args(h, 2, words, used);
}

TEST(cmd_geo, so_many_filters_stand_beside_a_query_and_no_more)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "FT.CREATE i SCHEMA loc GEO", "+OK\r\n");
    EXPECT_REPLY(h, 2, "HSET d loc 0,0", ":1\r\n");
    EXPECT(slice_eq(with_filters(h, LIMIT_QUERY_FILTERS), slice_of("*1\r\n:1\r\n")));
    EXPECT(slice_eq(with_filters(h, LIMIT_QUERY_FILTERS + 1),
                    slice_of("-at most 64 filters beside a query\r\n")));
    harness_free(h);
}
