/* bench_index.c: our index and its peers on the same data, in one process, in turn.
 *
 *   bench_index [options] DATASET ...        options: see usage[]
 *
 * Every system is built, then passes follow: in each, every setting of every system answers the
 * queries before the next setting starts, so that a slow minute of the machine hits all alike. The
 * time of a setting is the median of its passes; systems are compared at equal recall (curve.h). */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "bench/bars.h"
#include "bench/bench_system.h"
#include "bench/curve.h"
#include "bench/data.h"
#include "bench/read_speed.h"

enum {
    RESULTS = 10, /* recall@10 */
    PASSES_MAX = 15,
    EFFORTS_MAX = 32,
    ENTRIES_MAX = 16,
    QUERIES_PER_LOOK = 16, /* how often the clock is read */
    BATCH_SIZE = 1000,
    PATH_SIZE = 1024
};

/* A turn repeats quick queries for the lower time, and stops slow ones at the upper. */
static const double turn_seconds_min = 0.1, turn_seconds_max = 4;

/* Settings beyond the first that reaches this are not measured: no column needs them. */
static const double recall_enough = 0.9995;

static const double recalls[] = {0.90, 0.95, 0.98, 0.99};
enum { RECALLS = 4 };

static const struct bench_system *const systems[] = {
    &bench_vdb,           &bench_vdb_rabitq,     &bench_vdb_flat, &bench_vdb_ivf_sq8,
    &bench_vdb_ivf_pq,    &bench_vdb_ivf_rabitq, &bench_hnswlib,  &bench_faiss_ivfpq,
    &bench_faiss_ivfflat, &bench_faiss_flat,
};

static const char *const usage[] = {
    "usage: bench_index [options] glove100|fashion784|syn768 ...",
    "  --data DIR       where the data sets are (data)",
    "  --systems A,B    which systems (all); "
    "vdb,vdb-flat,vdb-ivf-sq8,vdb-ivf-pq,vdb-ivf-rabitq,hnswlib,faiss-ivfpq,faiss-ivfflat,faiss-"
    "flat",
    "  --passes N       passes over all settings (3)",
    "  --queries N      queries of a turn (2000)",
    "  --threads N      threads of a build (2)",
    "  --cache DIR      load indexes that can be saved from here, save them when they are missing",
    "  --rebuild        build even what the cache has",
    "  --wall           wall time instead of thread CPU time",
    "  --points         print every measured setting too",
    "  --csv FILE       append every measured setting to it: set,system,effort,recall,qps",
    "  --brief R        only: set, system, effort, recall, microseconds, for the recall R",
};

struct options {
    const char *data;
    const char *systems;
    const char *cache;
    const char *csv;
    size_t passes;
    size_t queries;
    unsigned threads;
    bool rebuild;
    bool wall;
    bool points;
    double brief; /* 0: print tables */
};

