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

/* How many of the nearest it asks for at first, of which refine may make fewer. */
size_t search_first_wanted(const struct search *s);

/* Without a target: rows that a walk follows, or lists that are looked at. */
size_t search_own_effort(const struct search *s);

/* Is a search of this effort a walk, and not a scan of all? */
bool search_walks(const struct collection_view *v, size_t effort);

/* How many of the nearest by code are needed for so many hits, and how many of the rows that a walk
 * found are ranked by exact distances. */
size_t search_candidates(const struct collection_view *v, size_t wanted);
size_t search_rerank_count(const struct collection_view *v, size_t wanted, size_t found);

/* [lane or loop] From here on, time counts for a stage. Costs nothing when nobody asks. */
void search_stage(struct search *s, enum search_stage stage);

#endif
