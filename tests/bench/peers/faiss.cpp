/* faiss.cpp: Faiss as a peer: IVF with 4-bit product quantization and exact re-ranking, IVF with
 * full vectors, and the flat scan.
 *
 * The product quantizer has one 4-bit code for two dimensions at 100 dimensions and for four above,
 * nlist is 2048 for glove100 and 1024 else, as in the figures that BARS quotes. */
#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexRefine.h>
#include <faiss/index_io.h>
#include <cblas.h>
#include <omp.h>

#include "bench/bench_system.h"

namespace
{

/* An effort of the re-ranking index: nprobe * scale + candidates per result. */
constexpr unsigned scale = 1000;

struct peer {
    size_t dim;
    bool normalise;
    std::unique_ptr<faiss::Index> index;
    faiss::IndexIVF *ivf = nullptr;       /* inside index, or null */
    faiss::IndexRefine *refine = nullptr; /* likewise */
    std::vector<float> space;             /* normalised queries */
    std::vector<float> distances;
    std::vector<faiss::Index::idx_t> labels;

    peer(const struct matrix *train, enum bench_metric metric)
        : dim(train->columns), normalise(metric == BENCH_COSINE)
    {
    }
    faiss::MetricType metric() const
    {
        return normalise ? faiss::METRIC_INNER_PRODUCT : faiss::METRIC_L2;
    }
};

void normalise_rows(const float *from, size_t rows, size_t dim, float *to)
{
    for (size_t r = 0; r < rows; r++, from += dim, to += dim) {
        float sum = 0;
        for (size_t i = 0; i < dim; i++)
            sum += from[i] * from[i];
        float factor = 1 / std::sqrt(sum);
        for (size_t i = 0; i < dim; i++)
            to[i] = from[i] * factor;
    }
}

size_t list_count(const struct matrix *train)
{
    return train->rows > 200000 ? 2048 : 1024;
}

void set_threads(unsigned threads)
{
    omp_set_num_threads(static_cast<int>(threads));
    openblas_set_num_threads(static_cast<int>(threads));
}

void fill(peer *p, const struct matrix *train, unsigned threads)
{
    set_threads(threads);
    std::vector<float> copy;
    const float *rows = train->at.floats;
    if (p->normalise) {
        copy.resize(static_cast<size_t>(train->rows) * p->dim);
        normalise_rows(rows, train->rows, p->dim, copy.data());
        rows = copy.data();
    }
    if (!p->index->is_trained)
        p->index->train(train->rows, rows);
    p->index->add(train->rows, rows);
    set_threads(1); /* searches use the calling thread only */
}

void *build_ivfpq(const struct matrix *train, enum bench_metric metric, unsigned threads)
{
    auto *p = new peer(train, metric);
    size_t subquantizers = p->dim <= 100 ? p->dim / 2 : p->dim / 4;
    auto *lists = new faiss::IndexIVFPQFastScan(new faiss::IndexFlat(p->dim, p->metric()), p->dim,
                                                list_count(train), subquantizers, 4, p->metric());
    lists->own_fields = true;
    p->refine = new faiss::IndexRefineFlat(lists);
    p->refine->own_fields = true;
    p->index.reset(p->refine);
    p->ivf = nullptr;
    fill(p, train, threads);
    return p;
}

void *build_ivfflat(const struct matrix *train, enum bench_metric metric, unsigned threads)
{
    auto *p = new peer(train, metric);
    p->ivf = new faiss::IndexIVFFlat(new faiss::IndexFlat(p->dim, p->metric()), p->dim,
                                     list_count(train), p->metric());
    p->ivf->own_fields = true;
    p->index.reset(p->ivf);
    fill(p, train, threads);
    return p;
}

void *build_flat(const struct matrix *train, enum bench_metric metric, unsigned threads)
{
    auto *p = new peer(train, metric);
    p->index.reset(new faiss::IndexFlat(p->dim, p->metric()));
    fill(p, train, threads);
    return p;
}

void set_effort(peer *p, unsigned effort)
{
    if (p->refine != nullptr) {
        auto *lists = dynamic_cast<faiss::IndexIVFPQFastScan *>(p->refine->base_index);
        lists->nprobe = effort / scale;
        p->refine->k_factor = static_cast<float>(effort % scale);
    } else if (p->ivf != nullptr) {
        p->ivf->nprobe = effort;
    }
}

void search_many(void *index, const float *queries, size_t count, size_t k, unsigned effort,
                 int32_t *ids)
{
    auto *p = static_cast<peer *>(index);
    set_effort(p, effort);
    if (p->normalise) {
        p->space.resize(count * p->dim);
        normalise_rows(queries, count, p->dim, p->space.data());
        queries = p->space.data();
    }
    p->distances.resize(count * k);
    p->labels.resize(count * k);
    p->index->search(static_cast<faiss::Index::idx_t>(count), queries,
                     static_cast<faiss::Index::idx_t>(k), p->distances.data(), p->labels.data());
    for (size_t i = 0; i < count * k; i++)
        ids[i] = static_cast<int32_t>(p->labels[i]);
}

void search(void *index, const float *query, size_t k, unsigned effort, int32_t *ids)
{
    search_many(index, query, 1, k, effort, ids);
}

void text_refine(unsigned effort, char *text, size_t size)
{
    std::snprintf(text, size, "nprobe %u, rerank %u", effort / scale, effort % scale * 10);
}

void text_ivf(unsigned effort, char *text, size_t size)
{
    std::snprintf(text, size, "nprobe %u", effort);
}

void text_flat(unsigned, char *text, size_t size)
{
    std::snprintf(text, size, "all");
}

void destroy(void *index)
{
    delete static_cast<peer *>(index);
}

const unsigned efforts_ivfpq[] = {
    4 * scale + 4,    8 * scale + 4,    16 * scale + 10,  32 * scale + 10,  48 * scale + 20,
    64 * scale + 20,  96 * scale + 20,  128 * scale + 20, 128 * scale + 40, 192 * scale + 40,
    256 * scale + 40, 256 * scale + 80, 384 * scale + 80, 512 * scale + 80,
};
const unsigned efforts_ivfflat[] = {1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256};
const unsigned efforts_flat[] = {1};

template <size_t n> constexpr size_t count_of(const unsigned (&)[n])
{
    return n;
}

} /* namespace */

const struct bench_system bench_faiss_ivfpq = {
    "Faiss IVFPQFastScan+R",
    "faiss-ivfpq",
    efforts_ivfpq,
    count_of(efforts_ivfpq),
    text_refine,
    build_ivfpq,
    search,
    nullptr,
    destroy,
    nullptr,
    nullptr,
};

const struct bench_system bench_faiss_ivfflat = {
    "Faiss IVFFlat", "faiss-ivfflat", efforts_ivfflat, count_of(efforts_ivfflat),
    text_ivf,        build_ivfflat,   search,          nullptr,
    destroy,         nullptr,         nullptr,
};

const struct bench_system bench_faiss_flat = {
    "Faiss Flat", "faiss-flat", efforts_flat, count_of(efforts_flat),
    text_flat,    build_flat,   search,       search_many,
    destroy,      nullptr,      nullptr,
};
