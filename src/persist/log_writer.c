#include "persist/log_writer.h"

#include <stdio.h>

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
    if (w->file != NULL)
        w->io->ops->file_close(w->file);
    w->file = NULL;
    w->dirty = false;
    w->size = 0;
}

void log_writer_fini(struct log_writer *w)
{
    log_writer_abandon(w);
    if (w->note != NULL)
        w->io->ops->file_close(w->note);
    w->note = NULL;
}

/* Writes the header and makes it and the file's name durable. */
static enum err write_header(struct log_writer *w, struct log_segment *head)
{
    uint8_t bytes[LOG_SEGMENT_HEADER_SIZE];
    memcpy(head->run_id, w->run_id, sizeof(head->run_id));
    head->generation = w->generation;
    head->salt = w->salt;
    log_segment_encode(head, bytes);
    enum err e = w->io->ops->file_write(w->file, 0, bytes, sizeof(bytes));
    if (e == OK)
        e = w->io->ops->file_sync(w->file);
    if (e == OK)
        e = w->io->ops->sync_dir(w->io, w->dir);
    return e;
}

enum err log_writer_begin(struct log_writer *w, bool new_generation, const struct log_segment *head)
{
    char name[LOG_NAME_SIZE], path[LOG_PATH_SIZE];
    struct log_segment full = *head;
    CHECK(new_generation || w->file != NULL);
    enum err e = log_writer_sync(w);
    if (e != OK)
        return e;
    log_writer_abandon(w);
    w->generation += new_generation;
    log_segment_name(w->generation, head->first_lsn, name);
    log_path(path, w->dir, name);
    e = w->io->ops->file_open(w->io, path, IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &w->file, NULL);
    if (e != OK)
        return e;
    e = write_header(w, &full);
    if (e != OK) {
        log_writer_abandon(w);
        enum err ignored = w->io->ops->remove(w->io, path);
        (void)ignored; /* nothing was acknowledged in it, so it may stay */
        return e;
    }
    w->size = LOG_SEGMENT_HEADER_SIZE;
    w->first_lsn = head->first_lsn;
    w->segments++;
    w->syncs++;
    return OK;
}

enum err log_writer_write(struct log_writer *w, struct slice bytes)
{
    CHECK(w->file != NULL && bytes.len % LOG_ALIGNMENT == 0);
    enum err e = w->io->ops->file_write(w->file, w->size, bytes.ptr, bytes.len);
    if (e != OK)
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
