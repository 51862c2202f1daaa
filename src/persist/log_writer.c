#include "persist/log_writer.h"

#include <stdio.h>

#include "base/plant.h"

void log_path(char out[LOG_PATH_SIZE], const char *dir, const char *name)
{
    int n = snprintf(out, LOG_PATH_SIZE, "%s/%s", dir, name);
    CHECK(n > 0 && n < LOG_PATH_SIZE);
}

void log_writer_init(struct log_writer *w, struct io *io, const char *dir, const char *run_id,
                     uint32_t salt, uint32_t generation)
{
    CHECK(strlen(dir) < sizeof(w->dir) && strlen(run_id) == LOG_RUN_ID_SIZE);
    *w = (struct log_writer){.io = io, .salt = salt, .generation = generation};
    memcpy(w->dir, dir, strlen(dir) + 1);
    memcpy(w->run_id, run_id, sizeof(w->run_id));
}

void log_writer_abandon(struct log_writer *w)
{
    char path[LOG_PATH_SIZE];
    if (w->file != NULL)
        w->io->ops->file_close(w->file);
    w->file = NULL;
    if (w->unnamed) {
        log_path(path, w->dir, LOG_UNNAMED);
        enum err ignored = w->io->ops->remove(w->io, path);
        (void)ignored; /* the next one removes it, too; but a full disk wants the room now */
    }
    w->dirty = w->unnamed = false;
    w->size = 0;
}

void log_writer_fini(struct log_writer *w)
{
    log_writer_abandon(w);
    if (w->note != NULL)
        w->io->ops->file_close(w->note);
    w->note = NULL;
}

static enum err write_header(struct log_writer *w, const struct log_segment *head)
{
    uint8_t bytes[LOG_SEGMENT_HEADER_SIZE];
    struct log_segment full = *head;
    memcpy(full.run_id, w->run_id, sizeof(full.run_id));
    full.generation = w->generation;
    full.salt = w->salt;
    log_segment_encode(&full, bytes);
    enum err e = w->io->ops->file_write(w->file, 0, bytes, sizeof(bytes));
    if (e != OK)
        return e;
    w->dirty = true;
    w->size = LOG_SEGMENT_HEADER_SIZE;
    w->first_lsn = head->first_lsn;
    return OK;
}

/* A new file, and its header. */
static enum err make_file(struct log_writer *w, const char *path, const struct log_segment *head)
{
    struct io *io = w->io;
    enum err e = io->ops->file_open(io, path, IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &w->file, NULL);
    return e == OK ? write_header(w, head) : e;
}

enum err log_writer_begin(struct log_writer *w, const struct log_segment *head)
{
    char name[LOG_NAME_SIZE], path[LOG_PATH_SIZE];
    CHECK(w->file != NULL && !w->unnamed);
    enum err e = PLANTED(PLANT_ROTATE_UNSYNCED) ? OK : log_writer_sync(w);
    if (e != OK)
        return e;
    log_writer_abandon(w);
    log_segment_name(w->generation, head->first_lsn, name);
    log_path(path, w->dir, name);
    e = make_file(w, path, head);
    if (e == OK)
        e = log_writer_sync(w);
    if (e == OK && !PLANTED(PLANT_NO_DIR_SYNC))
        e = w->io->ops->sync_dir(w->io, w->dir);
    if (e != OK) {
        log_writer_abandon(w);
        enum err ignored = w->io->ops->remove(w->io, path);
        (void)ignored; /* nothing was acknowledged in it, so it may stay */
        return e;
    }
    w->segments++;
    return OK;
}

enum err log_writer_begin_generation(struct log_writer *w, const struct log_segment *head)
{
    char path[LOG_PATH_SIZE];
    log_writer_abandon(w);
    log_path(path, w->dir, LOG_UNNAMED);
    enum err e = w->io->ops->remove(w->io, path);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    w->generation++;
    w->unnamed = true;
    return make_file(w, path, head);
}

enum err log_writer_name(struct log_writer *w)
{
    char name[LOG_NAME_SIZE], from[LOG_PATH_SIZE], to[LOG_PATH_SIZE];
    if (!w->unnamed)
        return OK;
    log_path(from, w->dir, LOG_UNNAMED);
    log_segment_name(w->generation, w->first_lsn, name);
    log_path(to, w->dir, name);
    enum err e = log_writer_sync(w);
    if (e == OK)
        e = w->io->ops->rename(w->io, from, to);
    if (e == OK && !PLANTED(PLANT_NO_DIR_SYNC))
        e = w->io->ops->sync_dir(w->io, w->dir);
    if (e != OK)
        return e;
    w->unnamed = false;
    w->segments++;
    return OK;
}

enum err log_writer_write(struct log_writer *w, struct slice bytes)
{
    CHECK(w->file != NULL && bytes.len % LOG_ALIGNMENT == 0);
    enum err e = w->io->ops->file_write(w->file, w->size, bytes.ptr, bytes.len);
    if (e != OK && !PLANTED(PLANT_WRITE_IGNORED))
        return e;
    w->dirty = true;
    w->size += bytes.len;
    w->bytes += bytes.len;
    return OK;
}

enum err log_writer_sync(struct log_writer *w)
{
    if (!w->dirty)
        return OK;
    enum err e = w->io->ops->file_sync(w->file);
    if (e != OK)
        return e;
    w->dirty = false;
    w->syncs++;
    return OK;
}

enum err log_writer_note(struct log_writer *w, uint64_t durable_lsn, uint64_t wall_ms, bool clean)
{
    uint8_t slot[LOG_NOTE_SLOT_SIZE];
    char path[LOG_PATH_SIZE];
    enum err e = OK;
    if (w->note == NULL) {
        log_path(path, w->dir, LOG_NOTE_NAME);
        e = w->io->ops->file_open(w->io, path, IO_WRITE | IO_CREATE, &w->note, NULL);
    }
    if (e != OK)
        return e;
    struct log_note note = {.sequence = w->note_sequence + 1,
                            .durable_lsn = durable_lsn,
                            .wall_ms = wall_ms,
                            .generation = w->generation,
                            .salt = w->salt,
                            .clean = clean};
    log_note_encode(&note, slot);
    e = w->io->ops->file_write(w->note, note.sequence % 2 * LOG_NOTE_SLOT_SIZE, slot, sizeof(slot));
    if (e == OK && clean)
        e = w->io->ops->file_sync(w->note);
    /* A slot that failed is written again, so that the other one stays whole. */
    if (e == OK)
        w->note_sequence++;
    return e;
}
