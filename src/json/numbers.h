/* numbers.h: numbers of documents: integers of 64 bits, which stay exact, and doubles, which are
 * printed with a point or an exponent (1.0, 1e20) and as short as reads back the same. */
#ifndef VDB_JSON_NUMBERS_H
#define VDB_JSON_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { JNUM_TEXT_MAX = 32 };

/* Of the text of a number in a document. */
bool jnum_is_integer(struct slice number);
double jnum_value(struct slice number);
/* False: it is none of 64 bits with a sign; those without have one bit more. */
bool jnum_integer(struct slice number, int64_t *out);

/* Of a finite number; return the length. */
size_t jnum_print(double value, char text[JNUM_TEXT_MAX]);
size_t jnum_print_integer(int64_t value, char text[JNUM_TEXT_MAX]);

/* How what JSON allows as a number begins a text: its length, or 0, with *at where it goes wrong
 * and *cut when that is at the end. */
size_t jnum_scan(struct slice text, size_t *at, bool *cut);
/* The text of a document for a number that jnum_scan has found; false: it is beyond all doubles. */
bool jnum_canonical(struct slice number, char text[JNUM_TEXT_MAX], struct slice *out);

#endif
