/* The fields of a collection, and building those of rows that have come without: after a start, and
 * for a schema that has changed. Slices of the loop's time, with gaps between them that are longer.
 *
 * When the schema changes, other fields are made beside those that are there, which serve until the
 * new ones are complete; both are kept up meanwhile. Without memory for them they are tried again
 * later, and filters read the attributes. */
#include "db/collection_fields.h"

#include "db/background.h"

enum { SLICE_US = 300, GAP_US = 300, LOOK_EVERY = 32, AGAIN_US = 1000 * 1000 };

/* -- both -------------------------------------------------------------------------------------- */

/* Those that are there; returns how many. */
static size_t fields_of(const struct collection *c, struct fields *out[2])
{
    size_t count = 0;
    if (c->fields != NULL)
        out[count++] = c->fields;
    if (c->next_fields != NULL)
        out[count++] = c->next_fields;
    return count;
}

size_t collection_fields_cost(const struct collection *c, uint32_t end, size_t added)
{
    struct fields *all[2];
    size_t cost = 0;
    for (size_t i = fields_of(c, all); i-- > 0;)
        cost += fields_cost(all[i], end, added);
    return cost;
}

size_t collection_fields_bytes(const struct collection *c)
{
    struct fields *all[2];
    size_t bytes = 0;
    for (size_t i = fields_of(c, all); i-- > 0;)
        bytes += fields_bytes(all[i]);
    return bytes;
}

void collection_set_fields(struct collection *c, uint32_t row, struct slice attribute)
{
    struct fields *all[2];
    for (size_t i = fields_of(c, all); i-- > 0;)
        if (fields_has(all[i], row))
            fields_set(all[i], row, attribute);
}

void collection_unset_fields(struct collection *c, uint32_t row)
{
    struct fields *all[2];
    for (size_t i = fields_of(c, all); i-- > 0;)
        if (fields_has(all[i], row))
            fields_unset(all[i], row);
}

void collection_forget_fields(struct collection *c, uint32_t row)
{
    struct fields *all[2];
    for (size_t i = fields_of(c, all); i-- > 0;)
        if (fields_has(all[i], row))
            fields_forget(all[i], row);
}

/* While fields are built, only rows below a point are there. */
static void move_fields(struct fields *f, uint32_t from, uint32_t to, struct slice attribute)
{
    bool was = fields_has(f, from), is = fields_has(f, to);
    if (was && is)
        fields_move(f, from, to);
    else if (was)
        fields_forget(f, from);
    else if (is)
        fields_set(f, to, attribute);
}

void collection_move_fields(struct collection *c, uint32_t from, uint32_t to,
                            struct slice attribute)
{
    struct fields *all[2];
    for (size_t i = fields_of(c, all); i-- > 0;)
        move_fields(all[i], from, to, attribute);
}

/* -- the schema -------------------------------------------------------------------------------- */

/* A snapshot that began before the schema changed has the one of before. immutable; owner: the
 * collection, then the epoch */
struct shown_schema {
    struct epoch_item item;
    struct schema schema;
};

const struct schema *collection_shown_schema(const struct collection *c)
{
    return c->shown_schema == NULL ? NULL : &c->shown_schema->schema;
}

static void free_shown(struct epoch_item *item)
{
    mem_free(MEM_ROW, item);
}

void collection_show_schema(struct collection *c)
{
    if (c->shown_schema != NULL)
        epoch_defer(c->env->epoch, &c->shown_schema->item, free_shown);
    c->shown_schema = NULL;
    if (c->spec.schema.count == 0)
        return;
    c->shown_schema = mem_alloc(MEM_ROW, sizeof(*c->shown_schema));
    c->shown_schema->schema = c->spec.schema;
}

size_t collection_schema_cost(const struct collection *c, const struct schema *schema)
{
    enum { ROW_BYTES = 24 }; /* of a row in a column and its index */
    return c->rows_end * (size_t)schema->count * ROW_BYTES;
}

