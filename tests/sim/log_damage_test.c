/* Damage to the files of a log: found and named, or without effect. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/io_uv.h"
#include "persist/log_scan.h"
#include "sim/log_rig.h"

#ifdef VDB_SANITIZER
enum { STEP = 7 }; /* of the bytes and lengths that are tried */
#else
enum { STEP = 1 };
#endif
enum { FILES_MAX = 16, LAST = 40 };

/* The files of a folder, in memory. */
struct folder {
    char names[FILES_MAX][64];
    struct buf bytes[FILES_MAX];
    unsigned count;
};

static void on_name(void *user, const char *name)
{
    struct folder *f = user;
    CHECK(f->count < FILES_MAX);
    (void)snprintf(f->names[f->count++], sizeof(f->names[0]), "%s", name);
}

static void folder_take(struct folder *f, struct sim *sim)
{
    *f = (struct folder){0};
    REQUIRE(sim_io(sim)->ops->list_dir(sim_io(sim), RIG_DIR, on_name, f) == OK);
    for (unsigned i = 0; i < f->count; i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), RIG_DIR "/%s", f->names[i]);
        f->bytes[i] = BUF_INIT(MEM_TEST);
        REQUIRE(sim_disk_get(sim, path, &f->bytes[i]));
    }
}

/* A disk that holds them. */
static struct sim *folder_put(const struct folder *f)
{
    struct sim *sim = sim_new(1, NULL);
    for (unsigned i = 0; i < f->count; i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), RIG_DIR "/%s", f->names[i]);
        sim_disk_put(sim, path, buf_slice(&f->bytes[i]));
    }
    return sim;
}

static void folder_free(struct folder *f)
{
    for (unsigned i = 0; i < f->count; i++)
        buf_fini(&f->bytes[i]);
}

/* What a server leaves that was stopped in order, after two lives in several segments. */
static void folder_make(struct folder *f)
{
    static struct rig r;
    struct sim *sim = sim_new(1, NULL);
    struct aof_options options = rig_options();
    options.segment_size = 1200;
    for (unsigned life = 0; life < 2; life++) {
        rig_start(&r, sim, &options);
        for (unsigned i = 0; i < LAST / 8; i++) {
            rig_write(&r, 4, 30);
            EXPECT(rig_wait(&r));
        }
        rig_stop(&r);
    }
    folder_take(f, sim);
    sim_free(sim);
}

/* Starts on a damaged folder. True: it was named, or the data is as it was. */
static bool found_or_harmless(const struct folder *f, unsigned hit, unsigned *found)
{
    static struct rig r;
    struct sim *sim = folder_put(f);
    rig_begin(&r, sim);
    enum err e = rig_recover(&r, false);
    bool good = e == OK && rig_holds(&r, LAST);
    bool named = e == ERR_CORRUPT && (strstr(r.recover.why.text, f->names[hit]) != NULL ||
                                      strstr(r.recover.why.text, "missing") != NULL);
    if (!good && !named)
        printf("  %s: %s %s, LSN %llu\n", f->names[hit], err_name(e), r.recover.why.text,
               (unsigned long long)r.db.log.last_lsn);
    *found += named;
    rig_end(&r);
    sim_free(sim);
    return good || named;
}

static bool is_segment(const char *name)
{
    uint32_t generation;
    uint64_t lsn;
    return log_segment_name_parse(name, &generation, &lsn);
}

TEST(log_damage, every_changed_byte_is_found_or_harmless)
{
    struct folder f;
    unsigned tried = 0, found = 0;
    folder_make(&f);
    REQUIRE(f.count > 4);
    for (unsigned i = 0; i < f.count; i++)
        for (size_t at = 0; at < f.bytes[i].len; at += STEP) {
            uint8_t bit = (uint8_t)(1u << at % 8);
            unsigned before = found;
            f.bytes[i].ptr[at] ^= bit;
            EXPECT(found_or_harmless(&f, i, &found));
            f.bytes[i].ptr[at] ^= bit;
            tried++;
            /* In a segment with records nothing is harmless. */
            if (is_segment(f.names[i]) && f.bytes[i].len > LOG_SEGMENT_HEADER_SIZE)
                EXPECT_EQ(found, before + 1);
        }
    EXPECT(tried > 4000 / STEP);
    folder_free(&f);
}

TEST(log_damage, every_truncation_is_found_or_harmless)
{
    struct folder f;
    unsigned found = 0;
    folder_make(&f);
    for (unsigned i = 0; i < f.count; i++) {
        bool records = is_segment(f.names[i]) && f.bytes[i].len > LOG_SEGMENT_HEADER_SIZE;
        size_t whole = f.bytes[i].len;
        while (f.bytes[i].len >= STEP) {
            unsigned before = found;
            f.bytes[i].len -= STEP;
            EXPECT(found_or_harmless(&f, i, &found));
            if (records)
                EXPECT_EQ(found, before + 1);
        }
        f.bytes[i].len = whole;
    }
    folder_free(&f);
}

