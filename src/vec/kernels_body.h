/* kernels_body.h: the SIMD kernels, written once. kernels_<set>.c defines the primitives named here
 * and includes this file, which then defines every kernel and the entries of the table.
 *
 *   vf          VF_LANES floats: vf_zero, vf_load(p), vf_load_part(p, n) (n < VF_LANES floats, the
 *               rest 0, nothing read behind them), vf_add, vf_sub, vf_fma(a, b, c) = a * b + c,
 *               vf_sums(v, out): the sums of GROUP vectors; vf_load_fp16(p), vf_load_bf16(p)
 *               and their _part forms: VF_LANES halves as floats
 *   vq, vi      vq_load(p): 64 query bytes, made ready; vi: partial int32 sums: vi_zero, vi_add,
 *               vi_dot(acc, q, p): adds the products of q and the 64 signed bytes at p
 *   v4          4 int32: vi_sums(v): the sums of GROUP vi; v4_store(v, p); sq8_scores(s, dots,
 *               tails, out): the scores of GROUP rows
 *   vh          counts of bits in VH_WORDS 64-bit words: vh_zero, vh_step(acc, a, b),
 *               vh_step_part(acc, a, b, n) (n < VH_WORDS words), vh_sums(v, out): the sums of
 *               GROUP of them
 *               vi_dot_bits, vi_dot_nibbles: the same of 64 bits, of 64 nibbles (vec.h)
 *   pq_sums(s, codes, sums): the PQ_BLOCK sums of struct pq4_scan, each 16 bits;
 *   pq_scores(s, sums, adds, scores): what pq4_block makes of them
 *   F32_CHAINS  sums kept per row of floats, 2 or more, as the registers allow
 *
 * GROUP rows are scored side by side, so that neither the latency of an addition nor that of a
 * cache miss of one row holds up the others. The rows left over go one by one through the same
 * operations in the same order, so a row's result does not depend on its company. */
#ifndef VDB_VEC_KERNELS_BODY_H
#define VDB_VEC_KERNELS_BODY_H

#include "vec/kernels_rotate.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    GROUP = 4,
    LINE_SIZE = 64,
    SHORT_ROW = 16 * LINE_SIZE, /* up to here a row is fetched whole */
    FETCH_LONG = 4 * LINE_SIZE, /* of a longer one, which then is a stream the processor sees */
    FETCH_AHEAD = 12,           /* rows, when ids name them */
    FETCH_AHEAD_BYTES = 4096    /* of consecutive rows: a page, where the processor's own stops */
};

/* The rows a kernel visits: those that ids names, or consecutive ones from first. */
struct rows {
    const uint8_t *base;
    size_t stride_bytes;
    const uint32_t *ids; /* NULL: consecutive */
    size_t first;
    size_t count;
    size_t ahead;      /* rows to fetch ahead */
    size_t fetch_size; /* bytes to fetch of each */
};

/* size: bytes the kernel reads of a row. */
INLINE struct rows rows_named(const uint8_t *base, size_t stride_bytes, const uint32_t *ids,
                              size_t count, size_t size)
{
    return (struct rows){
        .base = base,
        .stride_bytes = stride_bytes,
        .ids = ids,
        .count = count,
        .ahead = FETCH_AHEAD,
        .fetch_size = size <= SHORT_ROW ? size : FETCH_LONG,
    };
}

/* Rows longer than SHORT_ROW come fast enough by themselves. */
INLINE struct rows rows_from(const uint8_t *base, size_t stride_bytes, size_t first, size_t count,
                             size_t size)
{
    return (struct rows){
        .base = base,
        .stride_bytes = stride_bytes,
        .ids = NULL,
        .first = first,
        .count = count,
        .ahead = FETCH_AHEAD_BYTES / stride_bytes,
        .fetch_size = size <= SHORT_ROW ? size : 0,
    };
}

INLINE const uint8_t *row_at(const struct rows *rows, size_t index)
{
    size_t id = rows->ids != NULL ? rows->ids[index] : rows->first + index;
    return rows->base + id * rows->stride_bytes;
}

