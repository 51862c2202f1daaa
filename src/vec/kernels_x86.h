/* kernels_x86.h: what the x86 tables have in common: four int32 sums in one SSE register, and the
 * scores of four SQ8 rows from them. */
#ifndef VDB_VEC_KERNELS_X86_H
#define VDB_VEC_KERNELS_X86_H

#include <immintrin.h>

#include "vec/vec.h"

typedef __m128i v4;

static inline void v4_store(v4 v, int32_t *out)
{
    _mm_storeu_si128((__m128i *)out, v);
}

/* A tail is four numbers, so four tails are a 4 x 4 matrix; transposed, each register holds one
 * number of all four rows. No fused multiply-add here: see struct sq8_scan. */
static inline void sq8_scores(const struct sq8_scan *s, v4 dots, const uint8_t *const *tail,
                              float *out)
{
    __m128 t0 = _mm_loadu_ps((const float *)tail[0]);
    __m128 t1 = _mm_loadu_ps((const float *)tail[1]);
    __m128 t2 = _mm_loadu_ps((const float *)tail[2]);
    __m128 t3 = _mm_loadu_ps((const float *)tail[3]);
    __m128 low01 = _mm_unpacklo_ps(t0, t1), high01 = _mm_unpackhi_ps(t0, t1);
    __m128 low23 = _mm_unpacklo_ps(t2, t3), high23 = _mm_unpackhi_ps(t2, t3);
    __m128 scale = _mm_movelh_ps(low01, low23);
    __m128 add = _mm_movehl_ps(low23, low01);
    __m128i bias = _mm_castps_si128(_mm_movelh_ps(high01, high23));

    __m128 dot = _mm_cvtepi32_ps(_mm_sub_epi32(dots, bias));
    __m128 part = _mm_mul_ps(_mm_mul_ps(_mm_set1_ps(s->mul), dot), scale);
    _mm_storeu_ps(out, _mm_sub_ps(_mm_add_ps(_mm_set1_ps(s->add), add), part));
}

#endif
