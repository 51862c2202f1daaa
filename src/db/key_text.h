/* key_text.h: the words of a query over keys: which documents have them, and how well.
 *
 * Clauses that speak of words alone are taken out of a query's tree as groups, each a tree of words
 * (text/query.h). The filter that is made of the rest asks for `.d in $t0`: whether the document is
 * in what group 0 matches. Groups are matched on a lane before anything else (key_text_run), which
 * then knows how many documents that leaves, and of few also where they stand. */
#ifndef VDB_DB_KEY_TEXT_H
#define VDB_DB_KEY_TEXT_H

#include "db/filter.h"
#include "db/index_text.h"
#include "db/search.h"
#include "ft/query.h"

/* What a command says of all words of a query. */
struct key_text_options {
    enum text_language language;
    enum text_scorer scorer;
    bool scores;   /* are wanted */
    bool verbatim; /* no stems */
    bool no_stop_words, no_stems, no_synonyms;
    bool in_order;
    int64_t slop;               /* TEXT_NO_SLOP */
    const struct slice *fields; /* INFIELDS */
    size_t field_count;         /* 0: all */
};

/* owner: key_text */
struct key_words {
    struct text_query query;
    struct text_set set;
    double *rarity; /* of its leaves, by node; NULL: not wanted, or not run */
    bool required;  /* a document that is not in it does not match */
};

/* owner: whoever asked for it */
struct key_text {
    struct key_index *index; /* until it is run only */
    struct text_view view;
    struct text_ask ask;
    struct key_words *groups[LIMIT_PARAMS];
    size_t count;
    size_t wide;   /* bytes beyond ASCII in all words */
    bool alone;    /* nothing but one group decides */
    bool rarities; /* are wanted */
    float *scores; /* by slot; NULL: not wanted, or not run */
    uint32_t scores_end;
    struct search *search;
    struct lane *lane;
};

/* Is a node of the tree about words alone? For each node, into out; mem_free(MEM_SCRATCH) it. */
MUST_USE enum err key_text_mark(const struct ft_query *q, bool **out);

/* The TEXT fields of some names, as bits; what is of another kind has no words. ERR_ARG. */
MUST_USE enum err key_text_fields(const struct index_spec *spec, const struct slice *names,
                                  size_t count, uint64_t *out, struct why *why);

/* NULL: memory is short. */
MUST_USE struct key_text *key_text_new(struct key_index *x, const struct key_text_options *o);
void key_text_free(struct key_text *t); /* NULL is allowed */

/* Nodes of one parent, `nodes`, of the kind QUERY_AND or QUERY_OR, as one group; *number is its
 * own. Of nothing but stop words *number is SIZE_MAX: they say nothing. ERR_ARG: a field that is
 * not there. ERR_LIMIT: groups. */
MUST_USE enum err key_text_add(struct key_text *t, const struct ft_query *q,
                               const struct key_text_options *o, const uint32_t *nodes,
                               size_t count, enum query_kind kind, bool required, size_t *number,
                               struct why *why);

/* [loop] What it reads, from now on; the search starts in the same turn. number: of the collection,
 * 0: documents, 1: the first VECTOR field. */
void key_text_view(struct key_text *t, size_t number);
/* [lane] Matches all groups, and tells the plan of s. */
MUST_USE enum err key_text_run(struct key_text *t, struct search *s, struct lane *lane);
/* [lane] The score of a row's document. */
double key_text_score(const struct key_text *t, const struct collection_view *v, uint32_t row);

#endif
