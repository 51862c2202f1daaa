/* kernels_avx512.c: AVX-512 with VNNI (byte dot products) and VPOPCNTDQ (bit counts): Intel since
 * Ice Lake, AMD since Zen 4. Masked loads do not touch what the mask leaves out. */
#include "vec/kernels_tables.h"

#if defined(__x86_64__)
#include "vec/kernels_x86.h"

#include <string.h>

enum { VF_LANES = 16, F32_CHAINS = 4, VH_WORDS = 8 };

typedef __m512 vf;
typedef __m512i vi;
typedef __m512i vq;
typedef __m512i vh;

static inline vf vf_zero(void)
{
    return _mm512_setzero_ps();
}

static inline vf vf_load(const void *p)
{
    return _mm512_loadu_ps(p);
}

static inline vf vf_load_part(const void *p, size_t count)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}

static inline vf floats_of_bf16(__m256i halves)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

static inline __m256i part_of_halves(const void *p, size_t count)
{
    return _mm256_maskz_loadu_epi16((__mmask16)((1u << count) - 1), p);
}

static inline vf vf_load_fp16(const void *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256(p));
}

static inline vf vf_load_fp16_part(const void *p, size_t count)
{
    return _mm512_cvtph_ps(part_of_halves(p, count));
}

static inline vf vf_load_bf16(const void *p)
{
    return floats_of_bf16(_mm256_loadu_si256(p));
}

static inline vf vf_load_bf16_part(const void *p, size_t count)
{
    return floats_of_bf16(part_of_halves(p, count));
}

static inline vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* Two rounds of unpacking leave in every 128-bit lane one partial sum of each vector. */
static inline void vf_sums(const vf *v, float *out)
{
    vf ab = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
    vf cd = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
    vf all = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(1, 0, 1, 0)),
                           _mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(3, 2, 3, 2)));
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
}

static inline vi vi_zero(void)
{
    return _mm512_setzero_si512();
}

static inline vq vq_load(const uint8_t *p)
{
    return _mm512_loadu_si512(p);
}

static inline vi vi_dot(vi acc, vq q, const uint8_t *p)
{
    return _mm512_dpbusd_epi32(acc, q, _mm512_loadu_si512(p));
}

static inline vi vi_dot_bits(vi acc, vq q, const uint8_t *p)
{
    uint64_t bits;
    memcpy(&bits, p, sizeof(bits));
    return _mm512_dpbusd_epi32(acc, _mm512_maskz_mov_epi8(bits, q), _mm512_set1_epi8(1));
}

static inline vi vi_dot_nibbles(vi acc, vq q, const uint8_t *p)
{
    __m256i both = _mm256_loadu_si256((const __m256i *)p), low = _mm256_set1_epi8(15);
    __m256i first = _mm256_and_si256(both, low);
    __m256i second = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
    return _mm512_dpbusd_epi32(acc, q,
                               _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1));
}

