#include "persist/log_files.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/plant.h"
#include "persist/log_writer.h"

enum { CLAIMS_WINDOW = 1024 * 1024 };

/* -- listing ----------------------------------------------------------------------------------- */

static void on_name(void *user, const char *name)
{
    struct log_files *files = user;
    uint32_t generation;
    uint64_t first_lsn;
    if (!log_segment_name_parse(name, &generation, &first_lsn))
        return;
    files->list = mem_realloc(MEM_LOG, files->list, (files->count + 1) * sizeof(*files->list));
    files->list[files->count++] =
        (struct log_file){.generation = generation, .first_lsn = first_lsn};
    if (generation > files->generation)
        files->generation = generation;
}

static int in_order(const void *a, const void *b)
{
    const struct log_file *x = a, *y = b;
    if (x->generation != y->generation)
        return x->generation < y->generation ? -1 : 1;
    return x->first_lsn < y->first_lsn ? -1 : x->first_lsn > y->first_lsn;
}

static enum err open_by_name(struct io *io, const char *dir, const char *name, int flags,
                             struct io_file **out, struct why *why)
{
    char path[LOG_PATH_SIZE];
    log_path(path, dir, name);
    return io->ops->file_open(io, path, flags, out, why);
}

enum err log_file_open(struct io *io, const char *dir, const struct log_file *f, int flags,
                       struct io_file **out, struct why *why)
{
    char name[LOG_NAME_SIZE];
    log_segment_name(f->generation, f->first_lsn, name);
    return open_by_name(io, dir, name, flags, out, why);
}

static enum err cannot_read(const struct log_file *f, enum err e, struct why *why)
{
    char name[LOG_NAME_SIZE];
    log_segment_name(f->generation, f->first_lsn, name);
    return why_set(why, e, "cannot read %s: %s", name, err_text(e));
}

/* Damage is for the caller to judge and no error here. */
static enum err read_header(struct io *io, const char *dir, struct log_file *f, struct why *why)
{
    uint8_t bytes[LOG_SEGMENT_HEADER_SIZE];
    struct io_file *file;
    size_t got = 0;
    enum err e = log_file_open(io, dir, f, IO_READ, &file, why);
    if (e != OK)
        return e;
    e = io->ops->file_size(file, &f->size);
    if (e == OK)
        e = io->ops->file_read(file, 0, bytes, sizeof(bytes), &got);
    io->ops->file_close(file);
    if (e != OK)
        return cannot_read(f, e, why);
    f->state = log_segment_parse((struct slice){bytes, got}, &f->head, &f->why);
    if (f->state == OK &&
        (f->head.generation != f->generation || f->head.first_lsn != f->first_lsn))
        f->state = why_set(&f->why, ERR_CORRUPT, "its name and its header contradict each other");
    return OK;
}

static void set_limits(struct log_files *files)
{
    uint64_t limit = UINT64_MAX;
    for (size_t i = files->count; i > 0; i--) {
        struct log_file *f = &files->list[i - 1];
        f->limit_lsn = PLANTED(PLANT_STALE_SEGMENT) ? UINT64_MAX : limit;
        if (f->state == OK && f->first_lsn < limit)
            limit = f->first_lsn;
    }
}

/* A folder keeps its salt, so a segment that has lost its header has that of the others. */
static void set_salts(struct log_files *files)
{
    files->salt = files->has_note ? files->note.salt : 0;
    for (size_t i = 0; i < files->count; i++)
        if (files->list[i].state == OK)
            files->salt = files->list[i].head.salt;
    for (size_t i = 0; i < files->count; i++)
        if (files->list[i].state != OK)
            files->list[i].head = (struct log_segment){.salt = files->salt};
}

/* There need not be one. */
static enum err read_note(struct io *io, const char *dir, struct log_files *files, struct why *why)
{
    uint8_t bytes[LOG_NOTE_SIZE];
    struct io_file *file;
    size_t got = 0;
    enum err e = open_by_name(io, dir, LOG_NOTE_NAME, IO_READ, &file, why);
    if (e != OK)
        return e == ERR_NOT_FOUND ? OK : e;
    e = io->ops->file_read(file, 0, bytes, sizeof(bytes), &got);
    io->ops->file_close(file);
    if (e != OK)
        return why_set(why, e, "cannot read %s: %s", LOG_NOTE_NAME, err_text(e));
    struct slice found = {bytes, got};
    struct log_segment segment;
    files->has_note = log_note_parse(found, &files->note);
    /* A note that is not whole is what a crash leaves; this is what a person leaves. */
    if (!files->has_note && log_segment_parse(found, &segment, NULL) == OK)
        return why_set(why, ERR_CORRUPT, "%s is a segment of a log under another name",
                       LOG_NOTE_NAME);
    return OK;
}

