/* Graphs that have lost most of their rows: whoever sweeps have taken half a list from is linked
 * again, and searches find as much as in a graph built of the rest; after a restart as well. */
#include "db/relink.h"

#include "base/log.h"
#include "base/rng.h"
#include "base/thread.h"
#include "index/hnsw.h"
#include "lib/graph.h"
#include "lib/test.h"
#include "persist/snapshot.h"
#include "persist/snapshot_load.h"
#include "sim/inspect.h"
#include "sim/sim_io.h"

/* Few clusters and long lists are too easy to tell a good graph from a bad one. */
enum { DIM = 16, CENTERS = 2000, K = 10, EFFORT = 14, QUERIES = 400 };

/* Two graphs of the same few rows differ by 0.01. Without linking again, 0.05 are missing. */
static const double near_enough = 0.02;

/* -- graphs alone ------------------------------------------------------------------------------ */

enum { ROWS = 4000, LINKERS = 3, STEP = 100 };

static const struct graph_spec spec = {.metric = METRIC_L2,
                                       .quant = QUANT_SQ8,
                                       .dim = DIM,
                                       .m = 6,
                                       .ef_build = 60,
                                       .capacity = ROWS,
                                       .seed = 5};

static struct graph *worn_graph(unsigned percent)
{
    struct graph *g = graph_new(&spec);
    graph_grow(g, ROWS, CENTERS);
    for (uint32_t row = 0; row < ROWS; row++)
        if (rng_below(&g->rng, 100) < percent)
            graph_kill(g, row);
    graph_sweep(g, STEP);
    return g;
}

/* Built of what lives in g. */
static struct graph *new_graph(const struct graph *g)
{
    struct graph *fresh = graph_new(&spec);
    for (uint32_t row = 0; row < g->end; row++)
        if (g->state[row] == GRAPH_LINKED)
            graph_link(fresh, graph_add(fresh, g->vectors + (size_t)row * DIM));
    fresh->rng = g->rng; /* the same queries */
    return fresh;
}

static unsigned count_worn(const struct graph *g)
{
    unsigned count = 0;
    for (uint32_t row = 0; row < g->end; row++)
        count += g->state[row] == GRAPH_LINKED && hnsw_has_wear(g->x, row, HNSW_WORN);
    return count;
}

static double recall_of(struct graph *g)
{
    uint64_t rng = g->rng;
    double recall = graph_recall(g, CENTERS, EFFORT, K, QUERIES);
    g->rng = rng;
    return recall;
}

TEST(relink, rows_that_lost_half_a_list_are_linked_as_well_as_new_ones)
{
    for (unsigned percent = 50; percent <= 90; percent += 20) {
        struct graph *g = worn_graph(percent), *fresh = new_graph(g);
        double before = recall_of(g);
        unsigned worn = count_worn(g), linked = 0;
        struct index_rows rows = graph_rows(g);
        for (uint32_t row = 0; row < g->end; row++)
            EXPECT(hnsw_link_again(g->x, &rows, &g->lane, row, HNSW_WORN, &linked));
        EXPECT(linked <= worn && linked > worn / 2); /* who is linked again gives links to others */
        EXPECT_EQ(count_worn(g), 0);
        EXPECT_STR(graph_check(g) == NULL ? "" : graph_check(g), "");
        double after = recall_of(g), best = recall_of(fresh);
        printf("  %u %% gone: recall %.3f, %.3f with %u rows linked again, %.3f in a new graph\n",
                  percent, before, after, worn, best);
        EXPECT(before < best - near_enough && after >= best - near_enough);
        graph_free(fresh);
        graph_free(g);
    }
}

/* owner: the thread that runs it, when it runs */
struct linker {
    struct thread thread;
    struct lane lane;
    struct index *x;
    struct index_rows rows;
    unsigned linked;
};

static void run_linker(void *arg)
{
    struct linker *l = arg;
    for (uint32_t row = 0; row < l->rows.end; row++)
        CHECK(hnsw_link_again(l->x, &l->rows, &l->lane, row, HNSW_WORN, &l->linked));
}

