/* sim_disk.c: a disk that keeps its promises and nothing more.
 *
 * A file has what a reader sees (cache) and what the platter holds (disk). Each 512-byte sector is
 * clean, dirty, or given up: after a failed sync the system believes it written though it is not,
 * and no later sync writes it. A crash decides by the seed for every sector that differs.
 *
 * Names work the same way: every create, rename, remove and make_dir takes effect at once and stays
 * in a list until sync_dir of its folder makes it lasting. A crash keeps all of the list, a part of
 * it, or nothing; a rename happens whole or not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim_private.h"

enum { SECTOR_SIZE = 512, PATH_SIZE_MAX = 512 };

enum sector { CLEAN, DIRTY, GIVEN_UP };

/* What a crash does to the unsynced bytes of one file. */
enum { CRASH_KEEPS, CRASH_LOSES, CRASH_MIXES, CRASH_FATES };

/* owner: counted by the names and open files that refer to it */
struct inode {
    struct buf cache;   /* what a reader sees */
    struct buf disk;    /* what a crash cannot take */
    struct buf sectors; /* enum sector for each sector of the longer of both */
    bool is_dir;
    bool size_given_up;           /* as GIVEN_UP, for the size */
    const struct file *locked_by; /* NULL: nobody */
    unsigned refs;
};

struct name {
    char path[PATH_SIZE_MAX];
    struct inode *inode;
};

/* owner: the disk; holds a reference to each inode */
struct names {
    struct name *list;
    size_t count, capacity;
};

/* One change of names that no sync_dir has covered. inode NULL: the name from goes. from empty: the
 * name to comes. Else both. */
struct change {
    char from[PATH_SIZE_MAX], to[PATH_SIZE_MAX];
    struct inode *inode; /* what to names afterwards; NULL for a removal */
};

/* owner: the sim */
struct sim_disk {
    struct names now;     /* as the process sees them */
    struct names lasting; /* as a crash leaves them at least */
    struct change *changes;
    size_t change_count, change_capacity;
};

/* owner: the process that opened it */
struct file {
    struct io_file base; /* first */
    struct inode *inode;
    int flags;
    uint32_t generation;
};

/* ---- inodes ---- */

static struct inode *inode_new(bool is_dir)
{
    struct inode *n = mem_calloc(MEM_TEST, sizeof(*n));
    buf_init(&n->cache, MEM_TEST);
    buf_init(&n->disk, MEM_TEST);
    buf_init(&n->sectors, MEM_TEST);
    n->is_dir = is_dir;
    return n;
}

static struct inode *inode_ref(struct inode *n)
{
    n->refs++;
    return n;
}

static void inode_unref(struct inode *n)
{
    CHECK(n->refs > 0);
    if (--n->refs > 0)
        return;
    buf_fini(&n->cache);
    buf_fini(&n->disk);
    buf_fini(&n->sectors);
    mem_free(MEM_TEST, n);
}

/* Makes b exactly size bytes long; new bytes are zero. */
static void resize(struct buf *b, size_t size)
{
    if (size > b->len) {
        size_t more = size - b->len;
        uint8_t *to = buf_reserve(b, more);
        CHECK(to != NULL);
        memset(to, 0, more);
        buf_advance(b, more);
    }
    b->len = size;
}

static size_t sector_count(size_t size)
{
    return (size + SECTOR_SIZE - 1) / SECTOR_SIZE;
}

static size_t longer(const struct inode *n)
{
    return n->cache.len > n->disk.len ? n->cache.len : n->disk.len;
}

/* Marks the sectors of bytes from .. to - 1. */
static void mark_dirty(struct inode *n, size_t from, size_t to)
{
    size_t count = sector_count(longer(n) > to ? longer(n) : to);
    if (n->sectors.len < count)
        resize(&n->sectors, count);
    for (size_t i = from / SECTOR_SIZE; i < sector_count(to); i++)
        n->sectors.ptr[i] = DIRTY;
}

static void set_size(struct inode *n, size_t size)
{
    size_t before = n->cache.len;
    resize(&n->cache, size);
    n->size_given_up = false;
    mark_dirty(n, before < size ? before : size, before < size ? size : before);
}