enum err log_files_read(struct io *io, const char *dir, struct log_files *out, struct why *why)
{
    *out = (struct log_files){0};
    enum err e = io->ops->list_dir(io, dir, on_name, out);
    if (e != OK)
        e = why_set(why, e, "cannot list the folder %s: %s", dir, err_text(e));
    if (e == OK && out->count > 0)
        qsort(out->list, out->count, sizeof(*out->list), in_order);
    for (size_t i = 0; i < out->count && e == OK; i++)
        e = read_header(io, dir, &out->list[i], why);
    if (e == OK)
        e = read_note(io, dir, out, why);
    if (e != OK) {
        log_files_free(out);
        return e;
    }
    set_limits(out);
    set_salts(out);
    return OK;
}

void log_files_free(struct log_files *files)
{
    mem_free(MEM_LOG, files->list);
    *files = (struct log_files){0};
}

/* -- claims ------------------------------------------------------------------------------------ */

/* Windows overlap by a header, so that none is missed at a border. */
static enum err claims_of(struct io_file *file, uint64_t from, uint32_t salt, uint8_t *window,
                          uint64_t *durable_lsn)
{
    struct io *io = file->io;
    size_t got = CLAIMS_WINDOW;
    enum err e = OK;
    while (e == OK && got == CLAIMS_WINDOW) {
        e = io->ops->file_read(file, from, window, CLAIMS_WINDOW, &got);
        uint64_t claim = e == OK ? log_claims((struct slice){window, got}, salt) : 0;
        if (claim > *durable_lsn)
            *durable_lsn = claim;
        from += CLAIMS_WINDOW - LOG_RECORD_HEADER_SIZE;
    }
    return e;
}

enum err log_file_claims(struct io *io, const char *dir, const struct log_file *f, uint64_t offset,
                         uint64_t *durable_lsn, struct why *why)
{
    _Static_assert((CLAIMS_WINDOW - LOG_RECORD_HEADER_SIZE) % LOG_ALIGNMENT == 0,
                   "windows begin where records may");
    struct io_file *file;
    if (f->state == OK && f->head.durable_lsn > *durable_lsn)
        *durable_lsn = f->head.durable_lsn;
    enum err e = log_file_open(io, dir, f, IO_READ, &file, why);
    if (e != OK)
        return e;
    uint8_t *window = mem_alloc(MEM_LOG, CLAIMS_WINDOW);
    e = claims_of(file, offset / LOG_ALIGNMENT * LOG_ALIGNMENT, f->head.salt, window, durable_lsn);
    mem_free(MEM_LOG, window);
    io->ops->file_close(file);
    return e == OK ? OK : cannot_read(f, e, why);
}

enum err log_file_find(struct io_file *file, uint32_t salt, uint64_t lsn, uint64_t offset,
                       struct log_cursor *out)
{
    struct io *io = file->io;
    uint8_t *window = mem_alloc(MEM_LOG, CLAIMS_WINDOW);
    size_t got = CLAIMS_WINDOW, found = SIZE_MAX;
    enum err e = OK;
    CHECK(offset % LOG_ALIGNMENT == 0);
    while (e == OK && got == CLAIMS_WINDOW && found == SIZE_MAX) {
        e = io->ops->file_read(file, offset, window, CLAIMS_WINDOW, &got);
        if (e == OK)
            found = log_find((struct slice){window, got}, salt, lsn);
        if (found == SIZE_MAX)
            offset += CLAIMS_WINDOW - LOG_RECORD_HEADER_SIZE;
    }
    if (found != SIZE_MAX)
        *out = log_cursor_at(window + found, offset + found, salt);
    else if (e == OK)
        e = ERR_NOT_FOUND;
    mem_free(MEM_LOG, window);
    return e;
}
