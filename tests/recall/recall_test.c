/* Recall has a floor: for every metric and quantizer, when an element was replaced and when most
 * were removed, and with a filter.
 */
#include "lib/test.h"
#include "recall/fixture.h"

#ifdef VDB_SANITIZER
enum { ROWS = 2000 }; /* a sanitizer makes everything ten times slower */
#else
enum { ROWS = 6000 };
#endif
enum { DIM = 48, QUERIES = 100, EF_STRAINED = 12 }; /* so few that a worse graph shows */

static void open_fixture(struct fixture *f, enum metric metric, enum quant quant, bool keep)
{
    struct collection_spec spec = spec_default(DIM);
    spec.metric = metric;
    spec.quant = quant;
    spec.keep_originals = keep;
    fixture_open(f, &spec, ROWS);
}

/* The share of the exact neighbours that searches at default effort find. Always K hits. */
static double recall(struct fixture *f, const char *filter)
{
    size_t hits = 0, wanted = 0;
    for (int q = 0; q < QUERIES; q++) {
        float query[DIM];
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

static void expect_floor(enum metric metric, enum quant quant, bool keep, double floor)
{
    static struct fixture f;
    open_fixture(&f, metric, quant, keep);
    double got = recall(&f, NULL);
    if (got < floor)
        test_fail(__FILE__, __LINE__, "%s %s %s: recall %.3f, floor %.3f", metric_name(metric),
                  quant_name(quant), keep ? "KEEP" : "DROP", got, floor);
    fixture_close(&f);
}

TEST(recall, has_a_floor_for_every_metric_and_quantizer)
{
    static const enum metric metrics[] = {METRIC_COSINE, METRIC_L2, METRIC_IP};
    for (size_t i = 0; i < COUNT_OF(metrics); i++) {
        expect_floor(metrics[i], QUANT_NONE, true, 0.97);
        expect_floor(metrics[i], QUANT_SQ8, true, 0.97);
    }
    for (size_t i = 0; i < COUNT_OF(metrics); i++)
        expect_floor(metrics[i], QUANT_RABITQ, true, 0.97);
    expect_floor(METRIC_COSINE, QUANT_BIN, true, 0.90);
}

TEST(recall, of_codes_alone_is_what_codes_can_give)
{
    /* Exact search scans the codes too then, so this is the graph's recall over them. */
    expect_floor(METRIC_COSINE, QUANT_SQ8, false, 0.95);
    expect_floor(METRIC_L2, QUANT_SQ8, false, 0.95);
    expect_floor(METRIC_COSINE, QUANT_RABITQ, false, 0.95);
    expect_floor(METRIC_L2, QUANT_RABITQ, false, 0.95);
}

static void expect_stays(enum quant quant)
{
    static struct fixture f;
    open_fixture(&f, METRIC_COSINE, quant, true);
    const uint32_t ef = f.c->spec.tuning.ef;
    f.c->spec.tuning.ef = EF_STRAINED;
    double fresh = recall(&f, NULL);
    for (int round = 0; round < 2; round++)
        for (unsigned first = 0; first < ROWS; first += FIXTURE_BATCH) {
            fixture_put(&f, first, FIXTURE_BATCH);
            fixture_link_all(&f);
        }
    EXPECT_EQ(f.c->live, ROWS);
    double churned = recall(&f, NULL);
    printf("  %.4f, when all was replaced twice %.4f\n", fresh, churned);
    EXPECT(churned >= fresh - 0.015);
    f.c->spec.tuning.ef = ef;
    EXPECT(f.c->rows_end < ROWS + ROWS / 2); /* rows were used again */
    for (unsigned id = 0; id < ROWS; id++)
        if (id % 10 != 0)
            fixture_remove(&f, id);
    fixture_link_all(&f);
    EXPECT_EQ(f.c->live, ROWS / 10);
    EXPECT(recall(&f, NULL) >= 0.97);
    fixture_close(&f);
}

TEST(recall, stays_after_replacing_and_removing)
{
    expect_stays(QUANT_SQ8);
}

TEST(recall, of_rotated_codes_stays_after_replacing_and_removing)
{
    expect_stays(QUANT_RABITQ);
}

TEST(recall, with_a_filter_is_complete_and_near_exact)
{
    static const char *const filters[] = {
        ".m < 50", ".m < 10", ".m == 7", ".m >= 20 and .m < 23", ".m < 2 or .m > 97",
        /* 50, 10, 1 and 0.1 % */
        "geo(.g, 0, 60, 277800)", "geo(.g, 5, 60, 27800)", "geo(.g, 9.99, 60, 5300)",
        "geo(.g, 3, 60, 100)", "geo(.g, 0, 60, 55000) and .m < 50"};
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
    fixture_close(&f);
}
