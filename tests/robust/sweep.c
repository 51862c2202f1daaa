/* For each command some of the recorded cases are run up to it; then the command, with its first
 * allocation failing, in another world with its second, and so on until nothing is left to fail.
 *
 * What holds then is the promise of ERR_NOMEM: an error and nothing changed; or, where the memory
 * was for something that can be done without, what happens anyhow; or, where not even the reply
 * could be written, a closed connection. Never half a change, never memory left behind. */
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

#include "cmd/command.h"
#include "crash/pool.h"
#include "robust/reply_shape.h"
#include "robust/robust.h"
#include "robust/script.h"

enum {
    SETTLE_US = 100 * 1000,
    POINTS_MAX = 3000,  /* allocations of one command; beyond, the sweep is not complete */
    PER_COMMAND = 1000, /* cases of it, at most */
    HANG_S = 120,
    FAILURES_MAX = 40
};

enum { COUNT_POINTS, COUNT_ERRORS, COUNT_CLOSED, COUNT_ABSORBED, COUNT_PARTLY, COUNT_CUT };

/* One command to sweep: a step of a script. */
struct task {
    const struct script *script;
    size_t at;
    int proto;
    const struct command *command;
};

struct sweep {
    struct scripts scripts;
    struct task *tasks;
    size_t count;
    size_t recorded; /* of the scripts; in those after them every command succeeds */
    unsigned broken; /* commands of these that did not */
    _Atomic uint64_t
        *fired; /* of each command: its allocations that failed; all processes see it */
};

/* What the command does when all goes well. */
struct clean {
    enum answer answer;
    uint8_t kind; /* first byte of the reply */
    bool error, queued;
    struct buf reply;
    uint64_t state, data;
    unsigned watchers;
};

/* A server that has run what comes before the command. */
struct world {
    struct rig rig;
    size_t used[MEM_TAG_COUNT];
    uint64_t state, data;
    uint64_t random;
};

/* -- one world ----------------------------------------------------------------------------------*/

static void begin(struct world *w, const struct task *t)
{
    struct why why = {{0}};
    for (unsigned tag = 0; tag < MEM_TAG_COUNT; tag++)
        w->used[tag] = mem_used((enum mem_tag)tag);
    rig_open(&w->rig, t->proto);
    bool started = rig_start(&w->rig, &why);
    bool ran = started && script_run(t->script, 0, t->at, &w->rig);
    CHECK(started && ran && !w->rig.stopped);
    const struct step *step = &t->script->steps[t->at];
    if (!rig_connected(&w->rig, step->client)) {
        struct buf reply = BUF_INIT(MEM_TEST);
        (void)rig_ask_line(&w->rig, step->client, "RESET", &reply);
        (void)rig_ask_line(&w->rig, step->client, t->proto == 3 ? "HELLO 3" : "HELLO 2", &reply);
        buf_fini(&reply);
    }
    rig_time(&w->rig, step->wait_ms * 1000 + SETTLE_US);
    rig_forget_room(&w->rig);
    w->state = rig_state(&w->rig);
    w->data = rig_data(&w->rig);
    w->random = w->rig.server->db.random;
}

/* What it takes must be given back. NULL, or what is wrong. */
static const char *end(struct world *w)
{
    static char text[128];
    rig_stop(&w->rig);
    rig_close(&w->rig);
    for (unsigned tag = 0; tag < MEM_TAG_COUNT; tag++) {
        size_t used = mem_used((enum mem_tag)tag);
        if (used == w->used[tag] || tag == MEM_TEST)
            continue;
        (void)snprintf(text, sizeof(text), "%zu bytes of %s before, %zu after", w->used[tag],
                       mem_tag_name((enum mem_tag)tag), used);
        return text;
    }
    return NULL;
}

static enum answer ask(struct world *w, const struct task *t, struct buf *reply)
{
    struct step step = t->script->steps[t->at];
    step.wait_ms = 0;
    return step_run(&step, &w->rig, reply);
}

