/* What the lists are like, and whether they are whole. */
#include "index/ivf_impl.h"

enum {
    DRIFT_MIN = 1000, /* rows that say something about drift */
    PROBES_MIN = 8,
    PROBES_SHARE = 32, /* of the lists */
    PROBED_ROWS_MIN = 1000
};

uint32_t ivf_probes_default(const struct index *x)
{
    const struct ivf *v = ivf_of(x);
    uint64_t lists = v->model.lists, probes = lists / PROBES_SHARE;
    uint64_t rows = atomic_load_explicit(&v->count, memory_order_relaxed);
    /* Where rows are few they stand far apart, and lists have little to do with who is near. */
    uint64_t least = rows == 0 ? lists : lists * PROBED_ROWS_MIN / rows + 1;
    probes = probes > PROBES_MIN ? probes : PROBES_MIN;
    probes = probes > least ? probes : least;
    return (uint32_t)(probes < lists ? probes : lists);
}

void ivf_stats(const struct index *x, struct ivf_stats *out)
{
    const struct ivf *v = ivf_of(x);
    uint32_t linked = atomic_load_explicit(&v->drift_count, memory_order_relaxed);
    uint64_t sum = atomic_load_explicit(&v->drift_sum, memory_order_relaxed);
    *out = (struct ivf_stats){.lists = v->model.lists,
                              .rows = atomic_load_explicit(&v->count, memory_order_relaxed),
                              .drift = 1};
    if (linked >= DRIFT_MIN)
        out->drift = (double)sum / IVF_DRIFT_UNIT / linked;
}

/* Every row has been linked once when the index is taken into use: from here on it drifts. */
void ivf_begin_drift(struct index *x)
{
    struct ivf *v = ivf_of(x);
    atomic_store_explicit(&v->drift_count, 0, memory_order_relaxed);
    atomic_store_explicit(&v->drift_sum, 0, memory_order_relaxed);
}

void ivf_measure(const struct index *x, struct ivf_stats *out)
{
    const struct ivf *v = ivf_of(x);
    double sum = 0, squares = 0;
    ivf_stats(x, out);
    for (uint32_t i = 0; i < v->model.lists; i++) {
        uint32_t count = list_count(&v->lists[i]);
        sum += count;
        squares += (double)count * count;
        out->longest = count > out->longest ? count : out->longest;
    }
    out->imbalance = sum > 0 ? squares * v->model.lists / (sum * sum) : 1;
}

static const char *check_list(const struct ivf *v, const struct index_rows *rows, uint32_t number)
{
    const struct ivf_list *list = &v->lists[number];
    if (list_count(list) > list->capacity || list->capacity % PQ_BLOCK != 0)
        return "a list that is longer than its room";
    for (uint32_t place = 0; place < list_count(list); place++) {
        uint32_t row = list_rows(v, list)[place];
        if (row >= rows->end || row >= v->rows.capacity)
            return "a list with a row past the end";
        if (atomic_load(ivf_cell(v, IVF_COL_LIST, row)) != number + 1 ||
            atomic_load(ivf_cell(v, IVF_COL_PLACE, row)) != place)
            return "a list with a row that stands elsewhere";
    }
    return NULL;
}

const char *ivf_check(const struct index *x, const struct index_rows *rows,
                      bool (*linked)(void *user, uint32_t row), void *user)
{
    const struct ivf *v = ivf_of(x);
    uint64_t count = 0;
    for (uint32_t i = 0; i < v->model.lists; i++) {
        const char *broken = check_list(v, rows, i);
        if (broken != NULL)
            return broken;
        if (atomic_load(&v->lists[i].lock) != 0)
            return "a lock that somebody holds";
        count += list_count(&v->lists[i]);
    }
    if (count != atomic_load(&v->count))
        return "lists with more or fewer rows than are counted";
    for (uint32_t row = 0; row < rows->end; row++)
        if (linked(user, row) && !x->ops->was_linked(x, row))
            return "a linked row in no list";
    return NULL;
}
