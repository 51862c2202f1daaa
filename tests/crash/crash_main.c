/* crash_main.c: `make test-crash`: what the simulator can do to the disk of a server, and a table
 * of what came of it.
 *
 *     crash-tests [--part lives,points,faults,bytes,planted] [--seconds N] [--seed N] [--lives N]
 *                 [--scripts N] [--fates N] [--all-bytes] [--plant N] [--attempts N] [--workers N]
 * [--verbose]
 *                 [--one PLAN]
 *
 * Ends with "N passed, N failed, N skipped", as all tests do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/plant.h"
#include "crash/crash.h"
#include "db/mutation.h"

/* More than there is time for. */
enum { SCRIPTS_MIN = 3, SCRIPTS_A_SECOND = 8 };

typedef unsigned long long ull;

void crash_collect(struct crash_report *report, const struct pool *p, const char *name)
{
    for (unsigned i = 0; i < LIVES_COUNT; i++)
        report->lives[i] += p->counts[i];
    report->failed += p->failed;
    for (uint64_t i = 0; i < p->failed && i < POOL_FAILURES; i++)
        printf("FAILED %s, task %llu: %s\n", name, (ull)p->failures[i].task, p->failures[i].text);
    (void)fflush(stdout);
}

static void row(const char *what, uint64_t count)
{
    printf("  %-52s %12llu\n", what, (ull)count);
}

static void calls_row(const char *what, const uint64_t *by_call)
{
    printf("    %-16s", what);
    for (unsigned call = 0; call < SIM_CALL_COUNT; call++)
        if (by_call[call] > 0)
            printf(" %s %llu", sim_call_name((enum sim_call)call), (ull)by_call[call]);
    printf("\n");
}

static uint64_t kinds_total(const uint64_t *counts)
{
    uint64_t total = 0;
#define X(kind, number, text) total += counts[number];
    MUTATION_LIST(X)
#undef X
    return total;
}

/* A kind of change without coverage is one that nobody knows to survive. counts: by its number. */
static void check_kinds(struct crash_report *report, const uint64_t *counts, const char *missing)
{
    printf("    %-16s", "by kind of change");
#define X(kind, number, text)                                                                      \
    printf(" %s %llu", &#kind[sizeof("MUTATION")], (ull)counts[number]);                           \
    report->failed += counts[number] == 0;
    MUTATION_LIST(X)
#undef X
    printf("\n");
#define X(kind, number, text)                                                                      \
    if (counts[number] == 0)                                                                       \
        printf("FAILED: %s %s\n", missing, #kind);
    MUTATION_LIST(X)
#undef X
}

static void print_lives(struct crash_report *report)
{
    const uint64_t *n = report->lives;
    row("seeds run, clients of a server over several crashes", report->seeds);
    row("crash points enumerated, each in several ways", report->points);
    row("  runs of them", report->point_runs);
    row("crashes while it served", n[LIVES_CRASHES]);
    calls_row("within a call:", n + LIVES_CUT_AT);
    row("crashes while it recovered", n[LIVES_RECOVERY_CUTS]);
    row("  of both, those of the process and not of the power", n[LIVES_KILLS]);
    row("recoveries compared with the records", n[LIVES_RECOVERIES]);
    row("  records they brought back", n[LIVES_REPLAYED]);
    check_kinds(report, n + LIVES_KIND,
                "the workload (sim/workload_make.c) needs commands that make");
    row("  unacknowledged records that crashes took", n[LIVES_LOST]);
    row("snapshots taken", n[LIVES_SNAPSHOTS]);
    row("stops in order, nothing lost", n[LIVES_STOPS]);
    row("faults injected", n[LIVES_FAULTS]);
    calls_row("into a call:", n + LIVES_FAULT_AT);
    row("  commands refused with MISCONF meanwhile", n[LIVES_REFUSED]);
    row("commands sent", n[LIVES_COMMANDS]);
    row("replies judged", n[LIVES_REPLIES]);
}

/* Detected: the server refuses it, or vdb check names it where the server has no need of it. */
static void damage_row(const char *what, const uint64_t n[5])
{
    printf(
        "  %-24s %8llu tried %8llu detected (%llu by vdb check only) %6llu harmless %2llu silent\n",
        what, (ull)n[0], (ull)(n[1] + n[2]), (ull)n[2], (ull)n[3], (ull)n[4]);
}

static void print_bytes(struct crash_report *r)
{
    row("changes in the log of the damaged directory", kinds_total(r->damaged_kinds));
    check_kinds(r, r->damaged_kinds, "the script (crash/datadir.c) needs commands that make");
    damage_row("corrupted bytes", r->flips);
    damage_row("files cut short", r->cuts);
    damage_row("files gone, swapped, old", r->files);
}

/* -- options -------------------------------------------------------------------------------------
 */

struct arguments {
    struct crash_options options;
    const char *parts;
    const char *one;
};

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        (void)fprintf(stderr, "crash-tests: %s is not a number\n", text);
        exit(2);
    }
    return value;
}

