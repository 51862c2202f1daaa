/* Lists of IVF have a floor of recall, too: for every metric and code, when elements come, go and
 * drift away, with filters, and where data are no data to speak of. */
#include <stdio.h>

#include "index/ivf.h"
#include "lib/test.h"
#include "recall/fixture.h"

#ifdef VDB_SANITIZER
enum { ROWS = 1500, QUERIES = 30 }; /* a sanitizer makes everything ten times slower */
#else
enum { ROWS = 6000, QUERIES = 100 };
#endif
enum { DIM = 48, LISTS = 64 };

static struct collection_spec spec_of(enum metric metric, enum quant quant, uint32_t dim)
{
    struct collection_spec spec = spec_default(dim);
    spec.metric = metric;
    spec.quant = quant;
    spec.index = INDEX_IVF;
    spec.lists = LISTS;
    return spec;
}

static bool is_linked(void *user, uint32_t row)
{
    return collection_state(user, row) == ROW_LINKED;
}

static void expect_sound(struct fixture *f)
{
    struct collection_view view;
    collection_view(f->c, f->db.log.last_lsn, &view);
    const char *broken = ivf_check(f->c->side->graph, &view.codes, is_linked, f->c);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, "%s", broken);
}

/* The share of the exact neighbours that searches at default effort find. Always K hits. */
static double recall(struct fixture *f, const char *filter)
{
    size_t hits = 0, wanted = 0;
    for (int q = 0; q < QUERIES; q++) {
        float query[FIXTURE_DIM_MAX];
        fixture_draw(f, query);
        struct found truth = fixture_search(f, query, true, filter);
        struct found got = fixture_search(f, query, false, filter);
        EXPECT_EQ(got.count, truth.count);
        wanted += truth.count;
        for (size_t i = 0; i < truth.count; i++)
            for (size_t j = 0; j < got.count; j++)
                hits += truth.hits[i].row == got.hits[j].row;
    }
    return (double)hits / (double)wanted;
}

static void expect_floor_of(struct fixture *f, const char *filter, double floor, int line)
{
    double got = recall(f, filter);
    if (got < floor)
        test_fail(__FILE__, line, "%s %s dim %u: recall %.3f, floor %.3f",
                  metric_name(f->spec.metric), quant_name(f->spec.quant), f->spec.dim, got, floor);
    expect_sound(f);
}

TEST(recall_ivf, has_a_floor_for_every_metric_and_code)
{
    static struct fixture f;
    static const enum quant quants[] = {QUANT_NONE, QUANT_SQ8, QUANT_PQ, QUANT_RABITQ};
    for (int metric = 0; metric < METRIC_FLOAT_COUNT; metric++) {
        for (size_t i = 0; i < COUNT_OF(quants); i++) {
            struct collection_spec spec = spec_of((enum metric)metric, quants[i], DIM);
            fixture_open(&f, &spec, ROWS);
            REQUIRE(f.c->side->graph != NULL);
            struct ivf_stats stats;
            ivf_measure(f.c->side->graph, &stats);
            EXPECT_EQ(stats.lists, LISTS);
            EXPECT_EQ(stats.rows, ROWS);
            expect_floor_of(&f, NULL, metric == METRIC_IP ? 0.85 : 0.93, __LINE__);
            fixture_close(&f);
        }
    }
}

TEST(recall_ivf, has_a_floor_for_other_dimensions)
{
    static struct fixture f;
    static const uint32_t dims[] = {1, 3, 33, 256};
    for (size_t i = 0; i < COUNT_OF(dims); i++) {
        struct collection_spec spec = spec_of(METRIC_L2, QUANT_PQ, dims[i]);
        spec.subs = dims[i] == 256 ? 255 : 0;
        fixture_open(&f, &spec, ROWS / 2 / FIXTURE_BATCH * FIXTURE_BATCH);
        REQUIRE(f.c->side->graph != NULL);
        /* Of one dimension many are as near as the tenth. */
        expect_floor_of(&f, NULL, dims[i] == 1 ? 0.5 : 0.9, __LINE__);
        fixture_close(&f);
    }
}

TEST(recall_ivf, filters_are_asked_in_the_lists)
{
    static struct fixture f;
    struct collection_spec spec = spec_of(METRIC_COSINE, QUANT_PQ, DIM);
    fixture_open(&f, &spec, ROWS);
    expect_floor_of(&f, ".m < 50", 0.93, __LINE__);
    expect_floor_of(&f, ".m < 10", 0.93, __LINE__);
    expect_floor_of(&f, ".m == 7", 0.93, __LINE__);
    expect_floor_of(&f, ".m == 700", 0, __LINE__);
    fixture_close(&f);
}

