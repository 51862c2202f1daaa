/* merge.h: JSON Merge Patch (RFC 7386). Pure, but for its buffer. */
#ifndef VDB_JSON_MERGE_H
#define VDB_JSON_MERGE_H

#include "base/buf.h"
#include "base/err.h"

/* Appends what the patch makes of the target, both texts of documents. What is not an object takes
 * the target's place. The result may be nested deeper than documents are. ERR_NOMEM; ERR_LIMIT:
 * looking up all names of the one in the other would take too long. */
MUST_USE enum err jmerge(struct slice target, struct slice patch, struct buf *out, struct why *why);

#endif
