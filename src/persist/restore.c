#include "persist/restore.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/date.h"
#include "persist/backup.h"
#include "persist/log_scan.h"
#include "persist/log_writer.h"
#include "persist/snapshot_files.h"

/* owner: restore_run */
struct restore {
    struct io *io;
    struct object_store *store;
    const struct restore_options *options;
    struct restore_result *result;
    struct backup_current current;
    struct backup_contents contents;
    const struct backup_list *base; /* NULL: the log from its beginning */
};

enum err restore_target_parse(struct slice text, struct restore_target *out, struct why *why)
{
    uint64_t seconds;
    *out = (struct restore_target){.kind = RESTORE_ALL};
    if (text.len == 0)
        return OK;
    if (slice_to_u64(text, &out->lsn)) {
        out->kind = RESTORE_TO_LSN;
        return OK;
    }
    out->kind = RESTORE_TO_TIME;
    if (date_parse(text, &out->wall_ms))
        return OK;
    if (text.ptr[0] == '@' && slice_to_u64((struct slice){text.ptr + 1, text.len - 1}, &seconds) &&
        seconds < UINT64_MAX / 1000) {
        out->wall_ms = seconds * 1000 + 999; /* all of that second */
        return OK;
    }
    return why_set(why, ERR_SYNTAX,
                   "a point in time is an LSN, a UTC time as 2026-11-23T06:00:00Z, or @ and Unix "
                   "seconds");
}

/* -- the folder -------------------------------------------------------------------------------- */

/* What a folder's names say. */
struct look {
    bool any, mark;
    struct buf ours; /* names that a restore may have made, NUL-terminated */
};

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);
    return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

static void on_name(void *user, const char *name)
{
    struct look *look = user;
    if (strcmp(name, RESTORE_MARK) == 0) {
        look->mark = true;
        return;
    }
    bool data = ends_with(name, ".vlog") || ends_with(name, ".vpk") || ends_with(name, ".vmf");
    look->any = look->any || data || strcmp(name, LOG_NOTE_NAME) == 0;
    if (data || strcmp(name, BACKUP_DATASET) == 0)
        buf_append(&look->ours, name, strlen(name) + 1);
}

static enum err look_into(struct io *io, const char *dir, struct look *out, struct why *why)
{
    *out = (struct look){.ours = BUF_INIT(MEM_SNAPSHOT)};
    enum err e = io->ops->list_dir(io, dir, on_name, out);
    if (e == OK && buf_failed(&out->ours))
        e = ERR_NOMEM;
    if (e == OK)
        return OK;
    buf_fini(&out->ours);
    return why_set(why, e, "cannot list the folder %s: %s", dir, err_text(e));
}

enum err restore_is_empty(struct io *io, const char *dir, bool *empty, struct why *why)
{
    struct look look;
    enum err e = look_into(io, dir, &look, why);
    if (e != OK)
        return e;
    *empty = !look.any;
    buf_fini(&look.ours);
    return OK;
}

enum err restore_is_unfinished(struct io *io, const char *dir, bool *unfinished, struct why *why)
{
    struct look look;
    enum err e = look_into(io, dir, &look, why);
    if (e != OK)
        return e;
    *unfinished = look.mark;
    buf_fini(&look.ours);
    return OK;
}

static void ignore_object(void *user, const char *name, uint64_t size)
{
    (void)user;
    (void)name;
    (void)size;
}

/* A bucket that is not there is no empty store: its name is wrong. Only a list tells. */
enum err restore_is_there(struct object_store *store, bool *there, struct why *why)
{
    struct backup_current current;
    enum err e = backup_get_current(store, &current, why);
    *there = e == OK;
    if (e != ERR_NOT_FOUND)
        return e;
    return store->ops->list(store, BACKUP_CURRENT, ignore_object, NULL, why);
}

static enum err remove_file(struct restore *r, const char *name, struct why *why)
{
    char path[LOG_PATH_SIZE];
    log_path(path, r->options->dir, name);
    enum err e = r->io->ops->remove(r->io, path);
    return e == OK ? OK : why_set(why, e, "cannot remove %s: %s", path, err_text(e));
}

static enum err sync_folder(struct restore *r, struct why *why)
{
    enum err e = r->io->ops->sync_dir(r->io, r->options->dir);
    return e == OK ? OK
                   : why_set(why, e, "cannot sync the folder %s: %s", r->options->dir, err_text(e));
}

