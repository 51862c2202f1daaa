/* The rotation: three rounds of random signs and a Hadamard transform, with the coordinates dealt
 * anew in between. A round goes over lines of 16 floats, each lane for itself, so that it needs no
 * shuffles. Where the number of lines is no power of two it is two transforms that overlap, one
 * from the first line and one up to the last, each with signs before it. Dealing is a
 * transposition: what stood in one lane then stands in lines side by side. After three rounds every
 * coordinate has gone into every other, for sizes from 64 on. */
#include "vec/rabitq.h"

#include <math.h>
#include <string.h>

#include "base/check.h"

enum { ROUNDS = 3, SUM_LANES = 16 };

static const uint64_t seeds[ROUNDS] = {0x243f6a8885a308d3U, 0x13198a2e03707344U,
                                       0xa4093822299f31d0U};

/* Of 16 even levels, the distance that has the smallest error for normal numbers of variance 1
 * (Max 1960, table II). */
static const float nibble_step = 0.3352f;

/* Lanes become lines; or lines become lanes again. */
static void deal(const float *from, float *to, size_t size)
{
    const size_t lines = size / RABITQ_LANES;
    for (size_t lane = 0; lane < RABITQ_LANES; lane++)
        for (size_t line = 0; line < lines; line++)
            to[lane * lines + line] = from[line * RABITQ_LANES + lane];
}

static void deal_back(const float *from, float *to, size_t size)
{
    const size_t lines = size / RABITQ_LANES;
    for (size_t lane = 0; lane < RABITQ_LANES; lane++)
        for (size_t line = 0; line < lines; line++)
            to[line * RABITQ_LANES + lane] = from[lane * lines + line];
}

void rabitq_rotate(const struct vec_kernels *kernels, float *v, float *room, size_t size)
{
    CHECK(size > 0 && size % RABITQ_BLOCK == 0);
    kernels->rotate(v, size, seeds[0]);
    deal(v, room, size);
    kernels->rotate(room, size, seeds[1]);
    deal(room, v, size);
    kernels->rotate(v, size, seeds[2]);
}

/* A transform of count lines from the first on and then its signs: the inverse of signs and
 * transform, which is its own inverse. */
static void transform_back(float *v, size_t first, size_t count, uint64_t seed)
{
    const float scale = 1 / sqrtf((float)count);
    float *from = v + first * RABITQ_LANES;
    for (size_t half = RABITQ_LANES; half < count * RABITQ_LANES; half *= 2)
        for (size_t i = 0; i < count * RABITQ_LANES; i++)
            if ((i & half) == 0) {
                float a = from[i], b = from[i + half];
                from[i] = a + b;
                from[i + half] = a - b;
            }
    for (size_t i = 0; i < count * RABITQ_LANES; i++) {
        uint64_t signs = rabitq_signs(seed, first + i / RABITQ_LANES);
        from[i] *= (signs >> (i % RABITQ_LANES) & 1) != 0 ? -scale : scale;
    }
}

static void round_back(float *v, size_t size, uint64_t seed)
{
    const size_t lines = size / RABITQ_LANES, power = rabitq_power(lines);
    if (power < lines)
        transform_back(v, lines - power, power, ~seed);
    transform_back(v, 0, power, seed);
}

void rabitq_unrotate(float *v, float *room, size_t size)
{
    CHECK(size > 0 && size % RABITQ_BLOCK == 0);
    round_back(v, size, seeds[2]);
    deal_back(v, room, size);
    round_back(room, size, seeds[1]);
    deal_back(room, v, size);
    round_back(v, size, seeds[0]);
}

static double square_sum(const float *v, size_t size)
{
    float lanes[SUM_LANES] = {0};
    for (size_t i = 0; i < size; i += SUM_LANES)
        for (size_t lane = 0; lane < SUM_LANES; lane++)
            lanes[lane] += v[i + lane] * v[i + lane];
    double sum = 0;
    for (size_t lane = 0; lane < SUM_LANES; lane++)
        sum += (double)lanes[lane];
    return sum;
}

struct rabitq_factor rabitq_bits(const float *rotated, size_t size, uint8_t *code, float *error)
{
    float lanes[8] = {0};
    int32_t ones = 0;
    for (size_t i = 0; i < size; i += 8) {
        unsigned byte = 0;
        for (size_t bit = 0; bit < 8; bit++) {
            lanes[bit] += fabsf(rotated[i + bit]);
            byte |= (unsigned)(rotated[i + bit] > 0) << bit;
        }
        code[i / 8] = (uint8_t)byte;
        ones += __builtin_popcount(byte);
    }
    double along = 0, norm2 = square_sum(rotated, size); /* along: r . x */
    for (size_t bit = 0; bit < 8; bit++)
        along += (double)lanes[bit];
    struct rabitq_factor f = {0, 128 * ones};
    if (along > 0)
        f.scale = (float)(norm2 / along);
    if (error != NULL) {
        /* |s x|^2 - |r|^2 is the square of what is across r. */
        double s = (double)f.scale, across2 = s * s * (double)size - norm2;
        *error = across2 > 0 ? (float)sqrt(across2 / (double)(size - 1)) : 0;
    }
    return f;
}

