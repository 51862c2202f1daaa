#include "db/stored.h"

#include <float.h>
#include <math.h>

#include "db/projection.h"

static double square_of(const float *vector, uint32_t dim)
{
    double square = 0;
    for (uint32_t i = 0; i < dim; i++)
        square += (double)vector[i] * (double)vector[i];
    return square;
}

/* Lengths that distances, which are floats, can be told of: for L2 and IP no sum of products of two
 * such vectors overflows; under COSINE the length itself is kept. */
static bool length_fits(const struct collection_spec *spec, double square)
{
    double most =
        spec->metric == METRIC_COSINE ? (double)FLT_MAX * (double)FLT_MAX / 4 : (double)FLT_MAX / 8;
    return square <= most; /* false for NaN, which a projection may have made of infinities */
}

static const char zero_vector[] = "a zero vector has no direction: COSINE cannot compare it";

enum err stored_convert(const struct collection_spec *spec, const float *raw, uint8_t *out,
                        struct why *why)
{
    size_t at;
    enum type_fault fault = type_encode(spec->type, raw, spec->dim, out, &at);
    if (fault == TYPE_FITS)
        return OK;
    return why_set(why, ERR_ARG, "value %zu of the vector is %s", at, type_fault_text(fault));
}

enum err vector_prepare(const struct collection_spec *spec, const float *projection,
                        const struct vec_kernels *k, const float *raw, float *out, float *norm,
                        struct why *why)
{
    *norm = 1;
    CHECK(out != raw);
    CHECK(projection == NULL || spec->projection_from > 0);
    /* What INT8 and BIT cannot hold cannot be compared with it either; out is room for a moment. */
    bool exact = spec->type == TYPE_INT8 || spec->type == TYPE_BIT;
    if (exact && stored_convert(spec, raw, (uint8_t *)out, why) != OK)
        return ERR_ARG;
    if (projection != NULL)
        projection_apply(projection, k, spec->projection_from, spec->dim, raw, out);
    else
        memcpy(out, raw, spec->dim * sizeof(float));
    double square = square_of(out, spec->dim);
    if (!length_fits(spec, square))
        return why_set(why, ERR_ARG, "the vector is too long for distances in floats");
    if (spec->metric != METRIC_COSINE)
        return OK;
    double length = sqrt(square);
    if (length == 0) {
        if (spec->implicit)
            return OK; /* as Redis: stored as it is */
        return why_set(why, ERR_ARG, "%s", zero_vector);
    }
    if (!type_normalises(spec->type, spec->metric))
        return OK;
    for (uint32_t i = 0; i < spec->dim; i++)
        out[i] = (float)((double)out[i] / length);
    *norm = (float)length;
    return OK;
}

enum err stored_measure(const struct collection_spec *spec, const uint8_t *stored, float *norm,
                        struct why *why)
{
    *norm = 1;
    if (spec->type == TYPE_BIT)
        return OK;
    double square = type_square(spec->type, stored, spec->dim);
    if (!length_fits(spec, square))
        return why_set(why, ERR_ARG, "the vector is too long for distances in floats");
    if (spec->metric != METRIC_COSINE)
        return OK;
    if (square == 0)
        return why_set(why, ERR_ARG, "%s", zero_vector);
    if (type_normalises(spec->type, spec->metric))
        *norm = (float)sqrt(square);
    CHECK(*norm > 0); /* the least BF16 is a float, and so is its length */
    return OK;
}
