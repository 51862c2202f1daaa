#include "index/hnsw_impl.h"

#include <math.h>
#include <string.h>

enum { LIST_ALIGNMENT = 64 };

static enum err reserve(struct index *x, uint32_t rows)
{
    return columns_reserve(&hnsw_of(x)->rows, rows);
}

static size_t cost(const struct index *x, uint32_t rows)
{
    const struct hnsw *h = (const struct hnsw *)x;
    return columns_cost(&h->rows, rows) +
           columns_cost(&h->uppers, h->uppers_used + HNSW_LEVELS_MAX);
}

/* -ln(U) / ln(m), as Malkov and Yashunin draw it; from the hash of the id, so that building the
 * same data gives the same levels. */
static uint8_t level_of(const struct hnsw *h, uint64_t hash)
{
    double unit = ((double)(hash >> 11) + 1) * 0x1p-53; /* 0 < unit <= 1 */
    double level = floor(-log(unit) * h->level_scale);
    return level < HNSW_LEVELS_MAX - 1 ? (uint8_t)level : HNSW_LEVELS_MAX - 1;
}

/* count consecutive lists, the lowest there are, or ROW_NONE when memory is short. */
uint32_t hnsw_take_uppers(struct hnsw *h, uint8_t count)
{
    CHECK(count > 0 && count < HNSW_LEVELS_MAX);
    uint32_t upper = rowset_take_run(&h->uppers_free, count);
    if (upper != ROWSET_NONE)
        return upper;
    if (columns_reserve(&h->uppers, h->uppers_used + count) != OK ||
        !rowset_reserve(&h->uppers_free, h->uppers_used + count))
        return ROW_NONE;
    upper = h->uppers_used;
    h->uppers_used += count;
    return upper;
}

static void clear_links(const struct hnsw *h, uint32_t row, int level)
{
    hnsw_link *links = hnsw_links(h, row, level);
    for (uint32_t i = 0; i < hnsw_links_max(h, level); i++)
        link_store(&links[i], ROW_NONE);
}

static void row_init(struct index *x, uint32_t row, uint64_t hash)
{
    struct hnsw *h = hnsw_of(x);
    CHECK(row < h->rows.capacity);
    struct hnsw_node *node = hnsw_node(h, row);
    CHECK(atomic_load_explicit(&node->lock, memory_order_relaxed) == 0);
    node->level = level_of(h, hash);
    node->upper = node->level > 0 ? hnsw_take_uppers(h, node->level) : ROW_NONE;
    if (node->upper == ROW_NONE)
        node->level = 0; /* memory is short: a lower level costs a few hops and nothing else */
    atomic_store_explicit(&node->parent, ROW_NONE, memory_order_relaxed);
    node_set_lost(node, 0);
    for (int level = 0; level <= node->level; level++)
        clear_links(h, row, level);
    node_set_stage(node, NODE_NEW); /* a sweep that runs now may look at the row from here on */
}

/* A sweep that starts after this must not look at a row that row_free is about to change. */
static void row_retire(struct index *x, uint32_t row)
{
    node_set_stage(hnsw_node(hnsw_of(x), row), NODE_OUT);
}

static void row_free(struct index *x, uint32_t row)
{
    struct hnsw *h = hnsw_of(x);
    CHECK(row < h->rows.capacity);
    struct hnsw_node *node = hnsw_node(h, row);
    node_set_stage(node, NODE_OUT);
    if (node->level == 0)
        return;
    CHECK(node->level < HNSW_LEVELS_MAX && node->upper < h->uppers_used);
    for (uint32_t i = 0; i < node->level; i++)
        rowset_add(&h->uppers_free, node->upper + i);
    node->level = 0;
}

/* Nothing leads to lists that are free, so those at the end need not wait for anybody. */
static size_t spans(const struct index *x, uint32_t first, uint32_t end, struct column_span *out)
{
    return columns_spans(&((const struct hnsw *)x)->rows, first, end, out);
}

static bool shrink(struct index *x, uint32_t rows, size_t bytes_max)
{
    struct hnsw *h = hnsw_of(x);
    h->uppers_used = rowset_trim(&h->uppers_free, h->uppers_used, 0);
    return columns_shrink(&h->rows, rows, bytes_max) ||
           columns_shrink(&h->uppers, h->uppers_used, bytes_max);
}

