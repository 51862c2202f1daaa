/* bench_snapshot.c: snapshots without a server: what one costs, and how fast it is back.
 *
 *     bench_snapshot DIR SET [EF_BUILD]
 *     bench_snapshot DIR small
 *
 * Without a snapshot in DIR: builds a collection of data/SET, replaces a tenth, takes a snapshot,
 * replaces a hundredth, takes another. Then, in any case: loads what is there and searches. The
 * second form does it with 10,000 collections of 10 vectors of 128 dimensions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "bench/data.h"
#include "db/search.h"
#include "net/io_uv.h"
#include "persist/snapshot.h"
#include "persist/snapshot_load.h"

enum { LANES = 2, BATCH = 1000, K = 10, POLL_US = 20 * 1000 };

struct bench {
    struct io *io;
    struct db db;
    const char *dir;
    struct dataset data;
    struct io_timer timer;
    struct snapshots snapshots;
    struct snapshot_load load;
    bool done;
    uint64_t rng;
    uint32_t ef_build;
    size_t hits;
    uint32_t answered, asked;
    uint64_t *latencies; /* of a run of searches without an end; NULL: of the queries once */
    size_t latency_count, latency_most;
    uint64_t until_us;
    bool latency_wanted;
    uint64_t started_us, step_us[LOAD_OVER + 1];
};

static double seconds(uint64_t us)
{
    return (double)us / 1e6;
}

static uint64_t now(const struct bench *b)
{
    return b->io->ops->mono_us(b->io);
}

static void init_db(struct bench *b)
{
    struct db_options options = {.flat_rows_max = 2000, .pending_scan_bytes = (size_t)1 << 40};
    if (vec_kernels_choose("auto", &options.kernels, NULL) != OK)
        die("no kernels");
    db_init(&b->db, b->io, &options);
}

static void on_poll(struct io_timer *timer)
{
    (void)timer;
}

static void on_tick(struct io_timer *timer)
{
    struct bench *b = timer->user;
    struct collection *c;
    if (db_collection(&b->db, slice_of("c"), &c) != OK)
        die("no collection");
    if ((c == NULL || pending_count(&c->side->pending) == 0) && db_idle(&b->db) &&
        b->snapshots.run == NULL)
        io_uv_stop(b->io);
    else
        b->io->ops->timer_start(b->io, timer, POLL_US);
}

static void run_until_idle(struct bench *b)
{
    b->timer = (struct io_timer){.fn = on_tick, .user = b, .impl = b->timer.impl};
    b->io->ops->timer_start(b->io, &b->timer, POLL_US);
    io_uv_run(b->io);
}

static void put(struct bench *b, const uint32_t *rows, size_t count)
{
    const uint32_t dim = b->data.train.columns;
    float *vectors = malloc(count * dim * sizeof(float));
    struct mutation_element *elements = calloc(count, sizeof(*elements));
    char(*ids)[16] = malloc(count * sizeof(*ids));
    for (size_t i = 0; i < count; i++) {
        const float *from = matrix_row(&b->data.train, rows[i]);
        float sum = 0;
        for (uint32_t d = 0; d < dim; d++)
            sum += from[d] * from[d];
        sum = b->data.metric == BENCH_COSINE && sum > 0 ? sqrtf(sum) : 1;
        for (uint32_t d = 0; d < dim; d++)
            vectors[i * dim + d] = from[d] / sum;
        (void)snprintf(ids[i], sizeof(ids[i]), "%u", rows[i]);
        elements[i] = (struct mutation_element){
            .id = slice_of(ids[i]), .vector = vectors + i * dim, .norm = sum};
    }
    struct mutation m = {.kind = MUTATION_PUT,
                         .key = slice_of("c"),
                         .creates = keyspace_get(&b->db.keys, slice_of("c")) == NULL,
                         .spec = spec_default(dim),
                         .dim = dim,
                         .elements = elements,
                         .count = count};
    m.spec.metric = b->data.metric == BENCH_L2 ? METRIC_L2 : METRIC_COSINE;
    m.spec.ef_build = b->ef_build;
    uint64_t lsn;
    struct why why = {""};
    if (db_write(&b->db, &m, &lsn, &why) != OK)
        die("put: %s", why.text);
    free(vectors);
    free(elements);
    free(ids);
}

