/* vector_job.h: searches on behalf of a client: it waits, and its reply is what the lane encoded.
 */
#ifndef VDB_CMD_VECTOR_JOB_H
#define VDB_CMD_VECTOR_JOB_H

#include "cmd/command.h"
#include "db/search.h"

/* Starts s for the client of rq; takes s, whose query and encode (or work) are set. A small one is
 * answered on return; otherwise the client is blocked until done. Errors become its reply. */
void search_for_client(struct request *rq, struct search *s);

/* A filter with what PARAMS gives: names and values in turn, or NULL. An error says where the text
 * is wrong. */
MUST_USE enum err compile_filter(struct slice text, const struct slices *params,
                                 struct filter **out, struct why *why);

#endif