TEST(relink, of_lanes_that_come_to_a_worn_row_at_once_one_links_it)
{
    struct graph *g = worn_graph(80);
    struct linker linkers[LINKERS];
    unsigned worn = count_worn(g), linked = 0;
    EXPECT(worn > 300);
    for (unsigned i = 0; i < LINKERS; i++) {
        linkers[i] = (struct linker){.x = g->x, .rows = graph_rows(g)};
        graph_lane_init(&linkers[i].lane, i + 1);
        REQUIRE(thread_start(&linkers[i].thread, "relink test", run_linker, &linkers[i]) == OK);
    }
    float query[DIM];
    struct hit hits[K];
    for (unsigned i = 0; i < QUERIES; i++) {
        graph_random_vector(g, CENTERS, query);
        EXPECT_EQ(graph_search(g, &g->lane, query, EFFORT, K, hits), K);
    }
    for (unsigned i = 0; i < LINKERS; i++) {
        thread_join(&linkers[i].thread);
        graph_lane_fini(&linkers[i].lane);
        linked += linkers[i].linked;
    }
    EXPECT(linked <= worn && linked > worn / 2);
    EXPECT_EQ(count_worn(g), 0);
    EXPECT_STR(graph_check(g) == NULL ? "" : graph_check(g), "");
    EXPECT_EQ(graph_count_unreachable(g), 0);
    graph_free(g);
}

/* -- collections ------------------------------------------------------------------------------- */

enum { IDS = 2500, TEXT_MAX = 16, RUN_US = 600 * 1000 * 1000, REST_US = 20 * 1000 * 1000 };

static const char *const dir = "/data";

struct world {
    struct sim *sim;
    struct db db;
    struct collection *c;
    uint64_t random;
    uint32_t versions[IDS]; /* 0: not there */
    bool done;
};

static void vector_of(uint32_t id, uint32_t version, float *out)
{
    uint64_t state = (uint64_t)id << 32 | version;
    for (int d = 0; d < DIM; d++)
        out[d] = (float)rng_unit(&state);
}

static void write(struct world *w, const struct mutation *m)
{
    uint64_t lsn;
    REQUIRE(db_write(&w->db, m, &lsn, NULL) == OK);
}

static void put(struct world *w, const char *key, uint32_t id)
{
    float vector[DIM];
    char text[TEXT_MAX];
    vector_of(id, w->versions[id], vector);
    (void)snprintf(text, sizeof(text), "%u", id);
    struct mutation_element e = {.id = slice_of(text), .vector = vector, .norm = 1};
    struct mutation m = {
        .kind = MUTATION_PUT, .key = slice_of(key), .dim = DIM, .elements = &e, .count = 1};
    write(w, &m);
}

static void put_new(struct world *w, uint32_t id)
{
    w->versions[id]++;
    put(w, "c", id);
}

static void remove_one(struct world *w, uint32_t id)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%u", id);
    struct slice ids = slice_of(text);
    w->versions[id] = 0;
    write(w, &(struct mutation){
                 .kind = MUTATION_REMOVE, .key = slice_of("c"), .ids = &ids, .count = 1});
}

static struct collection *make(struct world *w, const char *key, uint64_t seed)
{
    struct mutation m = {.kind = MUTATION_COLLECTION_NEW, .key = slice_of(key)};
    struct collection *c;
    m.spec = spec_default(DIM);
    m.spec.metric = METRIC_L2;
    m.spec.m = 6;
    m.spec.ef_build = 60;
    m.spec.quant = seed % 2 == 0 ? QUANT_SQ8 : QUANT_NONE;
    write(w, &m);
    REQUIRE(db_collection(&w->db, slice_of(key), &c) == OK);
    return c;
}

static void init_db(struct world *w, struct db *db)
{
    struct db_options options = {.flat_rows_max = 50, .pending_scan_bytes = 1 << 30};
    REQUIRE(vec_kernels_choose("auto", &options.kernels, NULL) == OK);
    db_init(db, sim_io(w->sim), &options);
    db->background.move_bytes_min = 1; /* elements move, too */
}

static void run_for(struct world *w, uint64_t us)
{
    sim_run_for(w->sim, us);
    const char *broken = inspect_db(&w->db, false);
    EXPECT_STR(broken == NULL ? "" : broken, "");
}

static struct world *world_new(uint64_t seed)
{
    struct world *w = mem_calloc(MEM_TEST, sizeof(*w));
    struct sim_options options = sim_options_default();
    w->random = seed;
    options.lane_count = 1 + (unsigned)(seed % 3);
    w->sim = sim_new(seed, &options);
    init_db(w, &w->db);
    w->c = make(w, "c", seed);
    for (uint32_t id = 0; id < IDS; id++)
        put_new(w, id);
    run_for(w, REST_US);
    EXPECT_EQ(pending_count(&w->c->side->pending), 0);
    return w;
}

static bool is_idle(void *user)
{
    return db_idle(user);
}