INLINE void fetch_row(const uint8_t *row, size_t size)
{
    for (size_t i = 0; i < size; i += LINE_SIZE)
        __builtin_prefetch(row + i);
    /* A row that starts inside a line ends in one more. */
    __builtin_prefetch(row + size - 1);
}

/* Rows from .. to - 1, as far as there are any. */
INLINE void fetch_rows(const struct rows *rows, size_t from, size_t to)
{
    size_t end = to < rows->count ? to : rows->count;
    if (rows->fetch_size == 0 || from >= end)
        return;
    if (rows->ids == NULL) {
        const uint8_t *stop = row_at(rows, end);
        for (const uint8_t *at = row_at(rows, from); at < stop; at += LINE_SIZE)
            __builtin_prefetch(at);
        return;
    }
    for (size_t i = from; i < end; i++)
        fetch_row(row_at(rows, i), rows->fetch_size);
}

INLINE void group_at(const struct rows *rows, size_t from, size_t group, const uint8_t **row)
{
    for (size_t r = 0; r < group; r++)
        row[r] = row_at(rows, from + r);
}

/* What the numbers of a row are. */
enum kept { KEPT_FLOAT, KEPT_FP16, KEPT_BF16 };

INLINE size_t kept_size(enum kept kept)
{
    return kept == KEPT_FLOAT ? sizeof(float) : sizeof(uint16_t);
}

/* VF_LANES numbers of a row from the one at index at on. */
INLINE vf kept_load(enum kept kept, const uint8_t *row, size_t at)
{
    const uint8_t *p = row + at * kept_size(kept);
    return kept == KEPT_FLOAT ? vf_load(p) : kept == KEPT_FP16 ? vf_load_fp16(p) : vf_load_bf16(p);
}

INLINE vf kept_load_part(enum kept kept, const uint8_t *row, size_t at, size_t count)
{
    const uint8_t *p = row + at * kept_size(kept);
    return kept == KEPT_FLOAT  ? vf_load_part(p, count)
           : kept == KEPT_FP16 ? vf_load_fp16_part(p, count)
                               : vf_load_bf16_part(p, count);
}

INLINE vf f32_step(bool l2, vf q, vf c, vf acc)
{
    if (!l2)
        return vf_fma(q, c, acc);
    vf d = vf_sub(q, c);
    return vf_fma(d, d, acc);
}

/* out: the sums of group rows, GROUP or 1. */
INLINE void f32_group(enum kept kept, bool l2, size_t group, const float *query,
                      const uint8_t *const *row, size_t dim, float *out)
{
    vf acc[GROUP][F32_CHAINS];
    for (size_t r = 0; r < group; r++)
        for (size_t c = 0; c < F32_CHAINS; c++)
            acc[r][c] = vf_zero();

    size_t i = 0;
    for (; i + F32_CHAINS * VF_LANES <= dim; i += F32_CHAINS * VF_LANES) {
        for (size_t c = 0; c < F32_CHAINS; c++) {
            size_t at = i + c * VF_LANES;
            vf q = vf_load(query + at);
            for (size_t r = 0; r < group; r++)
                acc[r][c] = f32_step(l2, q, kept_load(kept, row[r], at), acc[r][c]);
        }
    }
    for (; i + VF_LANES <= dim; i += VF_LANES) {
        vf q = vf_load(query + i);
        for (size_t r = 0; r < group; r++)
            acc[r][0] = f32_step(l2, q, kept_load(kept, row[r], i), acc[r][0]);
    }
    if (i < dim) {
        vf q = vf_load_part(query + i, dim - i);
        for (size_t r = 0; r < group; r++)
            acc[r][1] = f32_step(l2, q, kept_load_part(kept, row[r], i, dim - i), acc[r][1]);
    }

    vf sums[GROUP];
    for (size_t r = 0; r < GROUP; r++) {
        size_t from = r < group ? r : 0;
        sums[r] = vf_add(acc[from][0], acc[from][1]);
        for (size_t c = 2; c < F32_CHAINS; c++)
            sums[r] = vf_add(sums[r], acc[from][c]);
    }
    float four[GROUP];
    vf_sums(sums, four);
    for (size_t r = 0; r < group; r++)
        out[r] = four[r];
}

