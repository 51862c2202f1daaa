/* geo.h: points on the earth, circles around them, and the cells that indexes keep them in.
 *
 * The earth is a sphere of Redis's radius and distances are great circles by the haversine formula
 * (Sinnott 1984), so GEODIST and these agree. A packed point has its place to 5 mm, in 64 bits that
 * lanes read at once. Its key is its number along a Z-order curve (Morton 1966) over the two
 * coordinates, 26 bits of each, which a double holds exactly: a circle is some ranges of keys.
 *
 * Pure; no state. */
#ifndef VDB_BASE_GEO_H
#define VDB_BASE_GEO_H

#include "base/slice.h"

struct geo_point {
    double longitude, latitude; /* degrees: -180 .. 180, -90 .. 90 */
};

bool geo_valid(struct geo_point p);
/* "longitude,latitude"; blanks may stand around them, or in place of the comma. */
bool geo_parse(struct slice text, struct geo_point *out);
double geo_distance_m(struct geo_point a, struct geo_point b);

/* Everything within radius_m of the centre, the edge included. */
struct geo_circle {
    struct geo_point centre;
    double radius_m;
    double latitude_low, latitude_high; /* a little more than it reaches */
};

/* The centre is valid, the radius is finite and not negative. */
struct geo_circle geo_circle_of(struct geo_point centre, double radius_m);
bool geo_circle_has(const struct geo_circle *c, struct geo_point p);

/* -- cells ------------------------------------------------------------------------------------- */

/* The halves of a packed point are never this: columns have room there for what is no point. */
#define GEO_HALF_UNUSED ((uint64_t)UINT32_MAX)

uint64_t geo_pack(struct geo_point p);
/* The middle of what is packed alike. */
struct geo_point geo_unpack(uint64_t packed);
double geo_key(uint64_t packed);

enum geo_side { GEO_OUTSIDE, GEO_INSIDE, GEO_AT_EDGE /* what is packed does not tell */ };
enum geo_side geo_circle_side(const struct geo_circle *c, uint64_t packed);

/* Keys first <= key < end. */
struct geo_range {
    double first, end;
    bool inside; /* all of it lies in the circle, about: good for estimates */
};

enum { GEO_RANGES_MAX = 32 };

/* Ranges, ascending and apart from each other, that have all points of the circle and some around
 * it. Returns how many there are: 1 to GEO_RANGES_MAX. */
size_t geo_circle_ranges(const struct geo_circle *c, struct geo_range out[GEO_RANGES_MAX]);

#endif
