#include "lib/test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

static struct test *first, **last = &first;
static const struct test *running;
static jmp_buf abandon;
static int failures; /* of the running test */
static bool skipped;

void test_register(struct test *test)
{
    *last = test;
    last = &test->next;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    failures++;
    printf("  %s:%d: %s.%s: ", file, line, running->group, running->name);
    va_list args;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

_Noreturn void test_abandon(void)
{
    longjmp(abandon, 1);
}

void test_skip(const char *reason)
{
    skipped = true;
    printf("SKIP %s.%s: %s\n", running->group, running->name, reason);
}

/* --share=I/N as the first argument: every N-th test from the I-th on, so that N processes run all.
 */
static bool in_share(const char *share, unsigned at)
{
    unsigned i, n;
    if (sscanf(share, "--share=%u/%u", &i, &n) != 2 || i >= n) {
        (void)fprintf(stderr, "%s: want --share=I/N with I below N\n", share);
        exit(EXIT_FAILURE);
    }
    return at % n == i;
}

static bool wanted(const struct test *test, unsigned at, int argc, char **argv)
{
    if (argc == 2 && strncmp(argv[1], "--share=", 8) == 0)
        return in_share(argv[1], at);
    if (argc < 2)
        return true;
    char full[256];
    (void)snprintf(full, sizeof(full), "%s.%s", test->group, test->name);
    for (int i = 1; i < argc; i++)
        if (strstr(full, argv[i]) != NULL)
            return true;
    return false;
}

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

enum outcome { PASSED, FAILED, SKIPPED, OUTCOME_COUNT };

/* Runs one test. Nothing here is both written after setjmp and read after the jump back, so no
 * variable is lost by it. */
static enum outcome run_one(const struct test *t)
{
    running = t;
    failures = 0;
    skipped = false;
    if (setjmp(abandon) == 0)
        running->run();
    if (failures > 0)
        return FAILED;
    return skipped ? SKIPPED : PASSED;
}

int main(int argc, char **argv)
{
    int counts[OUTCOME_COUNT] = {0};
    unsigned at = 0;
    for (const struct test *t = first; t != NULL; t = t->next) {
        if (!wanted(t, at++, argc, argv))
            continue;
        double start = now_s();
        enum outcome outcome = run_one(t);
        double took = now_s() - start;
        if (took > 2)
            printf("  %s.%s took %.1f s\n", t->group, t->name, took);
        if (outcome == FAILED)
            printf("FAIL %s.%s\n", t->group, t->name);
        counts[outcome]++;
    }
    printf("%d passed, %d failed, %d skipped\n", counts[PASSED], counts[FAILED], counts[SKIPPED]);
    bool ran = counts[PASSED] + counts[SKIPPED] > 0;
    return counts[FAILED] == 0 && ran ? EXIT_SUCCESS : EXIT_FAILURE;
}
