/* From a sample to centroids, rotation and codebooks, one short step after the other:
 *
 *   sample   random visible rows
 *   centers  k-means over the sample
 *   rest     what the centroids leave of each point of (a part of) the sample
 *   parts    codebooks
 *
 * Without codes it ends after the centers. */
#include "index/ivf_impl.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "vec/kmeans.h"

enum {
    CENTER_TURNS = 20,
    SAMPLE_STEP = 64,  /* rows */
    SAMPLE_TRIES = 64, /* for one */
    REST_MAX = 65536,  /* points that codebooks are made of */
    REST_STEP = 64
};

enum phase { SAMPLE, CENTERS, REST, PARTS, OVER };

/* owner: the job that has it, else the loop */
struct ivf_trainer {
    struct ivf_shape shape;
    struct ivf_model model;
    enum phase phase;
    uint64_t random;
    float *points; /* capacity x dim */
    size_t capacity, count;
    struct kmeans kmeans;
    struct pq_trainer parts;
    float *rest; /* rest_count x dim */
    float *scores;
    size_t rest_count, rest_done;
};

struct ivf_trainer *ivf_trainer_new(const struct index_rows *rows, const struct ivf_shape *shape,
                                    size_t size)
{
    const struct codec *codec = rows->codec;
    CHECK(shape->lists >= 1 && size >= shape->lists && size >= PQ_CENTERS);
    CHECK(codec->metric < METRIC_FLOAT_COUNT);
    struct ivf_trainer *t = mem_try_calloc(MEM_SCRATCH, sizeof(*t));
    float *points = mem_try(MEM_SCRATCH, size * codec->dim * sizeof(float));
    if (t == NULL || points == NULL) {
        mem_free(MEM_SCRATCH, t);
        mem_free(MEM_SCRATCH, points);
        return NULL;
    }
    t->shape = *shape;
    t->points = points;
    t->capacity = size;
    t->random = shape->seed;
    t->model = (struct ivf_model){.lists = shape->lists,
                                  .dim = codec->dim,
                                  .metric = codec->metric,
                                  .has_codes = shape->codes != IVF_ROWS};
    codec_init(&t->model.codec, QUANT_SQ8, codec->metric == METRIC_IP ? METRIC_IP : METRIC_L2,
               codec->dim, codec->kernels);
    return t;
}

void ivf_trainer_free(struct ivf_trainer *t)
{
    if (t == NULL)
        return;
    kmeans_fini(&t->kmeans);
    pq_trainer_fini(&t->parts);
    ivf_model_fini(&t->model);
    mem_free(MEM_SCRATCH, t->points);
    mem_free(MEM_SCRATCH, t->rest);
    mem_free(MEM_SCRATCH, t->scores);
    mem_free(MEM_SCRATCH, t);
}

enum err ivf_trainer_sample(struct ivf_trainer *t, const struct index_rows *rows, bool *over)
{
    CHECK(t->phase == SAMPLE);
    size_t before = t->count;
    for (int i = 0; i < SAMPLE_STEP * SAMPLE_TRIES && t->count < t->capacity; i++) {
        uint32_t row = (uint32_t)rng_below(&t->random, rows->end);
        if (!row_visible(rows, row))
            continue;
        ivf_vector(&t->model, rows, row, t->points + t->count++ * t->model.dim);
        if (t->count - before == SAMPLE_STEP)
            break;
    }
    /* Most have died meanwhile: with what there is, if that will do. */
    bool dry = t->count - before < SAMPLE_STEP / 2;
    bool enough = t->count >= t->shape.lists && t->count >= PQ_CENTERS;
    *over = t->count == t->capacity || (dry && enough);
    if (!*over)
        return OK;
    t->phase = CENTERS;
    return kmeans_init(&t->kmeans, t->points, t->count, t->model.dim, t->shape.lists, CENTER_TURNS,
                       t->shape.seed);
}

/* -- codebooks --------------------------------------------------------------------------------- */

