#include "vec/matrix.h"

#include <cblas.h>
#include <stdint.h>

#include "base/check.h"

static int size_of(size_t n)
{
    CHECK(n <= INT32_MAX);
    return (int)n;
}

void matrix_dots(const float *a, size_t a_rows, const float *b, size_t b_rows, size_t dim,
                 float *out)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, size_of(a_rows), size_of(b_rows),
                size_of(dim), 1, a, size_of(dim), b, size_of(dim), 0, out, size_of(b_rows));
}

void matrix_squares(const float *a, size_t count, size_t dim, float *out)
{
    for (size_t i = 0; i < count; i++) {
        float sum = 0;
        for (size_t d = 0; d < dim; d++)
            sum += a[i * dim + d] * a[i * dim + d];
        out[i] = sum;
    }
}
