/* Random lives, power cuts at every call, and every call failing: three ways to choose plans for
 * sim/lives.h. */
#include <stdio.h>
#include <string.h>

#include "crash/crash.h"

enum {
    SCRIPT_COMMANDS = 90,
    LIFE_COMMANDS = 250,
    HANG_S = 120,
    SCRIPTS_MAX = 4096,
    LIVES_MIN = 40
};

_Static_assert((int)LIVES_COUNT <= (int)POOL_COUNTS, "a pool counts what a life counts");

/* Calls of scripts, one script after the other. */
struct points {
    const struct crash_options *options;
    bool faults;
    uint64_t per_point; /* plans for each call */
    uint64_t scripts;
    uint64_t first[SCRIPTS_MAX + 1]; /* number of the first call of each script */
};

static bool run_plan(const struct lives_plan *plan, uint64_t *counts, char text[POOL_TEXT])
{
    int len = snprintf(text, POOL_TEXT, "--one %llu:%llu:%llu:%u:%llu:%u:%u:%llu:%u  ",
                       (unsigned long long)plan->seed, (unsigned long long)plan->fate,
                       (unsigned long long)plan->commands, plan->lives,
                       (unsigned long long)plan->cut, plan->cut_recoveries, (unsigned)plan->fault,
                       (unsigned long long)plan->fault_at, plan->how);
    return lives_run(plan, counts, text + len, POOL_TEXT - (size_t)len);
}

bool crash_one(const char *text, bool verbose, char reason[POOL_TEXT])
{
    unsigned long long seed, fate, commands, cut, fault_at;
    unsigned lives, cut_recoveries, fault, how;
    uint64_t counts[LIVES_COUNT] = {0};
    if (sscanf(text, "%llu:%llu:%llu:%u:%llu:%u:%u:%llu:%u", &seed, &fate, &commands, &lives, &cut,
               &cut_recoveries, &fault, &fault_at, &how) != 9 ||
        fault >= FAULT_COUNT) {
        (void)snprintf(reason, POOL_TEXT, "not a plan: %s", text);
        return false;
    }
    struct lives_plan plan = {.seed = seed,
                              .fate = fate,
                              .commands = commands,
                              .lives = lives,
                              .cut = cut,
                              .cut_recoveries = cut_recoveries != 0,
                              .fault = (enum lives_fault)fault,
                              .fault_at = fault_at,
                              .how = how,
                              .verbose = verbose};
    return run_plan(&plan, counts, reason);
}

/* -- random lives --------------------------------------------------------------------------------
 */

static bool run_life(void *user, uint64_t task, uint64_t *counts, char text[POOL_TEXT])
{
    (void)user;
    struct lives_plan plan = {.seed = task,
                              .fate = task,
                              .commands = 1 + task * 7919 % LIFE_COMMANDS,
                              .lives = 1 + (unsigned)(task % 4),
                              .how = task % 3 == 0 ? LIVES_SAVES_OFTEN : 0,
                              .cut_recoveries = task % 5 == 0};
    return run_plan(&plan, counts, text);
}

void crash_lives(const struct crash_options *o, struct crash_report *report)
{
    struct pool p = {.run = run_life,
                     .from = o->seed,
                     .to = o->lives == UINT64_MAX ? UINT64_MAX : o->seed + o->lives,
                     .workers = o->workers,
                     .seconds = o->seconds,
                     .at_least = LIVES_MIN, /* in which every kind of change comes */
                     .hang_seconds = HANG_S,
                     .failures_max = POOL_FAILURES};
    pool_run(&p);
    report->seeds += p.ran;
    report->incomplete |= o->lives != UINT64_MAX && p.ran < o->lives;
    crash_collect(report, &p, "random lives");
}

/* -- every call ----------------------------------------------------------------------------------
 */

static struct lives_plan script_plan(const struct points *points, uint64_t script)
{
    return (struct lives_plan){
        .seed = points->options->seed + script, .commands = SCRIPT_COMMANDS, .lives = 1, .cut = 1};
}

