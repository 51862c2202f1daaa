#include "ft/aggregate.h"

enum { LOOK_EVERY = 256 }; /* rows between two looks at the clock */

enum err agg_rows_reserve(struct agg_rows *rows, size_t count)
{
    CHECK(rows->items == NULL && rows->count == 0);
    rows->items = mem_try(MEM_SCRATCH, count * sizeof(*rows->items));
    if (rows->items == NULL)
        return ERR_NOMEM;
    rows->room = count;
    return OK;
}

void agg_rows_fini(struct agg_rows *rows)
{
    mem_free(MEM_SCRATCH, rows->items);
    *rows = (struct agg_rows){0};
}

/* With the time over, rows that no step has seen are left out: they would lack what it makes. */
static bool is_over(struct agg_run *run, size_t row)
{
    if (run->is_over != NULL && row % LOOK_EVERY == 0 && run->is_over(run->user))
        run->timed_out = true;
    return run->timed_out;
}

static enum err apply(struct agg_run *run, const struct agg_step *step, struct why *why)
{
    enum err e = OK;
    size_t i = 0;
    for (; i < run->rows.count && e == OK && !is_over(run, i); i++) {
        struct value *row = run->rows.items[i];
        e = expr_eval(step->expr, row, run->arena, &row[step->column], why);
    }
    run->rows.count = i;
    return e;
}

static enum err filter(struct agg_run *run, const struct agg_step *step, struct why *why)
{
    enum err e = OK;
    size_t kept = 0, i = 0;
    for (; i < run->rows.count && e == OK && !is_over(run, i); i++) {
        struct value v = {.kind = VALUE_NULL};
        e = expr_eval(step->expr, run->rows.items[i], run->arena, &v, why);
        if (value_true(&v))
            run->rows.items[kept++] = run->rows.items[i];
    }
    CHECK(run->rows.total >= run->rows.count - kept);
    run->rows.total -= run->rows.count - kept;
    run->rows.count = kept;
    return e;
}

static enum err arrange(struct agg_run *run, const struct agg_step *step)
{
    uint64_t most = step->limited || step->most > 0 ? step->most : AGG_SORTED_DEFAULT;
    struct agg_rows *rows = &run->rows;
    uint64_t end = most < UINT64_MAX - step->offset ? step->offset + most : UINT64_MAX;
    size_t wanted = end < rows->count ? (size_t)end : rows->count;
    enum err e = step->name_count > 0 ? agg_sort(rows, step, wanted) : OK;
    if (e != OK)
        return e;
    size_t skipped = step->offset < wanted ? (size_t)step->offset : wanted;
    rows->count = wanted - skipped;
    memmove(rows->items, rows->items + skipped, rows->count * sizeof(*rows->items));
    return OK;
}

enum err agg_run(struct agg_run *run, struct why *why)
{
    const struct agg_stage *stage = run->plan->stages;
    enum err e = OK;
    for (uint32_t i = 0; i < run->plan->step_count && e == OK; i++) {
        const struct agg_step *step = &run->plan->steps[i];
        switch (step->kind) {
        case AGG_LOAD: /* before it ran */
            break;
        case AGG_APPLY:
            e = apply(run, step, why);
            break;
        case AGG_FILTER:
            e = filter(run, step, why);
            break;
        case AGG_GROUP:
            e = agg_group(run, step, ++stage, why);
            break;
        case AGG_ARRANGE:
            e = arrange(run, step);
            break;
        }
    }
    return e == OK ? arena_error(run->arena, why) : e;
}

/* -- sorting ----------------------------------------------------------------------------------- */

static int row_order(const struct agg_step *step, const struct value *a, const struct value *b)
{
    for (uint32_t i = 0; i < step->name_count; i++) {
        const struct value *x = &a[step->columns[i]], *y = &b[step->columns[i]];
        if (x->kind == VALUE_NONE || y->kind == VALUE_NONE) {
            if (x->kind != y->kind)
                return x->kind == VALUE_NONE ? 1 : -1;
            continue;
        }
        int order = value_compare(x, y);
        if (order != 0)
            return step->descending[i] ? -order : order;
    }
    return 0;
}

/* The first of two runs goes first when they are equal, so it is stable. */
static void merge(const struct agg_step *step, struct value **from, struct value **to,
                  size_t middle, size_t end)
{
    size_t a = 0, b = middle;
    for (size_t at = 0; at < end; at++) {
        bool first = b == end || (a < middle && row_order(step, from[a], from[b]) <= 0);
        to[at] = first ? from[a++] : from[b++];
    }
}

enum err agg_sort(struct agg_rows *rows, const struct agg_step *step, size_t most)
{
    size_t n = rows->count;
    struct value **other = mem_try(MEM_SCRATCH, (n + 1) * sizeof(*other));
    if (other == NULL)
        return ERR_NOMEM;
    struct value **from = rows->items, **to = other;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t at = 0; at < n; at += 2 * width) {
            size_t middle = at + width < n ? width : n - at;
            size_t end = at + 2 * width < n ? 2 * width : n - at;
            merge(step, from + at, to + at, middle, end);
        }
        struct value **swap = from;
        from = to;
        to = swap;
    }
    if (from != rows->items)
        memcpy(rows->items, from, most * sizeof(*from));
    mem_free(MEM_SCRATCH, other);
    return OK;
}
