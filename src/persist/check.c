#include "persist/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "persist/check_own.h"
#include "persist/load_mark.h"

enum { TEXT_SIZE = 512, NAME_SIZE = 256 };

/* What a file is, by its name. */
enum file_kind { FILE_OTHER, FILE_MANIFEST, FILE_PACK, FILE_SEGMENT };

struct file {
    char name[NAME_SIZE];
    enum file_kind kind;
    uint64_t number; /* LSN of a manifest, id of a pack */
    bool named;      /* PACK: by a manifest that could be read */
};

struct folder {
    struct check check;
    struct file *list;
    size_t count, capacity;
    bool manifest_lost; /* one could not be read: packs may be its own */
};

void check_say(struct check *c, enum check_grade grade, const char *file, uint64_t offset,
               const char *fmt, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (grade == CHECK_DAMAGE)
        c->counts.damages++;
    else
        c->counts.notes++;
    const struct check_finding f = {grade, file, offset, text};
    if (c->on_finding != NULL)
        c->on_finding(c->user, &f);
}

enum err check_open(struct check *c, const char *name, struct io_file **out, uint64_t *size,
                    struct why *why)
{
    char path[SNAPSHOT_PATH_SIZE];
    int n = snprintf(path, sizeof(path), "%s/%s", c->dir, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return why_set(why, ERR_LIMIT, "the path of the folder is too long");
    enum err e = c->io->ops->file_open(c->io, path, IO_READ, out, why);
    if (e != OK)
        return e;
    e = c->io->ops->file_size(*out, size);
    if (e != OK)
        c->io->ops->file_close(*out);
    return e;
}

/* -- listing ----------------------------------------------------------------------------------- */

static enum file_kind kind_of(const char *name, uint64_t *number)
{
    uint32_t id, generation;
    if (snapshot_manifest_name_parse(name, number))
        return FILE_MANIFEST;
    if (snapshot_pack_name_parse(name, &id)) {
        *number = id;
        return FILE_PACK;
    }
    if (log_segment_name_parse(name, &generation, number))
        return FILE_SEGMENT;
    return FILE_OTHER;
}

static void on_name(void *user, const char *name)
{
    struct folder *d = user;
    if (d->count == d->capacity) {
        d->capacity = d->capacity == 0 ? 64 : 2 * d->capacity;
        d->list = mem_realloc(MEM_SNAPSHOT, d->list, d->capacity * sizeof(*d->list));
    }
    struct file *f = &d->list[d->count++];
    *f = (struct file){0};
    (void)snprintf(f->name, sizeof(f->name), "%s", name);
    f->kind = kind_of(f->name, &f->number);
}

static int by_name(const void *a, const void *b)
{
    const struct file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static struct file *find_pack(struct folder *d, uint32_t id)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->list[i].kind == FILE_PACK && d->list[i].number == id)
            return &d->list[i];
    return NULL;
}

/* -- manifests --------------------------------------------------------------------------------- */

/* Are the packs there that the manifest names, in full? */
static bool check_packs_of(struct folder *d, const char *name, const struct manifest *m)
{
    struct check *c = &d->check;
    bool all = true;
    for (uint32_t i = 0; i < m->pack_count; i++) {
        struct file *pack = find_pack(d, m->packs[i].id);
        uint64_t size = 0, at = MANIFEST_HEADER_SIZE + (uint64_t)i * MANIFEST_PACK_SIZE;
        struct io_file *file;
        if (pack == NULL) {
            check_say(c, CHECK_DAMAGE, name, at, "names pack-%08" PRIx32 ".vpk, which is missing",
                      m->packs[i].id);
            all = false;
            continue;
        }
        pack->named = true;
        if (check_open(c, pack->name, &file, &size, NULL) == OK)
            c->io->ops->file_close(file);
        if (size == m->packs[i].size)
            continue;
        all = false;
        check_say(c, CHECK_DAMAGE, pack->name, size < m->packs[i].size ? size : m->packs[i].size,
                  "the file has %" PRIu64 " bytes, and %" PRIu64 " by %s", size, m->packs[i].size,
                  name);
    }
    return all;
}