/* Measured in a process of its own, as the runs are. */
static bool measure(void *user, uint64_t task, uint64_t *counts, char text[POOL_TEXT])
{
    const struct points *points = user;
    struct lives_plan plan = script_plan(points, task);
    (void)text;
    uint64_t changes, calls;
    lives_measure(&plan, &changes, &calls);
    counts[0] += points->faults ? calls : changes;
    return true;
}

static bool number_calls(struct points *points, struct crash_report *report)
{
    for (uint64_t i = 0; i < points->scripts; i++) {
        struct pool p = {.run = measure,
                         .user = points,
                         .from = i,
                         .to = i + 1,
                         .workers = 1,
                         .hang_seconds = HANG_S};
        pool_run(&p);
        if (p.failed > 0)
            crash_collect(report, &p, "a run without any crash");
        if (p.failed > 0)
            return false;
        points->first[i + 1] = points->first[i] + p.counts[0];
    }
    return true;
}

static bool run_point(void *user, uint64_t task, uint64_t *counts, char text[POOL_TEXT])
{
    const struct points *points = user;
    uint64_t point = task / points->per_point, way = task % points->per_point, script = 0;
    while (point >= points->first[script + 1])
        script++;
    struct lives_plan plan = script_plan(points, script);
    uint64_t call = point - points->first[script] + 1;
    plan.fate = way + 1;
    if (points->faults) {
        plan.cut = 0;
        plan.fault = (enum lives_fault)(FAULT_ONCE + way % (FAULT_COUNT - FAULT_ONCE));
        plan.fault_at = call;
    } else {
        plan.cut = call;
        plan.cut_recoveries = way == 0;
    }
    return run_plan(&plan, counts, text);
}

static void run_points(struct points *points, struct crash_report *report, const char *name,
                       uint64_t *ran)
{
    const struct crash_options *o = points->options;
    points->scripts = o->scripts < SCRIPTS_MAX ? o->scripts : SCRIPTS_MAX;
    if (!number_calls(points, report))
        return;
    uint64_t count = points->first[points->scripts] * points->per_point;
    struct pool p = {.run = run_point,
                     .user = points,
                     .to = count,
                     .workers = o->workers,
                     .seconds = o->seconds,
                     .hang_seconds = HANG_S,
                     .failures_max = POOL_FAILURES};
    pool_run(&p);
    *ran += p.ran;
    report->points += points->faults ? 0 : p.ran / points->per_point;
    report->incomplete |= p.ran < count;
    crash_collect(report, &p, name);
}

void crash_points(const struct crash_options *o, struct crash_report *report)
{
    struct points points = {.options = o, .per_point = o->fates};
    run_points(&points, report, "power cut at every change", &report->point_runs);
}

void crash_faults(const struct crash_options *o, struct crash_report *report)
{
    struct points points = {.options = o, .faults = true, .per_point = FAULT_COUNT - FAULT_ONCE};
    run_points(&points, report, "every call failing", &report->fault_runs);
}

/* -- a bit of everything -------------------------------------------------------------------------
 */

bool crash_attempt(uint64_t seed, uint64_t number, uint64_t *counts, char text[POOL_TEXT])
{
    struct lives_plan plan = {.seed = seed,
                              .fate = seed,
                              .commands = 20 + seed % LIFE_COMMANDS,
                              .lives = 1 + (unsigned)(seed % 3)};
    switch (number % 8) {
    case 0:
        plan.cut_recoveries = seed % 16 == 0;
        break;
    case 1:
        plan.cut = 1 + seed % 200;
        break;
    case 2:
    case 4:
    case 6:
        plan.lives = (unsigned)(number / 8 % 3);
        plan.fault = (enum lives_fault)(FAULT_ONCE + number / 2 % (FAULT_COUNT - FAULT_ONCE));
        plan.how = LIVES_FAULT_OF_CHANGES | (number % 8 == 4 ? LIVES_EVERYSEC : 0);
        plan.fault_at = 1 + seed * 7919 % 100;
        break;
    case 3:
        return crash_damage(seed, text);
    default:
        plan.how = LIVES_SAVES_OFTEN | (number % 8 == 7 ? LIVES_EVERYSEC : 0);
        break;
    }
    return run_plan(&plan, counts, text);
}
