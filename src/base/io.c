#include "base/io.h"

bool io_addr_is_local(const struct io_addr *addr)
{
    return addr->is_unix || strncmp(addr->host, "127.", 4) == 0 || strcmp(addr->host, "::1") == 0 ||
           strncmp(addr->host, "::ffff:127.", 11) == 0;
}

enum err io_read_file(struct io *io, const char *path, size_t max, struct buf *out,
                      struct why *why)
{
    CHECK(io != NULL && path != NULL && out != NULL);
    struct io_file *file;
    uint64_t size;
    size_t got = 0;
    enum err e = io->ops->file_open(io, path, IO_READ, &file, why);
    if (e != OK)
        return e;
    e = io->ops->file_size(file, &size);
    if (e != OK)
        goto close;
    if (size > max) {
        e = why_set(why, ERR_LIMIT, "%s has %llu bytes, the limit is %zu", path,
                    (unsigned long long)size, max);
        goto close;
    }
    uint8_t *to = buf_reserve(out, (size_t)size);
    if (to == NULL && size > 0) {
        e = ERR_NOMEM;
        goto close;
    }
    e = io->ops->file_read(file, 0, to, (size_t)size, &got);
    if (e == OK)
        buf_advance(out, got);

close:
    io->ops->file_close(file);
    return e;
}
