/* stored.h: from the numbers of a vector to what an element of a collection stores, or a query is.
 * Pure; no state. */
#ifndef VDB_DB_STORED_H
#define VDB_DB_STORED_H

#include "db/collection.h"

/* Makes floats as read into those of a query: projects when the collection does (raw then has
 * projection_from floats; out has dim in any case), normalises under COSINE what is compared so.
 * Of FP32 elements are the same. *norm: the length before, or 1. ERR_ARG: a zero vector under
 * COSINE, unless the set is implicit; numbers that INT8 or BIT do not have. raw is not out. */
MUST_USE enum err vector_prepare(const struct collection_spec *spec, const float *projection,
                                 const struct vec_kernels *k, const float *raw, float *out,
                                 float *norm, struct why *why);

/* From dim floats to the type of the collection. ERR_ARG: a number that the type does not have. */
MUST_USE enum err stored_convert(const struct collection_spec *spec, const float *raw, uint8_t *out,
                                 struct why *why);
/* A vector in its type, FP32 apart: can distances be told of it (ERR_ARG), and how long is it? */
MUST_USE enum err stored_measure(const struct collection_spec *spec, const uint8_t *stored,
                                 float *norm, struct why *why);

#endif