/* Copies one sector of the cache to the disk, as far as the disk's size reaches. */
static void settle_sector(struct inode *n, size_t index, size_t len)
{
    size_t at = index * SECTOR_SIZE;
    size_t end = at + len < n->cache.len ? at + len : n->cache.len;
    if (end > n->disk.len)
        end = n->disk.len;
    if (at < end)
        memcpy(n->disk.ptr + at, n->cache.ptr + at, end - at);
}

/* Everything that is dirty lasts from now on. */
static void inode_sync(struct inode *n)
{
    if (!n->size_given_up)
        resize(&n->disk, n->cache.len);
    for (size_t i = 0; i < n->sectors.len; i++) {
        if (n->sectors.ptr[i] == DIRTY) {
            settle_sector(n, i, SECTOR_SIZE);
            n->sectors.ptr[i] = CLEAN;
        }
    }
}

/* A page that is believed clean may go from memory; who reads it then sees what the disk has. */
static void unsettle_sector(struct inode *n, size_t index)
{
    size_t at = index * SECTOR_SIZE;
    size_t end = at + SECTOR_SIZE < n->cache.len ? at + SECTOR_SIZE : n->cache.len;
    size_t known = end < n->disk.len ? end : n->disk.len;
    if (at >= end)
        return;
    memset(n->cache.ptr + at, 0, end - at);
    if (at < known)
        memcpy(n->cache.ptr + at, n->disk.ptr + at, known - at);
}

/* A sync that fails: some sectors made it, the others are forgotten without being written. */
static void inode_sync_failed(struct inode *n, uint64_t *rng)
{
    bool evicted = sim_chance(rng, 250 * 1000);
    if (n->cache.len != n->disk.len && sim_chance(rng, 500 * 1000))
        n->size_given_up = true;
    else if (!n->size_given_up)
        resize(&n->disk, n->cache.len);
    for (size_t i = 0; i < n->sectors.len; i++) {
        if (n->sectors.ptr[i] != DIRTY)
            continue;
        bool made_it = sim_chance(rng, 500 * 1000);
        if (made_it)
            settle_sector(n, i, SECTOR_SIZE);
        else if (evicted)
            unsettle_sector(n, i);
        n->sectors.ptr[i] = made_it || evicted ? CLEAN : GIVEN_UP;
    }
}

/* The size a crash leaves: the old, the new, or one between. */
static size_t crash_size(const struct inode *n, uint64_t *rng)
{
    size_t a = n->disk.len, b = n->cache.len;
    size_t low = a < b ? a : b, high = a < b ? b : a;
    switch (rng_below(rng, 3)) {
    case 0:
        return a;
    case 1:
        return b;
    default:
        return low + (size_t)rng_below(rng, high - low + 1);
    }
}

/* How many bytes of a sector that is not clean the crash writes. */
static size_t crash_sector(enum sector state, uint64_t fate, uint64_t *rng)
{
    uint64_t luck = rng_below(rng, 8);
    if (state == GIVEN_UP)
        return luck < 4 ? SECTOR_SIZE : 0; /* the sync that failed may have written it after all */
    if (fate == CRASH_KEEPS || (fate == CRASH_MIXES && luck < 4))
        return SECTOR_SIZE;
    return fate == CRASH_MIXES && luck == 4 ? (size_t)rng_below(rng, SECTOR_SIZE) : 0;
}

/* For each file the crash keeps all that was not synced, loses all, or chooses for every sector
 * between kept, lost and torn; so a later write may last where an earlier one does not. */
static void inode_crash(struct inode *n, uint64_t *rng)
{
    uint64_t fate = rng_below(rng, CRASH_FATES);
    if (fate == CRASH_KEEPS)
        resize(&n->disk, n->cache.len);
    else if (fate == CRASH_MIXES && n->disk.len != n->cache.len)
        resize(&n->disk, crash_size(n, rng));
    for (size_t i = 0; i < n->sectors.len; i++)
        if (n->sectors.ptr[i] != CLEAN)
            settle_sector(n, i, crash_sector((enum sector)n->sectors.ptr[i], fate, rng));
    buf_clear(&n->cache, 0);
    buf_append_slice(&n->cache, buf_slice(&n->disk));
    buf_clear(&n->sectors, 0);
    n->size_given_up = false;
}

/* As rot does: on the platter and in what is read from it. */
static void inode_flip_bit(struct inode *n, uint64_t bit)
{
    CHECK(bit / 8 < n->cache.len);
    uint8_t mask = (uint8_t)(1u << (bit % 8));
    n->cache.ptr[bit / 8] ^= mask;
    if (bit / 8 < n->disk.len)
        n->disk.ptr[bit / 8] ^= mask;
}