/* One row of the table. */
struct entry {
    const struct bench_system *system;
    void *index;
    bool batch; /* search_many on the index of the entry before it */
    bool built; /* here, not loaded */
    double build_wall_s;
    double build_cpu_s;
    size_t bytes;
    size_t effort_count;
    double recall[EFFORTS_MAX];
    double query_s[EFFORTS_MAX][PASSES_MAX];
    struct curve_point front[EFFORTS_MAX];
    size_t front_count;
};

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    CHECK(clock_gettime(clock, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t rss_bytes(void)
{
    mem_trim(); /* memory that a build gave back is not the index's */
    return mem_rss_bytes();
}

static void entry_build(struct entry *e, const struct dataset *d, const struct options *o)
{
    double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    e->index = e->system->build(&d->train, d->metric, o->threads);
    e->build_wall_s = seconds_of(CLOCK_MONOTONIC) - wall;
    e->build_cpu_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    e->built = true;
}

static void entry_make(struct entry *e, const struct dataset *d, const struct options *o)
{
    char path[PATH_SIZE] = "";
    if (o->cache != NULL && e->system->save != NULL) {
        (void)mkdir(o->cache, 0755); /* may be there; if not, saving says so */
        CHECK(snprintf(path, sizeof path, "%s/%s-%s", o->cache, d->name, e->system->key) <
              (int)sizeof path);
    }
    fprintf(stderr, "%s: %s\n", d->name, e->system->name);
    size_t before = rss_bytes();
    if (path[0] != 0 && !o->rebuild && file_exists(path))
        e->index = e->system->load(path, &d->train, d->metric);
    if (e->index == NULL)
        entry_build(e, d, o);
    e->bytes = rss_bytes() - before;
    if (path[0] != 0 && e->built)
        e->system->save(e->index, path);
    e->effort_count = e->system->effort_count;
    CHECK(e->effort_count > 0 && e->effort_count <= EFFORTS_MAX);
}

/* Answers the queries from first on; returns how many. */
static size_t answer(const struct entry *e, const struct dataset *d, size_t first, size_t queries,
                     unsigned effort, int32_t *ids)
{
    const size_t step = e->batch ? BATCH_SIZE : QUERIES_PER_LOOK;
    const size_t count = queries - first < step ? queries - first : step;
    if (e->batch) {
        e->system->search_many(e->index, matrix_row(&d->query, first), count, RESULTS, effort, ids);
        return count;
    }
    for (size_t i = 0; i < count; i++)
        e->system->search(e->index, matrix_row(&d->query, first + i), RESULTS, effort,
                          ids + i * RESULTS);
    return count;
}

/* One setting of one system: the time of a query, and (once) the recall. */
static void entry_turn(struct entry *e, const struct dataset *d, const struct options *o,
                       size_t effort, size_t pass)
{
    static int32_t ids[BATCH_SIZE * RESULTS];
    const clockid_t clock = o->wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
    size_t answered = 0, hits = 0, judged = 0;
    double spent = 0;
    while (spent < turn_seconds_max && (answered < o->queries || spent < turn_seconds_min)) {
        size_t first = answered % o->queries;
        double start = seconds_of(clock);
        size_t count = answer(e, d, first, o->queries, e->system->efforts[effort], ids);
        spent += seconds_of(clock) - start;
        for (size_t i = 0; i < count && answered < o->queries; i++) {
            hits += dataset_hits(d, first + i, RESULTS, ids + i * RESULTS);
            judged++;
        }
        answered += count;
    }
    e->recall[effort] = (double)hits / (double)(judged * RESULTS);
    e->query_s[effort][pass] = spent / (double)answered;
    if (e->recall[effort] >= recall_enough)
        e->effort_count = effort + 1;
}

static void run_passes(struct entry *entries, size_t count, const struct dataset *d,
                       const struct options *o)
{
    for (size_t pass = 0; pass < o->passes; pass++) {
        for (size_t effort = 0; effort < EFFORTS_MAX; effort++) {
            for (size_t i = 0; i < count; i++) {
                if (effort < entries[i].effort_count)
                    entry_turn(&entries[i], d, o, effort, pass);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct entry *e = &entries[i];
        for (size_t effort = 0; effort < e->effort_count; effort++) {
            double median = curve_median(e->query_s[effort], o->passes);
            e->front[effort] =
                (struct curve_point){e->recall[effort], 1 / median, e->system->efforts[effort]};
        }
    }
}

static void print_points(const struct entry *e)
{
    for (size_t i = 0; i < e->effort_count; i++) {
        char text[64];
        e->system->effort_text(e->front[i].effort, text, sizeof text);
        printf("    %-26s %-24s recall %.4f  %8.0f QPS\n", e->system->name, text,
               e->front[i].recall, e->front[i].qps);
    }
}

static void append_points(const char *path, const struct dataset *d, const struct entry *e)
{
    FILE *file = fopen(path, "a");
    if (file == NULL)
        die("cannot write %s", path);
    for (size_t i = 0; i < e->effort_count; i++) {
        char text[64];
        e->system->effort_text(e->front[i].effort, text, sizeof text);
        fprintf(file, "%s,\"%s%s\",\"%s\",%.4f,%.1f\n", d->name, e->system->name,
                e->batch ? " (batch)" : "", text, e->front[i].recall, e->front[i].qps);
    }
    if (fclose(file) != 0)
        die("cannot write %s", path);
}

static const struct entry *find_reference(const struct entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].system == &bench_hnswlib)
            return &entries[i];
    }
    return NULL;
}

/* "1234 (2.50x)", "-" for what was not reached or not measured. ratio 0: none is known. */
static void print_cell(double value, double ratio)
{
    if (value <= 0)
        printf(" | -");
    else
        printf(value < 100 ? " | %.1f" : " | %.0f", value);
    if (value > 0 && ratio > 0)
        printf(" (%.2fx)", ratio);
}

/* Ratios: how many times faster than the reference. */
static void print_row(const struct entry *e, const struct entry *reference, size_t rows)
{
    printf("| %s%s", e->system->name, e->batch ? ", batch" : "");
    for (size_t i = 0; i < RECALLS; i++) {
        double qps = curve_qps_at(e->front, e->front_count, recalls[i]);
        double other = reference == NULL
                           ? 0
                           : curve_qps_at(reference->front, reference->front_count, recalls[i]);
        print_cell(qps, other > 0 && reference != e ? qps / other : 0);
    }
    printf(" | %.4f", e->front[e->front_count - 1].recall);
    bool compare = reference != NULL && reference != e && reference->built && e->built;
    print_cell(e->build_wall_s, compare ? reference->build_wall_s / e->build_wall_s : 0);
    print_cell(e->build_cpu_s, compare ? reference->build_cpu_s / e->build_cpu_s : 0);
    printf(" | %.0f |\n", (double)e->bytes / (double)rows);
}

static void print_table(struct entry *entries, size_t count, const struct dataset *d,
                        const struct options *o)
{
    const struct entry *reference = find_reference(entries, count);
    printf("\n### %s: %u vectors of %u dimensions, %s; %zu queries, recall@%d\n\n", d->name,
           d->train.rows, d->train.columns, d->metric == BENCH_L2 ? "L2" : "cosine", o->queries,
           (int)RESULTS);
    printf("One query thread, %s time, medians of %zu alternating passes; builds with %u threads; "
           "ratios: times as fast as hnswlib.\n\n",
           o->wall ? "wall" : "thread CPU", o->passes, o->threads);
    printf("| system | QPS@0.90 | QPS@0.95 | QPS@0.98 | QPS@0.99 | max recall | build s | "
           "build CPU s | bytes/vector |\n|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++)
        print_row(&entries[i], reference, d->train.rows);
    fflush(stdout);
}

static void print_bars(const struct entry *entries, size_t count, const struct dataset *d)
{
    struct bar_system measured[ENTRIES_MAX];
    for (size_t i = 0; i < count; i++) {
        const struct entry *e = &entries[i];
        const struct bench_system *s = e->system;
        measured[i] = (struct bar_system){
            .key = s->key,
            .batch = e->batch,
            .front = e->front,
            .front_count = e->front_count,
            .build_s = e->built ? e->build_cpu_s : 0,
            .bytes = (double)e->bytes / d->train.rows,
            .code_bytes = s->code_bytes == NULL ? 0 : (double)s->code_bytes(e->index),
            .query_bytes = s->query_bytes == NULL ? 0 : (double)s->query_bytes(e->index),
        };
    }
    bars_print(d->name, measured, count, read_speed_here());
    fflush(stdout);
}

static void print_brief(const struct entry *e, const struct dataset *d, double recall)
{
    double qps = curve_qps_at(e->front, e->front_count, recall);
    unsigned effort = curve_effort_at(e->front, e->front_count, recall);
    printf("%s %s %u %.4f %.2f\n", d->name, e->system->key, effort, recall,
           qps > 0 ? 1e6 / qps : 0);
}

static bool is_listed(const char *list, const char *key)
{
    const size_t len = strlen(key);
    for (const char *at = list; at != NULL && *at != 0;) {
        if (strncmp(at, key, len) == 0 && (at[len] == ',' || at[len] == 0))
            return true;
        at = strchr(at, ',');
        if (at != NULL)
            at++;
    }
    return false;
}

static void run_dataset(const char *name, struct options o)
{
    static struct entry entries[ENTRIES_MAX];
    memset(entries, 0, sizeof entries);
    struct dataset d = dataset_open(o.data, name);
    if (o.queries > d.query.rows)
        o.queries = d.query.rows;

    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(systems); i++) {
        if (o.systems != NULL && !is_listed(o.systems, systems[i]->key))
            continue;
        CHECK(count + 2 <= ENTRIES_MAX);
        struct entry *e = &entries[count++];
        e->system = systems[i];
        entry_make(e, &d, &o);
        if (e->system->search_many != NULL) {
            entries[count] = *e;
            entries[count++].batch = true;
        }
    }
    errno = 0;
    if (count == 0)
        die("--systems names no system");

    run_passes(entries, count, &d, &o);
    for (size_t i = 0; i < count; i++) {
        struct entry *e = &entries[i];
        if (o.points)
            print_points(e);
        if (o.csv != NULL)
            append_points(o.csv, &d, e);
        e->front_count = curve_front(e->front, e->effort_count);
        if (o.brief > 0)
            print_brief(e, &d, o.brief);
    }
    if (o.brief <= 0) {
        print_table(entries, count, &d, &o);
        print_bars(entries, count, &d);
    }
    for (size_t i = 0; i < count; i++) {
        if (!entries[i].batch)
            entries[i].system->free(entries[i].index);
    }
    dataset_close(&d);
}

static _Noreturn void print_usage(void)
{
    for (size_t i = 0; i < COUNT_OF(usage); i++)
        fprintf(stderr, "%s\n", usage[i]);
    exit(2);
}

static size_t number_of(const char *text, size_t max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end != 0 || value == 0 || value > max)
        print_usage();
    return value;
}

