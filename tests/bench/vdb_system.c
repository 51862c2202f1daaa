/* vdb_system.c: our indexes without the server: the layers index and vec, as a collection of
 * default settings uses them (COSINE or L2, SQ8 codes, exact copies for re-ranking, M 16, EFC 200),
 * and IVF with the lists and parts that Faiss is given. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/column.h"
#include "base/epoch.h"
#include "base/mem.h"
#include "base/thread.h"
#include "bench/bench_system.h"
#include "index/hnsw.h"
#include "index/ivf.h"
#include "index/scan.h"

enum { EFFORT_SCALE = 1000, SAMPLE_A_LIST = 48 };
enum { LINKS = 16, EF_BUILD = 200, RERANKED_MIN = 20, THREADS_MAX = 64, LSN = 1 };
enum { COL_VECTOR, COL_CODE, COL_BIRTH, COL_DEATH, COLS };

struct vdb {
    enum bench_metric metric;
    uint32_t dim;
    struct epoch epoch;
    struct columns columns;
    struct codec codec;
    struct index_rows rows;
    struct index *graph; /* NULL: flat */
    struct lane lane;    /* of the searching thread */
    uint8_t *prepared;
    float *query; /* normalised */
    struct hit *hits;
    size_t hits_capacity;
};

static bool nobody_waits(struct lane *lane)
{
    (void)lane;
    return false;
}

static void pause_lane(struct lane *lane)
{
    (void)lane;
    thread_yield();
}

static struct lane lane_of(unsigned index)
{
    return (struct lane){.index = index, .search_waits = nobody_waits, .pause = pause_lane};
}

static void lane_fini(struct lane *lane)
{
    if (lane->scratch != NULL)
        lane->scratch_free(lane->scratch);
}

static void normalise(const float *from, size_t dim, float *to)
{
    float sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += from[i] * from[i];
    const float factor = 1 / sqrtf(sum);
    for (size_t i = 0; i < dim; i++)
        to[i] = from[i] * factor;
}

static const float *vector_of(const struct vdb *v, uint32_t row)
{
    return (const float *)(v->columns.base[COL_VECTOR] + (size_t)row * v->dim * sizeof(float));
}

static struct vdb *vdb_new(const struct matrix *train, enum bench_metric metric, enum quant quant)
{
    struct vdb *v = mem_calloc(MEM_TEST, sizeof *v);
    v->metric = metric;
    v->dim = train->columns;
    epoch_init(&v->epoch);
    const struct vec_kernels *kernels;
    if (vec_kernels_choose("auto", &kernels, NULL) != OK)
        die("no kernels");
    codec_init(&v->codec, quant, metric == BENCH_L2 ? METRIC_L2 : METRIC_COSINE, v->dim, kernels);
    const uint32_t code_size = quant == QUANT_NONE ? 0 : v->codec.row_size;
    const struct column_spec spec[COLS] = {
        [COL_VECTOR] = {v->dim * (uint32_t)sizeof(float), MEM_VECTOR},
        [COL_CODE] = {code_size, MEM_CODE},
        [COL_BIRTH] = {sizeof(uint64_t), MEM_ROW},
        [COL_DEATH] = {sizeof(uint64_t), MEM_ROW},
    };
    columns_init(&v->columns, &v->epoch, spec, COLS, mem_machine_bytes());
    if (columns_make_large(&v->columns) != OK || columns_reserve(&v->columns, train->rows) != OK)
        die("no memory for %u rows", train->rows);
    v->rows = (struct index_rows){
        .codec = &v->codec,
        .codes = v->columns.base[quant == QUANT_NONE ? COL_VECTOR : COL_CODE],
        .birth = (const _Atomic uint64_t *)v->columns.base[COL_BIRTH],
        .death = (const _Atomic uint64_t *)v->columns.base[COL_DEATH],
        .lsn = LSN,
        .end = train->rows,
    };
    v->lane = lane_of(0);
    v->prepared = mem_try_aligned(MEM_TEST, 64, v->codec.query_size);
    v->query = mem_alloc(MEM_TEST, v->dim * sizeof(float));
    if (v->prepared == NULL)
        die("no memory for a query");
    return v;
}

