/* match.h: the documents that a query of words matches, and how well. [lane]
 *
 * Lists of documents in the order of their versions, from leaf to root (match.c): an AND hands each
 * part what is left by those before it, the rarest first, so long lists are only looked into. The
 * words that a prefix, a pattern or a fuzzy word stands for are looked up first (expand.c). Scores
 * are those of RediSearch (score.c). */
#ifndef VDB_TEXT_MATCH_H
#define VDB_TEXT_MATCH_H

#include "text/index.h"
#include "text/query.h"

/* What may be read. Taken on the loop, under a guard. */
struct text_view {
    const struct text_index *index;
    const struct text_chunks *chunks;
    uint32_t chunk_count;
    uint64_t end, lsn;
    uint64_t alive, length;
    uint32_t slots;
    const struct text_rows *rows; /* of the collection that was asked for */
};

void text_view(const struct text_index *x, uint64_t lsn, size_t collection, struct text_view *out);

#define TEXT_SCORER_LIST(X)                                                                        \
    X(TEXT_BM25STD, "BM25STD")                                                                     \
    X(TEXT_BM25, "BM25")                                                                           \
    X(TEXT_TFIDF, "TFIDF")                                                                         \
    X(TEXT_TFIDF_DOCNORM, "TFIDF.DOCNORM")                                                         \
    X(TEXT_DISMAX, "DISMAX")                                                                       \
    X(TEXT_DOCSCORE, "DOCSCORE")

enum text_scorer {
#define X(scorer, name) scorer,
    TEXT_SCORER_LIST(X)
#undef X
        TEXT_SCORER_COUNT
};

MUST_USE bool text_scorer_find(struct slice name, enum text_scorer *out);

enum { TEXT_EXPANSIONS_MAX = 200, TEXT_PREFIX_MIN = 2 };

/* How it is looked for. */
struct text_ask {
    enum text_scorer scorer;
    bool scores;               /* they are wanted */
    bool (*stops)(void *user); /* asked now and then: is the time over? */
    void *user;
    double *rarity; /* NULL, or by node: set for leaves; that of several terms is the commonest's */
};

/* Documents by slot. owner: caller */
struct text_set {
    uint64_t *bits;
    float *scores; /* by slot; NULL unless they were wanted */
    uint32_t end;  /* of slots */
    size_t count;
    bool stopped; /* the time was over: nothing is in it */
};

/* Fills *out, which text_set_fini frees in any case. ERR_NOMEM. */
MUST_USE enum err text_match(const struct text_view *v, const struct text_query *q,
                             const struct text_ask *ask, struct text_set *out);
void text_set_fini(struct text_set *s);

static inline bool text_set_has(const struct text_set *s, uint32_t slot)
{
    return slot < s->end && (s->bits[slot / 64] >> (slot % 64) & 1) != 0;
}

#endif
