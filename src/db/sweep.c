#include "db/sweep.h"

#include <string.h>

#include "db/relink.h"
#include "db/retire.h"

enum {
    SWEEP_STEP_ROWS = 64,   /* between two looks whether a search waits */
    SWEEP_JOB_ROWS = 16384, /* per job, so that links take turns with it */
    SWEEP_RETRY_US = 100000 /* when memory was short */
};

/* owner: the workers while a job is out, else the loop */
struct sweep {
    struct job job;
    struct epoch_item item;
    struct background *background;
    struct side *side;
    struct io_timer retry;
    uint64_t guard;
    struct index_rows rows;
    uint64_t *bits; /* the dead rows */
    struct index_dead dead;
    struct index_sweep found;
    uint32_t next;
    bool short_of_memory;
};

static void run_sweep(struct job *job, struct lane *lane)
{
    struct sweep *s = (struct sweep *)job;
    struct index *graph = s->side->graph;
    uint32_t first = s->next;
    s->short_of_memory = false;
    while (s->next < s->rows.end && s->next - first < SWEEP_JOB_ROWS) {
        uint32_t end =
            s->rows.end - s->next < SWEEP_STEP_ROWS ? s->rows.end : s->next + SWEEP_STEP_ROWS;
        if (graph->ops->sweep_range(graph, &s->rows, &s->dead, lane, &s->next, end, &s->found) !=
            OK) {
            s->short_of_memory = true;
            return;
        }
        if (lane->search_waits(lane))
            return;
    }
}

static void free_sweep(struct sweep *s)
{
    s->background->io->ops->timer_stop(s->background->io, &s->retry);
    mem_free(MEM_GRAPH, s->found.orphans); /* bits: NULL when they were handed on */
    mem_free(MEM_ROW, s->bits);
    mem_free(MEM_ROW, s);
}

static void link_orphans(struct sweep *s)
{
    struct side *side = s->side;
    for (size_t i = 0; i < s->found.orphan_count; i++) {
        uint32_t row = s->found.orphans[i];
        if (side_state(side, row) != ROW_LINKED)
            continue;
        side_set_state(side, row, ROW_PENDING);
        pending_push(&side->pending, row);
    }
}

static void submit(struct sweep *s)
{
    s->guard = epoch_enter(s->background->epoch);
    s->background->jobs++;
    s->background->io->ops->submit(s->background->io, &s->job);
}

static void on_retry(struct io_timer *timer);

/* After each job: the next one, or the end. */
static void go_on(struct sweep *s)
{
    struct background *b = s->background;
    struct side *side = s->side;
    struct collection *c = side->collection;
    bool over = s->next == s->rows.end;
    if (side->retired || c->dropped) {
        side->sweep = NULL;
        free_sweep(s);
        return;
    }
    if (s->short_of_memory ||
        (over && !pending_reserve_more(&side->pending, s->found.orphan_count))) {
        s->short_of_memory = false;
        s->retry = (struct io_timer){.fn = on_retry, .user = s, .impl = s->retry.impl};
        s->guard = epoch_enter(b->epoch); /* the collection may be dropped meanwhile */
        b->io->ops->timer_start(b->io, &s->retry, SWEEP_RETRY_US);
        return;
    }
    if (!over) {
        submit(s);
        return;
    }
    side->graph->ops->sweep_finish(side->graph, &s->dead, &s->found);
    retire_rows(side, s->bits, s->dead.end); /* nothing leads to them any more */
    s->bits = NULL;
    link_orphans(s);
    relink_on_swept(side, s->found.worn > 0);
    side->sweep = NULL;
    b->link_sweeps++;
    free_sweep(s);
    background_wake(b, c);
}

/* go_on may be the end of the collection, but for the guard. */
static void go_on_guarded(struct sweep *s)
{
    struct background *b = s->background;
    uint64_t guard = s->guard;
    go_on(s);
    epoch_leave(b->epoch, guard);
}

static void on_retry(struct io_timer *timer)
{
    go_on_guarded(timer->user);
}

static void done_sweep(struct job *job)
{
    struct background *b = ((struct sweep *)job)->background;
    CHECK(b->jobs > 0);
    b->jobs--;
    go_on_guarded((struct sweep *)job);
    background_go_on(b);
}

/* Searches that see the rows alive have ended. */
static void on_quiet(struct epoch_item *item)
{
    struct sweep *s = (struct sweep *)((char *)item - offsetof(struct sweep, item));
    if (!s->side->retired && !s->side->collection->dropped) {
        submit(s);
        return;
    }
    s->side->sweep = NULL;
    free_sweep(s);
}

bool sweep_start(struct background *b, struct side *side)
{
    struct collection *c = side->collection;
    CHECK(side->sweep == NULL && side->graph != NULL && !c->dropped && !side->retired);
    size_t words = ((size_t)c->rows_end + 63) / 64;
    struct sweep *s = mem_try_calloc(MEM_ROW, sizeof(*s));
    uint64_t *bits = mem_try_calloc(MEM_ROW, words * sizeof(*bits));
    if (s == NULL || bits == NULL) {
        mem_free(MEM_ROW, s);
        mem_free(MEM_ROW, bits);
        return false;
    }
    for (uint32_t row = 0; row < c->rows_end; row++) {
        if (side_state(side, row) != ROW_DEAD_LINKED)
            continue;
        side_set_state(side, row, ROW_SWEEPING);
        bits[row / 64] |= (uint64_t)1 << (row % 64);
    }
    relink_on_sweep(side);
    side->sweeping += side->dead_linked;
    side->dead_linked = 0;
    s->job = (struct job){.run = run_sweep, .done = done_sweep, .class = JOB_LINK};
    s->background = b;
    s->side = side;
    s->rows = side_rows(side, *b->last_lsn);
    s->bits = bits;
    s->dead = (struct index_dead){bits, c->rows_end};
    s->found = (struct index_sweep){.best_row = ROW_NONE, .best_level = -1};
    side->sweep = s;
    epoch_defer(b->epoch, &s->item, on_quiet);
    return true;
}
