#include "lib/graph.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/thread.h"
#include "index/hnsw_impl.h"
#include "index/scan.h"
#include "lib/test.h"


static bool no_search_waits(struct lane *lane)
{
    (void)lane;
    return false;
}

static void let_others_run(struct lane *lane)
{
    (void)lane;
    thread_yield();
}

void graph_lane_init(struct lane *lane, unsigned index)
{
    *lane = (struct lane){
        .index = index, .search_waits = no_search_waits, .pause = let_others_run};
}

void graph_lane_fini(struct lane *lane)
{
    if (lane->scratch != NULL)
        lane->scratch_free(lane->scratch);
}

struct graph *graph_new(const struct graph_spec *spec)
{
    const struct vec_kernels *kernels;
    struct why why;
    REQUIRE(vec_kernels_choose("auto", &kernels, &why) == OK);
    struct graph *g = calloc(1, sizeof(*g));
    g->graph_bytes_before = mem_used(MEM_GRAPH);
    epoch_init(&g->epoch);
    codec_init(&g->codec, spec->quant, spec->metric, spec->dim, kernels);
    g->capacity = spec->capacity;
    g->vectors = calloc(spec->capacity, spec->dim * sizeof(float));
    g->codes = aligned_alloc(64, ((size_t)spec->capacity * g->codec.row_size + 63) / 64 * 64);
    g->birth = calloc(spec->capacity, sizeof(*g->birth));
    g->death = calloc(spec->capacity, sizeof(*g->death));
    g->state = calloc(spec->capacity, sizeof(*g->state));
    for (uint32_t row = 0; row < spec->capacity; row++)
        atomic_init(&g->birth[row], LSN_NEVER);
    g->rng = spec->seed;
    g->x = hnsw_new(&g->epoch, spec->m, spec->ef_build, spec->capacity);
    REQUIRE(g->x != NULL);
    REQUIRE(g->x->ops->reserve(g->x, spec->capacity) == OK);
    graph_lane_init(&g->lane, 0);
    return g;
}

void graph_free(struct graph *g)
{
    g->x->ops->free(g->x);
    graph_lane_fini(&g->lane);
    EXPECT(epoch_idle(&g->epoch));
    EXPECT_EQ(mem_used(MEM_GRAPH), g->graph_bytes_before);
    free(g->vectors);
    free(g->codes);
    free(g->birth);
    free(g->death);
    free(g->state);
    free(g);
}

