/* Life of a row in the lists. */
#include "index/ivf_impl.h"

#include <math.h>
#include <string.h>

#include "vec/matrix.h"

enum {
    LIST_ALIGNMENT = 64,
    READ_TRIES = 500,
    GROWTH_SHARE = 4, /* a full list gets so much of itself more */
};

/* -- locks ------------------------------------------------------------------------------------- */

bool list_read_lock(struct ivf_list *list, struct lane *lane)
{
    for (int i = 0; i < READ_TRIES; i++) {
        if ((atomic_fetch_add_explicit(&list->lock, 1, memory_order_acquire) & IVF_WRITER) == 0)
            return true;
        atomic_fetch_sub_explicit(&list->lock, 1, memory_order_relaxed);
        lane->pause(lane);
    }
    return false;
}

void list_read_unlock(struct ivf_list *list)
{
    atomic_fetch_sub_explicit(&list->lock, 1, memory_order_release);
}

/* A reader that meets a writer raises the number and lowers it again at once: the writer's bit is
 * what counts, so it is taken from 0 and given back by subtraction. */
static void write_lock(struct ivf_list *list, struct lane *lane)
{
    uint32_t none = 0;
    while (!atomic_compare_exchange_weak_explicit(&list->lock, &none, IVF_WRITER,
                                                  memory_order_acquire, memory_order_relaxed)) {
        none = 0;
        lane->pause(lane);
    }
    lane_yield(lane); /* the simulator interrupts who holds it, too */
}

static void write_unlock(struct ivf_list *list)
{
    atomic_fetch_sub_explicit(&list->lock, IVF_WRITER, memory_order_release);
}

/* -- vectors ----------------------------------------------------------------------------------- */

void ivf_vector(const struct ivf_model *m, const struct index_rows *rows, uint32_t row, float *out)
{
    float square;
    codec_decode(rows->codec, row_code(rows, row), out);
    if (m->metric != METRIC_COSINE)
        return;
    matrix_squares(out, 1, m->dim, &square);
    for (uint32_t d = 0; d < m->dim && square > 0; d++)
        out[d] /= sqrtf(square);
}

uint32_t ivf_nearest(const struct ivf_model *m, const float *vector, float *scores, float *dist)
{
    uint32_t best = 0;
    m->codec.kernels->l2_f32_range(vector, (const uint8_t *)m->centroids, m->dim * sizeof(float), 0,
                                   m->lists, m->dim, scores);
    for (uint32_t i = 1; i < m->lists; i++)
        if (scores[i] < scores[best])
            best = i;
    *dist = scores[best];
    return best;
}

/* -- lists ------------------------------------------------------------------------------------- */

static size_t place_size(const struct ivf *v)
{
    return code_size(v) + sizeof(uint32_t);
}

/* Room for one row more, under the lock. */
static bool list_grow(struct ivf *v, struct ivf_list *list)
{
    uint32_t count = list_count(list);
    if (count < list->capacity)
        return true;
    uint32_t more = list->capacity / GROWTH_SHARE + PQ_BLOCK;
    struct ivf_list grown = {.capacity = (list->capacity + more) / PQ_BLOCK * PQ_BLOCK};
    size_t size = grown.capacity * place_size(v);
    uint8_t *memory = mem_try_aligned(MEM_GRAPH, LIST_ALIGNMENT, size), *old = list_memory(list);
    if (memory == NULL)
        return false;
    memset(memory, 0, size); /* kernels read whole blocks */
    atomic_init(&grown.memory, memory);
    if (v->model.has_codes && count > 0) {
        memcpy(memory, old, list->capacity / PQ_BLOCK * pq_block_size(&v->model.pq));
        memcpy(list_adds(v, &grown), list_adds(v, list), count * sizeof(float));
    }
    if (count > 0)
        memcpy(list_rows(v, &grown), list_rows(v, list), count * sizeof(uint32_t));
    atomic_fetch_add_explicit(&v->list_bytes, (grown.capacity - list->capacity) * place_size(v),
                              memory_order_relaxed);
    atomic_store_explicit(&list->memory, memory, memory_order_relaxed);
    list->capacity = grown.capacity;
    mem_free(MEM_GRAPH, old);
    return true;
}

