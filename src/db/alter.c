#include "db/alter.h"

#include "base/limits.h"
#include "db/bulk.h"
#include "db/relocate.h"
#include "db/train.h"

enum {
    POLL_US = 10 * 1000,
    AGAIN_US = 1000 * 1000, /* when memory was short */
    FILL_ROWS = 256,        /* of a job */
    CLEAR_LOOKS = 64 * 1024,
    CLEAR_ROWS = 1024 /* of a slice */
};

struct alteration {
    struct io_timer timer;
    struct collection *collection;
    enum alter_phase phase;
    struct training *training; /* NULL in all phases but TRAINING */
    struct index *trained;     /* what came of it, until a side has it */
    struct spec_shape learned; /* what either is for */
    uint32_t row;              /* those below were given to jobs, or cleared */
    uint32_t end;              /* there were so many when the second side began */
    unsigned jobs;             /* that fill it */
    bool retrains;             /* the shape may be what serves already */
    bool short_of_memory;
    bool told;       /* of that */
    uint64_t filled; /* its queue had so many when all were in it */
};

static const char *const phase_names[] = {
    [ALTER_IDLE] = "no",
    [ALTER_WAITING] = "waiting",
    [ALTER_SHORT_OF_MEMORY] = "short of memory",
    [ALTER_TRAINING] = "training",
    [ALTER_FILLING] = "filling",
    [ALTER_LINKING] = "linking",
    [ALTER_READY] = "ready",
    [ALTER_CLEARING] = "clearing",
};

enum alter_phase alter_phase(const struct collection *c)
{
    return c->alteration == NULL ? ALTER_IDLE : c->alteration->phase;
}

const char *alter_phase_name(const struct collection *c)
{
    return phase_names[alter_phase(c)];
}

size_t alter_rows_left(const struct collection *c)
{
    const struct alteration *a = c->alteration;
    if (a == NULL || c->next == NULL)
        return 0;
    uint32_t unseen = a->phase == ALTER_FILLING ? a->end - a->row : 0;
    return unseen + pending_count(&c->next->pending);
}

size_t alter_side_bytes(const struct collection *c, const struct side *s)
{
    if (s == NULL)
        return 0;
    bool shared = c->next != NULL && s == c->next && s->code_column == c->side->code_column;
    size_t codes = spec_has_codes(&s->shape) && !shared ? c->columns.committed[s->code_column] : 0;
    return side_bytes(s) + codes;
}

static void start_timer(struct alteration *a, uint64_t after_us)
{
    struct io *io = a->collection->env->background->io;
    io->ops->timer_start(io, &a->timer, after_us);
}

static void wait(struct alteration *a, enum alter_phase phase, uint64_t after_us)
{
    a->phase = phase;
    start_timer(a, after_us);
}

/* -- sides come and go ------------------------------------------------------------------------- */

/* Do walks over rows of the two shapes read the same? */
static bool same_codes(const struct spec_shape *a, const struct spec_shape *b)
{
    return a->quant == b->quant || (!spec_has_codes(a) && !spec_has_codes(b));
}

/* Are indexes of the two shapes alike? */
static bool same_index(const struct spec_shape *a, const struct spec_shape *b)
{
    if (a->index == INDEX_IVF || b->index == INDEX_IVF)
        return a->index == b->index && a->lists == b->lists && a->subs == b->subs &&
               a->quant == b->quant;
    return a->m == b->m && a->ef_build == b->ef_build;
}

/* Is there nothing to make for the shape: it is only said differently, or vectors go? */
static bool fits_in_place(const struct collection *c, const struct spec_shape *shape)
{
    const struct spec_shape *now = &c->side->shape;
    if (!same_codes(now, shape))
        return false;
    struct side as = {.collection = (struct collection *)c, .shape = *shape};
    if (c->side->graph == NULL)
        return !side_wants_graph(&as, c->rows_end);
    return same_index(now, shape) &&
           (shape->index == INDEX_IVF || side_wants_graph(&as, c->rows_end));
}

static unsigned other_column(unsigned of, unsigned first, unsigned second)
{
    return of == first ? second : first;
}

