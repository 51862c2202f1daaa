#include "db/background.h"

#include <string.h>

#include "db/alter.h"
#include "db/collection.h"
#include "db/relink.h"
#include "db/relocate.h"
#include "db/sweep.h"
#include "db/train.h"

enum {
    MOVE_BYTES_MIN = 4 * 1024 * 1024,
    MOVE_DELAY_US = 2 * 1000 * 1000,
    RETRY_US = 100 * 1000, /* when memory was short */
    LINK_JOB_ROWS = 16,
    LINK_LOOKS = 512,           /* at rows that may have died, for one job */
    SWEEP_SHARE = 50,           /* a sweep starts when 1 row in so many is dead */
    SWEEP_IDLE_US = 1000 * 1000 /* fewer are swept when nothing else has happened for so long */
};

/* Rows on their way into the graph. owner: the workers, until done */
struct link_job {
    struct job job;
    struct background *background;
    struct side *side;
    uint64_t guard;
    struct index_rows rows;
    struct index *graph;
    size_t count;
    size_t linked; /* of rows[], in order; the rest comes back */
    uint32_t list[LINK_JOB_ROWS];
};

static void start_work(struct background *b);

/* -- the ring of collections with work --------------------------------------------------------- */

static void ring_add(struct background *b, struct collection *c)
{
    if (c->has_work)
        return;
    c->has_work = true;
    if (b->work == NULL) {
        b->work = c->work_next = c->work_prev = c;
        return;
    }
    c->work_next = b->work;
    c->work_prev = b->work->work_prev;
    c->work_prev->work_next = c;
    b->work->work_prev = c;
}

static void ring_remove(struct background *b, struct collection *c)
{
    if (!c->has_work)
        return;
    c->has_work = false;
    if (c->work_next == c) {
        b->work = NULL;
        return;
    }
    c->work_prev->work_next = c->work_next;
    c->work_next->work_prev = c->work_prev;
    if (b->work == c)
        b->work = c->work_next;
}

/* Nobody else would start what could not be started now. */
static void wait_for_memory(struct background *b)
{
    b->short_of_memory = true;
    b->io->ops->timer_start(b->io, &b->retry, RETRY_US);
}

static void on_retry_timer(struct io_timer *timer)
{
    struct background *b = timer->user;
    b->short_of_memory = false;
    start_work(b);
}

/* -- linking ----------------------------------------------------------------------------------- */

static void run_link(struct job *job, struct lane *lane)
{
    struct link_job *l = (struct link_job *)job;
    for (; l->linked < l->count; l->linked++) {
        if (l->linked > 0 && lane->search_waits(lane))
            return;
        if (!l->graph->ops->link(l->graph, &l->rows, lane, l->list[l->linked]))
            return; /* memory is short: another job tries again */
        if (atomic_load_explicit(&l->background->gives_way, memory_order_relaxed))
            lane_give_way(lane);
        else
            lane_yield(lane);
    }
}

/* Rows that the head of the queue may pass: linked ones, and dead ones that no job has. */
static void advance_head(struct side *s)
{
    uint32_t row;
    while (pending_head(&s->pending, &row)) {
        enum row_state state = side_state(s, row);
        if (state == ROW_PENDING || state == ROW_LINKING || state == ROW_MOVED)
            return;
        pending_drop_head(&s->pending);
    }
}

static void leave_queue(struct side *s, uint32_t row)
{
    if (side_leave_queue(s, row))
        collection_let_row_go(s->collection, row);
}

/* A row has come back from its job. */
static void finish_row(struct link_job *l, size_t i)
{
    struct side *s = l->side;
    uint32_t row = l->list[i];
    if (side_state(s, row) == ROW_LINKING && i >= l->linked) {
        side_set_state(s, row, ROW_PENDING);
        pending_return(&s->pending, row);
        return;
    }
    pending_settle(&s->pending);
    if (side_state(s, row) == ROW_DEAD_QUEUED) {
        leave_queue(s, row);
        return;
    }
    CHECK(side_state(s, row) == ROW_LINKING);
    side_set_state(s, row, ROW_LINKED);
    l->background->rows_linked++;
}

static void tell_of_room(struct background *b, struct collection *c)
{
    if (!c->dropped && c->pending_waiters > 0 && !collection_pending_full(c))
        b->on_room(b->user, c);
}

void background_moved(struct background *b, struct collection *c)
{
    advance_head(c->side);
    background_wake(b, c);
    tell_of_room(b, c);
}

/* Half of what is linked makes room for writers, as long as rows of others are owed. */
static void owe_less(struct side *s, size_t rows)
{
    size_t pending = pending_count(&s->pending);
    s->pending_owed -= s->pending_owed < rows ? s->pending_owed : rows;
    if (s->pending_owed > pending)
        s->pending_owed = pending;
}