/* Codes what the centroid leaves of the vector. What the squared distance of a query has besides
 * that to the centroid and the products of the query is the row's own number (README.md). */
static void put_code(const struct ivf *v, const struct ivf_list *list, uint32_t number,
                     uint32_t place, const float *vector, float *room)
{
    const struct ivf_model *m = &v->model;
    const float *center = m->centroids + (size_t)number * m->dim;
    float *rest = room, *decoded = room + m->dim, add = 0;
    for (uint32_t d = 0; d < m->dim; d++)
        rest[d] = vector[d] - center[d];
    pq_encode(&m->pq, rest, list_block(v, list, place), place % PQ_BLOCK, decoded);
    for (uint32_t d = 0; d < m->dim && m->metric != METRIC_IP; d++)
        add += decoded[d] * (decoded[d] + 2 * center[d]);
    list_adds(v, list)[place] = add;
}

/* Puts the row into its list. False: memory is short. */
static bool list_put(struct ivf *v, struct lane *lane, uint32_t number, uint32_t row,
                     const float *vector, float *room)
{
    struct ivf_list *list = &v->lists[number];
    write_lock(list, lane);
    bool ok = list_grow(v, list);
    if (ok) {
        uint32_t place = list_count(list);
        atomic_store_explicit(&list->count, place + 1, memory_order_relaxed);
        if (v->model.has_codes)
            put_code(v, list, number, place, vector, room);
        list_rows(v, list)[place] = row;
        atomic_store_explicit(ivf_cell(v, IVF_COL_PLACE, row), place, memory_order_relaxed);
        atomic_store_explicit(ivf_cell(v, IVF_COL_LIST, row), number + 1, memory_order_release);
        atomic_fetch_add_explicit(&v->count, 1, memory_order_relaxed);
    }
    write_unlock(list);
    return ok;
}

/* The last row of the list takes the place of one that goes. */
static void list_drop(struct ivf *v, struct lane *lane, uint32_t row)
{
    uint32_t number = atomic_load_explicit(ivf_cell(v, IVF_COL_LIST, row), memory_order_acquire);
    if (number == 0)
        return; /* it died before it was in a list */
    struct ivf_list *list = &v->lists[number - 1];
    write_lock(list, lane);
    uint32_t *rows = list_rows(v, list);
    uint32_t place = atomic_load_explicit(ivf_cell(v, IVF_COL_PLACE, row), memory_order_relaxed);
    CHECK(place < list_count(list) && rows[place] == row);
    uint32_t last = list_count(list) - 1;
    atomic_store_explicit(&list->count, last, memory_order_relaxed);
    if (place != last) {
        rows[place] = rows[last];
        atomic_store_explicit(ivf_cell(v, IVF_COL_PLACE, rows[place]), place, memory_order_relaxed);
        if (v->model.has_codes) {
            list_adds(v, list)[place] = list_adds(v, list)[last];
            pq_copy(&v->model.pq, list_block(v, list, last), last % PQ_BLOCK,
                    list_block(v, list, place), place % PQ_BLOCK);
        }
    }
    atomic_store_explicit(ivf_cell(v, IVF_COL_LIST, row), 0, memory_order_release);
    atomic_fetch_sub_explicit(&v->count, 1, memory_order_relaxed);
    write_unlock(list);
}

/* -- operations -------------------------------------------------------------------------------- */

static enum err reserve(struct index *x, uint32_t rows)
{
    return columns_reserve(&ivf_of(x)->rows, rows);
}

static size_t cost(const struct index *x, uint32_t rows)
{
    const struct ivf *v = ivf_of(x);
    uint32_t there = atomic_load_explicit(&v->count, memory_order_relaxed);
    return columns_cost(&v->rows, rows) + (rows > there ? (rows - there) * place_size(v) : 0);
}

static void row_init(struct index *x, uint32_t row, uint64_t hash)
{
    struct ivf *v = ivf_of(x);
    (void)hash;
    CHECK(row < v->rows.capacity);
    atomic_store_explicit(ivf_cell(v, IVF_COL_LIST, row), 0, memory_order_relaxed);
}

static void row_retire(struct index *x, uint32_t row)
{
    CHECK(atomic_load_explicit(ivf_cell(ivf_of(x), IVF_COL_LIST, row), memory_order_relaxed) == 0);
}