TEST(log_damage, a_missing_segment_is_found)
{
    struct folder f;
    folder_make(&f);
    for (unsigned i = 0; i < f.count; i++) {
        unsigned found = 0;
        if (!is_segment(f.names[i]) || f.bytes[i].len == LOG_SEGMENT_HEADER_SIZE)
            continue;
        char name[64];
        memcpy(name, f.names[i], sizeof(name));
        memcpy(f.names[i], "other", sizeof("other"));
        static struct rig r;
        struct sim *sim = folder_put(&f);
        rig_begin(&r, sim);
        EXPECT_EQ(rig_recover(&r, false), ERR_CORRUPT);
        EXPECT(strstr(r.recover.why.text, ".vlog, offset ") != NULL);
        rig_end(&r);
        sim_free(sim);
        memcpy(f.names[i], name, sizeof(name));
        EXPECT_EQ(found, 0);
    }
    folder_free(&f);
}

/* Repaired, the folder holds the records before the damage, goes on from there, and the damaged
 * file is still there as it was. */
/* A string with what was the header of a durable record, had the folder no salt, at every
 * alignment.
 */
static void write_forgery(struct rig *r)
{
    uint8_t header[LOG_RECORD_HEADER_SIZE];
    struct log_record forged = {.lsn = 2000, .durable_lsn = 1000, .kind = LOG_CHANGE};
    struct buf value = BUF_INIT(MEM_TEST);
    uint64_t lsn;
    log_record_encode(&forged, header);
    for (unsigned i = 0; i < LOG_ALIGNMENT; i++) {
        buf_append(&value, header, sizeof(header));
        buf_append_byte(&value, 0);
    }
    struct mutation m = {
        .kind = MUTATION_STRING_SET, .key = slice_of("forged"), .value = buf_slice(&value)};
    REQUIRE(db_write(&r->db, &m, &lsn, NULL) == OK);
    EXPECT(rig_wait(r));
    buf_fini(&value);
}

TEST(log_damage, what_a_client_writes_makes_no_claims)
{
    static struct rig r;
    struct sim *sim = sim_new(1, NULL);
    struct aof_options options = rig_options();
    struct folder f;
    rig_start(&r, sim, &options);
    write_forgery(&r);
    sim_crash(sim);
    rig_end(&r);
    sim_restart(sim);
    folder_take(&f, sim);
    sim_free(sim);
    for (unsigned i = 0; i < f.count; i++)
        if (f.bytes[i].len > LOG_SEGMENT_HEADER_SIZE && is_segment(f.names[i]))
            f.bytes[i].ptr[LOG_SEGMENT_HEADER_SIZE] ^= 1;
    sim = folder_put(&f);
    rig_begin(&r, sim);
    EXPECT_EQ(rig_recover(&r, false), OK); /* the record was torn, as far as anybody knows */
    EXPECT_STR(r.recover.why.text, "");
    EXPECT_EQ(r.db.log.last_lsn, 0);
    rig_end(&r);
    sim_free(sim);
    folder_free(&f);
}

TEST(log_damage, repair_keeps_what_stands_before_and_sets_the_rest_aside)
{
    struct folder f;
    unsigned repairs = 0;
    folder_make(&f);
    for (unsigned i = 0; i < f.count; i++)
        for (size_t at = 7; is_segment(f.names[i]) && at < f.bytes[i].len; at += 101) {
            static struct rig r;
            struct aof_options options = rig_options();
            char path[128];
            f.bytes[i].ptr[at] ^= 64;
            struct sim *sim = folder_put(&f);
            rig_begin(&r, sim);
            enum err e = rig_recover(&r, false);
            rig_end(&r);
            rig_begin(&r, sim);
            EXPECT_EQ(rig_recover(&r, true), OK);
            uint64_t last = r.db.log.last_lsn;
            EXPECT(rig_holds(&r, last));
            EXPECT_EQ(last == LAST, e == OK);
            rig_open(&r, &options);
            rig_write(&r, 3, 10);
            rig_stop(&r);
            rig_start(&r, sim, &options);
            EXPECT(rig_holds(&r, last + 3));
            rig_stop(&r);
            if (e != OK) {
                struct buf kept = BUF_INIT(MEM_TEST);
                (void)snprintf(path, sizeof(path), RIG_DIR "/%s.damaged", f.names[i]);
                EXPECT(sim_disk_get(sim, path, &kept));
                EXPECT(slice_eq(buf_slice(&kept), buf_slice(&f.bytes[i])));
                buf_fini(&kept);
                repairs++;
            }
            sim_free(sim);
            f.bytes[i].ptr[at] ^= 64;
        }
    EXPECT(repairs > 20);
    folder_free(&f);
}

