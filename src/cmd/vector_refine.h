/* vector_refine.h: what VSEARCH and VMSEARCH make of hits (GROUPBY, MMR), and searches by examples
 * (POSITIVE). */
#ifndef VDB_CMD_VECTOR_REFINE_H
#define VDB_CMD_VECTOR_REFINE_H

#include "cmd/args.h"
#include "db/search.h"

struct refine_options {
    bool has_group_by, has_group_size, has_lambda, has_fetch;
    struct slice group_by;
    int64_t group_size, fetch;
    double lambda;
    int64_t wanted;                    /* OFFSET and COUNT together */
    const struct vector_arg *examples; /* or NULL: what is searched for is in a text of its own */
};

/* NULL when nothing is made of the hits. ERR_ARG, ERR_LIMIT, ERR_NOMEM. */
MUST_USE enum err read_refine(const struct refine_options *o, struct refine **out, struct why *why);

/* The query that POSITIVE and NEGATIVE elements come to, as elements of the collection are stored:
 * the mean of the former and its distance from the mean of the latter. dim floats. ERR_NOT_FOUND,
 * ERR_ARG, ERR_NOMEM. */
MUST_USE enum err query_of_examples(struct db *db, struct collection *c,
                                    const struct vector_arg *arg, float *out, struct why *why);

/* search.encode: an array for each group, of its value and its hits. [lane] */
void encode_groups(struct search *s, const struct hit *hits, size_t count);

#endif
