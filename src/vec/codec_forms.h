/* codec_forms.h: what codec.c asks of the file of each form of code. */
#ifndef VDB_VEC_CODEC_FORMS_H
#define VDB_VEC_CODEC_FORMS_H

#include "vec/codec.h"

void sq8_init(struct codec *c);
void sq8_encode(const struct codec *c, const float *vector, uint8_t *row);
void sq8_query(const struct codec *c, const float *vector, uint8_t *query);
void sq8_query_of_row(const struct codec *c, const uint8_t *row, uint8_t *query);
void sq8_score_many(const struct codec *c, const uint8_t *query, const uint8_t *base,
                    const uint32_t *ids, size_t count, float *out);
void sq8_score_range(const struct codec *c, const uint8_t *query, const uint8_t *base,
                     uint32_t first, size_t count, float *out);
void sq8_decode(const struct codec *c, const uint8_t *row, float *vector);

void bin_init(struct codec *c);
void bin_encode(const struct codec *c, const float *vector, uint8_t *row);
void bin_query(const struct codec *c, const float *vector, uint8_t *query);
void bin_query_of_row(const struct codec *c, const uint8_t *row, uint8_t *query);
void bin_score_many(const struct codec *c, const uint8_t *query, const uint8_t *base,
                    const uint32_t *ids, size_t count, float *out);
void bin_score_range(const struct codec *c, const uint8_t *query, const uint8_t *base,
                     uint32_t first, size_t count, float *out);
void bin_decode(const struct codec *c, const uint8_t *row, float *vector);

enum { CODEC_LINE = 64 }; /* bytes the kernels may read at once; alignment of prepared queries */

/* The next multiple. value is at most a few rows' bytes, so the sum does not wrap. */
static inline uint32_t round_up(uint32_t value, uint32_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

#endif
