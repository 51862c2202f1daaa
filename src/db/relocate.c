#include "db/relocate.h"

#include "db/alter.h"
#include "db/background.h"
#include "db/relink.h"
#include "db/retire.h"

enum {
    FREE_SHARE = 16,        /* one row in so many must be free */
    ROUND_ROWS_MAX = 16384, /* moved in a round */
    ROUND_SHARE = 8,        /* and not more than one live row in so many */
    ROUND_ROWS_MIN = 64,
    ROUND_RANGE = 1024 * 1024, /* rows a round looks at */
    PENDING_SHARE = 4,         /* of what may be pending while there are searches */
    SLICE_ROWS = 128,          /* moved in a slice, */
    SLICE_BYTES = 256 * 1024,  /* of so many bytes, */
    SLICE_LOOKS = 32 * 1024,   /* or looked at */
    SLICE_GAP_US = 1000,
    SHRINK_BYTES = 2 * COLUMNS_SHRINK_STEP,
    ROUND_GAP_US = 10 * 1000, /* sweeps and links may start */
    BUSY_US = 10 * 1000,      /* until the next look whether a sweep has ended */
    RETRY_US = 500 * 1000,    /* when memory is short, or somebody holds the rows */
    TURN_STEP_ROWS = 64,      /* between two looks whether a search waits */
    TURN_JOB_ROWS = 16384
};

enum phase {
    WAITING,    /* the timer runs */
    MOVING,     /* slices, on the timer */
    GRACE,      /* in the epoch: searches that see the old rows */
    DRAINING,   /* link jobs are still out */
    TURNING,    /* a job is out */
    TRIM_GRACE, /* in the epoch: readers that know of rows past the end */
    SHRINKING   /* slices, on the timer */
};

/* owner: loop, but for turned, which the job changes, and what it reads, while it is out */
struct relocation {
    struct job job;
    struct epoch_item item;
    struct io_timer timer;
    struct collection *collection;
    enum phase phase;
    bool wants_turn; /* no sweep may start: a round is about to */
    bool under_way;  /* the last round left rows to move */
    uint64_t guard;  /* of the job */

    /* the round; to and bits NULL: none */
    uint32_t floor; /* lowest row it looks at */
    uint32_t end;   /* the end when it began */
    uint32_t *to;   /* by row - floor, from moves.first on */
    uint64_t *bits; /* rows that elements have left */
    struct index_moves moves;
    size_t count, most;
    uint32_t listed; /* lists of rows below it stand at their new places */
    uint32_t turned; /* links of rows below it are turned */
    uint32_t turn_end;
};

static void start_timer(struct relocation *r, uint64_t after_us)
{
    struct io *io = r->collection->env->background->io;
    io->ops->timer_start(io, &r->timer, after_us);
}

static void end_round(struct relocation *r)
{
    mem_free(MEM_ROW, r->to);
    mem_free(MEM_ROW, r->bits);
    r->to = NULL;
    r->bits = NULL;
    r->count = 0;
    r->wants_turn = false;
}

static void end_relocation(struct relocation *r)
{
    struct collection *c = r->collection;
    struct io *io = c->env->background->io;
    end_round(r);
    io->ops->timer_stop(io, &r->timer);
    CHECK(c->relocation == r);
    c->relocation = NULL;
    mem_free(MEM_ROW, r);
}

static void wait(struct relocation *r, uint64_t after_us)
{
    r->phase = WAITING;
    start_timer(r, after_us);
}

/* -- when it pays ------------------------------------------------------------------------------ */

static size_t row_bytes(const struct collection *c)
{
    size_t sum = 0;
    for (unsigned i = 0; i < c->columns.count; i++)
        sum += c->columns.spec[i].stride;
    return sum;
}

static bool pays(const struct collection *c)
{
    size_t count = c->free_rows.count;
    return c->columns.large && count * FREE_SHARE >= c->rows_end &&
           count * row_bytes(c) >= c->env->background->move_bytes_min;
}

static void on_timer(struct io_timer *timer);

void relocate_consider(struct collection *c)
{
    if (c->relocation != NULL || c->dropped || !pays(c))
        return;
    struct relocation *r = mem_try_calloc(MEM_ROW, sizeof(*r));
    if (r == NULL)
        return; /* rows that become free later will ask again */
    r->collection = c;
    r->timer = (struct io_timer){.fn = on_timer, .user = r};
    c->relocation = r;
    wait(r, c->env->background->move_delay_us);
}

/* -- the end falls ----------------------------------------------------------------------------- */

static void note_highest(void *user, const uint32_t *rows, size_t count)
{
    uint32_t *end = user;
    for (size_t i = 0; i < count; i++)
        if (rows[i] >= *end)
            *end = rows[i] + 1;
}

