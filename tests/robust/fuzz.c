/* Commands made up from the tables of arguments: first every option of every command until each has
 * been taken by the server, in both protocols; then anything. */
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

#include "crash/pool.h"
#include "robust/fuzz_world.h"
#include "robust/robust.h"
#include "robust/values.h"

enum {
    COMMANDS_PER_WORLD = 40,
    TASK_COMMANDS = COMMANDS_PER_WORLD * 5,
    ROUNDS = 100, /* in which each target is aimed at once */
    HANG_S = 120
};

enum { COUNT_OK, COUNT_ERRORS, COUNT_CLOSED, COUNT_SILENT };

struct fuzz {
    struct targets targets;
    uint64_t seed;
    const struct robust_options *options;
    bool verbose;
    _Atomic uint64_t *reached;   /* of each target: bit P when RESP P has been accepted with it; all
                                  * processes see it */
    _Atomic uint64_t *succeeded; /* of each command */
};

static bool wanted(const struct fuzz *f, const struct command *c)
{
    return robust_takes(f->options, c->name);
}

static void describe(const struct fuzz_world *w, uint64_t task, uint64_t number,
                     char text[POOL_TEXT])
{
    size_t n = (size_t)snprintf(text, POOL_TEXT,
                                "task %llu, command %llu, RESP%d:", (unsigned long long)task,
                                (unsigned long long)number, w->rig.proto);
    for (size_t i = 0; i < w->grammar.count && n + 60 < POOL_TEXT; i++) {
        struct slice word = w->grammar.words[i];
        text[n++] = ' ';
        for (size_t b = 0; b < word.len && b < 40 && n + 10 < POOL_TEXT; b++) {
            if (word.ptr[b] > ' ' && word.ptr[b] <= '~')
                text[n++] = (char)word.ptr[b];
            else
                n += (size_t)snprintf(text + n, POOL_TEXT - n, "\\x%02x", word.ptr[b]);
        }
    }
    text[n] = '\0';
}

/* Words that are always refused, and why. */
static const struct {
    const char *command, *word;
} refused[] = {
    {"client|tracking", "on"}, /* nothing is tracked, */
    {"client|caching", "yes"}, /* so it is too late for this */
    {"client|caching", "no"},
};

static bool is_refused(const struct target *t)
{
    for (size_t i = 0; i < COUNT_OF(refused) && t->word >= 0; i++)
        if (strcmp(t->command->name, refused[i].command) == 0 &&
            slice_eq(value_alternative(t->arg->name, t->word), slice_of(refused[i].word)))
            return true;
    return false;
}

/* What to aim at with the number-th command: each target in turn; then nothing in particular. */
static const struct target *aim(const struct fuzz *f, uint64_t number)
{
    uint64_t count = f->targets.count;
    return number < ROUNDS * count ? &f->targets.list[number % count] : NULL;
}

static void note(struct fuzz *f, const struct fuzz_world *w, const struct command *command,
                 enum fuzz_result result, uint64_t *counts)
{
    static const unsigned count_of[] = {
        [FUZZ_OK] = COUNT_OK,         [FUZZ_ERROR] = COUNT_ERRORS, [FUZZ_CLOSED] = COUNT_CLOSED,
        [FUZZ_SILENT] = COUNT_SILENT, [FUZZ_QUEUED] = COUNT_OK,
    };
    counts[count_of[result]]++;
    bool ends = command->run == cmd_quit || command->run == cmd_shutdown;
    bool taken = result == FUZZ_OK || (result == FUZZ_CLOSED && ends) ||
                 (result == FUZZ_SILENT && command->run == cmd_client_reply);
    if (!taken)
        return;
    atomic_fetch_add(&f->succeeded[command_index(command)], 1);
    for (size_t i = 0; i < w->grammar.used_count; i++)
        atomic_fetch_or(&f->reached[w->grammar.used[i]], UINT64_C(1) << w->rig.protos[0]);
}

