#include "base/geo.h"

#include <math.h>

#include "base/check.h"

#define PI 3.14159265358979323846
#define RADIUS_M 6372797.560856 /* Redis's */
#define STEPS 4294967294.0      /* of each coordinate */

/* Of what is packed: its place is known to 5 mm, and far from the centre a distance's last digits
 * are not. */
#define DOUBT_M 1.0

enum { KEY_BITS = 26, STEP_BITS = 32, CORNERS = 4, BOXES_MAX = 2 };

static double radians(double degrees)
{
    return degrees * (PI / 180);
}

bool geo_valid(struct geo_point p)
{
    return fabs(p.longitude) <= 180 && fabs(p.latitude) <= 90; /* no NaN is */
}

/* -- text -------------------------------------------------------------------------------------- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t blanks_at(struct slice s, size_t at)
{
    while (at < s.len && is_blank(s.ptr[at]))
        at++;
    return at;
}

/* A number from at on, up to a blank, a comma or the end. */
static bool read_number(struct slice s, size_t *at, double *out)
{
    size_t end = *at;
    while (end < s.len && !is_blank(s.ptr[end]) && s.ptr[end] != ',')
        end++;
    struct slice number = {s.ptr + *at, end - *at};
    *at = end;
    return slice_to_f64(number, out);
}

bool geo_parse(struct slice text, struct geo_point *out)
{
    size_t at = blanks_at(text, 0);
    if (!read_number(text, &at, &out->longitude))
        return false;
    size_t between = at;
    at = blanks_at(text, at);
    if (at < text.len && text.ptr[at] == ',')
        at = blanks_at(text, at + 1);
    if (at == between || !read_number(text, &at, &out->latitude))
        return false;
    return blanks_at(text, at) == text.len && geo_valid(*out);
}

/* -- distances --------------------------------------------------------------------------------- */

double geo_distance_m(struct geo_point a, struct geo_point b)
{
    double from = radians(a.latitude), to = radians(b.latitude);
    double u = sin((to - from) / 2);
    double v = sin(radians(b.longitude - a.longitude) / 2);
    double h = u * u + cos(from) * cos(to) * v * v;
    return 2 * RADIUS_M * asin(sqrt(fmin(h, 1)));
}

struct geo_circle geo_circle_of(struct geo_point centre, double radius_m)
{
    double reach = (radius_m + DOUBT_M) / RADIUS_M * (180 / PI);
    CHECK(geo_valid(centre) && radius_m >= 0 && isfinite(radius_m));
    return (struct geo_circle){centre, radius_m, centre.latitude - reach, centre.latitude + reach};
}

static bool within_latitudes(const struct geo_circle *c, double latitude)
{
    return latitude >= c->latitude_low && latitude <= c->latitude_high;
}

bool geo_circle_has(const struct geo_circle *c, struct geo_point p)
{
    return within_latitudes(c, p.latitude) && geo_distance_m(c->centre, p) <= c->radius_m;
}

/* -- packed points ----------------------------------------------------------------------------- */

static uint32_t step_of(double degrees, double limit)
{
    double step = floor((degrees + limit) / (2 * limit) * STEPS);
    return (uint32_t)fmin(fmax(step, 0), STEPS);
}

static double degrees_of(double step, double limit)
{
    return fmin(step / STEPS * (2 * limit) - limit, limit);
}

uint64_t geo_pack(struct geo_point p)
{
    CHECK(geo_valid(p));
    return (uint64_t)step_of(p.latitude, 90) << STEP_BITS | step_of(p.longitude, 180);
}

struct geo_point geo_unpack(uint64_t packed)
{
    return (struct geo_point){degrees_of((uint32_t)packed + 0.5, 180),
                              degrees_of((double)(packed >> STEP_BITS) + 0.5, 90)};
}

/* The bits of x, with a zero between each and the next. */
static uint64_t spread(uint64_t x)
{
    x = (x | x << 16) & 0x0000ffff0000ffff;
    x = (x | x << 8) & 0x00ff00ff00ff00ff;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
    x = (x | x << 2) & 0x3333333333333333;
    return (x | x << 1) & 0x5555555555555555;
}

static uint64_t key_of(uint32_t x, uint32_t y)
{
    return spread(x) | spread(y) << 1;
}

double geo_key(uint64_t packed)
{
    uint32_t x = (uint32_t)packed >> (STEP_BITS - KEY_BITS);
    uint32_t y = (uint32_t)(packed >> STEP_BITS) >> (STEP_BITS - KEY_BITS);
    return (double)key_of(x, y);
}

enum geo_side geo_circle_side(const struct geo_circle *c, uint64_t packed)
{
    struct geo_point p = geo_unpack(packed);
    if (!within_latitudes(c, p.latitude))
        return GEO_OUTSIDE; /* their reach has the doubt in it */
    double distance = geo_distance_m(c->centre, p);
    if (distance > c->radius_m + DOUBT_M)
        return GEO_OUTSIDE;
    return distance < c->radius_m - DOUBT_M ? GEO_INSIDE : GEO_AT_EDGE;
}

/* -- ranges of keys ---------------------------------------------------------------------------- */