/* The queue may still name rows that have died and are free: searches look at what it names. */
static uint32_t queue_end(const struct collection *c)
{
    uint32_t end = 0;
    struct pending_span span = pending_span(&c->side->pending);
    pending_each(&span, note_highest, &end);
    return end;
}

static void trim(struct collection *c)
{
    CHECK(c->side->sweep == NULL); /* it goes to the end that it knows */
    uint32_t least = queue_end(c);
    if (least < c->rows_end)
        c->rows_end = rowset_trim(&c->free_rows, c->rows_end, least);
    if (c->partitions != NULL)
        partitions_trim(c->partitions, c->rows_end);
}

static size_t excess(const struct collection *c)
{
    size_t sum = columns_excess(&c->columns, c->rows_end);
    if (c->side->graph != NULL)
        sum += c->side->graph->ops->excess(c->side->graph, c->rows_end);
    if (c->fields != NULL)
        sum += columns_excess(&c->fields->columns, c->rows_end);
    return sum;
}

static void on_trimmed(struct epoch_item *item)
{
    struct relocation *r = (struct relocation *)((char *)item - offsetof(struct relocation, item));
    if (r->collection->dropped) {
        end_relocation(r);
        return;
    }
    r->phase = SHRINKING;
    start_timer(r, 0);
}

static void shrink_slice(struct relocation *r)
{
    struct collection *c = r->collection;
    if (c->env->background->rows_held == 0 &&
        (columns_shrink(&c->columns, c->rows_end, SHRINK_BYTES) ||
         (c->fields != NULL && columns_shrink(&c->fields->columns, c->rows_end, SHRINK_BYTES)) ||
         (c->aging != NULL && columns_shrink(&c->aging->columns, c->rows_end, SHRINK_BYTES)) ||
         (c->side->graph != NULL &&
          c->side->graph->ops->shrink(c->side->graph, c->rows_end, SHRINK_BYTES)) ||
         background_compact(c))) {
        start_timer(r, SLICE_GAP_US);
        return;
    }
    wait(r, 0);
}

/* -- moving ------------------------------------------------------------------------------------ */

static size_t round_rows(const struct collection *c)
{
    size_t most = c->live / ROUND_SHARE;
    if (most > ROUND_ROWS_MAX)
        most = ROUND_ROWS_MAX;
    size_t rows = side_pending_rows(c->side) / PENDING_SHARE;
    if (c->side->graph != NULL && most > rows)
        most = rows;
    return most > ROUND_ROWS_MIN ? most : ROUND_ROWS_MIN;
}

static bool begin_round(struct relocation *r)
{
    struct collection *c = r->collection;
    uint32_t low = rowset_lowest(&c->free_rows);
    CHECK(low < c->rows_end && r->to == NULL && r->bits == NULL);
    r->end = c->rows_end;
    r->floor = r->end - low > ROUND_RANGE ? r->end - ROUND_RANGE : low;
    r->to = mem_try(MEM_ROW, (r->end - r->floor) * sizeof(*r->to));
    r->bits = mem_try_calloc(MEM_ROW, ((size_t)r->end + 63) / 64 * sizeof(*r->bits));
    if (r->to == NULL || r->bits == NULL) {
        end_round(r);
        return false;
    }
    r->moves = (struct index_moves){.first = r->end, .end = r->end};
    r->most = round_rows(c);
    r->count = 0;
    return true;
}

enum step { STEP_ON, STEP_MOVED, STEP_ROUND_OVER, STEP_ALL_OVER, STEP_NOT_NOW };

static void move_row(struct relocation *r, uint32_t from, uint32_t to, uint64_t lsn)
{
    struct collection *c = r->collection;
    (void)rowset_take(&c->free_rows);
    collection_move(c, from, to, lsn);
    c->env->background->rows_moved++;
    r->count++;
    r->to[from - r->floor] = ROW_NONE;
    if (c->side->graph == NULL) {
        collection_set_state(c, to, ROW_FLAT);
        collection_retire(c, from);
        return;
    }
    collection_set_state(c, to, ROW_MOVED);
    pending_push(&c->side->pending, to);
    collection_set_state(c, from, ROW_SWEEPING);
    c->side->sweeping++;
    r->to[from - r->floor] = to;
    r->bits[from / 64] |= (uint64_t)1 << (from % 64);
}

