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
    case VECTOR_BLOB:
        return type_count(arg->type, arg->bytes.len);
    case VECTOR_VALUES:
        return arg->count;
    case VECTOR_JSON:
        return json_count(arg->bytes);
    case VECTOR_NONE:
    case VECTOR_ELEMENT:
    case VECTOR_EXAMPLES:
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

/* A blob in any type, as floats: all it can hold are floats. */
static enum err read_blob(const struct vector_arg *arg, float *out, size_t count, struct why *why)
{
    size_t at;
    if (!type_finite(arg->type, arg->bytes.ptr, count, &at))
        return why_set(why, ERR_ARG, "value %zu of the vector is not a finite number", at);
    type_decode(arg->type, arg->bytes.ptr, count, out);
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
    case VECTOR_BLOB:
        return read_blob(arg, out, count, why);
    case VECTOR_VALUES:
        return read_values(arg, out, why);
    case VECTOR_JSON:
        return read_json(arg, out, count, why);
    case VECTOR_NONE:
    case VECTOR_ELEMENT:
    case VECTOR_EXAMPLES:
        break;
    }
    CHECK(false);
    return ERR_ARG;
}

const char *vector_looks_like(size_t size, size_t count, uint32_t dim)
{
    static const struct {
        size_t bits; /* of a number */
        const char *hint;
    } known[] = {{64, ": float64 blob?"},
                 {32, ": float32 blob?"},
                 {16, ": float16 blob?"},
                 {8, ": int8 blob?"},
                 {1, ": blob of bits?"}};
    for (size_t i = 0; i < COUNT_OF(known) && size > 0; i++)
        if (size * 8 == count * dim * known[i].bits)
            return known[i].hint;
    return "";
}

enum err vector_wrong_count(const struct vector_arg *arg, size_t count,
                            const struct collection_spec *spec, struct why *why)
{
    uint32_t dim = input_dim(spec);
    size_t size = arg->bytes.len;
    CHECK(count != dim);
    if (arg->form != VECTOR_BLOB)
        return why_set(why, ERR_ARG, "Vector dimension mismatch - got %zu but set has %u", count,
                       dim);
    const char *hint = vector_looks_like(size, 1, dim);
    bool fp32 = arg->type == TYPE_FP32;
    if (fp32 && size == dim * sizeof(double))
        return why_set(why, ERR_ARG, "got %zu floats, collection has %u%s", count, dim, hint);
    if (fp32 && hint[0] != '\0')
        return why_set(why, ERR_ARG, "got %zu bytes, collection has %u floats%s", size, dim, hint);
    if (fp32 && count == 0)
        return why_set(why, ERR_ARG,
                       "an FP32 blob of %zu bytes: expected %zu, 4 for each of %u floats", size,
                       dim * sizeof(float), dim);
    if (fp32)
        return why_set(why, ERR_ARG, "Vector dimension mismatch - got %zu but set has %u", count,
                       dim);
    if (arg->type == TYPE_BIT && dim % TYPE_BIT_DIM != 0)
        return why_set(why, ERR_ARG,
                       "a BIT blob: the collection has %u dimensions, which is no "
                       "multiple of %d",
                       dim, TYPE_BIT_DIM);
    return why_set(why, ERR_ARG,
                   "got %zu bytes, collection has %u dimensions, which are %zu bytes "
                   "of %s%s",
                   size, dim, type_size(arg->type, dim), type_name(arg->type), hint);
}

enum err vector_check_many(const struct collection_spec *spec, enum vec_type type,
                           struct slice blob, size_t count, const char *what, struct why *why)
{
    uint32_t dim = input_dim(spec);
    if (type == TYPE_BIT && dim % TYPE_BIT_DIM != 0)
        return why_set(why, ERR_ARG,
                       "a BIT blob: the collection has %u dimensions, which is no "
                       "multiple of %d",
                       dim, TYPE_BIT_DIM);
    size_t needed = count * type_size(type, dim);
    if (blob.len == needed)
        return OK;
    bool fp32 = type == TYPE_FP32;
    return why_set(why, ERR_ARG, "the blob has %zu bytes, %zu %s of %u %s need %zu%s", blob.len,
                   count, what, dim, fp32 ? "floats" : type_name(type), needed,
                   vector_looks_like(blob.len, count, dim));
}

enum err vector_store(const struct collection_spec *spec, const float *projection,
                      const struct vec_kernels *k, const struct vector_arg *arg, float *room,
                      uint8_t *out, float *norm, struct why *why)
{
    uint32_t dim = input_dim(spec);
    bool as_it_is = arg->form == VECTOR_BLOB && arg->type == spec->type;
    enum err e = OK;
    size_t at;
    CHECK(vector_count(arg) == dim);
    if (spec->type == TYPE_FP32) {
        e = vector_read(arg, room, dim, why);
        return e == OK ? vector_prepare(spec, projection, k, room, (float *)(void *)out, norm, why)
                       : e;
    }
    if (as_it_is && !type_finite(spec->type, arg->bytes.ptr, dim, &at))
        return why_set(why, ERR_ARG, "value %zu of the vector is not a finite number", at);
    if (as_it_is)
        memcpy(out, arg->bytes.ptr, arg->bytes.len);
    else
        e = vector_read(arg, room, dim, why);
    if (!as_it_is && e == OK)
        e = stored_convert(spec, room, out, why);
    return e == OK ? stored_measure(spec, out, norm, why) : e;
}