INLINE void f32_rows(enum kept kept, bool l2, const float *query, const struct rows *rows,
                     size_t dim, float *out)
{
    const uint8_t *row[GROUP];
    size_t i = 0;
    fetch_rows(rows, 0, rows->ahead);
    for (; i + GROUP <= rows->count; i += GROUP) {
        fetch_rows(rows, i + rows->ahead, i + rows->ahead + GROUP);
        group_at(rows, i, GROUP, row);
        f32_group(kept, l2, GROUP, query, row, dim, out + i);
    }
    for (; i < rows->count; i++) {
        group_at(rows, i, 1, row);
        f32_group(kept, l2, 1, query, row, dim, out + i);
    }
}

static float dot_f32(const float *a, const float *b, size_t dim)
{
    const uint8_t *row = (const uint8_t *)b;
    float sum;
    f32_group(KEPT_FLOAT, false, 1, a, &row, dim, &sum);
    return sum;
}

static float l2_f32(const float *a, const float *b, size_t dim)
{
    const uint8_t *row = (const uint8_t *)b;
    float sum;
    f32_group(KEPT_FLOAT, true, 1, a, &row, dim, &sum);
    return sum;
}

/* The forms for many rows of one kind of numbers and one sum. */
#define MANY_AND_RANGE(name, kept, l2)                                                             \
    static void name##_many(const float *query, const uint8_t *base, size_t stride_bytes,          \
                            const uint32_t *ids, size_t count, size_t dim, float *out)             \
    {                                                                                              \
        const struct rows rows =                                                                   \
            rows_named(base, stride_bytes, ids, count, dim * kept_size(kept));                     \
        f32_rows(kept, l2, query, &rows, dim, out);                                                \
    }                                                                                              \
    static void name##_range(const float *query, const uint8_t *base, size_t stride_bytes,         \
                             uint32_t first, size_t count, size_t dim, float *out)                 \
    {                                                                                              \
        const struct rows rows =                                                                   \
            rows_from(base, stride_bytes, first, count, dim * kept_size(kept));                    \
        f32_rows(kept, l2, query, &rows, dim, out);                                                \
    }

MANY_AND_RANGE(dot_f32, KEPT_FLOAT, false)
MANY_AND_RANGE(l2_f32, KEPT_FLOAT, true)
MANY_AND_RANGE(dot_fp16, KEPT_FP16, false)
MANY_AND_RANGE(l2_fp16, KEPT_FP16, true)
MANY_AND_RANGE(dot_bf16, KEPT_BF16, false)
MANY_AND_RANGE(l2_bf16, KEPT_BF16, true)

/* What the integers of a row are; each is 8, 4 or 1 bits. */
enum packed { PACKED_BYTES = 8, PACKED_NIBBLES = 4, PACKED_BITS = 1 };

INLINE vi packed_dot(enum packed packed, vi acc, vq q, const uint8_t *p)
{
    return packed == PACKED_BYTES     ? vi_dot(acc, q, p)
           : packed == PACKED_NIBBLES ? vi_dot_nibbles(acc, q, p)
                                      : vi_dot_bits(acc, q, p);
}

/* The sums of group rows, GROUP or 1 (then repeated). size is a multiple of 64. */
INLINE v4 u8_group(enum packed packed, size_t group, const uint8_t *q, const uint8_t *const *row,
                   size_t size)
{
    vi acc[GROUP];
    for (size_t r = 0; r < group; r++)
        acc[r] = vi_zero();
    for (size_t i = 0; i < size; i += LINE_SIZE) {
        vq bytes = vq_load(q + i);
        for (size_t r = 0; r < group; r++)
            acc[r] = packed_dot(packed, acc[r], bytes, row[r] + i * packed / PACKED_BYTES);
    }
    for (size_t r = group; r < GROUP; r++)
        acc[r] = acc[0];
    return vi_sums(acc);
}

