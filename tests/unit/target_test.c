/* Searches with a target of recall, and checks of searches, with real threads: calibrations while
 * rows come and go, collections that are dropped while they are measured, and what is measured. For
 * `make SAN=thread unit T=target`, too. */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "db/recall_own.h"
#include "lib/test.h"
#include "net/io_uv.h"

enum {
    DIM = 24,
    ROWS = 3000,
    LANES = 3,
    BATCH = 200,
    K = 10,
    QUERIES = 200,
    POLL_US = 500,
    WAIT_US = 60 * 1000 * 1000,
    DROPS = 6
};

struct bench {
    struct io *io;
    struct db db;
    struct io_timer poll;
    uint64_t random, until_us;
    bool (*is_over)(struct bench *b);
    uint64_t wanted; /* of is_over */
    unsigned out;    /* searches on lanes */
    bool late;
    uint32_t found[K];
    size_t count;
};

static void vector_of(struct bench *b, float *out)
{
    for (int d = 0; d < DIM; d++)
        out[d] = (float)(rng_unit(&b->random) - 0.5);
}

static struct collection *the_collection(struct bench *b)
{
    struct collection *c;
    CHECK(db_collection(&b->db, slice_of("c"), &c) == OK && c != NULL);
    return c;
}

static void write(struct bench *b, const struct mutation *m)
{
    uint64_t lsn;
    CHECK(db_write(&b->db, m, &lsn, NULL) == OK);
}

static void put(struct bench *b, uint32_t first, uint32_t count)
{
    static float vectors[BATCH][DIM];
    static char ids[BATCH][16], texts[BATCH][24];
    static struct mutation_element elements[BATCH];
    CHECK(count <= BATCH);
    for (uint32_t i = 0; i < count; i++) {
        vector_of(b, vectors[i]);
        (void)snprintf(ids[i], sizeof(ids[i]), "%u", first + i);
        (void)snprintf(texts[i], sizeof(texts[i]), "{\"n\":%u}", first + i);
        elements[i] = (struct mutation_element){.id = slice_of(ids[i]),
                                                .vector = vectors[i],
                                                .norm = 1,
                                                .set_attribute = true,
                                                .attribute = slice_of(texts[i])};
    }
    struct mutation m = {.kind = MUTATION_PUT,
                         .key = slice_of("c"),
                         .dim = DIM,
                         .elements = elements,
                         .count = count};
    write(b, &m);
}

static void create(struct bench *b, uint32_t rows)
{
    struct mutation m = {.kind = MUTATION_COLLECTION_NEW, .key = slice_of("c")};
    m.spec = spec_default(DIM);
    m.spec.metric = METRIC_L2;
    m.spec.m = 8;
    m.spec.ef_build = 40;
    write(b, &m);
    for (uint32_t first = 0; first < rows; first += BATCH)
        put(b, first, BATCH);
}

/* -- the loop ---------------------------------------------------------------------------------- */

static void on_poll(struct io_timer *timer)
{
    struct bench *b = timer->user;
    b->late = b->io->ops->mono_us(b->io) > b->until_us;
    if (b->late || b->is_over(b))
        io_uv_stop(b->io);
    else
        b->io->ops->timer_start(b->io, timer, POLL_US);
}

static void run_until(struct bench *b, bool (*is_over)(struct bench *b), uint64_t wanted)
{
    b->is_over = is_over;
    b->wanted = wanted;
    b->until_us = b->io->ops->mono_us(b->io) + WAIT_US;
    b->poll = (struct io_timer){.fn = on_poll, .user = b, .impl = b->poll.impl};
    b->io->ops->timer_start(b->io, &b->poll, POLL_US);
    io_uv_run(b->io);
    REQUIRE(!b->late);
}

static bool is_linked(struct bench *b)
{
    const struct collection *c = the_collection(b);
    return b->out == 0 && b->db.background.jobs == 0 && pending_count(&c->side->pending) == 0;
}

static bool is_calibrated(struct bench *b)
{
    return b->db.recall.calibrations >= b->wanted;
}

static bool has_checked(struct bench *b)
{
    return b->db.recall.checks >= b->wanted;
}

static bool has_measured(struct bench *b) /* part of a batch */
{
    return b->db.recall.busy_us >= b->wanted;
}

static bool is_idle(struct bench *b)
{
    return db_idle(&b->db);
}

static struct bench *begin(void)
{
    struct bench *b = mem_calloc(MEM_TEST, sizeof(*b));
    struct db_options options = {.flat_rows_max = 500, .pending_scan_bytes = 16 << 20};
    b->random = 3;
    REQUIRE(io_uv_new(LANES, &b->io, NULL) == OK);
    REQUIRE(vec_kernels_choose("auto", &options.kernels, NULL) == OK);
    db_init(&b->db, b->io, &options);
    recall_set(&b->db.recall, RECALL_PERCENT_MAX, 0);
    create(b, ROWS);
    run_until(b, is_linked, 0);
    return b;
}

static void end(struct bench *b)
{
    db_clear(&b->db);
    run_until(b, is_idle, 0);
    db_fini(&b->db);
    io_uv_free(b->io);
    mem_free(MEM_TEST, b);
}

