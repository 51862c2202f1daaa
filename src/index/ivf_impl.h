/* ivf_impl.h: the memory of inverted lists, for the files ivf*.c only. */
#ifndef VDB_INDEX_IVF_IMPL_H
#define VDB_INDEX_IVF_IMPL_H

#include "base/column.h"
#include "index/ivf.h"
#include "index/scratch.h"
#include "vec/pq.h"

enum { IVF_COL_LIST, IVF_COL_PLACE, IVF_COLS };

/* What training has found. immutable */
struct ivf_model {
    uint32_t lists;
    uint32_t dim;
    enum metric metric;
    float *centroids;   /* lists x dim */
    struct codec codec; /* of their codes, which queries are compared with */
    uint8_t *codes;
    bool has_codes; /* rows have codes of pq */
    struct pq pq;
    float mean_distance; /* squared, of the sample to its centroids */
};

/* A list. lock: IVF_WRITER, or how many read it; all else under it, but that the count may be asked
 * for, and the memory fetched ahead, without.
 *
 * memory: capacity places, a multiple of PQ_BLOCK: codes in blocks, what the score of each row
 * adds, row numbers. Without codes row numbers alone. */
struct ivf_list {
    _Atomic uint32_t lock;
    _Atomic uint32_t count;
    uint32_t capacity;
    _Atomic(uint8_t *) memory;
};

enum { IVF_WRITER = 1u << 30, IVF_DRIFT_UNIT = 1000 };

/* owner: loop, but for what is said of lists. The columns have a list and a place of every row: the
 * list is stored with release when the row stands in it, as number + 1; 0: in none. The place is
 * the list's, under its lock. */
struct ivf {
    struct index index;
    struct ivf_model model;
    struct ivf_list *lists;
    struct columns rows;
    _Atomic uint32_t count;       /* rows in lists */
    _Atomic size_t list_bytes;    /* memory of lists */
    _Atomic uint32_t drift_count; /* rows linked since training, */
    _Atomic uint64_t drift_sum;   /* and their squared distances, in thousandths of the mean */
};

static inline struct ivf *ivf_of(const struct index *x)
{
    return (struct ivf *)(uintptr_t)x;
}

static inline _Atomic uint32_t *ivf_cell(const struct ivf *v, int column, uint32_t row)
{
    return (_Atomic uint32_t *)(void *)v->rows.base[column] + row;
}

static inline uint32_t list_count(const struct ivf_list *list)
{
    return atomic_load_explicit(&((struct ivf_list *)(uintptr_t)list)->count, memory_order_relaxed);
}

static inline uint8_t *list_memory(const struct ivf_list *list)
{
    return atomic_load_explicit(&((struct ivf_list *)(uintptr_t)list)->memory,
                                memory_order_relaxed);
}

/* Bytes of a place. */
static inline size_t code_size(const struct ivf *v)
{
    return v->model.has_codes ? pq_block_size(&v->model.pq) / PQ_BLOCK + sizeof(float) : 0;
}

static inline uint32_t *list_rows(const struct ivf *v, const struct ivf_list *list)
{
    return (uint32_t *)(void *)(list_memory(list) + list->capacity * code_size(v));
}

static inline float *list_adds(const struct ivf *v, const struct ivf_list *list)
{
    return (float *)(void *)(list_memory(list) +
                             list->capacity / PQ_BLOCK * pq_block_size(&v->model.pq));
}

static inline uint8_t *list_block(const struct ivf *v, const struct ivf_list *list, uint32_t place)
{
    return list_memory(list) + place / PQ_BLOCK * pq_block_size(&v->model.pq);
}

/* False: a writer has it for long, perhaps as its thread does not run; the loop, which searches at
 * times, does not wait for it. */
MUST_USE bool list_read_lock(struct ivf_list *list, struct lane *lane);
void list_read_unlock(struct ivf_list *list);

/* A row of rows as the index compares it: dim floats, at length 1 under COSINE. */
void ivf_vector(const struct ivf_model *m, const struct index_rows *rows, uint32_t row, float *out);

/* [lane] Index of the nearest centroid; *dist: squared distance. */
uint32_t ivf_nearest(const struct ivf_model *m, const float *vector, float *scores, float *dist);

/* Takes the model, or leaves it to the caller and returns NULL when memory is short. */
struct index *ivf_of_model(struct epoch *epoch, uint32_t rows_max, struct ivf_model *model);

void ivf_model_fini(struct ivf_model *m);
size_t ivf_model_bytes(const struct ivf_model *m);

/* ivf_search.c */
size_t ivf_search(const struct index *x, const struct index_rows *rows, struct lane *lane,
                  const struct index_query *query, struct hit *out, bool *complete,
                  struct index_cost *cost);

#endif