INLINE int32_t u8_one(enum packed packed, const uint8_t *q, const uint8_t *row, size_t size)
{
    int32_t sums[GROUP];
    v4_store(u8_group(packed, 1, q, &row, size), sums);
    return sums[0];
}

static int32_t dot_u8s8(const uint8_t *q, const int8_t *c, size_t size)
{
    return u8_one(PACKED_BYTES, q, (const uint8_t *)c, size);
}

INLINE void u8_rows(enum packed packed, const uint8_t *q, const struct rows *rows, size_t size,
                    int32_t *out)
{
    const uint8_t *row[GROUP];
    size_t i = 0;
    fetch_rows(rows, 0, rows->ahead);
    for (; i + GROUP <= rows->count; i += GROUP) {
        fetch_rows(rows, i + rows->ahead, i + rows->ahead + GROUP);
        group_at(rows, i, GROUP, row);
        v4_store(u8_group(packed, GROUP, q, row, size), out + i);
    }
    for (; i < rows->count; i++)
        out[i] = u8_one(packed, q, row_at(rows, i), size);
}

/* The forms for many rows of one kind of integers. */
#define PACKED_MANY_AND_RANGE(name, packed)                                                        \
    static void name##_many(const uint8_t *q, const uint8_t *base, size_t stride_bytes,            \
                            const uint32_t *ids, size_t count, size_t size, int32_t *out)          \
    {                                                                                              \
        const struct rows rows =                                                                   \
            rows_named(base, stride_bytes, ids, count, size * (packed) / PACKED_BYTES);            \
        u8_rows(packed, q, &rows, size, out);                                                      \
    }                                                                                              \
    static void name##_range(const uint8_t *q, const uint8_t *base, size_t stride_bytes,           \
                             uint32_t first, size_t count, size_t size, int32_t *out)              \
    {                                                                                              \
        const struct rows rows =                                                                   \
            rows_from(base, stride_bytes, first, count, size * (packed) / PACKED_BYTES);           \
        u8_rows(packed, q, &rows, size, out);                                                      \
    }

PACKED_MANY_AND_RANGE(dot_u8s8, PACKED_BYTES)
PACKED_MANY_AND_RANGE(dot_bits, PACKED_BITS)
PACKED_MANY_AND_RANGE(dot_nibbles, PACKED_NIBBLES)

INLINE void sq8_group(const struct sq8_scan *s, size_t group, const uint8_t *const *row, float *out)
{
    v4 dots = u8_group(PACKED_BYTES, group, s->query, row, s->size);
    const uint8_t *tail[GROUP];
    for (size_t r = 0; r < GROUP; r++)
        tail[r] = row[r < group ? r : 0] + s->tail_offset;
    float four[GROUP];
    sq8_scores(s, dots, tail, four);
    for (size_t r = 0; r < group; r++)
        out[r] = four[r];
}

INLINE void sq8_rows(const struct sq8_scan *scan, const struct rows *rows, float *out)
{
    /* A copy: through the pointer, each store to out would make the compiler load it anew. */
    const struct sq8_scan s = *scan;
    const uint8_t *row[GROUP];
    size_t i = 0;
    fetch_rows(rows, 0, rows->ahead);
    for (; i + GROUP <= rows->count; i += GROUP) {
        fetch_rows(rows, i + rows->ahead, i + rows->ahead + GROUP);
        group_at(rows, i, GROUP, row);
        sq8_group(&s, GROUP, row, out + i);
    }
    for (; i < rows->count; i++) {
        group_at(rows, i, 1, row);
        sq8_group(&s, 1, row, out + i);
    }
}

static void sq8_many(const struct sq8_scan *s, const uint8_t *base, const uint32_t *ids,
                     size_t count, float *out)
{
    size_t size = s->tail_offset + sizeof(struct sq8_tail);
    const struct rows rows = rows_named(base, s->stride_bytes, ids, count, size);
    sq8_rows(s, &rows, out);
}