static bool option(struct arguments *a, const char *name, const char *value)
{
    struct crash_options *o = &a->options;
    const struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {
        {"--seed", &o->seed},   {"--lives", &o->lives}, {"--scripts", &o->scripts},
        {"--fates", &o->fates}, {"--plant", &o->plant}, {"--attempts", &o->attempts},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(name, numbers[i].name) != 0)
            continue;
        *numbers[i].to = number(value);
        return true;
    }
    if (strcmp(name, "--seconds") == 0)
        o->seconds = (double)number(value);
    else if (strcmp(name, "--workers") == 0)
        o->workers = (unsigned)number(value);
    else if (strcmp(name, "--part") == 0)
        a->parts = value;
    else if (strcmp(name, "--one") == 0)
        a->one = value;
    else
        return false;
    return true;
}

static struct arguments parse(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct arguments a = {.parts = "lives,points,faults,bytes",
                          .options = {.seed = 1,
                                      .lives = UINT64_MAX,
                                      .scripts = UINT64_MAX,
                                      .fates = 4,
                                      .attempts = 3000,
                                      .plant = UINT64_MAX,
                                      .seconds = 30,
                                      .workers = cores > 0 ? (unsigned)cores : 1}};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            a.options.verbose = true;
        } else if (strcmp(argv[i], "--all-bytes") == 0) {
            a.options.all_bytes = true;
        } else if (i + 1 < argc && option(&a, argv[i], argv[i + 1])) {
            i++;
        } else {
            (void)fprintf(stderr, "crash-tests: what is %s?\n", argv[i]);
            exit(2);
        }
    }
    if (a.options.scripts == UINT64_MAX)
        a.options.scripts = SCRIPTS_MIN + (uint64_t)(a.options.seconds * SCRIPTS_A_SECOND);
    if (a.options.workers < 1 || a.options.workers > POOL_WORKERS_MAX || a.options.fates < 1)
        exit(2);
    return a;
}

static bool wants(const struct arguments *a, const char *part)
{
    const char *found = strstr(a->parts, part);
    size_t len = strlen(part);
    return found != NULL && (found == a->parts || found[-1] == ',') &&
           (found[len] == ',' || found[len] == '\0');
}

static const struct {
    const char *name;
    void (*run)(const struct crash_options *o, struct crash_report *report);
} all_parts[] = {
    {"lives", crash_lives}, {"points", crash_points},   {"faults", crash_faults},
    {"bytes", crash_bytes}, {"planted", crash_planted},
};

int main(int argc, char **argv)
{
    static struct crash_report report;
    struct arguments a = parse(argc, argv);
    if (a.one != NULL) {
        char reason[POOL_TEXT] = "";
        bool ok = crash_one(a.one, a.options.verbose, reason);
        printf("%s\n", ok ? "it holds" : reason);
        return ok ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    uint64_t parts = 0;
    for (size_t i = 0; i < sizeof(all_parts) / sizeof(all_parts[0]); i++) {
        uint64_t before = report.failed;
        if (!wants(&a, all_parts[i].name))
            continue;
        all_parts[i].run(&a.options, &report);
        parts += report.failed == before;
    }
    if (wants(&a, "lives"))
        print_lives(&report);
    if (wants(&a, "bytes"))
        print_bytes(&report);
    if (wants(&a, "planted"))
        printf("  %-52s %5llu of %llu\n", "planted bugs caught by three unseen seeds each",
               (ull)report.caught, (ull)report.planted);
    if (report.incomplete)
        printf("  (the time was over before all was done)\n");
    uint64_t passed = parts + report.caught;
    printf("%llu passed, %llu failed, 0 skipped\n", (ull)passed, (ull)report.failed);
    return report.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
