/* index_filter.h: FILTER of FT.CREATE: an expression over a document's fields that says whether the
 * index has it. The expressions are those of FT.AGGREGATE. Pure. */
#ifndef VDB_FT_INDEX_FILTER_H
#define VDB_FT_INDEX_FILTER_H

#include "ft/expr.h"

enum { INDEX_FILTER_NAMES_MAX = 64 };

struct index_filter;

/* Errors are those of expr_compile; ERR_LIMIT. */
MUST_USE enum err index_filter_new(struct slice text, struct index_filter **out, struct why *why);
void index_filter_free(struct index_filter *f); /* NULL is allowed */

/* The value of a field; VALUE_NONE: there is no such. */
typedef struct value index_filter_read(void *user, struct slice name);
/* What cannot be evaluated, such as for lack of a field, does not pass. ERR_NOMEM. */
MUST_USE enum err index_filter_passes(const struct index_filter *f, index_filter_read *read,
                                      void *user, bool *passes);

#endif