static float normal(uint64_t *rng)
{
    double u = 1 - rng_unit(rng), v = rng_unit(rng);
    return (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

void graph_random_vector(struct graph *g, uint32_t centers, float *out)
{
    uint64_t center = rng_below(&g->rng, centers) * 7919 + 1;
    double norm = 0;
    for (uint32_t i = 0; i < g->codec.dim; i++) {
        out[i] = normal(&center) + 0.4f * normal(&g->rng);
        norm += (double)out[i] * out[i];
    }
    if (g->codec.metric == METRIC_COSINE)
        for (uint32_t i = 0; i < g->codec.dim; i++)
            out[i] = (float)(out[i] / sqrt(norm));
}

void graph_add_at(struct graph *g, uint32_t row, const float *vector)
{
    CHECK(row < g->capacity && g->state[row] == GRAPH_FREE);
    if (vector != &g->vectors[(size_t)row * g->codec.dim])
        memcpy(&g->vectors[(size_t)row * g->codec.dim], vector, g->codec.dim * sizeof(float));
    codec_encode(&g->codec, vector, g->codes + (size_t)row * g->codec.row_size);
    atomic_store_explicit(&g->death[row], LSN_NEVER, memory_order_release);
    atomic_store_explicit(&g->birth[row], ++g->lsn, memory_order_release);
    g->x->ops->row_init(g->x, row, rng_next(&g->rng));
    g->state[row] = GRAPH_UNLINKED;
    if (row >= g->end)
        g->end = row + 1;
}

uint32_t graph_add(struct graph *g, const float *vector)
{
    uint32_t row = g->end;
    graph_add_at(g, row, vector);
    return row;
}

void graph_link(struct graph *g, uint32_t row)
{
    struct index_rows rows = graph_rows(g);
    CHECK(g->state[row] == GRAPH_UNLINKED || g->state[row] == GRAPH_LINKED);
    REQUIRE(g->x->ops->link(g->x, &rows, &g->lane, row));
    EXPECT(hnsw_was_linked(g->x, row));
    g->state[row] = GRAPH_LINKED;
}

void graph_grow(struct graph *g, uint32_t count, uint32_t centers)
{
    for (uint32_t i = 0; i < count; i++) {
        CHECK(g->end < g->capacity);
        float *vector = &g->vectors[(size_t)g->end * g->codec.dim];
        graph_random_vector(g, centers, vector);
        graph_link(g, graph_add(g, vector));
    }
}

void graph_kill(struct graph *g, uint32_t row)
{
    CHECK(g->state[row] == GRAPH_LINKED);
    atomic_store_explicit(&g->death[row], ++g->lsn, memory_order_release);
    g->state[row] = GRAPH_DEAD;
}

void graph_sweep_begin(struct graph *g, struct graph_sweep *s)
{
    s->bits = calloc(g->end / 64 + 1, sizeof(*s->bits));
    for (uint32_t row = 0; row < g->end; row++)
        if (g->state[row] == GRAPH_DEAD)
            s->bits[row / 64] |= (uint64_t)1 << (row % 64);
    s->dead = (struct index_dead){s->bits, g->end};
    s->found = (struct index_sweep){.best_row = ROW_NONE, .best_level = -1};
}

void graph_sweep_all(struct index *x, const struct index_rows *rows, struct lane *lane,
                     struct graph_sweep *s, uint32_t step)
{
    for (uint32_t at = 0; at < rows->end;) {
        uint32_t end = rows->end - at < step ? rows->end : at + step;
        CHECK(hnsw_sweep_range(x, rows, &s->dead, lane, &at, end, &s->found) == OK && at == end);
    }
}

void graph_sweep_end(struct graph *g, struct graph_sweep *s)
{
    hnsw_sweep_finish(g->x, &s->dead, &s->found);
    for (uint32_t row = 0; row < s->dead.end; row++) {
        if ((s->bits[row / 64] >> (row % 64) & 1) == 0)
            continue;
        atomic_store_explicit(&g->birth[row], LSN_NEVER, memory_order_release);
        g->x->ops->row_retire(g->x, row);
        g->x->ops->row_free(g->x, row);
        g->state[row] = GRAPH_FREE;
    }
    for (size_t i = 0; i < s->found.orphan_count; i++)
        if (g->state[s->found.orphans[i]] == GRAPH_LINKED)
            graph_link(g, s->found.orphans[i]);
    mem_free(MEM_GRAPH, s->found.orphans);
    free(s->bits);
}

void graph_sweep(struct graph *g, uint32_t step)
{
    struct graph_sweep s;
    struct index_rows rows = graph_rows(g);
    graph_sweep_begin(g, &s);
    graph_sweep_all(g->x, &rows, &g->lane, &s, step);
    graph_sweep_end(g, &s);
}

static void move_row(struct graph *g, uint32_t from, uint32_t to)
{
    memcpy(&g->vectors[(size_t)to * g->codec.dim], &g->vectors[(size_t)from * g->codec.dim],
           g->codec.dim * sizeof(float));
    memcpy(g->codes + (size_t)to * g->codec.row_size, g->codes + (size_t)from * g->codec.row_size,
           g->codec.row_size);
    REQUIRE(hnsw_move_init(g->x, from, to));
    g->lsn++;
    atomic_store_explicit(&g->death[to], LSN_NEVER, memory_order_release);
    atomic_store_explicit(&g->birth[to], g->lsn, memory_order_release);
    atomic_store_explicit(&g->death[from], g->lsn, memory_order_release);
    g->state[from] = GRAPH_DEAD;
    g->state[to] = GRAPH_LINKED;
}

void graph_move_down(struct graph *g)
{
    uint32_t *to = malloc(g->end * sizeof(*to));
    struct index_moves moves = {.to = to, .first = g->end, .end = g->end};
    for (uint32_t low = 0, row = g->end; row-- > low;) {
        CHECK(g->state[row] == GRAPH_LINKED || g->state[row] == GRAPH_FREE);
        to[row] = ROW_NONE;
        while (low < row && g->state[low] != GRAPH_FREE)
            low++;
        if (low < row && g->state[row] == GRAPH_LINKED) {
            move_row(g, row, low);
            to[row] = low;
            moves.first = row;
        }
    }
    moves.to = to + moves.first;
    for (uint32_t row = moves.first; row < moves.end; row++)
        if (to[row] != ROW_NONE)
            hnsw_move_lists(g->x, &moves, row);
    for (uint32_t row = 0; row < g->end; row++)
        hnsw_move_links(g->x, &moves, row);
    hnsw_move_finish(g->x, &moves);
    for (uint32_t row = moves.first; row < moves.end; row++) {
        if (to[row] == ROW_NONE)
            continue;
        atomic_store_explicit(&g->birth[row], LSN_NEVER, memory_order_release);
        g->x->ops->row_free(g->x, row);
        g->state[row] = GRAPH_FREE;
    }
    while (g->end > 0 && g->state[g->end - 1] == GRAPH_FREE)
        g->end--;
    free(to);
}

struct index_rows graph_rows(const struct graph *g)
{
    return (struct index_rows){.codec = &g->codec,
                               .codes = g->codes,
                               .birth = g->birth,
                               .death = g->death,
                               .lsn = g->lsn,
                               .end = g->end};
}

static uint8_t *prepare(struct graph *g, struct lane *lane, const float *query)
{
    uint8_t *prepared = scratch_get(lane, SCRATCH_HITS, g->codec.query_size);
    CHECK(prepared != NULL);
    codec_query(&g->codec, query, prepared);
    return prepared;
}

size_t graph_search(struct graph *g, struct lane *lane, const float *query, size_t effort, size_t k,
                    struct hit *out)
{
    struct index_rows rows = graph_rows(g);
    struct index_query q = {.prepared = prepare(g, lane, query), .effort = effort};
    struct hit *room = scratch_get(lane, SCRATCH_HITS_2, effort * sizeof(*room));
    struct index_cost cost = {0};
    bool complete = false;
    size_t found = g->x->ops->search(g->x, &rows, lane, &q, room, &complete, &cost);
    CHECK(found != SIZE_MAX && found <= effort && complete);
    size_t kept = 0;
    for (size_t i = 0; i < found && kept < k; i++)
        if (row_visible(&rows, room[i].row))
            out[kept++] = room[i];
    return kept;
}

size_t graph_scan(struct graph *g, struct lane *lane, const float *query, size_t k,
                  struct hit *out)
{
    struct index_rows rows = graph_rows(g);
    struct index_filter all = {0};
    struct index_cost cost = {0};
    struct topk top;
    topk_init(&top, out, k);
    scan_range(&rows, lane, prepare(g, lane, query), &all, 0, rows.end, &top, &cost);
    topk_sort(&top);
    return top.count;
}

double graph_recall(struct graph *g, uint32_t centers, size_t effort, size_t k, unsigned queries)
{
    enum { K_MAX = 100, DIM_MAX = 512 };
    CHECK(k <= K_MAX && g->codec.dim <= DIM_MAX);
    struct hit exact[K_MAX], walked[K_MAX];
    float query[DIM_MAX];
    size_t wanted = 0, found = 0;
    for (unsigned i = 0; i < queries; i++) {
        graph_random_vector(g, centers, query);
        size_t there = graph_scan(g, &g->lane, query, k, exact);
        size_t got = graph_search(g, &g->lane, query, effort, k, walked);
        CHECK(there > 0);
        wanted += there;
        for (size_t j = 0; j < got && j < there; j++)
            found += walked[j].dist <= exact[there - 1].dist;
    }
    return (double)found / (double)wanted;
}

static bool is_linked(void *user, uint32_t row)
{
    const struct graph *g = user;
    return g->state[row] == GRAPH_LINKED;
}

static const char *check_links(const struct graph *g)
{
    uint32_t links[512];
    for (uint32_t row = 0; row < g->end; row++) {
        if (g->state[row] != GRAPH_LINKED && g->state[row] != GRAPH_DEAD)
            continue;
        for (int level = 0; level <= hnsw_level(g->x, row); level++) {
            size_t count = hnsw_neighbours(g->x, row, level, links, COUNT_OF(links));
            for (size_t i = 0; i < count; i++)
                if (g->state[links[i]] == GRAPH_FREE)
                    return "a link leads to a free row";
        }
    }
    return NULL;
}

const char *graph_check(const struct graph *g)
{
    struct index_rows rows = graph_rows(g);
    const char *broken = hnsw_check(g->x, &rows, is_linked, (void *)g);
    return broken != NULL ? broken : check_links(g);
}

uint32_t graph_count_unreachable(const struct graph *g)
{
    uint64_t entry = atomic_load_explicit(&hnsw_of(g->x)->entry, memory_order_acquire);
    uint32_t links[512], *queue = calloc(g->end + 1, sizeof(*queue)), head = 0, tail = 0;
    bool *met = calloc(g->end + 1, sizeof(*met));
    if (entry != ENTRY_NONE) {
        queue[tail++] = entry_row(entry);
        met[entry_row(entry)] = true;
    }
    while (head < tail) {
        uint32_t row = queue[head++];
        for (int level = 0; level <= hnsw_level(g->x, row); level++) {
            size_t count = hnsw_neighbours(g->x, row, level, links, COUNT_OF(links));
            for (size_t i = 0; i < count; i++) {
                if (!met[links[i]])
                    queue[tail++] = links[i];
                met[links[i]] = true;
            }
        }
    }
    uint32_t unreachable = 0;
    for (uint32_t row = 0; row < g->end; row++)
        unreachable += g->state[row] == GRAPH_LINKED && !met[row];
    free(queue);
    free(met);
    return unreachable;
}

uint32_t graph_count_lost(struct graph *g, size_t effort)
{
    uint32_t lost = 0;
    struct hit *hits = calloc(effort, sizeof(*hits));
    for (uint32_t row = 0; row < g->end; row++) {
        if (g->state[row] != GRAPH_LINKED)
            continue;
        const float *vector = &g->vectors[(size_t)row * g->codec.dim];
        size_t count = graph_search(g, &g->lane, vector, effort, effort, hits);
        bool found = false;
        for (size_t i = 0; i < count && !found; i++)
            found = hits[i].row == row;
        lost += !found;
    }
    free(hits);
    return lost;
}
