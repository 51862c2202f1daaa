/* codec_forms.h: what codec.c asks of the file of each form of code. */
#ifndef VDB_VEC_CODEC_FORMS_H
#define VDB_VEC_CODEC_FORMS_H

#include "vec/codec.h"

struct codec_form {
    void (*init)(struct codec *c);
    void (*encode)(const struct codec *c, const float *vector, uint8_t *row);
    void (*store)(const struct codec *c, const uint8_t *vector, uint8_t *row);
    void (*query)(const struct codec *c, const float *vector, uint8_t *query);
    void (*query_of_row)(const struct codec *c, const uint8_t *row, uint8_t *query);
    void (*score_many)(const struct codec *c, const uint8_t *query, const uint8_t *base,
                       const uint32_t *ids, size_t count, float *out);
    void (*score_range)(const struct codec *c, const uint8_t *query, const uint8_t *base,
                        uint32_t first, size_t count, float *out);
    void (*decode)(const struct codec *c, const uint8_t *row, float *vector);
    /* codec_screen, codec_row_finite; NULL: every row passes */
    size_t (*screen)(const struct codec *c, const uint8_t *query, const uint8_t *base,
                     uint32_t *ids, size_t count, float limit);
    bool (*finite)(const struct codec *c, const uint8_t *row);
};

/* QUANT_NONE of each type; they have no encode but FP32. The others have no store. */
extern const struct codec_form codec_fp32, codec_half, codec_int8, codec_bit;
extern const struct codec_form codec_sq8, codec_bin, codec_rabitq;


/* The next multiple. value is at most a few rows' bytes, so the sum does not wrap. */
static inline uint32_t round_up(uint32_t value, uint32_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* The row that out[i] is of, in score_many (ids) or score_range (NULL, first). */
static inline const uint8_t *scored_row(const struct codec *c, const uint8_t *base,
                                        const uint32_t *ids, uint32_t first, size_t i)
{
    return base + (ids != NULL ? ids[i] : first + i) * (size_t)c->row_size;
}

#endif
