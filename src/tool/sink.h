/* sink.h: files that vdb export writes and vdb import reads.
 *
 *   jsonl  {"id":"a","vector":[0.5,1],"attributes":{..},"partition":"p","expires_at_ms":1790..},
 *          without what an element has not; an id that is no UTF-8 stands in "id64" as base64, an
 *          attribute that is no object, or is not written as import writes one, in
 *          "attributes64"
 *   fbin   as in format.h: vectors alone; ids and attributes go into files of lines beside
 *
 * The file has its name only once it is whole: until then it is called NAME.part. */
#ifndef VDB_TOOL_SINK_H
#define VDB_TOOL_SINK_H

#include <stdio.h>

#include "tool/format.h"

/* owner: caller */
struct sink {
    const char *path, *ids_path, *attrs_path; /* "-": standard output; NULL: none */
    FILE *file, *ids, *attrs;
    enum format format;
    uint32_t dim;
    uint64_t count;
    struct buf line;
};

/* ERR_IO, ERR_ARG. ids_path, attrs_path: of fbin. */
MUST_USE enum err sink_open(struct sink *s, const char *path, enum format format, uint32_t dim,
                            const char *ids_path, const char *attrs_path, struct why *why);
/* ERR_IO; ERR_ARG: lines cannot hold the id or the attribute. */
MUST_USE enum err sink_add(struct sink *s, const struct row *row, struct why *why);
/* What was written gets its names. */
MUST_USE enum err sink_finish(struct sink *s, struct why *why);
/* After sink_finish, or without it: then what was written goes. */
void sink_close(struct sink *s);

#endif