/* ---- names ---- */

static struct name *names_find(const struct names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i].path, path) == 0)
            return &names->list[i];
    return NULL;
}

static void set_path(char to[PATH_SIZE_MAX], const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    CHECK(len > 0 && len < PATH_SIZE_MAX);
    memcpy(to, path, len);
    to[len] = '\0';
}

static void names_drop(struct names *names, const char *path)
{
    struct name *name = names_find(names, path);
    if (name == NULL)
        return;
    inode_unref(name->inode);
    *name = names->list[--names->count];
}

static void names_set(struct names *names, const char *path, struct inode *inode)
{
    (void)inode_ref(inode);
    names_drop(names, path);
    if (names->count == names->capacity) {
        names->capacity = names->capacity == 0 ? 16 : names->capacity * 2;
        names->list = mem_realloc(MEM_TEST, names->list, names->capacity * sizeof(names->list[0]));
    }
    struct name *name = &names->list[names->count++];
    set_path(name->path, path);
    name->inode = inode;
}

static void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        inode_unref(names->list[i].inode);
    names->count = 0;
}

/* The folder of a path: "a" of "a/b", "/" of "/a", "." of "a". */
static void folder_of(char to[PATH_SIZE_MAX], const char *path)
{
    set_path(to, path);
    char *slash = strrchr(to, '/');
    if (slash == NULL)
        set_path(to, ".");
    else
        slash[slash == to ? 1 : 0] = '\0';
}

static bool is_root(const char *path)
{
    return strcmp(path, "/") == 0 || strcmp(path, ".") == 0;
}

static bool folder_exists(const struct names *names, const char *path)
{
    const struct name *name = names_find(names, path);
    return is_root(path) || (name != NULL && name->inode->is_dir);
}

static void change_apply(struct names *names, const struct change *change)
{
    if (change->inode == NULL) {
        names_drop(names, change->from);
        return;
    }
    names_set(names, change->to, change->inode);
    if (change->from[0] != '\0')
        names_drop(names, change->from);
}

static void change_forget(struct sim_disk *d, size_t index)
{
    if (d->changes[index].inode != NULL)
        inode_unref(d->changes[index].inode);
    d->change_count--;
    memmove(&d->changes[index], &d->changes[index + 1],
            (d->change_count - index) * sizeof(d->changes[0]));
}

/* Takes effect for the process now; for a crash when the folder is synced. */
static void change_names(struct sim_disk *d, const char *from, const char *to, struct inode *inode)
{
    if (d->change_count == d->change_capacity) {
        d->change_capacity = d->change_capacity == 0 ? 16 : d->change_capacity * 2;
        d->changes = mem_realloc(MEM_TEST, d->changes, d->change_capacity * sizeof(d->changes[0]));
    }
    struct change *change = &d->changes[d->change_count++];
    memset(change, 0, sizeof(*change));
    if (from != NULL)
        set_path(change->from, from);
    if (to != NULL)
        set_path(change->to, to);
    change->inode = inode != NULL ? inode_ref(inode) : NULL;
    change_apply(&d->now, change);
}

/* On a lane a call takes a while before and after it happens, so that whatever else the process
 * does, or a crash, falls between any two of them. */
static void call_begins(struct sim *sim)
{
    sim_jobs_wait(sim, sim->options.disk_max_us);
}

static void call_ends(struct sim *sim)
{
    if (sim_chance(&sim->jobs_rng, 500 * 1000))
        sim_jobs_wait(sim, sim->options.disk_max_us);
}

/* ---- calls about names ---- */

static void trace_call(struct sim *sim, const char *what, const char *path, enum err e)
{
    sim_trace(sim, SIM_FILE, e, strlen(path));
    sim_trace_bytes(sim, (const uint8_t *)what, strlen(what));
    sim_trace_bytes(sim, (const uint8_t *)path, strlen(path));
    if (sim->options.verbose)
        (void)fprintf(stderr, "%16s%s %s: %s\n", "", what, path, err_text(e));
}

