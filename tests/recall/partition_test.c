/* Searches in partitions of 50, 10, 1 and 0.1 % find as many hits as there are, and the right ones,
 * while others are dropped too. */
#include "lib/test.h"
#include "recall/fixture.h"

#ifdef VDB_SANITIZER
enum { ROWS = 2000, QUERIES = 10 };
#else
enum { ROWS = 12000, QUERIES = 40 };
#endif

static const struct {
    const char *name;
    unsigned first, count; /* ids */
} parts[] = {{"half", 0, ROWS / 2},
             {"tenth", ROWS / 2, ROWS / 10},
             {"hundredth", ROWS / 10 * 6, ROWS / 100},
             {"thousandth", ROWS / 10 * 7, 12}};

static void write(struct fixture *f, enum mutation_kind kind, const char *name)
{
    uint64_t lsn;
    struct mutation m = {.kind = kind, .key = slice_of("c"), .partition = slice_of(name)};
    REQUIRE(db_write(&f->db, &m, &lsn, NULL) == OK);
}

static void open_parts(struct fixture *f)
{
    struct collection_spec spec = spec_default(32);
    fixture_open(f, &spec, ROWS);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        unsigned left = parts[i].count, next = parts[i].first;
        write(f, MUTATION_PARTITION_NEW, parts[i].name);
        f->partition = slice_of(parts[i].name);
        for (unsigned count; left > 0; left -= count, next += count) {
            count = left < FIXTURE_BATCH ? left : FIXTURE_BATCH;
            fixture_put(f, next, count); /* moves them there */
        }
    }
    fixture_link_all(f);
}

/* Each search has k hits, all of them there. */
static double recall_in(struct fixture *f, const char *name, const char *filter)
{
    float query[FIXTURE_DIM_MAX];
    size_t same = 0;
    f->partition = slice_of(name);
    uint16_t number = partition_table_find(f->c->partitions->table, f->partition);
    for (unsigned i = 0; i < QUERIES; i++) {
        fixture_draw(f, query);
        struct found found = fixture_search(f, query, false, filter);
        struct found truth = fixture_search(f, query, true, filter);
        EXPECT_EQ(found.count, FIXTURE_K);
        EXPECT_EQ(truth.count, FIXTURE_K);
        for (size_t j = 0; j < found.count; j++) {
            EXPECT_EQ(collection_partition(f->c, found.hits[j].row), number);
            for (size_t k = 0; k < truth.count; k++)
                same += found.hits[j].row == truth.hits[k].row;
        }
    }
    return (double)same / (QUERIES * FIXTURE_K);
}

static void expect_recall(struct fixture *f, const char *name, const char *filter)
{
    double recall = recall_in(f, name, filter);
    if (recall < 0.95)
        test_fail(__FILE__, __LINE__, "recall of %.3f in %s%s%s", recall, name,
                  filter == NULL ? "" : ", ", filter == NULL ? "" : filter);
}

TEST(partition_recall, is_complete_and_near_exact_in_parts_of_every_size)
{
    static struct fixture f;
    open_parts(&f);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        expect_recall(&f, parts[i].name, NULL);
    expect_recall(&f, "_default", NULL);
    expect_recall(&f, "half", ".m < 10");
    expect_recall(&f, "tenth", ".m < 50");
    expect_recall(&f, "thousandth", ".m < 20");
    f.db.background.paused = true; /* what is dropped does not begin to die */
    write(&f, MUTATION_PARTITION_DROP, "half");
    EXPECT_EQ(collection_sums(f.c).count, ROWS / 2);
    EXPECT_EQ(f.c->live, ROWS);
    expect_recall(&f, "tenth", NULL);
    expect_recall(&f, "_default", ".m < 10");
    f.db.background.paused = false;
    sim_run_for(f.sim, 1000 * 1000);
    f.partition = (struct slice){0};
    fixture_link_all(&f);
    EXPECT_EQ(f.c->live, ROWS / 2);
    expect_recall(&f, "tenth", NULL);
    expect_recall(&f, "hundredth", NULL);
    fixture_close(&f);
}
