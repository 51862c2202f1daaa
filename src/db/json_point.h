/* json_point.h: points of the earth in attributes: "longitude,latitude" or [longitude, latitude],
 * and lists of those. Pure. */
#ifndef VDB_DB_JSON_POINT_H
#define VDB_DB_JSON_POINT_H

#include "base/geo.h"
#include "db/json_scan.h"

/* One point; false: the value is something else, a list of points too. */
bool json_point(const struct json_value *v, struct geo_point *out);

/* Is it a point in the circle, or a list with such a point? */
bool json_point_within(const struct json_value *v, const struct geo_circle *circle);

#endif
