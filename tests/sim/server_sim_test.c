/* The whole server, in the simulator, against a plain model.
 *
 * VDB_SIM_SEEDS=from:to chooses other seeds, for long runs; a seed that fails is printed with the
 * reason and replays exactly. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/test.h"
#include "sim/inspect.h"
#include "sim/server_sim.h"

enum { SEEDS = 84, TWICE_SEEDS = 8, COMMANDS = 700, LAST_COMMANDS = 60 };

/* What one run came to. */
struct outcome {
    uint64_t trace, digest;
    uint64_t replies, ended, found, wanted, moved;
    uint64_t execs, nil_execs, expired, elements_expired, elements_evicted, fields_expired;
    uint64_t kinds[COUNT_OF(((struct world *)NULL)->kinds)]; /* changes, by mutation_kind */
    uint64_t puts[TYPE_COUNT];
};

static void note_used(size_t used[MEM_TAG_COUNT])
{
    for (unsigned tag = 0; tag < MEM_TAG_COUNT; tag++)
        used[tag] = mem_used((enum mem_tag)tag);
}

/* All of one seed: load, quiet, load, and a stop in the middle of it. */
static bool run_seed(uint64_t seed, struct outcome *out)
{
    static struct run r; /* large */
    size_t before[MEM_TAG_COUNT], after[MEM_TAG_COUNT];
    note_used(before);
    if (run_start(&r, seed)) {
        run_load(&r, COMMANDS);
        run_drain(&r);
        run_find_all(&r);
        run_compare(&r);
        out->moved += r.server->db.background.rows_moved;
        out->digest = inspect_digest(&r.server->db);
        run_load(&r, LAST_COMMANDS);
    }
    out->trace = sim_trace_hash(r.sim);
    out->replies += r.replies;
    out->ended += r.ended;
    out->found += r.world.found;
    out->wanted += r.world.wanted;
    out->execs += r.world.execs;
    out->nil_execs += r.world.nil_execs;
    out->expired += r.world.expired;
    out->elements_evicted += r.world.elements_evicted;
    out->elements_expired += r.world.elements_expired;
    out->fields_expired += r.world.fields_expired;
    for (size_t i = 0; i < COUNT_OF(out->kinds); i++)
        out->kinds[i] += r.world.kinds[i];
    for (size_t i = 0; i < COUNT_OF(out->puts); i++)
        out->puts[i] += r.world.puts[i];
    if (!run_failed(&r))
        run_stop(&r);
    note_used(after);
    for (unsigned tag = 0; tag < MEM_TAG_COUNT && !run_failed(&r); tag++)
        if (before[tag] != after[tag])
            run_fail(&r, "%s: %zu bytes before, %zu after", mem_tag_name((enum mem_tag)tag),
                     before[tag], after[tag]);
    if (run_failed(&r))
        test_fail(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)seed, r.failure);
    return !run_failed(&r);
}

static void seed_range(uint64_t *from, uint64_t *to)
{
    const char *text = getenv("VDB_SIM_SEEDS");
    unsigned long long first = 1, last = SEEDS;
    if (text != NULL && sscanf(text, "%llu:%llu", &first, &last) == 1)
        last = first;
    *from = first;
    *to = last;
}

/* A kind of change that no command of the workload makes has been tried by nobody: not played
 * again, not through a crash. Whoever adds a kind gives workload.h a command that makes it. */
static void expect_every_kind(const struct outcome *sum)
{
    static const enum mutation_kind kinds[] = {
#define X(kind, number, text) kind,
        MUTATION_LIST(X)
#undef X
    };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        CHECK((size_t)kinds[i] < COUNT_OF(sum->kinds));
        if (sum->kinds[kinds[i]] < 5)
            test_fail(__FILE__, __LINE__, "%s was made only %llu times", mutation_name(kinds[i]),
                      (unsigned long long)sum->kinds[kinds[i]]);
    }
    EXPECT(sum->nil_execs > 5 && sum->execs > 10 * sum->nil_execs / 2);
    EXPECT(sum->expired > 20 && sum->elements_expired > 100);
    EXPECT(sum->elements_evicted > 100);
    EXPECT(sum->fields_expired > 50);
    for (size_t type = 0; type < TYPE_COUNT; type++)
        EXPECT(sum->puts[type] > 100);
}

TEST(server_sim, answers_what_the_model_says_and_leaves_nothing_behind)
{
    uint64_t from, to;
    struct outcome sum = {0};
    seed_range(&from, &to);
    for (uint64_t seed = from; seed <= to; seed++)
        if (!run_seed(seed, &sum))
            test_abandon();
    EXPECT(sum.replies > 0);
    EXPECT(sum.moved > 0 || to - from < 20);
    if (to - from >= 20)
        expect_every_kind(&sum);
    /* Small graphs, so nearly all of the nearest are found; less in a single one with hubs. */
    EXPECT(sum.found * 100 >= sum.wanted * (to - from < 20 ? 90 : 99));
    if (getenv("VDB_SIM_SEEDS") != NULL)
        printf("  %llu replies, %llu connections ended, %llu rows moved, %llu transactions, %llu "
               "broken by a watch, %llu keys expired, recall %.4f\n",
               (unsigned long long)sum.replies, (unsigned long long)sum.ended,
               (unsigned long long)sum.moved, (unsigned long long)sum.execs,
               (unsigned long long)sum.nil_execs, (unsigned long long)sum.expired,
               (double)sum.found / (double)sum.wanted);
}

TEST(server_sim, a_seed_replays_exactly)
{
    uint64_t traces[TWICE_SEEDS];
    for (uint64_t seed = 1; seed <= TWICE_SEEDS; seed++) {
        struct outcome first = {0}, second = {0};
        REQUIRE(run_seed(seed, &first) && run_seed(seed, &second));
        EXPECT(first.trace == second.trace);
        EXPECT(first.digest == second.digest);
        traces[seed - 1] = first.trace;
        for (uint64_t other = 1; other < seed; other++)
            EXPECT(traces[seed - 1] != traces[other - 1]);
    }
}