/* Looks at the next row from the end. *lsn: of the moves of this slice; 0: there was none yet. */
static enum step move_next(struct relocation *r, uint64_t *lsn)
{
    struct collection *c = r->collection;
    struct background *b = c->env->background;
    uint32_t low = rowset_lowest(&c->free_rows);
    if (low == ROWSET_NONE || low + 1 >= r->moves.first)
        return STEP_ALL_OVER;
    uint32_t row = r->moves.first - 1;
    enum row_state state = collection_state(c, row);
    /* No element moves to a row in the range of those that have. */
    if (row < r->floor || r->count == r->most || state == ROW_MOVED)
        return STEP_ROUND_OVER;
    if (state == ROW_LINKED || state == ROW_FLAT) {
        if (*lsn == 0 && !b->tick(b->tick_user, lsn))
            return STEP_NOT_NOW;
        if (c->side->graph != NULL && !c->side->graph->ops->move_init(c->side->graph, row, low))
            return STEP_NOT_NOW;
        move_row(r, row, low, *lsn);
        r->moves.first = row;
        return STEP_MOVED;
    }
    r->to[row - r->floor] = ROW_NONE;
    r->moves.first = row;
    return STEP_ON;
}

static void on_grace(struct epoch_item *item);

/* No more rows move in this round. When there was none to move, what stands in the way has to die
 * or to be linked first. */
static void after_moves(struct relocation *r, enum step step)
{
    struct collection *c = r->collection;
    bool none = r->count == 0;
    if (c->side->graph == NULL || none) {
        end_round(r);
        wait(r, step == STEP_NOT_NOW ? RETRY_US
                : none               ? c->env->background->move_delay_us
                                     : ROUND_GAP_US);
        return;
    }
    r->moves.to = r->to + (r->moves.first - r->floor);
    r->phase = GRACE;
    epoch_defer(c->env->epoch, &r->item, on_grace);
}

static void move_slice(struct relocation *r)
{
    struct collection *c = r->collection;
    size_t most = SLICE_BYTES / row_bytes(c) + 1, moved = 0;
    most = most < SLICE_ROWS ? most : SLICE_ROWS;
    enum step step = STEP_NOT_NOW;
    uint64_t lsn = 0;
    if (c->env->background->rows_held == 0 &&
        (c->side->graph == NULL || pending_reserve(&c->side->pending, most)))
        step = STEP_ON;
    for (size_t looks = 0; looks < SLICE_LOOKS && moved < most; looks++) {
        if (step != STEP_ON && step != STEP_MOVED)
            break;
        step = move_next(r, &lsn);
        moved += step == STEP_MOVED;
    }
    r->under_way = step != STEP_ALL_OVER;
    if (step == STEP_ON || step == STEP_MOVED)
        start_timer(r, SLICE_GAP_US);
    else
        after_moves(r, step);
}

/* -- links ------------------------------------------------------------------------------------- */

static bool must_stop(struct lane *lane, uint32_t *left)
{
    lane_yield(lane);
    *left = *left > TURN_STEP_ROWS ? *left - TURN_STEP_ROWS : 0;
    return *left == 0 || lane->search_waits(lane);
}

static uint32_t step_end(uint32_t at, uint32_t end)
{
    return end - at < TURN_STEP_ROWS ? end : at + TURN_STEP_ROWS;
}

/* [lane] */
static void run_turn(struct job *job, struct lane *lane)
{
    struct relocation *r = (struct relocation *)job;
    struct index *graph = r->collection->side->graph;
    uint32_t left = TURN_JOB_ROWS;
    while (r->listed < r->moves.end) {
        for (uint32_t end = step_end(r->listed, r->moves.end); r->listed < end; r->listed++)
            if (r->moves.to[r->listed - r->moves.first] != ROW_NONE)
                graph->ops->move_lists(graph, &r->moves, r->listed);
        if (must_stop(lane, &left))
            return;
    }
    while (r->turned < r->turn_end) {
        for (uint32_t end = step_end(r->turned, r->turn_end); r->turned < end; r->turned++)
            graph->ops->move_links(graph, &r->moves, r->turned);
        if (must_stop(lane, &left))
            return;
    }
}

static void submit_turn(struct relocation *r)
{
    struct collection *c = r->collection;
    struct background *b = c->env->background;
    CHECK(c->side->link_jobs == 0 && c->side->sweep == NULL); /* no list has a second writer */
    r->guard = epoch_enter(b->epoch);
    b->jobs++;
    b->io->ops->submit(b->io, &r->job);
}

/* Links lead to the new rows, and nothing to the old ones. */
static void finish_rows(struct relocation *r)
{
    struct collection *c = r->collection;
    const _Atomic uint64_t *death = (const _Atomic uint64_t *)c->columns.base[COL_DEATH];
    for (uint32_t row = r->moves.first; row < r->moves.end; row++) {
        uint32_t to = r->moves.to[row - r->moves.first];
        if (to == ROW_NONE)
            continue;
        CHECK(collection_state(c, to) == ROW_MOVED && collection_state(c, row) == ROW_SWEEPING);
        bool dead = atomic_load_explicit(&death[to], memory_order_relaxed) != LSN_NEVER;
        collection_set_state(c, to, dead ? ROW_DEAD_LINKED : ROW_LINKED);
        c->side->dead_linked += dead;
    }
    retire_rows(c->side, r->bits, r->end);
    r->bits = NULL;
}

