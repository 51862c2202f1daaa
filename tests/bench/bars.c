#include "bench/bars.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

static const double build_floor = 2, memory_slack = 1.05, bandwidth_floor = 0.8;

/* At a recall, times as fast as a peer. */
static const struct {
    const char *set; /* NULL: any */
    const char *system, *peer;
    bool batch;
    double recall, floor, goal; /* goal 0: the floor is all */
} speeds[] = {
    {"glove100", "vdb", "hnswlib", false, 0.95, 2.5, 4},
    {"glove100", "vdb", "faiss-ivfpq", false, 0.98, 1, 0},
    {"fashion784", "vdb", "hnswlib", false, 0.99, 3.5, 6.5},
    {"syn768", "vdb", "hnswlib", false, 0.99, 3.5, 6.5},
    {NULL, "vdb-ivf-sq8", "faiss-ivfpq", false, 0.90, 1, 0},
    {NULL, "vdb-ivf-pq", "faiss-ivfpq", false, 0.90, 1, 0},
    {NULL, "vdb-ivf-rabitq", "faiss-ivfpq", false, 0.90, 1, 0},
    {NULL, "vdb-flat", "faiss-flat", false, 0.95, 1, 0},
    {NULL, "vdb-flat", "faiss-flat", true, 0.95, 1, 0},
};

static const struct bar_system *find(const struct bar_system *systems, size_t count,
                                     const char *key, bool batch)
{
    for (size_t i = 0; i < count; i++) {
        if (systems[i].batch == batch && strcmp(systems[i].key, key) == 0)
            return &systems[i];
    }
    return NULL;
}

static void print_speeds(const char *set, const struct bar_system *systems, size_t count)
{
    for (size_t i = 0; i < COUNT_OF(speeds); i++) {
        const struct bar_system *ours =
            find(systems, count, speeds[i].system, speeds[i].batch);
        const struct bar_system *peer = find(systems, count, speeds[i].peer, speeds[i].batch);
        if (ours == NULL || peer == NULL || (speeds[i].set != NULL && strcmp(speeds[i].set, set)))
            continue;
        double have = curve_qps_at(ours->front, ours->front_count, speeds[i].recall);
        double theirs = curve_qps_at(peer->front, peer->front_count, speeds[i].recall);
        printf("| %s%s at %.2f, to %s | ", ours->key, ours->batch ? ", batch" : "",
               speeds[i].recall, peer->key);
        if (have <= 0 || theirs <= 0)
            printf("%s does not reach it", have <= 0 ? ours->key : peer->key);
        else
            printf("%.2fx", have / theirs);
        printf(" | %.2fx", speeds[i].floor);
        if (speeds[i].goal > 0)
            printf(", goal %.1fx", speeds[i].goal);
        printf(" |\n");
    }
}

static void print_graph(const struct bar_system *ours, const struct bar_system *peer)
{
    if (ours == NULL || peer == NULL)
        return;
    if (ours->build_s > 0 && peer->build_s > 0)
        printf("| build, to hnswlib | %.2fx | %.1fx |\n", peer->build_s / ours->build_s,
               build_floor);
    if (ours->bytes > 0 && peer->bytes > 0)
        printf("| bytes a vector | %.0f | %.0f: hnswlib's %.0f, the code's %.0f, and 5 %% |\n",
               ours->bytes, (peer->bytes + ours->code_bytes) * memory_slack, peer->bytes,
               ours->code_bytes);
}

void bars_print(const char *set, const struct bar_system *systems, size_t count, double read_gbs)
{
    const struct bar_system *flat = find(systems, count, "vdb-flat", false);
    printf("\n| %s | figure | bar |\n|---|---|---|\n", set);
    print_speeds(set, systems, count);
    print_graph(find(systems, count, "vdb", false), find(systems, count, "hnswlib", false));
    if (flat != NULL && flat->query_bytes > 0)
        printf("| one exact query reads | %.1f GB/s | %.1f: %.0f %% of %.1f |\n",
               flat->front[0].qps * flat->query_bytes * 1e-9, bandwidth_floor * read_gbs,
               bandwidth_floor * 100, read_gbs);
}
