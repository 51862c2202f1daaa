/* type_test.c: numbers of 16 bits against what the standards say, and vectors in every type: what
 * fits comes back, what does not is named. */
#include "vec/type.h"

#include <float.h>
#include <math.h>

#include "lib/test.h"
#include "vec/half.h"

enum { FP16_MAX_BITS = 0x7bff, BF16_MAX_BITS = 0x7f7f };

/* The value of a half from its parts, in double precision. */
static double value_of(unsigned half, int exponent_bits)
{
    int fraction_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (int)(half & 0x7fff) >> fraction_bits;
    double fraction = (double)(half & ((1u << fraction_bits) - 1)) / (1 << fraction_bits);
    double size = exponent == 0 ? ldexp(fraction, 1 - bias) : ldexp(1 + fraction, exponent - bias);
    return (half & 0x8000) != 0 ? -size : size;
}

TEST(type, every_half_is_the_float_the_standard_says_and_comes_back)
{
    for (unsigned half = 0; half <= FP16_MAX_BITS; half++) {
        EXPECT((double)float_of_fp16((uint16_t)half) == value_of(half, 5));
        EXPECT((double)float_of_fp16((uint16_t)(half | 0x8000)) == -value_of(half, 5));
        EXPECT_EQ(fp16_of_float(float_of_fp16((uint16_t)half)), half);
        EXPECT_EQ(fp16_of_float(float_of_fp16((uint16_t)(half | 0x8000))), half | 0x8000);
    }
    for (unsigned half = 0; half <= BF16_MAX_BITS; half++) {
        EXPECT((double)float_of_bf16((uint16_t)half) == value_of(half, 8));
        EXPECT_EQ(bf16_of_float(float_of_bf16((uint16_t)half)), half);
        EXPECT_EQ(bf16_of_float(-float_of_bf16((uint16_t)half)), half | 0x8000);
    }
    EXPECT(isinf(float_of_fp16(0x7c00)) && isinf(float_of_fp16(0xfc00)));
    EXPECT(isnan(float_of_fp16(0x7c01)) && isnan(float_of_fp16(0xffff)));
    EXPECT(isinf(float_of_bf16(0x7f80)) && isnan(float_of_bf16(0x7f81)));
}

/* Between a half and the next: below the middle the lower, above it the upper, in it the even. */
static void expect_rounding(unsigned half, int exponent_bits, uint16_t (*of_float)(float))
{
    double low = value_of(half, exponent_bits), high = value_of(half + 1, exponent_bits);
    float middle = (float)((low + high) / 2);
    EXPECT((double)middle == (low + high) / 2);
    EXPECT_EQ(of_float(middle), half + (half & 1));
    EXPECT_EQ(of_float(nextafterf(middle, -INFINITY)), half);
    EXPECT_EQ(of_float(nextafterf(middle, INFINITY)), half + 1);
}

TEST(type, floats_round_to_the_nearest_half_and_ties_to_even)
{
    for (unsigned half = 0; half < FP16_MAX_BITS; half++)
        expect_rounding(half, 5, fp16_of_float);
    for (unsigned half = 0; half < BF16_MAX_BITS; half++)
        expect_rounding(half, 8, bf16_of_float);
    EXPECT_EQ(fp16_of_float(65519.99f), FP16_MAX_BITS);
    EXPECT_EQ(fp16_of_float(65520), 0x7c00);
    EXPECT_EQ(fp16_of_float(-FLT_MAX), 0xfc00);
    EXPECT_EQ(fp16_of_float(FLT_TRUE_MIN), 0);
    EXPECT_EQ(fp16_of_float(-FLT_TRUE_MIN), 0x8000);
    EXPECT_EQ(bf16_of_float(FLT_MAX), 0x7f80);
}

TEST(type, a_vector_in_its_type_comes_back_exactly)
{
    static const float numbers[] = {0, 1, -1, 2, -128, 127, 64, 3};
    static const float bits[] = {1, 0, 0, 0, 0, 1, 1, 0};
    for (int type = 0; type < TYPE_COUNT; type++) {
        const float *in = type == TYPE_BIT ? bits : numbers;
        uint8_t bytes[sizeof(numbers)];
        float back[COUNT_OF(numbers)];
        size_t at;
        EXPECT_EQ(type_encode((enum vec_type)type, in, COUNT_OF(numbers), bytes, &at), TYPE_FITS);
        EXPECT(type_finite((enum vec_type)type, bytes, COUNT_OF(numbers), &at));
        type_decode((enum vec_type)type, bytes, COUNT_OF(numbers), back);
        EXPECT(memcmp(back, in, sizeof(back)) == 0);
        double square = 0;
        for (size_t i = 0; i < COUNT_OF(numbers); i++)
            square += (double)in[i] * (double)in[i];
        EXPECT(type_square((enum vec_type)type, bytes, COUNT_OF(numbers)) == square);
    }
}

