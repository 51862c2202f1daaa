/* vector_read.h: from what a client wrote to the floats a collection stores. */
#ifndef VDB_CMD_VECTOR_READ_H
#define VDB_CMD_VECTOR_READ_H

#include "cmd/args.h"
#include "db/stored.h"

/* How many numbers the argument holds: 0 when it is none (an FP32 blob that is not a multiple of
 * four bytes, JSON that is no array of numbers). */
size_t vector_count(const struct vector_arg *arg);

/* Reads vector_count() floats, which is not 0, into out; not for ELE. ERR_ARG when one is not a
 * finite number. */
MUST_USE enum err vector_read(const struct vector_arg *arg, float *out, size_t count,
                              struct why *why);

/* What a blob of size bytes, instead of count vectors of dim numbers, looks like: ": float64
 * blob?", or "" when it looks like nothing. */
const char *vector_looks_like(size_t size, size_t count, uint32_t dim);

/* A vector with a count that does not fit the collection, in words that help: the usual reason is a
 * blob of another type. Returns ERR_ARG. */
enum err vector_wrong_count(const struct vector_arg *arg, size_t count,
                            const struct collection_spec *spec, struct why *why);

/* Does a blob hold count vectors of the collection, in the type named? what: "ids", for the error.
 * ERR_ARG. */
MUST_USE enum err vector_check_many(const struct collection_spec *spec, enum vec_type type,
                                    struct slice blob, size_t count, const char *what,
                                    struct why *why);

/* Reads a vector of input_dim() numbers into what an element stores, in the type of the collection
 * (struct mutation_element). room: input_dim() floats; out: aligned for floats when those are
 * FP32. ERR_ARG besides: what does not fit the type. */
MUST_USE enum err vector_store(const struct collection_spec *spec, const float *projection,
                               const struct vec_kernels *k, const struct vector_arg *arg,
                               float *room, uint8_t *out, float *norm, struct why *why);

/* Floats that a client's vector must have for the collection. */
static inline uint32_t input_dim(const struct collection_spec *spec)
{
    return spec->projection_from > 0 ? spec->projection_from : spec->dim;
}

#endif
