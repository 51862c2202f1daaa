/* double_text.h: the shortest text that reads back as the same double. Pure; no state. */
#ifndef VDB_BASE_DOUBLE_TEXT_H
#define VDB_BASE_DOUBLE_TEXT_H

#include <stddef.h>

enum {
    DOUBLE_TEXT_MAX = 32,
    DOUBLE_DIGITS_MAX = 17 /* always enough to read back the same double */
};

/* A number as its significant digits and the power of ten of the first one. */
struct double_decimal {
    char digits[DOUBLE_DIGITS_MAX + 1];
    int count;
    int exponent;
};

/* The shortest decimal of a finite magnitude above 0, without zeros at its end. */
void double_decimal(double magnitude, struct double_decimal *out);

/* NUL-terminated; returns its length. Plain decimals from 1e-7 up to 1e17 as Redis prints scores
 * (0.5, 1, 0.9992150366306305), else exponent form; inf, -inf, nan. */
size_t double_to_text(double value, char text[DOUBLE_TEXT_MAX]);

#endif