/* Rows of a job are where they should be. */
static void finish_rows(struct link_job *l)
{
    struct side *s = l->side;
    for (size_t i = 0; i < l->count; i++)
        finish_row(l, i);
    advance_head(s);
    owe_less(s, l->linked / 2);
    relocate_on_link_done(s->collection);
    background_wake(l->background, s->collection);
    tell_of_room(l->background, s->collection);
}

static void done_link(struct job *job)
{
    struct link_job *l = (struct link_job *)job;
    struct background *b = l->background;
    uint64_t guard = l->guard;
    CHECK(b->jobs > 0 && l->side->link_jobs > 0);
    b->jobs--;
    l->side->link_jobs--;
    if (!l->side->retired)
        finish_rows(l);
    mem_free(MEM_SCRATCH, l);
    epoch_leave(b->epoch, guard); /* the end of the side, if it was retired */
    start_work(b);
}

static void on_soon_timer(struct io_timer *timer)
{
    struct background *b = timer->user;
    b->later = false;
    start_work(b);
}

/* What is left is for the next turn of the loop. */
static void go_on_later(struct background *b)
{
    b->later = true;
    b->io->ops->timer_start(b->io, &b->soon, 0);
}

/* Fills a job with the oldest rows that still want linking. False: it has looked at many that have
 * died, and there are more. */
static bool take_rows(struct side *s, struct link_job *l)
{
    uint32_t row;
    int looks = 0;
    while (l->count < LINK_JOB_ROWS && looks < LINK_LOOKS && pending_take(&s->pending, &row)) {
        looks++;
        if (side_state(s, row) == ROW_PENDING) {
            side_set_state(s, row, ROW_LINKING);
            l->list[l->count++] = row;
            continue;
        }
        pending_settle(&s->pending);
        if (side_state(s, row) == ROW_DEAD_QUEUED)
            leave_queue(s, row);
    }
    return l->count == LINK_JOB_ROWS || looks < LINK_LOOKS;
}

static bool start_link(struct background *b, struct side *s)
{
    struct collection *c = s->collection;
    if (s->graph == NULL || pending_count(&s->pending) == 0 || relocate_stops_links(c))
        return false;
    struct link_job *l = mem_try_calloc(MEM_SCRATCH, sizeof(*l));
    if (l == NULL) {
        wait_for_memory(b);
        return false;
    }
    if (!take_rows(s, l))
        go_on_later(b);
    advance_head(s);
    if (l->count == 0) {
        /* They had all died. No job will come back to say so, and who waits must not run here. */
        if (c->pending_waiters > 0)
            b->io->ops->timer_start(b->io, &b->room, 0);
        mem_free(MEM_SCRATCH, l);
        return false;
    }
    l->job = (struct job){.run = run_link, .done = done_link, .class = JOB_LINK};
    l->background = b;
    l->side = s;
    l->rows = side_rows(s, *b->last_lsn);
    l->graph = s->graph;
    l->guard = epoch_enter(b->epoch);
    b->jobs++;
    s->link_jobs++;
    b->io->ops->submit(b->io, &l->job);
    return true;
}

/* -- sweeping ---------------------------------------------------------------------------------- */

static bool sweep_due(const struct side *s)
{
    if (s->dead_linked == 0 || s->sweep != NULL || relocate_stops_sweeps(s->collection))
        return false;
    return s->sweep_anyway || s->dead_linked * SWEEP_SHARE > s->collection->live + s->dead_linked;
}

static bool start_sweep(struct background *b, struct side *s)
{
    if (!sweep_due(s) || !sweep_start(b, s))
        return false;
    s->sweep_anyway = false;
    return true;
}

void background_go_on(struct background *b)
{
    start_work(b);
}

static void on_sweep_timer(struct io_timer *timer)
{
    struct side *s = timer->user;
    s->sweep_anyway = true;
    background_wake(s->collection->env->background, s->collection);
}

/* -- heaps ------------------------------------------------------------------------------------- */

static bool row_is_dead(const struct collection *c, uint32_t row)
{
    const _Atomic uint64_t *death = (const _Atomic uint64_t *)c->columns.base[COL_DEATH];
    return atomic_load_explicit(&death[row], memory_order_relaxed) != LSN_NEVER;
}

/* Is the record the id or the attribute of the row? Then it is so at its new place. */
static bool move_record(void *user, uint32_t row, heap_ref old, heap_ref to)
{
    struct collection *c = user;
    static const enum collection_column columns[] = {COL_ID, COL_ATTR};
    if (row >= c->rows_end)
        return false; /* of a row that is no more */
    switch (collection_state(c, row)) {
    case ROW_FLAT:
    case ROW_PENDING:
    case ROW_LINKING:
    case ROW_LINKED:
        break;
    case ROW_MOVED:
        if (row_is_dead(c, row))
            return false;
        break;
    case ROW_FREE:
    case ROW_DEAD_QUEUED:
    case ROW_DEAD_LINKED:
    case ROW_SWEEPING:
    case ROW_OUT:
    case ROW_LIMBO:
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        _Atomic uint32_t *ref = column_ref(c->columns.base, columns[i], row);
        if (atomic_load_explicit(ref, memory_order_relaxed) == old) {
            atomic_store_explicit(ref, to, memory_order_release);
            return true;
        }
    }
    return false;
}

