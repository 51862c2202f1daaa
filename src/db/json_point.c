#include "db/json_point.h"

enum { TEXT_MAX = 128 }; /* of two numbers with all their digits, and blanks */

static bool string_point(const struct json_value *v, struct geo_point *out)
{
    uint8_t text[TEXT_MAX];
    size_t size = 0;
    struct json_chars chars = json_chars_of(v->text, v->escaped);
    if (!v->escaped)
        return v->text.len <= TEXT_MAX && geo_parse(v->text, out);
    for (int c; (c = json_chars_next(&chars)) >= 0; text[size++] = (uint8_t)c)
        if (size == TEXT_MAX)
            return false;
    return geo_parse((struct slice){text, size}, out);
}

static bool array_point(const struct json_value *v, struct geo_point *out)
{
    struct json_items items = json_items_of(v);
    struct json_value longitude, latitude, extra;
    if (!json_items_next(&items, &longitude) || longitude.kind != JSON_NUMBER ||
        !json_items_next(&items, &latitude) || latitude.kind != JSON_NUMBER ||
        json_items_next(&items, &extra))
        return false;
    *out = (struct geo_point){json_number(&longitude), json_number(&latitude)};
    return geo_valid(*out);
}

bool json_point(const struct json_value *v, struct geo_point *out)
{
    return v->kind == JSON_STRING  ? string_point(v, out)
           : v->kind == JSON_ARRAY ? array_point(v, out)
                                   : false;
}

bool json_point_within(const struct json_value *v, const struct geo_circle *circle)
{
    struct geo_point p;
    if (json_point(v, &p))
        return geo_circle_has(circle, p);
    if (v->kind != JSON_ARRAY)
        return false;
    struct json_items items = json_items_of(v);
    struct json_value item;
    while (json_items_next(&items, &item))
        if (json_point(&item, &p) && geo_circle_has(circle, p))
            return true;
    return false;
}
