/* calendar.h: seconds since 1970 as parts of a date, in UTC, and as texts of a shape that somebody
 * says. Pure; no state. */
#ifndef VDB_BASE_CALENDAR_H
#define VDB_BASE_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct calendar {
    int year, month, day;         /* of the month; month and day from 1 */
    int day_of_week, day_of_year; /* from 0, Sunday first */
};

/* From 1970 to 9999; false for anything else. */
bool calendar_of(int64_t seconds, struct calendar *out);
/* As strftime does it; 0: there is no room, or nothing to print. */
size_t calendar_print(int64_t seconds, const char *shape, char *out, size_t size);
/* As strptime does it; false when the text is not like the shape. */
bool calendar_parse(const char *text, const char *shape, int64_t *seconds);

#endif
