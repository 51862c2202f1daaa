/* Recall has a floor: for every metric and quantizer, when an element was replaced and when most
 * were removed, and with a filter. Through db.h, with everything linked by jobs of the simulator.
 */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "db/search.h"
#include "lib/test.h"
#include "sim/sim_io.h"

#ifdef VDB_SANITIZER
enum { ROWS = 2000 }; /* a sanitizer makes everything ten times slower */
#else
enum { ROWS = 6000 };
#endif
enum { DIM = 48, CENTRES = 150, QUERIES = 100, K = 10, BATCH = 500, ID_MAX = 16 };

/* A database with one collection "c" of clustered vectors, ids "0", "1", ... */
struct fixture {
    struct sim *sim;
    struct db db;
    struct collection *c;
    struct collection_spec spec;
    uint64_t random;
    float centres[CENTRES][DIM];
};

static float normal(uint64_t *state)
{
    return (float)(sqrt(-2 * log(1 - rng_unit(state))) * cos(6.283185307179586 * rng_unit(state)));
}

static void draw(struct fixture *f, float *out)
{
    const float *centre = f->centres[rng_below(&f->random, CENTRES)];
    double square = 0;
    for (int i = 0; i < DIM; i++) {
        out[i] = centre[i] + 0.6f * normal(&f->random);
        square += (double)out[i] * (double)out[i];
    }
    for (int i = 0; i < DIM && f->spec.metric == METRIC_COSINE; i++)
        out[i] /= (float)sqrt(square);
}

static bool all_linked(void *user)
{
    const struct fixture *f = user;
    return pending_count(&f->c->pending) == 0 && f->c->dead_linked == 0 && f->c->sweep == NULL &&
           db_idle(&f->db);
}

/* Puts elements first .. first + count - 1 with new vectors; the attribute says the id modulo 100.
 */
static void put(struct fixture *f, unsigned first, unsigned count)
{
    static float vectors[BATCH][DIM];
    static char ids[BATCH][ID_MAX], attributes[BATCH][ID_MAX * 2];
    static struct mutation_element elements[BATCH];
    CHECK(count <= BATCH);
    for (unsigned i = 0; i < count; i++) {
        draw(f, vectors[i]);
        (void)snprintf(ids[i], sizeof(ids[i]), "%u", first + i);
        (void)snprintf(attributes[i], sizeof(attributes[i]), "{\"m\":%u}", (first + i) % 100);
        elements[i] = (struct mutation_element){.id = slice_of(ids[i]),
                                                .vector = vectors[i],
                                                .norm = 1,
                                                .set_attribute = true,
                                                .attribute = slice_of(attributes[i])};
    }
    struct mutation m = {.kind = MUTATION_PUT,
                         .key = slice_of("c"),
                         .dim = DIM,
                         .elements = elements,
                         .count = count};
    uint64_t lsn;
    REQUIRE(db_write(&f->db, &m, &lsn, NULL) == OK);
}

static void remove_one(struct fixture *f, unsigned id)
{
    char text[ID_MAX];
    (void)snprintf(text, sizeof(text), "%u", id);
    struct slice ids = slice_of(text);
    struct mutation m = {.kind = MUTATION_REMOVE, .key = slice_of("c"), .ids = &ids, .count = 1};
    uint64_t lsn;
    REQUIRE(db_write(&f->db, &m, &lsn, NULL) == OK);
}

static void link_all(struct fixture *f)
{
    REQUIRE(sim_run_until(f->sim, all_linked, f, 3600u * 1000 * 1000));
}

static void open_fixture(struct fixture *f, enum metric metric, enum quant quant, bool keep)
{
    struct sim_options options = sim_options_default();
    options.switch_ppm = 1000; /* few switches: this is about recall */
    f->sim = sim_new(7, &options);
    f->random = 42;
    struct db_options db_options = {.flat_rows_max = 500, .pending_scan_bytes = SIZE_MAX};
    REQUIRE(vec_kernels_choose("auto", &db_options.kernels, NULL) == OK);
    db_init(&f->db, sim_io(f->sim), &db_options);
    f->spec = spec_default(DIM);
    f->spec.metric = metric;
    f->spec.quant = quant;
    f->spec.keep_originals = keep;
    REQUIRE(schema_add(&f->spec.schema, slice_of("m"), SCHEMA_NUMERIC, NULL) == OK);
    for (int i = 0; i < CENTRES; i++)
        for (int j = 0; j < DIM; j++)
            f->centres[i][j] = normal(&f->random);
    struct mutation m = {.kind = MUTATION_COLLECTION_NEW, .key = slice_of("c"), .spec = f->spec};
    uint64_t lsn;
    REQUIRE(db_write(&f->db, &m, &lsn, NULL) == OK);
    REQUIRE(db_collection(&f->db, slice_of("c"), &f->c) == OK && f->c != NULL);
    for (unsigned first = 0; first < ROWS; first += BATCH)
        put(f, first, BATCH);
    link_all(f);
    REQUIRE(f->c->graph != NULL);
}