static enum err open_inode(struct sim_disk *d, const char *path, int flags, struct inode **out)
{
    char clean[PATH_SIZE_MAX], folder[PATH_SIZE_MAX];
    set_path(clean, path);
    folder_of(folder, path);
    struct name *name = names_find(&d->now, clean);
    if (name != NULL && (flags & IO_EXCLUSIVE) != 0)
        return ERR_EXISTS;
    if (name != NULL && name->inode->is_dir)
        return ERR_IO;
    if (name == NULL && ((flags & IO_CREATE) == 0 || !folder_exists(&d->now, folder)))
        return ERR_NOT_FOUND;
    if (name == NULL) {
        change_names(d, NULL, clean, inode_new(false));
        name = names_find(&d->now, clean);
    }
    if ((flags & IO_TRUNCATE) != 0)
        set_size(name->inode, 0);
    *out = name->inode;
    return OK;
}

enum err sim_file_open(struct io *io, const char *path, int flags, struct io_file **out,
                       struct why *why)
{
    struct sim *sim = sim_of(io);
    CHECK((flags & (IO_READ | IO_WRITE)) != 0 && out != NULL);
    struct inode *inode = NULL;
    call_begins(sim);
    enum err e = sim_fails(sim, SIM_OPEN) ? ERR_IO : open_inode(sim->disk, path, flags, &inode);
    trace_call(sim, "open", path, e);
    if (e != OK)
        return why_set(why, e, "cannot open %s: %s", path, err_text(e));
    struct file *f = mem_calloc(MEM_TEST, sizeof(*f));
    f->base.io = io;
    f->inode = inode_ref(inode);
    f->flags = flags;
    f->generation = sim->generation;
    call_ends(sim);
    *out = &f->base;
    return OK;
}

enum err sim_rename(struct io *io, const char *from, const char *to)
{
    struct sim *sim = sim_of(io);
    call_begins(sim);
    char clean[PATH_SIZE_MAX], folder[PATH_SIZE_MAX];
    set_path(clean, from);
    folder_of(folder, to);
    const struct name *name = names_find(&sim->disk->now, clean);
    enum err e = OK;
    if (sim_fails(sim, SIM_RENAME))
        e = ERR_IO;
    else if (name == NULL || !folder_exists(&sim->disk->now, folder))
        e = ERR_NOT_FOUND;
    else if (name->inode->is_dir)
        e = ERR_UNSUPPORTED; /* nothing here renames folders */
    else if (strcmp(from, to) != 0)
        change_names(sim->disk, from, to, name->inode);
    trace_call(sim, "rename", to, e);
    call_ends(sim);
    return e;
}

enum err sim_remove(struct io *io, const char *path)
{
    struct sim *sim = sim_of(io);
    call_begins(sim);
    char clean[PATH_SIZE_MAX];
    set_path(clean, path);
    const struct name *name = names_find(&sim->disk->now, clean);
    enum err e = OK;
    if (sim_fails(sim, SIM_REMOVE))
        e = ERR_IO;
    else if (name == NULL)
        e = ERR_NOT_FOUND;
    else if (name->inode->is_dir)
        e = ERR_IO;
    else
        change_names(sim->disk, path, NULL, NULL);
    trace_call(sim, "remove", path, e);
    call_ends(sim);
    return e;
}

enum err sim_make_dir(struct io *io, const char *dir)
{
    struct sim *sim = sim_of(io);
    call_begins(sim);
    char clean[PATH_SIZE_MAX], folder[PATH_SIZE_MAX];
    set_path(clean, dir);
    folder_of(folder, dir);
    const struct name *name = names_find(&sim->disk->now, clean);
    enum err e = OK;
    if (sim_fails(sim, SIM_MAKE_DIR))
        e = ERR_IO;
    else if (name != NULL || is_root(clean))
        e = name == NULL || name->inode->is_dir ? OK : ERR_EXISTS;
    else if (!folder_exists(&sim->disk->now, folder))
        e = ERR_NOT_FOUND;
    else
        change_names(sim->disk, NULL, clean, inode_new(true));
    trace_call(sim, "make_dir", dir, e);
    call_ends(sim);
    return e;
}

/* Whether syncing the folder covers this change. A rename belongs to the folder it leads to. */
static bool change_is_in(const struct change *change, const char *folder)
{
    char of[PATH_SIZE_MAX];
    folder_of(of, change->inode != NULL ? change->to : change->from);
    return strcmp(of, folder) == 0;
}

