/* format_own.h: what the readers of the formats share, for format_*.c only. */
#ifndef VDB_TOOL_FORMAT_OWN_H
#define VDB_TOOL_FORMAT_OWN_H

#include "tool/format.h"

extern const struct source_ops fbin_ops;
extern const struct source_ops fvecs_ops;
extern const struct source_ops npy_ops;
extern const struct source_ops jsonl_ops;

/* Takes exactly size bytes; what names them in the error when the file ends before. */
MUST_USE enum err source_take(struct source *s, void *to, size_t size, const char *what,
                              struct why *why);
/* Takes up to size bytes; 0 at the end of the file. */
size_t source_take_some(struct source *s, void *to, size_t size);

/* Sets dim, refusing what no collection can hold, and makes room for a row. */
MUST_USE enum err source_set_dim(struct source *s, uint64_t dim, struct why *why);
/* Refuses a file that has not as many bytes as its header promises. */
MUST_USE enum err source_check_size(struct source *s, uint64_t header_size, uint64_t count,
                                    uint64_t row_size, struct why *why);

#endif
