/* Scores as Redis prints them: 17 digits, in the shorter of %e and %f. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "net/resp_write.h"

size_t score_to_text(double value, char text[SCORE_TEXT_MAX])
{
    CHECK(!isnan(value));
    /* Most scores are whole numbers, which take a fifth of the time so. */
    bool whole = value > -1e17 && value < 1e17 && value == (double)(int64_t)value &&
                 !(value == 0 && signbit(value));
    int size = whole          ? snprintf(text, SCORE_TEXT_MAX, "%" PRId64, (int64_t)value)
               : isinf(value) ? snprintf(text, SCORE_TEXT_MAX, "%s", value > 0 ? "inf" : "-inf")
                              : snprintf(text, SCORE_TEXT_MAX, "%.17g", value);
    CHECK(size > 0 && size < SCORE_TEXT_MAX);
    return (size_t)size;
}

void reply_double17(struct reply *r, double value)
{
    char text[SCORE_TEXT_MAX];
    size_t size = score_to_text(value, text);
    reply_digits(r, (struct slice){(const uint8_t *)text, size});
}
