/* kernels_neon.c: what every 64-bit ARM has. */
#include "vec/kernels_tables.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

enum { VF_LANES = 4, F32_CHAINS = 4, VH_WORDS = 2 };

typedef float32x4_t vf;
typedef int32x4_t vi;
typedef int32x4_t v4;
typedef uint64x2_t vh;

/* The byte dot product of newer processors has no form for unsigned times signed before ARMv8.6, so
 * bytes are widened to 16 bits. */
typedef struct {
    int16x8_t part[8];
} vq;

static inline vf vf_zero(void)
{
    return vdupq_n_f32(0);
}

static inline vf vf_load(const void *p)
{
    return vreinterpretq_f32_u8(vld1q_u8(p));
}

static inline vf vf_load_part(const void *p, size_t count)
{
    uint8_t part[16] = {0};
    memcpy(part, p, count * sizeof(float));
    return vf_load(part);
}

static inline vf vf_load_fp16(const void *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

static inline vf vf_load_fp16_part(const void *p, size_t count)
{
    uint8_t part[8] = {0};
    memcpy(part, p, count * sizeof(uint16_t));
    return vf_load_fp16(part);
}

static inline vf vf_load_bf16(const void *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16));
}

static inline vf vf_load_bf16_part(const void *p, size_t count)
{
    uint8_t part[8] = {0};
    memcpy(part, p, count * sizeof(uint16_t));
    return vf_load_bf16(part);
}

static inline vf vf_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}

static inline void vf_sums(const vf *v, float *out)
{
    vst1q_f32(out, vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3])));
}

static inline vi vi_zero(void)
{
    return vdupq_n_s32(0);
}

static inline vq vq_load(const uint8_t *p)
{
    vq q;
    for (size_t i = 0; i < 8; i++)
        q.part[i] = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p + 8 * i)));
    return q;
}

static inline vi vi_dot(vi acc, vq q, const uint8_t *p)
{
    for (size_t i = 0; i < 8; i++) {
        int16x8_t c = vmovl_s8(vreinterpret_s8_u8(vld1_u8(p + 8 * i)));
        acc = vmlal_s16(acc, vget_low_s16(q.part[i]), vget_low_s16(c));
        acc = vmlal_high_s16(acc, q.part[i], c);
    }
    return acc;
}

static inline vi vi_dot_bits(vi acc, vq q, const uint8_t *p)
{
    static const uint16_t places[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const uint16x8_t place = vld1q_u16(places);
    for (size_t i = 0; i < 8; i++) {
        uint16x8_t set = vtstq_u16(vdupq_n_u16(p[i]), place);
        acc = vpadalq_s16(acc, vandq_s16(q.part[i], vreinterpretq_s16_u16(set)));
    }
    return acc;
}

static inline vi vi_dot_words(vi acc, int16x8_t q, uint8x8_t numbers)
{
    int16x8_t c = vreinterpretq_s16_u16(vmovl_u8(numbers));
    acc = vmlal_s16(acc, vget_low_s16(q), vget_low_s16(c));
    return vmlal_high_s16(acc, q, c);
}

static inline vi vi_dot_nibbles(vi acc, vq q, const uint8_t *p)
{
    for (size_t i = 0; i < 4; i++) {
        uint8x8_t both = vld1_u8(p + 8 * i);
        acc = vi_dot_words(acc, q.part[i], vand_u8(both, vdup_n_u8(15)));
        acc = vi_dot_words(acc, q.part[i + 4], vshr_n_u8(both, 4));
    }
    return acc;
}

static inline v4 vi_sums(const vi *v)
{
    return vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3]));
}

static inline void v4_store(v4 v, int32_t *out)
{
    vst1q_s32(out, v);
}

/* A tail is four numbers, so four tails are a 4 x 4 matrix; transposed, each register holds one
 * number of all four rows. No fused multiply-add here: see struct sq8_scan. */