/* -- damage that a snapshot has made good ------------------------------------------------------ */

/* A process that has the data of a snapshot at this LSN. */
static void begin_at(struct rig *r, struct sim *sim, uint64_t lsn)
{
    rig_begin(r, sim);
    rig_write(r, (unsigned)lsn, 30);
}

/* A log of LAST records in one segment, of which the first durable ones are known to be. Returns
 * the bytes before record cut. */
static struct sim *make_log(unsigned durable, unsigned cut, uint64_t *cut_offset)
{
    static struct rig r;
    struct sim *sim = sim_new(1, NULL);
    struct aof_options options = rig_options();
    options.policy = AOF_NO;
    rig_start(&r, sim, &options);
    rig_write(&r, durable, 30);
    aof_sync_soon(&r.aof);
    EXPECT(rig_wait(&r));
    rig_write(&r, cut - 1 - durable, 30);
    sim_run_for(sim, 100 * 1000);
    *cut_offset = r.aof.writer.size;
    rig_write(&r, LAST - cut + 1, 30);
    sim_run_for(sim, 100 * 1000);
    EXPECT_EQ(aof_durable_lsn(&r.aof), durable);
    /* As the process would leave it that is killed now. */
    struct folder f;
    folder_take(&f, sim);
    rig_stop(&r);
    sim_free(sim);
    sim = folder_put(&f);
    folder_free(&f);
    return sim;
}

#define ONLY_SEGMENT RIG_DIR "/log-00000001-0000000000000001.vlog"

static bool anything_is_set_aside(struct sim *sim)
{
    struct folder f;
    bool any = false;
    folder_take(&f, sim);
    for (unsigned i = 0; i < f.count; i++)
        any = any || strstr(f.names[i], "damaged") != NULL;
    folder_free(&f);
    return any;
}

TEST(log_damage, a_tail_that_is_torn_below_the_snapshot_is_cut_off_quietly)
{
    static struct rig r;
    struct aof_options options = rig_options();
    uint64_t offset;
    struct sim *sim = make_log(20, 25, &offset);
    struct buf bytes = BUF_INIT(MEM_TEST);
    REQUIRE(sim_disk_get(sim, ONLY_SEGMENT, &bytes));
    bytes.len = (size_t)offset + 20;
    sim_disk_put(sim, ONLY_SEGMENT, buf_slice(&bytes));
    for (unsigned start = 0; start < 2; start++) {
        begin_at(&r, sim, 30);
        EXPECT_EQ(rig_recover(&r, false), OK);
        EXPECT(rig_holds(&r, 30 + 3 * start));
        rig_open(&r, &options);
        rig_write(&r, 3, 30);
        rig_stop(&r);
    }
    buf_clear(&bytes, 0);
    EXPECT(sim_disk_get(sim, ONLY_SEGMENT, &bytes) && bytes.len == offset);
    EXPECT(!anything_is_set_aside(sim));
    buf_fini(&bytes);
    sim_free(sim);
}

/* How far a repair may count on the log behind the snapshot of an LSN. */
static uint64_t reach(struct sim *sim, uint64_t after_lsn)
{
    struct why why;
    uint64_t last = 0;
    EXPECT_EQ(log_scan_reach(sim_io(sim), RIG_DIR, after_lsn, &last, &why), OK);
    return last;
}

/* It says of every LSN what a recovery from there does. */
TEST(log_damage, the_log_reaches_as_far_as_it_is_replayed)
{
    static struct rig r;
    struct why why;
    uint64_t offset, last;
    unsigned reached_all = 0, reached_some = 0;
    struct sim *sim = sim_new(1, NULL);
    EXPECT_EQ(log_scan_reach(sim_io(sim), "/", 7, &last, &why), ERR_NOT_FOUND);
    sim_free(sim);
    sim = make_log(35, 36, &offset);
    for (unsigned at = LOG_SEGMENT_HEADER_SIZE; at < offset; at += 211) {
        sim_disk_flip_bit(sim, ONLY_SEGMENT, at * 8);
        for (unsigned from = 0; from <= LAST; from += 4) {
            uint64_t reached = reach(sim, from);
            begin_at(&r, sim, from);
            EXPECT_EQ(rig_recover(&r, false), reached == LAST ? OK : ERR_CORRUPT);
            EXPECT_EQ(r.db.log.last_lsn, reached);
            rig_end(&r);
            reached_all += reached == LAST;
            reached_some += reached > from && reached < LAST;
        }
        sim_disk_flip_bit(sim, ONLY_SEGMENT, at * 8);
    }
    EXPECT(reached_all > 0 && reached_some > 0);
    sim_free(sim);
}

