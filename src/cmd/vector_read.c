/* Vectors as clients write them: blobs, lists of numbers, JSON arrays; checked, and made into what
 * a collection stores. */
#include "cmd/vector_read.h"

#include <float.h>
#include <math.h>

#include "db/projection.h"

enum { NUMBER_TEXT_MAX = 64 };

/* One number of a JSON array; *at moves behind it and the comma, or to the closing bracket. */
static bool next_number(struct slice json, size_t *at, double *out)
{
    static const char blanks[] = " \t\r\n";
    size_t i = *at;
    while (i < json.len && memchr(blanks, json.ptr[i], sizeof(blanks) - 1) != NULL)
        i++;
    size_t start = i;
    while (i < json.len && json.ptr[i] != ',' && json.ptr[i] != ']' &&
           memchr(blanks, json.ptr[i], sizeof(blanks) - 1) == NULL)
        i++;
    if (i - start > NUMBER_TEXT_MAX ||
        !slice_to_f64((struct slice){json.ptr + start, i - start}, out))
        return false;
    while (i < json.len && memchr(blanks, json.ptr[i], sizeof(blanks) - 1) != NULL)
        i++;
    if (i >= json.len || (json.ptr[i] != ',' && json.ptr[i] != ']'))
        return false;
    *at = json.ptr[i] == ',' ? i + 1 : i;
    return true;
}

/* The bytes between the brackets, with the closing one; false when it is no array. */
static bool array_inside(struct slice json, struct slice *out)
{
    size_t start = 0, end = json.len;
    while (start < end && json.ptr[start] <= ' ')
        start++;
    while (end > start && json.ptr[end - 1] <= ' ')
        end--;
    if (end - start < 2 || json.ptr[start] != '[' || json.ptr[end - 1] != ']')
        return false;
    *out = (struct slice){json.ptr + start + 1, end - start - 1};
    return true;
}

/* By the commas alone: whether numbers stand between them is seen when they are read. 0: no array,
 * or an empty one. */
static size_t json_count(struct slice json)
{
    struct slice inside;
    if (!array_inside(json, &inside) || inside.len == 1)
        return 0;
    size_t count = 1;
    for (size_t i = 0; i < inside.len; i++)
        count += inside.ptr[i] == ',';
    return count;
}

size_t vector_count(const struct vector_arg *arg)
{
    switch (arg->form) {
    case VECTOR_FP32:
        return arg->bytes.len % sizeof(float) == 0 ? arg->bytes.len / sizeof(float) : 0;
    case VECTOR_VALUES:
        return arg->count;
    case VECTOR_JSON:
        return json_count(arg->bytes);
    case VECTOR_NONE:
    case VECTOR_ELEMENT:
        break;
    }
    return 0;
}

/* A double that is no finite float is refused: it would make every distance infinite or NaN. */
static enum err put_value(double value, size_t i, float *out, struct why *why)
{
    float narrow = (float)value;
    if (!isfinite(narrow))
        return why_set(why, ERR_ARG, "value %zu of the vector is not a finite number", i);
    out[i] = narrow;
    return OK;
}

enum err vector_read_blob(struct slice blob, float *out, struct why *why)
{
    CHECK(blob.len % sizeof(float) == 0);
    size_t count = blob.len / sizeof(float);
    memcpy(out, blob.ptr, blob.len); /* little-endian, as every machine this runs on */
    for (size_t i = 0; i < count; i++)
        if (!isfinite(out[i]))
            return why_set(why, ERR_ARG, "value %zu of the vector is not a finite number", i);
    return OK;
}

static enum err read_values(const struct vector_arg *arg, float *out, struct why *why)
{
    enum err e = OK;
    for (size_t i = 0; i < arg->count && e == OK; i++) {
        double value;
        if (!slice_to_f64(arg->values[i], &value))
            return why_set(why, ERR_ARG, "value %zu of the vector is not a number", i);
        e = put_value(value, i, out, why);
    }
    return e;
}

static enum err read_json(const struct vector_arg *arg, float *out, size_t count, struct why *why)
{
    struct slice inside;
    enum err e = OK;
    size_t at = 0;
    if (!array_inside(arg->bytes, &inside))
        return why_set(why, ERR_ARG, "JSON vector: expected an array of numbers");
    for (size_t i = 0; i < count && e == OK; i++) {
        double value;
        if (!next_number(inside, &at, &value))
            return why_set(why, ERR_ARG, "JSON vector: value %zu is not a number", i);
        e = put_value(value, i, out, why);
    }
    return e == OK && at + 1 != inside.len
               ? why_set(why, ERR_ARG, "JSON vector: expected an array of numbers")
               : e;
}

enum err vector_read(const struct vector_arg *arg, float *out, size_t count, struct why *why)
{
    CHECK(count == vector_count(arg) && count > 0);
    switch (arg->form) {
    case VECTOR_FP32:
        return vector_read_blob(arg->bytes, out, why);
    case VECTOR_VALUES:
        return read_values(arg, out, why);
    case VECTOR_JSON:
        return read_json(arg, out, count, why);
    case VECTOR_NONE:
    case VECTOR_ELEMENT:
        break;
    }
    CHECK(false);
    return ERR_ARG;
}

enum err vector_wrong_count(const struct vector_arg *arg, size_t count, uint32_t dim,
                            struct why *why)
{
    CHECK(count != dim);
    if (arg->form == VECTOR_FP32 && arg->bytes.len == (size_t)dim * sizeof(double))
        return why_set(why, ERR_ARG, "got %zu floats, collection has %u: float64 blob?", count,
                       dim);
    if (arg->form == VECTOR_FP32 && arg->bytes.len == (size_t)dim * sizeof(uint16_t))
        return why_set(why, ERR_ARG, "got %zu bytes, collection has %u floats: float16 blob?",
                       arg->bytes.len, dim);
    if (arg->form == VECTOR_FP32 && count == 0)
        return why_set(why, ERR_ARG,
                       "an FP32 blob of %zu bytes: expected %zu, 4 for each of %u floats",
                       arg->bytes.len, (size_t)dim * sizeof(float), dim);
    return why_set(why, ERR_ARG, "Vector dimension mismatch - got %zu but set has %u", count, dim);
}

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
    double most = spec->metric == METRIC_COSINE ? (double)FLT_MAX * (double)FLT_MAX / 4
                                                : (double)FLT_MAX / 8;
    return square <= most; /* false for NaN, which a projection may have made of infinities */
}

enum err vector_prepare(const struct collection_spec *spec, const float *projection,
                        const struct vec_kernels *k, const float *raw, float *out, float *norm,
                        struct why *why)
{
    *norm = 1;
    CHECK(projection == NULL || (spec->projection_from > 0 && out != raw));
    if (projection != NULL)
        projection_apply(projection, k, spec->projection_from, spec->dim, raw, out);
    else if (out != raw)
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
        return why_set(why, ERR_ARG, "a zero vector has no direction: COSINE cannot compare it");
    }
    for (uint32_t i = 0; i < spec->dim; i++)
        out[i] = (float)((double)out[i] / length);
    *norm = (float)length;
    return OK;
}
