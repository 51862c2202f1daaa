/* blockfile.c: a disk whose power can be cut, for tests of a real file system on it.
 *
 *     blockfile FOLDER IMAGE      serves until FOLDER is unmounted or the process ends
 *
 * A FUSE server with two files. FOLDER/disk has the content of IMAGE; a loop device over it is a
 * block device, and a flush of that device (REQ_OP_FLUSH) reaches this process as an fsync of the
 * file. What was written since the last fsync is remembered write by write, as a drive with a
 * volatile cache has it. FOLDER/control takes one command and tells counters when read:
 *
 *     cut N SEED PATH   The power fails when N more writes and flushes have come: the last of them
 *                       and every later one gets EIO, and the file PATH becomes what the platter
 *                       holds: all flushed bytes, and of the writes after the last flush what SEED
 *                       picks, sector by sector. N = 0: now. A write of one block is kept whole or
 *                       not at all: ext4 counts on that for its superblock and its journal's, and a
 *                       drive with sectors of 4 KiB inside does it. So is block 0, which has the
 *                       superblock, in a write that the kernel has joined it to.
 *
 * All requests are served one after the other by one thread, so "now" is a point between two. */
#define FUSE_USE_VERSION 35

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/rng.h"

enum {
    SECTOR = 512, /* what a drive writes whole or not at all */
    BLOCK = 4096,
    CACHE_BYTES_MAX = 64 << 20, /* a drive's cache is finite: past it the oldest writes settle */
    INODE_DISK = 2,
    INODE_CONTROL = 3,
    TEXT_MAX = 4096
};

/* A write that no flush has followed yet. */
struct unflushed {
    uint64_t at;
    size_t len;
    uint8_t *bytes;
};

struct disk {
    uint64_t size;
    uint8_t *seen;    /* what reads answer */
    uint8_t *platter; /* what survives: flushed, or settled */
    bool *used;       /* blocks of platter that are not all holes */
    struct unflushed *cache;
    size_t cached, room;
    uint64_t cached_bytes;
    bool frozen;
    uint64_t cut_after; /* requests until the power fails; 0: it does not */
    uint64_t cut_seed;
    char cut_path[TEXT_MAX];
    int cut_error; /* errno of writing cut_path */
    uint64_t writes, flushes;
    uint64_t sectors_unflushed, sectors_kept; /* at the cut */
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        fprintf(stderr, "blockfile: no memory for %zu bytes\n", size);
        exit(1);
    }
    return memory;
}

/* -- the drive ----------------------------------------------------------------------------------
 */

static void platter_put(struct disk *disk, uint64_t at, const void *bytes, size_t len)
{
    memcpy(disk->platter + at, bytes, len);
    for (uint64_t block = at / BLOCK; block <= (at + len - 1) / BLOCK; block++)
        disk->used[block] = true;
}

/* The oldest count writes reach the platter and leave the cache. */
static void disk_settle(struct disk *disk, size_t count)
{
    CHECK(count <= disk->cached);
    for (size_t i = 0; i < count; i++) {
        struct unflushed *w = &disk->cache[i];
        platter_put(disk, w->at, w->bytes, w->len);
        disk->cached_bytes -= w->len;
        free(w->bytes);
    }
    disk->cached -= count;
    memmove(disk->cache, disk->cache + count, disk->cached * sizeof(*disk->cache));
}

static void disk_write(struct disk *disk, uint64_t at, const void *bytes, size_t len)
{
    CHECK(at <= disk->size && len <= disk->size - at);
    if (disk->cached == disk->room) {
        disk->room = disk->room == 0 ? 1024 : 2 * disk->room;
        struct unflushed *more = realloc(disk->cache, disk->room * sizeof(*more));
        if (more == NULL)
            exit(1);
        disk->cache = more;
    }
    struct unflushed *w = &disk->cache[disk->cached++];
    *w = (struct unflushed){at, len, allocate(len)};
    memcpy(w->bytes, bytes, len);
    memcpy(disk->seen + at, bytes, len);
    disk->cached_bytes += len;
    disk->writes++;
    if (disk->cached_bytes > CACHE_BYTES_MAX)
        disk_settle(disk, (disk->cached + 1) / 2);
}

static void disk_flush(struct disk *disk)
{
    disk_settle(disk, disk->cached);
    CHECK(disk->cached_bytes == 0);
    disk->flushes++;
}

/* How a power loss treats the cache. Each is something drives do. */
enum fate {
    FATE_NOTHING,  /* all of it is lost */
    FATE_ALL,      /* all of it made it */
    FATE_WRITES,   /* some writes made it, whole, in any order */
    FATE_SECTORS,  /* some sectors of some writes */
    FATE_IN_ORDER, /* the first writes made it, the next is torn, the rest is lost */
    FATE_COUNT
};

