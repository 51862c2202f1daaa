/* snapshot_clean.h: removes the files of snapshots that no retained generation needs.
 *
 * [lane] reads, removes and waits. */
#ifndef VDB_PERSIST_SNAPSHOT_CLEAN_H
#define VDB_PERSIST_SNAPSHOT_CLEAN_H

#include "persist/snapshot_files.h"

/* newest lasts. It stays with its packs, and so do the generation before, newest->previous_lsn, and
 * the snapshot at pinned_lsn (UINT64_MAX: none), which is being copied elsewhere. What cannot be
 * removed now is next time. */
void snapshot_clean(struct io *io, const char *dir, const struct manifest *newest,
                    uint64_t pinned_lsn);

#endif