static inline void sq8_scores(const struct sq8_scan *s, v4 dots, const uint8_t *const *tail,
                              float *out)
{
    vf low01 = vzip1q_f32(vf_load(tail[0]), vf_load(tail[1]));
    vf high01 = vzip2q_f32(vf_load(tail[0]), vf_load(tail[1]));
    vf low23 = vzip1q_f32(vf_load(tail[2]), vf_load(tail[3]));
    vf high23 = vzip2q_f32(vf_load(tail[2]), vf_load(tail[3]));
    vf scale = vcombine_f32(vget_low_f32(low01), vget_low_f32(low23));
    vf add = vcombine_f32(vget_high_f32(low01), vget_high_f32(low23));
    vf bias = vcombine_f32(vget_low_f32(high01), vget_low_f32(high23));

    vf dot = vcvtq_f32_s32(vsubq_s32(dots, vreinterpretq_s32_f32(bias)));
    vf part = vmulq_f32(vmulq_f32(vdupq_n_f32(s->mul), dot), scale);
    vst1q_f32(out, vsubq_f32(vaddq_f32(vdupq_n_f32(s->add), add), part));
}

static inline vh vh_zero(void)
{
    return vdupq_n_u64(0);
}

static inline vh vh_add_bits(vh acc, uint8x16_t differ)
{
    return vpadalq_u32(acc, vpaddlq_u16(vpaddlq_u8(vcntq_u8(differ))));
}

static inline vh vh_step(vh acc, const uint64_t *a, const uint8_t *b)
{
    return vh_add_bits(acc, veorq_u8(vld1q_u8((const uint8_t *)a), vld1q_u8(b)));
}

static inline vh vh_step_part(vh acc, const uint64_t *a, const uint8_t *b, size_t words)
{
    uint8_t part_a[16] = {0}, part_b[16] = {0};
    memcpy(part_a, a, words * sizeof(uint64_t));
    memcpy(part_b, b, words * sizeof(uint64_t));
    return vh_add_bits(acc, veorq_u8(vld1q_u8(part_a), vld1q_u8(part_b)));
}

static inline void vh_sums(const vh *v, uint32_t *out)
{
    for (size_t r = 0; r < 4; r++)
        out[r] = (uint32_t)vaddvq_u64(v[r]);
}

/* Rows 0 .. 15 and 16 .. 31 of a pair, 8 of which make a register of 16-bit sums. */
static inline void pq_sums(const struct pq4_scan *s, const uint8_t *codes, uint16_t *sums)
{
    const uint8x16_t low = vdupq_n_u8(15);
    uint16x8_t sum[4] = {vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0)};
    for (size_t pair = 0; pair < s->pairs; pair++) {
        uint8x16_t even_table = vld1q_u8(s->tables + pair * 32);
        uint8x16_t odd_table = vld1q_u8(s->tables + pair * 32 + 16);
        for (size_t half = 0; half < 2; half++) {
            uint8x16_t code = vld1q_u8(codes + pair * PQ_BLOCK + half * 16);
            uint8x16_t a = vqtbl1q_u8(even_table, vandq_u8(code, low));
            uint8x16_t b = vqtbl1q_u8(odd_table, vshrq_n_u8(code, 4));
            uint16x8_t *to = &sum[2 * half];
            to[0] = vaddq_u16(to[0], vaddl_u8(vget_low_u8(a), vget_low_u8(b)));
            to[1] = vaddq_u16(to[1], vaddl_u8(vget_high_u8(a), vget_high_u8(b)));
        }
    }
    for (size_t i = 0; i < 4; i++)
        vst1q_u16(sums + 8 * i, sum[i]);
}

static inline uint32_t pq_scores(const struct pq4_scan *s, const uint16_t *sums, const float *adds,
                                 float *scores)
{
    static const uint32_t bits[4] = {1, 2, 4, 8};
    const uint32x4_t bit = vld1q_u32(bits);
    uint32_t below = 0;
    for (size_t i = 0; i < PQ_BLOCK; i += 4) {
        float32x4_t sum = vcvtq_f32_u32(vmovl_u16(vld1_u16(sums + i)));
        float32x4_t score = vaddq_f32(vmulq_f32(vdupq_n_f32(s->step), sum), vdupq_n_f32(s->base));
        score = vaddq_f32(score, vld1q_f32(adds + i));
        vst1q_f32(scores + i, score);
        uint32x4_t less = vandq_u32(vcleq_f32(score, vdupq_n_f32(s->limit)), bit);
        below |= vaddvq_u32(less) << i;
    }
    return below;
}

#include "vec/kernels_body.h"

const struct vec_kernels vec_kernels_neon = {.name = "neon", KERNEL_ENTRIES};
#endif