/* What VADD does to a row before it is linked. */
static void fill_row(struct vdb *v, uint32_t row, const float *from)
{
    float *vector = (float *)vector_of(v, row);
    if (v->metric == BENCH_COSINE)
        normalise(from, v->dim, vector);
    else
        memcpy(vector, from, v->dim * sizeof *vector);
    if (v->codec.quant != QUANT_NONE)
        codec_encode(&v->codec, vector,
                     v->columns.base[COL_CODE] + (size_t)row * v->codec.row_size);
    ((uint64_t *)v->columns.base[COL_DEATH])[row] = LSN_NEVER;
    ((uint64_t *)v->columns.base[COL_BIRTH])[row] = LSN;
}

struct linker {
    struct vdb *vdb;
    _Atomic uint32_t *next;
    struct lane lane;
    struct thread thread;
};

static void link_rows(void *opaque)
{
    struct linker *l = opaque;
    struct vdb *v = l->vdb;
    for (uint32_t row; (row = atomic_fetch_add(l->next, 1)) < v->rows.end;) {
        if (!v->graph->ops->link(v->graph, &v->rows, &l->lane, row))
            die("no memory to link row %u", row);
    }
}

static void link_all(struct vdb *v, unsigned threads)
{
    static struct linker linkers[THREADS_MAX];
    _Atomic uint32_t next = 0;
    CHECK(threads > 0 && threads <= THREADS_MAX);
    for (unsigned i = 0; i < threads; i++) {
        linkers[i] = (struct linker){.vdb = v, .next = &next, .lane = lane_of(i)};
        if (thread_start(&linkers[i].thread, "link", link_rows, &linkers[i]) != OK)
            die("no thread");
    }
    for (unsigned i = 0; i < threads; i++) {
        thread_join(&linkers[i].thread);
        lane_fini(&linkers[i].lane);
    }
}

static void *build_on(enum quant quant, const struct matrix *train, enum bench_metric metric,
                      unsigned threads)
{
    struct vdb *v = vdb_new(train, metric, quant);
    v->graph = hnsw_new(&v->epoch, LINKS, EF_BUILD, train->rows);
    if (v->graph == NULL || v->graph->ops->reserve(v->graph, train->rows) != OK)
        die("no memory for a graph");
    for (uint32_t row = 0; row < train->rows; row++) {
        fill_row(v, row, matrix_row(train, row));
        v->graph->ops->row_init(v->graph, row, (row + 1) * 0x9e3779b97f4a7c15U);
    }
    link_all(v, threads);
    return v;
}

static void *build_graph(const struct matrix *train, enum bench_metric metric, unsigned threads)
{
    return build_on(QUANT_SQ8, train, metric, threads);
}

static void *build_rabitq(const struct matrix *train, enum bench_metric metric, unsigned threads)
{
    return build_on(QUANT_RABITQ, train, metric, threads);
}

static struct index *train_lists(struct vdb *v, enum ivf_codes codes)
{
    const uint32_t dim = v->dim;
    const struct ivf_shape shape = {.lists = v->rows.end > 200000 ? 2048 : 1024,
                                    .codes = codes,
                                    .subs = dim <= 100 ? dim / 2 : dim / 4,
                                    .seed = 1};
    bool over = false;
    struct ivf_trainer *t = ivf_trainer_new(&v->rows, &shape, SAMPLE_A_LIST * shape.lists);
    if (t == NULL)
        die("no memory to train");
    while (!over)
        if (ivf_trainer_sample(t, &v->rows, &over) != OK)
            die("no memory for a sample");
    for (over = false; !over;)
        if (ivf_trainer_step(t, &over) != OK)
            die("no memory to train");
    struct index *x = ivf_trainer_take(t, &v->epoch, v->rows.end);
    ivf_trainer_free(t);
    return x;
}

static void *build_lists(const struct matrix *train, enum bench_metric metric, unsigned threads,
                         enum quant quant)
{
    const enum ivf_codes codes = quant == QUANT_PQ ? IVF_PQ : IVF_ROWS;
    struct vdb *v = vdb_new(train, metric, codes == IVF_PQ ? QUANT_NONE : quant);
    for (uint32_t row = 0; row < train->rows; row++)
        fill_row(v, row, matrix_row(train, row));
    v->graph = train_lists(v, codes);
    if (v->graph == NULL || v->graph->ops->reserve(v->graph, train->rows) != OK)
        die("no memory for lists");
    link_all(v, threads);
    return v;
}

