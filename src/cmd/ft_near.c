#include "cmd/ft_near.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "db/query.h"

enum { ALIGNMENT = 64, YIELD_ROWS = 4096 };

void ft_sides_fini(struct ft_sides *sides)
{
    for (size_t i = 0; i < sides->count; i++) {
        mem_free(MEM_SCRATCH, sides->items[i].query);
        mem_free(MEM_SCRATCH, sides->items[i].default_as);
    }
    mem_free(MEM_SCRATCH, sides->items);
}

/* -- the distances of a view to a vector ------------------------------------------------------- */

struct scale {
    const struct codec *codec;
    const struct index_rows *rows;
    const uint8_t *query;
    uint8_t *room;
    bool cosine;
};

static enum err scale_init(struct scale *scale, const struct collection_view *v, const float *query)
{
    const struct collection *c = v->collection;
    scale->codec = v->has_exact ? &c->exact : &c->codec;
    scale->rows = v->has_exact ? &v->exact : &v->codes;
    scale->cosine = c->spec.metric == METRIC_COSINE;
    scale->room = mem_try(MEM_SCRATCH, scale->codec->query_size + ALIGNMENT);
    if (scale->room == NULL)
        return ERR_NOMEM;
    size_t past = (uintptr_t)scale->room % ALIGNMENT;
    uint8_t *aligned = scale->room + (ALIGNMENT - past) % ALIGNMENT;
    codec_query(scale->codec, query, aligned);
    scale->query = aligned;
    return OK;
}

/* Under COSINE a float dot product of a vector with itself misses 1 by its last bit. */
static float scale_distance(const struct scale *scale, uint32_t row)
{
    float distance = codec_score(scale->codec, scale->query, row_code(scale->rows, row));
    return scale->cosine && fabsf(distance) <= FLT_EPSILON ? 0 : distance;
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

static enum err fill(struct near_table *t, const struct ft_side *side, struct lane *lane,
                     struct index_cost *cost)
{
    struct scale scale;
    const struct index_rows *rows = &side->view.codes;
    size_t room = 16;
    while (room < 2 * (size_t)rows->end)
        room *= 2;
    t->view = &side->view;
    t->mask = room - 1;
    t->items = mem_try(MEM_SCRATCH, room * sizeof(*t->items));
    if (t->items == NULL)
        return ERR_NOMEM;
    enum err e = scale_init(&scale, &side->view, side->query);
    if (e != OK)
        return e;
    for (size_t i = 0; i < room; i++)
        t->items[i].row = UINT32_MAX;
    for (uint32_t row = 0; row < rows->end; row++) {
        if (row % YIELD_ROWS == 0)
            lane_yield(lane);
        float distance = row_visible(rows, row) ? scale_distance(&scale, row) : INFINITY;
        cost->distances += row_visible(rows, row);
        if (!(distance <= side->radius))
            continue;
        struct slice key = view_id(&side->view, row);
        uint32_t hash = collection_id_hash(side->view.collection, key);
        *place_of(t, key, hash) = (struct near_row){row, hash, distance};
    }
    mem_free(MEM_SCRATCH, scale.room);
    return OK;
}

/* -- what is within all of them ---------------------------------------------------------------- */

struct near_all {
    struct search *s;
    struct scale scale;
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

static bool take(void *user, uint32_t row)
{
    struct near_all *n = user;
    float distance = scale_distance(&n->scale, row);
    n->s->cost.distances++;
    if (distance > n->s->radius)
        return true;
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

static int by_distance(const void *a, const void *b)
{
    const struct ft_near *x = a, *y = b;
    return x->distance != y->distance ? (x->distance > y->distance) - (x->distance < y->distance)
                                      : (x->row > y->row) - (x->row < y->row);
}

static enum err find(struct near_all *n, struct lane *lane, const struct ft_sides *sides)
{
    enum err e = scale_init(&n->scale, &n->s->view, n->s->queries);
    for (size_t i = 0; i < sides->count && e == OK; i++) {
        n->table_count = i + 1; /* a table that was not filled is freed, too */
        e = fill(&n->tables[i], &sides->items[i], lane, &n->s->cost);
    }
    if (e != OK)
        return e;
    query_each(n->s, lane, take, n);
    return n->failed ? ERR_NOMEM : OK;
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
    mem_free(MEM_SCRATCH, n.scale.room);
    mem_free(MEM_SCRATCH, n.items);
    mem_free(MEM_SCRATCH, n.sides);
    return e;
}
