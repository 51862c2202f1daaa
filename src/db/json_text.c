/* json_text.c: what the text of a JSON number or string stands for. */
#include "db/json_scan.h"

#include <stdlib.h>

enum {
    EXACT_DIGITS_MAX = 19,   /* digits that always fit 64 bits */
    EXACT_DECIMALS_MAX = 22, /* 10^22 is the largest power of ten that a double has exactly */
    SURROGATE_HIGH = 0xd800, /* first half of a pair */
    SURROGATE_LOW = 0xdc00,  /* second half */
    SURROGATE_END = 0xe000,
    REPLACEMENT = 0xfffd
};

static const double powers_of_ten[EXACT_DECIMALS_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The common case without strtod (Clinger 1990): when the digits fit 53 bits and the power of ten
 * is exact, one division of exact numbers rounds correctly. False: it is another case. */
static bool short_number(struct slice text, double *out)
{
    const uint8_t *p = text.ptr, *end = text.ptr + text.len, *point = NULL;
    bool negative = *p == '-';
    p += negative;
    if (end - p > EXACT_DIGITS_MAX)
        return false;
    uint64_t digits = 0;
    for (; p < end; p++) {
        if ((uint8_t)(*p - '0') <= 9)
            digits = digits * 10 + (uint64_t)(*p - '0');
        else if (*p == '.')
            point = p + 1;
        else
            return false;
    }
    size_t decimals = point == NULL ? 0 : (size_t)(end - point);
    if (digits > (uint64_t)1 << 53 || decimals > EXACT_DECIMALS_MAX)
        return false;
    double value = (double)digits / powers_of_ten[decimals];
    *out = negative ? -value : value;
    return true;
}

double json_number(const struct json_value *v)
{
    CHECK(v->kind == JSON_NUMBER && v->text.len > 0);
    double value;
    if (short_number(v->text, &value))
        return value;
    /* strtod wants a NUL behind the number. A blank, comma or bracket that closes the container
     * stops it as well, and lies inside the JSON text that was checked. */
    return strtod((const char *)v->text.ptr, NULL);
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of the \uXXXX at p, -1 when it is none. */
static int32_t unicode_escape(const uint8_t *p, const uint8_t *end)
{
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    int32_t unit = 0;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static uint8_t utf8_encode(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    uint8_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = size - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (uint8_t)((0xf00 >> size & 0xff) | code);
    return size;
}

static size_t decode_unicode(const uint8_t *p, const uint8_t *end, uint8_t out[4],
                             uint8_t *out_size)
{
    int32_t unit = unicode_escape(p, end);
    if (unit < 0)
        return 0;
    if (unit < SURROGATE_HIGH || unit >= SURROGATE_END) {
        *out_size = utf8_encode((uint32_t)unit, out);
        return 6;
    }
    int32_t low = unit < SURROGATE_LOW ? unicode_escape(p + 6, end) : -1;
    if (low < SURROGATE_LOW || low >= SURROGATE_END) {
        *out_size = utf8_encode(REPLACEMENT, out);
        return 6;
    }
    uint32_t code =
        0x10000 + (((uint32_t)unit - SURROGATE_HIGH) << 10) + ((uint32_t)low - SURROGATE_LOW);
    *out_size = utf8_encode(code, out);
    return 12;
}

size_t json_escape_decode(const uint8_t *p, const uint8_t *end, uint8_t out[4], uint8_t *out_size)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    CHECK(p < end && *p == '\\');
    if (end - p < 2)
        return 0;
    if (p[1] == 'u')
        return decode_unicode(p, end, out, out_size);
    const char *found = memchr(letters, p[1], sizeof(letters) - 1);
    if (found == NULL)
        return 0;
    out[0] = (uint8_t)meanings[found - letters];
    *out_size = 1;
    return 2;
}

int json_chars_unescape(struct json_chars *c)
{
    if (c->pending_left == 0) {
        size_t size = json_escape_decode(c->p, c->end, c->pending, &c->pending_size);
        CHECK(size > 0); /* the string was checked when it was found */
        c->p += size;
        c->pending_left = c->pending_size;
    }
    return c->pending[c->pending_size - c->pending_left--];
}
