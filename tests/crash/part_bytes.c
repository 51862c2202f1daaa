/* Damage to a data directory at rest: every byte changed, every file cut at every length, files
 * gone, swapped, twice, or of an earlier time. A server must refuse what it gets and name a file,
 * or load exactly what there was before; the bytes that do not matter are named here. */
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "crash/crash.h"
#include "crash/datadir.h"

enum { HANG_S = 60, SAMPLED = 7, DAMAGES = 32 };

enum { COUNT_TRIED, COUNT_REFUSED, COUNT_CHECKED, COUNT_HARMLESS, COUNT_SILENT, COUNTS };

/* One thing to do to one file, or to two. */
struct damage_plan {
    const struct crash_options *options; /* of all; else NULL */
    const struct datadir *dir, *earlier;
};

typedef unsigned long long ull;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Places where a change does not matter, and nothing tells of it: the note claims once more what is
 * durable, in two halves of which one is of use. */
static bool is_padding(const char *path)
{
    return strcmp(base_name(path), "log.durable") == 0;
}

/* Lets a server and `vdb check` look at the damage that what tells of, and counts what they say.
 * padding: it may be without effect and without mention. exact: what is loaded has to be the same
 * in rows and links, too. False: it may not be so, and text says why. */
static bool judge(const struct datadir *dir, bool padding, bool exact, const char *what,
                  uint64_t *counts, char text[POOL_TEXT])
{
    char said[DATADIR_TEXT_MAX];
    const char *wrong = NULL;
    enum datadir_verdict verdict = datadir_load(dir, said);
    bool found = datadir_check(dir) > dir->findings;
    bool refused = verdict == DATADIR_REFUSED || verdict == DATADIR_UNNAMED;
    bool same = verdict == DATADIR_SAME || (verdict == DATADIR_REBUILT && !exact);
    counts[COUNT_TRIED]++;
    counts[COUNT_REFUSED] += refused;
    counts[COUNT_CHECKED] += same && found;
    counts[COUNT_HARMLESS] += same && !found;
    counts[COUNT_SILENT] += !refused && !same;
    if (verdict == DATADIR_UNNAMED)
        wrong = "refused without naming a file";
    else if (refused && !found)
        wrong = "refused, and vdb check finds nothing";
    else if (!refused && !same)
        wrong = "SILENT";
    else if (same && !found && !padding)
        wrong = "no difference, and it is not listed as padding";
    if (wrong != NULL)
        (void)snprintf(text, POOL_TEXT, "%.200s: %s: %.300s", what, wrong, said);
    return wrong == NULL;
}

/* -- bytes ---------------------------------------------------------------------------------------
 */

static uint64_t total_bytes(const struct datadir *dir)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < dir->count; i++)
        sum += dir->files[i].bytes.len;
    return sum;
}

/* The file and the offset of the at-th byte of all. */
static unsigned locate(const struct datadir *dir, uint64_t at, size_t *offset)
{
    unsigned file = 0;
    while (at >= dir->files[file].bytes.len)
        at -= dir->files[file++].bytes.len;
    *offset = (size_t)at;
    return file;
}

/* Which bits of a byte are flipped, one at a time: one of them, or all in a sample of the bytes. */
static unsigned bits_of(uint64_t at)
{
    return at % SAMPLED == 0 ? 0xff : 1u << (at * 5 % 8);
}

static bool flip_byte(const struct datadir *dir, uint64_t at, uint64_t *counts,
                      char text[POOL_TEXT])
{
    size_t offset;
    unsigned file = locate(dir, at, &offset), bits = bits_of(at);
    const char *path = dir->files[file].path;
    char what[DATADIR_PATH_MAX + 64];
    uint8_t *byte = &dir->files[file].bytes.ptr[offset];
    bool ok = true;
    for (unsigned bit = 0; bit < 8 && ok; bit++) {
        if ((bits >> bit & 1) == 0)
            continue;
        (void)snprintf(what, sizeof(what), "bit %u of byte %zu of %s flipped", bit, offset, path);
        *byte ^= (uint8_t)(1u << bit);
        ok = judge(dir, is_padding(path), true, what, counts, text);
        *byte ^= (uint8_t)(1u << bit);
    }
    return ok;
}

