/* A vector that is nearer to all others than they are to each other does not hide them. */
#include "lib/graph.h"
#include "lib/test.h"

enum { DIM = 32, ROWS = 1500, EFFORT = 100 };

/* Rows all around the origin, each of a cluster of its own, and a zero vector as the first, the
 * middle or the last of them. */
static uint32_t rows_lost(uint32_t hub_at)
{
    const struct graph_spec spec = {.metric = METRIC_L2,
                                    .quant = QUANT_NONE,
                                    .dim = DIM,
                                    .m = 16,
                                    .ef_build = 100,
                                    .capacity = ROWS,
                                    .seed = 1};
    struct graph *g = graph_new(&spec);
    static const float zero[DIM];
    while (g->end < ROWS)
        if (g->end == hub_at)
            graph_link(g, graph_add(g, zero));
        else
            graph_grow(g, 1, 1u << 30);
    uint32_t lost = graph_count_lost(g, EFFORT);
    graph_free(g);
    return lost;
}

TEST(hnsw_hub, a_vector_near_to_all_does_not_hide_the_others)
{
    static const uint32_t hub_at[] = {0, ROWS / 2, ROWS - 1};
    for (size_t i = 0; i < COUNT_OF(hub_at); i++) {
        uint32_t lost = rows_lost(hub_at[i]);
        if (lost > ROWS / 100)
            test_fail(__FILE__, __LINE__, "a zero vector as row %u: %u of %d rows are not found",
                      hub_at[i], lost, ROWS);
    }
}
