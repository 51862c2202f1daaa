/* Functions about time: seconds since 1970, in UTC. What is no such number gives NULL. */
#include <math.h>

#include "base/calendar.h"
#include "ft/expr_program.h"

enum { FORMAT_SIZE = 256, TIME_SIZE = 1024, DAY_S = 86400 };

static bool read_time(const struct value *v, struct calendar *out, int64_t *seconds)
{
    double number;
    if (!value_to_number(v, &number) || !(number >= 0 && number < 0x1p62))
        return false;
    *seconds = (int64_t)number;
    return calendar_of(*seconds, out);
}

/* A text as C has it, without bytes of 0. */
static bool terminated(struct slice s, char out[FORMAT_SIZE])
{
    if (s.len == 0 || s.len >= FORMAT_SIZE || memchr(s.ptr, 0, s.len) != NULL)
        return false;
    memcpy(out, s.ptr, s.len);
    out[s.len] = 0;
    return true;
}

enum err expr_timefmt(const struct expr_call *call, struct value *out)
{
    struct slice shape = slice_of("%FT%TZ");
    char format[FORMAT_SIZE], text[TIME_SIZE];
    struct calendar date;
    int64_t seconds;
    enum err e = call->count > 1 ? expr_text(call, 1, &shape) : OK;
    if (e != OK || !read_time(&call->args[0], &date, &seconds) || !terminated(shape, format))
        return e;
    size_t size = calendar_print(seconds, format, text, sizeof(text));
    if (size > 0)
        *out = value_text(call->arena, (struct slice){(const uint8_t *)text, size});
    return arena_error(call->arena, call->why);
}

enum err expr_parsetime(const struct expr_call *call, struct value *out)
{
    struct slice text = {0}, shape = {0};
    char bytes[FORMAT_SIZE], format[FORMAT_SIZE];
    int64_t seconds;
    enum err e = expr_text(call, 0, &text);
    if (e == OK)
        e = expr_text(call, 1, &shape);
    if (e == OK && terminated(text, bytes) && terminated(shape, format) &&
        calendar_parse(bytes, format, &seconds))
        *out = value_number((double)seconds);
    return e;
}

/* -- cut to a unit ----------------------------------------------------------------------------- */

static enum err cut(const struct expr_call *call, struct value *out, int64_t unit_s)
{
    struct calendar date;
    int64_t seconds;
    if (read_time(&call->args[0], &date, &seconds))
        *out = value_number((double)(seconds - seconds % unit_s));
    return OK;
}

enum err expr_minute(const struct expr_call *call, struct value *out)
{
    return cut(call, out, 60);
}

enum err expr_hour(const struct expr_call *call, struct value *out)
{
    return cut(call, out, 3600);
}

enum err expr_day(const struct expr_call *call, struct value *out)
{
    return cut(call, out, DAY_S);
}

enum err expr_month(const struct expr_call *call, struct value *out)
{
    struct calendar date;
    int64_t seconds;
    if (read_time(&call->args[0], &date, &seconds))
        *out = value_number((double)(seconds - seconds % DAY_S - (date.day - 1) * DAY_S));
    return OK;
}

/* -- parts of a date --------------------------------------------------------------------------- */

enum err expr_year(const struct expr_call *call, struct value *out)
{
    struct calendar date;
    int64_t seconds;
    if (read_time(&call->args[0], &date, &seconds))
        *out = value_number(date.year);
    return OK;
}

enum err expr_monthofyear(const struct expr_call *call, struct value *out)
{
    struct calendar date;
    int64_t seconds;
    if (read_time(&call->args[0], &date, &seconds))
        *out = value_number(date.month - 1);
    return OK;
}

enum err expr_dayofmonth(const struct expr_call *call, struct value *out)
{
    struct calendar date;
    int64_t seconds;
    if (read_time(&call->args[0], &date, &seconds))
        *out = value_number(date.day);
    return OK;
}

enum err expr_dayofweek(const struct expr_call *call, struct value *out)
{
    struct calendar date;
    int64_t seconds;
    if (read_time(&call->args[0], &date, &seconds))
        *out = value_number(date.day_of_week);
    return OK;
}

enum err expr_dayofyear(const struct expr_call *call, struct value *out)
{
    struct calendar date;
    int64_t seconds;
    if (read_time(&call->args[0], &date, &seconds))
        *out = value_number(date.day_of_year);
    return OK;
}
