/* aggregate.h: the pipeline of FT.AGGREGATE over rows that are in memory.
 *
 * Rows have columns. Those of the first stage come from documents, as far as the steps name them;
 * GROUPBY ends a stage, and its keys and reducers are the columns of the next. Whoever runs a plan
 * fills the rows of the first stage; then the steps run one after the other over all rows.
 *
 * Pure; all of a plan, and all of a run, lies in an arena. */
#ifndef VDB_FT_AGGREGATE_H
#define VDB_FT_AGGREGATE_H

#include "ft/expr.h"
#include "ft/index_spec.h"

enum {
    AGG_STEPS_MAX = 256,     /* of one pipeline */
    AGG_COLUMNS_MAX = 1024,  /* of one stage */
    AGG_SORT_KEYS_MAX = 64,  /* of a SORTBY, as in RediSearch */
    AGG_SORTED_DEFAULT = 10, /* rows that SORTBY without MAX and LIMIT leaves, as in RediSearch */
    AGG_SAMPLE_MAX = 1000    /* of RANDOM_SAMPLE */
};

enum agg_source {
    AGG_COMPUTED, /* by a step */
    AGG_DOCUMENT, /* a field of the document */
    AGG_DISTANCE, /* of its vector */
    AGG_SCORE,
    AGG_KEY,
    AGG_ALL /* LOAD *: a list of names and values in turn */
};

struct agg_column {
    struct slice name;
    struct slice path; /* AGG_DOCUMENT */
    enum agg_source source;
    int distance; /* AGG_DISTANCE: which */
    bool number;  /* AGG_DOCUMENT: a number when it is the text of one */
    bool folded;  /* AGG_DOCUMENT: in lower case, as SORTABLE keeps it without UNF */
    bool hidden;  /* no part of the reply */
};

struct agg_stage {
    struct agg_column *columns;
    uint32_t count, room;
};

#define AGG_REDUCER_LIST(X)                                                                        \
    X(AGG_COUNT, "COUNT")                                                                          \
    X(AGG_COUNT_DISTINCT, "COUNT_DISTINCT")                                                        \
    X(AGG_COUNT_DISTINCTISH, "COUNT_DISTINCTISH")                                                  \
    X(AGG_SUM, "SUM")                                                                              \
    X(AGG_MIN, "MIN")                                                                              \
    X(AGG_MAX, "MAX")                                                                              \
    X(AGG_AVG, "AVG")                                                                              \
    X(AGG_STDDEV, "STDDEV")                                                                        \
    X(AGG_QUANTILE, "QUANTILE")                                                                    \
    X(AGG_TOLIST, "TOLIST")                                                                        \
    X(AGG_FIRST_VALUE, "FIRST_VALUE")                                                              \
    X(AGG_RANDOM_SAMPLE, "RANDOM_SAMPLE")

enum agg_reducer_kind {
#define X(kind, word) kind,
    AGG_REDUCER_LIST(X)
#undef X
        AGG_REDUCER_COUNT
};

struct agg_reducer {
    const struct slice *args; /* as they came; read when the plan is resolved */
    size_t arg_count;
    struct slice word, as; /* as: given, or made of the words */
    enum agg_reducer_kind kind;
    uint32_t column;    /* it reads; none for COUNT */
    uint32_t by_column; /* FIRST_VALUE BY; UINT32_MAX: none */
    bool descending;
    double share;  /* QUANTILE */
    uint32_t size; /* RANDOM_SAMPLE */
};

enum agg_kind { AGG_LOAD, AGG_APPLY, AGG_FILTER, AGG_GROUP, AGG_ARRANGE };

struct agg_step {
    enum agg_kind kind;
    struct slice text; /* APPLY, FILTER */
    struct slice as;   /* APPLY */
    struct expr *expr;
    uint32_t column;           /* APPLY: it writes */
    const struct slice *names; /* LOAD: with AS; GROUP, ARRANGE: of properties, without @ */
    uint32_t name_count;
    uint32_t *columns; /* of these: keys of GROUP, ARRANGE */
    bool *descending;  /* ARRANGE */
    struct agg_reducer *reducers;
    uint32_t reducer_count, reducer_room;
    bool all;              /* LOAD * */
    bool sorted;           /* ARRANGE: SORTBY was said */
    bool limited;          /* LIMIT was */
    uint64_t offset, most; /* most 0, and not limited: AGG_SORTED_DEFAULT */
};

