#include "base/slice.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"

enum { FLOAT_TEXT_MAX = 255 };

int slice_cmp(struct slice a, struct slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static uint8_t ascii_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool slice_eq_nocase(struct slice a, const char *word)
{
    CHECK(word != NULL);
    for (size_t i = 0; i < a.len; i++)
        if (word[i] == '\0' || ascii_lower(a.ptr[i]) != ascii_lower((uint8_t)word[i]))
            return false;
    return word[a.len] == '\0';
}

bool slice_to_u64(struct slice s, uint64_t *out)
{
    CHECK(out != NULL);
    if (s.len == 0 || s.len > 20 || (s.len > 1 && s.ptr[0] == '0'))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint64_t digit = (uint64_t)s.ptr[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool slice_to_i64(struct slice s, int64_t *out)
{
    CHECK(out != NULL);
    bool negative = s.len > 0 && s.ptr[0] == '-';
    uint64_t magnitude = 0;
    struct slice digits = negative ? (struct slice){s.ptr + 1, s.len - 1} : s;
    if (!slice_to_u64(digits, &magnitude) || (negative && magnitude == 0))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(~magnitude + 1) : (int64_t)magnitude;
    return true;
}

bool slice_to_f64(struct slice s, double *out)
{
    CHECK(out != NULL);
    char text[FLOAT_TEXT_MAX + 1];
    if (s.len == 0 || s.len > FLOAT_TEXT_MAX || memchr(" \t\r\n\v\f", s.ptr[0], 6) != NULL)
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    char *end = NULL;
    double value = strtod(text, &end);
    /* strtod also takes hexadecimal numbers and nan(...). */
    if (end != text + s.len || strpbrk(text, "xX(") != NULL)
        return false;
    *out = value;
    return true;
}
