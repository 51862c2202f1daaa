/* A share of `make test-crash` (tests/crash), small enough for every run of the unit tests and for
 * the sanitizers. */
#include "lib/test.h"
#include "sim/lives.h"

#ifdef VDB_SANITIZER
enum { SEEDS = 12, POINTS = 6, COMMANDS = 60 };
#else
enum { SEEDS = 40, POINTS = 40, COMMANDS = 100 };
#endif

static void run_or_abandon(const struct lives_plan *plan, uint64_t counts[LIVES_COUNT])
{
    char text[600];
    if (lives_run(plan, counts, text, sizeof(text)))
        return;
    test_fail(__FILE__, __LINE__, "seed %llu, cut at %llu, fault %u at %llu: %s",
              (unsigned long long)plan->seed, (unsigned long long)plan->cut, (unsigned)plan->fault,
              (unsigned long long)plan->fault_at, text);
    test_abandon();
}

TEST(lives, what_was_told_survives_every_crash)
{
    uint64_t counts[LIVES_COUNT] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct lives_plan plan = {.seed = seed,
                                  .fate = seed,
                                  .commands = COMMANDS,
                                  .lives = 1 + (unsigned)(seed % 3),
                                  .cut_recoveries = seed % 8 == 0};
        run_or_abandon(&plan, counts);
    }
    EXPECT(counts[LIVES_REPLAYED] > 0 && counts[LIVES_LOST] > 0 && counts[LIVES_KILLS] > 0);
    EXPECT(counts[LIVES_RECOVERY_CUTS] > 0 && counts[LIVES_SNAPSHOTS] > 0);
    EXPECT_EQ(counts[LIVES_STOPS], SEEDS);
}

TEST(lives, the_power_may_go_and_calls_may_fail_anywhere)
{
    uint64_t counts[LIVES_COUNT] = {0};
    for (uint64_t at = 1; at <= POINTS; at++) {
        struct lives_plan cut = {
            .seed = at % 3, .fate = at, .commands = COMMANDS / 2, .lives = 1, .cut = at};
        run_or_abandon(&cut, counts);
        struct lives_plan fault = {.seed = at % 5,
                                   .fate = at,
                                   .commands = COMMANDS / 2,
                                   .lives = 1,
                                   .fault = FAULT_ONCE + at % (FAULT_COUNT - FAULT_ONCE),
                                   .fault_at = at};
        run_or_abandon(&fault, counts);
    }
    EXPECT(counts[LIVES_FAULTS] > POINTS / 2);
}

TEST(lives, a_plan_replays_exactly)
{
    struct lives_plan plan = {.seed = 7, .fate = 9, .commands = COMMANDS, .lives = 2};
    uint64_t first[LIVES_COUNT] = {0}, second[LIVES_COUNT] = {0};
    run_or_abandon(&plan, first);
    run_or_abandon(&plan, second);
    EXPECT(memcmp(first, second, sizeof(first)) == 0);
}
