#include "base/calendar.h"

#include <time.h>

static bool split(int64_t seconds, struct tm *out)
{
    const int64_t end = 253402300800; /* 10000-01-01 */
    time_t time = (time_t)seconds;
    return seconds >= 0 && seconds < end && gmtime_r(&time, out) != NULL;
}

bool calendar_of(int64_t seconds, struct calendar *out)
{
    struct tm tm;
    if (!split(seconds, &tm))
        return false;
    *out = (struct calendar){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_wday, tm.tm_yday};
    return true;
}

size_t calendar_print(int64_t seconds, const char *shape, char *out, size_t size)
{
    struct tm tm;
    return split(seconds, &tm) ? strftime(out, size, shape, &tm) : 0;
}

bool calendar_parse(const char *text, const char *shape, int64_t *seconds)
{
    struct tm tm = {0};
    tm.tm_mday = 1;
    if (strptime(text, shape, &tm) == NULL)
        return false;
    *seconds = (int64_t)timegm(&tm);
    return true;
}
