#include "base/io_file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/test.h"

static const struct io_ops ops = {
    .file_open = io_file_open,
    .file_read = io_file_read,
    .file_size = io_file_size,
    .file_close = io_file_close,
};
static struct io io = {&ops};

/* A folder that exists during one test. */
struct folder {
    char path[32];
    char a[64], b[64];
};

static void folder_make(struct folder *f)
{
    memcpy(f->path, "/tmp/vdb-file-XXXXXX", sizeof("/tmp/vdb-file-XXXXXX"));
    REQUIRE(mkdtemp(f->path) != NULL);
    (void)snprintf(f->a, sizeof(f->a), "%s/a", f->path);
    (void)snprintf(f->b, sizeof(f->b), "%s/b", f->path);
}

static void folder_remove(struct folder *f)
{
    (void)unlink(f->a);
    (void)unlink(f->b);
    EXPECT_EQ(rmdir(f->path), 0);
}

static enum err put(const char *path, int flags, const char *text)
{
    struct io_file *file;
    enum err e = io_file_open(&io, path, flags, &file, NULL);
    if (e != OK)
        return e;
    e = io_file_write(file, 0, text, strlen(text));
    if (e == OK)
        e = io_file_sync(file);
    io_file_close(file);
    return e;
}

TEST(io_file, reads_what_was_written_and_stops_at_the_end)
{
    struct folder d;
    folder_make(&d);
    struct io_file *file;
    REQUIRE(io_file_open(&io, d.a, IO_READ | IO_WRITE | IO_CREATE, &file, NULL) == OK);
    EXPECT_EQ(io_file_write(file, 0, "hello world", 11), OK);
    EXPECT_EQ(io_file_write(file, 6, "there", 5), OK);
    char text[32] = "";
    size_t got = 99;
    EXPECT_EQ(io_file_read(file, 3, text, sizeof(text), &got), OK);
    EXPECT_EQ(got, 8);
    EXPECT(memcmp(text, "lo there", 8) == 0);
    EXPECT_EQ(io_file_read(file, 11, text, 1, &got), OK);
    EXPECT_EQ(got, 0);
    uint64_t size = 0;
    EXPECT(io_file_size(file, &size) == OK && size == 11);
    EXPECT_EQ(io_file_truncate(file, 4), OK);
    EXPECT(io_file_size(file, &size) == OK && size == 4);
    EXPECT_EQ(io_file_sync(file), OK);
    io_file_close(file);
    folder_remove(&d);
}

TEST(io_file, open_flags_mean_what_they_say)
{
    struct folder d;
    folder_make(&d);
    EXPECT_EQ(put(d.a, IO_WRITE, "x"), ERR_NOT_FOUND);
    EXPECT_EQ(put(d.a, IO_WRITE | IO_CREATE | IO_EXCLUSIVE, "long text"), OK);
    EXPECT_EQ(put(d.a, IO_WRITE | IO_CREATE | IO_EXCLUSIVE, "x"), ERR_EXISTS);
    EXPECT_EQ(put(d.a, IO_WRITE | IO_TRUNCATE, "short"), OK);
    struct buf b = BUF_INIT(MEM_TEST);
    EXPECT_EQ(io_read_file(&io, d.a, 5, &b, NULL), OK);
    EXPECT(slice_eq(buf_slice(&b), slice_of("short")));
    struct why why = {""};
    EXPECT_EQ(io_read_file(&io, d.a, 4, &b, &why), ERR_LIMIT);
    EXPECT(strstr(why.text, "5 bytes") != NULL);
    EXPECT_EQ(io_read_file(&io, d.b, 4, &b, &why), ERR_NOT_FOUND);
    EXPECT(strstr(why.text, d.b) != NULL);
    buf_fini(&b);
    folder_remove(&d);
}

TEST(io_file, writing_to_a_full_device_fails)
{
    EXPECT_EQ(put("/dev/full", IO_WRITE, "x"), ERR_FULL);
}

static void count_name(void *user, const char *name)
{
    unsigned *seen = user;
    *seen += strcmp(name, "b") == 0 ? 1 : 100;
}

TEST(io_file, folders_are_made_listed_and_synced_files_renamed_and_removed)
{
    struct folder d;
    folder_make(&d);
    EXPECT_EQ(put(d.a, IO_WRITE | IO_CREATE, "x"), OK);
    EXPECT_EQ(io_path_rename(&io, d.a, d.b), OK);
    EXPECT_EQ(io_path_rename(&io, d.a, d.b), ERR_NOT_FOUND);
    EXPECT_EQ(io_dir_sync(&io, d.path), OK);
    unsigned seen = 0;
    EXPECT_EQ(io_dir_list(&io, d.path, count_name, &seen), OK);
    EXPECT_EQ(seen, 1);
    EXPECT_EQ(io_dir_make(&io, d.path), OK);
    EXPECT_EQ(io_dir_make(&io, d.b), ERR_EXISTS); /* a file has the name */
    EXPECT_EQ(io_path_remove(&io, d.b), OK);
    EXPECT_EQ(io_path_remove(&io, d.b), ERR_NOT_FOUND);
    EXPECT_EQ(io_dir_sync(&io, d.b), ERR_NOT_FOUND);
    EXPECT_EQ(io_dir_list(&io, d.b, count_name, &seen), ERR_NOT_FOUND);
    folder_remove(&d);
}

TEST(io_file, a_lock_keeps_others_out_until_its_file_is_closed)
{
    struct folder d;
    folder_make(&d);
    struct io_file *a, *b;
    REQUIRE(io_file_open(&io, d.a, IO_WRITE | IO_CREATE, &a, NULL) == OK);
    REQUIRE(io_file_open(&io, d.a, IO_WRITE | IO_CREATE, &b, NULL) == OK);
    EXPECT_EQ(io_file_lock(a), OK);
    EXPECT_EQ(io_file_lock(a), OK);
    EXPECT_EQ(io_file_lock(b), ERR_BUSY);
    io_file_close(a);
    EXPECT_EQ(io_file_lock(b), OK);
    io_file_close(b);
    folder_remove(&d);
}

TEST(io_file, rights_are_those_of_another_file)
{
    struct folder d;
    struct stat st;
    folder_make(&d);
    struct io_file *a, *b;
    REQUIRE(io_file_open(&io, d.a, IO_WRITE | IO_CREATE, &a, NULL) == OK);
    REQUIRE(io_file_open(&io, d.b, IO_WRITE | IO_CREATE | IO_PRIVATE, &b, NULL) == OK);
    REQUIRE(stat(d.b, &st) == 0);
    EXPECT_EQ(st.st_mode & 0777, 0600);
    REQUIRE(chmod(d.a, 0640) == 0);
    EXPECT_EQ(io_file_copy_rights(a, b), OK);
    REQUIRE(stat(d.b, &st) == 0);
    EXPECT_EQ(st.st_mode & 0777, 0640);
    io_file_close(a);
    io_file_close(b);
    folder_remove(&d);
}
