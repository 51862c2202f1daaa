/* key_filter.h: a query over keys (ft/query.h) as what searches of collections understand: a
 * FILTER over the attributes that indexes.h makes, and radii.
 *
 * Words are matched apart (key_text.h). Pure but for what it looks up in the index. */
#ifndef VDB_DB_KEY_FILTER_H
#define VDB_DB_KEY_FILTER_H

#include "base/limits.h"
#include "db/filter.h"
#include "db/key_text.h"
#include "ft/query.h"

/* Clauses that nest: a leaf has parentheses of its own. */
enum { KEY_FILTER_DEPTH = LIMIT_FILTER_DEPTH - 4 };

struct key_filter {
    struct filter *filter;                             /* NULL: every document matches; owned */
    const struct query_node *radii[LIMIT_QUERY_RADII]; /* all must match */
    size_t radius_count;
    struct key_text *text; /* NULL: there are no words; owned */
};

/* ERR_ARG: a field that is not there or is of another kind; a radius that is not one of the clauses
 * that must all match. ERR_LIMIT: more than a filter holds. */
MUST_USE enum err key_filter_make(struct key_index *x, const struct ft_query *q,
                                  const struct key_text_options *options, struct key_filter *out,
                                  struct why *why);

#endif
