/* projection.h: REDUCE: random projection to fewer dimensions (Johnson and Lindenstrauss 1984;
 * entries as in Achlioptas 2003: +1 or -1 over the square root of the dimension). */
#ifndef VDB_DB_PROJECTION_H
#define VDB_DB_PROJECTION_H

#include "base/err.h"
#include "vec/vec.h"

/* dim rows of from floats, from a seed; version says how (spec.h). NULL when memory is short. Freed
 * with mem_free(MEM_VECTOR). */
MUST_USE float *projection_new(uint32_t from, uint32_t dim, uint64_t seed, uint32_t version);

/* in: from floats; out: dim floats. */
void projection_apply(const float *matrix, const struct vec_kernels *k, uint32_t from, uint32_t dim,
                      const float *in, float *out);

#endif