static void go_on_turning(struct relocation *r)
{
    struct collection *c = r->collection;
    struct background *b = c->env->background;
    if (c->dropped) {
        end_relocation(r);
        return;
    }
    if (r->turned < r->turn_end) {
        submit_turn(r);
        return;
    }
    c->side->graph->ops->move_finish(c->side->graph, &r->moves);
    finish_rows(r);
    relink_on_moved(c);
    end_round(r);
    wait(r, ROUND_GAP_US);
    background_moved(b, c);
}

static void done_turn(struct job *job)
{
    struct relocation *r = (struct relocation *)job;
    struct background *b = r->collection->env->background;
    uint64_t guard = r->guard;
    CHECK(b->jobs > 0 && r->phase == TURNING);
    b->jobs--;
    go_on_turning(r);
    epoch_leave(b->epoch, guard); /* the end of the collection, if it was dropped */
    background_go_on(b);
}

void relocate_on_link_done(struct collection *c)
{
    struct relocation *r = c->relocation;
    CHECK(r == NULL || r->phase != TURNING);
    if (r == NULL || r->phase != DRAINING || c->side->link_jobs > 0)
        return;
    CHECK(!c->dropped);
    r->phase = TURNING;
    r->listed = r->moves.first;
    r->turned = 0;
    r->turn_end = c->rows_end;
    r->job = (struct job){.run = run_turn, .done = done_turn, .class = JOB_LINK};
    submit_turn(r);
}

static void on_grace(struct epoch_item *item)
{
    struct relocation *r = (struct relocation *)((char *)item - offsetof(struct relocation, item));
    struct collection *c = r->collection;
    if (c->dropped) {
        end_relocation(r);
        return;
    }
    r->phase = DRAINING;
    relocate_on_link_done(c);
}

/* -- taking turns ------------------------------------------------------------------------------ */

/* No round is on: trims, then begins another round or ends. */
static void look(struct relocation *r)
{
    struct collection *c = r->collection;
    struct background *b = c->env->background;
    if (b->rows_held > 0 || alter_phase(c) != ALTER_IDLE) {
        r->wants_turn = false;
        wait(r, RETRY_US);
        return;
    }
    if (c->side->sweep != NULL || c->side->sweeping > 0) {
        r->wants_turn = true;
        wait(r, BUSY_US);
        return;
    }
    trim(c);
    if (excess(c) >= b->move_bytes_min) {
        r->wants_turn = false;
        r->phase = TRIM_GRACE;
        epoch_defer(c->env->epoch, &r->item, on_trimmed);
    } else if (c->free_rows.count > 0 && (r->under_way || pays(c))) {
        if (begin_round(r)) {
            r->phase = MOVING;
            move_slice(r);
        } else {
            wait(r, RETRY_US);
        }
    } else {
        end_relocation(r);
    }
}

static void on_timer(struct io_timer *timer)
{
    struct relocation *r = timer->user;
    switch (r->phase) {
    case WAITING:
        look(r);
        break;
    case MOVING:
        move_slice(r);
        break;
    case SHRINKING:
        shrink_slice(r);
        break;
    case GRACE:
    case DRAINING:
    case TURNING:
    case TRIM_GRACE:
        CHECK(false);
    }
}

void relocate_forget(struct collection *c)
{
    struct relocation *r = c->relocation;
    if (r == NULL)
        return;
    switch (r->phase) {
    case WAITING:
    case MOVING:
    case DRAINING:
    case SHRINKING:
        end_relocation(r);
        break;
    case GRACE: /* what comes back sees that the collection is dropped */
    case TURNING:
    case TRIM_GRACE:
        break;
    }
}

bool relocate_rests(const struct collection *c)
{
    return c->relocation == NULL || c->relocation->phase == WAITING;
}

bool relocate_stops_sweeps(const struct collection *c)
{
    const struct relocation *r = c->relocation;
    if (r == NULL)
        return false;
    bool round =
        r->phase == MOVING || r->phase == GRACE || r->phase == DRAINING || r->phase == TURNING;
    return round || r->wants_turn;
}

/* A row is linked to those that are alive and linked already. While those on the move are the most
 * of them, there may be none. */
static bool few_stay(const struct relocation *r)
{
    const struct collection *c = r->collection;
    size_t queued = pending_count(&c->side->pending);
    size_t linked = c->live > queued ? c->live - queued : 0; /* at least */
    return r->count > linked;
}

bool relocate_stops_links(const struct collection *c)
{
    const struct relocation *r = c->relocation;
    if (r == NULL)
        return false;
    return r->phase == DRAINING || r->phase == TURNING ||
           ((r->phase == MOVING || r->phase == GRACE) && few_stay(r));
}
