/* What the simulated disk may lose in a crash, and what never. */
#include "base/mem.h"
#include "lib/test.h"
#include "sim/sim_io.h"

enum { SEEDS = 200, SIZE = 4000 };

/* A file of SIZE equal bytes at offset 0. */
static enum err write_file(struct io *io, const char *path, char fill, bool sync)
{
    char bytes[SIZE];
    memset(bytes, fill, sizeof(bytes));
    struct io_file *f;
    enum err e = io->ops->file_open(io, path, IO_READ | IO_WRITE | IO_CREATE, &f, NULL);
    if (e != OK)
        return e;
    e = io->ops->file_write(f, 0, bytes, sizeof(bytes));
    if (e == OK && sync)
        e = io->ops->file_sync(f);
    io->ops->file_close(f);
    return e;
}

/* The byte the whole file consists of, '?' for a mixture, 0 when there is no such file, 1 when it
 * is empty. */
static char fill_of(struct sim *sim, const char *path)
{
    struct buf b = BUF_INIT(MEM_TEST);
    char fill = 0;
    if (sim_disk_get(sim, path, &b)) {
        fill = b.len > 0 ? (char)b.ptr[0] : 1;
        for (size_t i = 0; i < b.len; i++)
            if ((char)b.ptr[i] != fill)
                fill = '?';
    }
    buf_fini(&b);
    return fill;
}

TEST(sim_disk, what_was_synced_survives_every_crash)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        struct io *io = sim_io(sim);
        EXPECT_EQ(io->ops->make_dir(io, "data"), OK);
        EXPECT_EQ(io->ops->make_dir(io, "data"), OK);
        EXPECT_EQ(io->ops->sync_dir(io, "."), OK);
        EXPECT_EQ(write_file(io, "data/a", 'a', true), OK);
        EXPECT_EQ(io->ops->sync_dir(io, "data"), OK);
        sim_crash(sim);
        sim_restart(sim);
        EXPECT_EQ(fill_of(sim, "data/a"), 'a');
        struct buf b = BUF_INIT(MEM_TEST);
        EXPECT_EQ(io_read_file(io, "data/a", SIZE, &b, NULL), OK);
        EXPECT_EQ(b.len, SIZE);
        buf_fini(&b);
        sim_free(sim);
    }
}

TEST(sim_disk, what_was_not_synced_is_kept_lost_or_mixed)
{
    unsigned kept = 0, lost = 0, mixed = 0, torn = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        char old[SIZE];
        memset(old, 'a', sizeof(old));
        sim_disk_put(sim, "f", (struct slice){(uint8_t *)old, sizeof(old)});
        EXPECT_EQ(write_file(sim_io(sim), "f", 'b', false), OK);
        EXPECT_EQ(fill_of(sim, "f"), 'b');
        sim_crash(sim);
        char fill = fill_of(sim, "f");
        kept += fill == 'b';
        lost += fill == 'a';
        mixed += fill == '?';
        struct buf b = BUF_INIT(MEM_TEST);
        EXPECT(sim_disk_get(sim, "f", &b) && b.len == SIZE);
        for (size_t i = 1; i < b.len; i++)
            torn += i % 512 != 0 && b.ptr[i] != b.ptr[i - 1];
        buf_fini(&b);
        sim_restart(sim);
        sim_free(sim);
    }
    EXPECT(kept > SEEDS / 10 && lost > SEEDS / 10 && mixed > SEEDS / 10);
    EXPECT(torn > 0);
}

/* Appends count records, syncing by chance; returns how many bytes were synced at the end. */
static size_t append_records(struct io *io, uint64_t seed, unsigned count, size_t *at)
{
    struct io_file *f;
    size_t synced = 0;
    REQUIRE(io->ops->file_open(io, "log", IO_READ | IO_WRITE, &f, NULL) == OK);
    for (unsigned i = 0; i < count; i++) {
        uint8_t record[300];
        size_t len = 1 + (size_t)((seed * 31 + i * 97) % sizeof(record));
        for (size_t k = 0; k < len; k++)
            record[k] = (uint8_t)((*at + k) % 251 + 1); /* never 0, which a hole would read as */
        EXPECT_EQ(io->ops->file_write(f, *at, record, len), OK);
        *at += len;
        if ((seed + i) % 5 == 0) {
            EXPECT_EQ(io->ops->file_sync(f), OK);
            synced = *at;
        }
    }
    io->ops->file_close(f);
    return synced;
}