static void sync_names(struct sim_disk *d, const char *folder)
{
    for (size_t i = 0; i < d->change_count;) {
        if (!change_is_in(&d->changes[i], folder)) {
            i++;
            continue;
        }
        change_apply(&d->lasting, &d->changes[i]);
        change_forget(d, i);
    }
}

enum err sim_sync_dir(struct io *io, const char *dir)
{
    struct sim *sim = sim_of(io);
    call_begins(sim);
    char clean[PATH_SIZE_MAX];
    set_path(clean, dir);
    enum err e = OK;
    if (sim_fails(sim, SIM_SYNC_DIR))
        e = ERR_IO;
    else if (!folder_exists(&sim->disk->now, clean))
        e = ERR_NOT_FOUND;
    else
        sync_names(sim->disk, clean);
    trace_call(sim, "sync_dir", dir, e);
    call_ends(sim);
    return e;
}

enum err sim_list_dir(struct io *io, const char *dir, void (*on_name)(void *user, const char *name),
                      void *user)
{
    struct sim *sim = sim_of(io);
    struct sim_disk *d = sim->disk;
    char clean[PATH_SIZE_MAX], folder[PATH_SIZE_MAX];
    set_path(clean, dir);
    call_begins(sim);
    enum err e = folder_exists(&d->now, clean) ? OK : ERR_NOT_FOUND;
    if (sim_fails(sim, SIM_LIST_DIR))
        e = ERR_IO;
    trace_call(sim, "list_dir", dir, e);
    if (e != OK || d->now.count == 0)
        return e;
    /* A copy, since on_name may change names; from a seeded place, since no order is promised. */
    size_t count = d->now.count, first = rng_below(&sim->disk_rng, count);
    struct name *list = mem_alloc(MEM_TEST, count * sizeof(list[0]));
    memcpy(list, d->now.list, count * sizeof(list[0]));
    for (size_t i = 0; i < count; i++) {
        const char *path = list[(first + i) % count].path;
        folder_of(folder, path);
        const char *slash = strrchr(path, '/');
        if (strcmp(folder, clean) == 0)
            on_name(user, slash != NULL ? slash + 1 : path);
    }
    mem_free(MEM_TEST, list);
    return OK;
}

/* ---- calls about contents ---- */

static struct sim *sim_of_file(const struct file *f)
{
    return sim_of(f->base.io);
}

/* Also true for a file that was opened before the last restart. */
static bool file_fails(const struct file *f, enum sim_call call)
{
    bool fails = sim_fails(sim_of_file(f), call);
    return fails || f->generation != sim_of_file(f)->generation;
}

/* How many of len bytes at offset at have room on the disk. */
static size_t room_for(const struct sim *sim, const struct inode *n, uint64_t at, size_t len)
{
    uint64_t used = 0, limit = sim->options.disk_bytes;
    const struct names *now = &sim->disk->now;
    if (limit == 0 || at + len <= n->cache.len)
        return len;
    for (size_t i = 0; i < now->count; i++)
        used += now->list[i].inode->cache.len;
    uint64_t size_max = n->cache.len + (limit > used ? limit - used : 0);
    if (at + len <= size_max)
        return len;
    return at < size_max ? (size_t)(size_max - at) : 0;
}

enum err sim_file_read(struct io_file *file, uint64_t at, void *to, size_t len, size_t *got)
{
    struct file *f = (struct file *)file;
    struct sim *sim = sim_of_file(f);
    struct inode *n = f->inode;
    CHECK((f->flags & IO_READ) != 0 && got != NULL);
    *got = 0;
    call_begins(sim);
    enum err e = file_fails(f, SIM_READ) ? ERR_IO : OK;
    if (e == OK && at < n->cache.len) {
        *got = len < n->cache.len - at ? len : n->cache.len - (size_t)at;
        if (*got > 0 && sim_chance(&sim->disk_rng, sim->options.rot_ppm)) {
            uint64_t bad = at + rng_below(&sim->disk_rng, *got);
            inode_flip_bit(n, bad * 8 + rng_below(&sim->disk_rng, 8));
        }
        memcpy(to, n->cache.ptr + at, *got);
    }
    sim_trace(sim, SIM_FILE, at, *got);
    return e;
}

