#include "tool/files_io.h"

#include "base/io_file.h"

struct io files_io(void)
{
    static const struct io_ops ops = {
        .file_open = io_file_open,
        .file_read = io_file_read,
        .file_write = io_file_write,
        .file_size = io_file_size,
        .file_truncate = io_file_truncate,
        .file_sync = io_file_sync,
        .file_lock = io_file_lock,
        .file_copy_rights = io_file_copy_rights,
        .file_close = io_file_close,
        .rename = io_path_rename,
        .remove = io_path_remove,
        .sync_dir = io_dir_sync,
        .make_dir = io_dir_make,
        .list_dir = io_dir_list,
    };
    return (struct io){&ops};
}
