/* wire_docs.h: documents of a data set: a row's vector, a tag and a number; and which documents are
 * the nearest among those that a share of the tags or numbers lets through. */
#ifndef VDB_TESTS_BENCH_WIRE_DOCS_H
#define VDB_TESTS_BENCH_WIRE_DOCS_H

#include "base/buf.h"
#include "bench/data.h"

enum { DOCS_NEAREST = 10, DOCS_TEXT_SIZE = 64 };

/* What lets a share of the documents through: 50, 10, 1 or 0.1 % (per_mille 500, 100, 10, 1);
 * 1000: all. */
struct docs_filter {
    bool by_number; /* or by a tag */
    unsigned per_mille;
};

const char *docs_tag(uint64_t row);
unsigned docs_number(uint64_t row);

bool docs_pass(const struct docs_filter *f, uint64_t row);
/* As FT.SEARCH writes it. */
void docs_filter_text(const struct docs_filter *f, char out[DOCS_TEXT_SIZE]);
/* The nearest of the first `queries` queries, DOCS_NEAREST each, by looking at all; the caller
 * frees them. */
int32_t *docs_truth(const struct dataset *set, const struct docs_filter *f, size_t queries);

#endif