TEST(recall_ivf, stays_after_replacing_and_removing)
{
    static struct fixture f;
    struct collection_spec spec = spec_of(METRIC_COSINE, QUANT_PQ, DIM);
    fixture_open(&f, &spec, ROWS);
    for (unsigned first = 0; first < ROWS; first += FIXTURE_BATCH) {
        fixture_put(&f, first, FIXTURE_BATCH);
        fixture_link_all(&f);
    }
    expect_floor_of(&f, NULL, 0.92, __LINE__);
    for (unsigned id = 0; id < ROWS; id++)
        if (id % 10 != 0)
            fixture_remove(&f, id);
    fixture_link_all(&f);
    struct ivf_stats stats;
    ivf_stats(f.c->side->graph, &stats);
    EXPECT_EQ(stats.rows, ROWS / 10);
    expect_floor_of(&f, NULL, 0.92, __LINE__);
    fixture_close(&f);
}

/* Fewer rows than lists are scanned, and so are those that training waits for. */
TEST(recall_ivf, is_exact_until_it_is_trained)
{
    static struct fixture f;
    struct collection_spec spec = spec_of(METRIC_L2, QUANT_PQ, DIM);
    spec.lists = 2 * ROWS;
    fixture_open(&f, &spec, ROWS);
    EXPECT(f.c->side->graph == NULL);
    EXPECT(recall(&f, NULL) == 1);
    fixture_close(&f);
}

/* Every row is found while the index behind it is exchanged, again and again. */
TEST(recall_ivf, is_trained_again_when_rows_have_become_many_times_as_many)
{
    static struct fixture f;
    struct collection_spec spec = spec_of(METRIC_L2, QUANT_SQ8, 8);
    spec.lists = 0;
    fixture_open(&f, &spec, 2000);
    REQUIRE(f.c->side->graph != NULL);
    uint64_t times = f.c->trainings;
    struct ivf_stats before, after;
    ivf_stats(f.c->side->graph, &before);
    for (unsigned first = 2000; first < 9000; first += FIXTURE_BATCH) {
        fixture_put(&f, first, FIXTURE_BATCH);
        fixture_link_all(&f);
    }
    ivf_stats(f.c->side->graph, &after);
    EXPECT(f.c->trainings > times && after.lists > before.lists);
    EXPECT_EQ(after.rows, 9000);
    expect_floor_of(&f, NULL, 0.93, __LINE__);
    fixture_close(&f);
}

static void put_equal(struct fixture *f, unsigned count)
{
    static float vector[FIXTURE_DIM_MAX];
    static char ids[FIXTURE_BATCH][16];
    static struct mutation_element elements[FIXTURE_BATCH];
    vector[0] = 1;
    for (unsigned first = 0; first < count; first += FIXTURE_BATCH) {
        for (unsigned i = 0; i < FIXTURE_BATCH; i++) {
            (void)snprintf(ids[i], sizeof(ids[i]), "%u", first + i);
            elements[i] = (struct mutation_element){
                .id = slice_of(ids[i]), .vector = (const uint8_t *)vector, .norm = 1};
        }
        struct mutation m = {.kind = MUTATION_PUT,
                             .key = slice_of("c"),
                             .dim = f->spec.dim,
                             .elements = elements,
                             .count = FIXTURE_BATCH};
        uint64_t lsn;
        REQUIRE(db_write(&f->db, &m, &lsn, NULL) == OK);
    }
    fixture_link_all(f);
}

TEST(recall_ivf, equal_vectors_stand_in_one_list_and_are_found)
{
    static struct fixture f;
    static const enum quant quants[] = {QUANT_PQ, QUANT_SQ8};
    for (size_t i = 0; i < COUNT_OF(quants); i++) {
        struct collection_spec spec = spec_of(METRIC_L2, quants[i], 6);
        fixture_open(&f, &spec, 0);
        put_equal(&f, 2000);
        REQUIRE(f.c->side->graph != NULL);
        float query[6] = {1, 0, 0, 0, 0, 0};
        struct found got = fixture_search(&f, query, false, NULL);
        EXPECT_EQ(got.count, FIXTURE_K);
        for (size_t j = 0; j < got.count; j++)
            EXPECT(got.hits[j].dist == 0);
        expect_sound(&f);
        fixture_close(&f);
    }
}
