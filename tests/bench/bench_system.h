/* bench_system.h: what a benchmark asks of an index, ours or a peer's: one struct of functions
 * each.
 *
 * An adapter normalises vectors and queries itself when the metric is COSINE, inside the time that
 * is measured, since a user pays for that too. */
#ifndef VDB_TESTS_BENCH_BENCH_SYSTEM_H
#define VDB_TESTS_BENCH_BENCH_SYSTEM_H

#include "bench/data.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bench_system {
    const char *name; /* in tables */
    const char *key;  /* in options and file names */

    /* What search is asked for, one point of the curve each, cheapest first: ef, or the adapter's
     * own code for several parameters. */
    const unsigned *efforts;
    size_t effort_count;
    void (*effort_text)(unsigned effort, char *text, size_t size);

    void *(*build)(const struct matrix *train, enum bench_metric metric, unsigned threads);
    /* On the calling thread. Unfilled ids are -1. */
    void (*search)(void *index, const float *query, size_t k, unsigned effort, int32_t *ids);
    /* One call for many queries, still on one thread; NULL: the system has none. */
    void (*search_many)(void *index, const float *queries, size_t count, size_t k, unsigned effort,
                        int32_t *ids);
    void (*free)(void *index);

    /* For comparisons of searches only; NULL: always built anew. load returns NULL when it cannot.
     */
    void (*save)(void *index, const char *path);
    void *(*load)(const char *path, const struct matrix *train, enum bench_metric metric);

    /* Bytes a row of codes takes, and a query reads at least; NULL: neither is compared. */
    size_t (*code_bytes)(const void *index);
    size_t (*query_bytes)(const void *index);
};

extern const struct bench_system bench_vdb;
extern const struct bench_system bench_vdb_rabitq;
extern const struct bench_system bench_vdb_flat;
extern const struct bench_system bench_vdb_ivf_sq8;
extern const struct bench_system bench_vdb_ivf_pq;
extern const struct bench_system bench_vdb_ivf_rabitq;
extern const struct bench_system bench_hnswlib;
extern const struct bench_system bench_faiss_ivfpq;
extern const struct bench_system bench_faiss_ivfflat;
extern const struct bench_system bench_faiss_flat;

#ifdef __cplusplus
}
#endif

#endif