static bool starts_with(const struct buf *reply, const char *text)
{
    return reply->len >= strlen(text) && memcmp(reply->ptr, text, strlen(text)) == 0;
}

static const char *run_clean(const struct task *t, struct clean *clean)
{
    struct world w;
    struct buf reply = BUF_INIT(MEM_TEST);
    begin(&w, t);
    clean->answer = ask(&w, t, &reply);
    clean->kind = reply.len > 0 ? reply.ptr[0] : 0;
    clean->error = clean->kind == '-';
    clean->queued = starts_with(&reply, "+QUEUED");
    clean->state = rig_state(&w.rig);
    clean->data = rig_data(&w.rig);
    clean->watchers = rig_watchers(&w.rig);
    const char *left = end(&w);
    clean->reply = reply;
    return left;
}

/* -- a fault ------------------------------------------------------------------------------------*/

/* The step with the MULTI that the EXEC at t->at ends: the first since the transaction before. */
static size_t multi_of(const struct task *t)
{
    const struct step *exec = &t->script->steps[t->at];
    size_t found = t->at;
    for (size_t at = t->at; at-- > 0;) {
        const struct step *step = &t->script->steps[at];
        if (step->client != exec->client)
            continue;
        if (slice_eq_nocase(step->argv[0], "exec") || slice_eq_nocase(step->argv[0], "discard"))
            break;
        if (slice_eq_nocase(step->argv[0], "multi") && step->argc == 1)
            found = at;
    }
    CHECK(found < t->at);
    return found;
}

/* Takes the next member off a reply whose head is gone; was it OOM? */
static bool take_member(struct slice *left, int proto)
{
    size_t size = 0;
    enum shape shape = reply_shape(*left, proto, &size);
    CHECK(shape == SHAPE_WHOLE && size > 0);
    bool oom = size > 5 && memcmp(left->ptr, "-OOM ", 5) == 0;
    *left = (struct slice){left->ptr + size, left->len - size};
    return oom;
}

/* Which of the steps between MULTI and EXEC wait for it: others are errors, or of other clients. */
static void note_queued(const struct task *t, size_t multi, bool *queued)
{
    struct task before = *t;
    struct world w;
    struct buf reply = BUF_INIT(MEM_TEST);
    before.at = multi;
    begin(&w, &before);
    for (size_t i = multi; i < t->at; i++) {
        (void)step_run(&t->script->steps[i], &w.rig, &reply);
        queued[i - multi] = starts_with(&reply, "+QUEUED");
    }
    buf_fini(&reply);
    const char *left = end(&w);
    CHECK(left == NULL);
}

/* EXEC replies for each command by itself: those that got their memory have run. Another server
 * runs just these and must come to the same data. */
static const char *check_partly(const struct task *t, const struct world *w,
                                const struct buf *reply)
{
    size_t multi = multi_of(t);
    struct task before = *t;
    struct world other;
    struct buf single = BUF_INIT(MEM_TEST);
    const uint8_t *members = memchr(reply->ptr, '\n', reply->len);
    struct slice left = {members + 1, reply->len - (size_t)(members + 1 - reply->ptr)};
    bool *queued = mem_calloc(MEM_TEST, t->at - multi);
    note_queued(t, multi, queued);
    before.at = multi;
    begin(&other, &before);
    for (size_t i = multi + 1; i < t->at; i++) {
        const struct step *step = &t->script->steps[i];
        bool mine = step->client == t->script->steps[t->at].client;
        if (queued[i - multi] ? !take_member(&left, t->proto) : !mine)
            (void)step_run(step, &other.rig, &single);
    }
    bool same = left.len == 0 && rig_data(&other.rig) == rig_data(&w->rig);
    buf_fini(&single);
    const char *wrong = end(&other);
    mem_free(MEM_TEST, queued);
    if (!same)
        return "what is there is not what the commands without an error make";
    return wrong;
}

