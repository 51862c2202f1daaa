/* store_local.c: an object store in a folder: one file per object, under the object's name.
 *
 * An object is written to ".new-<name>", synced, renamed and the folder synced, so that a crash
 * leaves the old object, the new one or none. It goes through io.h, so that the simulator crashes
 * it. Checksums are left to what is stored: every file of vdb has its own. */
#include <stdio.h>

#include "persist/object_store.h"

enum { COPY_SIZE = 1 << 20, PATH_MAX_SIZE = OBJECT_URL_MAX + 8 + OBJECT_NAME_MAX };

static const char temp_prefix[] = ".new-";

/* owner: whoever opened it */
struct store_local {
    struct object_store base; /* first */
    const atomic_bool *cancel;
    char folder[OBJECT_URL_MAX + 1];
};

static struct store_local *local_of(struct object_store *s)
{
    return (struct store_local *)s;
}

static void path_of(const struct store_local *local, const char *before, const char *name,
                    char out[PATH_MAX_SIZE])
{
    CHECK(object_name_valid(name));
    int len = snprintf(out, PATH_MAX_SIZE, "%s/%s%s", local->folder, before, name);
    CHECK(len > 0 && len < PATH_MAX_SIZE);
}

static bool cancelled(const struct store_local *local)
{
    return local->cancel != NULL && atomic_load_explicit(local->cancel, memory_order_relaxed);
}

/* -- put --------------------------------------------------------------------------------------- */

/* What a put writes: bytes, or all of a file. */
struct source {
    struct slice bytes;
    struct io_file *file; /* NULL: bytes */
};

static enum err copy_file(struct store_local *local, struct io_file *from, struct io_file *to)
{
    const struct io_ops *ops = local->base.io->ops;
    uint8_t *block = mem_try(MEM_SCRATCH, COPY_SIZE);
    if (block == NULL)
        return ERR_NOMEM;
    enum err e = OK;
    size_t got = COPY_SIZE;
    for (uint64_t at = 0; e == OK && got == COPY_SIZE; at += got) {
        e = cancelled(local) ? ERR_CANCELLED : ops->file_read(from, at, block, COPY_SIZE, &got);
        if (e == OK)
            e = ops->file_write(to, at, block, got);
    }
    mem_free(MEM_SCRATCH, block);
    return e;
}

/* Writes and syncs the new file; on failure it is gone. */
static enum err write_temp(struct store_local *local, const char *temp, const struct source *from,
                           struct why *why)
{
    struct io *io = local->base.io;
    struct io_file *file;
    enum err e = io->ops->file_open(io, temp, IO_WRITE | IO_CREATE | IO_TRUNCATE, &file, why);
    if (e != OK)
        return e;
    e = from->file != NULL ? copy_file(local, from->file, file)
                           : io->ops->file_write(file, 0, from->bytes.ptr, from->bytes.len);
    if (e == OK)
        e = io->ops->file_sync(file);
    io->ops->file_close(file);
    if (e == OK)
        return OK;
    enum err removed = io->ops->remove(io, temp);
    (void)removed; /* best effort: the next put overwrites it */
    return why_set(why, e, "cannot write %s: %s", temp, err_text(e));
}

static enum err put_source(struct store_local *local, const char *name, const struct source *from,
                           struct why *why)
{
    struct io *io = local->base.io;
    char temp[PATH_MAX_SIZE], final[PATH_MAX_SIZE];
    path_of(local, temp_prefix, name, temp);
    path_of(local, "", name, final);
    enum err e = write_temp(local, temp, from, why);
    if (e != OK)
        return e;
    e = io->ops->rename(io, temp, final);
    if (e == OK)
        e = io->ops->sync_dir(io, local->folder);
    return e == OK ? OK : why_set(why, e, "cannot put %s: %s", final, err_text(e));
}

static enum err local_put(struct object_store *s, const char *name, struct slice bytes,
                          struct why *why)
{
    return put_source(local_of(s), name, &(struct source){.bytes = bytes}, why);
}