static bool was_linked(const struct index *x, uint32_t row)
{
    const struct ivf *v = ivf_of(x);
    return atomic_load_explicit(ivf_cell(v, IVF_COL_LIST, row), memory_order_acquire) != 0;
}

static void note_drift(struct ivf *v, float dist)
{
    float mean = v->model.mean_distance;
    float share = mean > 0 ? dist / mean : 1;
    uint64_t units = (uint64_t)((share < IVF_DRIFT_UNIT ? share : IVF_DRIFT_UNIT) * IVF_DRIFT_UNIT);
    atomic_fetch_add_explicit(&v->drift_sum, units, memory_order_relaxed);
    atomic_fetch_add_explicit(&v->drift_count, 1, memory_order_relaxed);
}

static bool link_row(struct index *x, const struct index_rows *rows, struct lane *lane,
                     uint32_t row)
{
    struct ivf *v = ivf_of(x);
    const struct ivf_model *m = &v->model;
    if (was_linked(x, row))
        return true;
    float *vector = scratch_get(lane, SCRATCH_QUERY_A, 3 * (size_t)m->dim * sizeof(float));
    float *scores = scratch_get(lane, SCRATCH_SCORES, m->lists * sizeof(float));
    if (vector == NULL || scores == NULL)
        return false;
    float dist, *room = vector + m->dim; /* twice as much: put_code */
    ivf_vector(m, rows, row, vector);
    uint32_t number = ivf_nearest(m, vector, scores, &dist);
    if (!list_put(v, lane, number, row, vector, room))
        return false;
    note_drift(v, dist);
    return true;
}

static enum err sweep_range(struct index *x, const struct index_rows *rows,
                            const struct index_dead *dead, struct lane *lane, uint32_t *row,
                            uint32_t end, struct index_sweep *sweep)
{
    (void)rows;
    for (; *row < end; (*row)++) {
        if (*row >= dead->end || (dead->bits[*row / 64] >> (*row % 64) & 1) == 0)
            continue;
        list_drop(ivf_of(x), lane, *row);
        sweep->repaired++;
    }
    return OK;
}

static void sweep_finish(struct index *x, const struct index_dead *dead,
                         const struct index_sweep *sweep)
{
    (void)x;
    (void)dead;
    CHECK(sweep->orphan_count == 0);
}

static bool move_init(struct index *x, uint32_t from, uint32_t to)
{
    (void)from;
    row_init(x, to, 0);
    return true;
}

/* No lane that could wait for the list is told: moves come one job at a time, and a search that
 * holds the lock has no writer to wait for. */
static void spin(struct lane *lane)
{
    (void)lane;
}

static void move_lists(struct index *x, const struct index_moves *moves, uint32_t row)
{
    struct ivf *v = ivf_of(x);
    struct lane lane = {.pause = spin};
    uint32_t to = moves->to[row - moves->first];
    uint32_t number = atomic_load_explicit(ivf_cell(v, IVF_COL_LIST, row), memory_order_acquire);
    CHECK(to < row && number != 0);
    struct ivf_list *list = &v->lists[number - 1];
    write_lock(list, &lane);
    uint32_t place = atomic_load_explicit(ivf_cell(v, IVF_COL_PLACE, row), memory_order_relaxed);
    CHECK(list_rows(v, list)[place] == row);
    list_rows(v, list)[place] = to;
    atomic_store_explicit(ivf_cell(v, IVF_COL_PLACE, to), place, memory_order_relaxed);
    atomic_store_explicit(ivf_cell(v, IVF_COL_LIST, to), number, memory_order_release);
    atomic_store_explicit(ivf_cell(v, IVF_COL_LIST, row), 0, memory_order_release);
    write_unlock(list);
}

static void move_links(struct index *x, const struct index_moves *moves, uint32_t row)
{
    (void)x;
    (void)moves;
    (void)row;
}

static void move_finish(struct index *x, const struct index_moves *moves)
{
    (void)x;
    (void)moves;
}

static bool shrink(struct index *x, uint32_t rows, size_t bytes_max)
{
    return columns_shrink(&ivf_of(x)->rows, rows, bytes_max);
}

