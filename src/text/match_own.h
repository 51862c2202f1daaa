/* match_own.h: between match.c, expand.c, places.c and score.c. */
#ifndef VDB_TEXT_MATCH_OWN_H
#define VDB_TEXT_MATCH_OWN_H

#include "text/match.h"

/* The terms that a leaf of the query stands for. */
struct text_leaf_terms {
    const struct text_term **terms;
    double *idf;
    uint32_t count;
    uint64_t docs; /* of all terms, with those that count twice */
};

struct text_matching {
    const struct text_view *view;
    const struct text_query *query;
    const struct text_ask *ask;
    struct text_leaf_terms *leaves; /* by node */
    bool stopped;
    bool failed; /* memory is short */
    unsigned looked;
};

/* Is there a reason to give up? Looks at the clock now and then. */
bool text_gives_up(struct text_matching *m);

/* expand.c: the terms of a leaf. ERR_NOMEM. */
MUST_USE enum err text_expand(struct text_matching *m, uint32_t node);

/* The version of a place among chunks, and the other way round. */
static inline uint64_t text_version_number(const struct text_view *v, uint32_t doc)
{
    return v->chunks->of[doc / TEXT_CHUNK]->id * TEXT_CHUNK + doc % TEXT_CHUNK;
}

/* Where a version stands among the chunks; *chunk is where to look first. False: it was collected,
 * or is not there yet. */
bool text_find_version(const struct text_view *v, uint64_t version, uint32_t *chunk, uint32_t *out);

static inline const struct text_version *text_doc(const struct text_view *v, uint32_t doc)
{
    return &v->chunks->of[doc / TEXT_CHUNK]->versions[doc % TEXT_CHUNK];
}

/* score.c */
double text_idf(const struct text_matching *m, uint64_t docs);
double text_term_score(const struct text_matching *m, double idf, uint32_t frequency,
                       const struct text_version *v);
double text_document_score(const struct text_matching *m, double score,
                           const struct text_version *v);

/* places.c: of docs, those in which the words below a node stand as it says. Returns how many are
 * left, in front. */
size_t text_keep_near(struct text_matching *m, const struct text_node *n, uint32_t *docs,
                      float *scores, size_t count);

#endif