static bool idle(void *user)
{
    return db_idle(user);
}

static void close_fixture(struct fixture *f)
{
    db_clear(&f->db);
    EXPECT(sim_run_until(f->sim, idle, &f->db, 3600u * 1000 * 1000));
    db_fini(&f->db);
    sim_free(f->sim); /* runs what is left of the collection's end */
}

/* The hits of the last search. */
struct found {
    struct hit hits[K];
    size_t count;
};

static void keep_hits(struct search *s, const struct hit *hits, size_t count)
{
    struct found *found = s->user;
    CHECK(count <= K);
    memcpy(found->hits, hits, count * sizeof(*hits));
    found->count = count;
}

static struct found search(struct fixture *f, const float *query, bool exact, const char *filter)
{
    struct found found = {.count = 0};
    struct search *s = search_new(&f->db, f->c, 1);
    REQUIRE(s != NULL);
    memcpy(s->queries, query, DIM * sizeof(float));
    s->count = K;
    s->exact = exact;
    s->encode = keep_hits;
    s->user = &found;
    if (filter != NULL)
        REQUIRE(filter_compile(slice_of(filter), NULL, 0, &s->filter, NULL) == OK);
    search_run_here(s);
    EXPECT(s->error == OK);
    search_free(s);
    return found;
}

/* The share of the exact neighbours that searches at default effort find. Always K hits. */
static double recall(struct fixture *f, const char *filter)
{
    size_t hits = 0, wanted = 0;
    for (int q = 0; q < QUERIES; q++) {
        float query[DIM];
        draw(f, query);
        struct found truth = search(f, query, true, filter);
        struct found got = search(f, query, false, filter);
        EXPECT_EQ(got.count, truth.count);
        wanted += truth.count;
        for (size_t i = 0; i < truth.count; i++)
            for (size_t j = 0; j < got.count; j++)
                hits += truth.hits[i].row == got.hits[j].row;
    }
    return (double)hits / (double)wanted;
}

static void expect_floor(enum metric metric, enum quant quant, bool keep, double floor)
{
    static struct fixture f;
    open_fixture(&f, metric, quant, keep);
    double got = recall(&f, NULL);
    if (got < floor)
        test_fail(__FILE__, __LINE__, "%s %s %s: recall %.3f, floor %.3f", metric_name(metric),
                  quant_name(quant), keep ? "KEEP" : "DROP", got, floor);
    close_fixture(&f);
}

TEST(recall, has_a_floor_for_every_metric_and_quantizer)
{
    static const enum metric metrics[] = {METRIC_COSINE, METRIC_L2, METRIC_IP};
    for (size_t i = 0; i < COUNT_OF(metrics); i++) {
        expect_floor(metrics[i], QUANT_NONE, true, 0.97);
        expect_floor(metrics[i], QUANT_SQ8, true, 0.97);
    }
    expect_floor(METRIC_COSINE, QUANT_BIN, true, 0.90);
}

TEST(recall, of_codes_alone_is_what_codes_can_give)
{
    /* Exact search scans the codes too then, so this is the graph's recall over them. */
    expect_floor(METRIC_COSINE, QUANT_SQ8, false, 0.95);
    expect_floor(METRIC_L2, QUANT_SQ8, false, 0.95);
}

TEST(recall, stays_after_replacing_and_removing)
{
    static struct fixture f;
    open_fixture(&f, METRIC_COSINE, QUANT_SQ8, true);
    double fresh = recall(&f, NULL);
    for (int round = 0; round < 2; round++)
        for (unsigned first = 0; first < ROWS; first += BATCH) {
            put(&f, first, BATCH);
            link_all(&f);
        }
    EXPECT_EQ(f.c->live, ROWS);
    double churned = recall(&f, NULL);
    EXPECT(churned >= fresh - 0.015);
    EXPECT(f.c->rows_end < ROWS + ROWS / 2); /* rows were used again */
    for (unsigned id = 0; id < ROWS; id++)
        if (id % 10 != 0)
            remove_one(&f, id);
    link_all(&f);
    EXPECT_EQ(f.c->live, ROWS / 10);
    EXPECT(recall(&f, NULL) >= 0.97);
    close_fixture(&f);
}

TEST(recall, with_a_filter_is_complete_and_near_exact)
{
    static const char *const filters[] = {".m < 50", ".m < 10", ".m == 7", ".m >= 20 and .m < 23",
                                          ".m < 2 or .m > 97"};
    static struct fixture f;
    open_fixture(&f, METRIC_COSINE, QUANT_SQ8, true);
    for (int by_text = 0; by_text <= 1; by_text++) {
        f.c->fields->building = by_text; /* as if there were no schema */
        for (size_t i = 0; i < COUNT_OF(filters); i++)
            if (recall(&f, filters[i]) < 0.95)
                test_fail(__FILE__, __LINE__, "%s, by %s: recall below 0.95", filters[i],
                          by_text ? "text" : "columns");
    }
    f.c->fields->building = false;
    close_fixture(&f);
}