struct agg_plan {
    struct arena arena;
    struct agg_step *steps;
    uint32_t step_count;
    struct agg_stage *stages; /* one, and one more for each GROUP */
    uint32_t stage_count;
    bool loads_all;
};

void agg_plan_init(struct agg_plan *p);
/* A new last step; NULL: there are too many, or memory is short (agg_plan_error). */
struct agg_step *agg_plan_add(struct agg_plan *p, enum agg_kind kind);
/* A new reducer of the last step, a GROUP; NULL likewise. */
struct agg_reducer *agg_plan_add_reducer(struct agg_plan *p);
/* The ARRANGE that SORTBY, or LIMIT, at the end of the plan speaks of: there is one a stage. */
struct agg_step *agg_plan_arrange(struct agg_plan *p);
MUST_USE enum err agg_plan_error(const struct agg_plan *p, struct why *why);
void agg_plan_fini(struct agg_plan *p);

/* The names that the distances of a query go by. */
struct agg_distances {
    const struct slice *names;
    size_t count;
};

/* Finds what the steps name: columns of rows, fields of the schema. Errors are RediSearch's. */
MUST_USE enum err agg_plan_resolve(struct agg_plan *p, const struct index_spec *spec,
                                   const struct agg_distances *distances, bool with_scores,
                                   struct why *why);

/* Is a property of the first rows a part of the reply? Unless GROUPBY has taken them. */
void agg_plan_show(struct agg_plan *p, struct slice name, bool shown);
/* The key is one, first of all. ERR_NOMEM. */
MUST_USE enum err agg_plan_show_key(struct agg_plan *p, struct why *why);

/* -- running ----------------------------------------------------------------------------------- */

struct agg_rows {
    struct value **items; /* each as many values as its stage has columns; MEM_SCRATCH */
    size_t count, room;
    uint64_t total; /* before LIMIT */
};

/* Room for count rows in all. */
MUST_USE enum err agg_rows_reserve(struct agg_rows *rows, size_t count);
void agg_rows_fini(struct agg_rows *rows);

struct agg_run {
    const struct agg_plan *plan;
    struct arena *arena;
    struct agg_rows rows;        /* in and out: of the first stage, then of the last */
    bool (*is_over)(void *user); /* NULL, or: the time is over */
    void *user;
    bool timed_out; /* out: what was there by then was used */
    uint64_t seed;  /* of RANDOM_SAMPLE, and of hashes */
};

/* Runs the steps. ERR_ARG, ERR_LIMIT, ERR_NOMEM with the reason. */
MUST_USE enum err agg_run(struct agg_run *run, struct why *why);

/* aggregate_group.c */
MUST_USE enum err agg_group(struct agg_run *run, const struct agg_step *step,
                            const struct agg_stage *next, struct why *why);
/* Stable, by the keys of an ARRANGE; rows that lack one come last. Only the first `most` rows are
 * wanted. */
MUST_USE enum err agg_sort(struct agg_rows *rows, const struct agg_step *step, size_t most);

/* One reducer within one group. */
struct agg_state {
    double sum, mean, spread; /* sum is also what MIN and MAX have so far */
    uint64_t count;
    struct value value, by; /* FIRST_VALUE */
    struct value *items;    /* distinct values, a sample, numbers */
    uint32_t item_count, item_room;
    uint32_t *slots; /* of a hash table of items; 0: free, else an index plus 1 */
    uint32_t slot_count;
};

void agg_state_init(struct agg_state *s, enum agg_reducer_kind kind);
void agg_state_add(struct agg_state *s, const struct agg_reducer *r, const struct value *row,
                   struct arena *arena, uint64_t *seed);
struct value agg_state_value(struct agg_state *s, const struct agg_reducer *r);

#endif