static void end_db(struct world *w, struct db *db)
{
    db_clear(db);
    EXPECT(sim_run_until(w->sim, is_idle, db, RUN_US));
    db_fini(db);
}

static void world_free(struct world *w)
{
    end_db(w, &w->db);
    sim_free(w->sim);
    mem_free(MEM_TEST, w);
}

static void remove_some(struct world *w, unsigned percent)
{
    for (uint32_t id = 0; id < IDS; id++)
        if (w->versions[id] != 0 && rng_below(&w->random, 100) < percent)
            remove_one(w, id);
}

static unsigned rows_of_wear(const struct collection *c, enum hnsw_wear wear)
{
    unsigned count = 0;
    for (uint32_t row = 0; row < c->rows_end; row++)
        count += collection_state(c, row) == ROW_LINKED && hnsw_has_wear(c->side->graph, row, wear);
    return count;
}

static unsigned worn_rows(const struct collection *c)
{
    return rows_of_wear(c, HNSW_WORN);
}

/* Share of the K nearest codes that walks find, over queries that are no elements. */
static double recall_in(struct db *db, struct collection *c)
{
    struct collection_view view;
    _Alignas(64) uint8_t prepared[1024];
    struct hit walked[EFFORT], exact[K];
    struct index_cost cost = {0};
    size_t found = 0;
    db_view(db, c, &view);
    REQUIRE(view.codes.codec->query_size <= sizeof(prepared));
    for (uint32_t i = 0; i < QUERIES; i++) {
        float query[DIM];
        bool complete;
        struct index_query q = {.prepared = prepared, .effort = EFFORT};
        struct topk top;
        vector_of(i, UINT32_MAX, query);
        codec_query(view.codes.codec, query, prepared);
        topk_init(&top, exact, K);
        for (uint32_t row = 0; row < view.codes.end; row++)
            if (row_visible(&view.codes, row))
                topk_push(&top, (struct hit){codec_score(view.codes.codec, prepared,
                                                         row_code(&view.codes, row)),
                                             row});
        topk_sort(&top);
        REQUIRE(top.count == K);
        size_t count = view.graph->ops->search(view.graph, &view.codes, &db->lane, &q, walked,
                                               &complete, &cost);
        for (size_t j = 0; j < count && j < K; j++)
            found += walked[j].dist <= exact[K - 1].dist;
    }
    return (double)found / (QUERIES * K);
}

/* That of a collection which never had other elements. */
static double recall_of_new(struct world *w, uint64_t seed)
{
    struct collection *c = make(w, "new", seed);
    for (uint32_t id = 0; id < IDS; id++)
        if (w->versions[id] != 0)
            put(w, "new", id);
    run_for(w, REST_US);
    double recall = recall_in(&w->db, c);
    write(w, &(struct mutation){.kind = MUTATION_KEY_REMOVE, .key = slice_of("new")});
    return recall;
}

TEST(relink, what_is_left_of_a_collection_is_found_as_in_a_new_one)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world *w = world_new(seed);
        unsigned gone = 40 + (unsigned)seed * 8;
        remove_some(w, gone);
        run_for(w, REST_US);
        EXPECT(gone < 60 || w->db.background.rows_relinked > 0);
        EXPECT_EQ(worn_rows(w->c), 0);
        EXPECT_EQ(relink_rows_left(w->c->side), 0);
        double recall = recall_in(&w->db, w->c), best = recall_of_new(w, seed);
        printf("  %u %% gone: %.3f, in a new one %.3f\n", gone, recall, best);
        EXPECT(recall >= best - near_enough);
        world_free(w);
    }
}

TEST(relink, recall_stays_when_elements_are_replaced_again_and_again)
{
    enum { TURNS = 30 }; /* every element three times */
    struct world *w = world_new(2);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        for (uint32_t id = 0; id < IDS; id++)
            if (rng_below(&w->random, 10) == 0)
                put_new(w, id);
        run_for(w, REST_US);
    }
    double recall = recall_in(&w->db, w->c), best = recall_of_new(w, 2);
    printf("  %u turns: %.3f, in a new one %.3f; %llu rows linked again\n", TURNS, recall, best,
              (unsigned long long)w->db.background.rows_relinked);
    EXPECT(recall >= best - near_enough);
    /* What comes gives links to those that have lost some: little is linked twice. */
    EXPECT(w->db.background.rows_relinked < IDS * 3 / 2);
    world_free(w);
}