static enum err local_put_file(struct object_store *s, const char *name, const char *path,
                               struct why *why)
{
    struct source from = {.file = NULL};
    enum err e = s->io->ops->file_open(s->io, path, IO_READ, &from.file, why);
    if (e != OK)
        return e;
    e = put_source(local_of(s), name, &from, why);
    s->io->ops->file_close(from.file);
    return e;
}

/* -- get --------------------------------------------------------------------------------------- */

/* Reads what there is from at on, at most len bytes. */
static enum err read_range(struct io_file *file, uint64_t size, uint64_t at, size_t len,
                           struct buf *out)
{
    uint64_t left = at < size ? size - at : 0;
    size_t wanted = left < len ? (size_t)left : len, got = 0;
    uint8_t *to = buf_reserve(out, wanted);
    if (to == NULL)
        return ERR_NOMEM;
    enum err e = file->io->ops->file_read(file, at, to, wanted, &got);
    if (e == OK && got < wanted)
        e = ERR_IO; /* it has become shorter since its size was asked */
    if (e == OK)
        buf_advance(out, got);
    return e;
}

static enum err local_get(struct object_store *s, const char *name, uint64_t at, size_t len,
                          struct buf *out, struct object_info *info, struct why *why)
{
    struct store_local *local = local_of(s);
    char path[PATH_MAX_SIZE];
    struct io_file *file;
    *info = (struct object_info){.size = 0};
    path_of(local, "", name, path);
    if (cancelled(local))
        return ERR_CANCELLED;
    enum err e = s->io->ops->file_open(s->io, path, IO_READ, &file, why);
    if (e != OK)
        return e;
    e = s->io->ops->file_size(file, &info->size);
    if (e == OK)
        e = read_range(file, info->size, at, len, out);
    s->io->ops->file_close(file);
    return e == OK ? OK : why_set(why, e, "cannot read %s: %s", path, err_text(e));
}

static enum err local_head(struct object_store *s, const char *name, struct object_info *info,
                           struct why *why)
{
    struct buf none = BUF_INIT(MEM_SCRATCH);
    enum err e = local_get(s, name, 0, 0, &none, info, why);
    buf_fini(&none);
    return e;
}

/* -- names ------------------------------------------------------------------------------------- */

/* Names gathered from a folder: NUL-terminated, one after the other. */
struct names {
    struct buf text;
    const char *prefix;
};

static void on_entry(void *user, const char *name)
{
    struct names *names = user;
    if (strncmp(name, names->prefix, strlen(names->prefix)) == 0)
        buf_append(&names->text, name, strlen(name) + 1);
}

/* The entries of the folder that start with prefix. */
static enum err gather(struct store_local *local, const char *prefix, struct names *out,
                       struct why *why)
{
    struct io *io = local->base.io;
    *out = (struct names){.text = BUF_INIT(MEM_SCRATCH), .prefix = prefix};
    enum err e = io->ops->list_dir(io, local->folder, on_entry, out);
    if (e == OK && buf_failed(&out->text))
        e = ERR_NOMEM;
    return e == OK ? OK : why_set(why, e, "cannot list %s: %s", local->folder, err_text(e));
}

static enum err local_list(struct object_store *s, const char *prefix, object_name_fn *on_name,
                           void *user, struct why *why)
{
    struct names names;
    enum err e = gather(local_of(s), prefix, &names, why);
    const char *name = (const char *)names.text.ptr, *end = name + names.text.len;
    for (; e == OK && name < end; name += strlen(name) + 1) {
        struct object_info info;
        if (!object_name_valid(name))
            continue; /* a folder may hold other things too */
        e = local_head(s, name, &info, why);
        if (e == OK)
            on_name(user, name, info.size);
        else if (e == ERR_NOT_FOUND)
            e = OK; /* removed since it was listed */
    }
    buf_fini(&names.text);
    return e;
}