/* -- searches ---------------------------------------------------------------------------------- */

static void encode(struct search *s, const struct hit *hits, size_t count)
{
    struct bench *b = s->user;
    CHECK(count <= K);
    b->count = count;
    for (size_t i = 0; i < count; i++)
        b->found[i] = hits[i].row;
}

static struct search *search_of(struct bench *b, const float *query, double target, size_t effort)
{
    struct search *s = search_new(&b->db, the_collection(b), 1);
    CHECK(s != NULL);
    memcpy(s->queries, query, DIM * sizeof(float));
    s->count = K;
    s->target = target;
    s->effort = effort;
    s->encode = encode;
    s->user = b;
    return s;
}

static void filter_by(struct search *s, const char *filter)
{
    if (filter != NULL)
        CHECK(filter_compile(slice_of(filter), NULL, 0, &s->filter, NULL) == OK);
}

/* The effort that it took. */
static double search_now(struct bench *b, const float *query, const char *filter, double target,
                         size_t effort, bool exact)
{
    struct search *s = search_of(b, query, target, effort);
    s->exact = exact;
    filter_by(s, filter);
    search_run_here(s);
    CHECK(s->error == OK && s->answered == 1);
    double planned = s->efforts.target > 0 ? s->efforts.efforts[0] : (double)effort;
    if (!recall_takes(&b->db.recall, s))
        search_free(s);
    return planned;
}

/* Of new queries, beside exact searches. */
static double recall_of(struct bench *b, const char *filter, double target, size_t effort)
{
    size_t hits = 0, all = 0;
    for (int i = 0; i < QUERIES; i++) {
        float query[DIM];
        uint32_t truth[K];
        vector_of(b, query);
        (void)search_now(b, query, filter, 0, 0, true);
        size_t there = b->count;
        memcpy(truth, b->found, sizeof(truth));
        (void)search_now(b, query, filter, target, effort, false);
        EXPECT_EQ(b->count, there);
        for (size_t j = 0; j < there; j++)
            for (size_t k = 0; k < b->count; k++)
                hits += truth[j] == b->found[k];
        all += there;
    }
    return (double)hits / (double)all;
}

TEST(target, is_reached_and_not_by_far_with_and_without_filters)
{
    struct bench *b = begin();
    float query[DIM];
    vector_of(b, query);
    (void)search_now(b, query, NULL, 0.9, 0, false);
    run_until(b, is_calibrated, 1);
    EXPECT(!recall_report(the_collection(b)).aged);
    EXPECT_EQ(recall_report(the_collection(b)).real, 0);
    double by_rows = recall_of(b, NULL, 0.9, 0);
    run_until(b, is_calibrated, 2); /* there are queries by now */
    EXPECT(recall_report(the_collection(b)).real >= RECALL_QUERIES_REAL);
    double low = search_now(b, query, NULL, 0.6, 0, false);
    double high = search_now(b, query, NULL, 0.98, 0, false);
    double by_queries = recall_of(b, NULL, 0.9, 0);
    double half = recall_of(b, ".n < 1500", 0.9, 0), tenth = recall_of(b, ".n < 300", 0.9, 0);
    printf("  0.9: %.3f by rows, %.3f by queries, %.3f of a half, %.3f of a tenth; effort %.0f for "
           "0.6, %.0f for 0.98\n",
           by_rows, by_queries, half, tenth, low, high);
    EXPECT(low < high);
    EXPECT(by_rows > 0.87 && by_rows < 0.96);
    EXPECT(by_queries > 0.87 && by_queries < 0.96);
    EXPECT(half > 0.87);
    EXPECT(tenth > 0.87);
    EXPECT(recall_of(b, NULL, 1, 0) == 1);
    end(b);
}

TEST(target, is_taken_higher_until_much_that_changed_is_measured_again)
{
    struct bench *b = begin();
    float query[DIM];
    vector_of(b, query);
    (void)search_now(b, query, NULL, 0.8, 0, false);
    run_until(b, is_calibrated, 1);
    double before = search_now(b, query, NULL, 0.8, 0, false);
    recall_set(&b->db.recall, 0, 0);
    uint32_t fifth = ROWS / 5 / BATCH * BATCH;
    for (uint32_t first = 0; first + BATCH < fifth; first += BATCH)
        put(b, first, BATCH);
    put(b, fifth - BATCH, BATCH - 1);
    EXPECT(!recall_report(the_collection(b)).aged); /* one short of a fifth */
    EXPECT(search_now(b, query, NULL, 0.8, 0, false) == before);
    put(b, fifth - 1, 1);
    EXPECT(recall_report(the_collection(b)).aged);
    run_until(b, is_linked, 0);
    EXPECT(search_now(b, query, NULL, 0.8, 0, false) > before);
    EXPECT(recall_of(b, NULL, 0.8, 0) > 0.77);
    recall_set(&b->db.recall, RECALL_PERCENT_MAX, 0);
    run_until(b, is_calibrated, 2);
    EXPECT(!recall_report(the_collection(b)).aged);
    end(b);
}

