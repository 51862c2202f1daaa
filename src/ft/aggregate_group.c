/* GROUPBY: rows with the same keys become one, with what the reducers made of the others. */
#include "ft/aggregate.h"

struct grouping {
    struct agg_run *run;
    const struct agg_step *step;
    const struct agg_stage *next;
    struct value **rows; /* of groups */
    struct agg_state **states;
    size_t count, room;
    uint32_t *slots; /* 0: free, else the number of a group plus 1 */
    size_t slot_count;
    struct value *keys; /* of the row in hand */
    uint32_t *at;       /* which value of each key that is a list */
    uint64_t seed;      /* of hashes */
};

static uint64_t hash_keys(const struct grouping *g, const struct value *keys)
{
    uint64_t hash = g->seed;
    for (uint32_t i = 0; i < g->step->name_count; i++)
        hash = value_hash(&keys[i], hash);
    return hash;
}

static bool same_keys(const struct grouping *g, const struct value *a, const struct value *b)
{
    for (uint32_t i = 0; i < g->step->name_count; i++)
        if (!value_same(&a[i], &b[i]))
            return false;
    return true;
}

static uint32_t *slot_of(const struct grouping *g, const struct value *keys)
{
    size_t mask = g->slot_count - 1, at = (size_t)hash_keys(g, keys) & mask;
    while (g->slots[at] != 0 && !same_keys(g, g->rows[g->slots[at] - 1], keys))
        at = (at + 1) & mask;
    return &g->slots[at];
}

static bool grow(struct grouping *g)
{
    enum { SLOTS_MIN = 64 };
    size_t slot_count = g->slot_count == 0 ? SLOTS_MIN : 2 * g->slot_count;
    size_t room = slot_count / 2;
    uint32_t *slots = mem_try_calloc(MEM_SCRATCH, slot_count * sizeof(*slots));
    struct value **rows = mem_try_realloc(MEM_SCRATCH, g->rows, room * sizeof(*rows));
    g->rows = rows != NULL ? rows : g->rows;
    struct agg_state **states = mem_try_realloc(MEM_SCRATCH, g->states, room * sizeof(*states));
    g->states = states != NULL ? states : g->states;
    if (slots == NULL || rows == NULL || states == NULL) {
        mem_free(MEM_SCRATCH, slots);
        return false;
    }
    mem_free(MEM_SCRATCH, g->slots);
    g->slots = slots;
    g->slot_count = slot_count;
    g->room = room;
    for (size_t i = 0; i < g->count; i++)
        *slot_of(g, g->rows[i]) = (uint32_t)i + 1;
    return true;
}

/* NULL: the arena has no room, which it knows itself. */
static struct agg_state *new_group(struct grouping *g, uint32_t *slot)
{
    const struct agg_step *step = g->step;
    struct arena *arena = g->run->arena;
    struct value *row = arena_alloc(arena, g->next->count * sizeof(*row));
    struct agg_state *states = arena_alloc(arena, step->reducer_count * sizeof(*states));
    if (row == NULL || states == NULL)
        return NULL;
    memset(row, 0, g->next->count * sizeof(*row));
    for (uint32_t i = 0; i < step->name_count; i++) {
        row[i] = g->keys[i];
        if (row[i].kind == VALUE_NONE)
            row[i].kind = VALUE_NULL;
    }
    for (uint32_t i = 0; i < step->reducer_count; i++)
        agg_state_init(&states[i], step->reducers[i].kind);
    g->rows[g->count] = row;
    g->states[g->count++] = states;
    *slot = (uint32_t)g->count;
    return states;
}

/* The row counts in the group of g->keys. */
static enum err add_to_group(struct grouping *g, const struct value *row)
{
    if (g->count == g->room && !grow(g))
        return ERR_NOMEM;
    uint32_t *slot = slot_of(g, g->keys);
    struct agg_state *states = *slot != 0 ? g->states[*slot - 1] : new_group(g, slot);
    for (uint32_t i = 0; i < g->step->reducer_count && states != NULL; i++)
        agg_state_add(&states[i], &g->step->reducers[i], row, g->run->arena, &g->run->seed);
    return OK;
}

/* The next combination of the values of keys that are lists. */
static bool turn(struct grouping *g, const struct value *row)
{
    for (uint32_t i = 0; i < g->step->name_count; i++) {
        const struct value *v = &row[g->step->columns[i]];
        if (v->kind == VALUE_LIST && ++g->at[i] < v->size)
            return true;
        g->at[i] = 0;
    }
    return false;
}

/* A row counts once for each combination; an empty list is as NULL. */
static enum err add_row(struct grouping *g, const struct value *row)
{
    enum err e = OK;
    memset(g->at, 0, g->step->name_count * sizeof(*g->at));
    do {
        for (uint32_t i = 0; i < g->step->name_count; i++) {
            const struct value *v = &row[g->step->columns[i]];
            g->keys[i] = v->kind != VALUE_LIST ? *v
                         : v->size == 0        ? (struct value){.kind = VALUE_NULL}
                                               : v->items[g->at[i]];
        }
        e = add_to_group(g, row);
    } while (e == OK && !g->run->arena->full && !g->run->arena->failed && turn(g, row));
    return e;
}

static void finish(struct grouping *g)
{
    const struct agg_step *step = g->step;
    for (size_t i = 0; i < g->count; i++)
        for (uint32_t k = 0; k < step->reducer_count; k++)
            g->rows[i][step->name_count + k] =
                agg_state_value(&g->states[i][k], &step->reducers[k]);
    mem_free(MEM_SCRATCH, g->run->rows.items);
    g->run->rows = (struct agg_rows){g->rows, g->count, g->room, g->count};
    g->rows = NULL;
}

enum err agg_group(struct agg_run *run, const struct agg_step *step, const struct agg_stage *next,
                   struct why *why)
{
    enum { LOOK_EVERY = 256 };
    struct grouping g = {.run = run, .step = step, .next = next, .seed = run->seed};
    uint32_t keys = step->name_count;
    g.keys = arena_alloc(run->arena, keys * sizeof(*g.keys));
    g.at = arena_alloc(run->arena, keys * sizeof(*g.at));
    enum err e = arena_error(run->arena, why);
    if (e == OK && !grow(&g))
        e = ERR_NOMEM;
    for (size_t i = 0; i < run->rows.count && e == OK; i++) {
        e = add_row(&g, run->rows.items[i]);
        if (e == OK)
            e = arena_error(run->arena, why);
        if (run->is_over != NULL && i % LOOK_EVERY == 0 && run->is_over(run->user)) {
            run->timed_out = true;
            break;
        }
    }
    if (e == OK)
        finish(&g);
    mem_free(MEM_SCRATCH, g.rows);
    mem_free(MEM_SCRATCH, g.states);
    mem_free(MEM_SCRATCH, g.slots);
    return e;
}
