/* Batches of measuring: a few queries of a calibration, or the check of one search. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "db/db.h"
#include "db/measure.h"
#include "db/recall_own.h"
#include "db/search_find.h"

enum {
    BUSY_US = 10 * 1000,   /* links are made: later */
    RETRY_US = 100 * 1000, /* memory was short */
    PAUSE_MIN_US = 200,
    HOLD_MAX_US = 60 * 1000 * 1000, /* so long a batch keeps what it reads from being freed, */
    STALL_MAX_US = 500 * 1000,      /* and so long while it stands still: sweeps wait for it */
    PENDING_SHARE = 64,             /* more are not linked: what is measured now would not last */
    CHECK_FLOATS = 2 * 1024 * 1024, /* read by a slice of a check, and between two looks whether */
    STEP_FLOATS = 128 * 1024,       /* a search waits */
    ROW_TRIES = 200
};

/* owner: loop, and a lane while the job is out */
struct recall_batch {
    struct job job;
    struct recall_watch *watch;
    struct recall *recall;
    struct collection *collection;
    struct recall_basis basis;
    uint64_t guard, since_us, slice_us; /* slice_us: of the last slice */
    uint64_t stalled_us;                /* since when links have been made; 0: they are not */
    bool over, failed;

    struct collection_view view; /* of a calibration */
    struct measure measure;

    struct search *check; /* NULL: it is a calibration */
    struct truth truth;
    bool searched, scanning;
    float *found; /* distances of what the search found; owned */
    size_t found_count;
};

static void go_on(struct recall_watch *w);

static struct io *io_of(const struct recall_watch *w)
{
    return w->db->io;
}

static void on_timer(struct io_timer *timer)
{
    struct recall_watch *w = timer->user;
    w->waits = false;
    if (!w->out) /* when it is back it goes on by itself */
        go_on(w);
}

static void go_on_in(struct recall_watch *w, uint64_t after_us)
{
    w->timer.fn = on_timer;
    w->timer.user = w;
    w->waits = true;
    io_of(w)->ops->timer_start(io_of(w), &w->timer, after_us);
}

void recall_wake(struct recall_watch *w)
{
    if (!w->waits && !w->out && (w->batch != NULL || w->turn != NULL))
        go_on_in(w, 0);
}

bool recall_is_of(const struct recall_watch *w, const struct recall *r)
{
    return w->batch != NULL && w->batch->recall == r;
}

/* -- a calibration's batch --------------------------------------------------------------------- */

/* A row that is visible, or ROW_NONE when none was met. */
static uint32_t any_row(struct recall_watch *w, const struct collection_view *v)
{
    for (int i = 0; i < ROW_TRIES; i++) {
        uint32_t row = (uint32_t)rng_below(&w->random, v->codes.end);
        if (row_visible(&v->codes, row))
            return row;
    }
    return ROW_NONE;
}

/* Clients' queries that come next, or rows. False: there are none. */
static bool take_queries(struct recall_batch *b)
{
    struct recall *r = b->recall;
    uint32_t dim = b->collection->spec.dim, own[TRUTH_QUERIES];
    size_t count = 0, real = 0;
    uint32_t at = r->next_one.queries;
    bool use_real = r->query_count >= RECALL_QUERIES_REAL;
    for (; count < TRUTH_QUERIES; count++) {
        float *query = b->measure.queries + count * dim;
        own[count] = ROW_NONE;
        if (use_real && at + count < r->query_count) {
            memcpy(query, r->queries + (at + count) * (size_t)dim, dim * sizeof(float));
            real++;
            continue;
        }
        if (use_real && count > 0)
            break;
        own[count] = any_row(b->watch, &b->view);
        if (own[count] == ROW_NONE)
            break;
        view_query(&b->view, own[count], query);
    }
    return count > 0 && measure_begin(&b->measure, count, real, own) == OK;
}

static bool begin_calibration(struct recall_batch *b)
{
    db_view(b->watch->db, b->collection, &b->view);
    b->basis = recall_basis_now(b->collection);
    if (!recall_basis_holds(&b->recall->next_basis, b->collection))
        b->recall->next_one = (struct calibration){0};
    return measure_init(&b->measure, &b->view) == OK && take_queries(b);
}