static enum err local_remove(struct object_store *s, const char *name, struct why *why)
{
    struct store_local *local = local_of(s);
    char path[PATH_MAX_SIZE];
    path_of(local, "", name, path);
    enum err e = s->io->ops->remove(s->io, path);
    if (e == OK)
        e = s->io->ops->sync_dir(s->io, local->folder);
    if (e == OK || e == ERR_NOT_FOUND)
        return OK;
    return why_set(why, e, "cannot remove %s: %s", path, err_text(e));
}

static enum err local_clean(struct object_store *s, struct why *why)
{
    struct store_local *local = local_of(s);
    struct names names;
    enum err e = gather(local, temp_prefix, &names, why);
    const char *name = (const char *)names.text.ptr, *end = name + names.text.len;
    for (; e == OK && name < end; name += strlen(name) + 1) {
        char path[PATH_MAX_SIZE];
        if (!object_name_valid(name + sizeof(temp_prefix) - 1))
            continue;
        path_of(local, temp_prefix, name + sizeof(temp_prefix) - 1, path);
        e = s->io->ops->remove(s->io, path);
        if (e != OK)
            e = why_set(why, e, "cannot remove %s: %s", path, err_text(e));
    }
    buf_fini(&names.text);
    return e;
}

/* -- opening ----------------------------------------------------------------------------------- */

static void local_free(struct object_store *s)
{
    mem_free(MEM_SERVER, s);
}

static const struct object_store_ops local_ops = {
    .put = local_put,
    .put_file = local_put_file,
    .get = local_get,
    .head = local_head,
    .list = local_list,
    .remove = local_remove,
    .clean = local_clean,
    .free = local_free,
};

static void ignore_name(void *user, const char *name)
{
    (void)user;
    (void)name;
}

/* The folder that path lies in. */
static void parent_of(const char *path, char out[OBJECT_URL_MAX + 1])
{
    size_t len = (size_t)(strrchr(path, '/') - path);
    memcpy(out, path, len);
    out[len] = '\0';
    if (len == 0)
        memcpy(out, "/", 2);
}

/* Makes the folder and those above it, and makes that last. */
static enum err make_folders(struct io *io, const char *folder, struct why *why)
{
    char path[OBJECT_URL_MAX + 1], parent[OBJECT_URL_MAX + 1];
    size_t len = strlen(folder);
    CHECK(folder[0] == '/' && len < sizeof(path));
    parent_of(folder, parent);
    if (io->ops->list_dir(io, folder, ignore_name, NULL) == OK) {
        /* It may have been made just before a crash. Best effort: a folder above that may not be
         * opened is no reason to refuse one that has been there for long. */
        enum err synced = io->ops->sync_dir(io, parent);
        (void)synced;
        return OK;
    }
    enum err e = OK;
    for (size_t end = 1; end <= len && e == OK; end++) {
        if (folder[end] != '/' && folder[end] != '\0')
            continue;
        memcpy(path, folder, end);
        path[end] = '\0';
        parent_of(path, parent);
        bool there = io->ops->list_dir(io, path, ignore_name, NULL) == OK;
        e = there ? OK : io->ops->make_dir(io, path);
        if (e == OK && !there)
            e = io->ops->sync_dir(io, parent);
    }
    if (e == OK)
        return OK;
    const char *text = e == ERR_EXISTS ? "a file has its name" : err_text(e);
    return why_set(why, e == ERR_EXISTS ? ERR_IO : e, "cannot make the folder %s: %s", path, text);
}

enum err store_local_open(struct io *io, const struct object_url *url,
                          const struct object_store_options *options, struct object_store **out,
                          struct why *why)
{
    CHECK(url->scheme == OBJECT_SCHEME_FILE);
    enum err e = make_folders(io, url->place, why);
    if (e != OK)
        return e;
    struct store_local *local = mem_calloc(MEM_SERVER, sizeof(*local));
    local->base = (struct object_store){.ops = &local_ops, .io = io, .block_size = COPY_SIZE};
    local->cancel = options->cancel;
    memcpy(local->folder, url->place, strlen(url->place) + 1);
    *out = &local->base;
    return OK;
}