TEST(sim_disk, a_log_keeps_every_synced_byte_also_in_sectors_that_grew_since)
{
    unsigned damaged_tails = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        sim_disk_put(sim, "log", slice_of(""));
        size_t written = 0;
        size_t synced = append_records(sim_io(sim), seed, 40, &written);
        sim_crash(sim);
        struct buf b = BUF_INIT(MEM_TEST);
        REQUIRE(sim_disk_get(sim, "log", &b));
        EXPECT(b.len >= synced && b.len <= written);
        size_t good = 0;
        while (good < b.len && b.ptr[good] == good % 251 + 1)
            good++;
        EXPECT(good >= synced);
        damaged_tails += good < b.len;
        buf_fini(&b);
        sim_restart(sim);
        sim_free(sim);
    }
    EXPECT(damaged_tails > 0);
}

TEST(sim_disk, unsynced_growth_and_truncation_leave_any_size_between)
{
    unsigned old_size = 0, new_size = 0, between = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        struct io *io = sim_io(sim);
        sim_disk_put(sim, "f", slice_of("0123456789"));
        struct io_file *f;
        REQUIRE(io->ops->file_open(io, "f", IO_WRITE, &f, NULL) == OK);
        EXPECT_EQ(io->ops->file_truncate(f, seed % 2 == 0 ? 4 : 3000), OK);
        io->ops->file_close(f);
        sim_crash(sim);
        struct buf b = BUF_INIT(MEM_TEST);
        EXPECT(sim_disk_get(sim, "f", &b));
        size_t want = seed % 2 == 0 ? 4 : 3000;
        old_size += b.len == 10;
        new_size += b.len == want;
        between += b.len != 10 && b.len != want;
        EXPECT(b.len >= 4 && b.len <= 3000 && memcmp(b.ptr, "0123", 4) == 0);
        buf_fini(&b);
        sim_restart(sim);
        sim_free(sim);
    }
    EXPECT(old_size > 0 && new_size > 0 && between > 0);
}

TEST(sim_disk, a_rename_is_whole_and_lasts_once_its_folder_is_synced)
{
    unsigned old_seen = 0, new_seen = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        bool synced = seed % 2 == 0;
        struct sim *sim = sim_new(seed, NULL);
        struct io *io = sim_io(sim);
        sim_disk_put(sim, "d/final", slice_of("aaaa"));
        EXPECT_EQ(write_file(io, "d/temp", 'b', true), OK);
        EXPECT_EQ(io->ops->rename(io, "d/temp", "d/final"), OK);
        EXPECT_EQ(fill_of(sim, "d/final"), 'b');
        EXPECT(!sim_disk_exists(sim, "d/temp"));
        if (synced)
            EXPECT_EQ(io->ops->sync_dir(io, "d"), OK);
        sim_crash(sim);
        char fill = fill_of(sim, "d/final");
        EXPECT(fill == 'b' || (!synced && fill == 'a')); /* one of the two, never neither */
        EXPECT(!synced || !sim_disk_exists(sim, "d/temp"));
        old_seen += fill == 'a';
        new_seen += !synced && fill == 'b';
        sim_restart(sim);
        sim_free(sim);
    }
    EXPECT(old_seen > 0 && new_seen > 0);
}

