/* kernels_rotate.h: one round of the rotation of rabitq.c, in plain C that a compiler makes vector
 * instructions of. Each kernels_<set>.c has its own copy, compiled for its set; all give the same
 * bits, since every number is the same few additions and products in the same order. */
#ifndef VDB_VEC_KERNELS_ROTATE_H
#define VDB_VEC_KERNELS_ROTATE_H

#include <math.h>
#include <string.h>

#include "vec/rabitq.h"

enum { ROTATE_LANES = RABITQ_LANES };

/* Changes the sign of each number whose bit is set, and scales it. */
static inline void rotate_signs(float *v, uint64_t bits, float scale)
{
    for (size_t i = 0; i < ROTATE_LANES; i++) {
        uint32_t flip = (uint32_t)(bits >> i & 1) << 31, word;
        memcpy(&word, &v[i], sizeof(word));
        word ^= flip;
        memcpy(&v[i], &word, sizeof(word));
        v[i] *= scale;
    }
}

static inline void rotate_pair(float *restrict a, float *restrict b)
{
    for (size_t i = 0; i < ROTATE_LANES; i++) {
        float x = a[i], y = b[i];
        a[i] = x + y;
        b[i] = x - y;
    }
}

/* The Hadamard transform over count lines, a power of two, of each of the lanes. */
static void rotate_lines(float *v, size_t count)
{
    for (size_t half = 1; half < count; half *= 2)
        for (size_t from = 0; from < count; from += 2 * half)
            for (size_t i = from; i < from + half; i++)
                rotate_pair(v + i * ROTATE_LANES, v + (i + half) * ROTATE_LANES);
}

static void rotate(float *v, size_t size, uint64_t seed)
{
    const size_t lines = size / ROTATE_LANES, power = rabitq_power(lines);
    const float scale = 1 / sqrtf((float)power);
    for (size_t line = 0; line < power; line++)
        rotate_signs(v + line * ROTATE_LANES, rabitq_signs(seed, line), scale);
    rotate_lines(v, power);
    if (power == lines)
        return;
    /* Other signs: with the same ones this would undo what the first has done to both. */
    for (size_t line = lines - power; line < lines; line++)
        rotate_signs(v + line * ROTATE_LANES, rabitq_signs(~seed, line), scale);
    rotate_lines(v + (lines - power) * ROTATE_LANES, power);
}

#endif