static const char *check_error(const struct task *t, struct world *w, const struct clean *clean,
                               const struct buf *reply, uint64_t *counts)
{
    struct buf again = BUF_INIT(MEM_TEST);
    const char *wrong = NULL;
    bool oom = starts_with(reply, "-OOM ");
    counts[COUNT_ERRORS] += oom;
    if (!oom && !clean->error)
        return "the error is not OOM";
    if (!oom)
        return rig_state(&w->rig) == clean->state ? NULL
                                                  : "after its usual error the state differs";
    if (rig_data(&w->rig) != w->data)
        return "it replied OOM and changed data";
    if (clean->queued || t->command->run == cmd_exec)
        return NULL; /* the transaction knows that a command is missing, or has ended */
    if (rig_state(&w->rig) != w->state)
        return "it replied OOM and changed something";
    w->rig.server->db.random = w->random; /* a matrix of REDUCE, random members */
    enum answer answer = ask(w, t, &again);
    if (answer != clean->answer || (again.len > 0 ? again.ptr[0] : 0) != clean->kind)
        wrong = "after OOM the same command does not do what it does otherwise";
    else if (rig_data(&w->rig) != clean->data)
        wrong = "after OOM the same command comes to other data";
    buf_fini(&again);
    return wrong;
}

/* Replies that tell of memory in use, of links that are made meanwhile, of a plan without an index
 * that there was no memory for. */
static bool varies(const struct command *command)
{
    return command->run == cmd_info || command->run == cmd_vlinks || command->run == cmd_vexplain ||
           command->run == cmd_ft_hybrid || command->run == cmd_ft_profile; /* their time */
}

static const char *judge(const struct task *t, struct world *w, const struct clean *clean,
                         enum answer answer, const struct buf *reply, uint64_t *counts)
{
    if (answer == ANSWER_BAD)
        return "the reply is malformed";
    /* There was no room for the words of the command. */
    if (starts_with(reply, "-ERR Protocol error: out of memory"))
        answer = ANSWER_CLOSED;
    if (answer == ANSWER_CLOSED && clean->answer != ANSWER_CLOSED) {
        counts[COUNT_CLOSED]++;
        uint64_t data = rig_data(&w->rig);
        return data == w->data || data == clean->data ? NULL
                                                      : "the connection closed on half a change";
    }
    if (answer != clean->answer)
        return "it is never answered";
    if (answer == ANSWER_SILENCE && rig_state(&w->rig) == w->state) {
        counts[COUNT_ERRORS]++;
        return NULL; /* CLIENT REPLY OFF: nor is the error seen */
    }
    if (answer == ANSWER_REPLY && reply->ptr[0] == '-')
        return check_error(t, w, clean, reply, counts);
    if (answer == ANSWER_REPLY && reply->ptr[0] != clean->kind)
        return "the reply is of another kind";
    if (answer == ANSWER_REPLY && reply->ptr[0] == '*' && t->command->run == cmd_exec &&
        memmem(reply->ptr, reply->len, "\r\n-OOM ", 7) != NULL) {
        counts[COUNT_PARTLY]++;
        return check_partly(t, w, reply);
    }
    counts[COUNT_ABSORBED]++;
    if (!slice_eq(buf_slice(reply), buf_slice(&clean->reply)) && !varies(t->command))
        return "it succeeded with another reply";
    if (rig_state(&w->rig) == clean->state)
        return NULL;
    /* Short of memory for its line, a client that watches is closed: none is missed in silence. */
    bool closed = rig_watchers(&w->rig) < clean->watchers;
    return closed && rig_data(&w->rig) == clean->data ? NULL : "it succeeded and the state differs";
}