/* -- a check ----------------------------------------------------------------------------------- */

static void collect(struct search *s, const struct hit *hits, size_t count)
{
    struct recall_batch *b = s->user;
    CHECK(count <= s->count);
    for (size_t i = 0; i < count; i++)
        b->found[i] = hits[i].dist;
    b->found_count = count;
}

static bool begin_check(struct recall_batch *b, struct search *s)
{
    b->check = s;
    s->user = b;
    s->encode = collect;
    b->found = mem_try(MEM_SCRATCH, s->count * sizeof(*b->found));
    return b->found != NULL && search_renew(s, false);
}

static bool accept(void *user, uint32_t row)
{
    return search_accepts(user, row);
}

/* [lane] The search again; true: there are rows to be named first. */
static bool search_again(struct recall_batch *b, struct lane *lane)
{
    struct search *s = b->check;
    b->failed = search_find(s, lane, s->queries) != OK;
    if (b->failed || s->wants_rows)
        return !b->failed;
    b->searched = true;
    if (s->way == WAY_SCAN) { /* exact */
        b->over = true;
        return false;
    }
    b->failed = truth_init(&b->truth, &s->view.exact, s->queries, 1, 1, s->count) != OK;
    if (search_selects(s))
        b->truth.filter = (struct index_filter){.accept = accept, .user = s};
    return false;
}

/* [lane] */
static void scan_on(struct recall_batch *b, struct lane *lane)
{
    uint32_t dim = b->collection->spec.dim;
    uint32_t step = STEP_FLOATS / dim + 1, end = CHECK_FLOATS / dim + 1;
    for (uint32_t rows = 0; rows < end && !b->over; rows += step) {
        b->over = truth_go_on(&b->truth, lane, step);
        lane_give_way(lane);
        if (lane->search_waits(lane))
            return;
    }
}

static size_t found_of(const struct recall_batch *b, const struct topk *top)
{
    size_t found = 0;
    float last = top->hits[top->count - 1].dist;
    float limit = last + 1e-6F * fmaxf(fabsf(last), 1);
    for (size_t i = 0; i < b->found_count && found < top->count; i++)
        found += b->found[i] <= limit;
    return found;
}

static void add_check(const struct recall_batch *b)
{
    const struct topk *top = &b->truth.tops[0][0];
    struct recall_check check = {b->check->count, b->found_count, b->found_count};
    if (b->check->way != WAY_SCAN && top->count > 0) {
        check.there = top->count;
        check.found = found_of(b, top);
    }
    recall_add_check(b->watch, b->recall, &check);
}

/* -- either, in slices ------------------------------------------------------------------------- */

static void run(struct job *job, struct lane *lane)
{
    struct recall_batch *b = (struct recall_batch *)job;
    struct io *io = io_of(b->watch);
    uint64_t start = io->ops->mono_us(io);
    if (lane->search_waits(lane)) {
        b->slice_us = 0;
        return;
    }
    if (b->check == NULL) {
        b->over = measure_go_on(&b->measure, lane);
        b->failed = b->measure.failed;
    } else if (!b->searched) {
        (void)search_again(b, lane);
    } else {
        scan_on(b, lane);
    }
    b->slice_us = io->ops->mono_us(io) - start;
}

void recall_end_batch(struct recall_watch *w)
{
    struct recall_batch *b = w->batch;
    CHECK(b != NULL && !w->out);
    w->batch = NULL;
    uint64_t guard = b->guard;
    measure_fini(&b->measure);
    truth_fini(&b->truth);
    search_free(b->check);
    mem_free(MEM_SCRATCH, b->found);
    mem_free(MEM_SCRATCH, b);
    epoch_leave(&w->db->epoch, guard); /* the end of the collection, if it was dropped */
}

