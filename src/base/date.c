#include "base/date.h"

#include <stdio.h>

#include "base/check.h"

enum { MS_PER_DAY = 24 * 60 * 60 * 1000, SECONDS_END = 19 /* of "2026-11-23T06:00:00" */ };

struct date {
    int year, month, day; /* from 1 */
};

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static uint64_t days_of_year(int year)
{
    return is_leap(year) ? 366 : 365;
}

static uint64_t days_of_month(int year, int month)
{
    static const uint64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    CHECK(month >= 1 && month <= 12);
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Counts years and months off: a hundred steps are nothing beside what dates are printed for. */
static struct date date_of_days(uint64_t days)
{
    struct date d = {1970, 1, 1};
    for (; days >= days_of_year(d.year); d.year++)
        days -= days_of_year(d.year);
    for (; days >= days_of_month(d.year, d.month); d.month++)
        days -= days_of_month(d.year, d.month);
    d.day += (int)days;
    return d;
}

static uint64_t days_of_date(struct date d)
{
    uint64_t days = (uint64_t)d.day - 1;
    for (int year = 1970; year < d.year; year++)
        days += days_of_year(year);
    for (int month = 1; month < d.month; month++)
        days += days_of_month(d.year, month);
    return days;
}

void date_print(uint64_t wall_ms, char out[DATE_SIZE])
{
    char text[80];
    struct date d = date_of_days(wall_ms / MS_PER_DAY);
    unsigned second = (unsigned)(wall_ms % MS_PER_DAY / 1000);
    int len =
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02u:%02u:%02u.%03uZ", d.year, d.month, d.day,
                 second / 3600, second / 60 % 60, second % 60, (unsigned)(wall_ms % 1000));
    CHECK(len == DATE_SIZE - 1);
    memcpy(out, text, DATE_SIZE);
}

void date_print_compact(uint64_t wall_ms, char out[DATE_COMPACT_SIZE])
{
    char text[80];
    struct date d = date_of_days(wall_ms / MS_PER_DAY);
    unsigned second = (unsigned)(wall_ms % MS_PER_DAY / 1000);
    int len = snprintf(text, sizeof(text), "%04d%02d%02dT%02u%02u%02uZ", d.year, d.month, d.day,
                       second / 3600, second / 60 % 60, second % 60);
    CHECK(len == DATE_COMPACT_SIZE - 1);
    memcpy(out, text, DATE_COMPACT_SIZE);
}

/* Digits of a fixed width at a place of the text, zeros in front too. */
static bool number_at(struct slice text, size_t at, size_t width, int *out)
{
    *out = 0;
    if (at + width > text.len)
        return false;
    for (size_t i = at; i < at + width; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *out = *out * 10 + (text.ptr[i] - '0');
    }
    return true;
}

/* What may follow the seconds: ".250", "Z", both or nothing. */
static bool parse_end(struct slice text, uint64_t *ms)
{
    uint64_t unit = 100;
    *ms = 0;
    if (text.len > 0 && text.ptr[text.len - 1] == 'Z')
        text.len--;
    for (size_t i = 1; i < text.len; i++, unit /= 10) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *ms += unit * (uint64_t)(text.ptr[i] - '0');
    }
    return text.len == 0 || (text.len > 1 && text.ptr[0] == '.');
}

bool date_parse(struct slice text, uint64_t *wall_ms)
{
    struct date d;
    int hour, minute, second;
    uint64_t ms;
    bool digits = number_at(text, 0, 4, &d.year) && number_at(text, 5, 2, &d.month) &&
                  number_at(text, 8, 2, &d.day) && number_at(text, 11, 2, &hour) &&
                  number_at(text, 14, 2, &minute) && number_at(text, 17, 2, &second);
    if (!digits || text.ptr[4] != '-' || text.ptr[7] != '-' || text.ptr[13] != ':' ||
        text.ptr[16] != ':' || (text.ptr[10] != 'T' && text.ptr[10] != ' ') ||
        !parse_end((struct slice){text.ptr + SECONDS_END, text.len - SECONDS_END}, &ms))
        return false;
    if (d.year < 1970 || d.month < 1 || d.month > 12 || d.day < 1 ||
        (uint64_t)d.day > days_of_month(d.year, d.month) || hour > 23 || minute > 59 || second > 60)
        return false;
    uint64_t seconds = (uint64_t)(hour * 3600 + minute * 60 + second);
    *wall_ms = days_of_date(d) * MS_PER_DAY + seconds * 1000 + ms;
    return true;
}