TEST(sim_disk, unsynced_creates_removes_and_folders_may_go_either_way)
{
    unsigned created = 0, removed = 0, folders = 0, files = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        struct io *io = sim_io(sim);
        sim_disk_put(sim, "old", slice_of("x"));
        EXPECT_EQ(write_file(io, "new", 'n', true), OK);
        EXPECT_EQ(io->ops->remove(io, "old"), OK);
        EXPECT_EQ(io->ops->remove(io, "old"), ERR_NOT_FOUND);
        EXPECT_EQ(io->ops->make_dir(io, "folder"), OK);
        EXPECT_EQ(write_file(io, "folder/f", 'f', true), OK);
        EXPECT_EQ(io->ops->sync_dir(io, "folder"), OK);
        sim_crash(sim);
        created += sim_disk_exists(sim, "new");
        removed += !sim_disk_exists(sim, "old");
        folders += sim_disk_exists(sim, "folder");
        files += sim_disk_exists(sim, "folder/f");
        EXPECT(sim_disk_exists(sim, "folder") || !sim_disk_exists(sim, "folder/f"));
        if (sim_disk_exists(sim, "new"))
            EXPECT_EQ(fill_of(sim, "new"), 'n'); /* the contents were synced */
        sim_restart(sim);
        sim_free(sim);
    }
    EXPECT(created > 0 && created < SEEDS);
    EXPECT(removed > 0 && removed < SEEDS);
    EXPECT(folders > 0 && folders < SEEDS);
    EXPECT_EQ(files, folders);
}

TEST(sim_disk, a_failed_sync_is_not_made_good_by_a_second_one)
{
    unsigned lost = 0, seen = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        struct io *io = sim_io(sim);
        char old[SIZE];
        memset(old, 'a', sizeof(old));
        sim_disk_put(sim, "f", (struct slice){(uint8_t *)old, sizeof(old)});
        EXPECT_EQ(write_file(io, "f", 'b', false), OK);
        struct io_file *f;
        REQUIRE(io->ops->file_open(io, "f", IO_READ | IO_WRITE, &f, NULL) == OK);
        sim_fail_nth(sim, 1);
        EXPECT_EQ(io->ops->file_sync(f), ERR_IO);
        EXPECT(sim_fault_fired(sim));
        EXPECT_EQ(io->ops->file_sync(f), OK);
        seen += fill_of(sim, "f") == 'b';
        io->ops->file_close(f);
        sim_crash(sim);
        lost += fill_of(sim, "f") != 'b';
        sim_restart(sim);
        sim_free(sim);
    }
    EXPECT(lost > SEEDS / 2);
    EXPECT(seen > SEEDS / 2 && seen < SEEDS); /* a reader sees it while it stays in memory */
}

/* ---- faults ---- */

static void count_name(void *user, const char *name)
{
    *(unsigned *)user += name[0] != '\0';
}

static void ignore_accept(struct io_listener *listener, struct io_stream *stream)
{
    stream->io->ops->stream_close(stream);
    EXPECT(listener != NULL);
}

static void ignore_connected(struct io_stream *stream, enum err e)
{
    EXPECT(stream == NULL && e == OK); /* never comes: the stream was closed at once */
}

enum { CALLS = 14 };

/* Makes every call that can fail; returns how many did and marks which. */
static unsigned every_call(struct sim *sim, struct io_listener *listener, bool failed[CALLS])
{
    struct io *io = sim_io(sim);
    struct io_addr any = {.host = "127.0.0.1"};
    struct io_file *f = NULL;
    uint64_t size;
    size_t got;
    char byte;
    unsigned n = 0, names = 0, count = 0;
    failed[n++] = io->ops->make_dir(io, "d") != OK;
    failed[n++] = io->ops->file_open(io, "f", IO_READ | IO_WRITE | IO_CREATE, &f, NULL) != OK;
    if (f == NULL)
        REQUIRE(io->ops->file_open(io, "f", IO_READ | IO_WRITE | IO_CREATE, &f, NULL) == OK);
    failed[n++] = io->ops->file_write(f, 0, "xy", 2) != OK;
    failed[n++] = io->ops->file_read(f, 0, &byte, 1, &got) != OK;
    failed[n++] = io->ops->file_size(f, &size) != OK;
    failed[n++] = io->ops->file_truncate(f, 1) != OK;
    failed[n++] = io->ops->file_sync(f) != OK;
    failed[n++] = io->ops->file_lock(f) != OK;
    failed[n++] = io->ops->sync_dir(io, ".") != OK;
    failed[n++] = io->ops->list_dir(io, ".", count_name, &names) != OK;
    bool stays = failed[n++] = io->ops->rename(io, "f", "g") != OK;
    failed[n++] = io->ops->remove(io, stays ? "f" : "g") != OK;
    failed[n++] = io->ops->listen(io, listener, &any, 1, NULL) != OK;
    if (listener->impl != NULL)
        io->ops->listener_close(listener);
    struct io_stream *stream = NULL;
    failed[n++] = io->ops->connect(io, &any, ignore_connected, NULL, &stream, NULL) != OK;
    if (stream != NULL)
        io->ops->stream_close(stream);
    io->ops->file_close(f);
    CHECK(n == CALLS);
    for (unsigned i = 0; i < CALLS; i++)
        count += failed[i];
    return count;
}

