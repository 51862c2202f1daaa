/* kernels_avx2.c: AVX2 with FMA, F16C and POPCNT: Intel since Haswell, AMD since Zen. */
#include "vec/kernels_tables.h"

#if defined(__x86_64__)
#include "vec/kernels_x86.h"

#include <string.h>

/* 2 chains x 4 rows, the query and a difference fill the 16 registers. */
enum { VF_LANES = 8, F32_CHAINS = 2, VH_WORDS = 1 };

typedef __m256 vf;
typedef __m256i vi;
typedef uint64_t vh;

/* Bytes widened to 16 bits: the instruction for bytes saturates at 2^15, and 255 * 127 * 2 is
 * more. */
typedef struct {
    __m256i part[4];
} vq;

static inline vf vf_zero(void)
{
    return _mm256_setzero_ps();
}

static inline vf vf_load(const void *p)
{
    return _mm256_loadu_ps(p);
}

/* A masked load does not touch what the mask leaves out. */
static inline vf vf_load_part(const void *p, size_t count)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane));
}

static inline vf floats_of_fp16(__m128i halves)
{
    return _mm256_cvtph_ps(halves);
}

static inline vf floats_of_bf16(__m128i halves)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

/* There is no masked load of 16-bit numbers: the last few are copied. */
static inline __m128i part_of_halves(const void *p, size_t count)
{
    uint16_t part[VF_LANES] = {0};
    memcpy(part, p, count * sizeof(*part));
    return _mm_loadu_si128((const __m128i *)(const void *)part);
}

static inline vf vf_load_fp16(const void *p)
{
    return floats_of_fp16(_mm_loadu_si128(p));
}

static inline vf vf_load_fp16_part(const void *p, size_t count)
{
    return floats_of_fp16(part_of_halves(p, count));
}

static inline vf vf_load_bf16(const void *p)
{
    return floats_of_bf16(_mm_loadu_si128(p));
}

static inline vf vf_load_bf16_part(const void *p, size_t count)
{
    return floats_of_bf16(part_of_halves(p, count));
}

static inline vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* Two rounds of adding neighbours leave in both 128-bit lanes one partial sum of each vector. */
static inline void vf_sums(const vf *v, float *out)
{
    vf all = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
}

static inline vi vi_zero(void)
{
    return _mm256_setzero_si256();
}

static inline vq vq_load(const uint8_t *p)
{
    vq q;
    for (size_t i = 0; i < 4; i++)
        q.part[i] = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(p + 16 * i)));
    return q;
}

static inline vi vi_dot(vi acc, vq q, const uint8_t *p)
{
    for (size_t i = 0; i < 4; i++) {
        vi c = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(p + 16 * i)));
        acc = _mm256_add_epi32(acc, _mm256_madd_epi16(q.part[i], c));
    }
    return acc;
}

/* Adds a part of the query times numbers of 16 bits. */
static inline vi vi_dot_words(vi acc, vq q, size_t part, __m256i numbers)
{
    return _mm256_add_epi32(acc, _mm256_madd_epi16(q.part[part], numbers));
}

/* Each lane of a part keeps the bit of its place, and is all ones when that is set. */
static inline vi vi_dot_bits(vi acc, vq q, const uint8_t *p)
{
    const __m256i place = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096,
                                            8192, 16384, (short)-32768);
    const __m256i ones = _mm256_set1_epi16(1);
    uint16_t bits[4];
    memcpy(bits, p, sizeof(bits));
    for (size_t i = 0; i < 4; i++) {
        __m256i kept = _mm256_and_si256(_mm256_set1_epi16((short)bits[i]), place);
        __m256i set = _mm256_and_si256(_mm256_cmpeq_epi16(kept, place), ones);
        acc = vi_dot_words(acc, q, i, set);
    }
    return acc;
}

static inline vi vi_dot_nibbles(vi acc, vq q, const uint8_t *p)
{
    const __m256i low = _mm256_set1_epi16(15);
    for (size_t i = 0; i < 2; i++) {
        __m256i both = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(p + 16 * i)));
        acc = vi_dot_words(acc, q, i, _mm256_and_si256(both, low));
        acc = vi_dot_words(acc, q, i + 2, _mm256_srli_epi16(both, 4));
    }
    return acc;
}

static inline v4 vi_sums(const vi *v)
{
    vi all = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
    return _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}

static inline vh vh_zero(void)
{
    return 0;
}

static inline vh vh_step(vh acc, const uint64_t *a, const uint8_t *b)
{
    uint64_t word;
    memcpy(&word, b, sizeof(word));
    return acc + (uint64_t)_mm_popcnt_u64(*a ^ word);
}

/* A step takes a single word, so there are no parts of one. */
static inline vh vh_step_part(vh acc, const uint64_t *a, const uint8_t *b, size_t words)
{
    (void)a;
    (void)b;
    CHECK(words == 0);
    return acc;
}

static inline void vh_sums(const vh *v, uint32_t *out)
{
    for (size_t r = 0; r < 4; r++)
        out[r] = (uint32_t)v[r];
}

/* Sums of odd rows stand in the high bytes until they are shifted down; those of even rows are the
 * rest, modulo 2^16, of which nothing is lost. */
static inline void pq_sums(const struct pq4_scan *s, const uint8_t *codes, uint16_t *sums)
{
    const __m256i low = _mm256_set1_epi8(15);
    __m256i all = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
    for (size_t pair = 0; pair < s->pairs; pair++) {
        __m256i code = _mm256_loadu_si256((const __m256i *)(codes + pair * PQ_BLOCK));
        const __m128i *table = (const __m128i *)(s->tables + pair * 32);
        __m256i even_table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table));
        __m256i odd_table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table + 1));
        __m256i a = _mm256_shuffle_epi8(even_table, _mm256_and_si256(code, low));
        __m256i b = _mm256_shuffle_epi8(odd_table,
                                        _mm256_and_si256(_mm256_srli_epi16(code, 4), low));
        all = _mm256_add_epi16(all, _mm256_add_epi16(a, b));
        odd = _mm256_add_epi16(
            odd, _mm256_add_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8)));
    }
    __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
    __m256i first = _mm256_unpacklo_epi16(even, odd), second = _mm256_unpackhi_epi16(even, odd);
    _mm256_storeu_si256((__m256i *)sums, _mm256_permute2x128_si256(first, second, 0x20));
    _mm256_storeu_si256((__m256i *)(sums + 16), _mm256_permute2x128_si256(first, second, 0x31));
}

static inline uint32_t pq_scores(const struct pq4_scan *s, const uint16_t *sums, const float *adds,
                                 float *scores)
{
    uint32_t below = 0;
    for (size_t i = 0; i < PQ_BLOCK; i += 8) {
        __m128i part = _mm_loadu_si128((const __m128i *)(sums + i));
        __m256 score = _mm256_mul_ps(_mm256_set1_ps(s->step),
                                     _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(part)));
        score = _mm256_add_ps(_mm256_add_ps(score, _mm256_set1_ps(s->base)),
                              _mm256_loadu_ps(adds + i));
        _mm256_storeu_ps(scores + i, score);
        __m256 less = _mm256_cmp_ps(score, _mm256_set1_ps(s->limit), _CMP_LE_OQ);
        below |= (uint32_t)_mm256_movemask_ps(less) << i;
    }
    return below;
}

#include "vec/kernels_body.h"

const struct vec_kernels vec_kernels_avx2 = {.name = "avx2", KERNEL_ENTRIES};
#endif
