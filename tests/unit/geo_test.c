/* Points, circles and the cells that an index finds them by, against distances alone. */
#include <math.h>

#include "base/geo.h"
#include "base/rng.h"
#include "lib/test.h"

enum { POINTS = 300, CIRCLES = 400 };

static bool parses(const char *text, double longitude, double latitude)
{
    struct geo_point p;
    return geo_parse(slice_of(text), &p) && p.longitude == longitude && p.latitude == latitude;
}

static bool is_refused(const char *text)
{
    struct geo_point p;
    return !geo_parse(slice_of(text), &p);
}

TEST(geo, points_are_two_numbers_within_the_earth)
{
    EXPECT(parses("-122.41,37.77", -122.41, 37.77));
    EXPECT(parses("1.5 2", 1.5, 2));
    EXPECT(parses(" 1.5 , 2 ", 1.5, 2));
    EXPECT(parses("180,90", 180, 90));
    EXPECT(parses("-180,-90", -180, -90));
    EXPECT(parses("0,1e1", 0, 10));
    static const char *const bad[] = {"",     "1",     "1,",      ",2",    "1,2,3",
                                      "a,b",  "1;2",   "1,,2",    "1,2x",  "180.0001,0",
                                      "0,91", "nan,0", "0,-90.1", "inf,0", "-1e9,0"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        EXPECT(is_refused(bad[i]));
}

TEST(geo, distances_are_those_of_redis)
{
    struct geo_point palermo = {13.361389, 38.115556}, catania = {15.087269, 37.502669};
    EXPECT(fabs(geo_distance_m(palermo, catania) - 166274.15) < 1);
    struct geo_point pole = {0, 90}, other_pole = {77, -90}, date_line = {180, 10};
    EXPECT(fabs(geo_distance_m(pole, other_pole) - 20020741) < 100);
    EXPECT(geo_distance_m(pole, (struct geo_point){123, 90}) < 0.01);
    EXPECT(geo_distance_m(date_line, (struct geo_point){-180, 10}) < 0.01);
    EXPECT(geo_distance_m(palermo, palermo) == 0);
}

/* Anywhere, with the corners of the earth more often than they come by chance. */
static struct geo_point random_point(uint64_t *random)
{
    static const struct geo_point corners[] = {
        {180, 0}, {-180, 0}, {179.9999, 89.9}, {-179.9999, -89.9}, {0, 90}, {0, -90}, {-180, 90}};
    struct geo_point p = {rng_unit(random) * 360 - 180, rng_unit(random) * 180 - 90};
    return rng_below(random, 8) == 0 ? corners[rng_below(random, COUNT_OF(corners))] : p;
}

/* Near the circle's edge more often than by chance: at some distance to some side. */
static struct geo_point near_edge(const struct geo_circle *c, uint64_t *random)
{
    double far = c->radius_m * (0.9 + rng_unit(random) / 5) / 6372797.560856;
    double side = rng_unit(random) * 6.283185307179586, degree = 0.017453292519943295;
    double from = c->centre.latitude * degree;
    double to = asin(fmin(1, fmax(-1, sin(from) * cos(far) + cos(from) * sin(far) * cos(side))));
    double turn = atan2(sin(side) * sin(far) * cos(from), cos(far) - sin(from) * sin(to));
    double longitude = c->centre.longitude + turn / degree;
    longitude -= longitude > 180 ? 360 : longitude < -180 ? -360 : 0;
    return (struct geo_point){longitude, fmin(90, fmax(-90, to / degree))};
}

TEST(geo, packed_points_are_where_they_were)
{
    uint64_t random = 1;
    for (size_t i = 0; i < POINTS; i++) {
        struct geo_point p = random_point(&random);
        uint64_t packed = geo_pack(p);
        EXPECT(geo_distance_m(p, geo_unpack(packed)) < 0.01);
        EXPECT((uint32_t)packed != GEO_HALF_UNUSED && packed >> 32 != GEO_HALF_UNUSED);
        EXPECT(geo_pack(geo_unpack(packed)) == packed);
        EXPECT(geo_key(packed) >= 0 && geo_key(packed) < 0x1p52);
    }
}

static void check_ranges(const struct geo_range *ranges, size_t count)
{
    REQUIRE(count >= 1 && count <= GEO_RANGES_MAX);
    for (size_t i = 0; i < count; i++)
        EXPECT(ranges[i].first < ranges[i].end && (i == 0 || ranges[i - 1].end <= ranges[i].first));
}

static bool in_ranges(const struct geo_range *ranges, size_t count, double key)
{
    for (size_t i = 0; i < count; i++)
        if (key >= ranges[i].first && key < ranges[i].end)
            return true;
    return false;
}

TEST(geo, ranges_have_every_point_of_their_circle)
{
    uint64_t random = 7;
    size_t inside = 0, named = 0, edges = 0;
    for (size_t i = 0; i < CIRCLES; i++) {
        struct geo_range ranges[GEO_RANGES_MAX];
        double radius = pow(10, rng_unit(&random) * 7.31); /* 1 m to half around the earth */
        struct geo_circle c = geo_circle_of(random_point(&random), i == 0 ? 0 : radius);
        size_t count = geo_circle_ranges(&c, ranges);
        check_ranges(ranges, count);
        for (size_t j = 0; j < POINTS; j++) {
            struct geo_point p = j % 2 ? random_point(&random) : near_edge(&c, &random);
            uint64_t packed = geo_pack(p);
            bool has = geo_distance_m(c.centre, p) <= c.radius_m;
            bool is_named = in_ranges(ranges, count, geo_key(packed));
            enum geo_side side = geo_circle_side(&c, packed);
            EXPECT(geo_circle_has(&c, p) == has);
            EXPECT(is_named || !has);
            EXPECT(side == GEO_AT_EDGE || (side == GEO_INSIDE) == has);
            inside += has;
            named += is_named;
            edges += side == GEO_AT_EDGE && radius > 1000;
        }
    }
    EXPECT(inside > 5000 && named < 3 * inside);
    EXPECT(edges < 500); /* what is packed nearly always tells */
}

TEST(geo, a_circle_around_the_earth_has_all_of_it)
{
    struct geo_range ranges[GEO_RANGES_MAX];
    struct geo_circle c = geo_circle_of((struct geo_point){0, 0}, 3e7);
    size_t count = geo_circle_ranges(&c, ranges);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += ranges[i].end - ranges[i].first;
    EXPECT(sum == 0x1p52);
}