static void *build_ivf_sq8(const struct matrix *train, enum bench_metric metric, unsigned threads)
{
    return build_lists(train, metric, threads, QUANT_SQ8);
}

static void *build_ivf_pq(const struct matrix *train, enum bench_metric metric, unsigned threads)
{
    return build_lists(train, metric, threads, QUANT_PQ);
}

static void *build_ivf_rabitq(const struct matrix *train, enum bench_metric metric,
                              unsigned threads)
{
    return build_lists(train, metric, threads, QUANT_RABITQ);
}

static void *build_flat(const struct matrix *train, enum bench_metric metric, unsigned threads)
{
    (void)threads;
    struct vdb *v = vdb_new(train, metric, QUANT_NONE);
    for (uint32_t row = 0; row < train->rows; row++)
        fill_row(v, row, matrix_row(train, row));
    return v;
}

static const float *prepare_query(struct vdb *v, const float *query)
{
    if (v->metric == BENCH_COSINE) {
        normalise(query, v->dim, v->query);
        query = v->query;
    }
    codec_query(&v->codec, query, v->prepared);
    return query;
}

static struct hit *room_for(struct vdb *v, size_t count)
{
    if (count > v->hits_capacity) {
        v->hits = mem_realloc(MEM_TEST, v->hits, count * sizeof *v->hits);
        v->hits_capacity = count;
    }
    return v->hits;
}

static void give_ids(const struct hit *hits, size_t count, size_t k, int32_t *ids)
{
    for (size_t i = 0; i < k; i++)
        ids[i] = i < count ? (int32_t)hits[i].row : -1;
}

static void rerank(struct vdb *v, const float *query, struct hit *hits, size_t count)
{
    const struct vec_kernels *kernels = v->codec.kernels;
    uint32_t ids[EFFORT_SCALE];
    float scores[EFFORT_SCALE];
    CHECK(count <= COUNT_OF(ids));
    for (size_t i = 0; i < count; i++)
        ids[i] = hits[i].row;
    if (v->metric == BENCH_L2)
        kernels->l2_f32_many(query, v->columns.base[COL_VECTOR], v->dim * sizeof(float), ids, count,
                             v->dim, scores);
    else
        kernels->dot_f32_many(query, v->columns.base[COL_VECTOR], v->dim * sizeof(float), ids,
                              count, v->dim, scores);
    for (size_t i = 0; i < count; i++)
        hits[i].dist = v->metric == BENCH_L2 ? scores[i] : 1 - scores[i];
    hits_sort(hits, count);
}

static void search_graph(void *index, const float *query, size_t k, unsigned effort, int32_t *ids)
{
    struct vdb *v = index;
    struct index_cost cost = {0};
    bool complete;
    query = prepare_query(v, query);
    struct index_query q = {.prepared = v->prepared, .effort = effort};
    struct hit *hits = room_for(v, effort);
    size_t count = v->graph->ops->search(v->graph, &v->rows, &v->lane, &q, hits, &complete, &cost);
    if (count == SIZE_MAX)
        die("no memory to search");
    const size_t reranked = 2 * k > RERANKED_MIN ? 2 * k : RERANKED_MIN;
    if (count > reranked)
        count = reranked;
    rerank(v, query, hits, count);
    give_ids(hits, count, k, ids);
}

/* effort: lists * EFFORT_SCALE + how many are ranked exactly. */
static void search_lists(void *index, const float *query, size_t k, unsigned effort, int32_t *ids)
{
    struct vdb *v = index;
    struct index_cost cost = {0};
    bool complete;
    query = prepare_query(v, query);
    struct index_query q = {.prepared = v->prepared,
                            .vector = query,
                            .effort = effort % EFFORT_SCALE,
                            .probes = effort / EFFORT_SCALE};
    struct hit *hits = room_for(v, q.effort);
    size_t count = v->graph->ops->search(v->graph, &v->rows, &v->lane, &q, hits, &complete, &cost);
    if (count == SIZE_MAX)
        die("no memory to search");
    rerank(v, query, hits, count);
    give_ids(hits, count, k, ids);
}

