#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "ft/aggregate.h"

void agg_state_init(struct agg_state *s, enum agg_reducer_kind kind)
{
    *s = (struct agg_state){0};
    s->sum = kind == AGG_MIN ? INFINITY : kind == AGG_MAX ? -INFINITY : 0;
}

/* -- lists of values --------------------------------------------------------------------------- */

static bool append(struct agg_state *s, const struct value *v, struct arena *arena)
{
    if (s->item_count == s->item_room) {
        uint32_t room = s->item_room == 0 ? 4 : 2 * s->item_room;
        struct value *grown = arena_alloc(arena, room * sizeof(*grown));
        if (grown == NULL)
            return false;
        if (s->item_count > 0)
            memcpy(grown, s->items, s->item_count * sizeof(*grown));
        s->items = grown;
        s->item_room = room;
    }
    s->items[s->item_count++] = *v;
    return true;
}

static uint32_t *slot_of(const struct agg_state *s, const struct value *v)
{
    uint32_t mask = s->slot_count - 1, at = (uint32_t)value_hash(v, 0) & mask;
    while (s->slots[at] != 0 && !value_same(&s->items[s->slots[at] - 1], v))
        at = (at + 1) & mask;
    return &s->slots[at];
}

static bool grow_slots(struct agg_state *s, struct arena *arena)
{
    enum { SLOTS_MIN = 8 };
    uint32_t count = s->slot_count == 0 ? SLOTS_MIN : 2 * s->slot_count;
    uint32_t *slots = arena_alloc(arena, count * sizeof(*slots));
    if (slots == NULL)
        return false;
    memset(slots, 0, count * sizeof(*slots));
    s->slots = slots;
    s->slot_count = count;
    for (uint32_t i = 0; i < s->item_count; i++)
        *slot_of(s, &s->items[i]) = i + 1;
    return true;
}

static void add_distinct(struct agg_state *s, const struct value *v, struct arena *arena)
{
    if (2 * s->item_count >= s->slot_count && !grow_slots(s, arena))
        return;
    uint32_t *slot = slot_of(s, v);
    if (*slot == 0 && append(s, v, arena))
        *slot = s->item_count;
}

/* Each value with the same chance, whatever their number (Vitter 1985, Algorithm R). */
static void add_sample(struct agg_state *s, const struct agg_reducer *r, const struct value *v,
                       struct arena *arena, uint64_t *seed)
{
    uint64_t at = s->count++;
    if (at < r->size) {
        (void)append(s, v, arena);
        return;
    }
    at = rng_next(seed) % s->count;
    if (at < r->size)
        s->items[at] = *v;
}

/* -- numbers ----------------------------------------------------------------------------------- */

/* Welford 1962: sums of squares would lose what differs of large numbers. */
static void add_deviation(struct agg_state *s, double x)
{
    double before = x - s->mean;
    s->count++;
    s->mean += before / (double)s->count;
    s->spread += before * (x - s->mean);
}

static void add_number(struct agg_state *s, const struct agg_reducer *r, double x,
                       struct arena *arena)
{
    struct value v = value_number(x);
    if (r->kind == AGG_STDDEV) {
        add_deviation(s, x);
    } else if (r->kind == AGG_QUANTILE) {
        (void)append(s, &v, arena);
    } else if (r->kind == AGG_MIN) {
        s->sum = x < s->sum ? x : s->sum;
    } else if (r->kind == AGG_MAX) {
        s->sum = x > s->sum ? x : s->sum;
    } else {
        s->count++;
        s->sum += x;
    }
}

static void add_numbers(struct agg_state *s, const struct agg_reducer *r, const struct value *v,
                        struct arena *arena)
{
    double x;
    bool lists = r->kind == AGG_STDDEV || r->kind == AGG_QUANTILE;
    if (value_to_number(v, &x))
        add_number(s, r, x, arena);
    for (uint32_t i = 0; lists && v->kind == VALUE_LIST && i < v->size; i++)
        if (value_to_number(&v->items[i], &x))
            add_number(s, r, x, arena);
}

/* -- FIRST_VALUE ------------------------------------------------------------------------------- */