/* Returns whether argv[*at] was an option; moves *at over its value. */
static bool parse_option(struct options *o, char **argv, int argc, int *at)
{
    const char *word = argv[*at];
    if (strncmp(word, "--", 2) != 0)
        return false;
    if (strcmp(word, "--rebuild") == 0) {
        o->rebuild = true;
    } else if (strcmp(word, "--wall") == 0) {
        o->wall = true;
    } else if (strcmp(word, "--points") == 0) {
        o->points = true;
    } else if (++*at >= argc) {
        print_usage();
    } else if (strcmp(word, "--data") == 0) {
        o->data = argv[*at];
    } else if (strcmp(word, "--systems") == 0) {
        o->systems = argv[*at];
    } else if (strcmp(word, "--cache") == 0) {
        o->cache = argv[*at];
    } else if (strcmp(word, "--csv") == 0) {
        o->csv = argv[*at];
    } else if (strcmp(word, "--passes") == 0) {
        o->passes = number_of(argv[*at], PASSES_MAX);
    } else if (strcmp(word, "--queries") == 0) {
        o->queries = number_of(argv[*at], 1000000);
    } else if (strcmp(word, "--threads") == 0) {
        o->threads = (unsigned)number_of(argv[*at], 256);
    } else if (strcmp(word, "--brief") == 0) {
        o->brief = strtod(argv[*at], NULL);
    } else {
        print_usage();
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {.data = "data", .passes = 3, .queries = 2000, .threads = 2};
    int sets = 0;
    for (int i = 1; i < argc; i++) {
        if (!parse_option(&o, argv, argc, &i))
            argv[sets++] = argv[i];
    }
    if (sets == 0)
        print_usage();
    for (int i = 0; i < sets; i++)
        run_dataset(argv[i], o);
    return 0;
}