static inline v4 vi_sums(const vi *v)
{
    vi ab = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
    vi cd = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
    vi all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

static inline vh vh_zero(void)
{
    return _mm512_setzero_si512();
}

static inline vh vh_step(vh acc, const uint64_t *a, const uint8_t *b)
{
    vh differ = _mm512_xor_si512(_mm512_loadu_si512(a), _mm512_loadu_si512(b));
    return _mm512_add_epi64(acc, _mm512_popcnt_epi64(differ));
}

/* The narrowest register that holds the words: a masked load that reaches into the next cache line
 * costs two, even where the mask leaves that line out. */
static inline vh vh_step_part(vh acc, const uint64_t *a, const uint8_t *b, size_t words)
{
    __mmask8 mask = (__mmask8)((1u << words) - 1);
    vh differ;
    if (words <= 2)
        differ = _mm512_zextsi128_si512(
            _mm_xor_si128(_mm_maskz_loadu_epi64(mask, a), _mm_maskz_loadu_epi64(mask, b)));
    else if (words <= 4)
        differ = _mm512_zextsi256_si512(
            _mm256_xor_si256(_mm256_maskz_loadu_epi64(mask, a), _mm256_maskz_loadu_epi64(mask, b)));
    else
        differ =
            _mm512_xor_si512(_mm512_maskz_loadu_epi64(mask, a), _mm512_maskz_loadu_epi64(mask, b));
    return _mm512_add_epi64(acc, _mm512_popcnt_epi64(differ));
}

/* The upper half of each count is 0, so they add up like counts of 32 bits. */
static inline void vh_sums(const vh *v, uint32_t *out)
{
    _mm_storeu_si128((__m128i *)out, vi_sums(v));
}

/* Two pairs at a time: 64 bytes, with the tables of four parts in one register. Sums of odd rows
 * stand in the high bytes until they are shifted down; those of even rows are the rest, modulo
 * 2^16, of which nothing is lost. */
static inline void pq_sums(const struct pq4_scan *s, const uint8_t *codes, uint16_t *sums)
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i all = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
    for (size_t pair = 0; pair < s->pairs; pair += 2) {
        /* A last pair that is alone has no bytes behind it: half of the register is 0, and so is
         * what it looks up. */
        __mmask8 there = pair + 1 < s->pairs ? 0xff : 0x0f;
        __m512i code = _mm512_maskz_loadu_epi64(there, codes + pair * PQ_BLOCK);
        __m512i tables = _mm512_maskz_loadu_epi64(there, s->tables + pair * 32);
        __m512i even_table = _mm512_shuffle_i64x2(tables, tables, 0xa0);
        __m512i odd_table = _mm512_shuffle_i64x2(tables, tables, 0xf5);
        __m512i a = _mm512_shuffle_epi8(even_table, _mm512_and_si512(code, low));
        __m512i b = _mm512_shuffle_epi8(odd_table,
                                        _mm512_and_si512(_mm512_srli_epi16(code, 4), low));
        all = _mm512_add_epi16(all, _mm512_add_epi16(a, b));
        odd = _mm512_add_epi16(
            odd, _mm512_add_epi16(_mm512_srli_epi16(a, 8), _mm512_srli_epi16(b, 8)));
    }
    __m256i odds = _mm256_add_epi16(_mm512_castsi512_si256(odd), _mm512_extracti64x4_epi64(odd, 1));
    __m256i even = _mm256_add_epi16(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    even = _mm256_sub_epi16(even, _mm256_slli_epi16(odds, 8));
    __m256i first = _mm256_unpacklo_epi16(even, odds), second = _mm256_unpackhi_epi16(even, odds);
    _mm256_storeu_si256((__m256i *)sums, _mm256_permute2x128_si256(first, second, 0x20));
    _mm256_storeu_si256((__m256i *)(sums + 16), _mm256_permute2x128_si256(first, second, 0x31));
}

static inline uint32_t pq_scores(const struct pq4_scan *s, const uint16_t *sums, const float *adds,
                                 float *scores)
{
    uint32_t below = 0;
    for (size_t i = 0; i < PQ_BLOCK; i += 16) {
        __m256i part = _mm256_loadu_si256((const __m256i *)(sums + i));
        __m512 score = _mm512_mul_ps(_mm512_set1_ps(s->step),
                                     _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(part)));
        score = _mm512_add_ps(_mm512_add_ps(score, _mm512_set1_ps(s->base)),
                              _mm512_loadu_ps(adds + i));
        _mm512_storeu_ps(scores + i, score);
        __mmask16 less = _mm512_cmp_ps_mask(score, _mm512_set1_ps(s->limit), _CMP_LE_OQ);
        below |= (uint32_t)less << i;
    }
    return below;
}

#include "vec/kernels_body.h"

const struct vec_kernels vec_kernels_avx512 = {.name = "avx512", KERNEL_ENTRIES};
#endif
