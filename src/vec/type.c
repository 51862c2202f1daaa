#include "vec/type.h"

#include <math.h>
#include <string.h>

#include "vec/half.h"

enum { INT8_LOW = -128, INT8_HIGH = 127 };

const char *type_name(enum vec_type type)
{
    static const char *const names[] = {
#define X(name, word) word,
        TYPE_LIST(X)
#undef X
    };
    CHECK(type < TYPE_COUNT);
    return names[type];
}

const char *type_fault_text(enum type_fault fault)
{
    static const char *const texts[] = {
#define X(name, text) text,
        TYPE_FAULT_LIST(X)
#undef X
    };
    CHECK(fault > TYPE_FITS && fault < COUNT_OF(texts));
    return texts[fault];
}

bool type_has_metric(enum vec_type type, enum metric metric)
{
    CHECK(type < TYPE_COUNT && metric < METRIC_COUNT);
    return (type == TYPE_BIT) == (metric == METRIC_HAMMING || metric == METRIC_JACCARD);
}

size_t type_size(enum vec_type type, size_t dim)
{
    switch (type) {
    case TYPE_FP32:
        return dim * sizeof(float);
    case TYPE_FP16:
    case TYPE_BF16:
        return dim * sizeof(uint16_t);
    case TYPE_INT8:
        return dim;
    case TYPE_BIT:
        CHECK(dim % TYPE_BIT_DIM == 0);
        return dim / TYPE_BIT_DIM;
    case TYPE_COUNT:
        break;
    }
    CHECK(false);
    return 0;
}

size_t type_count(enum vec_type type, size_t size)
{
    size_t eight = type_size(type, TYPE_BIT_DIM); /* bytes of so many numbers */
    return size * TYPE_BIT_DIM % eight == 0 ? size * TYPE_BIT_DIM / eight : 0;
}

/* Numbers in blobs stand at any byte. */
static uint16_t half_at(const uint8_t *in, size_t i)
{
    uint16_t half;
    memcpy(&half, in + i * sizeof(half), sizeof(half));
    return half;
}

static enum type_fault encode_fp16(const float *in, size_t dim, uint8_t *out, size_t *at)
{
    for (size_t i = 0; i < dim; i++) {
        uint16_t half = fp16_of_float(in[i]);
        *at = i;
        if ((half & 0x7c00) == 0x7c00)
            return TYPE_TOO_LARGE;
        memcpy(out + i * sizeof(half), &half, sizeof(half));
    }
    return TYPE_FITS;
}

static enum type_fault encode_bf16(const float *in, size_t dim, uint8_t *out, size_t *at)
{
    for (size_t i = 0; i < dim; i++) {
        uint16_t half = bf16_of_float(in[i]);
        *at = i;
        if ((half & 0x7f80) == 0x7f80)
            return TYPE_TOO_LARGE;
        memcpy(out + i * sizeof(half), &half, sizeof(half));
    }
    return TYPE_FITS;
}

static enum type_fault encode_int8(const float *in, size_t dim, uint8_t *out, size_t *at)
{
    for (size_t i = 0; i < dim; i++) {
        *at = i;
        if (!(in[i] >= INT8_LOW && in[i] <= INT8_HIGH) || in[i] != truncf(in[i]))
            return TYPE_NOT_INT8;
        out[i] = (uint8_t)(int8_t)in[i];
    }
    return TYPE_FITS;
}

static enum type_fault encode_bit(const float *in, size_t dim, uint8_t *out, size_t *at)
{
    CHECK(dim % TYPE_BIT_DIM == 0);
    for (size_t i = 0; i < dim; i += TYPE_BIT_DIM) {
        unsigned byte = 0;
        for (size_t bit = 0; bit < TYPE_BIT_DIM; bit++) {
            *at = i + bit;
            if (in[i + bit] != 0 && in[i + bit] != 1)
                return TYPE_NOT_BIT;
            byte = byte << 1 | (in[i + bit] == 1);
        }
        out[i / TYPE_BIT_DIM] = (uint8_t)byte;
    }
    return TYPE_FITS;
}

enum type_fault type_encode(enum vec_type type, const float *in, size_t dim, uint8_t *out,
                            size_t *at)
{
    for (*at = 0; *at < dim; (*at)++)
        if (!isfinite(in[*at]))
            return TYPE_NOT_FINITE;
    switch (type) {
    case TYPE_FP32:
        memcpy(out, in, dim * sizeof(float));
        return TYPE_FITS;
    case TYPE_FP16:
        return encode_fp16(in, dim, out, at);
    case TYPE_BF16:
        return encode_bf16(in, dim, out, at);
    case TYPE_INT8:
        return encode_int8(in, dim, out, at);
    case TYPE_BIT:
        return encode_bit(in, dim, out, at);
    case TYPE_COUNT:
        break;
    }
    CHECK(false);
    return TYPE_NOT_FINITE;
}

void type_decode(enum vec_type type, const uint8_t *in, size_t dim, float *out)
{
    CHECK(type < TYPE_COUNT);
    if (type == TYPE_FP32)
        memcpy(out, in, dim * sizeof(float));
    for (size_t i = 0; i < dim && type == TYPE_FP16; i++)
        out[i] = float_of_fp16(half_at(in, i));
    for (size_t i = 0; i < dim && type == TYPE_BF16; i++)
        out[i] = float_of_bf16(half_at(in, i));
    for (size_t i = 0; i < dim && type == TYPE_INT8; i++)
        out[i] = (float)(int8_t)in[i];
    for (size_t i = 0; i < dim && type == TYPE_BIT; i++)
        out[i] = (float)(in[i / TYPE_BIT_DIM] >> (TYPE_BIT_DIM - 1 - i % TYPE_BIT_DIM) & 1);
}

/* The bits of an exponent, all set in what is not finite. */
static bool halves_finite(const uint8_t *in, size_t dim, unsigned exponent, size_t *at)
{
    for (*at = 0; *at < dim; (*at)++)
        if ((half_at(in, *at) & exponent) == exponent)
            return false;
    return true;
}

static bool floats_finite(const uint8_t *in, size_t dim, size_t *at)
{
    for (*at = 0; *at < dim; (*at)++) {
        float value;
        memcpy(&value, in + *at * sizeof(value), sizeof(value));
        if (!isfinite(value))
            return false;
    }
    return true;
}

bool type_finite(enum vec_type type, const uint8_t *in, size_t dim, size_t *at)
{
    switch (type) {
    case TYPE_FP32:
        return floats_finite(in, dim, at);
    case TYPE_FP16:
        return halves_finite(in, dim, 0x7c00, at);
    case TYPE_BF16:
        return halves_finite(in, dim, 0x7f80, at);
    case TYPE_INT8:
    case TYPE_BIT:
        return true;
    case TYPE_COUNT:
        break;
    }
    CHECK(false);
    return false;
}

double type_square(enum vec_type type, const uint8_t *in, size_t dim)
{
    enum { PART = 64 };
    double sum = 0;
    CHECK(type < TYPE_COUNT);
    for (size_t i = 0; i < dim; i += PART) {
        size_t count = dim - i < PART ? dim - i : PART;
        float part[PART];
        type_decode(type, in + type_size(type, i), count, part);
        for (size_t j = 0; j < count; j++)
            sum += (double)part[j] * (double)part[j];
    }
    return sum;
}
