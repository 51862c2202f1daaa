#include "db/query.h"

#include <stdlib.h>

enum { YIELD_ROWS = 4096, LOOK_ROWS = 512 };

static void each_candidate(struct search *s, struct lane *lane,
                           bool (*fn)(void *user, uint32_t row), void *user)
{
    for (size_t i = 0; i < s->plan.row_count; i++) {
        uint32_t row = s->plan.rows[i];
        if (i % YIELD_ROWS == 0)
            lane_yield(lane);
        if (i % LOOK_ROWS == 0 && index_stops(&s->cost))
            return;
        s->candidates++;
        if (row_visible(&s->view.codes, row) && (s->plan.exact || search_accepts(s, row)) &&
            !fn(user, row))
            return;
    }
}

void query_each(struct search *s, struct lane *lane, bool (*fn)(void *user, uint32_t row),
                void *user)
{
    const struct index_rows *rows = &s->view.codes;
    /* In the order of rows either way: an index must not be seen in an answer. */
    if (s->plan.rows != NULL && plan_tidy(&s->plan, rows->end)) {
        each_candidate(s, lane, fn, user);
        return;
    }
    s->candidates += s->view.live;
    for (uint32_t row = 0; row < rows->end; row++) {
        if (row % YIELD_ROWS == 0)
            lane_yield(lane);
        if (row % LOOK_ROWS == 0 && index_stops(&s->cost))
            return;
        if (row_visible(rows, row) && search_accepts(s, row) && !fn(user, row))
            return;
    }
}

/* -- in the order of a field ------------------------------------------------------------------- */

enum rank { RANK_NUMBER, RANK_STRING, RANK_BOOL, RANK_REST };

/* A row and what it is sorted by. The texts are those of the collection's heap. */
struct item {
    enum rank rank;
    bool escaped;
    double number;
    struct slice text, id;
    uint32_t row;
};

/* The first of a query as a heap with the last of them on top. */
struct sorting {
    const struct query *query;
    const struct collection_view *view;
    struct item *items;
    size_t count, capacity;
};

/* Below 0: a comes first. */
static int item_order(const struct item *a, const struct item *b, const struct query *q)
{
    bool descending = q->descending;
    int order = 0;
    if (a->rank != b->rank)
        order = a->rank == RANK_REST || b->rank == RANK_REST
                    ? (a->rank == RANK_REST ? 1 : -1) * (descending ? -1 : 1)
                    : (int)a->rank - (int)b->rank;
    else if (a->rank == RANK_STRING)
        order = json_text_cmp(a->text, a->escaped, b->text, b->escaped);
    else if (a->rank != RANK_REST)
        order = (a->number > b->number) - (a->number < b->number);
    if (order != 0)
        return descending ? -order : order;
    return descending && q->equals_too ? slice_cmp(b->id, a->id) : slice_cmp(a->id, b->id);
}

static struct item item_of(const struct sorting *s, uint32_t row)
{
    struct json_value v;
    struct item item = {.rank = RANK_REST, .row = row, .id = view_id(s->view, row)};
    json_pick_read(s->query->sort_by, view_attribute(s->view, row), &v);
    if (v.kind == JSON_ARRAY && s->query->by_first) {
        struct json_items items = json_items_of(&v);
        (void)json_items_next(&items, &v);
    }
    if (v.kind == JSON_NUMBER) {
        item.rank = RANK_NUMBER;
        item.number = json_number(&v);
    } else if (v.kind == JSON_STRING) {
        item.rank = RANK_STRING;
        item.text = v.text;
        item.escaped = v.escaped;
    } else if (v.kind == JSON_TRUE || v.kind == JSON_FALSE) {
        item.rank = RANK_BOOL;
        item.number = v.kind == JSON_TRUE;
    }
    return item;
}

static bool comes_after(const struct sorting *s, const struct item *a, const struct item *b)
{
    return item_order(a, b, s->query) > 0;
}

static void sift_down(struct sorting *s, struct item item)
{
    size_t at = 0;
    for (size_t child = 1; child < s->count; child = 2 * at + 1) {
        if (child + 1 < s->count && comes_after(s, &s->items[child + 1], &s->items[child]))
            child++;
        if (!comes_after(s, &s->items[child], &item))
            break;
        s->items[at] = s->items[child];
        at = child;
    }
    s->items[at] = item;
}

static bool take_sorted(void *user, uint32_t row)
{
    struct sorting *s = user;
    struct item item = item_of(s, row);
    if (s->count < s->capacity) {
        size_t at = s->count++;
        for (; at > 0 && comes_after(s, &item, &s->items[(at - 1) / 2]); at = (at - 1) / 2)
            s->items[at] = s->items[(at - 1) / 2];
        s->items[at] = item;
    } else if (comes_after(s, &s->items[0], &item)) {
        sift_down(s, item);
    }
    return true;
}

static enum err rows_sorted(struct search *s, struct lane *lane, const struct query *query,
                            uint32_t *rows, size_t most, size_t *count)
{
    struct sorting sorting = {.query = query, .view = &s->view, .capacity = most};
    sorting.items = mem_try(MEM_SCRATCH, most * sizeof(*sorting.items));
    if (sorting.items == NULL)
        return ERR_NOMEM;
    query_each(s, lane, take_sorted, &sorting);
    *count = sorting.count;
    /* The last of all lies on top: taken off one by one they come from the end. */
    while (sorting.count > 0) {
        rows[sorting.count - 1] = sorting.items[0].row;
        sorting.count--;
        if (sorting.count > 0)
            sift_down(&sorting, sorting.items[sorting.count]);
    }
    mem_free(MEM_SCRATCH, sorting.items);
    return OK;
}

/* -- as rows come ------------------------------------------------------------------------------ */

struct listing {
    uint32_t *rows;
    size_t count, capacity;
};

static bool take(void *user, uint32_t row)
{
    struct listing *l = user;
    l->rows[l->count++] = row;
    return l->count < l->capacity;
}

enum err query_rows(struct search *s, struct lane *lane, const struct query *query, uint32_t **rows,
                    size_t *count)
{
    size_t most = query->offset + query->count;
    if (most > s->view.live)
        most = s->view.live;
    *count = 0;
    *rows = mem_try(MEM_SCRATCH, (most + 1) * sizeof(**rows));
    if (*rows == NULL)
        return ERR_NOMEM;
    enum err e = OK;
    if (most > 0 && query->sort_by != NULL) {
        e = rows_sorted(s, lane, query, *rows, most, count);
    } else if (most > 0) {
        struct listing l = {*rows, 0, most};
        query_each(s, lane, take, &l);
        *count = l.count;
    }
    if (e != OK) {
        mem_free(MEM_SCRATCH, *rows);
        return e;
    }
    size_t skipped = query->offset < *count ? query->offset : *count;
    *count -= skipped;
    memmove(*rows, *rows + skipped, *count * sizeof(**rows));
    return OK;
}