/* Tasks in an order that samples all places evenly, should the time be over early. */
static uint64_t scattered(uint64_t task, uint64_t count)
{
    const uint64_t prime = 2654435761u;
    CHECK(count < prime);
    return task * prime % count;
}

static bool run_flips(void *user, uint64_t task, uint64_t *counts, char text[POOL_TEXT])
{
    const struct damage_plan *plan = user;
    return flip_byte(plan->dir, scattered(task, total_bytes(plan->dir)), counts, text);
}

/* -- lengths -------------------------------------------------------------------------------------
 */

static bool run_cuts(void *user, uint64_t task, uint64_t *counts, char text[POOL_TEXT])
{
    const struct damage_plan *plan = user;
    struct datadir dir;
    size_t len;
    char what[DATADIR_PATH_MAX + 64];
    datadir_copy(plan->dir, &dir);
    unsigned file = locate(&dir, scattered(task, total_bytes(&dir)), &len);
    dir.files[file].bytes.len = len;
    (void)snprintf(what, sizeof(what), "%s cut to %zu bytes", dir.files[file].path, len);
    bool ok = judge(&dir, is_padding(dir.files[file].path), true, what, counts, text);
    datadir_free(&dir);
    return ok;
}

/* -- whole files ---------------------------------------------------------------------------------
 */

/* What is done to files, by number; first and second are files of the directory. */
enum { FILE_GONE, FILE_EMPTY, FILE_LONGER, FILE_SWAPPED, FILE_COPIED, FILE_WAYS };

enum { WAYS_OF_ONE = FILE_SWAPPED, TAIL = 64 };

static void lengthen(struct buf *bytes, uint64_t seed)
{
    for (unsigned i = 0; i < TAIL; i++)
        buf_append_byte(bytes, seed % 2 == 0 ? 0 : (uint8_t)rng_next(&seed));
}

static void damage_one(struct datadir *dir, unsigned way, unsigned file)
{
    switch (way) {
    case FILE_GONE:
        datadir_remove(dir, file);
        break;
    case FILE_EMPTY:
        dir->files[file].bytes.len = 0;
        break;
    default:
        lengthen(&dir->files[file].bytes, file);
    }
}

static void damage_two(struct datadir *dir, unsigned way, unsigned a, unsigned b)
{
    struct buf bytes = dir->files[a].bytes;
    if (way == FILE_SWAPPED) {
        dir->files[a].bytes = dir->files[b].bytes;
        dir->files[b].bytes = bytes;
    } else {
        buf_clear(&dir->files[b].bytes, SIZE_MAX);
        buf_append_slice(&dir->files[b].bytes, buf_slice(&bytes));
    }
}

static const char *const way_texts[FILE_WAYS] = {"gone", "empty", "longer", "swapped with",
                                                 "copied over"};

static bool run_one_file(const struct damage_plan *plan, uint64_t task, uint64_t *counts,
                         char text[POOL_TEXT])
{
    struct datadir dir;
    char what[2 * DATADIR_PATH_MAX + 64];
    unsigned way = (unsigned)(task % WAYS_OF_ONE), file = (unsigned)(task / WAYS_OF_ONE);
    datadir_copy(plan->dir, &dir);
    (void)snprintf(what, sizeof(what), "%s %s", dir.files[file].path, way_texts[way]);
    damage_one(&dir, way, file);
    bool ok = judge(&dir, true, false, what, counts, text);
    datadir_free(&dir);
    return ok;
}

static bool run_two_files(const struct damage_plan *plan, uint64_t task, uint64_t *counts,
                          char text[POOL_TEXT])
{
    struct datadir dir;
    char what[2 * DATADIR_PATH_MAX + 64];
    unsigned way = FILE_SWAPPED + (unsigned)(task % 2), count = plan->dir->count;
    unsigned a = (unsigned)(task / 2 / count), b = (unsigned)(task / 2 % count);
    if (a == b || (way == FILE_SWAPPED && a > b))
        return true;
    datadir_copy(plan->dir, &dir);
    (void)snprintf(what, sizeof(what), "%s %s %s", dir.files[a].path, way_texts[way],
                   dir.files[b].path);
    damage_two(&dir, way, a, b);
    bool ok = judge(&dir, true, false, what, counts, text);
    datadir_free(&dir);
    return ok;
}