static size_t excess(const struct index *x, uint32_t rows)
{
    const struct hnsw *h = (const struct hnsw *)x;
    return columns_excess(&h->rows, rows);
}

static size_t bytes(const struct index *x)
{
    const struct hnsw *h = (const struct hnsw *)x;
    return sizeof(*h) + columns_bytes(&h->rows) + columns_bytes(&h->uppers);
}

static void destroy(struct index *x)
{
    struct hnsw *h = hnsw_of(x);
    columns_fini(&h->rows);
    columns_fini(&h->uppers);
    rowset_fini(&h->uppers_free);
    mem_free(MEM_GRAPH, h);
}

/* Each about 1.4 times the one before: recall between two of them is near enough a line. */
static size_t efforts(const struct index *x, uint32_t out[INDEX_EFFORTS_MAX])
{
    static const uint32_t steps[] = {2,   3,   4,    6,    8,    11,   16,   23,
                                     32,  45,  64,   91,   128,  181,  256,  362,
                                     512, 724, 1024, 1448, 2048, 2896, 4096, 5793};
    (void)x;
    memcpy(out, steps, sizeof(steps));
    return COUNT_OF(steps);
}

static const struct index_ops ops = {
    .name = "HNSW",
    .is_graph = true,
    .reserve = reserve,
    .cost = cost,
    .spans = spans,
    .row_init = row_init,
    .row_retire = row_retire,
    .row_free = row_free,
    .link = hnsw_link_row,
    .search = hnsw_search,
    .was_linked = hnsw_was_linked,
    .sweep_range = hnsw_sweep_range,
    .sweep_finish = hnsw_sweep_finish,
    .move_init = hnsw_move_init,
    .move_lists = hnsw_move_lists,
    .move_links = hnsw_move_links,
    .move_finish = hnsw_move_finish,
    .efforts = efforts,
    .shrink = shrink,
    .excess = excess,
    .bytes = bytes,
    .free = destroy,
};

static uint32_t list_stride(uint32_t links)
{
    uint32_t size = links * (uint32_t)sizeof(hnsw_link);
    return (size + LIST_ALIGNMENT - 1) / LIST_ALIGNMENT * LIST_ALIGNMENT;
}

struct index *hnsw_new(struct epoch *epoch, uint32_t m, uint32_t ef_build, uint32_t rows_max)
{
    CHECK(m >= 2 && ef_build > 0);
    struct hnsw *h = mem_try_calloc(MEM_GRAPH, sizeof(*h));
    if (h == NULL)
        return NULL;
    h->index.ops = &ops;
    h->m = m;
    h->m0 = 2 * m;
    h->ef_build = ef_build;
    h->level_scale = 1 / log((double)m);
    atomic_init(&h->entry, ENTRY_NONE);
    atomic_init(&h->root, ROW_NONE);
    atomic_init(&h->moving, false);
    struct column_spec row_spec[HNSW_COLS] = {
        [HNSW_COL_NODE] = {sizeof(struct hnsw_node), MEM_GRAPH},
        [HNSW_COL_LINKS] = {list_stride(h->m0), MEM_GRAPH},
    };
    struct column_spec upper_spec = {list_stride(m), MEM_GRAPH};
    size_t row_size = row_spec[HNSW_COL_NODE].stride + row_spec[HNSW_COL_LINKS].stride;
    columns_init(&h->rows, epoch, row_spec, HNSW_COLS, rows_max * row_size);
    /* One row in m - 1 has an upper list, on average; who draws more than twice that stays low. */
    size_t uppers_max = 2 * ((size_t)rows_max / (m - 1) + HNSW_LEVELS_MAX);
    columns_init(&h->uppers, epoch, &upper_spec, 1, uppers_max * upper_spec.stride);
    if (columns_make_large(&h->rows) != OK || columns_make_large(&h->uppers) != OK) {
        destroy(&h->index);
        return NULL;
    }
    return &h->index;
}

size_t links_copy(const struct hnsw *h, uint32_t row, int level, uint32_t *out)
{
    const hnsw_link *links = hnsw_links(h, row, level);
    uint32_t max = hnsw_links_max(h, level);
    size_t count = 0;
    for (uint32_t i = 0; i < max; i++) {
        uint32_t id = link_load(&links[i]);
        if (id == ROW_NONE)
            break;
        out[count++] = id;
    }
    return count;
}