static void put_all(struct bench *b)
{
    uint32_t rows[BATCH];
    for (uint32_t at = 0; at < b->data.train.rows; at += BATCH) {
        uint32_t count = b->data.train.rows - at < BATCH ? b->data.train.rows - at : BATCH;
        for (uint32_t i = 0; i < count; i++)
            rows[i] = at + i;
        put(b, rows, count);
    }
    run_until_idle(b);
}

/* Random ones, in steps, as clients would. */
static void replace(struct bench *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = (uint32_t)rng_below(&b->rng, b->data.train.rows);
        put(b, &row, 1);
        if (i % BATCH == BATCH - 1)
            run_until_idle(b);
    }
    run_until_idle(b);
}

static void on_snapshot(void *user, enum err e)
{
    struct bench *b = user;
    if (e != OK)
        die("snapshot: %s", err_text(e));
    io_uv_stop(b->io);
}

static void take(struct bench *b, const char *what)
{
    if (snapshots_start(&b->snapshots) != OK)
        die("no snapshot");
    io_uv_run(b->io);
    printf("%-40s %8.1f MB in %.3f s, %u chunks\n", what, (double)b->snapshots.last_bytes / 1e6,
           seconds(b->snapshots.last_duration_us), b->snapshots.last.chunk_count);
    uint64_t bytes[CHUNK_LINKS + 1] = {0};
    for (uint32_t i = 0; i < b->snapshots.last.chunk_count; i++)
        if (b->snapshots.last.chunks[i].lsn == b->snapshots.last.lsn)
            bytes[b->snapshots.last.chunks[i].kind] += b->snapshots.last.chunks[i].size;
    for (int kind = CHUNK_KEYS; kind <= CHUNK_LINKS; kind++)
        if (bytes[kind] > 0)
            printf("    %-20s %8.2f MB\n", chunk_kind_name((enum chunk_kind)kind),
                   (double)bytes[kind] / 1e6);
}

static void build(struct bench *b)
{
    init_db(b);
    snapshots_init(&b->snapshots, b->io, &b->db, b->dir, on_snapshot, b);
    put_all(b);
    printf("built after %.1f s\n", seconds(now(b) - b->started_us));
    replace(b, b->data.train.rows / 10);
    take(b, "first snapshot, after 10 % churn");
    replace(b, b->data.train.rows / 100);
    take(b, "second, after replacing 1 %");
    snapshots_fini(&b->snapshots);
    db_clear(&b->db);
    run_until_idle(b);
    db_fini(&b->db);
}

static void put_small(struct bench *b, uint32_t number)
{
    enum { DIM = 128, ELEMENTS = 10 };
    static float vectors[ELEMENTS][DIM];
    struct mutation_element elements[ELEMENTS];
    char key[16], ids[ELEMENTS][16];
    (void)snprintf(key, sizeof(key), "tenant%u", number);
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "%u", i);
        for (uint32_t d = 0; d < DIM; d++)
            vectors[i][d] = (float)rng_unit(&b->rng) - 0.5f;
        elements[i] =
            (struct mutation_element){.id = slice_of(ids[i]), .vector = vectors[i], .norm = 1};
    }
    struct mutation m = {.kind = MUTATION_PUT,
                         .key = slice_of(key),
                         .creates = keyspace_get(&b->db.keys, slice_of(key)) == NULL,
                         .spec = spec_default(DIM),
                         .dim = DIM,
                         .elements = elements,
                         .count = ELEMENTS};
    uint64_t lsn;
    if (db_write(&b->db, &m, &lsn, NULL) != OK)
        die("put");
}

static void small(struct bench *b)
{
    enum { COLLECTIONS = 10000 };
    init_db(b);
    snapshots_init(&b->snapshots, b->io, &b->db, b->dir, on_snapshot, b);
    for (uint32_t i = 0; i < COLLECTIONS; i++)
        put_small(b, i);
    take(b, "10,000 small collections");
    for (uint32_t i = 0; i < COLLECTIONS / 100; i++)
        put_small(b, i * 100);
    take(b, "after changing 1 % of them");
    snapshots_fini(&b->snapshots);
    db_clear(&b->db);
    run_until_idle(b);
    db_fini(&b->db);
}

static void on_loaded(struct snapshot_load *l, enum err e)
{
    struct bench *b = l->user;
    if (e != OK)
        die("load: %s", l->why.text);
    b->done = true;
    io_uv_stop(b->io);
}

