/* predicate.h: a FILTER bound to one collection for one search.
 *
 * When all fields it reads are in the schema and it asks nothing that columns cannot say, it runs
 * over the columns: a few nanoseconds a row, where reading the JSON text takes some hundred. The
 * answer is filter_match's in every case (tests/unit/predicate_test.c compares them).
 *
 * owner: made by the loop, which knows the numbers of tags; then immutable, for lanes. */
#ifndef VDB_DB_PREDICATE_H
#define VDB_DB_PREDICATE_H

#include "db/collection.h"
#include "db/filter.h"

struct predicate;

/* filter outlives it. NULL when memory is short. */
MUST_USE struct predicate *predicate_new(const struct filter *filter, const struct fields *fields);
void predicate_free(struct predicate *p);

/* Does it run over columns, where it meets nothing odd? */
bool predicate_is_columnar(const struct predicate *p);

/* Of the field of that number, as plans have it: of the columns that it runs over. */
struct slice predicate_field_name(const struct predicate *p, size_t field);

/* [lane] Does a visible row of the view match? */
bool predicate_match(const struct predicate *p, const struct collection_view *v, uint32_t row);
/* [lane] Fetches what predicate_match will read first. */
void predicate_fetch(const struct predicate *p, const struct collection_view *v, uint32_t row);

#endif