void links_write(const struct hnsw *h, uint32_t row, int level, const uint32_t *ids, size_t count)
{
    hnsw_link *links = hnsw_links(h, row, level);
    uint32_t max = hnsw_links_max(h, level);
    CHECK(count <= max);
    for (size_t i = 0; i < count; i++)
        link_store(&links[i], ids[i]);
    for (size_t i = count; i < max && link_load(&links[i]) != ROW_NONE; i++)
        link_store(&links[i], ROW_NONE);
}

int hnsw_level(const struct index *x, uint32_t row)
{
    return hnsw_node((const struct hnsw *)x, row)->level;
}

int hnsw_top_level(const struct index *x)
{
    const struct hnsw *h = (const struct hnsw *)x;
    uint64_t entry = atomic_load_explicit(&((struct hnsw *)h)->entry, memory_order_acquire);
    return entry == ENTRY_NONE ? -1 : entry_level(entry);
}

size_t hnsw_neighbours(const struct index *x, uint32_t row, int level, uint32_t *out,
                       size_t capacity)
{
    const struct hnsw *h = (const struct hnsw *)x;
    CHECK(level >= 0 && level <= hnsw_node(h, row)->level);
    const hnsw_link *links = hnsw_links(h, row, level);
    size_t count = 0;
    for (uint32_t i = 0; i < hnsw_links_max(h, level) && count < capacity; i++) {
        uint32_t id = link_load(&links[i]);
        if (id == ROW_NONE)
            break;
        out[count++] = id;
    }
    return count;
}

/* What must hold for one list. */
static const char *check_list(const struct hnsw *h, const struct index_rows *rows, uint32_t row,
                              int level, bool (*linked)(void *user, uint32_t row), void *user)
{
    const hnsw_link *links = hnsw_links(h, row, level);
    bool ended = false;
    for (uint32_t i = 0; i < hnsw_links_max(h, level); i++) {
        uint32_t id = link_load(&links[i]);
        if (id == ROW_NONE) {
            ended = true;
            continue;
        }
        if (ended)
            return "a link behind the end of a list";
        if (id >= rows->end || id == row)
            return "a link to itself or past the end";
        if (hnsw_node(h, id)->level < level)
            return "a link to a row that does not have the level";
        if (!row_dead(rows, id) && !linked(user, id))
            return "a link to a row that was never linked";
        for (uint32_t j = 0; j < i; j++)
            if (link_load(&links[j]) == id)
                return "the same link twice";
    }
    return NULL;
}

static bool leads_to(const struct hnsw *h, uint32_t row, uint32_t id)
{
    const hnsw_link *links = hnsw_links(h, row, 0);
    for (uint32_t i = 0; i < h->m0 && link_load(&links[i]) != ROW_NONE; i++)
        if (link_load(&links[i]) == id)
            return true;
    return false;
}

static const char *check_tree(const struct hnsw *h, const struct index_rows *rows, uint32_t row)
{
    uint32_t parent = node_parent(h, row);
    if (parent == ROW_NONE)
        return "a row without a parent";
    if (parent == row)
        return atomic_load(&((struct hnsw *)h)->root) == row ? NULL : "a second root";
    if (!leads_to(h, parent, row))
        return "a parent that does not lead to its child";
    if (!row_dead(rows, parent) && !leads_to(h, row, parent))
        return "a child that does not lead to its parent";
    return NULL;
}

const char *hnsw_check(const struct index *x, const struct index_rows *rows,
                       bool (*linked)(void *user, uint32_t row), void *user)
{
    const struct hnsw *h = (const struct hnsw *)x;
    for (uint32_t row = 0; row < rows->end; row++) {
        if (!linked(user, row) || row_dead(rows, row))
            continue;
        for (int level = 0; level <= hnsw_node(h, row)->level; level++) {
            const char *broken = check_list(h, rows, row, level, linked, user);
            if (broken != NULL)
                return broken;
        }
        const char *broken = check_tree(h, rows, row);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

bool hnsw_has_wear(const struct index *x, uint32_t row, enum hnsw_wear wear)
{
    const struct hnsw *h = (const struct hnsw *)x;
    const struct hnsw_node *node = hnsw_node(h, row);
    return node_lost(node) >= hnsw_lost_min(h, wear) && node_stage(node) == NODE_LINKED;
}

bool hnsw_was_linked(const struct index *x, uint32_t row)
{
    const struct hnsw *h = (const struct hnsw *)x;
    return node_stage(hnsw_node(h, row)) == NODE_LINKED;
}
