/* matrix.h: products of matrices of floats, row after row, by OpenBLAS on the thread that asks: for
 * training, where thousands of vectors meet thousands of others. */
#ifndef VDB_VEC_MATRIX_H
#define VDB_VEC_MATRIX_H

#include <stddef.h>

/* out[i * b_rows + j] = dot of row i of a and row j of b, both of dim floats. */
void matrix_dots(const float *a, size_t a_rows, const float *b, size_t b_rows, size_t dim,
                 float *out);
/* Squared lengths of count rows. */
void matrix_squares(const float *a, size_t count, size_t dim, float *out);

#endif
