/* A server starts over a directory that has a snapshot and a log with every kind of change, and
 * each allocation on the way fails once. It then either serves exactly what is there or ends in
 * order; what is on the disk stays good for the next start. */
#include <stdio.h>

#include "crash/pool.h"
#include "db/batch.h"
#include "robust/robust.h"
#include "robust/script.h"

enum { POINTS_MAX = 20000, SETTLE_US = 100 * 1000 };

/* What is on the disk before the start. */
struct disk {
    const struct scripts *scripts;
    bool saved; /* the first half of the scripts is in a snapshot */
};

enum { COUNT_SERVED, COUNT_REFUSED, COUNT_KINDS };

/* Counts the changes of each kind. */
struct counting {
    struct mlog_sink sink; /* first */
    uint64_t *counts;
};

static void on_record(struct mlog_sink *sink, uint64_t lsn, struct slice record)
{
    struct counting *c = (struct counting *)sink;
    struct batch_reader r;
    enum err e = batch_open(record, &r, NULL);
    (void)lsn;
    while (e == OK && r.left > 0) {
        struct mutation m;
        e = batch_next(&r, &m, NULL);
        CHECK(e == OK && COUNT_KINDS + m.kind < POOL_COUNTS);
        c->counts[COUNT_KINDS + m.kind]++;
        mutation_free(&m);
    }
}

static uint64_t everything_is_stable(const struct mlog_sink *sink)
{
    (void)sink;
    return UINT64_MAX;
}

/* Runs all scripts on one server, so that there is much to load; it is stopped then. */
static void fill(const struct disk *d, struct rig *r, uint64_t *data, uint64_t *counts)
{
    struct why why = {{0}};
    struct counting counting = {{.on_record = on_record, .stable = everything_is_stable}, counts};
    struct buf reply = BUF_INIT(MEM_TEST);
    bool started = rig_start(r, &why);
    CHECK(started);
    mlog_add_sink(&r->server->db.log, &counting.sink);
    for (size_t i = 0; i < d->scripts->count; i++) {
        const struct script *script = &d->scripts->list[i];
        bool ran = script_run(script, 0, script->count, r);
        CHECK(ran && !r->stopped);
        for (unsigned client = 0; client < RIG_CLIENTS; client++)
            rig_disconnect(r, client);
        if (d->saved && i == d->scripts->count / 2)
            (void)rig_ask_line(r, 0, "SAVE", &reply);
        /* The last script leaves nothing: what it removes is in the log. */
        (void)rig_ask_line(r, 0, "SET kept for-the-next-start", &reply);
        (void)rig_ask_line(r, 0, "VADD left VALUES 2 1 2 element", &reply);
    }
    rig_time(r, SETTLE_US);
    *data = rig_data(r);
    buf_fini(&reply);
    mlog_remove_sink(&r->server->db.log, &counting.sink);
    rig_stop(r);
}

/* NULL, or what is wrong. */
static const char *start_with_fault(struct rig *r, uint64_t n, uint64_t data, bool *fired,
                                    uint64_t *counts)
{
    struct why why = {{0}};
    const char *wrong = NULL;
    (void)mem_fail_nth(n);
    bool started = rig_start(r, &why);
    *fired = mem_fail_nth(0);
    counts[*fired && started ? COUNT_SERVED : COUNT_REFUSED] += *fired;
    if (started) {
        wrong = rig_data(r) != data ? "it serves other data" : rig_inspect(r);
        rig_stop(r);
    }
    if (wrong == NULL && !started && !*fired)
        return "it does not start";
    return wrong;
}

/* All points of one disk. */
static bool run_disk(void *user, uint64_t number, uint64_t *counts, char text[POOL_TEXT])
{
    struct disk d = {.scripts = user, .saved = number % 2 == 1};
    struct rig r;
    uint64_t data;
    bool fired = true;
    const char *wrong = NULL;
    size_t used = mem_used_total();
    rig_open(&r, 2);
    r.config.appendonly = true;
    fill(&d, &r, &data, counts);
    for (uint64_t n = 1; n <= POINTS_MAX && fired && wrong == NULL; n++) {
        (void)snprintf(text, POOL_TEXT, "a start %s, allocation %llu",
                       d.saved ? "from a snapshot and a log" : "from a log", (unsigned long long)n);
        wrong = start_with_fault(&r, n, data, &fired, counts);
    }
    rig_close(&r);
    if (wrong == NULL && fired)
        wrong = "there is no end of it";
    if (wrong == NULL && mem_used_total() != used)
        wrong = "memory is left behind";
    if (wrong == NULL)
        return true;
    size_t len = strlen(text);
    (void)snprintf(text + len, POOL_TEXT - len, ": %s", wrong);
    return false;
}

/* A kind of change that no disk has is not swept. Ticks come when elements move. */
static unsigned missing_kinds(const struct pool *p)
{
    unsigned missing = 0;
#define X(kind, number, text)                                                                      \
    if (kind != MUTATION_TICK && p->counts[COUNT_KINDS + (number)] == 0) {                         \
        printf("FAILED: tests/robust/scripts need a command that makes %s\n", #kind);              \
        missing++;                                                                                 \
    }
    MUTATION_LIST(X)
#undef X
    return missing;
}

void robust_restart(const struct robust_options *o, struct robust_report *report)
{
    struct scripts scripts = {.count = 0};
    static struct pool p;
    scripts_read(&scripts, "tests/robust/scripts");
    p = (struct pool){
        .run = run_disk, .user = &scripts, .to = 2, .workers = o->workers, .hang_seconds = 600};
    pool_run(&p);
    robust_row("allocations that failed while a server started",
               p.counts[COUNT_SERVED] + p.counts[COUNT_REFUSED]);
    robust_row("  it served all the same", p.counts[COUNT_SERVED]);
    robust_row("  it ended in order, and the next one served", p.counts[COUNT_REFUSED]);
    robust_row("  crashes, leaks, other data", p.failed);
    for (uint64_t i = 0; i < p.failed && i < POOL_FAILURES; i++)
        printf("FAILED: %s\n", p.failures[i].text);
    report->failed += (unsigned)p.failed + missing_kinds(&p);
    report->passed += (unsigned)(p.ran - p.failed);
    scripts_free(&scripts);
}
