/* explain.h: VEXPLAIN: what a search would do, or has done, and why. */
#ifndef VDB_CMD_EXPLAIN_H
#define VDB_CMD_EXPLAIN_H

#include "db/search.h"
#include "net/resp_write.h"

/* The reply of a search that ran with s->explain: pairs of a name and a line. */
void explain_reply(struct reply *r, const struct search *s);

#endif