/* -- making them ------------------------------------------------------------------------------- */

struct fields *collection_new_fields(const struct collection *c)
{
    return fields_new(&c->spec.schema, c->env->epoch, c->env->hash_seed, c->columns.rows_max);
}

/* Has the row an element that a later search sees? One that moves has it in its new row alone. */
static bool is_alive(const struct collection *c, uint32_t row)
{
    const _Atomic uint64_t *birth = (const _Atomic uint64_t *)c->columns.base[COL_BIRTH];
    const _Atomic uint64_t *death = (const _Atomic uint64_t *)c->columns.base[COL_DEATH];
    return collection_state(c, row) != ROW_FREE &&
           atomic_load_explicit(&birth[row], memory_order_relaxed) != LSN_NEVER &&
           atomic_load_explicit(&death[row], memory_order_relaxed) == LSN_NEVER;
}

static void build_row(struct collection *c, struct fields *f, uint32_t row)
{
    heap_ref ref =
        atomic_load_explicit(column_ref(c->columns.base, COL_ATTR, row), memory_order_relaxed);
    fields_set(f, row, ref == HEAP_NONE ? (struct slice){0} : heap_get(&c->heap, ref));
}

/* Lets fields go, which searches may still read. */
static void retire_fields(struct collection *c, struct fields *f)
{
    if (f != NULL)
        fields_retire(f, c->env->background);
}

static void start_timer(struct collection *c, uint64_t after_us)
{
    struct io *io = c->env->background->io;
    io->ops->timer_start(io, &c->fields_timer, after_us);
}

/* The fields that are being built; NULL: memory is short. */
static struct fields *building(struct collection *c)
{
    if (c->fields != NULL && c->fields->building)
        return c->fields;
    if (c->next_fields == NULL) {
        c->next_fields = collection_new_fields(c);
        if (c->next_fields != NULL)
            fields_begin_build(c->next_fields);
    }
    return c->next_fields;
}

static void on_timer(struct io_timer *timer)
{
    struct collection *c = timer->user;
    struct io *io = c->env->background->io;
    struct fields *f = building(c);
    /* A put in slices has rows set aside that are used when these fields serve. */
    if (f == NULL || fields_reserve(f, c->columns.capacity) != OK) {
        start_timer(c, AGAIN_US); /* memory may come back */
        return;
    }
    uint64_t end = io->ops->mono_us(io) + SLICE_US;
    CHECK(!c->dropped && f->building);
    for (unsigned i = 1; f->built < c->rows_end; i++) {
        if (is_alive(c, f->built))
            build_row(c, f, f->built);
        f->built++;
        if (i % LOOK_EVERY == 0 && io->ops->mono_us(io) >= end)
            break;
    }
    f->building = f->built < c->rows_end;
    if (f->building) {
        start_timer(c, GAP_US);
    } else if (f == c->next_fields) {
        retire_fields(c, c->fields);
        c->fields = f;
        c->next_fields = NULL;
        c->fields_late = false;
    }
}

void collection_build_fields(struct collection *c)
{
    CHECK(c->fields != NULL && !c->fields->building);
    fields_begin_build(c->fields);
    c->fields_timer = (struct io_timer){.fn = on_timer, .user = c};
    start_timer(c, 0);
}

void collection_change_schema(struct collection *c, const struct schema *schema)
{
    struct io *io = c->env->background->io;
    c->spec.schema = *schema;
    c->fields_late = schema->count > 0;
    collection_show_schema(c);
    io->ops->timer_stop(io, &c->fields_timer);
    retire_fields(c, c->next_fields);
    c->next_fields = NULL;
    if (c->fields != NULL && (c->fields->building || schema->count == 0)) {
        retire_fields(c, c->fields);
        c->fields = NULL;
    }
    if (schema->count == 0)
        return;
    c->fields_timer = (struct io_timer){.fn = on_timer, .user = c};
    start_timer(c, 0);
}
