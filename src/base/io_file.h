/* io_file.h: the file operations of io.h over the operating system's calls.
 *
 * No state besides the open files; a real implementation of io.h puts these functions into its
 * io_ops. They block, and one thread at a time uses a file. Interrupted and short reads and writes
 * are continued here. */
#ifndef VDB_BASE_IO_FILE_H
#define VDB_BASE_IO_FILE_H

#include "base/io.h"

/* ERR_NOT_FOUND, ERR_EXISTS or ERR_IO, and the system's words for it. */
MUST_USE enum err io_file_open(struct io *io, const char *path, int flags, struct io_file **out,
                               struct why *why);
MUST_USE enum err io_file_read(struct io_file *f, uint64_t at, void *to, size_t len, size_t *got);
MUST_USE enum err io_file_write(struct io_file *f, uint64_t at, const void *from, size_t len);
MUST_USE enum err io_file_size(struct io_file *f, uint64_t *out);
MUST_USE enum err io_file_truncate(struct io_file *f, uint64_t size);
MUST_USE enum err io_file_sync(struct io_file *f);
MUST_USE enum err io_file_lock(struct io_file *f);
MUST_USE enum err io_file_copy_rights(struct io_file *from, struct io_file *to);
void io_file_close(struct io_file *f);
void io_file_on_crash(struct io *io, struct io_file *f, const void *bytes, size_t size);

MUST_USE enum err io_path_rename(struct io *io, const char *from, const char *to);
MUST_USE enum err io_path_remove(struct io *io, const char *path);
MUST_USE enum err io_dir_sync(struct io *io, const char *dir);
MUST_USE enum err io_dir_make(struct io *io, const char *dir);
MUST_USE enum err io_dir_list(struct io *io, const char *dir,
                              void (*on_name)(void *user, const char *name), void *user);
/* Relative paths start at dir from now on; out gets its absolute path. ERR_LIMIT: no room. */
MUST_USE enum err io_dir_enter(const char *dir, char *out, size_t size);

#endif