static void search_flat(void *index, const float *query, size_t k, unsigned effort, int32_t *ids)
{
    struct vdb *v = index;
    struct index_cost cost = {0};
    struct topk top;
    const struct index_filter all = {0};
    (void)effort;
    (void)prepare_query(v, query);
    topk_init(&top, room_for(v, k), k);
    scan_range(&v->rows, &v->lane, v->prepared, &all, 0, v->rows.end, &top, &cost);
    topk_sort(&top);
    give_ids(top.hits, top.count, k, ids);
}

static size_t code_bytes(const void *index)
{
    const struct vdb *v = index;
    return v->codec.row_size;
}

static size_t scanned_bytes(const void *index)
{
    const struct vdb *v = index;
    return (size_t)v->rows.end * v->codec.row_size;
}

static void vdb_free(void *index)
{
    struct vdb *v = index;
    if (v->graph != NULL)
        v->graph->ops->free(v->graph);
    lane_fini(&v->lane);
    columns_fini(&v->columns);
    mem_free(MEM_TEST, v->hits);
    mem_free(MEM_TEST, v->query);
    mem_free(MEM_TEST, v->prepared);
    mem_free(MEM_TEST, v);
}

static void effort_text(unsigned effort, char *text, size_t size)
{
    (void)snprintf(text, size, "ef %u", effort);
}

static void effort_lists(unsigned effort, char *text, size_t size)
{
    (void)snprintf(text, size, "nprobe %u, rerank %u", effort / EFFORT_SCALE,
                   effort % EFFORT_SCALE);
}

static void effort_all(unsigned effort, char *text, size_t size)
{
    (void)effort;
    (void)snprintf(text, size, "all");
}

static const unsigned efforts[] = {10, 16, 24, 40, 60, 80, 120, 160, 200, 280, 400, 560, 800};

const struct bench_system bench_vdb = {
    .name = "vdb HNSW M16 efC200 SQ8",
    .key = "vdb",
    .efforts = efforts,
    .effort_count = COUNT_OF(efforts),
    .effort_text = effort_text,
    .build = build_graph,
    .search = search_graph,
    .free = vdb_free,
    .code_bytes = code_bytes,
};

const struct bench_system bench_vdb_rabitq = {
    .name = "vdb HNSW M16 efC200 RABITQ",
    .key = "vdb-rabitq",
    .efforts = efforts,
    .effort_count = COUNT_OF(efforts),
    .effort_text = effort_text,
    .build = build_rabitq,
    .search = search_graph,
    .free = vdb_free,
};

const struct bench_system bench_vdb_flat = {
    .name = "vdb flat",
    .key = "vdb-flat",
    .efforts = efforts,
    .effort_count = 1,
    .effort_text = effort_all,
    .build = build_flat,
    .search = search_flat,
    .free = vdb_free,
    .query_bytes = scanned_bytes,
};

static const unsigned efforts_sq8[] = {4020,  8020,  12020, 16020,  24020,  32020,
                                       48020, 64020, 96020, 128020, 192020, 256020};
static const unsigned efforts_pq[] = {4040,  8040,  12060, 16060, 20080,  24100,  28100,  32100,
                                      40100, 48100, 64150, 96200, 128200, 192300, 256400, 384600};

const struct bench_system bench_vdb_ivf_sq8 = {
    .name = "vdb IVF SQ8",
    .key = "vdb-ivf-sq8",
    .efforts = efforts_sq8,
    .effort_count = COUNT_OF(efforts_sq8),
    .effort_text = effort_lists,
    .build = build_ivf_sq8,
    .search = search_lists,
    .free = vdb_free,
};

const struct bench_system bench_vdb_ivf_pq = {
    .name = "vdb IVF PQ",
    .key = "vdb-ivf-pq",
    .efforts = efforts_pq,
    .effort_count = COUNT_OF(efforts_pq),
    .effort_text = effort_lists,
    .build = build_ivf_pq,
    .search = search_lists,
    .free = vdb_free,
};

const struct bench_system bench_vdb_ivf_rabitq = {
    .name = "vdb IVF RABITQ",
    .key = "vdb-ivf-rabitq",
    .efforts = efforts_sq8,
    .effort_count = COUNT_OF(efforts_sq8),
    .effort_text = effort_lists,
    .build = build_ivf_rabitq,
    .search = search_lists,
    .free = vdb_free,
};
