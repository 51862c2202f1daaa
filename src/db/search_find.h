/* search_find.h: the hits of one query, from the cheapest way to them. Between search.c, which runs
 * searches as jobs, and the lane that one runs on. */
#ifndef VDB_DB_SEARCH_FIND_H
#define VDB_DB_SEARCH_FIND_H

#include "db/search.h"

/* [lane] Finds the hits of a query (dim floats) and hands them to s->encode; or only decides how
 * it would, when s->explain says so. */
MUST_USE enum err search_find(struct search *s, struct lane *lane, const float *query);

/* [loop] Would it scan the rows that an index names? Then they are wanted before it starts. */
bool search_wants_rows(const struct search *s);

/* [lane or loop] From here on, time counts for a stage. Costs nothing when nobody asks. */
void search_stage(struct search *s, enum search_stage stage);

#endif
