/* read_speed.h: what memory gives one thread. */
#ifndef VDB_TESTS_BENCH_READ_SPEED_H
#define VDB_TESTS_BENCH_READ_SPEED_H

#include <stddef.h>
#include <stdint.h>

/* GB/s of a plain sum over the bytes, a multiple of 256 of them, again and again: the best of some
 * passes. */
double read_speed_gbs(const uint8_t *bytes, size_t size);

/* The same of memory of its own, more than caches hold. */
double read_speed_here(void);

/* Memory in huge pages where the system gives them; never freed. */
void *map_huge(size_t size);

#endif