static enum err read_whole(struct folder *d, const char *name, struct buf *out, struct why *why)
{
    char path[SNAPSHOT_PATH_SIZE];
    int n = snprintf(path, sizeof(path), "%s/%s", d->check.dir, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return why_set(why, ERR_LIMIT, "the path of the folder is too long");
    return io_read_file(d->check.io, path, SIZE_MAX / 2, out, why);
}

/* newest: no later manifest was whole. */
static bool check_manifest(struct folder *d, const struct file *f, bool newest)
{
    struct buf bytes = BUF_INIT(MEM_SNAPSHOT);
    struct manifest m;
    struct why why = {{0}};
    struct check *c = &d->check;
    c->counts.manifests++;
    enum err e = read_whole(d, f->name, &bytes, &why);
    if (e == OK)
        e = manifest_decode(buf_slice(&bytes), &m, &why);
    buf_fini(&bytes);
    if (e != OK) {
        check_say(c, CHECK_DAMAGE, f->name, 0, "%s", why.text[0] != '\0' ? why.text : err_text(e));
        d->manifest_lost = true;
        return false;
    }
    if (m.lsn != f->number)
        check_say(c, CHECK_DAMAGE, f->name, 16,
                  "this is the manifest of LSN %" PRIu64 " under a "
                  "wrong name",
                  m.lsn);
    if (check_packs_of(d, f->name, &m))
        check_snapshot(c, f->name, &m, newest);
    if (newest)
        c->counts.snapshot_lsn = m.lsn;
    manifest_fini(&m);
    return true;
}

/* From the newest to the oldest. */
static void check_manifests(struct folder *d)
{
    bool newest = true;
    for (size_t i = d->count; i > 0; i--)
        if (d->list[i - 1].kind == FILE_MANIFEST && check_manifest(d, &d->list[i - 1], newest))
            newest = false;
}

/* Files that are neither log nor snapshot. */
static void check_others(struct folder *d)
{
    struct check *c = &d->check;
    static const char damaged[] = ".damaged", temporary[] = ".tmp";
    for (size_t i = 0; i < d->count; i++) {
        const struct file *f = &d->list[i];
        size_t len = strlen(f->name);
        uint64_t lsn;
        if (f->kind != FILE_OTHER || strcmp(f->name, LOG_NOTE_NAME) == 0 ||
            strcmp(f->name, "LOCK") == 0)
            continue;
        if (strcmp(f->name, LOAD_MARK_NAME) == 0)
            check_say(c, CHECK_NOTE, f->name, 0, "a start has died while it replayed the log");
        else if (load_aside_name_parse(f->name, &lsn))
            check_say(c, CHECK_NOTE, f->name, 0,
                      "the record of LSN %" PRIu64 " has crashed the server and was set aside",
                      lsn);
        else if (len > sizeof(damaged) && strcmp(f->name + len - sizeof(damaged) + 1, damaged) == 0)
            check_say(c, CHECK_NOTE, f->name, 0, "set aside by a repair");
        else if (len > sizeof(temporary) &&
                 strcmp(f->name + len - sizeof(temporary) + 1, temporary) == 0)
            check_say(c, CHECK_NOTE, f->name, 0, "left by a crash while it was written");
        else
            check_say(c, CHECK_NOTE, f->name, 0, "no file of vdb");
    }
}

/* Packs that are named are checked from end to end: what is not named in them counts as well. */
static void check_packs(struct folder *d)
{
    struct check *c = &d->check;
    for (size_t i = 0; i < d->count; i++) {
        struct file *f = &d->list[i];
        if (f->kind != FILE_PACK)
            continue;
        if (f->named || d->manifest_lost)
            check_pack(c, f->name, (uint32_t)f->number);
        else
            check_say(c, CHECK_NOTE, f->name, 0,
                      "no manifest names it: left by a snapshot that did not end");
    }
}

enum err check_folder(struct io *io, const char *dir,
                      void (*on_finding)(void *user, const struct check_finding *f), void *user,
                      struct check_counts *out, struct why *why)
{
    struct folder d = {.check = {.io = io, .dir = dir, .on_finding = on_finding, .user = user}};
    enum err e = io->ops->list_dir(io, dir, on_name, &d);
    if (e != OK)
        e = why_set(why, e, "cannot list the folder %s: %s", dir, err_text(e));
    if (e == OK) {
        if (d.count > 0)
            qsort(d.list, d.count, sizeof(*d.list), by_name);
        d.check.counts.files = d.count;
        check_manifests(&d);
        check_packs(&d);
        check_log(&d.check);
        check_others(&d);
    }
    *out = d.check.counts;
    mem_free(MEM_SNAPSHOT, d.list);
    return e;
}
