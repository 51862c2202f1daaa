/* data.h: the files of a benchmark. A matrix is u32 rows, u32 columns, then rows * columns values
 * of four bytes (float32 in .fbin, int32 in .ibin), little endian, mapped read-only. */
#ifndef VDB_TESTS_BENCH_DATA_H
#define VDB_TESTS_BENCH_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum bench_metric { BENCH_COSINE, BENCH_L2 };

struct matrix {
    uint32_t rows;
    uint32_t columns;
    union {
        const float *floats;
        const int32_t *ints;
    } at;
    void *map;
    size_t map_size;
};

/* One data set: vectors to index, queries, and for each query the rows of its nearest vectors. */
struct dataset {
    const char *name;
    enum bench_metric metric;
    struct matrix train;
    struct matrix query;
    struct matrix truth;
};

/* Prints the reason and exits when the file is missing or not of its size: there is nobody to
 * handle an error of a benchmark. Every page is touched, so that no timing pays for a page fault.
 */
struct matrix matrix_map(const char *path);
void matrix_unmap(struct matrix *m);
/* Writes to a temporary name first, so that a run that was stopped leaves no half file. */
void matrix_save(const char *path, uint32_t rows, uint32_t columns, const void *values);

bool file_exists(const char *path);

/* Known names: glove100, fashion784, syn768, syn128, in dir/name/. */
struct dataset dataset_open(const char *dir, const char *name);
void dataset_close(struct dataset *d);

static inline const float *matrix_row(const struct matrix *m, size_t row)
{
    return m->at.floats + row * m->columns;
}

/* How many of the k ids are among the k nearest of this query. */
size_t dataset_hits(const struct dataset *d, size_t query, size_t k, const int32_t *ids);

/* The message and the error of the system, then exit(1). */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);

#ifdef __cplusplus
}
#endif

#endif