/* A file of an earlier time is back: in place of what has its name now, or besides. */
static bool run_stale(const struct damage_plan *plan, uint64_t task, uint64_t *counts,
                      char text[POOL_TEXT])
{
    struct datadir dir;
    const struct datadir_file *stale = &plan->earlier->files[task];
    char what[DATADIR_PATH_MAX + 64];
    datadir_copy(plan->dir, &dir);
    unsigned now = datadir_find(&dir, stale->path);
    if (now < dir.count)
        datadir_remove(&dir, now);
    datadir_add(&dir, stale->path, buf_slice(&stale->bytes));
    (void)snprintf(what, sizeof(what), "%s as it was earlier", stale->path);
    bool ok = judge(&dir, true, false, what, counts, text);
    datadir_free(&dir);
    return ok;
}

static uint64_t file_task_count(const struct damage_plan *plan)
{
    uint64_t n = plan->dir->count;
    return n * WAYS_OF_ONE + n * n * 2 + plan->earlier->count;
}

static bool run_files(void *user, uint64_t task, uint64_t *counts, char text[POOL_TEXT])
{
    const struct damage_plan *plan = user;
    uint64_t n = plan->dir->count;
    if (task < n * WAYS_OF_ONE)
        return run_one_file(plan, task, counts, text);
    task -= n * WAYS_OF_ONE;
    if (task < n * n * 2)
        return run_two_files(plan, task, counts, text);
    return run_stale(plan, task - n * n * 2, counts, text);
}

/* -- a bit of it ---------------------------------------------------------------------------------
 */

bool crash_damage(uint64_t seed, char text[POOL_TEXT])
{
    static struct datadir dir, earlier; /* large */
    uint64_t kinds[DATADIR_KINDS] = {0}, counts[COUNTS] = {0};
    const struct damage_plan plan = {.dir = &dir, .earlier = &earlier};
    uint64_t rng = seed + 1;
    bool ok = datadir_make(seed, &dir, &earlier, kinds, text);
    for (unsigned i = 0; i < DAMAGES && ok; i++) {
        uint64_t task = rng_next(&rng);
        if (i % 8 == 0)
            ok = run_files((void *)&plan, task % file_task_count(&plan), counts, text);
        else if (i % 8 < 3)
            ok = run_cuts((void *)&plan, task % total_bytes(&dir), counts, text);
        else
            ok = run_flips((void *)&plan, task % total_bytes(&dir), counts, text);
    }
    datadir_free(&dir);
    datadir_free(&earlier);
    return ok;
}

/* -- the whole -----------------------------------------------------------------------------------
 */

static void run_part(struct damage_plan *plan, struct crash_report *report, const char *name,
                     bool (*run)(void *, uint64_t, uint64_t *, char *), uint64_t count,
                     uint64_t to[COUNTS])
{
    const struct crash_options *o = plan->options;
    struct pool p = {.run = run,
                     .user = plan,
                     .to = count,
                     .workers = o->workers,
                     .seconds = o->all_bytes ? 0 : o->seconds / 3,
                     .hang_seconds = HANG_S,
                     .failures_max = POOL_FAILURES};
    pool_run(&p);
    for (unsigned i = 0; i < COUNTS; i++)
        to[i] += p.counts[i];
    memset(p.counts, 0, sizeof(p.counts)); /* they are not those of lives */
    report->incomplete |= p.ran < count;
    crash_collect(report, &p, name);
}

void crash_bytes(const struct crash_options *o, struct crash_report *report)
{
    static struct datadir dir, earlier; /* large */
    char text[DATADIR_TEXT_MAX];
    struct damage_plan plan = {.options = o, .dir = &dir, .earlier = &earlier};
    if (!datadir_make(o->seed, &dir, &earlier, report->damaged_kinds, text)) {
        printf("FAILED to make a data directory: %s\n", text);
        report->failed++;
        return;
    }
    uint64_t bytes = total_bytes(&dir);
    printf("  a data directory of %u files, %llu bytes\n", dir.count, (ull)bytes);
    run_part(&plan, report, "bytes changed", run_flips, bytes, report->flips);
    run_part(&plan, report, "files cut short", run_cuts, bytes, report->cuts);
    run_part(&plan, report, "whole files", run_files, file_task_count(&plan), report->files);
    datadir_free(&dir);
    datadir_free(&earlier);
}