/* -- searching --------------------------------------------------------------------------------- */

static void ask(struct bench *b);

static void encode(struct search *s, const struct hit *hits, size_t count)
{
    int32_t *ids = s->extra;
    for (size_t i = 0; i < K; i++)
        ids[i + 1] = -1;
    for (size_t i = 0; i < count && i < K; i++) {
        struct slice id = view_id(&s->view, hits[i].row);
        int64_t number;
        if (slice_to_i64(id, &number))
            ids[i + 1] = (int32_t)number;
    }
}

static void on_answer(struct search *s)
{
    struct bench *b = s->user;
    const int32_t *ids = s->extra;
    b->hits += dataset_hits(&b->data, (size_t)ids[0], K, ids + 1);
    b->answered++;
    if (b->latencies != NULL) {
        uint64_t asked_us;
        memcpy(&asked_us, ids + K + 1, sizeof(asked_us));
        if (b->latency_count < b->latency_most)
            b->latencies[b->latency_count++] = now(b) - asked_us;
    }
    search_free(s);
    if (b->latencies != NULL) {
        if (now(b) < b->until_us)
            ask(b);
        else if (b->answered == b->asked)
            io_uv_stop(b->io);
        return;
    }
    if (b->answered == b->asked && b->asked == b->data.query.rows)
        io_uv_stop(b->io);
    else
        ask(b);
}

static void ask(struct bench *b)
{
    if (b->latencies == NULL && b->asked == b->data.query.rows)
        return;
    struct collection *c;
    if (db_collection(&b->db, slice_of("c"), &c) != OK)
        die("no collection");
    struct search *s = search_new(&b->db, c, 1);
    const float *from = matrix_row(&b->data.query, b->asked % b->data.query.rows);
    uint32_t dim = b->data.train.columns;
    float sum = 0;
    for (uint32_t d = 0; d < dim; d++)
        sum += from[d] * from[d];
    sum = b->data.metric == BENCH_COSINE ? sqrtf(sum) : 1;
    for (uint32_t d = 0; d < dim; d++)
        s->queries[d] = from[d] / sum;
    int32_t *ids = mem_alloc(MEM_SCRATCH, (K + 3) * sizeof(*ids));
    uint64_t asked_us = now(b);
    ids[0] = (int32_t)(b->asked++ % b->data.query.rows);
    memcpy(ids + K + 1, &asked_us, sizeof(asked_us));
    s->extra = ids;
    s->count = K;
    s->effort = (size_t)(getenv("EF") != NULL ? strtol(getenv("EF"), NULL, 10) : 100);
    s->encode = encode;
    s->done = on_answer;
    s->user = b;
    if (search_start(s))
        on_answer(s);
}

static void print_phases(const struct bench *b)
{
    for (enum load_phase p = LOAD_OPEN; p < LOAD_OVER; p++)
        printf("    %-14s %7.1f ms\n", load_phase_name(p),
               (double)(b->load.phase_us[p + 1] - b->load.phase_us[p]) / 1e3);
}