TEST(target, checks_measure_what_searches_find)
{
    struct bench *b = begin();
    recall_set(&b->db.recall, RECALL_PERCENT_MAX, 1);
    double measured[2];
    for (int i = 0; i < 2; i++) {
        size_t effort = i == 0 ? 200 : K;
        float query[DIM];
        uint64_t from = b->db.recall.checks;
        for (uint32_t done = 0; done < RECALL_WINDOW; done++) {
            vector_of(b, query);
            (void)search_now(b, query, done % 4 == 0 ? ".n < 1500" : NULL, 0, effort, false);
            run_until(b, has_checked, from + done + 1);
        }
        struct recall_report report = recall_report(the_collection(b));
        measured[i] = report.measured.estimate;
        EXPECT_EQ(report.checks, RECALL_WINDOW);
        EXPECT(report.measured.low < measured[i] && measured[i] <= report.measured.high);
        EXPECT(fabs(recall_report_all(&b->db.recall).measured.estimate - measured[i]) < 1e-9);
        recall_set(&b->db.recall, RECALL_PERCENT_MAX, 0);
        double is = 0.75 * recall_of(b, NULL, 0, effort);
        is += 0.25 * recall_of(b, ".n < 1500", 0, effort);
        recall_set(&b->db.recall, RECALL_PERCENT_MAX, 1);
        printf("  effort %zu: checked %.3f (%.3f to %.3f), is %.3f\n", effort, measured[i],
               report.measured.low, report.measured.high, is);
        EXPECT(fabs(is - measured[i]) < 0.08);
    }
    EXPECT(measured[1] < measured[0] - 0.1);
    end(b);
}

TEST(target, a_collection_may_go_while_it_is_measured)
{
    struct bench *b = begin();
    struct mutation drop = {.kind = MUTATION_KEY_REMOVE, .key = slice_of("c")};
    recall_set(&b->db.recall, RECALL_PERCENT_MAX, 2);
    for (int i = 0; i < DROPS; i++) {
        float query[DIM];
        for (int j = 0; j < 8; j++) {
            vector_of(b, query);
            (void)search_now(b, query, j % 2 == 0 ? NULL : ".n < 900", j < 4 ? 0.9 : 0, 30, false);
        }
        /* Before the first slice, in the midst of one, or between two. */
        if (i > 0)
            run_until(b, has_measured, b->db.recall.busy_us + (uint64_t)i * 300);
        write(b, &drop);
        EXPECT(b->db.recall.turn == NULL);
        create(b, 800);
        run_until(b, is_linked, 0);
    }
    end(b);
}

/* Elements are replaced without a pause. */
static bool is_given_up(struct bench *b)
{
    if (pending_count(&the_collection(b)->side->pending) < BATCH)
        put(b, (uint32_t)rng_below(&b->random, ROWS / BATCH) * BATCH, BATCH);
    return b->db.recall.batch == NULL;
}

TEST(target, what_is_measured_does_not_keep_writers_from_sweeps)
{
    struct bench *b = begin();
    float query[DIM];
    recall_set(&b->db.recall, 1, 0);
    vector_of(b, query);
    (void)search_now(b, query, NULL, 0.9, 0, false);
    run_until(b, has_measured, 1);
    REQUIRE(b->db.recall.batch != NULL); /* which has a hundred times as long to pause */
    uint64_t sweeps = b->db.background.link_sweeps;
    run_until(b, is_given_up, 0);
    run_until(b, is_linked, 0);
    EXPECT(b->db.background.link_sweeps > sweeps);
    EXPECT_EQ(b->db.recall.calibrations, 0);
    end(b);
}

/* -- everything at once ------------------------------------------------------------------------ */

static void on_done(struct search *s)
{
    struct bench *b = s->user;
    b->out--;
    CHECK(s->error == OK);
    if (!recall_takes(&b->db.recall, s))
        search_free(s);
}

static void encode_nothing(struct search *s, const struct hit *hits, size_t count)
{
    (void)s;
    (void)hits;
    CHECK(count <= K);
}

/* A search on a lane, and some changes beside it. */
static bool go_on(struct bench *b)
{
    while (b->out < LANES && b->wanted > 0) {
        float query[DIM];
        vector_of(b, query);
        struct search *s = search_of(b, query, b->wanted % 3 == 0 ? 0 : 0.9, 40);
        filter_by(s, b->wanted % 5 == 0 ? ".n < 1000" : NULL);
        s->encode = encode_nothing;
        s->done = on_done;
        b->out++;
        CHECK(!search_start(s));
        if (b->wanted % 16 == 0)
            put(b, (uint32_t)rng_below(&b->random, ROWS - 8), 8);
        b->wanted--;
    }
    return b->out == 0 && b->wanted == 0 && b->db.recall.calibrations > 0 &&
           b->db.recall.checks > 0;
}

TEST(target, searches_puts_checks_and_calibrations_go_on_at_once)
{
    struct bench *b = begin();
    recall_set(&b->db.recall, RECALL_PERCENT_MAX, 7);
    run_until(b, go_on, 600);
    EXPECT(b->db.recall.calibrations > 0 && b->db.recall.checks > 0);
    end(b);
}