/* Each sweep takes too little from a row for it to be worn. */
TEST(relink, a_collection_that_shrinks_bit_by_bit_is_found_as_a_new_one)
{
    enum { TURNS = 16 };
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world *w = world_new(seed);
        for (unsigned turn = 0; turn < TURNS; turn++) {
            bool half = w->c->live <= IDS / 2;
            remove_some(w, 12);
            run_for(w, REST_US);
            if (w->c->live <= IDS / 2 && !half)
                EXPECT(rows_of_wear(w->c, HNSW_THINNED) <= w->c->live / 20);
        }
        double recall = recall_in(&w->db, w->c), best = recall_of_new(w, seed);
        printf("  %zu of %d left: %.3f, in a new one %.3f\n", w->c->live, IDS, recall, best);
        EXPECT(recall >= best - near_enough);
        EXPECT(w->db.background.rows_relinked <= IDS * 3 / 2);
        world_free(w);
    }
}

/* Runs until a job has come back and others are to follow. */
static void run_into_relinking(struct world *w)
{
    while (w->db.background.rows_relinked == 0)
        REQUIRE(sim_step(w->sim));
    EXPECT(worn_rows(w->c) > 0);
    EXPECT(relink_rows_left(w->c->side) > 0);
}

TEST(relink, goes_on_among_changes_and_ends_with_the_collection)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world *w = world_new(seed);
        remove_some(w, 80);
        run_into_relinking(w);
        for (unsigned i = 0; i < 300 && w->c->side->relink_next < w->c->side->relink_end; i++) {
            uint32_t id = (uint32_t)rng_below(&w->random, IDS);
            if (w->versions[id] != 0 && i % 2 == 0)
                remove_one(w, id);
            else if (i % 5 == 0)
                put_new(w, id);
            (void)sim_step(w->sim);
        }
        if (seed % 2 == 0) {
            write(w, &(struct mutation){.kind = MUTATION_KEY_REMOVE, .key = slice_of("c")});
            sim_run_for(w->sim, REST_US);
        } else {
            run_for(w, REST_US);
            EXPECT_EQ(worn_rows(w->c), 0);
        }
        world_free(w);
    }
}

/* -- restarts ---------------------------------------------------------------------------------- */

static void on_snapshot(void *user, enum err e)
{
    EXPECT_EQ(e, OK);
    ((struct world *)user)->done = true;
}

static void on_loaded(struct snapshot_load *l, enum err e)
{
    on_snapshot(l->user, e);
}

static bool is_done(void *user)
{
    return ((const struct world *)user)->done;
}

static void save(struct world *w)
{
    struct snapshots snapshots;
    struct io *io = sim_io(w->sim);
    REQUIRE(io->ops->make_dir(io, dir) == OK && io->ops->sync_dir(io, "/") == OK);
    snapshots_init(&snapshots, io, &w->db, dir, on_snapshot, w);
    REQUIRE(snapshots_start(&snapshots) == OK);
    REQUIRE(sim_run_until(w->sim, is_done, w, RUN_US));
    w->done = false;
    snapshots_fini(&snapshots);
}

TEST(relink, goes_on_after_a_restart)
{
    static struct log log = {.level = LOG_WARNING + 1};
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct world *w = world_new(seed);
        struct db loaded;
        struct snapshot_load load;
        struct snapshot_load_options options = {.dir = dir, .log = &log};
        struct collection *c;
        remove_some(w, 85);
        run_into_relinking(w);
        w->db.background.paused = true;
        sim_run_for(w->sim, 1000 * 1000);
        unsigned worn = worn_rows(w->c);
        EXPECT(worn > 0);
        save(w);
        init_db(w, &loaded);
        loaded.background.paused = true;
        snapshot_load_start(&load, sim_io(w->sim), &loaded, &options, on_loaded, w);
        REQUIRE(sim_run_until(w->sim, is_done, w, RUN_US));
        REQUIRE(db_collection(&loaded, slice_of("c"), &c) == OK);
        EXPECT(worn_rows(c) >= worn);
        snapshot_load_free(&load);
        w->db.background.paused = loaded.background.paused = false;
        background_wake(&loaded.background, c);
        sim_run_for(w->sim, REST_US);
        EXPECT_EQ(worn_rows(c), 0);
        EXPECT(loaded.background.rows_relinked > worn / 2);
        double recall = recall_in(&loaded, c), best = recall_of_new(w, seed);
        printf("  after a restart: %.3f, in a new one %.3f\n", recall, best);
        EXPECT(recall >= best - near_enough);
        end_db(w, &loaded);
        world_free(w);
    }
}
