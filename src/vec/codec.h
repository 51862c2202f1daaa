/* codec.h: rows of vectors, as they are or as compact codes, and the distances searches walk on.
 *
 * A codec turns a vector into a code row (encode) and a query into a prepared query (query), and
 * scores prepared queries against code rows. Scores are in the unit of the metric's distance
 * (vec.h), nearer is smaller, so that scores of codes and exact distances can stand in one list.
 * Scores of SQ8, BIN and RABITQ are finite for all finite vectors.
 *
 *   QUANT_NONE  the code row is the vector itself, in its type (type.h); scores are exact
 *   QUANT_SQ8   one signed byte per dimension: round(v / range * 127), range = max |v|; the
 *               prepared query is unsigned bytes (code + 128, 0 behind dim), so that one integer
 *               dot product of query and row needs no mask
 *   QUANT_BIN   one bit per dimension, 1 where v > 0; score = 2 * differing bits / dim (COSINE
 *               only)
 *   QUANT_RABITQ four bits per dimension after a rotation, and one bit beside for codec_screen
 *               (rabitq.h, codec_rabitq.c)
 *
 * SQ8 row: dim bytes, zeros up to tail_offset (a multiple of 4), then struct sq8_tail (vec.h):
 * float scale (of the codes in a dot product, close to range / 127), float add (L2: the squared
 * norm, else 0), int32 bias (128 * sum of the bytes), float range; zeros up to row_size. The
 * distance of a prepared query to a row is
 *     (query's add + add) - query's mul * (dot_u8s8 - bias) * scale
 * with add 1 under COSINE and IP, the squared norm under L2, and mul the query's scale, under L2
 * twice that (README.md has the reasons). Every row size is a multiple of 4; SQ8 rows are multiples
 * of 64 so that kernels may read whole 64-byte lines (the tail meets zero bytes of the query).
 *
 * A row of QUANT_NONE begins with the vector in its type, type_size() bytes. Behind it stands what
 * scoring would otherwise compute of each row each time, and what makes rows even:
 *     FP32         nothing
 *     FP16, BF16   zeros up to a multiple of 4; COSINE: float length
 *     INT8         as SQ8: zeros up to tail_offset, struct int8_tail, zeros up to a multiple of 64
 *     BIT          zeros up to a multiple of 8; JACCARD: uint32 bits that are set */
#ifndef VDB_VEC_CODEC_H
#define VDB_VEC_CODEC_H

#include "vec/type.h"

#define QUANT_LIST(X)                                                                              \
    X(QUANT_NONE, "NONE")                                                                          \
    X(QUANT_SQ8, "SQ8")                                                                            \
    X(QUANT_BIN, "BIN")                                                                            \
    X(QUANT_RABITQ, "RABITQ")                                                                      \
    X(QUANT_PQ, "PQ")

enum quant {
#define X(name, word) name,
    QUANT_LIST(X)
#undef X
        QUANT_COUNT
};

/* Those before are forms of rows; the others, of the lists of IVF (pq.h). */
#define QUANT_ROWS_COUNT QUANT_PQ

const char *quant_name(enum quant q);

enum {
    CODEC_DIM_MAX = 65536,
    CODEC_LINE = 64 /* bytes the kernels may read at once; alignment of prepared queries */
};

struct codec_form;

/* immutable after codec_init */
struct codec {
    const struct vec_kernels *kernels;
    const struct codec_form *form;
    enum quant quant;
    enum vec_type type; /* NONE: of the row; FP32 otherwise */
    enum metric metric;
    uint32_t dim;
    uint32_t row_size;    /* bytes of a code row */
    uint32_t query_size;  /* bytes of a prepared query, a multiple of 64 */
    uint32_t tail_offset; /* where the numbers behind the bytes of the vector start */
};

/* dim 1 .. CODEC_DIM_MAX. A metric of numbers, not of bits. */
void codec_init(struct codec *c, enum quant quant, enum metric metric, uint32_t dim,
                const struct vec_kernels *kernels);
/* QUANT_NONE of any type that has the metric. BIT: dim is a multiple of TYPE_BIT_DIM. */
void codec_init_exact(struct codec *c, enum vec_type type, enum metric metric, uint32_t dim,
                      const struct vec_kernels *kernels);

/* vector: dim finite floats (normalised under COSINE). row: row_size bytes. Not for the exact rows
 * of types other than FP32. */
void codec_encode(const struct codec *c, const float *vector, uint8_t *row);
/* QUANT_NONE: the row of a vector in its type; FP32 normalised under COSINE, the others as they
 * are. The row begins with these bytes. */
void codec_store(const struct codec *c, const uint8_t *vector, uint8_t *row);

/* query: query_size bytes, 64-byte aligned. vector: dim floats that the type has; normalised where
 * type_normalises() says so, and then FP16 and BF16 may be any floats. The second form prepares a
 * stored row as query, and gives the same bytes as the first does of the vector that was encoded
 * (FP16 and BF16 under COSINE: up to rounding; RABITQ: of the vector that the row stands for). */
void codec_query(const struct codec *c, const float *vector, uint8_t *query);
void codec_query_of_row(const struct codec *c, const uint8_t *row, uint8_t *query);

/* Does codec_screen tell rows apart? */
bool codec_screens(const struct codec *c);
/* Moves up those of the rows whose score may be below limit, in their order; returns how many.
 * Reads the first bytes of each row. All of them where it does not tell them apart; otherwise a row
 * just below the limit may be missed, one in 20. */
size_t codec_screen(const struct codec *c, const uint8_t *query, const uint8_t *base, uint32_t *ids,
                    size_t count, float limit);

/* out[i] = score of the row at base + ids[i] * row_size. Rows are fetched ahead. */
void codec_score_many(const struct codec *c, const uint8_t *query, const uint8_t *base,
                      const uint32_t *ids, size_t count, float *out);
/* The same for rows first, first + 1, ... first + count - 1. */
void codec_score_range(const struct codec *c, const uint8_t *query, const uint8_t *base,
                       uint32_t first, size_t count, float *out);
float codec_score(const struct codec *c, const uint8_t *query, const uint8_t *row);

/* SQ8: the largest magnitude of the vector that was encoded. */
float codec_range(const struct codec *c, const uint8_t *row);

/* Are the numbers behind the codes of a row finite, as those of every row that was encoded? For
 * rows from elsewhere. NONE has none. */
bool codec_row_finite(const struct codec *c, const uint8_t *row);

/* The vector a row stands for: dim floats, normalised only if it was when encoded or stored. For
 * BIN: 1 and -1. */
void codec_decode(const struct codec *c, const uint8_t *row, float *vector);

#endif