/* Runs commands from *number on, until a world has had its share or stops; moves *number on. */
static bool run_world(struct fuzz *f, uint64_t task, uint64_t *number, uint64_t *counts,
                      char text[POOL_TEXT])
{
    struct fuzz_world w;
    struct chance chance = {.rng = (f->seed << 32) + *number};
    const char *wrong = NULL;
    uint64_t end = (*number / COMMANDS_PER_WORLD + 1) * COMMANDS_PER_WORLD;
    fuzz_begin(&w, &f->targets, *number / COMMANDS_PER_WORLD % 2 == 0 ? 3 : 2, chance);
    for (; *number < end && wrong == NULL && !w.rig.stopped; (*number)++) {
        const struct target *target = aim(f, *number);
        const struct command *command =
            target != NULL ? target->command
                           : command_at(chance_below(&w.grammar.chance, command_count()));
        enum fuzz_result result = FUZZ_ERROR;
        if (!wanted(f, command))
            continue;
        w.grammar.garbage = target != NULL ? 0 : (unsigned)chance_below(&w.grammar.chance, 30);
        w.grammar.edges = target != NULL ? 0 : 15;
        (void)snprintf(text, POOL_TEXT, "task %llu, command %llu: %s", (unsigned long long)task,
                       (unsigned long long)*number, command->name);
        wrong = fuzz_command(&w, command, target, &result);
        if (wrong != NULL || f->verbose)
            describe(&w, task, *number, text);
        if (f->verbose)
            printf("%s\n", text);
        note(f, &w, command, result, counts);
    }
    const char *at_end = fuzz_end(&w);
    if (wrong == NULL)
        wrong = at_end;
    if (wrong == NULL)
        return true;
    size_t len = strlen(text);
    (void)snprintf(text + len, POOL_TEXT - len, ": %s", wrong);
    return false;
}

static bool run_task(void *user, uint64_t task, uint64_t *counts, char text[POOL_TEXT])
{
    bool good = true;
    uint64_t number = task * TASK_COMMANDS, end = number + TASK_COMMANDS;
    while (number < end && good)
        good = run_world(user, task, &number, counts, text);
    return good;
}

static void *shared(size_t count)
{
    void *at = mmap(NULL, count * sizeof(_Atomic uint64_t), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static uint64_t count_reached(const struct fuzz *f, unsigned *missing)
{
    uint64_t count = 0;
    char text[120];
    for (size_t i = 0; i < f->targets.count; i++) {
        const struct target *t = &f->targets.list[i];
        if (!wanted(f, t->command))
            continue;
        uint64_t protos = atomic_load(&f->reached[i]);
        if (protos == (is_refused(t) ? 0 : 1U << 2 | 1U << 3)) {
            count++;
            continue;
        }
        printf("FAILED: %s: %s\n", target_text(t, text, sizeof(text)),
               is_refused(t) ? "it was to be refused (fuzz.c)"
                             : "no command with it was accepted, in one protocol or in both");
        (*missing)++;
    }
    return count;
}

void robust_fuzz(const struct robust_options *o, struct robust_report *report)
{
    struct fuzz f = {.targets = targets_all(), .seed = o->seed, .options = o};
    f.reached = shared(f.targets.count);
    f.succeeded = shared(command_count());
    static struct pool p;
    p = (struct pool){.run = run_task,
                      .user = &f,
                      .to = UINT64_MAX / TASK_COMMANDS / 2,
                      .workers = o->workers,
                      .seconds = o->seconds,
                      .at_least = ROUNDS * f.targets.count / TASK_COMMANDS + 1,
                      .hang_seconds = HANG_S,
                      .failures_max = POOL_FAILURES};
    if (o->task != UINT64_MAX) {
        p.from = o->task;
        p.to = p.from + 1;
        f.verbose = true;
    }
    pool_run(&p);
    unsigned missing = 0;
    uint64_t reached = count_reached(&f, &missing), commands = 0;
    for (size_t i = 0; i < command_count(); i++)
        commands += atomic_load(&f.succeeded[i]) > 0;
    robust_row("options and alternatives of commands, tried as they should", reached);
    robust_row("  of these there are", f.targets.count);
    robust_row("  commands that succeeded", commands);
    robust_row("commands made up, in both protocols", p.counts[COUNT_OK] + p.counts[COUNT_ERRORS] +
                                                          p.counts[COUNT_CLOSED] +
                                                          p.counts[COUNT_SILENT]);
    robust_row("  accepted", p.counts[COUNT_OK]);
    robust_row("  an error, nothing changed", p.counts[COUNT_ERRORS]);
    robust_row("  the connection closed", p.counts[COUNT_CLOSED]);
    robust_row("  no reply was asked for, or not yet", p.counts[COUNT_SILENT]);
    robust_row("  crashes, hangs, malformed replies", p.failed);
    for (uint64_t i = 0; i < p.failed && i < POOL_FAILURES; i++)
        printf("FAILED: %s\n", p.failures[i].text);
    report->failed += (unsigned)p.failed + missing;
    report->passed += (unsigned)reached;
    (void)munmap(f.reached, f.targets.count * sizeof(*f.reached));
    (void)munmap(f.succeeded, command_count() * sizeof(*f.succeeded));
    targets_free(&f.targets);
}
