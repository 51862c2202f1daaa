#include "json/numbers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/check.h"
#include "base/double_text.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool jnum_is_integer(struct slice number)
{
    for (size_t i = 0; i < number.len; i++)
        if (number.ptr[i] != '-' && !is_digit(number.ptr[i]))
            return false;
    return true;
}

bool jnum_integer(struct slice number, int64_t *out)
{
    return slice_to_i64(number, out);
}

/* Up to 19 digits and a power of ten that doubles have exactly: one multiplication or division,
 * rounded once (Clinger 1990). False: it takes more. */
static bool easy_value(struct slice number, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    size_t i = number.ptr[0] == '-', digits = 0, behind = 0;
    uint64_t mantissa = 0;
    bool point = false;
    for (; i < number.len; i++) {
        uint8_t c = number.ptr[i];
        if (c == '.') {
            point = true;
            continue;
        }
        if (!is_digit(c))
            return false;
        digits += mantissa > 0 || c != '0';
        if (digits > 18)
            return false;
        mantissa = mantissa * 10 + (uint64_t)(c - '0');
        behind += point;
    }
    if (mantissa > (UINT64_C(1) << 53) || behind >= COUNT_OF(powers))
        return false;
    *out = (double)mantissa / powers[behind];
    if (number.ptr[0] == '-')
        *out = -*out;
    return true;
}

double jnum_value(struct slice number)
{
    double value;
    if (easy_value(number, &value))
        return value;
    bool good = slice_to_f64(number, &value);
    CHECK(good);
    return value;
}

/* -- printing ---------------------------------------------------------------------------------- */

size_t jnum_print_integer(int64_t value, char text[JNUM_TEXT_MAX])
{
    int size = snprintf(text, JNUM_TEXT_MAX, "%" PRId64, value);
    CHECK(size > 0 && size < JNUM_TEXT_MAX);
    return (size_t)size;
}

/* 12.5, 1200.0, 0.0012 */
static char *print_plain(const struct double_decimal *d, char *to)
{
    if (d->exponent < 0)
        *to++ = '0';
    for (int i = 0; i <= d->exponent; i++)
        *to++ = i < d->count ? d->digits[i] : '0';
    *to++ = '.';
    for (int i = -1; i > d->exponent; i--)
        *to++ = '0';
    int behind = d->exponent < 0 ? 0 : d->exponent + 1;
    if (behind >= d->count)
        *to++ = '0';
    for (int i = behind; i < d->count; i++)
        *to++ = d->digits[i];
    return to;
}

/* 1e20, 1.25e-7 */
static char *print_exponent(const struct double_decimal *d, char *to)
{
    *to++ = d->digits[0];
    if (d->count > 1) {
        *to++ = '.';
        for (int i = 1; i < d->count; i++)
            *to++ = d->digits[i];
    }
    return to + snprintf(to, 8, "e%d", d->exponent);
}

size_t jnum_print(double value, char text[JNUM_TEXT_MAX])
{
    enum { PLAIN_FROM = -5, PLAIN_TO = 15 }; /* exponents that are printed plainly, as serde does */
    struct double_decimal d = {.digits = "0", .count = 1};
    double magnitude = fabs(value);
    CHECK(isfinite(value));
    if (magnitude > 0)
        double_decimal(magnitude, &d);
    char *to = text;
    if (signbit(value))
        *to++ = '-';
    bool plain = d.exponent >= PLAIN_FROM && d.exponent <= PLAIN_TO;
    to = plain ? print_plain(&d, to) : print_exponent(&d, to);
    CHECK(to - text < JNUM_TEXT_MAX);
    return (size_t)(to - text);
}

/* -- reading ----------------------------------------------------------------------------------- */

static size_t digits_at(struct slice text, size_t from)
{
    size_t at = from;
    while (at < text.len && is_digit(text.ptr[at]))
        at++;
    return at - from;
}

size_t jnum_scan(struct slice text, size_t *at, bool *cut)
{
    size_t i = text.len > 0 && text.ptr[0] == '-', digits = digits_at(text, i);
    if (digits > 1 && text.ptr[i] == '0') {
        *at = i + 1;
        *cut = false;
        return 0;
    }
    i += digits;
    if (digits > 0 && i < text.len && text.ptr[i] == '.') {
        digits = digits_at(text, i + 1);
        i += digits + 1;
    }
    if (digits > 0 && i < text.len && (text.ptr[i] == 'e' || text.ptr[i] == 'E')) {
        i++;
        i += i < text.len && (text.ptr[i] == '+' || text.ptr[i] == '-');
        digits = digits_at(text, i);
        i += digits;
    }
    *at = i;
    *cut = i == text.len;
    return digits > 0 ? i : 0;
}

/* Is it as jnum_print would print it, by its looks alone? Up to 15 digits survive text -> double ->
 * text, so what has no zeros at its end and no exponent is printed as it came. */
static bool stands(struct slice number)
{
    enum { DIGITS = 15, ZEROS = 4 };
    size_t i = number.ptr[0] == '-', digits = 0, zeros = 0;
    bool point = false;
    for (; i < number.len; i++) {
        uint8_t c = number.ptr[i];
        if (c == '.')
            point = true;
        else if (!is_digit(c))
            return false;
        else if (digits > 0 || c != '0')
            digits++;
        else
            zeros += point;
    }
    bool ends = number.ptr[number.len - 1] != '0' || number.ptr[number.len - 2] == '.';
    return point && ends && digits > 0 && digits <= DIGITS && zeros <= ZEROS;
}

bool jnum_canonical(struct slice number, char text[JNUM_TEXT_MAX], struct slice *out)
{
    int64_t integer;
    uint64_t large;
    double value;
    *out = number;
    bool whole = jnum_is_integer(number);
    bool zero =
        whole && slice_eq(number, slice_of("-0")); /* a double: integers have no such zero */
    if (whole && !zero && (slice_to_i64(number, &integer) || slice_to_u64(number, &large)))
        return true;
    if (!whole && stands(number))
        return true;
    if (whole || !easy_value(number, &value)) {
        /* More than the 255 bytes that slice_to_f64 takes are out of range likewise. */
        if (!slice_to_f64(number, &value) || !isfinite(value))
            return false;
    }
    *out = (struct slice){(const uint8_t *)text, jnum_print(value, text)};
    return true;
}
