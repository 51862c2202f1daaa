#include "db/projection.h"

#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "db/spec.h"

float *projection_new(uint32_t from, uint32_t dim, uint64_t seed, uint32_t version)
{
    CHECK(version == PROJECTION_VERSION);
    size_t count = (size_t)from * dim;
    float *matrix = mem_try(MEM_VECTOR, count * sizeof(*matrix));
    if (matrix == NULL)
        return NULL;
    float scale = 1 / sqrtf((float)dim);
    uint64_t state = seed, bits = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % 64 == 0)
            bits = rng_next(&state);
        matrix[i] = (bits >> (i % 64) & 1) != 0 ? scale : -scale;
    }
    return matrix;
}

void projection_apply(const float *matrix, const struct vec_kernels *k, uint32_t from, uint32_t dim,
                      const float *in, float *out)
{
    for (uint32_t i = 0; i < dim; i++)
        out[i] = k->dot_f32(matrix + (size_t)i * from, in, from);
}