TEST(sim_disk, every_call_can_be_made_to_fail_and_just_that_one)
{
    for (unsigned n = 1; n <= CALLS + 1; n++) {
        struct sim *sim = sim_new(1, NULL);
        struct io_listener listener = {.on_accept = ignore_accept}; /* lives until sim_free */
        bool failed[CALLS];
        sim_fail_nth(sim, n);
        EXPECT_EQ(every_call(sim, &listener, failed), n <= CALLS ? 1 : 0);
        EXPECT(n > CALLS || failed[n - 1]);
        EXPECT_EQ(sim_fault_fired(sim), n <= CALLS);
        sim_free(sim);
    }
}

TEST(sim_disk, calls_fail_by_chance_when_asked)
{
    struct sim_options options = sim_options_default();
    options.fault_ppm = 100 * 1000;
    struct sim *sim = sim_new(1, &options);
    unsigned failed = 0;
    for (unsigned i = 0; i < 10000; i++)
        failed += sim_io(sim)->ops->make_dir(sim_io(sim), "d") != OK;
    EXPECT(failed > 800 && failed < 1200);
    sim_free(sim);
}

TEST(sim_disk, after_a_power_cut_nothing_works_until_restart)
{
    for (uint64_t n = 1; n <= 4; n++) {
        struct sim *sim = sim_new(n, NULL);
        struct io *io = sim_io(sim);
        sim_disk_put(sim, "f", slice_of(""));
        struct io_file *f;
        REQUIRE(io->ops->file_open(io, "f", IO_READ | IO_WRITE, &f, NULL) == OK);
        sim_cut_power_at_nth(sim, n);
        unsigned worked = 0;
        for (unsigned i = 0; i < 6; i++)
            worked += io->ops->file_write(f, i, "x", 1) == OK;
        EXPECT_EQ(worked, n - 1);
        EXPECT(sim_fault_fired(sim) && !sim_has_power(sim));
        sim_crash(sim);
        sim_restart(sim);
        EXPECT_EQ(io->ops->file_write(f, 0, "x", 1), ERR_IO); /* opened in an earlier life */
        io->ops->file_close(f);
        uint64_t size = 99;
        REQUIRE(io->ops->file_open(io, "f", IO_READ, &f, NULL) == OK);
        EXPECT(io->ops->file_size(f, &size) == OK && size < n);
        io->ops->file_close(f);
        sim_free(sim);
    }
}

TEST(sim_disk, only_the_calls_asked_for_count_and_fail)
{
    struct sim *sim = sim_new(1, NULL);
    struct io *io = sim_io(sim);
    sim_options(sim)->fault_calls = 1 << SIM_SYNC;
    sim_fail_nth(sim, 2);
    EXPECT_EQ(write_file(io, "f", 'a', true), OK);
    EXPECT_EQ(write_file(io, "f", 'b', true), ERR_IO);
    EXPECT(sim_fault_fired(sim) && sim_fault_call(sim) == SIM_SYNC);
    EXPECT_EQ(sim_call_count(sim, 1 << SIM_SYNC), 2);
    EXPECT_EQ(sim_call_count(sim, SIM_CALLS_FILES), 6);
    EXPECT_STR(sim_call_name(SIM_SYNC_DIR), "sync_dir");
    sim_free(sim);
}

