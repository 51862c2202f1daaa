/* Everything within a distance, by walks: nothing else is found, and 95 % of what is there at
 * least. */
#include <math.h>
#include <stdlib.h>

#include "db/near.h"
#include "lib/graph.h"
#include "lib/test.h"
#include "recall/fixture.h"

enum { ROWS = 8000, DIM = 24, QUERIES = 30, RANKS = 3 };

static const size_t ranks[RANKS] = {3, 20, 50};

static int by_distance(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Distances of all rows to a vector, INFINITY where none is; the ranks-th of them into radii. */
static void measure(const struct collection_view *v, const float *query, float *distances,
                    float radii[RANKS])
{
    struct near_scale scale;
    float *sorted = mem_calloc(MEM_TEST, v->codes.end * sizeof(*sorted));
    REQUIRE(near_scale_init(&scale, v, query) == OK);
    for (uint32_t row = 0; row < v->codes.end; row++)
        distances[row] = row_visible(&v->codes, row) ? near_distance(&scale, row) : INFINITY;
    near_scale_fini(&scale);
    memcpy(sorted, distances, v->codes.end * sizeof(*sorted));
    qsort(sorted, v->codes.end, sizeof(*sorted), by_distance);
    for (size_t i = 0; i < RANKS; i++)
        radii[i] = sorted[ranks[i] - 1];
    mem_free(MEM_TEST, sorted);
}

/* How many of the rows within the radius are found. */
static size_t look(const struct near_query *q, struct lane *lane, const float *distances)
{
    struct index_cost cost = {0};
    struct hit *hits;
    size_t count;
    bool walked;
    REQUIRE(near_walk(q, lane, &cost, &walked, &hits, &count) == OK);
    EXPECT(walked);
    for (size_t i = 0; i < count; i++) {
        EXPECT(i == 0 || hits[i - 1].row < hits[i].row);
        EXPECT(hits[i].dist <= q->radius && hits[i].dist == distances[hits[i].row]);
    }
    mem_free(MEM_SCRATCH, hits);
    return count;
}

static void expect_recall(struct fixture *f, struct lane *lane, double epsilon)
{
    size_t found[RANKS] = {0};
    for (unsigned i = 0; i < QUERIES; i++) {
        struct collection_view v;
        float query[FIXTURE_DIM_MAX], radii[RANKS];
        fixture_draw(f, query);
        db_view(&f->db, f->c, &v);
        float *distances = mem_calloc(MEM_TEST, v.codes.end * sizeof(*distances));
        measure(&v, query, distances, radii);
        for (size_t k = 0; k < RANKS; k++) {
            const struct near_query q = {&v, query, radii[k], epsilon};
            size_t count = look(&q, lane, distances);
            found[k] += count < ranks[k] ? count : ranks[k];
        }
        mem_free(MEM_TEST, distances);
    }
    for (size_t k = 0; k < RANKS; k++) {
        double recall = (double)found[k] / (double)(ranks[k] * QUERIES);
        printf("  %s, the nearest %zu: %.4f\n", metric_name(f->spec.metric), ranks[k], recall);
        EXPECT(recall >= 0.95);
    }
}

/* Half of all are near, or there is no graph: that is for who looks at every row. */
static void expect_no_walk(struct fixture *f, struct lane *lane)
{
    struct collection_view v;
    float query[FIXTURE_DIM_MAX];
    fixture_draw(f, query);
    db_view(&f->db, f->c, &v);
    for (unsigned flat = 0; flat < 2; flat++) {
        struct near_query q = {&v, query, flat == 1 ? 0 : INFINITY, 0.01};
        struct index_cost cost = {0};
        struct hit *hits;
        size_t count;
        bool walked = true;
        v.graph = flat == 1 ? NULL : v.graph;
        REQUIRE(near_walk(&q, lane, &cost, &walked, &hits, &count) == OK);
        EXPECT(!walked && count == 0);
        mem_free(MEM_SCRATCH, hits);
    }
}

TEST(near, walks_find_what_is_within_a_distance)
{
    static const enum metric metrics[] = {METRIC_COSINE, METRIC_L2, METRIC_IP};
    for (size_t i = 0; i < COUNT_OF(metrics); i++) {
        struct fixture *f = mem_calloc(MEM_TEST, sizeof(*f));
        struct collection_spec spec = spec_default(DIM);
        struct lane lane;
        spec.metric = metrics[i];
        fixture_open(f, &spec, ROWS);
        graph_lane_init(&lane, 0);
        expect_recall(f, &lane, 0.01);
        for (unsigned id = 0; id < ROWS; id += 8)
            fixture_remove(f, id);
        fixture_put(f, ROWS, FIXTURE_BATCH);
        fixture_put(f, 1, FIXTURE_BATCH); /* none of them is linked yet */
        EXPECT(pending_count(&f->c->side->pending) > 0);
        expect_recall(f, &lane, 0.1);
        expect_no_walk(f, &lane);
        graph_lane_fini(&lane);
        fixture_close(f);
        mem_free(MEM_TEST, f);
    }
}
