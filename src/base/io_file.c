#include "base/io_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"

enum { FILE_MODE = 0644, PRIVATE_MODE = 0600, DIR_MODE = 0755 };

/* owner: the caller of io_file_open */
struct file {
    struct io_file base; /* first */
    int fd;
};

static struct file *file_of(struct io_file *f)
{
    CHECK(f != NULL);
    return (struct file *)f;
}

static enum err err_of_errno(int error)
{
    switch (error) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case EWOULDBLOCK:
        return ERR_BUSY;
    case ENOMEM:
        return ERR_NOMEM;
    default:
        return ERR_IO;
    }
}

/* The result of a call that returns -1 and errno. */
static enum err err_of_call(int rc)
{
    return rc == 0 ? OK : err_of_errno(errno);
}

static int open_retrying(const char *path, int flags, mode_t mode)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

enum err io_file_open(struct io *io, const char *path, int flags, struct io_file **out,
                      struct why *why)
{
    CHECK(path != NULL && out != NULL);
    CHECK((flags & (IO_READ | IO_WRITE)) != 0);
    int system = (flags & IO_WRITE) == 0 ? O_RDONLY : (flags & IO_READ) == 0 ? O_WRONLY : O_RDWR;
    system |= (flags & IO_CREATE) != 0 ? O_CREAT : 0;
    system |= (flags & IO_EXCLUSIVE) != 0 ? O_EXCL : 0;
    system |= (flags & IO_TRUNCATE) != 0 ? O_TRUNC : 0;
    int fd = open_retrying(path, system, flags & IO_PRIVATE ? PRIVATE_MODE : FILE_MODE);
    if (fd < 0) {
        char text[64];
        int error = errno;
        return why_set(why, err_of_errno(error), "cannot open %s: %s", path,
                       strerror_r(error, text, sizeof(text)));
    }
    struct file *file = mem_alloc(MEM_SERVER, sizeof(*file));
    file->base.io = io;
    file->fd = fd;
    *out = &file->base;
    return OK;
}

enum err io_file_read(struct io_file *f, uint64_t at, void *to, size_t len, size_t *got)
{
    CHECK(got != NULL && (to != NULL || len == 0));
    uint8_t *next = to;
    *got = 0;
    while (*got < len) {
        ssize_t n = pread(file_of(f)->fd, next + *got, len - *got, (off_t)(at + *got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_of_errno(errno);
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return OK;
}

enum err io_file_write(struct io_file *f, uint64_t at, const void *from, size_t len)
{
    CHECK(from != NULL || len == 0);
    const uint8_t *next = from;
    size_t put = 0;
    while (put < len) {
        ssize_t n = pwrite(file_of(f)->fd, next + put, len - put, (off_t)(at + put));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_of_errno(errno) : ERR_FULL; /* 0: trying again would never end */
        put += (size_t)n;
    }
    return OK;
}

enum err io_file_size(struct io_file *f, uint64_t *out)
{
    struct stat st;
    if (fstat(file_of(f)->fd, &st) != 0)
        return err_of_errno(errno);
    *out = (uint64_t)st.st_size;
    return OK;
}

enum err io_file_truncate(struct io_file *f, uint64_t size)
{
    int rc;
    do {
        rc = ftruncate(file_of(f)->fd, (off_t)size);
    } while (rc != 0 && errno == EINTR);
    return err_of_call(rc);
}

enum err io_file_sync(struct io_file *f)
{
    /* Not repeated on any error: after a failed fsync the kernel may have dropped the pages and a
     * second call would succeed without them. fdatasync covers the size of the file. */
    return err_of_call(fdatasync(file_of(f)->fd));
}

enum err io_file_lock(struct io_file *f)
{
    int rc;
    do {
        rc = flock(file_of(f)->fd, LOCK_EX | LOCK_NB);
    } while (rc != 0 && errno == EINTR);
    return err_of_call(rc);
}

void io_file_on_crash(struct io *io, struct io_file *f, const void *bytes, size_t size)
{
    (void)io;
    CHECK((f != NULL && bytes != NULL) || size == 0);
    crash_note(size > 0 ? file_of(f)->fd : -1, bytes, size);
}

/* An owner that this process may not give stays: then the owner it has may read it. */
enum err io_file_copy_rights(struct io_file *from, struct io_file *to)
{
    struct stat st;
    if (fstat(file_of(from)->fd, &st) != 0)
        return err_of_errno(errno);
    int given = fchown(file_of(to)->fd, st.st_uid, st.st_gid);
    mode_t mode = st.st_mode & (given == 0 ? 0777 : 0700);
    return err_of_call(fchmod(file_of(to)->fd, mode));
}

void io_file_close(struct io_file *f)
{
    /* What must last was synced before; an error here has nobody left to tell. */
    (void)close(file_of(f)->fd);
    mem_free(MEM_SERVER, f);
}

enum err io_path_rename(struct io *io, const char *from, const char *to)
{
    (void)io;
    return err_of_call(rename(from, to));
}

enum err io_path_remove(struct io *io, const char *path)
{
    (void)io;
    return err_of_call(unlink(path));
}

enum err io_dir_sync(struct io *io, const char *dir)
{
    (void)io;
    int fd = open_retrying(dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return err_of_errno(errno);
    enum err e = err_of_call(fsync(fd));
    (void)close(fd); /* nothing was written through it */
    return e;
}

enum err io_dir_make(struct io *io, const char *dir)
{
    (void)io;
    if (mkdir(dir, DIR_MODE) == 0)
        return OK;
    int error = errno;
    struct stat st;
    if (error == EEXIST && stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
        return OK;
    return err_of_errno(error);
}

enum err io_dir_list(struct io *io, const char *dir, void (*on_name)(void *user, const char *name),
                     void *user)
{
    (void)io;
    CHECK(on_name != NULL);
    DIR *d = opendir(dir);
    if (d == NULL)
        return err_of_errno(errno);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            on_name(user, entry->d_name);
    }
    enum err e = errno == 0 ? OK : err_of_errno(errno);
    (void)closedir(d);
    return e;
}

enum err io_dir_enter(const char *dir, char *out, size_t size)
{
    if (chdir(dir) != 0)
        return err_of_errno(errno);
    if (getcwd(out, size) != NULL)
        return OK;
    return errno == ERANGE ? ERR_LIMIT : err_of_errno(errno);
}
