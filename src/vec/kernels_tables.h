/* kernels_tables.h: the tables that kernels.c chooses from. A file kernels_<set>.c defines its
 * table when the processor family is the one it is written for, and nothing otherwise. */
#ifndef VDB_VEC_KERNELS_TABLES_H
#define VDB_VEC_KERNELS_TABLES_H

#include "vec/vec.h"

extern const struct vec_kernels vec_kernels_scalar;
#if defined(__x86_64__)
extern const struct vec_kernels vec_kernels_avx2;
extern const struct vec_kernels vec_kernels_avx512;
#elif defined(__aarch64__)
extern const struct vec_kernels vec_kernels_neon;
#endif

#endif