static void sq8_range(const struct sq8_scan *s, const uint8_t *base, uint32_t first, size_t count,
                      float *out)
{
    size_t size = s->tail_offset + sizeof(struct sq8_tail);
    const struct rows rows = rows_from(base, s->stride_bytes, first, count, size);
    sq8_rows(s, &rows, out);
}

INLINE void hamming_group(size_t group, const uint64_t *q, const uint8_t *const *row, size_t words,
                          uint32_t *out)
{
    vh acc[GROUP];
    for (size_t r = 0; r < group; r++)
        acc[r] = vh_zero();
    size_t i = 0;
    for (; i + VH_WORDS <= words; i += VH_WORDS)
        for (size_t r = 0; r < group; r++)
            acc[r] = vh_step(acc[r], q + i, row[r] + i * sizeof(uint64_t));
    if (i < words)
        for (size_t r = 0; r < group; r++)
            acc[r] = vh_step_part(acc[r], q + i, row[r] + i * sizeof(uint64_t), words - i);
    for (size_t r = group; r < GROUP; r++)
        acc[r] = acc[0];
    uint32_t four[GROUP];
    vh_sums(acc, four);
    for (size_t r = 0; r < group; r++)
        out[r] = four[r];
}

INLINE void hamming_rows(const uint64_t *q, const struct rows *rows, size_t words, uint32_t *out)
{
    const uint8_t *row[GROUP];
    size_t i = 0;
    fetch_rows(rows, 0, rows->ahead);
    for (; i + GROUP <= rows->count; i += GROUP) {
        fetch_rows(rows, i + rows->ahead, i + rows->ahead + GROUP);
        group_at(rows, i, GROUP, row);
        hamming_group(GROUP, q, row, words, out + i);
    }
    for (; i < rows->count; i++) {
        group_at(rows, i, 1, row);
        hamming_group(1, q, row, words, out + i);
    }
}

static uint32_t hamming(const uint64_t *a, const uint64_t *b, size_t words)
{
    const uint8_t *row = (const uint8_t *)b;
    uint32_t differing;
    hamming_group(1, a, &row, words, &differing);
    return differing;
}

static void hamming_many(const uint64_t *q, const uint8_t *base, size_t stride_bytes,
                         const uint32_t *ids, size_t count, size_t words, uint32_t *out)
{
    const struct rows rows = rows_named(base, stride_bytes, ids, count, words * sizeof(uint64_t));
    hamming_rows(q, &rows, words, out);
}

static void hamming_range(const uint64_t *q, const uint8_t *base, size_t stride_bytes,
                          uint32_t first, size_t count, size_t words, uint32_t *out)
{
    const struct rows rows = rows_from(base, stride_bytes, first, count, words * sizeof(uint64_t));
    hamming_rows(q, &rows, words, out);
}

static uint32_t pq4_block(const struct pq4_scan *s, const uint8_t *codes, const float *adds,
                          float *scores)
{
    uint16_t sums[PQ_BLOCK];
    pq_sums(s, codes, sums);
    return pq_scores(s, sums, adds, scores);
}

#define KERNEL_ENTRIES                                                                             \
    .dot_f32 = dot_f32, .l2_f32 = l2_f32, .dot_f32_many = dot_f32_many,                            \
    .l2_f32_many = l2_f32_many, .dot_f32_range = dot_f32_range, .l2_f32_range = l2_f32_range,      \
    .dot_u8s8 = dot_u8s8, .dot_u8s8_many = dot_u8s8_many, .dot_u8s8_range = dot_u8s8_range,        \
    .fp16 = {dot_fp16_many, l2_fp16_many, dot_fp16_range, l2_fp16_range},                          \
    .bf16 = {dot_bf16_many, l2_bf16_many, dot_bf16_range, l2_bf16_range},                          \
    .bits = {dot_bits_many, dot_bits_range}, .nibbles = {dot_nibbles_many, dot_nibbles_range},     \
    .rotate = rotate, .sq8_many = sq8_many, .sq8_range = sq8_range, .hamming = hamming,            \
    .hamming_many = hamming_many, .hamming_range = hamming_range,                        \
    .pq4_block = pq4_block

#endif
