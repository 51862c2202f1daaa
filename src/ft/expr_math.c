#include <math.h>

#include "ft/expr_program.h"

/* What is no number is none afterwards. */
static enum err apply(const struct expr_call *call, struct value *out, double (*fn)(double))
{
    double x;
    *out = value_number(value_to_number(&call->args[0], &x) ? fn(x) : NAN);
    return OK;
}

enum err expr_log(const struct expr_call *call, struct value *out)
{
    return apply(call, out, log);
}

enum err expr_log2(const struct expr_call *call, struct value *out)
{
    return apply(call, out, log2);
}

enum err expr_floor(const struct expr_call *call, struct value *out)
{
    return apply(call, out, floor);
}

enum err expr_abs(const struct expr_call *call, struct value *out)
{
    return apply(call, out, fabs);
}

enum err expr_ceil(const struct expr_call *call, struct value *out)
{
    return apply(call, out, ceil);
}

enum err expr_sqrt(const struct expr_call *call, struct value *out)
{
    return apply(call, out, sqrt);
}

enum err expr_exp(const struct expr_call *call, struct value *out)
{
    return apply(call, out, exp);
}

/* -- geodistance ------------------------------------------------------------------------------- */

struct place {
    double longitude, latitude; /* degrees */
};

/* "longitude,latitude", perhaps with a blank between. */
static bool read_place(const struct value *v, struct place *out)
{
    if (v->kind != VALUE_TEXT)
        return false;
    struct slice s = value_slice(v);
    size_t comma = 0;
    while (comma < s.len && s.ptr[comma] != ',' && s.ptr[comma] != ' ')
        comma++;
    size_t second = comma;
    while (second < s.len && (s.ptr[second] == ',' || s.ptr[second] == ' '))
        second++;
    return slice_to_f64((struct slice){s.ptr, comma}, &out->longitude) &&
           slice_to_f64((struct slice){s.ptr + second, s.len - second}, &out->latitude);
}

static bool read_pair(const struct value *longitude, const struct value *latitude,
                      struct place *out)
{
    return value_to_number(longitude, &out->longitude) && value_to_number(latitude, &out->latitude);
}

/* Two places, each as one argument or as two. */
static bool read_places(const struct expr_call *call, struct place out[2])
{
    const struct value *a = call->args;
    double number;
    if (call->count == 2)
        return read_place(&a[0], &out[0]) && read_place(&a[1], &out[1]);
    if (call->count == 4)
        return read_pair(&a[0], &a[1], &out[0]) && read_pair(&a[2], &a[3], &out[1]);
    if (value_to_number(&a[0], &number))
        return read_pair(&a[0], &a[1], &out[0]) && read_place(&a[2], &out[1]);
    return read_place(&a[0], &out[0]) && read_pair(&a[1], &a[2], &out[1]);
}

/* Meters along a great circle (haversine), on the sphere that Redis's GEO commands have. */
static double distance_m(const struct place p[2])
{
    const double radius_m = 6372797.560856, radian = 0.017453292519943295769;
    double north = p[0].latitude * radian, south = p[1].latitude * radian;
    double u = sin((south - north) / 2);
    double v = sin((p[1].longitude - p[0].longitude) * radian / 2);
    return 2 * radius_m * asin(sqrt(u * u + cos(north) * cos(south) * v * v));
}

enum err expr_geodistance(const struct expr_call *call, struct value *out)
{
    struct place places[2];
    *out = value_number(read_places(call, places) ? round(distance_m(places) * 100) / 100 : NAN);
    return OK;
}
