/* type.h: the element types of collections: how the numbers of a vector are kept.
 *
 *   FP32  4 bytes: IEEE 754 single precision
 *   FP16  2 bytes: IEEE 754 half precision
 *   BF16  2 bytes: the upper half of a single
 *   INT8  1 byte:  -128 .. 127
 *   BIT   1 bit:   eight to a byte, the first in its highest bit (as numpy.packbits has them)
 *
 * All little-endian. A vector in its type is what clients send and get as a blob, and what log and
 * snapshots hold. Everywhere else vectors are floats; each type's numbers are floats exactly. */
#ifndef VDB_VEC_TYPE_H
#define VDB_VEC_TYPE_H

#include "vec/vec.h"

#define TYPE_LIST(X)                                                                               \
    X(TYPE_FP32, "FP32")                                                                           \
    X(TYPE_FP16, "FP16")                                                                           \
    X(TYPE_BF16, "BF16")                                                                           \
    X(TYPE_INT8, "INT8")                                                                           \
    X(TYPE_BIT, "BIT")

enum vec_type {
#define X(name, word) name,
    TYPE_LIST(X)
#undef X
        TYPE_COUNT
};

enum { TYPE_BIT_DIM = 8 }; /* dimensions of BIT are multiples of it */

const char *type_name(enum vec_type type);

/* BIT: HAMMING and JACCARD; the others: COSINE, L2 and IP. */
bool type_has_metric(enum vec_type type, enum metric metric);

/* Are vectors compared at length 1 under COSINE? Then queries are given so. INT8 is compared as it
 * is, since nothing shorter is made of integers. */
static inline bool type_normalises(enum vec_type type, enum metric metric)
{
    return metric == METRIC_COSINE && type != TYPE_INT8;
}

/* Bytes of a vector: dim a multiple of TYPE_BIT_DIM for BIT. Numbers in so many bytes; 0 when that
 * is no whole number of them. */
size_t type_size(enum vec_type type, size_t dim);
size_t type_count(enum vec_type type, size_t size);

/* Why a number does not fit a type. */
#define TYPE_FAULT_LIST(X)                                                                         \
    X(TYPE_FITS, "")                                                                               \
    X(TYPE_NOT_FINITE, "not a finite number")                                                      \
    X(TYPE_TOO_LARGE, "too large for the type of the collection")                                  \
    X(TYPE_NOT_INT8, "not an integer between -128 and 127, as INT8 has them")                      \
    X(TYPE_NOT_BIT, "neither 0 nor 1, as BIT has them")

enum type_fault {
#define X(name, text) name,
    TYPE_FAULT_LIST(X)
#undef X
};

const char *type_fault_text(enum type_fault fault);

/* From dim floats to a vector in the type: FP16 and BF16 round to the nearest. On a fault *at is
 * the first number that does not fit, and what out holds is of no use. */
MUST_USE enum type_fault type_encode(enum vec_type type, const float *in, size_t dim, uint8_t *out,
                                     size_t *at);

/* Back to dim floats, exactly. */
void type_decode(enum vec_type type, const uint8_t *in, size_t dim, float *out);

/* Are all its numbers finite? *at: the first that is not. */
bool type_finite(enum vec_type type, const uint8_t *in, size_t dim, size_t *at);

/* The sum of the squares of its numbers: the square of its length, or how many bits are set. */
double type_square(enum vec_type type, const uint8_t *in, size_t dim);

#endif
