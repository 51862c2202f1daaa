#include "db/background.h"

#include <string.h>

#include "db/collection.h"
#include "db/relink.h"
#include "db/relocate.h"
#include "db/sweep.h"

enum {
    MOVE_BYTES_MIN = 4 * 1024 * 1024,
    MOVE_DELAY_US = 2 * 1000 * 1000,
    RETRY_US = 100 * 1000, /* when memory was short */
    LINK_JOB_ROWS = 16,
    LINK_LOOKS = 512,      /* at rows that may have died, for one job */
    SWEEP_SHARE = 50,           /* a sweep starts when 1 row in so many is dead */
    SWEEP_IDLE_US = 1000 * 1000 /* fewer are swept when nothing else has happened for so long */
};

/* Rows on their way into the graph. owner: the workers, until done */
struct link_job {
    struct job job;
    struct background *background;
    struct collection *collection;
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
static void advance_head(struct collection *c)
{
    uint32_t row;
    while (pending_head(&c->pending, &row)) {
        enum row_state state = collection_state(c, row);
        if (state == ROW_PENDING || state == ROW_LINKING || state == ROW_MOVED)
            return;
        pending_drop_head(&c->pending);
    }
}

/* A row has come back from its job. */
static void finish_row(struct link_job *l, size_t i)
{
    struct collection *c = l->collection;
    uint32_t row = l->list[i];
    if (collection_state(c, row) == ROW_LINKING && i >= l->linked) {
        collection_set_state(c, row, ROW_PENDING);
        pending_return(&c->pending, row);
        return;
    }
    pending_settle(&c->pending);
    if (collection_state(c, row) == ROW_DEAD_QUEUED) {
        collection_leave_queue(c, row);
        return;
    }
    CHECK(collection_state(c, row) == ROW_LINKING);
    collection_set_state(c, row, ROW_LINKED);
    l->background->rows_linked++;
}

static void tell_of_room(struct background *b, struct collection *c)
{
    if (!c->dropped && c->pending_waiters > 0 && !collection_pending_full(c))
        b->on_room(b->user, c);
}

void background_moved(struct background *b, struct collection *c)
{
    advance_head(c);
    background_wake(b, c);
    tell_of_room(b, c);
}

/* Half of what is linked makes room for writers, as long as rows of others are owed. */
static void owe_less(struct collection *c, size_t rows)
{
    size_t pending = pending_count(&c->pending);
    c->pending_owed -= c->pending_owed < rows ? c->pending_owed : rows;
    if (c->pending_owed > pending)
        c->pending_owed = pending;
}

static void done_link(struct job *job)
{
    struct link_job *l = (struct link_job *)job;
    struct background *b = l->background;
    struct collection *c = l->collection;
    uint64_t guard = l->guard;
    CHECK(b->jobs > 0 && c->link_jobs > 0);
    b->jobs--;
    c->link_jobs--;
    for (size_t i = 0; i < l->count; i++)
        finish_row(l, i);
    advance_head(c);
    owe_less(c, l->linked / 2);
    mem_free(MEM_SCRATCH, l);
    relocate_on_link_done(c);
    background_wake(b, c);
    tell_of_room(b, c);
    epoch_leave(b->epoch, guard); /* the end of c, if it was dropped */
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
static bool take_rows(struct collection *c, struct link_job *l)
{
    uint32_t row;
    int looks = 0;
    while (l->count < LINK_JOB_ROWS && looks < LINK_LOOKS && pending_take(&c->pending, &row)) {
        looks++;
        if (collection_state(c, row) == ROW_PENDING) {
            collection_set_state(c, row, ROW_LINKING);
            l->list[l->count++] = row;
            continue;
        }
        pending_settle(&c->pending);
        if (collection_state(c, row) == ROW_DEAD_QUEUED)
            collection_leave_queue(c, row);
    }
    return l->count == LINK_JOB_ROWS || looks < LINK_LOOKS;
}

static bool start_link(struct background *b, struct collection *c)
{
    if (c->graph == NULL || pending_count(&c->pending) == 0 || relocate_stops_links(c))
        return false;
    struct link_job *l = mem_try_calloc(MEM_SCRATCH, sizeof(*l));
    if (l == NULL) {
        wait_for_memory(b);
        return false;
    }
    if (!take_rows(c, l))
        go_on_later(b);
    advance_head(c);
    if (l->count == 0) {
        /* They had all died. No job will come back to say so, and who waits must not run here. */
        if (c->pending_waiters > 0)
            b->io->ops->timer_start(b->io, &b->room, 0);
        mem_free(MEM_SCRATCH, l);
        return false;
    }
    struct collection_view view;
    collection_view(c, *b->last_lsn, &view);
    l->job = (struct job){.run = run_link, .done = done_link, .class = JOB_LINK};
    l->background = b;
    l->collection = c;
    l->rows = view.codes;
    l->graph = c->graph;
    l->guard = epoch_enter(b->epoch);
    b->jobs++;
    c->link_jobs++;
    b->io->ops->submit(b->io, &l->job);
    return true;
}

/* -- sweeping ---------------------------------------------------------------------------------- */

static bool sweep_due(const struct collection *c)
{
    if (c->dead_linked == 0 || c->sweep != NULL || relocate_stops_sweeps(c))
        return false;
    return c->sweep_anyway || c->dead_linked * SWEEP_SHARE > c->live + c->dead_linked;
}

static bool start_sweep(struct background *b, struct collection *c)
{
    if (!sweep_due(c) || !sweep_start(b, c))
        return false;
    c->sweep_anyway = false;
    return true;
}

void background_go_on(struct background *b)
{
    start_work(b);
}

static void on_sweep_timer(struct io_timer *timer)
{
    struct collection *c = timer->user;
    c->sweep_anyway = true;
    background_wake(c->env->background, c);
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

static void start_work(struct background *b)
{
    unsigned lanes = b->io->ops->lane_count(b->io);
    while (b->work != NULL && b->jobs < lanes && !b->paused && !b->short_of_memory &&
           !b->later) {
        struct collection *c = b->work;
        compact_soon(c);
        if (start_sweep(b, c) || start_link(b, c) || relink_start(b, c)) {
            b->work = c->work_next;
            continue;
        }
        if (b->short_of_memory || b->later)
            return;
        ring_remove(b, c);
        if (c->dead_linked > 0 && c->sweep == NULL) {
            c->sweep_timer.fn = on_sweep_timer;
            c->sweep_timer.user = c;
            b->io->ops->timer_start(b->io, &c->sweep_timer, SWEEP_IDLE_US);
        }
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
    b->io->ops->timer_stop(b->io, &c->sweep_timer);
    b->io->ops->timer_stop(b->io, &c->compact_timer);
    relocate_forget(c);
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