static enum err begin_rest(struct ivf_trainer *t)
{
    size_t count = t->count < REST_MAX ? t->count : REST_MAX;
    t->rest_count = count;
    t->rest = mem_try(MEM_SCRATCH, count * t->model.dim * sizeof(float));
    t->scores = mem_try(MEM_SCRATCH, t->model.lists * sizeof(float));
    if (t->rest == NULL || t->scores == NULL)
        return ERR_NOMEM;
    t->phase = REST;
    return OK;
}

static enum err begin_codes(struct ivf_trainer *t)
{
    struct ivf_model *m = &t->model;
    enum err e = pq_init(&m->pq, m->dim, t->shape.subs);
    if (e == OK)
        e = pq_trainer_init(&t->parts, &m->pq, t->rest, t->rest_count, t->shape.seed);
    t->phase = PARTS;
    return e;
}

static enum err rest_step(struct ivf_trainer *t)
{
    const struct ivf_model *m = &t->model;
    for (int i = 0; i < REST_STEP && t->rest_done < t->rest_count; i++, t->rest_done++) {
        const float *point = t->points + t->rest_done * m->dim;
        float *rest = t->rest + t->rest_done * m->dim, dist;
        uint32_t list = ivf_nearest(m, point, t->scores, &dist);
        for (uint32_t d = 0; d < m->dim; d++)
            rest[d] = point[d] - m->centroids[(size_t)list * m->dim + d];
    }
    return t->rest_done < t->rest_count ? OK : begin_codes(t);
}

static enum err end_centers(struct ivf_trainer *t)
{
    struct ivf_model *m = &t->model;
    m->mean_distance = (float)(t->kmeans.error / (double)t->count);
    m->centroids = t->kmeans.centroids;
    t->kmeans.centroids = NULL;
    kmeans_fini(&t->kmeans);
    m->codes = mem_try_aligned(MEM_GRAPH, CODEC_LINE, (size_t)m->lists * m->codec.row_size);
    if (m->codes == NULL)
        return ERR_NOMEM;
    t->phase = OVER;
    return m->has_codes ? begin_rest(t) : OK;
}

static void encode_centroids(struct ivf_model *m)
{
    for (uint32_t i = 0; i < m->lists; i++)
        codec_encode(&m->codec, m->centroids + (size_t)i * m->dim,
                     m->codes + (size_t)i * m->codec.row_size);
}

enum err ivf_trainer_step(struct ivf_trainer *t, bool *over)
{
    bool done = false;
    enum err e = OK;
    switch (t->phase) {
    case SAMPLE:
        CHECK(false);
        break;
    case CENTERS:
        if (!kmeans_step(&t->kmeans))
            e = end_centers(t);
        break;
    case REST:
        e = rest_step(t);
        break;
    case PARTS:
        e = pq_trainer_step(&t->parts, &done);
        if (done)
            t->phase = OVER;
        break;
    case OVER:
        break;
    }
    *over = e == OK && t->phase == OVER;
    if (*over)
        encode_centroids(&t->model);
    return e;
}

static unsigned share(size_t part, size_t whole, unsigned of)
{
    return whole == 0 ? 0 : (unsigned)(part * of / whole);
}

unsigned ivf_trainer_progress(const struct ivf_trainer *t)
{
    const struct kmeans *k = &t->kmeans;
    switch (t->phase) {
    case SAMPLE:
        return share(t->count, t->capacity, 5);
    case CENTERS:
        return 5 + share(k->turn * k->count + k->next, k->turns * k->count, 75);
    case REST:
        return 80 + share(t->rest_done, t->rest_count, 5);
    case PARTS:
        return 85 + share(t->parts.part, t->model.pq.subs, 14);
    case OVER:
        break;
    }
    return 99;
}

struct index *ivf_trainer_take(struct ivf_trainer *t, struct epoch *epoch, uint32_t rows_max)
{
    CHECK(t->phase == OVER);
    return ivf_of_model(epoch, rows_max, &t->model);
}
