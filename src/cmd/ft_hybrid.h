/* ft_hybrid.h: FT.HYBRID: what words find and what a vector finds, ranked together.
 *
 * Two searches run one after the other; the lane of the second fuses what both have found, by
 * reciprocal ranks (Cormack, Clarke and Buettcher 2009) or by weighted scores. The rows then go the
 * way of FT.AGGREGATE. */
#ifndef VDB_CMD_FT_HYBRID_H
#define VDB_CMD_FT_HYBRID_H

#include "cmd/ft_aggregate.h"

enum { HYBRID_WINDOW = 20, HYBRID_K = 10, HYBRID_CONSTANT = 60 };

/* What stands before the steps. */
struct hybrid_words {
    struct slice query;
    enum text_scorer scorer;
    struct slice field, param; /* of the vector, without @ and $ */
    bool by_radius;
    uint64_t k, effort; /* effort 0: the index's */
    double radius;
    double epsilon;               /* 0: the field's */
    struct slice filter;          /* empty: none */
    struct slice vector_score_as; /* empty: not shown */
    bool linear;
    double constant, alpha, beta;
    uint64_t window;
};

/* owner: the aggregate, when it is one of FT.HYBRID */
struct ft_hybrid {
    struct hybrid_words words;
    struct buf found; /* by the vector: as search.reply */
    enum metric metric;
    enum err (*find_words)(struct search *s, struct lane *lane);
    uint64_t started_us;
};

/* Reads up to the first word of the steps. */
MUST_USE enum err ft_hybrid_words(struct ft_words *w, struct hybrid_words *out);
/* [lane] Replaces the hits of s, those of words, by those of both, best first: how many (u64), then
 * what ft_hybrid_hit reads. */
MUST_USE enum err ft_hybrid_fuse(const struct ft_hybrid *h, struct search *s);
struct hybrid_hit {
    double vector; /* its score; NAN: the vector has not found it */
    double score;
    struct slice key;
};
struct hybrid_hit ft_hybrid_hit(struct bytes_reader *r);
/* All rows, how many there are before LIMIT, and how long it took. */
void ft_hybrid_reply(struct reply *r, const struct ft_aggregate *a);

#endif
