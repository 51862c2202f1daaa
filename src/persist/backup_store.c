/* backup_store.c: what is in a store, and which dataset a folder is. */
#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"
#include "persist/backup.h"
#include "persist/log_writer.h"

enum { SMALL_TEXT_MAX = 4096, OBJECTS_MAX = 4 << 20 };

static const char dataset_temporary[] = "dataset.tmp";

/* -- listing ----------------------------------------------------------------------------------- */

static void on_name(void *user, const char *name, uint64_t size)
{
    struct buf *objects = user;
    struct backup_object object = {.size = size};
    if (backup_name_parse(name, &object.name) &&
        objects->len / sizeof(object) <
            OBJECTS_MAX) /* what is beyond is neither used nor removed */
        buf_append(objects, &object, sizeof(object));
}

enum err backup_list_objects(struct object_store *store, const char *dataset, struct buf *out,
                             struct why *why)
{
    char prefix[BACKUP_DATASET_SIZE + 2];
    (void)snprintf(prefix, sizeof(prefix), "%s-", dataset);
    enum err e = store->ops->list(store, prefix, on_name, out, why);
    return e == OK && buf_failed(out) ? ERR_NOMEM : e;
}

/* -- contents ---------------------------------------------------------------------------------- */

void backup_contents_fini(struct backup_contents *c)
{
    for (size_t i = 0; i < c->list_count; i++)
        backup_list_fini(&c->lists[i]);
    mem_free(MEM_SNAPSHOT, c->lists);
    mem_free(MEM_SNAPSHOT, c->segments);
    *c = (struct backup_contents){0};
}

static int by_lsn(const void *a, const void *b)
{
    const struct backup_list *x = a, *y = b;
    return x->lsn < y->lsn ? -1 : x->lsn > y->lsn;
}

static int in_log_order(const void *a, const void *b)
{
    const struct backup_segment *x = a, *y = b;
    if (x->generation != y->generation)
        return x->generation < y->generation ? -1 : 1;
    return x->first_lsn < y->first_lsn ? -1 : x->first_lsn > y->first_lsn;
}

/* Reads a backup's list, which has to be of the backup that its name says. */
static enum err get_list(struct object_store *store, const struct backup_name *name,
                         struct backup_list *out, struct why *why)
{
    char text[BACKUP_NAME_SIZE];
    struct buf bytes = BUF_INIT(MEM_SNAPSHOT);
    backup_name_print(name, text);
    enum err e = object_get_whole(store, text, BACKUP_TEXT_MAX, &bytes, why);
    if (e == OK)
        e = backup_list_parse(buf_slice(&bytes), out, why);
    buf_fini(&bytes);
    if (e != OK || (out->lsn == name->lsn && strcmp(out->dataset, name->dataset) == 0))
        return e;
    backup_list_fini(out);
    return why_set(why, ERR_CORRUPT, "object %s is the list of another backup", text);
}

static enum err take_objects(struct object_store *store, const struct backup_object *objects,
                             size_t count, struct backup_contents *out, struct why *why)
{
    enum err e = OK;
    for (size_t i = 0; i < count && e == OK; i++) {
        const struct backup_name *n = &objects[i].name;
        if (n->kind == BACKUP_SEGMENT)
            out->segments[out->segment_count++] =
                (struct backup_segment){n->id, n->lsn, objects[i].size};
        if (n->kind != BACKUP_LIST)
            continue;
        e = get_list(store, n, &out->lists[out->list_count], why);
        out->list_count += e == OK;
        e = e == ERR_NOT_FOUND ? OK : e; /* removed since it was listed */
    }
    return e;
}

enum err backup_read_contents(struct object_store *store, const char *dataset,
                              struct backup_contents *out, struct why *why)
{
    struct buf objects = BUF_INIT(MEM_SNAPSHOT);
    *out = (struct backup_contents){0};
    enum err e = backup_list_objects(store, dataset, &objects, why);
    size_t count = objects.len / sizeof(struct backup_object);
    if (e == OK && count > 0) {
        out->lists = mem_try_calloc(MEM_SNAPSHOT, count * sizeof(*out->lists));
        out->segments = mem_try_calloc(MEM_SNAPSHOT, count * sizeof(*out->segments));
        e = out->lists == NULL || out->segments == NULL ? ERR_NOMEM : OK;
    }
    if (e == OK)
        e = take_objects(store, (const void *)objects.ptr, count, out, why);
    buf_fini(&objects);
    if (e != OK) {
        backup_contents_fini(out);
        return e;
    }
    if (out->list_count > 0)
        qsort(out->lists, out->list_count, sizeof(*out->lists), by_lsn);
    if (out->segment_count > 0)
        qsort(out->segments, out->segment_count, sizeof(*out->segments), in_log_order);
    return OK;
}

bool backup_segment_passed(const struct backup_contents *c, size_t at, uint64_t lsn)
{
    for (size_t i = at + 1; i < c->segment_count; i++)
        if (c->segments[i].first_lsn <= lsn + 1)
            return true;
    return false;
}

enum err backup_get_current(struct object_store *store, struct backup_current *out, struct why *why)
{
    struct buf text = BUF_INIT(MEM_SNAPSHOT);
    enum err e = object_get_whole(store, BACKUP_CURRENT, SMALL_TEXT_MAX, &text, why);
    if (e == OK)
        e = backup_current_parse(buf_slice(&text), out, why);
    buf_fini(&text);
    return e;
}

/* -- the dataset of a folder ------------------------------------------------------------------- */

enum err backup_read_dataset(struct io *io, const char *dir, struct backup_dataset *out,
                             struct why *why)
{
    char path[LOG_PATH_SIZE];
    struct buf text = BUF_INIT(MEM_SNAPSHOT);
    log_path(path, dir, BACKUP_DATASET);
    enum err e = io_read_file(io, path, SMALL_TEXT_MAX, &text, why);
    if (e == OK)
        e = backup_dataset_parse(buf_slice(&text), out, why);
    buf_fini(&text);
    return e;
}

enum err backup_write_dataset(struct io *io, const char *dir, const struct backup_dataset *d,
                              struct why *why)
{
    char temporary[LOG_PATH_SIZE], path[LOG_PATH_SIZE];
    struct io_file *file;
    struct buf text = BUF_INIT(MEM_SNAPSHOT);
    log_path(temporary, dir, dataset_temporary);
    log_path(path, dir, BACKUP_DATASET);
    backup_dataset_print(d, &text);
    CHECK(!buf_failed(&text));
    enum err e = io->ops->file_open(io, temporary, IO_WRITE | IO_CREATE | IO_TRUNCATE, &file, why);
    if (e == OK) {
        e = io->ops->file_write(file, 0, text.ptr, text.len);
        if (e == OK)
            e = io->ops->file_sync(file);
        io->ops->file_close(file);
    }
    buf_fini(&text);
    if (e == OK)
        e = io->ops->rename(io, temporary, path);
    if (e == OK)
        e = io->ops->sync_dir(io, dir);
    return e == OK ? OK : why_set(why, e, "cannot write %s: %s", path, err_text(e));
}

void backup_new_dataset(struct io *io, struct backup_dataset *out)
{
    uint8_t bytes[BACKUP_DATASET_SIZE / 2];
    *out = (struct backup_dataset){.forked_ms = 0};
    io->ops->random(io, bytes, sizeof(bytes));
    bytes[0] |= 1; /* all zeros mean none */
    digest_hex(bytes, sizeof(bytes), out->id);
}