/* Steps of both coordinates, ends included. */
struct box {
    uint32_t west, east, south, north;
};

/* A square of the curve: 2^level of them stand in a row. */
struct cell {
    uint32_t x, y;
    unsigned level;
    bool inside;
};

struct cover {
    const struct geo_circle *circle;
    struct box boxes[BOXES_MAX];
    size_t box_count;
    struct cell cells[GEO_RANGES_MAX];
    size_t count;
};

static void add_box(struct cover *v, double west, double east)
{
    const struct geo_circle *c = v->circle;
    CHECK(v->box_count < BOXES_MAX && west <= east);
    v->boxes[v->box_count++] = (struct box){
        step_of(fmax(west, -180), 180), step_of(fmin(east, 180), 180),
        step_of(fmax(c->latitude_low, -90), 90), step_of(fmin(c->latitude_high, 90), 90)};
}

/* The meridians that touch the circle, by Napier's rule for right-angled spherical triangles; all
 * of them when a pole is in it. Across the date line it is two boxes. */
static void find_boxes(struct cover *v)
{
    const struct geo_circle *c = v->circle;
    double at = c->centre.longitude;
    double reach = radians(c->latitude_high - c->centre.latitude);
    if (c->latitude_low <= -90 || c->latitude_high >= 90) {
        add_box(v, -180, 180);
        return;
    }
    double ratio = sin(reach) / cos(radians(c->centre.latitude));
    double width = asin(fmin(ratio, 1)) * (180 / PI) + 1e-6;
    double west = at - width, east = at + width;
    add_box(v, west, east);
    if (west < -180)
        add_box(v, west + 360, 180);
    else if (east > 180)
        add_box(v, -180, east - 360);
}

static struct box box_of(const struct cell *cell)
{
    unsigned shift = STEP_BITS - cell->level;
    uint32_t last = (uint32_t)(((uint64_t)1 << shift) - 1);
    uint32_t x = (uint32_t)((uint64_t)cell->x << shift), y = (uint32_t)((uint64_t)cell->y << shift);
    return (struct box){x, x + last, y, y + last};
}

static bool touches(const struct cover *v, const struct box *a)
{
    for (size_t i = 0; i < v->box_count; i++) {
        const struct box *b = &v->boxes[i];
        if (a->west <= b->east && b->west <= a->east && a->south <= b->north &&
            b->south <= a->north)
            return true;
    }
    return false;
}

/* By its corners, which is wrong for a square of half the earth only. */
static bool is_inside(const struct cover *v, const struct box *b)
{
    for (unsigned i = 0; i < CORNERS; i++) {
        struct geo_point corner = {degrees_of(i & 1 ? b->east : b->west, 180),
                                   degrees_of(i & 2 ? b->north : b->south, 90)};
        if (!geo_circle_has(v->circle, corner))
            return false;
    }
    return true;
}

/* The squares of a quarter that touch the circle's boxes. */
static size_t split(const struct cover *v, const struct cell *cell, struct cell out[CORNERS])
{
    size_t count = 0;
    for (unsigned i = 0; i < CORNERS; i++) {
        struct cell quarter = {2 * cell->x + (i & 1), 2 * cell->y + (i >> 1), cell->level + 1,
                               false};
        struct box box = box_of(&quarter);
        if (!touches(v, &box))
            continue;
        quarter.inside = is_inside(v, &box);
        out[count++] = quarter;
    }
    return count;
}

/* The largest square that may have something outside of the circle; count when there is none. */
static size_t coarsest(const struct cover *v)
{
    size_t best = v->count;
    for (size_t i = 0; i < v->count; i++)
        if (!v->cells[i].inside && v->cells[i].level < KEY_BITS &&
            (best == v->count || v->cells[i].level < v->cells[best].level))
            best = i;
    return best;
}

static void refine(struct cover *v)
{
    struct cell quarters[CORNERS];
    v->cells[0] = (struct cell){0};
    v->count = 1;
    for (size_t at; (at = coarsest(v)) < v->count;) {
        size_t count = split(v, &v->cells[at], quarters);
        CHECK(count > 0); /* it touches the boxes, so a quarter of it does */
        if (v->count - 1 + count > GEO_RANGES_MAX)
            return;
        v->cells[at] = quarters[0];
        memcpy(v->cells + v->count, quarters + 1, (count - 1) * sizeof(*quarters));
        v->count += count - 1;
    }
}

static struct geo_range range_of(const struct cell *cell)
{
    unsigned shift = 2 * (KEY_BITS - cell->level);
    uint64_t first = key_of(cell->x, cell->y) << shift;
    return (struct geo_range){(double)first, (double)(first + ((uint64_t)1 << shift)),
                              cell->inside};
}

size_t geo_circle_ranges(const struct geo_circle *c, struct geo_range out[GEO_RANGES_MAX])
{
    struct cover v = {.circle = c};
    size_t count = 0;
    find_boxes(&v);
    refine(&v);
    for (size_t i = 0; i < v.count; i++) {
        struct geo_range range = range_of(&v.cells[i]);
        size_t at = count++;
        for (; at > 0 && out[at - 1].first > range.first; at--)
            out[at] = out[at - 1];
        out[at] = range;
    }
    return count;
}