static struct side *new_side(struct collection *c, const struct spec_shape *shape)
{
    const struct side *now = c->side;
    unsigned code = COL_VECTOR;
    if (spec_has_codes(shape))
        code = same_codes(&now->shape, shape)
                   ? now->code_column
                   : other_column(now->code_column, COL_CODE, COL_CODE_2);
    return side_new(c, shape, other_column(now->state_column, COL_STATE, COL_STATE_2), code);
}

static bool owns_codes(const struct side *s, const struct side *other)
{
    return spec_has_codes(&s->shape) && s->code_column != other->code_column;
}

/* Takes columns away that only that side used. */
static void take_columns(struct collection *c, struct side *gone, const struct side *stays)
{
    size_t count = 0;
    gone->columns[count++] = columns_remove(&c->columns, gone->state_column);
    if (owns_codes(gone, stays))
        gone->columns[count++] = columns_remove(&c->columns, gone->code_column);
    if (!spec_has_vectors(&stays->shape) && c->columns.spec[COL_VECTOR].stride > 0)
        gone->columns[count++] = columns_remove(&c->columns, COL_VECTOR);
    CHECK(count <= COUNT_OF(gone->columns));
}

/* A side is gone: rows that it alone led to are to be found. */
static void clear(struct alteration *a)
{
    a->collection->side_changes++;
    a->row = 0;
    a->end = a->collection->rows_end;
    wait(a, ALTER_CLEARING, 0);
}

static void end_next(struct alteration *a)
{
    struct collection *c = a->collection;
    struct side *gone = c->next;
    CHECK(gone != NULL);
    c->next = NULL;
    take_columns(c, gone, c->side);
    side_retire(gone);
    clear(a);
}

static void tell_of_shortage(struct alteration *a)
{
    struct background *b = a->collection->env->background;
    if (!a->told && b->on_alter_short != NULL)
        b->on_alter_short(b->alter_user, a->collection);
    a->told = true;
}

static void try_later(struct alteration *a)
{
    wait(a, ALTER_SHORT_OF_MEMORY, AGAIN_US);
    tell_of_shortage(a);
}

void alter_give_up(struct collection *c)
{
    CHECK(c->next != NULL && c->alteration != NULL);
    end_next(c->alteration);
    c->alteration->short_of_memory = true;
    tell_of_shortage(c->alteration);
}

/* -- making the second side -------------------------------------------------------------------- */

static size_t shape_row_bytes(const struct collection *c, const struct spec_shape *shape)
{
    size_t bytes = sizeof(uint8_t);
    struct side *s = new_side((struct collection *)c, shape);
    if (s == NULL)
        return bytes;
    bool walks = side_wants_graph(s, c->rows_end);
    if (owns_codes(s, c->side))
        bytes += s->codec.row_size;
    if (shape->index == INDEX_IVF)
        bytes += spec_list_bytes(&c->spec) * 5 / 4;
    else if (walks)
        bytes += 2 * (size_t)shape->m * sizeof(uint32_t) * 5 / 4 + sizeof(uint32_t);
    side_free(s);
    return bytes;
}

size_t alter_cost(const struct collection *c, const struct spec_shape *shape)
{
    if (fits_in_place(c, shape))
        return 0;
    return c->rows_end * shape_row_bytes(c, shape);
}

/* Room for what is put into the side from the loop. */
static enum err make_unit(struct collection *c, const struct side *s)
{
    if (c->unit != NULL || c->spec.type == TYPE_FP32 || !spec_has_codes(&s->shape))
        return OK;
    c->unit = mem_try(MEM_VECTOR, c->spec.dim * sizeof(float));
    return c->unit == NULL ? ERR_NOMEM : OK;
}

static enum err add_columns(struct collection *c, const struct side *s)
{
    struct columns *columns = &c->columns;
    bool walks = side_wants_graph(s, c->rows_end);
    enum err e = walks ? columns_make_large(columns) : OK;
    if (e == OK)
        e = columns_add(columns, s->state_column, (struct column_spec){sizeof(uint8_t), MEM_ROW});
    if (e != OK || !owns_codes(s, c->side))
        return e;
    e = columns_add(columns, s->code_column, (struct column_spec){s->codec.row_size, MEM_CODE});
    if (e != OK) {
        struct column_left left = columns_remove(columns, s->state_column);
        column_left_free(&left); /* nobody has seen it */
    }
    return e;
}

