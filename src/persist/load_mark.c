#include "persist/load_mark.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "persist/log_writer.h"

#define MARK_MAGIC 0xc14d4456u
enum { MARK_CRC_FROM = 8 };

void load_mark_encode(const struct load_mark *m, uint8_t out[LOAD_MARK_SIZE])
{
    struct {
        uint32_t magic, crc;
        uint64_t lsn;
        uint32_t tries, zero;
        uint64_t rest;
    } mark = {.magic = htole32(MARK_MAGIC), .lsn = htole64(m->lsn), .tries = htole32(m->tries)};
    _Static_assert(sizeof(mark) == LOAD_MARK_SIZE, "no holes");
    mark.crc =
        htole32(crc32c_extend(0, (uint8_t *)&mark + MARK_CRC_FROM, LOAD_MARK_SIZE - MARK_CRC_FROM));
    memcpy(out, &mark, sizeof(mark));
}

static struct load_mark mark_parse(struct slice bytes)
{
    struct bytes_reader r = {.left = bytes};
    struct load_mark mark;
    bool known = bytes_get_u32(&r) == MARK_MAGIC;
    uint32_t crc = bytes_get_u32(&r);
    bool whole = known && bytes.len == LOAD_MARK_SIZE &&
                 crc == crc32c_extend(0, r.left.ptr, LOAD_MARK_SIZE - MARK_CRC_FROM);
    mark.lsn = bytes_get_u64(&r);
    mark.tries = bytes_get_u32(&r);
    return whole ? mark : (struct load_mark){0};
}

enum err load_mark_read(struct io *io, const char *dir, struct load_mark *out, struct why *why)
{
    char path[LOG_PATH_SIZE];
    struct buf bytes = BUF_INIT(MEM_LOG);
    log_path(path, dir, LOAD_MARK_NAME);
    enum err e = io_read_file(io, path, LOAD_MARK_SIZE, &bytes, why);
    *out = mark_parse(buf_slice(&bytes));
    buf_fini(&bytes);
    if (e != ERR_NOT_FOUND && e != ERR_LIMIT)
        return e;
    if (why != NULL)
        why->text[0] = '\0';
    return OK;
}

enum err load_mark_open(struct io *io, const char *dir, struct io_file **out, struct why *why)
{
    char path[LOG_PATH_SIZE];
    log_path(path, dir, LOAD_MARK_NAME);
    return io->ops->file_open(io, path, IO_WRITE | IO_CREATE, out, why);
}

enum err load_mark_remove(struct io *io, const char *dir)
{
    char path[LOG_PATH_SIZE];
    log_path(path, dir, LOAD_MARK_NAME);
    enum err e = io->ops->remove(io, path);
    return e == ERR_NOT_FOUND ? OK : e;
}

static void aside_name(uint64_t lsn, char out[LOAD_ASIDE_NAME_SIZE])
{
    int n = snprintf(out, LOAD_ASIDE_NAME_SIZE, "aside-%016" PRIx64 ".vrec", lsn);
    CHECK(n > 0 && n < LOAD_ASIDE_NAME_SIZE);
}

bool load_aside_name_parse(const char *name, uint64_t *lsn)
{
    char same[LOAD_ASIDE_NAME_SIZE];
    if (sscanf(name, "aside-%16" SCNx64 ".vrec", lsn) != 1)
        return false;
    aside_name(*lsn, same);
    return strcmp(same, name) == 0;
}

enum err load_aside_write(struct io *io, const char *dir, uint64_t lsn, struct slice record,
                          struct why *why)
{
    char name[LOAD_ASIDE_NAME_SIZE], path[LOG_PATH_SIZE];
    struct io_file *file;
    aside_name(lsn, name);
    log_path(path, dir, name);
    enum err e = io->ops->file_open(io, path, IO_WRITE | IO_CREATE, &file, why);
    if (e != OK)
        return e;
    e = io->ops->file_write(file, 0, record.ptr, record.len);
    if (e == OK)
        e = io->ops->file_sync(file);
    io->ops->file_close(file);
    if (e == OK)
        e = io->ops->sync_dir(io, dir);
    return e == OK ? OK : why_set(why, e, "cannot write %s: %s", path, err_text(e));
}