TEST(type, bits_stand_highest_first)
{
    static const float numbers[16] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1};
    uint8_t bytes[2];
    size_t at;
    REQUIRE(type_encode(TYPE_BIT, numbers, 16, bytes, &at) == TYPE_FITS);
    EXPECT_EQ(bytes[0], 0x80);
    EXPECT_EQ(bytes[1], 0x07);
}

static enum type_fault fault_of(enum vec_type type, float value)
{
    const float numbers[8] = {0, 1, 0, value, value, 0, 0, 0};
    uint8_t bytes[sizeof(numbers)];
    size_t at;
    enum type_fault fault = type_encode(type, numbers, COUNT_OF(numbers), bytes, &at);
    EXPECT(fault == TYPE_FITS || at == 3);
    EXPECT(fault == TYPE_FITS || strlen(type_fault_text(fault)) > 10);
    return fault;
}

TEST(type, what_does_not_fit_is_refused_at_the_first_such_number)
{
    for (int type = 0; type < TYPE_COUNT; type++) {
        EXPECT_EQ(fault_of((enum vec_type)type, NAN), TYPE_NOT_FINITE);
        EXPECT_EQ(fault_of((enum vec_type)type, -INFINITY), TYPE_NOT_FINITE);
        EXPECT_EQ(fault_of((enum vec_type)type, 1), TYPE_FITS);
    }
    EXPECT_EQ(fault_of(TYPE_FP32, FLT_MAX), TYPE_FITS);
    EXPECT_EQ(fault_of(TYPE_FP16, 65519.99f), TYPE_FITS);
    EXPECT_EQ(fault_of(TYPE_FP16, -65520), TYPE_TOO_LARGE);
    EXPECT_EQ(fault_of(TYPE_BF16, 3.3895e38f), TYPE_FITS);
    EXPECT_EQ(fault_of(TYPE_BF16, FLT_MAX), TYPE_TOO_LARGE);
    EXPECT_EQ(fault_of(TYPE_INT8, -128), TYPE_FITS);
    EXPECT_EQ(fault_of(TYPE_INT8, 127), TYPE_FITS);
    EXPECT_EQ(fault_of(TYPE_INT8, -129), TYPE_NOT_INT8);
    EXPECT_EQ(fault_of(TYPE_INT8, 128), TYPE_NOT_INT8);
    EXPECT_EQ(fault_of(TYPE_INT8, 0.5f), TYPE_NOT_INT8);
    EXPECT_EQ(fault_of(TYPE_BIT, 2), TYPE_NOT_BIT);
    EXPECT_EQ(fault_of(TYPE_BIT, -1), TYPE_NOT_BIT);
    EXPECT_EQ(fault_of(TYPE_BIT, 0.5f), TYPE_NOT_BIT);
}

TEST(type, numbers_that_are_not_finite_are_found_in_blobs)
{
    static const uint16_t fp16[] = {0x3c00, 0x7bff, 0xfc00, 0}, bf16[] = {0x3f80, 0x7f7f, 0x7fc0};
    static const float fp32[] = {1, FLT_MAX, NAN};
    size_t at = 0;
    EXPECT(type_finite(TYPE_FP16, (const uint8_t *)fp16, 2, &at));
    EXPECT(!type_finite(TYPE_FP16, (const uint8_t *)fp16, 4, &at));
    EXPECT_EQ(at, 2);
    EXPECT(type_finite(TYPE_BF16, (const uint8_t *)bf16, 2, &at));
    EXPECT(!type_finite(TYPE_BF16, (const uint8_t *)bf16, 3, &at));
    EXPECT(!type_finite(TYPE_FP32, (const uint8_t *)fp32, 3, &at));
    EXPECT_EQ(at, 2);
}

TEST(type, sizes_and_counts_belong_together)
{
    static const size_t sizes[TYPE_COUNT] = {4096, 2048, 2048, 1024, 128};
    for (int type = 0; type < TYPE_COUNT; type++) {
        EXPECT_EQ(type_size((enum vec_type)type, 1024), sizes[type]);
        EXPECT_EQ(type_count((enum vec_type)type, sizes[type]), 1024);
    }
    EXPECT_EQ(type_count(TYPE_FP32, 6), 0);
    EXPECT_EQ(type_count(TYPE_FP16, 7), 0);
    EXPECT_EQ(type_count(TYPE_BIT, 1), 8);
    EXPECT_STR(type_name(TYPE_BF16), "BF16");
    EXPECT(type_has_metric(TYPE_BIT, METRIC_JACCARD) && !type_has_metric(TYPE_BIT, METRIC_L2));
    EXPECT(type_has_metric(TYPE_INT8, METRIC_IP) && !type_has_metric(TYPE_FP32, METRIC_HAMMING));
}