/* From now on the folder is not to be taken for a server's. What an earlier restore has left goes:
 * it may be half a file. */
static enum err begin(struct restore *r, struct why *why)
{
    char path[LOG_PATH_SIZE];
    struct look look;
    struct io_file *file;
    enum err e = look_into(r->io, r->options->dir, &look, why);
    if (e != OK)
        return e;
    if (look.any && !look.mark)
        e = why_set(why, ERR_EXISTS, "the folder %s has data: restore into an empty one",
                    r->options->dir);
    log_path(path, r->options->dir, RESTORE_MARK);
    if (e == OK && !look.mark) {
        e = r->io->ops->file_open(r->io, path, IO_WRITE | IO_CREATE, &file, why);
        if (e == OK)
            r->io->ops->file_close(file);
        if (e == OK)
            e = sync_folder(r, why);
    }
    const char *name = (const char *)look.ours.ptr, *end = name + look.ours.len;
    for (; e == OK && look.mark && name < end; name += strlen(name) + 1)
        e = remove_file(r, name, why);
    buf_fini(&look.ours);
    return e;
}

/* -- choosing ---------------------------------------------------------------------------------- */

static bool is_before_target(const struct restore *r, const struct backup_list *list)
{
    const struct restore_target *t = &r->options->target;
    switch (t->kind) {
    case RESTORE_TO_LSN:
        return list->lsn <= t->lsn;
    case RESTORE_TO_TIME:
        return list->wall_ms <= t->wall_ms;
    case RESTORE_ALL:
        break;
    }
    return true;
}

/* The newest backup from before the target. A log that goes back to its first record needs none. */
static enum err choose(struct restore *r, struct why *why)
{
    const struct backup_contents *c = &r->contents;
    r->base = NULL;
    for (size_t i = 0; i < c->list_count; i++)
        if (is_before_target(r, &c->lists[i]))
            r->base = &c->lists[i];
    bool from_first = false;
    for (size_t i = 0; i < c->segment_count; i++)
        from_first = from_first || c->segments[i].first_lsn == 1;
    if (r->base != NULL || from_first)
        return OK;
    if (c->list_count == 0 && c->segment_count == 0 && r->options->may_be_empty)
        return OK;
    if (c->list_count == 0)
        return why_set(why, ERR_NOT_FOUND, "the object store has no complete backup yet");
    char date[DATE_SIZE];
    date_print(c->lists[0].wall_ms, date);
    return why_set(why, ERR_NOT_FOUND, "the object store goes back to LSN %" PRIu64 " of %s only",
                   c->lists[0].lsn, date);
}

/* Which segments: all that may hold what is wanted, and the last, whose generation is the one that
 * the server has to go on from. */
static bool is_wanted(const struct restore *r, size_t segment)
{
    uint64_t base = r->base == NULL ? 0 : r->base->lsn;
    return segment + 1 == r->contents.segment_count ||
           !backup_segment_passed(&r->contents, segment, base);
}

/* -- downloading ------------------------------------------------------------------------------- */

static enum err download(struct restore *r, const struct backup_name *name, const char *file,
                         uint64_t size, struct why *why)
{
    char object[BACKUP_NAME_SIZE], path[LOG_PATH_SIZE];
    struct object_info info;
    backup_name_print(name, object);
    log_path(path, r->options->dir, file);
    enum err e = r->store->ops->head(r->store, object, &info, why);
    if (e == OK && info.size != size)
        e = why_set(why, ERR_CORRUPT,
                    "object %s has %" PRIu64 " bytes, and the backup says %" PRIu64, object,
                    info.size, size);
    if (e == OK)
        e = object_get_file(r->store, object, path, why);
    if (e == ERR_NOT_FOUND)
        return why_set(why, ERR_CORRUPT, "object %s, which a backup names, is missing", object);
    if (e != OK)
        return e;
    r->result->bytes += size;
    r->result->objects++;
    return OK;
}