TEST(sim_disk, a_full_disk_takes_what_fits_and_more_once_there_is_room)
{
    struct sim *sim = sim_new(1, NULL);
    struct io *io = sim_io(sim);
    sim_disk_put(sim, "other", slice_of("0123456789"));
    sim_options(sim)->disk_bytes = SIZE - 1;
    EXPECT_EQ(write_file(io, "f", 'a', true), ERR_FULL);
    struct buf b = BUF_INIT(MEM_TEST);
    EXPECT(sim_disk_get(sim, "f", &b) && b.len == SIZE - 11);
    buf_fini(&b);
    EXPECT_EQ(io->ops->remove(io, "other"), OK);
    EXPECT_EQ(write_file(io, "f", 'a', true), ERR_FULL);
    sim_options(sim)->disk_bytes = SIZE;
    EXPECT_EQ(write_file(io, "f", 'a', true), OK);
    EXPECT_EQ(write_file(io, "f", 'b', true), OK);
    EXPECT_EQ(write_file(io, "g", 'a', true), ERR_FULL);
    sim_free(sim);
}

/* A job that writes two files, and what it has got through. */
struct writing {
    struct job job;
    struct io *io;
    unsigned calls;
};

static void write_two(struct job *job, struct lane *lane)
{
    struct writing *w = (struct writing *)job;
    (void)lane;
    for (unsigned i = 0; i < 2; i++)
        w->calls += write_file(w->io, i == 0 ? "a" : "b", 'x', true) == OK;
}

static void two_written(struct job *job)
{
    EXPECT(((struct writing *)job)->calls <= 2);
}

TEST(sim_disk, calls_on_a_lane_take_time_and_a_crash_falls_between_them)
{
    unsigned ends[3] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        struct writing w = {.job = {write_two, two_written, JOB_AOF, NULL}, .io = sim_io(sim)};
        sim_io(sim)->ops->submit(sim_io(sim), &w.job);
        sim_run_for(sim, 1000);
        unsigned before = w.calls;
        sim_crash(sim);
        sim_restart(sim);              /* settles the job */
        EXPECT(w.calls <= before + 1); /* what had happened, and the job did not know yet */
        ends[w.calls]++;
        sim_free(sim);
    }
    EXPECT(ends[0] > 0 && ends[1] > 0 && ends[2] > 0);
}

struct listing {
    unsigned count;
    char last[32];
};

static void note_file(void *user, const char *path, struct slice bytes)
{
    struct listing *l = user;
    EXPECT(strcmp(path, l->last) > 0 && bytes.len == 1);
    (void)snprintf(l->last, sizeof(l->last), "%s", path);
    l->count++;
}

TEST(sim_disk, files_are_listed_in_order)
{
    struct sim *sim = sim_new(1, NULL);
    struct listing l = {0};
    sim_disk_put(sim, "b/2", slice_of("x"));
    sim_disk_put(sim, "a", slice_of("x"));
    sim_disk_put(sim, "b/1", slice_of("x"));
    sim_disk_each(sim, note_file, &l);
    EXPECT_EQ(l.count, 3);
    sim_free(sim);
}

TEST(sim_disk, rot_flips_one_bit_and_it_stays)
{
    struct sim_options options = sim_options_default();
    options.rot_ppm = 1000 * 1000;
    struct sim *sim = sim_new(1, &options);
    struct io *io = sim_io(sim);
    sim_disk_put(sim, "f", slice_of("hello"));
    struct buf first = BUF_INIT(MEM_TEST), second = BUF_INIT(MEM_TEST);
    EXPECT_EQ(io_read_file(io, "f", 10, &first, NULL), OK);
    sim_options(sim)->rot_ppm = 0;
    EXPECT_EQ(io_read_file(io, "f", 10, &second, NULL), OK);
    EXPECT(slice_eq(buf_slice(&first), buf_slice(&second)));
    unsigned bits = 0;
    for (size_t i = 0; i < 5; i++)
        bits += (unsigned)__builtin_popcount((unsigned)(first.ptr[i] ^ (uint8_t) "hello"[i]));
    EXPECT_EQ(bits, 1);
    sim_disk_flip_bit(sim, "f", 8);
    buf_clear(&first, 0);
    EXPECT_EQ(io_read_file(io, "f", 10, &first, NULL), OK);
    EXPECT_EQ(first.ptr[1] ^ second.ptr[1], 1);
    buf_fini(&first);
    buf_fini(&second);
    sim_free(sim);
}

