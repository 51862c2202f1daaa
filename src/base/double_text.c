/* The shortest decimal inside the interval of reals that round to a double, and of those the
 * nearest. Replies with vectors hold thousands of numbers, so trying printf with more and more
 * digits (900 ns a number) would hold up the loop. Where distances and components live, from about
 * 4e-12 to 2^53, the interval is computed exactly in 128-bit integers instead: Giulietti 2018, "The
 * Schubfach way to render doubles", whose choice of the power of ten we take; its tables are not
 * needed, because in this range the powers of five fit 64 bits. */
#include "base/double_text.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum {
    EXACT_DIGITS = DOUBLE_DIGITS_MAX,
    SURE_DIGITS = 15, /* so many digits survive text -> double -> text (DBL_DIG) */
    MANTISSA_BITS = 52,
    EXPONENT_BIAS = 1075, /* of the mantissa as a whole number */
    POWER_MAX = 27        /* 5^27 is the largest power below 2^63 */
};

__extension__ typedef unsigned __int128 u128;

/* Appends the decimal digits of value. */
static void decimal_set(struct double_decimal *d, uint64_t value)
{
    char reversed[20];
    int count = 0;
    for (; value != 0; value /= 10)
        reversed[count++] = (char)('0' + value % 10);
    CHECK(count > 0 && count <= EXACT_DIGITS);
    d->count = count;
    for (int i = 0; i < count; i++)
        d->digits[i] = reversed[count - 1 - i];
}

static void decimal_trim(struct double_decimal *d)
{
    while (d->count > 1 && d->digits[d->count - 1] == '0')
        d->count--;
}

static uint64_t power_of_five(int n)
{
    uint64_t power = 1;
    for (; n > 0; n--)
        power *= 5;
    return power;
}

/* The shortest decimal of mantissa * 2^exponent as *digits * 10^-n, where 10^-n is the largest
 * power of ten not above the distance 2^exponent between neighbours. So at most one multiple of
 * 10^(1-n) is in the interval, and it is shorter than any other number there. All figures are in
 * units of 10^-n / 2^(shift + 1), in which the interval's ends are whole. */
static uint64_t shortest_in_interval(uint64_t mantissa, int exponent, int n)
{
    CHECK(n > 0 && n <= POWER_MAX && exponent + n <= 0);
    int unit_bits = 1 - (exponent + n);
    uint64_t half = power_of_five(n); /* of the interval */
    u128 value = (u128)mantissa * half * 2;
    u128 lower = value - half;
    u128 upper = value + half;
    bool closed = mantissa % 2 == 0; /* ties round to even, so the ends belong to even mantissas */

    uint64_t shorter = (uint64_t)(upper >> unit_bits) / 10 * 10;
    u128 at = (u128)shorter << unit_bits;
    if ((at > lower && at < upper) || (closed && (at == lower || at == upper)))
        return shorter;

    uint64_t below = (uint64_t)(value >> unit_bits);
    u128 rest = value - ((u128)below << unit_bits);
    u128 middle = (u128)1 << (unit_bits - 1);
    bool up = rest > middle || (rest == middle && below % 2 == 1);
    return below + up;
}

/* False outside the range that 128 bits serve, and for powers of two, whose interval is lopsided.
 */
static bool decimal_of_ordinary(double magnitude, struct double_decimal *d)
{
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof(bits));
    uint64_t fraction = bits & ((1ULL << MANTISSA_BITS) - 1);
    int exponent = (int)(bits >> MANTISSA_BITS) - EXPONENT_BIAS;
    if (fraction == 0 || exponent >= 0 || exponent < -89)
        return false;
    /* ceil(-exponent * log10(2)): 1262611 / 2^22 is near enough for |exponent| < 1500 (Schubfach)
     */
    int n = (-exponent * 1262611 + (1 << 22) - 1) >> 22;
    decimal_set(d, shortest_in_interval(fraction | 1ULL << MANTISSA_BITS, exponent, n));
    d->exponent = d->count - 1 - n;
    decimal_trim(d);
    return true;
}

/* By trial: the fewest digits that read back. Fewer than SURE_DIGITS can only be missed where
 * doubles lose precision, below DBL_MIN. */
static void decimal_of_any(double magnitude, struct double_decimal *d)
{
    char text[DOUBLE_TEXT_MAX];
    int digits = magnitude < DBL_MIN ? 1 : SURE_DIGITS;
    do {
        (void)snprintf(text, sizeof(text), "%.*e", digits - 1, magnitude);
        digits++;
    } while (digits <= EXACT_DIGITS && strtod(text, NULL) != magnitude);
    d->count = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p != '.')
            d->digits[d->count++] = *p;
    d->exponent = (int)strtol(p + 1, NULL, 10);
    decimal_trim(d);
}

/* 0.000ddd, ddd.ddd or ddd000 */
static char *write_plain(const struct double_decimal *d, char *to)
{
    if (d->exponent < 0) {
        *to++ = '0';
        *to++ = '.';
        for (int i = -1; i > d->exponent; i--)
            *to++ = '0';
    }
    for (int i = 0; i < d->count; i++) {
        if (i > 0 && i == d->exponent + 1)
            *to++ = '.';
        *to++ = d->digits[i];
    }
    for (int i = d->count; i <= d->exponent; i++)
        *to++ = '0';
    return to;
}

/* d.ddde-xx, with at least two digits of exponent as printf has them */
static char *write_exponent(const struct double_decimal *d, char *to)
{
    *to++ = d->digits[0];
    if (d->count > 1)
        *to++ = '.';
    for (int i = 1; i < d->count; i++)
        *to++ = d->digits[i];
    *to++ = 'e';
    *to++ = d->exponent < 0 ? '-' : '+';
    int exponent = abs(d->exponent);
    if (exponent >= 100)
        *to++ = (char)('0' + exponent / 100);
    *to++ = (char)('0' + exponent / 10 % 10);
    *to++ = (char)('0' + exponent % 10);
    return to;
}

static size_t word_to_text(const char *word, char text[DOUBLE_TEXT_MAX])
{
    size_t size = strlen(word);
    memcpy(text, word, size + 1);
    return size;
}

void double_decimal(double magnitude, struct double_decimal *out)
{
    CHECK(isfinite(magnitude) && magnitude > 0);
    if (magnitude < 0x1p53 && magnitude == floor(magnitude)) {
        decimal_set(out, (uint64_t)magnitude);
        out->exponent = out->count - 1;
        decimal_trim(out);
    } else if (!decimal_of_ordinary(magnitude, out)) {
        decimal_of_any(magnitude, out);
    }
}

size_t double_to_text(double value, char text[DOUBLE_TEXT_MAX])
{
    if (isnan(value))
        return word_to_text("nan", text);
    if (isinf(value))
        return word_to_text(value > 0 ? "inf" : "-inf", text);
    double magnitude = fabs(value);
    if (magnitude == 0)
        return word_to_text(signbit(value) ? "-0" : "0", text);

    struct double_decimal d;
    double_decimal(magnitude, &d);
    char *to = text;
    if (signbit(value))
        *to++ = '-';
    bool plain = magnitude >= 1e-7 && magnitude < 1e17;
    to = plain ? write_plain(&d, to) : write_exponent(&d, to);
    *to = '\0';
    CHECK(to < text + DOUBLE_TEXT_MAX);
    return (size_t)(to - text);
}