enum err sim_file_write(struct io_file *file, uint64_t at, const void *from, size_t len)
{
    struct file *f = (struct file *)file;
    struct sim *sim = sim_of_file(f);
    struct inode *n = f->inode;
    CHECK((f->flags & IO_WRITE) != 0);
    CHECK(at + len < (uint64_t)1 << 32); /* the disk is memory */
    call_begins(sim);
    bool powered = sim->power;
    enum err e = file_fails(f, SIM_WRITE) ? ERR_IO : OK;
    size_t room = room_for(sim, n, at, len);
    if (room < len) {
        e = e == OK ? ERR_FULL : e;
        len = room;
    } else if (e != OK) {
        /* A write that fails, or meets the power cut, may have written its first bytes. */
        len = powered && len > 0 ? (size_t)rng_below(&sim->disk_rng, len) : 0;
    }
    if (len > 0 && f->generation == sim->generation) {
        if (at + len > n->cache.len)
            set_size(n, (size_t)at + len);
        memcpy(n->cache.ptr + at, from, len);
        mark_dirty(n, (size_t)at, (size_t)at + len);
    }
    sim_trace(sim, SIM_FILE, at, len);
    sim_trace_bytes(sim, from, len);
    call_ends(sim);
    return e;
}

enum err sim_file_size(struct io_file *file, uint64_t *out)
{
    struct file *f = (struct file *)file;
    if (file_fails(f, SIM_SIZE))
        return ERR_IO;
    *out = f->inode->cache.len;
    return OK;
}

enum err sim_file_truncate(struct io_file *file, uint64_t size)
{
    struct file *f = (struct file *)file;
    CHECK((f->flags & IO_WRITE) != 0 && size < (uint64_t)1 << 32);
    call_begins(sim_of_file(f));
    enum err e = file_fails(f, SIM_TRUNCATE) ? ERR_IO : OK;
    if (e == OK)
        set_size(f->inode, (size_t)size);
    sim_trace(sim_of_file(f), SIM_FILE, size, e);
    call_ends(sim_of_file(f));
    return e;
}

enum err sim_file_sync(struct io_file *file)
{
    struct file *f = (struct file *)file;
    struct sim *sim = sim_of_file(f);
    sim_jobs_wait(sim, 10 * (uint64_t)sim->options.disk_max_us);
    bool powered = sim->power;
    enum err e = file_fails(f, SIM_SYNC) ? ERR_IO : OK;
    if (e == OK)
        inode_sync(f->inode);
    else if (powered && sim->power && f->generation == sim->generation)
        inode_sync_failed(f->inode, &sim->disk_rng);
    sim_trace(sim, SIM_FILE, f->inode->cache.len, e);
    call_ends(sim);
    return e;
}

/* A crash ends the process, and its locks with it. */
/* There is one user. */
enum err sim_file_copy_rights(struct io_file *from, struct io_file *to)
{
    CHECK(from != to);
    return OK;
}

enum err sim_file_lock(struct io_file *file)
{
    struct file *f = (struct file *)file;
    struct sim *sim = sim_of_file(f);
    const struct file *holder = f->inode->locked_by;
    enum err e = OK;
    if (file_fails(f, SIM_LOCK))
        e = ERR_IO;
    else if (holder != NULL && holder != f && holder->generation == sim->generation)
        e = ERR_BUSY;
    else
        f->inode->locked_by = f;
    sim_trace(sim, SIM_FILE, f->inode->cache.len, e);
    return e;
}

/* The crashes here are of the machine: nobody is left to write. */
void sim_on_crash(struct io *io, struct io_file *f, const void *bytes, size_t size)
{
    (void)io;
    CHECK((f != NULL && bytes != NULL) || size == 0);
}

void sim_file_close(struct io_file *file)
{
    struct file *f = (struct file *)file;
    if (f->inode->locked_by == f)
        f->inode->locked_by = NULL;
    inode_unref(f->inode);
    mem_free(MEM_TEST, f);
}

/* ---- crashes ---- */

static void drop_all_changes(struct sim_disk *d)
{
    while (d->change_count > 0)
        change_forget(d, d->change_count - 1);
}

/* Of the changes of names that no sync covered, all last, none, the first few, or any. */
static void crash_names(struct sim_disk *d, uint64_t *rng)
{
    uint64_t fate = rng_below(rng, 4);
    size_t prefix = (size_t)rng_below(rng, d->change_count + 1);
    for (size_t i = 0; i < d->change_count; i++)
        if (fate == 0 || (fate == 1 && i < prefix) || (fate == 2 && sim_chance(rng, 500 * 1000)))
            change_apply(&d->lasting, &d->changes[i]);
    drop_all_changes(d);
}

