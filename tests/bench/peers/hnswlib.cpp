/* hnswlib.cpp: hnswlib as a peer: M 16, efConstruction 200. */
#include <atomic>
#include <cmath>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <hnswlib/hnswlib.h>

#include "bench/bench_system.h"

namespace
{

constexpr size_t links = 16, ef_construction = 200;

struct peer {
    size_t dim;
    bool normalise;
    std::unique_ptr<hnswlib::SpaceInterface<float>> space;
    std::unique_ptr<hnswlib::HierarchicalNSW<float>> graph;

    peer(size_t dim, enum bench_metric metric) : dim(dim), normalise(metric == BENCH_COSINE)
    {
        if (normalise)
            space.reset(new hnswlib::InnerProductSpace(dim));
        else
            space.reset(new hnswlib::L2Space(dim));
    }
};

/* The vector itself, or its normalised copy in space. */
const float *prepared(const peer &p, const float *vector, float *space)
{
    if (!p.normalise)
        return vector;
    float sum = 0;
    for (size_t i = 0; i < p.dim; i++)
        sum += vector[i] * vector[i];
    float scale = 1 / std::sqrt(sum);
    for (size_t i = 0; i < p.dim; i++)
        space[i] = vector[i] * scale;
    return space;
}

void *build(const struct matrix *train, enum bench_metric metric, unsigned threads)
{
    auto *p = new peer(train->columns, metric);
    p->graph.reset(
        new hnswlib::HierarchicalNSW<float>(p->space.get(), train->rows, links, ef_construction));
    std::atomic<size_t> next{0};
    auto add = [&](size_t end) {
        std::vector<float> space(train->columns);
        for (size_t i; (i = next.fetch_add(1)) < end;)
            p->graph->addPoint(prepared(*p, matrix_row(train, i), space.data()), i);
    };
    add(1); /* the first one alone: it becomes the entry point */
    next = 1;
    std::vector<std::thread> workers;
    for (unsigned t = 0; t < threads; t++)
        workers.emplace_back(add, train->rows);
    for (auto &w : workers)
        w.join();
    return p;
}

void search(void *index, const float *query, size_t k, unsigned effort, int32_t *ids)
{
    auto *p = static_cast<peer *>(index);
    static thread_local std::vector<float> space;
    space.resize(p->dim);
    p->graph->setEf(effort);
    auto found = p->graph->searchKnn(prepared(*p, query, space.data()), k);
    for (size_t i = k; i-- > 0;) {
        if (i >= found.size()) {
            ids[i] = -1;
            continue;
        }
        ids[i] = static_cast<int32_t>(found.top().second);
        found.pop();
    }
}

void save(void *index, const char *path)
{
    static_cast<peer *>(index)->graph->saveIndex(path);
}

void *load(const char *path, const struct matrix *train, enum bench_metric metric)
{
    auto p = std::make_unique<peer>(train->columns, metric);
    try {
        p->graph.reset(new hnswlib::HierarchicalNSW<float>(p->space.get(), std::string(path)));
    } catch (const std::exception &e) {
        std::fprintf(stderr, "%s: %s\n", path, e.what());
        return nullptr;
    }
    return p->graph->cur_element_count == train->rows ? p.release() : nullptr;
}

void effort_text(unsigned effort, char *text, size_t size)
{
    std::snprintf(text, size, "ef %u", effort);
}

const unsigned efforts[] = {10, 16, 24, 40, 60, 80, 120, 160, 200, 280, 400, 560, 800};

} /* namespace */

const struct bench_system bench_hnswlib = {
    "hnswlib M16 efC200",
    "hnswlib",
    efforts,
    sizeof efforts / sizeof *efforts,
    effort_text,
    build,
    search,
    nullptr,
    [](void *index) { delete static_cast<peer *>(index); },
    save,
    load,
};
