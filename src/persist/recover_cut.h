/* recover_cut.h: the end of a recovery: is what stands behind the last good record a torn tail or a
 * loss, and the files after the decision. The lane's part of recover_log.c. */
#ifndef VDB_PERSIST_RECOVER_CUT_H
#define VDB_PERSIST_RECOVER_CUT_H

#include "persist/recover_log.h"

/* Decides r->torn. ERR_CORRUPT: records are lost, and nobody has asked to repair. */
MUST_USE enum err recover_judge(struct recover_log *r);
/* Makes what was replayed durable; takes the rest out of the way; removes the mark. */
MUST_USE enum err recover_finish(struct recover_log *r);

/* What recover_finish does with a file. */
enum recover_fate { RECOVER_KEEP, RECOVER_CUT, RECOVER_DROP };
enum recover_fate recover_fate(const struct recover_log *r, size_t file);

/* Sets r->why to "<file>, offset <n>: <text>" and returns e. */
MUST_USE enum err recover_why(struct recover_log *r, enum err e, size_t file, uint64_t offset,
                              const char *text);

#endif