/* The n-th allocation fails. *fired: there was one. NULL, or what is wrong. */
static const char *run_fault(const struct task *t, const struct clean *clean, uint64_t n,
                             bool *fired, uint64_t *counts)
{
    struct world w;
    struct buf reply = BUF_INIT(MEM_TEST);
    begin(&w, t);
    (void)mem_fail_nth(n);
    enum answer answer = ask(&w, t, &reply);
    *fired = mem_fail_nth(0);
    const char *wrong = NULL;
    if (*fired) {
        counts[COUNT_POINTS]++;
        wrong = judge(t, &w, clean, answer, &reply, counts);
    } else if (answer != clean->answer || rig_state(&w.rig) != clean->state) {
        wrong = "two runs of the same differ";
    }
    if (wrong == NULL && !w.rig.stopped) {
        rig_time(&w.rig, SETTLE_US);
        wrong = w.rig.stopped ? NULL : rig_inspect(&w.rig);
    }
    buf_fini(&reply);
    const char *left = end(&w);
    return wrong != NULL ? wrong : left;
}

static bool run_task(void *user, uint64_t number, uint64_t *counts, char text[POOL_TEXT])
{
    const struct sweep *s = user;
    const struct task *t = &s->tasks[number];
    char words[200];
    struct clean clean = {.answer = ANSWER_REPLY};
    (void)snprintf(text, POOL_TEXT, "%s line %u RESP%d: %s", t->script->place,
                   t->script->steps[t->at].line, t->proto,
                   step_text(&t->script->steps[t->at], words, sizeof(words)));
    size_t at = strlen(text);
    const char *wrong = run_clean(t, &clean);
    bool fired = true;
    for (uint64_t n = 1; wrong == NULL && fired; n++) {
        if (n > POINTS_MAX) {
            counts[COUNT_CUT]++;
            break;
        }
        (void)snprintf(text + at, POOL_TEXT - at, ", allocation %llu", (unsigned long long)n);
        wrong = run_fault(t, &clean, n, &fired, counts);
        if (fired)
            atomic_fetch_add(&s->fired[command_index(t->command)], 1);
    }
    buf_fini(&clean.reply);
    if (wrong == NULL)
        return true;
    size_t len = strlen(text);
    (void)snprintf(text + len, POOL_TEXT - len, ": %s", wrong);
    return false;
}

/* -- what is swept ------------------------------------------------------------------------------*/

/* Steps of a command, those that succeed before those that do not. */
struct instances {
    struct task *good, *bad;
    size_t good_count, bad_count;
};

static void add_task(struct task **list, size_t *count, const struct task *t)
{
    *list = mem_realloc(MEM_TEST, *list, (*count + 1) * sizeof(**list));
    (*list)[(*count)++] = *t;
}

/* Runs a script once to see what its commands do; returns how many replied an error. */
static unsigned look_at(const struct script *script, struct instances *of)
{
    unsigned errors = 0;
    struct rig r;
    struct why why = {{0}};
    struct buf reply = BUF_INIT(MEM_TEST);
    rig_open(&r, 2);
    bool started = rig_start(&r, &why);
    CHECK(started);
    for (size_t i = 0; i < script->count && !r.stopped; i++) {
        const struct step *step = &script->steps[i];
        enum answer answer = step_run(step, &r, &reply);
        const struct command *command = step->raw ? NULL : command_lookup(step->argv, step->argc);
        if (command == NULL)
            continue;
        struct instances *in = &of[command_index(command)];
        struct task t = {.script = script, .at = i, .proto = 2, .command = command};
        bool error = answer == ANSWER_REPLY && reply.ptr[0] == '-';
        if (error)
            add_task(&in->bad, &in->bad_count, &t);
        else
            add_task(&in->good, &in->good_count, &t);
        errors += error;
    }
    buf_fini(&reply);
    rig_stop(&r);
    rig_close(&r);
    return errors;
}

/* The round-th case of a command: those that succeed, and among the first of them one that does
 * not. False when there is none. */
static bool choose(const struct instances *in, size_t round, struct task *t)
{
    enum { ERROR_ROUND = 2 };
    if (in->bad_count > 0 && round == ERROR_ROUND) {
        *t = in->bad[0];
        return true;
    }
    bool passed = in->bad_count > 0 && round > ERROR_ROUND;
    size_t at = passed ? round - 1 : round;
    if (in->good_count == 0 && at < in->bad_count)
        *t = in->bad[at];
    else if (at < in->good_count)
        *t = in->good[at];
    return at < (in->good_count > 0 ? in->good_count : in->bad_count);
}