static bool sector_is_kept(enum fate fate, uint64_t *rng, size_t write, size_t last_kept)
{
    switch (fate) {
    case FATE_ALL:
        return true;
    case FATE_SECTORS:
        return rng_below(rng, 2) != 0;
    case FATE_IN_ORDER:
        return write < last_kept || (write == last_kept && rng_below(rng, 2) != 0);
    case FATE_WRITES: /* decided for the whole write */
    case FATE_NOTHING:
    case FATE_COUNT:
        break;
    }
    return false;
}

/* Blocks that were never written stay holes: a nearly empty disk is a small file. */
static int disk_save(const struct disk *disk, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int error = ftruncate(fd, (off_t)disk->size) == 0 ? 0 : errno;
    for (uint64_t at = 0; error == 0 && at < disk->size; at += BLOCK) {
        if (disk->used[at / BLOCK] && pwrite(fd, disk->platter + at, BLOCK, (off_t)at) != BLOCK)
            error = errno != 0 ? errno : EIO;
    }
    if (close(fd) != 0 && error == 0)
        error = errno;
    return error;
}

/* How much of the write, from an offset in it on, is kept or lost as one. */
static size_t unit_of(const struct unflushed *w, size_t from)
{
    size_t left = w->len - from;
    size_t unit = w->len <= BLOCK ? left : w->at + from < BLOCK ? BLOCK - (w->at + from) : SECTOR;
    return unit < left ? unit : left;
}

static void disk_cut(struct disk *disk)
{
    uint64_t rng = disk->cut_seed;
    enum fate fate = (enum fate)rng_below(&rng, FATE_COUNT);
    size_t last_kept = disk->cached == 0 ? 0 : (size_t)rng_below(&rng, disk->cached);
    disk->frozen = true;
    for (size_t i = 0; i < disk->cached; i++) {
        struct unflushed *w = &disk->cache[i];
        bool whole = fate == FATE_WRITES && rng_below(&rng, 2) != 0;
        for (size_t from = 0, len; from < w->len; from += len) {
            len = unit_of(w, from);
            disk->sectors_unflushed += len / SECTOR;
            if (!whole && !sector_is_kept(fate, &rng, i, last_kept))
                continue;
            platter_put(disk, w->at + from, w->bytes + from, len);
            disk->sectors_kept += len / SECTOR;
        }
    }
    disk->cut_error = disk_save(disk, disk->cut_path);
}

/* Counts one more write or flush of a running disk. Was it the last one before the cut? Then a
 * write is in the cache already, so that it can be torn. */
static bool disk_cut_is_due(struct disk *disk)
{
    if (disk->cut_after == 0 || --disk->cut_after > 0)
        return false;
    disk_cut(disk);
    return true;
}

static void disk_load(struct disk *disk, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0 || st.st_size % BLOCK != 0) {
        fprintf(stderr, "blockfile: %s is no image of a disk\n", path);
        exit(1);
    }
    *disk = (struct disk){.size = (uint64_t)st.st_size};
    disk->seen = allocate(disk->size);
    disk->platter = allocate(disk->size);
    disk->used = allocate(disk->size / BLOCK);
    for (off_t at = lseek(fd, 0, SEEK_DATA); at >= 0; at = lseek(fd, at, SEEK_DATA)) {
        off_t end = lseek(fd, at, SEEK_HOLE);
        for (at -= at % BLOCK; at < end; at += BLOCK) {
            if (pread(fd, disk->seen + at, BLOCK, at) != BLOCK) {
                fprintf(stderr, "blockfile: cannot read %s\n", path);
                exit(1);
            }
            platter_put(disk, (uint64_t)at, disk->seen + at, BLOCK);
        }
    }
    close(fd);
}

/* -- the two files ------------------------------------------------------------------------------
 */

static bool stat_of(const struct disk *disk, fuse_ino_t inode, struct stat *out)
{
    *out = (struct stat){.st_ino = inode, .st_nlink = 1, .st_mode = S_IFREG | 0600};
    switch (inode) {
    case FUSE_ROOT_ID:
        out->st_mode = S_IFDIR | 0700;
        return true;
    case INODE_DISK:
        out->st_size = (off_t)disk->size;
        return true;
    case INODE_CONTROL:
        out->st_size = TEXT_MAX;
        return true;
    default:
        return false;
    }
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    const struct disk *disk = fuse_req_userdata(req);
    struct fuse_entry_param entry = {.attr_timeout = 3600, .entry_timeout = 3600};
    entry.ino = strcmp(name, "disk") == 0      ? INODE_DISK
                : strcmp(name, "control") == 0 ? INODE_CONTROL
                                               : 0;
    if (parent != FUSE_ROOT_ID || !stat_of(disk, entry.ino, &entry.attr))
        fuse_reply_err(req, ENOENT);
    else
        fuse_reply_entry(req, &entry);
}

