#include "cmd/ft_near.h"

#include <math.h>
#include <stdlib.h>

#include "db/near.h"
#include "db/query.h"

enum { YIELD_ROWS = 4096, FEW_ROWS = 2000 /* cost less than a walk */ };

void ft_sides_fini(struct ft_sides *sides)
{
    for (size_t i = 0; i < sides->count; i++) {
        mem_free(MEM_SCRATCH, sides->items[i].query);
        mem_free(MEM_SCRATCH, sides->items[i].default_as);
    }
    mem_free(MEM_SCRATCH, sides->items);
}

/* -- the documents near a side, by key --------------------------------------------------------- */

struct near_row {
    uint32_t row, hash;
    float distance;
};

/* Open addressing; a place whose row is UINT32_MAX is empty. */
struct near_table {
    const struct collection_view *view;
    struct near_row *items;
    size_t mask;
};

static struct near_row *place_of(const struct near_table *t, struct slice key, uint32_t hash)
{
    for (size_t at = hash & t->mask;; at = (at + 1) & t->mask) {
        struct near_row *item = &t->items[at];
        if (item->row == UINT32_MAX ||
            (item->hash == hash && slice_eq(view_id(t->view, item->row), key)))
            return item;
    }
}

static enum err make_room(struct near_table *t, const struct ft_side *side, size_t rows)
{
    size_t room = 16;
    while (room < 2 * rows)
        room *= 2;
    t->view = &side->view;
    t->mask = room - 1;
    t->items = mem_try(MEM_SCRATCH, room * sizeof(*t->items));
    for (size_t i = 0; t->items != NULL && i < room; i++)
        t->items[i].row = UINT32_MAX;
    return t->items == NULL ? ERR_NOMEM : OK;
}

static void add(struct near_table *t, uint32_t row, float distance)
{
    struct slice key = view_id(t->view, row);
    uint32_t hash = collection_id_hash(t->view->collection, key);
    *place_of(t, key, hash) = (struct near_row){row, hash, distance};
}

static enum err fill_by_scan(struct near_table *t, const struct ft_side *side, struct lane *lane,
                             struct index_cost *cost)
{
    struct near_scale scale;
    const struct index_rows *rows = &side->view.codes;
    enum err e = make_room(t, side, rows->end);
    if (e == OK)
        e = near_scale_init(&scale, &side->view, side->query);
    if (e != OK)
        return e;
    for (uint32_t row = 0; row < rows->end; row++) {
        if (row % YIELD_ROWS == 0)
            lane_yield(lane);
        if (!row_visible(rows, row))
            continue;
        float distance = near_distance(&scale, row);
        cost->distances++;
        if (distance <= side->radius)
            add(t, row, distance);
    }
    near_scale_fini(&scale);
    return OK;
}

static enum err fill(struct near_table *t, const struct ft_side *side, struct lane *lane,
                     struct index_cost *cost)
{
    struct hit *hits;
    size_t count;
    bool walked;
    const struct near_query q = {&side->view, side->query, side->radius, side->epsilon};
    enum err e = near_walk(&q, lane, cost, &walked, &hits, &count);
    if (e == OK)
        e = walked ? make_room(t, side, count) : fill_by_scan(t, side, lane, cost);
    for (size_t i = 0; e == OK && i < count; i++)
        add(t, hits[i].row, hits[i].dist);
    mem_free(MEM_SCRATCH, hits);
    return e;
}

/* -- what is within all of them ---------------------------------------------------------------- */

struct near_all {
    struct search *s;
    struct near_scale scale;
    struct near_table tables[FT_SIDES_MAX];
    size_t table_count;
    struct ft_near *items;
    float *sides; /* table_count for each */
    size_t count, capacity;
    bool failed;
};

static bool grow(struct near_all *n)
{
    size_t capacity = n->capacity == 0 ? 64 : 2 * n->capacity;
    struct ft_near *items = mem_try_realloc(MEM_SCRATCH, n->items, capacity * sizeof(*items));
    if (items == NULL)
        return false;
    n->items = items;
    size_t size = (capacity * n->table_count + 1) * sizeof(*n->sides);
    float *sides = mem_try_realloc(MEM_SCRATCH, n->sides, size);
    if (sides == NULL)
        return false;
    n->sides = sides;
    n->capacity = capacity;
    return true;
}