static size_t excess(const struct index *x, uint32_t rows)
{
    return columns_excess(&ivf_of(x)->rows, rows);
}

static size_t spans(const struct index *x, uint32_t first, uint32_t end, struct column_span *out)
{
    return columns_spans(&ivf_of(x)->rows, first, end, out);
}

void ivf_model_fini(struct ivf_model *m)
{
    mem_free(MEM_GRAPH, m->centroids);
    mem_free(MEM_GRAPH, m->codes);
    pq_fini(&m->pq);
}

size_t ivf_model_bytes(const struct ivf_model *m)
{
    return pq_bytes(&m->pq) + mem_size(m->centroids) + mem_size(m->codes);
}

static size_t bytes(const struct index *x)
{
    const struct ivf *v = ivf_of(x);
    return sizeof(*v) + v->model.lists * sizeof(*v->lists) + columns_bytes(&v->rows) +
           ivf_model_bytes(&v->model) + atomic_load_explicit(&v->list_bytes, memory_order_relaxed);
}

static void destroy(struct index *x)
{
    struct ivf *v = ivf_of(x);
    for (uint32_t i = 0; v->lists != NULL && i < v->model.lists; i++)
        mem_free(MEM_GRAPH, list_memory(&v->lists[i]));
    mem_free(MEM_GRAPH, v->lists);
    columns_fini(&v->rows);
    ivf_model_fini(&v->model);
    mem_free(MEM_GRAPH, v);
}

/* Lists to look at, each 1.4 times as many or more, so that the last is all of them. */
static size_t efforts(const struct index *x, uint32_t out[INDEX_EFFORTS_MAX])
{
    const double lists = ivf_of(x)->model.lists;
    const double factor = fmax(sqrt(2), pow(lists, 1.0 / (INDEX_EFFORTS_MAX - 1)));
    size_t count = 0;
    out[count++] = 1;
    for (double effort = factor; out[count - 1] < lists; effort *= factor) {
        uint32_t next = (uint32_t)ceil(fmin(effort, lists));
        if (next == out[count - 1])
            continue;
        CHECK(count < INDEX_EFFORTS_MAX);
        out[count++] = next;
    }
    return count;
}

static const struct index_ops ops = {
    .name = "IVF",
    .reserve = reserve,
    .cost = cost,
    .row_init = row_init,
    .row_retire = row_retire,
    .row_free = row_retire,
    .link = link_row,
    .search = ivf_search,
    .was_linked = was_linked,
    .sweep_range = sweep_range,
    .sweep_finish = sweep_finish,
    .move_init = move_init,
    .move_lists = move_lists,
    .move_links = move_links,
    .move_finish = move_finish,
    .efforts = efforts,
    .shrink = shrink,
    .excess = excess,
    .bytes = bytes,
    .spans = spans,
    .free = destroy,
};

/* The model moves into the index, or stays the caller's when memory is short. */
static struct index *make(struct epoch *epoch, uint32_t rows_max, struct ivf_model *model)
{
    static const struct column_spec spec[IVF_COLS] = {
        [IVF_COL_LIST] = {sizeof(uint32_t), MEM_GRAPH},
        [IVF_COL_PLACE] = {sizeof(uint32_t), MEM_GRAPH},
    };
    struct ivf *v = mem_try_calloc(MEM_GRAPH, sizeof(*v));
    struct ivf_list *lists = mem_try_calloc(MEM_GRAPH, model->lists * sizeof(*lists));
    if (v == NULL || lists == NULL) {
        mem_free(MEM_GRAPH, v);
        mem_free(MEM_GRAPH, lists);
        return NULL;
    }
    v->index.ops = &ops;
    v->lists = lists;
    columns_init(&v->rows, epoch, spec, IVF_COLS, (size_t)rows_max * 2 * sizeof(uint32_t));
    v->model.lists = model->lists;
    if (columns_make_large(&v->rows) != OK) {
        destroy(&v->index);
        return NULL;
    }
    v->model = *model;
    *model = (struct ivf_model){0};
    return &v->index;
}

struct index *ivf_of_model(struct epoch *epoch, uint32_t rows_max, struct ivf_model *model)
{
    CHECK(model->centroids != NULL && model->codes != NULL && model->lists > 0);
    return make(epoch, rows_max, model);
}
