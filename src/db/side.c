#include "db/side.h"

#include "base/limits.h"
#include "db/background.h"
#include "db/collection.h"
#include "index/hnsw.h"

enum {
    SEARCHED_US = 1000 * 1000, /* a collection is being searched for so long after a search */
    SEARCHED_SHARE = 8         /* of pending_scan_bytes may then be pending */
};

struct side *side_new(struct collection *c, const struct spec_shape *shape, unsigned state_column,
                      unsigned code_column)
{
    const struct collection_spec *spec = &c->spec;
    struct side *s = mem_try_calloc(MEM_KEYSPACE, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->collection = c;
    s->shape = *shape;
    s->state_column = state_column;
    s->code_column = code_column;
    if (spec_has_codes(shape))
        codec_init(&s->codec, shape->quant, spec->metric, spec->dim, c->env->kernels);
    else
        codec_init_exact(&s->codec, spec->type, spec->metric, spec->dim, c->env->kernels);
    pending_init(&s->pending, c->env->epoch);
    return s;
}

static void free_parts(struct side *s)
{
    CHECK(s->link_jobs == 0 && s->sweep == NULL);
    if (s->graph != NULL)
        s->graph->ops->free(s->graph);
    if (s->made != NULL)
        s->made->ops->free(s->made);
    pending_fini(&s->pending);
}

void side_free(struct side *s)
{
    if (s == NULL)
        return;
    free_parts(s);
    mem_free(MEM_KEYSPACE, s);
}

static void run_end(struct job *job, struct lane *lane)
{
    struct side *s = (struct side *)((char *)job - offsetof(struct side, end_job));
    (void)lane;
    free_parts(s);
    for (size_t i = 0; i < COUNT_OF(s->columns); i++)
        column_left_free(&s->columns[i]);
}

static void done_end(struct job *job)
{
    struct side *s = (struct side *)((char *)job - offsetof(struct side, end_job));
    struct retired *retired = s->sum;
    CHECK(retired->bytes >= s->retired_bytes);
    retired->bytes -= s->retired_bytes;
    mem_free(MEM_KEYSPACE, s);
    retired_leave(retired);
}

/* Unmapping gigabytes takes long: it is a job. */
static void on_end(struct epoch_item *item)
{
    struct side *s = (struct side *)((char *)item - offsetof(struct side, end));
    s->end_job = (struct job){.run = run_end, .done = done_end, .class = JOB_LINK};
    s->io->ops->submit(s->io, &s->end_job);
}

void side_retire(struct side *s)
{
    struct collection *c = s->collection;
    struct background *b = c->env->background;
    CHECK(!s->retired && s != c->side && s != c->next);
    s->retired = true;
    s->io = b->io;
    s->sum = b->retired;
    s->retired_bytes = side_bytes(s);
    for (size_t i = 0; i < COUNT_OF(s->columns); i++)
        s->retired_bytes += s->columns[i].committed;
    b->retired->bytes += s->retired_bytes;
    b->retired->users++;
    b->io->ops->timer_stop(b->io, &s->sweep_timer);
    epoch_defer(b->epoch, &s->end, on_end);
}

/* -- memory ------------------------------------------------------------------------------------ */

bool side_wants_graph(const struct side *s, uint32_t end)
{
    const struct collection *c = s->collection;
    switch (s->shape.index) {
    case INDEX_FLAT:
        return c->wants_graph;
    case INDEX_HNSW:
        return c->columns.large || c->wants_graph;
    case INDEX_AUTO:
        return end > c->env->flat_rows_max || c->wants_graph;
    case INDEX_IVF: /* flat until it is trained */
        return s->graph != NULL || s->made != NULL;
    case INDEX_KIND_COUNT:
        break;
    }
    CHECK(false);
    return false;
}

/* The rows a graph is given address space for: what the collection may have, and no more than links
 * alone would fill the machine with. */
static uint32_t graph_rows_max(const struct side *s)
{
    const struct collection *c = s->collection;
    size_t fit = c->env->machine_bytes / (2 * (size_t)s->shape.m * sizeof(uint32_t)) + 1;
    return fit < c->columns.rows_max ? (uint32_t)fit : c->columns.rows_max;
}

enum err side_make_graph(struct side *s, uint32_t rows)
{
    const struct collection *c = s->collection;
    CHECK(s->graph == NULL && c->columns.large);
    struct index *graph = s->made;
    s->made = NULL;
    if (graph == NULL && s->shape.index != INDEX_IVF)
        graph = hnsw_new(c->env->epoch, s->shape.m, s->shape.ef_build, graph_rows_max(s));
    if (graph == NULL)
        return ERR_NOMEM;
    enum err e = graph->ops->reserve(graph, rows);
    if (e == OK)
        s->graph = graph;
    else
        graph->ops->free(graph);
    return e;
}

size_t side_cost(const struct side *s, uint32_t end)
{
    return s->graph == NULL ? 0 : s->graph->ops->cost(s->graph, end);
}

enum err side_reserve(struct side *s, uint32_t end, size_t count)
{
    if (s->graph == NULL)
        return OK;
    enum err e = s->graph->ops->reserve(s->graph, end);
    return e == OK && !pending_reserve(&s->pending, count) ? ERR_NOMEM : e;
}

size_t side_bytes(const struct side *s)
{
    return sizeof(*s) + (s->graph == NULL ? 0 : s->graph->ops->bytes(s->graph));
}

/* -- rows -------------------------------------------------------------------------------------- */

enum row_state side_state(const struct side *s, uint32_t row)
{
    const struct collection *c = s->collection;
    CHECK(row < c->rows_end);
    return (enum row_state)c->columns.base[s->state_column][row];
}

void side_set_state(struct side *s, uint32_t row, enum row_state state)
{
    struct collection *c = s->collection;
    CHECK(row < c->rows_end);
    c->columns.base[s->state_column][row] = (uint8_t)state;
}

uint8_t *side_code(const struct side *s, uint32_t row)
{
    return s->collection->columns.base[s->code_column] + (size_t)row * s->codec.row_size;
}

void side_take(struct side *s, uint32_t row, uint64_t hash)
{
    if (s->graph == NULL) {
        side_set_state(s, row, ROW_FLAT);
        return;
    }
    s->graph->ops->row_init(s->graph, row, hash);
    side_set_state(s, row, ROW_PENDING);
    pending_push(&s->pending, row);
}

bool side_forget(struct side *s, uint32_t row)
{
    switch (side_state(s, row)) {
    case ROW_FREE: /* the second side has not come to it */
    case ROW_FLAT:
        side_set_state(s, row, ROW_OUT);
        return true;
    case ROW_PENDING:
    case ROW_LINKING:
        side_set_state(s, row, ROW_DEAD_QUEUED);
        return false;
    case ROW_LINKED:
        side_set_state(s, row, ROW_DEAD_LINKED);
        s->dead_linked++;
        return false;
    case ROW_MOVED: /* until links lead to it: relocate.c */
        return false;
    case ROW_DEAD_QUEUED:
    case ROW_DEAD_LINKED:
    case ROW_SWEEPING:
    case ROW_OUT:
    case ROW_LIMBO:
        break;
    }
    CHECK(false);
    return false;
}

bool side_leave_queue(struct side *s, uint32_t row)
{
    CHECK(side_state(s, row) == ROW_DEAD_QUEUED && s->graph != NULL);
    if (!s->graph->ops->was_linked(s->graph, row)) {
        side_set_state(s, row, ROW_OUT);
        return true;
    }
    side_set_state(s, row, ROW_DEAD_LINKED);
    s->dead_linked++;
    return false;
}

bool side_is_full(const struct side *s)
{
    const struct collection *c = s->collection;
    if (s->graph == NULL)
        return false;
    struct io *io = c->env->background->io;
    size_t count = pending_count(&s->pending);
    size_t owed = s->pending_owed < count ? s->pending_owed : count;
    size_t scan_bytes = (count - owed) * s->codec.row_size;
    size_t most = c->env->pending_scan_bytes;
    if (scan_bytes <= most / SEARCHED_SHARE)
        return false;
    bool searched = c->searched_us > 0 && io->ops->mono_us(io) - c->searched_us < SEARCHED_US;
    return scan_bytes > (searched ? most / SEARCHED_SHARE : most);
}

size_t side_pending_rows(const struct side *s)
{
    return s->collection->env->pending_scan_bytes / SEARCHED_SHARE / s->codec.row_size;
}
