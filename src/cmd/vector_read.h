/* vector_read.h: from what a client wrote to the floats a collection stores. */
#ifndef VDB_CMD_VECTOR_READ_H
#define VDB_CMD_VECTOR_READ_H

#include "cmd/args.h"
#include "db/collection.h"

/* How many floats the argument holds: 0 when it is none (an FP32 blob that is not a multiple of
 * four bytes, JSON that is no array of numbers). */
size_t vector_count(const struct vector_arg *arg);

/* Reads vector_count() floats, which is not 0, into out; not for ELE. ERR_ARG when one is not a
 * finite number. */
MUST_USE enum err vector_read(const struct vector_arg *arg, float *out, size_t count,
                              struct why *why);

/* The same from a blob of a multiple of 4 bytes, little-endian; why says which value is wrong. */
MUST_USE enum err vector_read_blob(struct slice blob, float *out, struct why *why);

/* A vector with a count that does not fit dim, in words that help: the usual reason is a blob of
 * doubles or halves. Returns ERR_ARG. */
enum err vector_wrong_count(const struct vector_arg *arg, size_t count, uint32_t dim,
                            struct why *why);

/* Makes floats as read into floats as stored: projects when the collection does (raw then has
 * projection_from floats; out has dim in any case), normalises under COSINE. *norm: the length
 * before, or 1. ERR_ARG: a zero vector under COSINE, unless the set is implicit. raw may be out
 * when there is no projection. */
MUST_USE enum err vector_prepare(const struct collection_spec *spec, const float *projection,
                                 const struct vec_kernels *k, const float *raw, float *out,
                                 float *norm, struct why *why);

/* Floats that a client's vector must have for the collection. */
static inline uint32_t input_dim(const struct collection_spec *spec)
{
    return spec->projection_from > 0 ? spec->projection_from : spec->dim;
}

#endif
