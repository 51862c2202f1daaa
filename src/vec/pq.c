#include "vec/pq.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

enum { TRAIN_TURNS = 12, ENTRY_MAX = UINT8_MAX, SUM_MAX = UINT16_MAX };

enum err pq_init(struct pq *pq, uint32_t dim, uint32_t subs)
{
    CHECK(subs >= 1 && subs <= dim && subs <= PQ_SUBS_MAX);
    uint32_t even = subs + subs % 2;
    *pq = (struct pq){.dim = dim, .subs = even};
    pq->starts = mem_try(MEM_GRAPH, (even + 1) * sizeof(*pq->starts));
    pq->codebooks = mem_try_calloc(MEM_GRAPH, (size_t)PQ_CENTERS * dim * sizeof(float));
    if (pq->starts == NULL || pq->codebooks == NULL) {
        pq_fini(pq);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i <= even; i++)
        pq->starts[i] = i >= subs ? dim : (uint32_t)((uint64_t)i * dim / subs);
    return OK;
}

void pq_fini(struct pq *pq)
{
    mem_free(MEM_GRAPH, pq->starts);
    mem_free(MEM_GRAPH, pq->codebooks);
    *pq = (struct pq){0};
}

size_t pq_bytes(const struct pq *pq)
{
    return pq->codebooks == NULL ? 0 : mem_size(pq->starts) + mem_size(pq->codebooks);
}

static uint32_t width_of(const struct pq *pq, uint32_t part)
{
    return pq->starts[part + 1] - pq->starts[part];
}

/* -- training ---------------------------------------------------------------------------------- */

enum err pq_trainer_init(struct pq_trainer *t, struct pq *pq, const float *points, size_t count,
                         uint64_t seed)
{
    CHECK(count >= PQ_CENTERS);
    uint32_t widest = 0;
    for (uint32_t part = 0; part < pq->subs; part++)
        widest = width_of(pq, part) > widest ? width_of(pq, part) : widest;
    *t = (struct pq_trainer){.pq = pq, .points = points, .count = count, .seed = seed};
    t->slice = mem_try(MEM_SCRATCH, count * widest * sizeof(float));
    return t->slice == NULL ? ERR_NOMEM : OK;
}

void pq_trainer_fini(struct pq_trainer *t)
{
    kmeans_fini(&t->kmeans);
    mem_free(MEM_SCRATCH, t->slice);
    t->slice = NULL;
}

static enum err begin_part(struct pq_trainer *t)
{
    uint32_t width = width_of(t->pq, t->part), start = t->pq->starts[t->part];
    for (size_t i = 0; i < t->count; i++)
        memcpy(t->slice + i * width, t->points + i * t->pq->dim + start, width * sizeof(float));
    enum err e = kmeans_init(&t->kmeans, t->slice, t->count, width, PQ_CENTERS, TRAIN_TURNS,
                             t->seed + t->part);
    t->running = e == OK;
    return e;
}

enum err pq_trainer_step(struct pq_trainer *t, bool *over)
{
    struct pq *pq = t->pq;
    *over = t->part == pq->subs || width_of(pq, t->part) == 0;
    if (*over)
        return OK;
    if (!t->running)
        return begin_part(t);
    if (kmeans_step(&t->kmeans))
        return OK;
    memcpy(pq->codebooks + (size_t)PQ_CENTERS * pq->starts[t->part], t->kmeans.centroids,
           PQ_CENTERS * width_of(pq, t->part) * sizeof(float));
    kmeans_fini(&t->kmeans);
    t->running = false;
    t->part++;
    return OK;
}

/* -- codes ------------------------------------------------------------------------------------- */

static unsigned nearest(const float *centers, const float *part, uint32_t width)
{
    unsigned best = 0;
    float least = FLT_MAX;
    for (unsigned c = 0; c < PQ_CENTERS; c++) {
        float dist = 0;
        for (uint32_t d = 0; d < width; d++) {
            float diff = part[d] - centers[c * width + d];
            dist += diff * diff;
        }
        if (dist < least) {
            least = dist;
            best = c;
        }
    }
    return best;
}

void pq_encode(const struct pq *pq, const float *vector, uint8_t *block, size_t at, float *decoded)
{
    CHECK(at < PQ_BLOCK);
    for (uint32_t part = 0; part < pq->subs; part++) {
        uint32_t width = width_of(pq, part), start = pq->starts[part];
        const float *centers = pq->codebooks + (size_t)PQ_CENTERS * start;
        unsigned best = width == 0 ? 0 : nearest(centers, vector + start, width);
        uint8_t *byte = &block[(size_t)part / 2 * PQ_BLOCK + at];
        *byte = part % 2 == 0 ? (uint8_t)best : (uint8_t)(*byte | best << 4);
        memcpy(decoded + start, centers + (size_t)best * width, width * sizeof(float));
    }
}

void pq_copy(const struct pq *pq, const uint8_t *from, size_t from_at, uint8_t *to, size_t to_at)
{
    CHECK(from_at < PQ_BLOCK && to_at < PQ_BLOCK);
    for (size_t pair = 0; pair < pq->subs / 2; pair++)
        to[pair * PQ_BLOCK + to_at] = from[pair * PQ_BLOCK + from_at];
}

/* The products of a part with its 16, less the least of them. Returns the largest; *sum gets the
 * least. */
static float part_products(const struct pq *pq, uint32_t part, const float *query, float times,
                           float *out, float *sum)
{
    uint32_t width = width_of(pq, part), start = pq->starts[part];
    const float *centers = pq->codebooks + (size_t)PQ_CENTERS * start;
    float least = FLT_MAX, most = 0;
    for (unsigned c = 0; c < PQ_CENTERS; c++) {
        float dot = 0;
        for (uint32_t d = 0; d < width; d++)
            dot += query[start + d] * centers[(size_t)c * width + d];
        out[c] = times * dot;
        least = out[c] < least ? out[c] : least;
    }
    for (unsigned c = 0; c < PQ_CENTERS; c++) {
        out[c] -= least;
        most = out[c] > most ? out[c] : most;
    }
    *sum += least;
    return most;
}

/* One step for all parts: the largest that lets every entry fit a byte and every sum 16 bits. */
void pq_query(const struct pq *pq, const float *query, float times, uint8_t *tables, float *room,
              struct pq4_scan *scan, float *bias)
{
    float most = 0, total = 0, least = 0;
    for (uint32_t part = 0; part < pq->subs; part++) {
        float range =
            part_products(pq, part, query, times, room + (size_t)part * PQ_CENTERS, &least);
        most = range > most ? range : most;
        total += range;
    }
    float step = most / ENTRY_MAX;
    /* Each entry is rounded up by half a step at most. */
    float wide = total / (SUM_MAX - (float)pq->subs);
    step = step > wide ? step : wide;
    float scale = step > FLT_MIN ? 1 / step : 0;
    for (size_t i = 0; i < (size_t)pq->subs * PQ_CENTERS; i++)
        tables[i] = (uint8_t)(room[i] * scale + 0.5f);
    scan->tables = tables;
    scan->pairs = pq->subs / 2;
    scan->step = step;
    *bias = least;
}