static void on_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *file)
{
    (void)file;
    struct stat st;
    if (stat_of(fuse_req_userdata(req), inode, &st))
        fuse_reply_attr(req, &st, 3600);
    else
        fuse_reply_err(req, ENOENT);
}

/* Opening with O_TRUNC and setting times ask for this; nothing changes. */
static void on_setattr(fuse_req_t req, fuse_ino_t inode, struct stat *attr, int set,
                       struct fuse_file_info *file)
{
    (void)attr, (void)set;
    on_getattr(req, inode, file);
}

static void on_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *file)
{
    (void)inode;
    /* The page cache of the file would hide reads and writes of the loop device from us. */
    file->direct_io = 1;
    fuse_reply_open(req, file);
}

static void read_control(fuse_req_t req, const struct disk *disk, off_t at)
{
    char text[TEXT_MAX];
    int len = snprintf(text, sizeof(text),
                       "writes %" PRIu64 "\nflushes %" PRIu64 "\nunflushed_writes %zu\n"
                       "sectors_unflushed %" PRIu64 "\nsectors_kept %" PRIu64 "\n"
                       "frozen %d\nerror %d\n",
                       disk->writes, disk->flushes, disk->cached, disk->sectors_unflushed,
                       disk->sectors_kept, disk->frozen, disk->cut_error);
    CHECK(len > 0 && (size_t)len < sizeof(text));
    if (at >= len)
        fuse_reply_buf(req, NULL, 0);
    else
        fuse_reply_buf(req, text + at, (size_t)(len - at));
}

static void on_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t at,
                    struct fuse_file_info *file)
{
    (void)file;
    const struct disk *disk = fuse_req_userdata(req);
    if (inode == INODE_CONTROL) {
        read_control(req, disk, at);
        return;
    }
    uint64_t from = (uint64_t)at < disk->size ? (uint64_t)at : disk->size;
    uint64_t left = disk->size - from;
    fuse_reply_buf(req, (const char *)disk->seen + from, size < left ? size : (size_t)left);
}

/* Runs a command of the control file. 0, or an errno. */
static int control(struct disk *disk, const char *bytes, size_t size)
{
    char text[TEXT_MAX];
    uint64_t after;
    if (size >= sizeof(text))
        return EINVAL;
    memcpy(text, bytes, size);
    text[size] = '\0';
    if (disk->frozen || sscanf(text, "cut %" SCNu64 " %" SCNu64 " %4095s", &after, &disk->cut_seed,
                               disk->cut_path) != 3)
        return EINVAL;
    disk->cut_after = after;
    if (after == 0)
        disk_cut(disk);
    return 0;
}

/* A write to the disk. 0, or an errno. */
static int write_disk(struct disk *disk, uint64_t at, const char *bytes, size_t size)
{
    if (disk->frozen)
        return EIO;
    if (at > disk->size || size > disk->size - at)
        return ENOSPC;
    disk_write(disk, at, bytes, size);
    return disk_cut_is_due(disk) ? EIO : 0;
}

static void on_write(fuse_req_t req, fuse_ino_t inode, const char *bytes, size_t size, off_t at,
                     struct fuse_file_info *file)
{
    (void)file;
    struct disk *disk = fuse_req_userdata(req);
    int error = inode == INODE_CONTROL ? control(disk, bytes, size)
                                       : write_disk(disk, (uint64_t)at, bytes, size);
    if (error != 0)
        fuse_reply_err(req, error);
    else
        fuse_reply_write(req, size);
}

static void on_fsync(fuse_req_t req, fuse_ino_t inode, int data_only, struct fuse_file_info *file)
{
    (void)data_only, (void)file;
    struct disk *disk = fuse_req_userdata(req);
    bool fails = inode == INODE_DISK && (disk->frozen || disk_cut_is_due(disk));
    if (inode == INODE_DISK && !fails)
        disk_flush(disk);
    fuse_reply_err(req, fails ? EIO : 0);
}

static const struct fuse_lowlevel_ops OPERATIONS = {
    .lookup = on_lookup,
    .getattr = on_getattr,
    .setattr = on_setattr,
    .open = on_open,
    .read = on_read,
    .write = on_write,
    .fsync = on_fsync,
};

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: blockfile FOLDER IMAGE\n");
        return 2;
    }
    struct disk disk;
    disk_load(&disk, argv[2]);
    char *words[] = {argv[0], "-o", "fsname=blockfile", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, words);
    struct fuse_session *session = fuse_session_new(&args, &OPERATIONS, sizeof(OPERATIONS), &disk);
    if (session == NULL || fuse_session_mount(session, argv[1]) != 0)
        return 1;
    int status = fuse_session_loop(session);
    fuse_session_unmount(session);
    fuse_session_destroy(session);
    return status == 0 ? 0 : 1;
}
