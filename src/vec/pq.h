/* pq.h: product quantization with 4 bits: a vector is cut into subs parts, and each part is named
 * by the nearest of 16 that k-means has found for it (Jegou, Douze, Schmid 2011). 32 codes stand
 * together so that one byte shuffle looks up 16 or more of them (Andre, Kermarrec, Le Scouarnec,
 * "Cache locality is not enough", 2015; "Accelerated nearest neighbor search with Quick ADC",
 * 2017).
 *
 * A block holds PQ_BLOCK rows, in pairs of parts: for each pair PQ_BLOCK bytes, one per row, the
 * even part in the low four bits, the odd one in the high four. */
#ifndef VDB_VEC_PQ_H
#define VDB_VEC_PQ_H

#include "vec/kmeans.h"
#include "vec/vec.h"

enum { PQ_CENTERS = 16, PQ_SUBS_MAX = 1024 };

/* immutable once trained. owner: caller */
struct pq {
    uint32_t dim;
    uint32_t subs;    /* parts; the last may be empty, so that they are even */
    uint32_t *starts; /* subs + 1 of them: part i has dimensions starts[i] .. starts[i + 1] - 1 */
    float *codebooks; /* of part i: 16 x its dimensions, from 16 * starts[i] on */
};

/* subs: 1 .. dim, at most PQ_SUBS_MAX. ERR_NOMEM. */
MUST_USE enum err pq_init(struct pq *pq, uint32_t dim, uint32_t subs);
void pq_fini(struct pq *pq);
size_t pq_bytes(const struct pq *pq);

/* Learns the 16 of each part, in steps of some milliseconds. */
struct pq_trainer {
    struct pq *pq;
    const float *points; /* count x dim */
    size_t count;        /* PQ_CENTERS at least */
    uint32_t part;
    float *slice; /* one part of all points */
    struct kmeans kmeans;
    bool running;
    uint64_t seed;
};

MUST_USE enum err pq_trainer_init(struct pq_trainer *t, struct pq *pq, const float *points,
                                  size_t count, uint64_t seed);
/* *over: all parts have theirs. ERR_NOMEM. */
MUST_USE enum err pq_trainer_step(struct pq_trainer *t, bool *over);
void pq_trainer_fini(struct pq_trainer *t);

/* Bytes of a block. */
static inline size_t pq_block_size(const struct pq *pq)
{
    return (size_t)pq->subs / 2 * PQ_BLOCK;
}

/* Codes a vector into place `at` of a block, and gives back what it stands for there: dim floats.
 */
void pq_encode(const struct pq *pq, const float *vector, uint8_t *block, size_t at, float *decoded);
/* Takes a row from one place of blocks to another. */
void pq_copy(const struct pq *pq, const uint8_t *from, size_t from_at, uint8_t *to, size_t to_at);

/* Prepares a query: `times` its dot product with a row is about scan->step * sum + *bias, with what
 * the kernel sums over tables. tables: subs * PQ_CENTERS bytes, 64-byte aligned; room: as many
 * floats. */
void pq_query(const struct pq *pq, const float *query, float times, uint8_t *tables, float *room,
              struct pq4_scan *scan, float *bias);

#endif