static void choose_tasks(struct sweep *s, const struct robust_options *o)
{
    struct instances *of = mem_calloc(MEM_TEST, command_count() * sizeof(*of));
    for (size_t i = 0; i < s->scripts.count; i++) {
        unsigned errors = look_at(&s->scripts.list[i], of);
        if (i < s->recorded || errors == 0)
            continue;
        printf("FAILED: %u commands of %s reply errors\n", errors, s->scripts.list[i].place);
        s->broken += errors;
    }
    /* All cases in one protocol, which take turns, then all of them in the other. */
    for (size_t round = 0; round < 2 * PER_COMMAND; round++)
        for (size_t i = 0; i < command_count(); i++) {
            struct task t;
            size_t number = round % PER_COMMAND;
            if (!robust_takes(o, command_at(i)->name))
                continue;
            if (!choose(&of[i], number, &t))
                continue;
            t.proto = (number + round / PER_COMMAND) % 2 == 0 ? 3 : 2;
            add_task(&s->tasks, &s->count, &t);
        }
    for (size_t i = 0; i < command_count(); i++) {
        mem_free(MEM_TEST, of[i].good);
        mem_free(MEM_TEST, of[i].bad);
    }
    mem_free(MEM_TEST, of);
}

/* How many commands had an allocation that failed; names those that had none. */
static unsigned covered(const struct sweep *s, const struct robust_options *o, bool failed,
                        unsigned *missing)
{
    unsigned count = 0;
    for (size_t i = 0; i < command_count(); i++) {
        if (!robust_takes(o, command_at(i)->name))
            continue;
        if (atomic_load(&s->fired[i]) > 0 || failed) {
            count++;
            continue;
        }
        printf("FAILED: no allocation of %s has failed: it needs a case\n", command_at(i)->name);
        (*missing)++;
    }
    return count;
}

void robust_sweep(const struct robust_options *o, struct robust_report *report)
{
    struct sweep s = {.count = 0};
    size_t size = command_count() * sizeof(*s.fired);
    s.fired = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(s.fired != MAP_FAILED);
    scripts_read(&s.scripts, "redis-compat/cases");
    s.recorded = s.scripts.count;
    scripts_read(&s.scripts, "tests/robust/scripts");
    choose_tasks(&s, o);
    static struct pool p;
    p = (struct pool){.run = run_task,
                      .user = &s,
                      .to = s.count,
                      .workers = o->workers,
                      .seconds = o->seconds,
                      .at_least = command_count(),
                      .hang_seconds = HANG_S,
                      .failures_max = FAILURES_MAX};
    pool_run(&p);
    unsigned missing = 0;
    unsigned swept = covered(&s, o, p.failed > 0, &missing);
    robust_row("commands swept, of those there are", swept);
    printf("  %-56s %12zu\n", "  commands there are", command_count());
    robust_row("  cases of them", p.ran);
    robust_row("  allocations that failed, one a run", p.counts[COUNT_POINTS]);
    robust_row("    an OOM error, nothing changed", p.counts[COUNT_ERRORS]);
    robust_row("    the connection closed, no reply written", p.counts[COUNT_CLOSED]);
    robust_row("    done without", p.counts[COUNT_ABSORBED]);
    robust_row("    a transaction that ran in part", p.counts[COUNT_PARTLY]);
    robust_row("  cases with too many allocations to try all", p.counts[COUNT_CUT]);
    robust_row("  crashes, leaks, half changes", p.failed);
    for (uint64_t i = 0; i < p.failed && i < POOL_FAILURES; i++)
        printf("FAILED: %s\n", p.failures[i].text);
    report->failed += (unsigned)p.failed + missing + s.broken;
    report->passed += swept;
    scripts_free(&s.scripts);
    mem_free(MEM_TEST, s.tasks);
    (void)munmap(s.fired, size);
}