static void take_result(struct recall_batch *b)
{
    if (b->check != NULL)
        add_check(b);
    else if (recall_basis_holds(&b->basis, b->collection))
        recall_add(b->watch, b->recall, &b->measure.sums, &b->basis);
}

static uint64_t pause_after(const struct recall_watch *w, uint64_t slice_us)
{
    uint64_t pause = w->percent == 0 ? 0 : slice_us * (100 - w->percent) / w->percent;
    return pause < PAUSE_MIN_US ? PAUSE_MIN_US : pause;
}

static void done(struct job *job)
{
    struct recall_batch *b = (struct recall_batch *)job;
    struct recall_watch *w = b->watch;
    uint64_t slice_us = b->slice_us, now = io_of(w)->ops->mono_us(io_of(w));
    CHECK(w->out && w->batch == b);
    w->out = false;
    w->busy_us += slice_us;
    bool gone = b->collection->dropped;
    if (!gone && !b->failed && b->check != NULL && b->check->wants_rows)
        b->failed = !search_renew(b->check, true);
    bool ends = gone || b->failed || b->over || now - b->since_us > HOLD_MAX_US;
    if (ends && !gone && b->over && !b->failed)
        take_result(b);
    bool failed = b->failed;
    if (ends)
        recall_end_batch(w);
    go_on_in(w, failed ? RETRY_US : slice_us == 0 ? BUSY_US : pause_after(w, slice_us));
}

/* -- whose turn it is -------------------------------------------------------------------------- */

static bool links_wait(const struct recall_watch *w, const struct collection *c)
{
    return w->db->background.jobs > 0 || c->bulk != NULL ||
           pending_count(&c->side->pending) * PENDING_SHARE > c->live;
}

/* Links are made first. When that takes long the batch is given up: what it holds keeps sweeps from
 * beginning, and writers that replace elements would fill the memory with dead rows. */
static void stand_still(struct recall_watch *w)
{
    struct recall_batch *b = w->batch;
    uint64_t now = io_of(w)->ops->mono_us(io_of(w));
    if (b != NULL && b->stalled_us == 0)
        b->stalled_us = now;
    else if (b != NULL && now - b->stalled_us > STALL_MAX_US)
        recall_end_batch(w);
    go_on_in(w, BUSY_US);
}

/* The next that has something to do, or NULL. */
static struct recall *next_of(struct recall_watch *w)
{
    struct recall *r = w->turn;
    if (r == NULL)
        return NULL;
    do {
        r = r->next;
        if (r->sample_count > 0 || recall_wants_calibration(r)) {
            w->turn = r;
            return r;
        }
    } while (r != w->turn);
    return NULL;
}

/* False: memory is short. */
static bool begin(struct recall_watch *w, struct recall *r)
{
    struct recall_batch *b = mem_try_calloc(MEM_SCRATCH, sizeof(*b));
    struct search *s = r->sample_count > 0 ? r->samples[--r->sample_count] : NULL;
    if (b == NULL) {
        search_free(s);
        return false;
    }
    b->watch = w;
    b->recall = r;
    b->collection = r->collection;
    b->guard = epoch_enter(&w->db->epoch);
    b->since_us = io_of(w)->ops->mono_us(io_of(w));
    w->batch = b;
    bool ok = s != NULL ? begin_check(b, s) : begin_calibration(b);
    if (!ok)
        recall_end_batch(w);
    return ok;
}

static void go_on(struct recall_watch *w)
{
    CHECK(!w->out);
    if (w->percent == 0) {
        if (w->batch != NULL)
            recall_end_batch(w);
        return;
    }
    struct recall *r = w->batch != NULL ? w->batch->recall : next_of(w);
    if (r == NULL)
        return;
    if (links_wait(w, r->collection)) {
        stand_still(w);
        return;
    }
    if (w->batch == NULL && !begin(w, r)) {
        go_on_in(w, RETRY_US);
        return;
    }
    struct recall_batch *b = w->batch;
    b->stalled_us = 0;
    b->job = (struct job){.run = run, .done = done, .class = JOB_LINK};
    w->out = true;
    io_of(w)->ops->submit(io_of(w), &b->job);
}
