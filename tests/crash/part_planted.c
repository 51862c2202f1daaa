/* Planted bugs: each part above must be able to fail. A bug counts as caught when three seeds that
 * nobody has looked at before each lead to a failure. */
#include <stdio.h>

#include "base/plant.h"
#include "crash/crash.h"

enum { SEEDS = 3, CONTROL_ATTEMPTS = 60, HANG_S = 120 };

#ifdef VDB_PLANTS
enum plant plant_chosen = PLANT_NONE;

static const char *plant_text(enum plant plant)
{
    static const char *const texts[] = {"none",
#define X(plant, text) text,
                                        PLANT_LIST(X)
#undef X
    };
    CHECK(plant < COUNT_OF(texts));
    return texts[plant];
}

/* A bit of everything that the parts do, small ones first. */
static bool attempt(void *user, uint64_t task, uint64_t *counts, char text[POOL_TEXT])
{
    uint64_t seed = *(const uint64_t *)user + task;
    return crash_attempt(seed, task, counts, text);
}

/* Attempts that it took to fail; 0: none did. */
static uint64_t hunt(const struct crash_options *o, uint64_t seed, uint64_t attempts,
                     char text[POOL_TEXT])
{
    struct pool p = {.run = attempt,
                     .user = &seed,
                     .to = attempts,
                     .workers = o->workers,
                     .hang_seconds = HANG_S,
                     .failures_max = 1};
    pool_run(&p);
    if (p.failed > 0)
        (void)snprintf(text, POOL_TEXT, "%s", p.failures[0].text);
    return p.failed > 0 ? p.ran : 0;
}

/* Three seeds for one bug; without any, nothing may fail. */
static void try_plant(const struct crash_options *o, enum plant plant, struct crash_report *report)
{
    unsigned caught = 0;
    uint64_t attempts[SEEDS];
    char text[POOL_TEXT] = "";
    bool control = plant == PLANT_NONE;
    uint64_t most = control && o->attempts > CONTROL_ATTEMPTS ? CONTROL_ATTEMPTS : o->attempts;
    plant_chosen = plant;
    for (unsigned i = 0; i < SEEDS; i++) {
        attempts[i] = hunt(o, o->seed + (plant * SEEDS + i) * UINT64_C(1000003), most, text);
        caught += attempts[i] > 0;
    }
    bool good = caught == (control ? 0 : SEEDS);
    report->failed += !good;
    report->planted += !control;
    report->caught += !control && good;
    const char *verdict = control ? good ? "clean" : "FAILED" : good ? "caught" : "MISSED";
    printf("  %-7s %-66s %5llu %5llu %5llu\n", verdict, plant_text(plant),
           (unsigned long long)attempts[0], (unsigned long long)attempts[1],
           (unsigned long long)attempts[2]);
    if (o->verbose || (control && !good))
        printf("          %s\n", text);
    (void)fflush(stdout);
}

void crash_planted(const struct crash_options *o, struct crash_report *report)
{
    for (unsigned plant = PLANT_NONE; plant < PLANT_COUNT; plant++)
        if (o->plant == UINT64_MAX || o->plant == plant)
            try_plant(o, (enum plant)plant, report);
    plant_chosen = PLANT_NONE;
}
#else
void crash_planted(const struct crash_options *o, struct crash_report *report)
{
    (void)o;
    report->failed++;
    printf("FAILED: planted bugs are only in a build with PLANTS=1\n");
}
#endif