bool background_compact(struct collection *c)
{
    return c->heap.wasteful && heap_compact_step(&c->heap, move_record, c) > 0;
}

static void on_compact_timer(struct io_timer *timer)
{
    struct collection *c = timer->user;
    struct io *io = c->env->background->io;
    c->compacts = background_compact(c);
    if (c->compacts)
        io->ops->timer_start(io, &c->compact_timer, 0);
}

/* In slices, between what clients want. */
static void compact_soon(struct collection *c)
{
    struct io *io = c->env->background->io;
    if (c->compacts || !c->heap.wasteful)
        return;
    c->compacts = true;
    c->compact_timer = (struct io_timer){.fn = on_compact_timer, .user = c};
    io->ops->timer_start(io, &c->compact_timer, 0);
}

/* -- taking turns ------------------------------------------------------------------------------ */

static bool start_side(struct background *b, struct side *s)
{
    return start_sweep(b, s) || start_link(b, s) || relink_start(b, s);
}

/* The one that is made has three turns of four: writers wait for the one that serves when it does
 * not keep up, so the other one does. */
static bool start_some(struct background *b, struct collection *c)
{
    enum { TURNS = 4 };
    bool first = c->turn++ % TURNS != 0;
    if (c->next == NULL)
        return (first && start_side(b, c->side)) || alter_start(b, c) || start_side(b, c->side);
    if (first && alter_start(b, c))
        return true;
    return start_side(b, first ? c->next : c->side) || start_side(b, first ? c->side : c->next) ||
           alter_start(b, c);
}

/* Its rows are enough for lists, or have become others than those of its lists. */
static void train_soon(struct background *b, struct collection *c)
{
    if (train_is_due(c) && alter_retrain(c) != OK)
        wait_for_memory(b);
}

/* When nothing else happens for a while, the few that are dead are swept, too. */
static void sweep_later(struct background *b, struct side *s)
{
    if (s->dead_linked == 0 || s->sweep != NULL)
        return;
    s->sweep_timer.fn = on_sweep_timer;
    s->sweep_timer.user = s;
    b->io->ops->timer_start(b->io, &s->sweep_timer, SWEEP_IDLE_US);
}

static void start_work(struct background *b)
{
    unsigned lanes = b->io->ops->lane_count(b->io);
    while (b->work != NULL && b->jobs < lanes && !b->paused && !b->short_of_memory && !b->later) {
        struct collection *c = b->work;
        compact_soon(c);
        train_soon(b, c);
        if (start_some(b, c)) {
            b->work = c->work_next;
            continue;
        }
        if (b->short_of_memory || b->later)
            return;
        ring_remove(b, c);
        struct side *sides[2];
        for (size_t i = collection_sides(c, sides); i-- > 0;)
            sweep_later(b, sides[i]);
    }
}

void background_wake(struct background *b, struct collection *c)
{
    if (c->dropped)
        return;
    ring_add(b, c);
    start_work(b);
}

void background_forget(struct background *b, struct collection *c)
{
    ring_remove(b, c);
    struct side *sides[2];
    for (size_t i = collection_sides(c, sides); i-- > 0;)
        b->io->ops->timer_stop(b->io, &sides[i]->sweep_timer);
    b->io->ops->timer_stop(b->io, &c->compact_timer);
    relocate_forget(c);
    alter_forget(c);
}

void background_give_way(struct background *b, bool gives_way)
{
    atomic_store_explicit(&b->gives_way, gives_way, memory_order_relaxed);
}

static void on_room_timer(struct io_timer *timer)
{
    struct background *b = timer->user;
    b->on_room(b->user, NULL);
}

void background_init(struct background *b, struct io *io, struct epoch *epoch,
                     const uint64_t *last_lsn)
{
    *b = (struct background){.io = io,
                             .epoch = epoch,
                             .last_lsn = last_lsn,
                             .move_bytes_min = MOVE_BYTES_MIN,
                             .move_delay_us = MOVE_DELAY_US};
    b->retired = mem_calloc(MEM_SERVER, sizeof(*b->retired));
    b->retired->users = 1;
    b->retry = (struct io_timer){.fn = on_retry_timer, .user = b};
    b->soon = (struct io_timer){.fn = on_soon_timer, .user = b};
    b->room = (struct io_timer){.fn = on_room_timer, .user = b};
}

void background_fini(struct background *b)
{
    CHECK(b->jobs == 0 && b->work == NULL);
    b->io->ops->timer_stop(b->io, &b->retry);
    b->io->ops->timer_stop(b->io, &b->room);
    b->io->ops->timer_stop(b->io, &b->soon);
    retired_leave(b->retired);
}

void retired_leave(struct retired *r)
{
    CHECK(r->users > 0);
    if (--r->users == 0)
        mem_free(MEM_SERVER, r);
}