/* Rows may have been set aside for a put, so room is made for all there could be. */
static enum err reserve(struct collection *c, struct side *s)
{
    if (!side_wants_graph(s, c->rows_end))
        return OK;
    enum err e = side_make_graph(s, c->columns.capacity);
    return e == OK ? side_reserve(s, c->columns.capacity, 0) : e;
}

static bool has_room(const struct collection *c)
{
    const struct background *b = c->env->background;
    const struct spec_shape shape = spec_shape(&c->spec);
    size_t cost = c->rows_end * shape_row_bytes(c, &shape);
    return b->has_room == NULL || b->has_room(b->tick_user, cost);
}

static enum err make_next(struct alteration *a)
{
    struct collection *c = a->collection;
    const struct spec_shape shape = spec_shape(&c->spec);
    if (!has_room(c))
        return ERR_NOMEM;
    struct side *s = new_side(c, &shape);
    if (s == NULL)
        return ERR_NOMEM;
    s->made = a->trained;
    a->trained = NULL;
    enum err e = make_unit(c, s);
    if (e == OK)
        e = add_columns(c, s);
    if (e != OK) {
        side_free(s);
        return e;
    }
    c->next = s;
    return reserve(c, s);
}

/* -- filling it -------------------------------------------------------------------------------- */

/* owner: the lane, until done */
struct fill_job {
    struct job job;
    struct background *background;
    struct side *side;
    uint64_t guard;
    struct collection_view view;
    uint8_t *codes; /* NULL: there are none to make */
    float *vector;  /* room for one */
    bool walks;
    size_t count;
    uint32_t rows[FILL_ROWS];
    uint64_t hashes[FILL_ROWS];
};

/* [lane or loop] What walks of the side are to read of a row. */
static void encode_row(const struct collection_view *v, const struct side *s, uint32_t row,
                       uint8_t *codes, float *room)
{
    view_query(v, row, room);
    codec_encode(&s->codec, room, codes + (size_t)row * s->codec.row_size);
}

static void run_fill(struct job *job, struct lane *lane)
{
    struct fill_job *j = (struct fill_job *)job;
    const struct collection *c = j->side->collection;
    for (size_t i = 0; i < j->count; i++) {
        uint32_t row = j->rows[i];
        if (j->codes != NULL)
            encode_row(&j->view, j->side, row, j->codes, j->vector);
        if (j->walks)
            j->hashes[i] = collection_level_hash(c, view_id(&j->view, row));
        lane_yield(lane);
    }
}

/* Of a row that the second side has not come to: is there an element? Of those that have died it
 * takes note. */
static bool wants_row(struct collection *c, uint32_t row)
{
    if (side_state(c->next, row) != ROW_FREE)
        return false;
    enum row_state state = side_state(c->side, row);
    switch (state) {
    case ROW_FLAT:
    case ROW_PENDING:
    case ROW_LINKING:
    case ROW_LINKED:
        return true;
    case ROW_FREE:
        return false;
    case ROW_DEAD_QUEUED:
    case ROW_DEAD_LINKED:
    case ROW_SWEEPING:
    case ROW_OUT:
        side_set_state(c->next, row, ROW_OUT);
        return false;
    case ROW_LIMBO:
        side_set_state(c->next, row, ROW_LIMBO);
        return false;
    case ROW_MOVED:
        break; /* nothing moves meanwhile */
    }
    CHECK(false);
    return false;
}

static void filled(struct alteration *a)
{
    struct side *s = a->collection->next;
    CHECK(a->row == a->end && a->jobs == 0);
    a->filled = s->pending.tail;
    wait(a, ALTER_LINKING, 0);
    background_wake(a->collection->env->background, a->collection);
}

/* Its rows are the side's from here on, but for those that have died meanwhile. */
static void take_filled(struct fill_job *j)
{
    struct side *s = j->side;
    struct collection *c = s->collection;
    struct alteration *a = c->alteration;
    a->jobs--;
    if (s->graph != NULL && !pending_reserve_more(&s->pending, j->count)) {
        alter_give_up(c);
        return;
    }
    for (size_t i = 0; i < j->count; i++) {
        if (side_state(s, j->rows[i]) != ROW_FREE)
            continue;
        side_take(s, j->rows[i], j->hashes[i]);
        s->pending_owed += s->graph != NULL;
    }
    if (a->row == a->end && a->jobs == 0)
        filled(a);
    background_wake(j->background, c);
}

