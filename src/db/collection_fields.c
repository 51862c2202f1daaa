/* Building the fields of rows that have come without: after a start, and for a field that is new.
 * Slices of the loop's time, with gaps between them that are longer. */
#include "db/background.h"
#include "db/collection.h"

enum { SLICE_US = 300, GAP_US = 300, LOOK_EVERY = 32 };

/* Has the row an element that a later search sees? One that moves has it in its new row alone. */
static bool is_alive(const struct collection *c, uint32_t row)
{
    const _Atomic uint64_t *birth = (const _Atomic uint64_t *)c->columns.base[COL_BIRTH];
    const _Atomic uint64_t *death = (const _Atomic uint64_t *)c->columns.base[COL_DEATH];
    return collection_state(c, row) != ROW_FREE &&
           atomic_load_explicit(&birth[row], memory_order_relaxed) != LSN_NEVER &&
           atomic_load_explicit(&death[row], memory_order_relaxed) == LSN_NEVER;
}

static void build_row(struct collection *c, uint32_t row)
{
    heap_ref ref =
        atomic_load_explicit(column_ref(c->columns.base, COL_ATTR, row), memory_order_relaxed);
    fields_set(c->fields, row, ref == HEAP_NONE ? (struct slice){0} : heap_get(&c->heap, ref));
}

static void on_timer(struct io_timer *timer)
{
    struct collection *c = timer->user;
    struct io *io = c->env->background->io;
    struct fields *f = c->fields;
    CHECK(!c->dropped && f->building);
    uint64_t end = io->ops->mono_us(io) + SLICE_US;
    if (fields_reserve(f, c->rows_end) != OK) {
        io->ops->timer_start(io, &c->fields_timer, 1000 * 1000); /* memory may come back */
        return;
    }
    for (unsigned i = 1; f->built < c->rows_end; i++) {
        if (is_alive(c, f->built))
            build_row(c, f->built);
        f->built++;
        if (i % LOOK_EVERY == 0 && io->ops->mono_us(io) >= end)
            break;
    }
    f->building = f->built < c->rows_end;
    if (f->building)
        io->ops->timer_start(io, &c->fields_timer, GAP_US);
}

void collection_build_fields(struct collection *c)
{
    struct io *io = c->env->background->io;
    CHECK(c->fields != NULL && !c->fields->building);
    fields_begin_build(c->fields);
    c->fields_timer = (struct io_timer){.fn = on_timer, .user = c};
    io->ops->timer_start(io, &c->fields_timer, 0);
}