static void end_load(struct bench *b)
{
    snapshot_load_free(&b->load);
    db_clear(&b->db);
    run_until_idle(b);
    db_fini(&b->db);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void on_round(void *user, enum err e)
{
    struct bench *b = user;
    if (e != OK)
        die("snapshot: %s", err_text(e));
    manifest_fini(&b->snapshots.last);
    b->snapshots.has_last = false; /* all of it again */
    if (now(b) < b->until_us && snapshots_start(&b->snapshots) != OK)
        die("no snapshot");
}

/* Latencies of searches for some seconds, alone or while one snapshot follows the other. */
static void measure(struct bench *b, unsigned clients, bool with_snapshots)
{
    enum { SECONDS = 3, MOST = 1 << 20 };
    static char dir[4096];
    (void)snprintf(dir, sizeof(dir), "%s-again", b->dir);
    b->latencies = malloc(MOST * sizeof(uint64_t));
    b->latency_count = 0;
    b->latency_most = MOST;
    b->asked = b->answered = 0;
    b->until_us = now(b) + SECONDS * 1000000;
    if (with_snapshots) {
        if (b->io->ops->make_dir(b->io, dir) != OK)
            die("no folder %s", dir);
        snapshots_init(&b->snapshots, b->io, &b->db, dir, on_round, b);
        if (snapshots_start(&b->snapshots) != OK)
            die("no snapshot");
    }
    for (unsigned i = 0; i < clients; i++)
        ask(b);
    io_uv_run(b->io);
    qsort(b->latencies, b->latency_count, sizeof(uint64_t), by_value);
    printf("%u at a time, %-17s %6.0f/s, p50 %4llu us, p99 %5llu us, p99.9 %5llu us", clients,
           with_snapshots ? "with snapshots:" : "alone:", (double)b->latency_count / SECONDS,
           (unsigned long long)b->latencies[b->latency_count / 2],
           (unsigned long long)b->latencies[b->latency_count * 99 / 100],
           (unsigned long long)b->latencies[b->latency_count * 999 / 1000]);
    free(b->latencies);
    b->latencies = NULL;
    if (with_snapshots) {
        printf(", %llu snapshots, %.2f s each", (unsigned long long)b->snapshots.saves,
               seconds(b->snapshots.last_duration_us));
        run_until_idle(b);
        snapshots_fini(&b->snapshots);
    }
    printf("\n");
}

static void load_small(struct bench *b)
{
    init_db(b);
    uint64_t start = now(b);
    struct snapshot_load_options options = {.dir = b->dir};
    snapshot_load_start(&b->load, b->io, &b->db, &options, on_loaded, b);
    io_uv_run(b->io);
    printf("loaded %zu keys, %.1f MB in %.3f s\n", keyspace_count(&b->db.keys),
           (double)atomic_load(&b->load.bytes_loaded) / 1e6, seconds(now(b) - start));
    print_phases(b);
    end_load(b);
}

static void load(struct bench *b)
{
    init_db(b);
    uint64_t start = now(b);
    struct snapshot_load_options options = {.dir = b->dir};
    snapshot_load_start(&b->load, b->io, &b->db, &options, on_loaded, b);
    io_uv_run(b->io);
    uint64_t loaded = now(b);
    for (int i = 0; i < LANES * 2; i++)
        ask(b);
    io_uv_run(b->io);
    uint64_t searched = now(b);
    struct collection *c;
    if (db_collection(&b->db, slice_of("c"), &c) != OK || c == NULL)
        die("no collection");
    printf(
        "loaded %zu elements, %.1f MB in %.3f s; %zu pending; %u queries in %.3f s, recall %.4f; "
        "%.3f s in all\n",
        c->live, (double)atomic_load(&b->load.bytes_loaded) / 1e6, seconds(loaded - start),
        pending_count(&c->side->pending), b->answered, seconds(searched - loaded),
        (double)b->hits / (double)(b->answered * K), seconds(searched - start));
    print_phases(b);
    for (unsigned clients = 1; b->latency_wanted && clients <= 8; clients *= 8) {
        measure(b, clients, false);
        measure(b, clients, true);
        measure(b, clients, false);
    }
    end_load(b);
}

static void note_manifest(void *user, const char *name)
{
    uint64_t lsn;
    if (snapshot_manifest_name_parse(name, &lsn))
        *(bool *)user = true;
}

int main(int argc, char **argv)
{
    static struct bench b;
    bool there = false;
    if (argc < 3)
        die("usage: bench_snapshot DIR SET [EF_BUILD]");
    b.dir = argv[1];
    b.ef_build = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 200;
    b.rng = 7;
    if (io_uv_new(LANES, &b.io, NULL) != OK)
        die("no loop");
    b.timer = (struct io_timer){.fn = on_poll};
    bool is_small = strcmp(argv[2], "small") == 0;
    if (!is_small)
        b.data = dataset_open("data", argv[2]);
    b.started_us = now(&b);
    if (b.io->ops->make_dir(b.io, b.dir) != OK ||
        b.io->ops->list_dir(b.io, b.dir, note_manifest, &there) != OK)
        die("no folder %s", b.dir);
    if (is_small) {
        if (!there)
            small(&b);
        load_small(&b);
        io_uv_free(b.io);
        return 0;
    }
    if (!there)
        build(&b);
    for (int i = 0; i < 3; i++) {
        b.latency_wanted = i == 2;
        b.asked = b.answered = 0;
        b.hits = 0;
        load(&b);
    }
    io_uv_free(b.io);
    dataset_close(&b.data);
    return 0;
}
