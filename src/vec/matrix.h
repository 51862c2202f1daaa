/* matrix.h: products of matrices of floats, row after row, by OpenBLAS on the thread that asks: for
 * training, where thousands of vectors meet thousands of others. */
#ifndef VDB_VEC_MATRIX_H
#define VDB_VEC_MATRIX_H

#include <stddef.h>

/* out[i * b_rows + j] = dot of row i of a and row j of b, both of dim floats. */
void matrix_dots(const float *a, size_t a_rows, const float *b, size_t b_rows, size_t dim,
                 float *out);
/* out = a * b: a has rows x inner floats, b inner x columns. */
void matrix_product(const float *a, size_t rows, const float *b, size_t inner, size_t columns,
                    float *out);
/* sum += transposed a * b: both have rows rows, of a_columns and b_columns floats. */
void matrix_add_cross(const float *a, size_t a_columns, const float *b, size_t b_columns,
                      size_t rows, float *sum);
/* Squared lengths of count rows. */
void matrix_squares(const float *a, size_t count, size_t dim, float *out);

#endif
