/* robust-tests [--seconds N] [--seed N] [--workers N] [--part sweep,restart,fuzz] [--only NAME]
 * tests/robust/README.md has what it does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "cmd/command.h"
#include "crash/pool.h"
#include "robust/robust.h"

void robust_row(const char *what, uint64_t count)
{
    printf("  %-56s %12llu\n", what, (unsigned long long)count);
    (void)fflush(stdout);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        (void)fprintf(stderr, "robust-tests: %s is not a number\n", text);
        exit(2);
    }
    return value;
}

bool robust_takes(const struct robust_options *o, const char *name)
{
    size_t len = o->only == NULL ? 0 : strlen(o->only);
    for (; strlen(name) >= len; name++) {
        struct slice part = {(const uint8_t *)name, len};
        if (len == 0 || slice_eq_nocase(part, o->only))
            return true;
    }
    return false;
}

/* A word that no command has in it would pass with nothing tried. */
static bool takes_some(const struct robust_options *o)
{
    for (size_t i = 0; i < command_count(); i++)
        if (robust_takes(o, command_at(i)->name))
            return true;
    (void)fprintf(stderr, "robust-tests: no command has %s in its name\n", o->only);
    return false;
}

static const struct {
    const char *name;
    void (*run)(const struct robust_options *o, struct robust_report *report);
} parts[] = {{"sweep", robust_sweep}, {"restart", robust_restart}, {"fuzz", robust_fuzz}};

int main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct robust_options o = {
        .task = UINT64_MAX, .seed = 1, .seconds = 10, .workers = cores > 0 ? (unsigned)cores : 1};
    const char *wanted = "sweep,restart,fuzz";
    struct robust_report report = {0, 0};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            o.seconds = (double)number(argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0)
            o.seed = number(argv[i + 1]);
        else if (strcmp(argv[i], "--workers") == 0)
            o.workers = (unsigned)number(argv[i + 1]);
        else if (strcmp(argv[i], "--part") == 0)
            wanted = argv[i + 1];
        else if (strcmp(argv[i], "--task") == 0)
            o.task = number(argv[i + 1]);
        else if (strcmp(argv[i], "--only") == 0)
            o.only = argv[i + 1];
        else
            argc = 0;
    }
    if (argc % 2 == 0 || o.workers < 1 || o.workers > POOL_WORKERS_MAX) {
        (void)fprintf(stderr, "robust-tests: tests/robust/README.md has the options\n");
        return 2;
    }
    if (!takes_some(&o))
        return 2;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (strstr(wanted, parts[i].name) != NULL)
            parts[i].run(&o, &report);
    printf("%u passed, %u failed, 0 skipped\n", report.passed, report.failed);
    return report.failed == 0 && report.passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