/* The distances of a key to the sides; false: it is not near each of them. */
static bool near_sides(const struct near_all *n, struct slice key, float *distances)
{
    for (size_t i = 0; i < n->table_count; i++) {
        const struct near_table *t = &n->tables[i];
        const struct near_row *item =
            place_of(t, key, collection_id_hash(t->view->collection, key));
        if (item->row == UINT32_MAX)
            return false;
        distances[i] = item->distance;
    }
    return true;
}

static bool take(struct near_all *n, uint32_t row, float distance)
{
    if (n->count == n->capacity && !grow(n)) {
        n->failed = true;
        return false;
    }
    if (near_sides(n, view_id(&n->s->view, row), n->sides + n->count * n->table_count)) {
        n->items[n->count] = (struct ft_near){.distance = distance, .row = row};
        n->count++;
    }
    return true;
}

static bool take_near(void *user, uint32_t row)
{
    struct near_all *n = user;
    float distance = near_distance(&n->scale, row);
    n->s->cost.distances++;
    return distance > n->s->radius || take(n, row, distance);
}

static int by_distance(const void *a, const void *b)
{
    const struct ft_near *x = a, *y = b;
    return x->distance != y->distance ? (x->distance > y->distance) - (x->distance < y->distance)
                                      : (x->row > y->row) - (x->row < y->row);
}

/* By looking at all that the filter lets through. */
static enum err find_by_scan(struct near_all *n, struct lane *lane)
{
    enum err e = near_scale_init(&n->scale, &n->s->view, n->s->queries);
    if (e == OK)
        query_each(n->s, lane, take_near, n);
    return e;
}

static enum err find(struct near_all *n, struct lane *lane, const struct ft_sides *sides)
{
    struct search *s = n->s;
    struct hit *hits = NULL;
    size_t count = 0;
    bool walked = false, few = s->plan.rows != NULL && s->plan.row_count < FEW_ROWS;
    enum err e = OK;
    for (size_t i = 0; i < sides->count && e == OK; i++) {
        n->table_count = i + 1; /* a table that was not filled is freed, too */
        e = fill(&n->tables[i], &sides->items[i], lane, &s->cost);
    }
    const struct near_query q = {&s->view, s->queries, s->radius, sides->epsilon};
    if (e == OK && !few)
        e = near_walk(&q, lane, &s->cost, &walked, &hits, &count);
    if (e == OK && !walked)
        e = find_by_scan(n, lane);
    s->candidates += count;
    for (size_t i = 0; e == OK && i < count && !n->failed; i++)
        if (search_accepts(s, hits[i].row))
            (void)take(n, hits[i].row, hits[i].dist);
    mem_free(MEM_SCRATCH, hits);
    return n->failed ? ERR_NOMEM : e;
}

enum err ft_near_run(struct search *s, struct lane *lane, const struct ft_sides *sides,
                     void (*count)(struct search *s, size_t count),
                     void (*put)(struct search *s, const struct ft_near *near))
{
    struct near_all n = {.s = s};
    CHECK(sides->count <= FT_SIDES_MAX);
    enum err e = find(&n, lane, sides);
    for (size_t i = 0; i < n.count && e == OK; i++)
        n.items[i].side = n.sides + i * n.table_count;
    if (e == OK && n.count > 0)
        qsort(n.items, n.count, sizeof(*n.items), by_distance);
    if (e == OK)
        count(s, n.count);
    for (size_t i = 0; i < n.count && e == OK; i++)
        put(s, &n.items[i]);
    for (size_t i = 0; i < n.table_count; i++)
        mem_free(MEM_SCRATCH, n.tables[i].items);
    near_scale_fini(&n.scale);
    mem_free(MEM_SCRATCH, n.items);
    mem_free(MEM_SCRATCH, n.sides);
    return e;
}