TEST(log_damage, records_behind_damage_that_the_snapshot_has_are_replayed)
{
    static struct rig r;
    struct aof_options options = rig_options();
    uint64_t offset;
    struct sim *sim = make_log(35, 36, &offset);
    for (unsigned at = LOG_SEGMENT_HEADER_SIZE; at < 700; at += 97) {
        sim_disk_flip_bit(sim, ONLY_SEGMENT, at * 8);
        begin_at(&r, sim, 30);
        EXPECT_EQ(rig_recover(&r, false), OK);
        EXPECT_EQ(r.recover.replayed, LAST - 30);
        EXPECT(rig_holds(&r, LAST));
        rig_end(&r);
        begin_at(&r, sim, 0);
        EXPECT_EQ(rig_recover(&r, false), ERR_CORRUPT);
        rig_end(&r);
        sim_disk_flip_bit(sim, ONLY_SEGMENT, at * 8);
    }
    EXPECT(!anything_is_set_aside(sim));
    begin_at(&r, sim, 30);
    EXPECT_EQ(rig_recover(&r, false), OK);
    rig_open(&r, &options);
    rig_stop(&r);
    sim_free(sim);
}

/* -- records that crash the loader ------------------------------------------------------------- */

enum { CRASHES_AT = 5 };

static void crash_at_5(uint64_t lsn)
{
    if (lsn == CRASHES_AT)
        abort();
}

struct start {
    struct io *io;
    bool done;
};

static void on_done(struct recover_log *r, enum err e)
{
    struct start *s = r->user;
    (void)e;
    s->done = true;
    io_uv_stop(s->io);
}

/* One start in a process of its own, which may die of it. Returns how many records it replayed and
 * skipped, as 100 * skipped + replayed, or -1 when it died. */
static int start_in_child(const char *dir, void (*on_replay)(uint64_t lsn))
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct start s = {0};
        struct db db;
        struct log log = {.level = LOG_WARNING + 1};
        struct db_options db_options = {.flat_rows_max = 10};
        struct recover_log r;
        struct recover_log_options options = {.dir = dir, .on_replay = on_replay};
        CHECK(freopen("/dev/null", "w", stderr) != NULL); /* the last words of a CHECK */
        CHECK(vec_kernels_choose("auto", &db_options.kernels, NULL) == OK);
        CHECK(io_uv_new(1, &s.io, NULL) == OK);
        db_init(&db, s.io, &db_options);
        recover_log_start(&r, s.io, &db, &log, &options, on_done, &s);
        io_uv_run(s.io);
        _exit(r.result == OK ? (int)(100 * r.skipped + r.replayed) : 99);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void write_files(const struct folder *f, const char *dir)
{
    for (unsigned i = 0; i < f->count; i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, f->names[i]);
        FILE *file = fopen(path, "w");
        REQUIRE(file != NULL);
        EXPECT_EQ(fwrite(f->bytes[i].ptr, 1, f->bytes[i].len, file), f->bytes[i].len);
        EXPECT_EQ(fclose(file), 0);
    }
}

TEST(log_damage, a_record_that_crashes_the_loader_twice_is_set_aside)
{
    struct folder f;
    char dir[] = "/tmp/vdb-loading-XXXXXX", path[256], command[128];
    folder_make(&f);
    REQUIRE(mkdtemp(dir) != NULL);
    write_files(&f, dir);
    (void)snprintf(path, sizeof(path), "%s/aside-%016x.vrec", dir, CRASHES_AT);
    EXPECT_EQ(start_in_child(dir, NULL), LAST);
    EXPECT_EQ(start_in_child(dir, crash_at_5), -1);
    EXPECT_EQ(start_in_child(dir, crash_at_5), -1);
    EXPECT(access(path, F_OK) != 0);
    EXPECT_EQ(start_in_child(dir, crash_at_5), 100 + LAST - 1);
    EXPECT(access(path, F_OK) == 0);
    /* It stays so: the record is passed over without crashing anybody again. */
    EXPECT_EQ(start_in_child(dir, crash_at_5), 100 + LAST - 1);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, LOAD_MARK_NAME);
    EXPECT(access(path, F_OK) != 0);
    (void)snprintf(command, sizeof(command), "rm -r %s", dir);
    EXPECT_EQ(system(command), 0);
    folder_free(&f);
}