/* Adding 1.5 * 2^23 leaves no room for a fraction: the sum is rounded to an integer. */
static int32_t rounded(float value)
{
    const float magic = 12582912;
    float sum = value + magic;
    int32_t bits, zero;
    memcpy(&bits, &sum, sizeof(bits));
    memcpy(&zero, &magic, sizeof(zero));
    return bits - zero;
}

static unsigned nibble_of(float value, float per_step)
{
    int32_t level = rounded(value * per_step + (float)(RABITQ_LEVELS - 1) / 2);
    return level < 0 ? 0 : level > RABITQ_LEVELS - 1 ? RABITQ_LEVELS - 1 : (unsigned)level;
}

struct rabitq_factor rabitq_nibbles(const float *rotated, size_t size, uint8_t *code)
{
    double norm2 = square_sum(rotated, size), along = 0;
    float deviation = (float)sqrt(norm2 / (double)size);
    float per_step = deviation > 0 ? 1 / (deviation * nibble_step) : 0;
    int32_t sum = 0;
    for (size_t at = 0; at < size; at += RABITQ_BLOCK, code += RABITQ_BLOCK / 2) {
        float lanes[2] = {0};
        for (size_t i = 0; i < RABITQ_BLOCK / 2; i++) {
            float a = rotated[at + i], b = rotated[at + RABITQ_BLOCK / 2 + i];
            unsigned low = nibble_of(a, per_step), high = nibble_of(b, per_step);
            lanes[0] += a * ((float)(int)low - 7.5f);
            lanes[1] += b * ((float)(int)high - 7.5f);
            sum += (int32_t)(low + high);
            code[i] = (uint8_t)(low | high << 4);
        }
        along += (double)lanes[0] + (double)lanes[1];
    }
    return (struct rabitq_factor){along > 0 ? (float)(norm2 / along) : 0, 128 * sum};
}

float rabitq_range(const float *v, size_t count)
{
    float lanes[SUM_LANES] = {0}, range = 0;
    size_t whole = count - count % SUM_LANES;
    for (size_t i = 0; i < whole; i += SUM_LANES)
        for (size_t lane = 0; lane < SUM_LANES; lane++)
            lanes[lane] = fabsf(v[i + lane]) > lanes[lane] ? fabsf(v[i + lane]) : lanes[lane];
    for (size_t i = whole; i < count; i++)
        range = fabsf(v[i]) > range ? fabsf(v[i]) : range;
    for (size_t lane = 0; lane < SUM_LANES; lane++)
        range = lanes[lane] > range ? lanes[lane] : range;
    return range;
}

struct rabitq_query rabitq_query(const float *rotated, size_t size, uint8_t *query)
{
    const float range = rabitq_range(rotated, size);
    struct rabitq_query q = {range / 127, (float)sqrt(square_sum(rotated, size)), 0};
    float per_step = q.step > 0 ? 1 / q.step : 0;
    for (size_t i = 0; i < size; i++) {
        int32_t b = rounded(rotated[i] * per_step);
        b = b > 127 ? 127 : b < -127 ? -127 : b;
        query[i] = (uint8_t)(b + 128);
        q.sum += b;
    }
    return q;
}

/* Twice x - 7.5, so that it is whole: -15 .. 15. */
struct rabitq_query rabitq_query_of_nibbles(const uint8_t *code, size_t size,
                                            struct rabitq_factor factor, uint8_t *query)
{
    struct rabitq_query q = {factor.scale / 2, 0, 0};
    int32_t square = 0;
    for (size_t at = 0; at < size; at += RABITQ_BLOCK, code += RABITQ_BLOCK / 2)
        for (size_t i = 0; i < RABITQ_BLOCK / 2; i++) {
            int32_t low = 2 * (code[i] & 15) - 15, high = 2 * (code[i] >> 4) - 15;
            query[at + i] = (uint8_t)(low + 128);
            query[at + RABITQ_BLOCK / 2 + i] = (uint8_t)(high + 128);
            q.sum += low + high;
            square += low * low + high * high;
        }
    q.norm = q.step * sqrtf((float)square);
    return q;
}