static bool is_missing(const struct value *v)
{
    return v->kind == VALUE_NONE || v->kind == VALUE_NULL;
}

static void add_first(struct agg_state *s, const struct agg_reducer *r, const struct value *row)
{
    bool first = s->count++ == 0, better = false;
    if (!first && r->by_column != UINT32_MAX && !is_missing(&row[r->by_column])) {
        int order = value_compare(&row[r->by_column], &s->by);
        better = is_missing(&s->by) || (r->descending ? order > 0 : order < 0);
    }
    if (!first && !better)
        return;
    s->value = row[r->column];
    if (r->by_column != UINT32_MAX)
        s->by = row[r->by_column];
}

/* -- all --------------------------------------------------------------------------------------- */

void agg_state_add(struct agg_state *s, const struct agg_reducer *r, const struct value *row,
                   struct arena *arena, uint64_t *seed)
{
    const struct value *v = r->kind == AGG_COUNT ? NULL : &row[r->column];
    switch (r->kind) {
    case AGG_COUNT:
        s->count++;
        break;
    case AGG_COUNT_DISTINCT:
    case AGG_COUNT_DISTINCTISH:
        if (!is_missing(v))
            add_distinct(s, v, arena);
        break;
    case AGG_TOLIST:
        if (v->kind != VALUE_LIST && !is_missing(v))
            add_distinct(s, v, arena);
        for (uint32_t i = 0; v->kind == VALUE_LIST && i < v->size; i++)
            add_distinct(s, &v->items[i], arena);
        break;
    case AGG_FIRST_VALUE:
        add_first(s, r, row);
        break;
    case AGG_RANDOM_SAMPLE:
        if (v->kind != VALUE_LIST && v->kind != VALUE_NONE)
            add_sample(s, r, v, arena, seed);
        for (uint32_t i = 0; v->kind == VALUE_LIST && i < v->size; i++)
            add_sample(s, r, &v->items[i], arena, seed); /* lists hold no lists */
        break;
    case AGG_SUM:
    case AGG_MIN:
    case AGG_MAX:
    case AGG_AVG:
    case AGG_STDDEV:
    case AGG_QUANTILE:
        add_numbers(s, r, v, arena);
        break;
    case AGG_REDUCER_COUNT:
        CHECK(false);
    }
}

static int by_number(const void *a, const void *b)
{
    double x = ((const struct value *)a)->number, y = ((const struct value *)b)->number;
    return (x > y) - (x < y);
}

/* The nearest rank: exact, where RediSearch estimates. */
static double quantile(struct agg_state *s, double share)
{
    if (s->item_count == 0)
        return NAN;
    qsort(s->items, s->item_count, sizeof(*s->items), by_number);
    double rank = ceil(share * s->item_count);
    return s->items[rank < 1 ? 0 : (size_t)rank - 1].number;
}

struct value agg_state_value(struct agg_state *s, const struct agg_reducer *r)
{
    double n = (double)s->count;
    switch (r->kind) {
    case AGG_COUNT:
        return value_number(n);
    case AGG_COUNT_DISTINCT:
    case AGG_COUNT_DISTINCTISH:
        return value_number(s->item_count);
    case AGG_SUM:
        return value_number(s->count > 0 ? s->sum : NAN);
    case AGG_AVG:
        return value_number(s->count > 0 ? s->sum / n : NAN);
    case AGG_MIN:
    case AGG_MAX:
        return value_number(s->sum);
    case AGG_STDDEV:
        return value_number(s->count > 1 ? sqrt(s->spread / (n - 1)) : 0);
    case AGG_QUANTILE:
        return value_number(quantile(s, r->share));
    case AGG_TOLIST:
    case AGG_RANDOM_SAMPLE:
        return (struct value){.kind = VALUE_LIST, .size = s->item_count, .items = s->items};
    case AGG_FIRST_VALUE:
        s->value.kind = s->value.kind == VALUE_NONE ? VALUE_NULL : s->value.kind;
        return s->value;
    case AGG_REDUCER_COUNT:
        break;
    }
    CHECK(false);
    return value_number(0);
}