static void free_fill(struct fill_job *j)
{
    mem_free(MEM_SCRATCH, j->vector);
    mem_free(MEM_SCRATCH, j);
}

static void done_fill(struct job *job)
{
    struct fill_job *j = (struct fill_job *)job;
    struct background *b = j->background;
    struct side *s = j->side;
    uint64_t guard = j->guard;
    CHECK(b->jobs > 0 && s->link_jobs > 0);
    b->jobs--;
    s->link_jobs--;
    if (!s->retired && !s->collection->dropped)
        take_filled(j);
    free_fill(j);
    epoch_leave(b->epoch, guard); /* the end of the side, if it was retired */
    background_go_on(b);
}

static void take_rows(struct alteration *a, uint32_t *rows, size_t *count, size_t most)
{
    for (; *count < most && a->row < a->end; a->row++)
        if (wants_row(a->collection, a->row))
            rows[(*count)++] = a->row;
}

bool alter_start(struct background *b, struct collection *c)
{
    struct alteration *a = c->alteration;
    if (a != NULL && a->phase == ALTER_TRAINING)
        return train_start(b, a->training);
    if (a == NULL || a->phase != ALTER_FILLING || a->row == a->end)
        return false;
    struct fill_job *j = mem_try_calloc(MEM_SCRATCH, sizeof(*j));
    if (j == NULL)
        return false; /* the timer wakes the collection */
    j->vector = mem_try(MEM_SCRATCH, c->spec.dim * sizeof(float));
    if (j->vector == NULL) {
        free_fill(j);
        return false;
    }
    take_rows(a, j->rows, &j->count, FILL_ROWS);
    struct side *s = c->next;
    collection_view(c, *b->last_lsn, &j->view);
    j->job = (struct job){.run = run_fill, .done = done_fill, .class = JOB_LINK};
    j->background = b;
    j->side = s;
    j->codes = owns_codes(s, c->side) ? c->columns.base[s->code_column] : NULL;
    j->walks = s->graph != NULL;
    j->guard = epoch_enter(b->epoch);
    a->jobs++;
    b->jobs++;
    s->link_jobs++;
    b->io->ops->submit(b->io, &j->job);
    return true;
}

/* A set that fits into a slab, at once. */
static bool fill_small(struct alteration *a)
{
    struct collection *c = a->collection;
    struct side *s = c->next;
    uint32_t row;
    size_t count = 0;
    struct collection_view view;
    float *room = mem_try(MEM_SCRATCH, c->spec.dim * sizeof(float));
    if (room == NULL)
        return false;
    collection_view(c, *c->env->background->last_lsn, &view);
    CHECK(s->graph == NULL && !c->columns.large);
    for (take_rows(a, &row, &count, 1); count > 0; count = 0, take_rows(a, &row, &count, 1)) {
        if (owns_codes(s, c->side))
            encode_row(&view, s, row, c->columns.base[s->code_column], room);
        side_take(s, row, 0);
    }
    mem_free(MEM_SCRATCH, room);
    return true;
}

/* -- the switch -------------------------------------------------------------------------------- */

static void forget_training(struct alteration *a)
{
    train_free(a->training);
    if (a->trained != NULL)
        a->trained->ops->free(a->trained); /* without rows: it is small */
    a->training = NULL;
    a->trained = NULL;
    a->retrains = false;
}

static void end_alteration(struct alteration *a)
{
    struct collection *c = a->collection;
    CHECK(c->alteration == a && c->next == NULL);
    c->env->background->io->ops->timer_stop(c->env->background->io, &a->timer);
    forget_training(a);
    c->alteration = NULL;
    mem_free(MEM_ROW, a);
    relocate_consider(c);
    background_wake(c->env->background, c); /* it may be due to be trained by now */
}

