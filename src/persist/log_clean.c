#include "persist/log_clean.h"

#include "persist/log_files.h"
#include "persist/snapshot_files.h"

/* Does a whole segment behind this one begin at lsn + 1 or before? Then what counts of this one,
 * by the rule of log_files.h, is at or below lsn. */
static bool is_passed(const struct log_files *files, size_t at, uint64_t lsn)
{
    for (size_t i = at + 1; i < files->count; i++)
        if (files->list[i].state == OK && files->list[i].first_lsn <= lsn + 1)
            return true;
    return false;
}

/* Oldest first: what stays is an end of the log, without a gap. */
static uint64_t remove_passed(struct io *io, const char *dir, const struct log_files *files,
                              uint64_t lsn)
{
    uint64_t removed = 0;
    for (size_t i = 0; i < files->count; i++) {
        const struct log_file *f = &files->list[i];
        char name[LOG_NAME_SIZE], path[SNAPSHOT_PATH_SIZE];
        if (f->state != OK || !is_passed(files, i, lsn))
            break;
        log_segment_name(f->generation, f->first_lsn, name);
        if (snapshot_path(dir, name, path) != OK || io->ops->remove(io, path) != OK)
            break;
        removed += f->size;
    }
    return removed;
}

void log_clean(struct io *io, const char *dir, uint64_t lsn, uint64_t *removed_bytes)
{
    struct log_files files;
    struct why why;
    *removed_bytes = 0;
    if (log_files_read(io, dir, &files, &why) != OK)
        return;
    *removed_bytes = remove_passed(io, dir, &files, lsn);
    log_files_free(&files);
}
