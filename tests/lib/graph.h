/* graph.h: an HNSW graph over vectors made up from a seed, without a collection around it: what
 * collection.c and background.c do for a graph, done by a test, one step at a time. */
#ifndef VDB_TESTS_LIB_GRAPH_H
#define VDB_TESTS_LIB_GRAPH_H

#include "base/epoch.h"
#include "base/job.h"
#include "index/hnsw.h"

enum graph_row_state { GRAPH_FREE, GRAPH_UNLINKED, GRAPH_LINKED, GRAPH_DEAD };

/* owner: the test's main thread, but for what index.h shares with lanes */
struct graph {
    struct epoch epoch;
    struct codec codec;
    struct index *x;
    uint32_t capacity;
    uint32_t end; /* rows ever used */
    float *vectors;
    uint8_t *codes;
    _Atomic uint64_t *birth;
    _Atomic uint64_t *death;
    enum graph_row_state *state;
    uint64_t lsn;
    uint64_t rng;
    struct lane lane; /* of the main thread */
    size_t graph_bytes_before;
};

struct graph_spec {
    enum metric metric;
    enum quant quant;
    uint32_t dim;
    uint32_t m;
    uint32_t ef_build;
    uint32_t capacity;
    uint64_t seed;
};

struct graph *graph_new(const struct graph_spec *spec);
/* Expects all memory to be back. */
void graph_free(struct graph *g);

/* A lane that yields to other threads while it waits. */
void graph_lane_init(struct lane *lane, unsigned index);
void graph_lane_fini(struct lane *lane);

/* Vectors in clusters around `centers` points; normalised under COSINE. */
void graph_random_vector(struct graph *g, uint32_t centers, float *out);

/* Makes a row visible; it is not linked yet. The first form takes the next row. */
uint32_t graph_add(struct graph *g, const float *vector);
void graph_add_at(struct graph *g, uint32_t row, const float *vector);
/* Adds count rows of random vectors and links them. */
void graph_grow(struct graph *g, uint32_t count, uint32_t centers);
/* Links a row and fails the test if that fails. */
void graph_link(struct graph *g, uint32_t row);
void graph_kill(struct graph *g, uint32_t row);

/* The rows that are dead when a sweep begins, and what it finds. */
struct graph_sweep {
    uint64_t *bits;
    struct index_dead dead;
    struct index_sweep found;
};

void graph_sweep_begin(struct graph *g, struct graph_sweep *s);
/* [lane] Sweeps all rows below end, `step` at a time. */
void graph_sweep_all(struct index *x, const struct index_rows *rows, struct lane *lane,
                     struct graph_sweep *s, uint32_t step);
/* Frees the rows of the set, links the orphans again. */
void graph_sweep_end(struct graph *g, struct graph_sweep *s);
/* All three. */
void graph_sweep(struct graph *g, uint32_t step);

/* Moves the highest linked rows into the lowest free ones until none is left that could go lower,
 * and lets the end follow. Nothing is dead. */
void graph_move_down(struct graph *g);

struct index_rows graph_rows(const struct graph *g);
/* The nearest k visible rows by walking, nearest first; effort as index_query. */
size_t graph_search(struct graph *g, struct lane *lane, const float *query, size_t effort, size_t k,
                    struct hit *out);
/* The same by looking at all of them. */
size_t graph_scan(struct graph *g, struct lane *lane, const float *query, size_t k,
                  struct hit *out);
/* Share of the k nearest that a walk finds, over so many random queries. A row at the distance of
 * the farthest wanted one counts. */
double graph_recall(struct graph *g, uint32_t centers, size_t effort, size_t k, unsigned queries);

/* hnsw_check, and what it does not know: no list leads to a free row. NULL when all holds. Nothing
 * may be linking. */
const char *graph_check(const struct graph *g);
/* Live linked rows that no chain of links leads to from where walks start. */
uint32_t graph_count_unreachable(const struct graph *g);
/* Live linked rows that a search for their own vector does not find. */
uint32_t graph_count_lost(struct graph *g, size_t effort);

#endif