TEST(sim_disk, open_flags_and_errors_are_those_of_a_real_disk)
{
    struct sim *sim = sim_new(1, NULL);
    struct io *io = sim_io(sim);
    struct io_file *f;
    struct why why = {""};
    EXPECT_EQ(io->ops->file_open(io, "f", IO_READ, &f, &why), ERR_NOT_FOUND);
    EXPECT(strstr(why.text, "f") != NULL);
    EXPECT_EQ(io->ops->file_open(io, "no/f", IO_WRITE | IO_CREATE, &f, NULL), ERR_NOT_FOUND);
    EXPECT_EQ(io->ops->make_dir(io, "no/dir"), ERR_NOT_FOUND);
    EXPECT_EQ(write_file(io, "f", 'x', false), OK);
    EXPECT_EQ(io->ops->file_open(io, "f", IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &f, NULL),
              ERR_EXISTS);
    EXPECT_EQ(io->ops->make_dir(io, "f"), ERR_EXISTS);
    REQUIRE(io->ops->file_open(io, "f", IO_READ | IO_WRITE | IO_TRUNCATE, &f, NULL) == OK);
    EXPECT_EQ(io->ops->file_write(f, 5, "end", 3), OK);
    char text[16] = "";
    size_t got = 0;
    EXPECT_EQ(io->ops->file_read(f, 3, text, sizeof(text), &got), OK);
    EXPECT(got == 5 && memcmp(text, "\0\0end", 5) == 0);
    EXPECT_EQ(io->ops->file_read(f, 8, text, 1, &got), OK);
    EXPECT_EQ(got, 0);
    EXPECT_EQ(io->ops->rename(io, "f", "g"), OK); /* an open file does not mind */
    EXPECT_EQ(io->ops->remove(io, "g"), OK);
    EXPECT_EQ(io->ops->file_read(f, 5, text, 3, &got), OK);
    EXPECT_EQ(got, 3);
    io->ops->file_close(f);
    EXPECT_EQ(sim_disk_file_count(sim), 0);
    sim_free(sim);
}

TEST(sim_disk, a_lock_keeps_others_out_until_its_file_is_closed_or_its_process_is_gone)
{
    struct sim *sim = sim_new(1, NULL);
    struct io *io = sim_io(sim);
    sim_disk_put(sim, "LOCK", slice_of(""));
    struct io_file *a, *b, *c;
    REQUIRE(io->ops->file_open(io, "LOCK", IO_READ | IO_WRITE, &a, NULL) == OK);
    REQUIRE(io->ops->file_open(io, "LOCK", IO_READ | IO_WRITE, &b, NULL) == OK);
    EXPECT_EQ(io->ops->file_lock(a), OK);
    EXPECT_EQ(io->ops->file_lock(a), OK);
    EXPECT_EQ(io->ops->file_lock(b), ERR_BUSY);
    io->ops->file_close(a);
    EXPECT_EQ(io->ops->file_lock(b), OK);
    sim_crash(sim);
    sim_restart(sim);
    REQUIRE(io->ops->file_open(io, "LOCK", IO_READ | IO_WRITE, &c, NULL) == OK);
    EXPECT_EQ(io->ops->file_lock(b), ERR_IO);
    EXPECT_EQ(io->ops->file_lock(c), OK);
    io->ops->file_close(b);
    io->ops->file_close(c);
    sim_free(sim);
}

TEST(sim_disk, a_folder_lists_its_own_names_only)
{
    struct sim *sim = sim_new(1, NULL);
    sim_disk_put(sim, "/data/a", slice_of("1"));
    sim_disk_put(sim, "/data/b/c", slice_of("2"));
    unsigned names = 0;
    EXPECT_EQ(sim_io(sim)->ops->list_dir(sim_io(sim), "/data/", count_name, &names), OK);
    EXPECT_EQ(names, 2);
    EXPECT_EQ(sim_io(sim)->ops->list_dir(sim_io(sim), "/none", count_name, &names), ERR_NOT_FOUND);
    sim_free(sim);
}
