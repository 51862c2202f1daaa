/* log_clean.h: removes segments of the log that no retained snapshot needs.
 *
 * [lane] reads headers, removes and waits. */
#ifndef VDB_PERSIST_LOG_CLEAN_H
#define VDB_PERSIST_LOG_CLEAN_H

#include "base/io.h"

/* Records at or below lsn are not needed. A segment goes when one that comes after it begins at
 * lsn + 1 at the latest: so the last one stays, whatever is in it, and so does what is damaged and
 * everything behind that. *removed_bytes: of the files that went. What cannot be removed now is
 * next time. */
void log_clean(struct io *io, const char *dir, uint64_t lsn, uint64_t *removed_bytes);

#endif
