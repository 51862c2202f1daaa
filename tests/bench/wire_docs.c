#include "bench/wire_docs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/topk.h"
#include "vec/vec.h"

enum { PER_MILLE = 1000, SPREAD = 7919 /* prime: numbers have nothing to do with tags */ };

/* Of a thousand rows one has the first, ten the second, and so on. */
static const struct {
    const char *name;
    unsigned per_mille;
} tags[] = {{"rare", 1}, {"hundredth", 10}, {"tenth", 100}, {"half", 500}, {"other", 389}};

const char *docs_tag(uint64_t row)
{
    size_t i = 0;
    for (uint64_t left = row % PER_MILLE; left >= tags[i].per_mille; i++)
        left -= tags[i].per_mille;
    CHECK(i < COUNT_OF(tags));
    return tags[i].name;
}

unsigned docs_number(uint64_t row)
{
    return (unsigned)(row * SPREAD % PER_MILLE);
}

static const char *tag_of_share(const struct docs_filter *f)
{
    for (size_t i = 0; i < COUNT_OF(tags); i++)
        if (tags[i].per_mille == f->per_mille)
            return tags[i].name;
    die("no tag has %u of 1000 documents", f->per_mille);
}

bool docs_pass(const struct docs_filter *f, uint64_t row)
{
    if (f->per_mille == PER_MILLE)
        return true;
    if (f->by_number)
        return docs_number(row) < f->per_mille;
    return strcmp(docs_tag(row), tag_of_share(f)) == 0;
}

void docs_filter_text(const struct docs_filter *f, char out[DOCS_TEXT_SIZE])
{
    if (f->per_mille == PER_MILLE)
        (void)snprintf(out, DOCS_TEXT_SIZE, "*");
    else if (f->by_number)
        (void)snprintf(out, DOCS_TEXT_SIZE, "@n:[0 (%u]", f->per_mille);
    else
        (void)snprintf(out, DOCS_TEXT_SIZE, "@cat:{%s}", tag_of_share(f));
}

/* By cosine, or by squared distance. */
static float distance(const struct dataset *set, const struct vec_kernels *k, const float *query,
                      const float *row)
{
    size_t dim = set->train.columns;
    if (set->metric == BENCH_L2)
        return k->l2_f32(query, row, dim);
    return -k->dot_f32(query, row, dim) / sqrtf(k->dot_f32(row, row, dim));
}

int32_t *docs_truth(const struct dataset *set, const struct docs_filter *f, size_t queries)
{
    const struct vec_kernels *kernels;
    if (vec_kernels_choose("auto", &kernels, NULL) != OK)
        die("no distance kernels");
    CHECK(queries <= set->query.rows);
    int32_t *out = mem_alloc(MEM_TEST, queries * DOCS_NEAREST * sizeof(*out));
    for (size_t q = 0; q < queries; q++) {
        struct hit items[DOCS_NEAREST];
        struct topk top;
        topk_init(&top, items, DOCS_NEAREST);
        for (uint32_t row = 0; row < set->train.rows; row++) {
            if (!docs_pass(f, row))
                continue;
            float far =
                distance(set, kernels, matrix_row(&set->query, q), matrix_row(&set->train, row));
            topk_push(&top, (struct hit){.row = row, .dist = far});
        }
        for (size_t i = 0; i < DOCS_NEAREST; i++)
            out[q * DOCS_NEAREST + i] = i < top.count ? (int32_t)items[i].row : -1;
    }
    return out;
}
