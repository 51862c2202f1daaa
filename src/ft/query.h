/* query.h: the query language of FT.SEARCH and FT.AGGREGATE, read into a tree.
 *
 * The grammar is RediSearch's of dialects 1 to 4; README.md tells it whole. In short: words and
 * clauses side by side must all match, `|` is or, `-` not, `~` optional; `@f:word`, `@f:{tag|tag}`,
 * `@f:[1 (9]`, `@f:[lon lat radius km]`, `@f:[VECTOR_RANGE r $v]`, `@f >= 5`, ismissing(@f), and at
 * the end `=>[KNN k @f $v AS name]`. `=>{$name: value}` speaks of the clause before it.
 *
 * Pure: knows nothing of an index; whoever runs the tree checks names and types of fields. */
#ifndef VDB_FT_QUERY_H
#define VDB_FT_QUERY_H

#include "base/buf.h"
#include "base/err.h"

enum query_kind {
    QUERY_ALL,      /* * */
    QUERY_AND,      /* every child */
    QUERY_OR,       /* any child */
    QUERY_NOT,      /* one child */
    QUERY_OPTIONAL, /* one child: adds to the score only */
    QUERY_PHRASE,   /* its children are QUERY_WORDs that follow each other */
    QUERY_WORD,
    QUERY_PREFIX,   /* hel* */
    QUERY_SUFFIX,   /* *llo */
    QUERY_INFIX,    /* *ell* */
    QUERY_WILDCARD, /* w'h?l*' */
    QUERY_FUZZY,    /* %hello%: edits */
    QUERY_TAG,      /* its children, QUERY_WORD to QUERY_WILDCARD, are values; any may match */
    QUERY_NUMERIC,
    QUERY_GEO,
    QUERY_RADIUS, /* vectors within a distance */
    QUERY_MISSING /* the document has no such field */
};

#define QUERY_NO_NODE UINT32_MAX
enum { QUERY_EDITS_MAX = 3 };

/* What =>{...} said. Names that were not given: NAN, -1, empty. */
struct query_traits {
    double weight;
    int64_t slop;
    int8_t in_order;          /* -1, 0 or 1 */
    struct slice distance_as; /* $yield_distance_as */
    double epsilon;
    int64_t ef_runtime;
};

struct query_range {
    double low, high; /* may be infinite */
    bool low_open, high_open;
};

struct query_circle {
    double longitude, latitude; /* degrees */
    double radius_m;
};

struct query_near {
    double radius;
    struct slice vector; /* bytes as PARAMS gave them */
};

struct query_node {
    enum query_kind kind;
    uint32_t child;       /* the first, or QUERY_NO_NODE */
    uint32_t next;        /* the next child of the same node, or QUERY_NO_NODE */
    uint32_t from;        /* this node and all below it are nodes from .. itself */
    uint32_t field;       /* the first of its fields in query.fields */
    uint32_t field_count; /* 0: every TEXT field */
    uint32_t traits;      /* in query.traits, or QUERY_NO_NODE */
    uint8_t edits;        /* QUERY_FUZZY */
    bool quoted;          /* QUERY_WORD below QUERY_TAG: came in quotes */
    struct slice text;    /* QUERY_WORD .. QUERY_FUZZY, escapes resolved */
    union {
        struct query_range range;
        struct query_circle circle;
        struct query_near near;
    };
};

/* =>[KNN k @field $vector ...] */
struct query_knn {
    bool given;
    uint64_t k;
    struct slice field;
    struct slice vector;
    struct slice distance_as; /* empty: __<field>_score */
    int64_t ef_runtime;       /* -1: not given */
    double epsilon;           /* NAN: not given */
};

struct ft_query {
    struct query_node *nodes;
    uint32_t node_count, node_capacity;
    uint32_t root;
    struct slice *fields; /* names, without @ */
    uint32_t field_count, field_capacity;
    struct query_traits *traits;
    uint32_t trait_count, trait_capacity;
    struct query_knn knn;
    struct buf text; /* the bytes of all slices */
};

struct query_param {
    struct slice name;
    struct slice value;
};

/* Reads text (limits: LIMIT_QUERY_*). dialect: 1 to 4. Errors are RediSearch's: "Syntax error at
 * offset %zu near %s", "No such parameter `%s`". Copies what it needs; query_fini frees it, also
 * after an error. */
MUST_USE enum err query_parse(struct slice text, unsigned dialect, const struct query_param *params,
                              size_t param_count, struct ft_query *out, struct why *why);
void query_fini(struct ft_query *q);

/* A clause that stands beside a query: QUERY_NUMERIC or QUERY_GEO. */
struct query_clause {
    struct slice field;
    struct query_node node;
};

/* The query and each of the clauses must match. Names of fields stay as long as the query.
 * ERR_LIMIT, ERR_NOMEM. */
MUST_USE enum err query_require(struct ft_query *q, const struct query_clause *clauses,
                                size_t count, struct why *why);
/* Metres of m, km, mi or ft; 0: it is no unit. */
double query_unit_metres(struct slice unit);

/* Appends the tree as FT.EXPLAIN prints it, a line for each node. */
void query_print(const struct ft_query *q, struct buf *out);

#endif