/* Those who waited for the one that served may have no reason any more. */
static void tell_writers(struct collection *c)
{
    struct background *b = c->env->background;
    background_wake(b, c);
    if (c->pending_waiters > 0 && !collection_pending_full(c))
        b->on_room(b->user, c);
}

/* What was left of the vectors of a collection that keeps none. */
static bool drop_vectors(struct collection *c)
{
    struct side *gone = side_new(c, &c->side->shape, COL_STATE, COL_VECTOR);
    if (gone == NULL)
        return false;
    gone->columns[0] = columns_remove(&c->columns, COL_VECTOR);
    side_retire(gone);
    return true;
}

static void change_in_place(struct alteration *a)
{
    struct collection *c = a->collection;
    struct spec_shape *now = &c->side->shape;
    const struct spec_shape wish = spec_shape(&c->spec);
    if (!spec_has_vectors(&wish) && c->columns.spec[COL_VECTOR].stride > 0 && !drop_vectors(c)) {
        try_later(a);
        return;
    }
    /* No lane looks at these of a side: of m it does, where it walks, and then it stays. */
    now->index = wish.index;
    now->keep_originals = wish.keep_originals;
    if (c->side->graph == NULL)
        *now = wish;
    end_alteration(a);
}

static void switch_sides(struct alteration *a)
{
    struct collection *c = a->collection;
    struct side *gone = c->side;
    CHECK(c->env->capture == NULL && relocate_rests(c));
    c->side = c->next;
    c->next = NULL;
    c->wants_graph = c->wants_graph && c->side->graph != NULL;
    a->retrains = false;
    if (c->side->shape.index == INDEX_IVF && c->side->graph != NULL)
        train_note_served(c->side);
    take_columns(c, gone, c->side);
    side_retire(gone);
    clear(a);
    tell_writers(c);
}

static void go_on(struct alteration *a);

/* Has it links to all that was there when it began, and few rows besides that searches are to
 * scan? */
static bool is_linked(const struct alteration *a)
{
    const struct side *s = a->collection->next;
    return s->graph == NULL || pending_count(&s->pending) == 0 ||
           (s->pending.head >= a->filled && pending_count(&s->pending) <= side_pending_rows(s));
}

static void clear_slice(struct alteration *a)
{
    struct collection *c = a->collection;
    size_t looks = 0, rows = 0;
    uint32_t end = a->end < c->rows_end ? a->end : c->rows_end;
    for (; a->row < end && looks < CLEAR_LOOKS && rows < CLEAR_ROWS; a->row++, looks++) {
        if (side_state(c->side, a->row) != ROW_OUT)
            continue;
        collection_retire(c, a->row);
        rows++;
    }
    if (a->row < end) {
        start_timer(a, 0);
        return;
    }
    go_on(a);
}

/* -- taking turns ------------------------------------------------------------------------------ */

static void make_side(struct alteration *a)
{
    struct collection *c = a->collection;
    if (make_next(a) != OK) {
        if (c->next != NULL)
            alter_give_up(c);
        else
            try_later(a);
        return;
    }
    a->row = 0;
    a->end = c->rows_end;
    a->jobs = 0;
    if (!c->columns.large) {
        if (fill_small(a))
            switch_sides(a);
        else
            alter_give_up(c);
        return;
    }
    wait(a, ALTER_FILLING, POLL_US);
    if (a->end == 0)
        filled(a);
    background_wake(c->env->background, c);
}

static void begin(struct alteration *a);

static void on_trained(struct collection *c)
{
    struct alteration *a = c->alteration;
    CHECK(a->phase == ALTER_TRAINING && c->next == NULL);
    a->trained = train_take(a->training);
    train_free(a->training);
    a->training = NULL;
    if (a->trained == NULL && train_can(c))
        try_later(a);
    else
        begin(a);
}

/* Before lists can be filled. The jobs are background.c's to start. */
static void begin_training(struct alteration *a)
{
    struct collection *c = a->collection;
    a->learned = spec_shape(&c->spec);
    a->training = has_room(c) ? train_new(c, on_trained) : NULL;
    if (a->training == NULL) {
        try_later(a);
        return;
    }
    a->phase = ALTER_TRAINING;
    c->env->background->io->ops->timer_stop(c->env->background->io, &a->timer);
    background_wake(c->env->background, c);
}