/* Names in folders that the crash took go with them. */
static void drop_orphans(struct names *names)
{
    for (size_t i = 0; i < names->count;) {
        char folder[PATH_SIZE_MAX];
        folder_of(folder, names->list[i].path);
        if (folder_exists(names, folder)) {
            i++;
            continue;
        }
        names_drop(names, names->list[i].path);
        i = 0; /* it may have been a folder itself */
    }
}

void sim_disk_crash(struct sim *sim)
{
    struct sim_disk *d = sim->disk;
    crash_names(d, &sim->disk_rng);
    drop_orphans(&d->lasting);
    names_clear(&d->now);
    for (size_t i = 0; i < d->lasting.count; i++) {
        struct name *name = &d->lasting.list[i];
        names_set(&d->now, name->path, name->inode);
        if (!name->inode->is_dir)
            inode_crash(name->inode, &sim->disk_rng);
    }
}

/* ---- from outside ---- */

static void put_folder(struct sim_disk *d, const char *path)
{
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        char folder[PATH_SIZE_MAX];
        size_t len = (size_t)(slash - path);
        CHECK(len < PATH_SIZE_MAX);
        memcpy(folder, path, len);
        folder[len] = '\0';
        if (folder_exists(&d->now, folder))
            continue;
        struct inode *inode = inode_new(true);
        names_set(&d->now, folder, inode);
        names_set(&d->lasting, folder, inode);
    }
}

void sim_disk_put(struct sim *sim, const char *path, struct slice bytes)
{
    CHECK(path[0] != '\0');
    struct sim_disk *d = sim->disk;
    put_folder(d, path);
    struct inode *inode = inode_new(false);
    buf_append_slice(&inode->cache, bytes);
    buf_append_slice(&inode->disk, bytes);
    resize(&inode->sectors, sector_count(bytes.len));
    names_set(&d->now, path, inode);
    names_set(&d->lasting, path, inode);
}

bool sim_disk_get(struct sim *sim, const char *path, struct buf *out)
{
    const struct name *name = names_find(&sim->disk->now, path);
    if (name == NULL || name->inode->is_dir)
        return false;
    buf_append_slice(out, buf_slice(&name->inode->cache));
    return true;
}

bool sim_disk_exists(struct sim *sim, const char *path)
{
    return names_find(&sim->disk->now, path) != NULL;
}

void sim_disk_flip_bit(struct sim *sim, const char *path, uint64_t bit)
{
    const struct name *name = names_find(&sim->disk->now, path);
    CHECK(name != NULL);
    inode_flip_bit(name->inode, bit);
}

unsigned sim_disk_file_count(struct sim *sim)
{
    unsigned count = 0;
    for (size_t i = 0; i < sim->disk->now.count; i++)
        count += !sim->disk->now.list[i].inode->is_dir;
    return count;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->path, ((const struct name *)b)->path);
}

void sim_disk_each(struct sim *sim,
                   void (*on_file)(void *user, const char *path, struct slice bytes), void *user)
{
    const struct names *now = &sim->disk->now;
    if (now->count == 0)
        return;
    struct name *list = mem_alloc(MEM_TEST, now->count * sizeof(list[0]));
    memcpy(list, now->list, now->count * sizeof(list[0]));
    qsort(list, now->count, sizeof(list[0]), by_path);
    for (size_t i = 0; i < now->count; i++)
        if (!list[i].inode->is_dir)
            on_file(user, list[i].path, buf_slice(&list[i].inode->cache));
    mem_free(MEM_TEST, list);
}

void sim_disk_reseed(struct sim *sim, uint64_t seed)
{
    sim->disk_rng = rng_next(&seed);
}

struct sim_disk *sim_disk_new(void)
{
    return mem_calloc(MEM_TEST, sizeof(struct sim_disk));
}

void sim_disk_free(struct sim_disk *disk)
{
    drop_all_changes(disk);
    names_clear(&disk->now);
    names_clear(&disk->lasting);
    mem_free(MEM_TEST, disk->now.list);
    mem_free(MEM_TEST, disk->lasting.list);
    mem_free(MEM_TEST, disk->changes);
    mem_free(MEM_TEST, disk);
}
