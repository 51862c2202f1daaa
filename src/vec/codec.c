/* The forms of rows behind one set of functions, and the one that is floats as they are. */
#include "vec/codec_forms.h"

#include <math.h>
#include <string.h>

static const char *const quant_names[] = {
#define X(name, word) word,
    QUANT_LIST(X)
#undef X
};

const char *quant_name(enum quant q)
{
    CHECK(q < QUANT_COUNT);
    return quant_names[q];
}

static void none_init(struct codec *c)
{
    c->row_size = c->dim * (uint32_t)sizeof(float);
    c->query_size = round_up(c->row_size, CODEC_LINE);
}

static void none_encode(const struct codec *c, const float *vector, uint8_t *row)
{
    memcpy(row, vector, c->row_size);
}

static void none_store(const struct codec *c, const uint8_t *vector, uint8_t *row)
{
    memcpy(row, vector, c->row_size);
}

/* Zeros behind the vector, so that both ways to prepare a query give the same bytes. */
static void none_query_of_row(const struct codec *c, const uint8_t *row, uint8_t *query)
{
    memcpy(query, row, c->row_size);
    memset(query + c->row_size, 0, c->query_size - c->row_size);
}

static void none_query(const struct codec *c, const float *vector, uint8_t *query)
{
    none_query_of_row(c, (const uint8_t *)vector, query);
}

static void distances_of_dots(float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = 1 - out[i];
}

static void none_score_many(const struct codec *c, const uint8_t *query, const uint8_t *base,
                            const uint32_t *ids, size_t count, float *out)
{
    const float *q = (const float *)query;
    if (c->metric == METRIC_L2) {
        c->kernels->l2_f32_many(q, base, c->row_size, ids, count, c->dim, out);
        return;
    }
    c->kernels->dot_f32_many(q, base, c->row_size, ids, count, c->dim, out);
    distances_of_dots(out, count);
}

static void none_score_range(const struct codec *c, const uint8_t *query, const uint8_t *base,
                             uint32_t first, size_t count, float *out)
{
    const float *q = (const float *)query;
    if (c->metric == METRIC_L2) {
        c->kernels->l2_f32_range(q, base, c->row_size, first, count, c->dim, out);
        return;
    }
    c->kernels->dot_f32_range(q, base, c->row_size, first, count, c->dim, out);
    distances_of_dots(out, count);
}

static void none_decode(const struct codec *c, const uint8_t *row, float *vector)
{
    memcpy(vector, row, c->row_size);
}

const struct codec_form codec_fp32 = {
    .init = none_init,
    .encode = none_encode,
    .store = none_store,
    .query = none_query,
    .query_of_row = none_query_of_row,
    .score_many = none_score_many,
    .score_range = none_score_range,
    .decode = none_decode,
};

static void init_form(struct codec *c)
{
    CHECK(c->kernels != NULL);
    CHECK(c->dim >= 1 && c->dim <= CODEC_DIM_MAX);
    c->form->init(c);
    CHECK(c->row_size > 0 && c->row_size % 4 == 0);
    CHECK(c->query_size % CODEC_LINE == 0);
}

void codec_init(struct codec *c, enum quant quant, enum metric metric, uint32_t dim,
                const struct vec_kernels *kernels)
{
    static const struct codec_form *const forms[QUANT_ROWS_COUNT] = {[QUANT_NONE] = &codec_fp32,
                                                                [QUANT_SQ8] = &codec_sq8,
                                                                [QUANT_BIN] = &codec_bin,
                                                                [QUANT_RABITQ] = &codec_rabitq};
    CHECK(quant < QUANT_ROWS_COUNT && metric < METRIC_FLOAT_COUNT);
    CHECK(quant != QUANT_BIN || metric == METRIC_COSINE);
    *c = (struct codec){
        .kernels = kernels, .form = forms[quant], .quant = quant, .metric = metric, .dim = dim};
    init_form(c);
}

void codec_init_exact(struct codec *c, enum vec_type type, enum metric metric, uint32_t dim,
                      const struct vec_kernels *kernels)
{
    static const struct codec_form *const forms[TYPE_COUNT] = {[TYPE_FP32] = &codec_fp32,
                                                               [TYPE_FP16] = &codec_half,
                                                               [TYPE_BF16] = &codec_half,
                                                               [TYPE_INT8] = &codec_int8,
                                                               [TYPE_BIT] = &codec_bit};
    CHECK(type_has_metric(type, metric));
    *c = (struct codec){
        .kernels = kernels, .form = forms[type], .type = type, .metric = metric, .dim = dim};
    init_form(c);
    CHECK(c->row_size >= type_size(type, dim));
}

void codec_encode(const struct codec *c, const float *vector, uint8_t *row)
{
    CHECK(c->form->encode != NULL);
    c->form->encode(c, vector, row);
}

void codec_store(const struct codec *c, const uint8_t *vector, uint8_t *row)
{
    CHECK(c->form->store != NULL);
    c->form->store(c, vector, row);
}

void codec_query(const struct codec *c, const float *vector, uint8_t *query)
{
    CHECK((uintptr_t)query % CODEC_LINE == 0);
    c->form->query(c, vector, query);
}

void codec_query_of_row(const struct codec *c, const uint8_t *row, uint8_t *query)
{
    CHECK((uintptr_t)query % CODEC_LINE == 0);
    c->form->query_of_row(c, row, query);
}

void codec_score_many(const struct codec *c, const uint8_t *query, const uint8_t *base,
                      const uint32_t *ids, size_t count, float *out)
{
    c->form->score_many(c, query, base, ids, count, out);
}

void codec_score_range(const struct codec *c, const uint8_t *query, const uint8_t *base,
                       uint32_t first, size_t count, float *out)
{
    c->form->score_range(c, query, base, first, count, out);
}

float codec_score(const struct codec *c, const uint8_t *query, const uint8_t *row)
{
    float score;
    codec_score_range(c, query, row, 0, 1, &score);
    return score;
}

bool codec_screens(const struct codec *c)
{
    return c->form->screen != NULL;
}

size_t codec_screen(const struct codec *c, const uint8_t *query, const uint8_t *base, uint32_t *ids,
                    size_t count, float limit)
{
    return codec_screens(c) ? c->form->screen(c, query, base, ids, count, limit) : count;
}

bool codec_row_finite(const struct codec *c, const uint8_t *row)
{
    return c->form->finite == NULL || c->form->finite(c, row);
}

void codec_decode(const struct codec *c, const uint8_t *row, float *vector)
{
    c->form->decode(c, row, vector);
}