static enum err download_backup(struct restore *r, struct why *why)
{
    const struct backup_list *base = r->base;
    char file[SNAPSHOT_NAME_SIZE];
    struct backup_name name = {.kind = BACKUP_PACK};
    enum err e = OK;
    memcpy(name.dataset, r->current.dataset, sizeof(name.dataset));
    for (size_t i = 0; base != NULL && i < base->pack_count && e == OK; i++) {
        name.id = base->packs[i].id;
        name.lsn = base->packs[i].lsn;
        snapshot_pack_name(name.id, file);
        e = download(r, &name, file, base->packs[i].size, why);
    }
    if (e != OK || base == NULL)
        return e;
    name = (struct backup_name){.kind = BACKUP_MANIFEST, .lsn = base->lsn};
    memcpy(name.dataset, r->current.dataset, sizeof(name.dataset));
    snapshot_manifest_name(base->lsn, file);
    r->result->has_backup = true;
    r->result->backup_lsn = r->result->lsn = base->lsn;
    r->result->wall_ms = base->wall_ms;
    return download(r, &name, file, base->manifest_size, why);
}

static enum err download_log(struct restore *r, struct why *why)
{
    char file[LOG_NAME_SIZE];
    enum err e = OK;
    for (size_t i = 0; i < r->contents.segment_count && e == OK; i++) {
        const struct backup_segment *s = &r->contents.segments[i];
        struct backup_name name = {
            .kind = BACKUP_SEGMENT, .id = s->generation, .lsn = s->first_lsn};
        if (!is_wanted(r, i))
            continue;
        memcpy(name.dataset, r->current.dataset, sizeof(name.dataset));
        log_segment_name(s->generation, s->first_lsn, file);
        e = download(r, &name, file, s->size, why);
    }
    return e;
}

/* -- the log ----------------------------------------------------------------------------------- */

static bool is_past_target(const struct restore *r, const struct log_record *record)
{
    const struct restore_target *t = &r->options->target;
    return (t->kind == RESTORE_TO_LSN && record->lsn > t->lsn) ||
           (t->kind == RESTORE_TO_TIME && record->wall_ms > t->wall_ms);
}

static enum err blame(const struct log_file *f, uint64_t offset, const char *text, struct why *why)
{
    char name[LOG_NAME_SIZE];
    struct why copy; /* text may be in why */
    (void)snprintf(copy.text, sizeof(copy.text), "%s", text);
    log_segment_name(f->generation, f->first_lsn, name);
    return why_set(why, ERR_CORRUPT, "%s, offset %" PRIu64 ": %s", name, offset, copy.text);
}

/* Reads a segment up to the target. *cut: where the target is passed; UINT64_MAX: it is not. */
static enum err walk(struct restore *r, const struct log_file *f, uint64_t *cut, struct why *why)
{
    struct log_scan scan;
    struct log_record record;
    enum log_step step = LOG_RECORD;
    struct why what = {""};
    *cut = UINT64_MAX;
    enum err e = log_scan_open(&scan, r->io, r->options->dir, f, why);
    if (e != OK)
        return e;
    while (e == OK && step == LOG_RECORD && *cut == UINT64_MAX) {
        e = log_scan_next(&scan, &record, &step, &what);
        if (e != OK || step != LOG_RECORD || record.lsn <= r->result->lsn)
            continue;
        if (is_past_target(r, &record)) {
            *cut = scan.offset;
            continue;
        }
        r->result->lsn = record.lsn;
        r->result->wall_ms = record.wall_ms;
    }
    if (e != OK)
        e = why_set(why, e, "cannot read the log: %s", what.text);
    else if (step == LOG_DAMAGED || step == LOG_FOREIGN)
        e = blame(f, scan.offset, what.text, why);
    log_scan_close(&scan);
    return e;
}

/* Takes the file away from the offset on; all of it when no record is left. */
static enum err cut_file(struct restore *r, const struct log_file *f, uint64_t offset,
                         struct why *why)
{
    char name[LOG_NAME_SIZE];
    struct io_file *file;
    if (offset <= LOG_SEGMENT_HEADER_SIZE) {
        log_segment_name(f->generation, f->first_lsn, name);
        return remove_file(r, name, why);
    }
    enum err e = log_file_open(r->io, r->options->dir, f, IO_WRITE, &file, why);
    if (e != OK)
        return e;
    e = r->io->ops->file_truncate(file, offset);
    if (e == OK)
        e = r->io->ops->file_sync(file);
    r->io->ops->file_close(file);
    return e == OK ? OK : why_set(why, e, "cannot cut the log: %s", err_text(e));
}

/* Reads the segments one after the other, and removes what is past the target. *passed: there was
 * something. */
