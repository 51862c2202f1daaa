/* half.h: numbers of 16 bits, from floats and to them. Pure.
 *
 * FP16 is IEEE 754 binary16: 5 bits of exponent, 10 of fraction, up to 65504. BF16 is the upper
 * half of a float. Both round to the nearest, ties to even, and become infinite where that is too
 * far. */
#ifndef VDB_VEC_HALF_H
#define VDB_VEC_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline float float_of_bf16(uint16_t half)
{
    return float_of_bits((uint32_t)half << 16);
}

/* value: no NaN. */
static inline uint16_t bf16_of_float(float value)
{
    uint32_t bits = bits_of_float(value);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Shifted into place, the exponent is 112 too small; multiplying sets that right for normal and for
 * subnormal numbers alike. */
static inline float float_of_fp16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = half & 0x7fff;
    float value = float_of_bits(rest << 13) * 0x1p112f;
    uint32_t bits = rest >= 0x7c00 ? 0x7f800000 | rest << 13 : bits_of_float(value);
    return float_of_bits(bits | sign);
}

/* value: no NaN. Below the smallest normal number, adding 0.5 leaves just the bits that the result
 * has, rounded as additions are. */
static inline uint16_t fp16_of_float(float value)
{
    uint32_t bits = bits_of_float(value), sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits >= 0x47800000) /* 65536 */
        return (uint16_t)(sign | 0x7c00);
    if (bits < 0x38800000) /* 2^-14 */
        return (uint16_t)(sign | (bits_of_float(float_of_bits(bits) + 0.5f) - 0x3f000000));
    return (uint16_t)(sign | (bits + 0xfff + (bits >> 13 & 1) - 0x38000000) >> 13);
}

#endif