static bool wants_training(const struct alteration *a)
{
    const struct collection *c = a->collection;
    const struct spec_shape wish = spec_shape(&c->spec);
    if (wish.index != INDEX_IVF || !train_can(c))
        return false;
    return a->retrains || c->side->graph == NULL || !fits_in_place(c, &wish);
}

static void begin(struct alteration *a)
{
    struct collection *c = a->collection;
    const struct spec_shape wish = spec_shape(&c->spec);
    CHECK(c->next == NULL && a->training == NULL);
    if (c->bulk != NULL || !relocate_rests(c) || c->env->capture != NULL)
        wait(a, ALTER_WAITING, POLL_US);
    else if (a->trained != NULL)
        make_side(a);
    else if (wants_training(a))
        begin_training(a);
    else if (fits_in_place(c, &wish))
        change_in_place(a);
    else
        make_side(a);
}

/* One side serves, and all of its rows are its or free. */
static void go_on(struct alteration *a)
{
    const struct spec_shape wish = spec_shape(&a->collection->spec);
    bool short_of_memory = a->short_of_memory;
    a->short_of_memory = false;
    if (spec_shape_equal(&wish, &a->collection->side->shape) && !a->retrains)
        end_alteration(a);
    else if (short_of_memory)
        wait(a, ALTER_SHORT_OF_MEMORY, AGAIN_US);
    else
        begin(a);
}

static void on_timer(struct io_timer *timer)
{
    struct alteration *a = timer->user;
    struct collection *c = a->collection;
    CHECK(c->alteration == a && !c->dropped);
    switch (a->phase) {
    case ALTER_IDLE:
    case ALTER_TRAINING:
        CHECK(false);
        break;
    case ALTER_WAITING:
    case ALTER_SHORT_OF_MEMORY:
        begin(a);
        break;
    case ALTER_FILLING:
        background_wake(c->env->background, c);
        start_timer(a, POLL_US);
        break;
    case ALTER_LINKING:
    case ALTER_READY:
        if (!is_linked(a))
            wait(a, ALTER_LINKING, POLL_US);
        else if (c->env->capture != NULL)
            wait(a, ALTER_READY, POLL_US);
        else
            switch_sides(a);
        break;
    case ALTER_CLEARING:
        clear_slice(a);
        break;
    }
}

enum err alter_prepare(struct collection *c)
{
    if (c->alteration != NULL)
        return OK;
    c->alteration = mem_try_calloc(MEM_ROW, sizeof(*c->alteration));
    if (c->alteration == NULL)
        return ERR_NOMEM;
    *c->alteration = (struct alteration){.collection = c, .phase = ALTER_IDLE};
    c->alteration->timer = (struct io_timer){.fn = on_timer, .user = c->alteration};
    return OK;
}

void alter_begin(struct collection *c)
{
    struct alteration *a = c->alteration;
    const struct spec_shape wish = spec_shape(&c->spec);
    CHECK(a != NULL);
    if (a->phase == ALTER_CLEARING || (c->next != NULL && spec_shape_equal(&wish, &c->next->shape)))
        return;
    if ((a->training != NULL || a->trained != NULL) && spec_shape_equal(&wish, &a->learned))
        return;
    forget_training(a);
    if (c->next != NULL)
        end_next(a);
    else
        go_on(a);
}

enum err alter_retrain(struct collection *c)
{
    CHECK(c->alteration == NULL && c->next == NULL);
    if (alter_prepare(c) != OK)
        return ERR_NOMEM;
    c->alteration->retrains = true;
    wait(c->alteration, ALTER_WAITING, 0);
    return OK;
}

unsigned alter_training_percent(const struct collection *c)
{
    bool trains = alter_phase(c) == ALTER_TRAINING;
    return trains ? train_progress(c->alteration->training) : 0;
}

void alter_forget(struct collection *c)
{
    if (c->alteration == NULL)
        return;
    c->env->background->io->ops->timer_stop(c->env->background->io, &c->alteration->timer);
    forget_training(c->alteration);
}

void alter_free(struct collection *c)
{
    mem_free(MEM_ROW, c->alteration);
    c->alteration = NULL;
}