static enum err walk_all(struct restore *r, const struct log_files *files, bool *passed,
                         struct why *why)
{
    uint64_t cut = UINT64_MAX;
    enum err e = OK;
    for (size_t i = 0; i < files->count && e == OK; i++) {
        const struct log_file *f = &files->list[i];
        if (cut != UINT64_MAX) {
            e = cut_file(r, f, 0, why);
            continue;
        }
        if (f->state != OK)
            return blame(f, 0, f->why.text, why);
        if (!log_file_counts(f) || f->limit_lsn <= r->result->lsn + 1)
            continue;
        if (f->first_lsn > r->result->lsn + 1)
            return why_set(why, ERR_CORRUPT,
                           "the log in the object store has a gap: LSN %" PRIu64 " to %" PRIu64
                           " are missing",
                           r->result->lsn + 1, f->first_lsn - 1);
        e = walk(r, f, &cut, why);
        if (e == OK && cut != UINT64_MAX)
            e = cut_file(r, f, cut, why);
    }
    *passed = cut != UINT64_MAX;
    return e;
}

/* A backup from after the target says that there were changes between the end of the log and it.
 * Nobody knows which of them are from before the target. */
static enum err check_reached(const struct restore *r, struct why *why)
{
    const struct backup_contents *c = &r->contents;
    const struct restore_target *t = &r->options->target;
    char date[DATE_SIZE];
    if (t->kind == RESTORE_TO_LSN && r->result->lsn < t->lsn)
        return why_set(why, ERR_NOT_FOUND, "the object store reaches LSN %" PRIu64 " only",
                       r->result->lsn);
    for (size_t i = 0; t->kind == RESTORE_TO_TIME && i < c->list_count; i++) {
        if (is_before_target(r, &c->lists[i]) || c->lists[i].lsn <= r->result->lsn)
            continue;
        date_print(r->result->wall_ms, date);
        return why_set(why, ERR_NOT_FOUND,
                       "the log in the object store ends at LSN %" PRIu64
                       " of %s, before that time; this LSN can be restored",
                       r->result->lsn, date);
    }
    return OK;
}

static enum err cut_log(struct restore *r, struct why *why)
{
    struct log_files files;
    bool cut = false;
    enum err e = log_files_read(r->io, r->options->dir, &files, why);
    if (e != OK)
        return e;
    e = walk_all(r, &files, &cut, why);
    log_files_free(&files);
    return e == OK && !cut ? check_reached(r, why) : e;
}

/* -- all of it --------------------------------------------------------------------------------- */

/* All of a dataset is that dataset. A part of it goes on differently: it is another one, which may
 * take the place of the first in the store. */
static enum err name_dataset(struct restore *r, struct why *why)
{
    struct backup_dataset d = {.forked_ms = 0};
    if (r->options->target.kind == RESTORE_ALL && r->options->continues) {
        memcpy(d.id, r->current.dataset, sizeof(d.id));
    } else {
        backup_new_dataset(r->io, &d);
        if (r->options->continues)
            memcpy(d.parent, r->current.dataset, sizeof(d.parent));
        d.forked_ms = r->io->ops->wall_us(r->io) / 1000;
    }
    return backup_write_dataset(r->io, r->options->dir, &d, why);
}

static enum err fetch(struct restore *r, struct why *why)
{
    enum err e = backup_get_current(r->store, &r->current, why);
    if (e == ERR_NOT_FOUND)
        return why_set(why, e, "there is no backup in the object store");
    if (e == OK)
        e = backup_read_contents(r->store, r->current.dataset, &r->contents, why);
    if (e == OK)
        e = choose(r, why);
    if (e == OK)
        e = begin(r, why);
    if (e == OK)
        e = download_backup(r, why);
    if (e == OK)
        e = download_log(r, why);
    return e;
}

enum err restore_run(struct io *io, struct object_store *store,
                     const struct restore_options *options, struct restore_result *out,
                     struct why *why)
{
    *out = (struct restore_result){.bytes = 0};
    struct restore r = {.io = io, .store = store, .options = options, .result = out};
    enum err e = fetch(&r, why);
    if (e == OK)
        e = cut_log(&r, why);
    if (e == OK)
        e = name_dataset(&r, why);
    if (e == OK)
        e = sync_folder(&r, why);
    if (e == OK)
        e = remove_file(&r, RESTORE_MARK, why);
    if (e == OK)
        e = sync_folder(&r, why);
    backup_contents_fini(&r.contents);
    return e;
}
