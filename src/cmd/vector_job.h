/* vector_job.h: searches on behalf of a client: it waits, and its reply is what the lane encoded.
 */
#ifndef VDB_CMD_VECTOR_JOB_H
#define VDB_CMD_VECTOR_JOB_H

#include "cmd/command.h"
#include "db/search.h"

/* Starts s for the client of rq; takes s. */
void search_for_client(struct request *rq, struct search *s);

#endif
